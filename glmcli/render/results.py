"""Search results for a terminal, a pipe, a Markdown file and programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glmcli.api.resources.web_search import SearchResult
    from glmcli.render.wrapping import Span

#: Raised when a key of the JSON output changes its meaning (`docs/json-output.md`).
SCHEMA_VERSION = 1

_BOLD, _DIM = "1", "2"
#: Lines of an extract on a terminal; a pipe gets all of it.
MAX_EXTRACT_LINES = 6
_NARROWEST = 20


def document(result: SearchResult) -> dict[str, object]:
    """One result as JSON; what the service did not say is null."""
    return {
        "title": result.title or None,
        "url": result.url or None,
        "site": result.site or None,
        "date": result.date or None,
        "content": result.content or None,
        "icon": result.icon or None,
        "reference": result.reference or None,
    }


def origin(result: SearchResult, *, separator: str = " · ") -> str:
    """Site and date, as far as they are known."""
    return separator.join(part for part in (result.site, result.date) if part)


def address(result: SearchResult) -> str | None:
    """The address for another program: one word for `xargs`, and never an option of that program.

    Whoever made the page chose it, so it is not trusted. None when it is no web address.
    """
    if not re.match(r"https?://", result.url, re.IGNORECASE):
        return None
    return re.sub(r"[\s\x00-\x20'\"\\]", lambda found: f"%{ord(found[0]) & 0xFF:02X}", result.url.strip())


def name(result: SearchResult) -> str:
    """What a result is called; an address has to do where there is no title."""
    return _one_line(result.title) or result.url or "(untitled)"


def plain(result: SearchResult) -> str:
    """One result for a pipe: title, address, site and date, the whole extract."""
    lines = (name(result), result.url, origin(result), result.content.strip())
    return "\n".join(line for line in dict.fromkeys(lines) if line) + "\n"


def markdown(number: int, result: SearchResult) -> str:
    """One item of a numbered list with a link."""
    title = re.sub(r"([\\\[\]*_`<>])", r"\\\1", name(result))
    head = f"[{title}]({_destination(result.url)})" if result.url else title
    where = origin(result, separator=", ")
    mark = f"{number}. "
    lines = [mark + head + (f" ({where})" if where else "")]
    if result.content.strip():
        indent = " " * len(mark)
        lines += ["", *(f"{indent}{line}".rstrip() for line in result.content.strip().splitlines())]
    return "\n".join(lines) + "\n"


def _destination(url: str) -> str:
    """A link's target as CommonMark takes it; spaces and brackets would end it."""
    return url if re.fullmatch(r"[^\s()<>]+", url) else "<" + re.sub(r"[\s<>]+", "%20", url) + ">"


def block(number: int, result: SearchResult, *, width: int, gutter: int, color: bool) -> Iterator[str]:
    """The lines of one result on a terminal `width` columns wide, numbers in the first `gutter` columns.

    The address is not broken: it must stay clickable. Control characters are made visible.
    """
    from glmcli.render.wrapping import Span, Style

    area = max(_NARROWEST, width - gutter)
    indent = " " * gutter
    title = _lines([Span(_safe(name(result)), Style(_BOLD if color else ""))], area)
    yield from _behind(f"{number}.".ljust(gutter), indent, title)
    where = _safe(origin(result))
    if where:
        yield from _behind(indent, indent, _lines([Span(where, Style(_DIM if color else ""))], area))
    if result.url and result.title:
        yield indent + _safe(result.url)
    extract = _lines([Span(_safe(result.content), Style())], area)
    if len(extract) > MAX_EXTRACT_LINES:
        extract = [*extract[: MAX_EXTRACT_LINES - 1], "…"]
    yield from _behind(indent, indent, extract)


def _lines(spans: list[Span], width: int) -> list[str]:
    from glmcli.render.terminal import paint
    from glmcli.render.wrapping import Wrapper

    wrapper = Wrapper(width)
    return [paint(line) for line in [*wrapper.feed(spans), *wrapper.finish()]]


def _behind(first: str, indent: str, lines: list[str]) -> Iterator[str]:
    for index, line in enumerate(lines):
        yield (first if index == 0 else indent) + line


def _safe(text: str) -> str:
    from glmcli.streams import harmless

    return harmless(_one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())

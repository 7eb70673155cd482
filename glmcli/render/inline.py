"""Emphasis, links and code inside a paragraph, as styled spans.

markdown-it's inline parser does the reading. The target of a link becomes a
hyperlink of the terminal (OSC 8) only for schemes that are safe to click, and
is printed otherwise.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from glmcli.render.wrapping import Span, Style
from glmcli.streams import harmless

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# SGR parameters, with colour and without: the sixteen colours that themes keep readable.
CODE = "36"
LINK = "4;34"
HEADINGS = ("1;4;35", "1;35", "1", "1;3", "1;3", "1;3")
HEADINGS_WITHOUT_COLOR = ("1;4", "1", "1", "1;3", "1;3", "1;3")
QUIET = "2"

_SAFE_LINK = re.compile(r"(?:https?://|mailto:)[\x21-\x7e]{1,2000}", re.I)
_BREAK = re.compile(r"<br\s*/?>$", re.I)
_TOGGLES = {"strong": "1", "em": "3", "s": "9"}

# What is left of these in parsed text may still begin something further on.
_OPEN = re.compile(r"(?<!\w)_|_(?!\w)|\*(?!\s)|~~|`|\[|<(?=[A-Za-z/!?])|&#?\w*$")
# The end of a text that is still being written: a link without its target, emphasis without its end.
_PARTIAL_LINK = re.compile(r"!?\[([^\[\]\n]*)(?:\](?:\([^()\s]*)?)?$")
_CODE_SPAN = re.compile(r"(?<!`)(`++).*?(?<!`)\1(?!`)", re.S)
_MARKS = re.compile(r"(?<!\\)(?:\*\*|\*|~~)")
_MAY_OPEN = re.compile(r"(?:\*\*|~~|(?<!\w)\*)(?=[^\s*~])")

_WIDE = re.compile(r"[\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60\U00020000-\U0003fffd]")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("strikethrough")


@cache
def _definition_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("zero")
    parser.enable("reference")
    return parser


class Inline:
    """Turns inline Markdown into spans; knows the link definitions that came so far."""

    def __init__(self, *, color: bool, references: MutableMapping[str, object] | None = None) -> None:
        self.color = color
        self._references: MutableMapping[str, object] = {} if references is None else references

    def fork(self) -> Inline:
        """The same state, to look ahead with."""
        return Inline(color=self.color, references=ChainMap({}, self._references))

    def define(self, text: str) -> str:
        """Take the link definitions that a paragraph begins with; what is left of it."""
        if "]:" not in text:
            return text
        tokens = _definition_parser().parse(text, {"references": self._references})
        return "\n".join(token.content for token in tokens if token.type == "inline")

    def spans(self, text: str, base: str = "") -> list[Span]:
        """The text in style; a `\\n` in a span is a line break."""
        return self._render(self._parse(text), base)

    def closed_spans(self, text: str, base: str = "") -> list[Span] | None:
        """As `spans`, or None when text that follows could change what this means."""
        tokens = self._parse(text)
        if any(token.type == "text" and _OPEN.search(token.content) for token in tokens):
            return None
        return self._render(tokens, base)

    def _parse(self, text: str) -> Sequence[Token]:
        (token,) = _parser().parseInline(text, {"references": self._references})
        return token.children or []

    def _render(self, tokens: Sequence[Token], base: str) -> list[Span]:
        return _Writer(base, color=self.color).write(tokens)


class _Writer:
    """Walks the tokens of one text."""

    def __init__(self, base: str, *, color: bool) -> None:
        self._color = color
        self._sgr = [base] if base else []
        self._links: list[tuple[str, int, bool]] = []  # target, first span of the text, whether OSC 8 carries it
        self._spans: list[Span] = []

    def write(self, tokens: Sequence[Token]) -> list[Span]:
        for index, token in enumerate(tokens):
            kind = token.type
            if kind == "softbreak":
                self._soft_break(tokens[index + 1] if index + 1 < len(tokens) else None)
            elif token.tag in _TOGGLES:
                self._toggle(_TOGGLES[token.tag], begins=token.nesting == 1)
            elif kind == "link_open":
                self._begin_link(str(token.attrs.get("href", "")))
            elif kind == "link_close":
                self._end_link()
            else:
                self._leaf(token)
        return self._spans

    def _leaf(self, token: Token) -> None:
        if token.type == "code_inline":
            code = harmless(token.content)
            if self._color:
                self._add(code, CODE)
            else:
                fence = "``" if "`" in code else "`"
                self._add(f"{fence}{code}{fence}")
        elif token.type == "hardbreak" or (token.type == "html_inline" and _BREAK.match(token.content)):
            self._spans.append(Span("\n"))
        elif token.type == "image":
            self._begin_link(str(token.attrs.get("src", "")))
            self._add(f"[{token.content or 'image'}]")
            self._end_link()
        else:
            self._add(_one_line(token.content))

    def _add(self, text: str, *sgr: str) -> None:
        if text:
            link = self._links[-1][0] if self._links and self._links[-1][2] else ""
            self._spans.append(Span(text, Style(";".join([*self._sgr, *sgr]), link)))

    def _toggle(self, sgr: str, *, begins: bool) -> None:
        if begins:
            self._sgr.append(sgr)
        elif sgr in self._sgr:
            del self._sgr[len(self._sgr) - 1 - self._sgr[::-1].index(sgr)]

    def _begin_link(self, target: str) -> None:
        can_click = self._color and not self._links and _SAFE_LINK.fullmatch(target) is not None
        self._links.append((target, len(self._spans), can_click))
        if self._color:
            self._sgr.append(LINK)

    def _end_link(self) -> None:
        target, first, can_click = self._links[-1]
        if self._color:
            self._toggle(LINK, begins=False)
        self._links.pop()
        text = "".join(span.text for span in self._spans[first:])
        if not can_click and target and text not in (target, target.removeprefix("mailto:")):
            self._add(f" ({_one_line(target)})")

    def _soft_break(self, following: Token | None) -> None:
        """A newline in the source is a space, but not between Chinese or Japanese characters."""
        before = self._spans[-1].text[-1] if self._spans else ""
        after = following.content[:1] if following is not None and following.type == "text" else ""
        if not (before and after and _WIDE.match(before) and _WIDE.match(after)):
            self._add(" ")


def _one_line(text: str) -> str:
    """The text without what an entity may have smuggled in."""
    if text.isprintable():
        return text
    return harmless(" ".join(re.split("[\n\t\u2028\u2029]", text)))


def heal(text: str) -> str:
    """Text that is still being written, closed as it will probably be.

    `**bo` is shown bold at once, instead of as two stars that vanish.
    """
    text = _PARTIAL_LINK.sub(r"\1", text)
    outside = _CODE_SPAN.sub("x", text)
    tick = outside.find("`")
    if tick >= 0:
        run = len(outside) - tick - len(outside[tick:].lstrip("`"))
        return text.rstrip("`") if not outside[tick:].strip("`") else text + "`" * run
    outside = outside.rstrip(" ").rstrip("*~")
    core = text.rstrip(" ").rstrip("*~").rstrip(" ")
    opened: list[str] = []
    for match in _MARKS.finditer(outside):
        if opened and opened[-1] == match.group():
            opened.pop()
        elif _MAY_OPEN.match(outside, match.start()):
            opened.append(match.group())
    return core + "".join(reversed(opened))

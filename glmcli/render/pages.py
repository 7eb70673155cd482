"""Pages of the web for a pipe, a terminal and programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glmcli.api.resources.reader import Page

#: Raised when a key of the JSON output changes its meaning (`docs/json-output.md`).
SCHEMA_VERSION = 1


def document(url: str, page: Page, route: str) -> dict[str, object]:
    """A page as JSON: `url` is what was asked for, `final_url` what the service read."""
    return {
        "schema_version": SCHEMA_VERSION,
        "url": url,
        "final_url": page.url or None,
        "route": route,
        "title": page.title or None,
        "description": page.description or None,
        "published": page.published or None,
        "content": page.content,
        "metadata": dict(page.metadata),
        "external": dict(page.external),
        "images": dict(page.images),
        "links": dict(page.links),
        "request_id": page.request_id,
    }


def failure(url: str, error: Mapping[str, object]) -> dict[str, object]:
    """What stands in the place of a page that could not be read, so that the order of many is kept."""
    return {"schema_version": SCHEMA_VERSION, "url": url, "error": dict(error)}


def content(page: Page, *, is_markdown: bool) -> str:
    """The text of a page with exactly one final newline, and the summaries that came beside it."""
    pieces = [page.content.rstrip("\n")]
    for title, found in (("Images", page.images), ("Links", page.links)):
        missing = {name: str(url) for name, url in found.items() if str(url) not in page.content}
        if missing and is_markdown:
            pieces.append(f"## {title}\n\n" + "\n".join(f"- [{name}]({url})" for name, url in missing.items()))
        elif missing:
            pieces.append(f"{title}:\n" + "\n".join(f"{name}: {url}" for name, url in missing.items()))
    return "\n\n".join(pieces) + "\n"


def header(url: str, page: Page) -> str:
    """The line in front of each of several pages."""
    title = " ".join(page.title.split())
    return f"==> {title} ({url}) <==" if title else f"==> {url} <=="

"""Slides of the slide agent: HTML pages gathered from its answer, and their export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glmcli.api.resources.agents import AgentReply, Part
from glmcli.errors import GlmError

#: Pixels of a page where nobody says others.
PAGE_SIZE = (1280, 720)


class Deck:
    """What an answer has made so far. `pages` maps a position to its HTML.

    The agent writes a page again to change it; the last one counts. Where it
    says no position, pages are numbered as they come.
    """

    def __init__(self) -> None:
        self.pages: dict[int, str] = {}
        self.text = ""
        self.conversation_id: str | None = None
        self.tool: str | None = None

    def feed(self, reply: AgentReply) -> None:
        """Take in an answer, or a chunk of one."""
        self.conversation_id = reply.conversation_id or self.conversation_id
        self.text += reply.text
        for part in reply.parts:
            if part.kind == "object":
                self._take(part)

    def _take(self, part: Part) -> None:
        name = part.object.get("tool_name")
        self.tool = name if isinstance(name, str) else self.tool
        html = _html(part.object.get("output"))
        if html is None:
            return
        position = _position(part.object)
        if position is None:
            position = max(self.pages, default=0) + (0 if self._is_open() else 1)
        before = self.pages.get(position, "")
        self.pages[position] = before + html if _is_cut(before) and not _begins(html) else html

    def _is_open(self) -> bool:
        return bool(self.pages) and _is_cut(self.pages[max(self.pages)])

    def save(self, folder: Path) -> list[Path]:
        """Write the pages as `page-01.html`, ... Raises GlmError."""
        saved = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for position, html in sorted(self.pages.items()):
                path = folder / f"page-{position:02d}.html"
                path.write_text(html, encoding="utf-8", errors="replace", newline="")
                saved.append(path)
        except OSError as error:
            raise GlmError(f"cannot write into {folder}: {(error.strerror or str(error)).lower()}") from error
        return saved


def _html(output: object) -> str | None:
    """The HTML in the output of a tool; None for anything else."""
    if isinstance(output, dict):
        output = output.get("html") or output.get("content")
    return output if isinstance(output, str) and "<" in output else None


def _position(called: Mapping[str, Any]) -> int | None:
    """The place of a page: a number, or the first of a list."""
    position = called.get("position")
    if isinstance(position, list):
        position = position[0] if position else None
    if isinstance(position, str) and position.isdigit():
        position = int(position)
    return position if isinstance(position, int) and not isinstance(position, bool) and position >= 0 else None


def _begins(html: str) -> bool:
    return html.lstrip()[:15].lower().startswith(("<!doctype", "<html"))


def _is_cut(html: str) -> bool:
    """Whether a page arrived without its end, so that the next piece belongs to it."""
    return _begins(html) and "</html>" not in html.lower()


def export_variables(positions: list[int], size: tuple[int, int], *, as_pdf: bool) -> dict[str, object]:
    """What the agent wants to know for an export: all pages as a PDF, and each as a picture where asked for."""
    pages = [{"position": position, "width": size[0], "height": size[1]} for position in positions]
    return {"include_pdf": as_pdf, "pages": pages}

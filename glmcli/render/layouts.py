"""What was read from a document: as JSON, and its layout as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glmcli.api.resources.ocr import Block, Box, Page
    from glmcli.digitizer import Part

SCHEMA_VERSION = 1
_COLUMNS = ("page", "label", "left", "top", "right", "bottom", "content")


def document_json(name: str, markdown: str, parts: Sequence[Part], *, complete: bool) -> dict[str, object]:
    """The JSON document of one file. Boxes are `[left, top, right, bottom]`, in pixels and as fractions."""
    layouts = [part.layout for part in parts]
    usages = [layout.usage for layout in layouts if layout.usage]
    return {
        "schema_version": SCHEMA_VERSION,
        "file": name,
        "model": next((layout.model for layout in layouts if layout.model), None),
        "complete": complete,
        "markdown": markdown,
        "pages": [_page(page, number) for number, page in numbered(parts)],
        "request_ids": [layout.request_id for layout in layouts],
        "usage": {
            "prompt_tokens": sum(usage.prompt_tokens or 0 for usage in usages),
            "completion_tokens": sum(usage.completion_tokens or 0 for usage in usages),
            "total_tokens": sum(usage.total_tokens or 0 for usage in usages),
        },
    }


def numbered(parts: Sequence[Part]) -> Iterator[tuple[int, Page]]:
    """Every page with its number in the document."""
    for part in parts:
        yield from enumerate(part.layout.pages, part.first)


def _page(page: Page, number: int) -> dict[str, object]:
    return {
        "page": number,
        "width": page.width,
        "height": page.height,
        "blocks": [_block(block, page) for block in page.blocks],
    }


def _block(block: Block, page: Page) -> dict[str, object]:
    pixels = page.pixels(block.box) if block.box else None
    fractions = page.fractions(block.box) if block.box else None
    return {
        "index": block.index,
        "label": block.label,
        "bbox": _rounded(pixels, 1),
        "bbox_normalized": _rounded(fractions, 5),
        "content": block.content,
    }


def _rounded(box: Box | None, digits: int) -> list[float] | None:
    return None if box is None else [round(value, digits) for value in box]


def layout_lines(parts: Sequence[Part]) -> Iterator[str]:
    """Tab-separated lines under a heading: page, label, box in pixels (empty where unknown), text on one line."""
    yield "\t".join(_COLUMNS)
    for number, page in numbered(parts):
        for block in page.blocks:
            box = page.pixels(block.box) if block.box else None
            places = [f"{value:g}" for value in box] if box else [""] * 4
            yield "\t".join((str(number), block.label, *places, " ".join(block.content.split())))

"""Figures in the Markdown of a document: references become links to files, or go.

The service writes `![](page=0,bbox=[x1,y1,x2,y2])`, which is no link; the page
counts from 0 within the answer (zai-org/GLM-OCR).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.api.resources.ocr import Box, Crop

if TYPE_CHECKING:
    from glmcli.digitizer import Part

_REFERENCE = re.compile(r"!\[([^\]\n]*)\]\(\s*page\s*=\s*(\d+)\s*,\s*bbox\s*=\s*\[([^\]\n]*)\]\s*\)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class SavedCrop:
    """A cut-out on disk. `page` counts from 1 in the document, None where it is not known."""

    crop: Crop
    path: Path
    page: int | None


def count_references(markdown: str) -> int:
    """How many figures a Markdown refers to without an address."""
    return len(_REFERENCE.findall(markdown))


def without_references(markdown: str) -> str:
    """The Markdown without references that no reader can follow, and without the gaps they leave."""
    lines = markdown.split("\n")
    kept = [line for line in lines if not (_REFERENCE.search(line) and not _REFERENCE.sub("", line).strip())]
    text = _REFERENCE.sub("", "\n".join(kept))
    return re.sub(r"\n{3,}", "\n\n", text) if len(kept) < len(lines) else text


def with_links(markdown: str, saved: Sequence[SavedCrop], link: Callable[[Path], str]) -> str:
    """The Markdown with every reference and address of a cut-out as a link to its file.

    References that have no file are left for `without_references`.
    """
    for item in saved:
        markdown = markdown.replace(item.crop.url, link(item.path))
    references = list(_REFERENCE.finditer(markdown))
    by_place = {_place(item.crop.page, item.crop.box): item for item in saved if item.crop.box is not None}
    in_order = dict(enumerate(saved)) if len(references) == len(saved) else {}
    found: Mapping[int, SavedCrop | None] = {
        match.start(): by_place.get(_place(int(match[2]), _box(match[3]))) or in_order.get(number)
        for number, match in enumerate(references)
    }

    def linked(match: re.Match[str]) -> str:
        item = found[match.start()]
        return match[0] if item is None else f"![{match[1]}]({link(item.path)})"

    return _REFERENCE.sub(linked, markdown)


def _box(text: str) -> Box | None:
    numbers = [float(number) for number in _NUMBER.findall(text)]
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if len(numbers) == 4 else None


def _place(page: int | None, box: Box | None) -> tuple[int | None, tuple[int, ...]]:
    return page, tuple(round(value) for value in box or ())


def link_from(folder: Path) -> Callable[[Path], str]:
    """Writes links as they have to stand in a file of that folder."""

    def link(path: Path) -> str:
        try:
            relative = Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive
            relative = path.as_posix()
        return f"<{relative}>" if re.search(r"[\s()]", relative) else relative

    return link


def crop_name(part: Part, crop: Crop, number: int) -> str:
    """`page-3-figure-1`; without the page where it is not known."""
    page = "" if crop.page is None else f"page-{part.first + crop.page}-"
    return f"{page}figure-{number}"

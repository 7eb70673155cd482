"""Documents to Markdown: `POST /layout_parsing` (GLM-OCR).

Shapes: docs.z.ai api-reference/tools/layout-parsing and the OpenAPI of
docs.bigmodel.cn (`api/ocr.md`). The documents and the vendor's own client
disagree about `bbox_2d`: normalised, or pixels of the page as the service
rendered it. The values decide: a page whose values are all within 0 and 1 is
normalised. Where cut-outs come back is not documented: `crop_images`, which an
SDK names, and addresses in the content of image blocks are both read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Region, Service
from glmcli.api.fields import mapping, mappings, text, whole
from glmcli.api.jsonfiles import FileText
from glmcli.api.resources.async_results import json_object
from glmcli.api.resources.chat import usage_from_json
from glmcli.errors import ServiceError, UsageError
from glmcli.events import Usage

DEFAULT_MODEL = "glm-ocr"
MIB = 1024 * 1024
#: Largest file of a type, in bytes. Nothing else is taken.
LIMITS = {"application/pdf": 50 * MIB, "image/png": 10 * MIB, "image/jpeg": 10 * MIB}
#: Pages of a PDF that one request reads (docs.z.ai, newest edition; docs.bigmodel.cn).
MAX_PAGES = {Region.INTL: 30, Region.CN: 100}
#: Long documents take minutes; the vendor's own client waits so long for an answer.
READ_TIMEOUT_SECONDS = 300.0

_LENGTHS = {"request_id": (6, 64), "user_id": (6, 128)}

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class LayoutRequest:
    """What to read. `file` is a URL that the service fetches, or a file behind a `data:` prefix.

    Pages count from 1 and mean PDFs only. `extra` fields replace those of the same name.
    """

    file: str | FileText
    model: str = DEFAULT_MODEL
    return_crop_images: bool = False
    need_layout_visualization: bool = False
    start_page: int | None = None
    end_page: int | None = None
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """The JSON body; what was not asked for is left out."""
        optional: dict[str, object] = {
            "return_crop_images": self.return_crop_images,
            "need_layout_visualization": self.need_layout_visualization,
            "start_page_id": self.start_page,
            "end_page_id": self.end_page,
            "request_id": self.request_id,
            "user_id": self.user_id,
        }
        given = {name: value for name, value in optional.items() if value}
        return {"model": self.model, "file": self.file, **given, **self.extra}


def check(*, request_id: str | None, user_id: str | None) -> None:
    """Compare ids with the documented lengths. Raises UsageError."""
    for name, value in (("request_id", request_id), ("user_id", user_id)):
        shortest, longest = _LENGTHS[name]
        if value is not None and not shortest <= len(value) <= longest:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{flag} has {len(value)} characters", hint=f"the service takes {shortest} to {longest} characters"
            )


@dataclass(frozen=True, slots=True)
class Block:
    """A region of a page. `box` is left, top, right, bottom, as the service wrote it."""

    index: int
    label: str
    content: str
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The blocks of a page; `width` and `height` are pixels of the service's rendering."""

    blocks: tuple[Block, ...]
    width: int | None = None
    height: int | None = None

    @property
    def is_normalised(self) -> bool:
        """Whether the boxes are fractions of the page rather than pixels."""
        boxes = [block.box for block in self.blocks if block.box]
        return bool(boxes) and all(0 <= value <= 1 for box in boxes for value in box)

    def pixels(self, box: Box) -> Box | None:
        """A box in pixels; None when the size of the page is unknown and needed."""
        if not self.is_normalised:
            return box
        return self._scaled(box, self.width or 0, self.height or 0)

    def fractions(self, box: Box) -> Box | None:
        """A box as fractions of the page; None when its size is unknown and needed."""
        if self.is_normalised:
            return box
        return self._scaled(box, 1 / self.width if self.width else 0, 1 / self.height if self.height else 0)

    def _scaled(self, box: Box, across: float, down: float) -> Box | None:
        if not across or not down:
            return None
        return box[0] * across, box[1] * down, box[2] * across, box[3] * down


@dataclass(frozen=True, slots=True)
class Crop:
    """A cut-out figure to download. `page` counts from 0 within the answer."""

    url: str
    page: int | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What was read. `page_count` is what the service says of the document."""

    markdown: str
    pages: tuple[Page, ...] = ()
    page_count: int | None = None
    crops: tuple[Crop, ...] = ()
    visualizations: tuple[str, ...] = ()
    model: str | None = None
    request_id: str | None = None
    usage: Usage | None = None


class LayoutParsing:
    """`/layout_parsing` of either region."""

    def __init__(self, caller: Caller, *, read_timeout_seconds: float | None = READ_TIMEOUT_SECONDS) -> None:
        """`read_timeout_seconds` is None where the user's own patience counts."""
        self._caller = caller
        self._read_timeout_seconds = read_timeout_seconds

    def parse(self, request: LayoutRequest) -> Layout:
        """Read a document. Raises what `Caller.send` raises, and ServiceError for a reply without Markdown."""
        call = Call(
            Service.OCR,
            "POST",
            "/layout_parsing",
            body=json_body(request.body()),
            read_timeout_seconds=self._read_timeout_seconds,
        )
        reply = self._caller.send(call)
        return layout_from_json(json_object(reply), reply.request_id)


def layout_from_json(body: Mapping[str, Any], request_id: str | None = None) -> Layout:
    """What a reply holds. Raises ServiceError when it has neither Markdown nor a layout."""
    markdown = text(body, "md_results")
    pages = tuple(_pages(body))
    if markdown is None and not pages:
        raise ServiceError("the service answered without `md_results`", request_id=request_id)
    info = mapping(body, "data_info")
    usage = mapping(body, "usage")
    return Layout(
        markdown=markdown if markdown is not None else _joined(pages),
        pages=pages,
        page_count=whole(info, "num_pages"),
        crops=tuple(_crops(body, pages)),
        visualizations=tuple(_addresses(body.get("layout_visualization"))),
        model=text(body, "model"),
        request_id=request_id or text(body, "request_id"),
        usage=usage_from_json(usage) if usage else None,
    )


def _joined(pages: tuple[Page, ...]) -> str:
    return "\n\n".join(block.content for page in pages for block in page.blocks if block.content)


def _pages(body: Mapping[str, Any]) -> Iterator[Page]:
    details = body.get("layout_details")
    listed = details if isinstance(details, list) else []
    if listed and all(isinstance(item, dict) for item in listed):  # one page without its list
        listed = [listed]
    sizes = mappings(mapping(body, "data_info"), "pages")
    for number in range(max(len(listed), len(sizes))):
        items = listed[number] if number < len(listed) and isinstance(listed[number], list) else []
        blocks = [item for item in items if isinstance(item, dict)]
        size = sizes[number] if number < len(sizes) else blocks[0] if blocks else {}
        yield Page(
            tuple(_block(item, index) for index, item in enumerate(blocks)), whole(size, "width"), whole(size, "height")
        )


def _block(item: Mapping[str, Any], index: int) -> Block:
    number = whole(item, "index")
    return Block(
        index if number is None else number, text(item, "label") or "", text(item, "content") or "", _box(item)
    )


def _box(item: Mapping[str, Any]) -> Box | None:
    for key in ("bbox_2d", "bbox"):
        value = item.get(key)
        if isinstance(value, list) and len(value) == 4 and all(isinstance(v, int | float) for v in value):
            return float(value[0]), float(value[1]), float(value[2]), float(value[3])
    return None


def _crops(body: Mapping[str, Any], pages: tuple[Page, ...]) -> Iterator[Crop]:
    named = body.get("crop_images")
    for item in named if isinstance(named, list) else []:
        if isinstance(item, list):  # page by page
            yield from (Crop(url) for url in _addresses(item))
        elif isinstance(item, dict):
            yield from (Crop(url, whole(item, "page"), _box(item)) for url in _addresses([item]))
        else:
            yield from (Crop(url) for url in _addresses([item]))
    for number, page in enumerate(pages):
        for block in page.blocks:
            if block.label == "image" and is_address(block.content) and not named:
                yield Crop(block.content.strip(), number, block.box)


def _addresses(value: object) -> Iterator[str]:
    """Addresses in a list of texts, or of objects that hold one."""
    for item in value if isinstance(value, list) else [value]:
        found = (text(item, "url") or text(item, "image") or "") if isinstance(item, dict) else item
        if isinstance(found, str) and is_address(found):
            yield found.strip()


def is_address(content: str) -> bool:
    """Whether a content is where a picture lies, or the picture itself."""
    return content.strip().startswith(("https://", "http://", "data:image/")) and " " not in content.strip()

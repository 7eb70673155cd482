"""Layout parsing and handwriting, as `/layout_parsing` and `/files/ocr` take and give them.

Fields and limits: OpenAPI of docs.z.ai and docs.bigmodel.cn (`layout_parsing`);
that base64 is refused without a `data:` prefix is known from issue 11 of
zai-org/GLM-OCR. The Markdown is made from the bytes that arrived: their hash,
and a page for each page of a PDF.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glmcli.sandbox import tokens
from glmcli.sandbox.checks import check_fields, is_integer, is_text, require
from glmcli.sandbox.exchange import PAAS, Base, Refusal, Request, Response
from glmcli.sandbox.films import picture
from glmcli.sandbox.parts import measure

if TYPE_CHECKING:
    from glmcli.sandbox.app import Route, Sandbox

MODEL = "glm-ocr"
MAX_PAGES = {"intl": 30, "cn": 100}
_MIB = 1024 * 1024
_LIMITS = {"pdf": 50 * _MIB, "png": 10 * _MIB, "jpeg": 10 * _MIB}
_PAGE_SIZE = (1240, 1754)
#: Where the figure of a page stands, in pixels.
_FIGURE = (120, 900, 620, 1300)
_UNSUPPORTED = "Unsupported file: only PDF, JPG and PNG are supported."

_FIELDS = {
    "model": lambda v: is_text(v, 1, 64),
    "file": lambda v: is_text(v, 1, 100 * _MIB),
    "return_crop_images": lambda v: isinstance(v, bool),
    "need_layout_visualization": lambda v: isinstance(v, bool),
    "start_page_id": lambda v: is_integer(v, 1, 100_000),
    "end_page_id": lambda v: is_integer(v, 1, 100_000),
    "request_id": lambda v: is_text(v, 6, 64),
    "user_id": lambda v: is_text(v, 6, 128),
}


def routes() -> list[Route]:
    """The routes of this module."""
    from glmcli.sandbox.app import Payer, Route

    return [
        Route("POST", PAAS, "/layout_parsing", parse_layout),
        Route("POST", PAAS, "/files/ocr", read_handwriting),
        Route("GET", (Base.DOWNLOADS,), "/ocr/{hash}/{name}", download, Payer.ANYONE),
    ]


@dataclass(frozen=True, slots=True)
class _Document:
    """What came. `kind` is pdf, png, jpeg or url; `size` is width and height in pixels."""

    kind: str
    digest: str
    bytes: int
    pages: int
    size: tuple[int, int] = _PAGE_SIZE

    @property
    def title(self) -> str:
        return self.digest[:12]


def parse_layout(sandbox: Sandbox, request: Request) -> Response:
    """Say what document came, page by page."""
    body = request.json()
    require(body, "model", "file")
    check_fields(body, _FIELDS, lenient=sandbox.lenient)
    if body["model"].lower() != MODEL:
        raise Refusal("1211")
    document = _document(body["file"])
    pages = _chosen(document, body, limit=_page_limit(request))
    markdown = "\n\n".join(_page_markdown(document, page, index) for index, page in enumerate(pages))
    width, height = document.size
    answer: dict[str, object] = {
        "id": request.log_id,
        "created": int(sandbox.clock()),
        "request_id": body.get("request_id") or request.log_id,
        "model": "GLM-OCR",
        "md_results": markdown,
        "layout_details": [_blocks(request, document, page, body) for page in pages],
        "data_info": {"num_pages": len(pages), "pages": [{"width": width, "height": height} for _ in pages]},
        "usage": _usage(markdown, len(pages)),
    }
    if body.get("need_layout_visualization"):
        answer["layout_visualization"] = [_address(request, document, f"layout-{page}.png") for page in pages]
    return Response.json(answer)


def _page_limit(request: Request) -> int:
    return MAX_PAGES[request.region]


def _document(file: str) -> _Document:
    if file.startswith(("http://", "https://")):
        name = file.partition("?")[0].lower()
        found = re.search(r"[?&]pages=(\d+)", file)  # a page count for tests: nothing is fetched
        pages = int(found[1]) if found and not name.endswith((".png", ".jpg", ".jpeg")) else 1
        return _Document("url", hashlib.sha256(file.encode()).hexdigest(), 0, pages)
    data = _decoded(file)
    digest = hashlib.sha256(data).hexdigest()
    if data.startswith(b"%PDF-"):
        document = _Document("pdf", digest, len(data), count_pages(data))
    else:
        kind, size = measure(data)
        document = _Document(kind, digest, len(data), 1, size or _PAGE_SIZE)
    limit = _LIMITS.get(document.kind)
    if limit is None or not document.pages:
        raise Refusal("1214", message=_UNSUPPORTED)
    if len(data) > limit:
        raise Refusal("1214", message=f"The file exceeds the limit of {limit // _MIB} MB")
    return document


def _decoded(file: str) -> bytes:
    found = re.match(r"data:(application/pdf|image/png|image/jpe?g);base64,", file[:40])
    if found is None:
        raise Refusal("1214", message=_UNSUPPORTED)
    try:
        return base64.b64decode(file[found.end() :], validate=True)
    except binascii.Error:
        raise Refusal("1214", "file") from None


_LEAF = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_PACKED = re.compile(rb"/ObjStm\b.{0,200}?stream\r?\n", re.DOTALL)


def count_pages(data: bytes) -> int:
    """The pages of a PDF: its leaves, plain or in object streams."""
    count = len(_LEAF.findall(data))
    for found in _PACKED.finditer(data):
        try:
            count += len(_LEAF.findall(zlib.decompressobj().decompress(data[found.end() :])))
        except zlib.error:
            raise Refusal("1214", message="The PDF is damaged") from None
    return count


def _chosen(document: _Document, body: Mapping[str, Any], *, limit: int) -> range:
    first, last = body.get("start_page_id"), body.get("end_page_id")
    if document.kind in ("png", "jpeg") and (first or last):
        raise Refusal("1214", message="`start_page_id` and `end_page_id` are for PDF files only")
    first = first or 1
    last = document.pages if last is None else min(last, document.pages)
    if first > document.pages or first > last:
        raise Refusal("1214", "start_page_id")
    if last - first + 1 > limit:
        raise Refusal("1214", message=f"The document has {last - first + 1} pages; at most {limit} pages are supported")
    return range(first, last + 1)


def _page_markdown(document: _Document, page: int, index: int) -> str:
    """A page: heading, text, table and, in a PDF, a figure whose page counts from 0 within the answer."""
    lines = [
        f"# Page {page} of {document.title}",
        f"[sandbox: {document.kind}, {document.bytes} bytes, {document.pages} pages, sha256 {document.digest}]",
        "<table><tr><td>page</td><td>" + str(page) + "</td></tr></table>",
    ]
    if document.kind == "pdf":
        x1, y1, x2, y2 = _FIGURE
        lines.append(f"![](page={index},bbox=[{x1}, {y1}, {x2}, {y2}])")
    return "\n\n".join(lines)


def _blocks(request: Request, document: _Document, page: int, body: Mapping[str, Any]) -> list[dict[str, object]]:
    width, height = document.size
    size = {"width": width, "height": height}
    found: list[dict[str, object]] = [
        {
            "index": 0,
            "label": "text",
            "bbox_2d": [width // 10, height // 20, width // 2, height // 10],
            "content": f"Page {page} of {document.title}",
            **size,
        },
        {
            "index": 1,
            "label": "table",
            "bbox_2d": [width // 10, height // 8, width // 2, height // 4],
            "content": f"<table><tr><td>page</td><td>{page}</td></tr></table>",
            **size,
        },
    ]
    if document.kind == "pdf":
        crop = _address(request, document, f"crop-{page}.png") if body.get("return_crop_images") else ""
        found.append({"index": 2, "label": "image", "bbox_2d": list(_FIGURE), "content": crop, **size})
    return found


def _usage(markdown: str, pages: int) -> dict[str, object]:
    prompt, completion = 900 * pages, tokens.count(markdown)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "total_tokens": prompt + completion,
    }


def _address(request: Request, document: _Document, name: str) -> str:
    return f"{request.origin}{Base.DOWNLOADS}/ocr/{document.title}/{name}"


def download(sandbox: Sandbox, request: Request) -> Response:
    """A cut-out or a drawn page. Needs no key."""
    hash, name = request.parameters["hash"], request.parameters["name"]
    drawn = picture(f"{hash} {name}", 500, 400)
    return Response(200, {"Content-Type": drawn.content_type}, drawn.chunks(0, drawn.size))


# -- handwriting (BigModel) ----------------------------------------------------------------


def read_handwriting(sandbox: Sandbox, request: Request) -> Response:
    """Words with their places; documented for BigModel alone."""
    if request.region == "intl" and request.account is not None and not request.account.everywhere:
        raise Refusal("1222", "/files/ocr", status=404)
    form = request.multipart()
    for name in ("file", "tool_type"):
        if name not in form:
            raise Refusal("1213", name)
    if form["tool_type"][0].text() != "hand_write":
        raise Refusal("1214", "tool_type")
    data = form["file"][0].data()
    if measure(data)[0] not in ("png", "jpeg"):
        raise Refusal("1214", "file")
    words = list(_handwritten(data, with_probability=_is_true(form, "probability")))
    return Response.json(
        {
            "task_id": request.log_id,
            "message": "success",
            "status": "succeeded",
            "words_result_num": len(words),
            "words_result": words,
        }
    )


def _is_true(form: Mapping[str, Any], name: str) -> bool:
    return name in form and form[name][0].text() == "true"


def _handwritten(data: bytes, *, with_probability: bool) -> Iterator[dict[str, object]]:
    for number, word in enumerate(("sandbox", hashlib.sha256(data).hexdigest()[:12])):
        found: dict[str, object] = {
            "location": {"left": 10, "top": 10 + 40 * number, "width": 200, "height": 30},
            "words": word,
        }
        if with_probability:
            found["probability"] = {"average": 0.99, "variance": 0.0, "min": 0.98}
        yield found

"""Reads documents page range by page range, and joins what was read.

A PDF with more pages than a request may have is asked for in ranges. Where the
file does not tell its pages, the whole is asked for first, and ranges until
they come back short.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from glmcli.api.jsonfiles import FileText
from glmcli.api.resources.ocr import LIMITS, MIB, Layout, LayoutParsing, LayoutRequest
from glmcli.errors import ServiceError, UsageError

PDF = "application/pdf"
_HEAD_BYTES = 1024
_LAST_PAGE = 100_000
#: What the service says when a document or a range is not as it should be.
_RANGE_CODES = frozenset({"1210", "1214", "1261"})
_PAGES = re.compile(r"(\d+)(?:(-)(\d*))?")
#: Beginning -> what it is, for files that have to be converted.
_FOREIGN = (
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A file on disk or the address of one. `pages` is None when it cannot be told from here."""

    name: str
    mime: str
    path: Path | None = None
    url: str | None = None
    size: int = 0
    pages: int | None = None

    @property
    def may_have_pages(self) -> bool:
        """Whether page ranges may be asked for: pictures have none."""
        return self.mime in (PDF, "")

    @property
    def content(self) -> str | FileText:
        """What stands in the request."""
        if self.path is None:
            return self.url or ""
        return FileText(self.path, self.size, f"data:{self.mime};base64,")


@dataclass(frozen=True, slots=True)
class PageRange:
    """Pages from 1; `last` None means up to the end."""

    first: int
    last: int | None

    def __str__(self) -> str:
        if self.last is None:
            return f"{self.first}-"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Part:
    """What one request read. `first` is the number of its first page in the document."""

    first: int
    layout: Layout


# -- what is read ------------------------------------------------------------------------


def open_url(url: str) -> Document:
    """A document that the service fetches itself. Its kind is told by its ending, if at all."""
    ending = url.partition("?")[0].partition("#")[0].lower()
    mime = {".png": "image/png", ".jpg": "image/jpeg", "jpeg": "image/jpeg", ".pdf": PDF}.get(ending[-4:], "")
    return Document(url, mime, url=url)


def open_document(path: Path, name: str) -> Document:
    """A file whose type is told by its content. Raises UsageError for what the service would not take."""
    try:
        if path.is_dir():
            raise UsageError(f"{name} is a directory", hint=f"glm ocr {name}/* -o texts/")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if not size:
        raise UsageError(f"{name} is empty")
    mime = _type_of(head, name)
    if size > LIMITS[mime]:
        kind = "PDF" if mime == PDF else "picture"
        raise UsageError(
            f"{name} has {size / MIB:.1f} MiB; the service takes {LIMITS[mime] // MIB} MiB as a {kind}",
            hint="give the address of the file instead, or make it smaller",
        )
    return Document(name, mime, path=path, size=size, pages=_pages_of(path, mime))


def _pages_of(path: Path, mime: str) -> int | None:
    if mime != PDF:
        return 1
    from glmcli.pdf import count_pages

    return count_pages(path)


def _type_of(head: bytes, name: str) -> str:
    if b"%PDF-" in head:  # Acrobat's own rule: within the first 1024 bytes
        return PDF
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    raise _foreign(head, name)


def _foreign(head: bytes, name: str) -> UsageError:
    """Why a file is not taken, and how it becomes one that is."""
    stem = Path(name).stem or "scan"
    picture = _foreign_picture(head)
    if picture:
        return UsageError(
            f"{name} is {picture}; the service reads PDF, PNG and JPEG",
            hint=f"convert it first: magick '{name}' '{stem}.png'",
        )
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"{\\rtf")):
        return UsageError(
            f"{name} is an office document or archive; the service reads PDF, PNG and JPEG",
            hint=f"convert it first: soffice --headless --convert-to pdf '{name}'",
        )
    if b"\x00" not in head and _is_text(head):
        return UsageError(f"{name} is text already; the service reads PDF, PNG and JPEG", hint=f"cat '{name}'")
    return UsageError(
        f"{name} is of no type that the service reads", hint="it reads PDF, PNG and JPEG; convert it to one of them"
    )


def _foreign_picture(head: bytes) -> str | None:
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return "HEIC or AVIF" if head[8:12] in (b"heic", b"heix", b"mif1", b"avif", b"heim") else None
    return next((kind for magic, kind in _FOREIGN if head.startswith(magic)), None)


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == _HEAD_BYTES and len(head) - error.start < 4  # cut inside a character
    return True


def spool(source: BinaryIO, target: Path) -> None:
    """Copy a pipe to disk, where it can be read again. Raises UsageError when it holds too much."""
    longest = max(LIMITS.values())
    left = longest + 1
    with target.open("wb") as file:
        while left and (piece := source.read(min(MIB, left))):
            file.write(piece)
            left -= len(piece)
    if not left:
        raise UsageError(f"standard input holds more than {longest // MIB} MiB", hint="give a smaller document")


# -- which pages -------------------------------------------------------------------------


def parse_pages(text: str) -> tuple[PageRange, ...]:
    """`3-10,12,20-` as ranges. Raises UsageError."""
    return tuple(_parse_range(word.strip(), text) for word in text.split(",") if word.strip())


def _parse_range(word: str, text: str) -> PageRange:
    found = _PAGES.fullmatch(word)
    if found is None:
        raise UsageError(f"--pages {text!r} cannot be read at {word!r}", hint="for example --pages 3-10,12,20-")
    first = int(found[1])
    last = first if not found[2] else int(found[3]) if found[3] else None
    if not 1 <= first <= _LAST_PAGE or (last is not None and not first <= last <= _LAST_PAGE):
        raise UsageError(f"--pages {word} is no range", hint="pages count from 1, the smaller number first")
    return PageRange(first, last)


def plan(document: Document, wanted: Sequence[PageRange], step: int) -> list[PageRange | None]:
    """The requests to send: None asks for the whole document. Raises UsageError.

    A range that ends in None is one whose end only the service knows.
    """
    if wanted and not document.may_have_pages:
        raise UsageError(f"{document.name} is a picture; --pages is for PDFs")
    if not wanted:
        if document.pages is None or document.pages <= step or not document.may_have_pages:
            return [None]
        wanted = (PageRange(1, document.pages),)
    return [piece for found in wanted for piece in _split(_clipped(found, document), step)]


def _clipped(wanted: PageRange, document: Document) -> PageRange:
    if document.pages is None:
        return wanted
    if wanted.first > document.pages:
        raise UsageError(f"{document.name} has {document.pages} pages; there is no page {wanted.first}")
    return PageRange(wanted.first, min(wanted.last or document.pages, document.pages))


def _split(wanted: PageRange, step: int) -> Iterator[PageRange]:
    if wanted.last is None:
        yield wanted
        return
    for first in range(wanted.first, wanted.last + 1, step):
        yield PageRange(first, min(first + step - 1, wanted.last))


# -- the work ----------------------------------------------------------------------------


class Digitizer:
    """Reads documents with one set of wishes.

    `request` is what every request has in common; `step` the pages of one;
    `watch` is told which pages are read now (None: all of them).
    """

    def __init__(
        self,
        parsing: LayoutParsing,
        request: LayoutRequest,
        *,
        step: int,
        watch: Callable[[Document, PageRange | None], None] = lambda document, pages: None,
    ) -> None:
        self._parsing = parsing
        self._request = request
        self._step = step
        self._watch = watch
        self._count = 0

    def read(self, document: Document, wanted: Sequence[PageRange] = ()) -> Iterator[Part]:
        """The parts of a document in order, each as soon as it is there.

        Raises UsageError for pages that do not exist, and what the service refuses.
        """
        pieces = plan(document, wanted, self._step)
        is_alone = len(pieces) == 1 and (pieces[0] is None or pieces[0].last is not None)
        for piece in pieces:
            if piece is not None and piece.last is None:
                yield from self._until_end(document, piece.first)
            elif piece is None:
                yield from self._whole(document)
            else:
                yield Part(piece.first, self._parse(document, piece, is_alone=is_alone))

    def _whole(self, document: Document) -> Iterator[Part]:
        try:
            yield Part(1, self._parse(document, None, is_alone=True))
        except ServiceError as error:
            if document.pages is not None or not document.may_have_pages or error.code not in _RANGE_CODES:
                raise
            yield from self._after_refusal(document, error)

    def _after_refusal(self, document: Document, refusal: ServiceError) -> Iterator[Part]:
        """Too many pages, perhaps: a range shows it. If that is refused as well, the first refusal tells more."""
        parts = self._until_end(document, 1)
        try:
            first = next(parts)
        except ServiceError:
            raise refusal from None
        yield first
        yield from parts

    def _until_end(self, document: Document, first: int) -> Iterator[Part]:
        """Ranges until one comes back short, or is refused because nothing is left."""
        start = first
        while True:
            piece = PageRange(start, start + self._step - 1)
            try:
                layout = self._parse(document, piece, is_alone=False)
            except ServiceError as error:
                if start == first or error.code not in _RANGE_CODES:
                    raise
                return
            yield Part(start, layout)
            if 0 < len(layout.pages) < self._step:
                return
            start += self._step

    def _parse(self, document: Document, pages: PageRange | None, *, is_alone: bool) -> Layout:
        self._watch(document, pages)
        self._count += 1
        request = replace(self._request, file=document.content)
        if pages is not None:
            request = replace(request, start_page=pages.first, end_page=pages.last)
        if request.request_id is not None and not (is_alone and self._count == 1):
            tail = f"-{self._count:04d}"  # ids have to be unique
            request = replace(request, request_id=request.request_id[: 64 - len(tail)] + tail)
        return self._parsing.parse(request)

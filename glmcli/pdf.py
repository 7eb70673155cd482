"""How many pages a PDF has, as far as that can be told without a PDF library (ISO 32000-1, 7.7.3).

The root of the page tree says it. It may lie in the file as it is, or packed
into an object stream; both are looked for, in pieces, so that a file of any
size takes little memory. An encrypted or odd file is not told.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

_READ_BYTES = 1024 * 1024
#: A page tree node or the dictionary of an object stream is not longer (bytes).
_OVERLAP_BYTES = 128 * 1024
#: So much is unpacked from object streams of one file, at most (bytes).
_MAX_UNPACKED_BYTES = 256 * 1024 * 1024
#: The service reads far fewer; a larger count is damage.
_MAX_PAGES = 100_000

_NODE = re.compile(rb"/Type\s*/Pages(?![A-Za-z])")
_COUNT = re.compile(rb"/Count\s+(\d{1,9})(?!\d|\s+\d+\s+R)")
_INNER = re.compile(rb"<<[^<>]*>>")
_PACKED = re.compile(rb"/Type\s*/ObjStm(?![A-Za-z])[^\x00]{0,2000}?stream\r?\n")


def count_pages(path: Path) -> int | None:
    """The pages of a PDF; None when the file does not say it plainly. Raises OSError."""
    counts = list(_counts(path))
    best = max(counts, default=0)  # the root counts more than the nodes below it
    return best if 0 < best <= _MAX_PAGES else None


def _counts(path: Path) -> Iterator[int]:
    unpacked = 0
    for window, start in _windows(path):
        yield from _counts_in(window)
        for found in _PACKED.finditer(window):
            if unpacked < _MAX_UNPACKED_BYTES:
                content = _unpack(path, start + found.end())
                unpacked += len(content)
                yield from _counts_in(content)


def _windows(path: Path) -> Iterator[tuple[bytes, int]]:
    """Pieces of the file that overlap, each with its place."""
    with path.open("rb") as file:
        before, place = b"", 0
        while piece := file.read(_READ_BYTES):
            yield before + piece, place - len(before)
            place += len(piece)
            before = (before + piece)[-_OVERLAP_BYTES:]


def _unpack(path: Path, place: int) -> bytes:
    """The objects in a stream that begins there; empty when it is not plain zlib."""
    decoder, parts, size = zlib.decompressobj(), [], 0
    with path.open("rb") as file:
        file.seek(place)
        try:
            while not decoder.eof and size < _MAX_UNPACKED_BYTES // 8 and (piece := file.read(_OVERLAP_BYTES)):
                part = decoder.decompress(piece, _MAX_UNPACKED_BYTES // 8)
                parts.append(part)
                size += len(part)
        except zlib.error:
            return b""
    return b"".join(parts)


def _counts_in(data: bytes) -> Iterator[int]:
    for found in _NODE.finditer(data):
        count = _COUNT.search(_dictionary_around(data, found.start()))
        if count is not None:
            yield int(count[1])


def _dictionary_around(data: bytes, place: int) -> bytes:
    """The entries of the dictionary that a place lies in, without those of dictionaries inside it."""
    start = _bound(data, place, forward=False)
    end = _bound(data, place, forward=True)
    own = data[start:end]
    while (simpler := _INNER.sub(b"", own)) != own:
        own = simpler
    return own


def _bound(data: bytes, place: int, *, forward: bool) -> int:
    """Where the dictionary ends (or begins); at most `_OVERLAP_BYTES` away."""
    depth = 0
    low, high = max(0, place - _OVERLAP_BYTES), min(len(data), place + _OVERLAP_BYTES)
    opens, closes = (b"<<", b">>") if forward else (b">>", b"<<")
    at = place
    while low < at < high:
        pair = data[at : at + 2] if forward else data[at - 2 : at]
        if pair == closes and depth == 0:
            return at
        if pair in (opens, closes):
            depth += 1 if pair == opens else -1
            at += 2 if forward else -2
        else:
            at += 1 if forward else -1
    return at

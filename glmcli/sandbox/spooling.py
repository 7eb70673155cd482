"""Bodies of any size: in memory while they are small, on disk when they are not."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from _typeshed import SupportsRead

#: Bodies above this many bytes live in a temporary file.
SPOOL_BYTES = 1024 * 1024
_PIECE = 64 * 1024


def spool() -> IO[bytes]:
    """A file in memory that moves to disk when it grows."""
    return cast("IO[bytes]", _Spool(SPOOL_BYTES))


class _Spool(SpooledTemporaryFile[bytes]):
    """Lives as long as its request, and is closed with it."""

    def __del__(self) -> None:
        self.close()


def copy_exactly(source: SupportsRead[bytes], target: IO[bytes], length: int) -> None:
    """Copy `length` bytes, or what there is, in pieces."""
    for piece in _pieces(source, length):
        target.write(piece)


def _pieces(source: SupportsRead[bytes], length: int) -> Iterator[bytes]:
    while length > 0 and (piece := source.read(min(_PIECE, length))):
        length -= len(piece)
        yield piece

"""A dictionary on disk, so that millions of ids cost no memory."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, NamedTuple

_RECORD = struct.Struct("<16sQQQ")
_FREE = bytes(16)
_SMALLEST = 4096
_RUN = 1024  # records that are read at a time while the table moves


class Entry(NamedTuple):
    """What is kept for a key: three numbers below 2**64."""

    first: int
    second: int
    third: int


def key_of(text: str) -> bytes:
    """The 16 bytes that stand for an id; two ids sharing them is not going to happen."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def number_of(text: str) -> int:
    """The first 64 bits of a hexadecimal digest."""
    return int(text[:16], 16)


class DiskIndex:
    """Open addressing in a temporary file that goes with the process."""

    def __init__(self) -> None:
        self._slots = _SMALLEST
        self._used = 0
        self._file = _table(self._slots)

    def __len__(self) -> int:
        return self._used

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def get(self, key: bytes) -> Entry | None:
        """The entry of a key."""
        _, entry = self._find(key)
        return entry

    def put(self, key: bytes, entry: Entry) -> None:
        """Set the entry of a key."""
        if self._used * 2 >= self._slots:
            self._grow()
        slot, known = self._find(key)
        self._used += known is None
        self._file.seek(slot * _RECORD.size)
        self._file.write(_RECORD.pack(key, *entry))

    def _find(self, key: bytes) -> tuple[int, Entry | None]:
        """The slot of a key, or the free one where it belongs."""
        slot = int.from_bytes(key[:8], "little") % self._slots
        while True:
            self._file.seek(slot * _RECORD.size)
            found, *entry = _RECORD.unpack(self._file.read(_RECORD.size))
            if found == key:
                return slot, Entry(*entry)
            if found == _FREE:
                return slot, None
            slot = (slot + 1) % self._slots

    def _grow(self) -> None:
        old = self._file
        self._slots *= 4
        self._file = _table(self._slots)
        for key, entry in _entries(old):
            slot, _ = self._find(key)
            self._file.seek(slot * _RECORD.size)
            self._file.write(_RECORD.pack(key, *entry))
        old.close()


def _table(slots: int) -> IO[bytes]:
    # Unbuffered: a buffer would read 8 KiB around every record of 40 bytes.
    file: IO[bytes] = TemporaryFile(prefix="glm-", buffering=0)  # noqa: SIM115  # lives as long as the table
    file.truncate(slots * _RECORD.size)  # zeros, and mostly not even on the disk
    return file


def _entries(file: IO[bytes]) -> Iterator[tuple[bytes, Entry]]:
    file.seek(0)
    while piece := file.read(_RECORD.size * _RUN):
        for key, *entry in _RECORD.iter_unpack(piece):
            if key != _FREE:
                yield key, Entry(*entry)


class Order:
    """The keys of a batch in the order of its input, on disk."""

    def __init__(self) -> None:
        self._file: IO[bytes] = TemporaryFile(prefix="glm-")  # noqa: SIM115  # until close()
        self.count = 0

    def append(self, key: bytes) -> None:
        """Add the next key."""
        self._file.seek(self.count * 16)
        self._file.write(key)
        self.count += 1

    def at(self, position: int) -> bytes:
        """The key at a position, from 0."""
        self._file.seek(position * 16)
        return self._file.read(16)

    def __iter__(self) -> Iterator[bytes]:
        for position in range(self.count):
            yield self.at(position)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

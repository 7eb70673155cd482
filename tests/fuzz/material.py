"""Choices, numbers and texts out of a fuzzer's bytes.

Choices come first and the body last, so that a change of the body leaves the
choices alone. Bytes never run dry: zeros follow.
"""

from __future__ import annotations

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Material:
    """Bytes that are taken from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether bytes are left."""
        return self._at < len(self._data)

    def byte(self) -> int:
        """One byte as a number."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self, size: int) -> int:
        """A number of so many bytes, the lowest first."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "little")

    def below(self, limit: int) -> int:
        """A number from zero up to a limit, itself not included, of at most 256."""
        return self.byte() % limit

    def flag(self) -> bool:
        """Yes or no; no when nothing is left."""
        return bool(self.byte() & 1)

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices; the first when nothing is left."""
        return choices[self.below(len(choices))]

    def take(self, size: int) -> bytes:
        """Up to so many bytes."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(len(self._data))

    def text(self) -> str:
        """All bytes that are left, as text."""
        return self.rest().decode("utf-8", "replace")

    def sizes(self) -> list[int]:
        """Sizes of chunks, to be repeated."""
        return [1 + self.byte() % 64 for _ in range(1 + self.below(4))]


def chunked(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The bytes in chunks of these sizes, again and again."""
    chunks: list[bytes] = []
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(data):
            return chunks
        chunks.append(data[at : at + size])
        at += size
    raise AssertionError("a cycle does not end")


@cache
def scratch() -> Path:
    """A folder of this process that goes away with it; in memory where that can be."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="glm-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

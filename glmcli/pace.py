"""How often may be asked: at most so many requests in any minute, for all `glm` processes that share a key.

The times of the latest requests stand in a ring on the disk. The next one may
leave when the one that many before it is more than a minute old: that keeps
a limit however the service counts, by the clock's minutes or by the last sixty
seconds, and costs one read and one write for each request.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from glmcli.config.files import FILE_MODE, make_private_folder, try_lock

#: Longer than a minute: requests do not arrive as evenly as they leave.
WINDOW_SECONDS = 61.0
_NAP_SECONDS = 0.2
#: So far a clock may be put right between two requests.
_SKEW_SECONDS = 2.0
_LOCK_PAUSE_SECONDS = 0.001
_COUNT, _TIME = struct.Struct("<Q"), struct.Struct("<d")


class Pace:
    """Lets `per_minute` requests go in any minute; `folder` None keeps count within this process."""

    def __init__(
        self,
        folder: Path | None,
        per_minute: int,
        *,
        now: Callable[[], float] = time.time,
        nap: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder
        self._per_minute = per_minute
        self._now = now
        self._nap = nap
        self._here = bytearray()
        if folder is not None:
            make_private_folder(folder)

    def wait(self, stopped: Callable[[], bool]) -> bool:
        """Wait until a request may leave, and count it; False once `stopped` says so."""
        while not stopped():
            left = self._leave()
            if left <= 0:
                return True
            self._nap(min(left, _NAP_SECONDS))
        return False

    def count(self) -> None:
        """Count a request that leaves without having waited, such as a question at the terminal."""
        self._leave(waits=False)

    def _leave(self, *, waits: bool = True) -> float:
        """Count a request that leaves now; else the seconds until one may."""
        if self._folder is None:
            return self._leave_by(_Ring(self._here, self._per_minute), waits=waits)
        lock = os.open(self._folder / "pace.lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            while not try_lock(lock):
                time.sleep(_LOCK_PAUSE_SECONDS)
            # Another limit is another ring: its places mean other times.
            path = self._folder / f"pace-{self._per_minute}"
            path.touch(mode=FILE_MODE)
            with path.open("r+b") as file:
                data = bytearray(file.read())
                left = self._leave_by(_Ring(data, self._per_minute), waits=waits)
                if left <= 0:
                    file.seek(0)
                    file.write(data)
            return left
        finally:
            os.close(lock)

    def _leave_by(self, ring: _Ring, *, waits: bool) -> float:
        now, oldest = self._now(), ring.oldest
        # A time that is yet to come was written before the clock was set back.
        left = oldest + WINDOW_SECONDS - now if waits and oldest <= now + _SKEW_SECONDS else 0.0
        if left <= 0:
            ring.add(now)
        return max(0.0, left)


class _Ring:
    """The times of the last `size` requests in a buffer: how many there ever were, then each time in its place."""

    def __init__(self, data: bytearray, size: int) -> None:
        self._data = data
        self._size = size
        whole = _COUNT.size + size * _TIME.size
        if len(data) != whole:
            data[:] = bytes(whole)

    @property
    def oldest(self) -> float:
        """When the request left whose place is the next to be written; 0 for none."""
        return float(_TIME.unpack_from(self._data, self._place)[0])

    def add(self, moment: float) -> None:
        """Put a time in the place of the oldest one."""
        _TIME.pack_into(self._data, self._place, moment)
        _COUNT.pack_into(self._data, 0, self._count + 1)

    @property
    def _count(self) -> int:
        return int(_COUNT.unpack_from(self._data, 0)[0])

    @property
    def _place(self) -> int:
        return _COUNT.size + self._count % self._size * _TIME.size


def folder_of_key(state_dir: Path, key: str) -> Path:
    """Where the times and slots of a key stand.

    The name cannot be turned back: a key holds more than 200 random bits.
    """
    import hashlib

    digest = hashlib.blake2b(key.encode(), digest_size=12, person=b"glm batch slots").hexdigest()
    return state_dir / "slots" / digest

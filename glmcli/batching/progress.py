"""One line on a terminal's stderr that says how far a batch is."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glmcli.batching.bill import Bill
    from glmcli.streams import Streams

_INTERVAL_SECONDS = 0.2
#: The rate is that of about so many seconds, so that a pause shows and a hiccup does not.
_MEMORY_SECONDS = 30.0


class Progress:
    """Drawn a few times per second; taken away before anything else is written.

    `total` counts the lines of the batch, `done` those that are answered.
    """

    def __init__(self, streams: Streams, bill: Bill, *, total: int, done: int) -> None:
        self._streams = streams
        self._bill = bill
        self._total = total
        self._is_on = streams.stderr_is_tty and not (streams.quiet or streams.is_dumb)
        self._lock = Lock()
        self._drawn_at = 0.0
        self._marks = [(time.monotonic(), done)]
        self.done = done
        self.failed = 0

    def tick(self, under_way: int) -> None:
        """Draw anew, unless that was done just now."""
        now = time.monotonic()
        if not self._is_on or now - self._drawn_at < _INTERVAL_SECONDS:
            return
        self._drawn_at = now
        self._remember(now)
        with self._lock:
            self._streams.write_control("\r\x1b[K")
            self._streams.write_error(self._line(under_way)[: self._streams.width - 1])

    def note(self, text: str) -> None:
        """Tell something; from any thread."""
        self._apart(lambda: self._streams.note(text))

    def complain(self, text: str) -> None:
        """Tell something that `--quiet` does not silence."""
        self._apart(lambda: self._streams.complain(text))

    def clear(self) -> None:
        """Leave an empty line for what is written next."""
        self._apart(lambda: None)

    def _apart(self, tell: Callable[[], None]) -> None:
        with self._lock:
            if self._is_on:
                self._streams.write_control("\r\x1b[K")
            tell()
            self._drawn_at = 0.0

    def _remember(self, now: float) -> None:
        self._marks.append((now, self.done + self.failed))
        while len(self._marks) > 2 and now - self._marks[0][0] > _MEMORY_SECONDS:
            self._marks.pop(0)

    def _line(self, under_way: int) -> str:
        (start, before), (now, after) = self._marks[0], self._marks[-1]
        rate = (after - before) / (now - start) if now > start else 0.0
        left = self._total - self.done - self.failed
        parts = [f"{self.done:,} of {self._total:,}", f"{under_way} under way"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min")
        parts.append(self._bill.told())
        if rate > 0:
            parts.append(f"{duration(left / rate)} left")
        return " · ".join(parts)


def duration(seconds: float) -> str:
    """For example `42 s`, `17 min`, `3 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"

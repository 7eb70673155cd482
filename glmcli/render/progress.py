"""One moving line on a terminal's stderr: what we wait for, and how far a download is."""

from __future__ import annotations

import time
from collections.abc import Callable

from glmcli.streams import Streams

#: How often the line changes, at most (seconds).
_TICK_SECONDS = 0.1


class StatusLine:
    """A line that is replaced and taken away again; silent where stderr is no terminal."""

    def __init__(self, streams: Streams, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_on = streams.stderr_is_tty and not (streams.quiet or streams.is_dumb)
        self._streams = streams
        self._clock = clock
        self._shown_at: float | None = None

    def show(self, line: str) -> None:
        """Write the line in place of the one before; too soon after it, nothing."""
        now = self._clock()
        if not self.is_on or (self._shown_at is not None and now - self._shown_at < _TICK_SECONDS):
            return
        self.clear()
        self._streams.write_error(_shortened(line, self._streams.width - 1))
        self._shown_at = now

    def clear(self) -> None:
        """Take the line away, for what is written next."""
        if self._shown_at is not None:
            self._streams.write_control("\r\x1b[K")
            self._shown_at = None


def download_line(name: str, done: int, total: int | None) -> str:
    """`fox.mp4  [#####.....]  5.0 of 10.0 MiB`."""
    if not total:
        return f"{name}  {_mebibytes(done)} MiB"
    filled = min(20, 20 * done // total)
    return f"{name}  [{'#' * filled}{'.' * (20 - filled)}]  {_mebibytes(done)} of {_mebibytes(total)} MiB"


def duration(seconds: float) -> str:
    """`1:05`, `1:02:03`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def _shortened(line: str, width: int) -> str:
    """One that wraps could not be taken away."""
    from rich.cells import cell_len, set_cell_size

    line = " ".join(line.split())
    return line if cell_len(line) <= width else set_cell_size(line, width - 1).rstrip() + "…"


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f}"

"""Reads a blocking iterator in a thread, so that the main thread can redraw.

A terminal needs a timer, not only arriving data: the open block is redrawn
when its turn has come, and the renderer's own modules are imported while the
server thinks. Ctrl-C reaches the main thread at once, wherever the reader is.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

# On some systems a wait without an end cannot be interrupted by Ctrl-C.
_LONGEST_WAIT_SECONDS = 0.25


class Pump(Generic[T]):
    """Iterate over it: batches as they come, and `idle` whenever a time-out passes."""

    def __init__(self, source: Iterator[T], *, idle: T, next_wait: Callable[[], float | None]) -> None:
        self._source = source
        self._idle = idle
        self._next_wait = next_wait
        self._queue: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._is_interrupted = False
        self._thread = threading.Thread(target=self._read, name="glm-reader", daemon=True)
        self._thread.start()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt from the iteration; safe in a signal handler."""
        self._is_interrupted = True
        self._queue.put((None, None))

    def stop(self) -> None:
        """Leave the reader alone; it ends at its next batch."""
        self._stopped.set()

    def __iter__(self) -> Iterator[T]:
        while True:
            wait = self._next_wait()
            try:
                timeout = _LONGEST_WAIT_SECONDS if wait is None else min(wait, _LONGEST_WAIT_SECONDS)
                item, error = self._queue.get(timeout=max(timeout, 0))
            except queue.Empty:
                item, error = self._idle, None
            if self._is_interrupted:
                raise KeyboardInterrupt
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            assert item is not None
            yield item

    def _read(self) -> None:
        try:
            for item in self._source:
                if self._stopped.is_set():
                    break
                self._queue.put((item, None))
            self._queue.put((None, StopIteration()))
        except BaseException as error:  # handed to the main thread, which raises it
            self._queue.put((None, error))

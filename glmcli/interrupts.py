"""Ctrl-C while a conversation is held: it stops the answer where nothing breaks.

An exception in the middle of an import, of a frame on the screen or of a write
to the database leaves something half done. While `guarded` lasts, Ctrl-C is
therefore noted, and handed to what can stop at once: a waiting `Pump`, or a
block under `at_once`. Whoever presses it a third time gets the exception.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_PATIENCE = 3


class Interrupts:
    """Does nothing until `guarded` is entered: then Ctrl-C is Python's own KeyboardInterrupt."""

    def __init__(self) -> None:
        self._count = 0
        self._is_guarding = False
        self._raises = False
        self._act: Callable[[], None] | None = None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Note Ctrl-C inside the block instead of raising KeyboardInterrupt."""
        if not _can_listen():
            yield
            return
        self._count, self._is_guarding = 0, True
        before = signal.signal(signal.SIGINT, self._hit)
        try:
            yield
        finally:
            self._is_guarding = False
            signal.signal(signal.SIGINT, before)

    def note(self) -> None:
        """Take a Ctrl-C that was read as a key for one that came as a signal."""
        self._count += 1

    def forget(self) -> None:
        """What was to be stopped has ended."""
        self._count = 0

    @contextmanager
    def handed_to(self, act: Callable[[], None]) -> Iterator[None]:
        """Call `act` for a Ctrl-C that comes in the block, or came before it."""
        self._act = act
        try:
            if self._count:
                act()
            yield
        finally:
            self._act = None

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise KeyboardInterrupt for a Ctrl-C that comes in the block, or came before it."""
        before, self._raises = self._raises, True
        try:
            if self._is_guarding and self._count:
                raise KeyboardInterrupt
            yield
        finally:
            self._raises = before

    def _hit(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._raises or self._count >= _PATIENCE:
            raise KeyboardInterrupt
        if self._act is not None:
            self._act()


def _can_listen() -> bool:
    """Whether Ctrl-C would be an exception in this thread; not so when the parent had it ignored."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler

"""Asks the person at the terminal; questions go to stderr, so that stdout stays the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from glmcli.errors import UsageError
from glmcli.streams import Streams

_YES = frozenset({"y", "yes", "是", "好"})
_NO = frozenset({"n", "no", "否", "不"})


class Prompter:
    """Questions at the terminal of `streams`; with `no_input` nobody is asked."""

    def __init__(self, streams: Streams, *, no_input: bool = False) -> None:
        self._streams = streams
        self._no_input = no_input

    @property
    def can_ask(self) -> bool:
        """Whether there is a person who can read a question and answer it."""
        return self._streams.stdin_is_tty and not self._no_input

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Yes or no; an empty line means `default`, the end of input no.

        Raises UsageError when nobody can be asked.
        """
        if not self.can_ask:
            raise UsageError(f"there is nobody to answer: {question}", hint="run it at a terminal, without --no-input")
        while True:
            self._streams.write_error(f"{question} [{'Y/n' if default else 'y/N'}] ")
            line = self._streams.stdin.readline()
            if not line:
                self._streams.write_error("\n")
                return False
            answer = line.decode("utf-8", "replace").strip().lower()
            if not answer:
                return default
            if answer in _YES | _NO:
                return answer in _YES

    def secret(self, question: str) -> str:
        """A line that is not shown while it is typed. Raises UsageError when nobody can be asked."""
        if not self.can_ask:
            raise UsageError(f"there is nobody to answer: {question}", hint="run it at a terminal, without --no-input")
        # The terminal is silenced before the question, for those who paste at once.
        with _no_echo(self._streams.stdin):
            self._streams.write_error(f"{question} (not shown): ")
            line = self._streams.stdin.readline()
            self._streams.write_error("\n")
        if not line:
            raise UsageError("nothing was typed")
        return line.decode("utf-8", "replace").rstrip("\r\n")


@contextmanager
def _no_echo(stdin: BinaryIO) -> Iterator[None]:
    """Keep a terminal from showing what is typed; whatever happens, it shows it again afterwards."""
    try:
        restore = _silence(stdin.fileno())
    except OSError:  # no terminal of the system
        restore = _do_nothing
    try:
        yield
    finally:
        restore()


def _do_nothing() -> None:
    """Restores a terminal that was not changed."""


if sys.platform == "win32":  # pragma: no cover

    def _silence(descriptor: int) -> Callable[[], object]:
        """Switch ENABLE_ECHO_INPUT off; returns what switches it on again."""
        import ctypes
        import msvcrt

        handle = msvcrt.get_osfhandle(descriptor)
        mode = ctypes.c_ulong()
        if not ctypes.windll.kernel32.GetConsoleMode(handle, ctypes.byref(mode)):
            return _do_nothing
        ctypes.windll.kernel32.SetConsoleMode(handle, mode.value & ~0x0004)
        return lambda: ctypes.windll.kernel32.SetConsoleMode(handle, mode.value)

else:

    def _silence(descriptor: int) -> Callable[[], object]:
        """Switch ECHO off; returns what switches it on again."""
        import termios

        try:
            before = termios.tcgetattr(descriptor)
        except termios.error:
            return _do_nothing
        silent = before.copy()
        silent[3] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
        return lambda: termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

"""Asks the person at the terminal; questions go to stderr, so that stdout stays the answer."""

from __future__ import annotations

import sys
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
        self._streams.write_error(f"{question} (not shown): ")
        line = _read_hidden(self._streams.stdin)
        self._streams.write_error("\n")
        if not line:
            raise UsageError("nothing was typed")
        return line.decode("utf-8", "replace").rstrip("\r\n")


def _read_hidden(stdin: BinaryIO) -> bytes:
    """A line from a terminal that does not show it; whatever happens, it shows the next one again."""
    if sys.platform == "win32":
        from getpass import getpass

        return getpass("").encode() + b"\n"
    import termios

    try:
        descriptor = stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, termios.error):  # no terminal of the system
        return stdin.readline()
    hidden = before.copy()
    hidden[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, hidden)
    try:
        return stdin.readline()
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

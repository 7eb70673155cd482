"""Asks the person at the terminal; questions go to stderr, so that stdout stays the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from glmcli.errors import UsageError
from glmcli.streams import Streams

if TYPE_CHECKING:
    from glmcli.menu import Terminal

_YES = frozenset({"y", "yes", "是", "好"})
_NO = frozenset({"n", "no", "否", "不"})


class Prompter:
    """Questions at the terminal of `streams`; with `no_input` nobody is asked.

    On a real terminal there are menus and stars for a key; on a dumb one, and
    wherever the system knows no terminal, plain lines. Every question raises
    KeyboardInterrupt at Ctrl-C and UsageError when nobody can be asked;
    `flag` is what to say instead on the command line.
    """

    def __init__(self, streams: Streams, *, no_input: bool = False) -> None:
        self._streams = streams
        self._no_input = no_input
        self._is_silent = False

    @property
    def can_ask(self) -> bool:
        """Whether there is a person who can read a question and answer it."""
        return self._streams.stdin_is_tty and not self._no_input

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Several questions between which the terminal shows nothing of what is typed ahead.

        A terminal that knows lines only is silent for a secret alone.
        """
        if self._terminal() is None:
            yield
            return
        with _no_echo(self._streams.stdin):
            self._is_silent = True
            try:
                yield
            finally:
                self._is_silent = False

    def confirm(self, question: str, *, default: bool = False, flag: str | None = None) -> bool:
        """Yes or no; an empty line means `default`, the end of input no."""
        self._require(question, flag)
        while True:
            try:
                answer = self._line(f"{question} [{'Y/n' if default else 'y/N'}] ").lower()
            except EOFError:
                return False
            if not answer:
                return default
            if answer in _YES | _NO:
                return answer in _YES

    def choose(
        self,
        question: str,
        options: Sequence[tuple[str, str]],
        *,
        default: str | None = None,
        flag: str | None = None,
    ) -> str:
        """The value of one of the options (value, label), chosen by arrows, number or name.

        An empty line means `default`, or the first. Raises EOFError at the end of input.
        """
        self._require(question, flag)
        terminal = self._terminal()
        chosen = terminal.pick(question, options, default) if terminal else self._pick(question, options, default)
        if terminal:  # the menu has gone; what was chosen stays to be read
            self._streams.complain(f"{question} {dict(options)[chosen]}")
        return chosen

    def text(self, question: str, *, default: str = "", flag: str | None = None) -> str:
        """A line without white space around it; an empty one means `default`. Raises EOFError at the end of input."""
        self._require(question, flag)
        terminal = self._terminal()
        if terminal:
            return terminal.read_line(f"{question} ", default=default).strip()
        self._streams.write_error(f"{question} [{default}] " if default else f"{question} ")
        return self._read_line().strip() or default

    def secret(self, question: str, *, note: str = " (not shown)", flag: str | None = None) -> str:
        """A line that is not shown while it is typed; stars stand for it where the terminal can.

        A paste may hold line breaks. Raises UsageError when nothing was typed before the end of input.
        """
        self._require(question, flag)
        terminal = self._terminal()
        if terminal:
            return terminal.read_line(f"{question}{note}: ", masked=True)
        # The terminal is silenced before the question, for those who paste at once.
        with _no_echo(self._streams.stdin):
            self._streams.write_error(f"{question}{note}: ")
            line = self._streams.stdin.readline()
            self._streams.write_error("\n")
        if not line:
            raise UsageError("nothing was typed")
        return line.decode("utf-8", "replace").rstrip("\r\n")

    # -- parts -------------------------------------------------------------------

    def _require(self, question: str, flag: str | None) -> None:
        if not self.can_ask:
            hint = (
                f"give the answer on the command line: {flag}" if flag else "run it at a terminal, without --no-input"
            )
            raise UsageError(f"there is nobody to answer: {question}", hint=hint)

    def _terminal(self) -> Terminal | None:
        """The terminal, if it can do more than lines and the questions are seen on it."""
        streams = self._streams
        can_move = sys.platform == "win32" or streams.environ.get("TERM", "") not in ("", "dumb")
        if not (can_move and streams.stderr_is_tty and _is_real(streams.stdin) and _is_real(streams.stderr)):
            return None
        from glmcli.menu import Terminal

        return Terminal(streams.stdin, streams.stderr, color=streams.may_color(stderr=True))

    def _pick(self, question: str, options: Sequence[tuple[str, str]], default: str | None) -> str:
        """A menu for a terminal that knows lines only."""
        from glmcli.menu import matching

        values = [value for value, _ in options]
        usual = values.index(default) if default in values else 0
        lines = [question, *(f"  {number}. {label}" for number, (_, label) in enumerate(options, 1))]
        self._streams.complain("\n".join(lines))
        while True:
            self._streams.write_error(f"1-{len(options)} [{usual + 1}]: ")
            answer = self._read_line().strip()
            found = matching(answer, options) if answer else usual
            if found is not None:
                return values[found]

    def _line(self, question: str) -> str:
        """A line that is shown; the line editor stands in for a terminal that shows nothing. Raises EOFError."""
        terminal = self._terminal() if self._is_silent else None
        if terminal:
            return terminal.read_line(question).strip()
        self._streams.write_error(question)
        return self._read_line().strip()

    def _read_line(self) -> str:
        line = self._streams.stdin.readline()
        if not line:
            self._streams.write_error("\n")
            raise EOFError
        return line.decode("utf-8", "replace")


def _is_real(stream: BinaryIO) -> bool:
    try:
        return stream.fileno() >= 0
    except OSError:
        return False


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

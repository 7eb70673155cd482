"""A real pseudo-terminal with a program on it, and a screen that shows what it wrote."""

from __future__ import annotations

import codecs
import os
import re
import sys
import termios
import time
from collections.abc import Callable, Mapping
from types import TracebackType

import pexpect
import pyte

PATIENCE_SECONDS = 20.0
# pyte stops drawing at these; a terminal gives them no cell.
_NO_CELL = re.compile("[\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]")


class Terminal:
    """`with Terminal("chat") as terminal:` runs `glm chat`; what is typed and shown is bytes on a tty."""

    def __init__(
        self, *argv: str, env: Mapping[str, str] | None = None, columns: int = 80, rows: int = 24, term: str = "xterm"
    ) -> None:
        self.columns, self.rows = columns, rows
        self.emulator = pyte.HistoryScreen(columns, rows, history=100_000, ratio=0.5)
        self._stream = pyte.Stream(self.emulator)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.raw = b""
        environ = {**os.environ, "TERM": term, "PYTHONIOENCODING": "utf-8", **(env or {})}
        self.child: pexpect.spawn[bytes] = pexpect.spawn(
            sys.executable, ["-m", "glmcli", *argv], env=environ, dimensions=(rows, columns), timeout=PATIENCE_SECONDS
        )
        self.child.delaybeforesend = None
        self.before = termios.tcgetattr(self.child.child_fd)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.child.close(force=True)

    # -- hands -------------------------------------------------------------------

    def type(self, text: str) -> None:
        """Press keys; a long text is written as fast as the program reads."""
        data = text.encode()
        while data:
            data = data[self.child.send(data[:1024]) :]
            if data:
                self.read(timeout_seconds=0)

    def enter(self, text: str = "") -> None:
        """Type a line and press Enter."""
        self.type(text + "\r")

    def paste(self, text: str) -> None:
        """Paste as a terminal with bracketed paste does: line breaks are carriage returns."""
        self.type(f"\x1b[200~{text}\x1b[201~".replace("\n", "\r"))

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window."""
        self.columns, self.rows = columns, rows
        self.emulator.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    # -- eyes --------------------------------------------------------------------

    def read(self, timeout_seconds: float = 0.05) -> bool:
        """Show what has come; whether anything did."""
        try:
            data = self.child.read_nonblocking(65536, timeout=timeout_seconds)
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF:
            time.sleep(0.01)
            return False
        self.raw += data
        self.feed(self._decoder.decode(data))
        return True

    def feed(self, text: str) -> None:
        """Show a text."""
        self._stream.feed(_NO_CELL.sub("", text))

    @property
    def lines(self) -> list[str]:
        """Scrollback and screen, without trailing spaces and empty lines."""
        buffer = self.emulator.buffer
        shown = [*self.emulator.history.top, *(buffer[row] for row in range(self.rows))]
        texts = ["".join(line[column].data for column in range(self.columns)).rstrip() for line in shown]
        while texts and not texts[-1]:
            texts.pop()
        return texts

    @property
    def text(self) -> str:
        """All lines as one text."""
        return "\n".join(self.lines)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Read until a condition holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if not self.read() and time.monotonic() > deadline:
                raise AssertionError(f"{what} did not come; the screen:\n{self.text}")

    def wait_for(self, text: str, count: int = 1) -> None:
        """Read until a text is shown so often."""
        self.wait(lambda: self.text.count(text) >= count, f"{text!r}")

    def wait_for_prompt(self) -> None:
        """Read until the cursor stands behind an empty prompt."""
        self.wait(lambda: self.is_at_prompt, "the prompt")

    @property
    def is_at_prompt(self) -> bool:
        """Whether an empty prompt waits."""
        cursor = self.emulator.cursor
        line = self.emulator.buffer[cursor.y]
        return cursor.x == 2 and line[0].data == ">" and all(line[column].data == " " for column in range(1, 20))

    def wait_for_end(self) -> int:
        """Read to the end; the exit code, negative for a signal."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.child.isalive():
            if not self.read() and time.monotonic() > deadline:
                raise AssertionError(f"the program does not end; the screen:\n{self.text}")
        while self.read():
            pass
        return -self.child.signalstatus if self.child.signalstatus else int(self.child.exitstatus or 0)

    @property
    def settings(self) -> list[object]:
        """The line discipline as it is now; compare with `before`."""
        return termios.tcgetattr(self.child.child_fd)

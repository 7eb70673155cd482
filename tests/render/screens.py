"""A terminal in memory, and an answer that arrives on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pyte
import pyte.modes

from glmcli.render.markdown import StreamingMarkdown, print_markdown

SECONDS_PER_CHUNK = 0.01

# pyte stops drawing at these; a terminal gives them no cell.
_NO_CELL = re.compile("[\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]")


class Screen:
    """A terminal with scrollback that counts what is written to it."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.frames: list[str] = []
        self.now = 0.0
        self._begin()

    def _begin(self) -> None:
        self.emulator = pyte.HistoryScreen(self.width, self.height, history=100_000, ratio=0.5)
        self.emulator.set_mode(pyte.modes.LNM)  # as the line discipline of a tty: newline returns the carriage
        self._stream = pyte.Stream(self.emulator)

    def write(self, text: str) -> None:
        self.frames.append(text)
        self._stream.feed(_NO_CELL.sub("", text))

    def resize(self, width: int, height: int) -> None:
        """Change size as most terminals do: lines that became too long are broken into several rows."""
        rows = self.rows()
        rows += [""] * (len(self.emulator.history.top) + self.emulator.cursor.y + 1 - len(rows))
        self.width, self.height = width, height
        self._begin()
        self._stream.feed("\n".join(rows))

    def rows(self) -> list[str]:
        """Scrollback and screen as text, without trailing spaces and empty rows."""
        buffer = self.emulator.buffer
        lines = [*self.emulator.history.top, *(buffer[row] for row in range(self.height))]
        texts = ["".join(line[column].data for column in range(self.width)).rstrip() for line in lines]
        while texts and not texts[-1]:
            texts.pop()
        return texts

    def looks(self) -> list[list[tuple[str, bool, bool, str]]]:
        """Each cell that is not empty with its weight, underline and colour."""
        buffer = self.emulator.buffer
        lines = [*self.emulator.history.top, *(buffer[row] for row in range(self.height))]
        looks = [
            [(cell.data, cell.bold, cell.underscore, cell.fg) for column in range(self.width) if (cell := line[column])]
            for line in lines
        ]
        blank = (" ", False, False, "default")
        for look in looks:
            while look and look[-1] == blank:
                look.pop()
        while looks and not looks[-1]:
            looks.pop()
        return looks

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row, from 0."""
        return self.emulator.cursor.x, self.emulator.cursor.y

    @property
    def bytes(self) -> int:
        return len("".join(self.frames).encode())

    def renderer(self, *, color: bool = True) -> StreamingMarkdown:
        """The renderer under test, on this screen."""
        return StreamingMarkdown(
            self.write, width=lambda: self.width, height=lambda: self.height, color=color, clock=lambda: self.now
        )


def pieces(text: str, size: int) -> Iterator[str]:
    """The text in chunks of one size."""
    return (text[start : start + size] for start in range(0, len(text), size))


def stream(
    chunks: Iterable[str], *, width: int = 80, height: int = 24, color: bool = True, pause: float = SECONDS_PER_CHUNK
) -> Screen:
    """The screen after an answer has streamed, `pause` seconds between its chunks."""
    screen = Screen(width, height)
    markdown = screen.renderer(color=color)
    for chunk in chunks:
        markdown.feed(chunk)
        screen.now += pause
        markdown.tick()
    markdown.finish()
    return screen


def printed(text: str, *, width: int = 80, height: int = 24, color: bool = True) -> Screen:
    """The screen after one complete print."""
    screen = Screen(width, height)
    print_markdown(text, screen.write, width=width, color=color)
    return screen

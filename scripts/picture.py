"""Draw docs/images/conversation.svg: a real conversation with the sandbox, as a terminal shows it.

Run it by hand after the looks have changed: .venv/bin/python scripts/picture.py
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.terminal.terminal import Terminal  # noqa: E402  # the path comes first

PICTURE = ROOT / "docs" / "images" / "conversation.svg"
COLUMNS, ROWS = 88, 40
TYPED = ("/model glm-4.6", "show me a table and some code", "/tokens")

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.43, 19.0, 14, 18
GROUND, INK = "#16181d", "#d7dae0"
PALETTE = {
    "black": "#3b4048",
    "red": "#e06c75",
    "green": "#98c379",
    "brown": "#d19a66",
    "blue": "#61afef",
    "magenta": "#c678dd",
    "cyan": "#56b6c2",
    "white": "#d7dae0",
    "brightblack": "#7f8794",
    "brightred": "#ff7b85",
    "brightgreen": "#b5e08d",
    "brightbrown": "#ffcb6b",
    "brightblue": "#82c4ff",
    "brightmagenta": "#e09bff",
    "brightcyan": "#7fdbe6",
    "brightwhite": "#ffffff",
}


@dataclass(frozen=True)
class Look:
    """How a cell looks."""

    ink: str
    ground: str
    bold: bool
    italic: bool
    underlined: bool


class Shown(Terminal):
    """A terminal that shows faint text in grey: the emulator knows no faint."""

    def feed(self, text: str) -> None:
        super().feed(text.replace("\x1b[2m", "\x1b[90m").replace("\x1b[22m", "\x1b[22;39m"))


def main() -> None:
    """Hold the conversation and write the picture."""
    with TemporaryDirectory() as home:
        os.environ["GLM_HOME"] = home
        with Shown("--provider", "sandbox", "chat", columns=COLUMNS, rows=ROWS, term="xterm-256color") as terminal:
            for line in TYPED:
                terminal.wait_for_prompt()
                terminal.enter(line)
                terminal.wait(lambda: not terminal.is_at_prompt, "a reaction")
            terminal.wait_for_prompt()
            while terminal.read():
                pass
            PICTURE.write_text(svg(terminal), encoding="utf-8")


def svg(terminal: Terminal) -> str:
    """The screen as an SVG document."""
    buffer = terminal.emulator.buffer
    count = max(row for row in range(ROWS) if any(buffer[row][column].data.strip() for column in range(COLUMNS))) + 1
    width, height = COLUMNS * CELL_WIDTH + 2 * MARGIN, count * CELL_HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="A conversation with glm chat">',
        f'<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>',
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="{FONT_SIZE}">',
    ]
    for row in range(count):
        parts += drawn(buffer[row], MARGIN + row * CELL_HEIGHT)
    cursor = terminal.emulator.cursor
    x, y = MARGIN + cursor.x * CELL_WIDTH, MARGIN + cursor.y * CELL_HEIGHT
    parts.append(f'<rect x="{x:.1f}" y="{y + 2:.1f}" width="{CELL_WIDTH}" height="{CELL_HEIGHT - 4}" fill="{INK}"/>')
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def drawn(line: Mapping[int, Any], top: float) -> Iterator[str]:
    """The elements of one row: a text for each run of cells that look alike and are of one width."""
    for (look, is_wide), cells in groupby(
        range(COLUMNS), key=lambda column: (look_of(line[column]), wide(line, column))
    ):
        columns = list(cells)
        x, length = MARGIN + columns[0] * CELL_WIDTH, len(columns) * CELL_WIDTH
        if look.ground != GROUND:
            yield f'<rect x="{x:.1f}" y="{top:.1f}" width="{length:.1f}" height="{CELL_HEIGHT}" fill="{look.ground}"/>'
        text = "".join(line[column].data for column in columns)
        # No space at either end: a viewer that drops it would stretch the rest.
        x += (len(text) - len(text.lstrip())) * CELL_WIDTH
        text = text.strip()
        length = len(text) * CELL_WIDTH * (2 if is_wide else 1)
        if text:
            yield (
                f'<text x="{x:.1f}" y="{top + FONT_SIZE:.1f}" textLength="{length:.1f}" xml:space="preserve" '
                f'fill="{look.ink}"{style_of(look)}>{escape(text, quote=False)}</text>'
            )


def wide(line: Mapping[int, Any], column: int) -> bool:
    """Whether a cell is half of a wide character; the emulator leaves its second half empty."""
    return not line[column].data or (column + 1 < COLUMNS and not line[column + 1].data)


def look_of(cell: Any) -> Look:
    """The look of a cell of the emulator."""
    ink, ground = colour(cell.fg, INK), colour(cell.bg, GROUND)
    if cell.reverse:
        ink, ground = ground, ink
    return Look(ink, ground, cell.bold, cell.italics, cell.underscore)


def colour(name: str, default: str) -> str:
    """A colour of the emulator: a word, six digits, or the default."""
    if name == "default":
        return default
    return PALETTE.get(name) or f"#{name}"


def style_of(look: Look) -> str:
    """The attributes for weight, slant and line."""
    attributes = ""
    if look.bold:
        attributes += ' font-weight="bold"'
    if look.italic:
        attributes += ' font-style="italic"'
    if look.underlined:
        attributes += ' text-decoration="underline"'
    return attributes


if __name__ == "__main__":
    main()

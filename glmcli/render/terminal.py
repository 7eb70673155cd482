"""The part of the screen that may still change.

Lines are written as they are needed: what is finished once, what is open from
its first changed column on. Nothing above the screen is touched, because only
the last lines that fit it are ever shown before they are final.

A frame is one write. It never leaves the cursor hidden, a style on or an
update pending, so that a process killed between two frames leaves a sane terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glmcli.render.wrapping import Line, Span, Style, cell_width, is_uncertain, line_width

# Synchronised output (https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036)
# and a hidden cursor while several lines are rewritten.
_BEGIN, _END = "\x1b[?2026h\x1b[?25l", "\x1b[?25h\x1b[?2026l"
#: Undoes what half a frame may have left.
RESTORE = "\x1b[?25h\x1b[?2026l\x1b[m\x1b]8;;\x1b\\"


def paint(line: Sequence[Span]) -> str:
    """A line with the escape sequences of its styles, from and to the plain style."""
    parts: list[str] = []
    sgr = link = ""
    for text, style in line:
        if style.link != link:
            parts.append(f"\x1b]8;;{style.link}\x1b\\")
            link = style.link
        if style.sgr != sgr:
            parts.append(f"\x1b[{'0;' if sgr and style.sgr else ''}{style.sgr}m")
            sgr = style.sgr
        if style.column >= 0:
            parts.append(f"\x1b[{style.column + 1}G")
        parts.append(text)
    if sgr:
        parts.append("\x1b[m")
    if link:
        parts.append("\x1b]8;;\x1b\\")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Frame:
    """One write, and what the screen shows after it."""

    text: str
    shown: list[Line]
    hidden: int


class LiveRegion:
    """Plans writes so that the screen shows final lines followed by provisional ones.

    The cursor stays at the end of the last line; the newline comes with the next.
    """

    def __init__(self) -> None:
        self._shown: list[Line] = []  # provisional lines on the screen, the cursor at the end of the last
        self._hidden = 0  # provisional lines above them that did not fit the screen
        self._is_at_line_start = True

    def plan(self, final: Sequence[Line], provisional: Sequence[Line], height: int) -> Frame:
        """The frame that adds `final` lines and shows `provisional` ones after them, `height` rows at most."""
        hidden = max(0, len(provisional) - max(1, height))
        wanted = [*final, *provisional[hidden:]]
        shown = self._shown
        scroll = ""
        if not final and 0 < hidden - self._hidden < len(shown) and not _is_uncertain(shown[-1]):
            scroll = self._scroll(hidden - self._hidden)
            shown = shown[hidden - self._hidden :]
        text = scroll + self._difference(shown, wanted)
        if "\x1b[J" in text or scroll:
            text = f"{_BEGIN}{text}{_END}"
        return Frame(text, list(wanted[len(final) :]), hidden)

    def accept(self, frame: Frame, *, has_final: bool) -> None:
        """The frame is about to be written."""
        if frame.shown or has_final:
            self._is_at_line_start = False
        elif self._shown:
            self._is_at_line_start = True
        self._shown, self._hidden = frame.shown, frame.hidden

    def rewind(self, width: int, height: int) -> str:
        """Text that clears the provisional lines after the terminal became `width` columns wide.

        Terminals break lines that became too long into several rows; the rows are counted so.
        """
        if not self._shown:
            return ""
        rows = sum(max(1, -(-line_width(line) // max(1, width))) for line in self._shown)
        up = min(rows, height) - 1
        self._shown, self._hidden = [], 0
        self._is_at_line_start = True
        return "\r" + (f"\x1b[{up}A" if up else "") + "\x1b[J"

    def end(self) -> str:
        """Text that takes the cursor to the start of a new line."""
        if self._is_at_line_start:
            return ""
        self._is_at_line_start, self._shown = True, []
        return "\n"

    def _scroll(self, count: int) -> str:
        """Delete the first `count` shown lines; deleted lines do not enter the scrollback."""
        rows = len(self._shown)
        down = rows - 1 - count
        back = f"\x1b[{down}B" if down else ""
        column = line_width(self._shown[-1])
        return f"\x1b[{rows - 1}A\x1b[{count}M{back}\x1b[{column + 1}G"

    def _difference(self, shown: Sequence[Line], wanted: Sequence[Line]) -> str:
        """Text that turns the shown lines into the wanted ones."""
        same = 0
        while same < len(shown) and same < len(wanted) and shown[same] == wanted[same]:
            same += 1
        if same == len(shown):
            joint = "" if self._is_at_line_start and not shown else "\n"
            added = "\n".join(paint(line) for line in wanted[same:])
            return joint + added if wanted[same:] else ""
        if same == len(wanted):
            return self._shorten(shown, wanted)
        up = len(shown) - 1 - same
        head = self._rewrite(shown[same], wanted[same], up)
        return "\n".join([head, *(paint(line) for line in wanted[same + 1 :])])

    def _rewrite(self, old: Line, new: Line, up: int) -> str:
        """Text that turns a line `up` rows above the cursor into another and clears what follows it."""
        kept, kept_width = _common(old, new)
        rest = paint(_after(new, kept))
        if up == 0 and kept == sum(len(span.text) for span in old):
            return rest
        move = (f"\x1b[{up}A" if up else "") + (f"\x1b[{kept_width + 1}G" if kept_width else "\r")
        clear = "\x1b[J" if up else "\x1b[K"
        if not up and line_width(new) >= line_width(old) and not _is_uncertain(old):
            clear = ""
        return move + clear + rest

    def _shorten(self, shown: Sequence[Line], wanted: Sequence[Line]) -> str:
        """Text that removes the shown lines beyond the wanted ones."""
        up = len(shown) - 1 - len(wanted)
        clear = (f"\x1b[{up}A" if up else "") + "\r\x1b[J"
        return f"{clear}\x1b[A\x1b[{line_width(wanted[-1]) + 1}G" if wanted else clear


def _is_uncertain(line: Line) -> bool:
    return any(is_uncertain(span.text) for span in line)


def _common(old: Line, new: Line) -> tuple[int, int]:
    """Characters that both lines begin with in the same style, and their columns.

    Nothing of a line whose columns are uncertain, unless the whole of it is kept.
    """
    characters = columns = 0
    exact = True
    for mine, theirs in zip(old, new, strict=False):
        if mine.style != theirs.style:
            break
        length = _common_length(mine.text, theirs.text)
        characters += length
        columns += cell_width(mine.text[:length])
        exact = exact and not is_uncertain(mine.text[:length] + theirs.text[length : length + 1])
        if length < len(mine.text) or length < len(theirs.text):
            break
    if exact or characters == sum(len(span.text) for span in old):
        return characters, columns
    return 0, 0


def _common_length(one: str, other: str) -> int:
    if other.startswith(one):
        return len(one)
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return index
    return min(len(one), len(other))


def _after(line: Line, characters: int) -> Line:
    """The line without its first characters."""
    rest: Line = []
    for span in line:
        if characters >= len(span.text):
            characters -= len(span.text)
            continue
        style = span.style if not characters else Style(span.style.sgr, span.style.link)
        rest.append(Span(span.text[characters:], style))
        characters = 0
    return rest

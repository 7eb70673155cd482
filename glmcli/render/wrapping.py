"""Styled text, how wide it is on a terminal, and how it is broken into lines.

Text is a list of spans. Lines are broken greedily, so a line that is full
stays as it is whatever follows: that is what lets an answer be written line
by line while it arrives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Style(NamedTuple):
    """How a span looks: SGR parameters (`"1;36"`), the target of a hyperlink, and
    the column (from 0) it must begin at, or -1 for wherever the cursor is."""

    sgr: str = ""
    link: str = ""
    column: int = -1


class Span(NamedTuple):
    """A piece of text without line breaks in one style."""

    text: str
    style: Style = Style()


Line = list[Span]

PLAIN = Style()

# Terminals disagree about the width of what holds one of these: joined emoji,
# variation selectors, skin tones, flags, keycaps, soft hyphens. We count the widest reading.
_UNCERTAIN = re.compile(
    "[\xad\u200b-\u200f\u2060-\u2064\u20e3\ufe00-\ufe0f\ufeff\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]"
)

_WIDE = (
    "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\U00020000-\U0003fffd"
)
# Punctuation that may not begin a line.
_CLOSING = "、。，．：；！？）」』】》〉〕｝〗…”’％"
_ATOM = re.compile(rf"\n| +|[{_WIDE}][{_CLOSING}]*|[^ \n{_WIDE}]+")


class _Widths(dict[str, int]):
    """Cells of one character, looked up once."""

    def __missing__(self, character: str) -> int:
        from rich.cells import get_character_cell_size

        width = self[character] = get_character_cell_size(character)
        return width


_widths = _Widths()


def cell_width(text: str) -> int:
    """Columns that the text takes on a terminal, at most."""
    if text.isascii():
        return len(text)
    total = sum(map(_widths.__getitem__, text))
    if "\ufe0f" in text:  # makes a narrow symbol wide
        total += sum(1 for before in re.findall("(.)\ufe0f", text) if _widths[before] == 1)
    return total


def line_width(line: Iterable[Span]) -> int:
    """Columns of a line."""
    return sum(cell_width(span.text) for span in line)


def is_uncertain(text: str) -> bool:
    """Whether terminals disagree about the width of the text."""
    return not text.isascii() and _UNCERTAIN.search(text) is not None


def join(spans: Iterable[Span]) -> Line:
    """The same text with neighbours of one style made one span."""
    line: Line = []
    for span in spans:
        if line and line[-1].style == span.style and span.style.column < 0:
            line[-1] = Span(line[-1].text + span.text, span.style)
        elif span.text:
            line.append(span)
    return line


def _fitting(text: str, width: int) -> int:
    """How many leading characters fit `width` columns."""
    if text.isascii():
        return max(0, width)
    used = 0
    for index, character in enumerate(text):
        used += _widths[character]
        if character == "\ufe0f" and index and _widths[text[index - 1]] == 1:
            used += 1
        if used > width:
            # A selector goes with the symbol that it changes.
            return index - 1 if character == "\ufe0f" else index
    return len(text)


def chop(spans: Line, width: int) -> list[Line]:
    """Break at exactly `width` columns, as code is; always at least one line."""
    lines: list[Line] = []
    line: Line = []
    used = 0
    for text, style in spans:
        while (cut := _fitting(text, width - used)) < len(text):
            cut = cut or (0 if line else 1)  # a character wider than the line stands alone
            lines.append([*line, Span(text[:cut], style)] if cut else line)
            line, used, text = [], 0, text[cut:]
        if text:
            line.append(Span(text, style))
            used += cell_width(text)
    return [*lines, line] if line or not lines else lines


class Wrapper:
    """Breaks text that comes piece by piece into lines of at most `width` columns.

    Words are kept whole where they fit; a line may break beside any wide
    (Chinese, Japanese, Korean) character, but not before closing punctuation.
    """

    def __init__(self, width: int) -> None:
        self.width = max(1, width)
        self._line: Line = []
        self._used = 0
        self._gap: Line = []
        self._word: Line = []
        self._word_width = 0
        self._word_is_closed = False  # a wide character: what follows is another word

    def copy(self) -> Wrapper:
        """The same state, to look ahead with."""
        twin = Wrapper(self.width)
        twin._line, twin._used, twin._gap = [*self._line], self._used, [*self._gap]
        twin._word, twin._word_width, twin._word_is_closed = [*self._word], self._word_width, self._word_is_closed
        return twin

    def feed(self, spans: Iterable[Span]) -> list[Line]:
        """Add text; the lines that are full because of it."""
        done: list[Line] = []
        for text, style in spans:
            for atom in _ATOM.findall(text):
                if atom == "\n":
                    self._end_word(done)
                    self._end_line(done)
                elif atom[0] == " ":
                    self._end_word(done)
                    self._gap.append(Span(atom, style))
                else:
                    self._add(atom, style, done)
        return done

    def finish(self) -> list[Line]:
        """The last line, if there is one."""
        done: list[Line] = []
        self._end_word(done)
        if self._line:
            self._end_line(done)
        return done

    def rewrapped(self, width: int) -> tuple[Wrapper, list[Line]]:
        """One that goes on at another width, and the lines that the text kept so far fills at it."""
        twin = Wrapper(width)
        return twin, twin.feed([*self._line, *self._gap, *self._word])

    def _add(self, atom: str, style: Style, done: list[Line]) -> None:
        is_wide = not atom.isascii() and _widths[atom[0]] == 2
        if self._word and (is_wide or self._word_is_closed) and atom[0] not in _CLOSING:
            self._end_word(done)
        self._word.append(Span(atom, style))
        self._word_width += cell_width(atom)
        self._word_is_closed = is_wide or (self._word_is_closed and atom[0] in _CLOSING)
        if self._word_width > self.width:
            self._break_word(done)

    def _break_word(self, done: list[Line]) -> None:
        """A word wider than the line begins a line of its own and fills it."""
        if self._line:
            self._end_line(done)
        *full, rest = chop(join(self._word), self.width)
        done.extend(full)
        self._gap = []
        self._word = rest
        self._word_width = line_width(rest)

    def _end_word(self, done: list[Line]) -> None:
        if not self._word:
            return
        gap_width = line_width(self._gap)
        if self._line and self._used + gap_width + self._word_width > self.width:
            self._end_line(done)
        elif self._line:
            self._line += self._gap
            self._used += gap_width
        self._line += self._word
        self._used += self._word_width
        self._gap, self._word, self._word_width, self._word_is_closed = [], [], 0, False

    def _end_line(self, done: list[Line]) -> None:
        done.append(join(self._line))
        self._line, self._used, self._gap = [], 0, []

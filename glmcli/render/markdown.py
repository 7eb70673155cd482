"""Markdown that appears on a terminal while it streams.

`StreamingMarkdown` writes finished lines once and redraws only what is open;
`print_markdown` writes a whole text. Both go through one engine that reads
each line once (`blocks`), so that the last screen of the one equals the
output of the other. How it looks and what it costs: docs/rendering.md.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from glmcli.render import terminal
from glmcli.render.blocks import LONG_LINE, BlockParser, LineFeeder
from glmcli.render.highlight import Highlighter
from glmcli.render.inline import HEADINGS, HEADINGS_WITHOUT_COLOR, QUIET, Inline, heal
from glmcli.render.tables import Cell, TableLayout
from glmcli.render.wrapping import PLAIN, Line, Span, Style, Wrapper, chop, join
from glmcli.streams import harmless

_SEGMENT = LONG_LINE // 2  # characters of a paragraph that are looked at together, more while markup is open
_LONGEST_SEGMENT = 4 * LONG_LINE  # beyond which markup that is still open is taken for text
_MARGIN = 256  # characters that must have come after a cut, to know the marks around it
_ATOM = re.compile(r"(?<!`)(`++).{1,200}?(?<!`)\1(?!`)|!?\[[^\]]{,200}\]\([^)]{,200}\)|(\*\*|~~|\*).{1,200}?\2|.", re.S)
_SETTLING_ROWS = 20  # rows that decide how wide the columns of a table are

_BETWEEN = re.compile(r"[^\W_] ?[^\W_]")

_NARROW = 8  # columns up to which code is not indented

_TASK_BOX = re.compile(r"\[([ xX])\] ")

_FASTEST_REDRAW = 1 / 60  # seconds
_REST = 8  # a redraw is followed by a rest of so many times what it costs
_SLOWEST_REDRAW = 1.0  # seconds that a redraw waits for its bytes to be worth it, at most
_FREE_BYTES = 512  # rewritten bytes that are never saved …
_REWRITTEN_SHARE = 0.2  # … and the share of the answer that may be rewritten beyond them


def preload() -> None:
    """Import what rendering needs, so that it can be done while the service thinks."""
    print_markdown("*a* 中\n```python\npass\n```", lambda _text: None, width=80, color=True)


def print_markdown(text: str, write: Callable[[str], None], *, width: int, color: bool) -> None:
    """Write a complete text, rendered for `width` columns, each line ended by a newline."""
    engine = _Engine(width, color=color)
    engine.feed(text)
    engine.finish()
    if lines := engine.take():
        write("".join(terminal.paint(line) + "\n" for line in lines))


class StreamingMarkdown:
    """Renders Markdown on a terminal while it arrives.

    `write` gets whole frames; `width` and `height` give the terminal's size in
    cells and are asked at each redraw; `clock` gives seconds. Feed it text as
    it comes, call `tick` when `next_redraw_in()` seconds have passed without
    any, and end with `finish` or `interrupt`. Nothing else may write to the
    terminal in between.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        width: Callable[[], int],
        height: Callable[[], int],
        color: bool,
        clock: Callable[[], float],
    ) -> None:
        self._write_out = write
        self._color = color
        self._width, self._height, self._clock = width, height, clock
        self._size = (max(1, width()), max(1, height()))
        self._engine = _Engine(self._size[0], color=color)
        self._region = terminal.LiveRegion()
        self._source: list[str] = []
        self._final: list[Line] = []  # finished lines not yet written
        self._written_lines = 0  # finished lines that are
        self._is_busy = False
        self._is_dirty = False
        self._is_finished = False
        self._due = clock()
        self._cost = 0.0  # seconds that the last redraw took
        self._drawn_at = self._due
        self._written_bytes = 0
        self._final_bytes = 0  # what the finished lines cost when they are written once

    def feed(self, text: str) -> None:
        """Take more of the answer, cut anywhere; redraw if that is due."""
        if text:
            self._source.append(text)
            self._is_busy = True
            self._engine.feed(text)
            self._is_dirty = True
            self.tick()
            self._is_busy = False

    def tick(self) -> None:
        """Redraw if something is waiting to be shown and a redraw is due."""
        if self._is_dirty and self._clock() >= self._due:
            self._is_busy = True
            self._redraw()
            self._is_busy = False

    def next_redraw_in(self) -> float | None:
        """Seconds until `tick` has something to do; None while there is nothing to show."""
        return max(0.0, self._due - self._clock()) if self._is_dirty else None

    def resize(self) -> None:
        """The terminal has another size: redraw what is open. Lines that are finished stay as they are."""
        size = (max(1, self._width()), max(1, self._height()))
        if size == self._size or self._is_finished:
            return
        self._size = size
        self._write(self._region.rewind(*size))
        self._engine.resize(size[0])
        self._is_dirty = True
        self._due = self._clock()

    def finish(self) -> None:
        """The answer is complete: write all of it and leave the cursor at the start of the next line."""
        if self._is_finished:
            return
        if self._is_busy:
            self._recover()
        self.resize()
        self._is_finished, self._is_dirty = True, False
        self._engine.finish()
        self._final += self._engine.take()
        frame = self._region.plan(self._final, [], self._size[1])
        self._region.accept(frame, has_final=bool(self._final))
        self._final = []
        self._write(frame.text + self._region.end())

    def interrupt(self) -> None:
        """The answer stops here, perhaps by an exception in the middle of `feed`: keep what came, as `finish` does."""
        self.finish()

    def _recover(self) -> None:
        """Read the answer again after Ctrl-C left the engine in the middle of a line."""
        self._is_busy = False
        self._engine = _Engine(self._size[0], color=self._color)
        self._engine.feed("".join(self._source))
        self._final = self._engine.take()[self._written_lines :]

    def _redraw(self) -> None:
        self.resize()
        started = self._clock()
        self._final += self._engine.take()
        frame = self._region.plan(self._final, self._engine.look_ahead(), self._size[1])
        if self._is_worth_it(frame, started):
            self._final_bytes += sum(_bytes(line) for line in self._final)
            self._region.accept(frame, has_final=bool(self._final))
            self._written_lines += len(self._final)
            self._final = []
            self._is_dirty = False
            self._drawn_at = started
            self._write(frame.text)
        now = self._clock()
        # One slow redraw may be another process's turn; what is slow is slow twice.
        before, self._cost = self._cost, now - started
        self._due = now + max(_FASTEST_REDRAW, _REST * min(before, self._cost))

    def _is_worth_it(self, frame: terminal.Frame, now: float) -> bool:
        """Whether the frame may be written now, by how much has been written twice so far."""
        final = self._final_bytes + sum(_bytes(line) for line in self._final)
        useful = final + sum(_bytes(line) for line in frame.shown)
        rewritten = self._written_bytes + len(frame.text.encode()) - useful
        allowed = _FREE_BYTES + _REWRITTEN_SHARE * final
        return rewritten <= allowed or now - self._drawn_at >= _SLOWEST_REDRAW

    def _write(self, text: str) -> None:
        if not text:
            return
        self._written_bytes += len(text.encode("utf-8", "replace"))
        try:
            self._write_out(text)
        except BaseException:
            self._restore()
            raise

    def _restore(self) -> None:
        """Undo what a frame that broke off may have left. The terminal may be gone as well."""
        with contextlib.suppress(OSError, ValueError):
            self._write_out(terminal.RESTORE)


def _bytes(line: Line) -> int:
    return len(terminal.paint(line).encode("utf-8", "replace")) + 1


class _Engine:
    """Text in, lines out: what is settled, and a look at what is not."""

    def __init__(self, width: int, *, color: bool) -> None:
        self._layout = _Layout(width, Inline(color=color))
        self._parser = BlockParser(self._layout)
        self._lines = LineFeeder(self._parser)
        self._after_return = False

    def feed(self, text: str) -> None:
        """Take text; any of `\\n`, `\\r\\n` and `\\r` ends a line."""
        if self._after_return and text.startswith("\n"):
            text = text[1:]
        self._after_return = text.endswith("\r") if text else self._after_return
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        # Terminals disagree whether the separators of Unicode end a line.
        text = text.replace("\u2028", " ").replace("\u2029", " ")
        self._lines.feed("\n".join(map(harmless, text.split("\n"))))

    def finish(self) -> None:
        """No more text comes."""
        self._lines.finish()
        self._parser.finish()

    def take(self) -> list[Line]:
        """The lines that are settled since the last call."""
        lines, self._layout.lines = self._layout.lines, []
        return lines

    def look_ahead(self) -> list[Line]:
        """The lines that would follow if the text ended here."""
        layout = self._layout.fork()
        parser = self._parser.fork(layout)
        rest = self._lines.rest
        if rest and parser.may_show(rest):
            parser.line(rest)
        parser.drop_table_head()
        parser.finish()
        return layout.lines

    def resize(self, width: int) -> None:
        """Lay out what is not settled yet for another width."""
        self._layout.resize(width)


class _Flow:
    """A paragraph or heading on its way: text that is settled becomes full lines.

    The text is cut where its markup is closed, so that a paragraph without an
    end is neither read again and again nor kept. Where it is cut depends on
    the text alone, not on the pieces that it came in.
    """

    def __init__(self, width: int, base: str) -> None:
        self.base = base
        self.wrapper = Wrapper(width)
        self._pending = ""
        self._place = _SEGMENT  # where in it a cut is tried next

    def copy(self) -> _Flow:
        """The same state, to look ahead with."""
        twin = _Flow(1, self.base)
        twin.wrapper, twin._pending, twin._place = self.wrapper.copy(), self._pending, self._place
        return twin

    def feed(self, text: str, inline: Inline) -> list[Line]:
        """Add text; the lines that it fills for certain."""
        lines: list[Line] = []
        for start in range(0, len(text), _SEGMENT):
            self._pending += text[start : start + _SEGMENT]
            while self._can_cut():
                lines += self._cut(inline)
        return lines

    def finish(self, inline: Inline, *, is_partial: bool) -> list[Line]:
        """The lines that are left."""
        text = self._pending.rstrip("\n ")
        spans = inline.spans(heal(text) if is_partial else text, self.base)
        return [*self.wrapper.feed(spans), *self.wrapper.finish()]

    def _can_cut(self) -> bool:
        """Whether there is a place to try a cut at: inside or after a word, outside what looks like a pair of marks."""
        while len(self._pending) >= self._place + _MARGIN:
            for atom in _ATOM.finditer(self._pending, 0, self._place + _MARGIN):
                if atom.start() >= self._place and _BETWEEN.match(self._pending, atom.start() - 1):
                    self._place = min(atom.start(), _LONGEST_SEGMENT)
                    return True
            if self._place == _LONGEST_SEGMENT:
                return True
            self._place = min(2 * self._place, _LONGEST_SEGMENT)
        return False

    def _cut(self, inline: Inline) -> list[Line]:
        """Settle the text before the place if its markup is closed there; the lines that it fills."""
        head = self._pending[: self._place]
        spans = inline.closed_spans(head, self.base)
        if spans is None:
            if self._place < _LONGEST_SEGMENT:
                self._place = min(2 * self._place, _LONGEST_SEGMENT)
                return []
            spans = inline.spans(head, self.base)
        self._pending, self._place = self._pending[self._place :], _SEGMENT
        return self.wrapper.feed(spans)


@dataclass(slots=True)
class _Code:
    """Verbatim lines on their way."""

    highlighter: Highlighter
    indent: str
    style: Style
    is_begun: bool = False
    tail: Line | None = None  # the last row, which a long line may yet extend


@dataclass(slots=True)
class _Table:
    """A table on its way."""

    layout: TableLayout
    rows: list[list[Cell]] = field(default_factory=list)
    is_settled: bool = False


class _Margin(NamedTuple):
    """What a quote or a list item puts before its first line and before the others."""

    id: int
    list_id: int  # 0 for a quote
    first: str
    rest: str


class _Layout:
    """The parser's sink: turns blocks into lines with their margins."""

    def __init__(self, width: int, inline: Inline) -> None:
        self.lines: list[Line] = []
        self._width = width
        self._inline = inline
        self._is_look_ahead = False
        self._margins: list[_Margin] = []
        self._last: list[_Margin] | None = None  # the margins of the last block
        self._containers = 0
        self._gap = False  # the source has an empty line since the last block
        self._begun = 0  # containers, from the outermost, whose first line is written
        self._may_have_box = False  # the next paragraph is the first of its item
        self._flow: _Flow | None = None
        self._code: _Code | None = None
        self._table: _Table | None = None

    def fork(self) -> _Layout:
        """The same state without its lines, to look ahead with."""
        twin = _Layout(self._width, self._inline.fork())
        twin._is_look_ahead = True
        twin._margins, twin._last = [*self._margins], self._last
        twin._containers, twin._begun = self._containers, self._begun
        twin._gap, twin._may_have_box = self._gap, self._may_have_box
        twin._flow = self._flow.copy() if self._flow else None
        twin._code = replace(self._code, highlighter=self._code.highlighter.copy()) if self._code else None
        if self._table:
            twin._table = replace(self._table, layout=copy.copy(self._table.layout), rows=[*self._table.rows])
        return twin

    def resize(self, width: int) -> None:
        """Go on at another width."""
        self._width = width
        if self._flow:
            self._flow.wrapper, full = self._flow.wrapper.rewrapped(self._area)
            self._emit(full)
        if self._table and self._table.is_settled:
            self._table.layout.settle((), width=self._area, origin=self._margin_width)

    # -- containers ---------------------------------------------------------

    def enter_quote(self) -> None:
        self._enter(0, "│ ")

    def enter_item(self, list_id: int, marker: str) -> None:
        if marker[0].isdigit():
            first = f"{marker:>3} "
        else:
            depth = sum(1 for margin in self._margins if margin.list_id)
            first = f"{'•◦▪'[depth % 3]} "
        self._enter(list_id, first)
        self._may_have_box = True

    def leave(self) -> None:
        if self._begun < len(self._margins) and self._margins[-1].list_id:
            self._begin()
            self._emit([[]])
        self._margins.pop()
        self._begun = min(self._begun, len(self._margins))

    def blank(self) -> None:
        self._gap = True

    def _enter(self, list_id: int, first: str) -> None:
        self._containers += 1
        rest = first if not list_id else " " * len(first)
        self._margins.append(_Margin(self._containers, list_id, first, rest))

    # -- leaves -------------------------------------------------------------

    def rule(self) -> None:
        self._begin()
        self._emit([[Span("─" * min(self._area, 80))]])

    def define(self, text: str) -> str:
        """Link definitions count from here on. They are shown as well: links before them could not use them."""
        rest = self._inline.define(text)
        definitions = text[: len(text) - len(rest)].rstrip("\n") if text.endswith(rest) else ""
        if definitions:
            self._begin()
            for line in definitions.split("\n"):
                self._emit(chop([Span(line, Style(QUIET))], self._area))
            self._gap = False
        return rest

    def start_text(self, level: int) -> None:
        may_have_box = self._may_have_box
        self._begin()
        self._may_have_box = may_have_box
        styles = HEADINGS if self._inline.color else HEADINGS_WITHOUT_COLOR
        self._flow = _Flow(self._area, styles[level - 1] if level else "")

    def text(self, text: str) -> None:
        assert self._flow is not None
        if self._may_have_box:
            self._may_have_box = False
            if box := _TASK_BOX.match(text):
                text = ("☐ " if box.group(1) == " " else "☑ ") + text[box.end() :]
        self._emit(self._flow.feed(text, self._inline))

    def end_text(self) -> None:
        assert self._flow is not None
        self._emit(self._flow.finish(self._inline, is_partial=self._is_look_ahead))
        self._flow = None

    def start_code(self, kind: str, info: str) -> None:
        highlighter = Highlighter(info, color=self._inline.color)
        self._code = _Code(highlighter, *(("", Style(QUIET)) if kind == "html" else ("  ", PLAIN)))

    def code_line(self, line: str) -> None:
        code = self._code
        assert code is not None
        if not code.is_begun:
            code.is_begun = True
            self._begin()
        self._gap = False
        spans = [span if span.style.sgr else Span(span.text, code.style) for span in code.highlighter.line(line)]
        self._end_code_line(code)
        self._extend_code(code, spans)

    def code_piece(self, text: str) -> None:
        assert self._code is not None
        self._extend_code(self._code, [*(self._code.tail or []), Span(text, self._code.style)])

    def end_code(self) -> None:
        assert self._code is not None
        self._end_code_line(self._code)
        self._code = None

    def _extend_code(self, code: _Code, spans: Line) -> None:
        """Write the rows that the line fills, and keep the last."""
        indent = self._code_indent(code)
        *full, code.tail = chop(join(spans), self._area - len(indent))
        self._emit([[Span(indent), *row] for row in full])

    def _end_code_line(self, code: _Code) -> None:
        if code.tail is not None:
            self._emit([[Span(self._code_indent(code)), *code.tail] if code.tail else []])
            code.tail = None

    def _code_indent(self, code: _Code) -> str:
        return code.indent if self._area > _NARROW else ""

    def start_table(self, header: list[str], alignments: list[str]) -> None:
        self._begin()
        cells = [self._inline.spans(cell, "1") for cell in header]
        layout = TableLayout(cells, alignments, width=self._area, origin=self._margin_width)
        self._table = _Table(layout)

    def row(self, cells: list[str]) -> None:
        assert self._table is not None
        row = [self._inline.spans(cell) if cell else [] for cell in cells]
        if self._table.is_settled:
            self._emit(list(self._table.layout.row(row)))
            return
        self._table.rows.append(row)
        if len(self._table.rows) == _SETTLING_ROWS:
            self._settle(self._table)

    def end_table(self) -> None:
        assert self._table is not None
        if not self._table.is_settled:
            self._settle(self._table)
        self._table = None

    def _settle(self, table: _Table) -> None:
        """From here on the columns keep their widths, and rows are written as they come."""
        table.layout.settle(table.rows, width=self._area, origin=self._margin_width)
        self._emit(list(table.layout.head()))
        for row in table.rows:
            self._emit(list(table.layout.row(row)))
        table.rows = []
        table.is_settled = True

    # -- lines --------------------------------------------------------------

    @property
    def _margin_width(self) -> int:
        """Columns before the text. Deep nesting leaves half of a narrow terminal, or 20 columns, to the text."""
        room = max(1, min(20, self._width // 2))
        return min(sum(len(margin.rest) for margin in self._margins), self._width - room)

    @property
    def _area(self) -> int:
        """Columns of the text."""
        return self._width - self._margin_width

    def _begin(self) -> None:
        """A block begins: separate it from the one before.

        Blocks of the document and of a quote stand apart. Those of a list stand
        as in the source, since whether a list is loose is known only at its end.
        """
        before, here = self._last, self._margins
        if before is not None:
            shared = _shared(before, here)
            if self._gap or not _is_in_list(before, here, shared):
                margin = "".join(margin.rest for margin in here[:shared])
                self.lines.append(join([Span(self._clip(margin).rstrip())]))
        self._last = [*here]
        self._gap = self._may_have_box = False

    def _emit(self, lines: Iterable[Line]) -> None:
        """Write lines with the margins of the open containers."""
        for line in lines:
            margins = enumerate(self._margins)
            text = "".join(margin.rest if index < self._begun else margin.first for index, margin in margins)
            text = self._clip(text)
            self._begun = len(self._margins)
            self.lines.append(join([Span(text if line else text.rstrip()), *line]))

    def _clip(self, margin: str) -> str:
        return margin[len(margin) - self._margin_width :] if len(margin) > self._margin_width else margin


def _shared(one: list[_Margin], other: list[_Margin]) -> int:
    """How many containers two blocks have in common."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine.id != theirs.id:
            break
        count += 1
    return count


def _is_in_list(before: list[_Margin], here: list[_Margin], shared: int) -> bool:
    """Whether what joins two blocks is a list: they are in one item, or in two items of one list."""
    if shared < len(before) and shared < len(here) and before[shared].list_id == here[shared].list_id > 0:
        return True
    return shared > 0 and here[shared - 1].list_id > 0

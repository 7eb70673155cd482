"""Tables as lines: how wide each column is, and how a row fills them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from glmcli.render.wrapping import PLAIN, Line, Span, Style, Wrapper, is_uncertain, join, line_width

_GAP = " │ "
_NARROWEST = 4  # columns of a cell; a table that would need less is written as a list of fields

Cell = list[Span]


class TableLayout:
    """Lines of one table in an area `width` columns wide that begins at column `origin`."""

    def __init__(self, header: Sequence[Cell], alignments: Sequence[str], *, width: int, origin: int) -> None:
        self._header = header
        self._alignments = alignments
        self._natural = [_natural_width(cell) for cell in header]
        self._is_stacked = False
        self._widths: list[int] = []
        self._origin = origin
        self.settle((), width=width, origin=origin)

    def settle(self, rows: Sequence[Sequence[Cell]], *, width: int, origin: int) -> None:
        """Decide the widths of the columns by the header and these rows."""
        self._origin = origin
        for row in rows:
            self._natural = [max(old, _natural_width(cell)) for old, cell in zip(self._natural, row, strict=True)]
        available = width - len(_GAP) * (len(self._natural) - 1)
        self._is_stacked = available < _NARROWEST * len(self._natural) and available < sum(self._natural)
        self._widths = [width] if self._is_stacked else fit(self._natural, available)

    def head(self) -> Iterator[Line]:
        """The header and the line under it."""
        if not self._is_stacked:
            yield from self._lines(self._header)
            yield [Span("─┼─".join("─" * width for width in self._widths))]

    def row(self, cells: Sequence[Cell]) -> Iterator[Line]:
        """The lines of one row."""
        if self._is_stacked:
            yield from self._fields(cells)
        else:
            yield from self._lines(cells)

    def _lines(self, cells: Sequence[Cell]) -> Iterator[Line]:
        columns = [_wrapped(cell, width) for cell, width in zip(cells, self._widths, strict=True)]
        for parts in zip_longest(*columns, fillvalue=[]):
            yield self._line(parts)

    def _line(self, parts: Sequence[Line]) -> Line:
        line: Line = []
        column = self._origin
        is_uncertain_so_far = False
        for index, (part, width, alignment) in enumerate(zip(parts, self._widths, self._alignments, strict=True)):
            if index:
                # Where terminals disagree about what came before, the column is set outright.
                line.append(Span(_GAP, Style(column=column) if is_uncertain_so_far else PLAIN))
                column += len(_GAP)
            left, right = _padding(width - line_width(part), alignment)
            line += [Span(" " * left), *part]
            if index < len(parts) - 1:
                line.append(Span(" " * right))
            column += width
            is_uncertain_so_far = is_uncertain_so_far or any(is_uncertain(span.text) for span in part)
        return join(line)

    def _fields(self, cells: Sequence[Cell]) -> Iterator[Line]:
        """`header: cell` for each cell that holds something."""
        for name, cell in zip(self._header, cells, strict=True):
            if cell:
                yield from _wrapped([*name, Span(": "), *cell], self._widths[0])
        yield [Span("─" * min(self._widths[0], 8))]


def fit(natural: Sequence[int], available: int) -> list[int]:
    """Widths that add up to no more than `available`: narrow columns as they are, wide ones share what is left."""
    widths = [max(1, width) for width in natural]
    if sum(widths) <= available:
        return widths
    left, columns = available, len(widths)
    for width in sorted(widths):
        if width * columns > left:
            break
        left -= width
        columns -= 1
    share, extra = divmod(max(left, columns), columns)
    for index, width in enumerate(widths):
        if width > share:
            widths[index] = share + (1 if extra > 0 else 0)
            extra -= 1
    return widths


def _natural_width(cell: Cell) -> int:
    widest = used = 0
    for span in cell:
        if span.text == "\n":
            used = 0
        else:
            used += line_width([span])
            widest = max(widest, used)
    return widest


def _wrapped(cell: Cell, width: int) -> list[Line]:
    wrapper = Wrapper(width)
    return [*wrapper.feed(cell), *wrapper.finish()]


def _padding(spare: int, alignment: str) -> tuple[int, int]:
    """Spaces before and after."""
    spare = max(0, spare)
    if alignment == "right":
        return spare, 0
    if alignment == "center":
        return spare // 2, spare - spare // 2
    return 0, spare

"""Rows of a list in aligned columns, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from glmcli.streams import harmless

_GAP = "  "
_NARROWEST = 8  # columns of the one that gives way


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, flexible: int) -> list[str]:
    """Lines of at most `width` columns where possible: the flexible column is cut, no other is.

    Control characters are made visible; Chinese takes two columns per character.
    """
    from rich.cells import cell_len

    table = [[_one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(cell_len(row[index]) for row in table) for index in range(len(header))]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    if excess > 0:
        widths[flexible] = max(min(_NARROWEST, widths[flexible]), widths[flexible] - excess)
    return [_GAP.join(map(_fitted, row, widths)).rstrip() for row in table]


def _fitted(cell: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    if cell_len(cell) > width:
        cell = set_cell_size(cell, width - 1).rstrip() + "…"
    return set_cell_size(cell, width)


def _one_line(cell: str) -> str:
    return harmless(" ".join(cell.split()))

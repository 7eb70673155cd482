"""How large the terminal is, asked without loading anything: help pages want to know it first of all."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing takes longer to load than this takes to run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def columns(environ: Mapping[str, str], descriptors: Iterable[int]) -> int:
    """Columns by `COLUMNS`, else of the first of these files that is a terminal, else 80."""
    return _given(environ.get("COLUMNS", "")) or _measured(descriptors, 0) or 80


def lines(environ: Mapping[str, str], descriptors: Iterable[int]) -> int:
    """Lines by `LINES`, else of the first of these files that is a terminal, else 24."""
    return _given(environ.get("LINES", "")) or _measured(descriptors, 1) or 24


def _given(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _measured(descriptors: Iterable[int], index: int) -> int:
    for descriptor in descriptors:
        try:
            size = os.get_terminal_size(descriptor)[index]
        except (OSError, ValueError):
            continue
        if size > 0:
            return size
    return 0

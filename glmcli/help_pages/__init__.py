"""Help pages made when `glm` was built: Typer needs five times as long as Python itself to make one.

`make docs` writes a module for each of the usual widths; at any other width Typer makes the page.
`tests/test_help_pages.py` holds them to be what Typer makes.
"""

from __future__ import annotations

import os

from glmcli.terminalsize import columns

NARROWEST, WIDEST = 50, 100
#: Almost every terminal, pipe and pager asks for one of these.
STORED_WIDTHS = (80, 100)


def page_width(columns: int) -> int:
    """Columns of a page on a terminal that has so many."""
    return max(NARROWEST, min(columns, WIDEST))


def stored_page(argv: list[str]) -> str | None:
    """The page that `glm ARGV` asks for; None when it asks for something else, or must be made anew."""
    path = _path_asked_for(argv)
    return _pages(page_width(columns(os.environ, (1, 2, 0)))).get(path) if path else None


def _path_asked_for(argv: list[str]) -> str:
    """`chat` for `chat --help`, `chat -h` and `help chat`; empty for anything else."""
    if argv[:1] == ["help"]:
        words = argv[1:]
    elif argv[-1:] in (["--help"], ["-h"]):
        words = argv[:-1]
    else:
        return ""
    return "" if any(" " in word for word in words) else " ".join(words)


def _pages(width: int) -> dict[str, str]:
    if width == 80:
        from glmcli.help_pages.width80 import PAGES
    elif width == 100:
        from glmcli.help_pages.width100 import PAGES
    else:
        return {}
    return PAGES

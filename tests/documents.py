"""Tables of documents that repeat a table of a test: checked, or written anew with `--update-golden`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def check_table(page: str, name: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, update: bool) -> None:
    """Compare the table between `<!-- NAME -->` and `<!-- /NAME -->` of a page below `docs` with these rows."""
    path = DOCS / page
    text = path.read_text("utf-8")
    before, found, rest = text.partition(f"<!-- {name} -->\n")
    _, closed, after = rest.partition(f"<!-- /{name} -->\n")
    assert found, f"docs/{page} has no mark <!-- {name} -->"
    assert closed, f"docs/{page} has no mark <!-- /{name} -->"
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    right = before + found + "\n" + "\n".join(lines) + "\n\n" + closed + after
    if update:
        path.write_text(right, "utf-8")
    assert path.read_text("utf-8") == right, f"the table {name} of docs/{page} is stale: run pytest --update-golden"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

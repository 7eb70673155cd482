"""Rows of results: tab-separated, JSON lines or a NumPy matrix, to standard output or into a file."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.context import AppContext

#: Takes bytes and brings them to their place.
Write = Callable[[bytes], None]
STDOUT = "-"
_NPY_ALIGNMENT = 64


def choose_form(form: str | None, output: str | None, forms: Sequence[str]) -> str:
    """The format by name, by the ending of the output, or the first one. Raises UsageError for any other name."""
    ending = Path(output).suffix.lower().removeprefix(".") if output else ""
    if form is None:
        return ending if ending in forms else forms[0]
    if form.lower() not in forms:
        raise UsageError(f"there is no format {form}", hint=f"choose one of {', '.join(forms)}")
    return form.lower()


@contextmanager
def opened(app: AppContext, output: str | None, *, force: bool) -> Iterator[Write]:
    """Where results go. A file gets its name when the block ends well; its path is then the answer.

    Raises UsageError for a file that exists.
    """
    if output in (None, STDOUT) or app.options.dry_run:
        yield app.streams.write_bytes
        return
    from glmcli.downloads import Place, check_place
    from glmcli.newfile import NewFile

    path = (app.cwd / Path(str(output)).expanduser()).absolute()
    place = Place(path.parent, path.name, is_exact=True, overwrite=force)
    check_place(place)
    with NewFile(place, "") as file:
        yield file.write
        file.finish()
    if not app.options.json:
        app.streams.write_line(str(output))


def json_line(value: object) -> bytes:
    """One JSON document on a line of its own."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def tab_line(*cells: str) -> bytes:
    """Cells between tabs; tabs and line ends inside them become blanks."""
    return ("\t".join(" ".join(cell.split()) for cell in cells) + "\n").encode("utf-8", "replace")


def npy_head(rows: int, columns: int) -> bytes:
    """The head of a `.npy` file of 32-bit floats, row by row (NumPy Enhancement Proposal 1, version 1.0)."""
    facts = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    fixed = len(b"\x93NUMPY\x01\x00\x00\x00") + 1  # the line end closes the head
    padding = -(fixed + len(facts)) % _NPY_ALIGNMENT
    head = f"{facts}{' ' * padding}\n".encode("latin-1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def npy_row(numbers: Sequence[float]) -> bytes:
    """One row of such a file."""
    return struct.pack(f"<{len(numbers)}f", *numbers)

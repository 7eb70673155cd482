"""Opens the input of a batch: a file, or standard input put on disk, so that it can be read twice."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING

from glmcli.batching.items import FORMATS, Input, Template, choose_form
from glmcli.drafts import scratch_folder
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.context import AppContext

STDIN = "-"


def open_input(app: AppContext, file: str, form: str | None, template: str | None, stack: ExitStack) -> Input:
    """The questions of a file; `-` is standard input. Raises UsageError."""
    if form is not None and form not in FORMATS:
        raise UsageError(f"there is no format {form!r}", hint=f"choose {', '.join(FORMATS)}")
    path = app.cwd / file
    if file == STDIN or path.is_fifo() or path.is_char_device():
        path = _on_disk(app, file, stack)
    name = "standard input" if file == STDIN else file
    try:
        with path.open("rb") as opened:
            start = opened.read(1024)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}") from error
    form = form or choose_form(name, start)
    if template is not None and form == "text":
        raise UsageError("--template needs columns", hint="give CSV, TSV or JSON lines; --format says which")
    return Input(path, name, form, Template(template) if template is not None else None)


def _on_disk(app: AppContext, file: str, stack: ExitStack) -> Path:
    if file == STDIN and app.streams.stdin_is_tty:
        raise UsageError("nothing is piped into standard input", hint="glm batch run prompts.jsonl -o answers.jsonl")
    copy = stack.enter_context(scratch_folder(app.environ)) / "stdin"
    with copy.open("wb") as target:
        if file == STDIN:
            copyfileobj(app.streams.stdin, target)
        else:
            with (app.cwd / file).open("rb") as pipe:
                copyfileobj(pipe, target)
    return copy

"""What `image`, `video` and `tasks` have in common: parameters, and where files go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.context import AppContext

STDOUT = "-"
#: How long a wait lasts unless `--deadline` says otherwise (the vendor's examples give up after 300 s).
DEADLINE_SECONDS = {"image": 300.0, "video": 900.0}

Prompt = Annotated[
    list[str] | None,
    typer.Argument(help="What to make; - reads it from standard input.", metavar="[PROMPT]...", show_default=False),
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="Write to this file or folder; - is standard output.", metavar="PATH"),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Submit, print the id of the task, and leave.")]
Deadline = Annotated[
    float | None,
    typer.Option(help="Wait at most so long; the task goes on (exit 9).", metavar="SECONDS", min=0, show_default=False),
]
Interval = Annotated[
    float | None,
    typer.Option(help="Ask so often (default: 2 s, slowing down to 15 s).", metavar="SECONDS", min=0.01),
]
Watermark = Annotated[
    bool | None,
    typer.Option("--watermark/--no-watermark", help="Mark the result as generated (Zhipu).", show_default=False),
]
UserId = Annotated[str | None, typer.Option("--user-id", help="Name the end user, 6 to 128 characters.", metavar="ID")]
RequestId = Annotated[str | None, typer.Option("--request-id", help="Give the request an id of yours.", metavar="ID")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set another request field; the value is JSON or text.", metavar="KEY=VALUE"),
]


def prompt_of(app: AppContext, words: list[str] | None) -> str:
    """The words of the command line; standard input where they say so, or where there are none."""
    given = words or []
    if given == ["-"]:
        return app.streams.read_stdin().strip()
    if given:
        return " ".join(given).strip()
    return (app.streams.read_piped() or "").strip()


def absolute(app: AppContext, output: str | None) -> str:
    """A path that still means the same in another folder; None is the working directory."""
    if output is None:
        return str(app.cwd) + os.sep
    path = os.path.normpath(app.cwd / Path(output).expanduser())
    return path + os.sep if output.endswith(("/", os.sep)) else path


def check_stdout(app: AppContext, output: str | None) -> None:
    """Bytes belong into a pipe, and not between the lines of a document. Raises UsageError."""
    if output != STDOUT:
        return
    if app.streams.stdout_is_tty:
        raise UsageError("the bytes of a file would garble the terminal", hint="-o fox.png, or -o - | a viewer")
    if app.options.json:
        raise UsageError("-o - and --json both want standard output", hint="leave one of them out")

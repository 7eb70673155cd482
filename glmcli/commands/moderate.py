"""`glm moderate`: which texts may be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.commands.text_options import Experimental, Field, Files, Force, Model, Output, Set, Texts
from glmcli.context import AppContext
from glmcli.errors import ExitCode

if TYPE_CHECKING:
    from glmcli.api.resources.moderations import Verdict
    from glmcli.textitems import Item

app = command_app()

#: Raised when a key of the JSON output changes its meaning (`docs/json-output.md`).
SCHEMA_VERSION = 1
FORMATS = ("tsv", "jsonl")
STDOUT = "-"


class FailOn(StrEnum):
    """The level from which a text makes the command fail."""

    REVIEW = "review"
    REJECT = "reject"


Form = Annotated[str | None, typer.Option("--format", help="Write tsv or jsonl (default: tsv).", metavar="FORMAT")]
Fail = Annotated[
    FailOn | None, typer.Option("--fail-on", help="End with exit 7 when a text has this level or a higher one.")
]


@dataclass(frozen=True, slots=True)
class ModerateOptions:
    """What is judged, how the verdicts are written, and which one is a failure."""

    words: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    json_field: str | None = None
    form: str | None = None
    output: str | None = None
    force: bool = False
    fail_on: str | None = None
    model: str | None = None
    experimental: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        'glm moderate "have a nice day"',
        "glm moderate -f comments.txt --format jsonl",
        "glm moderate -f posts.jsonl --field body --fail-on review",
    )
)
def moderate(
    ctx: typer.Context,
    texts: Texts = None,
    files: Files = None,
    json_field: Field = None,
    form: Form = None,
    output: Output = None,
    force: Force = False,
    fail_on: Fail = None,
    model: Model = None,
    experimental: Experimental = False,
    assignments: Set = None,
) -> ExitCode:
    """Ask which texts may be shown."""
    from glmcli.api.assignments import parse_assignments

    options = ModerateOptions(
        words=tuple(texts or ()),
        files=tuple(files or ()),
        json_field=json_field,
        form=form,
        output=output,
        force=force,
        fail_on=fail_on.value if fail_on else None,
        model=model,
        experimental=experimental,
        extra=parse_assignments(assignments or ()),
    )
    return run(context_of(ctx), options)


def run(app: AppContext, options: ModerateOptions) -> ExitCode:
    """Write a verdict per text as they come; the exit code is that of `--fail-on`."""
    from glmcli.regional import require_china
    from glmcli.rows import choose_form, opened
    from glmcli.textitems import read_items

    form = choose_form(options.form, options.output, FORMATS)
    require_china(app, "moderation", experimental=options.experimental)
    items = read_items(app, options.words, options.files, options.json_field)
    if app.options.json and options.output in (None, STDOUT):
        verdicts = list(_verdicts(app, options, items))
        app.streams.write_json(_document(items, verdicts))
        return _exit_code(options, verdicts)
    verdicts = []
    with opened(app, options.output, force=options.force) as write:
        for index, verdict in enumerate(_verdicts(app, options, items)):
            verdicts.append(verdict)
            write(_line(app, options, form, index, items[index], verdict))
    if app.options.json:
        app.streams.write_json(_document(items, verdicts) | {"path": options.output})
    return _exit_code(options, verdicts)


def _verdicts(app: AppContext, options: ModerateOptions, items: Sequence[Item]) -> Iterator[Verdict]:
    """One per text; a text that is longer than a request takes is judged by its parts."""
    from glmcli.api.resources.moderations import (
        DEFAULT_MODEL,
        MAX_CHARACTERS,
        ModerationRequest,
        Moderations,
        gravest,
    )
    from glmcli.render.progress import StatusLine
    from glmcli.sentences import pieces

    moderations, status = Moderations(app.client), StatusLine(app.streams)
    for number, item in enumerate(items):
        status.show(f"moderating: {number} of {len(items)} texts")
        try:
            verdict = gravest(
                moderations.judge(ModerationRequest(piece, options.model or DEFAULT_MODEL, options.extra))
                for piece in pieces(item.text, MAX_CHARACTERS)
            )
        finally:
            status.clear()
        yield verdict


def _line(app: AppContext, options: ModerateOptions, form: str, index: int, item: Item, verdict: Verdict) -> bytes:
    from glmcli.rows import json_line, tab_line

    if form == "jsonl":
        return json_line(_facts(item, index, verdict))
    if not app.streams.stdout_is_tty or options.output is not None or options.form is not None:
        return tab_line(verdict.level, ",".join(verdict.types), item.text)
    from glmcli.render.columns import columns
    from glmcli.streams import harmless

    # One row at a time: a verdict is shown when it comes, and not when all are there.
    head = f"{verdict.level:<6}  {','.join(verdict.types):<12}  "
    text = columns((item.text,), (), width=app.streams.width - len(head), flexible=0)[0]
    return f"{harmless(head)}{text}\n".encode("utf-8", "replace")


def _facts(item: Item, index: int, verdict: Verdict) -> dict[str, object]:
    return item.document(index, risk_level=verdict.level, risk_types=list(verdict.types))


def _document(items: Sequence[Item], verdicts: Sequence[Verdict]) -> dict[str, object]:
    results = [_facts(item, index, verdict) for index, (item, verdict) in enumerate(zip(items, verdicts, strict=True))]
    return {"schema_version": SCHEMA_VERSION, "results": results}


def _exit_code(options: ModerateOptions, verdicts: Sequence[Verdict]) -> ExitCode:
    from glmcli.api.resources.moderations import gravity

    if options.fail_on is None:
        return ExitCode.OK
    limit = gravity(options.fail_on.upper())
    return ExitCode.CONTENT if any(gravity(verdict.level) >= limit for verdict in verdicts) else ExitCode.OK

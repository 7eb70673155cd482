"""`glm embed`: vectors of texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.commands.text_options import Experimental, Field, Files, Force, Model, Output, Set, Texts
from glmcli.context import AppContext
from glmcli.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from glmcli.rows import Write
    from glmcli.textitems import Item

app = command_app()

#: Raised when a key of the JSON output changes its meaning (`docs/json-output.md`).
SCHEMA_VERSION = 1
FORMATS = ("jsonl", "tsv", "npy")
STDOUT = "-"
#: Numbers of a vector that a terminal is shown.
_SHOWN = 3

Form = Annotated[
    str | None,
    typer.Option(
        "--format", help="Write jsonl, tsv or npy (default: by the ending of -o, else jsonl).", metavar="FORMAT"
    ),
]
Dimensions = Annotated[
    int | None, typer.Option("-d", "--dimensions", help="Make vectors of 256, 512, 1024 or 2048 numbers.", metavar="N")
]


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """What is turned into vectors, and how they are written."""

    words: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    json_field: str | None = None
    form: str | None = None
    output: str | None = None
    force: bool = False
    model: str | None = None
    dimensions: int | None = None
    experimental: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        "glm embed hello world",
        "glm embed -f titles.txt -o titles.npy",
        "glm embed -f pages.jsonl --field text -d 1024 -o vectors.jsonl",
        "cut -f2 table.tsv | glm embed --format tsv > vectors.tsv",
    )
)
def embed(
    ctx: typer.Context,
    texts: Texts = None,
    files: Files = None,
    json_field: Field = None,
    form: Form = None,
    output: Output = None,
    force: Force = False,
    model: Model = None,
    dimensions: Dimensions = None,
    experimental: Experimental = False,
    assignments: Set = None,
) -> None:
    """Turn texts into vectors."""
    from glmcli.api.assignments import parse_assignments

    options = EmbedOptions(
        words=tuple(texts or ()),
        files=tuple(files or ()),
        json_field=json_field,
        form=form,
        output=output,
        force=force,
        model=model,
        dimensions=dimensions,
        experimental=experimental,
        extra=parse_assignments(assignments or ()),
    )
    run(context_of(ctx), options)


def run(app: AppContext, options: EmbedOptions) -> None:
    """Write one vector per text, in their order, as the requests come back."""
    from glmcli.api.resources.embeddings import DEFAULT_MODEL, batches, check
    from glmcli.regional import require_china
    from glmcli.rows import choose_form, opened
    from glmcli.textitems import read_items

    model = options.model or DEFAULT_MODEL
    form = choose_form(options.form, options.output, FORMATS)
    _check_terminal(app, options, form)
    check(model, options.dimensions)
    require_china(app, "embeddings", experimental=options.experimental)
    items = read_items(app, options.words, options.files, options.json_field)
    requests = list(batches([item.text for item in items], model))
    vectors = _Vectors(app, options, model)
    if app.options.json and options.output in (None, STDOUT):
        rows = list(vectors.rows(requests))
        app.streams.write_json(vectors.document() | {"items": _documents(items, rows)})
        return
    is_shown = app.streams.stdout_is_tty and options.output is None and options.form is None
    with opened(app, options.output, force=options.force) as write:
        put = _shown(write, app.streams.width) if is_shown else _writer(form, write, len(items))
        for index, row in enumerate(vectors.rows(requests)):
            put(index, items[index], row)
    if app.options.json:
        app.streams.write_json(vectors.document() | {"path": options.output, "format": form})


def _check_terminal(app: AppContext, options: EmbedOptions, form: str) -> None:
    if form == "npy" and app.streams.stdout_is_tty and options.output in (None, STDOUT):
        raise UsageError("the bytes of a matrix would garble the terminal", hint="-o vectors.npy")


class _Vectors:
    """Asks for vectors, request by request, and remembers what a document says of them."""

    def __init__(self, app: AppContext, options: EmbedOptions, model: str) -> None:
        self._app = app
        self._options = options
        self._model = model
        self._dimensions: int | None = None
        self._tokens = 0
        self._count = 0

    def rows(self, requests: Sequence[Sequence[str]]) -> Iterator[Sequence[float]]:
        """One vector after the other. Raises ServiceError when their lengths differ."""
        from glmcli.accounting import record_usage
        from glmcli.api.resources.embeddings import EmbeddingRequest, Embeddings
        from glmcli.events import Usage
        from glmcli.render.progress import StatusLine

        embeddings = Embeddings(self._app.client)
        status = StatusLine(self._app.streams)
        total = sum(map(len, requests))
        for texts in requests:
            status.show(f"embedding: {self._count} of {total} texts")
            try:
                found = embeddings.create(
                    EmbeddingRequest(texts, self._model, self._options.dimensions, self._options.extra)
                )
            finally:
                status.clear()
            record_usage(self._app, command="embed", model=self._model, usage=Usage(prompt_tokens=found.tokens))
            self._tokens += found.tokens or 0
            for row in found.rows:
                self._check(row)
                yield row

    def _check(self, row: Sequence[float]) -> None:
        if self._dimensions not in (None, len(row)):
            raise ServiceError("the service sent vectors of different lengths")
        self._dimensions = len(row)
        self._count += 1

    def document(self) -> dict[str, object]:
        """What belongs to all vectors."""
        return {
            "schema_version": SCHEMA_VERSION,
            "model": self._model,
            "dimensions": self._dimensions,
            "count": self._count,
            "usage": {"total_tokens": self._tokens},
        }


# -- writing -----------------------------------------------------------------------------

#: Takes the number of an item, the item and its vector.
Put = Callable[[int, "Item", Sequence[float]], None]


def _documents(items: Sequence[Item], rows: Sequence[Sequence[float]]) -> list[dict[str, object]]:
    return [item.document(index, embedding=row) for index, (item, row) in enumerate(zip(items, rows, strict=True))]


def _writer(form: str, write: Write, count: int) -> Put:
    from glmcli.rows import json_line, npy_head, npy_row, tab_line

    def put_line(index: int, item: Item, row: Sequence[float]) -> None:
        write(json_line(item.document(index, embedding=row)))

    def put_tabs(index: int, item: Item, row: Sequence[float]) -> None:
        write(tab_line(*map(repr, row)))

    def put_matrix(index: int, item: Item, row: Sequence[float]) -> None:
        if index == 0:
            write(npy_head(count, len(row)))
        write(npy_row(row))

    return {"jsonl": put_line, "tsv": put_tabs, "npy": put_matrix}[form]


def _shown(write: Write, width: int) -> Put:
    """The beginning of each vector and its text, for the eye."""
    from glmcli.render.columns import columns

    def put(index: int, item: Item, row: Sequence[float]) -> None:
        numbers = " ".join(f"{number:+.4f}" for number in row[:_SHOWN])
        for line in columns((f"{numbers} … ({len(row)})", item.text), (), width=width, flexible=1):
            write(f"{line}\n".encode("utf-8", "replace"))

    return put

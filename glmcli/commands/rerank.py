"""`glm rerank`: documents by their relevance to a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.commands.text_options import Experimental, Field, Files, Force, Model, Output, Set
from glmcli.context import AppContext

if TYPE_CHECKING:
    from glmcli.api.resources.rerank import Score
    from glmcli.textitems import Item

app = command_app()

#: Raised when a key of the JSON output changes its meaning (`docs/json-output.md`).
SCHEMA_VERSION = 1
FORMATS = ("tsv", "jsonl", "text")
STDOUT = "-"

Query = Annotated[str, typer.Argument(help="The question.", metavar="QUERY", show_default=False)]
Documents = Annotated[
    list[str] | None,
    typer.Argument(help="Documents, each one of its own; else the lines of standard input.", metavar="TEXT..."),
]
Form = Annotated[
    str | None,
    typer.Option("--format", help="Write tsv, jsonl, or the text alone (default: tsv).", metavar="FORMAT"),
]
Top = Annotated[int | None, typer.Option("-n", "--top", help="Write the best N only.", metavar="N", min=1)]
RawScores = Annotated[bool, typer.Option("--raw-scores", help="Ask for scores that are not scaled to 0 and 1.")]


@dataclass(frozen=True, slots=True)
class RerankOptions:
    """The question, the documents, and how the order is written."""

    query: str
    words: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    json_field: str | None = None
    form: str | None = None
    output: str | None = None
    force: bool = False
    top: int | None = None
    raw_scores: bool = False
    model: str | None = None
    experimental: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        'glm rerank "how do cats see?" "cats see in the dark" "dogs bark"',
        'glm rerank "refund after a month" -f answers.txt --top 3',
        'glm rerank "error 1113" -f pages.jsonl --field text --format jsonl',
    )
)
def rerank(
    ctx: typer.Context,
    query: Query,
    documents: Documents = None,
    files: Files = None,
    json_field: Field = None,
    form: Form = None,
    output: Output = None,
    force: Force = False,
    top: Top = None,
    raw_scores: RawScores = False,
    model: Model = None,
    experimental: Experimental = False,
    assignments: Set = None,
) -> None:
    """Sort texts by their relevance to a question."""
    from glmcli.api.assignments import parse_assignments

    options = RerankOptions(
        query=query,
        words=tuple(documents or ()),
        files=tuple(files or ()),
        json_field=json_field,
        form=form,
        output=output,
        force=force,
        top=top,
        raw_scores=raw_scores,
        model=model,
        experimental=experimental,
        extra=parse_assignments(assignments or ()),
    )
    run(context_of(ctx), options)


def run(app: AppContext, options: RerankOptions) -> None:
    """Write the documents, the best first."""
    from glmcli.api.resources.rerank import check
    from glmcli.regional import require_china
    from glmcli.rows import choose_form, opened
    from glmcli.textitems import read_items

    form = choose_form(options.form, options.output, FORMATS)
    require_china(app, "reranking", experimental=options.experimental)
    items = read_items(app, options.words, options.files, options.json_field)
    check(options.query, [item.text for item in items])
    if app.options.json and options.output in (None, STDOUT):
        app.streams.write_json(_document(options, items, *_ranked(app, options, items)))
        return
    with opened(app, options.output, force=options.force) as write:
        scores, tokens = _ranked(app, options, items)
        is_shown = app.streams.stdout_is_tty and options.output is None and options.form is None
        for line in _table(scores, items, app.streams.width) if is_shown else _lines(form, scores, items):
            write(line)
    if app.options.json:
        app.streams.write_json(_document(options, items, scores, tokens) | {"path": options.output})


def _ranked(app: AppContext, options: RerankOptions, items: Sequence[Item]) -> tuple[list[Score], int]:
    """The scores, the best first, and the tokens that were paid; several requests are one order."""
    from glmcli.accounting import record_usage
    from glmcli.api.resources.rerank import DEFAULT_MODEL, MAX_DOCUMENTS, Reranker, RerankRequest, Score, best_first
    from glmcli.events import Usage
    from glmcli.render.progress import StatusLine

    reranker, status = Reranker(app.client), StatusLine(app.streams)
    scores: list[Score] = []
    tokens = 0
    for start in range(0, len(items), MAX_DOCUMENTS):
        status.show(f"reranking: {start} of {len(items)} texts")
        texts = [item.text for item in items[start : start + MAX_DOCUMENTS]]
        request = RerankRequest(
            options.query, texts, options.model or DEFAULT_MODEL, options.raw_scores, extra=options.extra
        )
        try:
            found = reranker.rank(request)
        finally:
            status.clear()
        scores += [Score(start + score.index, score.relevance) for score in found.scores]
        record_usage(app, command="rerank", model=request.model, usage=Usage(prompt_tokens=found.tokens))
        tokens += found.tokens or 0
    return best_first(scores)[: options.top], tokens


def _lines(form: str, scores: Sequence[Score], items: Sequence[Item]) -> list[bytes]:
    from glmcli.rows import json_line, tab_line

    def line(score: Score) -> bytes:
        item = items[score.index]
        if form == "jsonl":
            return json_line(item.document(score.index, score=score.relevance))
        cells = () if form == "text" else (f"{score.relevance:.6f}", str(score.index))
        return tab_line(*cells, item.text)

    return [line(score) for score in scores]


def _table(scores: Sequence[Score], items: Sequence[Item], width: int) -> list[bytes]:
    from glmcli.render.columns import columns

    rows = [(f"{score.relevance:.4f}", items[score.index].text) for score in scores]
    return [
        f"{line}\n".encode("utf-8", "replace") for line in columns(("SCORE", "TEXT"), rows, width=width, flexible=1)
    ]


def _document(options: RerankOptions, items: Sequence[Item], scores: Sequence[Score], tokens: int) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "query": options.query,
        "results": [items[score.index].document(score.index, score=score.relevance) for score in scores],
        "usage": {"total_tokens": tokens},
    }

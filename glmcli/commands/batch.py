"""`glm batch`: many prompts at once, here or on the service's own Batch API."""

from __future__ import annotations

from typing import Annotated

import typer

from glmcli.asking import ChatOptions
from glmcli.batching.bill import Budget
from glmcli.batching.local import RunOptions, run_batch
from glmcli.commands.chat_options import (
    JsonMode,
    MaxTokens,
    Model,
    Set,
    Stop,
    System,
    Temperature,
    Think,
    TopP,
    UserId,
)
from glmcli.commands.options import context_of, examples, group_app
from glmcli.context import AppContext

app = group_app("Send many prompts, resumable; here or on the Batch API.")

MAX_JOBS = 64

File = Annotated[
    str, typer.Argument(help="Prompts as JSON Lines, CSV, TSV or text; - is standard input.", metavar="FILE")
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="Write answers here; a rerun sends only what is missing.", metavar="FILE"),
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="Read jsonl, csv, tsv or text (default: by the name).", metavar="FORMAT"),
]
TemplateText = Annotated[
    str | None, typer.Option("--template", help="Make the prompt from columns: 'Sum up {text}'.", metavar="TEXT")
]
Jobs = Annotated[
    int, typer.Option("-j", "--jobs", min=1, max=MAX_JOBS, help="Send up to N requests at a time.", metavar="N")
]
Unordered = Annotated[
    bool, typer.Option("--unordered", help="Write answers as they come, not in the order of the input.")
]
Failed = Annotated[
    str | None,
    typer.Option("--failed", help="Write failures here (default: OUTPUT.failed.jsonl).", metavar="FILE"),
]
FailAbove = Annotated[
    float, typer.Option("--fail-above", min=0, max=100, help="Exit 1 only above this share of failures.", metavar="PCT")
]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", min=0, help="Stop before the batch costs more.", metavar="USD")
]
MaxTokensTotal = Annotated[
    int | None, typer.Option("--max-tokens-total", min=1, help="Stop before the batch uses more.", metavar="N")
]
ResendChanged = Annotated[
    bool, typer.Option("--resend-changed", help="Ask anew where prompt or options changed since the last run.")
]
Estimate = Annotated[bool, typer.Option("--estimate", help="Print requests, tokens and cost; send nothing.")]


@app.command(
    "run",
    epilog=examples(
        "glm batch run prompts.jsonl -o answers.jsonl",
        "glm batch run prompts.jsonl --estimate",
        'glm batch run people.csv --template "Write to {name} in {city}" -o letters.jsonl --jobs 8',
        "cat prompts.txt | glm batch run - --unordered | jq -r .content",
    ),
)
def run_(
    ctx: typer.Context,
    file: File,
    output: Output = None,
    form: Format = None,
    template: TemplateText = None,
    jobs: Jobs = 4,
    unordered: Unordered = False,
    failed: Failed = None,
    fail_above: FailAbove = 0.0,
    max_cost: MaxCost = None,
    max_tokens_total: MaxTokensTotal = None,
    resend_changed: ResendChanged = False,
    estimate: Estimate = False,
    model: Model = None,
    system: System = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    stop: Stop = None,
    think: Think = None,
    json_mode: JsonMode = False,
    user_id: UserId = None,
    assignments: Set = None,
) -> None:
    """Send every prompt of a file and keep the answers, resumable."""
    options = RunOptions(
        file=file,
        output=None if output == "-" else output,
        form=form,
        template=template,
        jobs=jobs,
        ordered=not unordered,
        failed=failed,
        fail_above=fail_above,
        budget=Budget(max_cost, max_tokens_total),
        resend_changed=resend_changed,
        estimate=estimate,
    )
    chat = ChatOptions(
        model=model,
        system=system,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=tuple(stop or ()),
        think=think,
        json_mode=json_mode,
        user_id=user_id,
        assignments=tuple(assignments or ()),
    )
    run(context_of(ctx), chat, options)


def run(app: AppContext, chat: ChatOptions, options: RunOptions) -> None:
    """Carry out a batch, or what is left of it."""
    run_batch(app, chat, options)

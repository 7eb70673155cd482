"""`glm batch`: many prompts at once, here or on the service's own Batch API."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.api.polling import PollingPolicy
from glmcli.api.resources.batches import INTERVAL_SECONDS, Batches
from glmcli.asking import ChatOptions
from glmcli.batching.bill import Budget
from glmcli.batching.hosted import (
    KIND,
    HostedBatches,
    Joined,
    SubmitOptions,
    check_provider,
    document,
    is_over,
    parts_of,
    requests_of,
    state_of,
)
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
from glmcli.errors import TaskFailed, TaskPending, UsageError
from glmcli.render.progress import StatusLine

if TYPE_CHECKING:
    from glmcli.history.model import Task

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


# -- the Batch API --------------------------------------------------------------------

Id = Annotated[str, typer.Argument(help="The batch; the latest when left out.", metavar="ID", show_default=False)]
Interval = Annotated[
    float, typer.Option("--interval", min=1, help="Ask again after so long.", metavar="SECONDS", show_default=True)
]
Deadline = Annotated[
    float | None, typer.Option("--deadline", min=0, help="Stop waiting after so long (exit 9).", metavar="SECONDS")
]
FetchOutput = Annotated[
    str | None, typer.Option("-o", "--output", help="Write answers here (default: as said at submit).", metavar="FILE")
]


@app.command(
    "submit",
    epilog=examples(
        "glm batch submit prompts.jsonl -m glm-4-plus -o answers.jsonl --provider zhipu",
        "glm batch submit --resume last",
    ),
)
def submit(
    ctx: typer.Context,
    file: Annotated[str | None, typer.Argument(help="Prompts, as for run.", metavar="[FILE]")] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="Remember where answers shall go.", metavar="FILE")
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Submit what is left of a batch that was cut off.", metavar="ID")
    ] = None,
    form: Format = None,
    template: TemplateText = None,
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
    """Submit prompts to the Batch API of Zhipu, at half the price."""
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
    options = SubmitOptions(file=file or "", output=output, form=form, template=template)
    run_submit(context_of(ctx), chat, options, resume=resume)


def run_submit(app: AppContext, chat: ChatOptions, options: SubmitOptions, *, resume: str | None) -> None:
    """Begin a batch, or what was not begun of it."""
    if bool(options.file) == (resume is not None):
        raise UsageError("give either a file or --resume ID", hint="glm batch submit prompts.jsonl")
    hosted = HostedBatches(app)
    task = hosted.resume(hosted.find(resume)) if resume is not None else hosted.submit(chat, options)
    _write(app, task)
    app.streams.note(f"glm: submitted {requests_of(task):,} requests; next: glm batch wait {task.id}")


@app.command("status", epilog=examples("glm batch status", "glm batch status ID --json"))
def status(ctx: typer.Context, name: Id = "last") -> None:
    """Ask how a submitted batch is doing."""
    run_status(context_of(ctx), name)


def run_status(app: AppContext, name: str) -> None:
    """Ask after every part and show the state."""
    hosted = HostedBatches(app)
    _write(app, hosted.refresh(hosted.find(name)))


@app.command("wait", epilog=examples("glm batch wait", "glm batch wait ID --deadline 3600 -o answers.jsonl"))
def wait(
    ctx: typer.Context,
    name: Id = "last",
    output: FetchOutput = None,
    interval: Interval = INTERVAL_SECONDS,
    deadline: Deadline = None,
) -> None:
    """Wait for a submitted batch, then fetch its answers."""
    run_wait(context_of(ctx), name, output, PollingPolicy(interval, deadline))


def run_wait(app: AppContext, name: str, output: str | None, policy: PollingPolicy) -> None:
    """Ask until it is over, and join the answers."""
    hosted = HostedBatches(app)
    line = StatusLine(app.streams)
    try:
        task = hosted.wait(hosted.find(name), policy, lambda task: line.show(f"batch {task.id}: {_told(task)}"))
    finally:
        line.clear()
    _finish(app, hosted.fetch(task, output))


@app.command("fetch", epilog=examples("glm batch fetch", "glm batch fetch ID -o answers.jsonl"))
def fetch(ctx: typer.Context, name: Id = "last", output: FetchOutput = None) -> None:
    """Download the answers of a batch, joined in the order of its input."""
    run_fetch(context_of(ctx), name, output)


def run_fetch(app: AppContext, name: str, output: str | None) -> None:
    """Fetch what is there; exit 9 when nothing is over yet."""
    hosted = HostedBatches(app)
    task = hosted.refresh(hosted.find(name))
    if not any(part.get("output_file_id") or part.get("error_file_id") for part in parts_of(task)) and not is_over(
        task
    ):
        raise TaskPending(f"batch {task.id} is still {state_of(task)}", hint=f"glm batch wait {task.id}")
    _finish(app, hosted.fetch(task, output))


@app.command("cancel", epilog=examples("glm batch cancel", "glm batch cancel ID"))
def cancel(ctx: typer.Context, name: Id = "last") -> None:
    """Cancel a submitted batch; what is done can be fetched."""
    run_cancel(context_of(ctx), name)


def run_cancel(app: AppContext, name: str) -> None:
    """Stop every part that is not over."""
    hosted = HostedBatches(app)
    _write(app, hosted.cancel(hosted.find(name)))


@app.command("list", epilog=examples("glm batch list", "glm batch list --remote --json"))
def list_(
    ctx: typer.Context,
    remote: Annotated[bool, typer.Option("--remote", help="Ask the service instead of this machine.")] = False,
) -> None:
    """List the batches that were submitted, the latest first."""
    run_list(context_of(ctx), remote=remote)


def run_list(app: AppContext, *, remote: bool) -> None:
    """Batches of this machine, or those that the service knows."""
    if remote:
        check_provider(app)
        documents = [asdict(batch) for batch in Batches(app.client).list(100)]
        rows = [(item["id"], item["status"], str(item["total"] or ""), "") for item in documents]
    else:
        tasks = app.history.tasks.recent(kind=KIND)
        documents = [document(task) for task in tasks]
        rows = [(task.id, state_of(task), str(requests_of(task)), str(task.request.get("file"))) for task in tasks]
    if app.options.json:
        app.streams.write_json(documents)
        return
    if not rows:
        app.streams.note("no batches yet; begin one with: glm batch submit prompts.jsonl")
    for row in rows:
        app.streams.write_line("\t".join(row))


def _write(app: AppContext, task: Task) -> None:
    """The state of a batch: one line, and one for each part when there are several."""
    if app.options.json:
        app.streams.write_json(document(task))
        return
    app.streams.write_line(f"{task.id}\t{_told(task)}")
    parts = parts_of(task)
    for part in parts if len(parts) > 1 else ():
        state = part.get("status") or "not submitted"
        app.streams.write_line(f"  {part['name']}\t{part['model']}\t{part['requests']:,} requests\t{state}")
    for reason in filter(None, (part.get("reason") for part in parts)):
        app.streams.note(f"glm: {reason}")


def _told(task: Task) -> str:
    done = sum(part.get("completed") or 0 for part in parts_of(task))
    return f"{state_of(task)}, {done:,} of {requests_of(task):,} done"


def _finish(app: AppContext, joined: Joined) -> None:
    """Say where the answers are. Raises TaskFailed when not all requests were answered."""
    task, left = joined.task, joined.requests - joined.answered
    if app.options.json:
        counts = {"output": str(joined.output), "answered": joined.answered, "failed": joined.failed, "left": left}
        app.streams.write_json({**document(task), **counts})
    else:
        app.streams.note(f"glm: {joined.answered:,} of {joined.requests:,} answered in {joined.output}")
    if not is_over(task):
        raise TaskPending(f"batch {task.id} is still {state_of(task)}", hint=f"glm batch wait {task.id}")
    if left:
        reason = next((str(part["reason"]) for part in parts_of(task) if part.get("reason")), None)
        said = f": {reason}" if reason else f"; see {joined.output.name}.failed.jsonl" if joined.failed else ""
        raise TaskFailed(
            f"batch {task.id} is {state_of(task)}, and {left:,} of {joined.requests:,} requests have no answer{said}",
            hint=f"send what is missing: glm batch run {task.request.get('file')} -o {joined.output.name}, "
            "with the options of the submission",
        )

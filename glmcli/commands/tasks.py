"""`glm tasks`: every asynchronous job that was submitted here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.media_options import (
    DEADLINE_SECONDS,
    STDOUT,
    Deadline,
    Force,
    Interval,
    Output,
    absolute,
    check_stdout,
)
from glmcli.commands.options import context_of, examples, group_app
from glmcli.context import AppContext
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.history.model import Task

app = group_app("List, wait for and fetch asynchronous jobs.")

_PROMPT_COLUMN = 5

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Ids, their beginnings, or last.", show_default=False),
]
Name = Annotated[str, typer.Argument(metavar="[ID]", help="An id, its beginning, or last.", show_default=False)]
Cover = Annotated[bool, typer.Option("--cover", help="Save the cover picture of a video too.")]


# -- list --------------------------------------------------------------------------------


@app.command("list", epilog=examples("glm tasks list", "glm tasks list --open", "glm tasks list --kind video --json"))
def list_command(
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Option(help="List one kind: image, video, ...", metavar="KIND")] = None,
    only_open: Annotated[bool, typer.Option("--open", help="List only what is not done yet.")] = False,
    limit: Annotated[int, typer.Option("-n", "--limit", min=0, help="List at most N; 0 lists all.", metavar="N")] = 20,
) -> None:
    """List tasks, newest first."""
    run_list(context_of(ctx), kind=kind, only_open=only_open, limit=limit or None)


def run_list(app: AppContext, *, kind: str | None, only_open: bool, limit: int | None) -> None:
    """Print what is remembered; asks nobody."""
    from glmcli.jobstates import OPEN, SUBMITTING, UNKNOWN, document

    statuses = (*OPEN, SUBMITTING, UNKNOWN) if only_open else None
    tasks = app.history.tasks.recent(limit, kind=kind, statuses=statuses)
    if app.options.json:
        app.streams.write_json({"schema_version": 1, "tasks": [document(task) for task in tasks]})
    elif not tasks:
        app.streams.note("no tasks" + (" are open" if only_open else ' yet; glm video "a cat typing" submits one'))
    elif not app.streams.stdout_is_tty:
        for task in tasks:
            app.streams.write("\t".join(_row(app, task)) + "\n")
    else:
        _write_table(app, tasks)


def _row(app: AppContext, task: Task) -> list[str]:
    from glmcli.history.times import age, iso_time

    is_tty = app.streams.stdout_is_tty
    when = age(app.now() - task.created_at) if is_tty else iso_time(task.created_at)
    about = task.error if task.status == "failed" and task.error else str(task.request.get("prompt") or "")
    return [task.id, when, task.kind, task.status, task.model or "", " ".join(about.split())]


def _write_table(app: AppContext, tasks: Sequence[Task]) -> None:
    from glmcli.render.columns import columns

    header = ("ID", "SUBMITTED", "KIND", "STATUS", "MODEL", "ABOUT")
    rows = [_row(app, task) for task in tasks]
    for line in columns(header, rows, width=app.streams.width, flexible=_PROMPT_COLUMN):
        app.streams.write_line(line)


# -- show --------------------------------------------------------------------------------


@app.command(epilog=examples("glm tasks show last", "glm tasks show last --json"))
def show(ctx: typer.Context, name: Name = "last") -> None:
    """Show what is remembered of a task."""
    run_show(context_of(ctx), name)


def run_show(app: AppContext, name: str) -> None:
    """Print a task; asks nobody."""
    from glmcli.history.times import local_time
    from glmcli.jobstates import document, paths_of, urls_of

    task = app.history.tasks.find(name)
    if app.options.json:
        app.streams.write_json(document(task))
        return
    profile = f", profile {task.profile}" if task.profile else ""
    facts = {
        "id": task.id,
        "kind": task.kind,
        "status": task.status,
        "error": task.error,
        "submitted": f"{local_time(task.created_at)} to {task.provider}{profile}",
        "changed": local_time(task.updated_at),
        "service id": task.remote_id,
        "service": task.base_url,
        **{f"  {key}": _told(value) for key, value in task.request.items() if value not in (None, False)},
        "url": "\n".join(urls_of(task)) or None,
        "file": "\n".join(map(str, paths_of(task))) or None,
    }
    for key, value in facts.items():
        for line in str(value or "").splitlines():
            app.streams.write_line(f"{key:<14}{line}")


def _told(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# -- wait --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """Which tasks to bring to their end, and where their files go."""

    names: tuple[str, ...]
    all: bool = False
    deadline_seconds: float = DEADLINE_SECONDS["video"]
    interval_seconds: float | None = None
    output: str | None = None
    force: bool = False
    cover: bool = False
    fetches: bool = True


@app.command(epilog=examples("glm tasks wait last", "glm tasks wait --all", "glm tasks wait last --deadline 60"))
def wait(
    ctx: typer.Context,
    names: Names = None,
    every: Annotated[bool, typer.Option("--all", help="Wait for all that are not done.")] = False,
    deadline: Deadline = None,
    interval: Interval = None,
    output: Output = None,
    force: Force = False,
    cover: Cover = False,
    no_fetch: Annotated[bool, typer.Option("--no-fetch", help="Wait only; download nothing.")] = False,
) -> None:
    """Wait for tasks and download what they made."""
    options = WaitOptions(
        names=tuple(names or ()),
        all=every,
        deadline_seconds=DEADLINE_SECONDS["video"] if deadline is None else deadline,
        interval_seconds=interval,
        output=output,
        force=force,
        cover=cover,
        fetches=not no_fetch,
    )
    run_wait(context_of(ctx), options)


def run_wait(app: AppContext, options: WaitOptions) -> None:
    """Go on where an earlier command stopped; nothing is submitted."""
    from glmcli.jobs import Jobs
    from glmcli.jobviews import finish

    check_stdout(app, options.output)
    tasks = _chosen(app, options)
    if not tasks:
        app.streams.note("no tasks are open")
        return
    _check_output(app, options.output, len(tasks))
    jobs = Jobs(app, interval_seconds=options.interval_seconds, deadline_seconds=options.deadline_seconds)
    is_pipe = options.output == STDOUT
    try:
        finish(
            app,
            jobs,
            tasks,
            pipe=is_pipe,
            output=None if is_pipe or options.output is None else absolute(app, options.output),
            force=options.force,
            cover=options.cover,
            fetches=options.fetches,
        )
    finally:
        jobs.close()


def _chosen(app: AppContext, options: WaitOptions) -> list[Task]:
    """The tasks that are meant; without a name the only open one."""
    from glmcli.jobclients import KINDS
    from glmcli.jobstates import OPEN

    store = app.history.tasks
    if options.all and options.names:
        raise UsageError("ids and --all exclude each other", hint="leave one of them out")
    if options.names:
        named = list({task.id: task for task in map(store.find, options.names)}.values())
        for task in named:
            if task.kind not in KINDS:
                raise UsageError(
                    f"task {task.id} is a {task.kind}, which has commands of its own",
                    hint=f"glm {task.kind} wait {task.id}",
                )
        return named
    tasks = [task for task in store.recent(statuses=OPEN) if task.kind in KINDS][::-1]
    if not options.all and len(tasks) > 1:
        raise UsageError(
            f"{len(tasks)} tasks are open", hint="glm tasks wait --all, or name one of: glm tasks list --open"
        )
    return tasks


def _check_output(app: AppContext, output: str | None, count: int) -> None:
    if output is None or count == 1:
        return
    if output == STDOUT or not (output.endswith("/") or (app.cwd / output).is_dir()):
        raise UsageError(f"the files of {count} tasks need a folder", hint="-o videos/")


# -- fetch -------------------------------------------------------------------------------


@app.command(
    epilog=examples("glm tasks fetch last", "glm tasks fetch last -o cat.mp4", "glm tasks fetch last -o - > cat.mp4")
)
def fetch(
    ctx: typer.Context,
    names: Names = None,
    output: Output = None,
    force: Force = False,
    cover: Cover = False,
) -> None:
    """Download what tasks made, without waiting."""
    options = WaitOptions(names=tuple(names or ("last",)), deadline_seconds=0, output=output, force=force, cover=cover)
    run_wait(context_of(ctx), options)


# -- forget ------------------------------------------------------------------------------


@app.command(epilog=examples("glm tasks forget last", "glm tasks forget --done"))
def forget(
    ctx: typer.Context,
    names: Names = None,
    done: Annotated[bool, typer.Option("--done", help="Forget all that have ended.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Forget tasks that still run, too.")] = False,
) -> None:
    """Remove tasks from the list; files stay, and the service goes on."""
    run_forget(context_of(ctx), tuple(names or ()), done=done, force=force)


def run_forget(app: AppContext, names: Sequence[str], *, done: bool, force: bool) -> None:
    """Forget tasks; one whose result is not here yet only with `--force`."""
    from glmcli.jobstates import OPEN, SUBMITTING

    store = app.history.tasks
    if bool(names) == done:
        raise UsageError("name the tasks, or say --done", hint="glm tasks list")
    if done:
        tasks = [task for task in store.recent() if task.status not in (*OPEN, SUBMITTING)]
    else:
        tasks = [store.find(name) for name in names]
    running = [task.id for task in tasks if task.status in OPEN]
    if running and not force:
        raise UsageError(
            f"the result of {', '.join(running)} is not here yet, and forgotten it cannot be fetched",
            hint=f"glm tasks wait {running[0]}, or add --force",
        )
    count = store.forget([task.id for task in tasks])
    if app.options.json:
        app.streams.write_json({"schema_version": 1, "forgotten": [task.id for task in tasks]})
    else:
        app.streams.note(f"forgot {count} task{'' if count == 1 else 's'}")

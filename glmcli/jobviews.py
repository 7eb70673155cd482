"""Brings tasks to their end and says how each went: lines, paths, or one JSON document each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from glmcli.context import AppContext
from glmcli.errors import GlmError, Interrupted, TaskPending
from glmcli.history.model import Task
from glmcli.jobs import Jobs
from glmcli.jobstates import come_back, document, name_of, paths_of


def tell_submitted(app: AppContext, task: Task) -> None:
    """The id of a task on standard output, and how to come back to it."""
    if app.options.json:
        app.streams.write_json(document(task))
        return
    app.streams.write_line(name_of(task))
    app.streams.note(f"glm: submitted; when it is done: {come_back(task)}")


def finish(
    app: AppContext,
    jobs: Jobs,
    tasks: Sequence[Task],
    *,
    pipe: bool = False,
    output: str | None = None,
    force: bool = False,
    cover: bool = False,
    fetches: bool = True,
    show: Callable[[Path], None] = lambda path: None,
) -> None:
    """Wait for tasks, fetch what they made, and present each.

    With several of them a failure is told and does not stop the others; the
    first one is raised at the end. `pipe` writes the bytes to standard output.
    """
    failures: list[GlmError] = []
    for outcome in jobs.outcomes(tasks):
        try:
            if outcome.error is not None:
                raise outcome.error
            task = outcome.task
            if pipe:
                jobs.pipe(task, app.streams.write_bytes)
                continue
            if fetches:
                task = jobs.fetch(task, output=output, force=force, cover=cover)
            present(app, task, show)
        except GlmError as error:
            if len(tasks) == 1 or isinstance(error, Interrupted):
                raise
            app.streams.complain(f"glm: {error.message}")
            failures.append(error)
    if failures:
        # Still running is the mildest of all ends; a failure is what a script has to see.
        first = next((error for error in failures if not isinstance(error, TaskPending)), failures[0])
        first.message = f"{len(failures)} of {len(tasks)} tasks are not done; {first.message}"
        raise first


def present(app: AppContext, task: Task, show: Callable[[Path], None] = lambda path: None) -> None:
    """A task that is done: the paths of its files, or its document."""
    if app.options.json:
        app.streams.write_json(document(task))
        return
    for path in paths_of(task):
        if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".gif") and task.kind == "image":
            show(path)
        app.streams.write_line(str(path.relative_to(app.cwd) if path.is_relative_to(app.cwd) else path))
    if not paths_of(task):
        app.streams.write_line(name_of(task))

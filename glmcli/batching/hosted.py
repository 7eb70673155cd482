"""Batches on the service's own Batch API: written into parts, submitted, asked after, fetched and joined.

A batch is one task in the local database, kept before its first byte leaves.
Its parts stand in the task's result: `{"name", "requests", "file_id",
"batch_id", "status", …}`. The `custom_id` of a request carries its place in the
input, the digest of the request and its own id, so that the answers can be
joined in order without the input, and `glm batch run` can send what is missing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import TYPE_CHECKING, Any, NamedTuple

from glmcli.api.bodies import PathSource
from glmcli.api.endpoints import Region, Service
from glmcli.api.polling import PollingPolicy
from glmcli.api.resources.batches import TERMINAL, Batch, Batches
from glmcli.api.resources.files import file_chunks
from glmcli.batching.answers import FailureFile
from glmcli.batching.joining import Joiner
from glmcli.batching.local import only_run
from glmcli.batching.parts import Part, write_parts
from glmcli.batching.requests import Requests
from glmcli.batching.source import open_input
from glmcli.config.files import make_private_folder
from glmcli.drafts import held, scratch_folder, sweep
from glmcli.errors import GlmError, Interrupted, TaskPending, UsageError
from glmcli.jobstates import was_refused
from glmcli.telling import without_keys

if TYPE_CHECKING:
    from glmcli.asking import ChatOptions
    from glmcli.context import AppContext
    from glmcli.history.model import Task

KIND = "batch"
SUBMITTING, SUBMITTED, FETCHED, FAILED, CANCELLED = "submitting", "submitted", "fetched", "failed", "cancelled"


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What is submitted, and where its answers will go."""

    file: str
    output: str | None = None
    form: str | None = None
    template: str | None = None


class Joined(NamedTuple):
    """What a fetch brought."""

    task: Task
    output: Path
    answered: int
    failed: int
    requests: int


def check_provider(app: AppContext) -> None:
    """Raises UsageError for a provider that has no Batch API, with the way that works there."""
    provider = app.target.provider
    if provider.name == "sandbox" or (provider.region is Region.CN and app.target.base_url is None):
        return
    reason = "a compatible service has none that we know" if provider.name == "custom" else "Z.AI documents none"
    raise UsageError(
        f"{provider.name} has no Batch API: {reason}",
        hint="run it here instead: glm batch run FILE -o ANSWERS, or submit it with --provider zhipu",
    )


class HostedBatches:
    """The hosted batches of one invocation."""

    def __init__(self, app: AppContext, *, sleep: Callable[[float], None] | None = None) -> None:
        check_provider(app)
        self._app = app
        self._sleep = sleep or app.sleep

    @property
    def _service(self) -> Batches:
        return Batches(self._app.client)

    # -- submitting ---------------------------------------------------------------------

    def submit(self, chat: ChatOptions, options: SubmitOptions) -> Task:
        """Write, upload and begin every part. What was begun is kept, whatever happens then."""
        requests = Requests(self._app, chat)
        self._sweep()
        home, lock = self._new_folder()
        try:
            with lock as stack:
                source = open_input(self._app, options.file, options.form, options.template, stack)
                parts = write_parts(source, requests, home)
                if self._app.options.dry_run:
                    self._service.upload(parts[0]["name"], PathSource(home / parts[0]["name"]))
                task = self._keep(source.name, options, requests.model, parts, home)
        except BaseException:
            rmtree(home, ignore_errors=True)
            raise
        return self.resume(task)

    @property
    def _folder(self) -> Path:
        return self._app.paths.state_dir / "batches"

    def _sweep(self) -> None:
        """Remove parts that a killed run wrote and had no time to remember."""

        def remove(path: Path) -> None:
            if str(path) not in {task.request.get("folder") for task in self._app.history.tasks.recent(kind=KIND)}:
                rmtree(path)

        sweep(self._folder, re.compile("[0-9a-f]{16}"), remove)

    def _new_folder(self) -> tuple[Path, ExitStack]:
        """A folder for the parts, and what keeps others from sweeping it until the task is known."""
        while True:
            home = self._folder / token_hex(8)
            make_private_folder(home)
            if (lock := held(home)) is not None:
                return home, lock

    def _tidy(self, task: Task, parts: Sequence[Part]) -> None:
        """Remove the parts that were written for a batch, once the service has them all."""
        folder = Path(str(task.request.get("folder")))
        if folder.parent == self._folder and all(part.get("batch_id") for part in parts):
            rmtree(folder, ignore_errors=True)

    def resume(self, task: Task) -> Task:
        """Submit the parts of a task that are not submitted yet."""
        parts = parts_of(task)
        home = Path(str(task.request.get("folder")))
        try:
            for part in parts:
                self._submit_part(task, parts, part, home)
        except KeyboardInterrupt:
            raise Interrupted("stopped while the batch was submitted", hint=_go_on(task)) from None
        except GlmError as error:
            self._save(task, parts, error=without_keys(error.message, self._app.secrets()))
            error.hint = "\n".join(filter(None, (error.hint, _go_on(task))))
            raise
        self._tidy(task, parts)
        return self._save(task, parts, status=SUBMITTED, remote_id=parts[0]["batch_id"])

    def _submit_part(self, task: Task, parts: list[Part], part: Part, home: Path) -> None:
        if part.get("batch_id"):
            return
        if part.get("creating"):
            self._adopt(task, part)
        if part.get("batch_id"):
            self._save(task, parts)
            return
        if not part.get("file_id"):
            part["file_id"] = self._service.upload(part["name"], PathSource(home / part["name"])).id
            self._save(task, parts)
        part["creating"] = True
        self._save(task, parts)
        try:
            batch = self._service.create(part["file_id"], metadata=_mark(task, part))
        except GlmError as error:
            part["creating"] = not was_refused(error)
            raise
        part.update(batch_id=batch.id, status=batch.status, creating=False)
        self._save(task, parts)

    def _adopt(self, task: Task, part: Part) -> None:
        """Find a batch whose creation was cut off: it may have been accepted, and is not to be paid twice."""
        wanted = _mark(task, part)
        for batch in self._service.list(100):
            if {key: (batch.metadata or {}).get(key) for key in wanted} == wanted:
                part.update(batch_id=batch.id, status=batch.status)

    def _keep(self, name: str, options: SubmitOptions, model: str, parts: list[Part], home: Path) -> Task:
        app = self._app
        output = options.output or (f"{Path(name).stem}.answers.jsonl" if options.file != "-" else "answers.jsonl")
        return app.history.tasks.add(
            KIND,
            request={"file": name, "folder": str(home)},
            status=SUBMITTING,
            provider=app.target.provider.name,
            region=app.target.provider.region.value,
            base_url=app.target.base(Service.BATCH),
            profile=app.settings.profile.value,
            model=model,
            output=str(app.cwd / output),
            result={"parts": parts},
        )

    def _save(self, task: Task, parts: Sequence[Part], **changes: Any) -> Task:
        return self._app.history.tasks.update(task.id, result={"parts": list(parts)}, **changes)

    # -- afterwards -----------------------------------------------------------------------

    def find(self, name: str) -> Task:
        """A batch by the id of its task, or that of the service. Raises UsageError."""
        if name == "last":
            tasks = self._app.history.tasks.recent(1, kind=KIND)
            if not tasks:
                raise UsageError("no batch was submitted here", hint="glm batch submit prompts.jsonl")
            return tasks[0]
        task = self._app.history.tasks.find(name)
        if task.kind != KIND:
            raise UsageError(f"task {task.id} is no batch but a {task.kind}", hint=f"glm tasks show {task.id}")
        here = self._app.target.base(Service.BATCH)
        if task.base_url != here:
            profile = f" -p {task.profile}" if task.profile else ""
            raise UsageError(
                f"batch {task.id} lives at {task.base_url}, not at {here}",
                hint=f"glm batch status {task.id} --provider {task.provider}{profile}",
            )
        return task

    def refresh(self, task: Task) -> Task:
        """Ask after every part that is not over."""
        parts = parts_of(task)
        for part in parts:
            if part.get("creating") and not part.get("batch_id"):
                self._adopt(task, part)
            if part.get("batch_id") and part.get("status") not in TERMINAL:
                part.update(_facts(self._service.retrieve(part["batch_id"])))
        self._tidy(task, parts)  # a run that was killed had no time to
        return self._save(task, parts)

    def wait(self, task: Task, policy: PollingPolicy, told: Callable[[Task], None]) -> Task:
        """Ask until every part is over. Raises TaskPending at the deadline."""
        started = time.monotonic()
        asked = 0
        while True:
            task = self.refresh(task)
            if is_over(task):
                return task
            told(task)
            asked += 1
            pause = policy.pause(asked, time.monotonic() - started)
            if pause is None:
                raise TaskPending(f"batch {task.id} is still {state_of(task)}", hint=f"glm batch wait {task.id}")
            try:
                self._sleep(pause)
            except KeyboardInterrupt:
                raise Interrupted("stopped waiting; the batch goes on", hint=f"glm batch wait {task.id}") from None

    def cancel(self, task: Task) -> Task:
        """Stop every part that is not over; what is done can be fetched."""
        parts = parts_of(task)
        for part in parts:
            if part.get("batch_id") and part.get("status") not in TERMINAL:
                part.update(_facts(self._service.cancel(part["batch_id"])))
        return self._save(task, parts, status=CANCELLED)

    def fetch(self, task: Task, output: str | None) -> Joined:
        """Download what the parts made and join it in the order of the input."""
        path = self._app.cwd / output if output is not None else Path(task.output or "answers.jsonl")
        failures = FailureFile(path.with_name(path.name + ".failed.jsonl"))
        with ExitStack() as stack:
            stack.enter_context(only_run(self._app.paths.state_dir / "batches", path, path.name))
            failures.open()
            stack.callback(failures.close)
            folder = stack.enter_context(scratch_folder(self._app.environ))
            joiner = Joiner(path, failures, self._app.language)
            stack.callback(joiner.close)
            joiner.begin()
            for part in parts_of(task):
                for name in ("output_file_id", "error_file_id"):
                    if part.get(name):
                        # Nothing in the output is a fault, nothing among the errors a success.
                        file = self._downloaded(part[name], folder / "part", may_be_empty=name == "error_file_id")
                        joiner.take(file)
            answered = joiner.finish()
        status = FETCHED if is_over(task) else None
        task = self._save(task, parts_of(task), status=status)
        return Joined(task, path, answered, failures.count, requests_of(task))

    def _downloaded(self, file_id: str, place: Path, *, may_be_empty: bool) -> Path:
        with self._service.files.content(file_id) as reply, place.open("wb") as file:
            for piece in file_chunks(reply, may_be_empty=may_be_empty):
                file.write(piece)
        return place


# -- what a task says --------------------------------------------------------------------


def parts_of(task: Task) -> list[Part]:
    """The parts of a batch, as they were kept."""
    found = (task.result or {}).get("parts")
    return [dict(part) for part in found] if isinstance(found, list) else []


def requests_of(task: Task) -> int:
    """How many requests a batch has."""
    return sum(int(part["requests"]) for part in parts_of(task))


def is_over(task: Task) -> bool:
    """Whether every part has come to its end."""
    return all(part.get("status") in TERMINAL for part in parts_of(task))


def state_of(task: Task) -> str:
    """One word for all parts: the state of the one that is farthest back, or how they ended."""
    words = [str(part.get("status") or "not submitted") for part in parts_of(task)]
    order = ("not submitted", "validating", "in_progress", "finalizing", "cancelling", "failed", "expired", "cancelled")
    return next((word for word in order if word in words), words[0] if words else "not submitted")


def document(task: Task) -> dict[str, object]:
    """The JSON of a batch."""
    parts = parts_of(task)
    return {
        "schema_version": 1,
        "id": task.id,
        "status": state_of(task),
        "requests": requests_of(task),
        "completed": sum(part.get("completed") or 0 for part in parts),
        "failed": sum(part.get("failed") or 0 for part in parts),
        "model": task.model,
        "provider": task.provider,
        "profile": task.profile,
        "file": task.request.get("file"),
        "output": task.output,
        "parts": parts,
        "error": task.error,
    }


def _facts(batch: Batch) -> Part:
    """What is kept of a batch object."""
    return {
        "status": batch.status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "completed": batch.completed,
        "failed": batch.failed,
        "reason": batch.reason,
    }


def _mark(task: Task, part: Part) -> dict[str, str]:
    return {"glm_task": task.id, "glm_part": part["name"]}


def _go_on(task: Task) -> str:
    return f"go on with: glm batch submit --resume {task.id}"

"""Asynchronous jobs, from before their submission to the file on disk.

A job is written into the local database before its request leaves, so that a
crash at any moment is told honestly; whoever comes later, in another terminal
or after a reboot, goes on from what is written there. Nothing is ever
submitted twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.api.polling import JobState, PollingPolicy
from glmcli.api.resources.async_results import JobReply, ResultFile, Submission
from glmcli.config.files import locked
from glmcli.context import AppContext
from glmcli.downloads import Downloader, Place, Saved, copy
from glmcli.errors import (
    ConfigError,
    GlmError,
    HistoryError,
    Interrupted,
    NetworkError,
    ResultGone,
    ServiceError,
    TaskFailed,
    TaskPending,
    UsageError,
)
from glmcli.history.model import Task
from glmcli.history.rows import to_json
from glmcli.jobclients import KINDS, JobClients
from glmcli.jobstates import (
    DONE,
    FAILED,
    GONE,
    LOST,
    RUNNING,
    SUBMITTING,
    SUCCEEDED,
    UNKNOWN,
    beside,
    come_back,
    error_of,
    facts_of,
    failure_of,
    fetch_it,
    files_of,
    forget_it,
    is_unknown_there,
    look_first,
    name_of,
    paths_of,
    place_for,
    was_refused,
)
from glmcli.render.progress import StatusLine, download_line, duration
from glmcli.telling import without_keys

if TYPE_CHECKING:
    from glmcli.api.client import Client

#: Failures in a row that a wait survives: the network of a laptop comes and goes.
_PATIENCE = 5
#: How long another `glm` may fetch the task that we want to fetch, in seconds.
_OTHERS_SECONDS = 3600.0
#: How often the elapsed time is shown anew, in seconds.
_TICK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """A job to submit.

    `request` is kept for people to read; `output` is an absolute path, with a slash at its end a folder,
    in which the file is called `name`, or after its prompt.
    """

    kind: str
    model: str
    request: Mapping[str, object]
    output: str
    force: bool = False
    cover: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How waiting for a task ended: with a result, or with an error."""

    task: Task
    error: GlmError | None = None


def _with_way_back(error: GlmError, task: Task) -> GlmError:
    """A failure to hear of a task, which is not over for that."""
    error.hint = "\n".join(filter(None, (error.hint, f"the task goes on; later: {come_back(task)}")))
    return error


@dataclass(slots=True)
class Jobs:
    """The jobs of one invocation.

    `interval_seconds` replaces the slowing pace of questions; without
    `shows_progress` several downloads may run at a time.
    """

    app: AppContext
    interval_seconds: float | None = None
    deadline_seconds: float | None = None
    shows_progress: bool = True
    _clients: JobClients = field(init=False)
    _told: bool = False

    def __post_init__(self) -> None:
        self._clients = JobClients(self.app)

    def close(self) -> None:
        """Close what was opened for jobs of other profiles."""
        self._clients.close()

    # -- submitting ----------------------------------------------------------------

    def submit(self, wish: Wish, send: Callable[[], Submission]) -> Task:
        """Remember a job, submit it, and remember its id. Raises what `send` raises."""
        if self.app.options.dry_run:
            send()  # raises DryRun
        task = self._begin(wish)
        try:
            submission = send()
        except KeyboardInterrupt:
            self._update(task, status=UNKNOWN, error="interrupted while it was submitted")
            raise Interrupted(
                "stopped while the task was being submitted; the service may have accepted it", hint=look_first(task)
            ) from None
        except GlmError as error:
            self._end_submission(task, error)
            raise
        return self._update(task, status=RUNNING, remote_id=submission.id)

    def keep(self, wish: Wish, files: Sequence[ResultFile]) -> Task:
        """Remember files that were made at once and are not here, as a task that has only to be fetched.

        Without a database the task lives in memory only; its id is then empty.
        """
        entries = [{"role": file.role, "url": file.url} for file in files]
        return self._begin(wish, status=SUCCEEDED, result={"files": entries}, tells=False)

    def made(self, wish: Wish) -> Task | None:
        """What an earlier run remembered with `keep` for the same wish, and had no time to fetch."""
        if not self.app.paths.history_file.exists():
            return None
        request = to_json(self._kept_request(wish))
        base = self.app.target.base(KINDS[wish.kind].service)
        with suppress(HistoryError):
            for task in self.app.history.tasks.recent(kind=wish.kind, statuses=[SUCCEEDED]):
                if (task.output, task.base_url, to_json(task.request)) == (wish.output, base, request):
                    return task
        return None

    def forget(self, task: Task) -> None:
        """Take a job off the list; what cannot be, stays."""
        with suppress(HistoryError):
            self.app.history.tasks.forget([task.id])

    def _kept_request(self, wish: Wish) -> dict[str, object]:
        request = {**wish.request, "force": wish.force, "cover": wish.cover}
        if wish.name is not None:
            request["name"] = wish.name
        if self.app.settings.no_log.value:
            request.pop("prompt", None)
        return request

    def _begin(
        self,
        wish: Wish,
        *,
        status: str = SUBMITTING,
        result: Mapping[str, object] | None = None,
        tells: bool = True,
    ) -> Task:
        settings, target = self.app.settings, self.app.target
        request = self._kept_request(wish)
        facts: dict[str, str | None] = {
            "provider": target.provider.name,
            "region": target.provider.region.value,
            "base_url": target.base(KINDS[wish.kind].service),
            "profile": settings.profile.value,
            "model": wish.model,
            "output": wish.output,
        }
        try:
            return self.app.history.tasks.add(wish.kind, request=request, status=status, result=result, **facts)
        except HistoryError as error:
            if tells:
                self._tell_once(error)
            return self._unkept(wish, request, facts)

    def _unkept(self, wish: Wish, request: Mapping[str, object], facts: Mapping[str, str | None]) -> Task:
        """A task that lives in memory only; its id is empty."""
        return Task(
            id="",
            kind=wish.kind,
            status=SUBMITTING,
            remote_id=None,
            request=request,
            result=None,
            error=None,
            created_at=self.app.now(),
            updated_at=self.app.now(),
            **facts,
        )

    def _end_submission(self, task: Task, error: GlmError) -> None:
        """A refused job never was; of one without an answer nobody knows."""
        if was_refused(error):
            if task.id:
                self.app.history.tasks.forget([task.id])
            return
        self._update(task, status=UNKNOWN, error=error.message)
        error.hint = f"the service may have accepted the task, so it was not sent again; {look_first(task)}"

    # -- waiting -------------------------------------------------------------------

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Ask for each task in turn until all have ended or the deadline comes; each outcome as it is known."""
        policy = PollingPolicy(self.interval_seconds, self.deadline_seconds)
        status = StatusLine(self.app.streams)
        started, asked = time.monotonic(), 0
        misses: dict[str, list[GlmError]] = {task.id: [] for task in tasks}
        waiting = list(tasks)
        try:
            while waiting:
                asked += 1
                for task in list(waiting):
                    status.show(self._waiting_line(task, len(waiting)))
                    outcome = self._look_at(task, misses)
                    if outcome is not None:
                        waiting.remove(task)
                        status.clear()
                        yield outcome
                pause = policy.pause(asked, time.monotonic() - started)
                if waiting and pause is None:
                    status.clear()
                    yield from (Outcome(task, self._unended(task, misses[task.id])) for task in waiting)
                    return
                if waiting:
                    self._pause(pause or 0, status, waiting)
        except KeyboardInterrupt:
            raise self._stopped(waiting) from None
        finally:
            status.clear()

    def wait(self, task: Task) -> Task:
        """The task once its result is known. Raises TaskFailed, TaskPending, Interrupted, ..."""
        for outcome in self.outcomes([task]):
            if outcome.error is not None:
                raise outcome.error
            task = outcome.task
        return task

    def _look_at(self, task: Task, misses: dict[str, list[GlmError]]) -> Outcome | None:
        """How a task has ended; None while it runs. `misses` are the failures in a row to find that out."""
        if task.status != RUNNING:
            error = error_of(task)
            return Outcome(task, error)
        try:
            reply = KINDS[task.kind].ask(self._clients.of(task), task)
        except (NetworkError, ServiceError) as error:
            misses[task.id].append(error)
            if is_unknown_there(error):
                lost = TaskFailed(
                    f"the service does not know task {name_of(task)} (any more): {error.message}", hint=forget_it(task)
                )
                return Outcome(self._update(task, status=LOST, error=error.message), lost)
            if error.retryable and len(misses[task.id]) < _PATIENCE:
                return None
            return Outcome(task, _with_way_back(error, task))
        except GlmError as error:
            return Outcome(task, error)
        misses[task.id].clear()
        return None if reply.state is JobState.RUNNING else self._ended(task, reply)

    def _ended(self, task: Task, reply: JobReply) -> Outcome:
        if (fresh := self._fresh(task)).status == DONE:
            return Outcome(fresh)  # another terminal was faster
        body = dict(reply.body)
        if reply.state is JobState.FAILED:
            reason = reply.reason or "no reason was given"
            task = self._update(task, status=FAILED, result={"files": [], "reply": body}, error=reason)
            return Outcome(task, failure_of(task))
        files = [{"role": file.role, "url": file.url} for file in reply.files]
        if not files:
            task = self._update(task, status=FAILED, result={"files": [], "reply": body}, error="no file was named")
            return Outcome(task, TaskFailed(f"task {name_of(task)} succeeded, but the service named no file"))
        return Outcome(self._update(task, status=SUCCEEDED, result={"files": files, "reply": body}))

    def _unended(self, task: Task, misses: Sequence[GlmError]) -> GlmError:
        """Why there is no end at the deadline: the last question failed, or the task still runs."""
        if misses:
            return _with_way_back(misses[-1], task)
        elapsed = duration(self.app.now() - task.created_at)
        return TaskPending(f"task {name_of(task)} is still running after {elapsed}", hint=come_back(task))

    def _stopped(self, waiting: Sequence[Task]) -> Interrupted:
        names = " ".join(name_of(task) for task in waiting)
        verb = "goes" if len(waiting) == 1 else "go"
        what = f"task {names} {verb} on at the service" if len(waiting) == 1 else f"{len(waiting)} tasks {verb} on"
        hint = come_back(waiting[0]) if len(waiting) == 1 else "glm tasks wait --all"
        return Interrupted(f"stopped waiting; {what}", hint=hint)

    def _waiting_line(self, task: Task, count: int) -> str:
        elapsed = duration(self.app.now() - task.created_at)
        prompt = str(task.request.get("prompt") or task.kind)[:40]
        others = f", and {count - 1} more" if count > 1 else ""
        return f"{prompt}: waiting for the {task.kind}, {elapsed}{others} (Ctrl-C to come back later)"

    def _pause(self, seconds: float, status: StatusLine, waiting: Sequence[Task]) -> None:
        if not status.is_on:
            self.app.sleep(seconds)
            return
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            status.show(self._waiting_line(waiting[0], len(waiting)))
            self.app.sleep(min(_TICK_SECONDS, left))

    # -- fetching ------------------------------------------------------------------

    def fetch(self, task: Task, *, output: str | None = None, force: bool = False, cover: bool = False) -> Task:
        """Download the files of a task that succeeded, and remember where they are.

        What is here already is not fetched again, but to another `output`. Raises ResultGone when
        the address has expired, and what `Downloader.save` raises.
        """
        with self._alone(task):
            return self._fetch(self._fresh(task), output, force=force, cover=cover)

    @contextmanager
    def _alone(self, task: Task) -> Iterator[None]:
        """Keep a second `glm` from fetching the same task; it finds it done afterwards."""
        with ExitStack() as stack:
            lock = self.app.paths.state_dir / "tasks" / (task.id or "unkept")
            if task.id:
                with suppress(ConfigError):  # where no lock can be, the file is guarded by its part
                    stack.enter_context(locked(lock, timeout_seconds=_OTHERS_SECONDS))
            yield
            with suppress(OSError):
                lock.with_name(f"{lock.name}.lock").unlink(missing_ok=True)

    def _fetch(self, task: Task, output: str | None, *, force: bool, cover: bool) -> Task:
        if task.status == DONE and output is None and all(map(Path.exists, paths_of(task))):
            return task
        if not files_of(task):
            raise UsageError(f"task {name_of(task)} has no files", hint=f"glm tasks show {name_of(task)}")
        force, cover = force or bool(task.request.get("force")), cover or bool(task.request.get("cover"))
        place = place_for(task, output, force=force)
        try:
            return self._fetched(task, place, cover=cover)
        except KeyboardInterrupt:
            raise Interrupted("stopped downloading; what came is kept", hint=fetch_it(task)) from None
        except ResultGone as error:
            self._update(task, status=GONE, error=error.message)
            error.message = f"task {name_of(task)}: {error.message}"
            error.hint = "the service keeps results for a limited time; the file has to be made again"
            raise
        except GlmError as error:
            error.hint = "\n".join(filter(None, (error.hint, f"nothing is paid twice: {fetch_it(task)}")))
            raise

    def _fetched(self, task: Task, place: Place, *, cover: bool) -> Task:
        kept: list[dict[str, object]] = []
        main: Path | None = None
        for file in files_of(task):
            entry: dict[str, object] = {"role": file.role, "url": file.url}
            if file.role != "cover":
                saved = self._download_of(task, file, beside(place, main) if main else place)
                main = main or saved.path
                entry |= facts_of(saved)
            elif cover and main is not None:
                cover_place = Place(main.parent, f"{main.stem}-cover", overwrite=place.overwrite)
                entry |= facts_of(self._download_of(task, file, cover_place))
            kept.append(entry)
        reply = (task.result or {}).get("reply", {})
        output = str(main) if main else None
        return self._update(task, status=DONE, result={"files": kept, "reply": reply}, output=output)

    def pipe(self, task: Task, write: Callable[[bytes], None]) -> None:
        """Hand over the bytes of the first file of a task, when all of them are here."""
        from glmcli.drafts import scratch_folder

        files = files_of(task)
        if not files:
            raise UsageError(f"task {name_of(task)} has no files", hint=f"glm tasks show {name_of(task)}")
        with scratch_folder(self.app.environ) as folder:
            saved = self._download_of(task, files[0], Place(folder, "result"))
            copy(saved.path, write)

    def _download_of(self, task: Task, file: ResultFile, place: Place) -> Saved:
        retries = self._clients.context_of(task).settings.max_retries.value
        return self.download(self._clients.of(task), file, place, max_retries=retries)

    def download(self, client: Client, file: ResultFile, place: Place, *, max_retries: int) -> Saved:
        """Bring one file here, with a bar on a terminal."""
        status = StatusLine(self.app.streams)

        def on_progress(done: int, total: int | None) -> None:
            if self.shows_progress:
                status.show(download_line(place.name, done, total))

        downloader = Downloader(
            client.fetch,
            max_retries=max_retries,
            sleep=self.app.sleep,
            on_progress=on_progress,
        )
        try:
            return downloader.save(file.url, place, role=file.role)
        finally:
            status.clear()

    # -- the database ----------------------------------------------------------------

    def _update(
        self,
        task: Task,
        *,
        status: str,
        remote_id: str | None = None,
        result: Mapping[str, object] | None = None,
        output: str | None = None,
        error: str | None = None,
    ) -> Task:
        """Keep a change; where that cannot be, say so once and go on. A key that an error quotes is not kept."""
        if error is not None:
            error = without_keys(error, self.app.secrets())
        if task.id:
            try:
                return self.app.history.tasks.update(
                    task.id, status=status, remote_id=remote_id, result=result, output=output, error=error
                )
            except HistoryError as failure:
                self._tell_once(failure)
            except UsageError:  # forgotten in another terminal
                pass
        changes = {"remote_id": remote_id, "result": result, "output": output, "error": error}
        given = {name: value for name, value in changes.items() if value is not None}
        kept = {name: getattr(task, name) for name in Task.__annotations__}
        return Task(**{**kept, "status": status, **given})

    def _fresh(self, task: Task) -> Task:
        """The task as it stands in the database: another terminal may have been faster."""
        try:
            return self.app.history.tasks.find(task.id) if task.id else task
        except (HistoryError, UsageError):
            return task

    def _tell_once(self, error: HistoryError) -> None:
        if not self._told:
            self._told = True
            self.app.streams.complain(f"glm: the task cannot be remembered: {error.message}")

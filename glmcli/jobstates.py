"""States of a task in the local database, what there is to say of each, and the files that belong to it."""

from __future__ import annotations

import os
from pathlib import Path

from glmcli.api.resources.async_results import ResultFile
from glmcli.downloads import Place, Saved
from glmcli.errors import ContentRefused, GlmError, NetworkError, ResultGone, ServiceError, TaskFailed, UsageError
from glmcli.filenames import name_from
from glmcli.history.model import Task
from glmcli.history.times import iso_time

#: States of a task in the database.
SUBMITTING, UNKNOWN, RUNNING, SUCCEEDED, DONE, FAILED, LOST, GONE = (
    "submitting",  # the request leaves; a crash leaves it so
    "unknown",  # it left, and no answer came
    "running",
    "succeeded",  # its files are not here yet
    "done",
    "failed",
    "lost",  # the service does not know it any more
    "gone",  # its files were not fetched in time
)
#: States in which waiting makes sense.
OPEN = (RUNNING, SUCCEEDED)
#: What the service says of an id that it does not know; the documents name no code for it.
_NO_SUCH_JOB = frozenset({"1214", "1222"})


def come_back(task: Task) -> str:
    """The command that goes on waiting."""
    return f"glm tasks wait {task.id}" if task.id else f"glm api GET /async-result/{task.remote_id}"


def name_of(task: Task) -> str:
    return task.id or task.remote_id or "?"


def fetch_it(task: Task) -> str:
    return f"glm tasks fetch {task.id}" if task.id else come_back(task)


def forget_it(task: Task) -> str | None:
    return f"glm tasks forget {task.id}" if task.id else None


def look_first(task: Task) -> str:
    return f"look at the console of the service, then: glm tasks forget {task.id}" if task.id else "see the console"


#: What a job of a kind makes, where the kind does not say it.
_MADE = {"agent": "what the agent was asked for"}


def failure_of(task: Task) -> GlmError:
    reason = task.error or "no reason was given"
    made = _MADE.get(task.kind, f"the {task.kind}")
    message = f"the service could not make {made} (task {name_of(task)}): {reason}"
    if "1301" in reason:
        return ContentRefused(message, hint="change the prompt, and submit it as a new task")
    return TaskFailed(message, hint=f"what came back: glm tasks show {name_of(task)} --json")


def error_of(task: Task) -> GlmError | None:
    """What there is to say of a task that is not running; None when its files can be fetched."""
    if task.kind == "batch":
        return UsageError(f"task {task.id} is a batch", hint=f"glm batch wait {task.id}")
    if task.status in (SUCCEEDED, DONE):
        return None
    if task.status == FAILED:
        return failure_of(task)
    if task.status in (SUBMITTING, UNKNOWN):
        return TaskFailed(
            f"task {name_of(task)} was cut off while it was submitted: the service may have accepted it, "
            "and never told its id",
            hint=look_first(task),
        )
    if task.status == GONE:
        return ResultGone(f"the files of task {name_of(task)} were not fetched in time", hint=forget_it(task))
    return TaskFailed(f"the service does not know task {name_of(task)} any more", hint=forget_it(task))


def was_refused(error: GlmError) -> bool:
    """Whether a submission surely had no effect."""
    if isinstance(error, NetworkError):
        return not error.sent
    if isinstance(error, ServiceError):
        return error.http_status is not None and 400 <= error.http_status < 500 and not error.is_foreign
    return True  # no key, a broken configuration: nothing left


def is_unknown_there(error: GlmError) -> bool:
    if not isinstance(error, ServiceError) or error.is_foreign:
        return False
    return error.code in _NO_SUCH_JOB or error.http_status in (404, 410)


# -- files of a task -----------------------------------------------------------------------


def files_of(task: Task) -> list[ResultFile]:
    """What a task made, as it was remembered."""
    found = (task.result or {}).get("files")
    entries = found if isinstance(found, list) else []
    return [ResultFile(str(entry["url"]), str(entry["role"])) for entry in entries if entry.get("url")]


def paths_of(task: Task) -> list[Path]:
    """Where the files of a task were saved."""
    found = (task.result or {}).get("files")
    entries = found if isinstance(found, list) else []
    return [Path(str(entry["path"])) for entry in entries if entry.get("path")]


def urls_of(task: Task) -> list[str]:
    """Where the service keeps the files of a task."""
    return [file.url for file in files_of(task)]


def place_for(task: Task, output: str | None, *, force: bool) -> Place:
    """Where the file of a task goes: `output`, else what was asked for when it was submitted."""
    wanted = output
    if wanted is None:
        # Once saved, the path of the file stands there: it is fetched anew to the same folder.
        wanted = task.output or str(Path.cwd()) + os.sep
    place = place_of(wanted, str(task.request.get("prompt") or ""), task.kind, force=force)
    name = task.request.get("name")
    if isinstance(name, str) and not place.is_exact:
        return Place(place.folder, name, overwrite=force)
    return place


def place_of(output: str, prompt: str, kind: str, *, force: bool) -> Place:
    """The place that an absolute path means; a folder gets a name from the prompt."""
    path = Path(output)
    if output.endswith(("/", os.sep)) or path.is_dir():
        return Place(path, name_from(prompt, kind), overwrite=force)
    return Place(path.parent, path.name, is_exact=True, overwrite=force)


def beside(place: Place, main: Path) -> Place:
    """The next file of a task that made several."""
    return Place(main.parent, main.stem, overwrite=False)


def facts_of(saved: Saved) -> dict[str, object]:
    return {"path": str(saved.path), "bytes": saved.size, "content_type": saved.content_type}


def document(task: Task) -> dict[str, object]:
    """The JSON of a task (docs/json-output.md)."""
    result = task.result or {}
    return {
        "schema_version": 1,
        "id": task.id or None,
        "kind": task.kind,
        "status": task.status,
        "remote_id": task.remote_id,
        "provider": task.provider,
        "profile": task.profile,
        "base_url": task.base_url,
        "model": task.model,
        "request": dict(task.request),
        "files": result.get("files") or [],
        "output": task.output,
        "error": task.error,
        "created_at": iso_time(task.created_at),
        "updated_at": iso_time(task.updated_at),
        "reply": result.get("reply"),
    }

"""Asynchronous jobs: what a submission answers, and `GET /async-result/{id}`.

One path serves images, videos and chat of both regions (`api/video.md`, "Poll";
`GET /videos/generations/{id}`, which some texts name, exists nowhere). The poll
documents no `id`, a failed job no reason: whatever comes back is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from glmcli.api.calls import Call, Caller, Reply
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, mappings, text
from glmcli.api.polling import JobState, state_of
from glmcli.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that the service took. `status` is its own word."""

    id: str
    status: str | None = None
    model: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file that a job made. `role` is image, video or cover."""

    url: str
    role: str


@dataclass(frozen=True, slots=True)
class JobReply:
    """What the service says of a job. `reason` tells why one failed, where anything does."""

    state: JobState
    status: str | None
    files: tuple[ResultFile, ...] = ()
    reason: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)


class AsyncResults:
    """`/async-result/{id}` of either region."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def retrieve(self, id: str) -> JobReply:
        """Ask once. Raises what `Caller.send` raises."""
        reply = self._caller.send(Call(Service.MEDIA, "GET", f"/async-result/{quote(id, safe='')}"))
        return job_from_json(json_object(reply))


def submission_from_json(body: Mapping[str, Any], request_id: str | None = None) -> Submission:
    """The job that a reply names. Raises ServiceError when it names none."""
    id = text(body, "id") or text(body, "task_id")
    if not id:
        raise ServiceError(
            "the service answered without the id of a task",
            hint="it may have accepted the task all the same: look at the console before you submit again",
            request_id=request_id,
        )
    return Submission(id, text(body, "task_status"), text(body, "model"), text(body, "request_id") or request_id)


def job_from_json(body: Mapping[str, Any]) -> JobReply:
    """The state of a job with its files."""
    status = text(body, "task_status") or text(body, "status")
    state = state_of(status)
    reason = _reason(body) if state is JobState.FAILED else None
    return JobReply(state, status, tuple(files_in(body)), reason, body)


def files_in(body: Mapping[str, Any]) -> list[ResultFile]:
    """Every file that a reply names, in its order: pictures, videos, then the covers."""
    found = [
        ResultFile(url, role)
        for key, role in (("image_result", "image"), ("data", "image"), ("video_result", "video"))
        for item in mappings(body, key)
        if (url := text(item, "url"))
    ]
    covers = [url for item in mappings(body, "video_result") if (url := text(item, "cover_image_url"))]
    return found + [ResultFile(url, "cover") for url in covers]


def _reason(body: Mapping[str, Any]) -> str | None:
    """What a failed job says of itself; no field is documented, so that all extra ones are told."""
    error = mapping(body, "error")
    said = text(error, "message") or text(body, "message") or text(body, "error") or text(body, "fail_reason")
    if said:
        code = text(error, "code") or text(body, "code")
        return f"{said} ({code})" if code else said
    usual = {"id", "model", "request_id", "task_status", "status", "image_result", "video_result"}
    extra = {key: value for key, value in body.items() if key not in usual and value}
    if not extra:
        return None
    import json

    return json.dumps(extra, ensure_ascii=False)[:500]


def json_object(reply: Reply) -> Mapping[str, Any]:
    """The body of a reply as an object. Raises ServiceError for anything else, and for a failure with HTTP 200."""
    from glmcli.api.faults import error_in_body

    body = reply.json()
    # A failed job is an answer, not a refusal: its task_status tells it.
    if isinstance(body, dict) and "task_status" in body:
        return body
    failure = error_in_body(body, headers=reply.headers, status=reply.status)
    if failure is not None:
        raise failure
    if not isinstance(body, dict):
        raise ServiceError("the service answered with something else than a JSON object", request_id=reply.request_id)
    return body

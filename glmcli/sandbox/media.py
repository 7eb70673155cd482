"""Pictures, videos, their asynchronous jobs, and the files that come of them.

A job is its id: the id holds what was asked, so that another process, or the
same one after a restart, knows the job too. Only the number of polls is
remembered. Words in the prompt steer what happens (docs/sandbox.md).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.app import Payer, Route
from glmcli.sandbox.exchange import PAAS, Base, Disconnect, Refusal, Request, Response
from glmcli.sandbox.films import Download, film, picture
from glmcli.sandbox.media_checks import CN, INTL, check_image, check_video

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox

#: Polls that a job takes unless its prompt says `polls:N`.
POLLS = 2
_KEPT_PROMPT = 120
_MEBIBYTE = 1024 * 1024


def routes() -> list[Route]:
    """What this module answers."""
    return [
        Route("POST", PAAS, "/images/generations", create_image),
        Route("POST", PAAS, "/async/images/generations", submit_image),
        Route("POST", PAAS, "/videos/generations", submit_video),
        Route("GET", PAAS, "/async-result/{id}", retrieve, Payer.NOBODY),
        Route("GET", (Base.DOWNLOADS,), "/media/{id}/{name}", download, Payer.ANYONE),
    ]


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked, by whom. `kind` is image or video; width and height in pixels."""

    kind: str
    model: str
    prompt: str
    account: str
    number: str
    request_id: str
    width: int = 0
    height: int = 0

    @property
    def id(self) -> str:
        """The job as a word that fits into a path."""
        data = json.dumps(asdict(self), ensure_ascii=False).encode("utf-8", "replace")
        return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")

    @classmethod
    def from_id(cls, id: str) -> Job:
        """The job of an id. Raises Refusal 1214 for an id that was never given out."""
        try:
            data = zlib.decompress(base64.urlsafe_b64decode(id + "=" * (-len(id) % 4)))
            return cls(**json.loads(data))
        except (ValueError, TypeError, zlib.error):
            raise Refusal("1214", "id") from None

    def says(self, word: str) -> bool:
        """Whether the prompt holds a word such as `task:fail`."""
        return word in self.prompt.split()

    def value(self, word: str, default: int) -> int:
        """The number behind a word of the prompt: `polls:5`."""
        found = re.search(rf"\b{word}:(\d+)", self.prompt)
        return int(found[1]) if found else default


def create_image(sandbox: Sandbox, request: Request) -> Response:
    """Draw at once."""
    body = _given(request)
    job = _job(request, body, "image", check_image(body, _regions(request), asynchronous=False))
    filtered = [{"role": "assistant", "level": job.value("filter", 3)}]
    document = {"created": int(sandbox.clock()), "data": [{"url": _url(request, job, "image.png")}]}
    return Response.json({**document, "content_filter": filtered})


def submit_image(sandbox: Sandbox, request: Request) -> Response:
    """Take a picture to draw later."""
    body = _given(request)
    return _accepted(_job(request, body, "image", check_image(body, _regions(request), asynchronous=True)))


def submit_video(sandbox: Sandbox, request: Request) -> Response:
    """Take a video to make later."""
    body = _given(request)
    check_video(body, _regions(request))
    return _accepted(_job(request, body, "video", (0, 0)))


def retrieve(sandbox: Sandbox, request: Request) -> Response:
    """How a job is doing: PROCESSING for some polls, then SUCCESS or FAIL."""
    id = request.parameters["id"]
    chat = sandbox.store("chat_results").get(id)
    if chat is not None:
        return Response.json(chat)
    job = Job.from_id(id)
    assert request.account is not None
    if job.account != request.account.name or job.says("task:lost"):
        raise Refusal("1214", "id")
    status = _status(sandbox, job)
    head = {"model": job.model, "request_id": job.request_id, "task_status": status}
    return Response.json({**head, **(_results(request, job) if status == "SUCCESS" else {})})


def _status(sandbox: Sandbox, job: Job) -> str:
    with sandbox.lock:
        polls = sandbox.store("polls")
        polls[job.number] = polls.get(job.number, 0) + 1
        is_running = polls[job.number] <= job.value("polls", POLLS)
    if is_running or job.says("task:forever"):
        return "PROCESSING"
    return "FAIL" if job.says("task:fail") else "SUCCESS"


def _results(request: Request, job: Job) -> dict[str, object]:
    if job.says("task:nothing"):
        return {}
    if job.kind == "image":
        return {"image_result": [{"url": _url(request, job, "image.png")}]}
    files = {"url": _url(request, job, "video.mp4"), "cover_image_url": _url(request, job, "cover.png")}
    return {"video_result": [files]}


def _job(request: Request, body: Mapping[str, Any], kind: str, sides: tuple[int, int]) -> Job:
    assert request.account is not None
    return Job(
        kind=kind,
        model=body["model"],
        prompt=(body.get("prompt") or "")[:_KEPT_PROMPT],
        account=request.account.name,
        number=request.log_id,
        request_id=body.get("request_id") or request.log_id,
        width=sides[0],
        height=sides[1],
    )


def _given(request: Request) -> dict[str, Any]:
    """The body without its nulls: the vendor's SDK sends one for every field that was not set."""
    return {name: value for name, value in request.json().items() if value is not None}


def _accepted(job: Job) -> Response:
    status = {"id": job.id, "request_id": job.request_id, "model": job.model, "task_status": "PROCESSING"}
    return Response.json(status)


def _regions(request: Request) -> tuple[str, ...]:
    assert request.account is not None
    return (INTL, CN) if request.account.everywhere else (request.account.region,)


# -- downloads ---------------------------------------------------------------------------


def _url(request: Request, job: Job, name: str) -> str:
    return f"{request.origin}{Base.DOWNLOADS}/media/{job.id}/{name}"


def download(sandbox: Sandbox, request: Request) -> Response:
    """A file of a job, whole or from a byte on (RFC 9110, section 14). Needs no key."""
    job = Job.from_id(request.parameters["id"])
    if job.says("task:gone"):
        return Response.bytes(b"<Error><Code>AccessDenied</Code></Error>", "application/xml", status=403)
    if job.says("task:page"):
        return Response.bytes(b"<html><title>Sign in</title></html>", "text/html")
    file = _file(job, request.parameters["name"])
    etag = '"' + hashlib.sha256(file.head).hexdigest()[:16] + '"'
    shared = {"Content-Type": file.content_type, "Accept-Ranges": "bytes", "ETag": etag}
    start, stop = _range(request, file.size, etag)
    if start >= file.size:
        return Response(416, {**shared, "Content-Range": f"bytes */{file.size}", "Content-Length": "0"}, ())
    headers = {**shared, "Content-Length": str(stop - start)}
    is_part = (start, stop) != (0, file.size)
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
    chunks = file.chunks(start, stop)
    if job.says("task:cut") and "range" not in request.headers:
        chunks = _cut(file)
    return Response(206 if is_part else 200, headers, chunks)


def _cut(file: Download) -> Iterator[bytes]:
    yield from file.chunks(0, file.size // 2)
    raise Disconnect("the sandbox cut the download")


def _file(job: Job, name: str) -> Download:
    if name == "video.mp4":
        return film(job.prompt, padding=job.value("mebibytes", 0) * _MEBIBYTE)
    if name == "cover.png":
        return picture(job.prompt, 96, 64)
    if name == "image.png" and job.kind == "image":
        return picture(job.prompt, job.width, job.height)
    raise Refusal("1222", name, status=404)


def _range(request: Request, size: int, etag: str) -> tuple[int, int]:
    """First byte and the one behind the last; the whole where no range is asked for, or none that we read."""
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", etag) != etag:
        return 0, size
    stop = min(int(asked[2]) + 1, size) if asked[2] else size
    return int(asked[1]), stop

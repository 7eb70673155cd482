"""The file parser, as `/files/parser/…` takes and gives it.

Fields: OpenAPI of docs.bigmodel.cn; Z.AI documents none of it. The text of a
file says its name, size and SHA-256, and holds the file where it is text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.embeddings import only_in_china
from glmcli.sandbox.exchange import Base, Part, Refusal, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Route, Sandbox

#: Polls that a task takes.
POLLS = 2
_LATER = ("lite", "expert", "prime")
_AT_ONCE = ("prime-sync",)
_FORMATS = ("text", "download_link")
_FIELDS = frozenset({"file", "tool_type", "file_type"})


def routes() -> list[Route]:
    """The routes of this module."""
    from glmcli.sandbox.app import Payer, Route

    base = (Base.GENERAL,)
    return [
        Route("POST", base, "/files/parser/create", create),
        Route("POST", base, "/files/parser/sync", parse),
        Route("GET", base, "/files/parser/result/{id}/{format}", result, Payer.NOBODY),
        Route("GET", (Base.DOWNLOADS,), "/parser/{id}", download, Payer.ANYONE),
    ]


def create(sandbox: Sandbox, request: Request) -> Response:
    """Take a file; its text waits below `result`."""
    file = _checked(sandbox, request, _LATER)
    return Response.json({"success": True, "message": "success", "task_id": _keep(sandbox, request, file, POLLS)})


def parse(sandbox: Sandbox, request: Request) -> Response:
    """The text of a file at once."""
    file = _checked(sandbox, request, _AT_ONCE)
    id = _keep(sandbox, request, file, 0)
    return Response.json(_answer(request, id, sandbox.store("parsings")[id], _FORMATS))


def result(sandbox: Sandbox, request: Request) -> Response:
    """How a task is doing: processing for some polls, then the text or its address."""
    only_in_china(request)
    assert request.account is not None
    id, form = request.parameters["id"], request.parameters["format"]
    if form not in _FORMATS:
        raise Refusal("1214", "format_type")
    with sandbox.lock:
        task = sandbox.store("parsings").get(id)
        if task is None or task["owner"] != request.account.name:
            raise Refusal("1214", "task_id")
        task["polls"] -= 1
        is_running = task["polls"] >= 0
    if is_running:
        return Response.json({"status": "processing", "message": "processing", "task_id": id})
    return Response.json(_answer(request, id, task, (form,)))


def download(sandbox: Sandbox, request: Request) -> Response:
    """The text of a file, without a key."""
    task = sandbox.store("parsings").get(request.parameters["id"].removesuffix(".md"))
    if task is None:
        raise Refusal("1222", request.path, status=404)
    return Response.bytes(task["text"].encode(), "text/markdown; charset=utf-8")


def _checked(sandbox: Sandbox, request: Request, tools: tuple[str, ...]) -> Part:
    only_in_china(request)
    form = request.multipart()
    unknown = sorted(set(form) - _FIELDS)
    if unknown and not sandbox.lenient:
        raise Refusal("1210", message=f"Invalid API parameter: unknown field `{unknown[0]}`.")
    for name in ("file", "tool_type"):
        if name not in form:
            raise Refusal("1213", name)
    if form["tool_type"][0].text() not in tools:
        raise Refusal("1214", "tool_type")
    if not form["file"][0].size:
        raise Refusal("1214", "file")
    return form["file"][0]


def _keep(sandbox: Sandbox, request: Request, file: Part, polls: int) -> str:
    assert request.account is not None
    id = f"parser-sandbox-{sandbox.number():08d}"
    with sandbox.lock:
        sandbox.store("parsings")[id] = {"owner": request.account.name, "polls": polls, "text": _text(file)}
    return id


def _text(file: Part) -> str:
    data = file.data()
    head = f"[sandbox: {file.filename}, {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}]\n"
    try:
        return head + data.decode()
    except UnicodeDecodeError:
        return head


def _answer(request: Request, id: str, task: Mapping[str, Any], formats: tuple[str, ...]) -> dict[str, object]:
    url = f"{request.origin}{Base.DOWNLOADS}/parser/{id}.md"
    return {
        "status": "succeeded",
        "message": "success",
        "task_id": id,
        "content": task["text"] if "text" in formats else None,
        "parsing_result_url": url if "download_link" in formats else None,
    }

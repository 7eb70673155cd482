"""Kept files, as `/files` takes and gives them.

Purposes and limits: OpenAPI of docs.z.ai (purpose `agent` alone, no listing)
and docs.bigmodel.cn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.exchange import Base, Part, Refusal, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Route, Sandbox

_MIB = 1024 * 1024
#: Endings and size limit (bytes) by purpose and region.
_DOCUMENTS = ("pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt", "md", "csv", "py", "jpg", "jpeg", "png")
_PURPOSES: dict[str, dict[str, tuple[tuple[str, ...], int]]] = {
    "intl": {"agent": (("pdf", "doc", "xlsx", "ppt", "txt", "jpg", "png"), 100 * _MIB)},
    "cn": {
        "batch": (("jsonl",), 100 * _MIB),
        "code-interpreter": (_DOCUMENTS, 20 * _MIB),
        "agent": (_DOCUMENTS, 20 * _MIB),
        "voice-clone-input": (("mp3", "wav"), 10 * _MIB),
        "fine-tune": (("jsonl",), 100 * _MIB),
        "retrieval": (_DOCUMENTS, 100 * _MIB),
    },
}
_LISTED = ("batch", "code-interpreter", "agent")
_FIELDS = frozenset({"file", "purpose", "knowledge_id", "sentence_size"})
_KEPT_BYTES = 16 * _MIB


def routes() -> list[Route]:
    """The routes of this module."""
    from glmcli.sandbox.app import Payer, Route

    base = (Base.GENERAL,)
    return [
        Route("POST", base, "/files", upload),
        Route("GET", base, "/files", list_files, Payer.NOBODY),
        Route("GET", base, "/files/{id}/content", content, Payer.NOBODY),
        Route("DELETE", base, "/files/{id}", delete, Payer.NOBODY),
    ]


@dataclass(frozen=True, slots=True)
class _File:
    facts: Mapping[str, Any]
    owner: str
    data: bytes


def upload(sandbox: Sandbox, request: Request) -> Response:
    """Keep a file."""
    form = request.multipart()
    unknown = sorted(set(form) - _FIELDS)
    if unknown and not sandbox.lenient:
        raise Refusal("1210", message=f"Invalid API parameter: unknown field `{unknown[0]}`.")
    for name in ("purpose", "file"):
        if name not in form:
            raise Refusal("1213", name)
    file, purpose = form["file"][0], form["purpose"][0].text()
    _check(file, purpose, _purposes(request))
    facts = {
        "id": f"file-sandbox-{sandbox.number():08d}",
        "object": "file",
        "bytes": file.size,
        "filename": file.filename,
        "purpose": purpose,
        "created_at": int(sandbox.clock()),
    }
    keep(sandbox, request, facts, file.data() if file.size <= _KEPT_BYTES else b"")
    return Response.json(facts)


def keep(sandbox: Sandbox, request: Request, facts: Mapping[str, Any], data: bytes) -> None:
    """Remember a file, uploaded or made here (the output of a batch)."""
    assert request.account is not None
    with sandbox.lock:
        sandbox.store("files")[facts["id"]] = _File(facts, request.account.name, data)


def read(sandbox: Sandbox, request: Request, id: str) -> bytes:
    """The bytes of a file of this account. Raises Refusal 1214 for an unknown one."""
    return _find(sandbox, request, id).data


def _purposes(request: Request) -> Mapping[str, tuple[tuple[str, ...], int]]:
    if request.account is not None and request.account.everywhere:
        return {**_PURPOSES["cn"], **_PURPOSES["intl"]}
    return _PURPOSES[request.region]


def _check(file: Part, purpose: str, purposes: Mapping[str, tuple[tuple[str, ...], int]]) -> None:
    if purpose not in purposes:
        raise Refusal("1214", "purpose")
    endings, limit = purposes[purpose]
    if file.size > 100 * _MIB:
        raise Refusal("435")
    if file.size > limit or not file.size:
        raise Refusal("1214", "file")
    found = re.search(r"\.(\w+)$", file.filename or "")
    if found is None or found[1].lower() not in endings:
        raise Refusal("1214", message=f"The purpose `{purpose}` takes files of type {', '.join(endings)}.")


def _only_in_china(request: Request) -> None:
    """Z.AI documents nothing but the upload."""
    if request.region == "intl" and not (request.account is not None and request.account.everywhere):
        raise Refusal("1222", f"{request.method} {request.path}", status=404)


def _find(sandbox: Sandbox, request: Request, id: str) -> _File:
    assert request.account is not None
    with sandbox.lock:
        file = sandbox.store("files").get(id)
    if file is None or file.owner != request.account.name:
        raise Refusal("1214", "file_id")
    return file  # type: ignore[no-any-return]  # a store holds anything


def list_files(sandbox: Sandbox, request: Request) -> Response:
    """The files of one purpose, newest first."""
    _only_in_china(request)
    assert request.account is not None
    purpose, limit = request.query.get("purpose"), request.query.get("limit", "20")
    if purpose is None:
        raise Refusal("1213", "purpose")
    if purpose not in _LISTED:
        raise Refusal("1214", "purpose")
    if not limit.isdigit() or not 1 <= int(limit) <= 100:
        raise Refusal("1214", "limit")
    with sandbox.lock:
        files = [file for file in sandbox.store("files").values() if file.owner == request.account.name]
    found = [dict(file.facts) for file in reversed(files) if file.facts["purpose"] == purpose]
    ids = [file["id"] for file in found]
    start = ids.index(request.query["after"]) + 1 if request.query.get("after") in ids else 0
    page = found[start : start + int(limit)]
    return Response.json({"object": "list", "data": page, "has_more": len(found) > start + len(page)})


def content(sandbox: Sandbox, request: Request) -> Response:
    """The bytes of a batch file."""
    _only_in_china(request)
    file = _find(sandbox, request, request.parameters["id"])
    if not str(file.facts["purpose"]).startswith("batch"):
        raise Refusal("1214", "file_id")
    return Response.bytes(file.data, "application/octet-stream")


def delete(sandbox: Sandbox, request: Request) -> Response:
    """Forget a file."""
    _only_in_china(request)
    file = _find(sandbox, request, request.parameters["id"])
    with sandbox.lock:
        del sandbox.store("files")[file.facts["id"]]
    return Response.json({"id": file.facts["id"], "object": "file", "deleted": True})

"""The Batch API of region cn: files of requests that are answered later.

A batch goes one step further each time somebody asks: validating, in_progress,
finalizing, completed. Its output is not in the order of its input, as the
guide of docs.bigmodel.cn warns.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.exchange import Base, Refusal, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Route, Sandbox

_ENDPOINT = "/v4/chat/completions"
#: `completion_window` is withdrawn, and still sent by the vendor's SDK.
_FIELDS = frozenset({"input_file_id", "endpoint", "auto_delete_input_file", "metadata", "completion_window"})
_MAX_LINES = 50_000
_OVER = ("completed", "failed", "expired", "cancelled")


def routes() -> list[Route]:
    """The routes of this module."""
    from glmcli.sandbox.app import Payer, Route

    base = (Base.GENERAL,)
    return [
        Route("POST", base, "/batches", create),
        Route("GET", base, "/batches", list_batches, Payer.NOBODY),
        Route("GET", base, "/batches/{id}", retrieve, Payer.NOBODY),
        Route("POST", base, "/batches/{id}/cancel", cancel, Payer.NOBODY),
    ]


def create(sandbox: Sandbox, request: Request) -> Response:
    """Take a batch; its lines are looked at later."""
    _only_in_china(request)
    body = request.json()
    unknown = sorted(set(body) - _FIELDS)
    if unknown and not sandbox.lenient:
        raise Refusal("1210", message=f"Invalid API parameter: unknown field `{unknown[0]}`.")
    for name in ("input_file_id", "endpoint"):
        if not isinstance(body.get(name), str):
            raise Refusal("1213", name)
    if body["endpoint"] != _ENDPOINT:
        raise Refusal("1214", "endpoint")
    _check_metadata(body.get("metadata"))
    from glmcli.sandbox.files import read

    lines = read(sandbox, request, body["input_file_id"])
    assert request.account is not None
    batch = {
        "id": f"batch_sandbox{sandbox.number():08d}",
        "object": "batch",
        "endpoint": _ENDPOINT,
        "input_file_id": body["input_file_id"],
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": int(sandbox.clock() * 1000),
        "request_counts": {"total": lines.count(b"\n"), "completed": 0, "failed": 0},
        "metadata": body.get("metadata"),
    }
    keeps = body.get("auto_delete_input_file") is False
    with sandbox.lock:
        sandbox.store("batches")[batch["id"]] = {"facts": batch, "owner": request.account.name, "keeps": keeps}
    return Response.json(batch)


def _check_metadata(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or len(value) > 16:
        raise Refusal("1214", "metadata")
    if not all(isinstance(item, str) and len(key) <= 64 and len(item) <= 512 for key, item in value.items()):
        raise Refusal("1214", "metadata")


def retrieve(sandbox: Sandbox, request: Request) -> Response:
    """How a batch is doing; asking moves it on."""
    kept = _find(sandbox, request)
    facts = kept["facts"]
    with sandbox.lock:
        if facts["status"] == "validating":
            _validate(sandbox, request, facts)
        elif facts["status"] == "in_progress":
            facts["status"] = "finalizing"
        elif facts["status"] == "finalizing":
            _carry_out(sandbox, request, kept)
        elif facts["status"] == "cancelling":
            facts["status"] = "cancelled"
    return Response.json(facts)


def cancel(sandbox: Sandbox, request: Request) -> Response:
    """Stop a batch that is not over."""
    facts = _find(sandbox, request)["facts"]
    if facts["status"] in _OVER:
        raise Refusal("1214", "batch_id")
    facts["status"] = "cancelling"
    return Response.json(facts)


def list_batches(sandbox: Sandbox, request: Request) -> Response:
    """The batches of the account, newest first."""
    _only_in_china(request)
    assert request.account is not None
    limit = request.query.get("limit", "20")
    if not limit.isdigit() or not 1 <= int(limit) <= 100:
        raise Refusal("1214", "limit")
    with sandbox.lock:
        kept = [item for item in sandbox.store("batches").values() if item["owner"] == request.account.name]
    found = [item["facts"] for item in reversed(kept)]
    ids = [facts["id"] for facts in found]
    start = ids.index(request.query["after"]) + 1 if request.query.get("after") in ids else 0
    page = found[start : start + int(limit)]
    return Response.json({"object": "list", "data": page, "has_more": len(found) > start + len(page)})


def _only_in_china(request: Request) -> None:
    if request.region == "intl" and not (request.account is not None and request.account.everywhere):
        raise Refusal("1222", f"{request.method} {request.path}", status=404)


def _find(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    _only_in_china(request)
    assert request.account is not None
    with sandbox.lock:
        kept = sandbox.store("batches").get(request.parameters["id"])
    if kept is None or kept["owner"] != request.account.name:
        raise Refusal("1214", "batch_id")
    return kept  # type: ignore[no-any-return]  # a store holds anything


# -- the lines ------------------------------------------------------------------------


def _lines(sandbox: Sandbox, request: Request, facts: dict[str, Any]) -> list[dict[str, Any]]:
    from glmcli.sandbox.files import read

    return [json.loads(line) for line in read(sandbox, request, facts["input_file_id"]).splitlines() if line.strip()]


def _validate(sandbox: Sandbox, request: Request, facts: dict[str, Any]) -> None:
    """Unique ids, one model, the right URL; else the batch has failed."""
    try:
        lines = _lines(sandbox, request, facts)
        ids = {line["custom_id"] for line in lines}
        models = {line["body"]["model"] for line in lines}
        urls = {(line["method"], line["url"]) for line in lines}
        streams = any(line["body"].get("stream") for line in lines)
    except (ValueError, KeyError, TypeError, AttributeError):
        facts.update(status="failed", errors={"data": [{"message": "a line is not a request"}]})
        return
    is_good = len(ids) == len(lines) <= _MAX_LINES and len(models) == 1 and urls == {("POST", _ENDPOINT)}
    is_good = is_good and not streams and all(len(str(id)) >= 6 for id in ids)
    if is_good:
        facts["status"] = "in_progress"
    else:
        facts.update(status="failed", errors={"data": [{"message": "the input file is not valid"}]})


def _carry_out(sandbox: Sandbox, request: Request, kept: dict[str, Any]) -> None:
    facts = kept["facts"]
    done: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for line in _lines(sandbox, request, facts):
        status, body = _answer(sandbox, request, line["body"])
        result = {"id": facts["id"], "custom_id": line["custom_id"], "response": {"status_code": status, "body": body}}
        (done if status == 200 else failed).append(result)
    # Backwards: who relies on the order shall notice.
    facts["output_file_id"] = _keep(sandbox, request, "output", done[::-1])
    facts["error_file_id"] = _keep(sandbox, request, "error", failed[::-1])
    facts["request_counts"] = {"total": len(done) + len(failed), "completed": len(done), "failed": len(failed)}
    facts.update(status="completed", completed_at=int(sandbox.clock() * 1000))
    if not kept["keeps"]:
        sandbox.store("files").pop(facts["input_file_id"], None)


def _answer(sandbox: Sandbox, request: Request, body: dict[str, Any]) -> tuple[int, Any]:
    """What chat says to the body of a line."""
    from glmcli.sandbox.chat import complete
    from glmcli.sandbox.faults import named_in_prompt, play

    inner = Request(
        method="POST",
        path=f"{Base.GENERAL}/chat/completions",
        query={},
        headers={},
        file=BytesIO(json.dumps(body).encode()),
        origin=request.origin,
        log_id=f"{request.log_id}{sandbox.number():06x}",
        account=request.account,
    )
    fault = named_in_prompt(inner)
    try:
        response = play(fault, sandbox, inner, complete) if fault else complete(sandbox, inner)
    except Refusal as refusal:
        return refusal.status, {"error": {"code": refusal.code, "message": refusal.message}}
    return response.status, json.loads(b"".join(response.body))


def _keep(sandbox: Sandbox, request: Request, word: str, results: list[dict[str, Any]]) -> str | None:
    if not results:
        return None
    from glmcli.sandbox.files import keep

    data = "".join(json.dumps(result, ensure_ascii=False) + "\n" for result in results).encode()
    facts = {
        "id": f"file-sandbox-{sandbox.number():08d}",
        "object": "file",
        "bytes": len(data),
        "filename": f"{word}.jsonl",
        "purpose": f"batch-{word}",
        "created_at": int(sandbox.clock()),
    }
    keep(sandbox, request, facts, data)
    return str(facts["id"])

"""Chat completions on both OpenAI-style bases, whole and streamed."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.answers import Answer, Ask, answer, message_tokens
from glmcli.sandbox.app import Route
from glmcli.sandbox.billing import pays_by_plan
from glmcli.sandbox.catalog import PLAN_ALIASES, PLAN_UNPAID, Model
from glmcli.sandbox.checks import check_chat
from glmcli.sandbox.exchange import PAAS, Refusal, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox

#: Lengths of the pieces of a stream: uneven, so that they end inside words and marks.
_PIECES = (3, 7, 1, 12, 5, 2, 9)
_PREFIXES_KEPT = 10_000


def routes() -> list[Route]:
    """What this module answers."""
    return [
        Route("POST", PAAS, "/chat/completions", complete),
        Route("POST", PAAS, "/async/chat/completions", complete_later),
    ]


def complete(sandbox: Sandbox, request: Request) -> Response:
    """Answer a chat request, in one piece or as a stream."""
    body = request.json()
    model, ask = read_ask(sandbox, request, body)
    reply = answer(ask)
    usage = usage_of(sandbox, request, ask, reply)
    request.used = model, usage["total_tokens"]
    if body.get("stream"):
        return Response.sse(_frames(sandbox, request, body, model, reply, usage))
    return Response.json(_document(sandbox, request, body, model, reply, usage))


def complete_later(sandbox: Sandbox, request: Request) -> Response:
    """Take a chat request as a task; its answer waits at `async-result/{id}`."""
    body = request.json()
    if body.get("stream"):
        raise Refusal("1214", "stream")
    model, ask = read_ask(sandbox, request, body)
    reply = answer(ask)
    document = _document(sandbox, request, body, model, reply, usage_of(sandbox, request, ask, reply))
    task = {"id": request.log_id, "request_id": document["request_id"], "model": model}
    with sandbox.lock:
        sandbox.store("chat_results")[request.log_id] = {**document, "task_status": "SUCCESS"}
    return Response.json({**task, "task_status": "PROCESSING"})


def read_ask(sandbox: Sandbox, request: Request, body: dict[str, Any]) -> tuple[str, Ask]:
    """Check a chat body; the model that will answer, and the question. Raises Refusal."""
    model = check_chat(body, region=_search_region(request), lenient=sandbox.lenient)
    ask = _ask(body, model, request.fault)
    if ask.prompt_tokens > model.context:
        raise Refusal("1261")
    return served_model(request, model.id), ask


def _search_region(request: Request) -> str | None:
    return None if request.account is None or request.account.everywhere else request.account.region


def _ask(body: dict[str, Any], model: Model, fault: str | None) -> Ask:
    tools = body.get("tools") or []
    searches = [tool["web_search"] for tool in tools if tool["type"] == "web_search"]
    return Ask(
        messages=body["messages"],
        functions=[tool["function"] for tool in tools if tool["type"] == "function"],
        search=next((search for search in searches if search.get("enable")), None),
        wants_json=(body.get("response_format") or {}).get("type") == "json_object",
        thinks=_thinks(body, model),
        max_tokens=body.get("max_tokens") or model.default_max_tokens,
        stop=next(iter(body.get("stop") or []), None),
        fault=fault,
    )


def _thinks(body: dict[str, Any], model: Model) -> bool:
    switched_off = (body.get("thinking") or {}).get("type") == "disabled"
    skipped = body.get("reasoning_effort") in ("none", "minimal")
    return model.thinking != "none" and not switched_off and not skipped


def served_model(request: Request, model: str) -> str:
    """The model that answers: a plan replaces some. Raises Refusal for one outside the plan."""
    account = request.account
    if account is None or not pays_by_plan(account, request.base):
        return model
    if model in PLAN_UNPAID:
        raise Refusal("1113")
    served = PLAN_ALIASES.get(model, model)
    if served not in account.plan_models:
        raise Refusal("1311", model)
    return served


def usage_of(sandbox: Sandbox, request: Request, ask: Ask, reply: Answer) -> dict[str, Any]:
    """The token counts of a reply, with the prefix that was seen before as cached."""
    prompt, completion = ask.prompt_tokens, reply.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": _cached_tokens(sandbox, request, ask)},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
    }


def _cached_tokens(sandbox: Sandbox, request: Request, ask: Ask) -> int:
    """Tokens of the longest run of first messages that this key has sent before."""
    account = request.account.name if request.account else ""
    digest = sha256(account.encode())
    cached = running = 0
    with sandbox.lock:
        seen = sandbox.store("prefixes")
        if len(seen) > _PREFIXES_KEPT:
            seen.clear()
        for message in ask.messages:
            digest.update(repr(sorted(message.items(), key=lambda item: item[0])).encode("utf-8", "surrogatepass"))
            running += message_tokens(message)
            if digest.hexdigest() in seen:
                cached = running
            seen[digest.hexdigest()] = True
    return cached


def _document(
    sandbox: Sandbox, request: Request, body: dict[str, Any], model: str, reply: Answer, usage: dict[str, Any]
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.content}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.calls:
        message["tool_calls"] = reply.calls
    document = {
        **_head(sandbox, request, body, model),
        "choices": [{"index": 0, "finish_reason": reply.finish, "message": message}],
        "usage": usage,
    }
    return {**document, "web_search": reply.found} if reply.found else document


def _head(sandbox: Sandbox, request: Request, body: dict[str, Any], model: str) -> dict[str, Any]:
    return {
        "id": request.log_id,
        "request_id": body.get("request_id") or request.log_id,
        "created": int(sandbox.clock()),
        "model": model,
    }


def _frames(
    sandbox: Sandbox, request: Request, body: dict[str, Any], model: str, reply: Answer, usage: dict[str, Any]
) -> Iterator[object]:
    head = _head(sandbox, request, body, model)
    for delta in _deltas(reply, in_pieces=bool(body.get("tool_stream"))):
        yield {**head, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}}]}
    last = {"index": 0, "finish_reason": reply.finish, "delta": {"role": "assistant", "content": ""}}
    found = {"web_search": reply.found} if reply.found else {}
    yield {**head, "choices": [last], "usage": usage, **found}
    yield "[DONE]"


def _deltas(reply: Answer, *, in_pieces: bool) -> Iterator[dict[str, Any]]:
    for piece in pieces(reply.reasoning):
        yield {"reasoning_content": piece}
    for piece in pieces(reply.content):
        yield {"content": piece}
    for index, call in enumerate(reply.calls):
        yield from _call_deltas(index, call, in_pieces=in_pieces)


def _call_deltas(index: int, call: dict[str, Any], *, in_pieces: bool) -> Iterator[dict[str, Any]]:
    """Identity and name come once; arguments whole, unless `tool_stream` asked for pieces."""
    if not in_pieces:
        yield {"tool_calls": [{"index": index, **call}]}
        return
    function = call["function"]
    yield {"tool_calls": [{"index": index, **call, "function": {"name": function["name"], "arguments": ""}}]}
    for piece in pieces(function["arguments"]):
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def pieces(text: str) -> Iterator[str]:
    """A text in small uneven pieces, the same ones every time."""
    position = number = 0
    while position < len(text):
        length = _PIECES[number % len(_PIECES)]
        yield text[position : position + length]
        position += length
        number += 1

"""A router in front of the service: weighted tokens, a daily budget, 120 requests a minute, keys that end.

OpenAI's and Anthropic's protocols below `/router/v1`, with the answers of the
service itself; the legacy text completions of Anthropic too. What is counted
stands in `sandbox.store("router")`, per key: `times` of the last minute and
`used` on `day` (UTC). `budget` there replaces the daily budget.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from glmcli.sandbox import anthropic, chat
from glmcli.sandbox.answers import Answer, Ask, answer
from glmcli.sandbox.app import Handler, Payer, Route
from glmcli.sandbox.catalog import MODELS
from glmcli.sandbox.checks import check_fields, is_integer, is_text, require
from glmcli.sandbox.exchange import Base, Refusal, Request, Response, named_event
from glmcli.sandbox.models import list_models

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox

#: What a token of a model counts; one of any other model counts `UNKNOWN_WEIGHT`.
WEIGHTS = {"glm-5.3": 1.0, "glm-5.3-flash": 0.5, "glm-4.5-air": 0.1, "glm-5v-turbo": 8.0}
UNKNOWN_WEIGHT = 2.0
DAILY_BUDGET = 1_000_000
REQUESTS_PER_MINUTE = 120
_MINUTE_SECONDS, _DAY_SECONDS = 60.0, 86400.0
_TURN = re.compile(r"\n\n(Human|Assistant):")


def routes() -> list[Route]:
    """What this module answers."""
    base = (Base.ROUTER,)
    return [
        Route("GET", base, "/v1/models", _guarded(list_models), Payer.NOBODY),
        Route("POST", base, "/v1/chat/completions", _metered(chat.complete), Payer.NOBODY),
        Route("POST", base, "/v1/messages", _metered(anthropic.create_message), Payer.NOBODY),
        Route("POST", base, "/v1/messages/count_tokens", _guarded(anthropic.count_tokens), Payer.NOBODY),
        Route("POST", base, "/v1/complete", _metered(complete), Payer.NOBODY),
    ]


def weight_of(model: str) -> float:
    """What a token of a model counts."""
    return WEIGHTS.get(model, UNKNOWN_WEIGHT)


# -- who may ask, how often, and how much --------------------------------------------------


def _guarded(handler: Handler) -> Handler:
    """The handler for keys of the router that have not ended."""

    def handle(sandbox: Sandbox, request: Request) -> Response:
        _check_key(request)
        return handler(sandbox, request)

    return handle


def _metered(handler: Handler) -> Handler:
    """The handler within rate and budget; what it uses is counted, and the headers tell what is left."""

    def handle(sandbox: Sandbox, request: Request) -> Response:
        _check_key(request)
        with sandbox.lock:
            left = _admit(sandbox, request)
        response = handler(sandbox, request)
        model, tokens = request.used or ("", 0)
        with sandbox.lock:
            remaining = _charge(sandbox, request, weight_of(model) * tokens)
        told = {
            "X-RateLimit-Limit-Requests": str(REQUESTS_PER_MINUTE),
            "X-RateLimit-Remaining-Requests": str(left),
            "X-RateLimit-Remaining-Tokens": f"{remaining:.0f}",
        }
        return Response(response.status, {**response.headers, **told}, response.body, response.streaming)

    return handle


def _check_key(request: Request) -> None:
    account = request.account
    if account is None or not account.everywhere:
        raise Refusal("invalid_api_key", message="Incorrect API key: it is not one of this router.")
    if account.trouble is not None:
        raise Refusal("invalid_api_key", message="The API key has expired: keys live 90 days.")


def _meter(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    """What was counted for a key; the use of another day is forgotten."""
    name = request.account.name if request.account else ""
    meter: dict[str, Any] = sandbox.store("router").setdefault(name, {"times": deque(), "day": None, "used": 0.0})
    day = sandbox.clock() // _DAY_SECONDS
    if meter["day"] != day:
        meter.update(day=day, used=0.0)
    return meter


def _admit(sandbox: Sandbox, request: Request) -> int:
    """Count a request; how many more the minute takes. Raises Refusal 429 for one too many."""
    meter, now = _meter(sandbox, request), sandbox.clock()
    times = meter["times"]
    while times and times[0] <= now - _MINUTE_SECONDS:
        times.popleft()
    if len(times) >= REQUESTS_PER_MINUTE:
        wait = times[0] + _MINUTE_SECONDS - now
        headers = {"Retry-After": f"{wait:.0f}", "X-RateLimit-Remaining-Requests": "0"}
        message = f"Rate limit reached: {REQUESTS_PER_MINUTE} requests a minute."
        raise Refusal("rate_limit_exceeded", message=message, headers=headers)
    if meter["used"] >= _budget(sandbox):
        raise Refusal("insufficient_quota", message="The daily budget of weighted tokens is used up.")
    times.append(now)
    return REQUESTS_PER_MINUTE - len(times)


def _charge(sandbox: Sandbox, request: Request, weighted: float) -> float:
    """Count weighted tokens; what is left of the day."""
    meter = _meter(sandbox, request)
    meter["used"] += weighted
    return max(0.0, _budget(sandbox) - float(meter["used"]))


def _budget(sandbox: Sandbox) -> float:
    return float(sandbox.store("router").get("budget", DAILY_BUDGET))


# -- legacy text completions ---------------------------------------------------------------


def complete(sandbox: Sandbox, request: Request) -> Response:
    """Answer a prompt of turns, `\\n\\nHuman: … \\n\\nAssistant:`, in one piece or as a stream."""
    body = request.json()
    _check(body)
    ask = Ask(
        messages=list(_messages(body["prompt"])),
        thinks=False,
        max_tokens=body["max_tokens_to_sample"],
        stop=next(iter(body.get("stop_sequences") or []), None),
        fault=request.fault,
    )
    reply = answer(ask)
    request.used = body["model"], ask.prompt_tokens + reply.completion_tokens
    if body.get("stream"):
        return Response.sse(_events(request, body["model"], reply))
    return Response.json(_completion(request, body["model"], " " + reply.content, _stop_reason(reply)))


def _check(body: dict[str, Any]) -> None:
    require(body, "model", "prompt", "max_tokens_to_sample")
    checks = {
        "model": lambda v: is_text(v, 1, 256),
        "prompt": lambda v: isinstance(v, str) and _TURN.match(v) is not None and v.rstrip().endswith("\n\nAssistant:"),
        "max_tokens_to_sample": lambda v: is_integer(v, 1, 131072),
        "stream": lambda v: isinstance(v, bool),
        "stop_sequences": lambda v: isinstance(v, list) and all(isinstance(word, str) for word in v),
    }
    check_fields(body, checks, lenient=True)
    if body["model"] not in MODELS:
        raise Refusal("model_not_found", message=f"The model {body['model']} does not exist.")


def _messages(prompt: str) -> Iterator[dict[str, Any]]:
    """The turns of a prompt as messages; the last one, which is empty, is for the model."""
    _, *parts = _TURN.split(prompt)
    for who, text in zip(parts[::2], parts[1::2], strict=True):
        if text.strip():
            yield {"role": "user" if who == "Human" else "assistant", "content": text.strip()}


def _completion(request: Request, model: str, text: str, stop_reason: str | None) -> dict[str, Any]:
    return {
        "type": "completion",
        "id": f"compl_{request.log_id}",
        "completion": text,
        "stop_reason": stop_reason,
        "model": model,
    }


def _stop_reason(reply: Answer) -> str:
    return "max_tokens" if reply.finish == "length" else "stop_sequence"


def _events(request: Request, model: str, reply: Answer) -> Iterator[str]:
    for piece in chat.pieces(" " + reply.content):
        yield named_event("completion", _completion(request, model, piece, None))
    yield named_event("completion", _completion(request, model, "", _stop_reason(reply)))

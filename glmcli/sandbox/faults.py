"""Faults on request: every refusal of the service, and every way a line can break.

A name is a business code, a word of a compatible gateway or a word below, with
`+retry-after` for a header and `xN` for "N times, then let one pass": `1302`,
`1302+retry-after`, `1302x2`, `cut`. It comes by the header `X-Sandbox-Fault`,
the option `fault` of the sandbox, or `fault:NAME` in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glmcli.codes import GATEWAY_CODES
from glmcli.sandbox.exchange import Disconnect, Refusal, Request, Response, Stalled
from glmcli.sandbox.refusals import CODES, server_text

if TYPE_CHECKING:
    from glmcli.sandbox.app import Handler, Sandbox

_NAME = re.compile(r"(?P<word>[a-z0-9_-]+?)(?P<after>\+retry-after)?(?:x(?P<times>\d+))?", re.IGNORECASE)
_IN_PROMPT = re.compile(r"fault:([\w+-]+)")
_RETRY_AFTER_SECONDS = 1
_HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
#: Sizes of the pieces of `utf8`: odd enough to end inside every multi-byte character.
_SPLITS = (1, 2, 1, 5, 3, 1, 7)


@dataclass(frozen=True, slots=True)
class Fault:
    """A parsed name."""

    word: str
    retry_after: bool = False
    times: int | None = None


def parse(name: str) -> Fault:
    """The fault of a name. Raises Refusal 1210 for an unknown one."""
    found = _NAME.fullmatch(name.strip())
    word = _SYNONYMS.get(found["word"].lower(), found["word"].lower()) if found else ""
    if found is None or word not in NAMES:
        raise Refusal("1210", message=f"The sandbox knows no fault `{name}`; see `glm sandbox faults`.")
    return Fault(word, found["after"] is not None, int(found["times"]) if found["times"] else None)


def named_in_prompt(request: Request) -> str | None:
    """The fault that the last user message of a JSON body names, or the prompt of a media body."""
    body = request.parsed
    if not isinstance(body, dict):
        return None
    messages = [message for message in body.get("messages") or [] if isinstance(message, dict)]
    spoken = [message for message in messages if message.get("role") == "user"]
    text = repr(spoken[-1].get("content")) if spoken else " ".join(str(body.get(key, "")) for key in _PROMPT_FIELDS)
    found = _IN_PROMPT.search(text)
    return found[1] if found else None


_PROMPT_FIELDS = ("prompt", "input", "search_query", "url", "text", "query")


def play(name: str, sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    """Answer a request with a fault. Raises Refusal where the fault is one."""
    fault = parse(name)
    if _is_over(fault, sandbox, request):
        return handler(sandbox, request)
    if fault.word in CODES or fault.word in GATEWAY_CODES:
        from glmcli.sandbox.billing import troubled

        headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if fault.retry_after else {}
        if fault.word in GATEWAY_CODES:
            raise Refusal(fault.word, message=GATEWAY_CODES[fault.word].en.meaning, headers=headers)
        raise troubled(fault.word, sandbox.clock(), headers=headers)
    if fault.word in _FINISHES:
        request.fault = fault.word
        return handler(sandbox, request)
    return _LINE_FAULTS[fault.word][0](sandbox, request, handler)


def _is_over(fault: Fault, sandbox: Sandbox, request: Request) -> bool:
    """Whether this try passes: after `times` failures one does, then counting starts anew."""
    if fault.times is None:
        return False
    key = f"{request.account.name if request.account else ''} {request.path} {fault.word}"
    with sandbox.lock:
        counts = sandbox.store("faults")
        counts[key] = (counts.get(key, 0) + 1) % (fault.times + 1)
        return bool(counts[key] == 0)


def _html(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    return Response.bytes(_HTML, "text/html", status=502)


def _empty(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    kind = handler(sandbox, request).headers["Content-Type"]
    return Response.bytes(b"", kind)


def _slow(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    sandbox.pause(sandbox.slow_seconds)
    return handler(sandbox, request)


def _cut(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    response = handler(sandbox, request)

    def body() -> Iterator[bytes]:
        yield from _first_half(response)
        raise Disconnect("the sandbox cut the line")

    return _with_body(response, body)


def _stall(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    response = handler(sandbox, request)

    def body() -> Iterator[bytes]:
        yield from _first_half(response)
        sandbox.pause(sandbox.stall_seconds)
        raise Stalled("the sandbox stopped talking")

    return _with_body(response, body)


def _truncated(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    response = handler(sandbox, request)
    if not response.streaming:
        data = b"".join(response.body)
        return Response.bytes(data[: len(data) // 2], response.headers["Content-Type"])

    def body() -> Iterator[bytes]:
        frames = list(response.body)
        for index, frame in enumerate(frames):
            yield frame[: len(frame) // 2] + b"\n\n" if index == len(frames) // 2 else frame

    return _with_body(response, body)


def _utf8(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    response = handler(sandbox, request)

    def body() -> Iterator[bytes]:
        data, position, number = b"".join(response.body), 0, 0
        while position < len(data):
            size = _SPLITS[number % len(_SPLITS)]
            yield data[position : position + size]
            position, number = position + size, number + 1

    return _with_body(response, body)


def _error_event(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    from glmcli.sandbox.envelopes import error_event

    response = handler(sandbox, request)
    event = error_event(request, Refusal("1234")).encode()
    if not response.streaming:
        return Response.bytes(event.partition(b"data: ")[2].strip(), "application/json")

    def body() -> Iterator[bytes]:
        yield from _first_half(response)
        yield event

    return _with_body(response, body)


def _no_done(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    return _without_last(handler(sandbox, request), 1)


def _no_finish(sandbox: Sandbox, request: Request, handler: Handler) -> Response:
    return _without_last(handler(sandbox, request), 2)


def _without_last(response: Response, number: int) -> Response:
    if not response.streaming:
        return response
    return _with_body(response, lambda: iter(list(response.body)[:-number]))


def _first_half(response: Response) -> list[bytes]:
    frames = list(response.body)
    if len(frames) > 1:
        return frames[: len(frames) // 2]
    return [frame[: len(frame) // 2] for frame in frames]


def _with_body(response: Response, body: Callable[[], Iterator[bytes]]) -> Response:
    return Response(response.status, response.headers, body(), response.streaming)


_LINE_FAULTS: dict[str, tuple[Callable[[Any, Request, Any], Response], str]] = {
    "html": (_html, "502 with an HTML page, as from a proxy"),
    "empty": (_empty, "200 with nothing in it"),
    "slow": (_slow, "a slow first byte"),
    "cut": (_cut, "the line breaks in the middle of the answer"),
    "stall": (_stall, "half an answer, then silence"),
    "truncated": (_truncated, "truncated JSON: in one frame of a stream, or as the body"),
    "utf8": (_utf8, "chunk boundaries inside characters; the answer is whole"),
    "error-event": (_error_event, "an error object in the middle of the stream"),
    "no-done": (_no_done, "a stream without its end mark"),
    "no-finish": (_no_finish, "a stream with neither finish reason nor end mark"),
}
_FINISHES = {
    "network_error": "finish reason network_error after half of the content",
    "sensitive": "finish reason sensitive after half of the content",
    "length": "finish reason length after half of the content",
    "model_context_window_exceeded": "that finish reason after half of the content",
}
_SYNONYMS = {"429": "1302", "network-error": "network_error"}

#: Every name with what it does, codes first.
NAMES: dict[str, str] = {
    **{code: server_text(code) for code in CODES},
    **{word: f"as a compatible gateway says it: {entry.en.meaning}" for word, entry in GATEWAY_CODES.items()},
    **{word: meaning for word, (_, meaning) in _LINE_FAULTS.items()},
    **_FINISHES,
}

"""How much is under way for one key, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from glmcli.sandbox.exchange import Refusal, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox


def carried(sandbox: Sandbox, request: Request, answer: Callable[[], Response]) -> Response:
    """Answer a request that counts as under way until the last piece of its body leaves.

    Raises Refusal 1302 when `in_flight` requests of the key are under way already.
    """
    key = request.account.name if request.account else ""
    with sandbox.lock:
        counts = sandbox.store("in_flight")
        if sandbox.in_flight and counts.get(key, 0) >= sandbox.in_flight:
            raise Refusal("1302")
        counts[key] = counts.get(key, 0) + 1
    try:
        sandbox.pause(sandbox.work_seconds)
        response = answer()
    except BaseException:
        _leave(sandbox, key)
        raise
    return Response(response.status, response.headers, _counted(sandbox, key, response), response.streaming)


def _counted(sandbox: Sandbox, key: str, response: Response) -> Iterator[bytes]:
    """The body; the request ends before its last piece, since a client may send the next one as soon as it has it."""
    held: bytes | None = None
    is_under_way = True
    try:
        for piece in response.body:
            if held is not None:
                yield held
            held = piece
        _leave(sandbox, key)
        is_under_way = False
        if held is not None:
            yield held
    finally:
        if is_under_way:
            _leave(sandbox, key)


def _leave(sandbox: Sandbox, key: str) -> None:
    with sandbox.lock:
        sandbox.store("in_flight")[key] -= 1

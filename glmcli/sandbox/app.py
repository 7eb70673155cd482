"""The sandbox as a WSGI application: routes, keys, records, and the way of a request.

A module of the sandbox joins by a line in `MODULES` and a function

    def routes() -> list[Route]:
        return [Route("POST", PAAS, "/images/generations", create_image)]

    def create_image(sandbox: Sandbox, request: Request) -> Response:
        body = request.json()
        ...
        return Response.json({...})

Handlers refuse with `raise Refusal("1214", "size")`; the gate has checked key
and payment before. What must outlive a request stands in `sandbox.store(name)`,
changed under `sandbox.lock`. A pattern holds `{names}`, which appear in
`request.parameters`; `{rest...}` also takes slashes.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from importlib import import_module
from threading import Event, RLock
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.accounts import ACCOUNTS, Account
from glmcli.sandbox.exchange import Base, Disconnect, Refusal, Request, Response, Stalled, split_base

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

__all__ = ["MODULES", "Disconnect", "Payer", "Recorded", "Route", "Sandbox", "Stalled"]

#: Modules with routes, asked in this order; later ones are loaded only when asked.
MODULES = (
    "chat",
    "models",
    "anthropic",
    "tokenizer",
    "monitor",
    "audio",
    "media",
    "web",
    "mcp",
    "ocr",
    "files",
    "agents",
    "batch",
    "embeddings",
    "moderations",
    "voices",
    "parsing",
    "router",
)

#: Requests that are remembered, and bytes of each body.
_RECORDS = 1000
_RECORDED_BYTES = 4 * 1024 * 1024

Handler = Callable[["Sandbox", Request], Response]


class Payer(Enum):
    """Who is charged for a call; the key must be good for it."""

    BASE = "what the base charges"
    NOBODY = "a key, but no money"
    ANYONE = "not even a key"


@dataclass(frozen=True)
class Route:
    """A method and path pattern under some bases, and its handler."""

    method: str
    bases: tuple[Base, ...]
    pattern: str
    handler: Handler
    payer: Payer = Payer.BASE

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The pattern as a regular expression."""
        escaped = re.sub(r"\{(\w+)\.\.\.\}", r"(?P<\1>.+)", self.pattern)
        return re.compile(re.sub(r"(?<!\?P<)\{(\w+)\}", r"(?P<\1>[^/]+)", escaped) + "/?")

    def match(self, method: str, base: Base, path: str) -> dict[str, str] | None:
        """The values of the names in the pattern, or None."""
        if method != self.method or base not in self.bases:
            return None
        found = self.expression.fullmatch(path)
        return found.groupdict() if found else None


@dataclass(frozen=True)
class Recorded:
    """A request as it came; `body` holds at most 4 MiB."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Sandbox:
    """The service, embedded.

    region: accept only keys of `intl` or `cn` (None: both live at one address).
    fault: name of a fault that every request meets (`glmcli.sandbox.faults`).
    pace_seconds: pause before each piece of a stream.
    slow_seconds, stall_seconds: what the faults `slow` and `stall` wait.
    in_flight: refuse with 1302 what one key sends beyond so many billed requests at the same time.
    work_seconds: how long each billed request takes before its answer begins.
    lenient: ignore unknown fields of a chat request instead of refusing them.
    watch: is told of every request and what it gets, before the body leaves.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        fault: str | None = None,
        pace_seconds: float = 0.0,
        slow_seconds: float = 0.5,
        stall_seconds: float = 600.0,
        in_flight: int | None = None,
        work_seconds: float = 0.0,
        lenient: bool = False,
        watch: Callable[[Request, Response], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.region = region
        self.fault = fault
        self.pace_seconds = pace_seconds
        self.slow_seconds = slow_seconds
        self.stall_seconds = stall_seconds
        self.in_flight = in_flight
        self.work_seconds = work_seconds
        self.lenient = lenient
        self.watch = watch
        self.clock = clock
        self.accounts: dict[str, Account] = dict(ACCOUNTS)
        self.lock = RLock()
        self.requests: deque[Recorded] = deque(maxlen=_RECORDS)
        self.state: dict[str, dict[str, Any]] = {}
        self._counter = 0
        self._scripted: list[tuple[str, Response]] = []
        self._closing = Event()

    @property
    def keys(self) -> dict[str, str]:
        """The keys by account name; the four providers and `sandbox` are among them."""
        return {
            name: account.key
            for name, account in self.accounts.items()
            if self.region is None or account.everywhere or account.region == self.region
        }

    @property
    def last(self) -> Recorded:
        """The latest request."""
        with self.lock:
            return self.requests[-1]

    def store(self, name: str) -> dict[str, Any]:
        """A named dictionary that lives as long as the sandbox; change it under `lock`."""
        with self.lock:
            return self.state.setdefault(name, {})

    def number(self) -> int:
        """A number that was not given out before."""
        with self.lock:
            self._counter += 1
            return self._counter

    def script(self, path_end: str, *responses: Response) -> None:
        """Answer the next requests whose path ends so with these, one each, unchecked."""
        with self.lock:
            self._scripted += [(path_end, response) for response in responses]

    def pause(self, seconds: float) -> None:
        """Wait, but not past the end of the sandbox."""
        if seconds > 0:
            self._closing.wait(seconds)

    def close(self) -> None:
        """End every wait, so that the threads of a server can finish."""
        self._closing.set()

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = Request.from_environ(environ)
        request.log_id = self._new_log_id()
        self._record(request)
        response = self._scripted_reply(request) or self.answer(request)
        if self.watch is not None:
            self.watch(request, response)
        headers = {"X-Log-Id": request.log_id, **response.headers}
        start_response(response.status_line, list(headers.items()))
        return self._paced(response) if response.streaming and self.pace_seconds else response.body

    def answer(self, request: Request) -> Response:
        """The response to a request; refusals are already in the shape of their base."""
        try:
            return self._dispatch(request)
        except Refusal as refusal:
            from glmcli.sandbox.envelopes import refuse

            return refuse(request, refusal)

    def _dispatch(self, request: Request) -> Response:
        route = self._find_route(request)
        self._admit(request, route)
        if route.payer is not Payer.BASE or not (self.in_flight or self.work_seconds):
            return self._play(request, route)
        from glmcli.sandbox.traffic import carried

        return carried(self, request, lambda: self._play(request, route))

    def _play(self, request: Request, route: Route) -> Response:
        fault = self._find_fault(request)
        if fault is None:
            return route.handler(self, request)
        from glmcli.sandbox.faults import play

        return play(fault, self, request, route.handler)

    def _find_route(self, request: Request) -> Route:
        base, path = split_base(request.path)
        if base is not None:
            for name in MODULES:
                for route in import_module(f"glmcli.sandbox.{name}").routes():
                    found = route.match(request.method, base, path)
                    if found is not None:
                        request.parameters = found
                        return route  # type: ignore[no-any-return]  # modules are found by name
        raise Refusal("1222", f"{request.method} {request.path}", status=404)

    def _admit(self, request: Request, route: Route) -> None:
        if route.payer is Payer.ANYONE:
            return
        from glmcli.sandbox.auth import authenticate
        from glmcli.sandbox.billing import charge

        request.account = authenticate(request, self.accounts, region=self.region, now=self.clock())
        if route.payer is Payer.BASE:
            charge(request.account, request.base, self.clock())

    def _find_fault(self, request: Request) -> str | None:
        named = request.headers.get("x-sandbox-fault") or self.fault
        # A form may be large, and is read from its file.
        is_form = request.headers.get("content-type", "").startswith("multipart/")
        if named or is_form or b"fault:" not in request.body:
            return named
        from glmcli.sandbox.faults import named_in_prompt

        return named_in_prompt(request)

    def _scripted_reply(self, request: Request) -> Response | None:
        with self.lock:
            for index, (path_end, response) in enumerate(self._scripted):
                if request.path.endswith(path_end):
                    del self._scripted[index]
                    return response
        return None

    def _record(self, request: Request) -> None:
        request.file.seek(0)
        body = request.file.read(_RECORDED_BYTES)
        recorded = Recorded(request.method, request.path, request.query, request.headers, body)
        with self.lock:
            self.requests.append(recorded)

    def _paced(self, response: Response) -> Iterator[bytes]:
        for piece in response.body:
            self.pause(self.pace_seconds)
            yield piece

    def _new_log_id(self) -> str:
        """Like the service's: the time in UTC+8, then hexadecimal digits."""
        moment = time.gmtime(self.clock() + 8 * 3600)
        return f"{time.strftime('%Y%m%d%H%M%S', moment)}{self.number():016x}"

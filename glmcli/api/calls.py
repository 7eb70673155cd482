"""One call of the service, and what comes back, without any network.

Resources build `Call`s and read `Reply`s; `api.client.Client` is the `Caller`
that carries them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from glmcli.api.endpoints import Service
from glmcli.values import Value


class Body(Protocol):
    """A request body that can be produced more than once (for a retry)."""

    @property
    def content_type(self) -> str:
        """The value of the header."""

    def length(self) -> int:
        """Number of bytes of the whole body."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes, from the start."""


class JsonBody(Value):
    """A JSON document."""

    value: Mapping[str, object]
    content_type: str = "application/json"

    def encode(self) -> bytes:
        import json

        # Half of a surrogate pair becomes `\ud83d`, which is what JSON calls it.
        return json.dumps(self.value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")

    def length(self) -> int:
        return len(self.encode())

    def chunks(self) -> Iterator[bytes]:
        yield self.encode()


def json_body(value: Mapping[str, object]) -> Body:
    """The body for a JSON value; `api.jsonfiles.FileText`s inside are read while it is sent."""
    if _is_plain(value):
        return JsonBody(value)
    from glmcli.api.jsonfiles import JsonFilesBody

    return JsonFilesBody(value)


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float | bool)


class Call(Value):
    """What to ask, of which service.

    `path` is relative to the base URL of `service`. `repeatable` is False for
    the creation of something paid: such a call is repeated only when the
    service itself said that it was not accepted. `read_timeout_seconds`
    overrides the setting for calls that are slow by nature, and `auth` that of
    the profile (`api.auth`) where a service wants the key in a form of its own.
    `judge` raises the failure that an answer with HTTP 200 holds, so that it is
    repeated like any other refusal.
    """

    service: Service
    method: str
    path: str
    body: Body | None = None
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    repeatable: bool = True
    read_timeout_seconds: float | None = None
    auth: str | None = None
    judge: Callable[[Reply], None] | None = None


class Reply(Value):
    """A complete answer with status 2xx. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises ServiceError when it is something else."""
        import json

        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            from glmcli.api.faults import not_json

            raise not_json(self.status, self.headers, self.body) from None

    @property
    def request_id(self) -> str | None:
        """The log id of the service, if it sent one."""
        return self.headers.get("x-log-id") or self.headers.get("x-request-id")


class OpenReply(Protocol):
    """An answer with status 2xx whose body is still arriving."""

    @property
    def status(self) -> int:
        """HTTP status, 2xx."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Header names are lower case."""

    def chunks(self) -> Iterator[bytes]:
        """Body pieces as they arrive. Raises NetworkError when the line breaks."""


class Caller(Protocol):
    """Whatever can carry a call."""

    def send(self, call: Call) -> Reply:
        """Carry out a call and read the whole answer (see `errors` for what it raises)."""

    def open(self, call: Call) -> AbstractContextManager[OpenReply]:
        """Carry out a call and hand over the answer as it arrives."""

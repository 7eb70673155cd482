"""A request, a response and a refusal, as the handlers of the sandbox see them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from glmcli.sandbox.refusals import server_text, status_of

if TYPE_CHECKING:
    from glmcli.sandbox.accounts import Account


class Disconnect(ConnectionResetError):
    """Raised by the body of a response: the line breaks here, without a proper end."""


class Stalled(TimeoutError):
    """Raised by the body of a response that stopped talking for `stall_seconds`."""


class Base(StrEnum):
    """The path prefixes of the service (`docs/sandbox.md` lists what each one serves)."""

    GENERAL = "/api/paas/v4"
    CODING = "/api/coding/paas/v4"
    ANTHROPIC = "/api/anthropic"
    V1 = "/api/v1"
    MONITOR = "/api/monitor"
    BIZ = "/api/biz"
    MCP = "/api/mcp"
    ROUTER = "/router"  # a proxy of somebody else, in front of the service
    DOWNLOADS = "/sandbox"  # results to download, without a key


#: Both OpenAI-style bases.
PAAS = (Base.GENERAL, Base.CODING)


def split_base(path: str) -> tuple[Base | None, str]:
    """The base that a path stands under, and what follows it."""
    for base in Base:
        if path == base or path.startswith(base + "/"):
            return base, path[len(base) :] or "/"
    return None, path


class Refusal(Exception):
    """The service says no: a business code with its HTTP status and text.

    `subject` fills the place of the field, model or reset time in the text of
    the code; `message` replaces the text altogether.
    """

    def __init__(
        self,
        code: str,
        subject: str | None = None,
        *,
        message: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.status = status_of(code) if status is None else status
        self.message = server_text(code, subject) if message is None else message
        self.headers = dict(headers or {})
        super().__init__(f"{code}: {self.message}")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart form. `file` is positioned at its start."""

    name: str
    filename: str | None
    content_type: str | None
    file: IO[bytes]

    def data(self) -> bytes:
        """All bytes of the part; the file is rewound."""
        self.file.seek(0)
        data = self.file.read()
        self.file.seek(0)
        return data

    def text(self) -> str:
        """The part as text. Raises Refusal 1214 for bytes that are not UTF-8."""
        try:
            return self.data().decode()
        except UnicodeDecodeError:
            raise Refusal("1214", self.name) from None

    @property
    def size(self) -> int:
        """Number of bytes."""
        position = self.file.tell()
        size = self.file.seek(0, 2)
        self.file.seek(position)
        return size


@dataclass
class Request:
    """What a client sent. Header names are lower case, the path is decoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    file: IO[bytes]
    origin: str
    log_id: str = ""
    account: Account | None = None
    #: Values of the `{names}` in the pattern of the route.
    parameters: dict[str, str] = field(default_factory=dict)
    #: Name of the fault to play, if it is one for the handler (a finish reason).
    fault: str | None = None
    #: Model and tokens of the answer, for those who count them.
    used: tuple[str, int] | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, Any]) -> Request:
        """Read a WSGI request; a body that cannot be rewound is spooled."""
        sent = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        headers = {name[5:].replace("_", "-").lower(): value for name, value in sent.items()}
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if environ.get(name):
                headers[name.replace("_", "-").lower()] = environ[name]
        host = headers.get("host") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return cls(
            method=environ["REQUEST_METHOD"],
            # PEP 3333 hands bytes over as Latin-1.
            path=environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace"),
            query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
            headers=headers,
            file=_rewindable(environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0)),
            origin=f"{environ.get('wsgi.url_scheme', 'http')}://{host}",
        )

    @cached_property
    def base(self) -> Base | None:
        """The base that the path stands under."""
        return split_base(self.path)[0]

    @cached_property
    def body(self) -> bytes:
        """The whole body in memory."""
        self.file.seek(0)
        return self.file.read()

    @property
    def region(self) -> str:
        """Where the account lives: `intl` or `cn`."""
        return self.account.region if self.account else "intl"

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refusal 1210 when it is something else."""
        value = self.parsed
        if not isinstance(value, dict):
            raise Refusal("1210", message="Invalid API parameter: the request body is not a JSON object.")
        return value

    @cached_property
    def parsed(self) -> Any:
        """The body as JSON of any kind, or None."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def multipart(self) -> dict[str, list[Part]]:
        """The parts of a multipart form by name. Raises Refusal 1210 when it is none."""
        from glmcli.sandbox.multipart import read_parts

        boundary = re.search(r'boundary="?([^";]+)', self.headers.get("content-type", ""))
        if boundary is None:
            raise Refusal("1210", message="Invalid API parameter: Content-Type is not multipart/form-data.")
        self.file.seek(0)
        parts: dict[str, list[Part]] = {}
        for part in read_parts(self.file, boundary[1].encode()):
            parts.setdefault(part.name, []).append(part)
        return parts


@dataclass
class Response:
    """What goes back. The body is produced lazily, piece by piece."""

    status: int
    headers: dict[str, str]
    body: Iterable[bytes]
    streaming: bool = False

    @classmethod
    def json(cls, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """A JSON document."""
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return cls.bytes(data, "application/json; charset=UTF-8", status=status, headers=headers)

    @classmethod
    def bytes(
        cls, data: bytes, content_type: str, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A body of known length."""
        return cls(status, {"Content-Type": content_type, "Content-Length": str(len(data)), **(headers or {})}, (data,))

    @classmethod
    def sse(cls, events: Iterable[object], *, headers: Mapping[str, str] | None = None) -> Response:
        """Server-sent events: each one a JSON value, a payload as text, or a whole frame with its blank line."""
        head = {"Content-Type": "text/event-stream;charset=UTF-8", "Cache-Control": "no-cache", **(headers or {})}
        return cls(200, head, (_frame(event) for event in events), streaming=True)

    @property
    def status_line(self) -> str:
        """Status as WSGI wants it."""
        known = self.status in set(HTTPStatus)  # 434, 435 and 529 are nobody's standard
        return f"{self.status} {HTTPStatus(self.status).phrase if known else 'Refused'}"


def named_event(name: str, value: object) -> str:
    """A frame with an `event:` line, as the Anthropic protocol uses it."""
    return f"event: {name}\ndata: {_compact(value)}\n\n"


def _frame(event: object) -> bytes:
    text = event if isinstance(event, str) else _compact(event)
    if not text.endswith("\n\n"):
        text = f"data: {text}\n\n"
    return text.encode("utf-8", "surrogatepass")


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _rewindable(source: IO[bytes], length: int) -> IO[bytes]:
    if getattr(source, "seekable", bool)():
        return source
    from glmcli.sandbox.spooling import copy_exactly, spool  # not needed in process, where bodies are in memory

    target = spool()
    copy_exactly(source, target, length)
    target.seek(0)
    return target

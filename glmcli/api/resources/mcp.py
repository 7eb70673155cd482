"""The hosted MCP servers of a Coding Plan, by Streamable HTTP.

Sources: modelcontextprotocol.io, specification 2025-06-18, "Streamable HTTP";
docs.z.ai/devpack/mcp for the servers; `api/mcp.md` for what the live ones do
differently: tool names, JSON inside JSON, and a lost session that is worded
like a refused key.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from glmcli import __version__, codes
from glmcli.api.calls import Call, Caller, OpenReply, json_body
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, mappings, text
from glmcli.api.mcpfaults import OTHER, advice, refusal
from glmcli.api.sse import SseDecoder
from glmcli.errors import ExitCode, KeyRefused, ServiceError, StreamCut
from glmcli.language import ENGLISH

PROTOCOL_VERSION = "2025-06-18"
#: What the servers say when a session is unknown; the key is good (oh-my-pi issue 3619).
SESSION_LOST = -401
_ACCEPT = "application/json, text/event-stream"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as `tools/list` shows it. `arguments` is None when the server does not say what it takes."""

    name: str
    arguments: frozenset[str] | None = None

    def takes(self, argument: str) -> bool:
        """Whether an argument may be given; one that is not known to be refused may."""
        return self.arguments is None or argument in self.arguments


@dataclass(slots=True)
class _Session:
    headers: dict[str, str] = field(default_factory=dict)
    tools: list[Tool] = field(default_factory=list)


class _SessionLost(Exception):
    """The server does not know the session (any more)."""


class McpServer:
    """One server, `name` being its part of the path. Threads may share it: they share the session."""

    def __init__(
        self, caller: Caller, name: str, *, language: str = ENGLISH, read_timeout_seconds: float | None = None
    ) -> None:
        self.name = name
        self._caller = caller
        self._language = language
        self._read_timeout_seconds = read_timeout_seconds
        self._session: _Session | None = None
        self._lock = threading.Lock()
        self._ids = itertools.count(1)  # which threads may ask at the same time

    def tool(self, *names: str) -> Tool:
        """The tool of one of these names, however it is spelled; a server with one tool needs no name.

        The documents say `webSearchPrime`, the servers `web_search_prime`. Raises
        ServiceError when there is no such tool, and what `Caller.open` raises.
        """
        tools = self._opened().tools
        wanted = {_plain(name) for name in names}
        found = [tool for tool in tools if _plain(tool.name) in wanted] or (tools if len(tools) == 1 else [])
        if not found:
            offered = ", ".join(tool.name for tool in tools) or "none"
            raise self._refused(f"the MCP server {self.name} has no tool {names[0]!r}; it offers: {offered}")
        return found[0]

    def call(self, tool: Tool, arguments: Mapping[str, object]) -> str:
        """The text of a tool's result. A lost session is opened anew, once.

        Raises ServiceError for JSON-RPC errors and for results marked as errors.
        """
        session = self._opened()
        try:
            result = self._call(session, tool, arguments)
        except _SessionLost:
            self._forget(session)
            try:
                result = self._call(self._opened(), tool, arguments)
            except _SessionLost as lost:
                raise self._key_refused(str(lost)) from None
        said = "\n".join(text(part, "text") or "" for part in mappings(result, "content"))
        if result.get("isError") is True:
            raise refusal(said, server=self.name, language=self._language)
        return said

    def _call(self, session: _Session, tool: Tool, arguments: Mapping[str, object]) -> Mapping[str, Any]:
        return self._request(session, "tools/call", {"name": tool.name, "arguments": dict(arguments)})

    # -- the session ---------------------------------------------------------------

    def _opened(self) -> _Session:
        with self._lock:
            if self._session is None:
                try:
                    self._session = self._open()
                except _SessionLost as lost:
                    raise self._key_refused(str(lost)) from None
            return self._session

    def _forget(self, session: _Session) -> None:
        with self._lock:
            if self._session is session:  # another thread may have opened a new one already
                self._session = None

    def _open(self) -> _Session:
        session = _Session()
        params = {
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": {},
            "clientInfo": {"name": "glmcli", "version": __version__},
        }
        result = self._request(session, "initialize", params)
        session.headers["MCP-Protocol-Version"] = text(result, "protocolVersion") or PROTOCOL_VERSION
        with suppress(ServiceError):  # what is wrong shows in the next request
            self._caller.send(self._post(session, {"jsonrpc": "2.0", "method": "notifications/initialized"}))
        session.tools = [_tool(item) for item in mappings(self._request(session, "tools/list", {}), "tools")]
        return session

    # -- one message ---------------------------------------------------------------

    def _request(self, session: _Session, method: str, params: Mapping[str, object]) -> Mapping[str, Any]:
        id = next(self._ids)
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        try:
            with self._caller.open(self._post(session, message)) as reply:
                if method == "initialize" and reply.headers.get("mcp-session-id"):
                    session.headers["Mcp-Session-Id"] = reply.headers["mcp-session-id"]
                answer = _message(reply, id)
        except ServiceError as error:
            # 404 is what the specification says of a session that ended.
            if error.http_status == 404 and "Mcp-Session-Id" in session.headers:
                raise _SessionLost(error.message) from error
            raise
        if isinstance(answer.get("error"), dict):
            raise self._rpc_error(answer["error"])
        if not isinstance(answer.get("result"), dict):
            raise self._refused(f"the MCP server {self.name} answered without `result`")
        return mapping(answer, "result")

    def _post(self, session: _Session, message: Mapping[str, object]) -> Call:
        return Call(
            Service.MCP,
            "POST",
            f"/{self.name}/mcp",
            body=json_body(message),
            headers={"Accept": _ACCEPT, **session.headers},
            read_timeout_seconds=self._read_timeout_seconds,
        )

    def _rpc_error(self, error: Mapping[str, Any]) -> Exception:
        said = text(error, "message") or "no reason given"
        if error.get("code") == SESSION_LOST:
            return _SessionLost(said)
        data = error.get("data")
        quoted = said if data is None else f"{said} {data if isinstance(data, str) else json.dumps(data)}"
        return refusal(quoted, server=self.name, language=self._language)

    def _key_refused(self, said: str) -> KeyRefused:
        return KeyRefused(
            f"the MCP server {self.name} does not accept the key: {said}",
            hint="does the key belong to a Coding Plan of this region? run glm doctor",
            kind=codes.AUTH,
            exit_code=ExitCode.AUTH,
        )

    def _refused(self, message: str) -> ServiceError:
        return ServiceError(message, hint=advice(OTHER, self._language))


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _tool(item: Mapping[str, Any]) -> Tool:
    properties = mapping(item, "inputSchema").get("properties")
    arguments = frozenset(properties) if isinstance(properties, dict) and properties else None
    return Tool(text(item, "name") or "", arguments)


def _message(reply: OpenReply, id: int) -> Mapping[str, Any]:
    """The answer to request `id`; what the server says besides is passed over.

    Raises StreamCut when the body ends without it, ServiceError for a body of neither form.
    """
    if "event-stream" not in reply.headers.get("content-type", ""):
        body = b"".join(reply.chunks())
        answer = _parsed(body)
        if isinstance(answer, list):  # a batch, as the older versions of the protocol have it
            answer = next((item for item in answer if isinstance(item, dict) and _is_answer(item, id)), None)
        if not isinstance(answer, dict):
            from glmcli.api.faults import not_json

            raise not_json(reply.status, reply.headers, body)
        return answer
    for data in _events(reply):
        answer = _parsed(data)
        if isinstance(answer, dict) and _is_answer(answer, id):
            return answer
    raise StreamCut("the MCP server ended its answer before the result came")


def _is_answer(message: Mapping[str, Any], id: int) -> bool:
    """Whether a message answers request `id`; an error may not know which request it belongs to."""
    return str(message.get("id")) == str(id) or (message.get("id") is None and "error" in message)


def _events(reply: OpenReply) -> Iterator[str]:
    decoder = SseDecoder()
    for chunk in reply.chunks():
        yield from (event.data for event in decoder.feed(chunk))
    yield from (event.data for event in decoder.finish())


def _parsed(data: str | bytes) -> object:
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value


def decoded(said: str) -> object:
    """The object or list that a tool's text holds, decoded up to twice; else the text itself.

    A search gives JSON whose value is again a JSON text (zai-org/GLM-5 issue 36).
    """
    value: object = said
    for _ in range(2):
        if isinstance(value, str):
            inner = _parsed(value)
            value = value if inner is None else inner
    if isinstance(value, dict | list | str):
        return value
    return said  # a lone number or word is the text that it looks like

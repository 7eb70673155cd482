"""The hosted MCP servers of a Coding Plan, by Streamable HTTP.

Sources: docs.z.ai/devpack/mcp for servers and arguments; live observations for
what the documents leave out: tool names in snake case, JSON inside JSON as the
text of a search, -401 for a call without a session, and answers that come as
JSON or as events, here by turns. Search, reader and zread share one pool of calls.

Words in a query: `expire` ends the session before the call, `plain` answers
with text that is no JSON; those of `glmcli.sandbox.web` work too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.app import Payer, Route
from glmcli.sandbox.exchange import Base, Refusal, Request, Response
from glmcli.sandbox.refusals import RESETS_AFTER_SECONDS, reset_text, server_text
from glmcli.sandbox.web import RECENCIES, page, results

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18")
#: Calls of search, reader and zread together in a month (docs.z.ai/devpack/overview).
POOLS = {"lite": 100, "pro": 1000, "max": 4000}
_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of a server; `work` gives the text of its result."""

    name: str
    description: str
    properties: Mapping[str, Mapping[str, Any]]
    required: tuple[str, ...]
    work: Callable[[Mapping[str, Any], float], str]

    def listed(self) -> dict[str, Any]:
        """The tool as `tools/list` shows it."""
        schema = {"type": "object", "properties": self.properties, "required": list(self.required)}
        return {"name": self.name, "description": self.description, "inputSchema": schema}


def _search(arguments: Mapping[str, Any], now: float) -> str:
    if "plain" in arguments["search_query"]:
        return "The sandbox answers in plain text."
    # JSON inside JSON: what the live server does (zai-org/GLM-5 issues 36 and 60).
    return json.dumps(json.dumps(results(arguments, now=now), ensure_ascii=False), ensure_ascii=False)


def _read(arguments: Mapping[str, Any], now: float) -> str:
    return json.dumps(page(arguments), ensure_ascii=False)


def _zread(arguments: Mapping[str, Any], now: float) -> str:
    return f"The sandbox has read nothing in {arguments['repo_name']}."


_REPOSITORY = {"repo_name": _TEXT}
SERVERS: dict[str, tuple[Tool, ...]] = {
    "web_search_prime": (
        Tool(
            "web_search_prime",
            "Search the web.",
            {
                "search_query": _TEXT,
                "search_recency_filter": {**_TEXT, "enum": list(RECENCIES)},
                "search_domain_filter": _TEXT,
                "content_size": {**_TEXT, "enum": ["medium", "high"]},
                "location": {**_TEXT, "enum": ["cn", "us"]},
            },
            ("search_query",),
            _search,
        ),
    ),
    "web_reader": (
        Tool(
            "webReader",
            "Read a page.",
            {
                "url": _TEXT,
                "timeout": {"type": "integer"},
                "no_cache": _FLAG,
                "return_format": {**_TEXT, "enum": ["markdown", "text"]},
                "retain_images": _FLAG,
                "no_gfm": _FLAG,
                "keep_img_data_url": _FLAG,
                "with_images_summary": _FLAG,
                "with_links_summary": _FLAG,
            },
            ("url",),
            _read,
        ),
    ),
    "zread": (
        Tool("search_doc", "Search a repository.", {**_REPOSITORY, "query": _TEXT}, ("repo_name", "query"), _zread),
        Tool("get_repo_structure", "List a repository.", {**_REPOSITORY, "dir_path": _TEXT}, ("repo_name",), _zread),
        Tool("read_file", "Read a file.", {**_REPOSITORY, "file_path": _TEXT}, ("repo_name", "file_path"), _zread),
    ),
}


class RpcError(Exception):
    """A JSON-RPC error: its number and message."""

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        self.message = message
        super().__init__(message)


def routes() -> list[Route]:
    """The routes of this module. Tools are charged by the call, not at the gate."""
    return [Route("POST", (Base.MCP,), "/{server}/mcp", answer, Payer.NOBODY)]


def answer(sandbox: Sandbox, request: Request) -> Response:
    """One JSON-RPC message: a request gets its result or error, a notification 202."""
    tools = SERVERS.get(request.parameters["server"])
    if tools is None:
        raise Refusal("1222", request.path, status=404)
    accepted = request.headers.get("accept", "")
    if not all(kind in accepted for kind in ("application/json", "text/event-stream")):
        return _reply(request, None, error=(-32600, "Not Acceptable"), status=406)
    message = request.json()
    if message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        return _reply(request, message.get("id"), error=(-32600, "Invalid Request"), status=400)
    if "id" not in message:
        return Response.bytes(b"", "application/json", status=202)
    try:
        result, headers = _result(sandbox, request, tools, message)
    except RpcError as error:
        return _reply(request, message["id"], error=(error.number, error.message))
    return _reply(request, message["id"], result=result, headers=headers, as_events=_is_turn_of_events(sandbox))


def _is_turn_of_events(sandbox: Sandbox) -> bool:
    with sandbox.lock:
        turns = sandbox.store("mcp turns")
        turns["events"] = not turns.get("events", False)
        return bool(turns["events"])


def _reply(
    request: Request,
    id: object,
    *,
    result: object = None,
    error: tuple[int, str] | None = None,
    headers: Mapping[str, str] | None = None,
    status: int = 200,
    as_events: bool = False,
) -> Response:
    said = {"error": {"code": error[0], "message": error[1]}} if error else {"result": result}
    message = {"jsonrpc": "2.0", "id": id, **said}
    if not as_events:
        return Response.json(message, status=status, headers=headers)
    text = json.dumps(message, ensure_ascii=False)
    return Response.sse(
        [f": stream of {request.log_id}\n\n", f"id: 1\nevent: message\ndata: {text}\n\n"], headers=headers
    )


def _result(
    sandbox: Sandbox, request: Request, tools: tuple[Tool, ...], message: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    method, parameters = message["method"], message.get("params") or {}
    if method == "initialize":
        return _open_session(sandbox, request, parameters)
    _check_session(sandbox, request, parameters)
    if method == "tools/list":
        return {"tools": [tool.listed() for tool in tools]}, {}
    if method == "tools/call":
        return _call(sandbox, request, tools, parameters), {}
    if method == "ping":
        return {}, {}
    raise RpcError(-32601, f"Method not found: {method}")


def _open_session(
    sandbox: Sandbox, request: Request, parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    if not isinstance(parameters.get("clientInfo"), dict) or not isinstance(parameters.get("capabilities"), dict):
        raise RpcError(-32602, "Invalid initialize parameters")
    wanted = parameters.get("protocolVersion")
    session = token_hex(16)
    with sandbox.lock:
        sandbox.store("mcp sessions")[session] = _owner(request)
    result = {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": f"sandbox-{request.parameters['server']}", "version": "1.0"},
    }
    return result, {"Mcp-Session-Id": session}


def _owner(request: Request) -> str:
    return f"{request.account.name if request.account else ''} {request.parameters['server']}"


def _check_session(sandbox: Sandbox, request: Request, parameters: Mapping[str, Any]) -> None:
    session = request.headers.get("mcp-session-id", "")
    sessions = sandbox.store("mcp sessions")
    query = str((parameters.get("arguments") or {}).get("search_query", ""))
    with sandbox.lock:
        expired = "expire" in query and sandbox.store("mcp expired").setdefault(query, session) == session
        if expired:
            sessions.pop(session, None)
        if sessions.get(session) != _owner(request):
            # The service's own words, although the key is good (oh-my-pi issue 3619).
            raise RpcError(-401, "Api key not found")


# -- calls -------------------------------------------------------------------------------


def _call(sandbox: Sandbox, request: Request, tools: tuple[Tool, ...], parameters: Mapping[str, Any]) -> dict[str, Any]:
    tool = next((tool for tool in tools if tool.name == parameters.get("name")), None)
    if tool is None:
        raise RpcError(-32602, f"Tool not found: {parameters.get('name')}")
    arguments = parameters.get("arguments") or {}
    wrong = _wrong(tool, arguments)
    if wrong:
        return _failed(f"MCP error -400: {wrong}")
    refused = _charge(sandbox, request)
    if refused:
        return _failed(refused)
    try:
        text = tool.work(arguments, sandbox.clock())
    except Refusal as refusal:
        return _failed(f"MCP error -400: {refusal.message}")
    return {"content": [{"type": "text", "text": text}], "isError": False}


def _failed(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": True}


_TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int}


def _wrong(tool: Tool, arguments: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments of a call."""
    for name in tool.required:
        if not arguments.get(name):
            return f"missing required argument {name}"
    for name, value in arguments.items():
        schema = tool.properties.get(name)
        if schema is None:
            return f"unknown argument {name}"
        if not isinstance(value, _TYPES[schema["type"]]) or value not in schema.get("enum", [value]):
            return f"invalid argument {name}"
    return None


def _charge(sandbox: Sandbox, request: Request) -> str | None:
    """Take one call from the pool of the plan, or say why not."""
    account = request.account
    if account is None or account.plan is None:
        return _error_text("1113", server_text("1113"))
    if account.trouble is not None:
        after = RESETS_AFTER_SECONDS.get(account.trouble)
        subject = reset_text(sandbox.clock() + after) if after else None
        return _error_text(account.trouble, server_text(account.trouble, subject))
    with sandbox.lock:
        used = sandbox.store("mcp calls")
        used[account.name] = used.get(account.name, 0) + 1
        if account.tools_used_up or used[account.name] > POOLS[account.plan]:
            moment = reset_text(sandbox.clock() + RESETS_AFTER_SECONDS["1310"])
            return _error_text("1310", server_text("1310", moment))
    return None


def _error_text(code: str, message: str) -> str:
    """A refusal of the service in quotes; the exact form is documented nowhere."""
    return "MCP error -429: " + json.dumps({"error": {"code": code, "message": message}})

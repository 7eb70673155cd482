"""The MCP client: sessions, both forms of answers, and what refusals mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from glmcli.api.calls import Call, JsonBody, OpenReply, Reply
from glmcli.api.mcpfaults import refusal
from glmcli.api.resources.mcp import McpServer, Tool, decoded
from glmcli.errors import ExitCode, GlmError, KeyRefused, ServiceError, StreamCut
from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.exchange import Request, Response
from tests.harness import Changes, Glm, ScriptedServer

TOOLS = {"tools": [{"name": "web_search_prime", "inputSchema": {"properties": {"search_query": {}}}}]}


def result(id: int, value: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": id, "result": value}


@dataclass
class Answered:
    """One answer, byte by byte."""

    status: int
    headers: dict[str, str]
    body: bytes

    def chunks(self) -> Iterator[bytes]:
        for index in range(len(self.body)):
            yield self.body[index : index + 1]


@dataclass
class Servers:
    """A caller that plays an MCP server from a table: method -> answers, the last one again and again."""

    answers: dict[str, list[Any]]
    as_events: bool = False
    sent: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def send(self, call: Call) -> Reply:
        self._note(call)
        return Reply(202, {}, b"")

    @contextmanager
    def open(self, call: Call) -> Iterator[OpenReply]:
        message = self._note(call)
        waiting = self.answers[message["method"]]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(answer, GlmError):
            raise answer
        if isinstance(answer, bytes):
            yield Answered(200, {"content-type": "text/event-stream"}, answer)
            return
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer})
        headers = {"content-type": "application/json", "mcp-session-id": f"s{len(self.sent)}"}
        if self.as_events:
            headers["content-type"] = "text/event-stream"
            body = f": hello\n\nevent: message\ndata: {json.dumps({'method': 'log'})}\n\ndata: {body}\n\n"
        yield Answered(200, headers, body.encode())

    def _note(self, call: Call) -> dict[str, Any]:
        assert isinstance(call.body, JsonBody)
        message = dict(call.body.value)
        self.sent.append((str(message["method"]), dict(call.headers or {})))
        return message


def talking(call: object = None, **answers: list[Any]) -> Servers:
    said = call or {"result": {"content": [{"type": "text", "text": "hello"}]}}
    usual: dict[str, list[Any]] = {
        "initialize": [{"result": {"protocolVersion": "2025-03-26"}}],
        "tools/list": [{"result": TOOLS}],
    }
    return Servers({**usual, "tools/call": [said], **answers})


@pytest.mark.parametrize("as_events", [False, True], ids=["json", "events"])
def test_the_handshake(as_events: bool) -> None:
    """Four messages; session and version in all but the first; both kinds are accepted in each."""
    caller = talking()
    caller.as_events = as_events
    server = McpServer(caller, "web_search_prime")
    assert server.call(server.tool("webSearchPrime"), {"search_query": "x"}) == "hello"
    assert [method for method, _ in caller.sent] == [
        "initialize", "notifications/initialized", "tools/list", "tools/call",
    ]  # fmt: skip
    assert all(headers["Accept"] == "application/json, text/event-stream" for _, headers in caller.sent)
    first, *others = [headers for _, headers in caller.sent]
    assert "Mcp-Session-Id" not in first
    assert {(h["Mcp-Session-Id"], h["MCP-Protocol-Version"]) for h in others} == {("s1", "2025-03-26")}


def test_a_second_call_uses_the_session() -> None:
    """Nothing is opened twice."""
    caller = talking()
    server = McpServer(caller, "web_search_prime")
    for _ in range(3):
        server.call(server.tool("web_search_prime"), {})
    assert len(caller.sent) == 6


def test_a_server_without_sessions() -> None:
    """No header comes, none is sent, all goes on."""
    caller = talking()
    caller.answers["initialize"] = [b'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n']
    server = McpServer(caller, "web_search_prime")
    assert server.call(server.tool("web_search_prime"), {}) == "hello"
    assert "Mcp-Session-Id" not in caller.sent[-1][1]


LOST = {"error": {"code": -401, "message": "Api key not found"}}


@pytest.mark.parametrize(
    "lost", [LOST, ServiceError("no such session", http_status=404)], ids=["-401", "404 as the specification has it"]
)
def test_a_lost_session_is_opened_anew_once(lost: object) -> None:
    """The call is repeated with the new session."""
    caller = talking()
    caller.answers["tools/call"].insert(0, lost)
    server = McpServer(caller, "web_search_prime")
    assert server.call(server.tool("web_search_prime"), {}) == "hello"
    assert [method for method, _ in caller.sent].count("initialize") == 2
    assert caller.sent[-1][1]["Mcp-Session-Id"] == "s5"


@pytest.mark.parametrize("where", ["initialize", "tools/list", "tools/call"])
def test_a_session_lost_again_is_about_the_key(where: str) -> None:
    """Once is an accident; then it is told as what it says."""
    caller = talking(**{where: [LOST]})
    server = McpServer(caller, "web_search_prime")
    with pytest.raises(KeyRefused, match="Api key not found") as caught:
        server.call(server.tool("web_search_prime"), {})
    assert caught.value.exit_code == ExitCode.AUTH
    assert [method for method, _ in caller.sent].count("initialize") <= 2


def test_no_address_is_not_a_lost_session() -> None:
    """404 before there is a session is what it is."""
    with pytest.raises(ServiceError, match="nowhere"):
        McpServer(talking(initialize=[ServiceError("nowhere", http_status=404)]), "x").tool("y")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["web_search_prime"], "web_search_prime"),
        (["webSearchPrime"], "webSearchPrime"),
        (["somethingElse"], "somethingElse"),
        (["other", "Web-Search-Prime"], "Web-Search-Prime"),
        (["other", "another"], None),
        ([], None),
    ],
    ids=["live", "documented", "the only one", "another spelling", "none of them", "no tools"],
)
def test_the_tool_is_taken_from_the_list(names: list[str], found: str | None) -> None:
    """However it is spelled."""
    listed = {"result": {"tools": [{"name": name} for name in names]}}
    server = McpServer(talking(**{"tools/list": [listed]}), "web_search_prime")
    if found is None:
        with pytest.raises(ServiceError, match="has no tool"):
            server.tool("web_search_prime")
    else:
        assert server.tool("web_search_prime").name == found


def test_arguments_are_those_of_the_schema() -> None:
    """A server that says what it takes is believed; one that does not gets everything."""
    listed = McpServer(talking(), "web_search_prime").tool("web_search_prime")
    assert (listed.takes("search_query"), listed.takes("count")) == (True, False)
    assert Tool("x").takes("count")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", StreamCut),
        (b'data: {"jsonrpc":"2.0","id":9', StreamCut),
        (b'data: {"jsonrpc":"2.0","id":4711,"result":{}}\n\n', StreamCut),
        (b'data: {"jsonrpc":"2.0","id":1}\n\n', ServiceError),
        (b'data: {"jsonrpc":"2.0","id":1,"result":[]}\n\n', ServiceError),
    ],
    ids=["empty", "half", "another id", "neither result nor error", "strange result"],
)
def test_broken_answers(body: bytes, error: type[GlmError]) -> None:
    """None is taken for a result."""
    with pytest.raises(error):
        McpServer(talking(initialize=[body]), "web_search_prime").tool("x")


@pytest.mark.parametrize("id", ['"1"', "null"])
def test_an_id_may_change_its_type(id: str) -> None:
    """Or get lost on the way to an error."""
    body = f'data: {{"jsonrpc":"2.0","id":{id},"error":{{"code":-32000,"message":"no such thing"}}}}\n\n'
    with pytest.raises(ServiceError, match="no such thing"):
        McpServer(talking(initialize=[body.encode()]), "web_search_prime").tool("x")


NO_BALANCE = 'MCP error -429: {"error":{"code":"1113","message":"Insufficient balance"}}'
WINDOW = (
    'MCP error -429: {"error":{"code":1310,"message":"Weekly/Monthly Limit Exhausted. '
    'Your limit will reset at 2026-12-01 00:00:00"}}'
)


@pytest.mark.parametrize(
    ("said", "exit_code", "code"),
    [
        (WINDOW, ExitCode.LIMIT, "1310"),
        (NO_BALANCE, ExitCode.BALANCE, "1113"),
        ("[1309][Your GLM Coding Plan has expired][20260101]", ExitCode.BALANCE, "1309"),
        ("error code: 1302, slow down", ExitCode.LIMIT, "1302"),
        ("Monthly quota of 1000 calls is used up", ExitCode.LIMIT, None),
        ("本月额度已用尽", ExitCode.LIMIT, None),
        ("This tool needs a Coding Plan subscription", ExitCode.BALANCE, None),
        ("the page cannot be fetched", ExitCode.FAILED, None),
        ('{"message": "odd"}', ExitCode.FAILED, None),
        ("", ExitCode.FAILED, None),
    ],
    ids=["window", "balance", "brackets", "code in words", "free", "chinese", "no plan", "other", "json", "empty"],
)
@pytest.mark.parametrize("form", ["isError", "JSON-RPC error"])
def test_refusals(form: str, said: str, exit_code: ExitCode, code: str | None) -> None:
    """By the business code where one is quoted, by the words where not; always with a way out."""
    marked: dict[str, Any] = {"result": {"isError": True, "content": [{"type": "text", "text": said}]}}
    if form != "isError":
        marked = {"error": {"code": -32000, "message": said}}
    server = McpServer(talking(marked), "web_search_prime")
    with pytest.raises(ServiceError) as caught:
        server.call(server.tool("web_search_prime"), {})
    assert (caught.value.exit_code, caught.value.code) == (exit_code, code)
    assert caught.value.hint


def test_a_window_says_when_it_opens() -> None:
    """The reset time is read from the quoted text, and the balance is offered."""
    error = refusal(WINDOW, server="web_search_prime")
    assert error.reset_at == 1796054400
    assert "--via general" in str(error.hint)
    assert "--via general" in str(refusal(WINDOW, server="x", language="zh").hint)
    assert "余额" in str(refusal(NO_BALANCE, server="x", language="zh").hint)


def test_a_refusal_does_not_quote_a_key() -> None:
    """Some servers repeat the header."""
    quoted = refusal("bad: Bearer feedfacefeedfacefeedfacefeedface.TESTKEYneverShown", server="x")
    assert "TESTKEY" not in quoted.message


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("[1]", [1]),
        ('"[1]"', [1]),
        (json.dumps(json.dumps(json.dumps([1]))), "[1]"),
        ("words", "words"),
        ("# 1", "# 1"),
        ("42", "42"),
        ("true", "true"),
        ("null", "null"),
        ('"42"', '"42"'),
    ],
)
def test_json_inside_json(said: str, value: object) -> None:
    """Up to twice; what is no object, list or text stays the text that it was."""
    assert decoded(said) == value


# -- with the sandbox ----------------------------------------------------------------------


def _plan(server: ScriptedServer, account: str = "zai-coding") -> Changes:
    return {"ZAI_API_KEY": None, "ZAI_CODING_API_KEY": server.keys[account]}


def test_an_expired_session_is_not_felt(glm: Glm, server: ScriptedServer) -> None:
    """One new session, and the results."""
    found = glm("search", "expire", "--urls-only", env=_plan(server))
    assert (found.exit_code, len(found.stdout.splitlines())) == (0, 10)
    methods = [request.json["method"] for request in server.requests]
    assert methods.count("initialize") == 2
    assert methods.count("tools/call") == 2


@pytest.mark.parametrize(
    ("account", "exit_code", "code"),
    [
        ("zai-tools-used-up", ExitCode.LIMIT, "1310"),
        ("zai-plan-expired", ExitCode.BALANCE, "1309"),
        ("zai", ExitCode.BALANCE, "1113"),
    ],
)
def test_what_the_plan_does_not_pay(
    glm: Glm, server: ScriptedServer, account: str, exit_code: ExitCode, code: str
) -> None:
    """The same exit codes as everywhere; while there is a plan, the balance is the way out."""
    refused = glm("search", "rust", "--json", env=_plan(server, account))
    assert (refused.exit_code, refused.error["code"]) == (exit_code, code)
    assert refused.error["hint"]
    assert ("--via general" in refused.error["hint"]) == (code == "1310")


def test_a_wrong_key_is_a_wrong_key(glm: Glm, server: ScriptedServer) -> None:
    """401 at the first message."""
    env = {"ZAI_API_KEY": None, "ZAI_CODING_API_KEY": "feedfacefeedfacefeedfacefeedface.TESTKEYneverShown"}
    assert glm("search", "rust", env=env).exit_code == ExitCode.AUTH


class Refusing(Sandbox):
    """Answers the first call of a tool with a refusal inside of HTTP 200."""

    refusal = ""

    def answer(self, request: Request) -> Response:
        message = request.parsed
        if not self.refusal or message["method"] != "tools/call":
            return super().answer(request)
        text, self.refusal = self.refusal, ""
        result = {"isError": True, "content": [{"type": "text", "text": f"MCP error -429: {text}"}]}
        return Response.json({"jsonrpc": "2.0", "id": message["id"], "result": result})


class TestRefusedOnce:
    """Refusals that the client does not see, because they come with HTTP 200."""

    @pytest.fixture
    def sandbox(self) -> Refusing:
        return Refusing()

    @pytest.mark.parametrize(
        ("refusal", "argv"),
        [
            ('{"error":{"code":"1302","message":"Rate limit reached"}}', []),
            ('{"error":{"code":"1310","message":"Your limit will reset at 2020-01-01 00:00:00"}}', ["--wait"]),
        ],
        ids=["rate limit", "window with --wait"],
    )
    def test_repeated_as_any_other(
        self, glm: Glm, server: ScriptedServer, sandbox: Refusing, monkeypatch: Any, refusal: str, argv: list[str]
    ) -> None:
        """After the usual pause, and told."""
        slept: list[float] = []
        monkeypatch.setattr("time.sleep", slept.append)
        sandbox.refusal = refusal
        found = glm("search", "rust", "--urls-only", *argv, env=_plan(server))
        assert (found.exit_code, len(found.stdout.splitlines())) == (0, 10)
        assert "trying again" in found.stderr
        assert slept

    def test_not_without_wait(self, glm: Glm, server: ScriptedServer, sandbox: Refusing) -> None:
        """A window that is used up is a failure unless somebody wants to wait."""
        sandbox.refusal = '{"error":{"code":"1310","message":"Your limit will reset at 2020-01-01 00:00:00"}}'
        assert glm("search", "rust", env=_plan(server)).exit_code == ExitCode.LIMIT


@pytest.mark.parametrize("fault", ["1302x1", "500x1", "utf8"])
def test_faults_on_the_way(glm: Glm, server: ScriptedServer, fault: str) -> None:
    """Retried as any call is; characters may be cut anywhere."""
    server.sandbox.fault = fault
    assert "沙盒结果" in glm("search", "rust", env=_plan(server)).stdout


def test_a_proxy_page_is_told_as_one(glm: Glm, server: ScriptedServer) -> None:
    """HTML with status 200 is no JSON-RPC."""
    page = b"<html><title>Log in</title></html>"
    server.script("POST", "/web_search_prime/mcp", body=page, headers={"Content-Type": "text/html"})
    result = glm("search", "rust", env=_plan(server))
    assert (result.exit_code, "Log in" in result.stderr) == (ExitCode.FAILED, True)

"""Web search, reader and the hosted MCP servers of the sandbox."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server
from tests.sandbox.conftest import Answer, Caller

SEARCH = "/api/paas/v4/web_search"
READER = "/api/paas/v4/reader"
INTL = {"search_engine": "search-prime", "search_query": "rust release"}
CN = {"search_engine": "search_std", "search_query": "量子计算", "search_intent": False}
PRIME = "/api/mcp/web_search_prime/mcp"
MCP_HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


# -- search ------------------------------------------------------------------------------


def test_results_have_the_documented_fields(call: Caller) -> None:
    """All are texts; Z.AI adds neither an intent nor a request id."""
    answer = call("POST", SEARCH, {**INTL, "count": 2}).json
    assert set(answer) == {"id", "created", "search_result"}
    assert [set(item) for item in answer["search_result"]] == [
        {"title", "content", "link", "media", "icon", "refer", "publish_date"}
    ] * 2


def test_china_adds_the_intent(call: Caller) -> None:
    """Query, intent and keywords; `search_intent` may find that no search is needed."""
    answer = call("POST", SEARCH, CN, key="zhipu").json
    assert answer["search_intent"] == [{"query": "量子计算", "intent": "SEARCH_ALWAYS", "keywords": "量子计算"}]
    assert (len(answer["search_result"]), bool(answer["request_id"])) == (10, True)
    small_talk = call("POST", SEARCH, {**CN, "search_query": "你好", "search_intent": True}, key="zhipu").json
    assert (small_talk["search_intent"][0]["intent"], small_talk["search_result"]) == ("SEARCH_NONE", [])


@pytest.mark.parametrize(
    ("key", "base", "changes", "code"),
    [
        pytest.param("zai", INTL, {}, None, id="good"),
        pytest.param("zai", INTL, {"search_engine": None}, "1213", id="no engine"),
        pytest.param("zai", INTL, {"search_query": None}, "1213", id="no query"),
        pytest.param("zai", INTL, {"search_query": " "}, "1214", id="empty query"),
        pytest.param("zai", INTL, {"search_engine": "search_std"}, "1214", id="engine of China"),
        pytest.param("zhipu", CN, {"search_engine": "search-prime"}, "1214", id="engine of Z.AI"),
        pytest.param("sandbox", INTL, {"search_engine": "search_std"}, None, id="the sandbox takes both"),
        pytest.param("zhipu", CN, {"search_intent": None}, "1213", id="intent is required in China"),
        pytest.param("zhipu", CN, {"search_query": "字" * 70}, None, id="70 characters"),
        pytest.param("zhipu", CN, {"search_query": "字" * 71}, "1214", id="71 characters"),
        pytest.param("zai", INTL, {"search_query": "x" * 500}, None, id="no limit at Z.AI"),
        pytest.param("zai", INTL, {"count": 51}, "1214", id="count"),
        pytest.param(
            "zhipu", CN, {"search_engine": "search_pro_sogou", "count": 15}, "1214", id="sogou counts in tens"
        ),
        pytest.param("zhipu", CN, {"search_engine": "search_pro_sogou", "count": 20}, None, id="sogou"),
        pytest.param("zai", INTL, {"search_recency_filter": "week"}, "1214", id="recency"),
        pytest.param("zai", INTL, {"search_domain_filter": "https://a.example/"}, "1214", id="domain"),
        pytest.param("zhipu", CN, {"content_size": "low"}, "1214", id="content size"),
        pytest.param("zai", INTL, {"request_id": "short"}, "1214", id="request id"),
        pytest.param("zai", INTL, {"location": "us"}, "1210", id="unknown field"),
        pytest.param("zai-coding", INTL, {}, "1113", id="not paid by the plan"),
    ],
)
def test_search_checks(call: Caller, key: str, base: dict[str, Any], changes: dict[str, Any], code: str | None) -> None:
    """What the documents of the region forbid is refused."""
    body = {name: value for name, value in {**base, **changes}.items() if value is not None}
    answer = call("POST", SEARCH, body, key=key)
    assert (answer.status, answer.json.get("error", {}).get("code")) == (_status(code), code)


def _status(code: str | None) -> int:
    return {None: 200, "1113": 429}.get(code, 400)


def test_the_coding_base_reads_but_does_not_search(call: Caller) -> None:
    """Reports from plan users: the reader answers there, a search wants balance."""
    coding = "/api/coding/paas/v4"
    assert call("POST", f"{coding}/web_search", INTL, key="zai-coding").code == "1113"
    assert call("POST", f"{coding}/web_search", INTL, key="zai-both").status == 200
    assert call("POST", f"{coding}/reader", {"url": "https://example.com"}, key="zai-coding").status == 200


def test_filters_show_in_the_results(call: Caller) -> None:
    """Links lie in the domain, dates in the time, and both together switch the count off."""
    fields = {"search_domain_filter": "docs.example", "search_recency_filter": "oneWeek", "count": 3}
    found = call("POST", SEARCH, {**INTL, **fields}).json["search_result"]
    assert len(found) == 10
    assert all(item["link"].startswith("https://docs.example/") for item in found)
    assert call("POST", SEARCH, {**INTL, "search_query": "nothing"}).json["search_result"] == []


@pytest.mark.parametrize("code", ["1701", "1702", "1703"])
def test_search_faults(call: Caller, code: str) -> None:
    """The codes of search alone, by words in the query."""
    assert call("POST", SEARCH, {**INTL, "search_query": f"fault:{code} x"}).code == code


# -- reader ------------------------------------------------------------------------------


def _page(call: Caller, **fields: Any) -> dict[str, Any]:
    answer = call("POST", READER, {"url": "https://example.com/a", **fields})
    assert answer.status == 200, answer.data
    result: dict[str, Any] = answer.json["reader_result"]
    return result


def test_every_option_of_the_reader_shows(call: Caller) -> None:
    """Each changes what the page holds."""
    plain = _page(call)
    assert (plain["title"], plain["url"]) == ("Sandbox page /a", "https://example.com/a")
    assert "![Image 1](https://example.com/box.png)" in plain["content"]
    assert "![" not in _page(call, retain_images=False)["content"]
    assert "data:image/png" in _page(call, keep_img_data_url=True)["content"]
    assert "|---" not in _page(call, no_gfm=True)["content"]
    assert "#" not in _page(call, return_format="text")["content"]
    assert _page(call, with_links_summary=True)["links"]
    assert _page(call, with_images_summary=True)["images"]
    assert _page(call, url="https://example.com/empty")["content"] == ""


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"url": None}, "1213"),
        ({"url": "example.com"}, "1214"),
        ({"url": "file:///etc/passwd"}, "1214"),
        ({"timeout": "20"}, "1214"),
        ({"return_format": "html"}, "1214"),
        ({"retain_images": "no"}, "1214"),
        ({"user_id": "me"}, "1214"),
        ({"depth": 2}, "1210"),
    ],
    ids=str,
)
def test_reader_checks(call: Caller, fields: dict[str, Any], code: str) -> None:
    """Types and values of the documents."""
    assert call("POST", READER, {"url": "https://example.com", **fields}).code == code


@pytest.mark.filterwarnings("ignore")  # the SDK's own
@pytest.mark.parametrize("key", ["zai", "zhipu"])
def test_the_official_sdk_searches_and_reads(key: str) -> None:
    """zai-sdk, which we did not write, finds results and page where it expects them."""
    import zai

    sandbox = Sandbox()
    with Server(sandbox) as server:
        client = zai.ZaiClient(api_key=sandbox.keys[key], base_url=f"{server.address}/api/paas/v4", max_retries=0)
        fields: dict[str, Any] = {**(INTL if key == "zai" else CN), "count": 2}
        found: Any = client.web_search.web_search(**fields)
        read: Any = client.web_reader.web_reader(url="https://example.com/a", retain_images=False)
    assert [item["link"] for item in found.model_dump()["search_result"]] == [
        "https://example.com/sandbox/1",
        "https://example.com/sandbox/2",
    ]
    assert "Sandbox page" in read.reader_result.content


# -- MCP ---------------------------------------------------------------------------------


def message_of(answer: Answer) -> Any:
    """The JSON-RPC message of an answer, whichever form it has."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        data = [line[5:] for line in answer.data.decode().splitlines() if line.startswith("data:")]
        return json.loads("".join(data))
    return answer.json


def rpc(
    call: Caller, method: str, params: object = None, *, key: str = "zai-coding", session: str = "", path: str = PRIME
) -> Answer:
    """One request."""
    headers = {**MCP_HEADERS, **({"Mcp-Session-Id": session} if session else {})}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    return call("POST", path, body, key=key, headers=headers)


def opened(call: Caller, *, key: str = "zai-coding", path: str = PRIME) -> str:
    """A new session."""
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    return rpc(call, "initialize", params, key=key, path=path).headers["mcp-session-id"]


def search(call: Caller, query: str, session: str, key: str = "zai-coding") -> Any:
    """The result of a search, or its error."""
    params = {"name": "web_search_prime", "arguments": {"search_query": query}}
    message = message_of(rpc(call, "tools/call", params, key=key, session=session))
    return message.get("result", message.get("error"))


@pytest.mark.parametrize(
    ("server", "names"),
    [
        ("web_search_prime", ["web_search_prime"]),
        ("web_reader", ["webReader"]),
        ("zread", ["search_doc", "get_repo_structure", "read_file"]),
    ],
)
def test_the_tools_have_their_live_names(call: Caller, server: str, names: list[str]) -> None:
    """Not those of the documents."""
    path = f"/api/mcp/{server}/mcp"
    tools = message_of(rpc(call, "tools/list", session=opened(call, path=path), path=path))["result"]["tools"]
    assert [tool["name"] for tool in tools] == names


def test_answers_come_in_both_forms_by_turns(call: Caller) -> None:
    """As events, then as JSON; never twice the same."""
    session = opened(call)
    kinds = [rpc(call, "ping", session=session).headers["content-type"].partition(";")[0] for _ in range(4)]
    assert sorted(kinds) == ["application/json"] * 2 + ["text/event-stream"] * 2
    assert kinds[0] != kinds[1]


def test_results_are_json_inside_json(call: Caller) -> None:
    """The text decodes to a text, which decodes to a list."""
    result = search(call, "rust", opened(call))
    inner = json.loads(result["content"][0]["text"])
    assert isinstance(inner, str)
    assert json.loads(inner)[0]["link"] == "https://example.com/sandbox/1"


@pytest.mark.parametrize("session", ["", "unknown"])
def test_no_session_looks_like_no_key(call: Caller, session: str) -> None:
    """-401, with a key that is good."""
    assert search(call, "rust", session) == {"code": -401, "message": "Api key not found"}


def test_a_session_belongs_to_its_key_and_server(call: Caller) -> None:
    """Another key, or another server, does not know it."""
    session = opened(call)
    assert search(call, "rust", session, key="zhipu-coding")["code"] == -401
    assert "error" in rpc(call, "tools/list", session=session, path="/api/mcp/zread/mcp").json


def test_a_session_can_expire(call: Caller) -> None:
    """The first call of that query ends it; a new session goes on."""
    session = opened(call)
    assert search(call, "expire", session)["code"] == -401
    assert search(call, "rust", session)["code"] == -401
    assert search(call, "expire", opened(call))["isError"] is False


@pytest.mark.parametrize(
    ("key", "code"),
    [("zai", "1113"), ("zai-tools-used-up", "1310"), ("zai-plan-expired", "1309"), ("zai-fair-use", "1313")],
)
def test_only_a_plan_pays(call: Caller, key: str, code: str) -> None:
    """The refusal is a text inside a result that is marked as an error."""
    result = search(call, "rust", opened(call, key=key), key)
    assert result["isError"] is True
    assert f'"code": "{code}"' in result["content"][0]["text"]


def test_the_pool_of_the_month(call: Caller) -> None:
    """Lite has a hundred calls."""
    with call.sandbox.lock:
        call.sandbox.store("mcp calls")["zai-flash-only"] = 99
    session = opened(call, key="zai-flash-only")
    assert search(call, "one", session, "zai-flash-only")["isError"] is False
    assert search(call, "two", session, "zai-flash-only")["isError"] is True


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({}, "missing required argument search_query"),
        ({"search_query": "x", "count": 3}, "unknown argument count"),
        ({"search_query": "x", "location": "de"}, "invalid argument location"),
    ],
    ids=["missing", "unknown", "invalid"],
)
def test_arguments_are_checked(call: Caller, arguments: dict[str, Any], word: str) -> None:
    """Against the schema of the tool."""
    params = {"name": "web_search_prime", "arguments": arguments}
    result = message_of(rpc(call, "tools/call", params, session=opened(call)))["result"]
    assert result["isError"] is True
    assert word in result["content"][0]["text"]


def test_protocol_errors(call: Caller) -> None:
    """A wrong tool, a wrong method, a missing Accept, a notification, a wrong key, an unknown server."""
    session = opened(call)
    unknown = rpc(call, "tools/call", {"name": "webSearchPrime", "arguments": {}}, session=session)
    assert unknown.json["error"]["code"] == -32602
    assert rpc(call, "resources/list", session=session).json["error"]["code"] == -32601
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert call("POST", PRIME, body, key="zai-coding", headers={"Accept": "application/json"}).status == 406
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert call("POST", PRIME, note, key="zai-coding", headers=MCP_HEADERS).status == 202
    assert call("POST", PRIME, body, key=None, headers=MCP_HEADERS).code == "1001"
    assert call("POST", "/api/mcp/other/mcp", body, key="zai-coding", headers=MCP_HEADERS).status == 404

"""A request that the service would refuse is refused, with its code and the name of the field."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from glmcli.sandbox.app import Sandbox
from tests.sandbox.conftest import CHAT, Caller, png
from tests.sandbox.test_chat import TOOL

USER = {"role": "user", "content": "hi"}
THOUGHT = {"role": "assistant", "content": "a", "reasoning_content": "b"}
ORPHAN = {"role": "tool", "tool_call_id": "x", "content": ""}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": ""}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
PICTURE = {"type": "image_url", "image_url": {"url": base64.b64encode(png()).decode()}}
VIDEO = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}
FILE = {"type": "file", "file": {"file_url": "https://example.com/a.pdf"}}


def function(**fields: Any) -> list[Any]:
    """A tool list with one function that differs from a good one."""
    changed = {**TOOL["function"], **fields}  # type: ignore[dict-item]  # a table of JSON
    return [{"type": "function", "function": {name: value for name, value in changed.items() if value is not None}}]


def search(**fields: Any) -> list[Any]:
    """A tool list with one search that differs from a good one."""
    return [{"type": "web_search", "web_search": {"search_engine": "search_pro_jina", **fields}}]


def seen(*parts: Any, model: str = "glm-4.6v") -> dict[str, Any]:
    """The fields of a vision request."""
    return {"model": model, "messages": [{"role": "user", "content": list(parts)}]}


REFUSED = [
    ("no model", {"model": None}, "1213", "model"),
    ("no messages", {"messages": None}, "1213", "messages"),
    ("empty messages", {"messages": []}, "1214", "messages"),
    ("unknown model", {"model": "glm-9"}, "1211", "Unknown Model"),
    ("upper case", {"model": "GLM-5.3"}, "1211", "Unknown Model"),
    ("context suffix", {"model": "glm-5.3[1m]"}, "1211", "Unknown Model"),
    ("unknown field", {"presence_penalty": 1}, "1210", "presence_penalty"),
    ("OpenAI's stream options", {"stream_options": {"include_usage": True}}, "1210", "stream_options"),
    ("temperature above 1", {"temperature": 1.01}, "1214", "temperature"),
    ("temperature below 0", {"temperature": -0.1}, "1214", "temperature"),
    ("temperature as text", {"temperature": "1"}, "1214", "temperature"),
    ("temperature as boolean", {"temperature": True}, "1214", "temperature"),
    ("top_p of 0", {"top_p": 0}, "1214", "top_p"),
    ("no tokens", {"max_tokens": 0}, "1214", "max_tokens"),
    ("too many tokens", {"max_tokens": 131073}, "1214", "max_tokens"),
    ("half a token", {"max_tokens": 1.5}, "1214", "max_tokens"),
    ("two stop words", {"stop": ["a", "b"]}, "1214", "stop"),
    ("stop as text", {"stop": "a"}, "1214", "stop"),
    ("stream as text", {"stream": "true"}, "1214", "stream"),
    ("tool_choice", {"tools": [TOOL], "tool_choice": "required"}, "1214", "tool_choice"),
    ("short request_id", {"request_id": "12345"}, "1214", "request_id"),
    ("long request_id", {"request_id": "x" * 65}, "1214", "request_id"),
    ("short user_id", {"user_id": "12345"}, "1214", "user_id"),
    ("long user_id", {"user_id": "x" * 129}, "1214", "user_id"),
    ("JSON schema mode", {"response_format": {"type": "json_schema"}}, "1214", "response_format"),
    ("thinking switched off", {"thinking": {"type": "disabled"}}, "1210", "disabled"),
    ("thinking of a new kind", {"thinking": {"type": "adaptive"}}, "1210", "thinking"),
    ("thinking with a budget", {"thinking": {"type": "enabled", "budget_tokens": 5}}, "1210", "thinking"),
    ("effort of another model", {"reasoning_effort": "medium"}, "1210", "low, high, max"),
    ("effort without support", {"model": "glm-4.7", "reasoning_effort": "low"}, "1210", "no value"),
    ("tool_stream without stream", {"tools": [TOOL], "tool_stream": True}, "1210", "tool_stream"),
    ("tool_stream of an old model", {"model": "glm-4.5", "stream": True, "tool_stream": True}, "1210", "tool_stream"),
    ("only a system message", {"messages": [{"role": "system", "content": "x"}]}, "1214", "messages"),
    ("only assistants", {"messages": [{"role": "assistant", "content": "x"}]}, "1214", "messages"),
    ("unknown role", {"messages": [USER, {"role": "developer", "content": "x"}]}, "1214", "messages[1].role"),
    ("no content", {"messages": [{"role": "user"}]}, "1213", "messages[0].content"),
    ("empty content", {"messages": [{"role": "user", "content": ""}]}, "1214", "messages[0].content"),
    ("parts for a text model", {"messages": [{"role": "user", "content": [PICTURE]}]}, "1210", "text only"),
    (
        "result without its call",
        {"messages": [USER, ORPHAN]},
        "1214",
        "tool_call_id",
    ),
    ("129 functions", {"tools": function() * 129}, "1214", "tools"),
    ("function name with a dot", {"tools": function(name="a.b")}, "1214", "tools[0].function.name"),
    ("function name of 65", {"tools": function(name="a" * 65)}, "1214", "tools[0].function.name"),
    ("function without description", {"tools": function(description=None)}, "1213", "function.description"),
    ("function without parameters", {"tools": function(parameters=None)}, "1213", "function.parameters"),
    ("unknown tool", {"tools": [{"type": "browser", "browser": {}}]}, "1214", "tools[0].type"),
    ("search without engine", {"tools": [{"type": "web_search", "web_search": {}}]}, "1213", "search_engine"),
    ("engine of the other region", {"tools": search(search_engine="search_std")}, "1214", "search_engine"),
    ("51 results", {"tools": search(count=51)}, "1214", "count"),
    ("unknown recency", {"tools": search(search_recency_filter="oneHour")}, "1214", "search_recency_filter"),
    ("vision with JSON mode", {**seen(PICTURE), "response_format": {"type": "json_object"}}, "1210", "response_format"),
    ("vision model without tools", {**seen(PICTURE, model="glm-4.5v"), "tools": [TOOL]}, "1210", "tools"),
    ("51 pictures", seen(*[PICTURE] * 51, model="glm-4.5v"), "1214", "content"),
    ("three videos", seen(*[VIDEO] * 3), "1214", "content"),
    ("a file beside a picture", seen(FILE, PICTURE), "1215", "file, image_url"),
    ("two sources of a file", seen({"type": "file", "file": {"file_url": "a", "file_id": "b"}}), "1214", "file"),
    ("file_id of an old model", seen({"type": "file", "file": {"file_id": "b"}}), "1210", "file_id"),
    ("an unknown part", seen({"type": "audio"}), "1214", "content.type"),
    ("a picture that is none", seen({"type": "image_url", "image_url": {"url": "aGVsbG8="}}), "1214", "image_url"),
    ("a GIF", seen({"type": "image_url", "image_url": {"url": "R0lGODlhAQABAAAAACw="}}), "1214", "image_url"),
]


@pytest.mark.parametrize(("fields", "code", "named"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_bad_request_is_refused_by_name(call: Caller, fields: dict[str, Any], code: str, named: str) -> None:
    """HTTP 400, the code of the service, and a message that names the culprit."""
    answer = call.chat(**fields)

    assert (answer.status, answer.code) == (400, code)
    assert named in answer.message


ACCEPTED = [
    ("the limits of sampling", {"temperature": 0, "top_p": 0.01, "max_tokens": 131072, "do_sample": False}),
    ("temperature 1", {"temperature": 1, "top_p": 1}),
    ("every effort of glm-5.3", {"reasoning_effort": "max", "thinking": {"type": "enabled", "clear_thinking": False}}),
    ("glm-5.2 without thinking", {"model": "glm-5.2", "thinking": {"type": "disabled"}}),
    ("xhigh of glm-5.2", {"model": "glm-5.2", "reasoning_effort": "xhigh"}),
    ("128 functions", {"tools": function() * 128, "tool_choice": "auto"}),
    ("ids of the shortest length", {"request_id": "123456", "user_id": "123456"}),
    ("an explicit null", {"stop": None, "temperature": None}),
    (
        "reasoning given back",
        {"messages": [USER, THOUGHT, USER]},
    ),
    (
        "a call and its result",
        {
            "messages": [
                USER,
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": ""},
            ]
        },
    ),
    ("a picture and two videos", seen(PICTURE, VIDEO, VIDEO)),
    ("a file by id", seen({"type": "file", "file": {"file_id": "f"}}, model="glm-5.3-flash")),
    ("the old form of a file", seen({"type": "file_url", "file_url": {"url": "https://example.com/a.pdf"}})),
    ("functions of a vision model", {**seen(PICTURE), "tools": [TOOL]}),
]


@pytest.mark.parametrize("fields", [case[1] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_a_good_request_is_accepted(call: Caller, fields: dict[str, Any]) -> None:
    """What the documents allow passes."""
    answer = call("POST", CHAT, {"model": "glm-5.3", "messages": [USER], **fields})

    assert answer.status == 200, answer.data


def test_search_engines_belong_to_a_region(call: Caller) -> None:
    """An account of bigmodel.cn has the other engines."""
    assert call.chat(tools=search(search_engine="search_std"), key="zhipu").status == 200
    assert call.chat(tools=search(), key="zhipu").code == "1214"


def test_kinds_of_tools_are_not_mixed_in_china(call: Caller) -> None:
    """The FAQ of bigmodel.cn: functions and web search exclude one another."""
    tools = [TOOL, *search(search_engine="search_std")]

    assert call.chat(tools=tools, key="zhipu").code == "1215"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff"], ids=["empty", "cut", "array", "not UTF-8"])
def test_a_body_that_is_no_object_is_refused(call: Caller, data: bytes) -> None:
    """1210, whatever the bytes are."""
    connection = call.connect()
    connection.request("POST", CHAT, data, {"Authorization": f"Bearer {call.sandbox.keys['zai']}"})
    response = connection.getresponse()

    assert response.status == 400
    assert re.search(rb'"code":"1210"', response.read())
    connection.close()


def test_a_lenient_sandbox_ignores_unknown_fields(serve: Any) -> None:
    """For clients that send OpenAI's fields; known fields are checked all the same."""
    call = serve(Sandbox(lenient=True))

    assert call.chat(seed=1, n=1).status == 200
    assert call.chat(temperature=2).code == "1214"

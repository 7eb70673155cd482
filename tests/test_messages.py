"""The Anthropic dialect: how a question is rewritten, and how its answer is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glmcli.api.calls import json_body
from glmcli.api.jsonfiles import FileText
from glmcli.api.resources.chat import ChatRequest
from glmcli.api.resources.messages import MessageParser, answer_from_message, message_body
from glmcli.api.streaming import events_of_stream
from glmcli.errors import ServiceError, StreamCut, UsageError
from glmcli.events import Answer, AnswerBuilder

TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}


def sse(*events: dict[str, Any]) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def answer_of(*events: dict[str, Any]) -> Answer:
    builder = AnswerBuilder()
    for batch in events_of_stream(iter([sse(*events)]), MessageParser(merge=True)):
        builder.feed(batch)
    return builder.answer()


START = {"type": "message_start", "message": {"id": "m1", "model": "glm-5.3", "usage": {"input_tokens": 5}}}
STOP = {"type": "message_stop"}


def end(reason: str) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}}


def delta(index: int, kind: str, key: str, text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, key: text}}


def test_thinking_text_and_counts_are_gathered() -> None:
    """With pings and block borders in between."""
    answer = answer_of(
        START,
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        delta(0, "thinking_delta", "thinking", "Hm"),
        delta(0, "signature_delta", "signature", "xyz"),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        delta(1, "text_delta", "text", "Hel"),
        delta(1, "text_delta", "text", "lo"),
        end("end_turn"),
        STOP,
    )
    assert (answer.reasoning, answer.content, answer.finish_reason, answer.model) == ("Hm", "Hello", "stop", "glm-5.3")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (5, 7, 12)


def test_tool_calls_are_put_together() -> None:
    """The name comes with the block, the arguments in pieces."""
    block = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    answer = answer_of(
        START,
        {"type": "content_block_start", "index": 1, "content_block": block},
        delta(1, "input_json_delta", "partial_json", '{"a"'),
        delta(1, "input_json_delta", "partial_json", ": 1}"),
        end("tool_use"),
        STOP,
    )
    assert [(call.id, call.name, call.arguments) for call in answer.tool_calls] == [("t1", "f", '{"a": 1}')]
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("reason", "ours"),
    [("max_tokens", "length"), ("stop_sequence", "stop"), ("refusal", "sensitive"), ("new_reason", "new_reason")],
)
def test_reasons_have_one_name_in_both_dialects(reason: str, ours: str) -> None:
    """What is unknown is passed on."""
    assert ours == answer_of(START, end(reason), STOP).finish_reason


def test_an_error_event_is_raised_with_its_code() -> None:
    """The business code stands in the envelope and in a bracket."""
    error = {"type": "rate_limit_error", "code": "1302", "message": "[1302][Rate limit reached][2026x]"}
    with pytest.raises(ServiceError) as caught:
        answer_of(START, {"type": "error", "error": error})
    assert caught.value.code == "1302"


def test_nothing_is_read_behind_the_end() -> None:
    """Whether it comes in the same read as the end, or in a later one."""
    answer = answer_of(START, delta(0, "text_delta", "text", "Hi"), STOP, delta(0, "text_delta", "text", " there"))
    assert answer.content == "Hi"


def test_a_stream_without_an_end_is_cut() -> None:
    """Neither `message_stop` nor a reason."""
    with pytest.raises(StreamCut):
        answer_of(START, delta(0, "text_delta", "text", "Hi"))


def test_a_whole_message_reads_like_a_streamed_one() -> None:
    """The cache's share belongs to the prompt."""
    usage = {"input_tokens": 2, "cache_read_input_tokens": 3, "output_tokens": 4}
    content = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]
    answer = answer_from_message(
        {"id": "m", "model": "x", "content": content, "stop_reason": "end_turn", "usage": usage}
    )
    assert (answer.reasoning, answer.content, answer.finish_reason) == ("Hm", "Hi", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.cached_tokens, answer.usage.completion_tokens) == (5, 3, 4)


def test_a_conversation_is_rewritten() -> None:
    """System apart, results of tools as blocks of a user turn, pictures as sources."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    link = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    request = ChatRequest(
        "glm-4.6",
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [picture, link, {"type": "text", "text": "what?"}]},
            {"role": "assistant", "content": "", "tool_calls": [call, {**call, "id": "c2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
        ],
        stop="END",
        tools=[TOOL],
        user_id="user-1",
    )
    body = message_body(request, stream=True)
    assert (
        body["system"],
        body["max_tokens"],
        body["stop_sequences"],
        body["metadata"],
    ) == ("be brief", 131072, ["END"], {"user_id": "user-1"})
    assert body["tools"] == [{"name": "f", "description": "d", "input_schema": {"type": "object"}}]
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
                {"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}},
                {"type": "text", "text": "what?"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "c2", "name": "f", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "two"},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, {"type": "disabled"}),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "low"}, {"type": "enabled", "budget_tokens": 2048}),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "max"}, {"type": "enabled", "budget_tokens": 3999}),
    ],
)
def test_levels_of_thinking_become_budgets(thinking: dict[str, object], expected: dict[str, object] | None) -> None:
    """Never more than the answer may have."""
    request = ChatRequest("glm-4.6", [], max_tokens=4000, thinking=thinking)
    assert expected == message_body(request, stream=True).get("thinking")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(ChatRequest("m", [], json_mode=True), "json-mode", id="JSON mode"),
        pytest.param(ChatRequest("m", [], tools=[{"type": "web_search"}]), "web_search", id="web search"),
        pytest.param(
            ChatRequest("m", [{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}]),
            "video",
            id="video",
        ),
    ],
)
def test_what_the_protocol_does_not_have_is_refused(request_: ChatRequest, reason: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=reason):
        message_body(request_, stream=False)


def test_a_picture_from_a_file_is_sent_as_base64(tmp_path: Path) -> None:
    """Its type stands apart from its data in this dialect."""
    path = tmp_path / "a.png"
    path.write_bytes(b"ABC")
    part = {"type": "image_url", "image_url": {"url": FileText(path, 3, "data:image/png;base64,")}}
    body = message_body(ChatRequest("m", [{"role": "user", "content": [part]}]), stream=False)
    sent = json.loads(b"".join(json_body(body).chunks()))
    source = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    assert [{"type": "image", "source": source}] == sent["messages"][0]["content"]

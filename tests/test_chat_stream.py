"""From the bytes of a chat stream to events, and to an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.api.resources.chat import ChatRequest, ChunkParser, answer_from_json, check
from glmcli.api.sse import ServerEvent
from glmcli.api.streaming import events_of_stream
from glmcli.errors import ServiceError, StreamCut, UsageError
from glmcli.events import Answer, AnswerBuilder, Event, ReasoningDelta, TextDelta


def sse(*chunks: object) -> bytes:
    lines = [c if isinstance(c, str) else json.dumps(c, ensure_ascii=False) for c in chunks]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def delta(**fields: object) -> dict[str, object]:
    return {"id": "1", "model": "glm-5.3", "choices": [{"index": 0, "delta": fields}]}


END = {
    "choices": [{"index": 0, "finish_reason": "stop", "delta": {"role": "assistant", "content": ""}}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10},
}


def answer_of(body: bytes) -> Answer:
    builder = AnswerBuilder()
    for batch in events_of_stream(iter([body]), ChunkParser(merge=True)):
        builder.feed(batch)
    return builder.answer()


def test_reasoning_text_usage_and_reason_are_gathered() -> None:
    """One of everything."""
    answer = answer_of(sse(delta(reasoning_content="Let"), delta(content="Hi"), delta(content="!"), END, "[DONE]"))
    assert (answer.reasoning, answer.content, answer.finish_reason, answer.model) == ("Let", "Hi!", "stop", "glm-5.3")
    assert answer.usage is not None
    assert answer.usage.total_tokens == 10


def test_a_missing_done_after_the_finish_reason_is_borne() -> None:
    """The answer is whole all the same."""
    assert answer_of(sse(delta(content="Hi"), END)).content == "Hi"


def test_a_missing_finish_reason_before_done_is_borne() -> None:
    """Some servers send only `[DONE]`."""
    assert answer_of(sse(delta(content="Hi"), "[DONE]")).content == "Hi"


def test_neither_of_both_is_a_cut_stream() -> None:
    """What came is delivered before the error."""
    batches = events_of_stream(iter([sse(delta(content="Hi"))]), ChunkParser(merge=True))
    assert [TextDelta("Hi")] == next(batches)[1:]
    with pytest.raises(StreamCut):
        next(batches)


@pytest.mark.parametrize(
    "frame",
    ['{"choices":[{"del', '{"usage":{"prompt_tokens":' + "9" * 5000 + "}}", '{"a":' * 100_000],
    ids=["truncated", "too many digits", "nested without end"],
)
def test_unreadable_json_in_a_frame_is_a_cut_stream(frame: str) -> None:
    """Never a traceback of the JSON reader."""
    with pytest.raises(StreamCut):
        answer_of(sse(delta(content="Hi"), frame))


def test_an_error_object_in_the_stream_is_raised() -> None:
    """With the meaning of its code."""
    with pytest.raises(ServiceError) as caught:
        answer_of(sse(delta(content="Hi"), {"error": {"code": "1234", "message": "network error"}}))
    assert caught.value.code == "1234"


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": []},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None}}]},
        {"choices": [{"delta": {"content": 3}}]},
        {"choices": [{"delta": {"tool_calls": None}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": None}]}}]},
        {"usage": None},
        {"usage": 3},
        {},
        [],
        3,
        None,
    ],
    ids=str,
)
def test_odd_chunks_are_borne(chunk: object) -> None:
    """Wrong types are read as nothing."""
    assert answer_of(sse(chunk, delta(content="Hi"), END, "[DONE]")).content == "Hi"


def test_usage_in_a_chunk_without_choices_counts() -> None:
    """OpenAI-compatible servers send usage at the very end."""
    answer = answer_of(sse(delta(content="Hi"), {"choices": [], "usage": {"prompt_tokens": 3}}, "[DONE]"))
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3


def test_tool_calls_in_pieces_are_put_together() -> None:
    """Keyed by index; id and name come once, arguments are joined."""
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a"'}}
    other = {"index": 1, "id": "call_2", "function": {"name": "g", "arguments": {"b": 2}}}
    rest = {"index": 0, "function": {"arguments": ":1}"}}
    body = sse(delta(tool_calls=[first]), delta(tool_calls=[other]), delta(tool_calls=[rest]), "[DONE]")
    calls = answer_of(body).tool_calls
    assert [(c.id, c.name, c.arguments) for c in calls] == [("call_1", "f", '{"a":1}'), ("call_2", "g", '{"b": 2}')]


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(parts=st.lists(st.tuples(st.booleans(), _TEXT), max_size=12), size=st.integers(1, 50))
def test_any_rechunking_gives_the_same_answer(parts: list[tuple[bool, str]], size: int) -> None:
    """Text survives to the character, wherever the network cuts, merged or not."""
    body = sse(*(delta(**{"content" if is_text else "reasoning_content": t}) for is_text, t in parts), END, "[DONE]")
    for merge in (True, False):
        pieces: Iterator[bytes] = (body[i : i + size] for i in range(0, len(body), size))
        events: list[Event] = [event for batch in events_of_stream(pieces, ChunkParser(merge=merge)) for event in batch]
        texts = "".join(event.text for event in events if isinstance(event, TextDelta))
        thoughts = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
        assert "".join(t for is_text, t in parts if is_text) == texts
        assert "".join(t for is_text, t in parts if not is_text) == thoughts


@pytest.mark.parametrize(
    "odd",
    [
        "[DONE]",
        '{"choices": [{"delta": {"content": "cut',
        '{"a": 1}, {"b": 2}',
        "{}, {}",
        "",
        "null",
        "[]",
        '"text"',
        "]",
        "[",
        '{"error": {"code": "1305", "message": "busy"}}',
    ],
)
def test_events_that_come_together_mean_what_they_mean_alone(odd: str) -> None:
    """The events of a read are decoded at once; one that is odd among them changes nothing for the others."""
    texts = [*(json.dumps(delta(content=word)) for word in ("one ", "two ")), odd, json.dumps(delta(content="three"))]

    def outcome(reads: list[list[str]]) -> tuple[str, bool, str]:
        parser, builder, failure = ChunkParser(merge=True), AnswerBuilder(), ""
        for read in reads:
            try:
                builder.feed(parser.feed([ServerEvent("", text) for text in read]))
            except (ServiceError, StreamCut) as error:
                parser.failure = error
            if parser.failure is not None or parser.done:
                failure = repr(parser.failure)
                break
        return builder.answer().content, parser.done, failure

    assert outcome([texts]) == outcome([[text] for text in texts])


def test_a_whole_answer_reads_like_a_streamed_one() -> None:
    """The non-streaming reply has a message instead of a delta."""
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm"}
    answer = answer_from_json({"model": "m", "choices": [{"finish_reason": "stop", "message": message}]})
    assert (answer.content, answer.reasoning, answer.finish_reason) == ("Hi", "Hm", "stop")


def test_unknown_request_fields_are_never_sent() -> None:
    """Only what was asked for stands in the body."""
    assert ChatRequest("m", []).to_json(stream=True) == {"model": "m", "messages": [], "stream": True}


@pytest.mark.parametrize(
    ("field", "value", "documented"),
    [
        ("temperature", 3, "0 to 1"),
        ("temperature", -0.1, "0 to 1"),
        ("top_p", 0.0, "0.01 to 1"),
        ("top_p", 1.01, "0.01 to 1"),
        ("max_tokens", 0, "1 to 131072"),
        ("max_tokens", 131073, "1 to 131072"),
        ("user_id", "short", "6 to 128"),
        ("request_id", "x" * 65, "6 to 64"),
    ],
)
def test_ranges_are_checked_with_the_documented_values(field: str, value: object, documented: str) -> None:
    """The hint says what the service takes (`api/chat.md` section 2)."""
    with pytest.raises(UsageError) as caught:
        check(ChatRequest("m", [], **{field: value}))  # type: ignore[arg-type]  # one field at a time
    assert documented in (caught.value.hint or "")


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_the_ends_of_a_range_are_allowed(value: float) -> None:
    """0 and 1 are temperatures."""
    check(ChatRequest("m", [], temperature=value))

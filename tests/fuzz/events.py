"""Streams: server-sent events, and the two dialects of answers that come in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from glmcli.api.resources.chat import ChunkParser
from glmcli.api.resources.messages import MessageParser
from glmcli.api.sse import ServerEvent, SseDecoder
from glmcli.api.streaming import EventParser, events_of_stream
from glmcli.errors import ExitCode, GlmError
from glmcli.events import AnswerBuilder
from tests.fuzz.material import Material, chunked

SSE_SEEDS = (
    b"\x00\x05data: a\n\ndata: b\n\n",
    b"\x01\x01\x07data: a\r\n\r\nevent: error\r\ndata: b\r\n\r\n",
    b"\x00\x02\xef\xbb\xbfdata: a\rdata: b\r\r: ping\r\rdata:c\r\r",
    b"\x00\x03id: 7\nretry: 10\nfoo: bar\ndata\ndata: a\n\nevent: x\n\ndata:  b",
    '\x00\x04data: {"t":"a\u2028b\u2029c\u0085d"}\n\ndata: 你好 🦊\n\n'.encode(),
    b"\x00\x09data: a\n\ndata: b\n\ndata: c\ndata: d\n\n\n\ndata: [DONE]\n\n",
)
SSE_WORDS = (
    *(b"data: ", b"data:", b"data", b"event: ", b"event:", b"event", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r", b"\r\n"),
    *(b"\xef\xbb\xbf", b": ", b"id: 1\n", b"retry: 1\n", b"\n\ndata: ", b"[DONE]", b"\x00", b"\xff"),
)


def fuzz_sse(data: bytes) -> None:
    """The events are those of the standard, however the bytes are cut."""
    material = Material(data)
    sizes = material.sizes()
    body = material.rest()

    expected = _by_the_standard(body)

    assert _decoded([body]) == expected
    assert _decoded(chunked(body, sizes)) == expected
    assert _decoded(chunked(body, [1])) == expected


def _decoded(chunks: Iterable[bytes]) -> list[ServerEvent]:
    decoder = SseDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.finish()


def _by_the_standard(body: bytes) -> list[ServerEvent]:
    """The algorithm of the standard, word by word; the end of the body ends an event, too."""
    lines = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    events: list[ServerEvent] = []
    name, data = b"", list[bytes]()
    for line in [*lines, b""]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                events.append(ServerEvent(name.decode("utf-8", "replace"), b"\n".join(data).decode("utf-8", "replace")))
            name, data = b"", []
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return events


# -- answers ----------------------------------------------------------------------

CHAT_SEEDS = (
    b'\x00\x09data: {"id":"1","model":"glm-5","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"h'
    b'm"}}]}\n\ndata: {"choices":[{"delta":{"content":"Hello"}}]}\n\ndata: {"choices":[{"delta":{"content":"."},"finish'
    b'_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":1}}}'
    b"\n\ndata: [DONE]\n\n",
    b'\x00\x1fdata: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{\\"a'
    b'\\""}}]}}]}\n\ndata: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]},"finish_re'
    b'ason":"tool_calls"}]}\n\n',
    b'\x00\x05data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":{"code":"1302","message":"slow"}}\n\n',
    b'\x00\x05data: {"web_search":[{"title":"t","link":"http://x.test"}],"choices":[]}\n\nevent: error\ndata: {}\n\n',
    b'\x00\x05data: {"choices":[{"delta":{"content":"cut',
    b'\x00\x05data: [1]\n\ndata: "text"\n\ndata: {"choices":[{"message":{"content":"all"},"finish_reason":"stop"}]}\n',
)
MESSAGES_SEEDS = (
    b'\x00\x0bevent: message_start\ndata: {"type":"message_start","message":{"id":"m1","model":"glm-5","usage":{"input_'
    b'tokens":3,"cache_read_input_tokens":2}}}\n\nevent: content_block_start\ndata: {"type":"content_block_start","inde'
    b'x":0,"content_block":{"type":"text","text":""}}\n\nevent: content_block_delta\ndata: {"index":0,"delta":{"type":"'
    b'text_delta","text":"Hi"}}\n\nevent: message_delta\ndata: {"delta":{"stop_reason":"end_turn"},"usage":{"output_tok'
    b'ens":1}}\n\nevent: message_stop\ndata: {}\n\n',
    b'\x00\x0bdata: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"f","in'
    b'put":{}}}\n\ndata: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"'
    b'}}\n\ndata: {"type":"content_block_delta","index":2,"delta":{"type":"thinking_delta","thinking":"hm"}}\n\n',
    b'\x00\x0bdata: {"type":"message_start","message":{}}\n\nevent: error\ndata: {"type":"error","error":{"type":"over'
    b'loaded_error","message":"[1305][busy][20261121]"},"request_id":"r1"}\n\n',
)
CHAT_WORDS = (
    *(
        b'{"choices":[',
        b'"delta":{',
        b'"message":{',
        b'"content":',
        b'"reasoning_content":',
        b'"tool_calls":[',
        b"null",
    ),
    *(b'"function":{', b'"arguments":', b'"index":', b'"finish_reason":', b'"usage":{', b'"error":', b'"code":', b"-1"),
    *(b'"web_search":[', b"data: ", b"\n\n", b"data: [DONE]\n\n", b"event: error\n", b"true", b"1e999", b"NaN", b"[[["),
    *(b'"\\ud800"', b'"stop"', b'"sensitive"', b"9" * 64, b'{"a":', b'"prompt_tokens":', b'"model":', b"{}", b"[]"),
)
MESSAGES_WORDS = (
    *(b'"type":', b'"message_start"', b'"message_delta"', b'"message_stop"', b'"content_block_start"', b'"error"'),
    *(b'"content_block_delta"', b'"index":', b'"delta":{', b'"content_block":{', b'"text_delta"', b'"thinking_delta"'),
    *(b'"input_json_delta"', b'"partial_json":', b'"tool_use"', b'"input":', b'"stop_reason":', b'"usage":{', b"null"),
    *(b'"output_tokens":', b'"input_tokens":', b"data: ", b"\n\n", b"event: error\n", b"true", b"1e999", b"9" * 64),
)


def fuzz_chat(data: bytes) -> None:
    """What is answered, and how it ends, does not depend on where the network cuts a stream of completions."""
    _check_answers(data, lambda merge: ChunkParser(merge=merge))


def fuzz_messages(data: bytes) -> None:
    """The same for a stream of Anthropic messages."""
    _check_answers(data, lambda merge: MessageParser(merge=merge))


def _check_answers(data: bytes, parser: Callable[[bool], EventParser]) -> None:
    material = Material(data)
    sizes = material.sizes()
    body = material.rest()

    whole = _answered([body], parser(True))

    assert _answered(chunked(body, sizes), parser(True)) == whole
    assert _answered(chunked(body, sizes), parser(False)) == whole


def _answered(chunks: Iterable[bytes], parser: EventParser) -> tuple[str, str]:
    """The answer, and the failure that ended it, both as text."""
    builder = AnswerBuilder()
    failure = ""
    try:
        for events in events_of_stream(iter(chunks), parser):
            assert events
            builder.feed(events)
    except GlmError as error:
        assert error.exit_code in tuple(ExitCode)
        assert "\n" not in error.message
        failure = json.dumps(error.to_json())
    return repr(builder.answer()), failure

"""Every fault does what its line says, and nothing to the requests around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from glmcli.codes import CODES, GATEWAY_CODES
from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.exchange import Response
from glmcli.sandbox.faults import NAMES
from tests.sandbox.conftest import CHAT, CODING_CHAT, Answer, Caller

BODY = {"model": "glm-5.3", "messages": [{"role": "user", "content": "hello"}]}
MESSAGES = "/api/anthropic/v1/messages"


def faulty(call: Caller, name: str, path: str = CHAT, **fields: Any) -> Answer:
    """An answer to a request that names a fault in its header."""
    return call("POST", path, {**BODY, **fields}, headers={"X-Sandbox-Fault": name})


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_table_can_be_played(call: Caller, code: str) -> None:
    """The sandbox speaks every business code, with the HTTP status of the table."""
    answer = faulty(call, code)

    assert answer.code == code
    assert answer.status == (CODES[code].http_status or answer.status)
    assert answer.status >= 400
    assert answer.message


@pytest.mark.parametrize("word", GATEWAY_CODES)
def test_every_word_of_a_gateway_can_be_played(call: Caller, word: str) -> None:
    """Compatible gateways send words where the service sends numbers."""
    answer = faulty(call, word)

    assert (answer.status, answer.code) == (GATEWAY_CODES[word].http_status, word)


@pytest.mark.parametrize("code", ["1308", "1310", "1316", "1317", "1318", "1319", "1320", "1321"])
def test_the_text_of_a_window_has_its_reset_time(call: Caller, code: str) -> None:
    """`YYYY-MM-DD HH:MM:SS`, UTC+8."""
    assert "reset at 20" in faulty(call, code).message


def test_a_fault_is_named_by_header_prompt_or_option(call: Caller, serve: Callable[[Sandbox], Caller]) -> None:
    """Three ways, one fault; only the last user message counts."""
    turns = [
        {"role": "user", "content": "fault:1305"},
        {"role": "assistant", "content": "fault:1302"},
        {"role": "user", "content": "go on"},
    ]

    assert faulty(call, "1305").code == "1305"
    assert call.chat("please fault:1305 now").code == "1305"
    assert serve(Sandbox(fault="1305")).chat().code == "1305"
    assert call.chat(messages=turns).status == 200


def test_an_unknown_fault_is_refused_by_name(call: Caller) -> None:
    """A typing error shall not pass for a working service."""
    assert "nonsense" in faulty(call, "nonsense").message


def test_retry_after_comes_on_request(call: Caller) -> None:
    """The service sends none; a gateway might."""
    assert "retry-after" not in faulty(call, "1302").headers
    assert faulty(call, "1302+retry-after").headers["retry-after"] == "1"


def test_a_numbered_fault_ends(call: Caller) -> None:
    """`1302x2` fails twice, passes once, and begins anew."""
    statuses = [faulty(call, "1302x2").status for _ in range(6)]

    assert statuses == [429, 429, 200, 429, 429, 200]


def test_numbered_faults_are_counted_per_key_and_path(call: Caller) -> None:
    """Two clients do not use up each other's failures."""
    first = faulty(call, "1302x1").status
    other = call("POST", CHAT, BODY, key="zhipu", headers={"X-Sandbox-Fault": "1302x1"}).status

    assert (first, other, faulty(call, "1302x1").status) == (429, 429, 200)


def test_the_shape_of_a_refusal_is_that_of_its_base(call: Caller) -> None:
    """The Anthropic base has its envelope, the monitor its success flag."""
    message = faulty(call, "1302", MESSAGES, max_tokens=9).json
    monitor = call("GET", "/api/monitor/usage/quota/limit", headers={"X-Sandbox-Fault": "1234"}).json

    assert message["error"]["type"] == "rate_limit_error"
    assert message["error"]["code"] == "1302"
    assert (monitor["code"], monitor["success"]) == (500, False)


# --- the line ----------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_proxy_answers_with_html(call: Caller, stream: bool) -> None:
    """502 and a page."""
    answer = faulty(call, "html", stream=stream)

    assert (answer.status, answer.headers["content-type"]) == (502, "text/html")
    assert answer.data.startswith(b"<html>")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_an_empty_answer(call: Caller, stream: bool) -> None:
    """200, and no byte of a body."""
    answer = faulty(call, "empty", stream=stream)

    assert (answer.status, answer.data) == (200, b"")


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_the_line_is_cut(call: Caller, stream: bool, path: str) -> None:
    """Half of the answer arrives, the proper end does not."""
    with pytest.raises(IncompleteRead) as cut:
        faulty(call, "cut", path, stream=stream, max_tokens=900)

    assert len(cut.value.partial) > 100


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_the_line_goes_silent(serve: Callable[[Sandbox], Caller], stream: bool) -> None:
    """After half of the answer nothing comes; in the end the line breaks."""
    with pytest.raises((IncompleteRead, RemoteDisconnected)):
        faulty(serve(Sandbox(stall_seconds=0.05)), "stall", stream=stream)


def test_a_stalled_answer_does_not_keep_the_server(call: Caller) -> None:
    """Closing the server ends the silence, however long it was meant to be."""
    connection = call.connect()
    key = {"Authorization": f"Bearer {call.sandbox.keys['zai']}", "X-Sandbox-Fault": "stall"}
    connection.request("POST", CHAT, json.dumps({**BODY, "stream": True}), key)
    response = connection.getresponse()
    assert response.readline()

    call.server.close()

    with pytest.raises((IncompleteRead, ConnectionError)):
        response.read()
    connection.close()


def test_a_frame_with_truncated_json(call: Caller) -> None:
    """One frame of a stream is no JSON, the others are."""
    answer = faulty(call, "truncated", stream=True)

    broken = [payload for payload in answer.payloads[:-1] if not _is_json(payload)]
    assert len(broken) == 1
    assert answer.payloads[-1] == "[DONE]"


def test_a_body_with_truncated_json(call: Caller) -> None:
    """The length is right, the document is not."""
    assert not _is_json(faulty(call, "truncated").data.decode("utf-8", "replace"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_boundaries_inside_characters_lose_nothing(stream: bool) -> None:
    """Pieces end inside characters, and joined they are the very answer."""
    sandbox = Sandbox(clock=lambda: 1_790_000_000.0)
    pieces = _pieces(sandbox, "utf8", stream)

    assert any(not _is_text(piece) for piece in pieces)
    assert b"\xe4\xbd\xa0\xe5\xa5\xbd" in b"".join(pieces)  # 你好


def _is_text(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


def _pieces(sandbox: Sandbox, fault: str, stream: bool) -> list[bytes]:
    from io import BytesIO

    body = json.dumps({**BODY, "stream": stream}).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": CHAT,
        "HTTP_HOST": "sandbox.localhost",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Bearer {sandbox.keys['sandbox']}",
        "HTTP_X_SANDBOX_FAULT": fault,
        "wsgi.input": BytesIO(body),
    }
    return list(sandbox(environ, lambda *_: lambda data: None))


@pytest.mark.parametrize(
    ("path", "sign"),
    [
        pytest.param(CHAT, '{"error": {"code": "1234"', id="chat"),
        pytest.param(MESSAGES, "event: error", id="messages"),
    ],
)
def test_an_error_in_the_middle_of_a_stream(call: Caller, path: str, sign: str) -> None:
    """Content came before; nothing comes after, no end mark either."""
    data = faulty(call, "error-event", path, stream=True, max_tokens=900).data.decode()

    before, _, after = data.partition(sign)
    assert before.count("data:") > 5
    assert "\n\n" not in after.rstrip()
    assert "[DONE]" not in data


def test_streams_without_their_end(call: Caller) -> None:
    """`no-done` lacks the mark, `no-finish` the finish reason too."""
    no_done, no_finish = faulty(call, "no-done", stream=True), faulty(call, "no-finish", stream=True)

    assert no_done.payloads[-1] != "[DONE]"
    assert no_done.chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert "finish_reason" not in no_finish.chunks[-1]["choices"][0]


@pytest.mark.parametrize("reason", ["network_error", "sensitive", "length", "model_context_window_exceeded"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_finish_reasons_can_be_asked_for(call: Caller, reason: str, stream: bool) -> None:
    """Half of the content came before the service gave up."""
    answer = faulty(call, reason, stream=stream)

    choice = answer.chunks[-1]["choices"][0] if stream else answer.json["choices"][0]
    content = answer.joined("content") if stream else choice["message"]["content"]
    assert choice["finish_reason"] == reason
    assert content.startswith("## An answer")
    assert not content.endswith("words back.\n")


def test_a_slow_first_byte_waits_before_the_answer() -> None:
    """The pause comes before anything is sent, and as long as the sandbox was told."""
    waited: list[float] = []

    class Patient(Sandbox):
        def pause(self, seconds: float) -> None:
            waited.append(seconds)

    assert _pieces(Patient(slow_seconds=7), "slow", stream=False)
    assert waited == [7]


def test_a_paced_stream_pauses_before_each_piece() -> None:
    """`pace_seconds` makes a stream look like a model at work."""
    waited: list[float] = []

    class Patient(Sandbox):
        def pause(self, seconds: float) -> None:
            waited.append(seconds)

    pieces = _pieces(Patient(pace_seconds=0.01), "no-done", stream=True)

    assert waited == [0.01] * len(pieces)


def test_every_name_has_a_meaning() -> None:
    """`glm sandbox faults` prints them."""
    assert set(CODES) | set(GATEWAY_CODES) < set(NAMES)
    assert all(NAMES.values())


def test_scripted_replies_come_first(call: Caller) -> None:
    """A test can put words into the mouth of the sandbox, once each."""
    call.sandbox.script("/chat/completions", Response.json({"scripted": 1}), Response.sse(["[DONE]"]))

    assert call.chat().json == {"scripted": 1}
    assert call.chat(path=CODING_CHAT).data == b"data: [DONE]\n\n"
    assert call.chat().json["model"] == "glm-5.3"

"""The transcription resource: what goes out as a form, what comes back whole or as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from glmcli.api.bodies import BytesSource, MultipartBody
from glmcli.api.calls import Call, OpenReply, Reply
from glmcli.api.resources.transcriptions import TranscriptionRequest, Transcriptions, check, transcript_from_json
from glmcli.errors import GlmError, ServiceError, StreamCut, UsageError

DELTA = 'data: {"id":"a1","model":"glm-asr-2512","type":"transcript.text.delta","delta":"%s"}\n\n'
DONE = 'data: {"id":"a1","model":"glm-asr-2512","type":"transcript.text.done"%s}\n\n'
END = "data: [DONE]\n\n"


@dataclass
class Canned:
    """A caller that gives one answer, byte by byte when it is streamed."""

    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    calls: list[Call] = field(default_factory=list)
    status: int = 200

    def send(self, call: Call) -> Reply:
        self.calls.append(call)
        return Reply(200, {"x-log-id": "log-1"}, self.body)

    @contextmanager
    def open(self, call: Call) -> Iterator[OpenReply]:
        self.calls.append(call)
        yield self

    def chunks(self) -> Iterator[bytes]:
        for index in range(len(self.body)):
            yield self.body[index : index + 1]


def request(**changes: object) -> TranscriptionRequest:
    return TranscriptionRequest(**{"audio": BytesSource(b"RIFF"), "kind": "wav", **changes})  # type: ignore[arg-type]


def test_the_form() -> None:
    """Booleans in lower case, hotwords repeated, objects as JSON, extra fields last and winning, sound at the end."""
    caller = Canned(b'{"text": "hi"}')
    extra = {"sensitive_word_check": {"type": "ALL"}, "model": "other", "tags": ["a", 1], "flag": True}
    Transcriptions(caller).create(
        request(prompt="before", hotwords=("GLM", "智谱"), request_id="req-001", user_id="user-1", extra=extra)
    )
    [call] = caller.calls
    assert (call.method, call.path, call.service.value) == ("POST", "/audio/transcriptions", "audio")
    body = call.body
    assert isinstance(body, MultipartBody)
    assert body.fields == (
        ("model", "other"),
        ("stream", "false"),
        ("prompt", "before"),
        ("hotwords", "GLM"),
        ("hotwords", "智谱"),
        ("request_id", "req-001"),
        ("user_id", "user-1"),
        ("sensitive_word_check", '{"type": "ALL"}'),
        ("tags", "a"),
        ("tags", "1"),
        ("flag", "true"),
    )
    [part] = body.files
    assert (part.name, part.filename, part.content_type) == ("file", "audio.wav", "audio/wav")


def test_the_reply() -> None:
    """Text, model, the id of the service; segments of the older model where they are whole."""
    segments = [{"start": 0, "end": 1.5, "text": "a"}, {"start": 2, "end": 1, "text": "b"}, {"text": "c"}]
    found = transcript_from_json({"text": "a b", "model": "glm-asr", "request_id": "r", "segments": segments})
    assert (found.text, found.model, found.request_id) == ("a b", "glm-asr", "r")
    assert [(segment.start, segment.end, segment.text) for segment in found.segments] == [(0.0, 1.5, "a")]


@pytest.mark.parametrize("body", [{}, [], {"text": None}, None], ids=["empty", "list", "null", "none"])
def test_a_reply_without_text_names_the_key(body: object) -> None:
    """It is not taken for silence."""
    with pytest.raises(ServiceError, match="`text`"):
        transcript_from_json(body)


def test_silence_is_a_transcript() -> None:
    """An empty text is an answer."""
    assert transcript_from_json({"text": ""}).text == ""


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (DELTA % "hello " + DELTA % "there" + DONE % "" + END, "hello there"),
        (DELTA % "你" + DELTA % "好" + END, "你好"),
        (DELTA % "hi" + DONE % ',"text":"hi"', "hi"),
        (DONE % ',"text":"all at once"' + END, "all at once"),
        (DONE % "" + END, ""),
        (": ping\n\n" + 'data: {"type":"transcript.future"}\n\n' + DELTA % "x" + END, "x"),
        (DELTA % "no blank line at the end" + "data: [DONE]", "no blank line at the end"),
    ],
    ids=["both", "no done", "text repeated", "text in done", "silence", "unknown event", "no last line"],
)
def test_streams(stream: str, text: str) -> None:
    """Deltas count; a closing text is taken only when there were none. Fed byte by byte."""
    seen: list[str] = []
    found = Transcriptions(Canned(stream.encode())).stream(request(), seen.append)
    assert (found.text, "".join(seen)) == (text, text)


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (DELTA % "hal", StreamCut),
        (DELTA % "hal" + "data: {broken\n\n", StreamCut),
        ("", StreamCut),
        ('data: {"error":{"code":"1301","message":"no"}}\n\n', GlmError),
    ],
    ids=["cut", "unreadable", "empty", "error"],
)
def test_broken_streams(stream: str, error: type[GlmError]) -> None:
    """A stream without an end, with half a frame or with an error inside is a failure."""
    with pytest.raises(error):
        Transcriptions(Canned(stream.encode())).stream(request(), lambda text: None)


def test_a_server_that_does_not_stream() -> None:
    """A JSON answer to a streaming request is taken whole."""
    seen: list[str] = []
    caller = Canned(b'{"text": "whole"}', {"content-type": "application/json"})
    assert Transcriptions(caller).stream(request(), seen.append).text == "whole"
    assert seen == ["whole"]


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        ({"hotwords": ["x"] * 101}, "101 hotwords"),
        ({"request_id": "short"}, "--request-id has 5"),
        ({"user_id": "x" * 129}, "--user-id has 129"),
    ],
)
def test_documented_limits(limits: dict[str, object], word: str) -> None:
    """Told before anything is sent."""
    fields = {"hotwords": [], "request_id": None, "user_id": None, **limits}
    with pytest.raises(UsageError, match=word):
        check(**fields)  # type: ignore[arg-type]  # rows of the table

"""The sandbox's ears and voice: `/audio/transcriptions` and `/audio/speech`."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
import wave
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest

from glmcli.api.bodies import BytesSource, FilePart, MultipartBody
from glmcli.sandbox.tones import listen, speak
from tests.audio.make import mp3_frame, mp3_speech, wav
from tests.harness import ScriptedServer


def post(
    server: ScriptedServer, path: str, data: bytes, content_type: str, *, account: str = "zai"
) -> tuple[int, str, bytes]:
    """Status, content type and body, by the standard library's client."""
    headers = {"Authorization": f"Bearer {server.keys[account]}", "Content-Type": content_type}
    request = urllib.request.Request(f"{server.address}/api/paas/v4{path}", data, headers)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, reply.headers["Content-Type"], reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def send_form(server: ScriptedServer, fields: list[tuple[str, str]], sound: bytes | None) -> tuple[int, dict[str, Any]]:
    parts = [] if sound is None else [FilePart("file", "a.wav", "audio/wav", BytesSource(sound))]
    body = MultipartBody(fields, parts)
    status, _, data = post(server, "/audio/transcriptions", b"".join(body.chunks()), body.content_type)
    return status, json.loads(data)


def say(server: ScriptedServer, body: Mapping[str, object], account: str = "zhipu") -> tuple[int, str, bytes]:
    return post(server, "/audio/speech", json.dumps(body).encode(), "application/json", account=account)


def tones(text: str, rate: int = 8000) -> bytes:
    return wav(b"".join(speak(text, rate)), rate=rate)


MODEL = ("model", "glm-asr-2512")
SPEECH = {"model": "glm-tts", "input": "hello 你好", "voice": "tongtong"}


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("text", ["a", "hello there", "你好 世界 🎉", "w00000 w99999", "\u00ff\u0100"])
def test_what_is_spoken_is_heard(rate: int, text: str) -> None:
    """The code of tones survives every usual sample rate."""
    samples = b"".join(speak(text, rate))
    assert listen(samples[1::2], rate) == text.split()


def test_a_cut_word_shows() -> None:
    """Half a word is not taken for a whole one."""
    samples = b"".join(speak("wonderful", 8000))
    assert listen(samples[1::2][: len(samples) // 4], 8000) != ["wonderful"]


def test_a_transcript(server: ScriptedServer) -> None:
    """The fields of the documented reply."""
    status, reply = send_form(server, [MODEL, ("request_id", "req-0001")], tones("hello there"))
    assert status == 200
    assert set(reply) == {"id", "created", "request_id", "model", "text"}
    assert (reply["text"], reply["request_id"], reply["model"]) == ("hello there", "req-0001", "glm-asr-2512")


def test_base64_instead_of_a_file(server: ScriptedServer) -> None:
    """`file_base64` alone is enough; `file` wins over it."""
    written = ("file_base64", base64.b64encode(tones("from base64")).decode())
    assert send_form(server, [MODEL, written], None)[1]["text"] == "from base64"
    assert send_form(server, [MODEL, written], tones("from file"))[1]["text"] == "from file"


def test_a_stream(server: ScriptedServer) -> None:
    """Deltas, the closing event, and [DONE]."""
    body = MultipartBody([MODEL, ("stream", "true")], [FilePart("file", "a", "audio/wav", BytesSource(tones("a b")))])
    _, kind, data = post(server, "/audio/transcriptions", b"".join(body.chunks()), body.content_type)
    frames = [line.removeprefix("data: ") for line in data.decode().split("\n\n") if line]
    assert kind.startswith("text/event-stream")
    assert frames.pop() == "[DONE]"
    events = [json.loads(frame) for frame in frames]
    assert [event["type"] for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert "".join(event.get("delta", "") for event in events) == "a b"


SECOND = bytes(16000)


@pytest.mark.parametrize(
    ("fields", "sound", "code", "word"),
    [
        ([MODEL], wav(SECOND * 30), None, ""),
        ([MODEL], wav(SECOND * 30 + b"\0\0"), "1214", "30 seconds"),
        ([MODEL], wav(bytes(25 * 1024 * 1024), rate=1_000_000), "1214", "25 MB"),
        ([MODEL], b"".join(mp3_speech(31)), "1214", "30 seconds"),
        ([MODEL], b"OggS" + bytes(100), "1214", "current file format is not supported"),
        ([MODEL], wav(b""), "1214", "empty"),
        ([MODEL], wav(SECOND, data_size=0xFFFFFFFF), "1214", "damaged"),
        ([MODEL], wav(SECOND, riff_size=0), "1214", "damaged"),
        ([MODEL], None, "1213", "file"),
        ([], wav(SECOND), "1213", "model"),
        ([("model", "whisper-1")], wav(SECOND), "1211", "Unknown Model"),
        ([MODEL, ("stream", "True")], wav(SECOND), "1214", "stream"),
        ([MODEL, ("language", "en")], wav(SECOND), "1210", "language"),
        ([MODEL, ("user_id", "me")], wav(SECOND), "1214", "user_id"),
        ([MODEL, MODEL], wav(SECOND), "1214", "model"),
        ([MODEL, *[("hotwords", "x")] * 101], wav(SECOND), "1214", "hotwords"),
    ],
)
def test_strict_checks(
    server: ScriptedServer, fields: list[tuple[str, str]], sound: bytes | None, code: str | None, word: str
) -> None:
    """What the documentation forbids is refused with the service's code, in a sentence that names the field."""
    status, reply = send_form(server, fields, sound)
    if code is None:
        assert status == 200
        return
    assert (status, reply["error"]["code"]) == (400, code)
    assert word in reply["error"]["message"]


def test_unknown_sound_says_where_the_answer_comes_from(server: ScriptedServer) -> None:
    """Sound that is not the sandbox's own speech gets a sentence with its length."""
    noise = wav(bytes(range(256)) * 250)
    assert "sandbox: 4.0 seconds of WAV" in send_form(server, [MODEL], noise)[1]["text"]
    frames = mp3_frame() * 100
    assert "sandbox: 2.6 seconds of MP3" in send_form(server, [MODEL], frames)[1]["text"]


# -- speech ---------------------------------------------------------------------------------


def test_speech_as_wav_can_be_heard_again(server: ScriptedServer) -> None:
    """A real WAV file, 24 kHz, mono, 16 bits, whose words come back from the transcription."""
    status, kind, data = say(server, {**SPEECH, "response_format": "wav", "speed": 2, "volume": 1.5})
    assert (status, kind) == (200, "audio/wav")
    with wave.open(BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24000, 1, 2)
    assert send_form(server, [MODEL], data)[1]["text"] == "hello 你好"


def test_speech_as_pcm_is_the_default(server: ScriptedServer) -> None:
    """Samples without a header."""
    status, _, data = say(server, SPEECH)
    assert (status, listen(data[1::2], 24000)) == (200, ["hello", "你好"])


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_speech_as_a_stream(server: ScriptedServer, encoding: str) -> None:
    """Encoded samples with their rate, then a finish reason without a delta."""
    _, _, data = say(server, {**SPEECH, "stream": True, "encode_format": encoding})
    frames = [line.removeprefix("data: ") for line in data.decode().split("\n\n") if line]
    assert frames.pop() == "[DONE]"
    *deltas, last = [json.loads(frame)["choices"][0] for frame in frames]
    assert (last["finish_reason"], "delta" in last) == ("stop", False)
    decode = base64.b64decode if encoding == "base64" else bytes.fromhex
    samples = b"".join(decode(choice["delta"]["content"]) for choice in deltas)
    assert listen(samples[1::2], deltas[0]["delta"]["return_sample_rate"]) == ["hello", "你好"]


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"model": "tts-1"}, "1211", "Model"),
        ({"input": ""}, "1213", "input"),
        ({"input": "x" * 1025}, "1214", "input"),
        ({"voice": None}, "1213", "voice"),
        ({"voice": "alloy"}, "1214", "voice"),
        ({"response_format": "mp3"}, "1214", "response_format"),
        ({"stream": True, "response_format": "wav"}, "1214", "pcm"),
        ({"speed": 2.5}, "1214", "speed"),
        ({"volume": 0}, "1214", "volume"),
        ({"encode_format": "raw"}, "1214", "encode_format"),
        ({"pitch": 1}, "1210", "pitch"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_speech_checks(server: ScriptedServer, change: dict[str, object], code: str, word: str) -> None:
    """The documented limits."""
    status, _, data = say(server, {**SPEECH, **change})
    error = json.loads(data)["error"]
    assert (status, error["code"]) == (400, code)
    assert word in error["message"]


def test_speech_is_not_offered_abroad(server: ScriptedServer) -> None:
    """Z.AI documents no speech; the region's key gets 404."""
    assert say(server, SPEECH, account="zai")[0] == 404


@pytest.mark.filterwarnings("ignore")  # the SDK's own
def test_the_official_sdk_transcribes(server: ScriptedServer, tmp_path: Any) -> None:
    """zai-sdk, which we did not write, gets text and stream from the sandbox."""
    from zai import ZaiClient

    path = tmp_path / "a.wav"
    path.write_bytes(tones("hello there"))
    client = ZaiClient(api_key=server.keys["zai"], base_url=f"{server.address}/api/paas/v4")
    with path.open("rb") as file:
        whole = client.audio.transcriptions.create(model="glm-asr-2512", file=file, stream=False)
    with path.open("rb") as file:
        chunks = list(client.audio.transcriptions.create(model="glm-asr-2512", file=file, stream=True))
    assert getattr(whole, "text", None) == "hello there"
    assert "".join(getattr(chunk, "delta", None) or "" for chunk in chunks) == "hello there"

"""Speech to text and text to speech, as `/audio/transcriptions` and `/audio/speech` take and give them.

Fields and limits: OpenAPI of docs.z.ai and docs.bigmodel.cn (audio). The
transcript is made from the sound that arrived: words in tones
(`glmcli.sandbox.tones`) from WAV, words written into frames from MP3, and
for any other sound a sentence that says how much of it came.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.exchange import PAAS, Part, Refusal, Request, Response
from glmcli.sandbox.tones import GAP_SECONDS, listen, speak, top_bytes

if TYPE_CHECKING:
    from glmcli.sandbox.app import Route, Sandbox

ASR_MODEL = "glm-asr-2512"
TTS_MODEL = "glm-tts"
VOICES = ("tongtong", "chuichui", "xiaochen", "jam", "kazi", "douji", "luodo")
SPEECH_RATE = 24000
MAX_SECONDS = 30.0
MAX_BYTES = 25 * 1024 * 1024
MAX_INPUT_CHARACTERS = 1024
MAX_HOTWORDS = 100
_FIELDS = frozenset(
    {"file", "file_base64", "model", "prompt", "hotwords", "hotwords[]", "stream", "request_id", "user_id"}
    | {"sensitive_word_check"}
)
_LENGTHS = {"request_id": (6, 64), "user_id": (6, 128)}


def routes() -> list[Route]:
    """The routes of this module."""
    from glmcli.sandbox.app import Route

    return [
        Route("POST", PAAS, "/audio/transcriptions", transcribe),
        Route("POST", PAAS, "/audio/speech", synthesise),
    ]


# -- speech to text ----------------------------------------------------------------------


def transcribe(sandbox: Sandbox, request: Request) -> Response:
    """Say what was in the sound that came."""
    form = request.multipart()
    _check_form(form, lenient=sandbox.lenient)
    words = heard(_sound(form))
    head = {"id": request.log_id, "created": int(sandbox.clock()), "model": ASR_MODEL}
    if _field(form, "stream") == "true":
        return Response.sse(_events(head, words))
    request_id = _field(form, "request_id") or request.log_id
    return Response.json({**head, "request_id": request_id, "text": " ".join(words)})


def _events(head: Mapping[str, object], words: list[str]) -> Iterator[object]:
    for index, word in enumerate(words):
        yield {**head, "type": "transcript.text.delta", "delta": word if index == 0 else f" {word}"}
    yield {**head, "type": "transcript.text.done"}
    yield "data: [DONE]\n\n"


def _check_form(form: Mapping[str, list[Part]], *, lenient: bool) -> None:
    unknown = sorted(set(form) - _FIELDS)
    if unknown and not lenient:
        raise Refusal("1210", message=f"Invalid API parameter: unknown field `{unknown[0]}`.")
    for name, parts in form.items():
        if len(parts) > 1 and name not in ("hotwords", "hotwords[]"):
            raise Refusal("1214", name)
    model = _field(form, "model")
    if model is None:
        raise Refusal("1213", "model")
    if model != ASR_MODEL:
        raise Refusal("1211")
    if _field(form, "stream") not in (None, "true", "false"):
        raise Refusal("1214", "stream")
    if len(form.get("hotwords", ())) + len(form.get("hotwords[]", ())) > MAX_HOTWORDS:
        raise Refusal("1214", "hotwords")
    for name, (shortest, longest) in _LENGTHS.items():
        value = _field(form, name)
        if value is not None and not shortest <= len(value) <= longest:
            raise Refusal("1214", name)


def _field(form: Mapping[str, list[Part]], name: str) -> str | None:
    return form[name][0].text() if name in form else None


def _sound(form: Mapping[str, list[Part]]) -> bytes:
    """The recording: `file` wins over `file_base64`."""
    if "file" in form:
        part = form["file"][0]
        if part.size > MAX_BYTES:
            raise Refusal("1214", message="The file exceeds the limit of 25 MB for transcriptions")
        return part.data()
    written = _field(form, "file_base64")
    if written is None:
        raise Refusal("1213", "file")
    try:
        return base64.b64decode(written, validate=True)
    except binascii.Error:
        raise Refusal("1214", "file_base64") from None


def heard(data: bytes) -> list[str]:
    """The words of a recording. Raises Refusal 1214 for what the service would not take."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _heard_wav(data)
    if data[:3] == b"ID3" or (len(data) > 3 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2):
        return _heard_mp3(data)
    raise Refusal("1214", message="current file format is not supported for transcriptions")


def _check_duration(seconds: float) -> None:
    if seconds <= 0:
        raise Refusal("1214", message="The audio file is empty")
    if seconds > MAX_SECONDS:
        raise Refusal("1214", message=f"The audio lasts {seconds:.2f} seconds; transcriptions take at most 30 seconds")


def _heard_wav(data: bytes) -> list[str]:
    chunks = dict(_chunks(data))
    head = chunks.get(b"fmt ", b"")
    if len(head) < 16 or b"data" not in chunks:
        raise Refusal("1214", message="The audio file is damaged")
    encoding, channels, rate, _, frame_bytes, bits = struct.unpack("<HHIIHH", head[:16])
    if encoding == 0xFFFE and len(head) >= 26:
        encoding = struct.unpack("<H", head[24:26])[0]
    if encoding not in (1, 3) or not (channels and rate and frame_bytes):
        raise Refusal("1214", message="current file format is not supported for transcriptions")
    samples = chunks[b"data"]
    seconds = len(samples) / frame_bytes / rate
    _check_duration(seconds)
    samples = samples[: len(samples) - len(samples) % frame_bytes]
    levels = top_bytes(samples, encoding=encoding, sample_bytes=bits // 8, channels=channels)
    words = listen(levels, rate)
    if words and not any(word.isprintable() and not word.startswith("[") for word in words):
        return _sentence(seconds, "WAV")
    return words


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and bodies; a size that is not true is a damaged file, as a strict server would have it."""
    if struct.unpack("<I", data[4:8])[0] != len(data) - 8:
        raise Refusal("1214", message="The audio file is damaged")
    offset = 12
    while offset + 8 <= len(data):
        name, size = struct.unpack("<4sI", data[offset : offset + 8])
        if offset + 8 + size > len(data):
            raise Refusal("1214", message="The audio file is damaged")
        yield name, data[offset + 8 : offset + 8 + size]
        offset += 8 + size + size % 2


_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MP3_KBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
#: A word that a test wrote into the payload of a frame.
_MP3_WORD = re.compile(rb"word\((\w+)\)")


def _heard_mp3(data: bytes) -> list[str]:
    seconds = 0.0
    offset = _after_tag(data)
    while (frame := _mp3_frame(data[offset : offset + 4])) is not None and offset + frame[0] <= len(data):
        offset += frame[0]
        seconds += frame[1]
    _check_duration(seconds)
    words = [word.decode() for word in _MP3_WORD.findall(data)]
    return words or _sentence(seconds, "MP3")


def _after_tag(data: bytes) -> int:
    if data[:3] != b"ID3":
        return 0
    return 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9])


def _mp3_frame(head: bytes) -> tuple[int, float] | None:
    """Bytes and seconds of a frame."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, index, rate_index = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or index in (0, 15) or rate_index == 3:
        return None
    rate, samples = _MP3_RATES[version][rate_index], 1152 if version == 3 else 576
    length = samples // 8 * _MP3_KBITS[version == 3][index] * 1000 // rate + (head[2] >> 1 & 1)
    return length, samples / rate


def _sentence(seconds: float, kind: str) -> list[str]:
    return f"[sandbox: {seconds:.1f} seconds of {kind} sound]".split()


# -- text to speech ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Speech:
    text: str
    form: str
    speed: float
    volume: float

    def samples(self) -> Iterator[bytes]:
        """16-bit mono samples, word by word; speed changes the gaps only, or the words could not be read."""
        return speak(self.text, SPEECH_RATE, gap_seconds=GAP_SECONDS / self.speed, volume=self.volume / 2)


def synthesise(sandbox: Sandbox, request: Request) -> Response:
    """Speak a text, in tones."""
    if request.region == "intl" and request.account is not None and not request.account.everywhere:
        raise Refusal("1222", "/audio/speech", status=404)  # documented for BigModel alone
    body = request.json()
    speech = _checked_speech(body, lenient=sandbox.lenient)
    if body.get("stream"):
        return Response.sse(_speech_events(sandbox, request, speech, encode_hex=body.get("encode_format") == "hex"))
    samples = b"".join(speech.samples())
    if speech.form == "wav":
        return Response.bytes(wav_head(len(samples), SPEECH_RATE) + samples, "audio/wav")
    return Response.bytes(samples, "audio/pcm")


def _checked_speech(body: Mapping[str, Any], *, lenient: bool) -> _Speech:
    for name in ("model", "input", "voice"):
        if not body.get(name):
            raise Refusal("1213", name)
    if body["model"] != TTS_MODEL:
        raise Refusal("1211")
    for name, value in body.items():
        check = _SPEECH_FIELDS.get(name)
        if check is None and not lenient:
            raise Refusal("1210", message=f"Invalid API parameter: unknown field `{name}`.")
        if check is not None and value is not None and not check(value):
            raise Refusal("1214", name)
    form = body.get("response_format") or "pcm"
    if body.get("stream") and form != "pcm":
        raise Refusal("1214", message="Streaming supports `response_format` pcm only")
    return _Speech(body["input"], form, float(body.get("speed") or 1.0), float(body.get("volume") or 1.0))


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_text(value: object, shortest: int, longest: int) -> bool:
    return isinstance(value, str) and shortest <= len(value) <= longest


_SPEECH_FIELDS: Mapping[str, Any] = {
    "model": lambda value: isinstance(value, str),
    "input": lambda value: _is_text(value, 1, MAX_INPUT_CHARACTERS),
    # A cloned voice has an id of the service's making; ours are told by their beginning.
    "voice": lambda value: isinstance(value, str) and (value in VOICES or value.startswith("voice")),
    "response_format": lambda value: value in ("pcm", "wav"),
    "speed": lambda value: _is_number(value, 0.5, 2),
    "volume": lambda value: _is_number(value, 0, 10) and value > 0,
    "stream": lambda value: isinstance(value, bool),
    "encode_format": lambda value: value in ("base64", "hex"),
    "watermark_enabled": lambda value: isinstance(value, bool),
    "request_id": lambda value: _is_text(value, 6, 64),
    "user_id": lambda value: _is_text(value, 6, 128),
    "sensitive_word_check": lambda value: isinstance(value, dict),
}


def _speech_events(sandbox: Sandbox, request: Request, speech: _Speech, *, encode_hex: bool) -> Iterator[object]:
    head = {"id": request.log_id, "created": int(sandbox.clock()), "model": TTS_MODEL}
    for samples in speech.samples():
        content = samples.hex() if encode_hex else base64.b64encode(samples).decode()
        delta = {
            "role": "assistant",
            "content": content,
            "return_sample_rate": SPEECH_RATE,
            "return_format": "pcm",
        }
        yield {**head, "choices": [{"index": 0, "delta": delta}]}
    yield {**head, "choices": [{"index": 0, "finish_reason": "stop"}]}
    yield "data: [DONE]\n\n"


def wav_head(data_bytes: int, rate: int) -> bytes:
    """The head of a WAV file of 16-bit mono samples."""
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + data_bytes)
        + b"WAVEfmt \x10\0\0\0"
        + form
        + b"data"
        + struct.pack("<I", data_bytes)
    )

"""Text to speech: `POST /audio/speech` (BigModel).

Fields and voices: OpenAPI of docs.bigmodel.cn; frames of a stream: the types
of the vendor's SDK (`api/audio.md` section 2). Z.AI documents no such path.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from glmcli.api.calls import Call, Caller, Reply, json_body
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, mappings, text, whole
from glmcli.api.sse import ServerEvent, SseDecoder
from glmcli.api.streaming import event_chunks, read_chunk, whole_bytes
from glmcli.errors import ContentRefused, ServiceError, StreamCut, UsageError

DEFAULT_MODEL = "glm-tts"
#: The built-in voices, the default first; cloned ones have an id of their own.
VOICES = ("tongtong", "chuichui", "xiaochen", "jam", "kazi", "douji", "luodo")
#: The longest text of one request.
MAX_CHARACTERS = 1024
SPEEDS = (0.5, 2.0)
LOUDEST = 10.0
#: Samples per second where the answer does not say.
RATE = 24000


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What to say, and how. `volume` is above 0 and at most LOUDEST; None leaves a field to the service.

    `extra` fields replace those of the same name.
    """

    input: str
    voice: str = VOICES[0]
    model: str = DEFAULT_MODEL
    speed: float | None = None
    volume: float | None = None
    watermark: bool | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def to_json(self, *, stream: bool) -> dict[str, object]:
        """The request body: WAV, which says its own rate, or a stream of samples (which is PCM alone)."""
        optional = {"speed": self.speed, "volume": self.volume, "watermark_enabled": self.watermark}
        form: dict[str, object] = {"response_format": "pcm", "stream": True} if stream else {"response_format": "wav"}
        given = {name: value for name, value in optional.items() if value is not None}
        return {"model": self.model, "input": self.input, "voice": self.voice, **form, **given, **self.extra}


def check(*, speed: float | None, volume: float | None) -> None:
    """Compare with the documented ranges before anything is sent. Raises UsageError."""
    slowest, fastest = SPEEDS
    if speed is not None and not slowest <= speed <= fastest:
        raise UsageError(f"--speed {speed:g} is out of range", hint=f"the service takes {slowest:g} to {fastest:g}")
    if volume is not None and not 0 < volume <= LOUDEST:
        raise UsageError(f"--volume {volume:g} is out of range", hint=f"the service takes up to {LOUDEST:g}, above 0")


class Samples(NamedTuple):
    """A stretch of sound: 16-bit little-endian samples of one channel, so many per second."""

    data: bytes
    rate: int


class Speech:
    """`/audio/speech` of region cn."""

    def __init__(self, caller: Caller, *, decode: Callable[[Reply], Samples]) -> None:
        """`decode` finds the sound in a whole answer, which is WAV or bare samples."""
        self._caller = caller
        self._decode = decode

    def create(self, request: SpeechRequest) -> Samples:
        """The whole sound at once. Raises what `Caller.send` and `decode` raise."""
        return self._decode(self._caller.send(_call(request, stream=False)))

    def stream(self, request: SpeechRequest) -> Iterator[Samples]:
        """The sound as it is made; a piece may end within a sample.

        Raises StreamCut when it ends early, ContentRefused and ServiceError for a refusal inside it.
        """
        with self._caller.open(_call(request, stream=True)) as reply:
            if "json" in reply.headers.get("content-type", "") or "audio/" in reply.headers.get("content-type", ""):
                # A server that does not stream answers whole.
                yield self._decode(Reply(reply.status, reply.headers, whole_bytes(reply)))
                return
            yield from _from_events(event_chunks(reply))


def _call(request: SpeechRequest, *, stream: bool) -> Call:
    # Sound, and a refusal as JSON: whoever negotiates strictly must be able to send either.
    headers = {"Accept": "text/event-stream" if stream else "*/*"}
    return Call(Service.AUDIO, "POST", "/audio/speech", body=json_body(request.to_json(stream=stream)), headers=headers)


# -- the stream --------------------------------------------------------------------------


def _from_events(chunks: Iterator[bytes]) -> Iterator[Samples]:
    decoder = SseDecoder()
    for chunk in chunks:
        ended = yield from _read(decoder.feed(chunk))
        if ended:
            return
    ended = yield from _read(decoder.finish())
    if not ended:
        raise StreamCut("the speech broke off before its end")


def _read(events: Sequence[ServerEvent]) -> Generator[Samples, None, bool]:
    """Yields the sound in some events and returns whether the end was among them."""
    for name, data in events:
        if data.strip() == "[DONE]":
            return True
        event = read_chunk(data)
        if event is None:
            continue
        if event.get("error") or name == "error":
            from glmcli.api.faults import error_from_event

            raise error_from_event(event)
        for choice in mappings(event, "choices"):
            delta = mapping(choice, "delta")
            if delta.get("content"):
                yield _decoded(delta)
            if _is_end(choice):
                return True
    return False


def _is_end(choice: Mapping[str, Any]) -> bool:
    reason = text(choice, "finish_reason")
    if reason == "sensitive":
        raise ContentRefused("the content policy of the service stopped the speech")
    return reason is not None


def _decoded(delta: Mapping[str, Any]) -> Samples:
    form = text(delta, "return_format") or "pcm"
    if form != "pcm":
        raise ServiceError(f"the service streams {form}, and pcm was asked for")
    try:
        data = binascii.a2b_base64(text(delta, "content") or "")
    except binascii.Error:
        raise StreamCut("the speech broke off: the service sent an unreadable piece") from None
    return Samples(data, whole(delta, "return_sample_rate") or RATE)

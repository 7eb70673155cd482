"""Speech to text: `POST /audio/transcriptions`.

Shapes: docs.z.ai api-reference/audio/audio-transcriptions and the OpenAPI of
docs.bigmodel.cn (`api/audio.md` section 1). The form encoding of `hotwords`
is not documented; the plain field is repeated, as other clients do. Whether
the closing event repeats the text is not documented either: the deltas count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glmcli.api.bodies import FilePart, MultipartBody, Progress, Source
from glmcli.api.calls import Call, Caller
from glmcli.api.endpoints import Service
from glmcli.api.fields import mappings, text
from glmcli.api.sse import ServerEvent, SseDecoder
from glmcli.api.streaming import event_chunks, whole_json
from glmcli.errors import ServiceError, StreamCut, UsageError

DEFAULT_MODEL = "glm-asr-2512"
#: "Recommended" by the vendor; older text is dropped from the front.
MAX_PROMPT_CHARACTERS = 8000
MAX_HOTWORDS = 100

_CONTENT_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_LENGTHS = {"request_id": (6, 64), "user_id": (6, 128)}


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """What to write down. `kind` is `wav` or `mp3`; `prompt` is the text spoken before.

    `extra` fields replace those of the same name; a list becomes a repeated field.
    """

    audio: Source
    kind: str
    model: str = DEFAULT_MODEL
    prompt: str | None = None
    hotwords: Sequence[str] = ()
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def body(self, *, stream: bool, on_progress: Progress | None = None) -> MultipartBody:
        """The form, with the sound last."""
        fields: dict[str, object] = {"model": self.model, "stream": stream}
        optional = {
            "prompt": self.prompt,
            "hotwords": list(self.hotwords),
            "request_id": self.request_id,
            "user_id": self.user_id,
        }
        fields.update({name: value for name, value in optional.items() if value})
        fields.update(self.extra)
        pairs = [(name, item) for name, value in fields.items() for item in _form_texts(value)]
        part = FilePart("file", f"audio.{self.kind}", _CONTENT_TYPES[self.kind], self.audio)
        return MultipartBody(pairs, [part], on_progress=on_progress)


def _form_texts(value: object) -> list[str]:
    """A value as form fields: booleans in lower case, objects as JSON, lists one by one."""
    if isinstance(value, list):
        return [text for item in value for text in _form_texts(item)]
    if isinstance(value, str):
        return [value]
    import json

    return [json.dumps(value, ensure_ascii=False)]


def check(*, hotwords: Sequence[str], request_id: str | None, user_id: str | None) -> None:
    """Compare what goes into every request with the documented limits. Raises UsageError."""
    if len(hotwords) > MAX_HOTWORDS:
        raise UsageError(f"{len(hotwords)} hotwords are too many", hint=f"the service takes {MAX_HOTWORDS}")
    for name, value in (("request_id", request_id), ("user_id", user_id)):
        shortest, longest = _LENGTHS[name]
        if value is not None and not shortest <= len(value) <= longest:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{flag} has {len(value)} characters", hint=f"the service takes {shortest} to {longest} characters"
            )


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, in seconds from the start of the piece (older models only)."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said."""

    text: str
    model: str | None = None
    request_id: str | None = None
    segments: tuple[Segment, ...] = ()


class Transcriptions:
    """`/audio/transcriptions` of either region."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create(self, request: TranscriptionRequest) -> Transcript:
        """The whole text at once. Raises what `Caller.send` raises, and ServiceError for a reply without text."""
        reply = self._caller.send(_call(request, stream=False))
        return transcript_from_json(reply.json(), reply.request_id)

    def stream(self, request: TranscriptionRequest, on_text: Callable[[str], None]) -> Transcript:
        """The text as it comes, then as a whole.

        Raises StreamCut when the stream ends early, ServiceError for an error inside it.
        """
        with self._caller.open(_call(request, stream=True)) as reply:
            request_id = reply.headers.get("x-log-id")
            if "json" in reply.headers.get("content-type", ""):  # a server that does not stream answers whole
                transcript = transcript_from_json(whole_json(reply), request_id)
                on_text(transcript.text)
                return transcript
            parser = _StreamParser(request_id)
            for delta in parser.deltas(event_chunks(reply)):
                on_text(delta)
            return parser.transcript()


def _call(request: TranscriptionRequest, *, stream: bool) -> Call:
    headers = {"Accept": "text/event-stream"} if stream else None
    return Call(Service.AUDIO, "POST", "/audio/transcriptions", body=request.body(stream=stream), headers=headers)


def transcript_from_json(body: object, request_id: str | None = None) -> Transcript:
    """A transcript from the non-streaming reply. Raises ServiceError when it holds none."""
    found = body if isinstance(body, dict) else {}
    if found.get("error"):
        _raise(found)
    words = text(found, "text")
    if words is None:
        from glmcli.api.faults import error_in_body

        raise error_in_body(body) or ServiceError(
            "the service sent a transcription without `text`", request_id=request_id
        )
    return Transcript(
        text=words,
        model=text(found, "model"),
        request_id=request_id or text(found, "request_id"),
        segments=tuple(_segments(found)),
    )


def _segments(body: Mapping[str, Any]) -> Iterator[Segment]:
    for item in mappings(body, "segments"):
        start, end, words = item.get("start"), item.get("end"), text(item, "text")
        if isinstance(start, int | float) and isinstance(end, int | float) and start <= end and words:
            yield Segment(float(start), float(end), words)


class _StreamParser:
    """Gathers the events `transcript.text.delta` and `transcript.text.done`."""

    def __init__(self, request_id: str | None) -> None:
        self._parts: list[str] = []
        self._model: str | None = None
        self._request_id = request_id
        self._ended = False

    def deltas(self, chunks: Iterator[bytes]) -> Iterator[str]:
        """Pieces of text as they arrive."""
        decoder = SseDecoder()
        for chunk in chunks:
            yield from self._feed(decoder.feed(chunk))
            if self._ended:
                return
        yield from self._feed(decoder.finish())
        if not self._ended:
            raise StreamCut("the transcription broke off before its end")

    def transcript(self) -> Transcript:
        """The whole, once the deltas are through."""
        return Transcript("".join(self._parts), self._model, self._request_id)

    def _feed(self, events: Sequence[ServerEvent]) -> Iterator[str]:
        for name, data in events:
            if data.strip() == "[DONE]":
                self._ended = True
                return
            delta = self._delta(name, data)
            if delta:
                self._parts.append(delta)
                yield delta

    def _delta(self, name: str, data: str) -> str | None:
        import json

        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            raise StreamCut("the transcription broke off: the service sent an unreadable piece") from None
        if not isinstance(event, dict):
            return None
        if event.get("error") or name == "error":
            _raise(event)
        self._model = text(event, "model") or self._model
        if event.get("type") == "transcript.text.done":
            self._ended = True
            return None if self._parts else text(event, "text")
        return text(event, "delta")


def _raise(body: Mapping[str, Any]) -> None:
    from glmcli.api.faults import error_from_event

    raise error_from_event(body)

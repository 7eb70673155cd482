"""Chat completions: one request, whole or as a stream of events.

Shapes: docs.z.ai openapi ChatCompletionTextRequest and the chunk schema of
docs.bigmodel.cn (`api/chat.md` sections 2, 7, 8).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Region, Service
from glmcli.api.fields import mapping, mappings, text, whole
from glmcli.api.sse import ServerEvent
from glmcli.api.streaming import add_delta, event_chunks, events_of_stream, read_chunk, read_together, whole_json
from glmcli.errors import GlmError, ServiceError, StreamCut, UsageError
from glmcli.events import (
    Answer,
    AnswerBuilder,
    Event,
    Finish,
    ReasoningDelta,
    Sources,
    Started,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from glmcli.values import Value

Message = Mapping[str, object]

#: Events of one read that are decoded together; as objects they take fifteen times their size.
_DECODED_AT_ONCE = 32


class ChatRequest(Value):
    """What to ask. None leaves a field to the service; `extra` is merged last."""

    model: str
    messages: Sequence[Message]
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: str | None = None
    thinking: Mapping[str, object] = {}
    json_mode: bool = False
    tools: Sequence[Mapping[str, object]] = ()
    tool_stream: bool = False
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = {}

    def to_json(self, *, stream: bool) -> dict[str, object]:
        """The request body. Fields outside the vendor's schema are never sent."""
        body: dict[str, object] = {"model": self.model, "messages": list(self.messages), "stream": stream}
        optional: dict[str, object | None] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "stop": [self.stop] if self.stop else None,
            "response_format": {"type": "json_object"} if self.json_mode else None,
            "tools": list(self.tools) or None,
            "tool_stream": True if self.tool_stream and stream and self.tools else None,
            "request_id": self.request_id,
            "user_id": self.user_id,
        }
        body.update({name: value for name, value in optional.items() if value is not None})
        body.update(self.thinking)
        body.update(self.extra)
        return body


# Name -> what the vendor's schema allows (`api/chat.md` section 2).
_RANGES: dict[str, tuple[float, float, str]] = {
    "temperature": (0.0, 1.0, "--temperature"),
    "top_p": (0.01, 1.0, "--top-p"),
    "max_tokens": (1, 131072, "--max-tokens"),
}
_LENGTHS: dict[str, tuple[int, int, str]] = {
    "request_id": (6, 64, "--request-id"),
    "user_id": (6, 128, "--user-id"),
}


def check(request: ChatRequest) -> None:
    """Compare a request with the vendor's documented limits before it is sent.

    Raises UsageError with the documented values. Compatible servers have
    other limits; their requests are not checked.
    """
    for name, (low, high, flag) in _RANGES.items():
        value = getattr(request, name)
        if value is not None and not low <= value <= high:
            raise UsageError(
                f"{flag} {value:g} is out of range",
                hint=f"the service takes {low:g} to {high:g}",
            )
    for name, (shortest, longest, flag) in _LENGTHS.items():
        value = getattr(request, name)
        if value is not None and not shortest <= len(value) <= longest:
            raise UsageError(
                f"{flag} has {len(value)} characters", hint=f"the service takes {shortest} to {longest} characters"
            )


def web_search_tool(region: Region, *, count: int = 10) -> dict[str, object]:
    """The search tool with its results asked for; the engine's name depends on the region (`api/chat.md` section 4)."""
    engine = "search_pro" if region is Region.CN else "search_pro_jina"
    search = {"enable": True, "search_engine": engine, "search_result": True, "count": count}
    return {"type": "web_search", "web_search": search}


class ChatCompletions:
    """`POST /chat/completions` of any provider that speaks the OpenAI dialect."""

    def __init__(self, caller: Caller, *, language: str = "en") -> None:
        self._caller = caller
        self._language = language

    def create(self, request: ChatRequest) -> Answer:
        """One whole answer. Raises what `Caller.send` raises."""
        reply = self._caller.send(self._call(request, stream=False))
        answer = answer_from_json(reply.json(), language=self._language)
        answer.request_id = reply.request_id or answer.request_id
        return answer

    def stream(self, request: ChatRequest, *, merge: bool = True) -> Iterator[list[Event]]:
        """The events of an answer, one list per network read.

        With `merge`, neighbouring deltas of one read become one event, which
        spares work per token. Raises StreamCut when the stream ends early,
        and ServiceError for an error object inside it.
        """
        with self._caller.open(self._call(request, stream=True)) as reply:
            content_type = reply.headers.get("content-type", "")
            log_id = reply.headers.get("x-log-id")
            if log_id:
                yield [Started(None, log_id)]
            if "json" in content_type:  # a server that does not stream answers whole
                yield events_of_answer(answer_from_json(whole_json(reply), language=self._language))
                return
            chunks = event_chunks(reply, language=self._language)
            yield from events_of_stream(chunks, ChunkParser(merge=merge, language=self._language))

    def _call(self, request: ChatRequest, *, stream: bool) -> Call:
        headers = {"Accept": "text/event-stream"} if stream else None
        return Call(
            Service.CHAT, "POST", "/chat/completions", body=json_body(request.to_json(stream=stream)), headers=headers
        )


class ChunkParser:
    """Turns server-sent events of chat completions into our events."""

    def __init__(self, *, merge: bool, language: str = "en") -> None:
        self.done = False
        self.finished = False
        self.failure: GlmError | None = None
        self._merge = merge
        self._language = language
        self._started = False

    def feed(self, server_events: Sequence[ServerEvent]) -> list[Event]:
        """The events of these chunks. Raises StreamCut for unreadable JSON, ServiceError for an error."""
        events: list[Event] = []
        try:
            self._read_all(server_events, events)
        except (ServiceError, StreamCut) as error:
            if not events:
                raise
            self.failure = error
        return events

    def _read_all(self, server_events: Sequence[ServerEvent], events: list[Event]) -> None:
        for start in range(0, len(server_events), _DECODED_AT_ONCE):
            group = server_events[start : start + _DECODED_AT_ONCE]
            together = read_together([data for _, data in group]) if len(group) > 1 else None
            if together is None:
                self._read_each(group, events)
            else:
                for (name, _), chunk in zip(group, together, strict=True):
                    self.read(name, chunk, events)
            if self.done:
                break

    def _read_each(self, server_events: Sequence[ServerEvent], events: list[Event]) -> None:
        for name, data in server_events:
            if data == "[DONE]":
                self.done = True
                break
            chunk = read_chunk(data)
            if chunk is not None:
                self.read(name, chunk, events)

    def read(self, name: str, chunk: dict[str, Any], events: list[Event]) -> None:
        """Append the events of one chunk, or of a whole reply, which has the same shape."""
        if chunk.get("error") or name == "error":
            self._raise(chunk)
        if not self._started:
            self._started = True
            events.append(Started(text(chunk, "model"), text(chunk, "request_id")))
        for choice in mappings(chunk, "choices"):
            self._choice(choice, events)
        if chunk.get("usage"):
            events.append(usage_from_json(mapping(chunk, "usage")))
        if chunk.get("web_search"):
            events.append(Sources([dict(item) for item in mappings(chunk, "web_search")]))

    def _choice(self, choice: Mapping[str, Any], events: list[Event]) -> None:
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            if reasoning and isinstance(reasoning, str):
                add_delta(events, ReasoningDelta, reasoning, merge=self._merge)
            content = delta.get("content")
            if content and isinstance(content, str):
                add_delta(events, TextDelta, content, merge=self._merge)
            if delta.get("tool_calls"):
                events.extend(_tool_deltas(delta))
        reason = choice.get("finish_reason")
        if reason and isinstance(reason, str):
            self.finished = True
            events.append(Finish(reason))

    def _raise(self, chunk: dict[str, Any]) -> None:
        from glmcli.api.faults import error_from_event

        raise error_from_event(chunk, self._language)


def _tool_deltas(delta: Mapping[str, Any]) -> list[Event]:
    deltas: list[Event] = []
    for position, call in enumerate(mappings(delta, "tool_calls")):
        function = mapping(call, "function")
        index = whole(call, "index")
        deltas.append(
            ToolCallDelta(
                index=position if index is None else index,
                id=text(call, "id"),
                name=text(function, "name"),
                arguments=_arguments(function.get("arguments")),
            )
        )
    return deltas


def _arguments(value: object) -> str:
    """Arguments are JSON text on the wire; the schema says object: take both."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False)


def usage_from_json(body: Mapping[str, Any]) -> Usage:
    """Token counts, whichever of the optional fields are there."""
    return Usage(
        prompt_tokens=whole(body, "prompt_tokens"),
        completion_tokens=whole(body, "completion_tokens"),
        total_tokens=whole(body, "total_tokens"),
        cached_tokens=whole(mapping(body, "prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=whole(mapping(body, "completion_tokens_details"), "reasoning_tokens"),
    )


def answer_from_json(body: object, *, language: str = "en") -> Answer:
    """A whole answer from the non-streaming reply. Raises ServiceError for an error in a 200, or no answer at all."""
    if not isinstance(body, dict) or not isinstance(body.get("choices"), list):
        raise no_answer(body, "choices", language)
    builder = AnswerBuilder()
    events: list[Event] = []
    ChunkParser(merge=True, language=language).read("", body, events)
    builder.feed(events)
    return builder.answer()


def no_answer(body: object, missing: str, language: str) -> ServiceError:
    """The error for a whole reply that lacks what makes it an answer: what it says, or that it says nothing."""
    from glmcli.api.faults import error_in_body

    return error_in_body(body, language=language) or ServiceError(
        f"the service sent an answer without `{missing}`", hint="see what it sent: add -vv", is_foreign=True
    )


def events_of_answer(answer: Answer) -> list[Event]:
    """The events that a whole answer would have streamed, for renderers that know only events."""
    events: list[Event] = [Started(answer.model, answer.request_id)]
    if answer.reasoning:
        events.append(ReasoningDelta(answer.reasoning))
    if answer.content:
        events.append(TextDelta(answer.content))
    events += [ToolCallDelta(i, call.id, call.name, call.arguments) for i, call in enumerate(answer.tool_calls)]
    if answer.sources:
        events.append(Sources(answer.sources))
    if answer.usage:
        events.append(answer.usage)
    if answer.finish_reason:
        events.append(Finish(answer.finish_reason))
    return events

"""What a streamed answer is made of, whichever protocol carried it.

A resource turns network reads into lists of these; renderers consume them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Started:
    """The first word of the service: the model that answers, and its request id."""

    model: str | None
    request_id: str | None


@dataclass(slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(slots=True)
class ReasoningDelta:
    """A piece of the thinking that precedes the answer."""

    text: str


@dataclass(slots=True)
class ToolCallDelta:
    """A piece of a tool call; `index` says of which, `id` and `name` come once."""

    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(slots=True)
class Sources:
    """Web pages the answer stands on, as the service sent them."""

    items: list[dict[str, object]]


@dataclass(slots=True)
class Usage:
    """Token counts; None where the service said nothing."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(slots=True)
class Finish:
    """The reason of the end: stop, tool_calls, length, sensitive, ..."""

    reason: str


Event = Started | TextDelta | ReasoningDelta | ToolCallDelta | Sources | Usage | Finish


@dataclass(slots=True)
class ToolCall:
    """A complete call that the model asks for; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class Answer:
    """A whole answer, gathered from its events."""

    content: str = ""
    reasoning: str = ""
    model: str | None = None
    request_id: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    sources: list[dict[str, object]] = field(default_factory=list)


class AnswerBuilder:
    """Gathers events into an `Answer`; linear in the number of events."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._answer = Answer()
        self._calls: dict[int, ToolCall] = {}

    def feed(self, events: list[Event]) -> None:
        """Take the events of one network read."""
        for event in events:
            if type(event) is TextDelta:
                self._text.append(event.text)
            elif type(event) is ReasoningDelta:
                self._reasoning.append(event.text)
            else:
                self._feed_rare(event)

    def _feed_rare(self, event: Event) -> None:
        answer = self._answer
        if isinstance(event, Started):
            answer.model = event.model or answer.model
            answer.request_id = event.request_id or answer.request_id
        elif isinstance(event, Usage):
            answer.usage = event
        elif isinstance(event, Finish):
            answer.finish_reason = event.reason
        elif isinstance(event, Sources):
            answer.sources.extend(event.items)
        elif isinstance(event, ToolCallDelta):
            self._feed_call(event)

    def _feed_call(self, delta: ToolCallDelta) -> None:
        call = self._calls.setdefault(delta.index, ToolCall("", "", ""))
        call.id = call.id or delta.id or ""
        call.name = call.name or delta.name or ""
        call.arguments += delta.arguments

    @property
    def has_output(self) -> bool:
        """Whether anything came that a user would miss."""
        return bool(self._text or self._reasoning or self._calls)

    def answer(self) -> Answer:
        """The answer so far; may be asked for at any time."""
        self._answer.content = "".join(self._text)
        self._answer.reasoning = "".join(self._reasoning)
        self._answer.tool_calls = [self._calls[index] for index in sorted(self._calls)]
        return self._answer

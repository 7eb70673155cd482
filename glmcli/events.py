"""What a streamed answer is made of, whichever protocol carried it.

A resource turns network reads into lists of these; renderers consume them.
"""

from __future__ import annotations


class Record:
    """A value that is compared and shown by its fields, which are its `__slots__`.

    Every answer defines these classes anew: nine dataclasses took 2 ms, a fifth of Python's own start.
    """

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and as_dict(self) == as_dict(other)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in as_dict(self).items())})"


def as_dict(record: Record) -> dict[str, object]:
    """The fields by their names."""
    return {name: getattr(record, name) for name in record.__slots__}


class Started(Record):
    """The first word of the service: the model that answers, and its request id."""

    __slots__ = ("model", "request_id")

    def __init__(self, model: str | None, request_id: str | None) -> None:
        self.model = model
        self.request_id = request_id


class TextDelta(Record):
    """A piece of the answer."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class ReasoningDelta(Record):
    """A piece of the thinking that precedes the answer."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class ToolCallDelta(Record):
    """A piece of a tool call; `index` says of which, `id` and `name` come once."""

    __slots__ = ("index", "id", "name", "arguments")  # noqa: RUF023  # the order of the output

    def __init__(self, index: int, id: str | None, name: str | None, arguments: str) -> None:
        self.index = index
        self.id = id
        self.name = name
        self.arguments = arguments


class Sources(Record):
    """Web pages the answer stands on, as the service sent them."""

    __slots__ = ("items",)

    def __init__(self, items: list[dict[str, object]]) -> None:
        self.items = items


class Usage(Record):
    """Token counts; None where the service said nothing."""

    __slots__ = (  # noqa: RUF023  # the order of the output
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "cached_tokens",
        "reasoning_tokens",
    )

    def __init__(
        self,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        total_tokens: int | None = None,
        cached_tokens: int | None = None,
        reasoning_tokens: int | None = None,
    ) -> None:
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens
        self.total_tokens = total_tokens
        self.cached_tokens = cached_tokens
        self.reasoning_tokens = reasoning_tokens


class Finish(Record):
    """The reason of the end: stop, tool_calls, length, sensitive, ..."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


Event = Started | TextDelta | ReasoningDelta | ToolCallDelta | Sources | Usage | Finish


class ToolCall(Record):
    """A complete call that the model asks for; `arguments` is JSON text."""

    __slots__ = ("id", "name", "arguments")  # noqa: RUF023  # the order of the output

    def __init__(self, id: str, name: str, arguments: str) -> None:
        self.id = id
        self.name = name
        self.arguments = arguments


class Answer(Record):
    """A whole answer, gathered from its events."""

    __slots__ = (
        "content",
        "finish_reason",
        "model",
        "reasoning",
        "request_id",
        "sources",
        "tool_calls",
        "usage",
    )

    def __init__(
        self,
        content: str = "",
        reasoning: str = "",
        model: str | None = None,
        request_id: str | None = None,
        finish_reason: str | None = None,
        usage: Usage | None = None,
        tool_calls: list[ToolCall] | None = None,
        sources: list[dict[str, object]] | None = None,
    ) -> None:
        self.content = content
        self.reasoning = reasoning
        self.model = model
        self.request_id = request_id
        self.finish_reason = finish_reason
        self.usage = usage
        self.tool_calls = [] if tool_calls is None else tool_calls
        self.sources = [] if sources is None else sources

    def without_calls(self) -> Answer:
        """The same answer without its tool calls, which may be unfinished."""
        return Answer(**{**as_dict(self), "tool_calls": []})  # type: ignore[arg-type]  # the names are those of the fields


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

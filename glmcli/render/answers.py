"""Renderers of an answer: for a pipe, as JSON lines, as one JSON document.

A renderer consumes events and never fetches. The terminal's own renderer
stands in `render.terminal`, because it needs what these must not load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from glmcli.events import (
    Answer,
    Event,
    Finish,
    ReasoningDelta,
    Sources,
    Started,
    TextDelta,
    ToolCallDelta,
    Usage,
    as_dict,
)

#: Raised when a key of the JSON output changes its meaning (`docs/json-output.md`).
SCHEMA_VERSION = 1

Write = Callable[[str], None]


class AnswerRenderer(Protocol):
    """What shows an answer while it comes."""

    def feed(self, events: list[Event]) -> None:
        """Show the events of one network read."""

    def finish(self, answer: Answer, *, complete: bool) -> None:
        """The answer has ended; `complete` is False when it was stopped or cut."""


class TextRenderer:
    """The answer as plain text: to a pipe, or to a terminal that only prints lines.

    Reasoning goes to `write_reasoning` (stderr) when that is given. With
    `end_line` the text ends with exactly one newline, without it not a byte
    is added or removed.
    """

    def __init__(self, write: Write, *, write_reasoning: Write | None = None, end_line: bool) -> None:
        self._write = write
        self._write_reasoning = write_reasoning
        self._end_line = end_line
        self._held = ""  # newlines that may turn out to be the last ones
        self._reasoned = False

    def feed(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is TextDelta:
                self._text(event.text)
            elif type(event) is ReasoningDelta and self._write_reasoning is not None:
                self._reasoned = True
                self._write_reasoning(event.text)

    def _text(self, text: str) -> None:
        if self._reasoned and self._write_reasoning is not None:
            self._write_reasoning("\n\n")
            self._reasoned = False
        if not self._end_line:
            self._write(text)
            return
        body = (self._held + text).rstrip("\n")
        self._held = (self._held + text)[len(body) :]
        if body:
            self._write(body)

    def finish(self, answer: Answer, *, complete: bool) -> None:
        if self._reasoned and self._write_reasoning is not None:
            self._write_reasoning("\n")
        if self._end_line and answer.content:
            self._write("\n")


class ReasoningRenderer:
    """`--thinking only`: the thinking is the output, the answer is left out."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def feed(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is ReasoningDelta:
                self._write(event.text)

    def finish(self, answer: Answer, *, complete: bool) -> None:
        if answer.reasoning and not answer.reasoning.endswith("\n"):
            self._write("\n")


class JsonLinesRenderer:
    """One JSON object per event, one per line (`glm stream --json`)."""

    def __init__(self, write: Write) -> None:
        import json

        self._write = write
        self._dumps = json.JSONEncoder(ensure_ascii=False).encode

    def feed(self, events: list[Event]) -> None:
        self._write("".join(self._dumps(event_to_json(event)) + "\n" for event in events))

    def finish(self, answer: Answer, *, complete: bool) -> None:
        return None


class JsonDocumentRenderer:
    """The whole answer as one JSON document (`glm chat --json`)."""

    def __init__(self, write_json: Callable[[object], None]) -> None:
        self._write_json = write_json

    def feed(self, events: list[Event]) -> None:
        return None

    def finish(self, answer: Answer, *, complete: bool) -> None:
        self._write_json(answer_to_json(answer, complete=complete))


def event_to_json(event: Event) -> dict[str, object]:
    """One event as in `docs/json-output.md`."""
    if isinstance(event, TextDelta):
        return {"type": "text", "text": event.text}
    if isinstance(event, ReasoningDelta):
        return {"type": "reasoning", "text": event.text}
    if isinstance(event, Usage):
        return {"type": "usage", **as_dict(event)}
    if isinstance(event, ToolCallDelta):
        return {"type": "tool_call", **as_dict(event)}
    if isinstance(event, Finish):
        return {"type": "finish", "reason": event.reason}
    if isinstance(event, Sources):
        return {"type": "sources", "items": event.items}
    assert isinstance(event, Started)
    return {"type": "start", **as_dict(event), "schema_version": SCHEMA_VERSION}


def answer_to_json(answer: Answer, *, complete: bool = True) -> dict[str, object]:
    """A whole answer as in `docs/json-output.md`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "content": answer.content,
        "reasoning": answer.reasoning,
        "model": answer.model,
        "finish_reason": answer.finish_reason,
        "complete": complete,
        "usage": as_dict(answer.usage) if answer.usage else None,
        "tool_calls": [as_dict(call) for call in answer.tool_calls],
        "sources": answer.sources,
        "request_id": answer.request_id,
    }

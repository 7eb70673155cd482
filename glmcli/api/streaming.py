"""Body bytes to events, for every dialect that streams by server-sent events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from json import JSONDecodeError, JSONDecoder
from typing import Any, Protocol

from glmcli.api.sse import ServerEvent, SseDecoder
from glmcli.errors import StreamCut
from glmcli.events import Event, ReasoningDelta, TextDelta

_DECODE = JSONDecoder().raw_decode


class EventParser(Protocol):
    """Turns the server-sent events of one dialect into ours."""

    #: The end marker was seen.
    done: bool
    #: The service said why it ended.
    finished: bool

    def feed(self, server_events: Sequence[ServerEvent]) -> list[Event]:
        """Events of one network read. Raises StreamCut for unreadable JSON, ServiceError for an error."""


def events_of_stream(chunks: Iterator[bytes], parser: EventParser) -> Iterator[list[Event]]:
    """One list of events per network read.

    Raises StreamCut when the body ends with neither an end marker nor a reason.
    """
    decoder = SseDecoder()
    for chunk in chunks:
        events = parser.feed(decoder.feed(chunk))
        if events:
            yield events
        if parser.done:
            return
    events = parser.feed(decoder.finish())
    if events:
        yield events
    if not parser.done and not parser.finished:
        raise StreamCut("the answer broke off before its end")


def read_chunk(data: str) -> dict[str, Any] | None:
    """The JSON object of one event; None when it is something else. Raises StreamCut when it is cut."""
    try:
        chunk = _DECODE(data.strip())[0]
    except (JSONDecodeError, RecursionError):
        raise StreamCut("the answer broke off: the service sent an unreadable piece") from None
    return chunk if isinstance(chunk, dict) else None


def merged(events: list[Event]) -> list[Event]:
    """The same events with neighbouring deltas of one kind made one."""
    joined: list[Event] = []
    last: Event | None = None
    for event in events:
        if isinstance(event, TextDelta | ReasoningDelta) and isinstance(last, type(event)):
            last.text += event.text
        else:
            joined.append(event)
            last = event
    return joined

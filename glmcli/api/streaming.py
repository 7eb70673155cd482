"""Body bytes to events, for every dialect that streams by server-sent events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from json import JSONDecoder
from typing import Any, Protocol, TypeVar

from glmcli.api.calls import OpenReply
from glmcli.api.sse import ServerEvent, SseDecoder
from glmcli.errors import GlmError, NetworkError, StreamCut
from glmcli.events import Event, ReasoningDelta, TextDelta

Delta = TypeVar("Delta", TextDelta, ReasoningDelta)

#: An answer of this many bytes does not end: the longest of any model is a fifth of it, frames included.
MAX_STREAM_BYTES = 128 * 1024 * 1024
#: The same for an answer that comes whole although a stream was asked for.
MAX_WHOLE_BYTES = 64 * 1024 * 1024

_DECODE = JSONDecoder().raw_decode
_STARTS = (b"data:", b"event:", b"retry:", b"id:", b":")
_LONGEST_START = 6
_BLANK = b"\xef\xbb\xbf \t\r\n"
_SHOWN_BYTES = 64 * 1024


class EventParser(Protocol):
    """Turns the server-sent events of one dialect into ours."""

    #: The end marker was seen.
    done: bool
    #: The service said why it ended.
    finished: bool
    #: What broke the answer off, when it came in one read with events that must not be lost.
    failure: GlmError | None

    def feed(self, server_events: Sequence[ServerEvent]) -> list[Event]:
        """Events of one network read. Raises StreamCut for unreadable JSON, ServiceError for an error."""


def event_chunks(reply: OpenReply, *, language: str = "en") -> Iterator[bytes]:
    """The bytes of a reply that should be server-sent events.

    Raises ServiceError when it is a web page or another text, and NetworkError when it does not end.
    """
    chunks = reply.chunks()
    if reply.headers.get("content-type") and "event-stream" not in reply.headers["content-type"]:
        chunks = _surely_events(reply, chunks, language)
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_STREAM_BYTES:
            raise NetworkError(f"the answer does not end: more than {MAX_STREAM_BYTES >> 20} MiB came")
        yield chunk


def _surely_events(reply: OpenReply, chunks: Iterator[bytes], language: str) -> Iterator[bytes]:
    """The same bytes: some gateways call their events `text/plain`. Raises ServiceError for anything else."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head.lstrip(_BLANK)) >= _LONGEST_START or len(head) >= _SHOWN_BYTES:
            break
    if not head.lstrip(_BLANK).startswith(_STARTS):
        from glmcli.api.faults import not_json

        for chunk in chunks:
            if len(head) >= _SHOWN_BYTES:
                break
            head += chunk
        raise not_json(reply.status, reply.headers, head, language=language)
    yield head
    yield from chunks


def whole_json(reply: OpenReply) -> object:
    """The JSON of a server that answers whole although a stream was asked for.

    Raises StreamCut when it cannot be read, NetworkError when it does not end.
    """
    import json

    try:
        return json.loads(whole_bytes(reply))
    except (ValueError, RecursionError):
        raise StreamCut("the answer broke off: the service sent an unreadable body") from None


def whole_bytes(reply: OpenReply) -> bytes:
    """All of an arriving answer that has to be held to be read. Raises NetworkError when it does not end."""
    body = bytearray()
    for chunk in reply.chunks():
        body += chunk
        if len(body) > MAX_WHOLE_BYTES:
            raise NetworkError(f"the answer does not end: more than {MAX_WHOLE_BYTES >> 20} MiB came")
    return bytes(body)


def events_of_stream(chunks: Iterator[bytes], parser: EventParser) -> Iterator[list[Event]]:
    """One list of events per network read.

    Raises StreamCut when the body ends with neither an end marker nor a reason.
    """
    decoder = SseDecoder()
    for chunk in chunks:
        events = parser.feed(decoder.feed(chunk))
        if events:
            yield events
        if parser.failure is not None:
            raise parser.failure
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
    except (ValueError, RecursionError):  # not JSON, or a number of more digits than Python reads
        raise StreamCut("the answer broke off: the service sent an unreadable piece") from None
    return chunk if isinstance(chunk, dict) else None


def read_together(texts: Sequence[str]) -> list[dict[str, Any]] | None:
    """The JSON objects of the events of one read, decoded at once, which spares a sixth of the time.

    None when that cannot be done: then each is read by itself, and told about by itself.
    """
    try:
        chunks = _DECODE(f"[{','.join(texts)}]")[0]
    except (ValueError, RecursionError):
        return None
    is_one_each = len(chunks) == len(texts) and all(type(chunk) is dict for chunk in chunks)
    return chunks if is_one_each else None


def add_delta(events: list[Event], kind: type[Delta], text: str, *, merge: bool) -> None:
    """Append a piece of text; with `merge` it joins a piece of its kind that stands last."""
    last = events[-1] if events else None
    if merge and isinstance(last, kind):
        last.text += text
    else:
        events.append(kind(text))

"""Server-sent events from bytes (WHATWG HTML, section 9.2 "Server-sent events").

Not Response.iter_lines(): it also splits at U+2028, U+2029 and U+0085, which may
stand inside a JSON string, and it would need the text before the line is whole.
"""

from __future__ import annotations

from typing import NamedTuple

from glmcli.errors import NetworkError

#: The largest single event that is accepted, in bytes. A tool call without
#: `tool_stream` arrives in one piece, so it is far above a usual delta.
MAX_EVENT_BYTES = 32 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """One dispatched event: its `event:` name (empty when unnamed) and its data."""

    name: str
    data: str


class SseDecoder:
    """Turns body bytes, cut anywhere, into events; linear in the bytes fed."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []  # the beginning of an unfinished line
        self._partial_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = b""
        self._after_cr = False
        self._at_start = True
        self._head = b""

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that these bytes complete. Raises NetworkError above MAX_EVENT_BYTES."""
        if self._at_start:
            chunk = self._without_bom(chunk)
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in chunk:
            self._keep(chunk)
            return []
        if not (self._data or self._name):
            whole, _, rest = b"".join((*self._partial, chunk)).rpartition(b"\n\n")
            if b"\n" not in rest and (found := _whole_events(whole)):
                self._partial.clear()
                self._partial_bytes = 0
                self._keep(rest)
                return found
        lines = chunk.split(b"\n")
        lines[0] = b"".join((*self._partial, lines[0]))
        self._partial.clear()
        self._partial_bytes = 0
        self._keep(lines.pop())
        events: list[ServerEvent] = []
        for line in lines:
            self._line(line, events)
        return events

    def finish(self) -> list[ServerEvent]:
        """The event that stood unfinished when the body ended, if any.

        The standard drops it; servers that forget the last blank line exist,
        and a half-written JSON text shows itself when it is parsed.
        """
        events: list[ServerEvent] = []
        self._line(b"".join(self._partial), events)
        self._partial.clear()
        self._line(b"", events)
        return events

    def _without_bom(self, chunk: bytes) -> bytes:
        chunk = self._head + chunk
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._head = chunk
            return b""
        self._head = b""
        self._at_start = False
        return chunk.removeprefix(_BOM)

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._partial.append(piece)
            self._partial_bytes += len(piece)
            self._check(self._partial_bytes + self._data_bytes)

    def _check(self, size: int) -> None:
        if size > MAX_EVENT_BYTES:
            raise NetworkError(f"the service sent a single event of more than {MAX_EVENT_BYTES >> 20} MiB")

    def _line(self, line: bytes, events: list[ServerEvent]) -> None:
        if line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(value)
            self._data_bytes += len(value)
            self._check(self._data_bytes)
        elif not line:
            if self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                events.append(ServerEvent(self._name.decode("utf-8", "replace"), data.decode("utf-8", "replace")))
                self._data = []
                self._data_bytes = 0
            self._name = b""
        elif line.startswith(b"event:"):
            self._name = line[6:].removeprefix(b" ")
        elif line == b"data":
            self._data.append(b"")
        elif line == b"event":
            self._name = b""
        # Comments, `id`, `retry` and unknown fields mean nothing to a client that never reconnects.


def _whole_events(data: bytes) -> list[ServerEvent]:
    """The events of bytes that hold unnamed events of one line each and nothing else, up to the last blank line.

    Empty for anything else. Nearly every read is so, and splitting it at once takes half the time of going by lines.
    """
    if not data.startswith(b"data: ") or len(data) > MAX_EVENT_BYTES:
        return []
    texts = data[6:].decode("utf-8", "replace").split("\n\ndata: ")
    if data.count(b"\n") != 2 * (len(texts) - 1):
        return []
    return [ServerEvent("", text) for text in texts]

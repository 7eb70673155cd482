"""Answers that no service should give, byte by byte."""

from __future__ import annotations

import gzip
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tests.raw_server import Answer, response

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>"
_LOGIN = b"<!DOCTYPE html><html><head><title>Hotel Wi-Fi</title></head><body>Pay here</body></html>"
HELLO = b'data: {"id":"1","model":"glm-5.3","choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
STREAM = ("Content-Type: text/event-stream",)
_JSON = ("Content-Type: application/json",)
_PIECE = b"a" * 65536
#: What an endless answer offers at most, should nobody stop it.
ENDLESS_BYTES = 1 << 30


@dataclass(frozen=True)
class LineFault:
    """An answer, and what becomes of it: the exit code of a streamed and of a whole answer, and a word that is told."""

    name: str
    answer: Answer
    streamed: int
    whole: int
    told: str


def _reset(connection: socket.socket) -> None:
    """Close so that the other side sees a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _reset_later(connection: socket.socket) -> None:
    connection.sendall(response(HELLO, *STREAM, length=100_000))
    _reset(connection)


def _silent(connection: socket.socket) -> None:
    connection.settimeout(20)
    connection.recv(1)


def _stalling(connection: socket.socket) -> None:
    connection.sendall(response(HELLO, *STREAM, length=-1))
    _silent(connection)


def _endless(head: bytes, piece: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(ENDLESS_BYTES // len(piece)):
            connection.sendall(piece)

    return answer


def _bomb() -> bytes:
    layer = gzip.compress(bytes(64 << 20), 9)
    return response(layer, "Content-Encoding: gzip", *_JSON)


def line_faults() -> Iterator[LineFault]:
    """Every fault of the line."""
    yield LineFault("html 502", response(_PAGE, "Content-Type: text/html", status="502 Bad Gateway"), 1, 1, "web page")
    yield LineFault("login page", response(_LOGIN, "Content-Type: text/html; charset=utf-8"), 1, 1, "Hotel Wi-Fi")
    yield LineFault("plain text", response(b"it works!", "Content-Type: text/plain"), 1, 1, "not JSON")
    yield LineFault("picture", response(b"\x89PNG\r\n\x1a\n\0\0", "Content-Type: image/png"), 1, 1, "not JSON")
    yield LineFault("no content", response(b"", status="204 No Content"), 8, 1, "")
    yield LineFault("empty page", response(b"", "Content-Type: text/html"), 1, 1, "empty")
    yield LineFault("empty", response(b"", *_JSON), 8, 1, "")
    yield LineFault("truncated JSON", response(b'{"choices":[{"index":0,"mess', *_JSON), 8, 1, "")
    yield LineFault("short body", response(b'{"choices":[', *_JSON, length=5000), 8, 8, "broke off")
    yield LineFault("not UTF-8", response(b'{"text":"\xff\xfe"}', *_JSON), 8, 1, "")
    yield LineFault("nested", response(b'{"a":' * 100_000, *_JSON), 8, 1, "")
    yield LineFault("hang-up", b"", 8, 8, "")
    yield LineFault("reset", _reset, 8, 8, "")
    yield LineFault("silence", _silent, 8, 8, "nothing came")
    yield LineFault("half a head", b"HTTP/1.1 200 OK\r\nContent-Ty", 8, 8, "")
    yield LineFault("not HTTP", b"220 mail.example.com ESMTP\r\n\r\n", 8, 8, "")
    yield LineFault("status 999", response(b"{}", *_JSON, status="999 What"), 1, 1, "999")
    yield LineFault("not modified", response(b"", status="304 Not Modified"), 1, 1, "304")
    yield LineFault("gzip bomb", _bomb(), 8, 8, "unpacks to far more")
    yield LineFault("not gzip", response(b"{}", "Content-Encoding: gzip", *_JSON), 8, 8, "damaged")
    yield LineFault("brotli", response(b"{}", "Content-Encoding: br", *_JSON), 8, 8, "'br'")
    yield LineFault("endless header", _endless(b"HTTP/1.1 200 OK\r\nX-Long: ", _PIECE), 8, 8, "")
    yield LineFault("endless headers", _endless(b"HTTP/1.1 200 OK\r\n", b"X-Many: many\r\n" * 4096), 8, 8, "")
    yield LineFault("other host", _moved("https://evil.example/v4"), 8, 8, "the key was not sent there")
    yield LineFault("garbage redirect", _moved("http://[::1"), 8, 8, "location")
    yield LineFault("garbage port", _moved("http://127.0.0.1:99999/"), 8, 8, "")
    yield LineFault("mail redirect", _moved("mailto:root@example.com"), 8, 8, "redirect")
    yield LineFault("error in a 200", response(_error("1113"), *_JSON), 5, 5, "1113")
    yield LineFault("gateway's word", response(_error("invalid_api_key"), *_JSON, status="401 X"), 4, 4, "key")


def stream_faults() -> Iterator[LineFault]:
    """Faults that only a stream can have: what came before them is printed."""
    yield LineFault("reset in mid-stream", _reset_later, 8, 8, "")
    yield LineFault("stall in mid-stream", _stalling, 8, 8, "nothing came")
    yield LineFault("cut", response(HELLO, *STREAM), 8, 8, "broke off")
    yield LineFault("truncated frame", response(HELLO + b'data: {"choices":[{"in\n\n', *STREAM), 8, 8, "unreadable")
    yield LineFault("error event", response(HELLO + b"data: " + _error("1234") + b"\n\n", *STREAM), 1, 1, "1234")


def endless_faults() -> Iterator[LineFault]:
    """Answers that go on and on; of each at most a GiB is sent."""
    events = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"
    refusal = b'HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\n\r\n{"error":'
    yield LineFault("endless events", _endless(events, HELLO * 100), 8, 8, "does not end")
    yield LineFault("endless line", _endless(events + b"data: ", _PIECE), 8, 8, "single event")
    yield LineFault("endless pings", _endless(events, b": ping\n\n" * 1000), 8, 8, "does not end")
    yield LineFault("endless JSON", _endless(whole, b'[1,[2,["' * 1000), 8, 8, "")
    yield LineFault("endless page", _endless(page, _PIECE), 1, 8, "")
    yield LineFault("endless blanks", _endless(page.removesuffix(b"<html>"), b"\n" * 65536), 1, 8, "")
    yield LineFault("endless refusal", _endless(refusal, _PIECE), 1, 1, "")


def _moved(location: str) -> bytes:
    return response(b"", f"Location: {location}", status="307 Moved")


def _error(code: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": "no"}}).encode()

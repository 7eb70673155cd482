"""A server for measuring clients: scripted answers, and the moments of each exchange on stdout.

    python benchmarks/streamserver.py [CERTIFICATE KEY]

Prints its host and port, then one JSON line per request: `requested` (its last byte came), `first` and `last`
(the first and last byte of text were sent) and `sent` (each write), in seconds of the machine's monotonic clock, and
`bytes` of the body. The prompt says what comes:

    bench:hello         one chunk
    bench:think         one chunk, after 150 ms of silence
    bench:chunks=50000  so many, as fast as the client takes them
    bench:lag=240       so many words with numbers (n00000, n00001, ...), 80 a second, after the same silence
    bench:mixed=4000    so many tokens of an answer (`answers.py`), 8,000 a second
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import sys
import time
from collections.abc import Iterator

import answers

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNK = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"glm-5.3",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":%b},"finish_reason":null}]}\n\n'
)
END = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"glm-5.3",'
    b'"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\ndata: [DONE]\n\n'
)
#: Chunks per write, so that reads of the client hold several, as on a busy line.
BURST = 20
THINKING_SECONDS = 0.15
LAG_PER_SECOND = 80
TOKENS_PER_SECOND = 8_000


def serve(context: ssl.SSLContext | None) -> None:
    """Answer one request after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(*listener.getsockname(), flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                with context.wrap_socket(connection, server_side=True) if context else connection as line:
                    print(json.dumps(_exchange(line)), flush=True)
            except OSError as error:
                print(json.dumps({"error": str(error)}), flush=True)


def _exchange(line: socket.socket) -> dict[str, object]:
    prompt, size = _read_request(line)
    requested = time.monotonic()
    name, _, count = prompt.decode().partition("=")
    line.sendall(HEAD)
    if name in ("think", "lag"):
        time.sleep(THINKING_SECONDS)
    sent = []
    for data in _writes(name, int(count or 1)):
        sent.append(time.monotonic())
        line.sendall(data)
    first = sent[0]
    line.sendall(END)
    last = time.monotonic()
    line.shutdown(socket.SHUT_WR)
    moments = {"requested": requested, "first": first, "last": last, "bytes": size}
    return {**moments, "sent": sent if name == "lag" else []}


def _writes(name: str, count: int) -> Iterator[bytes]:
    """What is sent at once, each when its time has come."""
    if name == "lag":
        yield from _paced((_chunk(f"n{number:05} ") for number in range(count)), LAG_PER_SECOND)
    elif name in answers.KINDS:
        chunks = [_chunk(text) for text in answers.pieces(name, count)]
        bursts = (b"".join(chunks[start : start + BURST]) for start in range(0, len(chunks), BURST))
        yield from _paced(bursts, TOKENS_PER_SECOND / BURST)
    else:
        for start in range(0, count, BURST):
            yield _chunk("Hello. ") * min(BURST, count - start)


def _chunk(text: str) -> bytes:
    return CHUNK % json.dumps(text, ensure_ascii=False).encode()


def _paced(writes: Iterator[bytes], per_second: float) -> Iterator[bytes]:
    start = time.monotonic()
    for number, data in enumerate(writes):
        if (wait := start + number / per_second - time.monotonic()) > 0:
            time.sleep(wait)
        yield data


def _read_request(line: socket.socket) -> tuple[bytes, int]:
    """The word behind `bench:`, and the length of the body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    size, wanted = len(body), int(length[1]) if length else 0
    kept, buffer = body[-4096:], bytearray(1 << 20)
    while size < wanted:
        count = line.recv_into(buffer)
        if not count:
            break
        size += count
        kept = (kept + bytes(buffer[:count][-4096:]))[-8192:]
    found = re.search(rb"bench:([a-z]+(?:=\d+)?)", body + kept)
    return found[1] if found else b"hello", size


if __name__ == "__main__":
    tls = None
    if sys.argv[1:]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1], sys.argv[2])
    serve(tls)

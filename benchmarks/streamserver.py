"""A server for measuring clients: scripted answers, and the moments of each exchange on stdout.

    python benchmarks/streamserver.py [CERTIFICATE KEY]

Prints its host and port, then one JSON line per request: `requested` (its last byte came), `first` and `last`
(the first and last byte of text were sent), in seconds of the machine's monotonic clock, and `bytes` of the body.
The prompt says what comes: `bench:hello`, `bench:think` (150 ms of silence first) or `bench:chunks=50000`.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import sys
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNK = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"glm-5.3",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":"%b"},"finish_reason":null}]}\n\n'
)
END = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"glm-5.3",'
    b'"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\ndata: [DONE]\n\n'
)
#: Chunks per write, so that reads of the client hold several, as on a busy line.
BURST = 20
THINKING_SECONDS = 0.15


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


def _exchange(line: socket.socket) -> dict[str, float]:
    prompt, size = _read_request(line)
    requested = time.monotonic()
    line.sendall(HEAD)
    if prompt == b"think":
        time.sleep(THINKING_SECONDS)
    first = time.monotonic()
    count = int(prompt.partition(b"=")[2] or 1)
    for start in range(0, count, BURST):
        line.sendall((CHUNK % b"Hello. ") * min(BURST, count - start))
    line.sendall(END)
    last = time.monotonic()
    line.shutdown(socket.SHUT_WR)
    return {"requested": requested, "first": first, "last": last, "bytes": size}


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

"""How long a command takes to start, against floors measured in the same run.

Runs are interleaved (A B C A B C ...), so that a busy machine slows all rows alike; the table shows
medians in milliseconds and the ratio to a bare interpreter. The server runs in a process of its own.

    python benchmarks/startup.py [ROUNDS]
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROUNDS = 15
REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello."}}]}\n\n'
    b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\n'
    b"data: [DONE]\n\n"
)
#: The least that a Python client must do: the standard library's HTTP, one POST, every byte read.
FLOOR = """
import http.client, json, sys
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
connection.request("POST", "/api/paas/v4/chat/completions", json.dumps({"model": "glm-5.3", "stream": True}))
for line in connection.getresponse():
    sys.stdout.buffer.write(line)
"""


@dataclass
class Case:
    """One row: a command, and whether it speaks to the server."""

    name: str
    command: list[str]
    asks: bool = False
    until_request: list[float] = field(default_factory=list)
    until_exit: list[float] = field(default_factory=list)


def main(rounds: int) -> None:
    """Measure and print the table."""
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        host, port = server.stdout.readline().split()
        with tempfile.TemporaryDirectory() as home:
            environ = _environment(home, f"http://{host}:{port}")
            cases = _cases(host, port)
            for case in cases * 2:  # warm the caches, bytecode included
                _measure(case, environ, server.stdout.readline)
            for case in cases:
                case.until_request.clear()
                case.until_exit.clear()
            for _ in range(rounds):
                for case in cases:
                    _measure(case, environ, server.stdout.readline)
        server.terminate()
    print(table(cases, rounds))


def _cases(host: str, port: str) -> list[Case]:
    python, glm = sys.executable, [str(Path(sys.executable).with_name("glm"))]
    cases = [
        Case("python -c pass", [python, "-c", "pass"]),
        Case("glm --version", [*glm, "--version"]),
        Case("glm --help", [*glm, "--help"]),
        Case("glm chat --help", [*glm, "chat", "--help"]),
        Case("glm --complete", [*glm, "--complete", "bash", "chat", "--s"]),
        Case("http.client, 5 lines", [python, "-c", FLOOR, host, port], asks=True),
        Case("glm chat hi", [*glm, "chat", "hi"], asks=True),
        Case("glm stream hi", [*glm, "stream", "hi"], asks=True),
    ]
    if curl := shutil.which("curl"):
        url = f"http://{host}:{port}/api/paas/v4/chat/completions"
        cases.append(Case("curl -N", [curl, "-sN", "-d", "{}", url], asks=True))
    return cases


def _environment(home: str, origin: str) -> dict[str, str]:
    """A clean environment: some variables of developers distort the start of Python."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "GLM_HOME": str(Path(home, "glm")),
        "GLM_ORIGIN_INTL": origin,
        "ZAI_API_KEY": "0123456789abcdef0123456789abcdef.benchmarkbench00",
    }


def _measure(case: Case, environ: dict[str, str], arrival: Callable[[], str]) -> None:
    start = time.perf_counter()
    done = subprocess.run(case.command, env=environ, stdin=subprocess.DEVNULL, capture_output=True)
    end = time.perf_counter()
    if done.returncode != 0:
        raise SystemExit(f"{case.name} failed: {done.stderr.decode()}")
    case.until_exit.append((end - start) * 1000)
    if case.asks:
        case.until_request.append((float(arrival()) - start) * 1000)


def table(cases: list[Case], rounds: int) -> str:
    """The medians as Markdown."""
    bare = median(cases[0].until_exit)
    lines = [
        f"Medians of {rounds} interleaved runs, CPython {sys.version.split()[0]}, {sys.platform}.",
        "",
        "| command | spawn to request ms | x | spawn to exit ms | x |",
        "|---|---:|---:|---:|---:|",
    ]
    for case in cases:
        asked = f"{median(case.until_request):.1f} | {median(case.until_request) / bare:.2f}" if case.asks else " | "
        lines.append(
            f"| {case.name} | {asked} | {median(case.until_exit):.1f} | {median(case.until_exit) / bare:.2f} |"
        )
    return "\n".join(lines)


def serve() -> None:
    """Answer every request alike and print when its last byte arrived, on the clock of the machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(*listener.getsockname(), flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                _read_request(connection)
                print(time.perf_counter(), flush=True)
                connection.sendall(REPLY)


def _read_request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    left = int(lengths[0]) - len(body) if lengths else 0
    while left > 0:
        left -= len(connection.recv(65536))


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)

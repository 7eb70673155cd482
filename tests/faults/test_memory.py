"""The most memory that a command holds, whatever it is answered with: a real process, measured by the kernel.

One way of each kind of call, since the others read through the same code. `api`
passes on what comes for as long as it comes, and keeps none of it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import pytest

from tests.faults.conftest import at, remember
from tests.faults.ways import ONLINE, Way, each
from tests.harness import changed
from tests.raw_server import Answer, RawServer

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="the kernel does not tell the peak of a child")

GIB = 1 << 30
#: MiB. An answer that is read whole is held twice while it is judged, and a conversation's several times to be kept.
BOUND, BOUND_OF_A_STREAM = 256, 1024
PEAK = Path(__file__).with_name("peak.py")
ROOT = Path(__file__).parents[2]
KINDS = ("chat", "stream", "chat-whole", "transcribe", "api", "image", "search", "read", "tasks-fetch")
MEASURED = tuple(way for way in ONLINE if way.name in (*KINDS, "files-download", "speak", "usage"))
_PIECE = b"a" * 65536
_EVENT = b'data: {"id":"1","model":"glm-5.3","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % _PIECE


def _head(content_type: str, *more: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {content_type}", *more, "", ""]).encode()


def _gigabyte(head: bytes, piece: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(GIB // len(piece)):
            connection.sendall(piece)

    return answer


@cache
def _packed() -> bytes:
    """A gigabyte of zeros, a thousandth of its size."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(1024)), packer.flush()])


def _bomb(connection: socket.socket) -> None:
    connection.sendall(_head("application/json", "Content-Encoding: gzip") + _packed())


_ALL = f"Content-Length: {GIB}"
ANSWERS: dict[str, Answer] = {
    "endless stream": _gigabyte(_head("text/event-stream"), _EVENT),
    "one line": _gigabyte(_head("text/event-stream", _ALL) + b"data: ", _PIECE),
    "one header": _gigabyte(b"HTTP/1.1 200 OK\r\nX-Long: ", _PIECE),
    "gzip bomb": _bomb,
    "whole body": _gigabyte(_head("application/json", _ALL) + b'{"a":"', _PIECE),
}


def peak_mib(argv: list[str], env: dict[str, str]) -> int:
    """The most memory that a command held."""
    command = [sys.executable, str(PEAK), sys.executable, "-m", "glmcli", *argv]
    environ = changed(os.environ, {"PYTHONPATH": str(ROOT), **env})
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, env=environ, timeout=100, check=True, text=True
    )
    code, kib = done.stdout.split()
    assert int(code) in (0, 1, 8), done.stderr
    assert "Traceback" not in done.stderr
    return int(kib) >> 10


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize("sent", ANSWERS)
@each(*MEASURED)
def test_a_gigabyte_does_not_fill_the_memory(way: Way, sent: str, way_files: dict[str, str], home: Path) -> None:
    """A stream, a line, a header, a body of a gigabyte, and one that unpacks to it: the peak stays below the bound."""
    with RawServer([ANSWERS[sent]]) as server:
        remember(way, home, server.address)
        peak = peak_mib(way.argv(way_files, "--max-retries", "0", "--timeout", "20"), at(server.address))
    bound = BOUND_OF_A_STREAM if way.is_streamed and sent == "endless stream" else BOUND
    assert peak < bound, f"{peak} MiB"


@pytest.mark.usefixtures("keyed")
def test_a_picture_of_a_gigabyte_is_not_held(way_files: dict[str, str], home: Path, tmp_path: Path) -> None:
    """What is downloaded goes to its file piece by piece, up to the limit of its kind."""
    picture = _gigabyte(_head("image/png", "Connection: close") + b"\x89PNG\r\n\x1a\n", _PIECE)

    def named(connection: socket.socket) -> None:
        body = f'{{"created":1,"data":[{{"url":"{server.address}/cat.png"}}]}}'.encode()
        connection.sendall(_head("application/json", f"Content-Length: {len(body)}", "Connection: close") + body)

    with RawServer([named, picture]) as server:
        argv = ["image", "a cat", "-o", "cat.png", "--max-retries", "0", "--timeout", "20"]
        peak = peak_mib(argv, at(server.address))
        assert len(server.requests) >= 2
    assert peak < BOUND, f"{peak} MiB"

"""The sandbox on a real socket, asked by `http.client` alone: nothing of ours stands between."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server

CHAT = "/api/paas/v4/chat/completions"
CODING_CHAT = "/api/coding/paas/v4/chat/completions"


@dataclass(frozen=True)
class Answer:
    """What came back, read to the end."""

    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def code(self) -> str:
        """The business code of a refusal in the OpenAI-style shape."""
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])

    @property
    def payloads(self) -> list[str]:
        """The payload of every `data:` frame of a stream."""
        frames = self.data.decode().split("\n\n")
        return [line[6:] for frame in frames for line in frame.split("\n") if line.startswith("data: ")]

    @property
    def chunks(self) -> list[Any]:
        """The payloads as JSON, without the end mark."""
        return [json.loads(payload) for payload in self.payloads if payload != "[DONE]"]

    def joined(self, field: str) -> str:
        """A field of all deltas put together."""
        deltas = [chunk["choices"][0]["delta"] for chunk in self.chunks]
        return "".join(delta.get(field) or "" for delta in deltas)


class Caller:
    """Sends one request per connection to a server."""

    def __init__(self, server: Server, sandbox: Sandbox) -> None:
        self.server = server
        self.sandbox = sandbox

    def connect(self) -> HTTPConnection:
        """A fresh connection."""
        return HTTPConnection(self.server.address.removeprefix("http://"), timeout=20)

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = "zai",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """`key` names an account of the sandbox; None sends no key."""
        authorization = {"Authorization": f"Bearer {self.sandbox.keys[key]}"} if key else {}
        connection = self.connect()
        try:
            data = json.dumps(body).encode() if body is not None else None
            connection.request(method, path, data, {**authorization, **(headers or {})})
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, fields, response.read())
        finally:
            connection.close()

    def chat(self, prompt: str = "hi", *, key: str = "zai", path: str = CHAT, **fields: Any) -> Answer:
        """Ask glm-5.3 something; `fields` are laid over the body, None removes one."""
        body = {"model": "glm-5.3", "messages": [{"role": "user", "content": prompt}], **fields}
        return self("POST", path, {name: value for name, value in body.items() if value is not None}, key=key)


def png() -> bytes:
    """A picture of 3 x 2 white pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)
    rows = zlib.compress(2 * (b"\0" + 9 * b"\xff"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture
def serve() -> Iterator[Callable[[Sandbox], Caller]]:
    """Puts a sandbox on a socket for the time of the test."""
    servers: list[Server] = []

    def start(sandbox: Sandbox) -> Caller:
        server = Server(sandbox).__enter__()
        servers.append(server)
        return Caller(server, sandbox)

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def call(serve: Callable[[Sandbox], Caller]) -> Caller:
    """Asks a sandbox of default settings."""
    return serve(Sandbox())

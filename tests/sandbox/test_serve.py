"""The server keeps connections, streams at once, takes large bodies and many clients."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from glmcli.sandbox.app import MODULES, Payer, Route, Sandbox
from glmcli.sandbox.exchange import PAAS, Request, Response
from tests.sandbox.conftest import CHAT, Caller

BODY = {"model": "glm-5.3", "messages": [{"role": "user", "content": "echo: hi"}]}


def key_of(call: Caller) -> dict[str, str]:
    return {"Authorization": f"Bearer {call.sandbox.keys['zai']}"}


def test_a_connection_serves_many_requests(call: Caller) -> None:
    """Keep-alive: whole and streamed answers, refusals and unknown paths on one socket."""
    connection = call.connect()
    sockets = set()
    for stream, path in ((False, CHAT), (True, CHAT), (False, "/nowhere"), (False, CHAT)):
        connection.request("POST", path, json.dumps({**BODY, "stream": stream}), key_of(call))
        connection.getresponse().read()
        assert connection.sock is not None
        sockets.add(connection.sock.getsockname())

    assert len(sockets) == 1
    connection.close()


def test_pieces_leave_as_they_are_made(serve: Callable[[Sandbox], Caller]) -> None:
    """The first frame can be read while the second is still held back."""
    gate = threading.Event()

    class Held(Sandbox):
        def pause(self, seconds: float) -> None:
            gate.wait(10)

    call = serve(Held(pace_seconds=1))
    connection = call.connect()
    connection.request("POST", CHAT, json.dumps({**BODY, "stream": True}), key_of(call))
    response = connection.getresponse()  # the head came although no piece was made yet
    assert not gate.is_set()

    gate.set()

    assert response.read().endswith(b"data: [DONE]\n\n")
    connection.close()


def test_two_hundred_streams_at_once(call: Caller) -> None:
    """Each gets its own answer, whole."""
    barrier = threading.Barrier(200, timeout=60)
    wrong: list[str] = []

    def ask(number: int) -> None:
        barrier.wait()
        try:
            answer = call.chat(f"echo: number {number}", stream=True)
            if answer.joined("content") != f"number {number}":
                wrong.append(answer.data.decode())
        except OSError as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
    assert len(call.sandbox.requests) == 200


def test_a_chunked_body_is_read(call: Caller) -> None:
    """A client may send a body whose length it does not know."""
    connection = call.connect()
    data = json.dumps(BODY).encode()
    connection.request("POST", CHAT, iter([data[:10], data[10:]]), key_of(call), encode_chunked=True)

    assert connection.getresponse().status == 200
    assert call.sandbox.last.json == BODY
    connection.close()


def test_a_client_may_ask_before_it_sends(call: Caller) -> None:
    """`Expect: 100-continue` is answered before the body comes."""
    host, port = call.server.address.removeprefix("http://").split(":")
    data = json.dumps(BODY).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: {key_of(call)['Authorization']}\r\n"
        f"Content-Length: {len(data)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=20) as line, line.makefile("rb") as reader:
        line.sendall(head.encode())
        assert reader.readline().startswith(b"HTTP/1.1 100")
        line.sendall(data)
        assert b"HTTP/1.1 200 OK" in reader.read()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("Content-Length: many", id="length"),
        pytest.param("Transfer-Encoding: chunked\r\n\r\nzz", id="chunk"),
    ],
)
def test_an_unreadable_body_is_400(call: Caller, head: str) -> None:
    """And the next client is served."""
    host, port = call.server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line, line.makefile("rb") as reader:
        line.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        assert reader.readline().startswith(b"HTTP/1.1 400")

    assert call.chat().status == 200


def test_a_client_that_leaves_disturbs_nobody(call: Caller, capfd: pytest.CaptureFixture[str]) -> None:
    """A connection closed in the middle of a stream is no error worth a word."""
    connection = call.connect()
    body = {**BODY, "stream": True, "messages": [{"role": "user", "content": "repeat: 50000"}]}
    connection.request("POST", CHAT, json.dumps(body), key_of(call))
    connection.getresponse().read(10)
    connection.close()

    assert call.chat().status == 200
    call.server.close()
    assert capfd.readouterr() == ("", "")


def test_requests_are_recorded(call: Caller) -> None:
    """Method, path, query, headers and body, as they came."""
    call("GET", "/api/monitor/usage/quota/limit?type=2&name=%E4%BD%A0")

    recorded = call.sandbox.last
    assert (recorded.method, recorded.path) == ("GET", "/api/monitor/usage/quota/limit")
    assert recorded.query == {"type": "2", "name": "你"}
    assert recorded.headers["authorization"].startswith("Bearer ")
    assert (recorded.body, recorded.json) == (b"", None)


def test_records_are_bounded(call: Caller) -> None:
    """A server that runs for weeks does not fill the memory."""
    assert call.sandbox.requests.maxlen == 1000


# --- forms and large bodies --------------------------------------------------


@pytest.fixture
def upload(call: Caller, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Adds a route that reads a form, and sends a form to it."""
    seen: dict[str, Any] = {}

    def receive(sandbox: Sandbox, request: Request) -> Response:
        for name, parts in request.multipart().items():
            seen[name] = [(part.filename, part.content_type, part.size, part.data()[-9:]) for part in parts]
        return Response.json({"origin": request.origin, **request.parameters})

    import glmcli.sandbox.chat as module

    route = Route("POST", PAAS, "/uploads/{name}/{rest...}", receive, Payer.NOBODY)
    monkeypatch.setattr(module, "routes", lambda: [route])

    def send(body: bytes, boundary: str = "B") -> tuple[int, Any, dict[str, Any]]:
        connection = call.connect()
        head = {**key_of(call), "Content-Type": f"multipart/form-data; boundary={boundary}"}
        connection.request("POST", "/api/paas/v4/uploads/one/two/three", body, head)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer, seen

    return send


def test_a_form_is_read_part_by_part(upload: Callable[..., Any], call: Caller) -> None:
    """Line ends and half boundaries inside a file belong to the file."""
    inner = b"\r\n--Bee\r\n--B-\r\n\r\n\x00\xff\r"
    body = (
        b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="a \\"b\\".bin"\r\n'
        b"Content-Type: text/plain\r\n\r\n" + inner + b"\r\n--B--\r\n"
    )

    status, answer, seen = upload(body)

    assert (status, answer) == (200, {"origin": call.server.address, "name": "one", "rest": "two/three"})
    assert seen == {
        "purpose": [(None, None, 5, b"batch")],
        "file": [('a "b".bin', "text/plain", len(inner), inner[-9:])],
    }


def test_a_large_file_is_recorded_in_part(upload: Callable[..., Any], call: Caller) -> None:
    """Ten megabytes arrive whole, and four of them are remembered."""
    head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    _, _, seen = upload(head + b"0123456789" * 1_000_000 + b"\r\n--B--\r\n")

    assert seen["file"] == [("x", None, 10_000_000, b"123456789")]
    assert len(call.sandbox.last.body) == 4 * 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"--other\r\n\r\n", id="another boundary"),
        pytest.param(b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nno end', id="without an end"),
        pytest.param(b"--B\r\n\r\nno name\r\n--B--\r\n", id="a part without a name"),
    ],
)
def test_a_broken_form_is_refused(upload: Callable[..., Any], body: bytes) -> None:
    """1210, whatever is wrong."""
    status, answer, _ = upload(body)

    assert (status, answer["error"]["code"]) == (400, "1210")


def test_modules_are_loaded_when_they_are_asked_for() -> None:
    """A chat in process pays for chat alone."""
    import subprocess
    import sys

    script = (
        "import sys, io, json; from glmcli.sandbox.app import Sandbox; s = Sandbox();"
        f"b = json.dumps({BODY!r}).encode();"
        f"list(s({{'REQUEST_METHOD': 'POST', 'PATH_INFO': {CHAT!r}, 'HTTP_HOST': 'x', 'CONTENT_LENGTH': str(len(b)),"
        "'HTTP_AUTHORIZATION': 'Bearer ' + s.keys['zai'], 'wsgi.input': io.BytesIO(b)}, lambda *_: None));"
        "print([m for m in sys.modules if m.startswith('glmcli.sandbox.')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "glmcli.sandbox.chat" in done.stdout
    for name in (*MODULES[1:], "serve", "faults", "multipart", "envelopes"):
        assert f"'glmcli.sandbox.{name}'" not in done.stdout

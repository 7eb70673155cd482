"""The HTTP client against servers that misbehave."""

from __future__ import annotations

import gzip
import socket
import time
import zlib
from collections.abc import Iterator, Mapping

import pytest

from glmcli.api.calls import Call, JsonBody
from glmcli.api.client import Client, ClientOptions
from glmcli.api.endpoints import PROVIDERS, Service, Target
from glmcli.api.retry import RetryPolicy
from glmcli.errors import ConfigError, DryRun, GlmError, KeyRefused, NetworkError, ServiceError, StreamCut, TimedOut
from tests.raw_server import RawServer, response

KEY = "0123456789abcdef0123456789abcdef.SecretSecretSec1"
CALL = Call(Service.CHAT, "POST", "/chat/completions", body=JsonBody({"model": "glm-5.3"}))


class Silent:
    """A watcher that remembers what it was told."""

    def __init__(self) -> None:
        self.retries: list[tuple[float, int]] = []

    def before(self, call: Call, url: str) -> None: ...

    def sending(self, call: Call, url: str, headers: Mapping[str, str]) -> None:
        assert KEY not in str(headers)

    def received(self, status: int, headers: Mapping[str, str], seconds: float) -> None: ...

    def body(self, data: bytes) -> None: ...

    def retrying(self, error: GlmError, delay_seconds: float, attempt: int) -> None:
        self.retries.append((delay_seconds, attempt))


def client_for(address: str, *, retries: int = 0, timeout: float = 5.0, **changes: object) -> Client:
    options = ClientOptions(
        target=Target(PROVIDERS["zai"], origin=address),
        authorize=lambda call: {"Authorization": f"Bearer {KEY}"},
        timeout_seconds=timeout,
        retry=RetryPolicy(max_retries=retries),
        environ={},
        watcher=Silent(),
        sleep=lambda seconds: None,
    )
    return Client(options.replace(**changes))


def test_a_call_carries_key_agent_and_body() -> None:
    """The request has our own User-Agent, the bearer key and the JSON body."""
    with RawServer([response(b'{"a": 1}', "X-Log-Id: log-1")]) as server:
        reply = client_for(server.address).send(CALL)
    request = server.requests[0]
    assert request.startswith(b"POST /api/paas/v4/chat/completions HTTP/1.1\r\n")
    assert f"authorization: bearer {KEY}".encode().lower() in request.lower()
    assert b"user-agent: glmcli/" in request.lower()
    assert request.endswith(b'{"model":"glm-5.3"}')
    assert (reply.json(), reply.request_id) == ({"a": 1}, "log-1")


def test_a_refusal_becomes_the_error_of_its_code() -> None:
    """1113 says what it means, with exit code 5."""
    body = b'{"error":{"code":"1113","message":"Insufficient balance"}}'
    with RawServer([response(body, status="429 Too Many Requests")]) as server, pytest.raises(ServiceError) as caught:
        client_for(server.address, retries=3).send(CALL)
    assert (caught.value.code, caught.value.exit_code, len(server.requests)) == ("1113", 5, 1)


def test_rate_limits_are_repeated_until_they_pass() -> None:
    """1302 twice, then an answer: three requests."""
    limited = response(b'{"error":{"code":"1302","message":"rate"}}', status="429 Too Many Requests")
    with RawServer([limited, limited, response(b"{}")]) as server:
        client_for(server.address, retries=2).send(CALL)
    assert len(server.requests) == 3


def test_retries_end() -> None:
    """`--max-retries 2` sends at most three requests."""
    limited = response(b'{"error":{"code":"1305","message":"busy"}}', status="429 Too Many Requests")
    with RawServer([limited]) as server, pytest.raises(ServiceError) as caught:
        client_for(server.address, retries=2).send(CALL)
    assert (len(server.requests), caught.value.exit_code) == (3, 6)


def test_a_paid_creation_is_not_repeated_when_its_outcome_is_unknown() -> None:
    """A 500 after a video was asked for may have started it."""
    failed = response(b'{"error":{"code":"1234","message":"network error"}}', status="500 Internal Server Error")
    call = CALL.replace(repeatable=False)
    with RawServer([failed]) as server, pytest.raises(ServiceError):
        client_for(server.address, retries=3).send(call)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_carries_the_key_to_another_host(status: int) -> None:
    """The other host is never asked, and the message names it."""
    with RawServer([response(b"{}")]) as other:
        elsewhere = response(b"", f"Location: {other.address}/x", status=f"{status} Moved")
        with RawServer([elsewhere]) as server, pytest.raises(NetworkError, match="the key was not sent"):
            client_for(server.address).send(CALL)
        assert other.requests == []


def test_a_redirect_within_the_origin_is_followed_with_its_method() -> None:
    """308 to another path of the same host repeats the POST."""
    with RawServer([response(b"", "Location: /moved", status="308 Moved"), response(b'{"ok":true}')]) as server:
        assert client_for(server.address).send(CALL).json() == {"ok": True}
    assert server.requests[1].startswith(b"POST /moved ")


def test_redirects_in_a_circle_end() -> None:
    """Five redirects are enough."""
    with RawServer([response(b"", "Location: /again", status="307 Again")]) as server:
        with pytest.raises(NetworkError, match="redirects"):
            client_for(server.address).send(CALL)
        assert len(server.requests) == 6


def test_a_closed_port_is_told_as_such() -> None:
    """The message names host and port; the request was never sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NetworkError, match=f"127.0.0.1:{port} refuses connections") as caught:
        client_for(f"http://127.0.0.1:{port}").send(CALL)
    assert caught.value.sent is False


def test_a_name_that_does_not_resolve_is_told_as_such() -> None:
    """`.invalid` never resolves (RFC 2606)."""
    with pytest.raises(NetworkError, match=r"api\.invalid cannot be resolved"):
        client_for("https://api.invalid").send(CALL)


def test_plain_http_behind_https_is_told_as_such() -> None:
    """A TLS handshake with a plain server fails with a hint."""
    with RawServer([response(b"{}")]) as server:
        address = server.address.replace("http://", "https://")
        with pytest.raises(NetworkError, match=r"secure connection|failed"):
            client_for(address).send(CALL)


def test_silence_strikes_with_advice() -> None:
    """The read time-out says how long it was, and that thinking takes time."""
    with RawServer([lambda connection: time.sleep(1.0)]) as server, pytest.raises(TimedOut) as caught:
        client_for(server.address, timeout=0.2).send(CALL)
    assert "for 0.2 s" in caught.value.message
    assert "--timeout" in (caught.value.hint or "")


def test_silence_in_the_middle_of_a_stream_is_a_time_out() -> None:
    """A stall after the first bytes ends the stream, too."""

    def stall(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        time.sleep(1.0)

    with RawServer([stall]) as server, client_for(server.address, timeout=0.2).open(CALL) as reply:
        chunks = reply.chunks()
        assert next(chunks) == b"abc"
        with pytest.raises(TimedOut):
            next(chunks)


def test_a_reset_in_the_middle_is_a_cut_stream() -> None:
    """Fewer bytes than promised: StreamCut, after what came."""
    with (
        RawServer([response(b"abc", length=100)]) as server,
        client_for(server.address).open(CALL) as reply,
        pytest.raises(StreamCut),
    ):
        list(reply.chunks())


def test_an_html_page_of_a_proxy_is_one_clear_error() -> None:
    """Nobody is shown a page of markup."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    answer = response(page, "Content-Type: text/html", status="502 Bad Gateway")
    with RawServer([answer]) as server, pytest.raises(ServiceError) as caught:
        client_for(server.address).send(CALL)
    assert "502 Bad Gateway" in caught.value.message
    assert "<" not in caught.value.message


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)], ids=["gzip", "deflate"]
)
def test_compressed_answers_are_read_although_nobody_asked(encoding: str, compress: object) -> None:
    """gzip and deflate are understood."""
    assert callable(compress)
    with RawServer([response(compress(b'{"a": 1}'), f"Content-Encoding: {encoding}")]) as server:
        assert client_for(server.address).send(CALL).json() == {"a": 1}


def test_a_compression_bomb_is_refused() -> None:
    """64 MiB of zeros in 64 KiB are not unpacked."""
    bomb = gzip.compress(bytes(64 << 20))
    with RawServer([response(bomb, "Content-Encoding: gzip")]) as server, pytest.raises(NetworkError, match="unpacks"):
        client_for(server.address).send(CALL)


def test_an_endless_header_is_refused() -> None:
    """A header without end neither fills the memory nor hangs."""

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
        for _ in range(64):
            connection.sendall(b"a" * 65536)

    with RawServer([endless]) as server, pytest.raises(NetworkError):
        client_for(server.address).send(CALL)


def test_a_dry_run_sends_nothing() -> None:
    """The command holds the key as a variable and the server is never asked."""
    with RawServer([response(b"{}")]) as server:
        client = client_for(server.address, dry_run={"Authorization": "Bearer $ZAI_API_KEY"})
        with pytest.raises(DryRun) as caught:
            client.send(CALL)
        assert server.requests == []
    assert '-H "Authorization: Bearer $ZAI_API_KEY"' in caught.value.command
    assert KEY not in caught.value.command


def test_a_download_never_carries_the_key() -> None:
    """Result URLs on other hosts are fetched without authorization, redirects too."""
    with RawServer([response(b"bytes")]) as cdn:
        with (
            RawServer([response(b"", f"Location: {cdn.address}/file", status="302 Found")]) as server,
            client_for("http://127.0.0.1:1").fetch(server.address + "/file") as reply,
        ):
            assert reply.read(1000) == b"bytes"
        for request in (*server.requests, *cdn.requests):
            assert b"authorization" not in request.lower()


def test_a_bad_certificate_file_is_a_configuration_error() -> None:
    """SSL_CERT_FILE that does not exist is named."""
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        client_for("https://127.0.0.1:1", environ={"SSL_CERT_FILE": "/nowhere.pem"}).send(CALL)


def test_an_upload_is_streamed_and_repeated_from_its_start() -> None:
    """A body that is produced in pieces is sent whole with each attempt, with its length."""

    class Pieces:
        content_type = "application/octet-stream"

        def length(self) -> int:
            return 6

        def chunks(self) -> Iterator[bytes]:
            yield b"abc"
            yield b"def"

    limited = response(b'{"error":{"code":"1302","message":"rate"}}', status="429 Too Many Requests")
    with RawServer([limited, response(b"{}")]) as server:
        client_for(server.address, retries=1).send(CALL.replace(body=Pieces()))
    assert all(request.endswith(b"\r\n\r\nabcdef") for request in server.requests)
    assert all(b"content-length: 6\r\n" in request.lower() for request in server.requests)


def test_a_refused_key_is_its_own_error() -> None:
    """401 becomes KeyRefused, exit 4."""
    body = b'{"error":{"code":"1000","message":"Authentication Failed"}}'
    with RawServer([response(body, status="401 Unauthorized")]) as server, pytest.raises(KeyRefused) as caught:
        client_for(server.address).send(CALL)
    assert caught.value.exit_code == 4

"""Faults of names, certificates, proxies and clocks."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Ready, at, remember
from tests.faults.lines import HELLO, STREAM
from tests.faults.test_lines import told
from tests.faults.ways import ONLINE, WAYS, Way, each
from tests.harness import Glm, ScriptedServer
from tests.raw_server import RawServer, response

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")
QUICK = ("--max-retries", "0", "--timeout", "2")
ANSWER = response(HELLO + b"data: [DONE]\n\n", *STREAM)


# -- names ---------------------------------------------------------------------------------


def _resolving_after(failures: int, port: int) -> Callable[..., Any]:
    """A resolver that fails so often, and then knows the name."""
    left = [failures]
    really = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **how: Any) -> Any:
        if left[0] > 0:
            left[0] -= 1
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return really("127.0.0.1", port)

    return look_up


@pytest.mark.usefixtures("keyed")
def test_a_name_that_resolves_at_the_third_try(glm: Glm, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    """A laptop that wakes up: the call is repeated, each wait is told, the answer comes."""
    with RawServer([ANSWER]) as server:
        monkeypatch.setattr(socket, "getaddrinfo", _resolving_after(2, server.port))
        result = glm("stream", "hi", env={"GLM_ORIGIN_INTL": f"http://glm.localhost:{server.port}"})
    assert (result.exit_code, result.stdout, len(slept)) == (0, "Hello", 2)
    assert result.stderr.count("cannot be resolved; trying again in") == 2


@pytest.mark.usefixtures("keyed")
@each(*ONLINE)
def test_a_name_that_never_resolves(
    glm: Glm, way: Way, way_files: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    """Every command ends with 8 after its retries."""
    remember(way, home, "http://glm.localhost:9")
    monkeypatch.setattr(socket, "getaddrinfo", _resolving_after(10**6, 0))
    result = glm(*way.argv(way_files, "--max-retries", "1"), env=at("http://glm.localhost:9"))
    assert result.exit_code == way.exit_code("no such name", 8)
    assert way.is_report or "cannot be resolved" in result.stderr
    assert len(slept) <= 3 or way.command == "tasks"  # which waits for the job as well
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize(
    "origin", ["http://" + "a" * 70 + ".localhost", "http://" + "a." * 140 + "localhost", "http://127.0.0.1:0"]
)
def test_an_address_that_cannot_be(glm: Glm, origin: str) -> None:
    """A name that no resolver may be asked for is one clear error."""
    result = glm(*QUICK, "chat", "hi", env={"GLM_ORIGIN_INTL": origin})
    assert result.exit_code in (3, 8)
    assert "unexpected" not in result.stderr


# -- certificates --------------------------------------------------------------------------


def _certificate(folder: Path, *, name: str = "IP:127.0.0.1", days: int = 30) -> tuple[Path, Path]:
    """A self-signed certificate and its key; with days below zero it has expired."""
    key, request, names, certificate = (folder / f"test.{ending}" for ending in ("key", "csr", "ext", "pem"))
    names.write_text(f"subjectAltName={name}\n")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test")
    signed = ("-signkey", str(key), "-days", str(days), "-extfile", str(names))
    # In two steps: `req` refuses a number of days below one, `x509` does not.
    for command in (
        ["openssl", "req", *kind, "-keyout", str(key), "-out", str(request)],
        ["openssl", "x509", "-req", "-in", str(request), "-out", str(certificate), *signed],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return key, certificate


@contextmanager
def _tls_server(key: Path, certificate: Path) -> Iterator[tuple[str, RawServer]]:
    """A server that answers over TLS; its address, and what it heard."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with RawServer([ANSWER], tls=context) as server:
        yield f"https://127.0.0.1:{server.port}", server


@needs_openssl
@pytest.mark.usefixtures("keyed")
@each(*ONLINE)
def test_a_certificate_that_nobody_vouches_for(
    glm: Glm, way: Way, way_files: dict[str, str], home: Path, tmp_path: Path
) -> None:
    """Refused with 8 and the way out; the key does not leave."""
    with _tls_server(*_certificate(tmp_path)) as (address, server):
        remember(way, home, address)
        result = glm(*way.argv(way_files, *QUICK), env=at(address))
    if not way.is_report:
        told(result, 8, "is not trusted: self")
        assert "SSL_CERT_FILE" in result.stderr
    assert result.exit_code == way.exit_code("no trust", 8)
    assert server.requests == []


@needs_openssl
@pytest.mark.usefixtures("keyed")
def test_a_certificate_that_the_user_vouches_for(glm: Glm, tmp_path: Path) -> None:
    """`SSL_CERT_FILE` is the way out that was named."""
    key, certificate = _certificate(tmp_path)
    with _tls_server(key, certificate) as (address, _):
        result = glm("stream", "hi", env={"GLM_ORIGIN_INTL": address, "SSL_CERT_FILE": str(certificate)})
    assert (result.exit_code, result.stdout) == (0, "Hello")


@needs_openssl
@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        pytest.param({"days": -1}, "expired", id="expired"),
        pytest.param({"name": "DNS:other.example"}, "127.0.0.1", id="other host"),
    ],
)
def test_a_certificate_that_does_not_fit(glm: Glm, tmp_path: Path, more: dict[str, Any], reason: str) -> None:
    """Vouched for, and still out of date, or of another host."""
    key, certificate = _certificate(tmp_path, **more)
    with _tls_server(key, certificate) as (address, server):
        result = glm(*QUICK, "chat", "hi", env={"GLM_ORIGIN_INTL": address, "SSL_CERT_FILE": str(certificate)})
    told(result, 8, reason)
    assert server.requests == []


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28"])
def test_no_tls_at_the_other_end(glm: Glm, answer: bytes) -> None:
    """A hang-up, plain HTTP or an alert instead of a handshake: 8, and no plain-text second try."""
    with RawServer([answer]) as server:
        result = glm(*QUICK, "chat", "hi", env={"GLM_ORIGIN_INTL": f"https://127.0.0.1:{server.port}"})
    told(result, 8, "127.0.0.1")
    assert all(request.startswith(b"\x16") for request in server.requests)


# -- clocks --------------------------------------------------------------------------------

_EPOCH, _FAR = 0.0, 2.0**34


def _stuck(moment: float) -> Callable[[], float]:
    return lambda: moment


def _sawtooth() -> Callable[[], float]:
    """A clock that jumps half a century forth and back at every look."""
    looks = [0]

    def now() -> float:
        looks[0] += 1
        return 1.6e9 if looks[0] % 2 else 0.0

    return now


@pytest.mark.parametrize("clock", [_stuck(_EPOCH), _stuck(_FAR), _sawtooth()], ids=["1970", "2514", "sawtooth"])
@each(*WAYS)
def test_a_clock_that_is_wrong(
    glm: Glm,
    server: ScriptedServer,
    way: Way,
    way_files: dict[str, str],
    ready: Ready,
    clock: Callable[[], float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No command fails for the time of day: a board without a battery, a date typed wrongly."""
    server.sandbox.clock = _stuck(1.6e9)
    ready(way)
    monkeypatch.setattr(time, "time", clock)
    result = glm(*way.argv(way_files), input=way.input, env={way.variable: server.keys[way.provider]})
    waits = way.name == "tasks-fetch"  # a video that was submitted a moment ago
    assert (result.exit_code, result.stderr if result.exit_code and not waits else "") == (9 if waits else 0, "")


def test_a_reset_in_the_past_is_not_waited_for(
    glm: Glm, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    """With `--wait` and a clock ahead of the service's, the waits stay short or a minute, never negative."""
    monkeypatch.setattr(time, "time", _stuck(_FAR))
    server.sandbox.clock = _stuck(1.6e9)
    server.sandbox.fault = "1308x2"
    result = glm("--wait", "chat", "hi")
    assert result.exit_code == 0
    assert len(slept) == 2
    assert all(0 <= seconds <= 60 for seconds in slept)

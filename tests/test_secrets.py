"""The key comes out nowhere, and goes to no host that it does not belong to.

The keys here have no form by which they could be recognised: only knowing them helps.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from glmcli.api.auth import JwtSource
from glmcli.config.model import GlobalOptions
from glmcli.context import AppContext
from glmcli.streams import Streams
from tests.faults import conftest as faults
from tests.faults.conftest import Ready, at, remember
from tests.faults.ways import ONLINE, WAYS, Way, each
from tests.harness import Glm, GlmProcess, Result, ScriptedServer
from tests.raw_server import Answer, RawServer, response

#: Neither vendor's form nor any other: no pattern finds it.
MARK = "Marked-company-key-4711-never-shown"
OTHER = "Another-company-key-0815-never-shown"
QUICK = ("--max-retries", "0", "--timeout", "5")


way_files, ready, slept = faults.way_files, faults.ready, faults.slept


def shown(result: Result, folder: Path, *keys: str) -> list[str]:
    """Where one of the keys is to be seen: an output, or a file that should not hold it."""
    found = [
        name
        for name, data in (("stdout", result.stdout_bytes), ("stderr", result.stderr.encode()))
        if any(key.encode() in data for key in keys)
    ]
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "credentials.toml")
    return found + [str(path) for path in files if any(key.encode() in path.read_bytes() for key in keys)]


def _echoing(head: bytes, before: bytes, after: bytes) -> Answer:
    """An answer that quotes the key it was sent, as some gateways do."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head + b"\r\nConnection: close\r\n\r\n" + before + MARK.encode() + after)

    return answer


_JSON = b"\r\nContent-Type: application/json"
ECHOES = {
    "refusal": _echoing(b"HTTP/1.1 401 No" + _JSON, b'{"error":{"code":"1000","message":"bad key ', b'"}}'),
    "rate": _echoing(b"HTTP/1.1 429 No" + _JSON, b'{"error":{"code":"1302","message":"key ', b' is too fast"}}'),
    "page": _echoing(b"HTTP/1.1 502 No\r\nContent-Type: text/html", b"<html><title>", b"</title></html>"),
    "torso": _echoing(b"HTTP/1.1 200 OK" + _JSON, b'{"text": "', b""),
    "header": _echoing(b"HTTP/1.1 403 No\r\nX-Log-Id: " + MARK.encode(), b"", b""),
    "limit": _echoing(b"HTTP/1.1 429 No\r\nX-Ratelimit-For: Bearer " + MARK.encode(), b"", b""),
    "location": _echoing(b"HTTP/1.1 302 Moved\r\nLocation: https://x.example/?key=" + MARK.encode(), b"", b""),
    "event": _echoing(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream", b'data: {"error":{"code":"1000","message":"', b'"}}\n\n'
    ),
    "status": _echoing(b"HTTP/1.1 500 " + MARK.encode(), b"", b""),
}  # fmt: skip


# -- it comes out nowhere ------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags", [(), ("-vv",), ("--json",), ("--dry-run",)], ids=lambda flags: " ".join(flags) or "plain"
)
@each(*WAYS)
def test_no_command_shows_the_key(
    glm: Glm,
    server: ScriptedServer,
    way: Way,
    way_files: dict[str, str],
    tmp_path: Path,
    ready: Ready,
    flags: tuple[str, ...],
) -> None:
    """Neither on the way to an answer, nor in a log, nor in a file."""
    ready(way)
    _accept(server, way.provider)
    result = glm(*way.argv(way_files, *flags), input=way.input, env={way.variable: MARK})
    assert result.exit_code == (9 if way.name == "tasks-fetch" and "--dry-run" not in flags else 0), result.stderr
    places = shown(result, tmp_path, MARK)
    assert places == (["stdout"] if way.shows_key and "--dry-run" not in flags else [])


def _accept(server: ScriptedServer, provider: str) -> None:
    """Make the marked key a good one."""
    server.sandbox.accounts[provider] = replace(server.sandbox.accounts[provider], key=MARK)


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("flags", [(), ("-vv",), ("--json",)], ids=lambda flags: " ".join(flags) or "plain")
@each(*ONLINE)
def test_a_server_that_quotes_the_key_is_not_repeated(
    glm: Glm,
    way: Way,
    way_files: dict[str, str],
    home: Path,
    tmp_path: Path,
    slept: list[float],
    echo: str,
    flags: tuple[str, ...],
) -> None:
    """In a message, a page, a header, an address or an event: it is taken out before it is told."""
    with RawServer([ECHOES[echo]]) as server:
        remember(way, home, server.address)
        result = glm(*way.argv(way_files, "--max-retries", "1", *flags), env={way.variable: MARK, **at(server.address)})
    # `api` and `tokenize` may pass on what was answered, as it was answered, and a file is kept as it came.
    passes = way.may_succeed and echo in ("torso", "event")
    allowed = {"stdout", str(tmp_path / "work" / "file-1.jsonl")} if passes else set()
    assert set(shown(result, tmp_path, MARK)) <= allowed


# -- wherever it comes from ----------------------------------------------------------------

PROFILE = '[profiles.p]\nprovider = "zai"\nkey = "{}"\n'
SOURCES: dict[str, tuple[list[str], str, str]] = {  # arguments, reference in the profile, standard input
    "stdin": (["--provider", "zai", "--key-stdin"], "", MARK),
    "variable": (["--provider", "zai", "--key-env", "MY_OWN"], "", ""),
    "profile's variable": (["-p", "p"], "env:MY_OWN", ""),
    "file": (["-p", "p"], "file", ""),
    "command": (["-p", "p"], "command:printenv MY_OWN", ""),
    "env file": (["--provider", "zai", "--env-file", "key.env"], "", ""),
}


@pytest.mark.parametrize("fault", [None, "1000", "1113", "html"])
@pytest.mark.parametrize("source", SOURCES)
def test_no_source_of_the_key_is_shown(
    glm: Glm, server: ScriptedServer, home: Path, tmp_path: Path, source: str, fault: str | None
) -> None:
    """From a pipe, a variable, the store, a program or a file: `-vv` shows the words around it, never the key."""
    arguments, reference, input = SOURCES[source]
    _accept(server, "zai")
    server.sandbox.fault = fault
    home.mkdir(mode=0o700)
    if reference:
        (home / "config.toml").write_text(PROFILE.format(reference))
    (home / "credentials.toml").write_text(f'[keys]\np = "{MARK}"\n')
    (home / "credentials.toml").chmod(0o600)
    (tmp_path / "work" / "key.env").write_text(f"ZAI_API_KEY={MARK}\n")
    env = {"ZAI_API_KEY": None, "MY_OWN": MARK}

    result = glm("-vv", "--max-retries", "0", *arguments, "models", "--remote", input=input, env=env)

    assert (result.exit_code == 0) == (fault is None), result.stderr
    (tmp_path / "work" / "key.env").unlink()
    assert shown(result, tmp_path, MARK) == []


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["profile", "login", "p", "--key-stdin", "--store", "file"], id="login"),
        pytest.param(["profile", "show", "p"], id="show"),
        pytest.param(["--json", "profile", "show", "p"], id="show as JSON"),
        pytest.param(["profile", "login", "p", "--store", "env:ZAI_API_KEY"], id="login by name"),
        pytest.param(["profile", "logout", "p"], id="logout"),
        pytest.param(["config", "get"], id="config get"),
        pytest.param(["connect", "claude-code", "--dry-run"], id="connect, dry"),
        pytest.param(["-vv", "exec", "--", sys.executable, "-c", "pass"], id="exec"),
    ],
)
def test_what_handles_keys_does_not_show_them(glm: Glm, home: Path, tmp_path: Path, argv: list[str]) -> None:
    """Diffs, summaries and the commands that are suggested name a variable or a store instead."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(PROFILE.format("file") + 'model = "glm-5.3"\n')
    (home / "credentials.toml").write_text(f'[keys]\np = "{OTHER}"\n')
    (home / "credentials.toml").chmod(0o600)
    result = glm(*argv, input=MARK, env={"ZAI_API_KEY": MARK})
    assert result.exit_code == 0, result.stderr
    assert shown(result, tmp_path, MARK, OTHER) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks at /proc")
def test_no_command_line_holds_the_key(glm_process: GlmProcess, server: ScriptedServer, home: Path) -> None:
    """Any user of the machine can read the arguments of every process, with `ps`."""
    _accept(server, "zai")
    home.mkdir(mode=0o700)
    listing = (
        "import pathlib\n"
        "for file in pathlib.Path('/proc').glob('[0-9]*/cmdline'):\n"
        "    try: print(file.read_bytes())\n"
        "    except OSError: pass\n"
    )
    program = home.parent / "work" / "list.py"
    program.write_text(listing)
    (home / "config.toml").write_text(PROFILE.format("file"))
    (home / "credentials.toml").write_text(f'[keys]\np = "{MARK}"\n')
    result = glm_process("-p", "p", "exec", "--", sys.executable, str(program), env={"ZAI_API_KEY": None})
    assert str(program) in result.stdout
    assert MARK not in result.stdout + result.stderr


# -- objects and tracebacks ----------------------------------------------------------------


def _objects(folder: Path) -> Iterator[object]:
    """The objects that a log line, a debugger or an exception may print."""
    environ = {"ZAI_API_KEY": MARK, "GLM_HOME": str(folder), "GLM_ORIGIN_INTL": "http://127.0.0.1:9"}
    streams = Streams(environ=environ)
    app = AppContext(options=GlobalOptions(), streams=streams, environ=environ, cwd=folder)
    secret = app.key()
    yield from (secret, [secret], {"key": secret}, app, app.options, app.settings, app.target, app.client, streams)
    yield app.client._options
    yield app.client._options.authorize
    yield JwtSource("id.secret-" + MARK)
    from glmcli.api.clientenv import client_environment

    yield client_environment(app.target, MARK)
    from glmcli.config.resolve import key_candidates

    yield key_candidates(app.settings, app.options, app.environ)


def test_no_object_prints_the_key(tmp_path: Path) -> None:
    """`repr`, `str` and `format` of what carries it say something else."""
    seen = 0
    for value in _objects(tmp_path):
        seen += 1
        for text in (repr(value), str(value), f"{value!r:.10000}"):
            assert MARK not in text, type(value)
    assert seen > 10


def test_an_exception_of_a_library_does_not_print_the_key(
    glm: Glm, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Even an unexpected one that quotes the header: neither its line nor the traceback of `-vv`."""
    import httpx

    def send(self: object, request: httpx.Request, **how: object) -> httpx.Response:
        raise RuntimeError(f"cannot send {request.headers['authorization']}")

    monkeypatch.setattr(httpx.Client, "send", send)
    for flags in ((), ("-vv",), ("--json",), ("-vv", "--json")):
        result = glm(*flags, "chat", "hi", env={"ZAI_API_KEY": MARK})
        assert result.exit_code == 1
        assert "RuntimeError" in result.stderr
        assert shown(result, tmp_path, MARK) == []


# -- it goes to no other host --------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@each(*ONLINE)
def test_no_redirect_carries_the_key_away(
    glm: Glm, way: Way, way_files: dict[str, str], home: Path, status: int
) -> None:
    """Another port is another host: it does not even get a request."""
    with RawServer([response(b"{}")]) as other:
        moved = response(b"", f"Location: {other.address}/api/paas/v4", status=f"{status} Moved")
        with RawServer([moved]) as server:
            remember(way, home, server.address)
            result = glm(*way.argv(way_files, *QUICK), env={way.variable: MARK, **at(server.address)})
        assert other.requests == []
        assert result.exit_code == way.exit_code("other host", 8)
        if not way.is_report:
            assert "the key was not sent there" in result.stderr


class Tunnel:
    """What a proxy does with a CONNECT: says yes, and listens."""

    def __init__(self, reply: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.heard = b""
        self._reply = reply

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(self._reply)
        connection.settimeout(5)
        while piece := connection.recv(65536):
            self.heard += piece
            connection.sendall(b"\x15\x03\x01\x00\x02\x02\x28")  # a TLS alert: go away


@each(*ONLINE)
def test_a_proxy_does_not_see_the_key(glm: Glm, way: Way, way_files: dict[str, str], home: Path) -> None:
    """It is asked to connect, and hears the beginning of a TLS handshake."""
    tunnel = Tunnel()
    host = "open.bigmodel.cn" if way.provider == "zhipu" else "api.z.ai"
    remember(way, home, f"https://{host}")
    with RawServer([tunnel]) as proxy:
        env = {way.variable: MARK, "HTTPS_PROXY": f"http://user:{OTHER}@127.0.0.1:{proxy.port}"}
        result = glm(*way.argv(way_files, *QUICK, "-vv"), env=env)
    assert result.exit_code == way.exit_code("no tunnel", 8)
    [head] = {request.split(b"\r\n")[0] for request in proxy.requests}
    assert head == f"CONNECT {host}:443 HTTP/1.1".encode()
    assert b"\x16\x03" in tunnel.heard
    assert MARK.encode() not in tunnel.heard + b"".join(proxy.requests)
    assert MARK not in result.stderr
    assert OTHER not in result.stderr


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway", "302 Found"])
def test_a_proxy_that_refuses_is_told(glm: Glm, status: str) -> None:
    """Exit 8 and the variables to look at; no second way around the proxy."""
    with RawServer([response(b"no", status=status)]) as proxy:
        env = {"ZAI_API_KEY": MARK, "HTTPS_PROXY": f"http://me:{OTHER}@127.0.0.1:{proxy.port}"}
        result = glm(*QUICK, "-vv", "chat", "hi", env=env)
    assert result.exit_code == 8
    assert "HTTPS_PROXY" in result.stderr
    assert MARK.encode() not in b"".join(proxy.requests)
    assert OTHER not in result.stderr


def test_plain_http_is_refused_before_anything_is_sent(glm: Glm) -> None:
    """Neither an origin, nor a base URL, nor a proxy makes the key travel in the open unasked."""
    with RawServer([response(b"{}")]) as proxy:
        env = {"ZAI_API_KEY": MARK, "GLM_API_KEY": MARK, "HTTP_PROXY": proxy.address}
        for more in (
            ["--base-url", "http://glm.example/v1"],
            ["--provider", "custom", "--base-url", "http://10.0.0.1/v1"],
        ):
            assert glm(*more, "chat", "hi", env=env).exit_code == 3
        assert glm("chat", "hi", env={**env, "GLM_ORIGIN_INTL": "http://glm.example"}).exit_code == 3
    assert proxy.requests == []


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param(("ZAI_API_KEY",), id="zai"),
        pytest.param(("ZHIPU_API_KEY",), id="zhipu"),
        pytest.param(("ZAI_CODING_API_KEY", "Z_AI_API_KEY", "ZHIPUAI_API_KEY"), id="the others"),
    ],
)
@each(*(way for way in ONLINE if way.provider == "zai"))
def test_a_base_url_gets_no_key_of_the_vendor(
    glm: Glm, way: Way, way_files: dict[str, str], variables: tuple[str, ...]
) -> None:
    """`--base-url` is somebody else's service: only the key that was made for it goes there."""
    with RawServer([response(b"{}")]) as server:
        env = dict.fromkeys(variables, MARK)
        arguments = way.argv(way_files, *QUICK, "--base-url", f"{server.address}/v1", "-m", "some-model")
        result = glm(*(arguments if way.name != "models-remote" else arguments[:-4] + arguments[-2:]), env=env)
    assert MARK.encode() not in b"".join(server.requests)
    assert MARK not in result.stderr
    assert result.exit_code != 0 or way.may_succeed


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("zai", "ZHIPU_API_KEY"),
        ("zhipu", "ZAI_API_KEY"),
        ("zai-coding", "ZHIPU_CODING_API_KEY"),
        ("zhipu-coding", "ZAI_CODING_API_KEY"),
        ("zai", "OPENAI_API_KEY"),
        ("zai", "ANTHROPIC_AUTH_TOKEN"),
        ("zai", "ZAI_CODING_API_KEY"),
        ("sandbox", "ZAI_API_KEY"),
    ],
)
def test_the_key_of_one_company_does_not_go_to_another(glm: Glm, provider: str, variable: str) -> None:
    """Each provider has its own variables, and the sandbox needs none."""
    with RawServer([response(b"{}")]) as server:
        env = {variable: MARK, "GLM_ORIGIN_INTL": server.address, "GLM_ORIGIN_CN": server.address}
        result = glm(*QUICK, "--provider", provider, "chat", "hi", env=env)
    assert result.exit_code == (0 if provider == "sandbox" else 4)
    assert server.requests == []


def test_a_cloned_repository_cannot_redirect_the_key(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """`.glm.toml` may name a profile and chat defaults; base URL, key, provider and a `.env` beside it do nothing."""
    _accept(server, "zai")
    with RawServer([response(b"{}")]) as evil:
        (tmp_path / "work" / ".glm.toml").write_text(
            f'base_url = "{evil.address}"\nprovider = "custom"\nkey = "env:ZAI_API_KEY"\norigin = "{evil.address}"\n'
            f'[chat]\nsystem = "hi"\nbase_url = "{evil.address}"\n'
            f'[profiles.zai]\nprovider = "custom"\nbase_url = "{evil.address}"\nkey = "command:touch owned"\n'
            f'[environment]\nGLM_ORIGIN_INTL = "{evil.address}"\n'
        )
        (tmp_path / "work" / ".env").write_text(f"GLM_ORIGIN_INTL={evil.address}\nGLM_BASE_URL={evil.address}\n")
        result = glm("chat", "hi", env={"ZAI_API_KEY": MARK})
        named = glm("-p", "zai", "chat", "hi", env={"ZAI_API_KEY": MARK})
    assert (result.exit_code, evil.requests) == (0, [])
    assert re.search(r"\.glm\.toml.*base_url", result.stderr)
    assert named.exit_code == 3
    assert not (tmp_path / "work" / "owned").exists()


@each(*ONLINE)
def test_a_dry_run_sends_nothing(glm: Glm, way: Way, way_files: dict[str, str], home: Path, tmp_path: Path) -> None:
    """The command that is printed names the variable, and no connection is opened."""
    with RawServer([response(b"{}")]) as server:
        remember(way, home, server.address)
        result = glm(*way.argv(way_files, "--dry-run"), env={way.variable: MARK, **at(server.address)})
    assert (result.exit_code, server.requests) == (0, [])
    assert re.search(r"\$(ZAI|ZHIPU)(_CODING)?_API_KEY", result.stdout)
    assert shown(result, tmp_path, MARK) == []


def test_a_child_gets_the_key_and_nobody_else(glm_process: GlmProcess, server: ScriptedServer) -> None:
    """`exec` hands it over in the environment of that one process; ours is left as it was."""
    before = dict(os.environ)
    same = "sorted(name for name, value in os.environ.items() if value == os.environ['OPENAI_API_KEY'])"
    script = f"import os, json; print(json.dumps({same}))"
    result = glm_process("exec", "--", sys.executable, "-c", script)
    assert json.loads(result.stdout) == ["ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "ZAI_API_KEY"]
    assert dict(os.environ) == before

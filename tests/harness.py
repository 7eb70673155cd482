"""What the fixtures of `conftest` hand to tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.exchange import Response
from glmcli.streams import Streams

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

    from glmcli.sandbox.app import Recorded

#: A key of the vendor's form that no test may ever print.
TEST_KEY = "feedfacefeedfacefeedfacefeedface.TESTKEYneverShown"
GOLDEN = Path(__file__).parent / "golden"

#: A change of the environment: None removes a variable.
Changes = Mapping[str, str | None]


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    exit_code: int
    stdout_bytes: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode()

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.stdout_bytes)

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON documents, one per line."""
        return [json.loads(line) for line in self.stdout_bytes.splitlines()]

    @property
    def error(self) -> Any:
        """The failure that `--json` printed: the last line of stderr."""
        return json.loads(self.stderr.splitlines()[-1])["error"]


class Terminal(BytesIO):
    """Bytes that claim to be a terminal."""

    def isatty(self) -> bool:
        return True


class Glm:
    """Runs commands in this process: `glm("chat", "hi", input=b"", env={}, tty=False)`.

    `tty` may name the streams that are terminals: `{"stdout", "stderr"}`; True means all three.
    `env` is laid over the environment of the test; None removes a variable.
    """

    def __init__(self, results: list[Result]) -> None:
        self._results = results

    def __call__(
        self,
        *argv: str,
        input: bytes | str = b"",
        env: Changes | None = None,
        tty: bool | Collection[str] = False,
        cwd: Path | None = None,
    ) -> Result:
        from glmcli.cli import run

        terminals = ("stdin", "stdout", "stderr") if tty is True else tty or ()
        made = {
            name: Terminal(start) if name in terminals else BytesIO(start)
            for name, start in (("stdin", _as_bytes(input)), ("stdout", b""), ("stderr", b""))
        }
        environ = changed(os.environ, env)
        code = run(argv, streams=Streams(**made, environ=environ), environ=environ, cwd=cwd or Path.cwd())
        result = Result(int(code), made["stdout"].getvalue(), made["stderr"].getvalue().decode())
        self._results.append(result)
        return result


class GlmProcess:
    """Runs commands as a user does, in a process of their own.

    `start` gives the process while it runs; the test ends it.
    """

    command: Sequence[str] = (sys.executable, "-m", "glmcli")

    def __init__(self, results: list[Result]) -> None:
        self._results = results

    def __call__(
        self, *argv: str, input: bytes | str = b"", env: Changes | None = None, timeout_seconds: float = 60
    ) -> Result:
        done = subprocess.run(
            [*self.command, *argv],
            input=_as_bytes(input),
            capture_output=True,
            env=changed(os.environ, env),
            timeout=timeout_seconds,
        )
        result = Result(done.returncode, done.stdout, done.stderr.decode())
        self._results.append(result)
        return result

    def start(self, *argv: str, env: Changes | None = None, **how: Any) -> subprocess.Popen[bytes]:
        """Start a command with pipes at all three streams, unless `how` says otherwise."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen([*self.command, *argv], env=changed(os.environ, env), **{**pipes, **how})


@dataclass
class Script:
    """A reply that waits for its request."""

    method: str
    path: str
    response: Response


class ScriptedServer:
    """The sandbox on a loopback socket, with scripted replies on top.

    A scripted reply that is not asked for fails the test. With `only_scripted` any other request
    fails it too; else the sandbox answers. `sandbox` is the application itself.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.address = ""
        self.only_scripted = False
        self._waiting: list[Script] = []
        self._unexpected: list[str] = []

    @property
    def keys(self) -> dict[str, str]:
        """A good key per provider, and keys in trouble (`glmcli.sandbox.accounts`)."""
        return self.sandbox.keys

    @property
    def requests(self) -> Sequence[Recorded]:
        """Every request that arrived, oldest first."""
        return self.sandbox.requests

    @property
    def last(self) -> Recorded:
        """The latest request."""
        return self.sandbox.last

    def script(
        self,
        method: str,
        path: str,
        *,
        status: int = 200,
        json: object = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        sse: Iterable[object] | None = None,
    ) -> None:
        """Answer one coming request whose path ends in `path`.

        `sse` takes the payload of each event: a text as it is (`"[DONE]"`), anything else as JSON.
        """
        if sse is not None:
            response = Response.sse(sse, headers=headers)
        elif body is not None:
            given = {name.lower(): value for name, value in (headers or {}).items()}
            response = Response.bytes(body, given.get("content-type", "text/plain"), status=status, headers=headers)
        else:
            response = Response.json(json if json is not None else {}, status=status, headers=headers)
        self._waiting.append(Script(method, path, response))

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        for script in self._waiting:
            if script.method == method and path.endswith(script.path):
                self._waiting.remove(script)
                self.sandbox.script(script.path, script.response)
                break
        else:
            if self.only_scripted:
                self._unexpected.append(f"{method} {path}")
        return self.sandbox(environ, start_response)

    def close(self) -> None:
        """End every wait of the sandbox (`Server` calls this)."""
        self.sandbox.close()

    def verify(self) -> None:
        """Fail when a scripted reply was not fetched, or an unexpected request came."""
        assert not self._unexpected, f"unexpected requests: {self._unexpected}"
        left = [f"{script.method} {script.path}" for script in self._waiting]
        assert not left, f"scripted replies that nobody fetched: {left}"


class Golden:
    """Files of expected output below `tests/golden`.

    `golden(name)` reads one; `golden.check(name, text)` compares, or writes it anew with `--update-golden`.
    """

    def __init__(self, update: bool) -> None:
        self._update = update

    def __call__(self, name: str) -> str:
        return self.bytes(name).decode()

    def bytes(self, name: str) -> bytes:
        """The file as it is."""
        return (GOLDEN / name).read_bytes()

    def check(self, name: str, text: str) -> None:
        """Compare whole texts; the difference is shown line by line."""
        path = GOLDEN / name
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert path.exists(), f"no golden file {name}: run pytest --update-golden and read what it wrote"
        assert self(name) == text


RunGlm = Callable[..., Result]


def changed(environ: Mapping[str, str], changes: Changes | None) -> dict[str, str]:
    """An environment with changes laid over it."""
    merged = {**environ, **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def _as_bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text

"""A place of its own for one killed command: folders, a counting sandbox, and the kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glmcli.sandbox.accounts import ACCOUNTS
from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.exchange import Request, Response
from glmcli.sandbox.serve import Server
from tests.harness import Glm, Result

#: The installed command; before an installation, the module.
_SCRIPT = Path(sys.executable).with_name("glm")
COMMAND = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "glmcli"]
#: An answer that was made has so long to become known to the process that waits for it.
PATIENCE_SECONDS = 30.0
_PACE_SECONDS = 0.01


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after the start, or after request number `request` (from 1).

    With `before_answer` that request is never answered.
    """

    seconds: float
    request: int | None = None
    before_answer: bool = False

    def __str__(self) -> str:
        if self.request is None:
            return f"{self.seconds:.4f} s after the start"
        when = "before the answer to" if self.before_answer else f"{self.seconds:.4f} s after the answer to"
        return f"{when} request {self.request}"


@dataclass(frozen=True)
class Run:
    """How a command went that nobody killed."""

    seconds: float
    requests: int


class Watched(Sandbox):
    """Counts what was asked and answered, and holds one answer back on request."""

    def __init__(self) -> None:
        super().__init__(watch=self._note, pace_seconds=_PACE_SECONDS)
        self.answered: list[tuple[str, str]] = []
        self.count = 0
        self.wanted = 0
        self.holds = False
        self.arrived = threading.Event()
        self._released = threading.Event()

    def expect(self, moment: Moment) -> None:
        """Say when the request of a moment is there."""
        self.count = 0
        self.wanted, self.holds = moment.request or 0, moment.before_answer

    def release(self) -> None:
        """Go on after a kill."""
        self.wanted = 0
        self._released.set()

    def _note(self, request: Request, response: Response) -> None:
        with self.lock:
            self.count += 1
            is_wanted = self.count == self.wanted
            if response.status < 400 and not (is_wanted and self.holds):
                self.answered.append((request.method, request.path))
        if is_wanted:
            self.arrived.set()
            if self.holds:
                self._released.wait(PATIENCE_SECONDS)

    def paid(self, path_end: str) -> int:
        """How often something was created that has to be paid for."""
        return sum(request.method == "POST" and request.path.endswith(path_end) for request in self.requests)


@dataclass
class Ground:
    """One trial: its folders, its server, its commands."""

    root: Path
    sandbox: Watched
    address: str
    results: list[Result] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """GLM_HOME."""
        return self.root / "glm"

    @property
    def user(self) -> Path:
        """HOME."""
        return self.root / "user"

    @property
    def work(self) -> Path:
        """The working directory."""
        return self.root / "work"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a command: these folders, this server, and a key for each provider."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.user),
            "GLM_HOME": str(self.home),
            "TMPDIR": str(self.root / "tmp"),
            "GLM_ORIGIN_INTL": self.address,
            "GLM_ORIGIN_CN": self.address,
            "GLM_LANG": "en",
            "GLM_PROVIDER": "zai",
            "ZAI_API_KEY": key_of("zai"),
            "ZAI_CODING_API_KEY": key_of("zai-coding"),
            "ZHIPU_API_KEY": key_of("zhipu"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }

    def glm(self, *argv: str, input: bytes = b"", expected: Sequence[int] = (0,)) -> Result:
        """Run a command in this process, to its end."""
        missing: dict[str, str | None] = dict.fromkeys(os.environ)
        result = Glm(self.results)(*argv, input=input, env={**missing, **self.environ}, cwd=self.work)
        assert result.exit_code in expected, f"{argv} ended with {result.exit_code}: {result.stderr}"
        return result

    def measured(self, argv: Sequence[str], input: bytes) -> Run:
        """Run a command in a process of its own and say how long it took."""
        self.sandbox.expect(Moment(0))
        started = time.monotonic()
        with self._started(argv, input) as process:
            said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said.decode()
        return Run(time.monotonic() - started, self.sandbox.count)

    def kill(self, argv: Sequence[str], input: bytes, moment: Moment) -> bool:
        """Start a command and kill it with everything that it started; False when it had ended before."""
        self.sandbox.expect(moment)
        with self._started(argv, input) as process:
            if moment.request is not None:
                self._wait_for_request(process)
            if not moment.before_answer:
                _sleep(process, moment.seconds)
            is_alive = not _has_ended(process)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.sandbox.release()
        return is_alive

    def _wait_for_request(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.sandbox.arrived.wait(0.005) and not _has_ended(process):
            assert time.monotonic() < until, "the request never came, and the command never ended"

    @contextmanager
    def _started(self, argv: Sequence[str], input: bytes) -> Iterator[subprocess.Popen[bytes]]:
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [*COMMAND, *argv],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            cwd=self.work,
            env=self.environ,
            start_new_session=True,
        ) as process:
            assert process.stdin is not None
            process.stdin.write(input)
            process.stdin.close()
            process.stdin = None
            yield process

    def json(self, *argv: str) -> Any:
        """What a command prints with `--json`."""
        return json.loads(self.glm(*argv, "--json").stdout_bytes)

    def leftovers(self) -> list[str]:
        """Temporary files and folders, wherever they are."""
        endings = (".part", ".tmp", ".new")
        found = [path for path in self.root.rglob("*") if path.name.endswith(endings) or "glm-scratch" in path.name]
        return [str(path.relative_to(self.root)) for path in found]


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has; it stays to be waited for, so that its process group cannot become another's."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _sleep(process: subprocess.Popen[bytes], seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not _has_ended(process):
        time.sleep(min(left, 0.005))


@contextmanager
def ground(root: Path) -> Iterator[Ground]:
    """A fresh ground below a folder that does not exist yet."""
    for name in ("user", "work", "tmp"):
        (root / name).mkdir(parents=True)
    sandbox = Watched()
    with Server(sandbox) as server:
        yield Ground(root, sandbox, server.address)


def moments(chance: random.Random, run: Run, count: int) -> list[Moment]:
    """So many moments: half of them anywhere in the time of a run, half around one of its requests."""
    drawn = []
    for number in range(count):
        if number % 2 == 0 or not run.requests:
            drawn.append(Moment(chance.uniform(0, run.seconds)))
        else:
            before = chance.random() < 0.3
            after = chance.choice([0.0, chance.uniform(0, 0.01), chance.uniform(0, 0.1)])
            drawn.append(Moment(after, chance.randint(1, run.requests), before))
    return drawn


def key_of(provider: str) -> str:
    """A good key of the sandbox."""
    return ACCOUNTS[provider].key

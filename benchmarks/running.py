"""How a client is run and timed, and how the runs become a table."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO

import peers

HERE = Path(__file__).parent
PYTHON = sys.executable
GLM = str(Path(sys.executable).with_name("glm"))
WIDTH, HEIGHT = 100, 40
#: The least that a Python client must do: the standard library's HTTP, one POST, every line read and printed.
FLOOR = """
import http.client, json, sys
connection = http.client.HTTPConnection(sys.argv[1].split("//")[1])
body = {"model": "glm-5.3", "stream": True, "messages": [{"role": "user", "content": sys.argv[2]}]}
connection.request("POST", "/api/paas/v4/chat/completions", json.dumps(body))
for line in connection.getresponse():
    if line.startswith(b"data: {"):
        sys.stdout.write(json.loads(line[6:])["choices"][0]["delta"]["content"])
        sys.stdout.flush()
"""
PASS, CURL = "python -c pass", "curl -N"
_MARK = re.compile(rb"n(\d{5})")


class Failed(Exception):
    """A client ended with an error; its suite cannot be told."""


@dataclass(frozen=True)
class Plan:
    """What was asked for: rounds of quick runs, rounds of long ones, sizes of answers, and the peers' programs."""

    rounds: int
    few: int
    tokens: tuple[int, ...]
    peers: Mapping[str, Path]


@dataclass(frozen=True)
class Outcome:
    """What a suite found: its tables by name, and figures that goals are held against."""

    tables: dict[str, str]
    figures: dict[str, float] = field(default_factory=dict)


@dataclass
class Sample:
    """One run. Times in milliseconds, memory in MiB; a time that does not apply is NaN."""

    wall: float
    cpu: float
    memory: float
    written: int
    lags: list[float] = field(default_factory=list)
    request: float = float("nan")
    text: float = float("nan")
    exit: float = float("nan")


Value = Callable[[Sample], float]


@dataclass
class Case:
    """One row: a command, where it runs, and what came of it."""

    name: str
    command: list[str]
    asks: bool = False
    on_terminal: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    server: str = "plain"
    samples: list[Sample] = field(default_factory=list)

    def median(self, value: Value) -> float:
        """The median of its runs."""
        return median(value(sample) for sample in self.samples)

    def ratio(self, value: Value, floor: Case, of_floor: Value | None = None) -> float:
        """The median of the ratios, round by round."""
        pairs = zip(self.samples, floor.samples, strict=True)
        return median(value(mine) / (of_floor or value)(other) for mine, other in pairs)

    def more(self, value: Value, other: Case) -> float:
        """The median of the differences, round by round."""
        return median(value(a) - value(b) for a, b in zip(self.samples, other.samples, strict=True))


class Bench:
    """The servers, a home for every client, and the run of a case."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glm-bench-")))
        self._lines: dict[str, IO[str]] = {}
        self.origins: dict[str, str] = {}
        self.certificate = self.folder / "bench.pem"
        self._start("plain", "http", [])
        if shutil.which("openssl"):
            key = self.folder / "bench.key"
            make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            make += ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
            subprocess.run([*make, "-out", str(self.certificate)], check=True, capture_output=True)
            self._start("tls", "https", [str(self.certificate), str(key)])

    def _start(self, name: str, scheme: str, words: list[str]) -> None:
        command = [PYTHON, str(HERE / "streamserver.py"), *words]
        server = self.stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        self.stack.callback(server.kill)
        assert server.stdout is not None
        host, port = server.stdout.readline().split()
        self._lines[name] = server.stdout
        self.origins[name] = f"{scheme}://{host}:{port}"

    def environ(self, case: Case) -> dict[str, str]:
        """A clean environment: some variables of developers distort the start of Python."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TERM": "xterm-256color",
            "GLM_HOME": str(self.folder / "glm"),
            "GLM_ORIGIN_INTL": self.origins[case.server],
            "ZAI_API_KEY": peers.KEY,
            **case.environ,
        }

    def measure(self, case: Case) -> Sample:
        """Run it once."""
        with _output(case.on_terminal) as (mine, theirs):
            start = time.monotonic()
            process = subprocess.Popen(
                case.command, env=self.environ(case), stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
            )
            os.close(theirs)
            output = _Output()
            output.read(mine)
            _, status, usage = os.wait4(process.pid, 0)
            end = time.monotonic()
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failed(f"{case.name} failed: {output.tail.decode(errors='replace')}")
        cpu, memory = (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024
        sample = Sample((end - start) * 1000, cpu, memory, output.size)
        if case.asks:
            moments = json.loads(self._lines[case.server].readline())
            if "error" in moments:
                raise Failed(f"{case.name}: the server met {moments['error']}")
            sample.request = (moments["requested"] - start) * 1000
            sample.text = (output.hello - moments["first"]) * 1000
            sample.exit = (end - moments["last"]) * 1000
            if lost := moments["sent"][len(output.marks) :]:
                raise Failed(f"{case.name} did not show {len(lost)} words")
            sample.lags = [(output.marks[n] - sent) * 1000 for n, sent in enumerate(moments["sent"])]
        return sample

    def run(self, cases: list[Case], rounds: int) -> None:
        """All cases, `rounds` times in turn; one round before that warms the caches."""
        for case in cases:
            self.measure(case)
        for _ in range(rounds):
            for case in cases:
                case.samples.append(self.measure(case))


@contextmanager
def _output(on_terminal: bool) -> Iterator[tuple[int, int]]:
    mine, theirs = pty.openpty() if on_terminal else os.pipe()
    if on_terminal:
        fcntl.ioctl(mine, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    try:
        yield mine, theirs
    finally:
        os.close(mine)


class _Output:
    """When `Hello` and each `n00000` came first, how much came, and the end of it."""

    def __init__(self) -> None:
        self.hello = float("nan")
        self.marks: dict[int, float] = {}
        self.size = 0
        self.tail = b""

    def read(self, descriptor: int) -> None:
        """Read until the other end is closed."""
        while data := self._next(descriptor):
            now = time.monotonic()
            self.size += len(data)
            recent = self.tail[-5:] + data
            if self.hello != self.hello and b"Hello" in recent:
                self.hello = now
            for number in _MARK.findall(recent):
                self.marks.setdefault(int(number), now)
            self.tail = (self.tail + data)[-2000:]

    @staticmethod
    def _next(descriptor: int) -> bytes:
        select.select([descriptor], [], [])
        try:
            return os.read(descriptor, 1 << 16)
        except OSError:  # the other end of a terminal was closed
            return b""


def floors(bench: Bench, prompt: str) -> list[Case]:
    """A bare interpreter, the least Python client, curl."""
    origin = bench.origins["plain"]
    cases = [
        Case(PASS, [PYTHON, "-c", "pass"]),
        Case("http.client floor", [PYTHON, "-c", FLOOR, origin, prompt], asks=True),
    ]
    if curl := shutil.which("curl"):
        body = json.dumps({"messages": [{"role": "user", "content": prompt}], "stream": True})
        cases.append(Case(CURL, [curl, "-sN", "-d", body, f"{origin}/api/paas/v4/chat/completions"], asks=True))
    return cases


def clients(bench: Bench, prompt: str) -> list[Case]:
    """`glm chat` and `glm stream`."""
    return [Case(f"glm {name}", [GLM, name, prompt], asks=True) for name in ("chat", "stream")]


def others(bench: Bench, plan: Plan, prompt: str) -> list[Case]:
    """The peers that were asked for."""
    cases = []
    for name, binaries in plan.peers.items():
        command, environ = peers.command(name, binaries, bench.origins["plain"], prompt, bench.folder)
        cases.append(Case(name, command, asks=True, environ=environ))
    return cases


def table(cases: list[Case], columns: Mapping[str, Value], floor: Case, of_floor: Value | None = None) -> str:
    """Medians, and behind each the median of its ratios to the floor in the same round."""
    lines = ["| | " + " | ".join(f"{title} | x" for title in columns) + " |", "|---|" + "---:|" * 2 * len(columns)]
    for case in cases:
        cells = []
        for value in columns.values():
            found, ratio = case.median(value), case.ratio(value, floor, of_floor)
            cells += [_number(found, 1), _number(ratio, 2)]
        lines.append(f"| {case.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: float, places: int) -> str:
    return "" if value != value else f"{value:.{places}f}"

"""Everything about speed that `docs/performance.md` tells, against floors measured in the same run.

    python benchmarks/bench.py [--rounds 9] [--suites start,request,text,chunks,upload,rendered]
                               [--peers llm,shell-gpt,zai-sdk,openai] [--peers-in FOLDER]

Runs are interleaved (A B C A B C ...), so that a busy machine slows all rows alike: a table shows medians, and the
median of the ratios to `python -c pass` (or the floor that it names) round by round. The server runs in a process
of its own; every client starts in a clean environment.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import pty
import select
import shutil
import subprocess
import sys
import tempfile
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
CHUNKS = 50_000
UPLOAD_BYTES = 50_000_000
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
KEYRING = """
from keyring.backend import KeyringBackend
class Keyring(KeyringBackend):
    priority = 1
    def get_password(self, service, username): return %r
    def set_password(self, service, username, password): pass
    def delete_password(self, service, username): pass
"""


@dataclass
class Sample:
    """One run. Times in milliseconds, memory in MiB; a time that does not apply is NaN."""

    wall: float
    cpu: float
    memory: float
    request: float = float("nan")
    text: float = float("nan")
    exit: float = float("nan")


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


class Bench:
    """The servers, a home for every client, and the run of a case."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.folder = folder
        self._lines: dict[str, IO[str]] = {}
        self.origins: dict[str, str] = {}
        self.certificate = folder / "bench.pem"
        self._start(stack, "plain", "http", [])
        if shutil.which("openssl"):
            key = folder / "bench.key"
            make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            make += ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
            subprocess.run([*make, "-out", str(self.certificate)], check=True, capture_output=True)
            self._start(stack, "tls", "https", [str(self.certificate), str(key)])

    def _start(self, stack: ExitStack, name: str, scheme: str, words: list[str]) -> None:
        command = [PYTHON, str(HERE / "streamserver.py"), *words]
        server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(server.kill)
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
            seen, output = _read(mine)
            _, status, usage = os.wait4(process.pid, 0)
            end = time.monotonic()
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{case.name} failed: {output[-2000:].decode(errors='replace')}")
        sample = Sample((end - start) * 1000, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024)
        if case.asks:
            moments = json.loads(self._lines[case.server].readline())
            sample.request = (moments["requested"] - start) * 1000
            sample.text = (seen - moments["first"]) * 1000
            sample.exit = (end - moments["last"]) * 1000
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
    try:
        yield mine, theirs
    finally:
        os.close(mine)


def _read(descriptor: int) -> tuple[float, bytes]:
    """When `Hello` came, and the end of all that came."""
    seen, output = float("nan"), b""
    while True:
        select.select([descriptor], [], [])
        try:
            data = os.read(descriptor, 1 << 16)
        except OSError:  # the other end of a terminal was closed
            data = b""
        if not data:
            return seen, output
        output = (output + data)[-65536:]
        if seen != seen and b"Hello" in output:
            seen = time.monotonic()


# -- tables ----------------------------------------------------------------------


def table(cases: list[Case], columns: Mapping[str, Callable[[Sample], float]], floor: Case) -> str:
    """Medians, and behind each the median of its ratios to the floor in the same round."""
    lines = ["| | " + " | ".join(f"{title} | x" for title in columns) + " |", "|---|" + "---:|" * 2 * len(columns)]
    for case in cases:
        cells = []
        for title, value in columns.items():
            found = [value(sample) for sample in case.samples]
            if median(found) != median(found):
                cells.append(" | ")
                continue
            by = "wall" if title.startswith(("spawn", "first", "wall")) else title
            floors = [sample.wall if by == "wall" and floor.name == PASS else value(sample) for sample in floor.samples]
            ratios = [a / b for a, b in zip(found, floors, strict=True)]
            ratio = median(ratios)
            cells.append(f"{median(found):.1f} | {ratio:.2f}" if ratio == ratio else f"{median(found):.1f} | ")
        lines.append(f"| {case.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


PASS, CURL = "python -c pass", "curl -N"


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


# -- suites ------------------------------------------------------------------------


def start(bench: Bench, rounds: int, others: Mapping[str, Path]) -> str:
    """Commands that ask nobody."""
    cases = [
        Case(PASS, [PYTHON, "-c", "pass"]),
        Case("glm --version", [GLM, "--version"]),
        Case("glm --help", [GLM, "--help"]),
        Case("glm chat --help", [GLM, "chat", "--help"]),
        Case("glm --complete", [GLM, "--complete", "bash", "chat", "--s"]),
    ]
    bench.run(cases, rounds)
    return table(cases, {"wall ms": lambda sample: sample.wall}, cases[0])


def request(bench: Bench, rounds: int, others: Mapping[str, Path]) -> str:
    """From spawn to the last byte of the request, and the peak of memory."""
    cases = [
        *floors(bench, "bench:hello"),
        Case("glm chat, key from environment", [GLM, "chat", "bench:hello"], asks=True),
        Case("glm stream", [GLM, "stream", "bench:hello"], asks=True),
        *_stored_keys(bench),
    ]
    if "tls" in bench.origins:
        trusted = {"SSL_CERT_FILE": str(bench.certificate)}
        cases.append(Case("glm chat, TLS", [GLM, "chat", "bench:hello"], asks=True, environ=trusted, server="tls"))
    cases += _peers(bench, others, "bench:hello")
    bench.run(cases, rounds)
    for sample in cases[0].samples:
        sample.memory = _bare_memory()
    timed = table(cases, {"spawn to request ms": lambda sample: sample.request}, cases[0])
    memory = {"peak MiB": lambda sample: sample.memory}
    return f"{timed}\n\n{table([case for case in cases if case.name != CURL], memory, cases[0])}"


def _bare_memory() -> float:
    """Peak of a bare interpreter in MiB, by its own account: the system's counts its parent before exec."""
    if not Path("/proc/self/status").exists():
        return float("nan")
    status = subprocess.run(
        [PYTHON, "-c", "import sys; sys.stdout.write(open('/proc/self/status').read())"], capture_output=True, text=True
    ).stdout
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _stored_keys(bench: Bench) -> list[Case]:
    cases = []
    for kind in ("file", "keyring"):
        home = bench.folder / f"glm-{kind}"
        home.mkdir(mode=0o700)
        profile = '[profiles.bench]\nprovider = "zai"\nkey = "' + kind + '"\n'
        environ = {"GLM_HOME": str(home), "ZAI_API_KEY": "", "GLM_PROFILE": "bench"}
        if kind == "keyring":
            profile += 'keyring_backend = "benchkeyring.Keyring"\n'
            (bench.folder / "benchkeyring.py").write_text(KEYRING % peers.KEY)
            environ["PYTHONPATH"] = str(bench.folder)
        (home / "config.toml").write_text(f"version = 1\n\n{profile}")
        (home / "credentials.toml").write_text(f'version = 1\n\n[keys]\nbench = "{peers.KEY}"\n')
        for file in home.iterdir():
            file.chmod(0o600)
        cases.append(Case(f"glm chat, key from {kind}", [GLM, "chat", "bench:hello"], asks=True, environ=environ))
    return cases


def _peers(bench: Bench, others: Mapping[str, Path], prompt: str) -> list[Case]:
    cases = []
    for name, binaries in others.items():
        command, environ = peers.command(name, binaries, bench.origins["plain"], prompt, bench.folder)
        cases.append(Case(name, command, asks=True, environ=environ))
    return cases


def text(bench: Bench, rounds: int, others: Mapping[str, Path]) -> str:
    """The server thinks for 150 ms; then from its first byte of text to the screen, from its last byte to the exit."""
    tables = []
    for where, on_terminal in (("pipe", False), ("terminal", True)):
        prompt = "bench:think"
        cases = [
            *floors(bench, prompt)[1:],
            Case("glm chat", [GLM, "chat", prompt], asks=True),
            Case("glm stream", [GLM, "stream", prompt], asks=True),
            *_peers(bench, others, prompt),
        ]
        for case in cases:
            case.on_terminal = on_terminal
        bench.run(cases, rounds)
        columns = {f"{where}: text ms": _text, "last byte to exit ms": _exit}
        tables.append(table(cases, columns, cases[0]))
    return "\n\n".join(tables)


def _text(sample: Sample) -> float:
    return sample.text


def _exit(sample: Sample) -> float:
    return sample.exit


def chunks(bench: Bench, rounds: int, others: Mapping[str, Path]) -> str:
    """CPU per chunk of a long answer into a pipe, and what it adds to the memory."""
    long: list[Case] = []
    short: list[Case] = []
    for prompt, cases in ((f"bench:chunks={CHUNKS}", long), ("bench:hello", short)):
        cases += [
            *floors(bench, prompt)[1:],
            Case("glm chat", [GLM, "chat", prompt], asks=True),
            Case("glm stream", [GLM, "stream", prompt], asks=True),
            *_peers(bench, others, prompt),
        ]
    bench.run([case for pair in zip(long, short, strict=True) for case in pair], max(3, rounds // 3))
    lines = ["| | us CPU per chunk | x | MiB more |", "|---|---:|---:|---:|"]
    costs = [_difference(a, b, lambda sample: sample.cpu) * 1000 / CHUNKS for a, b in zip(long, short, strict=True)]
    for case, brief, cost in zip(long, short, costs, strict=True):
        more = _difference(case, brief, lambda sample: sample.memory)
        lines.append(f"| {case.name} | {cost:.2f} | {cost / costs[0]:.2f} | {more:.1f} |")
    return "\n".join(lines)


def _difference(case: Case, other: Case, value: Callable[[Sample], float]) -> float:
    return median(value(a) - value(b) for a, b in zip(case.samples, other.samples, strict=True))


def upload(bench: Bench, rounds: int, others: Mapping[str, Path]) -> str:
    """A video of 50 MB as base64 text; curl sends a file of the same length."""
    video, body = bench.folder / "bench.mp4", bench.folder / "body.json"
    head = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"
    video.write_bytes(head)
    body.touch()
    os.truncate(video, UPLOAD_BYTES)  # not made here: the memory of this process would be counted with its children's
    os.truncate(body, UPLOAD_BYTES * 4 // 3)
    url = f"{bench.origins['plain']}/api/paas/v4/chat/completions"
    cases = [Case("glm chat hi", [GLM, "chat", "--no-log", "bench:hello"], asks=True)]
    if curl := shutil.which("curl"):
        send = [curl, "-sN", "-H", "Expect:", "--data-binary", f"@{body}", url]
        cases.append(Case("curl --data-binary", send, asks=True))
    attach = [GLM, "chat", "--no-log", "-m", "glm-4.6v", "-a", str(video), "bench:hello"]
    cases.append(Case("glm chat -a", attach, asks=True))
    if "zai-sdk" in others:
        words = [f"{bench.origins['plain']}/api/paas/v4", peers.KEY, "bench:hello", str(video)]
        cases.append(Case("zai-sdk", [str(others["zai-sdk"] / "python"), "-c", peers.ZAI_UPLOAD, *words], asks=True))
    bench.run(cases, max(3, rounds // 3))
    columns = {"wall ms": lambda sample: sample.wall, "peak MiB": lambda sample: sample.memory}
    return table(cases, columns, cases[min(1, len(cases) - 1)])


def rendered(bench: Bench, rounds: int, others: Mapping[str, Path]) -> str:
    """Markdown on a terminal (`benchmarks/markdown.py`)."""
    done = subprocess.run([PYTHON, str(HERE / "markdown.py")], check=True, capture_output=True, text=True)
    return done.stdout.strip()


SUITES: dict[str, Callable[[Bench, int, Mapping[str, Path]], str]] = {
    "start": start,
    "request": request,
    "text": text,
    "chunks": chunks,
    "upload": upload,
    "rendered": rendered,
}


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--suites", default=",".join(SUITES))
    parser.add_argument("--peers", default="")
    parser.add_argument("--peers-in", type=Path, help="keep their environments here instead of throwing them away")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glm-bench-")))
        bench = Bench(stack, folder)
        home = given.peers_in or folder / "peers"
        others = {name.partition("==")[0]: peers.install(name, home) for name in given.peers.split(",") if name}
        versions = (
            f"CPython {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        )
        print(f"{versions}; medians of {given.rounds} interleaved rounds.", flush=True)
        for name in given.suites.split(","):
            suite = SUITES[name]
            print(f"\n### {name}\n\n{suite.__doc__}\n\n{suite(bench, given.rounds, others)}", flush=True)


if __name__ == "__main__":
    main()

"""Ten thousand prompts through faults and kills, and how near a batch comes to the limit of the service.

    python benchmarks/batch.py [limit] [faults] [memory] [--prompts 10000] [--kills 10] [--in-flight 8] [--latency 0.05]

limit   A sandbox that allows N requests in flight and takes L seconds for each cannot answer more than N / L.
        All prompts, from the start of the process to its end, against that number and against a bare client of the
        standard library with exactly as many threads.
faults  Each kind of fault for 5 % of the requests; ended at even distances by Ctrl-C's kind of signal, then anew by
        `kill -9`. Every id must be in the output once, in order, with its own answer, and nothing that was on the
        disk may ever be asked for again. The sandbox counts the whole answers that it gave to each prompt.
memory  The peak of a tenth of the prompts, of all, and of twice as many.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.exchange import Request, Response
from glmcli.sandbox.serve import Server

FAULTS = ("1302", "1305", "500", "1234", "cut", "truncated", "html", "empty", "network_error")
SHARE = 0.05
SAMPLE = 1200
PARTS = ("limit", "faults", "memory")
RUN = (sys.executable, "-m", "glmcli", "batch", "run", "in.jsonl", "-o", "out.jsonl", "-q")


class Unreliable(Sandbox):
    """Plays faults, and counts the whole answers by prompt."""

    def __init__(self) -> None:
        super().__init__(watch=self._count)
        self.paid: Counter[str] = Counter()
        self._chance = random.Random(11)

    def __call__(self, environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        with self.lock:
            number = self._chance.random() / SHARE
        if number < len(FAULTS):
            environ = {**environ, "HTTP_X_SANDBOX_FAULT": FAULTS[int(number)]}
        return super().__call__(environ, start_response)

    def _count(self, request: Request, response: Response) -> None:
        if response.status == 200 and "x-sandbox-fault" not in request.headers:
            with self.lock:
                self.paid[request.json()["messages"][-1]["content"].removeprefix("echo: answer ")] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", default=PARTS)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--latency", type=float, default=0.05)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if "limit" in options.parts:
            measure_limit(options.prompts, options.in_flight, options.latency)
        if "faults" in options.parts:
            for number in (signal.SIGTERM, signal.SIGKILL):
                measure_faults(options.prompts, options.kills, number)
        if "memory" in options.parts:
            measure_memory(options.prompts)


def ask(count: int) -> list[str]:
    """Write that many prompts; the ids."""
    names = [f"q{number:06d}" for number in range(count)]
    lines = (json.dumps({"id": name, "prompt": f"echo: answer {name}"}) for name in names)
    Path("in.jsonl").write_text("".join(f"{line}\n" for line in lines))
    for path in Path().glob("out.jsonl*"):
        path.unlink()
    return names


def environment(server: Server, key: str) -> dict[str, str]:
    """What a run needs to find the sandbox."""
    return {
        **os.environ,
        "GLM_HOME": str(Path("home").resolve()),
        "GLM_ORIGIN_INTL": server.address,
        "ZAI_API_KEY": key,
    }


def measure_limit(count: int, in_flight: int, latency_seconds: float) -> None:
    sandbox = Sandbox(in_flight=in_flight, work_seconds=latency_seconds)
    limit = in_flight / latency_seconds
    print(f"{count} prompts, {in_flight} in flight allowed, {latency_seconds * 1000:.0f} ms each")
    print(f"  the sandbox's own limit {limit:7.1f}/s")
    with Server(sandbox) as server:
        floor = SAMPLE / timed_floor(server.address, sandbox.keys["zai"], ask(SAMPLE), in_flight)
        print(
            f"  bare client             {floor:7.1f}/s  ({floor / limit:.0%} of the limit; {SAMPLE} prompts)",
            flush=True,
        )
        for jobs in (in_flight, min(64, 4 * in_flight)):
            ask(count)
            started = time.perf_counter()
            subprocess.run([*RUN, "-j", str(jobs)], env=environment(server, sandbox.keys["zai"]), check=True)
            rate = count / (time.perf_counter() - started)
            print(f"  glm batch run --jobs {jobs:<2} {rate:7.1f}/s  ({rate / limit:.0%} of the limit)", flush=True)


def timed_floor(address: str, key: str, names: list[str], in_flight: int) -> float:
    """Seconds that the standard library needs with as many threads as are allowed."""
    place, kept = urlsplit(address), local()

    def send(name: str) -> None:
        if not hasattr(kept, "connection"):
            kept.connection = http.client.HTTPConnection(str(place.hostname), place.port or 80)
        message = {"role": "user", "content": f"echo: answer {name}"}
        body = json.dumps({"model": "glm-5.3", "messages": [message]})
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        kept.connection.request("POST", "/api/paas/v4/chat/completions", body, headers)
        json.loads(kept.connection.getresponse().read())

    started = time.perf_counter()
    with ThreadPoolExecutor(in_flight) as pool:
        list(pool.map(send, names))
    return time.perf_counter() - started


def measure_faults(count: int, kills: int, number: signal.Signals) -> None:
    sandbox = Unreliable()
    with Server(sandbox) as server:
        environ = environment(server, sandbox.keys["zai"])
        names = ask(count)
        started = time.perf_counter()
        on_disk: Counter[str] = Counter()
        for kill in range(1, kills + 1):
            run_until(kill * count // (kills + 1), environ, number)
            time.sleep(0.3)  # the server answers what it has still read
            kept = ids_on_disk()
            check_none_again(sandbox, on_disk)
            on_disk = Counter({name: sandbox.paid[name] for name in kept})
        run_to_the_end(names, environ)
        seconds = time.perf_counter() - started
        check_none_again(sandbox, on_disk)
    twice = sum(times - 1 for times in sandbox.paid.values())
    share = SHARE * len(FAULTS)
    print(
        f"\n{count} prompts, {share:.0%} of the requests with one of {len(FAULTS)} faults, {kills} times {number.name}"
    )
    print(f"  in the output            {len(names)}, each once, in order, with its own answer")
    print("  asked again, on the disk 0")
    print(f"  paid twice               {twice} (whole answers beyond the first, by the sandbox)")
    print(f"  seconds                  {seconds:.0f}", flush=True)
    assert number is signal.SIGKILL or not twice


def check_none_again(sandbox: Unreliable, on_disk: Mapping[str, int]) -> None:
    """Nothing that was on the disk before may have been paid since."""
    again = [name for name, times in on_disk.items() if sandbox.paid[name] > times]
    assert not again, f"paid again although on the disk: {again[:5]}"


def measure_memory(count: int) -> None:
    sandbox = Sandbox()
    print("\nPeak of memory, --jobs 32")
    with Server(sandbox) as server:
        for prompts in (count // 10, count, 2 * count):
            peak = run_to_the_end(ask(prompts), environment(server, sandbox.keys["zai"]))
            print(f"  {prompts:6} prompts {peak / 2**20:8.1f} MiB", flush=True)


def run_until(lines: int, environ: Mapping[str, str], number: signal.Signals) -> None:
    """Run until so many answers are on the disk, then send the signal."""
    process = subprocess.Popen([*RUN, "-j", "32", "--max-retries", "5"], env=dict(environ), stderr=subprocess.DEVNULL)
    while process.poll() is None and count_lines() < lines:
        time.sleep(0.02)
    process.send_signal(number)
    process.wait()


def run_to_the_end(names: list[str], environ: Mapping[str, str]) -> int:
    """Run, and again while something failed; the peak of memory in bytes."""
    peak = 0
    for _ in range(10):
        process = subprocess.Popen(
            [*RUN, "-j", "32", "--max-retries", "5"], env=dict(environ), stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid))
            time.sleep(0.05)
        if process.returncode == 0:
            break
    lines = [json.loads(line) for line in Path("out.jsonl").read_bytes().splitlines()]
    assert [line["id"] for line in lines] == names
    assert all(line["content"] == f"answer {line['id']}" for line in lines)
    return peak


def peak_of(pid: int) -> int:
    """Bytes that a process held at most; 0 where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def count_lines() -> int:
    return sum(path.read_bytes().count(b"\n") for path in Path().glob("out.jsonl*") if "failed" not in path.name)


def ids_on_disk() -> set[str]:
    paths = [path for path in Path().glob("out.jsonl*") if "failed" not in path.name]
    return {json.loads(line)["id"] for path in paths for line in path.read_bytes().split(b"\n")[:-1]}


if __name__ == "__main__":
    main()

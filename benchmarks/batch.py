"""Ten thousand prompts through faults and kills, and how near a batch comes to the limit of the service.

    python benchmarks/batch.py [--prompts 10000] [--kills 10]

1. Throughput: a sandbox that allows so many requests in flight and takes 50 ms for each. The floor of the same
   run is a bare client of the standard library with exactly as many threads.
2. Faults and kills: each kind of fault for 5 % of the requests, `kill -9` at even distances. Every id must be in
   the output once, in order, with its own answer, and nothing that was on the disk may ever be asked for again.
3. Memory: the peak of that run against the peak of one with a hundredth of the prompts.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
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
IN_FLIGHT = 8
WORK_SECONDS = 0.05
SAMPLE = 1200
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
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        measure_throughput()
        measure_faults(options.prompts, options.kills)


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


def measure_throughput() -> None:
    sandbox = Sandbox(in_flight=IN_FLIGHT, work_seconds=WORK_SECONDS)
    names = ask(SAMPLE)
    print(f"{SAMPLE} prompts, {IN_FLIGHT} in flight allowed, {WORK_SECONDS * 1000:.0f} ms each")
    print(f"  by arithmetic           {IN_FLIGHT / WORK_SECONDS:7.1f}/s")
    with Server(sandbox) as server:
        floor = SAMPLE / timed_floor(server.address, sandbox.keys["zai"], names)
        print(f"  bare client             {floor:7.1f}/s")
        for jobs in (IN_FLIGHT, 4 * IN_FLIGHT):
            ask(SAMPLE)
            started = time.perf_counter()
            subprocess.run([*RUN, "-j", str(jobs)], env=environment(server, sandbox.keys["zai"]), check=True)
            rate = SAMPLE / (time.perf_counter() - started)
            print(
                f"  glm batch run --jobs {jobs:<2} {rate:7.1f}/s"
                f"  ({rate / floor:.0%} of the bare client, start included)"
            )


def timed_floor(address: str, key: str, names: list[str]) -> float:
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
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(send, names))
    return time.perf_counter() - started


def measure_faults(count: int, kills: int) -> None:
    sandbox = Unreliable()
    with Server(sandbox) as server:
        environ = environment(server, sandbox.keys["zai"])
        small = run_to_the_end(ask(count // 100), environ)
        names = ask(count)
        sandbox.paid.clear()
        started = time.perf_counter()
        kept: set[str] = set()
        on_disk: Counter[str] = Counter()
        for number in range(1, kills + 1):
            run_until(number * count // (kills + 1), environ)
            time.sleep(0.3)  # the server answers what it has still read
            kept = ids_on_disk()
            again = [name for name in kept if sandbox.paid[name] > on_disk.get(name, sandbox.paid[name])]
            assert not again, f"paid again although on the disk: {again[:5]}"
            on_disk = Counter({name: sandbox.paid[name] for name in kept})
        peak = run_to_the_end(names, environ)
        seconds = time.perf_counter() - started
        assert not [name for name in kept if sandbox.paid[name] > on_disk[name]]
    twice = sum(times - 1 for times in sandbox.paid.values())
    share = SHARE * len(FAULTS)
    print(f"\n{count} prompts, {share:.0%} of the requests with one of {len(FAULTS)} faults, {kills} times kill -9")
    print(f"  in the output            {len(names)}, each once and in order")
    print("  asked again, on the disk 0")
    print(f"  asked again, on the wire {twice} (their answers were on the way when the process died)")
    print(f"  seconds                  {seconds:.0f}")
    print(f"  memory                   {peak / 2**20:.1f} MiB; {small / 2**20:.1f} MiB for {count // 100} prompts")


def run_until(lines: int, environ: Mapping[str, str]) -> None:
    """Run until so many answers are on the disk, then kill."""
    process = subprocess.Popen([*RUN, "-j", "32", "--max-retries", "5"], env=dict(environ))
    while process.poll() is None and count_lines() < lines:
        time.sleep(0.01)
    process.kill()
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

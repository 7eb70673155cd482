"""Takes what was measured into `docs/performance.md`: tables between markers, and the goals."""

from __future__ import annotations

import os
import platform
import re
import shlex
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
OURS = ("typer", "httpx", "rich", "keyring")


class Goal(NamedTuple):
    """A figure that is to stay below a limit."""

    text: str
    figure: str
    limit: float


GOALS = (
    Goal("command to request, key in the environment, x `python -c pass`", "request / pass", 10),
    Goal("command to request, x the five-line zai-sdk script", "request / zai-sdk", 0.5),
    Goal("command to request, x llm", "request / llm", 0.2),
    Goal("what a key in a Secret Service adds to it, x `python -c pass`", "keyring more / pass", 6),
    Goal("CPU per chunk into a pipe, `chat`, x the http.client floor", "chunk / floor, glm chat", 0.6),
    Goal("CPU per chunk into a pipe, `stream`, x the http.client floor", "chunk / floor, glm stream", 0.6),
    Goal("peak of memory of one chat, x `python -c pass`", "memory / pass", 3.2),
    Goal("peak of memory of one chat, x the zai-sdk script", "memory / zai-sdk", 0.65),
    Goal("memory that 50,000 chunks add, `chat`, MiB", "memory of chunks, glm chat", 2),
    Goal("memory that 50,000 chunks add, `stream`, MiB", "memory of chunks, glm stream", 2),
    Goal("memory that a video of 50 MB adds, MiB", "upload 50, memory more", 8),
    Goal("time to send 50 MB, x curl", "upload 50 / curl --data-binary", 5),
    Goal("time to send 50 MB, x the zai-sdk script", "upload 50 / zai-sdk", 0.5),
    Goal("memory that a video of 200 MB adds, MiB", "upload 200, memory more", 8),
    Goal("instructions when a rendered answer doubles, worst of 1k to 64k", "instructions doubling", 2.1),
    Goal("CPU of `glm chat` when it doubles, worst of 8k to 64k", "CPU doubling", 2.1),
    Goal("bytes to the terminal, x one complete print: mixed", "bytes, mixed", 1.3),
    Goal("bytes to the terminal, x one complete print: Chinese", "bytes, chinese", 1.3),
    Goal("bytes to the terminal, x one complete print: code", "bytes, code", 1.5),
    Goal("bytes to the terminal, x one complete print: table", "bytes, table", 1.5),
)


def goals(figures: Mapping[str, float], before: str = "") -> str:
    """Goals against figures; a goal whose figure was not measured keeps its line of `before`."""
    kept = {line.split(" | ")[0].removeprefix("| "): line for line in before.splitlines()}
    lines = ["| goal | at most | measured | |", "|---|---:|---:|---|"]
    for text, name, limit in GOALS:
        if (found := figures.get(name)) is not None:
            verdict = "reached" if found <= limit else "**missed**"
            lines.append(f"| {text} | {limit:g} | {found:.2f} | {verdict} |")
        elif text in kept:
            lines.append(kept[text])
    return "\n".join(lines)


def machine(words: list[str], peers: Mapping[str, str]) -> str:
    """Where, with what, and with which command it was measured."""
    versions = [f"{name} {version(name)}" for name in OURS]
    versions += [f"{name} {number}" for name, number in peers.items()]
    kernel = platform.release().partition("-")[0]
    place = f"{os.cpu_count()} shared cores ({_processor()}), {platform.system()} {kernel}"
    python = f"CPython {platform.python_version()}"
    told = f"Measured on {time.strftime('%Y-%m-%d')}: {place}, {python}; {', '.join(versions)}. The command was"
    options = f' BENCH="{shlex.join(words)}"' if words else ""
    return f"{told}\n\n```sh\nmake bench{options}\n```"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return found[1] if found else platform.machine()


def write(parts: Mapping[str, str], page: Path = PAGE) -> list[str]:
    """Put each part between its markers; the names of those that have none."""
    text, homeless = page.read_text("utf-8"), []
    for name, part in parts.items():
        found = _between(name).search(text)
        if found is None:
            homeless.append(name)
        else:
            text = text[: found.start(2)] + part + text[found.end(2) :]
    page.write_text(text, "utf-8")
    return homeless


def part_of(text: str, name: str) -> str | None:
    """What stands between the markers of a name."""
    found = _between(name).search(text)
    return found[2] if found else None


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- bench: {re.escape(name)} -->\n\n)(.*?)(\n\n<!-- end -->)", re.DOTALL)

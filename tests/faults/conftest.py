"""A key, a recording and a clock that does not really sleep, for every test of a fault."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from glmcli.batching import runner
from glmcli.history import History
from tests.audio.make import write_speech
from tests.faults.ways import Way
from tests.harness import TEST_KEY, Glm, ScriptedServer


@pytest.fixture
def way_files(tmp_path: Path) -> dict[str, str]:
    """The files that the ways name."""
    return make_files(tmp_path / "work")


def make_files(folder: Path) -> dict[str, str]:
    """The files that the ways name, in a folder."""
    prompts = folder / "prompts.jsonl"
    prompts.write_text('{"prompt": "hello"}\n')
    return {"clip": str(write_speech(folder / "clip.wav", 1)), "prompts": str(prompts), "file": "file-1"}


def at(address: str) -> dict[str, str]:
    """The variables that send the calls of both companies to one address."""
    return {"GLM_ORIGIN_INTL": address, "GLM_ORIGIN_CN": address}


def remember(way: Way, home: Path, address: str) -> None:
    """What a way asks about, as if it had been submitted to an address: a video or a batch."""
    if way.command not in ("tasks", "batch") or not way.before:
        return
    home.mkdir(mode=0o700)
    task: dict[str, Any] = {"provider": way.provider, "base_url": f"{address}/api/paas/v4"}
    part: dict[str, Any] = {
        "name": "part-001.jsonl",
        "model": "glm-4.7",
        "requests": 1,
        "file_id": "f",
        "batch_id": "b",
    }
    with closing(History(home / "history.db")) as history:
        if way.command == "tasks":
            history.tasks.add("video", request={"prompt": "x"}, status="running", remote_id="1", **task)
        else:
            request = {"file": "in.jsonl", "folder": str(home)}
            part |= {"status": "completed", "output_file_id": "o"} if way.is_over else {}
            history.tasks.add("batch", request=request, status="running", result={"parts": [part]}, **task)


#: A batch of the sandbox is over after so many looks.
_LOOKS = 4
Ready = Callable[[Way], None]


@pytest.fixture
def ready(glm: Glm, server: ScriptedServer, way_files: dict[str, str]) -> Ready:
    """Makes what a way asks about, at the sandbox; its requests are forgotten."""

    def make(way: Way) -> None:
        if not way.before:
            return
        argv = Way(way.name, way.before).argv(way_files)
        done = glm(*argv, env={way.variable: server.keys[way.provider]})
        assert done.exit_code == 0, done.stderr
        for _ in range(_LOOKS if way.is_over else 0):
            glm("batch", "status", "--provider", way.provider, env={way.variable: server.keys[way.provider]})
        if way.command == "files":
            way_files["file"] = done.stdout.strip()
        server.sandbox.requests.clear()

    return make


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that a command wanted to wait between attempts; nobody really waits."""
    asked: list[float] = []
    monkeypatch.setattr(time, "sleep", asked.append)
    monkeypatch.setattr(runner, "BASE_SECONDS", 0.0)  # a batch waits for an event instead
    return asked


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment, at Zhipu as a fallback only; its value may come out nowhere."""
    monkeypatch.setenv("ZAI_API_KEY", TEST_KEY)
    monkeypatch.setenv("ZHIPUAI_API_KEY", TEST_KEY)

"""A key, a recording and a clock that does not really sleep, for every test of a fault."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.audio.make import write_speech
from tests.harness import TEST_KEY


@pytest.fixture
def way_files(tmp_path: Path) -> dict[str, str]:
    """The files that the ways name."""
    return make_files(tmp_path / "work")


def make_files(folder: Path) -> dict[str, str]:
    """The files that the ways name, in a folder."""
    prompts = folder / "prompts.jsonl"
    prompts.write_text('{"prompt": "hello"}\n')
    return {"clip": str(write_speech(folder / "clip.wav", 1)), "prompts": str(prompts)}


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that a command wanted to wait between attempts; nobody really waits."""
    asked: list[float] = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment; its value may come out nowhere."""
    monkeypatch.setenv("ZAI_API_KEY", TEST_KEY)

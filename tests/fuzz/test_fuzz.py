"""A moment of fuzzing in every run of the suite; `python -m tests.fuzz` is the long one."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import answers
from tests.fuzz.__main__ import fuzz
from tests.fuzz.cells import Cells
from tests.fuzz.mutations import mutations
from tests.fuzz.targets import TARGETS
from tests.render.screens import pieces, stream

CRASHES = sorted(path for path in (Path(__file__).parent / "crashes").rglob("*") if path.is_file())
#: Executions of a target, half a second's worth where 2000 take longer.
EXECUTIONS = {"chat": 400, "config": 150, "faults": 500, "markdown": 80, "mp3": 60, "sse": 400, "tools": 50, "wav": 100}


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_their_mutants_hold(name: str) -> None:
    """The same inputs in every run."""
    target = TARGETS[name]
    for data in (*target.seeds, *itertools.islice(mutations(target, Random(name)), EXECUTIONS.get(name, 2000))):
        _run(name, data)


@pytest.mark.parametrize("path", CRASHES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_once_failed_holds(path: Path) -> None:
    """Every input that fuzzing found is tried for ever."""
    TARGETS[path.parent.name].run(path.read_bytes())


def _run(name: str, data: bytes) -> None:
    try:
        TARGETS[name].run(data)
    except Exception as error:
        error.add_note(f"input of {name}: {data!r}")
        raise


def test_a_run_counts_and_keeps_what_fails(tmp_path: Path) -> None:
    """With the engine that needs nothing, in a process of its own."""
    outcome = fuzz("dotenv", 1, tmp_path, "mutations")

    assert outcome.executions > 0
    assert (outcome.crashes, outcome.coverage) == (0, 0)


def test_an_input_that_fails_is_kept_once(tmp_path: Path) -> None:
    """With its traceback beside it, and the run goes on."""
    folder = tmp_path / "crashes"
    folder.mkdir()
    script = """
import sys
from pathlib import Path
from tests.fuzz.engine import Watch
from tests.fuzz.targets import Target

def fail(data):
    assert b"x" not in data

watch = Watch(Target(fail, (), ()), Path(sys.argv[1]))
for data in (b"a", b"x", b"xx", b"b"):
    watch(data)
print(watch.executions)
"""
    result = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=30, check=True
    )

    assert result.stdout == "4\n"
    [kept] = [path for path in folder.iterdir() if path.suffix != ".txt"]
    assert kept.read_bytes() == b"x"
    assert "AssertionError" in kept.with_suffix(".txt").read_text()


@pytest.mark.parametrize("seed", answers.SEEDS[:-1], ids=range(len(answers.SEEDS) - 1))
def test_the_quick_terminal_shows_what_the_slow_one_shows(seed: bytes) -> None:
    """A renderer that both misread would not be found out."""
    text = answers.UNCERTAIN.sub("\u4e2d", seed[6:].decode("utf-8", "replace"))
    slow = stream(pieces(text, 7), width=40, height=6)
    quick = Cells(40, 6)
    for frame in slow.frames:
        quick.write(frame)

    assert ["".join(character for character, _ in row) for row in quick.looks()] == slow.rows()

"""The benchmark runs; how fast anything is, is not asked here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "benchmarks" / "bench.py"
PAGE = BENCH.parent.parent / "docs" / "performance.md"


def _bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(BENCH), *words], capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(not Path(sys.executable).with_name("glm").exists(), reason="needs the command glm installed")
@pytest.mark.parametrize("suite", ["start", "text"])
def test_a_suite_runs_alone(suite: str) -> None:
    """Servers start, clients answer, a table with a row of each comes out."""
    done = _bench("--suite", suite, "--rounds", "1", "--quick")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"### {suite}" in done.stdout
    row = "| glm --version |" if suite == "start" else "| glm chat |"
    assert row in done.stdout


def test_an_unknown_suite_is_refused() -> None:
    """With the names of those that there are."""
    done = _bench("--suite", "speed")

    assert done.returncode == 2
    assert "no such suite: speed" in done.stderr


def test_the_page_has_a_place_for_every_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`--write` replaces what stands between markers, and nothing else."""
    monkeypatch.syspath_prepend(str(BENCH.parent))
    import report

    copy = tmp_path / "performance.md"
    shutil.copy(PAGE, copy)
    parts = {name: f"new {name}" for name in TABLES}

    assert report.write(parts, copy) == []
    assert report.write({"no such table": "x"}, copy) == ["no such table"]

    text = copy.read_text("utf-8")
    assert [report.part_of(text, name) for name in TABLES] == list(parts.values())
    assert text.count("<!-- bench:") == len(TABLES)


def test_a_goal_that_was_not_measured_keeps_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """One suite can be measured again without the others."""
    monkeypatch.syspath_prepend(str(BENCH.parent))
    import report

    before = report.goals({"request / pass": 9.0, "memory / pass": 4.0})
    after = report.goals({"memory / pass": 3.0}, before)

    assert "| 10 | 9.00 | reached |" in after
    assert "| 3.2 | 4.00 | **missed** |" in before
    assert "| 3.2 | 3.00 | reached |" in after
    assert len(after.splitlines()) == 4
    every = report.goals({goal.figure: float(number) for number, goal in enumerate(report.GOALS)})
    assert report.goals({}, every) == every


TABLES = ["machine", "start", "request", "memory", "text-pipe", "text-terminal", "lag-pipe", "lag-terminal", "chunks"]
TABLES += ["upload-50", "upload-200", "rendered", "instructions", "instructions-rendered", "goals"]

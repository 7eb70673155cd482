"""Fuzzes targets for minutes: `python -m tests.fuzz sse faults --minutes 10`, or `all`.

Prints executions, crashes and coverage of each. What fails is kept in
.fuzz/crashes/NAME with its traceback, what reached new code in .fuzz/corpus/NAME.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.targets import TARGETS

_ROOT = Path(__file__).parent.parent.parent


class Outcome(NamedTuple):
    """What a run of one target came to; `coverage` counts edges of the package, 0 when nobody counted."""

    executions: int
    crashes: int
    coverage: int
    corpus: int


def main() -> int:
    """Run what the command line names; 1 when something failed."""
    options = _options()
    names = list(TARGETS) if "all" in options.targets else options.targets
    print(f"{'target':<12}{'minutes':>8}{'executions':>12}{'crashes':>9}{'coverage':>10}{'corpus':>8}", flush=True)
    failed = False
    for name in names:
        outcome = fuzz(name, options.minutes * 60, options.folder, options.engine)
        failed = failed or outcome.crashes > 0
        print(
            f"{name:<12}{options.minutes:>8g}{outcome.executions:>12,}{outcome.crashes:>9}"
            f"{outcome.coverage or '-':>10}{outcome.corpus:>8}",
            flush=True,
        )
    return int(failed)


def _options() -> argparse.Namespace:
    has_atheris = importlib.util.find_spec("atheris") is not None
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz parsers of glm.")
    parser.add_argument("targets", nargs="+", choices=["all", *TARGETS], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=10, help="minutes for each target (default 10)")
    parser.add_argument("--folder", type=Path, default=_ROOT / ".fuzz", help="where crashes and corpora are kept")
    parser.add_argument(
        "--engine",
        choices=["atheris", "mutations"],
        default="atheris" if has_atheris else "mutations",
        help="atheris is guided by coverage; mutations needs nothing (default: atheris when it is installed)",
    )
    return parser.parse_args()


def fuzz(name: str, seconds: float, folder: Path, engine: str) -> Outcome:
    """Run one target, again after an input that ended the process, until the time is over."""
    end = time.monotonic() + seconds
    executions = coverage = 0
    while (left := round(end - time.monotonic())) > 0:
        command = [sys.executable, "-m", "tests.fuzz.engine", name, str(left), str(folder), engine]
        log = _run(command, folder / f"{name}.log")
        executions += max(_numbers(r"number_of_executed_units: (\d+)|^#(\d+)", log), default=0)
        coverage = max([coverage, *_numbers(r" cov: (\d+)", log)])
        if not executions:
            raise SystemExit(f"{name} did not run: see {folder / name}.log")
    return Outcome(executions, _count(folder / "crashes" / name), coverage, _count(folder / "corpus" / name))


def _run(command: list[str], log: Path) -> str:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        subprocess.run(command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False)
    return log.read_text(encoding="utf-8", errors="replace")


def _numbers(pattern: str, log: str) -> list[int]:
    return [int(next(filter(None, found.groups()))) for found in re.finditer(pattern, log, re.MULTILINE)]


def _count(folder: Path) -> int:
    """The inputs in a folder; that one was slow is libFuzzer's note, not a failure."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sum(not name.endswith(".txt") and not name.startswith("slow-unit-") for name in names)


if __name__ == "__main__":
    raise SystemExit(main())

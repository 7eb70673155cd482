"""Runs one target in this process, until its time is over: `python -m tests.fuzz.engine NAME SECONDS FOLDER ENGINE`.

An input that fails is written to FOLDER/crashes/NAME once for every place that it
fails at, and the run goes on.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import time
import traceback
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

#: Seconds that one input may take.
_SLOWEST_SECONDS = 60


class Watch:
    """Runs a target, counts, and keeps what fails."""

    def __init__(self, target: Target, crashes: Path) -> None:
        self.executions = 0
        self._target = target
        self._crashes = crashes
        self._places: set[str] = set()

    def __call__(self, data: bytes) -> None:
        self.executions += 1
        try:
            self._target.run(data)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            self._keep(data, error)

    def _keep(self, data: bytes, error: BaseException) -> None:
        steps = traceback.extract_tb(error.__traceback__)
        place = "|".join([type(error).__name__, *(f"{step.name}:{step.line}" for step in steps[-1:])])
        place += "|".join(step.name for step in steps if "glmcli" in step.filename)[:200]
        if place in self._places:
            return
        self._places.add(place)
        name = hashlib.sha256(data).hexdigest()[:12]
        (self._crashes / name).write_bytes(data)
        report = "".join(traceback.format_exception(error, limit=-6))
        (self._crashes / f"{name}.txt").write_text(report, encoding="utf-8", errors="backslashreplace")
        print(f"CRASH {self._crashes / name}\n{report[-3000:]}", file=sys.stderr, flush=True)


def main(name: str, seconds: str, folder: str, engine: str) -> None:
    """Fuzz the target of this name."""
    crashes, corpus = Path(folder, "crashes", name), Path(folder, "corpus", name)
    for path in (crashes, corpus):
        path.mkdir(parents=True, exist_ok=True)
    if engine == "atheris":
        _with_atheris(name, int(seconds), crashes, corpus)
    else:
        _with_mutations(name, int(seconds), crashes)


def _with_atheris(name: str, seconds: int, crashes: Path, corpus: Path) -> None:
    """Guided by coverage of the package. Ends the process."""
    atheris = importlib.import_module("atheris")  # no types, and not everywhere
    with atheris.instrument_imports(include=["glmcli"]):
        target = importlib.import_module("tests.fuzz.targets").TARGETS[name]
        watch = Watch(target, crashes)
        for seed in target.seeds:  # imports that wait for their function are made and instrumented here
            watch(seed)
            (corpus / hashlib.sha256(seed).hexdigest()[:12]).write_bytes(seed)
    words = corpus.parent / f"{name}.dict"
    words.write_text("".join(f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in word)}"\n' for word in target.words))
    options = {
        "max_total_time": seconds,
        "max_len": target.longest,
        "timeout": _SLOWEST_SECONDS,
        "rss_limit_mb": 1024,
        "dict": words,
        "artifact_prefix": f"{crashes}/",
        "print_final_stats": 1,
    }
    arguments = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], watch)
    atheris.Fuzz()


def _with_mutations(name: str, seconds: int, crashes: Path) -> None:
    """By chance alone, where there is no atheris."""
    from tests.fuzz.mutations import mutations
    from tests.fuzz.targets import TARGETS

    watch = Watch(TARGETS[name], crashes)
    end = time.monotonic() + seconds
    for data in mutations(TARGETS[name], Random()):
        watch(data)
        if time.monotonic() >= end:
            break
    print(f"stat::number_of_executed_units: {watch.executions}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])

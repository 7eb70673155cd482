"""Kills one command at many moments, each on fresh ground."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.crash.cases import Case, sound
from tests.crash.ground import Ground, Moment, Run, ground, moments


@dataclass
class Tally:
    """What became of the kills: `survived` counts those that met a running process."""

    kills: int = 0
    survived: int = 0


def run_trials(case: Case, count: int, seed: int) -> Tally:
    """Kill a command so many times. Raises AssertionError that names seed and moment."""
    chance = random.Random(f"{case.name} {seed}")
    run = _measured(case)
    tally = Tally()
    for number, moment in enumerate(moments(chance, run, count)):
        try:
            tally.survived += _trial(case, moment)
        except Exception as error:
            raise AssertionError(f"{case.name}, seed {seed}, kill {number + 1}, {moment}: {error!r}") from error
        tally.kills += 1
    return tally


def _measured(case: Case) -> Run:
    with tempfile.TemporaryDirectory() as folder, ground(Path(folder) / "ground") as place:
        case.prepare(place)
        return place.measured(case.argv, case.input)


def _trial(case: Case, moment: Moment) -> bool:
    with tempfile.TemporaryDirectory() as folder, ground(Path(folder) / "ground") as place:
        case.prepare(place)
        was_running = place.kill(case.argv, case.input, moment)
        sound(place)
        case.check(place)
        case.finish(place)
        sound(place)
        _check_tidy(place)
    return was_running


def _check_tidy(place: Ground) -> None:
    left = place.leftovers()
    assert not left, f"left behind: {left}"

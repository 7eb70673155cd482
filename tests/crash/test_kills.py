"""A few random kills of every command; `python -m tests.crash --kills 200` is the long form."""

from __future__ import annotations

import os
import random

import pytest

from tests.crash.cases import CASES, Case
from tests.crash.trials import run_trials

KILLS = 4

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")


@pytest.mark.shows_key
@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_killed_command_loses_nothing_and_pays_once(case: Case) -> None:
    """Killed anywhere: files are whole, the next run ends well, nothing known is paid again, nothing is left behind."""
    tally = run_trials(case, KILLS, seed=random.SystemRandom().randrange(10**6))
    assert tally.kills == KILLS

"""The rate of a router: so many requests in any minute, for all processes that share a key."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from glmcli.batching.slots import Slots
from glmcli.pace import WINDOW_SECONDS, Pace


class Clock:
    """A clock that moves when somebody sleeps, for any number of threads."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self.time = start
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def nap(self, seconds: float) -> None:
        with self._lock:
            self.time += seconds


def never() -> bool:
    return False


def most_in(times: list[float], seconds: float) -> int:
    """The largest number of times within any span of so many seconds."""
    return max(sum(start <= time < start + seconds for time in times) for start in times)


@pytest.fixture(params=["on the disk", "in memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Where a pace is kept."""
    return tmp_path / "slots" if request.param == "on the disk" else None


def test_two_hundred_requests_at_120_a_minute(folder: Path | None) -> None:
    """120 go at once, the others a minute later; never more in any minute."""
    clock = Clock()
    pace = Pace(folder, 120, now=clock.now, nap=clock.nap)
    times = []
    for _ in range(200):
        assert pace.wait(never)
        times.append(clock.now())
    assert times[119] == times[0]
    assert WINDOW_SECONDS <= times[120] - times[0] < WINDOW_SECONDS + 1
    assert most_in(times, 60) == 120


@pytest.mark.parametrize("every", [0.1, 0.7, 3.0], ids=lambda seconds: f"{seconds} s")
def test_what_comes_slowly_is_not_slowed(folder: Path | None, every: float) -> None:
    """Requests below the rate leave when they come; those above it never exceed it."""
    clock = Clock()
    pace = Pace(folder, 30, now=clock.now, nap=clock.nap)
    times = []
    for _ in range(150):
        clock.nap(every)
        pace.wait(never)
        times.append(clock.now())
    assert most_in(times, 60) <= 30
    if every > WINDOW_SECONDS / 30:
        assert times[-1] - times[0] == pytest.approx(149 * every)


def test_all_that_share_the_folder_share_the_rate(tmp_path: Path) -> None:
    """What one process sent counts for the next one, which begins with another object and the same files."""
    clock = Clock()
    one, other = (Pace(tmp_path, 10, now=clock.now, nap=clock.nap) for _ in range(2))
    times = []
    for number in range(40):
        (one if number % 3 else other).wait(never)
        times.append(clock.now())
    assert most_in(times, 60) == 10


def test_what_did_not_wait_is_counted(folder: Path | None) -> None:
    """A question at the terminal goes at once and takes a place of the minute."""
    clock = Clock()
    pace = Pace(folder, 3, now=clock.now, nap=clock.nap)
    for _ in range(5):
        pace.count()
    assert clock.now() == 1_800_000_000
    pace.wait(never)
    assert clock.now() >= 1_800_000_000 + WINDOW_SECONDS


def test_processes_count_together(tmp_path: Path) -> None:
    """Four processes at once take no more places than there are; nobody counts a place twice."""
    program = (
        "import pathlib, sys, time; from glmcli.pace import Pace\n"
        "pace = Pace(pathlib.Path(sys.argv[1]), 50); end = time.monotonic() + 1; taken = 0\n"
        "while pace.wait(lambda: time.monotonic() > end): taken += 1\n"
        "print(taken)"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) for _ in "abcd"]
    assert sum(int(process.communicate(timeout=30)[0]) for process in started) == 50


def test_a_wait_ends_when_the_run_does(folder: Path | None) -> None:
    """Nothing is counted for a request that never left."""
    clock = Clock()
    pace = Pace(folder, 1, now=clock.now, nap=clock.nap)
    assert pace.wait(never)
    end = clock.now() + 5
    assert not pace.wait(lambda: clock.now() >= end)
    clock.time = end + WINDOW_SECONDS - 5
    before = clock.now()
    assert pace.wait(never)
    assert clock.now() == before


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda file: file.write_bytes(b""), id="emptied"),
        pytest.param(lambda file: file.write_bytes(b"x" * 7), id="cut off"),
        pytest.param(lambda file: file.write_bytes(b"\xff" * 10_000), id="something else"),
    ],
)
def test_a_spoiled_file_hangs_nobody(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """It is begun anew: the rate is advice, and the service has the last word."""
    clock = Clock()
    pace = Pace(tmp_path, 5, now=clock.now, nap=clock.nap)
    pace.wait(never)
    spoil(tmp_path / "pace-5")
    before = clock.now()
    for _ in range(5):
        pace.wait(never)
    assert clock.now() == before


def test_a_clock_that_was_set_back_stops_nobody(tmp_path: Path) -> None:
    """Times that are yet to come say nothing."""
    clock = Clock()
    for _ in range(3):
        Pace(tmp_path, 3, now=clock.now, nap=clock.nap).wait(never)
    clock.time -= 86400
    before = clock.now()
    Pace(tmp_path, 3, now=clock.now, nap=clock.nap).wait(never)
    assert clock.now() == before


def test_a_slot_comes_with_its_time(tmp_path: Path) -> None:
    """`Slots` hands a slot out when the rate allows it, and gives it back when the run ends meanwhile."""
    clock = Clock()
    slots = Slots(tmp_path, start=4, now=clock.now, pace=Pace(tmp_path, 2, now=clock.now, nap=clock.nap))
    taken = [slots.take(never) for _ in range(3)]
    assert [slot is not None and slot.number for slot in taken] == [0, 1, 2]
    assert clock.now() >= 1_800_000_000 + WINDOW_SECONDS
    assert slots.take(lambda: clock.now() >= 1_800_000_000 + 2 * WINDOW_SECONDS) is not None
    assert taken[0] is not None
    slots.give_back(taken[0], complained=False, answered=True)
    end = clock.now() + 1
    assert slots.take(lambda: clock.now() >= end) is None
    clock.nap(WINDOW_SECONDS)
    again = slots.take(never)
    assert again is not None
    assert again.number == 0

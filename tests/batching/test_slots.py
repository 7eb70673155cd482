"""The limit of a key, shared by processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glmcli.batching.slots import FORGOTTEN_SECONDS, Limit, Slots
from glmcli.pace import folder_of_key


def never() -> bool:
    return False


def test_a_complaint_halves_and_later_answers_raise_slowly() -> None:
    """Not beyond what was complained about, until some time has passed; then by one."""
    limit = Limit(8)
    limit.complained(0, now=0)
    assert (limit.limit, limit.ceiling) == (4, 7)
    for _ in range(1000):
        limit.answered(was_short=True, now=10)
    assert limit.limit == 7
    for _ in range(1000):
        limit.answered(was_short=True, now=119)
    assert limit.limit == 7
    for _ in range(14):
        limit.answered(was_short=True, now=121)
    assert limit.limit == 8
    limit.complained(1, now=122)
    assert (limit.limit, limit.ceiling_until) == (7, 122 + 240)


def test_requests_of_the_same_moment_complain_once() -> None:
    """Eight refusals at a time are one piece of news."""
    limit = Limit(8)
    for _ in range(8):
        limit.complained(0, now=0)
    assert limit.limit == 4


def test_the_limit_never_falls_below_one() -> None:
    """Somebody else may be using the key."""
    limit = Limit(1)
    for generation in range(5):
        limit.complained(generation, now=0)
    assert limit.limit == 1


def test_nobody_raises_what_nobody_needs() -> None:
    """Answers to requests that did not have to wait prove nothing about more."""
    limit = Limit(4)
    for _ in range(1000):
        limit.answered(was_short=False, now=0)
    assert limit.limit == 4


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "own"])
def test_no_more_slots_than_the_limit(tmp_path: Path, shared: bool) -> None:
    """The next one waits until one is given back."""
    slots = Slots(tmp_path / "slots" if shared else None, start=2)
    taken = [slots.take(never), slots.take(never)]
    looks = iter([False] * 3 + [True] * 10)
    assert slots.take(lambda: next(looks)) is None
    assert taken[0] is not None
    slots.give_back(taken[0], complained=False, answered=True)
    again = slots.take(never)
    assert again is not None
    for slot in (taken[1], again):
        assert slot is not None
        slots.give_back(slot, complained=False, answered=True)


def test_two_processes_share_the_slots_and_what_was_learned(tmp_path: Path) -> None:
    """A second instance, as another process has one, sees both; a complaint of one slows the other."""
    one, other = (Slots(tmp_path / "slots", start=4) for _ in range(2))
    held = [slots.take(never) for slots in (one, other, one, other)]
    looks = iter([False] * 3 + [True] * 10)
    assert one.take(lambda: next(looks)) is None
    assert held[0] is not None
    assert one.give_back(held[0], complained=True, answered=False) == 2
    looks = iter([False] * 3 + [True] * 10)
    assert other.take(lambda: next(looks)) is None, "three are under way, more than the two that are allowed now"
    for slots, slot in zip((other, one, other), held[1:], strict=True):
        assert slot is not None
        slots.give_back(slot, complained=False, answered=False)
    last = other.take(never)
    assert last is not None
    other.give_back(last, complained=False, answered=False)


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_a_killed_process_gives_its_slots_back(tmp_path: Path) -> None:
    """kill -9 leaves no slot behind."""
    program = (
        "import sys, pathlib; from glmcli.batching.slots import Slots\n"
        "Slots(pathlib.Path(sys.argv[1]), start=1).take(lambda: False); print('taken', flush=True); sys.stdin.read()"
    )
    folder = tmp_path / "slots"
    holder = subprocess.Popen(
        [sys.executable, "-c", program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        slots = Slots(folder, start=1)
        looks = iter([False] * 3 + [True] * 10)
        assert slots.take(lambda: next(looks)) is None
        holder.kill()
    slot = slots.take(never)
    assert slot is not None
    slots.give_back(slot, complained=False, answered=False)


def test_an_old_limit_is_forgotten(tmp_path: Path) -> None:
    """Yesterday's crowd says nothing about today."""
    times = [1000.0]
    slots = Slots(tmp_path / "slots", start=8, now=lambda: times[0])
    slot = slots.take(never)
    assert slot is not None
    assert slots.give_back(slot, complained=True, answered=False) == 4
    times[0] += FORGOTTEN_SECONDS + 1
    assert Slots(tmp_path / "slots", start=8, now=lambda: times[0])._read().limit == 8


def test_a_broken_number_is_no_obstacle(tmp_path: Path) -> None:
    """The file is advice; whatever stands in it, requests go on."""
    for content in (b"", b"{}", b'{"x": 1}', b"\xff"):
        (tmp_path / "limit").write_bytes(content)
        slots = Slots(tmp_path, start=1)
        slot = slots.take(never)
        assert slot is not None
        slots.give_back(slot, complained=False, answered=True)


def test_the_folder_does_not_tell_the_key(tmp_path: Path) -> None:
    """Neither the key nor a part of it; another key has another folder."""
    key = "0123456789abcdef0123456789abcdef.secretsecret1234"
    folder = folder_of_key(tmp_path, key)
    assert folder != folder_of_key(tmp_path, key + "5")
    assert not any(key[start : start + 6] in folder.name for start in range(len(key) - 6))

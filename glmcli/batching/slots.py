"""Who may send now: one queue per key for all `glm` processes of the machine.

The service limits how many requests of a key are under way and says so with
1302 only when it is too late. A request therefore needs a slot: a file that is
locked while the request lasts, so that the system gives it back when the
process is killed. How many slots there are is a number in a file beside them.
It is halved when the service complains and grows by one after a row of
answers, but not beyond what was complained about, until some time has passed.
Who waits stands at a turnstile, another lock, so that a process with many
threads gets no more turns than one with few.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Condition, Lock

from glmcli.config.files import FILE_MODE, make_private_folder, try_lock
from glmcli.pace import Pace

#: What is remembered of a key's limit is forgotten after so long without a request.
FORGOTTEN_SECONDS = 1800.0
#: A limit that was complained about is tried again after so long, then after twice as long, ...
FIRST_CEILING_SECONDS = 120.0
LONGEST_CEILING_SECONDS = 960.0
MOST_SLOTS = 256
_PAUSE_SECONDS = 0.003
#: The time alone is written down so often.
_TOUCH_SECONDS = 5.0
_NO_FILE = -1


@dataclass(slots=True)
class Limit:
    """How many requests may be under way, and what is known about it. Times are epoch seconds.

    `generation` counts the reductions: a complaint about a request that left
    before the last one says nothing new. `former` is the limit before that:
    so many slots may still be held.
    """

    limit: int
    former: int = 0
    generation: int = 0
    successes: int = 0
    ceiling: int = MOST_SLOTS
    ceiling_until: float = 0.0
    ceiling_seconds: float = 0.0
    touched: float = 0.0

    def complained(self, generation: int, now: float) -> None:
        """The service refused a request of that generation."""
        self.touched = now
        if generation != self.generation:
            return
        was_a_trial = self.limit > self.ceiling
        self.ceiling_seconds = min(
            LONGEST_CEILING_SECONDS, self.ceiling_seconds * 2 if was_a_trial else FIRST_CEILING_SECONDS
        )
        self.ceiling = max(1, self.limit - 1)
        self.ceiling_until = now + self.ceiling_seconds
        self.former = max(self.former, self.limit)
        # A trial went one too far; anything else shows how little we know.
        self.limit = self.ceiling if was_a_trial else max(1, self.limit // 2)
        self.generation += 1
        self.successes = 0

    def answered(self, *, was_short: bool, now: float) -> None:
        """A request was answered; `was_short` says that it had to wait for its slot."""
        self.touched = now
        self.successes += was_short
        if self.successes < 2 * self.limit or (self.limit >= self.ceiling and now < self.ceiling_until):
            return
        self.limit = min(MOST_SLOTS, self.limit + 1)
        self.former = self.successes = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to have one request under way. `generation` and `was_short` are for `Slots.give_back`."""

    number: int
    generation: int
    was_short: bool
    descriptor: int


class Slots:
    """The slots of one key; `folder` None keeps them within this process.

    `start` is the limit of a key that nothing is known about, `pace` what a
    router says about the rate.
    """

    def __init__(
        self, folder: Path | None, *, start: int, now: Callable[[], float] = time.time, pace: Pace | None = None
    ) -> None:
        self._folder = folder
        self._start = start
        self._now = now
        self._pace = pace
        self._held: set[int] = set()
        self._turn = Lock()
        self._freed = Condition()
        self._here = Limit(start)
        #: The number cannot be shared with other processes, since nothing can be written.
        self._is_alone = False
        if folder is not None:
            make_private_folder(folder)

    def take(self, stopped: Callable[[], bool]) -> Slot | None:
        """Wait for a slot; None once `stopped` says so."""
        started = time.monotonic()
        while not self._turn.acquire(timeout=0.1):
            if stopped():
                return None
        try:
            waited = time.monotonic() - started > _PAUSE_SECONDS
            return self._take_in_turn(stopped, waited=waited)
        finally:
            self._turn.release()

    def give_back(self, slot: Slot, *, complained: bool, answered: bool) -> int | None:
        """End a request; the new limit when the service complained and it changed."""
        # The number before the slot: nobody shall take it while it is still one too many.
        changed = self._change(slot, complained=True) if complained else None
        with self._freed:
            self._held.discard(slot.number)
            _unlock(slot.descriptor)
            self._freed.notify()
        if answered:
            self._change(slot, complained=False)
        return changed

    def _take_in_turn(self, stopped: Callable[[], bool], *, waited: bool) -> Slot | None:
        turnstile = self._stand_at_turnstile(stopped)
        try:
            while not stopped():
                limit = self._read()
                slot = self._free_slot(limit, waited=waited)
                if slot is not None:
                    return self._in_time(slot, stopped)
                waited = True
                with self._freed:
                    self._freed.wait(_PAUSE_SECONDS)
            return None
        finally:
            if turnstile is not None:
                os.close(turnstile)

    def _in_time(self, slot: Slot, stopped: Callable[[], bool]) -> Slot | None:
        """The slot once the rate allows a request, still at the turnstile; None when `stopped` says so."""
        if self._pace is None or self._pace.wait(stopped):
            return slot
        self.give_back(slot, complained=False, answered=False)
        return None

    def _stand_at_turnstile(self, stopped: Callable[[], bool]) -> int | None:
        if self._folder is None:
            return None
        descriptor = self._open("turnstile")
        if descriptor == _NO_FILE:
            return None
        while not try_lock(descriptor) and not stopped():
            time.sleep(_PAUSE_SECONDS)
        return descriptor

    def _free_slot(self, limit: Limit, *, waited: bool) -> Slot | None:
        """A slot below the limit, unless those that were taken under a higher one fill it already."""
        found: Slot | None = None
        busy = 0
        for number in range(max(limit.limit, limit.former)):
            descriptor = self._locked(number)
            if descriptor is None:
                busy += 1
            elif found is None and number < limit.limit:
                # To have got the last slot is as good a sign of need as a wait.
                found = Slot(number, limit.generation, waited or number + 1 == limit.limit, descriptor)
                if limit.former <= limit.limit:
                    break
            else:
                _unlock(descriptor)
        if found is not None and busy >= limit.limit:
            _unlock(found.descriptor)
            return None
        if found is not None:
            with self._freed:
                self._held.add(found.number)
        return found

    def _locked(self, number: int) -> int | None:
        """The descriptor of a slot that is now ours, None when it is somebody's."""
        if number in self._held:
            return None
        if self._folder is None:
            return _NO_FILE
        descriptor = self._open(f"slot-{number:03d}")
        if descriptor == _NO_FILE or try_lock(descriptor):
            return descriptor
        os.close(descriptor)
        return None

    def _open(self, name: str) -> int:
        """A file for a lock; on a full disk there is none, and from then on this process counts for itself."""
        assert self._folder is not None
        try:
            return os.open(self._folder / name, os.O_RDWR | os.O_CREAT, FILE_MODE)
        except OSError:
            self._is_alone = True
            return _NO_FILE

    # -- the number ------------------------------------------------------------------

    def _read(self) -> Limit:
        if self._folder is None or self._is_alone:
            return self._here
        with suppress(OSError, ValueError, TypeError):
            found = Limit(**json.loads((self._folder / "limit").read_bytes()))
            if self._now() - found.touched < FORGOTTEN_SECONDS:
                return found
        return Limit(self._start)

    def _change(self, slot: Slot, *, complained: bool) -> int | None:
        with self._freed:
            lock = _NO_FILE if self._folder is None or self._is_alone else self._open("limit.lock")
            if lock == _NO_FILE:
                return self._changed(self._here, slot, complained=complained)
            try:
                while not try_lock(lock):
                    time.sleep(_PAUSE_SECONDS / 3)
                limit = self._read()
                known = replace(limit)
                changed = self._changed(limit, slot, complained=complained)
                if _is_news(limit, known):
                    self._write(limit)
            finally:
                os.close(lock)
            return changed

    def _changed(self, limit: Limit, slot: Slot, *, complained: bool) -> int | None:
        if complained:
            before = limit.limit
            limit.complained(slot.generation, self._now())
            return limit.limit if limit.limit != before else None
        limit.answered(was_short=slot.was_short, now=self._now())
        return None

    def _write(self, limit: Limit) -> None:
        """Replace the number in one step; it is advice, and need not survive a power cut."""
        assert self._folder is not None
        temporary = self._folder / "limit.new"  # ours alone: the caller holds limit.lock
        try:
            temporary.write_text(json.dumps(asdict(limit)))
            temporary.replace(self._folder / "limit")
        except OSError:  # an answer must not be lost for it
            self._here, self._is_alone = limit, True


def _is_news(limit: Limit, known: Limit) -> bool:
    """Whether what is on the disk is no longer good: most answers change nothing but the time."""
    return limit.touched - known.touched > _TOUCH_SECONDS or replace(limit, touched=known.touched) != known


def _unlock(descriptor: int) -> None:
    if descriptor != _NO_FILE:
        os.close(descriptor)

"""Carries out many requests with threads: slots, repetitions, waiting, and an orderly end.

A worker takes an item, waits for a slot of the key, sends, and hands the
outcome to the one thread that writes. Only so many items are in memory as
there are workers, whatever the length of the batch.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Lock, Thread

from glmcli import codes
from glmcli.api.retry import BASE_SECONDS, CAP_SECONDS, RetryPolicy, wait_until_reset
from glmcli.batching.items import Item
from glmcli.batching.slots import Slots
from glmcli.errors import ContentRefused, ExitCode, GlmError, NetworkError, ServiceError, StreamCut
from glmcli.events import Answer

#: After a request to end, those under way get so long to finish.
GRACE_SECONDS = 60.0
#: Refusals for a rate, per permitted retry: they cost nothing but time.
_RATE_TRIES = 5
_TICK_SECONDS = 0.2
#: One item waits for so many workers.
_ITEMS_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item: an answer, or an error. `tries` counts the requests that were sent."""

    item: Item
    answer: Answer | None
    error: GlmError | None
    tries: int


@dataclass(frozen=True, slots=True)
class Manners:
    """How patient the runner is, and what it has to tell. `nap` sleeps until the event is set, or so many seconds."""

    jobs: int
    retry: RetryPolicy
    wait_for_reset: bool
    note: Callable[[str], None]
    now: Callable[[], float] = time.time
    nap: Callable[[Event, float], object] = Event.wait


class Runner:
    """Runs items; afterwards `stopped_by` is the error that ended the run early, if one did."""

    def __init__(self, send: Callable[[Item], Answer], slots: Slots, manners: Manners) -> None:
        self._send = send
        self._slots = slots
        self._manners = manners
        self._inbox: Queue[Item | None] = Queue()
        self._outbox: Queue[Outcome | None] = Queue()
        self._stop = Event()
        self._hurry = Event()
        self._lock = Lock()
        self._streak = 0
        self._resume_at = 0.0
        self._workers = 0
        self._stopped_since: float | None = None
        self.stopped_by: GlmError | None = None
        self.under_way = 0

    def stop(self) -> None:
        """Begin nothing new; what is under way may finish, within `GRACE_SECONDS`. Called twice: at once."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def run(self, items: Iterator[Item], *, tick: Callable[[], None]) -> Iterator[list[Outcome]]:
        """The outcomes as they come, several at a time. `tick` is called a few times per second.

        The first item goes alone: it finds out whether key, balance and
        request are good before many are sent.
        """
        room, under_way, jobs = 1, 0, self._manners.jobs
        self._start(room)
        try:
            while under_way := under_way + self._fed(items, room - under_way):
                outcomes = self._gather(tick)
                under_way -= len(outcomes)
                if outcomes and room == 1:
                    # Some items ahead: a worker need not wait for the disk that keeps its answer.
                    room = jobs + -(-jobs // _ITEMS_AHEAD)
                    self._start(jobs)
                kept = [outcome for outcome in outcomes if outcome is not None]
                if kept:
                    yield kept
                if not outcomes and self._is_over():
                    return
        finally:
            self._stop.set()
            for _ in range(self._workers):
                self._inbox.put(None)

    def _fed(self, items: Iterator[Item], room: int) -> int:
        """Give the workers up to so many items; how many it were."""
        for number in range(room):
            item = None if self._stop.is_set() else next(items, None)
            if item is None:
                return number
            self._inbox.put(item)
        return max(0, room)

    def _start(self, wanted: int) -> None:
        while self._workers < wanted:
            self._workers += 1
            # Daemons: a request that never ends must not keep the command from ending.
            Thread(target=self._work, name=f"batch-{self._workers}", daemon=True).start()

    def _gather(self, tick: Callable[[], None]) -> list[Outcome | None]:
        """What has come since the last call; waits a moment for the first."""
        tick()
        outcomes: list[Outcome | None] = []
        try:
            outcomes.append(self._outbox.get(timeout=_TICK_SECONDS))
            while True:
                outcomes.append(self._outbox.get_nowait())
        except Empty:
            return outcomes

    def _is_over(self) -> bool:
        """Whether waiting for what is under way has lasted long enough."""
        if not self._stop.is_set():
            return False
        if self._stopped_since is None:
            self._stopped_since = time.monotonic()
        return self._hurry.is_set() or time.monotonic() - self._stopped_since > GRACE_SECONDS

    # -- in the workers ---------------------------------------------------------------

    def _work(self) -> None:
        while (item := self._inbox.get()) is not None:
            try:
                outcome = None if self._stop.is_set() else self._outcome(item)
            except Exception as error:  # nobody would wait for this worker in vain
                outcome = Outcome(item, None, _unexpected(error), 1)
            self._outbox.put(outcome)

    def _outcome(self, item: Item) -> Outcome | None:
        """Send an item until it is answered or lost; None when the run ends before that."""
        tries = refusals = 0
        while self._wait_for_reset():
            slot = self._slots.take(self._stop.is_set)
            if slot is None:
                return None
            tries += 1
            error, answer = self._try(item)
            is_rate = _is_rate(error)
            lowered = self._slots.give_back(slot, complained=is_rate, answered=answer is not None)
            if lowered is not None:
                self._manners.note(f"glm: the service limits the rate; now {lowered} at a time")
            self._count(error)
            if error is None:
                return Outcome(item, answer, None, tries)
            if self._ends_the_run(error, item):
                return None
            refusals += is_rate
            delay = self._delay(error, tries - refusals, refusals)
            if delay is None:
                return Outcome(item, None, error, tries)
            self._manners.nap(self._stop, delay)
        return None

    def _try(self, item: Item) -> tuple[GlmError | None, Answer | None]:
        with self._lock:
            self.under_way += 1
        try:
            return None, self._send(item)
        except GlmError as error:
            return error, None
        except Exception as error:  # a fault of ours in one item must neither hang nor end the others
            return _unexpected(error), None
        finally:
            with self._lock:
                self.under_way -= 1

    def _count(self, error: GlmError | None) -> None:
        """Note how many requests in a row came to nothing for reasons that all share."""
        with self._lock:
            self._streak = self._streak + 1 if error is not None and _is_of_all(error) else 0

    def _ends_the_run(self, error: GlmError, item: Item) -> bool:
        """Whether no other item can fare better; a window that opens again may be waited for."""
        if isinstance(error, ServiceError) and self._manners.wait_for_reset:
            wait = wait_until_reset(error, now=self._manners.now())
            if wait is not None:
                self._pause(wait, error)
                return False
        hopeless = self._streak >= max(20, 3 * self._manners.jobs)
        if not hopeless and not _is_final(error, item):
            return False
        with self._lock:
            self.stopped_by = self.stopped_by or error
        self._stop.set()
        return True

    def _delay(self, error: GlmError, attempt: int, refusals: int) -> float | None:
        """Seconds until the item is tried again, None when it is lost."""
        retry = self._manners.retry
        if isinstance(error, ServiceError) and wait_until_reset(error, now=self._manners.now()) is not None:
            return 0.0 if self._manners.wait_for_reset else None
        if _is_rate(error):
            asked = error.retry_after_seconds if isinstance(error, ServiceError) else None
            if refusals > _RATE_TRIES * (retry.max_retries + 1):
                return None
            slept = BASE_SECONDS * 2.0 ** min(refusals - 1, 8)
            return (asked or 0.0) + random.uniform(0.5, 1.0) * min(CAP_SECONDS, slept)  # noqa: S311  # spreads, hides nothing
        if _is_unfinished(error):
            error.retryable = True
        return retry.delay(error, attempt)

    def _pause(self, seconds: float, error: GlmError) -> None:
        """Let nobody send before a plan window opens; told once per window."""
        resume_at = self._manners.now() + seconds
        with self._lock:
            is_new = resume_at > self._resume_at + 1
            self._resume_at = max(self._resume_at, resume_at)
        if is_new:
            self._manners.note(f"glm: {error.message}; waiting {_duration(seconds)}")

    def _wait_for_reset(self) -> bool:
        """Sleep while a plan window is closed; False when the run ends."""
        while not self._stop.is_set():
            left = self._resume_at - self._manners.now()
            if left <= 0:
                return True
            # Short naps: a laptop that slept must not oversleep.
            self._manners.nap(self._stop, min(left, 30.0))
        return False


def _unexpected(error: Exception) -> GlmError:
    return GlmError(f"unexpected: {type(error).__name__}: {error}")


def _is_rate(error: GlmError | None) -> bool:
    """Whether the service says that too much is under way."""
    return isinstance(error, ServiceError) and error.kind == codes.RATE and error.retryable


def _is_unfinished(error: GlmError) -> bool:
    """Whether an answer began and cannot be used: nobody has seen it, so it may be asked for again."""
    if isinstance(error, StreamCut):
        return True
    return isinstance(error, ServiceError) and error.code is None and (error.http_status or 200) < 300


def _is_of_all(error: GlmError) -> bool:
    """Whether the cause lies with the network or the service rather than with the item."""
    return isinstance(error, NetworkError) or (
        isinstance(error, ServiceError) and (error.retryable or error.is_foreign)
    )


def _is_final(error: GlmError, item: Item) -> bool:
    """Whether every other item would meet the same: key, balance, plan, configuration."""
    if isinstance(error, ContentRefused | NetworkError):
        return False
    if isinstance(error, ServiceError) and error.kind == codes.MODEL:
        return "model" not in item.fields  # else the next line may name another one
    if isinstance(error, ServiceError) and error.kind in (codes.PERMISSION, codes.PLAN_ACCOUNT):
        return True
    if error.exit_code in (ExitCode.AUTH, ExitCode.BALANCE, ExitCode.CONFIG, ExitCode.USAGE):
        return True
    return error.exit_code is ExitCode.LIMIT and not error.retryable


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"

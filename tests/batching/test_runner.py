"""Sending from threads: what is repeated, what ends the run, and in which order."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from glmcli.api.faults import error_from_reply
from glmcli.api.retry import RetryPolicy
from glmcli.batching.items import Item
from glmcli.batching.runner import Manners, Outcome, Runner
from glmcli.batching.slots import Slots
from glmcli.errors import ContentRefused, GlmError, NetworkError, StreamCut
from glmcli.events import Answer


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0  # 2027-01-15 16:00:00 UTC+8
        self.naps: list[float] = []
        self._lock = threading.Lock()

    def nap(self, event: threading.Event, seconds: float) -> None:
        with self._lock:
            self.naps.append(seconds)
            self.now += seconds


def items(count: int) -> Iterator[Item]:
    return (Item(number, f"q{number}", ({"role": "user", "content": "x"},), {}) for number in range(1, count + 1))


def refusal(code: str, status: int = 429, message: str = "no") -> GlmError:
    body = f'{{"error":{{"code":"{code}","message":"{message}"}}}}'
    return error_from_reply(status, {}, body.encode())


def run(
    send: Callable[[Item], Answer], count: int, *, jobs: int = 4, wait: bool = False, clock: Clock | None = None
) -> tuple[list[Outcome], Runner, Clock, list[str]]:
    clock = clock or Clock()
    notes: list[str] = []
    manners = Manners(
        jobs=jobs,
        retry=RetryPolicy(max_retries=2),
        wait_for_reset=wait,
        note=notes.append,
        now=lambda: clock.now,
        nap=clock.nap,
    )
    runner = Runner(send, Slots(None, start=jobs), manners)
    outcomes = [outcome for some in runner.run(items(count), tick=lambda: None) for outcome in some]
    return outcomes, runner, clock, notes


class Fails:
    """Fails the first requests of each item with an error, then answers."""

    def __init__(self, make: Callable[[], GlmError], times: int) -> None:
        self.make = make
        self.times = times
        self.sent: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, item: Item) -> Answer:
        with self._lock:
            self.sent[item.id] += 1
            count = self.sent[item.id]
        if count <= self.times:
            raise self.make()
        return Answer(content=item.id, finish_reason="stop")


@pytest.mark.parametrize(
    ("make", "tries"),
    [
        (lambda: refusal("1302"), 3),
        (lambda: refusal("1305"), 3),
        (lambda: refusal("1234", 500), 3),
        (lambda: error_from_reply(502, {}, b"<html>bad gateway</html>"), 3),
        (lambda: NetworkError("no line"), 3),
        (lambda: StreamCut("half of it"), 3),
        (lambda: error_from_reply(200, {}, b'{"choi'), 3),
        (lambda: refusal("1301", 400), 1),
        (lambda: refusal("1261", 400), 1),
        (lambda: ContentRefused("sensitive"), 1),
    ],
    ids=["1302", "1305", "1234", "502", "network", "cut", "torn JSON", "1301", "1261", "sensitive"],
)
def test_what_is_tried_again(make: Callable[[], GlmError], tries: int) -> None:
    """What another try may mend; what the content is to blame for is lost at once, and the others go on."""
    send = Fails(make, times=2)
    outcomes, runner, _, _ = run(send, 5, jobs=1)
    assert runner.stopped_by is None
    assert {outcome.tries for outcome in outcomes} == {tries}
    assert all((outcome.answer is not None) == (tries == 3) for outcome in outcomes)


def test_every_item_has_one_outcome() -> None:
    """A thousand items, sixteen workers: each once, each its own."""
    outcomes, _, _, _ = run(Fails(lambda: refusal("1305"), times=1), 1000, jobs=16)
    assert sorted(outcome.item.line for outcome in outcomes) == list(range(1, 1001))
    assert all(outcome.answer is not None and outcome.answer.content == outcome.item.id for outcome in outcomes)


def test_the_first_goes_alone() -> None:
    """Nothing else is under way while it is not known whether key and request are good."""
    at_once, most, first_done = 0, 0, threading.Event()
    lock = threading.Lock()

    def send(item: Item) -> Answer:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
            assert first_done.is_set() or item.line == 1
        first_done.set()
        with lock:
            at_once -= 1
        return Answer(content="x", finish_reason="stop")

    outcomes, _, _, _ = run(send, 50, jobs=8)
    assert [outcome.error for outcome in outcomes] == [None] * 50
    assert outcomes[0].item.line == 1


@pytest.mark.parametrize("code", ["1000", "1113", "1309", "1308", "1220", "1112"])
def test_what_all_would_meet_ends_the_run(code: str) -> None:
    """One request, no failed item: everything is left for the next run."""
    send = Fails(lambda: refusal(code, 401 if code == "1000" else 429), times=99)
    outcomes, runner, _, _ = run(send, 50)
    assert (outcomes, sum(send.sent.values())) == ([], 1)
    assert runner.stopped_by is not None


def test_a_network_that_is_gone_ends_the_run() -> None:
    """Ten thousand items are not burnt on a cable that was pulled."""
    send = Fails(lambda: NetworkError("no line"), times=99)
    outcomes, runner, _, _ = run(send, 10_000, jobs=4)
    assert isinstance(runner.stopped_by, NetworkError)
    assert sum(send.sent.values()) < 40
    assert len(outcomes) < 15


def test_a_rate_that_never_opens_ends_the_run() -> None:
    """No storm: delays grow, and after a row of refusals the run ends."""
    send = Fails(lambda: refusal("1302"), times=99)
    _, runner, clock, notes = run(send, 1000, jobs=4)
    assert runner.stopped_by is not None
    assert sum(send.sent.values()) < 40
    assert max(clock.naps) >= 4
    assert sum("the service limits the rate" in note for note in notes) <= 3


def test_waiting_for_a_window() -> None:
    """Nobody sends before it opens, it is told once, and nothing is lost."""
    clock = Clock()
    open_at = clock.now + 3600
    opened: list[int] = []

    def send(item: Item) -> Answer:
        if clock.now < open_at:
            raise refusal("1308", message="Your limit will reset at 2027-01-15 17:00:00")
        opened.append(item.line)
        return Answer(content="x", finish_reason="stop")

    outcomes, runner, _, notes = run(send, 20, wait=True, clock=clock)
    assert (sorted(opened), runner.stopped_by) == (list(range(1, 21)), None)
    assert len(outcomes) == 20
    assert clock.now >= open_at
    assert sum("waiting" in note for note in notes) == 1


def test_a_fault_of_ours_is_a_failure_of_the_item() -> None:
    """A worker never dies silently, or the run would hang."""

    def send(item: Item) -> Answer:
        if item.line == 3:
            raise ZeroDivisionError("oops")
        return Answer(content="x", finish_reason="stop")

    outcomes, _, _, _ = run(send, 6)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    assert [(outcome.item.line, outcome.error.message) for outcome in failed if outcome.error] == [
        (3, "unexpected: ZeroDivisionError: oops")
    ]
    assert len(outcomes) == 6

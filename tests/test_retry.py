"""When a call is repeated, and after how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.api.faults import error_from_reply
from glmcli.api.retry import (
    CAP_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    RESET_MARGIN_SECONDS,
    SHORTEST_LATE_WAIT_SECONDS,
    RetryPolicy,
    wait_until_reset,
)
from glmcli.errors import GlmError, KeyRefused, NetworkError, ServiceError, StreamCut, TimedOut, UsageError

NOW = 1_790_000_000.0


def refusal(code: str, status: int = 429, headers: dict[str, str] | None = None) -> ServiceError:
    body = f'{{"error":{{"code":"{code}","message":"no"}}}}'.encode()
    return error_from_reply(status, headers or {}, body)


def policy(max_retries: int = 2, *, wait: bool = False, luck: float = 1.0) -> RetryPolicy:
    """A policy whose dice always show `luck` and whose clock stands still."""
    return RetryPolicy(max_retries, wait, random=lambda: luck, now=lambda: NOW)


def network_error(*, sent: bool, kind: type[NetworkError] = NetworkError) -> NetworkError:
    error = kind("no answer")
    error.sent = sent
    return error


#: Repetitions that five allowed ones come to: of a question, and of a paid creation.
REPETITIONS = {
    **dict.fromkeys(("434", "435"), (0, 0)),
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004", "1005"), (0, 0)),
    **dict.fromkeys(("1110", "1111", "1112", "1113", "1121"), (0, 0)),
    **dict.fromkeys(("1210", "1211", "1212", "1213", "1214", "1215", "1220", "1221", "1222"), (0, 0)),
    **dict.fromkeys(("1231", "1261", "1300", "1301", "1304"), (0, 0)),
    **dict.fromkeys(("1308", "1309", "1310", "1311", "1313", "1314", "1315"), (0, 0)),
    **dict.fromkeys(("1316", "1317", "1318", "1319", "1320", "1321"), (0, 0)),
    **dict.fromkeys(("1702", "1703"), (0, 0)),
    **dict.fromkeys(("500", "1120", "1200", "1230", "1234"), (5, 0)),
    "1100": (1, 0),
    **dict.fromkeys(("1302", "1303", "1305", "1312", "1701"), (5, 5)),
}


def repetitions(error: GlmError, *, repeatable: bool) -> int:
    delays = [policy(5).delay(error, attempt, repeatable=repeatable) for attempt in range(1, 7)]
    return len(delays) if None not in delays else delays.index(None)


@pytest.mark.parametrize("code", REPETITIONS)
def test_each_code_is_repeated_as_the_page_says(code: str) -> None:
    """Dead requests are not repeated; a paid creation only when a limit refused it."""
    error = refusal(code)
    counted = (repetitions(error, repeatable=True), repetitions(error, repeatable=False))
    assert counted == REPETITIONS[code]


def test_no_code_of_the_table_is_left_out() -> None:
    """A new row needs its retry decision here."""
    from glmcli.codes import CODES

    assert set(REPETITIONS) == set(CODES)


@pytest.mark.parametrize(
    ("error", "question", "creation"),
    [
        (network_error(sent=False), 5, 5),
        (network_error(sent=True), 5, 0),
        (network_error(sent=False, kind=TimedOut), 5, 5),
        (network_error(sent=True, kind=TimedOut), 5, 0),
        (NetworkError("unknown whether it was sent"), 5, 0),
        (StreamCut("half an answer"), 0, 0),
        (KeyRefused("no"), 0, 0),
        (UsageError("no"), 0, 0),
        (error_from_reply(503, {}, b""), 5, 0),
        (error_from_reply(502, {}, b"<html></html>"), 5, 0),
        (error_from_reply(429, {}, b""), 5, 5),
        (refusal("1399"), 0, 0),
        (refusal("1399", headers={"retry-after": "1"}), 5, 5),
        (refusal("1113", headers={"retry-after": "1"}), 0, 0),
    ],
    ids=[
        "not-sent", "sent", "connect-time-out", "read-time-out", "network", "cut", "key", "usage", "503", "502-page",
        "bare-429", "unknown-429", "unknown-429-retry-after", "1113-retry-after",
    ],
)  # fmt: skip
def test_other_failures(error: GlmError, question: int, creation: int) -> None:
    """A paid creation is repeated only when it surely was not accepted."""
    assert (repetitions(error, repeatable=True), repetitions(error, repeatable=False)) == (question, creation)


@pytest.mark.parametrize("max_retries", [0, 1, 2, 7])
def test_n_retries_are_n_plus_one_requests(max_retries: int) -> None:
    """`--max-retries 0` repeats nothing."""
    delays = [policy(max_retries).delay(refusal("1302"), attempt) for attempt in range(1, 10)]
    assert [delay is not None for delay in delays] == [attempt <= max_retries for attempt in range(1, 10)]


def test_delays_double_up_to_a_cap() -> None:
    """0.5 s, 1 s, 2 s, 4 s, then 8 s, when the dice show the most."""
    delays = [policy(7).delay(refusal("1302"), attempt) for attempt in range(1, 8)]
    assert delays == [0.5, 1, 2, 4, 8, 8, 8]


@given(attempt=st.integers(1, 10**9), luck=st.floats(0, 1))
def test_delays_are_jittered_over_their_whole_range(attempt: int, luck: float) -> None:
    """Between nothing and the cap, whatever the attempt; no overflow."""
    delay = policy(10**9, luck=luck).delay(refusal("1302"), attempt)
    assert delay is not None
    assert 0 <= delay <= CAP_SECONDS * luck


def test_a_retry_after_is_honoured_and_spread() -> None:
    """Never earlier than asked, and a little later for some."""
    error = refusal("1302", headers={"Retry-After": "40"})
    assert policy(luck=0).delay(error, 1) == 40
    assert policy(luck=1).delay(error, 1) == 40.5


def test_a_long_retry_after_is_told_rather_than_slept() -> None:
    """Beyond a minute the user decides: the error says the seconds, `--wait` sleeps them."""
    error = refusal("1302", headers={"Retry-After": str(LONGEST_RETRY_AFTER_SECONDS + 30)})
    assert policy().delay(error, 1) is None
    assert "90 s" in error.message
    assert policy(wait=True).delay(error, 1) == 90 + RESET_MARGIN_SECONDS


def limited(reset: str, code: str = "1308") -> ServiceError:
    body = f'{{"error":{{"code":"{code}","message":"Usage limit. Your limit will reset at {reset}"}}}}'
    return error_from_reply(429, {}, body.encode())


#: NOW is 2026-09-21 22:13:20 in UTC+8.
@pytest.mark.parametrize(
    ("reset", "seconds"), [("2026-09-21 22:14:20", 60), ("2026-09-21 23:13:20", 3600), ("2026-09-21 22:00:00", 0)]
)
def test_wait_sleeps_until_the_window_opens(reset: str, seconds: float) -> None:
    """The reset of the message, read as UTC+8, and a margin for clocks that differ."""
    assert policy(wait=True).delay(limited(reset), 1) == seconds + RESET_MARGIN_SECONDS
    assert policy(wait=False).delay(limited(reset), 1) is None


def test_waiting_goes_on_after_the_retries_but_is_no_storm() -> None:
    """A second limit after the first reset is waited for, too; a reset that is always now costs a minute."""
    assert policy(0, wait=True).delay(limited("2026-09-21 23:13:20"), 1) == 3600 + RESET_MARGIN_SECONDS
    assert policy(0, wait=True).delay(limited("2026-09-21 22:13:20"), 9) == SHORTEST_LATE_WAIT_SECONDS


@pytest.mark.parametrize("code", ["1113", "1309", "1313", "1301"])
def test_wait_does_not_wait_for_what_time_cannot_mend(code: str) -> None:
    """A date in another message is no reset."""
    assert wait_until_reset(limited("2026-09-21 23:13:20", code), now=NOW) is None
    assert policy(wait=True).delay(limited("2026-09-21 23:13:20", code), 1) is None


def test_wait_needs_to_know_until_when() -> None:
    """A window without a reset time fails at once."""
    assert policy(wait=True).delay(refusal("1308"), 1) is None

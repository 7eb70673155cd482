"""When to repeat a call, and after how long; pure, so that a table can test it."""

from __future__ import annotations

import time
from collections.abc import Callable

from glmcli.errors import GlmError, NetworkError, ServiceError
from glmcli.values import Value

#: The first delay and the longest one, in seconds (the official SDK has the same).
BASE_SECONDS = 0.5
CAP_SECONDS = 8.0
#: A Retry-After beyond this is told to the user rather than slept.
LONGEST_RETRY_AFTER_SECONDS = 60.0
#: Clocks differ: a window is given this long to open after its reset.
RESET_MARGIN_SECONDS = 5.0
#: Beyond `max_retries` a wait is at least this long, so that a reset that keeps moving is no storm.
SHORTEST_LATE_WAIT_SECONDS = 60.0


def _random() -> float:
    from random import random  # 1 ms, and most calls succeed

    return random()  # noqa: S311  # jitter


class RetryPolicy(Value):
    """How patient one invocation is.

    `wait_for_reset` is `--wait`: sleep until a plan window opens, or as long
    as the service asks to, instead of failing.
    """

    max_retries: int = 2
    wait_for_reset: bool = False
    random: Callable[[], float] = _random
    now: Callable[[], float] = time.time

    def delay(self, error: GlmError, attempt: int, *, repeatable: bool = True) -> float | None:
        """Seconds to wait before the call is sent again; None to give up.

        `attempt` counts from 1, the request that just failed. `repeatable` is
        False for a paid creation, which is repeated only when it surely was
        not accepted.
        """
        if self.wait_for_reset:
            wait = wait_until_reset(error, now=self.now())
            if wait is not None:
                return wait if attempt <= self.max_retries else max(wait, SHORTEST_LATE_WAIT_SECONDS)
        if attempt > self._limit(error) or not _may_help(error) or not (repeatable or was_not_accepted(error)):
            return None
        asked = error.retry_after_seconds if isinstance(error, ServiceError) else None
        if asked is None:
            return self.random() * min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(attempt - 1, 16))
        # Jitter on top: whoever was told the same second should not come back together.
        return asked + self.random() * BASE_SECONDS if asked <= LONGEST_RETRY_AFTER_SECONDS else None

    def _limit(self, error: GlmError) -> int:
        from glmcli import codes  # most calls succeed

        entry = codes.find(error.code) if isinstance(error, ServiceError) and error.code else None
        if entry is None or entry.retry_limit is None:
            return self.max_retries
        return min(self.max_retries, entry.retry_limit)


def wait_until_reset(error: GlmError, *, now: float) -> float | None:
    """Seconds until the service will answer again, as far as it said when; else None.

    That is the reset of a plan window, or a Retry-After that is too long to be
    slept unasked. `now` is epoch seconds.
    """
    if not isinstance(error, ServiceError):
        return None
    from glmcli import codes

    if error.reset_at is not None and error.kind == codes.PLAN_WINDOW:
        return max(0.0, error.reset_at - now) + RESET_MARGIN_SECONDS
    asked = error.retry_after_seconds
    if error.retryable and asked is not None and asked > LONGEST_RETRY_AFTER_SECONDS:
        return asked + RESET_MARGIN_SECONDS
    return None


def was_not_accepted(error: GlmError) -> bool:
    """Whether the call surely had no effect: refused by a limit, or never sent."""
    if isinstance(error, NetworkError):
        return not error.sent
    from glmcli import codes

    return isinstance(error, ServiceError) and error.kind == codes.RATE


def _may_help(error: GlmError) -> bool:
    return isinstance(error, ServiceError | NetworkError) and error.retryable

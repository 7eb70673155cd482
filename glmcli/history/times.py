"""Times as people write and read them."""

from __future__ import annotations

import re

from glmcli.errors import UsageError

_HOUR = 3600.0
_DAY = 24 * _HOUR
# No "m": it would be minutes to one user and months to the next, who deletes by it.
_UNITS = {"h": _HOUR, "d": _DAY, "w": 7 * _DAY, "mo": 30 * _DAY, "y": 365 * _DAY}
_AGE = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*(h|d|w|mo|y)", re.IGNORECASE)
_STEPS = ((60.0, "s"), (_HOUR, "m"), (_DAY, "h"), (14 * _DAY, "d"), (60 * _DAY, "w"), (2 * 365 * _DAY, "mo"))
_SIZES = {"s": 1.0, "m": 60.0, **_UNITS}


def parse_age(text: str) -> float:
    """Seconds of `12h`, `30d`, `2w`, `6mo` or `1y`. Raises UsageError."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not an age", hint="write 12h, 30d, 2w, 6mo or 1y")
    return float(match[1]) * _UNITS[match[2].lower()]


def age(seconds: float) -> str:
    """How long ago, in one unit: `just now`, `5m ago`, `3h ago`, `2y ago`."""
    if seconds < 5:  # also what a clock that was set back calls the future
        return "just now"
    unit = next((unit for limit, unit in _STEPS if seconds < limit), "y")
    return f"{int(seconds / _SIZES[unit])}{unit} ago"


def local_time(at: float) -> str:
    """`2026-11-21 09:30` on the clock of the user."""
    from datetime import datetime

    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")


def iso_time(at: float) -> str:
    """`2026-11-21T08:30:00Z`, for programs."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The times in what the service says: when a window resets, how long to wait."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping

_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(\.\d+)?(Z\b)?")


def reset_in(text: str) -> tuple[float, str] | None:
    """Epoch seconds of the first moment in a text, and how it is written there.

    A moment without a zone is UTC+8: the clock of the service, in every region.
    """
    from datetime import UTC, datetime, timedelta, timezone

    found = _MOMENT.search(text)
    if found is None:
        return None
    zone = UTC if found[4] else timezone(timedelta(hours=8))
    try:
        moment = datetime.fromisoformat(f"{found[1]} {found[2]}").replace(tzinfo=zone)
    except ValueError:
        return None
    return (moment.timestamp(), found[0]) if 2000 <= moment.year < 2100 else None


def reset_at_of(value: object) -> float | None:
    """Epoch seconds of a `next_flush_time`: a text, seconds or milliseconds."""
    if isinstance(value, str):
        found = reset_in(value[:64])
        return found[0] if found else None
    if isinstance(value, int | float) and 946_684_800 <= value < 4_102_444_800_000:
        seconds = value / 1000 if value > 1e11 else float(value)
        return seconds if 946_684_800 <= seconds < 4_102_444_800 else None
    return None


def local_time(epoch_seconds: float) -> str:
    """A moment as the clock on this wall shows it, with its zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(epoch_seconds)).rstrip()


def retry_after_seconds(headers: Mapping[str, str], in_body: object, now: Callable[[], float]) -> float | None:
    """Seconds from the Retry-After header, else from the body's `retry_after`.

    Header names are lower case; `now` gives epoch seconds, for a date.
    """
    for value in (headers.get("retry-after"), in_body):
        seconds = _seconds(value, now)
        if seconds is not None:
            return seconds
    return None


def _seconds(value: object, now: Callable[[], float]) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    except ValueError:
        return _seconds_until(str(value), now)
    return seconds if 0 <= seconds < 1e9 else None


def _seconds_until(date: str, now: Callable[[], float]) -> float | None:
    """Seconds until an HTTP date; 0 for one that has passed, None for no date."""
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(date[:64]).timestamp() - now())
    except (ValueError, TypeError, OverflowError, OSError):
        return None

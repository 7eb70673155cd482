"""The windows of a Coding Plan: bars, reset times, pace; values between tabs; JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glmcli.api.resources.quota import Metered, PlanQuota, Series, Subscription, Unit, Window
from glmcli.history.times import iso_time
from glmcli.streams import harmless

SCHEMA_VERSION = 1
_BAR_CELLS = 24
_FULL, _EMPTY = "█", "░"
_STEPS = "▁▂▃▄▅▆▇█"
#: From how many percent on a bar is yellow, and red.
_COLORS = ((90.0, "31"), (70.0, "33"), (0.0, "32"))
#: A rate that was measured over less would say nothing (share of the window).
_SHORTEST_SHARE = 0.01
_UTC8_SECONDS = 8 * 3600


@dataclass(frozen=True, slots=True)
class Pace:
    """Where the use of a window leads at its average rate so far.

    `used_up_at` is epoch seconds, None when the window outlasts it; `percent_at_reset` may exceed 100.
    """

    percent_at_reset: float
    used_up_at: float | None


def pace_of(window: Window, now: float) -> Pace | None:
    """The pace of a window at epoch seconds `now`; None where the service says too little."""
    length = _length(window)
    if length is None or window.percent_used is None or window.resets_at is None:
        return None
    left = window.resets_at - now
    elapsed = length - left
    if left <= 0 or elapsed < length * _SHORTEST_SHARE:
        return None
    rate = window.percent_used / elapsed
    at_reset = window.percent_used + rate * left
    used_up_at = now + (100 - window.percent_used) / rate if at_reset > 100 else None
    return Pace(at_reset, used_up_at)


def _length(window: Window) -> float | None:
    """Seconds of a window; of a month by the calendar."""
    if window.seconds is not None or window.resets_at is None or window.unit is not Unit.MONTH:
        return window.seconds
    from datetime import UTC, datetime

    end = datetime.fromtimestamp(window.resets_at, UTC)
    months = end.year * 12 + end.month - 1 - window.number
    start = end.replace(year=months // 12, month=months % 12 + 1, day=min(end.day, 28))
    return (end - start).total_seconds()


# -- for people ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """What the terminal can show: columns, colour, and characters beyond ASCII."""

    width: int = 80
    color: bool = False
    blocks: bool = True


def headline(provider: str, quota: PlanQuota, subscriptions: Sequence[Subscription]) -> str:
    """The plan, and what was bought: product, status and next renewal, no more."""
    bought = [_bought(each) for each in subscriptions]
    level = f"Coding Plan {quota.level.capitalize()}" if quota.level else "Coding Plan"
    return " · ".join([f"{level} ({provider})", *bought])


def _bought(subscription: Subscription) -> str:
    parts = [subscription.product, subscription.status]
    if subscription.next_renewal:
        parts.append(f"renews {subscription.next_renewal}")
    return ", ".join(part for part in parts if part)


def lines(quota: PlanQuota, now: float, look: Look) -> Iterator[str]:
    """Two lines per window: how full it is; when it resets and where its pace leads."""
    names = [name_of(window) for window in quota.windows]
    indent = max(map(len, names), default=0) + 2
    for name, window in zip(names, quota.windows, strict=True):
        yield f"{name:<{indent}}{_gauge(window, look)}"
        for told in _beneath(_reset(window, now), _pace(window, now), look.width - indent):
            yield " " * indent + told
        if window.details:
            yield " " * indent + ", ".join(f"{harmless(tool)} {count:,}" for tool, count in window.details)


def _beneath(reset: str, pace: str, width: int) -> list[str]:
    """Reset and pace in one line where they fit, else in two."""
    told = [part for part in (reset, pace) if part]
    joined = "; ".join(told)
    return [joined] if joined and len(joined) <= width else told


def name_of(window: Window) -> str:
    """`5 hours`, `week`, `MCP tools, month`."""
    unit = window.unit.value if window.unit else "window"
    length = unit if window.number == 1 else f"{window.number} {unit}s"
    return f"MCP tools, {length}" if window.metered is Metered.TOOLS else length


def _gauge(window: Window, look: Look) -> str:
    percent = window.percent_used
    if percent is None:
        return f"?  {_counts(window)}".rstrip()
    cells = min(_BAR_CELLS, max(8, look.width - 56))
    # Neither empty nor full before it is.
    full = cells if percent >= 100 else min(cells - 1, max(percent > 0, round(percent * cells / 100)))
    characters = (_FULL, _EMPTY) if look.blocks else ("#", "-")
    bar = characters[0] * full + characters[1] * (cells - full)
    if look.color:
        code = next(code for limit, code in _COLORS if percent >= limit)
        bar = f"\x1b[{code}m{bar}\x1b[39m"
    return f"{bar} {percent:3.0f} %  {_counts(window)}".rstrip()


def _counts(window: Window) -> str:
    if window.limit is None:
        return ""
    used = window.used if window.used is not None else window.limit - (window.remaining or 0)
    return f"{used:,} of {window.limit:,} {window.counts}"


def _reset(window: Window, now: float) -> str:
    if window.resets_at is None:
        return ""
    if window.resets_at <= now:
        return "resets now"
    return f"resets {clock(window.resets_at, now)} (in {duration(window.resets_at - now)})"


def _pace(window: Window, now: float) -> str:
    if window.is_used_up:
        return "used up"
    pace = pace_of(window, now)
    if pace is None:
        return ""
    if pace.used_up_at is not None:
        return f"at this rate it is used up {clock(pace.used_up_at, now)}"
    return f"at this rate {pace.percent_at_reset:.0f} % by then"


def clock(at: float, now: float) -> str:
    """A moment on the clock of the user: `at 16:40`, on another day `on Tue 24 Nov at 09:00`."""
    there, here = time.localtime(at), time.localtime(now)
    if there[:3] == here[:3]:
        return time.strftime("at %H:%M", there)
    return time.strftime("on %a %d %b at %H:%M", there)


def duration(seconds: float) -> str:
    """`40 min`, `3 h 12 min`, `2 d 4 h`."""
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"


# -- for programs ----------------------------------------------------------------


def fields(window: Window) -> tuple[str, ...]:
    """What is metered, window, percent used, used, limit, remaining and reset (UTC), for a pipe."""
    percent = "?" if window.percent_used is None else f"{window.percent_used:.1f}"
    counts = ("?" if count is None else str(count) for count in (window.used, window.limit, window.remaining))
    resets = "?" if window.resets_at is None else iso_time(window.resets_at)
    return (window.metered.value, f"{window.number} {window.unit or 'window'}", percent, *counts, resets)


def window_document(window: Window, now: float) -> dict[str, object]:
    """A window as JSON; times in UTC, null is what the service does not say."""
    pace = pace_of(window, now)
    return {
        "metered": window.metered.value,
        "unit": window.unit.value if window.unit else None,
        "number": window.number,
        "counts": window.counts,
        "limit": window.limit,
        "used": window.used,
        "remaining": window.remaining,
        "percent_used": window.percent_used,
        "resets_at": iso_time(window.resets_at) if window.resets_at else None,
        "percent_at_reset": round(pace.percent_at_reset, 1) if pace else None,
        "used_up_at": iso_time(pace.used_up_at) if pace and pace.used_up_at else None,
        "details": dict(window.details),
    }


def subscription_document(subscription: Subscription) -> dict[str, object]:
    """What was bought, without anything that names the customer."""
    return {
        "product": subscription.product,
        "status": subscription.status,
        "next_renewal": subscription.next_renewal,
    }


# -- use over time ---------------------------------------------------------------


def series_lines(name: str, series: Series, look: Look) -> Iterator[str]:
    """A line per model or tool: its sum, and how it was spread."""
    totals = series.totals or {each: sum(counts) for each, counts in series.by_name.items()}
    width = max([len(name), *map(len, totals)])
    figures = {each: f"{total:,}" for each, total in totals.items()}
    right = max([5, *map(len, figures.values())])
    yield f"{name:<{width}}  {'TOTAL':>{right}}"
    for each, figure in figures.items():
        spread = spark(series.by_name.get(each, ()), look)
        yield f"{each:<{width}}  {figure:>{right}}  {spread}".rstrip()


def spark(counts: Sequence[int], look: Look) -> str:
    """Counts as a row of small bars; nothing where there is nothing to see."""
    highest = max(counts, default=0)
    if not highest or not look.blocks or len(counts) > look.width:
        return ""
    return "".join(_STEPS[(len(_STEPS) - 1) * max(0, count) // highest] if count else " " for count in counts)


def series_fields(series: Series) -> Iterator[tuple[str, ...]]:
    """Time (UTC), name and count, for a pipe; what was not used is left out."""
    for name, counts in series.by_name.items():
        for label, count in zip(series.times, counts, strict=False):
            if count:
                yield moment(label), name, str(count)


def series_document(series: Series) -> dict[str, object]:
    """A series as JSON; `times` in UTC."""
    return {
        "granularity": series.granularity,
        "times": [moment(label) for label in series.times],
        "calls": list(series.calls),
        "by_name": {name: list(counts) for name, counts in series.by_name.items()},
        "totals": dict(series.totals),
    }


def moment(label: str) -> str:
    """A label of the service's clock (UTC+8) in UTC; a day, or what cannot be read, as it is."""
    from calendar import timegm

    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
        try:
            return iso_time(timegm(time.strptime(label, form)) - _UTC8_SECONDS)
        except ValueError:
            continue
    return label

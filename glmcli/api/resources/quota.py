"""What is left of a Coding Plan: windows, use by hour, subscription.

None of it is in the vendor's reference; shapes and rules are those of the
plugin `glm-plan-usage` and of clients that were checked live (`api/quota.md`).
Best effort: whoever can do without these answers should.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from glmcli.api.calls import Call, Caller, Reply
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, mappings, text, whole
from glmcli.errors import KeyRefused, ServiceError

_YEAR_9999_MS = 253_370_764_800_000
#: The clock of the service, whichever the region.
_UTC_PLUS_8_SECONDS = 8 * 3600
_HEADERS = {"Accept-Language": "en-US,en"}


class Metered(StrEnum):
    """What a window counts."""

    MODELS = "models"
    TOOLS = "tools"  # calls of the hosted MCP servers


_METERED = {"CREDIT_LIMIT": Metered.MODELS, "TOKENS_LIMIT": Metered.MODELS, "TIME_LIMIT": Metered.TOOLS}
#: What the figures of a window are.
_COUNTS = {"CREDIT_LIMIT": "credits", "TOKENS_LIMIT": "tokens", "TIME_LIMIT": "calls"}


class Unit(StrEnum):
    """The unit of a window's length."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_UNITS = {1: Unit.DAY, 3: Unit.HOUR, 5: Unit.MONTH, 6: Unit.WEEK}
_HOURS = {Unit.HOUR: 1, Unit.DAY: 24, Unit.WEEK: 168}


@dataclass(frozen=True, slots=True)
class Window:
    """One limit of a plan.

    `unit` x `number` is its length; `limit`, `used` and `remaining` are what `counts`
    says (credits, tokens or calls), None where the service says nothing. `percent_used` is
    0 to 100. `resets_at` is epoch seconds. `details` names what a tool took.
    """

    metered: Metered
    unit: Unit | None
    number: int
    limit: int | None = None
    used: int | None = None
    remaining: int | None = None
    percent_used: float | None = None
    resets_at: float | None = None
    details: tuple[tuple[str, int], ...] = ()
    counts: str = "credits"

    @property
    def seconds(self) -> int | None:
        """The length; None for months, which differ, and for unknown units."""
        hours = _HOURS.get(self.unit) if self.unit else None
        return hours * self.number * 3600 if hours else None

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left until the reset."""
        return self.percent_used is not None and self.percent_used >= 100

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Window | None:
        """A window from its object; None for a type that we do not know.

        `usage` is the limit, not the use: the service's own word.
        """
        type = text(body, "type") or ""
        metered = _METERED.get(type)
        if metered is None:
            return None
        limit, used, remaining = whole(body, "usage") or None, whole(body, "currentValue"), whole(body, "remaining")
        unit = whole(body, "unit")
        return cls(
            metered,
            _UNITS.get(unit) if unit is not None else None,
            whole(body, "number") or 1,
            limit=limit,
            used=used,
            remaining=remaining,
            percent_used=_percent(body, limit, remaining),
            resets_at=_seconds(whole(body, "nextResetTime")),
            details=tuple(
                (text(item, "modelCode") or "?", whole(item, "usage") or 0) for item in mappings(body, "usageDetails")
            ),
            counts=_COUNTS[type],
        )


def _percent(body: Mapping[str, Any], limit: int | None, remaining: int | None) -> float | None:
    """The share that is used: from the counts, which are finer, else as the service says it."""
    if limit and remaining is not None:
        return min(100.0, max(0.0, (limit - remaining) * 100 / limit))
    value = body.get("percentage")
    try:
        return min(100.0, max(0.0, float(value))) if isinstance(value, int | float | str) else None
    except ValueError:
        return None


def _seconds(milliseconds: int | None) -> float | None:
    """Epoch seconds; None for a moment that no calendar has."""
    return milliseconds / 1000 if milliseconds and 0 < milliseconds < _YEAR_9999_MS else None


@dataclass(frozen=True, slots=True)
class PlanQuota:
    """A plan and its windows. `level` is lite, pro or max."""

    level: str | None
    windows: tuple[Window, ...]

    def window(self, metered: Metered, unit: Unit) -> Window | None:
        """The window of that length; two of the same type coexist."""
        return next((each for each in self.windows if each.metered is metered and each.unit is unit), None)

    @property
    def used_up(self) -> Window | None:
        """The window that stops models now, the one that opens last; None when there is none."""
        full = [each for each in self.windows if each.metered is Metered.MODELS and each.is_used_up]
        return max(full, key=lambda each: each.resets_at or 0, default=None)


def quota_from_json(data: Mapping[str, Any]) -> PlanQuota:
    """The plan from `data` of the answer; unknown types of windows are left out."""
    windows = (Window.from_json(item) for item in mappings(data, "limits"))
    return PlanQuota(text(data, "level"), tuple(window for window in windows if window is not None))


@dataclass(frozen=True, slots=True)
class Series:
    """Use over time. `times` are labels of the service's clock (UTC+8); every count runs beside them.

    `by_name` holds tokens per model, or calls per tool; `totals` their sums as the service gives them.
    """

    granularity: str | None
    times: tuple[str, ...]
    calls: tuple[int, ...]
    by_name: Mapping[str, tuple[int, ...]]
    totals: Mapping[str, int]


def model_usage_from_json(data: Mapping[str, Any]) -> Series:
    """Calls and tokens by model (`model-usage`)."""
    models = mappings(data, "modelDataList")
    summary = mappings(data, "modelSummaryList") or mappings(mapping(data, "totalUsage"), "modelSummaryList")
    return Series(
        text(data, "granularity"),
        _labels(data),
        _counts(data, "modelCallCount"),
        {text(item, "modelName") or "?": _counts(item, "tokensUsage") for item in models},
        {text(item, "modelName") or "?": whole(item, "totalTokens") or 0 for item in summary or models},
    )


def tool_usage_from_json(data: Mapping[str, Any]) -> Series:
    """Calls by tool (`tool-usage`); `calls` is their sum."""
    tools = mappings(data, "toolDataList")
    by_name = {_tool(item): _counts(item, "usageCount") for item in tools}
    summary = mappings(data, "toolSummaryList") or tools
    totals = {_tool(item): whole(item, "totalUsageCount") or 0 for item in summary}
    calls = tuple(sum(each) for each in zip(*by_name.values(), strict=False))
    return Series(text(data, "granularity"), _labels(data), calls, by_name, totals)


def _tool(item: Mapping[str, Any]) -> str:
    return text(item, "toolCode") or text(item, "toolName") or "?"


def _labels(data: Mapping[str, Any]) -> tuple[str, ...]:
    labels = data.get("x_time")
    return tuple(str(label) for label in labels) if isinstance(labels, list) else ()


def _counts(body: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """Numbers of a parallel array; a hole counts as nothing."""
    values = body.get(key)
    if not isinstance(values, list):
        return ()
    return tuple(whole({"value": value}, "value") or 0 for value in values)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What was bought. The answer's customer ids are not kept."""

    product: str
    status: str | None
    valid: str | None
    next_renewal: str | None

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Subscription:
        """A subscription from its object."""
        return cls(
            text(body, "productName") or "?", text(body, "status"), text(body, "valid"), text(body, "nextRenewTime")
        )


class Monitor:
    """`/api/monitor/usage/*` and `/api/biz/subscription/list` of a vendor's region. Free of charge.

    Failures of these come with HTTP 200; they are raised as ServiceError
    (KeyRefused) all the same. `has_no_plan` tells an account without a plan.
    """

    def __init__(self, caller: Caller, *, language: str = "en") -> None:
        self._caller = caller
        self._language = language

    def quota(self, *, team: bool = False) -> PlanQuota:
        """The plan and its windows."""
        data = self._ask("/monitor/usage/quota/limit", {"type": "2"} if team else None)
        if not isinstance(data, dict):
            raise ServiceError("the answer about the plan has no data", is_foreign=True)
        return quota_from_json(data)

    def model_usage(self, start: float, end: float) -> Series:
        """Calls and tokens between two moments (epoch seconds)."""
        data = self._ask("/monitor/usage/model-usage", _span(start, end))
        return model_usage_from_json(data if isinstance(data, dict) else {})

    def tool_usage(self, start: float, end: float) -> Series:
        """Calls of the hosted tools between two moments (epoch seconds)."""
        data = self._ask("/monitor/usage/tool-usage", _span(start, end))
        return tool_usage_from_json(data if isinstance(data, dict) else {})

    def subscriptions(self) -> list[Subscription]:
        """What the account has bought; empty for none."""
        return [
            Subscription.from_json(item) for item in mappings({"data": self._ask("/biz/subscription/list")}, "data")
        ]

    def _ask(self, path: str, query: Mapping[str, str] | None = None) -> object:
        """The `data` of an answer. The vendor's plugin sends the bare key; some accounts want the scheme."""
        try:
            return self._send(path, query, auth="raw")
        except KeyRefused:
            return self._send(path, query, auth="bearer")

    def _send(self, path: str, query: Mapping[str, str] | None, *, auth: str) -> object:
        reply = self._caller.send(Call(Service.MONITOR, "GET", path, query=query, headers=_HEADERS, auth=auth))
        return self._data(reply)

    def _data(self, reply: Reply) -> object:
        from glmcli.api.faults import error_in_body

        body = reply.json()
        error = error_in_body(body, headers=reply.headers, status=reply.status, language=self._language)
        if error is not None:
            raise error
        if not isinstance(body, dict) or "data" not in body:
            raise ServiceError("the answer about the plan has no data", http_status=reply.status, is_foreign=True)
        return body["data"]


def has_no_plan(error: ServiceError) -> bool:
    """Whether a refusal says that the account has no Coding Plan (an answer, not a failure).

    There is no code for it: the message mentions the plan, in English or Chinese.
    """
    if isinstance(error, KeyRefused):
        return False
    said = (error.server_message or "").lower()
    return any(words in said for words in ("coding plan", "coding package", "套餐", "subscription"))


def _span(start: float, end: float) -> dict[str, str]:
    return {"startTime": service_time(start), "endTime": service_time(end)}


def service_time(epoch_seconds: float) -> str:
    """A moment as the monitor reads it: UTC+8, without a zone."""
    from time import gmtime, strftime

    return strftime("%Y-%m-%d %H:%M:%S", gmtime(epoch_seconds + _UTC_PLUS_8_SECONDS))

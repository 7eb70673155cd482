"""Usage of a Coding Plan: quota windows, hourly use, subscription.

None of it is in the public reference; shapes are those of the vendor's plugin
`glm-plan-usage` and of clients that were checked live. Every answer is HTTP
200: failure stands in `success` and `code`.
"""

from __future__ import annotations

import re
from time import gmtime, strftime
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.accounts import Account
from glmcli.sandbox.app import Payer, Route
from glmcli.sandbox.exchange import Base, Refusal, Request, Response
from glmcli.sandbox.refusals import RESETS_AFTER_SECONDS

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox

#: Credits of a plan per five hours and per week (docs.z.ai/devpack/overview).
_CREDITS = {"lite": (2000, 10000), "pro": (12000, 60000), "max": (28000, 140000)}
_TOOL_CALLS = {"lite": 100, "pro": 1000, "max": 4000}
#: Percent used of the two windows, and of both when a trouble says so.
_USED = {"1308": (100, 31), "1310": (12, 100)}
_USED_NORMALLY = (47, 9)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
_HOURS = 24


def routes() -> list[Route]:
    """What this module answers."""
    return [
        Route("GET", (Base.MONITOR,), "/usage/quota/limit", show_quota, Payer.NOBODY),
        Route("GET", (Base.MONITOR,), "/usage/model-usage", show_model_usage, Payer.NOBODY),
        Route("GET", (Base.MONITOR,), "/usage/tool-usage", show_tool_usage, Payer.NOBODY),
        Route("GET", (Base.BIZ,), "/subscription/list", list_subscriptions, Payer.NOBODY),
    ]


def show_quota(sandbox: Sandbox, request: Request) -> Response:
    """The windows of the plan, in the form of its generation."""
    account, level = _planned(request)
    windows = _legacy_windows if account.quota == "legacy" else _credit_windows
    return _success({"level": level, "limits": windows(account, level, sandbox.clock())})


def _credit_windows(account: Account, level: str, now: float) -> list[dict[str, Any]]:
    used = _USED.get(account.trouble or "", _USED_NORMALLY)
    windows = ((3, 5, "1308"), (6, 1, "1310"))  # unit, number, code whose text names the same moment
    return [
        {
            "type": "CREDIT_LIMIT",
            "unit": unit,
            "number": number,
            **_filled(limit, percent),
            "nextResetTime": int((now + RESETS_AFTER_SECONDS[code]) * 1000),
        }
        for (unit, number, code), limit, percent in zip(windows, _CREDITS[level], used, strict=True)
    ]


def _legacy_windows(account: Account, level: str, now: float) -> list[dict[str, Any]]:
    limit = _TOOL_CALLS[level]
    details = (("search-prime", 36), ("web-reader", 9), ("zread", 0))
    tokens = {"type": "TOKENS_LIMIT", "unit": 3, "number": 5, "percentage": 25}
    calls = {"type": "TIME_LIMIT", "unit": 5, "number": 1, **_filled(limit, 45)}
    return [
        {**tokens, "nextResetTime": int((now + RESETS_AFTER_SECONDS["1308"]) * 1000)},
        {**calls, "usageDetails": [{"modelCode": code, "usage": limit * part // 100} for code, part in details]},
    ]


def _filled(limit: int, percent: int) -> dict[str, int]:
    """`usage` is the limit, not the use: the service's own word."""
    used = limit * percent // 100
    return {"usage": limit, "currentValue": used, "remaining": limit - used, "percentage": percent}


def show_model_usage(sandbox: Sandbox, request: Request) -> Response:
    """Calls and tokens by hour and model."""
    _planned(request)
    hours = _hours(request)
    calls = [index % 5 for index in range(len(hours))]
    tokens = [number * 1200 for number in calls]
    summary = [{"modelName": "glm-5.3", "totalTokens": sum(tokens), "sortOrder": 1}]
    return _success(
        {
            "granularity": "hourly",
            "x_time": hours,
            "modelCallCount": calls,
            "tokensUsage": tokens,
            "modelDataList": [{**summary[0], "tokensUsage": tokens}],
            "modelSummaryList": summary,
            "totalUsage": {
                "totalModelCallCount": sum(calls),
                "totalTokensUsage": sum(tokens),
                "modelSummaryList": summary,
            },
        }
    )


def show_tool_usage(sandbox: Sandbox, request: Request) -> Response:
    """Calls of the hosted tools by hour."""
    _planned(request)
    hours = _hours(request)
    searches, reads = [index % 3 for index in range(len(hours))], [index % 2 for index in range(len(hours))]
    repositories = [0] * len(hours)
    tools = (
        ("search-prime", "Web Search", searches),
        ("web-reader", "Web Reader", reads),
        ("zread", "Zread", repositories),
    )
    summary = [{"toolCode": code, "toolName": name, "totalUsageCount": sum(count)} for code, name, count in tools]
    return _success(
        {
            "x_time": hours,
            "networkSearchCount": searches,
            "webReadMcpCount": reads,
            "zreadMcpCount": repositories,
            "toolDataList": [{**line, "usageCount": tool[2]} for line, tool in zip(summary, tools, strict=True)],
            "toolSummaryList": summary,
            "totalUsage": {
                "totalNetworkSearchCount": sum(searches),
                "totalWebReadMcpCount": sum(reads),
                "totalZreadMcpCount": 0,
                "totalSearchMcpCount": sum(searches) + sum(reads),
            },
        }
    )


def list_subscriptions(sandbox: Sandbox, request: Request) -> Response:
    """The plan of the account; none is an empty list."""
    account = request.account
    if account is None or account.plan is None:
        return _success([])
    expired = account.trouble == "1309"
    end = sandbox.clock() + (-5 if expired else 20) * 86400
    span = f"{_moment(end - 30 * 86400)}-{_moment(end)}"
    return _success(
        [
            {
                "productName": f"GLM Coding {account.plan.capitalize()}",
                "status": "EXPIRED" if expired else "VALID",
                "valid": span,
                "nextRenewTime": _moment(end)[:10],
                "billingCycle": "monthly",
                "autoRenew": 0 if expired else 1,
                "inCurrentPeriod": not expired,
                "customerId": "sandbox-customer",
            }
        ]
    )


def _planned(request: Request) -> tuple[Account, str]:
    account = request.account
    if account is None or account.plan is None or account.trouble == "1309":
        raise Refusal("1220", message="The current user does not have an active coding plan")
    return account, account.plan


def _hours(request: Request) -> list[str]:
    """The hours of the last day before `endTime`, as the service labels them (UTC+8)."""
    for name in ("startTime", "endTime"):
        if name not in request.query:
            raise Refusal("1213", name)
        if not _TIME.fullmatch(request.query[name]):
            raise Refusal("1214", name)
    day = request.query["endTime"][:10]
    return [f"{day} {hour:02d}:00" for hour in range(_HOURS)]


def _moment(epoch_seconds: float) -> str:
    return strftime("%Y-%m-%d %H:%M:%S", gmtime(epoch_seconds + 8 * 3600))


def _success(data: object) -> Response:
    return Response.json({"code": 200, "msg": "Operation successful", "success": True, "data": data})

"""The sums of the local ledger: a table, values between tabs, JSON.

What is not known is shown as `?`, in front of nothing and beside a sum that it would change.
"""

from __future__ import annotations

from collections.abc import Sequence

from glmcli.history.model import UsageSum
from glmcli.render.wrapping import cell_width
from glmcli.streams import harmless

SCHEMA_VERSION = 1
UNKNOWN = "?"
_GAP = "  "
#: Header behind the column of the key.
HEADER = ("REQUESTS", "INPUT", "CACHED", "OUTPUT", "COST", "CREDITS")
#: One column more where a router weighs tokens.
WEIGHTED = "WEIGHTED"
_SIGNS = {"USD": "$", "CNY": "¥"}


def total_of(sums: Sequence[UsageSum]) -> UsageSum:
    """All sums in one."""
    costs: dict[str, float] = {}
    for each in sums:
        for currency, cost in each.costs.items():
            costs[currency] = costs.get(currency, 0.0) + cost
    credits = [each.credits for each in sums if each.credits is not None]
    weighted = [each.weighted for each in sums if each.weighted is not None]
    return UsageSum(
        "total",
        requests=sum(each.requests for each in sums),
        prompt_tokens=sum(each.prompt_tokens for each in sums),
        cached_tokens=sum(each.cached_tokens for each in sums),
        completion_tokens=sum(each.completion_tokens for each in sums),
        costs=costs,
        unpriced=sum(each.unpriced for each in sums),
        credits=sum(credits) if credits else None,
        weighted=sum(weighted) if weighted else None,
    )


def table(name: str, sums: Sequence[UsageSum]) -> list[str]:
    """Header, a line per sum, and their total when there are several; figures stand to the right."""
    lines = [*sums, total_of(sums)] if len(sums) > 1 else list(sums)
    rows = [[name.upper(), *HEADER, WEIGHTED], *(_cells(each) for each in lines)]
    if all(each.weighted is None for each in sums):
        rows = [row[:-1] for row in rows]
    widths = [max(cell_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [_GAP.join([_padded(row[0], widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]


def _padded(key: str, width: int) -> str:
    return key + " " * (width - cell_width(key))


def _cells(each: UsageSum) -> list[str]:
    counts = (each.requests, each.prompt_tokens, each.cached_tokens, each.completion_tokens)
    credits = "-" if each.credits is None else f"{each.credits:,.1f}"
    weighted = "-" if each.weighted is None else f"{each.weighted:,.0f}"
    return [harmless(each.key or UNKNOWN), *(f"{count:,}" for count in counts), cost(each), credits, weighted]


def cost(each: UsageSum) -> str:
    """Money in every currency, `?` for what has no known price, `-` when a plan paid for all."""
    parts = [f"{_SIGNS.get(currency, currency + ' ')}{_amount(value)}" for currency, value in each.costs.items()]
    if each.unpriced:
        parts.append(UNKNOWN)
    return " + ".join(parts) or "-"


def _amount(value: float) -> str:
    return f"{value:.2f}" if value >= 1 or value == 0 else f"{value:.4f}"


def fields(each: UsageSum) -> tuple[str, ...]:
    """Key, requests, input, cached, output, cost, unpriced requests, credits; weighted tokens, if any: for a pipe."""
    counts = (each.requests, each.prompt_tokens, each.cached_tokens, each.completion_tokens)
    costs = " ".join(f"{value:.6f} {currency}".strip() for currency, value in each.costs.items())
    credits = "" if each.credits is None else f"{each.credits:.2f}"
    weighted = () if each.weighted is None else (f"{each.weighted:.0f}",)
    return (each.key or UNKNOWN, *map(str, counts), costs, str(each.unpriced), credits, *weighted)


def document(each: UsageSum) -> dict[str, object]:
    """One sum as JSON; `key` is null where the entries named none."""
    return {
        "key": each.key,
        "requests": each.requests,
        "prompt_tokens": each.prompt_tokens,
        "cached_tokens": each.cached_tokens,
        "completion_tokens": each.completion_tokens,
        "costs": {currency: round(value, 8) for currency, value in each.costs.items()},
        "unpriced": each.unpriced,
        "credits": each.credits,
        "weighted_tokens": None if each.weighted is None else round(each.weighted, 3),
    }

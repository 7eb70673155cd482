"""What requests used and cost, as far as this machine knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from glmcli.history.database import Database
from glmcli.history.model import UsageEntry, UsageSum
from glmcli.history.rows import insert, storable_or_none

if TYPE_CHECKING:
    import sqlite3

Key = Literal["day", "model", "profile"]

_KEYS: dict[Key, str] = {
    "day": "date(at, 'unixepoch', 'localtime')",
    "model": "model",
    "profile": "profile",
}
_SUMS = """
SELECT {key} AS key, currency,
    count(*) AS requests,
    coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
    coalesce(sum(cached_tokens), 0) AS cached_tokens,
    coalesce(sum(completion_tokens), 0) AS completion_tokens,
    sum(cost) AS cost,
    sum(cost IS NULL AND credits IS NULL) AS unpriced,
    sum(credits) AS credits,
    sum(weighted) AS weighted
FROM ledger WHERE at >= ? AND (? IS NULL OR profile = ?)
GROUP BY 1, 2 ORDER BY 1, 2
"""


class Ledger:
    """Adds requests, and sums them up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, entry: UsageEntry) -> None:
        """Add one request. Raises HistoryError."""
        # Thousands of answers of a batch would each wait 5 ms for a line that only sums are made of.
        with self._database.writing(lasting=False) as connection:
            values = {
                "at": self._database.now() if entry.at is None else entry.at,
                "command": entry.command,
                "provider": entry.provider,
                "profile": entry.profile,
                "model": storable_or_none(entry.model),
                "prompt_tokens": entry.prompt_tokens,
                "cached_tokens": entry.cached_tokens,
                "completion_tokens": entry.completion_tokens,
                "cost": entry.cost,
                "currency": entry.currency if entry.cost is not None else None,
                "credits": entry.credits,
                "weighted": entry.weighted,
            }
            insert(connection, "ledger", values)

    def summary(self, by: Key = "day", *, since: float | None = None, profile: str | None = None) -> list[UsageSum]:
        """The sums by local day, model or profile, in the order of the key. Raises HistoryError."""
        query = _SUMS.format(key=_KEYS[by])
        with self._database.reading() as connection:
            rows = connection.execute(query, (since or 0, profile, profile)).fetchall()
        sums: dict[str | None, UsageSum] = {}
        for row in rows:  # one for each currency
            sums[row["key"]] = _plus(sums.get(row["key"], UsageSum(row["key"])), row)
        return list(sums.values())

    def weighted(self, profile: str, since: float) -> float:
        """The tokens that the router of a profile has counted since then, as far as this machine knows."""
        query = "SELECT sum(weighted) FROM ledger WHERE profile = ? AND at >= ? AND weighted IS NOT NULL"
        with self._database.reading() as connection:
            return float(connection.execute(query, (profile, since)).fetchone()[0] or 0.0)


def _plus(total: UsageSum, row: sqlite3.Row) -> UsageSum:
    costs = dict(total.costs)
    if row["cost"] is not None:
        costs[row["currency"] or ""] = row["cost"]
    return total.replace(
        requests=total.requests + row["requests"],
        prompt_tokens=total.prompt_tokens + row["prompt_tokens"],
        cached_tokens=total.cached_tokens + row["cached_tokens"],
        completion_tokens=total.completion_tokens + row["completion_tokens"],
        costs=costs,
        unpriced=total.unpriced + row["unpriced"],
        credits=_sum_of(total.credits, row["credits"]),
        weighted=_sum_of(total.weighted, row["weighted"]),
    )


def _sum_of(one: float | None, other: float | None) -> float | None:
    """What is known of two; None when nothing is."""
    return other if one is None else one + (other or 0.0)

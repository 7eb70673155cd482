"""What is left of the daily budget of a router, as far as this machine knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from glmcli.history.times import iso_time

if TYPE_CHECKING:
    from glmcli.config.routers import Router
    from glmcli.context import AppContext


class DayBudget(NamedTuple):
    """The weighted tokens of a profile today. `resets_at` is epoch seconds, the next local midnight."""

    profile: str
    used: float
    limit: int
    resets_at: float

    @property
    def left(self) -> float:
        """What may still be used today."""
        return max(0.0, self.limit - self.used)

    @property
    def percent(self) -> float:
        """How much of it is used; may exceed 100."""
        return 100 * self.used / self.limit

    def told(self, now: float) -> str:
        """For example `router: 412,000 of 1,000,000 weighted tokens today (41 %), 588,000 left; resets at 00:00`."""
        from glmcli.render.quota import clock

        return (
            f"{self.profile}: {self.used:,.0f} of {self.limit:,} weighted tokens today ({self.percent:.0f} %), "
            f"{self.left:,.0f} left; resets {clock(self.resets_at, now)}"
        )

    def to_json(self) -> dict[str, object]:
        """The budget in `glm usage --local --json`."""
        return {
            "profile": self.profile,
            "weighted_tokens": round(self.used, 3),
            "daily_budget": self.limit,
            "left": round(self.left, 3),
            "percent": round(self.percent, 2),
            "resets_at": iso_time(self.resets_at),
        }


def budget_today(app: AppContext, profile: str, router: Router | None) -> DayBudget | None:
    """The budget of a profile by the ledger; None without one. Raises HistoryError."""
    if router is None or router.daily_budget is None:
        return None
    from glmcli.config.routers import day_of

    start, end = day_of(app.now())
    return DayBudget(profile, app.history.ledger.weighted(profile, start), router.daily_budget, end)


def budgets_today(app: AppContext, profile: str | None = None) -> Iterator[DayBudget]:
    """The budgets of all profiles, or of one."""
    for name, each in app.config.profiles.items():
        budget = budget_today(app, name, each.router) if profile in (None, name) and _is_custom(each.provider) else None
        if budget is not None:
            yield budget


def _is_custom(provider: str) -> bool:
    """Not by the table of providers: another profile's misspelt one is told where it is used."""
    return provider.strip().lower() == "custom"

"""What a router still takes from a batch today: weighted tokens against the daily budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glmcli.batching.bill import Bill, prompt_tokens
from glmcli.budgets import DayBudget, budget_today
from glmcli.errors import GlmError

if TYPE_CHECKING:
    from glmcli.api.resources.chat import ChatRequest
    from glmcli.config.routers import Router
    from glmcli.context import AppContext


class Allowance:
    """The budget of the day, by the ledger: whatever this machine asks with the profile counts.

    After `permits` said no, `refused` is the budget as it was, and `needed` what the request would have taken.
    """

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._router: Router | None = app.settings.router
        self._profile = app.settings.profile.value or ""
        self._unrecorded = 0.0
        self.refused: DayBudget | None = None
        self.needed = 0.0
        if app.settings.no_log.value and self.today() is not None:
            app.streams.note("glm: nothing is recorded, so that the daily budget counts this run alone")

    def today(self) -> DayBudget | None:
        """The budget as it stands; None without one. Raises HistoryError."""
        budget = budget_today(self._app, self._profile, self._router)
        return None if budget is None else budget._replace(used=budget.used + self._unrecorded)

    def add(self, weighted: float | None) -> None:
        """Count an answer, if the ledger does not."""
        if self._app.settings.no_log.value:
            self._unrecorded += weighted or 0.0

    def permits(self, request: ChatRequest, bill: Bill, *, under_way: int) -> bool:
        """Whether the day takes this request, with those under way as large as it. Raises HistoryError."""
        budget = self.today()
        if budget is None or self._router is None:
            self.refused = None
            return True
        tokens = prompt_tokens(request) + bill.expected_completion()
        self.needed = self._router.weight_of(request.model) * tokens
        self.refused = budget if self.needed * (under_way + 1) > budget.left else None
        return self.refused is None

    def has_room(self) -> bool:
        """Whether the refused request could go now, with nothing under way. Raises HistoryError."""
        budget = self.today()
        return budget is not None and self.needed <= budget.left

    @property
    def is_worth_waiting(self) -> bool:
        """Whether the refused request fits into a day of its own."""
        return self.refused is not None and self.needed <= self.refused.limit

    def error(self, told: str, again: str) -> GlmError:
        """Why the batch stopped, and what to do."""
        budget = self.today() or self.refused  # with what was under way when it was refused
        assert budget is not None
        from glmcli.render.quota import clock

        if self.is_worth_waiting:
            hint = f"the budget begins anew {clock(budget.resets_at, self._app.now())}: {again}; or let it wait: --wait"
        else:
            hint = (
                f"the next request takes about {self.needed:,.0f}, more than a whole day has: "
                f"glm profile set {self._profile} daily_budget=N"
            )
        return GlmError(
            f"stopped at the daily budget of profile {self._profile} ({budget.used:,.0f} of {budget.limit:,} weighted "
            f"tokens are used today): {told}",
            hint=hint,
        )

"""What the questions of one conversation have used so far, in tokens and money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glmcli.accounting import cost_usd_of, credits_of, weighted_of

if TYPE_CHECKING:
    from glmcli.context import AppContext
    from glmcli.events import Answer


class Spending:
    """Sums over requests. `cost_usd`, `credits` and `weighted` are None while no request had one of that kind.

    `unpriced` counts requests of which neither is known.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.completion_tokens = 0
        self.cost_usd: float | None = None
        self.credits: float | None = None
        self.unpriced = 0
        self.weighted: float | None = None

    def add(self, app: AppContext, answer: Answer) -> None:
        """Count one request."""
        self.requests += 1
        usage = answer.usage
        if usage is None:
            self.unpriced += 1
            return
        self.prompt_tokens += usage.prompt_tokens or 0
        self.cached_tokens += usage.cached_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        cost, credits = cost_usd_of(app, answer.model, usage), credits_of(app, answer.model, usage)
        if cost is not None:
            self.cost_usd = (self.cost_usd or 0.0) + cost
        if credits is not None:
            self.credits = (self.credits or 0.0) + credits
        self.unpriced += cost is None and credits is None
        weighted = weighted_of(app, usage, answer.model)
        if weighted is not None:
            self.weighted = (self.weighted or 0.0) + weighted

    def told(self) -> str:
        """For example `3 requests · 1,204 in (640 cached) · 310 out · $0.0031`."""
        cached = f" ({self.cached_tokens:,} cached)" if self.cached_tokens else ""
        parts = [
            f"{self.requests} request{'' if self.requests == 1 else 's'}",
            f"{self.prompt_tokens:,} in{cached}",
            f"{self.completion_tokens:,} out",
        ]
        if self.cost_usd is not None:
            parts.append(f"${self.cost_usd:.4f}")
        if self.credits is not None:
            parts.append(f"{self.credits:.2f} plan credits")
        if self.weighted is not None:
            parts.append(f"{self.weighted:,.0f} weighted tokens")
        if self.unpriced and self.cost_usd is None and self.credits is None:
            parts.append("price unknown")
        elif self.unpriced:
            parts.append(f"{self.unpriced} of unknown price")
        return " · ".join(parts)

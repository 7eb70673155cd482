"""What a batch has used so far, what it may still use, and what it is going to cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glmcli.events import Usage

if TYPE_CHECKING:
    from glmcli.api.resources.chat import ChatRequest
    from glmcli.context import AppContext

#: Tokens of an answer before the first one came: a few paragraphs, with some thinking.
ASSUMED_ANSWER_TOKENS = 500


class Bill:
    """Sums over all answers of the output, those of earlier runs included.

    `cost_usd` is None while nothing had a public price, `credits` while nothing
    was paid by a plan, `weighted` where no router weighs the tokens.
    """

    def __init__(self, app: AppContext, model: str) -> None:
        self._app = app
        self._model = model
        self.answers = 0
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.completion_tokens = 0
        self.cost_usd: float | None = None
        self.credits: float | None = None
        self.unpriced = 0
        self.weighted: float | None = None

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, model: str | None, usage: Usage | None, *, asked: str | None = None) -> float | None:
        """Count one answer; the weighted tokens that it took. `asked` is the name of the model in the request."""
        from glmcli.accounting import cost_usd_of, credits_of, weighted_of

        self.answers += 1
        if usage is None:
            self.unpriced += 1
            return None
        self.prompt_tokens += usage.prompt_tokens or 0
        self.cached_tokens += usage.cached_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        cost, credits = cost_usd_of(self._app, model, usage), credits_of(self._app, model, usage)
        if cost is not None:
            self.cost_usd = (self.cost_usd or 0.0) + cost
        if credits is not None:
            self.credits = (self.credits or 0.0) + credits
        self.unpriced += cost is None and credits is None
        weighted = weighted_of(self._app, usage, asked, model)
        if weighted is not None:
            self.weighted = (self.weighted or 0.0) + weighted
        return weighted

    def add_kept(self, value: Mapping[str, Any]) -> None:
        """Count an answer of an earlier run, from its line."""
        counts = value.get("usage")
        model = value.get("model")
        usage = None
        if isinstance(counts, dict):
            known = {name: count for name, count in counts.items() if isinstance(count, int)}
            usage = Usage(
                prompt_tokens=known.get("prompt_tokens"),
                completion_tokens=known.get("completion_tokens"),
                cached_tokens=known.get("cached_tokens"),
            )
        self.add(model if isinstance(model, str) else self._model, usage)

    def expected_completion(self) -> int:
        """Tokens of an average answer."""
        return self.completion_tokens // self.answers if self.completion_tokens else ASSUMED_ANSWER_TOKENS

    def weight_of(self, model: str) -> float:
        """What a token of a model counts for the router; 1 without one."""
        router = self._app.settings.router
        return 1.0 if router is None else router.weight_of(model)

    def price(self, model: str, *, prompt: int, completion: int) -> float | None:
        """USD of so many tokens; None where no public price applies."""
        from glmcli.accounting import cost_usd_of

        return cost_usd_of(self._app, model, Usage(prompt_tokens=prompt, completion_tokens=completion))

    def has_price(self, model: str) -> bool:
        """Whether a public price applies to a model here."""
        return self.price(model, prompt=0, completion=0) is not None

    def told(self) -> str:
        """For example `1,204 tokens in (640 cached), 310 out, $0.0031`."""
        cached = f" ({self.cached_tokens:,} cached)" if self.cached_tokens else ""
        parts = [f"{self.prompt_tokens:,} tokens in{cached}", f"{self.completion_tokens:,} out"]
        if self.cost_usd is not None:
            parts.append(f"${self.cost_usd:.4f}")
        if self.credits is not None:
            parts.append(f"{self.credits:,.1f} plan credits")
        if self.weighted is not None:
            parts.append(f"{self.weighted:,.0f} weighted")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Budget:
    """Where to stop; None means nowhere. What is under way counts with what it is expected to use."""

    max_cost_usd: float | None = None
    max_tokens: int | None = None

    def exceeded(self, bill: Bill, expected_tokens: int, expected_cost: float) -> str | None:
        """The option that forbids the next request, else None."""
        if self.max_cost_usd is not None and (bill.cost_usd or 0.0) + expected_cost > self.max_cost_usd:
            return f"--max-cost {self.max_cost_usd:g}"
        if self.max_tokens is not None and bill.total_tokens + expected_tokens > self.max_tokens:
            return f"--max-tokens-total {self.max_tokens}"
        return None


def prompt_tokens(request: ChatRequest) -> int:
    """About how many tokens a request has."""
    from glmcli.api.tokens import estimate_request

    return estimate_request(request.messages, request.tools)

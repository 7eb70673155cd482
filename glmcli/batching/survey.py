"""Reads a whole batch before anything of it is sent: is every line good, what is left, what will it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from glmcli.batching.answers import AnswerFile
from glmcli.batching.bill import Bill, prompt_tokens
from glmcli.batching.index import DiskIndex, Entry, Order, key_of, number_of
from glmcli.batching.items import Input, Item
from glmcli.batching.progress import duration
from glmcli.batching.requests import Requests, check_id
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.budgets import DayBudget
    from glmcli.context import AppContext


@dataclass(slots=True)
class Survey:
    """What the input holds. `todo` were never answered, `changed` were answered to another request.

    `weights` sums what a token of each request counts for the router: of one answer token per request.
    """

    total: int = 0
    todo: int = 0
    changed: int = 0
    first_changed: str = ""
    prompt_tokens: int = 0
    cost_in: float | None = None
    at_most_out: int | None = 0
    weighted_in: float = 0.0
    weights: float = 0.0

    @property
    def to_send(self) -> int:
        """How many requests are left."""
        return self.todo + self.changed


def surveyed(source: Input, requests: Requests, answers: AnswerFile, bill: Bill, order: Order) -> Survey:
    """Read everything once, so that a bad line is told before anything is paid."""
    survey, lines = Survey(), DiskIndex()
    try:
        for item in source:
            key = key_of(item.id)
            earlier = lines.get(key)
            check_id(None if earlier is None else earlier.first, item, source.name)
            lines.put(key, Entry(item.line, 0, 0))
            order.append(key)
            _count(survey, item, requests, answers, bill)
    finally:
        lines.close()
    if not survey.total:
        raise UsageError(f"{source.name} holds no prompts", hint='a line is "a prompt", or {"id": …, "prompt": …}')
    return survey


def _count(survey: Survey, item: Item, requests: Requests, answers: AnswerFile, bill: Bill) -> None:
    request = requests.request_for(item)
    survey.total += 1
    known = answers.request_of(item.id)
    if known == number_of(requests.digest(request)):
        return
    if known is None:
        survey.todo += 1
    else:
        survey.changed += 1
        survey.first_changed = survey.first_changed or item.id
    tokens = prompt_tokens(request)
    survey.prompt_tokens += tokens
    weight = bill.weight_of(request.model)
    survey.weights += weight
    survey.weighted_in += weight * tokens
    cost = bill.price(request.model, prompt=tokens, completion=0)
    if cost is not None:
        survey.cost_in = (survey.cost_in or 0.0) + cost
    limit = request.extra.get("max_tokens", request.max_tokens)
    can_add = survey.at_most_out is not None and isinstance(limit, int)
    survey.at_most_out = survey.at_most_out + limit if can_add else None  # type: ignore[operator]  # both are numbers


def write_estimate(app: AppContext, survey: Survey, bill: Bill, model: str, budget: DayBudget | None) -> None:
    """What the rest is going to use; standard output, because it is what was asked for."""
    from glmcli.api.catalog import PRICES_AS_OF

    each = bill.expected_completion()
    out = survey.to_send * each
    value: dict[str, object] = {
        "requests": survey.total,
        "to_send": survey.to_send,
        "model": model,
        "prompt_tokens": survey.prompt_tokens,
        "completion_tokens": out,
        "completion_tokens_at_most": survey.at_most_out,
        "cost_usd": bill.price(model, prompt=survey.prompt_tokens, completion=out),
        "cost_usd_at_most": None,
        "prices_as_of": PRICES_AS_OF,
    }
    if survey.at_most_out is not None:
        value["cost_usd_at_most"] = bill.price(model, prompt=survey.prompt_tokens, completion=survey.at_most_out)
    router = RouterEstimate.of(app, survey, each, budget)
    if app.options.json:
        app.streams.write_json({**value, "router": router and router.to_json()})
        return
    assumed = "as the answers so far" if bill.answers else "assumed"
    most = f", at most {survey.at_most_out:,}" if survey.at_most_out is not None else ""
    lines = [
        f"requests    {survey.total:,}, of which {survey.to_send:,} are left",
        f"model       {model}",
        f"tokens in   about {survey.prompt_tokens:,}",
        f"tokens out  about {out:,} ({each:,} each, {assumed}){most}",
        f"cost        {_cost_told(value)}",
        *(router.lines() if router else ()),
    ]
    app.streams.write("".join(f"{line}\n" for line in lines))


class RouterEstimate(NamedTuple):
    """What the rest is going to take of a router. `weighted` None where it weighs nothing."""

    weighted: float | None
    budget: DayBudget | None
    per_minute: int | None
    seconds_at_least: float

    @classmethod
    def of(cls, app: AppContext, survey: Survey, each: int, budget: DayBudget | None) -> RouterEstimate | None:
        """The estimate, with answers of `each` tokens; None for a profile without a router's rules."""
        router = app.settings.router
        if router is None:
            return None
        from glmcli.pace import WINDOW_SECONDS

        weighted = survey.weighted_in + survey.weights * each if router.is_counted else None
        per_minute = router.requests_per_minute
        pauses = (survey.to_send - 1) // per_minute if per_minute and survey.to_send else 0
        return cls(weighted, budget, per_minute, pauses * WINDOW_SECONDS)

    def lines(self) -> list[str]:
        """For people."""
        lines = []
        if self.weighted is not None:
            lines.append(f"weighted    about {self.weighted:,.0f} tokens{self._against_budget()}")
        if self.per_minute is not None:
            wait = f": at least {duration(self.seconds_at_least)}" if self.seconds_at_least else ""
            lines.append(f"rate        {self.per_minute:,} requests a minute{wait}")
        return lines

    def _against_budget(self) -> str:
        budget = self.budget
        if budget is None:
            return ""
        left = f"{budget.left:,.0f} of the daily {budget.limit:,} are left today"
        return f"; {left}" if self._fits else f"; only {left}, so that it stops there"

    @property
    def _fits(self) -> bool:
        return self.budget is None or self.weighted is None or self.weighted <= self.budget.left

    def to_json(self) -> dict[str, object]:
        """`router` of `glm batch run --estimate --json`."""
        return {
            "weighted_tokens": None if self.weighted is None else round(self.weighted, 3),
            "budget": self.budget and self.budget.to_json(),
            "fits_today": self._fits,
            "requests_per_minute": self.per_minute,
            "seconds_at_least": self.seconds_at_least,
        }


def _cost_told(value: dict[str, object]) -> str:
    if value["cost_usd"] is None:
        return "unknown: no public price for this model and provider"
    most = f", at most ${value['cost_usd_at_most']:.2f}" if value["cost_usd_at_most"] is not None else ""
    return f"about ${value['cost_usd']:.2f}{most} (prices of {value['prices_as_of']})"

"""Reads a whole batch before anything of it is sent: is every line good, what is left, what will it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glmcli.batching.answers import AnswerFile
from glmcli.batching.bill import Bill, prompt_tokens
from glmcli.batching.index import DiskIndex, Entry, Order, key_of, number_of
from glmcli.batching.items import Input, Item
from glmcli.batching.requests import Requests, check_id
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.context import AppContext


@dataclass(slots=True)
class Survey:
    """What the input holds. `todo` were never answered, `changed` were answered to another request."""

    total: int = 0
    todo: int = 0
    changed: int = 0
    first_changed: str = ""
    prompt_tokens: int = 0
    cost_in: float | None = None
    at_most_out: int | None = 0

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
    cost = bill.price(request.model, prompt=tokens, completion=0)
    if cost is not None:
        survey.cost_in = (survey.cost_in or 0.0) + cost
    limit = request.extra.get("max_tokens", request.max_tokens)
    can_add = survey.at_most_out is not None and isinstance(limit, int)
    survey.at_most_out = survey.at_most_out + limit if can_add else None  # type: ignore[operator]  # both are numbers


def write_estimate(app: AppContext, survey: Survey, bill: Bill, model: str) -> None:
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
    if app.options.json:
        app.streams.write_json(value)
        return
    assumed = "as the answers so far" if bill.answers else "assumed"
    most = f", at most {survey.at_most_out:,}" if survey.at_most_out is not None else ""
    lines = [
        f"requests    {survey.total:,}, of which {survey.to_send:,} are left",
        f"model       {model}",
        f"tokens in   about {survey.prompt_tokens:,}",
        f"tokens out  about {out:,} ({each:,} each, {assumed}){most}",
        f"cost        {_cost_told(value)}",
    ]
    app.streams.write("".join(f"{line}\n" for line in lines))


def _cost_told(value: dict[str, object]) -> str:
    if value["cost_usd"] is None:
        return "unknown: no public price for this model and provider"
    most = f", at most ${value['cost_usd_at_most']:.2f}" if value["cost_usd_at_most"] is not None else ""
    return f"about ${value['cost_usd']:.2f}{most} (prices of {value['prices_as_of']})"

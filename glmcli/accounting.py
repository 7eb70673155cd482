"""Writes what a request used into the local ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glmcli.api.endpoints import Plan, Region
from glmcli.errors import HistoryError

if TYPE_CHECKING:
    from glmcli.context import AppContext
    from glmcli.events import Usage


def prepare_to_record(app: AppContext) -> None:
    """Load what writing an answer down takes, for a moment when there is nothing else to do."""
    if app.settings.no_log.value:
        return
    from glmcli.api import catalog  # noqa: F401  # the prices
    from glmcli.history import model  # noqa: F401  # the rows

    app.history.prepare()


def record_usage(
    app: AppContext, *, command: str, model: str | None, usage: Usage | None, asked: str | None = None
) -> None:
    """Add one request to the ledger; never fails the command that it counts.

    `model` answered; `asked` is the name that was asked for, if it may be another one.
    Nothing is recorded for the sandbox, without counts, and when logging is off.
    """
    settings = app.settings
    if usage is None or settings.no_log.value or settings.provider.value.name == "sandbox":
        return
    from glmcli.history.model import UsageEntry

    cost = cost_usd_of(app, model, usage)
    entry = UsageEntry(
        command=command,
        provider=settings.provider.value.name,
        model=model,
        profile=settings.profile.value,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        cost=cost,
        currency=None if cost is None else "USD",
        credits=credits_of(app, model, usage),
        weighted=weighted_of(app, usage, asked, model),
    )
    try:
        app.history.ledger.record(entry)
    except HistoryError as error:
        app.streams.note(f"glm: the use is not recorded: {error.message}")


def cost_usd_of(app: AppContext, model: str | None, usage: Usage) -> float | None:
    """The public price where it applies: pay as you go, international, of the vendor itself."""
    provider = app.settings.provider.value
    if model is None or provider.name in ("custom", "sandbox"):
        return None
    if provider.plan is Plan.CODING or provider.region is Region.CN:
        return None
    from glmcli.api.catalog import cost_usd

    return cost_usd(
        model,
        prompt=usage.prompt_tokens or 0,
        cached=usage.cached_tokens or 0,
        completion=usage.completion_tokens or 0,
    )


def weighted_of(app: AppContext, usage: Usage, *models: str | None) -> float | None:
    """The tokens that a router counts; None where the profile names none that weighs them."""
    router = app.settings.router
    return None if router is None else router.weighted(usage, *models)


def credits_of(app: AppContext, model: str | None, usage: Usage) -> float | None:
    """What a Coding Plan counts; None for models whose weights are unknown."""
    if model is None or app.settings.provider.value.plan is not Plan.CODING:
        return None
    from glmcli.api.catalog import plan_credits

    return plan_credits(
        model,
        prompt=usage.prompt_tokens or 0,
        cached=usage.cached_tokens or 0,
        completion=usage.completion_tokens or 0,
        at=app.now(),
    )

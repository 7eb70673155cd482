"""Writes what a request used into the local ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glmcli.api.endpoints import Plan, Region
from glmcli.errors import HistoryError

if TYPE_CHECKING:
    from glmcli.context import AppContext
    from glmcli.events import Usage
    from glmcli.history.model import UsageEntry


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
    if usage is None or not _is_recorded(app):
        return
    entry = _entry(
        app,
        command=command,
        model=model,
        cost=cost_usd_of(app, model, usage),
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        credits=credits_of(app, model, usage),
        weighted=weighted_of(app, usage, asked, model),
    )
    _record(app, entry)


def record_piece(app: AppContext, *, command: str, model: str, by_plan: bool = False) -> None:
    """Add what is paid by the piece (a picture, a video, a search), `by_plan` in credits, else at its public price.

    A piece whose price is not known is recorded, too: it was paid for.
    """
    if not _is_recorded(app):
        return
    from glmcli.api.catalog import tool_credits

    cost = None if by_plan else piece_usd_of(app, model)
    credits = tool_credits(app.now()) if by_plan else None
    _record(app, _entry(app, command=command, model=model, cost=cost, credits=credits))


def _is_recorded(app: AppContext) -> bool:
    return not app.settings.no_log.value and app.settings.provider.value.name != "sandbox"


def _entry(app: AppContext, *, cost: float | None, **facts: Any) -> UsageEntry:
    from glmcli.history.model import UsageEntry

    settings = app.settings
    return UsageEntry(
        provider=settings.provider.value.name,
        profile=settings.profile.value,
        cost=cost,
        currency=None if cost is None else "USD",
        **facts,
    )


def _record(app: AppContext, entry: UsageEntry) -> None:
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


def piece_usd_of(app: AppContext, model: str) -> float | None:
    """The public price of one piece; a Coding Plan pays pictures and videos from the balance, too."""
    provider = app.settings.provider.value
    if provider.name in ("custom", "sandbox") or provider.region is Region.CN:
        return None
    from glmcli.api.othermodels import piece_usd

    return piece_usd(model)


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

"""`glm usage`: the windows of a Coding Plan, and what this machine has used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.api.catalog import PRICES_AS_OF
from glmcli.api.endpoints import VENDOR_PROVIDERS, Plan, Provider
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.diagnosis import BILLING_PAGE
from glmcli.errors import ExitCode, GlmError, KeyRefused, NetworkError, ServiceError, UsageError
from glmcli.history.times import iso_time, parse_age

if TYPE_CHECKING:
    from glmcli.api.resources.quota import Monitor, PlanQuota, Series, Subscription, Window
    from glmcli.budgets import DayBudget
    from glmcli.history.model import UsageSum
    from glmcli.render.quota import Look

app = command_app()

SCHEMA_VERSION = 1
WATCH_SECONDS = 60.0
_LEDGER_AGE = "30d"
_SERIES_AGE = "24h"


class By(StrEnum):
    """What the sums of the ledger are made for."""

    DAY = "day"
    MODEL = "model"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True)
class UsageOptions:
    """What to show. Ages are text (`24h`, `30d`); `watch_seconds` None shows it once."""

    local: bool = False
    by: By = By.DAY
    since: str | None = None
    watch_seconds: float | None = None
    fail_above: float | None = None
    models: bool = False
    tools: bool = False

    @property
    def is_series(self) -> bool:
        """Whether use over time is asked for instead of the windows."""
        return self.models or self.tools


@app.command(
    epilog=examples(
        "glm usage",
        "glm usage --watch 30",
        "glm usage --fail-above 90 --json",
        "glm usage --models --tools --since 24h",
        "glm usage --local --by model --since 7d",
    )
)
def usage(
    ctx: typer.Context,
    seconds: Annotated[
        float | None,
        typer.Argument(min=1, metavar="[SECONDS]", help="How often --watch looks; 60 without.", show_default=False),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again, until Ctrl-C.")] = False,
    fail_above: Annotated[
        float | None,
        typer.Option(
            "--fail-above",
            metavar="PERCENT",
            min=0,
            max=100,
            help="Exit with 6 when a window, or with --local a daily budget, is used to more than that.",
            show_default=False,
        ),
    ] = None,
    models: Annotated[bool, typer.Option("--models", help="Show tokens per model over time.")] = False,
    tools: Annotated[bool, typer.Option("--tools", help="Show calls per tool over time.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Show what this machine used; asks nobody.")] = False,
    by: Annotated[
        By | None, typer.Option("--by", help="Sum the local use by day, model or profile.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="AGE",
            help=f"Go back 12h, 7d, 6mo or to 2026-11-01; {_LEDGER_AGE} locally, {_SERIES_AGE} of the service.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show the plan's windows, or what was used here."""
    if seconds is not None and not watch:
        raise UsageError("SECONDS goes with --watch", hint=f"glm usage --watch {seconds:g}")
    options = UsageOptions(
        local=local or by is not None or (since is not None and not (models or tools)),
        by=by or By.DAY,
        since=since,
        watch_seconds=(seconds or WATCH_SECONDS) if watch else None,
        fail_above=fail_above,
        models=models,
        tools=tools,
    )
    _check(options)
    run(context_of(ctx), options)


def _check(options: UsageOptions) -> None:
    if options.local and options.is_series:
        raise UsageError("--models and --tools come from the service", hint="leave out --local and --by")
    if options.fail_above is not None and options.is_series:
        raise UsageError("--fail-above looks at the windows of a plan", hint="glm usage --fail-above 90")


def run(app: AppContext, options: UsageOptions) -> None:
    """Show it once, or with `watch_seconds` until Ctrl-C.

    Raises ServiceError (exit 6) when a window is fuller than `fail_above`.
    """
    show = _chosen(app, options)
    if options.watch_seconds is None:
        show()
    else:
        _watch(app, show, options.watch_seconds)


def _chosen(app: AppContext, options: UsageOptions) -> Callable[[], None]:
    if options.local:
        return lambda: _show_ledger(app, options)
    if options.is_series:
        return lambda: _show_series(app, options)
    return lambda: _show_windows(app, options)


def _watch(app: AppContext, show: Callable[[], None], seconds: float) -> None:
    """Show it again and again; a network that is gone for a while is waited for."""
    streams = app.streams
    on_terminal = streams.stdout_is_tty and not streams.is_dumb and not app.options.json
    try:
        while True:
            if on_terminal:
                streams.write("\x1b[H\x1b[2J")
            try:
                show()
            except NetworkError as error:
                streams.note(f"glm: {error.message}; trying again in {seconds:g} s")
            app.sleep(seconds)
    except KeyboardInterrupt:
        return  # the way to end it, not a failure


# -- windows ---------------------------------------------------------------------


def _show_windows(app: AppContext, options: UsageOptions) -> None:
    monitor = _monitor(app)
    quota = _quota_of(app, monitor)
    if quota is None:
        _show_metered(app, options)
        return
    _write_windows(app, quota, _subscriptions(monitor))
    provider = app.settings.provider.value
    if provider.plan is Plan.PAYG and provider.name in VENDOR_PROVIDERS:
        app.streams.note(
            f"glm: {provider.name} pays from the balance; the plan pays with --provider {provider.name}-coding"
        )
    if options.fail_above is not None:
        _judge(app, quota, options.fail_above)


def _monitor(app: AppContext) -> Monitor:
    from glmcli.api.resources.quota import Monitor

    if app.settings.base_url.value is not None:
        raise UsageError(
            "a custom endpoint has no windows to show", hint="what this machine used there: glm usage --local"
        )
    return Monitor(app.client, language=app.language)


def _quota_of(app: AppContext, monitor: Monitor) -> PlanQuota | None:
    """The plan; None for a balance without one. Raises ServiceError for a fault, and for a plan that is not there."""
    from glmcli.api.resources.quota import has_no_plan

    provider = app.settings.provider.value
    try:
        return monitor.quota()
    except KeyRefused:
        raise
    except ServiceError as error:
        if provider.plan is Plan.PAYG and (has_no_plan(error) or _is_missing(error)):
            return None
        if has_no_plan(error):
            raise _without_plan(provider, error) from error
        raise _untold(provider, error) from error


def _is_missing(error: ServiceError) -> bool:
    """Whether the service has no such endpoint, which says nothing bad about a balance."""
    return error.http_status == 404 and not error.is_foreign


def _without_plan(provider: Provider, error: ServiceError) -> ServiceError:
    return ServiceError(
        f"this key has no active Coding Plan ({error.server_message})",
        hint=f"what the key can use: glm doctor --provider {provider.name}\nwhat this machine used: glm usage --local",
        kind="plan_account",
        code=error.code,
        http_status=error.http_status,
        request_id=error.request_id,
        exit_code=ExitCode.BALANCE,
        server_message=error.server_message,
    )


def _untold(provider: Provider, error: ServiceError) -> ServiceError:
    """The endpoint is not in the vendor's reference, and may be missing or fail."""
    return ServiceError(
        f"the service does not tell the windows of the plan ({error.message})",
        hint=f"look at {BILLING_PAGE[provider.region]}\nwhat this machine used: glm usage --local",
        kind=error.kind,
        code=error.code,
        http_status=error.http_status,
        request_id=error.request_id,
        retryable=error.retryable,
        exit_code=error.exit_code,
    )


def _subscriptions(monitor: Monitor) -> Sequence[Subscription]:
    """What was bought: one line that is nice to have, and never worth a failure."""
    with suppress(ServiceError, NetworkError):
        return monitor.subscriptions()
    return ()


def _write_windows(app: AppContext, quota: PlanQuota, bought: Sequence[Subscription]) -> None:
    from glmcli.render import quota as render

    streams, now, provider = app.streams, app.now(), app.settings.provider.value.name
    if app.options.json:
        streams.write_json(
            {
                "schema_version": SCHEMA_VERSION,
                "provider": provider,
                "plan": quota.level,
                "subscriptions": [render.subscription_document(each) for each in bought],
                "windows": [render.window_document(each, now) for each in quota.windows],
            }
        )
    elif streams.stdout_is_tty:
        streams.write_line(render.headline(provider, quota, bought))
        for line in render.lines(quota, now, _look(app)):
            streams.write(line + "\n")
        if not quota.windows:
            streams.note("the service names no windows for this plan")
    else:
        for window in quota.windows:
            streams.write_line("\t".join(render.fields(window)))


def _look(app: AppContext) -> Look:
    from glmcli.render.quota import Look

    streams = app.streams
    return Look(streams.width, color=streams.may_color(), blocks=not streams.is_dumb)


def _judge(app: AppContext, quota: PlanQuota, percent: float) -> None:
    """Raise ServiceError when a window is used to more than `percent`."""
    from glmcli.render.quota import clock, name_of

    above = [each for each in quota.windows if each.percent_used is not None and each.percent_used > percent]
    if not above:
        return
    fullest: Window = max(above, key=lambda each: each.percent_used or 0)
    resets = f"; it resets {clock(fullest.resets_at, app.now())}" if fullest.resets_at else ""
    raise ServiceError(
        f"the window of {name_of(fullest)} is used to {fullest.percent_used:.0f} %, more than {percent:g} %{resets}",
        hint="wait for the reset, or use pay as you go: --provider zai or zhipu",
        kind="plan_window",
        exit_code=ExitCode.LIMIT,
        reset_at=fullest.resets_at,
    )


def _show_metered(app: AppContext, options: UsageOptions) -> None:
    """For a balance: no endpoint tells it, so what this machine knows, and where to look."""
    provider = app.settings.provider.value
    if options.fail_above is not None:
        raise GlmError(
            f"{provider.name} pays from a balance, which no endpoint tells: there is no window to judge",
            hint="with a Coding Plan: glm usage --provider zai-coding --fail-above 90",
        )
    page = BILLING_PAGE[provider.region]
    if not app.options.json:
        app.streams.note(f"{provider.name} pays from a balance, and no endpoint tells it; look at {page}")
        app.streams.note("what this machine used:")
    _show_ledger(app, options, extra={"provider": provider.name, "plan": None, "windows": [], "console": page})


# -- use over time ---------------------------------------------------------------


def _show_series(app: AppContext, options: UsageOptions) -> None:
    from glmcli.render import quota as render

    monitor = _monitor(app)
    series = dict(_series(app, monitor, options))
    if app.options.json:
        documents = {name: render.series_document(each) for name, each in series.items()}
        app.streams.write_json({"schema_version": SCHEMA_VERSION, **documents})
        return
    for name, each in series.items():
        if app.streams.stdout_is_tty:
            for line in render.series_lines(_TITLES[name], each, _look(app)):
                app.streams.write_line(line)
        else:
            for fields in render.series_fields(each):
                app.streams.write_line("\t".join(fields))


_TITLES = {"models": "TOKENS", "tools": "CALLS"}


def _series(app: AppContext, monitor: Monitor, options: UsageOptions) -> Iterator[tuple[str, Series]]:
    start, end = _whole_hours(_since(app, options.since or _SERIES_AGE), app.now())
    try:
        if options.models:
            yield "models", monitor.model_usage(start, end)
        if options.tools:
            yield "tools", monitor.tool_usage(start, end)
    except KeyRefused:
        raise
    except ServiceError as error:
        raise _untold(app.settings.provider.value, error) from error


def _whole_hours(start: float, end: float) -> tuple[float, float]:
    """From the beginning of an hour to the end of one, as the vendor's own plugin asks."""
    return start // 3600 * 3600, end // 3600 * 3600 + 3599


# -- the ledger ------------------------------------------------------------------


def _show_ledger(app: AppContext, options: UsageOptions, extra: dict[str, object] | None = None) -> None:
    """The sums of the local ledger; those of one profile with `-p`."""
    from glmcli.budgets import budgets_today
    from glmcli.render import ledger as render

    since = _since(app, options.since or _LEDGER_AGE, whole_days=options.by is By.DAY)
    sums = app.history.ledger.summary(options.by.value, since=since, profile=app.options.profile)
    budgets = list(budgets_today(app, app.options.profile))
    if app.options.json:
        head = {"schema_version": SCHEMA_VERSION, **(extra or {})}
        told = {"budgets": [each.to_json() for each in budgets]}
        app.streams.write_json({**head, "local": {**_ledger_document(sums, options, since), **told}})
    elif not sums:
        app.streams.note(f"nothing was recorded here since {iso_time(since)[:10]}")
    elif app.streams.stdout_is_tty:
        for line in render.table(options.by.value, sums):
            app.streams.write_line(line)
        _explain_costs(app, sums)
    else:
        for each in sums:
            app.streams.write_line("\t".join(render.fields(each)))
    if not app.options.json:
        _tell_budgets(app, budgets)
    if options.local and options.fail_above is not None:
        _judge_budgets(app, budgets, options.fail_above)


def _tell_budgets(app: AppContext, budgets: Sequence[DayBudget]) -> None:
    """A line per budget: below the table on a terminal, beside the values in a pipe."""
    tell = app.streams.write_line if app.streams.stdout_is_tty else app.streams.note
    for each in budgets:
        tell(each.told(app.now()))


def _judge_budgets(app: AppContext, budgets: Sequence[DayBudget], percent: float) -> None:
    """Raise ServiceError when a budget is used to more than `percent`; UsageError when there is none."""
    from glmcli.render.quota import clock

    if not budgets:
        raise UsageError(
            "--fail-above --local looks at daily budgets, and no profile has one",
            hint="glm profile set NAME daily_budget=1000000, or the windows of a plan: glm usage --fail-above 90",
        )
    fullest = max(budgets, key=lambda each: each.percent)
    if fullest.percent > percent:
        raise ServiceError(
            f"the daily budget of profile {fullest.profile} is used to {fullest.percent:.0f} %, "
            f"more than {percent:g} %; it resets {clock(fullest.resets_at, app.now())}",
            hint="wait for the reset, or use another profile: glm -p NAME",
            kind="plan_window",
            exit_code=ExitCode.LIMIT,
            reset_at=fullest.resets_at,
        )


def _ledger_document(sums: Sequence[UsageSum], options: UsageOptions, since: float) -> dict[str, object]:
    from glmcli.render import ledger as render

    return {
        "by": options.by.value,
        "since": iso_time(since),
        "prices_as_of": PRICES_AS_OF,
        "sums": [render.document(each) for each in sums],
        "total": render.document(render.total_of(sums)) | {"key": None},
    }


def _explain_costs(app: AppContext, sums: Sequence[UsageSum]) -> None:
    if any(each.costs for each in sums):
        app.streams.note(f"costs: by the vendor's public prices as of {PRICES_AS_OF}; the bill is the vendor's")
    if any(each.unpriced for each in sums):
        app.streams.note("?: requests whose price is not known here")


def _since(app: AppContext, text: str, *, whole_days: bool = False) -> float:
    """Epoch seconds of an age or a date; with `whole_days` the beginning of that day. Raises UsageError."""
    from datetime import datetime

    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").timestamp()
    except ValueError:
        moment = app.now() - parse_age(text)
    if not whole_days:
        return moment
    return datetime.fromtimestamp(max(moment, 0)).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

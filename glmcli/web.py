"""Which way a search or a reading goes, and what a refusal on that way means.

On a Coding Plan the REST forms bill the balance, so the plan's own MCP servers
are asked; `--via` overrides that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from glmcli.api.endpoints import Plan, Service, Via
from glmcli.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from glmcli.context import AppContext

T = TypeVar("T")

_WORDS = {
    Via.GENERAL: "the general endpoint, which bills the balance",
    Via.CODING: "the coding endpoint",
    Via.MCP: "the plan's MCP server, which draws on the plan's monthly calls",
}


def route_of(app: AppContext) -> Via:
    """The way this invocation goes: `--via`, else what the plan pays."""
    return app.target.via or (Via.MCP if app.target.provider.plan is Plan.CODING else Via.GENERAL)


def tell_route(app: AppContext, route: Via) -> None:
    """Name the route with `-v`; say of a dry run what it cannot show."""
    if app.options.verbose:
        base = app.target.base(Service.MCP if route is Via.MCP else Service.WEB)
        app.streams.complain(f"glm: route {route.value}: {base} ({_WORDS[route]})")
    if app.options.dry_run and route is Via.MCP:
        app.streams.note(
            "glm: this opens a session with the MCP server; notifications/initialized, tools/list and tools/call follow"
        )


def explained(app: AppContext, route: Via, error: ServiceError) -> ServiceError:
    """The error of a plan's key that `--via` led to the balance, with the words to leave out.

    In the message, because the hint is replaced by the diagnosis of the key (`remedy`).
    """
    if error.code == "1113" and route is not Via.MCP and app.target.provider.plan is Plan.CODING:
        error.message = f"{error.message.rstrip('.')}; without --via {route.value} the plan's own MCP server answers"
    return error


def patiently(app: AppContext, attempt: Callable[[], T]) -> T:
    """Repeat what is worth repeating among refusals inside of answers with HTTP 200.

    An MCP server words them so; the client repeats only what it can see. `--wait` counts here, too.
    """
    from glmcli.api.retry import RetryPolicy

    policy = RetryPolicy(max_retries=app.settings.max_retries.value, wait_for_reset=app.options.wait, now=app.now)
    count = 0
    while True:
        count += 1
        try:
            return attempt()
        except ServiceError as error:
            delay = policy.delay(error, count) if error.http_status is None else None
            if delay is None:
                raise
            app.streams.note(f"glm: {error.message}; trying again in {delay:.1f} s (attempt {count + 1})")
            app.sleep(delay)


def once(tell: Callable[[str], None]) -> Callable[[str], None]:
    """A notice that is told only the first time, whichever thread comes first."""
    told: set[str] = set()

    def note(text: str) -> None:
        if text not in told:
            told.add(text)
            tell(f"glm: {text}")

    return note

"""`glm models`: what can be asked, how much it holds, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.api.catalog import MODELS, PRICES_AS_OF, find_model, nearest
from glmcli.api.endpoints import Region
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import ConfigError, UsageError
from glmcli.render.models import CNY_PRICES, HEADER, SCHEMA_VERSION, Listed, can_see, document, fields, paragraph, row

if TYPE_CHECKING:
    from glmcli.config.model import Settings

app = command_app()


class Place(StrEnum):
    """A region, or both."""

    INTL = "intl"
    CN = "cn"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class ModelsOptions:
    """Which models: a pattern and filters; `place` None is the region of the provider."""

    pattern: str | None = None
    remote: bool = False
    vision: bool = False
    thinking: bool = False
    in_plan: bool = False
    free: bool = False
    place: Place | None = None


@app.command(
    epilog=examples(
        "glm models",
        "glm models glm-5.3",
        "glm models '*flash*' --vision",
        "glm models --plan -q",
        "glm models --remote --json",
    )
)
def models(
    ctx: typer.Context,
    pattern: Annotated[
        str | None,
        typer.Argument(help="An id or alias, shown in full; or part of ids, or a pattern with *.", show_default=False),
    ] = None,
    remote: Annotated[bool, typer.Option("--remote", help="Ask the service what it lists, too.")] = False,
    vision: Annotated[bool, typer.Option("--vision", help="List those that take pictures.")] = False,
    thinking: Annotated[bool, typer.Option("--thinking", help="List those that think.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="List those of the Coding Plan.")] = False,
    free: Annotated[bool, typer.Option("--free", help="List those that cost nothing.")] = False,
    region: Annotated[
        Place | None, typer.Option("--region", help="List those of a region.", show_default=False)
    ] = None,
) -> None:
    """List models with context, price and abilities."""
    options = ModelsOptions(
        pattern=pattern,
        remote=remote,
        vision=vision,
        thinking=thinking,
        in_plan=plan,
        free=free,
        place=region,
    )
    run(context_of(ctx), options)


def run(app: AppContext, options: ModelsOptions) -> None:
    """Print one model in full, or a list. Raises UsageError when nothing fits."""
    settings = _settings(app, is_needed=options.remote)
    place = options.place or _place_of(settings)
    known = _listed(app, settings, place, remote=options.remote)
    one = _named(app, options.pattern, known)
    if one is not None:
        _write_one(app, one)
        return
    found = [item for item in known if _is_wanted(item, options, place)]
    if not found and options.pattern:
        raise _no_such_model(options)
    _write_list(app, found, place)


def _settings(app: AppContext, *, is_needed: bool) -> Settings | None:
    """What is set up; None for somebody who has set nothing up yet and only looks around."""
    options = app.options
    named = options.profile or options.provider or options.base_url
    _ = app.config  # a broken file is told, whatever is asked
    try:
        return app.settings
    except ConfigError:
        if named or is_needed:
            raise
        return None


def _place_of(settings: Settings | None) -> Place:
    if settings is None or settings.provider.value.name in ("sandbox", "custom"):
        return Place.ANY
    return Place(settings.provider.value.region.value)


# -- gathering -----------------------------------------------------------------


def _listed(app: AppContext, settings: Settings | None, place: Place, *, remote: bool) -> list[Listed]:
    """Every model that is known here, and with `remote` those that the service adds.

    What the service leaves out stays: its list holds neither vision nor free models.
    """
    served = _served(app) if remote else None
    is_custom = settings is not None and settings.provider.value.name == "custom"
    ids = list(served or ()) if served is not None and is_custom else [*MODELS, *(served or ())]
    return [_as_listed(app, settings, id, place, served) for id in dict.fromkeys(ids)]


def _as_listed(app: AppContext, settings: Settings | None, id: str, place: Place, served: list[str] | None) -> Listed:
    return Listed(
        id,
        find_model(id),
        currency=_currency(settings, place),
        is_default=settings is not None and settings.model.value == id,
        aliases=tuple(alias for alias, model in app.config.aliases.items() if model == id),
        is_served=None if served is None else id in served,
    )


def _currency(settings: Settings | None, place: Place) -> str | None:
    """That of the bill; None where somebody else than the vendor writes it."""
    if settings is not None and settings.base_url.value is not None:
        return None
    in_cn = place is Place.CN or (place is Place.ANY and _place_of(settings) is Place.CN)
    return "CNY" if in_cn else "USD"


def _served(app: AppContext) -> list[str]:
    from glmcli.api.resources.models import Models

    return [model.id for model in Models(app.client).list()]


# -- choosing ------------------------------------------------------------------


def _named(app: AppContext, pattern: str | None, known: Iterable[Listed]) -> Listed | None:
    """The model that an id or an alias names, whatever the filters say."""
    if pattern is None:
        return None
    from glmcli.config.resolve import resolve_alias

    wanted = resolve_alias(pattern.strip(), app.config.aliases).lower()
    return next((item for item in known if item.id.lower() == wanted), None)


def _is_wanted(item: Listed, options: ModelsOptions, place: Place) -> bool:
    """Whether an item passes the pattern and every filter; what is unknown passes no filter but the region."""
    if options.pattern and not _matches(item.id, options.pattern.strip().lower()):
        return False
    model = item.model
    if model is None:
        return not (options.vision or options.thinking or options.in_plan or options.free)
    return (
        (place is Place.ANY or place.value in model.regions)
        and (not options.vision or can_see(model))
        and (not options.thinking or model.thinking is not None)
        and (not options.in_plan or model.in_plan)
        and (not options.free or (model.price is not None and model.price.output == 0))
    )


def _matches(id: str, pattern: str) -> bool:
    if any(character in pattern for character in "*?["):
        return fnmatchcase(id.lower(), pattern)
    return pattern in id.lower()


def _no_such_model(options: ModelsOptions) -> UsageError:
    meant = ", ".join(nearest(options.pattern or ""))
    hints = [f"did you mean {meant}?"] if meant else []
    hints.append("all that is known here: glm models" if options.remote else "ask the service: glm models --remote")
    return UsageError(f"no model known here fits {options.pattern!r}", hint="\n".join(hints))


# -- writing -------------------------------------------------------------------


def _write_one(app: AppContext, item: Listed) -> None:
    if app.options.json:
        app.streams.write_json({"schema_version": SCHEMA_VERSION, **_prices(item.currency), **document(item)})
        return
    lines = [item.id] if app.options.quiet else paragraph(item, as_of=PRICES_AS_OF)
    for line in lines:
        app.streams.write_line(line)


def _write_list(app: AppContext, found: list[Listed], place: Place) -> None:
    """JSON; ids alone with `--quiet`; a table on a terminal; values between tabs in a pipe."""
    streams = app.streams
    if app.options.json:
        currency = found[0].currency if found else None
        documents = [document(item) for item in found]
        head = {"schema_version": SCHEMA_VERSION, "region": place.value, **_prices(currency)}
        streams.write_json({**head, "models": documents})
    elif app.options.quiet or not streams.stdout_is_tty:
        for item in found:
            streams.write_line(item.id if app.options.quiet else "\t".join(fields(item)))
    elif found:
        from glmcli.render.columns import columns

        for line in columns(HEADER, [row(item) for item in found], width=streams.width, flexible=len(HEADER) - 1):
            streams.write_line(line)
    if not app.options.json:
        _explain(app, found, place)


def _prices(currency: str | None) -> dict[str, object]:
    return {"currency": currency, "prices_as_of": PRICES_AS_OF if currency == "USD" else None}


def _explain(app: AppContext, found: list[Listed], place: Place) -> None:
    """What the table cannot say by itself, for a reader at a terminal."""
    if not app.streams.stdout_is_tty or app.options.quiet:
        return
    if not found:
        app.streams.note("no model known here has all of that; drop a filter, or ask the service with --remote")
        return
    if found[0].currency == "CNY":
        app.streams.note(f"prices of region cn are in CNY and not known here: {CNY_PRICES}")
    elif found[0].currency == "USD":
        app.streams.note(f"prices: USD per million tokens, input/output, as of {PRICES_AS_OF}; ? is not known")
    elsewhere = 0 if place is Place.ANY else sum(place.value not in model.regions for model in MODELS.values())
    if elsewhere:
        other = Region.INTL if place is Place.CN else Region.CN
        app.streams.note(f"{elsewhere} more in region {other.value} only: glm models --region any")

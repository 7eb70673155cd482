"""`glm models`: what can be asked, how much it holds, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.api.catalog import MODELS, PRICES_AS_OF, find_model, nearest
from glmcli.api.endpoints import Region
from glmcli.api.othermodels import OTHER_MODELS, OtherModel
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import ConfigError, UsageError
from glmcli.render import models as render

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
    others: bool = False
    place: Place | None = None

    @property
    def has_filters(self) -> bool:
        """Whether a list is narrowed by abilities that only chat models have."""
        return self.vision or self.thinking or self.in_plan or self.free


@dataclass(frozen=True, slots=True)
class Listing:
    """What is shown: models that chat, others, and where and how they are paid."""

    chat: Sequence[render.Listed]
    others: Sequence[OtherModel]
    currency: str | None
    place: Place

    @property
    def is_empty(self) -> bool:
        """Whether nothing passed the filters."""
        return not self.chat and not self.others


@app.command(
    epilog=examples(
        "glm models",
        "glm models glm-5.3",
        "glm models '*flash*' --vision",
        "glm models --plan -q",
        "glm models --all",
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
    others: Annotated[
        bool, typer.Option("--all", help="List models for pictures, video, sound and documents, too.")
    ] = False,
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
        others=others,
        place=region,
    )
    run(context_of(ctx), options)


def run(app: AppContext, options: ModelsOptions) -> None:
    """Print one model in full, or a list. Raises UsageError when nothing fits."""
    settings = _settings(app, is_needed=options.remote)
    place = options.place or _place_of(settings)
    known = _listed(app, settings, place, remote=options.remote)
    currency = _currency(settings, place)
    one = _named(app, options.pattern, known)
    if one is not None:
        _write_one(app, one)
        return
    if options.pattern in OTHER_MODELS:
        _write_other(app, OTHER_MODELS[options.pattern], currency)
        return
    found = [item for item in known if _is_wanted(item, options, place)]
    listing = Listing(found, _others(options, place), currency, place)
    if listing.is_empty and options.pattern:
        raise _no_such_model(options)
    _write_list(app, listing)
    if app.streams.stdout_is_tty and not app.options.json and not app.options.quiet:
        _explain(app, options, listing)


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


def _listed(app: AppContext, settings: Settings | None, place: Place, *, remote: bool) -> list[render.Listed]:
    """Every model that is known here, and with `remote` those that the service adds.

    What the service leaves out stays: its list holds neither vision nor free models.
    """
    served = _served(app) if remote else None
    is_custom = settings is not None and settings.provider.value.name == "custom"
    ids = list(served or ()) if served is not None and is_custom else [*MODELS, *(served or ())]
    return [_as_listed(app, settings, id, place, served) for id in dict.fromkeys(ids)]


def _as_listed(
    app: AppContext, settings: Settings | None, id: str, place: Place, served: list[str] | None
) -> render.Listed:
    return render.Listed(
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


def _named(app: AppContext, pattern: str | None, known: Iterable[render.Listed]) -> render.Listed | None:
    """The model that an id or an alias names, whatever the filters say."""
    if pattern is None:
        return None
    from glmcli.config.resolve import resolve_alias

    wanted = resolve_alias(pattern.strip(), app.config.aliases).lower()
    return next((item for item in known if item.id.lower() == wanted), None)


def _is_wanted(item: render.Listed, options: ModelsOptions, place: Place) -> bool:
    """Whether an item passes the pattern and every filter; what is unknown passes no filter but the region."""
    if options.pattern and not _matches(item.id, options.pattern.strip().lower()):
        return False
    model = item.model
    if model is None:
        return not options.has_filters
    return (
        (place is Place.ANY or place.value in model.regions)
        and (not options.vision or render.can_see(model))
        and (not options.thinking or model.thinking is not None)
        and (not options.in_plan or model.in_plan)
        and (not options.free or (model.price is not None and model.price.output == 0))
    )


def _others(options: ModelsOptions, place: Place) -> list[OtherModel]:
    """The models that do not chat: all of them on request, else those that a pattern finds."""
    if options.has_filters or not (options.others or options.pattern):
        return []
    pattern = (options.pattern or "").strip().lower()
    return [
        model
        for model in OTHER_MODELS.values()
        if (place is Place.ANY or place.value in model.regions) and (not pattern or _matches(model.id, pattern))
    ]


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


def _write_one(app: AppContext, item: render.Listed) -> None:
    if app.options.json:
        head = {"schema_version": render.SCHEMA_VERSION, **_prices(item.currency)}
        app.streams.write_json({**head, **render.document(item)})
        return
    lines = [item.id] if app.options.quiet else render.paragraph(item, as_of=PRICES_AS_OF)
    for line in lines:
        app.streams.write_line(line)


def _write_other(app: AppContext, model: OtherModel, currency: str | None) -> None:
    if app.options.json:
        document = render.other_document(model, currency)
        app.streams.write_json({"schema_version": render.SCHEMA_VERSION, **_prices(currency), **document})
        return
    lines = [model.id] if app.options.quiet else render.other_paragraph(model, currency, as_of=PRICES_AS_OF)
    for line in lines:
        app.streams.write_line(line)


def _write_list(app: AppContext, listing: Listing) -> None:
    """JSON; ids alone with `--quiet`; tables on a terminal; values between tabs in a pipe."""
    streams, chat, others, currency = app.streams, listing.chat, listing.others, listing.currency
    if app.options.json:
        streams.write_json(
            {
                "schema_version": render.SCHEMA_VERSION,
                "region": listing.place.value,
                **_prices(currency),
                "models": [render.document(item) for item in chat],
                "other_models": [render.other_document(model, currency) for model in others],
            }
        )
    elif app.options.quiet:
        for id in (*(item.id for item in chat), *(model.id for model in others)):
            streams.write_line(id)
    elif not streams.stdout_is_tty:
        for fields in (*map(render.fields, chat), *(render.other_fields(model, currency) for model in others)):
            streams.write_line("\t".join(fields))
    else:
        _write_tables(app, listing)


def _write_tables(app: AppContext, listing: Listing) -> None:
    from glmcli.render.columns import columns

    tables = (
        (render.HEADER, [render.row(item) for item in listing.chat]),
        (render.OTHER_HEADER, [render.other_row(model, listing.currency) for model in listing.others]),
    )
    shown = [(header, rows) for header, rows in tables if rows]
    for number, (header, rows) in enumerate(shown):
        if number:
            app.streams.write_line()
        for line in columns(header, rows, width=app.streams.width, flexible=len(header) - 1):
            app.streams.write_line(line)


def _prices(currency: str | None) -> dict[str, object]:
    return {"currency": currency, "prices_as_of": PRICES_AS_OF if currency == "USD" else None}


def _explain(app: AppContext, options: ModelsOptions, listing: Listing) -> None:
    """What the tables cannot say by themselves, for a reader at a terminal."""
    note, place = app.streams.note, listing.place
    if listing.is_empty:
        note("no model known here has all of that; drop a filter, or ask the service with --remote")
        return
    if listing.currency == "CNY":
        note(f"prices of region cn are in CNY and not known here: {render.CNY_PRICES}")
    elif listing.currency == "USD":
        note(f"prices: USD per million tokens, input/output, as of {PRICES_AS_OF}; ? is not known")
    elsewhere = 0 if place is Place.ANY else sum(place.value not in model.regions for model in MODELS.values())
    if elsewhere:
        other = Region.INTL if place is Place.CN else Region.CN
        note(f"{elsewhere} more in region {other.value} only: glm models --region any")
    if not options.others and not options.pattern:
        note("models for pictures, video, sound and documents: glm models --all")

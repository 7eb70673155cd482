"""What is known about models, as a table, in full, as values in tabs and as JSON.

What nobody told us is shown as `?`: a 0 would be taken for a price or a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glmcli.api.catalog import PLAN_SERVES, Model, Price, Thinking
from glmcli.api.othermodels import OtherModel

SCHEMA_VERSION = 1
UNKNOWN = "?"
#: Where the prices stand that no table of ours holds.
CNY_PRICES = "https://open.bigmodel.cn/pricing"
#: Header of the table; the last column gives way on a narrow terminal.
HEADER = ("MODEL", "CONTEXT", "OUTPUT", "VISION", "THINKS", "USD I/O", "NOTES")


@dataclass(frozen=True, slots=True)
class Listed:
    """A model in a list: what is known of it, and what it is to this user.

    `model` is None for an id that only the service told. `currency` is that of the user's bill, None
    when somebody else than the vendor writes it. `is_served` is None when the service was not asked.
    """

    id: str
    model: Model | None
    currency: str | None = "USD"
    is_default: bool = False
    aliases: tuple[str, ...] = ()
    is_served: bool | None = None

    @property
    def price(self) -> Price | None:
        """The public price; it is known in USD alone."""
        return self.model.price if self.model is not None and self.currency == "USD" else None

    @property
    def notes(self) -> list[str]:
        """What stands beside the figures: default, plan, aliases, who answers for it."""
        notes = ["default"] if self.is_default else []
        if self.model is None:
            notes.append("not known to glm")
        elif self.model.in_plan:
            notes.append("plan")
        if self.aliases:
            notes.append("alias " + " ".join(self.aliases))
        if self.id in PLAN_SERVES:
            notes.append(f"on a plan answered by {PLAN_SERVES[self.id]}")
        return notes


def row(listed: Listed) -> tuple[str, ...]:
    """The cells of the table, one for each word of `HEADER`."""
    model = listed.model
    return (
        listed.id,
        size(model.context if model else None),
        size(model.max_output if model else None),
        _vision(model),
        _thinks(model),
        _price(listed),
        ", ".join(listed.notes),
    )


def fields(listed: Listed) -> tuple[str, ...]:
    """Id, context, output (tokens), inputs, thinking, price (input, cached, output) and notes, for a pipe."""
    model = listed.model
    return (
        listed.id,
        _plain(model.context if model else None),
        _plain(model.max_output if model else None),
        ",".join(model.inputs) if model else UNKNOWN,
        _thinks(model),
        *(_plain(part) for part in (listed.price or (None, None, None))),
        ", ".join(listed.notes),
    )


def paragraph(listed: Listed, *, as_of: str) -> list[str]:
    """One model in full, a fact per line."""
    model = listed.model
    facts = [
        ("context", _tokens(model.context if model else None)),
        ("output", _tokens(model.max_output if model else None)),
        ("input", ", ".join(model.inputs) if model else UNKNOWN),
        ("thinking", _thinking_in_words(model)),
        ("tools", _tools(model)),
        ("JSON mode", _yes(model.json_mode if model else None)),
        ("price", _price_in_words(listed, as_of)),
        ("Coding Plan", _plan(model)),
        ("regions", ", ".join(model.regions) if model else UNKNOWN),
    ]
    if listed.aliases:
        facts.append(("aliases", ", ".join(listed.aliases)))
    if listed.is_default:
        facts.append(("default", "yes"))
    if listed.is_served is not None:
        facts.append(("listed by the service", _yes(listed.is_served)))
    width = max(len(label) for label, _ in facts)
    return [listed.id, *(f"  {label:<{width}}  {fact}" for label, fact in facts)]


def document(listed: Listed) -> dict[str, object]:
    """One model as JSON; null is what is not known."""
    model = listed.model
    return {
        "id": listed.id,
        "known": model is not None,
        "default": listed.is_default,
        "aliases": list(listed.aliases),
        "context": model.context if model else None,
        "max_output": model.max_output if model else None,
        "inputs": list(model.inputs) if model else None,
        "thinking": _thinking_document(model),
        "tools": model.tools if model else None,
        "tool_stream": model.tool_stream if model else None,
        "json_mode": model.json_mode if model else None,
        "price": listed.price._asdict() if listed.price else None,
        "regions": list(model.regions) if model else None,
        "in_plan": model.in_plan if model else None,
        "plan_serves": PLAN_SERVES.get(listed.id),
        "served": listed.is_served,
    }


def size(tokens: int | None) -> str:
    """Tokens as the vendor writes them: `1M`, `200K`."""
    if tokens is None:
        return UNKNOWN
    return f"{tokens >> 20}M" if tokens % (1 << 20) == 0 else f"{tokens >> 10}K"


def _plain(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _tokens(tokens: int | None) -> str:
    return UNKNOWN if tokens is None else f"{size(tokens)} ({tokens:,} tokens)"


def _yes(value: bool | None) -> str:
    return UNKNOWN if value is None else "yes" if value else "no"


def _vision(model: Model | None) -> str:
    return _yes(None if model is None else can_see(model))


def can_see(model: Model) -> bool:
    """Whether a model takes pictures."""
    return "image" in model.inputs


def _thinks(model: Model | None) -> str:
    if model is None:
        return UNKNOWN
    return "no" if model.thinking is None else "on/off" if model.thinking.can_disable else "always"


def _thinking_in_words(model: Model | None) -> str:
    if model is None or model.thinking is None:
        return _thinks(model)
    words = "can be switched off" if model.thinking.can_disable else "always on"
    return f"{words}; levels: {', '.join(model.thinking.efforts)}" if model.thinking.efforts else words


def _thinking_document(model: Model | None) -> Mapping[str, object]:
    thinking: Thinking | None = model.thinking if model else None
    return {
        "supported": None if model is None else thinking is not None,
        "can_disable": thinking.can_disable if thinking else None,
        "efforts": list(thinking.efforts) if thinking else None,
    }


def _tools(model: Model | None) -> str:
    if model is None or not model.tools:
        return _yes(model.tools if model else None)
    return "yes, streamed too" if model.tool_stream else "yes"


def _plan(model: Model | None) -> str:
    if model is None:
        return UNKNOWN
    if model.id in PLAN_SERVES:
        return f"answered by {PLAN_SERVES[model.id]}"
    return "included" if model.in_plan else "not included"


def _price(listed: Listed) -> str:
    price = listed.price
    if price is None:
        return UNKNOWN
    return f"{price.input:.2f}/{price.output:.2f}" if price.output else "free"


def _price_in_words(listed: Listed, as_of: str) -> str:
    price = listed.price
    if listed.currency == "CNY":
        return f"{UNKNOWN} (in CNY: {CNY_PRICES})"
    if price is None:
        return UNKNOWN
    if not price.output:
        return f"free (as of {as_of})"
    cached = UNKNOWN if price.cached is None else f"{price.cached:.2f}"
    return f"USD per million tokens: {price.input:.2f} in, {cached} cached, {price.output:.2f} out (as of {as_of})"


# -- models that do not chat -------------------------------------------------------


def other_row(model: OtherModel, currency: str | None) -> tuple[str, ...]:
    """The cells of the second table, one for each word of `OTHER_HEADER`."""
    return (model.id, model.makes, model.command, other_price(model, currency))


OTHER_HEADER = ("MODEL", "MAKES", "COMMAND", "PRICE")


def other_price(model: OtherModel, currency: str | None) -> str:
    """The public price with its unit."""
    if model.price is None or currency != "USD":
        return UNKNOWN
    return f"{model.price:g} USD per {model.unit}"


def other_fields(model: OtherModel, currency: str | None) -> tuple[str, ...]:
    """As `fields`, with what such a model has not as `?`; the notes say what it makes."""
    notes = f"{model.makes}, {model.command}, {other_price(model, currency)}"
    return (model.id, *[UNKNOWN] * (len(HEADER)), notes)


def other_paragraph(model: OtherModel, currency: str | None, *, as_of: str) -> list[str]:
    """One such model in full."""
    price = other_price(model, currency)
    return [
        model.id,
        f"  makes    {model.makes}",
        f"  command  {model.command} -m {model.id}",
        f"  price    {price}" + (f" (as of {as_of})" if price != UNKNOWN else ""),
        f"  regions  {', '.join(model.regions)}",
    ]


def other_document(model: OtherModel, currency: str | None) -> dict[str, object]:
    """One such model as JSON."""
    price = model.price if currency == "USD" else None
    return {
        "id": model.id,
        "makes": model.makes,
        "command": model.command,
        "price": price,
        "unit": model.unit if price is not None else None,
        "regions": list(model.regions),
    }

"""What is known about models: hints, never a closed list.

State: autumn 2026 (docs.z.ai openapi, guides and pricing; `api/models.md`).
Any id is accepted everywhere; a model that is not here is sent as it stands.
"""

from __future__ import annotations

from typing import NamedTuple

#: The day on which the price table was last compared with docs.z.ai.
PRICES_AS_OF = "2026-09"


class Price(NamedTuple):
    """USD per million tokens; None where the vendor's table has no figure."""

    input: float
    cached: float | None
    output: float


class Thinking(NamedTuple):
    """How a model can be made to think (docs.z.ai ChatThinking, reasoning_effort).

    `can_disable`: whether `thinking.type: disabled` is accepted.
    `efforts`: accepted values of `reasoning_effort`; empty when it has none.
    """

    can_disable: bool
    efforts: tuple[str, ...] = ()


class Model(NamedTuple):
    """One model. Token counts; None where the vendor states nothing."""

    id: str
    context: int | None
    max_output: int | None
    inputs: tuple[str, ...]
    thinking: Thinking | None
    tools: bool = True
    tool_stream: bool = False
    json_mode: bool = False
    price: Price | None = None
    regions: tuple[str, ...] = ("intl", "cn")
    in_plan: bool = False


_FORCED = Thinking(can_disable=False, efforts=("low", "high", "max"))
_SEVEN = Thinking(can_disable=True, efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max"))
_SWITCH = Thinking(can_disable=True)
_TEXT = ("text",)
_SEES = ("text", "image", "video", "file")
_FREE = Price(0.0, 0.0, 0.0)
_1M, _200K, _128K, _96K, _32K, _16K = 1048576, 204800, 131072, 98304, 32768, 16384

MODELS: dict[str, Model] = {
    model.id: model
    for model in (
        Model("glm-5.3", _1M, _128K, _TEXT, _FORCED, True, True, True, Price(1.40, 0.26, 4.40), in_plan=True),
        Model("glm-5.3-flash", _1M, _128K, _SEES, _FORCED, price=Price(0.15, 0.03, 0.50), in_plan=True),
        Model("glm-5.3-flashx", None, _128K, _SEES, _FORCED),
        Model("glm-5.2", _1M, _128K, _TEXT, _SEVEN, True, True, True, Price(1.40, 0.26, 4.40)),
        Model("glm-5.1", _200K, _128K, _TEXT, _SWITCH, True, True, True, Price(1.40, 0.26, 4.40)),
        Model("glm-5", _200K, _128K, _TEXT, _SWITCH, True, True, True, Price(1.00, 0.20, 3.20)),
        Model("glm-5-turbo", _200K, _128K, _TEXT, _SWITCH, True, True, True, Price(1.20, 0.24, 4.00), ("cn",)),
        Model("glm-5v-turbo", _200K, _128K, _SEES, _SWITCH, price=Price(1.20, 0.24, 4.00), regions=("cn",)),
        Model("glm-4.7", _200K, _128K, _TEXT, _SWITCH, True, True, True, Price(0.60, 0.11, 2.20)),
        Model("glm-4.7-flash", _200K, _128K, _TEXT, _SWITCH, True, True, True, _FREE),
        Model("glm-4.7-flashx", _200K, _128K, _TEXT, _SWITCH, True, True, True, Price(0.07, 0.01, 0.40)),
        Model("glm-4.6", _200K, _128K, _TEXT, _SWITCH, True, True, True, Price(0.60, 0.11, 2.20)),
        Model("glm-4.5", _128K, _96K, _TEXT, _SWITCH, True, False, True, Price(0.60, 0.11, 2.20)),
        Model("glm-4.5-air", _128K, _96K, _TEXT, _SWITCH, True, False, True, Price(0.20, 0.03, 1.10)),
        Model("glm-4.5-x", _128K, _96K, _TEXT, _SWITCH, True, False, True, Price(2.20, None, 8.90), ("intl",)),
        Model("glm-4.5-airx", _128K, _96K, _TEXT, _SWITCH, True, False, True, Price(1.10, None, 4.50)),
        Model("glm-4.5-flash", _128K, _96K, _TEXT, _SWITCH, True, False, True, _FREE),
        Model("glm-4-32b-0414-128k", _128K, _16K, _TEXT, None, True, False, True, Price(0.10, None, 0.10), ("intl",)),
        Model("glm-4.6v", _128K, _32K, _SEES, _SWITCH, price=Price(0.30, None, 0.90)),
        Model("glm-4.6v-flash", _128K, _32K, _SEES, _SWITCH, price=_FREE),
        Model("glm-4.6v-flashx", _128K, _32K, _SEES, _SWITCH, price=Price(0.04, None, 0.40)),
        Model("glm-4.5v", None, _16K, _SEES, _SWITCH, tools=False, price=Price(0.60, None, 1.80)),
        Model("autoglm-phone-multilingual", None, 4096, ("text", "image"), None, regions=("intl",)),
        Model("glm-4-flash-250414", None, None, _TEXT, None, price=None, regions=("cn",)),
        Model("glm-4-flashx-250414", None, None, _TEXT, None, price=None, regions=("cn",)),
        Model("glm-4-voice", None, 4096, ("text", "audio"), None, tools=False, regions=("cn",)),
    )
}

#: Which model answers for the name on a Coding Plan (docs.z.ai devpack/overview, September 2026).
PLAN_SERVES = {"glm-5.2": "glm-5.3", "glm-5.1": "glm-5.3", "glm-4.7": "glm-5.3-flash"}


def find_model(model_id: str) -> Model | None:
    """What is known about a model; ids are lower case (`api/chat.md` section 2)."""
    return MODELS.get(model_id.strip().lower())


def nearest(model_id: str, count: int = 3) -> list[str]:
    """Known ids that a mistyped one may have meant, the likeliest first."""
    from difflib import get_close_matches

    return get_close_matches(model_id.lower(), MODELS, n=count, cutoff=0.5)


def can_read(model_id: str, kind: str) -> bool | None:
    """Whether a model takes input of a kind (`image`, `video`, `file`); None when unknown."""
    model = find_model(model_id)
    return None if model is None else kind in model.inputs


def cost_usd(model_id: str, *, prompt: int, cached: int, completion: int) -> float | None:
    """Price of a call in USD by the public table; None when the table has no figure."""
    model = find_model(model_id)
    if model is None or model.price is None:
        return None
    price = model.price
    cached_price = price.cached if price.cached is not None else price.input
    return ((prompt - cached) * price.input + cached * cached_price + completion * price.output) / 1_000_000


#: Credits per 10,000 tokens: input, cached input, output (docs.z.ai devpack/overview, since 2026-07-30).
_CREDIT_WEIGHTS = {"glm-5.3": (6.9, 1.7, 24.0), "glm-5.3-flash": (2.3, 0.56, 8.0)}
_TOOL_CREDITS = 1.2
_UTC8_SECONDS = 8 * 3600


def plan_credits(model_id: str, *, prompt: int, cached: int, completion: int, at: float) -> float | None:
    """Credits that a Coding Plan counts for a request at epoch seconds `at`; None when unknown.

    Outside the peak (Monday to Friday, 14:00 to 18:00 UTC+8) half is counted.
    """
    weights = _CREDIT_WEIGHTS.get(PLAN_SERVES.get(model_id, model_id))
    if weights is None:
        return None
    new, hit, out = weights
    used = ((prompt - cached) * new + cached * hit + completion * out) / 10_000
    return used if is_peak(at) else used / 2


def tool_credits(at: float) -> float:
    """Credits that a Coding Plan counts for one call of a hosted tool (search, reader) at epoch seconds `at`."""
    return _TOOL_CREDITS if is_peak(at) else _TOOL_CREDITS / 2


def is_peak(at: float) -> bool:
    """Whether epoch seconds fall into the vendor's peak hours."""
    days, second_of_day = divmod(int(at) + _UTC8_SECONDS, 86400)
    weekday = (days + 3) % 7  # the epoch began on a Thursday; Monday is 0
    return weekday < 5 and 14 <= second_of_day // 3600 < 18

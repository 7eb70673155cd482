"""What a router asks of those who use it: weighted tokens, a daily budget, a rate, keys that end.

Imported only where a profile carries one of these keys (`schema.ROUTER_KEYS`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from glmcli.config.resolve import resolve_alias
from glmcli.errors import ConfigError

if TYPE_CHECKING:
    from glmcli.config.schema import Checker
    from glmcli.events import Usage

#: What a model counts that the table of weights does not name.
UNKNOWN_WEIGHT = 2.0
#: Keys of the table that stand for every model it does not name.
OTHERS = ("*", "default")
DAY_SECONDS = 86400
#: `doctor` speaks of the end of a key from so many days before it, a call from so many.
NOTE_DAYS, CALL_DAYS = 14, 7
_END_OF_DAY = time(23, 59, 59)


class Router(NamedTuple):
    """The router's rules for one profile; None for what it does not limit.

    `weights` has names in lower case; `key_expires` is a date or a moment in ISO form.
    """

    weights: Mapping[str, float] | None = None
    daily_budget: int | None = None
    requests_per_minute: int | None = None
    key_expires: str | None = None

    @property
    def is_counted(self) -> bool:
        """Whether weighted tokens mean anything here."""
        return self.weights is not None or self.daily_budget is not None

    def weight_of(self, *models: str | None) -> float:
        """What a token of a model counts. The first of several names that the table knows decides.

        A name may carry its vendor, as in `z-ai/glm-5.3`.
        """
        if self.weights is None:
            return 1.0
        for name in (name for model in models if model for name in (model.lower(), model.lower().rpartition("/")[2])):
            if name in self.weights:
                return self.weights[name]
        return next((self.weights[name] for name in OTHERS if name in self.weights), UNKNOWN_WEIGHT)

    def weighted(self, usage: Usage, *models: str | None) -> float | None:
        """What an answer counts; None where nothing is weighted."""
        if not self.is_counted:
            return None
        return self.weight_of(*models) * ((usage.prompt_tokens or 0) + (usage.completion_tokens or 0))

    def with_aliases(self, aliases: Mapping[str, str]) -> Router:
        """The same rules; the weight of an alias is that of its model, unless the model has one itself."""
        if self.weights is None:
            return self
        lowered = {alias.lower(): model.lower() for alias, model in aliases.items()}
        meant = {resolve_alias(name, lowered): weight for name, weight in self.weights.items() if name in lowered}
        return self._replace(weights={**meant, **self.weights})

    def rows(self) -> Iterator[tuple[str, object]]:
        """What is set, by the names that `glm profile set` takes."""
        for name in ("daily_budget", "requests_per_minute", "key_expires"):
            if getattr(self, name) is not None:
                yield name, getattr(self, name)
        for model, weight in (self.weights or {}).items():
            yield f"weights.{model}", weight

    def days_left(self, now: float) -> float | None:
        """Days until the key ends, negative after it; None when nobody said."""
        return None if self.key_expires is None else (end_of(self.key_expires) - now) / DAY_SECONDS


def end_of(text: str) -> float:
    """Epoch seconds at which a key ends. A date includes its day; without a zone it is the local time.

    Raises ValueError for what is neither date nor moment.
    """
    moment = datetime.fromisoformat(text.strip())
    if _is_date(text.strip()):
        moment = datetime.combine(moment, _END_OF_DAY)
    return moment.timestamp()


def _is_date(text: str) -> bool:
    return len(text) <= len("2027-02-19")


def end_from_words(text: str, now: float) -> date | str:
    """What the command line says about the end of a key: `90d` from now, a date, or a moment. Raises ConfigError."""
    words = text.strip()
    number = words.removesuffix("d")
    try:
        if number != words and number.isdecimal():
            return date.fromtimestamp(now) + timedelta(days=int(number))
        end_of(words)
        return date.fromisoformat(words) if _is_date(words) else words
    except (ValueError, OverflowError):
        raise ConfigError(
            f"the end of a key cannot be {text!r}", hint="for example: 90d, 2027-02-19 or 2027-02-19T12:00:00Z"
        ) from None


def day_of(now: float) -> tuple[float, float]:
    """Beginning and end of the local day: the day of a budget, as that of `glm usage --local`."""
    today = date.fromtimestamp(now)
    return _midnight(today), _midnight(today + timedelta(days=1))


def _midnight(day: date) -> float:
    return datetime.combine(day, time()).timestamp()


# -- reading -----------------------------------------------------------------------------


def read_router(table: Mapping[str, object], where: tuple[str, ...], check: Checker) -> Router:
    """The rules that a profile's table holds. Raises ConfigError with path, line and reason."""
    return Router(
        weights=_weights(check.table(table, "weights", where), (*where, "weights"), check)
        if "weights" in table
        else None,
        daily_budget=_count(table, "daily_budget", where, check),
        requests_per_minute=_count(table, "requests_per_minute", where, check),
        key_expires=_end(table.get("key_expires"), (*where, "key_expires"), check),
    )


def _count(table: Mapping[str, object], key: str, where: tuple[str, ...], check: Checker) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    check.type(value, (int,), (*where, key))
    assert isinstance(value, int)
    if value < 1:
        raise check.error((*where, key), f"must be at least 1, not {value}")
    return value


def _weights(table: Mapping[str, object], where: tuple[str, ...], check: Checker) -> dict[str, float]:
    weights: dict[str, float] = {}
    for place, value in _leaves(table, where):
        check.type(value, (int, float), place)
        assert isinstance(value, int | float)
        if not (math.isfinite(value) and value >= 0):
            raise check.error(place, f"must be 0 or more, not {value:g}")
        name = ".".join(place[len(where) :]).lower()
        if name in weights:
            raise check.error(place, f"weighs {name} a second time")
        weights[name] = value
    return weights


def _leaves(table: Mapping[str, object], where: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Names and weights. TOML reads `glm-5.3 = 2` without quotes as a table `glm-5` with a key `3`: one name to us."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*where, key))
        else:
            yield (*where, key), value


def _end(value: object, where: tuple[str, ...], check: Checker) -> str | None:
    if value is None:
        return None
    text = value.isoformat() if isinstance(value, date) else value
    try:
        if not isinstance(text, str):
            raise ValueError
        end_of(text)
    except (ValueError, OverflowError):
        told = f", not {text!r}" if isinstance(text, str) else ""
        raise check.error(where, f"must be a date such as 2027-02-19{told}") from None
    return text.strip()

"""Values that come as text: variables, flags and settings, read with their source."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from glmcli.api.endpoints import Protocol, Via
from glmcli.config.model import FileEnvironment, Sourced
from glmcli.errors import ConfigError

T = TypeVar("T")
Choice = TypeVar("Choice", Protocol, Via)


class Variables:
    """An environment in which an empty variable counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def get(self, name: str) -> str:
        """The value without white space around it; empty when unset."""
        return self._environ.get(name, "").strip()

    def from_file(self, name: str) -> str:
        """A variable of another tool: read from an env file only, never from the environment itself."""
        return self._environ.from_file.get(name, "").strip() if isinstance(self._environ, FileEnvironment) else ""

    def source(self, name: str) -> str:
        """The words that tell of a variable, and of the env file that gave it."""
        if isinstance(self._environ, FileEnvironment) and name in self._environ.from_file:
            return f"variable {name} in {self._environ.file}"
        return f"variable {name}"

    def sourced(self, name: str, parse: Callable[[str], T]) -> Sourced[T]:
        """A variable that is set, parsed. Raises ConfigError that names it."""
        source = self.source(name)
        return Sourced(parsed(parse, self.get(name), source), source)


def parsed(parse: Callable[..., T], value: object, source: str) -> T:
    """What `parse` makes of a value. Raises ConfigError that names the source."""
    try:
        return parse(value)
    except ValueError as error:
        raise ConfigError(
            f"{source} is {value!r}: it {error}", hint="mend it, or unset it to use the default"
        ) from None
    except ConfigError as error:
        raise ConfigError(f"{source}: {error.message}", hint=error.hint) from None


def parse_timeout(value: object) -> float:
    """Seconds, more than none. Raises ValueError."""
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("must be a number of seconds above 0")
    return seconds


def parse_count(value: object) -> int:
    """A whole number, 0 or more. Raises ValueError."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def parse_switch(value: object) -> bool:
    """Yes or no in the usual words. Raises ValueError."""
    word = str(value).lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be 1 or 0 (or true, false, yes, no, on, off)")


def parse_choice(kind: type[Choice], word: str, source: str) -> Choice:
    """The member of an enumeration. Raises ConfigError with the choices."""
    try:
        return kind(word.strip().lower())
    except ValueError:
        raise ConfigError(f"{source}: unknown value {word!r}", hint=f"choose one of {', '.join(kind)}") from None

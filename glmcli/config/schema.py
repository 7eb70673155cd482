"""The keys that `config.toml` may hold, their types, and how both are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from glmcli.config.model import CHAT_KEYS
from glmcli.errors import ConfigError

VERSION = 1
Types = tuple[type, ...]

#: Keys of `[profiles.NAME]` besides `chat`, with their types.
PROFILE_KEYS: Mapping[str, Types] = {
    "provider": (str,),
    "model": (str,),
    "key": (str,),
    "auth": (str,),
    "base_url": (str,),
    "protocol": (str,),
    "keyring_backend": (str,),
}
#: Keys of `[profiles.NAME]` that a router asks for (`config.routers` reads them).
ROUTER_KEYS: Mapping[str, Types] = {
    "weights": (dict,),
    "daily_budget": (int,),
    "requests_per_minute": (int,),
    "key_expires": (str,),
}
#: Keys of `[settings]`, with their types.
SETTING_KEYS: Mapping[str, Types] = {
    "timeout": (int, float),
    "max_retries": (int,),
    "no_log": (bool,),
}
#: Keys at the top of the file.
TOP_KEYS: Mapping[str, Types] = {
    "version": (int,),
    "default_profile": (str,),
    "profiles": (dict,),
    "aliases": (dict,),
    "settings": (dict,),
}
_TYPE_WORDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}
_KEY_REFERENCE = r"keyring|file|env:[A-Za-z_][A-Za-z0-9_]*|command:\s*\S.*"


def is_key_reference(text: str) -> bool:
    """Whether this is something that `key` of a profile may be."""
    return re.fullmatch(_KEY_REFERENCE, text) is not None


class Checker:
    """Checks values of one file and names what is wrong with its line."""

    def __init__(self, text: str, path: Path) -> None:
        self._text = text
        self._path = path

    def keys(self, table: Mapping[str, object], known: Mapping[str, Types], where: tuple[str, ...]) -> None:
        """Check the types of the known keys; unknown ones pass."""
        for key, types in known.items():
            if key in table:
                self.type(table[key], types, (*where, key))

    def type(self, value: object, types: Types, where: tuple[str, ...]) -> None:
        """Check one value. `True` is no number, although Python says so."""
        if (isinstance(value, bool) and bool not in types) or not isinstance(value, types):
            raise self.error(where, f"must be {words_for(types)}, not {_word_for(value)}")

    def table(self, parent: Mapping[str, object], key: str, where: tuple[str, ...] = ()) -> dict[str, object]:
        """A table below `parent`, empty when it is missing."""
        value = parent.get(key, {})
        self.type(value, (dict,), (*where, key))
        assert isinstance(value, dict)
        return value

    def text(self, table: Mapping[str, object], key: str) -> str | None:
        """A text that was checked before, or None."""
        value = table.get(key)
        return value if isinstance(value, str) else None

    def error(self, where: tuple[str, ...], reason: str, *, hint: str | None = None) -> ConfigError:
        """What is wrong with the key at `where`."""
        line = line_of(self._text, where) or line_of(self._text, where[:-1])
        place = f", line {line}" if line else ""
        return ConfigError(
            f"{self._path}{place}: {dotted(where)} {reason}", hint=hint or "mend it with: glm config edit"
        )


def words_for(types: Types) -> str:
    """The types in the words of a user."""
    return " or ".join(_TYPE_WORDS[t] for t in types if not (t is int and float in types))


def _word_for(value: object) -> str:
    for kind in (bool, *_TYPE_WORDS):
        if isinstance(value, kind):
            return _TYPE_WORDS[kind]
    return "a date or time"


_BARE_KEY = r"[A-Za-z0-9_-]+"


def dotted(where: tuple[str, ...]) -> str:
    """A key path as TOML writes it: `profiles."my.name".model`."""
    return ".".join(part if re.fullmatch(_BARE_KEY, part) else f'"{part}"' for part in where)


def line_of(text: str, where: tuple[str, ...]) -> int | None:
    """The line that sets a key, or opens its table; None when it is written in some rarer way.

    tomllib keeps no places; this reads headers and keys only.
    """
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = split_key(stripped.strip("[]").split("]")[0])
            if table == where:
                return number
        elif "=" in stripped and (*table, *split_key(stripped.split("=")[0])) == where:
            return number
    return None


_KEY_PART = r"""\s*(?:"([^"]*)"|'([^']*)'|([^.\s"']+))\s*(?:\.|$)"""


def split_key(text: str) -> tuple[str, ...]:
    """The parts of a dotted key, quotes taken off; empty when it is none."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        found = re.match(_KEY_PART, text[position:])
        if found is None:
            return ()
        parts.append(found[1] or found[2] or found[3] or "")
        position += found.end()
    return tuple(parts)


def place_of(key: str) -> tuple[str, ...]:
    """The place that a key of the command line names; empty when it is none.

    Behind `weights` stands the name of a model, whose dots need no quotes.
    """
    place = split_key(key)
    if place[:1] == ("profiles",) and place[2:3] == ("weights",) and len(place) > 3:
        return (*place[:3], ".".join(place[3:]))
    return place


def place_in_profile(name: str, key: str) -> tuple[str, ...]:
    """The place of a profile's key, as `glm profile set` takes it."""
    return place_of(f'profiles."{name}".{key}') or ("profiles", name)


def types_of(where: tuple[str, ...]) -> Types | None:
    """The types that the key at `where` may have; None for a key that we do not know."""
    match where:
        case ("profiles", _) | ("profiles", _, "chat" | "weights"):
            return (dict,)
        case ("profiles", _, key):
            return PROFILE_KEYS.get(key) or ROUTER_KEYS.get(key)
        case ("profiles", _, "chat", key):
            return CHAT_KEYS.get(key)
        case ("profiles", _, "weights", _):
            return (int, float)
        case ("settings", key):
            return SETTING_KEYS.get(key)
        case ("aliases", _):
            return (str,)
        case (key,):
            return TOP_KEYS.get(key)
    return None


def value_from_text(text: str, where: tuple[str, ...]) -> object:
    """What a text from the command line means for the key at `where`.

    An unknown key takes a TOML value, or else the text as it is. Raises
    ConfigError when a known key does not take it.
    """
    types = types_of(where)
    if types is None:
        return _toml_value(text, (str, int, float, bool, list), text)
    if dict in types:
        raise ConfigError(
            f"{dotted(where)} is a table", hint=f"set a key in it: glm config set {dotted(where)}.KEY VALUE"
        )
    if str in types:
        return _toml_value(text, (list,), text) if list in types else text
    value = _toml_value(text, types, None)
    if value is None:
        raise ConfigError(f"{dotted(where)} must be {words_for(types)}, not {text!r}")
    return value


def _toml_value(text: str, types: Types, otherwise: object) -> object:
    """A text read as TOML, when that gives one of the types."""
    import tomllib

    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # no TOML, or more than can be read
        return otherwise
    value = document.pop("value")
    return value if type(value) in types and not document else otherwise

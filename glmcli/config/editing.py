"""Changes single values of `config.toml`, and refuses those that no command could use."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from glmcli.api.endpoints import PROVIDERS, Protocol, normalise_base_url
from glmcli.config.destination import provider_of
from glmcli.config.files import Notice, quiet
from glmcli.config.model import Config, Profile
from glmcli.config.resolve import AUTHS, no_such_profile, resolve_alias
from glmcli.config.schema import ROUTER_KEYS, dotted, is_key_reference
from glmcli.config.store import edit_config, parse_config, text_of
from glmcli.config.variables import parse_count, parse_timeout, parsed
from glmcli.errors import ConfigError

Table = MutableMapping[str, Any]
Place = tuple[str, ...]


def change_values(
    path: Path, values: Mapping[Place, object], *, allow_http: bool = False, notice: Notice = quiet
) -> list[str]:
    """Set the values at their places; None removes one. Returns one line per change.

    Raises ConfigError for a value that does not fit; the file is then untouched.
    """
    changes: list[str] = []
    with edit_config(path, notice=notice) as document:
        for place, value in values.items():
            changes += change_table(_table_of(document, place, path), {place[-1]: value}, place[:-1])
        _drop_empty_tables(document, values)
        config = parse_config(text_of(document), path)
        for name in {place[1] for place in values if place[0] == "profiles" and len(place) > 1}:
            if name in config.profiles:
                check_profile(config.profiles[name], allow_http=allow_http)
        check_settings(config)
    return changes


def change_table(table: Table, values: Mapping[str, object], where: Place = ()) -> list[str]:
    """Set keys of one table, None removes one; one line per change. `where` is for the lines."""
    changes: list[str] = []
    for key, value in values.items():
        before = table.get(key)
        name = dotted((*where, key))
        if value is None and before is not None:
            del table[key]
            changes.append(f"{name} removed" if isinstance(before, Mapping) else f"{name}: {_told(before)} removed")
        elif value is not None and value != before:
            table[key] = value
            changes.append(
                f"{name}: {_told(value)}" if before is None else f"{name}: {_told(before)} -> {_told(value)}"
            )
    return changes


def _told(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def table_in(parent: Table, key: str) -> Table:
    """The table below `parent`, made when it is missing."""
    if key not in parent:
        parent[key] = _new_table(parent, is_super_table=key == "profiles")
    found = parent[key]
    assert isinstance(found, MutableMapping)
    return found


def _new_table(parent: Table, *, is_super_table: bool) -> Table:
    import tomlkit
    from tomlkit.items import InlineTable

    # `profiles = {}` on one line takes no table with a header.
    return tomlkit.inline_table() if isinstance(parent, InlineTable) else tomlkit.table(is_super_table)


def _table_of(document: Table, place: Place, path: Path) -> Table:
    """The table that holds the last part of a place, made when it is missing."""
    table = document
    for depth, part in enumerate(place[:-1], 1):
        if part in table and not isinstance(table[part], MutableMapping):
            raise ConfigError(
                f"{path}: {dotted(place[:depth])} is not a table", hint="see what is there: glm config get"
            )
        table = table_in(table, part)
    return table


def _drop_empty_tables(document: Table, values: Mapping[Place, object]) -> None:
    """Take away tables that lost their last key, or were made for a key that never was."""
    for place, value in values.items():
        for depth in range(len(place) - 1, 0, -1):
            holder: Any = document
            for part in place[: depth - 1]:
                holder = holder.get(part, {})
            if value is None and holder.get(place[depth - 1]) == {}:
                del holder[place[depth - 1]]


# -- what makes sense ------------------------------------------------------------


def check_config(config: Config, *, allow_http: bool = False) -> None:
    """Refuse a configuration that some command could not use. Raises ConfigError."""
    for profile in config.profiles.values():
        check_profile(profile, allow_http=allow_http)
    check_settings(config)


def check_settings(config: Config) -> None:
    """Check what belongs to no profile. Raises ConfigError."""
    if config.default_profile is not None and config.default_profile not in config.profiles:
        raise no_such_profile(config.default_profile, config, "default_profile")
    for name, parse in (("timeout", parse_timeout), ("max_retries", parse_count)):
        if name in config.settings:
            parsed(parse, config.settings[name], f"settings.{name}")
    for alias in config.aliases:
        resolve_alias(alias, config.aliases)


def check_profile(profile: Profile, *, allow_http: bool = False) -> None:
    """Refuse values of a profile that no command could use. Raises ConfigError."""
    provider = provider_of(profile)
    if profile.key is not None:
        check_reference(profile.key)
    if profile.auth not in AUTHS:
        raise _unknown(profile, "auth", profile.auth, AUTHS)
    if profile.protocol is not None and profile.protocol not in tuple(Protocol):
        raise _unknown(profile, "protocol", profile.protocol, tuple(Protocol))
    if provider is PROVIDERS["custom"] and not profile.base_url:
        raise ConfigError(
            f"profile {profile.name}: provider custom needs a base URL",
            hint=f"glm profile set {profile.name} provider=custom base_url=https://...",
        )
    if profile.router is not None and provider is not PROVIDERS["custom"]:
        names = [key for key in ROUTER_KEYS if getattr(profile.router, key) is not None]
        raise ConfigError(
            f"profile {profile.name}: only provider custom has {', '.join(names)}, not {provider.name}",
            hint=f"glm profile set {profile.name} " + " ".join(f"{name}=" for name in names),
        )
    if profile.base_url:
        normalise_base_url(profile.base_url, allow_http=allow_http)


def check_reference(reference: str) -> None:
    """Refuse what is no reference to a key, without showing it. Raises ConfigError."""
    if not is_key_reference(reference):
        raise ConfigError(
            "a key is kept in one of: keyring, file, env:NAME, command:CMD", hint="for example: --store env:ZAI_API_KEY"
        )


def _unknown(profile: Profile, key: str, word: str, choices: tuple[str, ...]) -> ConfigError:
    return ConfigError(f"profile {profile.name}: unknown {key} {word!r}", hint=f"choose one of {', '.join(choices)}")

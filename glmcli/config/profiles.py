"""What the wizard and `glm profile` do to profiles: save, rename, delete, and move their keys.

`config.toml` and the key store are two places. A key is written before the
reference to it and deleted after, so that a crash between leaves a key too
many and never a profile without one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from glmcli.api.endpoints import PROVIDERS, find_provider, normalise_base_url
from glmcli.api.endpoints import Protocol as Dialect
from glmcli.config.credentials import open_store
from glmcli.config.files import Notice, quiet
from glmcli.config.model import Config, Profile, Secret
from glmcli.config.resolve import AUTHS, no_such_profile
from glmcli.config.schema import KEY_REFERENCE, PROFILE_KEYS
from glmcli.config.store import edit_config, load_config, parse_config
from glmcli.errors import ConfigError

if TYPE_CHECKING:
    from glmcli.config.paths import Paths

Table = MutableMapping[str, Any]

_NAME = re.compile(r"\w[\w.@+-]{0,63}")


def save_profile(
    paths: Paths, profile: Profile, *, make_default: bool = False, allow_http: bool = False, notice: Notice = quiet
) -> list[str]:
    """Write a profile and say what changed, one line per change; empty when it was so before.

    Keys with None are removed. Unknown keys that the file holds stay, and so
    does its `chat` table where `profile.chat` says nothing. The first profile
    becomes the default. Raises ConfigError.
    """
    check_name(profile.name)
    check_profile(profile, allow_http=allow_http)
    with edit_config(paths.config_file, notice=notice) as document:
        profiles = _table(document, "profiles")
        is_new = profile.name not in profiles
        changes = _update(_table(profiles, profile.name), _wanted(profile), f"profile {profile.name}: ")
        if profile.chat:
            chat = _table(profiles[profile.name], "chat")
            changes += _update(chat, profile.chat, f"profile {profile.name}: chat.")
        if is_new:
            changes.insert(0, f"profile {profile.name} is new")
        if make_default or "default_profile" not in document:
            changes += _make_default(document, profile.name)
    return changes


def set_values(
    paths: Paths, name: str, values: Mapping[str, object], *, allow_http: bool = False, notice: Notice = quiet
) -> list[str]:
    """Set keys of a profile (`model`, `chat.temperature`); None removes one. Returns what changed.

    Raises ConfigError when a value does not fit or there is no such profile.
    """
    find_profile(load_config(paths.config_file), name)
    with edit_config(paths.config_file, notice=notice) as document:
        table = _table(_table(document, "profiles"), name)
        changes: list[str] = []
        for key, value in values.items():
            owner, last = (_table(table, "chat"), key[5:]) if key.startswith("chat.") else (table, key)
            changes += _update(owner, {last: value}, f"profile {name}: {key.removesuffix(last)}")
        if not table.get("chat", True):
            del table["chat"]
        check_profile(parse_config(document.as_string(), paths.config_file).profiles[name], allow_http=allow_http)
    return changes


def make_default(paths: Paths, name: str, *, notice: Notice = quiet) -> list[str]:
    """Use a profile when none is named. Raises ConfigError when there is no such profile."""
    find_profile(load_config(paths.config_file), name)
    with edit_config(paths.config_file, notice=notice) as document:
        return _make_default(document, name)


def rename_profile(paths: Paths, old: str, new: str, *, notice: Notice = quiet) -> None:
    """Give a profile another name; its stored key and the default go with it. Raises ConfigError."""
    check_name(new)
    config = load_config(paths.config_file)
    profile = find_profile(config, old)
    if new in config.profiles:
        raise ConfigError(f"a profile is already called {new!r}", hint=f"delete it first: glm profile delete {new}")
    key = read_key(profile, paths)
    if key is not None:
        open_store(str(profile.key), paths, keyring_backend=profile.keyring_backend).save(new, key)
    with edit_config(paths.config_file, notice=notice) as document:
        _rename_key(_table(document, "profiles"), old, new)
        if document.get("default_profile") == old:
            document["default_profile"] = new
    delete_key(profile, paths)


def delete_profile(paths: Paths, name: str, *, notice: Notice = quiet) -> None:
    """Forget a profile and the key that is stored for it. Raises ConfigError."""
    profile = find_profile(load_config(paths.config_file), name)
    delete_key(profile, paths)
    with edit_config(paths.config_file, notice=notice) as document:
        profiles = _table(document, "profiles")
        profiles.pop(name, None)
        if document.get("default_profile") == name:
            document.pop("default_profile")


def find_profile(config: Config, name: str) -> Profile:
    """The profile of that name. Raises ConfigError with the nearest names."""
    if name not in config.profiles:
        raise no_such_profile(name, config)
    return config.profiles[name]


# -- keys ------------------------------------------------------------------------


def store_key(kind: str, profile_name: str, secret: Secret | None, paths: Paths) -> tuple[str, str | None]:
    """Keep a key in a store; the reference and the keyring backend to write into the profile.

    `kind` is `keyring`, `file`, `env:NAME` or `command:CMD`; the last two keep
    nothing and need no `secret`. Raises ConfigError.
    """
    if kind.startswith(("env:", "command:")):
        check_reference(kind)
        return kind, None
    store = open_store(kind, paths)
    if secret is None:
        raise ConfigError(f"there is no key to keep in {store.describe()}")
    store.save(profile_name, secret.reveal())
    return kind, getattr(store, "backend", None)


def change_key(paths: Paths, name: str, kind: str, secret: Secret | None, *, notice: Notice = quiet) -> Profile:
    """Replace the key of a profile, in the same store or another one; the old store forgets its key.

    Raises ConfigError; the old key is then still in place.
    """
    before = find_profile(load_config(paths.config_file), name)
    reference, backend = store_key(kind, name, secret, paths)
    after = replace(before, key=reference, keyring_backend=backend)
    save_profile(paths, after, allow_http=True, notice=notice)
    if (before.key, before.keyring_backend) != (reference, backend):
        _forget_moved(before, after, paths, notice)
    return after


def _forget_moved(before: Profile, after: Profile, paths: Paths, notice: Notice) -> None:
    same_store = before.key == after.key and before.key != "keyring"
    if same_store:
        return
    try:
        delete_key(before, paths)
    except ConfigError as error:
        notice(f"glm: the old key could not be deleted: {error.message}")


def remove_key(paths: Paths, name: str, *, notice: Notice = quiet) -> bool:
    """Delete the key of a profile and the reference to it; whether a key was stored. Raises ConfigError."""
    profile = find_profile(load_config(paths.config_file), name)
    was_stored = delete_key(profile, paths)
    save_profile(paths, replace(profile, key=None, keyring_backend=None), allow_http=True, notice=notice)
    return was_stored


def read_key(profile: Profile, paths: Paths) -> str | None:
    """The key that is stored for a profile; None for none, or a reference to elsewhere. Raises ConfigError."""
    if profile.key not in ("keyring", "file"):
        return None
    return open_store(profile.key, paths, keyring_backend=profile.keyring_backend).load(profile.name)


def delete_key(profile: Profile, paths: Paths) -> bool:
    """Delete the stored key of a profile; whether there was one. Raises ConfigError."""
    if profile.key not in ("keyring", "file"):
        return False
    return open_store(profile.key, paths, keyring_backend=profile.keyring_backend).delete(profile.name)


# -- checks ----------------------------------------------------------------------


def check_name(name: str) -> None:
    """Refuse a name that could not be typed. Raises ConfigError."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot name a profile",
            hint="use letters, digits and . _ - @ +, at most 64, beginning with a letter",
        )


def check_reference(reference: str) -> None:
    """Refuse what is no reference to a key, without showing it. Raises ConfigError."""
    if not KEY_REFERENCE.fullmatch(reference):
        raise ConfigError(
            "a key is kept in one of: keyring, file, env:NAME, command:CMD", hint="for example: --store env:ZAI_API_KEY"
        )


def check_profile(profile: Profile, *, allow_http: bool = False) -> None:
    """Refuse values that no command could use. Raises ConfigError."""
    provider = find_provider(profile.provider)
    if profile.key is not None:
        check_reference(profile.key)
    if profile.auth not in AUTHS:
        raise ConfigError(f"unknown auth {profile.auth!r}", hint=f"choose one of {', '.join(AUTHS)}")
    if profile.protocol is not None and profile.protocol not in tuple(Dialect):
        raise ConfigError(f"unknown protocol {profile.protocol!r}", hint=f"choose one of {', '.join(Dialect)}")
    if provider is PROVIDERS["custom"] and not profile.base_url:
        raise ConfigError("provider custom needs a base URL", hint="add: base_url=https://...")
    if profile.base_url:
        normalise_base_url(profile.base_url, allow_http=allow_http)


# -- tables ----------------------------------------------------------------------


def _wanted(profile: Profile) -> dict[str, object]:
    """The keys of a profile as they should stand; the defaults need not be written."""
    values: dict[str, object] = {key: getattr(profile, key) for key in PROFILE_KEYS}
    if values["auth"] == "bearer":
        values["auth"] = None
    return values


def _update(table: Table, values: Mapping[str, object], prefix: str) -> list[str]:
    changes: list[str] = []
    for key, value in values.items():
        before = table.get(key)
        if value is None and before is not None:
            del table[key]
            changes.append(f"{prefix}{key} {before} removed")
        elif value is not None and value != before:
            table[key] = value
            changes.append(f"{prefix}{key} {before} -> {value}" if before is not None else f"{prefix}{key} {value}")
    return changes


def _make_default(document: Table, name: str) -> list[str]:
    if document.get("default_profile") == name:
        return []
    document["default_profile"] = name
    return [f"default profile: {name}"]


def _table(parent: Table, key: str) -> Table:
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


def _rename_key(table: Table, old: str, new: str) -> None:
    table[new] = table.pop(old)

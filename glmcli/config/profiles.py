"""What the wizard and `glm profile` do to profiles: save, rename, delete, and move their keys.

`config.toml` and the key store are two places. A key is written before the
reference to it and deleted after, so that a crash between leaves a key too
many and never a profile without one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from glmcli.config.credentials import open_store
from glmcli.config.editing import change_table, change_values, check_profile, check_reference, table_in
from glmcli.config.files import Notice, quiet
from glmcli.config.model import Config, Profile, Secret
from glmcli.config.resolve import no_such_profile
from glmcli.config.schema import PROFILE_KEYS, place_in_profile
from glmcli.config.store import edit_config, load_config
from glmcli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from glmcli.config.paths import Paths

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
    where = ("profiles", profile.name)
    with edit_config(paths.config_file, notice=notice) as document:
        profiles = table_in(document, "profiles")
        is_first = not profiles
        table = table_in(profiles, profile.name)
        changes = change_table(table, _wanted(profile), where)
        if profile.chat:
            changes += change_table(table_in(table, "chat"), profile.chat, (*where, "chat"))
        if make_default or (is_first and "default_profile" not in document):
            changes += change_table(document, {"default_profile": profile.name})
    return changes


def set_values(
    paths: Paths, name: str, values: Mapping[str, object], *, allow_http: bool = False, notice: Notice = quiet
) -> list[str]:
    """Set keys of a profile (`model`, `chat.temperature`); None removes one. Returns what changed.

    Raises ConfigError when a value does not fit or there is no such profile.
    """
    find_profile(load_config(paths.config_file), name)
    places = {place_in_profile(name, key): value for key, value in values.items()}
    return change_values(paths.config_file, places, allow_http=allow_http, notice=notice)


def use_profile(paths: Paths, name: str, *, notice: Notice = quiet) -> list[str]:
    """Make a profile the default. Returns what changed. Raises ConfigError when there is no such profile."""
    find_profile(load_config(paths.config_file), name)
    return change_values(paths.config_file, {("default_profile",): name}, notice=notice)


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
        profiles = table_in(document, "profiles")
        profiles[new] = profiles.pop(old)
        if document.get("default_profile") == old:
            document["default_profile"] = new
    _forget_key(profile, paths, notice)


def delete_profile(paths: Paths, name: str, *, notice: Notice = quiet) -> None:
    """Forget a profile and the key that is stored for it. Raises ConfigError."""
    profile = find_profile(load_config(paths.config_file), name)
    with edit_config(paths.config_file, notice=notice) as document:
        table_in(document, "profiles").pop(name, None)
        if document.get("default_profile") == name:
            document.pop("default_profile")
    _forget_key(profile, paths, notice)


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


def reference_to(store: str, *, variable: str | None = None, command: str | None = None) -> str:
    """The kind of store that options name: `env` and `command` need to be told of what.

    Raises UsageError when they are not.
    """
    if store == "env":
        if not variable:
            raise UsageError("--store env needs the name of a variable", hint="add --key-env NAME")
        return f"env:{variable}"
    if store == "command":
        if not command:
            raise UsageError("--store command needs a command", hint="add --key-command 'pass show glm'")
        return f"command:{command}"
    return store


def change_key(paths: Paths, name: str, kind: str, secret: Secret | None, *, notice: Notice = quiet) -> list[str]:
    """Replace the key of a profile, in the same store or another one; the old store forgets its key.

    Returns what changed in `config.toml`. Raises ConfigError; the old key is
    then still in place.
    """
    before = find_profile(load_config(paths.config_file), name)
    reference, backend = store_key(kind, name, secret, paths)
    changes = set_values(paths, name, {"key": reference, "keyring_backend": backend}, allow_http=True, notice=notice)
    if before.key != reference:
        _forget_key(before, paths, notice)
    return changes


def remove_key(paths: Paths, name: str, *, notice: Notice = quiet) -> bool:
    """Delete the key of a profile and the reference to it; whether a key was stored. Raises ConfigError."""
    profile = find_profile(load_config(paths.config_file), name)
    was_stored = delete_key(profile, paths)
    set_values(paths, name, {"key": None, "keyring_backend": None}, allow_http=True, notice=notice)
    return was_stored


def _forget_key(profile: Profile, paths: Paths, notice: Notice) -> None:
    """Delete a key that is no longer referred to; a store that fails must not stop what is done already."""
    try:
        delete_key(profile, paths)
    except ConfigError as error:
        notice(f"glm: the old key of profile {profile.name} could not be deleted: {error.message}")


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


def _wanted(profile: Profile) -> dict[str, object]:
    """The keys of a profile as they should stand; the defaults need not be written."""
    values: dict[str, object] = {key: getattr(profile, key) for key in PROFILE_KEYS}
    if values["auth"] == "bearer":
        values["auth"] = None
    return values

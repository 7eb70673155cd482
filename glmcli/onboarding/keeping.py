"""Writes what onboarding has verified.

The key is written before the profile that refers to it, so that a process that
is killed in between leaves no profile without a key.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS
from glmcli.catalogue import text
from glmcli.config.model import Profile
from glmcli.errors import ConfigError, GlmError
from glmcli.onboarding.answers import Answers, FoundKey, Kept, Verified, Wish

if TYPE_CHECKING:
    from glmcli.context import AppContext


def keep(app: AppContext, name: str, answers: Answers) -> Kept:
    """Write key and profile; what is so already is not written again. Raises ConfigError.

    Without `--store` a keyring that does not work is replaced by the private
    file, with a notice.
    """
    from glmcli.config.profiles import delete_key, save_profile

    wish, before = answers.wish, app.config.profiles.get(name)
    with _unpaired(app, before, answers.verified.provider):
        reference, backend, is_new_key = _keep_key(app, name, wish, answers.key, before)
    profile = _profile(name, wish, answers.verified, before, reference, backend)
    changes = save_profile(
        app.paths,
        profile,
        make_default=wish.set_default,
        allow_http=app.options.allow_http,
        notice=app.streams.note,
    )
    if is_new_key:
        changes.append(text("onboard.key_changed", app.language, profile=name))
    if before is not None and before.key in ("keyring", "file") and before.key != reference:
        try:
            delete_key(before, app.paths)
        except ConfigError as error:
            app.streams.note(text("onboard.old_key_stays", app.language, reason=error.message))
    return Kept(profile, place_of_key(app, profile), tuple(changes), _is_default(app, name))


@contextmanager
def _unpaired(app: AppContext, before: Profile | None, provider: str) -> Iterator[None]:
    """Store a key of the other company while no profile would send it to the old one, even if we are killed."""
    from glmcli.config.profiles import set_values

    own = PROVIDERS.get(before.provider) if before is not None else None
    if before is None or before.key not in ("keyring", "file") or own is None:
        yield
        return
    if own.region is PROVIDERS[provider].region and "custom" not in (own.name, provider):
        yield
        return
    set_values(app.paths, before.name, {"key": None}, allow_http=True)
    try:
        yield
    except BaseException:
        set_values(app.paths, before.name, {"key": before.key}, allow_http=True)
        raise


def _profile(
    name: str, wish: Wish, verified: Verified, before: Profile | None, reference: str, backend: str | None
) -> Profile:
    """The profile as it shall stand; a change of provider takes the old one's model and address away."""
    if before is None or before.provider != verified.provider:
        auth = before.auth if before else "bearer"
        before = Profile(name, verified.provider, auth=auth)
    return before.replace(
        model=wish.model or verified.model or before.model,
        key=reference,
        keyring_backend=backend,
        base_url=verified.base_url,
        protocol=verified.protocol or (before.protocol if verified.base_url is None else None),
        chat={},
    )


def _keep_key(
    app: AppContext, name: str, wish: Wish, key: FoundKey, before: Profile | None
) -> tuple[str, str | None, bool]:
    """The reference to the key, the keyring's backend, and whether a stored key was replaced."""
    from glmcli.config.profiles import reference_to, store_key

    if wish.store in ("env", "command"):
        variable = app.options.key_env or (key.reference or "").partition("env:")[2]
        return reference_to(wish.store, variable=variable, command=wish.key_command), None, False
    reference = key.reference or ""
    if wish.store is None and reference.startswith(("env:", "command:")):
        return reference, None, False
    usual = before.key if before is not None and before.key in ("keyring", "file") else "keyring"
    kind = wish.store or usual
    old = _stored_text(app, before) if before is not None and before.key == kind else None
    if before is not None and old == key.secret.reveal():
        return kind, before.keyring_backend, False
    try:
        kept = store_key(kind, name, key.secret, app.paths)
    except ConfigError as error:
        if wish.store is not None or kind != "keyring":
            raise
        app.streams.note(
            text("onboard.no_keyring", app.language, reason=_first_sentence(error), path=app.paths.credentials_file)
        )
        kept = store_key("file", name, key.secret, app.paths)
    return *kept, old is not None


def _first_sentence(error: GlmError) -> str:
    return error.message.partition(". ")[0]


def _stored_text(app: AppContext, profile: Profile) -> str | None:
    from glmcli.config.profiles import read_key

    try:
        return read_key(profile, app.paths)
    except ConfigError:
        return None  # a store that fails now is told when it is written to


def place_of_key(app: AppContext, profile: Profile) -> str:
    """Where the key of a profile is, in a few words."""
    from glmcli.config.credentials import open_store

    reference = profile.key or ""
    kind, _, rest = reference.partition(":")
    if kind == "env":
        return f"variable {rest}"
    if kind == "command":
        return f"command {shlex.split(rest)[0]}"
    return open_store(reference, app.paths, keyring_backend=profile.keyring_backend).describe()


def _is_default(app: AppContext, name: str) -> bool:
    from glmcli.config.store import load_config

    config = load_config(app.paths.config_file)
    return config.default_profile == name or list(config.profiles) == [name]

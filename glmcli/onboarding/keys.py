"""Finds the key that onboarding is about: given, named, set already or stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS
from glmcli.config.model import GlobalOptions, KeyCandidate, Profile, Secret, Settings
from glmcli.errors import ConfigError, MissingKey, UsageError
from glmcli.onboarding.answers import FoundKey, Wish

if TYPE_CHECKING:
    from glmcli.context import AppContext


def key_of_flags(app: AppContext, wish: Wish, providers: Sequence[str]) -> FoundKey | None:
    """The key that the command line gives or names; None when it says nothing of one.

    Raises UsageError for two of them, MissingKey for one that is empty.
    """
    options, flags = app.options, wish.flags or {}
    given = [name for name, is_given in _given(app, wish).items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other", hint="give one of them")
    if flags:
        ((provider, secret),) = flags.items()
        _check_flag(provider, secret, providers)
        return FoundKey(secret)
    if options.key_stdin:
        return FoundKey(_read(app, KeyCandidate("stdin", "-", "flag --key-stdin")))
    if options.key_env:
        source = f"variable {options.key_env} (flag --key-env)"
        secret = _read(app, KeyCandidate("env", options.key_env, source))
        return FoundKey(secret, f"env:{options.key_env}" if wish.store == "env" else None)
    if wish.key_command:
        reference = f"command:{wish.key_command}"
        secret = _read(app, KeyCandidate("stored", reference, "flag --key-command"))
        return FoundKey(secret, reference if wish.store in (None, "command") else None)
    return None


def _given(app: AppContext, wish: Wish) -> dict[str, bool]:
    flags = {f"--{provider}-api-key": True for provider in wish.flags or {}}
    return {
        **flags,
        "--key-stdin": app.options.key_stdin,
        "--key-env": bool(app.options.key_env),
        "--key-command": bool(wish.key_command),
    }


def _check_flag(provider: str, secret: Secret, providers: Sequence[str]) -> None:
    """A key flag of the other company would send its key to the wrong host."""
    if not secret.reveal():
        raise MissingKey(f"the key of --{provider}-api-key is empty", hint="is the variable set in this shell?")
    regions = {PROVIDERS[name].region for name in providers}
    if PROVIDERS[provider].region not in regions:
        wanted = f"--{providers[0]}-api-key"
        raise UsageError(f"--{provider}-api-key does not go with {providers[0]}", hint=f"use {wanted} for its key")


def key_lying_around(app: AppContext, profile: Profile | None, providers: Sequence[str]) -> FoundKey | None:
    """The key that is set already: in a provider's variables, or stored for this very profile.

    The order is that of every command: own variable, stored key, fallback
    variables. Raises ConfigError when variables hold different keys, or a store fails.
    """
    own = [PROVIDERS[name].own_variable for name in providers]
    fallbacks = [variable for name in providers for variable in PROVIDERS[name].fallback_variables]
    found = key_of_variables(app, own)
    if found is None and profile is not None and profile.key and profile.provider in providers:
        found = stored_key(app, profile)
    return found or key_of_variables(app, fallbacks)


def key_of_variables(app: AppContext, names: Iterable[str | None]) -> FoundKey | None:
    """The key that these variables hold, to be referred to. Raises ConfigError when they hold different ones."""
    values = {name: app.environ[name].strip() for name in names if name and app.environ.get(name, "").strip()}
    if len(set(values.values())) > 1:
        raise ConfigError(f"several keys are set ({', '.join(values)})", hint="name one of them with --key-env NAME")
    for name in values:
        return FoundKey(_read(app, KeyCandidate("env", name, f"variable {name}")), f"env:{name}")
    return None


def stored_key(app: AppContext, profile: Profile) -> FoundKey | None:
    """The key to which a profile refers; None when there is none any more."""
    from glmcli.config.credentials import find_key

    candidate = KeyCandidate("stored", profile.key or "", f"profile {profile.name}")
    try:
        secret = find_key([candidate], _settings(app, profile.name), app.environ, app.paths, app.streams)
    except MissingKey:
        return None
    return FoundKey(secret, profile.key)


def _read(app: AppContext, candidate: KeyCandidate) -> Secret:
    """The key of one place, cleaned. Raises MissingKey, UsageError, ConfigError."""
    from glmcli.config.credentials import find_key

    # Of the settings only messages are made here, and those of a flag or variable name neither profile nor provider.
    return find_key([candidate], _settings(app, None), app.environ, app.paths, app.streams)


def _settings(app: AppContext, profile: str | None) -> Settings:
    """The settings of one profile, whatever flags and variables say of others."""
    from glmcli.config.resolve import resolve

    provider = None if profile else VENDOR_PROVIDERS[0]
    return resolve(GlobalOptions(profile=profile, provider=provider, allow_http=True), {}, None, app.config)

"""What an invocation of `glm` has to offer to a coding tool: provider, addresses, model, key."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from glmcli.api.clientenv import client_bases, key_variables, region_variable
from glmcli.config.model import Secret
from glmcli.errors import UsageError
from glmcli.integrations.record import Records
from glmcli.integrations.setup import KeyUse, Place, Setup

if TYPE_CHECKING:
    from glmcli.context import AppContext


def place_of(app: AppContext) -> Place:
    """Where this user's tools keep their files."""
    from glmcli.config.paths import user_home

    return Place(user_home(app.environ), app.environ)


def records_of(app: AppContext) -> Records:
    """What `glm connect` has done on this machine."""
    return Records(app.paths.data_dir / "connect.json")


def setup_of(
    app: AppContext,
    *,
    with_key: bool,
    by_reference: bool | None = None,
    model: str | None = None,
    map_models: bool = False,
    mark_onboarded: bool = False,
) -> Setup:
    """What a tool shall use, from the settings of this invocation.

    Without `with_key` no key is looked for: forms and printed commands do not
    need one. Raises MissingKey, ConfigError, and UsageError for the sandbox.
    """
    from glmcli.config.resolve import resolve_alias

    provider = app.target.provider
    wanted = resolve_alias(model, app.settings.aliases) if model else app.settings.model.value
    return Setup(
        provider=provider,
        bases=client_bases(app.target),
        model=wanted or provider.default_model or _no_model(),
        key=_key_use(app, app.key() if with_key else Secret("", "not looked for"), by_reference),
        auth=app.settings.auth.value,
        map_models=map_models,
        mark_onboarded=mark_onboarded,
    )


def _no_model() -> str:
    raise UsageError("a custom base URL has no default model", hint="name it: --model MODEL")


def _key_use(app: AppContext, key: Secret, by_reference: bool | None) -> KeyUse:
    if app.options.key_stdin:
        if by_reference:
            raise UsageError(
                "a key from standard input cannot be referred to", hint="store it first: glm profile login NAME"
            )
        by_reference = False
    exported = next(_variables_holding(app, key), None) if key.reveal() else None
    names = key_variables(app.target.provider)
    variable = exported or region_variable(app.target.provider) or names[0]
    return KeyUse(key.reveal(), variable, key_command(app), exported is not None, by_reference)


def _variables_holding(app: AppContext, key: Secret) -> Iterator[str]:
    """Variables of the shell, not of `--env-file`, whose value is the key."""
    from glmcli.config.resolve import fallback_variables

    provider = app.target.provider
    stored = (app.settings.key_reference or "").partition("env:")[2]
    fallbacks = fallback_variables(provider, app.settings.protocol.value)
    from_file = getattr(app.environ, "from_file", {})
    for name in (app.options.key_env, stored, *key_variables(provider), *fallbacks):
        if name and name not in from_file and app.environ.get(name) == key.reveal():
            yield name


def key_command(app: AppContext) -> str:
    """A command line that prints the key of this invocation, in any directory."""
    words = [*_glm_words(app), "env", "--key-only"]
    profile = app.settings.profile.value
    if profile:
        words += ["--profile", profile]
    else:
        words += ["--provider", app.target.provider.name]
    if app.options.key_env:
        words += ["--key-env", app.options.key_env]
    return shlex.join(words)


def _glm_words(app: AppContext) -> list[str]:
    found = shutil.which("glm", path=app.environ.get("PATH", ""))
    return ["glm"] if found else [sys.executable, "-m", "glmcli"]

"""What can be seen of a set-up without asking the service: settings, variables, files, key store, network.

Every finding is a `Check`: a line for people, with the command that mends it.
Nothing here raises; what goes wrong is what is looked for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS, Plan, Protocol, Provider
from glmcli.catalogue import text
from glmcli.config.model import Config, Secret, Settings
from glmcli.config.resolve import CUSTOM_FALLBACKS
from glmcli.errors import GlmError, HistoryError

if TYPE_CHECKING:
    from glmcli.context import AppContext


class Level(StrEnum):
    """How a finding is to be taken. The words are an interface."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `name` is what was looked at; `command` mends it, where something needs mending."""

    section: str
    name: str
    level: Level
    message: str
    command: str | None = None

    def to_json(self) -> dict[str, object]:
        """The check of `glm doctor --json`."""
        return {
            "section": self.section,
            "name": self.name,
            "level": self.level.value,
            "message": self.message,
            "command": self.command,
        }


FILES, SETTINGS, VARIABLES, KEY, NETWORK = "files", "settings", "variables", "key", "network"
SECTIONS = (SETTINGS, VARIABLES, FILES, KEY, NETWORK)

#: The variables that `glm` reads, apart from those of keys (`docs/configuration.md`).
OWN_VARIABLES = (
    "GLM_PROFILE",
    "GLM_PROVIDER",
    "GLM_MODEL",
    "GLM_BASE_URL",
    "GLM_TIMEOUT",
    "GLM_MAX_RETRIES",
    "GLM_HOME",
    "GLM_LANG",
    "GLM_ORIGIN_INTL",
    "GLM_ORIGIN_CN",
    "GLM_NO_LOG",
    "GLM_SANDBOX_FAULT",
)
#: Base URLs of other clients, which users take for ours.
FOREIGN_VARIABLES = ("ZAI_BASE_URL", "ZHIPUAI_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")


def key_variables() -> tuple[str, ...]:
    """Every variable from which a key may be taken."""
    own = [provider.own_variable for provider in PROVIDERS.values() if provider.own_variable]
    fallback = [name for provider in PROVIDERS.values() for name in provider.fallback_variables]
    foreign = [name for names in CUSTOM_FALLBACKS.values() for name in names]
    return tuple(dict.fromkeys([*own, *fallback, *foreign]))


# -- settings --------------------------------------------------------------------


def rows(settings: Settings) -> list[tuple[str, object, str]]:
    """Each setting, its value and its source."""
    named = {name: getattr(settings, name) for name in _PLAIN_SETTINGS}
    named |= {"timeout": settings.timeout_seconds, "max_retries": settings.max_retries, "no_log": settings.no_log}
    named |= {f"chat.{name}": item for name, item in settings.chat.items()}
    router = settings.router.rows() if settings.router is not None else ()
    own = [(name, value, f"profile {settings.profile.value}") for name, value in router]
    return [*((name, _plain(item.value), item.source) for name, item in named.items()), *own]


_PLAIN_SETTINGS = ("profile", "provider", "protocol", "origin", "base_url", "model", "auth", "via")


def _plain(value: object) -> object:
    """A value as JSON knows it: the name of a provider, the word of a choice."""
    return value.name if isinstance(value, Provider) else value


def check_settings(settings: Settings, language: str) -> Iterator[Check]:
    """What the settings warn of, and a model that the plan will refuse."""
    for warning in settings.warnings:
        yield Check(SETTINGS, "warning", Level.NOTE, warning)
    model, provider = settings.model.value, settings.provider.value
    if provider.plan is Plan.CODING and model is not None and not _is_in_plan(model):
        yield Check(
            SETTINGS,
            "model",
            Level.NOTE,
            text("doctor.model_outside_plan", language, model=model, source=settings.model.source),
            _command_for_model(settings),
        )


def _is_in_plan(model: str) -> bool:
    """Whether the plan answers for a model, as far as is known; a stranger gets the benefit of the doubt."""
    from glmcli.api.catalog import PLAN_SERVES, find_model

    known = find_model(model)
    return known is None or known.in_plan or known.id in PLAN_SERVES


def _command_for_model(settings: Settings) -> str:
    default = settings.provider.value.default_model
    if settings.model.source.startswith("profile "):
        return f"glm profile set {settings.profile.value} model={default}"
    return "glm models --plan"


# -- variables -------------------------------------------------------------------


def check_variables(
    environ: Mapping[str, str], language: str, *, settings: Settings | None = None, key: Secret | None = None
) -> Iterator[Check]:
    """The variables in play, which key wins over which, and names that are nearly ours."""
    for name in OWN_VARIABLES:
        if environ.get(name, "").strip():
            yield Check(VARIABLES, name, Level.OK, environ[name].strip())
    yield from _unknown_variables(environ, language)
    used = None if key is None else key.variable
    for name in key_variables():
        if name in environ:
            yield _key_variable(name, environ[name], used, key, settings, language)
    for name in FOREIGN_VARIABLES:
        if environ.get(name):
            yield Check(VARIABLES, name, Level.NOTE, text("doctor.foreign_variable", language))


def _unknown_variables(environ: Mapping[str, str], language: str) -> Iterator[Check]:
    from difflib import get_close_matches

    known = (*OWN_VARIABLES, *key_variables())
    for name in sorted(environ):
        if name.startswith("GLM_") and name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.75)
            key = "doctor.near_variable" if near else "doctor.unknown_variable"
            yield Check(VARIABLES, name, Level.NOTE, text(key, language, near="".join(near)))


def _key_variable(
    name: str, value: str, used: str | None, key: Secret | None, settings: Settings | None, language: str
) -> Check:
    if not value.strip():
        return Check(VARIABLES, name, Level.NOTE, text("doctor.empty_variable", language))
    if name == used:
        return Check(VARIABLES, name, Level.OK, text("doctor.key_used", language))
    if key is None or settings is None:
        return Check(VARIABLES, name, Level.OK, text("doctor.key_set", language))
    if not _may_serve(name, settings):
        return Check(VARIABLES, name, Level.OK, text("doctor.key_of_others", language, others=_users_of(name)))
    if value.strip() == key.reveal():
        return Check(VARIABLES, name, Level.OK, text("doctor.key_same", language))
    return Check(VARIABLES, name, Level.NOTE, text("doctor.key_shadowed", language, winner=key.source))


def _may_serve(name: str, settings: Settings) -> bool:
    """Whether the provider in use would take its key from a variable."""
    provider = settings.provider.value
    fallback = provider.fallback_variables
    if provider.name == "custom":
        fallback = CUSTOM_FALLBACKS[settings.protocol.value]
    return name == provider.own_variable or name in fallback


def _users_of(name: str) -> str:
    users = [
        provider.name
        for provider in PROVIDERS.values()
        if name == provider.own_variable or name in provider.fallback_variables
    ]
    custom = [f"custom ({protocol})" for protocol in Protocol if name in CUSTOM_FALLBACKS[protocol]]
    return ", ".join(users or custom)


# -- files -----------------------------------------------------------------------


def check_files(app: AppContext, config: Config | None) -> Iterator[Check]:
    """Our files: where, whether they can be used, and who may read them."""
    language = app.language
    try:
        paths = app.paths
    except GlmError as error:
        yield Check(FILES, "folders", Level.BAD, error.message, error.hint)
        return
    if config is not None:
        key = "doctor.profiles" if config.exists else "doctor.no_file"
        message = text(key, language, path=paths.config_file, count=len(config.profiles))
        yield Check(FILES, "config.toml", Level.OK, message)
    yield _history(app)
    for path, mode in private_files(app):
        if is_open(path, mode):
            message = text("doctor.open_file", language, path=path, mode=f"{stat.S_IMODE(path.stat().st_mode):04o}")
            yield Check(FILES, path.name, Level.BAD, message, f"chmod {mode:o} {path}")


def private_files(app: AppContext) -> list[tuple[Path, int]]:
    """The files and folders that nobody else may read, with the mode that they should have."""
    try:
        paths = app.paths
    except GlmError:
        return []
    folders = dict.fromkeys((paths.config_dir, paths.data_dir))
    files = (paths.config_file, paths.credentials_file, paths.history_file)
    return [*((folder, 0o700) for folder in folders), *((file, 0o600) for file in files)]


def is_open(path: Path, mode: int) -> bool:
    """Whether others may do more with a file than `mode` says; what belongs to somebody else is left alone."""
    if os.name != "posix":
        return False
    try:
        found = path.stat()
    except OSError:
        return False
    is_shared = bool(found.st_mode & stat.S_ISVTX)
    return found.st_uid == os.geteuid() and not is_shared and bool(stat.S_IMODE(found.st_mode) & 0o077 & ~mode)


def _history(app: AppContext) -> Check:
    path, language = app.paths.history_file, app.language
    if not os.path.exists(path):  # noqa: PTH110  # `Path.exists` raises where a folder is closed to us
        return Check(FILES, "history.db", Level.OK, text("doctor.no_file", language, path=path))
    try:
        count = app.history.count()
    except HistoryError as error:
        return Check(FILES, "history.db", Level.BAD, error.message, error.hint)
    return Check(FILES, "history.db", Level.OK, text("doctor.conversations", language, path=path, count=count))


# -- key -------------------------------------------------------------------------


def check_key(key: Secret | GlmError, settings: Settings, app: AppContext) -> Iterator[Check]:
    """Whether a key was found, where, and whether it looks like one; never the key."""
    from glmcli.config.keytext import doubt_about

    if isinstance(key, GlmError):
        yield Check(KEY, "key", Level.BAD, key.message, key.hint)
        return
    message = text("doctor.key_found", app.language, source=key.source, count=len(key.reveal()))
    yield Check(KEY, "key", Level.OK, message)
    doubt = doubt_about(key.reveal())
    if doubt and settings.provider.value.name not in ("custom", "sandbox"):
        yield Check(KEY, "form", Level.NOTE, doubt)
    if settings.key_reference == "keyring" and settings.keyring_backend:
        yield Check(KEY, "keyring", Level.OK, settings.keyring_backend)
    if settings.key_reference is None or key.source.endswith(f"profile {settings.profile.value}"):
        yield from _end_of_key(settings, app)


def _end_of_key(settings: Settings, app: AppContext) -> Iterator[Check]:
    """How long a router's key is good for, as the profile says."""
    left = settings.router.days_left(app.now()) if settings.router is not None else None
    if settings.router is None or left is None:
        return
    from glmcli.config.routers import NOTE_DAYS

    level, name = Level.OK, "doctor.key_ends"
    if left < NOTE_DAYS:
        level, name = (Level.BAD, "doctor.key_ended") if left <= 0 else (Level.NOTE, "doctor.key_ends_soon")
    message = text(name, app.language, end=settings.router.key_expires, days=max(0, int(left)))
    renew = f"glm profile login {settings.profile.value} --expires 90d"
    yield Check(KEY, "expires", level, message, None if level is Level.OK else renew)


# -- network ---------------------------------------------------------------------


def check_network(settings: Settings, app: AppContext) -> Iterator[Check]:
    """The way to the service: address, proxy, certificates."""
    language = app.language
    address = settings.base_url.value or settings.origin.value
    if settings.provider.value.name == "sandbox":
        yield Check(NETWORK, "address", Level.OK, text("doctor.in_process", language))
        return
    level = Level.OK if settings.origin.source == "default" or settings.base_url.value else Level.NOTE
    yield Check(NETWORK, "address", level, f"{address} ({settings.origin.source})")
    yield _proxy(address, app)
    if address.startswith("https:"):
        yield _certificates(app)


def _proxy(address: str, app: AppContext) -> Check:
    from glmcli.api.proxies import choose_proxy

    try:
        proxy = choose_proxy(address, app.environ)
    except GlmError as error:
        return Check(NETWORK, "proxy", Level.BAD, error.message, error.hint)
    if proxy is None:
        return Check(NETWORK, "proxy", Level.OK, text("doctor.direct", app.language))
    return Check(NETWORK, "proxy", Level.NOTE, without_userinfo(proxy))


def without_userinfo(url: str) -> str:
    """A URL without the name and password that it may carry."""
    scheme, separator, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path}"


def _certificates(app: AppContext) -> Check:
    from glmcli.api.tls import tls_context

    named = app.environ.get("SSL_CERT_FILE") or app.environ.get("SSL_CERT_DIR")
    try:
        tls_context(app.environ)
    except GlmError as error:
        return Check(NETWORK, "certificates", Level.BAD, error.message, error.hint)
    return Check(NETWORK, "certificates", Level.OK, named or text("doctor.system_trust", app.language))

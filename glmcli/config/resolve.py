"""Which setting wins, and why: flag > GLM_* variable > .glm.toml > profile > default.

Pure: everything comes in as arguments, nothing is read here. An empty
variable counts as unset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from glmcli.api.endpoints import Protocol, Provider, Via
from glmcli.config.destination import CUSTOM, choose_destination, provider_of
from glmcli.config.model import Config, DirectoryFile, GlobalOptions, KeyCandidate, Profile, Settings, Sourced
from glmcli.config.variables import Variables, parse_choice, parse_count, parse_switch, parse_timeout, parsed
from glmcli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from glmcli.config.routers import Router

T = TypeVar("T")

DEFAULT_TIMEOUT_SECONDS = 300.0  # that of the vendor's own SDK
DEFAULT_MAX_RETRIES = 2
AUTHS = ("bearer", "jwt", "x-api-key")

#: The model that a dotenv file of another tool may give for `custom`.
ENV_FILE_MODEL = "OPENAI_MODEL"
#: Fallback variables of `custom`, per protocol.
CUSTOM_FALLBACKS = {
    Protocol.OPENAI: ("OPENAI_API_KEY",),
    Protocol.ANTHROPIC: ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"),
}


def resolve(
    options: GlobalOptions,
    environ: Mapping[str, str],
    directory_file: DirectoryFile | None,
    config: Config,
) -> Settings:
    """The settings of one invocation, each with its source.

    Raises ConfigError for contradictions, unknown names and values out of range.
    """
    return _Resolver(options, environ, directory_file, config).settings()


def resolve_alias(model: str, aliases: Mapping[str, str]) -> str:
    """The model that a name stands for, through `[aliases]`. Raises ConfigError for a circle."""
    seen: list[str] = []
    while model in aliases:
        if model in seen:
            raise ConfigError(
                f"the aliases go round in a circle: {' -> '.join([*seen, model])}",
                hint="mend them with: glm config edit",
            )
        seen.append(model)
        model = aliases[model]
    return model


def key_candidates(settings: Settings, options: GlobalOptions, environ: Mapping[str, str]) -> list[KeyCandidate]:
    """The places where the key may be, first one first.

    A key that was named on the command line is the only candidate: when it is
    missing, another one must not pay instead.
    """
    if options.key_stdin and options.key_env:
        raise UsageError("--key-stdin and --key-env exclude each other", hint="give one of them")
    if options.key_stdin:
        return [KeyCandidate("stdin", "-", "flag --key-stdin")]
    if options.key_env:
        return [_from_variable(options.key_env, environ, " (flag --key-env)")]
    return list(_lookup_order(settings, environ))


def fallback_variables(provider: Provider, protocol: Protocol) -> tuple[str, ...]:
    """The variables that are asked after the stored key."""
    return CUSTOM_FALLBACKS[protocol] if provider is CUSTOM else provider.fallback_variables


def _lookup_order(settings: Settings, environ: Mapping[str, str]) -> Iterator[KeyCandidate]:
    provider = settings.provider.value
    if provider.own_variable:
        yield _from_variable(provider.own_variable, environ)
    if settings.key_reference:
        # Of a command only the word: what follows may be long, or tell too much.
        place = "command" if settings.key_reference.startswith("command:") else settings.key_reference
        yield KeyCandidate("stored", settings.key_reference, f"{place}, profile {settings.profile.value}")
    for variable in fallback_variables(provider, settings.protocol.value):
        yield _from_variable(variable, environ)


def _from_variable(name: str, environ: Mapping[str, str], suffix: str = "") -> KeyCandidate:
    return KeyCandidate("env", name, Variables(environ).source(name) + suffix)


class _Resolver:
    """The steps of one resolution; later ones read what earlier ones found."""

    def __init__(
        self,
        options: GlobalOptions,
        environ: Mapping[str, str],
        directory_file: DirectoryFile | None,
        config: Config,
    ) -> None:
        self._options = options
        self._variables = Variables(environ)
        self._environ = environ
        self._directory = directory_file
        self._config = config
        self._warnings: list[str] = []

    def settings(self) -> Settings:
        if self._directory and self._directory.ignored:
            names = ", ".join(self._directory.ignored)
            self._warnings.append(f"{self._directory.path}: ignored: {names} (only profile and [chat] are read there)")
        profile_name, profile = self._profile()
        to = choose_destination(self._options, self._environ, self._config, profile)
        lender = to.lender
        router = self._router(to.provider.value, lender)
        return Settings(
            profile=profile_name,
            provider=to.provider,
            protocol=to.protocol,
            origin=to.origin,
            base_url=to.base_url,
            model=self._model(to.provider.value, profile),
            auth=self._auth(lender),
            timeout_seconds=self._timeout(),
            max_retries=self._max_retries(),
            via=self._via(),
            chat=self._chat(profile),
            key_reference=lender.key if lender else None,
            keyring_backend=lender.keyring_backend if lender else None,
            aliases=self._config.aliases,
            no_log=self._no_log(),
            warnings=(*self._warnings, *to.warnings),
            router=router,
        )

    # -- profile ---------------------------------------------------------------

    def _profile(self) -> tuple[Sourced[str | None], Profile | None]:
        named = self._named_profile()
        if named.value is None:
            return named, None
        profile = self._config.profiles.get(named.value)
        if profile is not None:
            return named, profile
        if self._is_from_directory(named) and (self._options.provider or self._options.base_url):
            self._warnings.append(f"{named.source} names a profile that you do not have: {named.value}")
            return Sourced(None, "none"), None
        raise no_such_profile(named.value, self._config, named.source)

    def _named_profile(self) -> Sourced[str | None]:
        if self._options.profile:
            return Sourced(self._options.profile, "flag --profile")
        if self._variables.get("GLM_PROFILE"):
            return self._variables.sourced("GLM_PROFILE", str)
        if self._directory and self._directory.profile:
            return Sourced(self._directory.profile, str(self._directory.path))
        if self._config.default_profile:
            return Sourced(self._config.default_profile, "config.toml, default_profile")
        if len(self._config.profiles) == 1:
            return Sourced(next(iter(self._config.profiles)), "config.toml, the only profile")
        return Sourced(None, "none")

    def _is_from_directory(self, named: Sourced[str | None]) -> bool:
        return self._directory is not None and named.source == str(self._directory.path)

    # -- values ----------------------------------------------------------------

    def _model(self, provider: Provider, profile: Profile | None) -> Sourced[str | None]:
        found = self._named_model(provider, profile)
        if found.value is None:
            return found
        return Sourced(resolve_alias(found.value, self._config.aliases), found.source)

    def _named_model(self, provider: Provider, profile: Profile | None) -> Sourced[str | None]:
        if self._variables.get("GLM_MODEL"):
            return self._variables.sourced("GLM_MODEL", str)
        if self._directory and self._directory.chat.get("model"):
            return Sourced(str(self._directory.chat["model"]), str(self._directory.path))
        if profile is not None and self._lends_model(provider, profile):
            model = profile.model or profile.chat.get("model")
            if model:
                return Sourced(str(model), f"profile {profile.name}")
        if provider is CUSTOM and self._variables.from_file(ENV_FILE_MODEL):
            return Sourced(self._variables.from_file(ENV_FILE_MODEL), self._variables.source(ENV_FILE_MODEL))
        return Sourced(provider.default_model, "default")

    def _lends_model(self, provider: Provider, profile: Profile) -> bool:
        """Models are the vendor's own; those of a custom endpoint mean nothing elsewhere."""
        own = provider_of(profile)
        return own is provider or CUSTOM not in (own, provider)

    def _router(self, provider: Provider, lender: Profile | None) -> Router | None:
        """The rules of the router behind a custom endpoint, when it is the profile's own."""
        if lender is None or lender.router is None:
            return None
        if provider is CUSTOM:
            return lender.router.with_aliases(self._config.aliases)
        from glmcli.config.schema import ROUTER_KEYS

        names = ", ".join(key for key in ROUTER_KEYS if getattr(lender.router, key) is not None)
        self._warnings.append(f"profile {lender.name}: only provider custom has {names}; ignored")
        return None

    def _auth(self, lender: Profile | None) -> Sourced[str]:
        if lender is None or lender.auth == "bearer":
            return Sourced("bearer", "default")
        if lender.auth not in AUTHS:
            raise ConfigError(
                f"profile {lender.name}: unknown auth {lender.auth!r}", hint=f"choose one of {', '.join(AUTHS)}"
            )
        return Sourced(lender.auth, f"profile {lender.name}")

    def _timeout(self) -> Sourced[float]:
        return self._number(
            self._options.timeout, "--timeout", "GLM_TIMEOUT", "timeout", DEFAULT_TIMEOUT_SECONDS, parse_timeout
        )

    def _max_retries(self) -> Sourced[int]:
        return self._number(
            self._options.max_retries,
            "--max-retries",
            "GLM_MAX_RETRIES",
            "max_retries",
            DEFAULT_MAX_RETRIES,
            parse_count,
        )

    def _number(
        self, given: T | None, flag: str, variable: str, setting: str, default: T, parse: Callable[[object], T]
    ) -> Sourced[T]:
        if given is not None:
            return Sourced(parsed(parse, given, f"flag {flag}"), f"flag {flag}")
        if self._variables.get(variable):
            return self._variables.sourced(variable, parse)
        if setting in self._config.settings:
            source = f"config.toml, settings.{setting}"
            return Sourced(parsed(parse, self._config.settings[setting], source), source)
        return Sourced(default, "default")

    def _via(self) -> Sourced[Via | None]:
        if self._options.via is None:
            return Sourced(None, "default")
        return Sourced(parse_choice(Via, self._options.via, "flag --via"), "flag --via")

    def _no_log(self) -> Sourced[bool]:
        if self._variables.get("GLM_NO_LOG"):
            return self._variables.sourced("GLM_NO_LOG", parse_switch)
        if "no_log" in self._config.settings:
            return Sourced(bool(self._config.settings["no_log"]), "config.toml, settings.no_log")
        return Sourced(False, "default")

    def _chat(self, profile: Profile | None) -> dict[str, Sourced[object]]:
        chat: dict[str, Sourced[object]] = {}
        if profile is not None:
            chat.update({key: Sourced(value, f"profile {profile.name}") for key, value in profile.chat.items()})
        if self._directory is not None:
            chat.update({key: Sourced(value, str(self._directory.path)) for key, value in self._directory.chat.items()})
        chat.pop("model", None)  # told once, by `Settings.model`
        return chat


def no_such_profile(name: str, config: Config, source: str | None = None) -> ConfigError:
    """The error for a profile that does not exist, with the nearest or all names."""
    from difflib import get_close_matches

    told = f" ({source})" if source else ""
    near = get_close_matches(name, config.profiles, n=1)
    if near:
        hint = f"did you mean {near[0]}?"
    elif config.profiles:
        hint = f"choose one of {', '.join(config.profiles)}, or make it: glm onboard --profile {name}"
    else:
        hint = f"make it with: glm onboard --profile {name}"
    return ConfigError(f"no profile is called {name!r}{told}", hint=hint)

"""Which setting wins, and why: flag > GLM_* variable > .glm.toml > profile > default.

Pure: everything comes in as arguments, nothing is read here. An empty
variable counts as unset.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from glmcli.api.endpoints import (
    ORIGIN_CN,
    ORIGIN_INTL,
    PROVIDERS,
    SANDBOX_ORIGIN,
    VENDOR_PROVIDERS,
    Protocol,
    Provider,
    Region,
    Via,
    find_provider,
    normalise_base_url,
)
from glmcli.config.model import (
    Config,
    DirectoryFile,
    FileEnvironment,
    GlobalOptions,
    KeyCandidate,
    Profile,
    Settings,
    Sourced,
)
from glmcli.errors import ConfigError, UsageError

T = TypeVar("T")

DEFAULT_TIMEOUT_SECONDS = 300.0  # that of the vendor's own SDK
DEFAULT_MAX_RETRIES = 2
AUTHS = ("bearer", "jwt", "x-api-key")

_CUSTOM = PROVIDERS["custom"]
_ORIGIN_VARIABLES = {Region.INTL: ("GLM_ORIGIN_INTL", ORIGIN_INTL), Region.CN: ("GLM_ORIGIN_CN", ORIGIN_CN)}
_NO_PROVIDER_HINT = "set one up with: glm onboard  (or try without a key: glm --provider sandbox chat)"
#: Variables that a dotenv file of another tool may give for `custom`, in order.
ENV_FILE_BASE_URLS = ("ZAI_API_BASE", "OPENAI_BASE_URL")
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
    return CUSTOM_FALLBACKS[protocol] if provider is _CUSTOM else provider.fallback_variables


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
    return KeyCandidate("env", name, variable_source(name, environ) + suffix)


def variable_source(name: str, environ: Mapping[str, str]) -> str:
    """The words that tell of a variable, and of the env file that gave it."""
    if isinstance(environ, FileEnvironment) and name in environ.from_file:
        return f"variable {name} in {environ.file}"
    return f"variable {name}"


@dataclass(frozen=True, slots=True)
class _BaseUrl:
    """A base URL as it was written, and whose it is."""

    text: str
    source: str


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
        self._environ = environ
        self._directory = directory_file
        self._config = config
        self._warnings: list[str] = []

    def settings(self) -> Settings:
        if self._directory and self._directory.ignored:
            names = ", ".join(self._directory.ignored)
            self._warnings.append(f"{self._directory.path}: ignored: {names} (only profile and [chat] are read there)")
        profile_name, profile = self._profile()
        provider, named_url = self._provider(profile)
        base_url = self._base_url(provider.value, named_url, profile)
        lender = self._lender(provider.value, base_url, profile)
        return Settings(
            profile=profile_name,
            provider=provider,
            protocol=self._protocol(base_url, lender),
            origin=self._origin(provider.value, base_url),
            base_url=self._normalised(base_url),
            model=self._model(provider.value, profile),
            auth=self._auth(lender),
            timeout_seconds=self._timeout(),
            max_retries=self._max_retries(),
            via=self._via(),
            chat=self._chat(profile),
            key_reference=lender.key if lender else None,
            keyring_backend=lender.keyring_backend if lender else None,
            aliases=self._config.aliases,
            no_log=self._no_log(),
            warnings=tuple(self._warnings),
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
        if self._variable("GLM_PROFILE"):
            return self._from_variable("GLM_PROFILE", str)
        if self._directory and self._directory.profile:
            return Sourced(self._directory.profile, str(self._directory.path))
        if self._config.default_profile:
            return Sourced(self._config.default_profile, "config.toml, default_profile")
        if len(self._config.profiles) == 1:
            return Sourced(next(iter(self._config.profiles)), "config.toml, the only profile")
        return Sourced(None, "none")

    def _is_from_directory(self, named: Sourced[str | None]) -> bool:
        return self._directory is not None and named.source == str(self._directory.path)

    # -- provider --------------------------------------------------------------

    def _provider(self, profile: Profile | None) -> tuple[Sourced[Provider], _BaseUrl | None]:
        """The provider, and the base URL that selected it, if one did."""
        chosen = self._chosen_provider(profile)
        if chosen is not None:
            return chosen
        if profile is not None:
            return self._provider_of(profile), None
        return self._provider_of_only_key(), None

    def _chosen_provider(self, profile: Profile | None) -> tuple[Sourced[Provider], _BaseUrl | None] | None:
        by_flag = self._options.provider
        url = self._named_base_url()
        if by_flag:
            provider = Sourced(find_provider(by_flag), "flag --provider")
            return provider, self._agreeing_url(provider, url)
        if self._options.base_url and url:
            return Sourced(_CUSTOM, url.source), url
        if self._variable("GLM_PROVIDER"):
            provider = self._from_variable("GLM_PROVIDER", find_provider)
            self._warn_of_overridden(profile, provider)
            return provider, self._agreeing_url(provider, url)
        url = url or self._env_file_base_url(profile)
        return (Sourced(_CUSTOM, url.source), url) if url else None

    def _named_base_url(self) -> _BaseUrl | None:
        if self._options.base_url:
            return _BaseUrl(self._options.base_url, "flag --base-url")
        text = self._variable("GLM_BASE_URL")
        return _BaseUrl(text, variable_source("GLM_BASE_URL", self._environ)) if text else None

    def _env_file_base_url(self, profile: Profile | None) -> _BaseUrl | None:
        """A base URL that an env file of another tool gives; a profile named by hand wins over it."""
        if profile is not None and (self._options.profile or self._variable("GLM_PROFILE")):
            return None
        return self._foreign_base_url()

    def _foreign_base_url(self) -> _BaseUrl | None:
        for name in ENV_FILE_BASE_URLS:
            text = self._from_file(name)
            if text:
                return _BaseUrl(text, variable_source(name, self._environ))
        return None

    def _agreeing_url(self, provider: Sourced[Provider], url: _BaseUrl | None) -> _BaseUrl | None:
        if url is None or provider.value is _CUSTOM:
            return url
        if provider.value.name == "sandbox" and not self._options.base_url:
            return None  # trying the sandbox must work in a shell that is set up for something else
        hint = "leave one of them out"
        if provider.value.name in VENDOR_PROVIDERS:
            variable = _ORIGIN_VARIABLES[provider.value.region][0]
            hint = (
                f"leave one of them out; to reach {provider.value.name} through a gateway, set {variable}=https://..."
            )
        raise ConfigError(
            f"{provider.source} says {provider.value.name}, but {url.source} selects a custom endpoint", hint=hint
        )

    def _warn_of_overridden(self, profile: Profile | None, provider: Sourced[Provider]) -> None:
        if profile and self._options.profile and self._provider_of(profile).value is not provider.value:
            self._warnings.append(
                f"{provider.source} ({provider.value.name}) wins over profile {profile.name} ({profile.provider})"
            )

    def _provider_of(self, profile: Profile) -> Sourced[Provider]:
        try:
            return Sourced(find_provider(profile.provider), f"profile {profile.name}")
        except ConfigError as error:
            raise ConfigError(f"profile {profile.name}: {error.message}", hint=error.hint) from None

    def _provider_of_only_key(self) -> Sourced[Provider]:
        owners = [PROVIDERS[name] for name in VENDOR_PROVIDERS if self._variable(PROVIDERS[name].own_variable or "")]
        if len(owners) == 1:
            return Sourced(owners[0], variable_source(owners[0].own_variable or "", self._environ))
        if owners:
            variables = ", ".join(owner.own_variable or "" for owner in owners)
            names = " or ".join(f"--provider {owner.name}" for owner in owners)
            raise ConfigError(
                f"several keys are set ({variables}), and which of them pays is not for glm to guess",
                hint=f"choose with {names} (or GLM_PROVIDER)",
            )
        raise ConfigError("no profile and no provider", hint=self._hint_without_provider())

    def _hint_without_provider(self) -> str:
        for name in VENDOR_PROVIDERS:
            for variable in PROVIDERS[name].fallback_variables:
                if self._variable(variable):
                    users = [p for p in PROVIDERS.values() if variable in p.fallback_variables]
                    choices = " or ".join(f"--provider {p.name}" for p in users)
                    return f"{variable} is set, but not who pays: say {choices} (or run glm onboard)"
        if self._variable("GLM_API_KEY"):
            return (
                "GLM_API_KEY is for a custom endpoint: name it with --base-url URL or GLM_BASE_URL (or run glm onboard)"
            )
        if self._config.profiles:
            return f"choose a profile: glm profile use {next(iter(self._config.profiles))}"
        return _NO_PROVIDER_HINT

    # -- endpoint --------------------------------------------------------------

    def _base_url(self, provider: Provider, named: _BaseUrl | None, profile: Profile | None) -> _BaseUrl | None:
        if provider is not _CUSTOM:
            if profile and profile.base_url and self._provider_of(profile).value is provider:
                variable = _ORIGIN_VARIABLES[provider.region][0]
                self._warnings.append(
                    f"profile {profile.name}: base_url is for provider custom and is ignored (a gateway: {variable})"
                )
            return None
        if named is not None:
            return named
        if profile is not None and profile.base_url and self._provider_of(profile).value is _CUSTOM:
            return _BaseUrl(profile.base_url, f"profile {profile.name}")
        url = self._foreign_base_url()
        if url is None:
            raise ConfigError("provider custom needs a base URL", hint="give --base-url URL, or set GLM_BASE_URL")
        return url

    def _normalised(self, url: _BaseUrl | None) -> Sourced[str | None]:
        if url is None:
            return Sourced(None, "default")
        return Sourced(self._checked_url(url), url.source)

    def _checked_url(self, url: _BaseUrl) -> str:
        try:
            return normalise_base_url(url.text, allow_http=self._options.allow_http)
        except ConfigError as error:
            raise ConfigError(f"{url.source}: {error.message}", hint=error.hint) from None

    def _origin(self, provider: Provider, base_url: _BaseUrl | None) -> Sourced[str]:
        if provider.name == "sandbox":
            return Sourced(SANDBOX_ORIGIN, "default")
        if base_url is not None:
            return Sourced(_origin_of(self._checked_url(base_url)), base_url.source)
        variable, default = _ORIGIN_VARIABLES[provider.region]
        text = self._variable(variable)
        if not text:
            return Sourced(default, "default")
        source = variable_source(variable, self._environ)
        origin = self._checked_url(_BaseUrl(text, source))
        if "/api/" in f"{origin}/":
            raise ConfigError(
                f"{source}: {origin} holds the path of an API",
                hint=f"give what stands before it: {origin.split('/api')[0]}",
            )
        return Sourced(origin, source)

    def _lender(self, provider: Provider, url: _BaseUrl | None, profile: Profile | None) -> Profile | None:
        """The profile, if its key may go where this invocation sends it."""
        if profile is None or self._provider_of(profile).value is not provider:
            return None
        if url is None or (profile.base_url and self._is_same_host(url, profile)):
            return profile
        if profile.key:
            self._warnings.append(f"the key of profile {profile.name} is not sent to the host that {url.source} names")
        return None

    def _is_same_host(self, url: _BaseUrl, profile: Profile) -> bool:
        own = self._checked_url(_BaseUrl(profile.base_url or "", f"profile {profile.name}"))
        return _origin_of(own) == _origin_of(self._checked_url(url))

    def _protocol(self, url: _BaseUrl | None, lender: Profile | None) -> Sourced[Protocol]:
        if self._options.protocol:
            return Sourced(_choice(Protocol, self._options.protocol, "flag --protocol"), "flag --protocol")
        if lender is not None and lender.protocol:
            source = f"profile {lender.name}"
            return Sourced(_choice(Protocol, lender.protocol, f"{source}, protocol"), source)
        if url is not None and url.text.rstrip("/").endswith(("/v1/messages", "/anthropic", "/anthropic/v1")):
            return Sourced(Protocol.ANTHROPIC, f"the path of {url.source}")
        return Sourced(Protocol.OPENAI, "default")

    def _auth(self, lender: Profile | None) -> Sourced[str]:
        if lender is None or lender.auth == "bearer":
            return Sourced("bearer", "default")
        if lender.auth not in AUTHS:
            raise ConfigError(
                f"profile {lender.name}: unknown auth {lender.auth!r}", hint=f"choose one of {', '.join(AUTHS)}"
            )
        return Sourced(lender.auth, f"profile {lender.name}")

    # -- values ----------------------------------------------------------------

    def _model(self, provider: Provider, profile: Profile | None) -> Sourced[str | None]:
        found = self._named_model(provider, profile)
        if found.value is None:
            return found
        return Sourced(resolve_alias(found.value, self._config.aliases), found.source)

    def _named_model(self, provider: Provider, profile: Profile | None) -> Sourced[str | None]:
        if self._variable("GLM_MODEL"):
            return self._from_variable("GLM_MODEL", str)
        if self._directory and self._directory.chat.get("model"):
            return Sourced(str(self._directory.chat["model"]), str(self._directory.path))
        if profile is not None and self._lends_model(provider, profile):
            model = profile.model or profile.chat.get("model")
            if model:
                return Sourced(str(model), f"profile {profile.name}")
        if provider is _CUSTOM and self._from_file(ENV_FILE_MODEL):
            return Sourced(self._from_file(ENV_FILE_MODEL), variable_source(ENV_FILE_MODEL, self._environ))
        return Sourced(provider.default_model, "default")

    def _lends_model(self, provider: Provider, profile: Profile) -> bool:
        """Models are the vendor's own; those of a custom endpoint mean nothing elsewhere."""
        own = self._provider_of(profile).value
        return own is provider or _CUSTOM not in (own, provider)

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
            return Sourced(_parsed(parse, given, f"flag {flag}"), f"flag {flag}")
        if self._variable(variable):
            return self._from_variable(variable, parse)
        if setting in self._config.settings:
            source = f"config.toml, settings.{setting}"
            return Sourced(_parsed(parse, self._config.settings[setting], source), source)
        return Sourced(default, "default")

    def _via(self) -> Sourced[Via | None]:
        if self._options.via is None:
            return Sourced(None, "default")
        return Sourced(_choice(Via, self._options.via, "flag --via"), "flag --via")

    def _no_log(self) -> Sourced[bool]:
        if self._variable("GLM_NO_LOG"):
            return self._from_variable("GLM_NO_LOG", parse_switch)
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

    # -- variables -------------------------------------------------------------

    def _variable(self, name: str) -> str:
        return self._environ.get(name, "").strip()

    def _from_file(self, name: str) -> str:
        """A variable of another tool: read from an env file only, never from the environment."""
        return self._environ.from_file.get(name, "").strip() if isinstance(self._environ, FileEnvironment) else ""

    def _from_variable(self, name: str, parse: Callable[[str], T]) -> Sourced[T]:
        source = variable_source(name, self._environ)
        return Sourced(_parsed(parse, self._variable(name), source), source)


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
    if not (text.isascii() and text.isdigit()):
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


def _parsed(parse: Callable[..., T], value: object, source: str) -> T:
    try:
        return parse(value)
    except ValueError as error:
        raise ConfigError(
            f"{source} is {value!r}: it {error}", hint="mend it, or unset it to use the default"
        ) from None
    except ConfigError as error:
        raise ConfigError(f"{source}: {error.message}", hint=error.hint) from None


_Choice = TypeVar("_Choice", Protocol, Via)


def _choice(kind: type[_Choice], word: str, source: str) -> _Choice:
    try:
        return kind(word.strip().lower())
    except ValueError:
        raise ConfigError(f"{source}: unknown value {word!r}", hint=f"choose one of {', '.join(kind)}") from None


def _origin_of(url: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()

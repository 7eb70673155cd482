"""Where a call goes, and whose key may go along.

Never guesses who pays: a provider is named, belongs to a profile, or is the
only one whose own variable is set.
"""

from __future__ import annotations

from collections.abc import Mapping

from glmcli.api.endpoints import (
    ORIGIN_CN,
    ORIGIN_INTL,
    PROVIDERS,
    SANDBOX_ORIGIN,
    VENDOR_PROVIDERS,
    Protocol,
    Provider,
    Region,
    find_provider,
    normalise_base_url,
)
from glmcli.config.model import Config, GlobalOptions, Profile, Sourced
from glmcli.config.variables import Variables, parse_choice
from glmcli.errors import ConfigError, NoProvider
from glmcli.values import Value

CUSTOM = PROVIDERS["custom"]
#: Variables that a dotenv file of another tool may give for `custom`, in order.
ENV_FILE_BASE_URLS = ("ZAI_API_BASE", "OPENAI_BASE_URL")
ORIGINS = {Region.INTL: ("GLM_ORIGIN_INTL", ORIGIN_INTL), Region.CN: ("GLM_ORIGIN_CN", ORIGIN_CN)}
_NO_PROVIDER_HINT = "set one up with: glm onboard  (or try without a key: glm --provider sandbox chat)"
_ANTHROPIC_PATHS = ("/v1/messages", "/anthropic", "/anthropic/v1")


class Destination(Value):
    """An endpoint; `lender` is the profile, if its key may go there."""

    provider: Sourced[Provider]
    protocol: Sourced[Protocol]
    origin: Sourced[str]
    base_url: Sourced[str | None]
    lender: Profile | None
    warnings: tuple[str, ...]


def choose_destination(
    options: GlobalOptions, environ: Mapping[str, str], config: Config, profile: Profile | None
) -> Destination:
    """The endpoint of one invocation. Raises ConfigError for contradictions and unknown names."""
    return _Chooser(options, Variables(environ), config, profile).destination()


def provider_of(profile: Profile) -> Provider:
    """The provider that a profile names. Raises ConfigError that names the profile."""
    try:
        return find_provider(profile.provider)
    except ConfigError as error:
        raise ConfigError(f"profile {profile.name}: {error.message}", hint=error.hint) from None


class _Chooser:
    """The steps of one choice; later ones stand on what earlier ones found."""

    def __init__(self, options: GlobalOptions, variables: Variables, config: Config, profile: Profile | None) -> None:
        self._options = options
        self._variables = variables
        self._config = config
        self._profile = profile
        self._own_provider = provider_of(profile) if profile else None
        self._warnings: list[str] = []

    def destination(self) -> Destination:
        provider, named_url = self._provider()
        url = self._base_url(provider.value, named_url)
        lender = self._lender(provider.value, url)
        return Destination(
            provider=provider,
            protocol=self._protocol(url, lender),
            origin=self._origin(provider.value, url),
            base_url=Sourced(self._checked(url), url.source) if url else Sourced(None, "default"),
            lender=lender,
            warnings=tuple(self._warnings),
        )

    # -- provider ----------------------------------------------------------------

    def _provider(self) -> tuple[Sourced[Provider], Sourced[str] | None]:
        """The provider, and the base URL that selected it or goes with it."""
        url = self._named_base_url()
        named = self._named_provider(url)
        if named is not None:
            return named, self._agreeing(named, url)
        url = url or self._base_url_of_env_file()
        if url is not None:
            return Sourced(CUSTOM, url.source), url
        if self._profile and self._own_provider:
            return Sourced(self._own_provider, f"profile {self._profile.name}"), None
        return self._provider_of_only_key(), None

    def _named_provider(self, url: Sourced[str] | None) -> Sourced[Provider] | None:
        if self._options.provider:
            return Sourced(find_provider(self._options.provider), "flag --provider")
        if self._options.base_url and url:
            return Sourced(CUSTOM, url.source)
        if self._variables.get("GLM_PROVIDER"):
            provider = self._variables.sourced("GLM_PROVIDER", find_provider)
            self._warn_of_overridden_profile(provider)
            return provider
        return None

    def _warn_of_overridden_profile(self, provider: Sourced[Provider]) -> None:
        profile = self._profile
        if profile and self._options.profile and self._own_provider is not provider.value:
            self._warnings.append(
                f"{provider.source} ({provider.value.name}) wins over profile {profile.name} ({profile.provider})"
            )

    def _named_base_url(self) -> Sourced[str] | None:
        if self._options.base_url:
            return Sourced(self._options.base_url, "flag --base-url")
        return self._variables.sourced("GLM_BASE_URL", str) if self._variables.get("GLM_BASE_URL") else None

    def _base_url_of_env_file(self) -> Sourced[str] | None:
        """A base URL that an env file of another tool gives; a profile that was named by hand wins over it."""
        if self._profile and (self._options.profile or self._variables.get("GLM_PROFILE")):
            return None
        return self._foreign_base_url()

    def _foreign_base_url(self) -> Sourced[str] | None:
        for name in ENV_FILE_BASE_URLS:
            text = self._variables.from_file(name)
            if text:
                return Sourced(text, self._variables.source(name))
        return None

    def _agreeing(self, provider: Sourced[Provider], url: Sourced[str] | None) -> Sourced[str] | None:
        """The base URL, if it does not contradict the provider. Raises ConfigError when it does."""
        if url is None or provider.value is CUSTOM:
            return url
        if provider.value.name == "sandbox" and not self._options.base_url:
            return None  # trying the sandbox must work in a shell that is set up for something else
        hint = "leave one of them out"
        if provider.value.name in VENDOR_PROVIDERS:
            variable, _ = ORIGINS[provider.value.region]
            hint += f"; to reach {provider.value.name} through a gateway, set {variable}=https://..."
        raise ConfigError(
            f"{provider.source} says {provider.value.name}, but {url.source} selects a custom endpoint", hint=hint
        )

    def _provider_of_only_key(self) -> Sourced[Provider]:
        vendors = [PROVIDERS[name] for name in VENDOR_PROVIDERS]
        owners = {p.own_variable: p for p in vendors if p.own_variable and self._variables.get(p.own_variable)}
        if len(owners) == 1:
            variable, provider = owners.popitem()
            return Sourced(provider, self._variables.source(variable))
        if owners:
            names = " or ".join(f"--provider {owner.name}" for owner in owners.values())
            raise ConfigError(
                f"several keys are set ({', '.join(owners)}), and which of them pays is not for glm to guess",
                hint=f"choose with {names} (or GLM_PROVIDER)",
            )
        raise NoProvider("no profile and no provider", hint=self._hint_without_provider())

    def _hint_without_provider(self) -> str:
        for variable in dict.fromkeys(v for p in PROVIDERS.values() for v in p.fallback_variables):
            if self._variables.get(variable):
                users = [p.name for p in PROVIDERS.values() if variable in p.fallback_variables]
                choices = " or ".join(f"--provider {name}" for name in users)
                return f"{variable} is set, but not who pays: say {choices} (or run glm onboard)"
        if self._variables.get("GLM_API_KEY"):
            return (
                "GLM_API_KEY is for a custom endpoint: name it with --base-url URL or GLM_BASE_URL (or run glm onboard)"
            )
        if self._config.profiles:
            return f"choose a profile: glm profile use {next(iter(self._config.profiles))}"
        return _NO_PROVIDER_HINT

    # -- addresses ---------------------------------------------------------------

    def _base_url(self, provider: Provider, named: Sourced[str] | None) -> Sourced[str] | None:
        profile = self._profile if self._own_provider is provider else None
        if provider is not CUSTOM:
            if profile and profile.base_url:
                self._warnings.append(
                    f"profile {profile.name}: base_url is for provider custom and is ignored"
                    f" (a gateway: {ORIGINS[provider.region][0]})"
                )
            return None
        if named is not None:
            return named
        if profile and profile.base_url:
            return Sourced(profile.base_url, f"profile {profile.name}")
        url = self._foreign_base_url()
        if url is None:
            raise ConfigError("provider custom needs a base URL", hint="give --base-url URL, or set GLM_BASE_URL")
        return url

    def _checked(self, url: Sourced[str]) -> str:
        try:
            return normalise_base_url(url.value, allow_http=self._options.allow_http)
        except ConfigError as error:
            raise ConfigError(f"{url.source}: {error.message}", hint=error.hint) from None

    def _origin(self, provider: Provider, url: Sourced[str] | None) -> Sourced[str]:
        if provider.name == "sandbox":
            return Sourced(SANDBOX_ORIGIN, "default")
        if url is not None:
            return Sourced(_place_of(self._checked(url)), url.source)
        variable, default = ORIGINS[provider.region]
        if not self._variables.get(variable):
            return Sourced(default, "default")
        given = self._variables.sourced(variable, str)
        origin = self._checked(given)
        if "/api/" in f"{origin}/":
            before = origin.split("/api")[0]
            raise ConfigError(
                f"{given.source}: {origin} holds the path of an API", hint=f"give what stands before it: {before}"
            )
        return Sourced(origin, given.source)

    # -- the profile's share -----------------------------------------------------

    def _lender(self, provider: Provider, url: Sourced[str] | None) -> Profile | None:
        profile = self._profile
        if profile is None or self._own_provider is not provider:
            return None
        if url is None or (profile.base_url and self._is_same_host(url, profile.base_url)):
            return profile
        if profile.key:
            self._warnings.append(f"the key of profile {profile.name} is not sent to the host that {url.source} names")
        return None

    def _is_same_host(self, url: Sourced[str], own: str) -> bool:
        return _place_of(normalise_base_url(own, allow_http=True)) == _place_of(self._checked(url))

    def _protocol(self, url: Sourced[str] | None, lender: Profile | None) -> Sourced[Protocol]:
        if self._options.protocol:
            return Sourced(parse_choice(Protocol, self._options.protocol, "flag --protocol"), "flag --protocol")
        if lender is not None and lender.protocol:
            source = f"profile {lender.name}"
            return Sourced(parse_choice(Protocol, lender.protocol, f"{source}, protocol"), source)
        if url is not None and url.value.rstrip("/").endswith(_ANTHROPIC_PATHS):
            return Sourced(Protocol.ANTHROPIC, f"the path of {url.source}")
        return Sourced(Protocol.OPENAI, "default")


def _place_of(url: str) -> str:
    """Scheme, host and port: what decides whether a key may go along."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    host = parts.netloc.lower()
    return f"{parts.scheme}://{host.removesuffix(':443') if parts.scheme == 'https' else host.removesuffix(':80')}"

"""Which setting wins, where it came from, and which key may go where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from glmcli.api.endpoints import ORIGIN_CN, ORIGIN_INTL, PROVIDERS, SANDBOX_ORIGIN, VENDOR_PROVIDERS
from glmcli.config.model import Config, DirectoryFile, FileEnvironment, GlobalOptions, Profile, Settings
from glmcli.config.resolve import key_candidates, resolve, resolve_alias
from glmcli.errors import ConfigError, ExitCode, UsageError

PATH = Path("/home/ann/.config/glm/config.toml")
HERE = Path("/repo/.glm.toml")

WORK = Profile("work", "zai-coding", model="glm-4.7", key="keyring", keyring_backend="k.B", chat={"temperature": 0.1})
PLAY = Profile("play", "zhipu", key="file")
ROUTER = Profile(
    "router", "custom", model="llama", key="env:ROUTER_KEY", auth="x-api-key", base_url="https://llm.example/v1"
)


def config(*profiles: Profile, default: str | None = None, **more: Any) -> Config:
    return Config(PATH, True, default, {profile.name: profile for profile in profiles}, **more)


EVERYTHING = config(WORK, PLAY, ROUTER, default="work", aliases={"fast": "quick", "quick": "glm-5-flash"})


def settle(
    environ: Mapping[str, str] | None = None,
    *,
    directory: DirectoryFile | None = None,
    config: Config = EVERYTHING,
    **options: Any,
) -> Settings:
    return resolve(GlobalOptions(**options), environ or {}, directory, config)


def candidates(environ: Mapping[str, str] | None = None, *, config: Config = EVERYTHING, **options: Any) -> list[str]:
    given = GlobalOptions(**options)
    settings = resolve(given, environ or {}, None, config)
    return [candidate.reference for candidate in key_candidates(settings, given, environ or {})]


NOTHING = config()


# -- one value, its winner and its source ----------------------------------------


class Case(NamedTuple):
    """What shall win, and why, in which situation."""

    what: str
    value: object
    source: str
    flags: dict[str, Any] = {}
    environ: dict[str, str] = {}
    directory: DirectoryFile | None = None
    config: Config = EVERYTHING


WINNERS = {
    "profile: flag": Case(
        "profile", "play", "flag --profile", flags={"profile": "play"}, environ={"GLM_PROFILE": "work"}
    ),
    "profile: variable": Case(
        "profile",
        "play",
        "variable GLM_PROFILE",
        environ={"GLM_PROFILE": "play"},
        directory=DirectoryFile(HERE, "router"),
    ),
    "profile: directory": Case("profile", "play", str(HERE), directory=DirectoryFile(HERE, "play")),
    "profile: default": Case("profile", "work", "config.toml, default_profile"),
    "profile: empty variable": Case("profile", "work", "config.toml, default_profile", environ={"GLM_PROFILE": ""}),
    "profile: the only one": Case("profile", "play", "config.toml, the only profile", config=config(PLAY)),
    "model: variable": Case(
        "model",
        "m",
        "variable GLM_MODEL",
        environ={"GLM_MODEL": "m"},
        directory=DirectoryFile(HERE, chat={"model": "d"}),
    ),
    "model: directory": Case("model", "d", str(HERE), directory=DirectoryFile(HERE, chat={"model": "d"})),
    "model: profile": Case("model", "glm-4.7", "profile work"),
    "model: chat table": Case("model", "c", "profile a", config=config(Profile("a", "zai", chat={"model": "c"}))),
    "model: default": Case("model", "glm-5.3", "default", flags={"profile": "play"}),
    "model: alias": Case("model", "glm-5-flash", "variable GLM_MODEL", environ={"GLM_MODEL": "fast"}),
    "model: kept by another provider of the vendor": Case(
        "model", "glm-4.7", "profile work", flags={"provider": "zhipu"}
    ),
    "model: none for custom": Case("model", None, "default", flags={"base_url": "https://x.example"}),
    "model: that of custom goes nowhere else": Case(
        "model", "glm-5.3", "default", flags={"provider": "zai", "profile": "router"}
    ),
    "timeout: flag": Case(
        "timeout_seconds", 5.0, "flag --timeout", flags={"timeout": 5.0}, environ={"GLM_TIMEOUT": "7"}
    ),
    "timeout: variable": Case("timeout_seconds", 7.5, "variable GLM_TIMEOUT", environ={"GLM_TIMEOUT": "7.5"}),
    "timeout: config": Case(
        "timeout_seconds", 30.0, "config.toml, settings.timeout", config=config(PLAY, settings={"timeout": 30})
    ),
    "timeout: default": Case("timeout_seconds", 300.0, "default"),
    "retries: flag": Case(
        "max_retries", 0, "flag --max-retries", flags={"max_retries": 0}, environ={"GLM_MAX_RETRIES": "7"}
    ),
    "retries: variable": Case("max_retries", 7, "variable GLM_MAX_RETRIES", environ={"GLM_MAX_RETRIES": "7"}),
    "retries: default": Case("max_retries", 2, "default"),
    "log: variable": Case("no_log", True, "variable GLM_NO_LOG", environ={"GLM_NO_LOG": "1"}),
    "log: variable says no": Case("no_log", False, "variable GLM_NO_LOG", environ={"GLM_NO_LOG": "off"}),
    "log: config": Case("no_log", True, "config.toml, settings.no_log", config=config(PLAY, settings={"no_log": True})),
    "log: default": Case("no_log", False, "default"),
    "auth: profile": Case("auth", "x-api-key", "profile router", flags={"profile": "router"}),
    "auth: not that of another provider": Case(
        "auth", "bearer", "default", flags={"profile": "router", "provider": "zai"}
    ),
    "protocol: flag": Case("protocol", "anthropic", "flag --protocol", flags={"protocol": "anthropic"}),
    "protocol: profile": Case(
        "protocol", "anthropic", "profile a", config=config(Profile("a", "zai", protocol="anthropic"))
    ),
    "protocol: told by the address": Case(
        "protocol",
        "anthropic",
        "the path of flag --base-url",
        flags={"base_url": "https://x.example/v1/messages"},
        config=NOTHING,
    ),
    "protocol: default": Case("protocol", "openai", "default"),
    "via: flag": Case("via", "general", "flag --via", flags={"via": "general"}),
    "via: default": Case("via", None, "default"),
    "base URL: flag": Case(
        "base_url",
        "https://a.example/v1",
        "flag --base-url",
        flags={"base_url": "https://a.example/v1/chat/completions"},
        environ={"GLM_BASE_URL": "https://b.example"},
    ),
    "base URL: variable": Case(
        "base_url", "https://b.example", "variable GLM_BASE_URL", environ={"GLM_BASE_URL": "https://b.example/"}
    ),
    "base URL: profile": Case("base_url", "https://llm.example/v1", "profile router", flags={"profile": "router"}),
    "origin: intl": Case("origin", ORIGIN_INTL, "default", flags={"provider": "zai"}, config=NOTHING),
    "origin: cn": Case("origin", ORIGIN_CN, "default", flags={"provider": "zhipu-coding"}, config=NOTHING),
    "origin: sandbox": Case(
        "origin",
        SANDBOX_ORIGIN,
        "default",
        flags={"provider": "sandbox"},
        environ={"GLM_ORIGIN_INTL": "https://gw.example"},
        config=NOTHING,
    ),
    "origin: gateway": Case(
        "origin",
        "https://gw.example/glm",
        "variable GLM_ORIGIN_INTL",
        flags={"provider": "zai"},
        environ={"GLM_ORIGIN_INTL": "https://gw.example/glm/"},
        config=NOTHING,
    ),
    "origin: gateway of the other region": Case(
        "origin",
        ORIGIN_CN,
        "default",
        flags={"provider": "zhipu"},
        environ={"GLM_ORIGIN_INTL": "https://gw.example"},
        config=NOTHING,
    ),
    "origin: loopback may be plain http": Case(
        "origin",
        "http://127.0.0.1:8080",
        "variable GLM_ORIGIN_CN",
        flags={"provider": "zhipu"},
        environ={"GLM_ORIGIN_CN": "http://127.0.0.1:8080"},
        config=NOTHING,
    ),
    "origin: plain http by consent": Case(
        "origin",
        "http://gw.example",
        "variable GLM_ORIGIN_CN",
        flags={"provider": "zhipu", "allow_http": True},
        environ={"GLM_ORIGIN_CN": "http://gw.example"},
        config=NOTHING,
    ),
}


@pytest.mark.parametrize("case", WINNERS.values(), ids=WINNERS.keys())
def test_winner_and_source(case: Case) -> None:
    """flag > variable > .glm.toml > profile > default, and each value tells where it came from."""
    settings = settle(case.environ, directory=case.directory, config=case.config, **case.flags)

    settled = getattr(settings, case.what)
    assert (settled.value, settled.source) == (case.value, case.source)


def test_chat_defaults_come_from_the_directory_before_the_profile() -> None:
    """Each key by itself; the model is told once, elsewhere."""
    directory = DirectoryFile(HERE, chat={"temperature": 0.9, "model": "d"})
    profile = Profile("a", "zai", chat={"temperature": 0.1, "system": "Be brief.", "model": "p"})

    chat = settle(directory=directory, config=config(profile)).chat

    assert {key: (item.value, item.source) for key, item in chat.items()} == {
        "temperature": (0.9, str(HERE)),
        "system": ("Be brief.", "profile a"),
    }


# -- provider --------------------------------------------------------------------

PROVIDER_CHOICES: dict[str, tuple[dict[str, Any], dict[str, str], Config, str, str]] = {
    "flag over variable": ({"provider": "zai"}, {"GLM_PROVIDER": "zhipu"}, EVERYTHING, "zai", "flag --provider"),
    "variable over profile": ({}, {"GLM_PROVIDER": "zhipu"}, EVERYTHING, "zhipu", "variable GLM_PROVIDER"),
    "profile over keys": ({}, {"ZHIPU_API_KEY": "k"}, EVERYTHING, "zai-coding", "profile work"),
    "alias": ({"provider": "BigModel"}, {}, NOTHING, "zhipu", "flag --provider"),
    "base URL": ({"base_url": "https://x.example"}, {"ZAI_API_KEY": "k"}, EVERYTHING, "custom", "flag --base-url"),
    "base URL by variable": ({}, {"GLM_BASE_URL": "https://x.example"}, EVERYTHING, "custom", "variable GLM_BASE_URL"),
    "base URL by flag over provider by variable": (
        {"base_url": "https://x.example"},
        {"GLM_PROVIDER": "zai"},
        NOTHING,
        "custom",
        "flag --base-url",
    ),
    "sandbox in a shell set up for a gateway": (
        {"provider": "sandbox"},
        {"GLM_BASE_URL": "https://x.example"},
        NOTHING,
        "sandbox",
        "flag --provider",
    ),
    "zai by its key": ({}, {"ZAI_API_KEY": "k"}, NOTHING, "zai", "variable ZAI_API_KEY"),
    "coding plan by its key": ({}, {"ZAI_CODING_API_KEY": "k"}, NOTHING, "zai-coding", "variable ZAI_CODING_API_KEY"),
    "zhipu by its key": ({}, {"ZHIPU_API_KEY": "k", "ZAI_API_KEY": " "}, NOTHING, "zhipu", "variable ZHIPU_API_KEY"),
    "fallback variables do not choose": (
        {},
        {"ZHIPU_CODING_API_KEY": "k", "ZHIPUAI_API_KEY": "k", "Z_AI_API_KEY": "k", "OPENAI_API_KEY": "k"},
        NOTHING,
        "zhipu-coding",
        "variable ZHIPU_CODING_API_KEY",
    ),
}


@pytest.mark.parametrize(
    ("flags", "environ", "config", "name", "source"), PROVIDER_CHOICES.values(), ids=PROVIDER_CHOICES.keys()
)
def test_provider(flags: dict[str, Any], environ: dict[str, str], config: Config, name: str, source: str) -> None:
    """Who is asked, and why."""
    provider = settle(environ, config=config, **flags).provider

    assert (provider.value.name, provider.source) == (name, source)


REFUSALS: dict[str, tuple[dict[str, Any], dict[str, str], Config, tuple[str, ...]]] = {
    "nothing at all": ({}, {}, NOTHING, ("no profile and no provider", "glm onboard", "glm --provider sandbox chat")),
    "several keys": (
        {},
        {"ZAI_API_KEY": "a", "ZHIPU_CODING_API_KEY": "b"},
        NOTHING,
        ("ZAI_API_KEY, ZHIPU_CODING_API_KEY", "--provider zai or --provider zhipu-coding", "GLM_PROVIDER"),
    ),
    "a fallback variable alone": (
        {},
        {"Z_AI_API_KEY": "a"},
        NOTHING,
        ("no profile and no provider", "Z_AI_API_KEY", "--provider zai or --provider zai-coding", "glm onboard"),
    ),
    "a key of a custom endpoint alone": ({}, {"GLM_API_KEY": "a"}, NOTHING, ("GLM_API_KEY", "--base-url")),
    "profiles, but none chosen": ({}, {}, config(WORK, PLAY), ("glm profile use work",)),
    "unknown provider": ({"provider": "openai"}, {}, NOTHING, ("unknown provider 'openai'", "zai-coding")),
    "unknown provider by variable": ({}, {"GLM_PROVIDER": "x"}, NOTHING, ("variable GLM_PROVIDER", "unknown provider")),
    "unknown provider of a profile": ({}, {}, config(Profile("a", "acme")), ("profile a: unknown provider 'acme'",)),
    "unknown profile": ({"profile": "wrok"}, {}, EVERYTHING, ("'wrok'", "flag --profile", "did you mean work?")),
    "unknown profile by variable": (
        {},
        {"GLM_PROFILE": "zzz"},
        EVERYTHING,
        ("variable GLM_PROFILE", "work, play, router"),
    ),
    "unknown profile among none": ({"profile": "ci"}, {}, NOTHING, ("glm onboard --profile ci",)),
    "lost default profile": ({}, {}, config(PLAY, default="gone"), ("'gone'", "config.toml, default_profile")),
    "vendor and base URL": (
        {"provider": "zai", "base_url": "https://x.example"},
        {},
        NOTHING,
        ("flag --provider", "flag --base-url", "GLM_ORIGIN_INTL"),
    ),
    "vendor of China and base URL by variable": (
        {"provider": "zhipu"},
        {"GLM_BASE_URL": "https://x.example"},
        NOTHING,
        ("variable GLM_BASE_URL", "GLM_ORIGIN_CN"),
    ),
    "vendor and base URL, both by variable": (
        {},
        {"GLM_PROVIDER": "zai", "GLM_BASE_URL": "https://x.example"},
        NOTHING,
        ("variable GLM_PROVIDER", "GLM_ORIGIN_INTL"),
    ),
    "sandbox and base URL": (
        {"provider": "sandbox", "base_url": "https://x.example"},
        {},
        NOTHING,
        ("sandbox", "leave one of them out"),
    ),
    "custom without an address": ({"provider": "custom"}, {}, NOTHING, ("--base-url", "GLM_BASE_URL")),
    "address without a scheme": ({"base_url": "x.example"}, {}, NOTHING, ("flag --base-url: ", "https://x.example")),
    "plain http": ({"base_url": "http://x.example"}, {}, NOTHING, ("plain http", "--allow-http")),
    "plain http of a profile": (
        {},
        {},
        config(Profile("a", "custom", base_url="http://x.example")),
        ("profile a: ", "plain http", "--allow-http"),
    ),
    "plain http of an origin": (
        {"provider": "zai"},
        {"GLM_ORIGIN_INTL": "http://x.example"},
        NOTHING,
        ("variable GLM_ORIGIN_INTL: ", "plain http"),
    ),
    "an origin that is an API": (
        {"provider": "zai"},
        {"GLM_ORIGIN_INTL": "https://x.example/api/paas/v4"},
        NOTHING,
        ("variable GLM_ORIGIN_INTL", "give what stands before it: https://x.example"),
    ),
    "timeout 0": ({"timeout": 0.0}, {}, EVERYTHING, ("flag --timeout", "above 0")),
    "timeout of words": ({}, {"GLM_TIMEOUT": "30s"}, EVERYTHING, ("variable GLM_TIMEOUT is '30s'", "seconds above 0")),
    "timeout without end": ({}, {"GLM_TIMEOUT": "inf"}, EVERYTHING, ("GLM_TIMEOUT",)),
    "timeout nan": ({}, {"GLM_TIMEOUT": "nan"}, EVERYTHING, ("GLM_TIMEOUT",)),
    "half a retry": ({}, {"GLM_MAX_RETRIES": "1.5"}, EVERYTHING, ("variable GLM_MAX_RETRIES", "whole number")),
    "retries below none": ({"max_retries": -1}, {}, EVERYTHING, ("flag --max-retries", "whole number, 0 or more")),
    "retries of a file": ({}, {}, config(PLAY, settings={"max_retries": -2}), ("settings.max_retries",)),
    "log perhaps": ({}, {"GLM_NO_LOG": "perhaps"}, EVERYTHING, ("variable GLM_NO_LOG", "1 or 0")),
    "protocol": ({"protocol": "grpc"}, {}, EVERYTHING, ("flag --protocol", "openai, anthropic")),
    "protocol of a profile": ({}, {}, config(Profile("a", "zai", protocol="x")), ("profile a, protocol", "anthropic")),
    "via": ({"via": "moon"}, {}, EVERYTHING, ("flag --via", "general, coding, mcp")),
    "auth": ({}, {}, config(Profile("a", "zai", auth="basic")), ("profile a", "bearer, jwt, x-api-key")),
    "circle of aliases": (
        {},
        {"GLM_MODEL": "a"},
        config(PLAY, aliases={"a": "b", "b": "a"}),
        ("a -> b -> a", "glm config edit"),
    ),
}


@pytest.mark.parametrize(("flags", "environ", "config", "words"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusal(flags: dict[str, Any], environ: dict[str, str], config: Config, words: tuple[str, ...]) -> None:
    """Exit 3 with the culprit by name, and a hint that can be typed."""
    with pytest.raises(ConfigError) as caught:
        settle(environ, config=config, **flags)

    told = f"{caught.value.message} / {caught.value.hint}"
    assert caught.value.exit_code == ExitCode.CONFIG
    assert [word for word in words if word not in told] == []


# -- keys ------------------------------------------------------------------------

OWN_AND_FALLBACK = {
    "zai": ["ZAI_API_KEY", "stored", "Z_AI_API_KEY"],
    "zai-coding": ["ZAI_CODING_API_KEY", "stored", "ZAI_API_KEY", "Z_AI_API_KEY"],
    "zhipu": ["ZHIPU_API_KEY", "stored", "ZHIPUAI_API_KEY"],
    "zhipu-coding": ["ZHIPU_CODING_API_KEY", "stored", "ZHIPU_API_KEY", "ZHIPUAI_API_KEY"],
}


@pytest.mark.parametrize(("provider", "order"), OWN_AND_FALLBACK.items(), ids=OWN_AND_FALLBACK.keys())
def test_stored_key_stands_between_own_and_fallback_variables(provider: str, order: list[str]) -> None:
    """A generic variable never shadows the key that is stored for this very profile."""
    made = candidates(config=config(Profile("a", provider, key="file")))

    assert made == ["file" if place == "stored" else place for place in order]


CUSTOM_ORDERS = {
    "openai": ["GLM_API_KEY", "env:ROUTER_KEY", "OPENAI_API_KEY"],
    "anthropic": ["GLM_API_KEY", "env:ROUTER_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"],
}


@pytest.mark.parametrize(("protocol", "order"), CUSTOM_ORDERS.items(), ids=CUSTOM_ORDERS.keys())
def test_fallbacks_of_custom_follow_the_protocol(protocol: str, order: list[str]) -> None:
    """A key of another dialect's client is not sent."""
    assert candidates(profile="router", protocol=protocol) == order


def test_key_of_the_command_line_is_the_only_candidate() -> None:
    """When it is missing, no other key pays instead."""
    assert candidates({"ZAI_API_KEY": "k"}, key_env="CI_KEY") == ["CI_KEY"]
    assert candidates({"ZAI_API_KEY": "k"}, key_stdin=True) == ["-"]
    with pytest.raises(UsageError):
        candidates(key_env="CI_KEY", key_stdin=True)


def test_sandbox_needs_no_key() -> None:
    """There is nothing to look for."""
    assert candidates({"ZAI_API_KEY": "k"}, provider="sandbox") == []


def test_sources_of_candidates() -> None:
    """Each place reads as doctor will print it; of a command only the word."""
    profile = Profile("a", "zai", key="command:pass show secret/path")
    settings = settle(config=config(profile))
    environ = FileEnvironment({}, {"ZAI_API_KEY": "k"}, "ci.env")

    made = key_candidates(settings, GlobalOptions(), environ)

    assert [candidate.source for candidate in made] == [
        "variable ZAI_API_KEY in ci.env",
        "command, profile a",
        "variable Z_AI_API_KEY",
    ]


LENDING: dict[str, tuple[dict[str, Any], dict[str, str], str | None]] = {
    "the profile as it is": ({}, {}, "keyring"),
    "the same provider by its other name": ({"provider": "zai-coding-global"}, {}, "keyring"),
    "another provider of the vendor": ({"provider": "zai"}, {}, None),
    "another provider by variable": ({}, {"GLM_PROVIDER": "zhipu"}, None),
    "the sandbox": ({"provider": "sandbox"}, {}, None),
    "a custom endpoint": ({"base_url": "https://evil.example"}, {}, None),
    "a custom endpoint by variable": ({}, {"GLM_BASE_URL": "https://evil.example"}, None),
    "the router at home": ({"profile": "router"}, {}, "env:ROUTER_KEY"),
    "the router by another path": (
        {"profile": "router", "base_url": "https://LLM.example/v2"},
        {},
        "env:ROUTER_KEY",
    ),
    "the router elsewhere": ({"profile": "router", "base_url": "https://evil.example/v1"}, {}, None),
    "the router at another port": ({"profile": "router", "base_url": "https://llm.example:444/v1"}, {}, None),
    "the router without encryption": (
        {"profile": "router", "base_url": "http://llm.example/v1", "allow_http": True},
        {},
        None,
    ),
    "the router elsewhere by variable": ({"profile": "router"}, {"GLM_BASE_URL": "https://evil.example/v1"}, None),
}


@pytest.mark.parametrize(("flags", "environ", "reference"), LENDING.values(), ids=LENDING.keys())
def test_key_of_a_profile_goes_to_its_own_endpoint_alone(
    flags: dict[str, Any], environ: dict[str, str], reference: str | None
) -> None:
    """Whatever redirects the call does not take the stored key along."""
    settings = settle(environ, **flags)

    assert settings.key_reference == reference
    assert (settings.keyring_backend is None) == (reference != "keyring")


def test_key_that_stays_at_home_is_told() -> None:
    """Otherwise `no key` would be a riddle."""
    settings = settle(profile="router", base_url="https://other.example")

    assert settings.warnings == ("the key of profile router is not sent to the host that flag --base-url names",)


# -- warnings --------------------------------------------------------------------


def test_ignored_keys_of_a_directory_file_are_named_once() -> None:
    """One line for all of them."""
    settings = settle(directory=DirectoryFile(HERE, ignored=("base_url", "key")))

    assert settings.warnings == (f"{HERE}: ignored: base_url, key (only profile and [chat] are read there)",)


def test_variable_that_overrides_a_profile_chosen_by_flag_is_told() -> None:
    """`-p work` in a shell with GLM_PROVIDER would otherwise surprise."""
    settings = settle({"GLM_PROVIDER": "zhipu"}, profile="work")

    assert settings.warnings == ("variable GLM_PROVIDER (zhipu) wins over profile work (zai-coding)",)


def test_base_url_of_a_vendor_profile_is_ignored_and_told() -> None:
    """A profile of the vendor talks to the vendor."""
    settings = settle(config=config(Profile("a", "zai", base_url="https://x.example")))

    assert (settings.base_url.value, settings.origin.value) == (None, ORIGIN_INTL)
    assert "GLM_ORIGIN_INTL" in settings.warnings[0]


def test_directory_file_with_a_strange_profile_is_no_obstacle_to_an_explicit_provider() -> None:
    """Somebody else's repository names a profile that is not here."""
    directory = DirectoryFile(HERE, "theirs")

    settings = settle(directory=directory, provider="sandbox")

    assert (settings.profile.value, settings.provider.value.name) == (None, "sandbox")
    assert "theirs" in settings.warnings[0]
    with pytest.raises(ConfigError, match="theirs"):
        settle(directory=directory)


# -- env files -------------------------------------------------------------------

ROUTER_FILE = {"OPENAI_BASE_URL": "https://r.example/v1", "OPENAI_MODEL": "qwen", "OPENAI_API_KEY": "k"}


def test_env_file_of_another_tool_selects_custom() -> None:
    """OPENAI_BASE_URL and OPENAI_MODEL are understood in a file that was named by hand."""
    environ = FileEnvironment({}, ROUTER_FILE, "r.env")

    settings = settle(environ, config=NOTHING, env_file=Path("r.env"))

    assert settings.provider.value is PROVIDERS["custom"]
    assert (settings.base_url.value, settings.base_url.source) == (
        "https://r.example/v1",
        "variable OPENAI_BASE_URL in r.env",
    )
    assert (settings.model.value, settings.model.source) == ("qwen", "variable OPENAI_MODEL in r.env")


def test_same_variables_of_the_environment_mean_nothing() -> None:
    """They belong to other tools; nobody asked us to read them."""
    with pytest.raises(ConfigError, match="no profile and no provider"):
        settle(ROUTER_FILE, config=NOTHING)


def test_zai_api_base_of_an_env_file_is_understood() -> None:
    """The name that some wrappers use."""
    environ = FileEnvironment({}, {"ZAI_API_BASE": "https://r.example/api"}, "r.env")

    assert settle(environ, config=NOTHING).base_url.value == "https://r.example/api"


def test_profile_by_hand_wins_over_the_address_of_an_env_file() -> None:
    """The file may hold variables for several tools."""
    environ = FileEnvironment({}, ROUTER_FILE, "r.env")

    assert settle(environ, profile="play").provider.value.name == "zhipu"
    assert settle(environ, provider="zai").provider.value.name == "zai"


# -- aliases ---------------------------------------------------------------------


def test_alias_may_name_an_alias() -> None:
    """And a name that is none stands for itself."""
    assert resolve_alias("fast", EVERYTHING.aliases) == "glm-5-flash"
    assert resolve_alias("glm-5.3", EVERYTHING.aliases) == "glm-5.3"


def test_every_provider_of_the_vendor_can_be_chosen_by_its_own_variable() -> None:
    """None of the four is forgotten."""
    for name in VENDOR_PROVIDERS:
        variable = PROVIDERS[name].own_variable
        assert variable is not None
        assert settle({variable: "k"}, config=NOTHING).provider.value.name == name

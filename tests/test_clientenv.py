"""Variables for other programs."""

from __future__ import annotations

import pytest

from glmcli.api.clientenv import Dialect, client_bases, client_environment, client_variable_names
from glmcli.api.endpoints import ORIGIN_CN, ORIGIN_INTL, PROVIDERS, Protocol, Target, Via
from glmcli.errors import UsageError

KEY = "0123456789abcdef0123456789abcdef.ABCDEFGHIJKLMNOP"


def target(provider: str, origin: str = ORIGIN_INTL, **more: object) -> Target:
    return Target(PROVIDERS[provider], origin, **more)  # type: ignore[arg-type]  # the table below spells them


@pytest.mark.parametrize(
    ("provider", "origin", "openai", "responses"),
    [
        ("zai", ORIGIN_INTL, "https://api.z.ai/api/paas/v4", None),
        ("zai-coding", ORIGIN_INTL, "https://api.z.ai/api/coding/paas/v4", "https://api.z.ai/api/v1"),
        ("zhipu", ORIGIN_CN, "https://open.bigmodel.cn/api/paas/v4", None),
        ("zhipu-coding", ORIGIN_CN, "https://open.bigmodel.cn/api/coding/paas/v4", "https://open.bigmodel.cn/api/v1"),
    ],
    ids=["zai", "zai-coding", "zhipu", "zhipu-coding"],
)
def test_each_provider_has_its_own_bases(provider: str, origin: str, openai: str, responses: str | None) -> None:
    """A plan goes to the coding base, and both plans to the Anthropic base of their region."""
    bases = client_bases(target(provider, origin))

    assert (openai, f"{origin}/api/anthropic", responses) == (bases.openai, bases.anthropic, bases.responses)


def test_the_bases_do_not_depend_on_the_protocol_of_the_profile() -> None:
    """A profile that chats by the Anthropic protocol still gives OpenAI clients their base."""
    bases = client_bases(target("zai-coding", protocol=Protocol.ANTHROPIC))

    assert (bases.openai, bases.anthropic) == ("https://api.z.ai/api/coding/paas/v4", "https://api.z.ai/api/anthropic")


def test_an_override_of_the_route_is_heard() -> None:
    """`--via general` sends a plan's clients to the general base."""
    assert client_bases(target("zai-coding", via=Via.GENERAL)).openai == "https://api.z.ai/api/paas/v4"


def test_a_child_of_a_plan_gets_the_documented_variables() -> None:
    """The list of the contract, with the provider's own variable, and no ANTHROPIC_API_KEY."""
    environment = client_environment(target("zai-coding"), KEY)

    assert environment.variables == {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": "https://api.z.ai/api/coding/paas/v4",
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic",
        "API_TIMEOUT_MS": "3000000",
        "ZAI_API_KEY": KEY,
        "ZAI_BASE_URL": "https://api.z.ai/api/coding/paas/v4",
        "ZAI_CODING_API_KEY": KEY,
    }
    assert environment.unset == ("ANTHROPIC_API_KEY",)


def test_the_child_loses_the_variable_that_would_win() -> None:
    """An inherited ANTHROPIC_API_KEY is taken away; everything else stays."""
    environment = client_environment(target("zai"), KEY)

    child = environment.over({"PATH": "/bin", "ANTHROPIC_API_KEY": "sk-ant", "OPENAI_API_KEY": "old"})

    assert "ANTHROPIC_API_KEY" not in child
    assert (child["PATH"], child["OPENAI_API_KEY"]) == ("/bin", KEY)


@pytest.mark.parametrize(("provider", "mode"), [("zai-coding", "ZAI"), ("zhipu-coding", "ZHIPU")])
def test_the_mcp_server_is_told_the_region(provider: str, mode: str) -> None:
    """`Z_AI_MODE` names the company."""
    environment = client_environment(target(provider), KEY, dialect=Dialect.MCP)

    assert {"Z_AI_API_KEY": KEY, "Z_AI_MODE": mode} == environment.variables


def test_a_custom_base_speaks_one_protocol() -> None:
    """An OpenAI router sets no Anthropic variable, and says so when asked for one."""
    router = target("custom", base_url="https://router.example/v1")

    assert {"OPENAI_API_KEY", "OPENAI_BASE_URL", "ZAI_API_KEY", "ZAI_BASE_URL", "GLM_API_KEY"} == set(
        client_environment(router, KEY).variables
    )
    with pytest.raises(UsageError, match="does not speak anthropic"):
        client_environment(router, KEY, dialect=Dialect.ANTHROPIC)


def test_a_gateway_that_wants_x_api_key_gets_it_under_that_name() -> None:
    """`auth = "x-api-key"` turns the two Anthropic names round."""
    gateway = target("custom", base_url="https://gate.example", protocol=Protocol.ANTHROPIC)

    environment = client_environment(gateway, KEY, dialect=Dialect.ANTHROPIC, auth="x-api-key")

    assert environment.variables["ANTHROPIC_API_KEY"] == KEY
    assert environment.unset == ("ANTHROPIC_AUTH_TOKEN",)


def test_the_embedded_sandbox_has_no_address_for_others() -> None:
    """A child cannot reach a server that lives in our process."""
    with pytest.raises(UsageError, match="sandbox"):
        client_environment(target("sandbox"), KEY)


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("provider", ["zai", "zai-coding", "zhipu", "zhipu-coding"])
def test_what_is_set_can_be_unset(provider: str, dialect: Dialect) -> None:
    """`--unset` names every variable that is ever set."""
    environment = client_environment(target(provider), KEY, dialect=dialect)

    assert set(environment.variables) == set(client_variable_names(PROVIDERS[provider], dialect))

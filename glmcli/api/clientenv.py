"""The variables that other programs read: base URLs and a key, per dialect.

Names: zai-sdk `_client.py` (`ZAI_*`), the openai and anthropic packages, and
Claude Code's page on docs.z.ai (`ANTHROPIC_AUTH_TOKEN`, `API_TIMEOUT_MS`).
`@z_ai/mcp-server` wants `Z_AI_API_KEY` and `Z_AI_MODE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Plan, Protocol, Provider, Region, Service, Target
from glmcli.errors import UsageError

#: Claude Code gives up after this many milliseconds (the vendor's own value).
API_TIMEOUT_MS = "3000000"


class Dialect(StrEnum):
    """Which clients a set of variables is for."""

    ALL = "all"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    ZAI = "zai"
    MCP = "mcp"


@dataclass(frozen=True, slots=True)
class ClientBases:
    """The base URL of each protocol; None where the provider does not speak it."""

    openai: str | None
    anthropic: str | None
    responses: str | None


@dataclass(frozen=True, slots=True)
class ClientEnvironment:
    """What a child process gets: variables to set, and names to take away."""

    variables: Mapping[str, str] = field(repr=False)
    unset: tuple[str, ...] = ()

    def over(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ` with these variables set and the unwanted names removed."""
        kept = {name: value for name, value in environ.items() if name not in self.unset}
        return {**kept, **self.variables}


def client_bases(target: Target) -> ClientBases:
    """Where clients of each protocol should go for this target.

    Raises UsageError for the sandbox, which has no address to give away.
    """
    if target.provider.name == "sandbox":
        raise UsageError(
            "the embedded sandbox has no address that another program could reach",
            hint="run `glm sandbox serve` and use the address that it prints, for example with GLM_ORIGIN_INTL",
        )
    if target.base_url is not None:
        speaks_openai = target.protocol is Protocol.OPENAI
        return ClientBases(
            openai=target.base_url if speaks_openai else None,
            anthropic=None if speaks_openai else target.base_url,
            responses=None,
        )
    return ClientBases(
        openai=target.replace(protocol=Protocol.OPENAI).base(Service.CHAT),
        anthropic=target.replace(protocol=Protocol.ANTHROPIC).base(Service.CHAT),
        # The Responses protocol is served to plans alone (docs.z.ai/devpack/quick-start).
        responses=target.origin + "/api/v1" if target.provider.plan is Plan.CODING else None,
    )


def client_environment(
    target: Target, key: str, *, dialect: Dialect = Dialect.ALL, auth: str = "bearer"
) -> ClientEnvironment:
    """The variables with which a client of this dialect works.

    Raises UsageError when the provider does not speak the dialect.
    """
    bases = client_bases(target)
    makers = {
        Dialect.OPENAI: lambda: _openai(bases, key),
        Dialect.ANTHROPIC: lambda: _anthropic(bases, key, auth),
        Dialect.ZAI: lambda: _zai(target.provider, bases, key),
        Dialect.MCP: lambda: _mcp(target.provider, key),
    }
    if dialect is not Dialect.ALL:
        made = makers[dialect]()
        if made is None:
            raise UsageError(
                f"provider {target.provider.name} does not speak {dialect.value} here",
                hint="choose another --for, or --protocol openai|anthropic for a custom base URL",
            )
        return made
    # Without the MCP server's names: they are asked for by name.
    parts = [makers[each]() for each in (Dialect.OPENAI, Dialect.ANTHROPIC, Dialect.ZAI)]
    return _joined([part for part in parts if part is not None])


def client_variable_names(provider: Provider, dialect: Dialect = Dialect.ALL) -> tuple[str, ...]:
    """The names that `client_environment` may set or take away, for `glm env --unset`."""
    openai = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
    anthropic = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "API_TIMEOUT_MS")
    zai = ("ZAI_API_KEY", "ZAI_BASE_URL", *key_variables(provider))
    by_dialect = {
        Dialect.OPENAI: openai,
        Dialect.ANTHROPIC: anthropic,
        Dialect.ZAI: zai,
        Dialect.MCP: ("Z_AI_API_KEY", "Z_AI_MODE"),
        Dialect.ALL: openai + anthropic + zai,
    }
    return tuple(dict.fromkeys(by_dialect[dialect]))


def key_variables(provider: Provider) -> tuple[str, ...]:
    """The provider's own variable, then that of its region, by which tools refer to the key."""
    own = (provider.own_variable,) if provider.own_variable else ()
    if provider.name not in VENDOR_PROVIDERS:
        return own
    return tuple(dict.fromkeys((*own, region_variable(provider))))


def region_variable(provider: Provider) -> str:
    """`ZAI_API_KEY` or `ZHIPU_API_KEY`.

    One name per company: a file that refers to the key by name then cannot
    send the key of one company to the other.
    """
    name = "zai" if provider.region is Region.INTL else "zhipu"
    return PROVIDERS[name].own_variable or ""


def _openai(bases: ClientBases, key: str) -> ClientEnvironment | None:
    if bases.openai is None:
        return None
    return ClientEnvironment({"OPENAI_API_KEY": key, "OPENAI_BASE_URL": bases.openai})


def _anthropic(bases: ClientBases, key: str, auth: str) -> ClientEnvironment | None:
    if bases.anthropic is None:
        return None
    # Claude Code sends ANTHROPIC_AUTH_TOKEN as Bearer and ANTHROPIC_API_KEY as
    # x-api-key, and prefers or asks about the latter: never leave both.
    wanted, unwanted = "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"
    if auth == "x-api-key":
        wanted, unwanted = unwanted, wanted
    variables = {wanted: key, "ANTHROPIC_BASE_URL": bases.anthropic, "API_TIMEOUT_MS": API_TIMEOUT_MS}
    return ClientEnvironment(variables, unset=(unwanted,))


def _zai(provider: Provider, bases: ClientBases, key: str) -> ClientEnvironment | None:
    if bases.openai is None:
        return ClientEnvironment(dict.fromkeys(key_variables(provider), key)) if provider.own_variable else None
    variables = {"ZAI_API_KEY": key, "ZAI_BASE_URL": bases.openai}
    return ClientEnvironment({**variables, **dict.fromkeys(key_variables(provider), key)})


def _mcp(provider: Provider, key: str) -> ClientEnvironment | None:
    if provider.name not in VENDOR_PROVIDERS:
        return None
    mode = "ZAI" if provider.region is Region.INTL else "ZHIPU"
    return ClientEnvironment({"Z_AI_API_KEY": key, "Z_AI_MODE": mode})


def _joined(parts: list[ClientEnvironment]) -> ClientEnvironment:
    variables = {name: value for part in parts for name, value in part.variables.items()}
    unset = tuple(name for part in parts for name in part.unset)
    return ClientEnvironment(variables, unset)

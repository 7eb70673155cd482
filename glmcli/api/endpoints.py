"""Which base URL serves what: provider x service x protocol, in one table.

Sources: docs.z.ai/api-reference/introduction, devpack/quick-start and the
OpenAPI `servers` of both regions (`api/auth-and-endpoints.md` sections 5-6).
Only chat is documented for the coding base; media, tools, files and batch are
therefore sent to the general base of the same region.
"""

from __future__ import annotations

from enum import StrEnum

from glmcli.errors import ConfigError, UsageError
from glmcli.values import Value

ORIGIN_INTL = "https://api.z.ai"
ORIGIN_CN = "https://open.bigmodel.cn"
SANDBOX_ORIGIN = "http://sandbox.localhost"


class Service(StrEnum):
    """What is asked for; each provider maps it to a base URL."""

    CHAT = "chat"
    MODELS = "models"
    MEDIA = "media"  # images, videos, async results
    AUDIO = "audio"
    TOKENIZER = "tokenizer"
    OCR = "ocr"
    FILES = "files"
    BATCH = "batch"
    EMBEDDINGS = "embeddings"  # embeddings, rerank, moderations
    WEB = "web"  # web_search and reader by REST
    MCP = "mcp"
    AGENTS = "agents"
    MONITOR = "monitor"  # /api/monitor and /api/biz
    ROOT = "root"  # the bare origin, for `glm api`


class Protocol(StrEnum):
    """The dialect of a chat endpoint."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Region(StrEnum):
    """Where the account lives."""

    INTL = "intl"
    CN = "cn"


class Plan(StrEnum):
    """What pays: the balance, or a Coding Plan."""

    PAYG = "payg"
    CODING = "coding"


class Via(StrEnum):
    """An override of the route that the table would take."""

    GENERAL = "general"
    CODING = "coding"
    MCP = "mcp"


class Provider(Value):
    """A region and a plan, with the variables that may hold its key."""

    name: str
    title: str
    region: Region
    plan: Plan
    own_variable: str | None
    fallback_variables: tuple[str, ...]
    aliases: tuple[str, ...]
    default_model: str | None


PROVIDERS: dict[str, Provider] = {
    p.name: p
    for p in (
        Provider(
            "zai",
            "Z.AI, pay as you go",
            Region.INTL,
            Plan.PAYG,
            "ZAI_API_KEY",
            ("Z_AI_API_KEY",),
            ("zai-global", "z.ai", "z-ai"),
            "glm-5.3",
        ),
        Provider(
            "zai-coding",
            "Z.AI, Coding Plan",
            Region.INTL,
            Plan.CODING,
            "ZAI_CODING_API_KEY",
            ("ZAI_API_KEY", "Z_AI_API_KEY"),
            ("zai-coding-global",),
            "glm-5.3",
        ),
        Provider(
            "zhipu",
            "Zhipu (BigModel), pay as you go",
            Region.CN,
            Plan.PAYG,
            "ZHIPU_API_KEY",
            ("ZHIPUAI_API_KEY",),
            ("zai-cn", "bigmodel"),
            "glm-5.3",
        ),
        Provider(
            "zhipu-coding",
            "Zhipu (BigModel), Coding Plan",
            Region.CN,
            Plan.CODING,
            "ZHIPU_CODING_API_KEY",
            ("ZHIPU_API_KEY", "ZHIPUAI_API_KEY"),
            ("zai-coding-cn",),
            "glm-5.3",
        ),
        Provider("sandbox", "the embedded sandbox", Region.INTL, Plan.PAYG, None, (), (), "glm-5.3"),
        Provider("custom", "any compatible base URL", Region.INTL, Plan.PAYG, "GLM_API_KEY", (), (), None),
    )
}

#: The four providers of the vendor, in the order in which they are shown.
VENDOR_PROVIDERS = ("zai", "zai-coding", "zhipu", "zhipu-coding")

_GENERAL = "/api/paas/v4"
_CODING = "/api/coding/paas/v4"

# Service -> path under the origin, per plan. What is missing under CODING is
# taken from PAYG: the coding base is documented for chat alone.
_PATHS: dict[Plan, dict[Service, str]] = {
    Plan.PAYG: {
        **dict.fromkeys(Service, _GENERAL),
        Service.MCP: "/api/mcp",
        Service.AGENTS: "/api/v1",
        Service.MONITOR: "/api",
        Service.ROOT: "",
    },
    Plan.CODING: {Service.CHAT: _CODING, Service.MODELS: _CODING},
}
_ANTHROPIC = "/api/anthropic"
#: Services that `--via general|coding` may move between the two bases.
_MOVABLE = frozenset(Service) - {Service.MCP, Service.AGENTS, Service.MONITOR, Service.ROOT}
#: Services that bill the balance even for a plan key.
BILLS_BALANCE = frozenset(
    {
        Service.MEDIA,
        Service.AUDIO,
        Service.TOKENIZER,
        Service.OCR,
        Service.FILES,
        Service.BATCH,
        Service.EMBEDDINGS,
        Service.WEB,
        Service.AGENTS,
    }
)


class Target(Value):
    """Where the calls of one command go.

    `origin` is scheme and host of the vendor, without a path; `base_url` is
    given for provider `custom` only and then serves every call.
    """

    provider: Provider
    origin: str
    base_url: str | None = None
    protocol: Protocol = Protocol.OPENAI
    via: Via | None = None

    def base(self, service: Service) -> str:
        """The base URL of a service, without a trailing slash.

        Raises UsageError when the provider has no such service.
        """
        if self.base_url is not None:
            return self._custom_base(service)
        if service is Service.CHAT and self.protocol is Protocol.ANTHROPIC:
            return self.origin + _ANTHROPIC
        return self.origin + self._path(service)

    def _path(self, service: Service) -> str:
        if service in _MOVABLE and self.via in (Via.GENERAL, Via.CODING):
            return _GENERAL if self.via is Via.GENERAL else _CODING
        general = _PATHS[Plan.PAYG][service]
        return _PATHS[self.provider.plan].get(service, general)

    def _custom_base(self, service: Service) -> str:
        assert self.base_url is not None
        if service in (Service.MCP, Service.MONITOR, Service.AGENTS):
            raise UsageError(
                f"a custom base URL has no {service.value} service",
                hint="use --provider zai, zai-coding, zhipu or zhipu-coding",
            )
        return self.base_url

    def url(self, service: Service, path: str) -> str:
        """The full URL of a call; joins without doubled or missing slashes.

        Anthropic clients append `/v1/messages` to their base; a base that
        already ends in `/v1` is not given a second one.
        """
        base = self.base(service).rstrip("/")
        path = "/" + path.lstrip("/")
        if path.startswith("/v1/") and base.endswith("/v1"):
            path = path[3:]
        return base + path

    @property
    def bills_balance(self) -> frozenset[Service]:
        """The services that charge money although the key belongs to a plan."""
        return BILLS_BALANCE if self.provider.plan is Plan.CODING else frozenset()


def find_provider(name: str) -> Provider:
    """The provider of that name or alias. Raises ConfigError with the choices."""
    wanted = name.strip().lower()
    for provider in PROVIDERS.values():
        if wanted == provider.name or wanted in provider.aliases:
            return provider
    raise ConfigError(f"unknown provider {name!r}", hint=f"choose one of {', '.join(PROVIDERS)}")


def normalise_base_url(text: str, *, allow_http: bool) -> str:
    """A custom base URL in its one form: scheme, host, path, no trailing slash.

    A full chat URL is cut back to its base. Raises ConfigError for a missing
    scheme, userinfo, a query, or plain http to a host that is not loopback.
    """
    from urllib.parse import urlsplit

    url = text.strip()
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"base URL {text!r} cannot be read: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(
            f"base URL {text!r} needs a scheme and a host", hint=f"did you mean https://{url.split('://')[-1]} ?"
        )
    if parts.username or parts.password:
        raise ConfigError(
            "the base URL must not carry a user name or password", hint="give the key by --key-env or a profile"
        )
    if parts.query or parts.fragment:
        raise ConfigError(f"base URL {text!r} must not have a query or fragment")
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise ConfigError(
            f"refusing to send a key over plain http to {host}",
            hint="use https, or --allow-http if the network is yours",
        )
    for tail in ("/chat/completions", "/v1/messages"):
        url = url.rstrip("/").removesuffix(tail)
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

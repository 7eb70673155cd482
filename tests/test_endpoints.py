"""Which base URL serves what."""

from __future__ import annotations

import pytest

from glmcli.api.endpoints import (
    ORIGIN_CN,
    ORIGIN_INTL,
    PROVIDERS,
    Protocol,
    Region,
    Service,
    Target,
    Via,
    find_provider,
    is_loopback,
    normalise_base_url,
)
from glmcli.errors import ConfigError, UsageError

INTL = "https://api.z.ai"
CN = "https://open.bigmodel.cn"


def target(name: str, **changes: object) -> Target:
    provider = PROVIDERS[name]
    origin = ORIGIN_CN if provider.region is Region.CN else ORIGIN_INTL
    return Target(provider, origin, **changes)  # type: ignore[arg-type]  # the names are the dataclass's own


@pytest.mark.parametrize(
    ("provider", "service", "path", "url"),
    [
        ("zai", Service.CHAT, "/chat/completions", f"{INTL}/api/paas/v4/chat/completions"),
        ("zai-coding", Service.CHAT, "/chat/completions", f"{INTL}/api/coding/paas/v4/chat/completions"),
        ("zhipu", Service.CHAT, "/chat/completions", f"{CN}/api/paas/v4/chat/completions"),
        ("zhipu-coding", Service.CHAT, "/chat/completions", f"{CN}/api/coding/paas/v4/chat/completions"),
        ("zai-coding", Service.MODELS, "/models", f"{INTL}/api/coding/paas/v4/models"),
        ("zai-coding", Service.MEDIA, "/images/generations", f"{INTL}/api/paas/v4/images/generations"),
        ("zhipu-coding", Service.AUDIO, "/audio/transcriptions", f"{CN}/api/paas/v4/audio/transcriptions"),
        ("zai-coding", Service.TOKENIZER, "/tokenizer", f"{INTL}/api/paas/v4/tokenizer"),
        ("zhipu-coding", Service.OCR, "/layout_parsing", f"{CN}/api/paas/v4/layout_parsing"),
        ("zai", Service.WEB, "/web_search", f"{INTL}/api/paas/v4/web_search"),
        ("zai-coding", Service.MCP, "/web_reader/mcp", f"{INTL}/api/mcp/web_reader/mcp"),
        ("zhipu", Service.AGENTS, "/agents", f"{CN}/api/v1/agents"),
        ("zai-coding", Service.MONITOR, "/monitor/usage/quota/limit", f"{INTL}/api/monitor/usage/quota/limit"),
        ("zhipu", Service.MONITOR, "/biz/subscription/list", f"{CN}/api/biz/subscription/list"),
    ],
)
def test_every_provider_and_service_has_its_url(provider: str, service: Service, path: str, url: str) -> None:
    """The table of `api/auth-and-endpoints.md` section 5, written out."""
    assert url == target(provider).url(service, path)


@pytest.mark.parametrize("provider", ["zai", "zai-coding"])
def test_anthropic_has_one_base_for_both_plans(provider: str) -> None:
    """Messages go to `/api/anthropic/v1/messages`."""
    found = target(provider, protocol=Protocol.ANTHROPIC).url(Service.CHAT, "/v1/messages")
    assert f"{INTL}/api/anthropic/v1/messages" == found


@pytest.mark.parametrize(
    ("via", "provider", "base"),
    [
        (Via.GENERAL, "zai-coding", f"{INTL}/api/paas/v4"),
        (Via.CODING, "zai-coding", f"{INTL}/api/coding/paas/v4"),
        (Via.CODING, "zai", f"{INTL}/api/coding/paas/v4"),
    ],
)
def test_via_overrides_the_route(via: Via, provider: str, base: str) -> None:
    """`--via` moves a call between the two bases."""
    assert base == target(provider, via=via).base(Service.MEDIA)


def test_via_does_not_move_what_has_one_place() -> None:
    """Agents and quota live at one address."""
    assert f"{INTL}/api/v1" == target("zai-coding", via=Via.CODING).base(Service.AGENTS)


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("http://127.0.0.1:8000/v1", "/chat/completions", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1/", "chat/completions", "http://127.0.0.1:8000/v1/chat/completions"),
        ("https://router.example/api", "/v1/messages", "https://router.example/api/v1/messages"),
        ("https://router.example/v1", "/v1/messages", "https://router.example/v1/messages"),
    ],
)
def test_a_custom_base_joins_without_doubled_parts(base: str, path: str, url: str) -> None:
    """Trailing slashes and a second `/v1` make no difference."""
    assert url == target("custom", base_url=base).url(Service.CHAT, path)


def test_a_custom_base_has_no_monitor() -> None:
    """What only the vendor has is refused, with the providers that have it."""
    with pytest.raises(UsageError, match="monitor"):
        target("custom", base_url="https://router.example/v1").base(Service.MONITOR)


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("https://router.example/v1/", "https://router.example/v1"),
        (" https://router.example/v1/chat/completions ", "https://router.example/v1"),
        ("https://router.example/v1/messages", "https://router.example"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_a_base_url_has_one_form(written: str, base: str) -> None:
    """Spaces, trailing slashes and a full chat URL are put right."""
    assert base == normalise_base_url(written, allow_http=False)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("router.example/v1", "needs a scheme"),
        ("ftp://router.example", "needs a scheme"),
        ("https://", "needs a scheme"),
        ("http://router.example/v1", "plain http"),
        ("https://user:word@router.example", "user name"),
        ("https://router.example/v1?x=1", "query"),
        ("https://router.example:port/v1", "cannot be read"),
    ],
)
def test_a_base_url_that_cannot_be_used_is_refused(written: str, reason: str) -> None:
    """Each with its own reason, before any key is looked up."""
    with pytest.raises(ConfigError, match=reason):
        normalise_base_url(written, allow_http=False)


def test_plain_http_may_be_allowed() -> None:
    """`--allow-http` is the user's own word for it."""
    assert normalise_base_url("http://router.example/v1", allow_http=True) == "http://router.example/v1"


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("zai-global", "zai"),
        ("zai-coding-global", "zai-coding"),
        ("zai-cn", "zhipu"),
        ("zai-coding-cn", "zhipu-coding"),
        ("z.ai", "zai"),
        ("BigModel", "zhipu"),
        ("sandbox", "sandbox"),
    ],
)
def test_aliases_name_a_provider(alias: str, name: str) -> None:
    """OpenClaw's names and the brands are understood."""
    assert name == find_provider(alias).name


def test_an_unknown_provider_is_refused_with_the_choices() -> None:
    """The hint lists them."""
    with pytest.raises(ConfigError) as caught:
        find_provider("openai")
    assert "zhipu-coding" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("a.localhost", True),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("127.0.0.1.nip.io", False),
    ],
)
def test_loopback_is_told_apart(host: str, expected: bool) -> None:
    """Only addresses that stay on this machine count."""
    assert expected is is_loopback(host)

"""Looks around: which coding tools are here, and which settings could be taken over.

Nothing is changed and nothing is copied; what is found is offered.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Region
from glmcli.config.model import Secret
from glmcli.errors import ConfigError
from glmcli.integrations.catalog import TOOLS
from glmcli.integrations.setup import Place, Standing, Tool, open_settings, text_at

_HOSTS = {"api.z.ai": Region.INTL, "open.bigmodel.cn": Region.CN, "bigmodel.cn": Region.CN}
_HELPER_PLANS = {"glm_coding_plan_global": "zai-coding", "glm_coding_plan_china": "zhipu-coding"}


@dataclass(frozen=True, slots=True)
class ToolState:
    """A tool and how it stands.

    `status` is `not installed`, `not set up`,
    `set up` (it talks to Z.AI or BigModel), `other service` or `broken file`
    (`problem` says where).
    """

    name: str
    title: str
    how: str
    is_installed: bool
    status: str
    support: str
    path: Path | None = None
    base_url: str | None = None
    model: str | None = None
    key: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Importable:
    """A key that another program keeps, with the providers that it may belong to, likeliest first."""

    source: str
    providers: tuple[str, ...]
    secret: Secret


def detect_tools(environ: Mapping[str, str], home: Path) -> list[ToolState]:
    """Every known tool and how it stands, in the order of the catalogue."""
    place = Place(home, environ)
    return [detect_tool(tool, place) for tool in TOOLS.values()]


def detect_tool(tool: Tool, place: Place) -> ToolState:
    """How one tool stands; a broken settings file is a state, not an error."""
    is_installed = _is_installed(tool, place)
    path = tool.file(place) if tool.file else None
    try:
        standing = tool.inspect(place) if tool.inspect else Standing()
        problem = None
    except ConfigError as error:
        standing, problem = Standing(), error.message
    return ToolState(
        name=tool.name,
        title=tool.title,
        how=tool.how,
        is_installed=is_installed,
        status="broken file" if problem else _status(standing, place, is_installed=is_installed),
        support=tool.support,
        path=path,
        base_url=standing.base_url,
        model=standing.model,
        key=standing.key,
        problem=problem,
    )


def _is_installed(tool: Tool, place: Place) -> bool:
    search = place.environ.get("PATH", "")
    if any(shutil.which(name, path=search) for name in tool.executables):
        return True
    return any(path.is_dir() for path in (tool.traces(place) if tool.traces else ()))


def _status(standing: Standing, place: Place, *, is_installed: bool) -> str:
    if standing.base_url is not None:
        return "set up" if region_of(standing.base_url, place.environ) else "other service"
    return "not set up" if is_installed else "not installed"


def region_of(base_url: str, environ: Mapping[str, str]) -> Region | None:
    """The vendor's region that a base URL belongs to, or None for another service.

    A gateway named by `GLM_ORIGIN_INTL` or `GLM_ORIGIN_CN` stands for the vendor.
    """
    for variable, region in (("GLM_ORIGIN_INTL", Region.INTL), ("GLM_ORIGIN_CN", Region.CN)):
        origin = environ.get(variable, "").rstrip("/")
        if origin and base_url.startswith(origin + "/"):
            return region
    from urllib.parse import urlsplit

    try:
        return _HOSTS.get(urlsplit(base_url).hostname or "")
    except ValueError:
        return None


def importable_settings(environ: Mapping[str, str], home: Path) -> list[Importable]:
    """Keys of the vendor that other programs keep; the same key is told once per source.

    Looks at the official helper's `~/.chelper/config.yaml`, Claude Code's
    settings and the environment. Broken files are passed over.
    """
    return [*_from_helper(home), *_from_claude(Place(home, environ)), *_from_environment(environ)]


def _from_helper(home: Path) -> Iterator[Importable]:
    path = home / ".chelper" / "config.yaml"
    settings = read_flat_yaml(path)
    key = settings.get("api_key")
    if key:
        provider = _HELPER_PLANS.get(settings.get("plan", ""))
        providers = (provider,) if provider else ("zai-coding", "zhipu-coding")
        yield Importable(str(path), providers, Secret(key, str(path)))


def read_flat_yaml(path: Path) -> dict[str, str]:
    """The top-level `name: text` lines of a YAML file; {} if it cannot be read.

    Enough for the helper's file, which is flat, without a YAML library.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found: dict[str, str] = {}
    for line in lines:
        name, colon, rest = line.partition(":")
        if colon and name and not name[0].isspace() and not name.startswith(("#", "-")):
            found[name.strip()] = _yaml_scalar(rest.strip())
    return found


def _yaml_scalar(text: str) -> str:
    if text[:1] in ("'", '"'):
        quoted, closed, _ = text[1:].partition(text[0])
        return quoted if closed else ""
    return text.partition(" #")[0].strip()


def _from_claude(place: Place) -> Iterator[Importable]:
    path = place.directory("CLAUDE_CONFIG_DIR", ".claude") / "settings.json"
    try:
        document = open_settings(path)
    except ConfigError:
        return
    if document is None:
        return
    base_url = text_at(document, "env", "ANTHROPIC_BASE_URL")
    key = text_at(document, "env", "ANTHROPIC_AUTH_TOKEN") or text_at(document, "env", "ANTHROPIC_API_KEY")
    yield from _of_region(base_url, key, str(path), place.environ)


def _from_environment(environ: Mapping[str, str]) -> Iterator[Importable]:
    for variable, providers in _key_variables().items():
        key = environ.get(variable)
        if key:
            yield Importable(f"variable {variable}", providers, Secret(key, f"variable {variable}"))
    pairs = (("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"), ("OPENAI_BASE_URL", "OPENAI_API_KEY"))
    for base, variable in pairs:
        yield from _of_region(environ.get(base), environ.get(variable), f"variable {variable}", environ)


def _key_variables() -> dict[str, tuple[str, ...]]:
    """Each variable that may hold a key of the vendor, with the providers whose own it is first."""
    owners: dict[str, list[str]] = {}
    providers = [PROVIDERS[name] for name in VENDOR_PROVIDERS]
    for provider in providers:
        owners.setdefault(provider.own_variable or "", []).append(provider.name)
    for provider in providers:
        for variable in provider.fallback_variables:
            owners.setdefault(variable, []).append(provider.name)
    return {variable: tuple(names) for variable, names in owners.items()}


def _of_region(base_url: str | None, key: str | None, source: str, environ: Mapping[str, str]) -> Iterator[Importable]:
    region = region_of(base_url, environ) if base_url else None
    if key and region is not None:
        # Who has set up a coding tool most likely has the plan.
        names = ("zai-coding", "zai") if region is Region.INTL else ("zhipu-coding", "zhipu")
        yield Importable(source, names, Secret(key, source))

"""The answer of `glm onboard`: for people, as JSON, and as the command that does the same."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS, Plan, Service
from glmcli.catalogue import text
from glmcli.config.model import Profile
from glmcli.diagnosis import POLICY_PAGE, Verdict
from glmcli.onboarding.answers import DEFAULT_PROFILE, FoundKey, Kept, Verified, providers_of
from glmcli.probing import target_of

if TYPE_CHECKING:
    from glmcli.context import AppContext


def document(app: AppContext, verified: Verified, kept: Kept) -> dict[str, object]:
    """The answer of `glm onboard --json`."""
    profile = kept.profile
    return {
        "schema_version": 1,
        "profile": profile.name,
        "is_default": kept.is_default,
        "provider": profile.provider,
        "model": _model(profile),
        "base_urls": base_urls(app, profile),
        "key": {"reference": (profile.key or "").partition(":")[0], "place": kept.place},
        "verified": verified.how,
        "verdict": verified.row.verdict.value if verified.row else None,
        "meaning": verified.row.meaning if verified.row else verified.meaning,
        "changes": list(kept.changes),
        "policy": POLICY_PAGE if PROVIDERS[profile.provider].plan is Plan.CODING else None,
        "command": equivalent_command(profile),
    }


def _model(profile: Profile) -> str | None:
    return profile.model or PROVIDERS[profile.provider].default_model


def base_urls(app: AppContext, profile: Profile) -> dict[str, str | None]:
    """The addresses that a profile's calls will use."""
    if profile.base_url is not None:
        return {"chat": profile.base_url}
    from glmcli.api.clientenv import client_bases

    target = target_of(app, profile.provider)
    bases = client_bases(target)
    return {
        "chat": bases.openai,
        "anthropic": bases.anthropic,
        "responses": bases.responses,
        "media": target.base(Service.MEDIA),
        "agents": target.base(Service.AGENTS),
        "mcp": target.base(Service.MCP),
    }


def report(app: AppContext, verified: Verified, kept: Kept) -> list[str]:
    """The answer of `glm onboard` for people."""
    profile, language = kept.profile, app.language
    rows = [
        ("provider", f"{profile.provider} ({PROVIDERS[profile.provider].title})"),
        ("model", _model(profile) or "-"),
        ("chat", base_urls(app, profile)["chat"] or "-"),
        ("key", kept.place),
        ("verified", verified.row.meaning if verified.row else verified.meaning or ""),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [text("onboard.ready", language, profile=profile.name)]
    lines += [f"  {name.ljust(width)}  {value}" for name, value in rows]
    lines += [f"  {change}" for change in kept.changes] or [f"  {text('onboard.unchanged', language)}"]
    return lines


def equivalent_command(profile: Profile) -> str:
    """The command that makes the same profile without anybody to ask; the key as a variable."""
    words = ["glm", "onboard", "--non-interactive"]
    if profile.base_url:
        words += ["--base-url", profile.base_url]
        words += ["--protocol", profile.protocol] if profile.protocol else []
    else:
        words += ["--auth-choice", f"{profile.provider}-api-key"]
    kind, _, rest = (profile.key or "").partition(":")
    if kind == "env":
        words += ["--store", "env", "--key-env", rest]
    elif kind == "command":
        words += ["--store", "command", "--key-command", rest]
    else:
        words += ["--key-stdin", "--store", kind]
    if profile.model:
        words += ["--model", profile.model]
    if profile.name != DEFAULT_PROFILE:
        words += ["--profile", profile.name]
    command = shlex.join(words)
    if kind in ("env", "command"):
        return command
    return f'printf %s "${PROVIDERS[profile.provider].own_variable}" | {command}'


def tell_unproven(app: AppContext, verified: Verified) -> None:
    """Say that nobody has paid yet, where only the key is proven."""
    if verified.row is not None and verified.row.verdict is Verdict.ACCEPTED:
        app.streams.note(text("onboard.unproven", app.language, provider=verified.provider))


def tell_shadows(app: AppContext, profile: Profile, key: FoundKey) -> None:
    """Say which variables of this shell will win over what was just set up."""
    names = [name for name in ("GLM_PROVIDER", "GLM_BASE_URL", "GLM_MODEL") if app.environ.get(name, "").strip()]
    own = PROVIDERS[profile.provider].own_variable or ""
    exported = app.environ.get(own, "").strip()
    if exported and exported != key.secret.reveal():
        names.append(own)
    if names:
        app.streams.note(text("onboard.shadows", app.language, names=", ".join(names)))


def tell_policy(app: AppContext, profile: Profile, before: Profile | None) -> None:
    """Say once per profile that the vendor limits plan keys to listed tools."""
    own = PROVIDERS[profile.provider]
    if own.plan is Plan.CODING and (before is None or before.provider != profile.provider):
        metered = providers_of([own.region], Plan.PAYG)[0]
        app.streams.note(text("onboard.policy", app.language, page=POLICY_PAGE, metered=metered))

"""Pi: `~/.pi/agent/auth.json` and `models.json` (docs.z.ai/devpack/tool/pi, pi.dev/docs/latest/providers).

Pi brings the two Coding Plans along as `zai` and `zai-coding-cn`; they need a
key alone. Other addresses become a provider of their own in `models.json`.
"""

from __future__ import annotations

from pathlib import Path

from glmcli.integrations.changes import Edit, FileEdits, Format
from glmcli.integrations.setup import Place, Setup, Standing, Tool, ToolPlan, key_kind, open_settings, text_at

_PLANS = {
    "zai-coding": ("zai", "https://api.z.ai/api/coding/paas/v4"),
    "zhipu-coding": ("zai-coding-cn", "https://open.bigmodel.cn/api/coding/paas/v4"),
}
_OTHERS = {"zai": "zai-payg", "zhipu": "zhipu-payg", "custom": "glm-custom"}
_BASES = dict(_PLANS.values())


def _directory(place: Place) -> Path:
    return place.directory("PI_CODING_AGENT_DIR", ".pi", "agent")


def _auth(place: Place) -> Path:
    return _directory(place) / "auth.json"


def _plan(setup: Setup, place: Place) -> ToolPlan:
    name, known_base = _PLANS.get(setup.provider.name, (_OTHERS.get(setup.provider.name, ""), None))
    base = setup.bases.openai or setup.anthropic_base("Pi")
    refers = setup.key.refers(by_default=True)
    key = _reference(setup) if refers else setup.key.text
    files = [FileEdits(_auth(place), Format.JSON, (Edit((name,), {"type": "api_key", "key": key}),))]
    if base != known_base:
        edits = _provider_edits(setup, name, base, is_built_in=known_base is not None)
        files.append(FileEdits(_directory(place) / "models.json", Format.JSON, edits))
    choice = (Edit(("defaultProvider",), name), Edit(("defaultModel",), setup.model))
    files.append(FileEdits(_directory(place) / "settings.json", Format.JSON, choice))
    return ToolPlan(files=tuple(files))


def _reference(setup: Setup) -> str:
    # A command works in every shell; a variable only where it is exported.
    return f"${setup.key.variable}" if setup.key.is_exported else f"!{setup.key.command}"


def _provider_edits(setup: Setup, name: str, base: str, *, is_built_in: bool) -> tuple[Edit, ...]:
    provider = ("providers", name)
    if is_built_in:
        return (Edit((*provider, "baseUrl"), base),)
    is_openai = setup.bases.openai is not None
    model = {"id": setup.model, "reasoning": True}
    return (
        Edit((*provider, "baseUrl"), base),
        Edit((*provider, "api"), "openai-completions" if is_openai else "anthropic-messages"),
        # The service knows the role `system` alone.
        *((Edit((*provider, "compat", "supportsDeveloperRole"), False),) if is_openai else ()),
        Edit((*provider, "models"), [model]),
    )


def _inspect(place: Place) -> Standing:
    settings, auth = open_settings(_directory(place) / "settings.json"), open_settings(_auth(place))
    models = open_settings(_directory(place) / "models.json")
    name = (text_at(settings, "defaultProvider") if settings else None) or ""
    own_base = text_at(models, "providers", name, "baseUrl") if models else None
    return Standing(
        base_url=own_base or _BASES.get(name),
        key=key_kind(text_at(auth, name, "key")) if auth else None,
        model=text_at(settings, "defaultModel") if settings else None,
    )


PI = Tool(
    name="pi",
    title="Pi",
    plan=_plan,
    executables=("pi",),
    file=_auth,
    inspect=_inspect,
    traces=lambda place: (_directory(place),),
    docs="https://docs.z.ai/devpack/tool/pi",
)

"""Factory Droid: `customModels` in `~/.factory/settings.json`.

Sources: docs.z.ai/devpack/tool/droid; docs.factory.ai/cli/byok for `${NAME}`.
"""

from __future__ import annotations

from pathlib import Path

from glmcli.integrations.changes import Edit, FileEdits, Format
from glmcli.integrations.jsonfile import Match
from glmcli.integrations.setup import (
    Place,
    Setup,
    Standing,
    Tool,
    ToolPlan,
    key_kind,
    open_settings,
    variable_note,
)

_MAX_OUTPUT_TOKENS = 131072
#: By the end of its name an entry of ours is known.
_LABELS = {
    "zai": "[Z.AI]",
    "zai-coding": "[Z.AI Coding Plan]",
    "zhipu": "[BigModel]",
    "zhipu-coding": "[BigModel Coding Plan]",
    "custom": "[glm custom]",
}


def _settings(place: Place) -> Path:
    return place.home / ".factory" / "settings.json"


def _plan(setup: Setup, place: Place) -> ToolPlan:
    refers = setup.key.refers(by_default=True)
    name = f"{setup.model.upper()} {_LABELS[setup.provider.name]}"
    entry = {
        "displayName": name,
        "model": setup.model,
        **_route(setup),
        "apiKey": f"${{{setup.key.variable}}}" if refers else setup.key.text,
        "maxOutputTokens": _MAX_OUTPUT_TOKENS,
    }
    edit = Edit(("customModels", Match("displayName", name)), entry)
    notes = variable_note("Droid", setup.key, "droid") if refers else ()
    return ToolPlan(
        files=(FileEdits(_settings(place), Format.JSON, (edit,)),),
        notes=(*notes, f"choose {name} with /model in Droid"),
    )


def _route(setup: Setup) -> dict[str, str]:
    if setup.bases.openai is None:
        return {"baseUrl": setup.anthropic_base("Droid"), "provider": "anthropic"}
    return {"baseUrl": setup.bases.openai, "provider": "generic-chat-completion-api"}


def _inspect(place: Place) -> Standing:
    document = open_settings(_settings(place))
    models = document.get(("customModels",)) if document else None
    for entry in models if isinstance(models, list) else []:
        if isinstance(entry, dict) and str(entry.get("displayName", "")).endswith(tuple(_LABELS.values())):
            key = entry.get("apiKey")
            return Standing(
                base_url=str(entry.get("baseUrl") or "") or None,
                key=key_kind(key if isinstance(key, str) else None),
                model=str(entry.get("model") or "") or None,
            )
    return Standing()


DROID = Tool(
    name="droid",
    title="Factory Droid",
    plan=_plan,
    executables=("droid",),
    aliases=("factory", "factory-droid"),
    file=_settings,
    inspect=_inspect,
    traces=lambda place: (_settings(place).parent,),
    docs="https://docs.z.ai/devpack/tool/droid",
)

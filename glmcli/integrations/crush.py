"""Crush: `~/.config/crush/crush.json` (docs.z.ai/devpack/tool/crush; variables as in Crush's README)."""

from __future__ import annotations

import os
from pathlib import Path

from glmcli.integrations.changes import Edit, FileEdits, Format
from glmcli.integrations.setup import (
    Place,
    Setup,
    Standing,
    Tool,
    ToolPlan,
    key_kind,
    open_settings,
    refuse_custom,
    text_at,
    variable_note,
)

_PROVIDER = ("providers", "zai")


def _directory(place: Place) -> Path:
    named = place.environ.get("CRUSH_GLOBAL_CONFIG")
    if named:
        return Path(named).expanduser()
    local = place.environ.get("LOCALAPPDATA")
    if os.name == "nt" and local:
        return Path(local) / "crush"
    return place.config_directory("crush")


def _config(place: Place) -> Path:
    return _directory(place) / "crush.json"


def _plan(setup: Setup, place: Place) -> ToolPlan:
    refuse_custom(setup, "Crush", "crush")
    refers = setup.key.refers(by_default=True)
    edits = (
        Edit((*_PROVIDER, "id"), "zai"),
        Edit((*_PROVIDER, "name"), "ZAI Provider"),
        Edit((*_PROVIDER, "base_url"), setup.openai_base("Crush")),
        Edit((*_PROVIDER, "api_key"), f"${setup.key.variable}" if refers else setup.key.text),
    )
    choose = f"choose {setup.model} of ZAI Provider in Crush's list of models"
    notes = (*(variable_note("Crush", setup.key, "crush") if refers else ()), choose)
    return ToolPlan(files=(FileEdits(_config(place), Format.JSON, edits),), notes=notes)


def _inspect(place: Place) -> Standing:
    document = open_settings(_config(place))
    if document is None:
        return Standing()
    return Standing(
        base_url=text_at(document, *_PROVIDER, "base_url"), key=key_kind(text_at(document, *_PROVIDER, "api_key"))
    )


CRUSH = Tool(
    name="crush",
    title="Crush",
    plan=_plan,
    executables=("crush",),
    file=_config,
    inspect=_inspect,
    traces=lambda place: (_directory(place),),
    docs="https://docs.z.ai/devpack/tool/crush",
)

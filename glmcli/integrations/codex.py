"""Codex: `~/.codex/config.toml` and a model catalogue (docs.z.ai/devpack/tool/codex).

The vendor's page writes the key into `experimental_bearer_token`; Codex's own
documents discourage that, so the file names a variable unless asked otherwise.
"""

from __future__ import annotations

from pathlib import Path

from glmcli.errors import UsageError
from glmcli.integrations.changes import Edit, FileEdits, Format
from glmcli.integrations.jsonfile import Match
from glmcli.integrations.setup import (
    Place,
    Setup,
    Standing,
    Tool,
    ToolPlan,
    open_settings,
    refuse_custom,
    text_at,
    variable_note,
)

#: The only model whose catalogue entry the vendor gives.
_CATALOGUED = "glm-5.3"


def _home(place: Place) -> Path:
    return place.directory("CODEX_HOME", ".codex")


def _config(place: Place) -> Path:
    return _home(place) / "config.toml"


def _plan(setup: Setup, place: Place) -> ToolPlan:
    refuse_custom(setup, "Codex", "codex")
    if setup.bases.responses is None:
        plan = "zai-coding" if setup.is_intl else "zhipu-coding"
        raise UsageError(
            "Codex speaks the Responses protocol, which the service offers to Coding Plan keys alone",
            hint=f"with a plan: glm connect codex --provider {plan}; without one: claude-code, opencode or crush",
        )
    refers = setup.key.refers(by_default=True)
    is_catalogued = setup.model == _CATALOGUED
    files = [FileEdits(_config(place), Format.TOML, _config_edits(setup, place, refers=refers))]
    if is_catalogued:
        files.append(FileEdits(_home(place) / "models.json", Format.JSON, (_catalogue_entry(),)))
    notes = variable_note("Codex", setup.key, "codex") if refers else ()
    if not is_catalogued:
        notes += (f"the vendor describes {_CATALOGUED} alone to Codex; {setup.model} gets Codex's general settings",)
    return ToolPlan(files=tuple(files), notes=notes)


def _config_edits(setup: Setup, place: Place, *, refers: bool) -> tuple[Edit, ...]:
    provider = ("model_providers", "ZAI")
    env_key, bearer = (*provider, "env_key"), (*provider, "experimental_bearer_token")
    catalogue = Edit(("model_catalog_json",), _catalogue_path(place))
    return (
        Edit(("model_provider",), "ZAI"),
        Edit(("model",), setup.model),
        Edit(("model_reasoning_effort",), "max"),
        *((catalogue,) if setup.model == _CATALOGUED else ()),
        Edit((*provider, "name"), "ZAI"),
        Edit((*provider, "base_url"), setup.bases.responses),
        *((Edit(env_key, setup.key.variable), Edit(bearer, drop=True)) if refers else ()),
        *(() if refers else (Edit(bearer, setup.key.text), Edit(env_key, drop=True))),
        Edit((*provider, "wire_api"), "responses"),
    )


def _catalogue_path(place: Place) -> str:
    return str(_home(place) / "models.json") if place.environ.get("CODEX_HOME") else "~/.codex/models.json"


def _catalogue_entry() -> Edit:
    efforts = {"low": "Light reasoning", "high": "Enhanced reasoning", "max": "Deep reasoning"}
    entry = {
        "slug": _CATALOGUED,
        "display_name": _CATALOGUED,
        "description": "Z.ai's latest flagship model",
        "default_reasoning_level": "max",
        "supported_reasoning_levels": [{"effort": name, "description": text} for name, text in efforts.items()],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": 0,
        "base_instructions": "",
        "supports_reasoning_summaries": True,
        "default_reasoning_summary": "none",
        "support_verbosity": False,
        "apply_patch_tool_type": "freeform",
        "truncation_policy": {"mode": "bytes", "limit": 10000},
        "context_window": 1048576,
        "max_context_window": 1048576,
        "effective_context_window_percent": 95,
        "supports_parallel_tool_calls": True,
        "experimental_supported_tools": [],
        "input_modalities": ["text"],
    }
    return Edit(("models", Match("slug", _CATALOGUED)), entry)


def _inspect(place: Place) -> Standing:
    document = open_settings(_config(place), Format.TOML)
    if document is None:
        return Standing()
    name = text_at(document, "model_provider") or ""
    provider = ("model_providers", name)
    written = text_at(document, *provider, "experimental_bearer_token")
    refers = text_at(document, *provider, "env_key")
    return Standing(
        base_url=text_at(document, *provider, "base_url"),
        key="written" if written else "reference" if refers else None,
        model=text_at(document, "model"),
    )


CODEX = Tool(
    name="codex",
    title="Codex",
    plan=_plan,
    executables=("codex",),
    file=_config,
    inspect=_inspect,
    traces=lambda place: (_home(place),),
    docs="https://docs.z.ai/devpack/tool/codex",
)

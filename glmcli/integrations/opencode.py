"""OpenCode: `~/.config/opencode/opencode.json` (docs.z.ai/devpack/tool/opencode, opencode.ai/docs/config)."""

from __future__ import annotations

from pathlib import Path

from glmcli.integrations.changes import Edit, FileEdits, Format
from glmcli.integrations.setup import (
    FLASH_MODEL,
    Place,
    Setup,
    Standing,
    Tool,
    ToolPlan,
    is_blank_file,
    key_kind,
    open_settings,
    refuse_custom,
    text_at,
    variable_note,
)

#: Our providers by OpenCode's names, which know their own addresses.
_PROVIDERS = {
    "zai": ("zai", "https://api.z.ai/api/paas/v4"),
    "zai-coding": ("zai-coding-plan", "https://api.z.ai/api/coding/paas/v4"),
    "zhipu": ("zhipuai", "https://open.bigmodel.cn/api/paas/v4"),
    "zhipu-coding": ("zhipuai-coding-plan", "https://open.bigmodel.cn/api/coding/paas/v4"),
}
_BASES = dict(_PROVIDERS.values())


def _directory(place: Place) -> Path:
    return place.config_directory("opencode")


def _config(place: Place) -> Path:
    named = place.environ.get("OPENCODE_CONFIG")
    if named:
        return Path(named).expanduser()
    with_comments = _directory(place) / "opencode.jsonc"
    return with_comments if with_comments.is_file() else _directory(place) / "opencode.json"


def _plan(setup: Setup, place: Place) -> ToolPlan:
    refuse_custom(setup, "OpenCode", "opencode")
    name, known_base = _PROVIDERS[setup.provider.name]
    refers = setup.key.refers(by_default=True)
    base = setup.openai_base("OpenCode")
    options = ("provider", name, "options")
    schema = Edit(("$schema",), "https://opencode.ai/config.json")
    edits = (
        *((schema,) if is_blank_file(_config(place)) else ()),
        Edit((*options, "apiKey"), f"{{env:{setup.key.variable}}}" if refers else setup.key.text),
        # OpenCode knows the address of each provider; only a gateway's differs.
        *((Edit((*options, "baseURL"), base),) if base != known_base else ()),
        Edit(("model",), f"{name}/{setup.model}"),
        Edit(("small_model",), f"{name}/{FLASH_MODEL}"),
    )
    notes = variable_note("OpenCode", setup.key, "opencode") if refers else ()
    return ToolPlan(files=(FileEdits(_config(place), Format.JSON, edits),), notes=notes)


def _inspect(place: Place) -> Standing:
    document = open_settings(_config(place))
    if document is None:
        return Standing()
    model = text_at(document, "model")
    name = model.partition("/")[0] if model else ""
    options = ("provider", name, "options")
    return Standing(
        base_url=text_at(document, *options, "baseURL") or _BASES.get(name),
        key=key_kind(text_at(document, *options, "apiKey")),
        model=model,
    )


OPENCODE = Tool(
    name="opencode",
    title="OpenCode",
    plan=_plan,
    executables=("opencode",),
    aliases=("open-code",),
    file=_config,
    inspect=_inspect,
    traces=lambda place: (_directory(place),),
    docs="https://docs.z.ai/devpack/tool/opencode",
)

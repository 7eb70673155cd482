"""Claude Code: `~/.claude/settings.json` (docs.z.ai/devpack/tool/claude).

The key goes into `env.ANTHROPIC_AUTH_TOKEN`, as the vendor documents; by
reference it goes through `apiKeyHelper`, a command whose output Claude Code
sends as key (docs.anthropic.com/docs/claude-code/settings).
"""

from __future__ import annotations

from pathlib import Path

from glmcli.api.clientenv import API_TIMEOUT_MS
from glmcli.integrations.changes import Edit, FileEdits, Format
from glmcli.integrations.setup import FLASH_MODEL, Place, Setup, Standing, Tool, ToolPlan, open_settings, text_at

_OUR_HELPER = "env --key-only"


def _settings(place: Place) -> Path:
    return place.directory("CLAUDE_CONFIG_DIR", ".claude") / "settings.json"


def _state(place: Place) -> Path:
    return place.directory("CLAUDE_CONFIG_DIR") / ".claude.json"


def _plan(setup: Setup, place: Place) -> ToolPlan:
    base = setup.anthropic_base("Claude Code")
    refers = setup.key.refers(by_default=False)
    edits = (
        *_key_edits(setup, place, refers=refers),
        Edit(("env", "ANTHROPIC_BASE_URL"), base),
        Edit(("env", "API_TIMEOUT_MS"), API_TIMEOUT_MS),
        Edit(("env", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"), "1"),
        *(_model_edits() if setup.map_models else _custom_model_edits(setup)),
    )
    files = [FileEdits(_settings(place), Format.JSON, edits)]
    if setup.mark_onboarded or _state(place).is_file():
        done = Edit(("hasCompletedOnboarding",), True)
        files.append(FileEdits(_state(place), Format.JSON, (done,)))
    return ToolPlan(files=tuple(files), notes=_notes(setup, place, refers=refers))


def _key_edits(setup: Setup, place: Place, *, refers: bool) -> tuple[Edit, ...]:
    token, api_key, helper = ("env", "ANTHROPIC_AUTH_TOKEN"), ("env", "ANTHROPIC_API_KEY"), ("apiKeyHelper",)
    if refers:
        # A variable would win over the helper.
        return (Edit(helper, setup.key.command), Edit(token, drop=True), Edit(api_key, drop=True))
    wanted, unwanted = (api_key, token) if setup.auth == "x-api-key" else (token, api_key)
    edits = (Edit(wanted, setup.key.text), Edit(unwanted, drop=True))
    document = open_settings(_settings(place))
    current = text_at(document, "apiKeyHelper") if document else None
    return (*edits, Edit(helper, drop=True)) if current and _OUR_HELPER in current else edits


def _model_edits() -> tuple[Edit, ...]:
    # `[1m]` tells Claude Code how large the window is; it is not sent.
    big, small = "glm-5.3[1m]", f"{FLASH_MODEL}[1m]"
    return (
        Edit(("env", "ANTHROPIC_DEFAULT_HAIKU_MODEL"), small),
        Edit(("env", "ANTHROPIC_DEFAULT_SONNET_MODEL"), big),
        Edit(("env", "ANTHROPIC_DEFAULT_OPUS_MODEL"), big),
        Edit(("env", "CLAUDE_CODE_AUTO_COMPACT_WINDOW"), "1000000"),
    )


def _custom_model_edits(setup: Setup) -> tuple[Edit, ...]:
    """A router maps nothing by itself: every tier gets the one model."""
    if not setup.is_custom:
        return ()
    tiers = ("HAIKU", "SONNET", "OPUS")
    return tuple(Edit(("env", f"ANTHROPIC_DEFAULT_{tier}_MODEL"), setup.model) for tier in tiers)


def _notes(setup: Setup, place: Place, *, refers: bool) -> tuple[str, ...]:
    notes = []
    if not refers:
        notes.append("the key itself stands in settings.json; --by-reference lets Claude Code ask glm for it")
    if not setup.map_models and not setup.is_custom:
        notes.append(_model_note(place))
    shadowing = [name for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN") if place.environ.get(name)]
    if shadowing:
        notes.append(f"this shell exports {' and '.join(shadowing)}: unset it before you start claude")
    return tuple(notes)


def _model_note(place: Place) -> str:
    document = open_settings(_settings(place))
    for tier in ("OPUS", "SONNET", "HAIKU"):
        name = f"ANTHROPIC_DEFAULT_{tier}_MODEL"
        model = text_at(document, "env", name) if document else None
        if model and not model.startswith("glm-"):
            return f"{name} is {model}, which is no GLM model and was kept; --map-models replaces it"
    return "the service chooses the models behind opus, sonnet and haiku; --map-models names them"


def _inspect(place: Place) -> Standing:
    document = open_settings(_settings(place))
    if document is None:
        return Standing()
    token = text_at(document, "env", "ANTHROPIC_AUTH_TOKEN") or text_at(document, "env", "ANTHROPIC_API_KEY")
    helper = text_at(document, "apiKeyHelper")
    return Standing(
        base_url=text_at(document, "env", "ANTHROPIC_BASE_URL"),
        key="written" if token else "reference" if helper else None,
        model=text_at(document, "env", "ANTHROPIC_DEFAULT_SONNET_MODEL"),
    )


CLAUDE_CODE = Tool(
    name="claude-code",
    title="Claude Code",
    plan=_plan,
    executables=("claude",),
    aliases=("claude", "claudecode"),
    file=_settings,
    inspect=_inspect,
    traces=lambda place: (_settings(place).parent,),
    docs="https://docs.z.ai/devpack/tool/claude",
)

"""Tools whose settings are a form: Cline, Cursor, Roo Code, Kilo Code, Goose.

The fields are those of docs.z.ai/devpack/tool (August 2026).
"""

from __future__ import annotations

from pathlib import Path

from glmcli.integrations.setup import Place, Setup, Tool, ToolPlan

_KEY = ("API Key", "<your key>  (shown by: glm env --key-only --reveal)")
_Fields = tuple[tuple[str, str], ...]


def _cline(setup: Setup, place: Place) -> ToolPlan:
    return ToolPlan(fields=_openai_compatible(setup, "Cline"))


def _openai_compatible(setup: Setup, tool: str) -> _Fields:
    return (
        ("API Provider", "OpenAI Compatible"),
        ("Base URL", setup.openai_base(tool)),
        _KEY,
        ("Model ID", f"{setup.model}  (use a custom model)"),
        ("Support Images", "off  (glm-5.3 reads text)" if "v" not in setup.model else "on"),
        ("Context Window Size", _window(setup.model)),
    )


def _window(model: str) -> str:
    return "1000000" if model.startswith(("glm-5.2", "glm-5.3")) else "200000"


def _cursor(setup: Setup, place: Place) -> ToolPlan:
    fields = (
        ("Settings > Models > Add Custom Model", setup.model.upper()),
        ("OpenAI API Key", _KEY[1]),
        ("Override OpenAI Base URL", setup.openai_base("Cursor")),
    )
    notes = ("Cursor offers custom models to paying users, and wants the model's name in upper case",)
    return ToolPlan(fields=fields, notes=notes)


def _roo(setup: Setup, place: Place) -> ToolPlan:
    return ToolPlan(fields=_zai_provider(setup, "Roo Code"))


def _kilo(setup: Setup, place: Place) -> ToolPlan:
    return ToolPlan(fields=_zai_provider(setup, "Kilo Code"))


def _zai_provider(setup: Setup, tool: str) -> _Fields:
    # The entrypoints of these forms are the two plans; other bases go by the general form.
    if not setup.is_plan:
        return _openai_compatible(setup, tool)
    region = "International" if setup.is_intl else "China"
    return (
        ("API Provider", "Z AI"),
        ("Z AI Entrypoint", f"{region} Coding Plan ({setup.openai_base(tool)}/)"),
        _KEY,
        ("Model", setup.model),
    )


def _goose(setup: Setup, place: Place) -> ToolPlan:
    fields = (
        ("Settings > Models > Configure providers", "Add Custom Provider"),
        ("Provider Type", "Anthropic Compatible"),
        ("API URL", setup.anthropic_base("Goose")),
        _KEY,
        ("Available Models", setup.model),
    )
    return ToolPlan(fields=fields)


def _extension_traces(prefix: str, place: Place) -> tuple[Path, ...]:
    """Where VS Code and its kin unpack an extension whose folder begins with `prefix`."""
    found: list[Path] = []
    for editor in (".vscode", ".vscode-server", ".cursor"):
        directory = place.home / editor / "extensions"
        if directory.is_dir():
            found += sorted(directory.glob(f"{prefix}-*"))
    return tuple(found)


BY_HAND = (
    Tool(
        "cline",
        "Cline",
        _cline,
        "form",
        executables=("cline",),
        traces=lambda place: _extension_traces("saoudrizwan.claude-dev", place),
        docs="https://docs.z.ai/devpack/tool/cline",
    ),
    Tool(
        "cursor",
        "Cursor",
        _cursor,
        "form",
        executables=("cursor",),
        traces=lambda place: (place.home / ".cursor",),
        docs="https://docs.z.ai/devpack/tool/cursor",
    ),
    Tool(
        "roo",
        "Roo Code",
        _roo,
        "form",
        aliases=("roo-code",),
        traces=lambda place: _extension_traces("rooveterinaryinc.roo-cline", place),
        docs="https://docs.z.ai/devpack/tool/roo",
    ),
    Tool(
        "kilo",
        "Kilo Code",
        _kilo,
        "form",
        executables=("kilo", "kilocode"),
        aliases=("kilo-code", "kilocode"),
        traces=lambda place: _extension_traces("kilocode.kilo-code", place),
        docs="https://docs.z.ai/devpack/tool/kilo",
    ),
    Tool(
        "goose",
        "Goose",
        _goose,
        "form",
        executables=("goose",),
        traces=lambda place: (place.config_directory("goose"),),
        docs="https://docs.z.ai/devpack/tool/goose",
    ),
)

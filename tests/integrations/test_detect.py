"""Finding coding tools and keys that could be taken over."""

from __future__ import annotations

from pathlib import Path

import pytest

from glmcli.integrations.catalog import TOOLS
from glmcli.integrations.detect import ToolState, detect_tools, importable_settings, read_flat_yaml

KEY = "0123456789abcdef0123456789abcdef.ABCDEFGHIJKLMNOP"


def states(home: Path, **environ: str) -> dict[str, ToolState]:
    return {state.name: state for state in detect_tools(environ, home)}


def write(home: Path, name: str, text: str) -> None:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_an_empty_home_has_no_tools(tmp_path: Path) -> None:
    """Every known tool is listed, none is installed."""
    found = states(tmp_path)

    assert set(found) == set(TOOLS)
    assert {state.status for state in found.values()} == {"not installed"}


def test_a_command_on_the_path_is_installed(tmp_path: Path) -> None:
    """PATH is that of the given environment."""
    write(tmp_path, "bin/crush", "#!/bin/sh\n")
    (tmp_path / "bin/crush").chmod(0o755)

    found = states(tmp_path, PATH=str(tmp_path / "bin"))

    assert (found["crush"].is_installed, found["crush"].status) == (True, "not set up")


@pytest.mark.parametrize(
    ("tool", "file", "text", "status", "key"),
    [
        (
            "claude-code",
            ".claude/settings.json",
            '{"env": {"ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic", "ANTHROPIC_AUTH_TOKEN": "k"}}',
            "set up",
            "written",
        ),
        (
            "claude-code",
            ".claude/settings.json",
            '{"apiKeyHelper": "x", "env": {"ANTHROPIC_BASE_URL": "https://other.example"}}',
            "other service",
            "reference",
        ),
        ("claude-code", ".claude/settings.json", "{}", "not set up", None),
        ("claude-code", ".claude/settings.json", "{", "broken file", None),
        (
            "codex",
            ".codex/config.toml",
            'model_provider = "ZAI"\n[model_providers.ZAI]\n'
            'base_url = "https://open.bigmodel.cn/api/v1"\nenv_key = "K"\n',
            "set up",
            "reference",
        ),
        (
            "opencode",
            ".config/opencode/opencode.json",
            '{"model": "zai-coding-plan/glm-5.3", "provider": {"zai-coding-plan": {"options": {"apiKey": "{env:K}"}}}}',
            "set up",
            "reference",
        ),
        (
            "crush",
            ".config/crush/crush.json",
            '{"providers": {"zai": {"base_url": "https://api.z.ai/api/coding/paas/v4", "api_key": "k"}}}',
            "set up",
            "written",
        ),
        (
            "droid",
            ".factory/settings.json",
            '{"customModels": [{"displayName": "GLM-5.3 [Z.AI]", "apiKey": "${K}", '
            '"baseUrl": "https://api.z.ai/api/paas/v4"}]}',
            "set up",
            "reference",
        ),
        ("pi", ".pi/agent/settings.json", '{"defaultProvider": "zai"}', "set up", None),
    ],
    ids=["claude", "claude-other", "claude-empty", "broken", "codex", "opencode", "crush", "droid", "pi"],
)
def test_how_a_tool_stands(tmp_path: Path, tool: str, file: str, text: str, status: str, key: str | None) -> None:
    """The tool's own file decides, and a broken one is a state rather than a failure."""
    write(tmp_path, file, text)

    state = states(tmp_path)[tool]

    assert (state.is_installed, state.status, state.key) == (True, status, key)


def test_a_company_gateway_counts_as_the_vendor(tmp_path: Path) -> None:
    """`GLM_ORIGIN_INTL` names it."""
    write(tmp_path, ".claude/settings.json", '{"env": {"ANTHROPIC_BASE_URL": "https://gate.corp/api/anthropic"}}')

    assert states(tmp_path, GLM_ORIGIN_INTL="https://gate.corp")["claude-code"].status == "set up"


def test_the_vendors_helper_is_offered(tmp_path: Path) -> None:
    """`~/.chelper/config.yaml` names plan and key; the key does not show itself."""
    write(tmp_path, ".chelper/config.yaml", f"lang: en_US\nplan: glm_coding_plan_china\napi_key: '{KEY}'\n")

    (found,) = importable_settings({}, tmp_path)

    assert (found.providers, found.secret.reveal()) == (("zhipu-coding",), KEY)
    assert KEY not in repr(found)


def test_claude_settings_of_the_vendor_are_offered_and_others_are_not(tmp_path: Path) -> None:
    """A key of Anthropic's own is none of our business."""
    write(
        tmp_path,
        ".claude/settings.json",
        f'{{"env": {{"ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic", "ANTHROPIC_AUTH_TOKEN": "{KEY}"}}}}',
    )
    assert [found.providers for found in importable_settings({}, tmp_path)] == [("zai-coding", "zai")]

    write(tmp_path, ".claude/settings.json", '{"env": {"ANTHROPIC_AUTH_TOKEN": "sk-ant"}}')
    assert importable_settings({}, tmp_path) == []


def test_variables_are_offered_with_the_providers_that_read_them(tmp_path: Path) -> None:
    """The owner of a variable comes first; OPENAI_API_KEY counts only with the vendor's base."""
    environ = {"ZAI_API_KEY": "a", "ZHIPUAI_API_KEY": "b", "OPENAI_API_KEY": "c"}

    found = {each.source: each.providers for each in importable_settings(environ, tmp_path)}

    assert found == {
        "variable ZAI_API_KEY": ("zai", "zai-coding"),
        "variable ZHIPUAI_API_KEY": ("zhipu", "zhipu-coding"),
    }
    environ["OPENAI_BASE_URL"] = "https://open.bigmodel.cn/api/paas/v4"
    assert importable_settings(environ, tmp_path)[-1].providers == ("zhipu-coding", "zhipu")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("api_key: abc", "abc"),
        ('api_key: "abc" # mine', "abc"),
        ("api_key: abc # mine", "abc"),
        ("# api_key: no\napi_key: 'a:b'", "a:b"),
        ("nested:\n  api_key: no", None),
        ("- api_key: no", None),
    ],
)
def test_flat_yaml_is_read_and_the_rest_ignored(tmp_path: Path, text: str, value: str | None) -> None:
    """Only top-level text counts."""
    write(tmp_path, "c.yaml", text)

    assert read_flat_yaml(tmp_path / "c.yaml").get("api_key") == value

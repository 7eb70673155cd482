"""What each coding tool's own file says after we have set it up."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from glmcli.api.clientenv import client_bases
from glmcli.api.endpoints import ORIGIN_CN, ORIGIN_INTL, PROVIDERS, Protocol, Region, Target
from glmcli.errors import UsageError
from glmcli.integrations.catalog import TOOLS, find_tool
from glmcli.integrations.changes import Format, plan_change
from glmcli.integrations.setup import KeyUse, Place, Setup

KEY = "0123456789abcdef0123456789abcdef.ABCDEFGHIJKLMNOP"
FILE_TOOLS = [name for name, tool in TOOLS.items() if tool.how == "file"]
PROVIDER_NAMES = ("zai", "zai-coding", "zhipu", "zhipu-coding")


def setup_for(provider: str, **key: object) -> Setup:
    found = PROVIDERS[provider]
    is_intl = found.region is Region.INTL
    target = Target(found, ORIGIN_INTL if is_intl else ORIGIN_CN)
    use = KeyUse(KEY, "ZAI_API_KEY" if is_intl else "ZHIPU_API_KEY", "glm env --key-only", **key)  # type: ignore[arg-type]  # flags by name
    return Setup(found, client_bases(target), "glm-5.3", use)


def custom(protocol: Protocol) -> Setup:
    target = Target(PROVIDERS["custom"], ORIGIN_INTL, base_url="https://router.example/v1", protocol=protocol)
    return Setup(target.provider, client_bases(target), "my-model", KeyUse(KEY, "GLM_API_KEY", "glm env --key-only"))


def files_of(name: str, setup: Setup, home: Path, environ: Mapping[str, str] | None = None) -> dict[str, object]:
    """The files that the tool would have, parsed, by their path under the home directory."""
    plan = find_tool(name).plan(setup, Place(home, environ or {}))
    parsed: dict[str, object] = {}
    for wanted in plan.files:
        text = plan_change(wanted).after or ""
        parse = tomllib.loads if wanted.format is Format.TOML else json.loads
        parsed[str(wanted.path.relative_to(home))] = parse(text)
    return parsed


@pytest.mark.parametrize(
    ("provider", "base"),
    [
        ("zai", "https://api.z.ai/api/anthropic"),
        ("zai-coding", "https://api.z.ai/api/anthropic"),
        ("zhipu", "https://open.bigmodel.cn/api/anthropic"),
        ("zhipu-coding", "https://open.bigmodel.cn/api/anthropic"),
    ],
    ids=PROVIDER_NAMES,
)
def test_claude_code_gets_the_documented_variables(tmp_path: Path, provider: str, base: str) -> None:
    """Token, base, time-out and no background traffic; no mapping of models."""
    assert files_of("claude-code", setup_for(provider), tmp_path) == {
        ".claude/settings.json": {
            "env": {
                "ANTHROPIC_AUTH_TOKEN": KEY,
                "ANTHROPIC_BASE_URL": base,
                "API_TIMEOUT_MS": "3000000",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            }
        }
    }


def test_claude_code_loses_the_key_that_would_win(tmp_path: Path) -> None:
    """`ANTHROPIC_API_KEY` leaves the file; everything else of the user's stays."""
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude/settings.json").write_text('{"env": {"ANTHROPIC_API_KEY": "sk-ant", "A": "1"}, "x": 1}')

    after = files_of("claude-code", setup_for("zai-coding"), tmp_path)[".claude/settings.json"]

    assert isinstance(after, dict)
    assert ("ANTHROPIC_API_KEY" in after["env"], after["env"]["A"], after["x"]) == (False, "1", 1)


def test_claude_code_by_reference_holds_no_key(tmp_path: Path) -> None:
    """`apiKeyHelper` asks glm; a token that would win over it is taken away."""
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude/settings.json").write_text('{"env": {"ANTHROPIC_AUTH_TOKEN": "old"}}')

    files = files_of("claude-code", setup_for("zai-coding", by_reference=True), tmp_path)

    after = files[".claude/settings.json"]
    assert isinstance(after, dict)
    assert after["apiKeyHelper"] == "glm env --key-only"
    assert "ANTHROPIC_AUTH_TOKEN" not in after["env"]


def test_claude_code_goes_back_from_reference_to_value(tmp_path: Path) -> None:
    """Our own helper is removed again, the user's own is not ours to remove."""
    for helper, is_ours in (("glm env --key-only -p work", True), ("/bin/my-helper", False)):
        (tmp_path / ".claude").mkdir(exist_ok=True)
        (tmp_path / ".claude/settings.json").write_text(json.dumps({"apiKeyHelper": helper}))
        after = files_of("claude-code", setup_for("zai-coding"), tmp_path)[".claude/settings.json"]
        assert isinstance(after, dict)
        assert ("apiKeyHelper" not in after) is is_ours


def test_claude_code_maps_models_on_request(tmp_path: Path) -> None:
    """The vendor's sample, with the window that belongs to it."""
    setup = replace(setup_for("zai-coding"), map_models=True)

    after = files_of("claude-code", setup, tmp_path)[".claude/settings.json"]

    assert isinstance(after, dict)
    assert {name: value for name, value in after["env"].items() if "MODEL" in name or "COMPACT" in name} == {
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "glm-5.3-flash[1m]",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "glm-5.3[1m]",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "glm-5.3[1m]",
        "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "1000000",
    }


def test_claude_code_is_marked_as_onboarded_only_where_it_has_a_state(tmp_path: Path) -> None:
    """`~/.claude.json` is not made for this alone, unless asked."""
    assert ".claude.json" not in files_of("claude-code", setup_for("zai"), tmp_path)
    asked = replace(setup_for("zai"), mark_onboarded=True)
    assert files_of("claude-code", asked, tmp_path)[".claude.json"] == {"hasCompletedOnboarding": True}

    (tmp_path / ".claude.json").write_text('{"projects": {}}')

    assert files_of("claude-code", setup_for("zai"), tmp_path)[".claude.json"] == {
        "projects": {},
        "hasCompletedOnboarding": True,
    }


def test_codex_names_a_variable(tmp_path: Path) -> None:
    """The Responses base of the plan, the model's catalogue, and `env_key` instead of a key."""
    files = files_of("codex", setup_for("zai-coding"), tmp_path)

    assert files[".codex/config.toml"] == {
        "model_provider": "ZAI",
        "model": "glm-5.3",
        "model_reasoning_effort": "max",
        "model_catalog_json": "~/.codex/models.json",
        "model_providers": {
            "ZAI": {
                "name": "ZAI",
                "base_url": "https://api.z.ai/api/v1",
                "env_key": "ZAI_API_KEY",
                "wire_api": "responses",
            }
        },
    }
    catalogue = files[".codex/models.json"]
    assert isinstance(catalogue, dict)
    assert [(entry["slug"], entry["context_window"]) for entry in catalogue["models"]] == [("glm-5.3", 1048576)]


def test_codex_of_a_china_plan_and_another_home(tmp_path: Path) -> None:
    """`CODEX_HOME` moves both files; the variable is that of the company."""
    environ = {"CODEX_HOME": str(tmp_path / "cx")}

    config = files_of("codex", setup_for("zhipu-coding"), tmp_path, environ)["cx/config.toml"]

    assert isinstance(config, dict)
    assert config["model_catalog_json"] == str(tmp_path / "cx/models.json")
    assert config["model_providers"]["ZAI"]["base_url"] == "https://open.bigmodel.cn/api/v1"
    assert config["model_providers"]["ZAI"]["env_key"] == "ZHIPU_API_KEY"


def test_codex_needs_a_plan(tmp_path: Path) -> None:
    """Pay-as-you-go has no Responses endpoint, and the error says what to do."""
    with pytest.raises(UsageError, match="Coding Plan") as refused:
        files_of("codex", setup_for("zai"), tmp_path)

    assert "--provider zai-coding" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("zai", "zai"),
        ("zai-coding", "zai-coding-plan"),
        ("zhipu", "zhipuai"),
        ("zhipu-coding", "zhipuai-coding-plan"),
    ],
    ids=PROVIDER_NAMES,
)
def test_opencode_has_a_provider_of_its_own_for_each(tmp_path: Path, provider: str, name: str) -> None:
    """Built-in providers know their address; they need the key and the models."""
    setup = setup_for(provider)

    assert files_of("opencode", setup, tmp_path) == {
        ".config/opencode/opencode.json": {
            "$schema": "https://opencode.ai/config.json",
            "provider": {name: {"options": {"apiKey": f"{{env:{setup.key.variable}}}"}}},
            "model": f"{name}/glm-5.3",
            "small_model": f"{name}/glm-5.3-flash",
        }
    }


def test_opencode_with_comments_is_edited_where_it_is(tmp_path: Path) -> None:
    """An existing `opencode.jsonc` is the file, and keeps its comments."""
    path = tmp_path / ".config/opencode/opencode.jsonc"
    path.parent.mkdir(parents=True)
    path.write_text('{\n  // mine\n  "theme": "x",\n}\n')

    (wanted,) = find_tool("opencode").plan(setup_for("zai-coding"), Place(tmp_path, {})).files

    after = plan_change(wanted).after or ""
    assert wanted.path == path
    assert after.startswith('{\n  // mine\n  "theme": "x",\n')


@pytest.mark.parametrize(
    ("provider", "base"),
    [
        ("zai", "https://api.z.ai/api/paas/v4"),
        ("zai-coding", "https://api.z.ai/api/coding/paas/v4"),
        ("zhipu", "https://open.bigmodel.cn/api/paas/v4"),
        ("zhipu-coding", "https://open.bigmodel.cn/api/coding/paas/v4"),
    ],
    ids=PROVIDER_NAMES,
)
def test_crush_and_droid_get_the_base_of_the_plan(tmp_path: Path, provider: str, base: str) -> None:
    """Both speak the OpenAI protocol and expand variables in their own way."""
    setup = setup_for(provider)

    crush = files_of("crush", setup, tmp_path)[".config/crush/crush.json"]
    droid = files_of("droid", setup, tmp_path)[".factory/settings.json"]

    assert crush == {
        "providers": {
            "zai": {"id": "zai", "name": "ZAI Provider", "base_url": base, "api_key": f"${setup.key.variable}"}
        }
    }
    assert isinstance(droid, dict)
    (entry,) = droid["customModels"]
    assert entry.pop("displayName").startswith("GLM-5.3 [")
    assert entry == {
        "model": "glm-5.3",
        "baseUrl": base,
        "provider": "generic-chat-completion-api",
        "apiKey": f"${{{setup.key.variable}}}",
        "maxOutputTokens": 131072,
    }


def test_droid_keeps_other_models_and_is_not_doubled(tmp_path: Path) -> None:
    """A second set-up replaces our entry alone."""
    path = tmp_path / ".factory/settings.json"
    path.parent.mkdir()
    path.write_text('{"customModels": [{"displayName": "Mine", "model": "m"}]}')
    for _ in range(2):
        (wanted,) = find_tool("droid").plan(setup_for("zai-coding"), Place(tmp_path, {})).files
        path.write_text(plan_change(wanted).after or "")

    names = [entry["displayName"] for entry in json.loads(path.read_text())["customModels"]]

    assert names == ["Mine", "GLM-5.3 [Z.AI Coding Plan]"]


def test_pi_needs_only_a_key_for_a_plan(tmp_path: Path) -> None:
    """The plans are built in; without an exported variable Pi asks glm for the key."""
    assert files_of("pi", setup_for("zhipu-coding"), tmp_path) == {
        ".pi/agent/auth.json": {"zai-coding-cn": {"type": "api_key", "key": "!glm env --key-only"}},
        ".pi/agent/settings.json": {"defaultProvider": "zai-coding-cn", "defaultModel": "glm-5.3"},
    }


def test_pi_gets_a_provider_for_pay_as_you_go(tmp_path: Path) -> None:
    """The built-in provider would send a balance to the plan's address."""
    files = files_of("pi", setup_for("zai", is_exported=True), tmp_path)

    assert files[".pi/agent/auth.json"] == {"zai-payg": {"type": "api_key", "key": "$ZAI_API_KEY"}}
    models = files[".pi/agent/models.json"]
    assert isinstance(models, dict)
    assert models["providers"]["zai-payg"]["baseUrl"] == "https://api.z.ai/api/paas/v4"


@pytest.mark.parametrize(
    ("provider", "choice"),
    [
        ("zai", "zai-global"),
        ("zai-coding", "zai-coding-global"),
        ("zhipu", "zai-cn"),
        ("zhipu-coding", "zai-coding-cn"),
    ],
    ids=PROVIDER_NAMES,
)
def test_openclaw_gets_its_own_command_of_today(tmp_path: Path, provider: str, choice: str) -> None:
    """Today's names of the choices, one key flag, and the key as a variable."""
    plan = find_tool("openclaw").plan(setup_for(provider), Place(tmp_path, {}))

    assert plan.command == (f'openclaw onboard --non-interactive --auth-choice {choice} --zai-api-key "$ZAI_API_KEY"')
    assert plan.files == ()


@pytest.mark.parametrize("name", ["cline", "cursor", "roo", "kilo", "goose"])
@pytest.mark.parametrize("provider", PROVIDER_NAMES)
def test_a_form_is_spelled_out_without_the_key(tmp_path: Path, name: str, provider: str) -> None:
    """Every form names the right address and never the key."""
    setup = setup_for(provider)

    plan = find_tool(name).plan(setup, Place(tmp_path, {}))

    shown = " ".join(value for _, value in plan.fields)
    expected = setup.bases.anthropic if name == "goose" else setup.bases.openai
    assert expected is not None
    assert expected in shown
    assert KEY not in shown


def test_forms_follow_the_vendors_words(tmp_path: Path) -> None:
    """Upper-case names for Cursor, the plan's entrypoint for Roo, images off for a text model in Cline."""
    setup, place = setup_for("zhipu-coding"), Place(tmp_path, {})

    fields = {name: dict(find_tool(name).plan(setup, place).fields) for name in ("cursor", "roo", "cline")}

    assert fields["cursor"]["Settings > Models > Add Custom Model"] == "GLM-5.3"
    assert fields["roo"]["Z AI Entrypoint"] == "China Coding Plan (https://open.bigmodel.cn/api/coding/paas/v4/)"
    assert fields["cline"]["Support Images"].startswith("off")
    assert fields["cline"]["Context Window Size"] == "1000000"


@pytest.mark.parametrize("name", FILE_TOOLS)
def test_no_tool_file_holds_the_key_by_reference(tmp_path: Path, name: str) -> None:
    """`--by-reference` means it, for every tool that has a file."""
    files = files_of(name, setup_for("zai-coding", by_reference=True), tmp_path)

    assert files
    assert KEY not in json.dumps(files)


@pytest.mark.parametrize("name", FILE_TOOLS)
def test_every_tool_file_holds_the_key_if_asked(tmp_path: Path, name: str) -> None:
    """`--write-key` works for every tool that has a file."""
    assert KEY in json.dumps(files_of(name, setup_for("zai-coding", by_reference=False), tmp_path))


def test_a_router_serves_the_tools_of_its_protocol(tmp_path: Path) -> None:
    """A custom Anthropic base sets up Claude Code with its model on every tier; an OpenAI one is refused."""
    files = files_of("claude-code", custom(Protocol.ANTHROPIC), tmp_path)
    settings = files[".claude/settings.json"]
    assert isinstance(settings, dict)
    assert settings["env"]["ANTHROPIC_BASE_URL"] == "https://router.example/v1"
    assert settings["env"]["ANTHROPIC_DEFAULT_OPUS_MODEL"] == "my-model"

    with pytest.raises(UsageError, match="Anthropic protocol"):
        files_of("claude-code", custom(Protocol.OPENAI), tmp_path)
    with pytest.raises(UsageError, match="custom base URL"):
        files_of("opencode", custom(Protocol.OPENAI), tmp_path)


@pytest.mark.parametrize(
    ("word", "name"), [("claude", "claude-code"), ("Roo_Code", "roo"), ("moltbot", "openclaw"), ("crush", "crush")]
)
def test_a_tool_answers_to_its_other_names(word: str, name: str) -> None:
    """Aliases, case and underscores."""
    assert find_tool(word).name == name


def test_a_mistyped_tool_is_guessed() -> None:
    """The hint can be typed."""
    with pytest.raises(UsageError) as wrong:
        find_tool("opencod")

    assert wrong.value.hint == "did you mean: glm connect opencode"

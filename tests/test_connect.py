"""`glm connect`: a coding tool set up in its own file."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pexpect
import pytest

from tests.harness import TEST_KEY, Glm

PLAN = {"ZAI_CODING_API_KEY": TEST_KEY}
OLD = '{\n  // my own\n  "model": "opus",\n  "env": {\n    "ANTHROPIC_API_KEY": "sk-ant-very-secret",\n  },\n}\n'


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The home directory of the user, where the tools keep their files."""
    return tmp_path / "user"


@pytest.fixture
def claude(user: Path) -> Path:
    """Claude Code's settings with a comment, a trailing comma and somebody's key."""
    path = user / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text(OLD)
    return path


@pytest.mark.shows_key
def test_claude_code_is_set_up(glm: Glm, claude: Path) -> None:
    """The diff is shown without keys, the file is private, the old one is kept beside it."""
    result = glm("connect", "claude-code", "--yes", env=PLAN)

    assert result.exit_code == 0
    assert claude.read_text() == (
        '{\n  // my own\n  "model": "opus",\n  "env": {\n'
        f'    "ANTHROPIC_AUTH_TOKEN": "{TEST_KEY}",\n'
        '    "ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic",\n'
        '    "API_TIMEOUT_MS": "3000000",\n'
        '    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",\n'
        "  },\n}\n"
    )
    assert stat.S_IMODE(claude.stat().st_mode) == 0o600
    (backup,) = claude.parent.glob("settings.json.glm-backup-*")
    assert backup.read_text() == OLD
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert '+    "ANTHROPIC_AUTH_TOKEN": "<your key>",' in result.stdout
    assert '-    "ANTHROPIC_API_KEY": "<secret>",' in result.stdout
    for secret in (TEST_KEY, "sk-ant-very-secret"):
        assert secret not in result.stdout + result.stderr
    assert "glm connect claude-code --remove" in result.stderr


@pytest.mark.shows_key
def test_removal_restores_byte_for_byte(glm: Glm, claude: Path, home: Path) -> None:
    """File, directory and record are as they were."""
    glm("connect", "claude-code", "--yes", env=PLAN)

    result = glm("connect", "claude-code", "--remove", "--yes")

    assert (result.exit_code, claude.read_text()) == (0, OLD)
    assert [path.name for path in claude.parent.iterdir()] == ["settings.json"]
    assert "claude-code" not in (home / "connect.json").read_text()
    assert TEST_KEY not in result.stdout + result.stderr


def test_what_was_made_is_unmade(glm: Glm, user: Path) -> None:
    """New files and directories of every tool disappear again; a shared `.config` may stay."""
    tools = ("codex", "opencode", "crush", "droid", "pi")
    assert glm("connect", *tools, "--yes", env=PLAN).exit_code == 0
    assert len([path for path in user.rglob("*") if path.is_file()]) == 7

    assert glm("connect", *tools, "--remove", "--yes").exit_code == 0

    assert [path.name for path in user.rglob("*")] == [".config"]


def test_removal_after_a_change_takes_out_our_values_only(glm: Glm, user: Path) -> None:
    """What the user did since stays, and what was there before comes back."""
    path = user / ".config" / "opencode" / "opencode.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"model": "anthropic/opus"}')
    glm("connect", "opencode", "--yes", env=PLAN)
    path.write_text(path.read_text()[:-1] + ', "theme": "dark"}')

    result = glm("connect", "opencode", "--remove", "--yes")

    assert json.loads(path.read_text()) == {"model": "anthropic/opus", "theme": "dark"}
    assert "our own values only" in result.stderr


def test_a_second_run_changes_nothing(glm: Glm, user: Path) -> None:
    """And makes no second backup."""
    glm("connect", "crush", "--yes", env=PLAN)

    result = glm("connect", "crush", env=PLAN)

    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing to change" in result.stderr
    assert len(list((user / ".config/crush").iterdir())) == 1


@pytest.mark.parametrize("options", [(), ("--no-input",)], ids=["pipe", "no-input"])
def test_nothing_is_written_without_consent(glm: Glm, claude: Path, options: tuple[str, ...]) -> None:
    """Nobody to ask: the diff is shown, exit 2, the file untouched."""
    result = glm("connect", "claude-code", *options, env=PLAN, tty="--no-input" in options)

    assert (result.exit_code, claude.read_text()) == (2, OLD)
    assert "--yes" in result.stderr
    assert "ANTHROPIC_BASE_URL" in result.stdout


def test_a_dry_run_shows_and_writes_nothing(glm: Glm, claude: Path, home: Path) -> None:
    """Exit 0 without a question, even with --no-input."""
    result = glm("connect", "claude-code", "--dry-run", "--no-input", env=PLAN)

    assert (result.exit_code, claude.read_text()) == (0, OLD)
    assert [path.name for path in claude.parent.iterdir()] == ["settings.json"]
    assert not home.exists()
    assert "+" in result.stdout


def test_consent_is_asked_at_a_terminal(glm: Glm, user: Path) -> None:
    """Yes writes; no writes nothing and fails, so that `&&` stops."""
    refused = glm("connect", "codex", input=b"n\n", env=PLAN, tty=True)
    assert refused.exit_code == 1
    assert "nothing was changed" in refused.stderr
    assert not (user / ".codex").exists()

    agreed = glm("connect", "codex", input=b"y\n", env=PLAN, tty=True)
    assert agreed.exit_code == 0
    assert (user / ".codex/config.toml").exists()


def test_ctrl_c_at_the_question_writes_nothing(user: Path) -> None:
    """On a real terminal: the diff, the question, and exit 130."""
    child = pexpect.spawn(
        sys.executable, ["-m", "glmcli", "connect", "codex"], env={**os.environ, **PLAN}, timeout=20, encoding="utf-8"
    )
    child.expect_exact("Set up Codex this way? [y/N]")
    assert TEST_KEY not in (child.before or "")

    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 130
    assert list(user.iterdir()) == []


def test_by_reference_no_file_holds_the_key(glm: Glm, user: Path) -> None:
    """Claude Code asks glm, for the provider that was meant."""
    glm("connect", "claude-code", "--by-reference", "--yes", env=PLAN)

    helper = json.loads((user / ".claude/settings.json").read_text())["apiKeyHelper"]
    assert helper.endswith("env --key-only --provider zai-coding")


def test_the_variable_that_holds_the_key_is_named(glm: Glm, user: Path) -> None:
    """A plan key under ZAI_API_KEY is found there, so the tool reads it there."""
    glm("connect", "codex", "--provider", "zai-coding", "--yes", env={"ZAI_API_KEY": TEST_KEY})

    assert 'env_key = "ZAI_API_KEY"' in (user / ".codex/config.toml").read_text()


def test_a_stored_key_is_named_by_region_and_told(glm: Glm, user: Path, home: Path) -> None:
    """No variable is set yet: the note says how the tool gets it."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(
        'version = 1\ndefault_profile = "cn"\n[profiles.cn]\nprovider = "zhipu-coding"\nkey = "file"\n'
    )
    (home / "credentials.toml").write_text(f'version = 1\n[keys]\ncn = "{TEST_KEY}"\n')
    for name in ("config.toml", "credentials.toml"):
        (home / name).chmod(0o600)

    result = glm("connect", "opencode", "--yes")

    assert result.exit_code == 0, result.stderr
    assert '"{env:ZHIPU_API_KEY}"' in (user / ".config/opencode/opencode.json").read_text()
    assert "glm exec -- opencode" in result.stderr


def test_a_broken_file_is_told_and_untouched(glm: Glm, claude: Path) -> None:
    """Exit 3 with path, line and column."""
    claude.write_text('{\n  "env": oops\n}\n')

    result = glm("connect", "claude-code", "--yes", env=PLAN)

    assert (result.exit_code, claude.read_text()) == (3, '{\n  "env": oops\n}\n')
    assert f"{claude} is not valid JSON: line 2, column 10" in result.stderr


def test_pay_as_you_go_cannot_use_codex_and_learns_why_before_a_key_is_sought(glm: Glm) -> None:
    """The plan's endpoint is the only one that Codex could speak to."""
    result = glm("connect", "codex", "--provider", "zai")

    assert result.exit_code == 2
    assert "Coding Plan" in result.stderr


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("cline", "https://api.z.ai/api/coding/paas/v4"),
        ("cursor", "GLM-5.3"),
        ("roo", "International Coding Plan (https://api.z.ai/api/coding/paas/v4/)"),
        ("kilo", "International Coding Plan"),
        ("goose", "https://api.z.ai/api/anthropic"),
        ("openclaw", '--auth-choice zai-coding-global --zai-api-key "$ZAI_API_KEY"'),
    ],
)
def test_other_tools_get_their_steps_without_a_key(glm: Glm, user: Path, tool: str, expected: str) -> None:
    """Nothing is written, no key is needed, the fields go to stdout."""
    result = glm("connect", tool, "--provider", "zai-coding")

    assert result.exit_code == 0, result.stderr
    assert expected in result.stdout
    assert list(user.iterdir()) == []


def test_the_list_shows_how_tools_stand(glm: Glm, claude: Path) -> None:
    """Without a key or a profile."""
    result = glm("connect", "--list")

    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert result.exit_code == 0
    assert "not set up" in rows["claude-code"]
    assert "not installed" in rows["codex"]
    assert "its settings form" in rows["cursor"]


def test_the_list_as_json(glm: Glm, claude: Path) -> None:
    """Stable names, for scripts."""
    glm("connect", "codex", "--yes", env=PLAN)

    tools = {tool["name"]: tool for tool in glm("connect", "--list", "--json").json["tools"]}

    assert (tools["codex"]["status"], tools["codex"]["set_up_by_glm"]) == ("set up", True)
    assert (tools["claude-code"]["status"], tools["claude-code"]["path"]) == ("not set up", str(claude))


def test_json_of_a_connection(glm: Glm, user: Path) -> None:
    """One document with the diff, and no key in it."""
    result = glm("connect", "claude-code", "--dry-run", "--json", env=PLAN)

    (tool,) = result.json["tools"]
    (file,) = tool["files"]
    assert (tool["tool"], tool["changed"], file["backup"]) == ("claude-code", False, None)
    assert file["path"] == str(user / ".claude/settings.json")
    assert "<your key>" in file["diff"]


@pytest.mark.parametrize(
    ("argv", "hint"),
    [(("connect",), "glm connect --list"), (("connect", "opencod"), "glm connect opencode")],
    ids=["none", "typo"],
)
def test_a_wrong_tool_is_a_usage_error(glm: Glm, argv: tuple[str, ...], hint: str) -> None:
    """With a hint that can be typed."""
    result = glm(*argv, env=PLAN)

    assert result.exit_code == 2
    assert hint in result.stderr


def test_removing_what_glm_did_not_do_is_harmless(glm: Glm, claude: Path) -> None:
    """A set-up by hand is the user's own."""
    result = glm("connect", "claude-code", "--remove", "--yes")

    assert (result.exit_code, claude.read_text()) == (0, OLD)
    assert "nothing was touched" in result.stderr


def test_a_key_from_standard_input_cannot_be_referred_to(glm: Glm, user: Path) -> None:
    """It would be gone when the tool asks."""
    result = glm(
        "connect", "opencode", "--provider", "zai", "--key-stdin", "--by-reference", "--yes", input=TEST_KEY + "\n"
    )

    assert result.exit_code == 2
    assert list(user.iterdir()) == []

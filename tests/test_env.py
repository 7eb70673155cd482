"""`glm env`: variables for other clients."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from glmcli.api.clientenv import ClientEnvironment
from glmcli.commands.env import Shell, detect_shell, export_lines
from tests.harness import TEST_KEY, Glm, ScriptedServer

PLAN = {"ZAI_CODING_API_KEY": TEST_KEY}


@pytest.mark.shows_key
def test_a_pipe_gets_lines_that_a_shell_can_evaluate(glm: Glm) -> None:
    """`eval "$(glm env)"` leaves the documented variables and no ANTHROPIC_API_KEY."""
    result = glm("env", env={**PLAN, "SHELL": "/bin/bash"})

    script = result.stdout + "env"
    seen = subprocess.run(
        ["sh", "-c", script],
        env={"PATH": os.environ["PATH"], "ANTHROPIC_API_KEY": "x"},
        capture_output=True,
        text=True,
        check=True,
    )
    variables = dict(line.split("=", 1) for line in seen.stdout.splitlines())
    assert result.exit_code == 0
    assert "ANTHROPIC_API_KEY" not in variables
    assert {name: variables.get(name) for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "ZAI_API_KEY")} == {
        "OPENAI_BASE_URL": "https://api.z.ai/api/coding/paas/v4",
        "ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic",
        "ZAI_API_KEY": TEST_KEY,
    }


@pytest.mark.parametrize("options", [(), ("--key-only",), ("--json",)], ids=["lines", "key", "json"])
def test_a_terminal_is_not_shown_a_key(glm: Glm, options: tuple[str, ...]) -> None:
    """Exit 2, nothing on stdout, and the hint names --reveal."""
    result = glm("env", *options, env=PLAN, tty=True)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "--reveal" in result.stderr


def test_the_hint_fits_the_shell(glm: Glm) -> None:
    """What is offered instead can be typed as it stands."""
    result = glm("env", "--for", "openai", env={**PLAN, "SHELL": "/usr/bin/fish"}, tty=True)

    assert "glm env --for openai | source" in result.stderr


@pytest.mark.shows_key
def test_reveal_shows_the_key_to_a_terminal(glm: Glm) -> None:
    """Who asks for it gets it."""
    result = glm("env", "--for", "zai", "--reveal", env=PLAN, tty=True)

    assert f"export ZAI_CODING_API_KEY={TEST_KEY}\n" in result.stdout


@pytest.mark.shows_key
def test_the_key_alone_for_tools_that_ask(glm: Glm) -> None:
    """One line, nothing else: the contract of apiKeyHelper and its like."""
    result = glm("env", "--key-only", env=PLAN)

    assert (result.exit_code, result.stdout, result.stderr) == (0, TEST_KEY + "\n", "")


@pytest.mark.shows_key
def test_json_is_one_object(glm: Glm) -> None:
    """Scripts read names and values."""
    result = glm("env", "--for", "mcp", "--json", env={"ZHIPU_CODING_API_KEY": TEST_KEY})

    assert result.json == {"Z_AI_API_KEY": TEST_KEY, "Z_AI_MODE": "ZHIPU"}


def test_unset_needs_no_key_and_shows_none(glm: Glm) -> None:
    """A session can be cleaned on a terminal too."""
    result = glm("env", "--unset", "--provider", "zai", "--for", "openai", "--shell", "bash", tty=True)

    assert (result.exit_code, result.stdout) == (0, "unset OPENAI_API_KEY\nunset OPENAI_BASE_URL\n")


def test_a_provider_without_a_key_ends_with_4(glm: Glm) -> None:
    """As every other command."""
    assert glm("env", "--provider", "zai").exit_code == 4


def test_the_sandbox_has_nothing_to_give(glm: Glm) -> None:
    """A provider without an address is told, with the way to one."""
    result = glm("env", "--provider", "sandbox", env=PLAN)

    assert result.exit_code != 0
    assert "glm sandbox serve" in result.stderr


@pytest.mark.parametrize(
    ("environ", "os_name", "shell"),
    [
        ({"SHELL": "/usr/bin/fish"}, "posix", Shell.FISH),
        ({"SHELL": "/bin/zsh"}, "posix", Shell.ZSH),
        ({"SHELL": "-bash"}, "posix", Shell.BASH),
        ({"SHELL": "/opt/pwsh"}, "posix", Shell.POWERSHELL),
        ({"SHELL": "/bin/dash"}, "posix", Shell.SH),
        ({}, "posix", Shell.SH),
        ({"PSModulePath": "x"}, "posix", Shell.POWERSHELL),
        ({}, "nt", Shell.POWERSHELL),
        ({"SHELL": "C:\\Program Files\\Git\\bin\\bash.exe"}, "nt", Shell.BASH),
    ],
)
def test_the_shell_is_found_out(environ: dict[str, str], os_name: str, shell: Shell) -> None:
    """By SHELL first; PowerShell where there is none."""
    assert detect_shell(environ, os_name=os_name) is shell


ODD_KEY = """a'b"c$d`e\\f !g\u2019h;i*j"""


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish", "pwsh"])
def test_odd_characters_survive_the_shell(shell: str, tmp_path: Path) -> None:
    """Each shell that is installed here gives back exactly what was exported."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    kind = Shell.POWERSHELL if shell == "pwsh" else Shell(shell)
    script = export_lines(ClientEnvironment({"KEY": ODD_KEY}, unset=("GONE",)), kind)
    printing = 'python3 -c \'import os, json; print(json.dumps([os.environ["KEY"], "GONE" in os.environ]))\''

    seen = subprocess.run(
        [program, "-c", script + printing],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GONE": "1", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
    )

    assert json.loads(seen.stdout) == [ODD_KEY, False]


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        (Shell.SH, f"export KEY={shlex.quote(ODD_KEY)}\n"),
        (Shell.FISH, """set -gx KEY 'a\\'b"c$d`e\\\\f !g\u2019h;i*j'\n"""),
        (Shell.POWERSHELL, """$env:KEY = 'a''b"c$d`e\\f !g\u2019\u2019h;i*j'\n"""),
    ],
    ids=["sh", "fish", "powershell"],
)
def test_each_shell_quotes_in_its_own_way(shell: Shell, line: str) -> None:
    """Also where that shell is not installed."""
    assert export_lines(ClientEnvironment({"KEY": ODD_KEY}), shell) == line


def test_a_dry_run_shows_no_key(glm: Glm, server: ScriptedServer) -> None:
    """It names the variables and the source of the key: showing the key is what `env` does without it."""
    for flags in ((), ("--key-only",), ("--json",)):
        result = glm("env", "--dry-run", *flags)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "OPENAI_API_KEY" in result.stderr
        assert "$ZAI_API_KEY" in result.stderr

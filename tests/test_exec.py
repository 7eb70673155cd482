"""`glm exec`: a program with the variables set."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from pathlib import Path

import pexpect
import pytest

from tests.harness import TEST_KEY, Glm, GlmProcess

PLAN = {"ZAI_CODING_API_KEY": TEST_KEY, "ANTHROPIC_API_KEY": "sk-ant-theirs"}
SHOW = "import os, json; print(json.dumps({k: v for k, v in os.environ.items() if 'ANTHROPIC' in k or 'OPENAI' in k}))"


@pytest.mark.shows_key
def test_the_program_gets_the_variables(glm_process: GlmProcess) -> None:
    """Key and addresses of the plan, and not the variable that would win over them."""
    result = glm_process("exec", "--", sys.executable, "-c", SHOW, env=PLAN)

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "OPENAI_API_KEY": TEST_KEY,
        "OPENAI_BASE_URL": "https://api.z.ai/api/coding/paas/v4",
        "ANTHROPIC_AUTH_TOKEN": TEST_KEY,
        "ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic",
    }


def test_exit_code_and_streams_are_the_programs_own(glm_process: GlmProcess) -> None:
    """stdin goes in, stdout and stderr come out apart, the code comes through."""
    result = glm_process("exec", "--", "sh", "-c", "cat; echo oops >&2; exit 7", input=b"\xff\x00in", env=PLAN)

    assert (result.exit_code, result.stdout_bytes, result.stderr) == (7, b"\xff\x00in", "oops\n")


def test_in_process_it_is_a_child(glm: Glm) -> None:
    """A test or another program that runs us keeps its process."""
    result = glm("exec", "--", "sh", "-c", "cat; echo oops >&2; exit 7", input=b"in", env=PLAN)

    assert (result.exit_code, result.stdout, result.stderr) == (7, "in", "oops\n")


def test_a_child_that_a_signal_ends_reads_as_in_a_shell(glm: Glm) -> None:
    """128 and the number of the signal."""
    assert glm("exec", "--", "sh", "-c", "kill -TERM $$", env=PLAN).exit_code == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    "argv", [("exec", "--", "echo", "--json", "-p", "x"), ("exec", "echo", "--json", "-p", "x")], ids=["dashes", "none"]
)
def test_options_behind_the_program_are_the_programs(glm: Glm, argv: tuple[str, ...]) -> None:
    """Ours end at the program's name."""
    assert glm(*argv, env=PLAN).stdout == "--json -p x\n"


def test_the_process_becomes_the_program(glm_process: GlmProcess) -> None:
    """Same process id, so that signals and job control need no help."""
    process = glm_process.start("exec", "--", "sh", "-c", "echo $$; read line", env=PLAN)
    assert process.stdout is not None
    printed = int(process.stdout.readline())

    process.send_signal(signal.SIGTERM)
    process.communicate()

    assert printed == process.pid
    assert process.returncode == -signal.SIGTERM


def test_a_closed_pipe_ends_the_program(glm_process: GlmProcess) -> None:
    """`glm exec -- yes | head -1` ends: SIGPIPE is not ignored in the program."""
    process = glm_process.start("exec", "--", "yes", env=PLAN)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()

    assert process.wait(timeout=20) == -signal.SIGPIPE
    process.communicate()


def test_the_terminal_is_kept() -> None:
    """A full-screen program finds its terminal."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "glmcli", "exec", "--", "sh", "-c", "test -t 0 && test -t 1 && echo is-a-terminal"],
        env={**os.environ, **PLAN},
        timeout=20,
    )

    child.expect("is-a-terminal")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_the_key_is_in_no_argument_and_no_file(glm_process: GlmProcess, tmp_path: Path) -> None:
    """`ps` shows nothing, and nothing is written."""
    result = glm_process("exec", "--", "sh", "-c", "tr '\\0' ' ' < /proc/$$/cmdline", env=PLAN)

    assert result.exit_code == 0
    assert TEST_KEY not in result.stdout
    assert not (tmp_path / "glm").exists()


def test_a_program_that_is_nowhere_ends_with_127(glm: Glm) -> None:
    """As a shell does, and the message names it."""
    result = glm("exec", "--", "no-such-program", env=PLAN)

    assert result.exit_code == 127
    assert "command not found: no-such-program" in result.stderr


def test_a_file_that_is_no_program_ends_with_126(glm: Glm, tmp_path: Path) -> None:
    """Not executable, or executable and not a program."""
    script = tmp_path / "work" / "script"
    script.write_text("not a program")
    plain = glm("exec", "--", "./script", env=PLAN)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    executable = glm("exec", "--", "./script", env=PLAN)

    assert (plain.exit_code, executable.exit_code) == (126, 126)
    assert "chmod +x ./script" in plain.stderr
    assert "#!/bin/sh" in executable.stderr


def test_becoming_a_file_that_is_no_program_is_told_too(glm_process: GlmProcess, tmp_path: Path) -> None:
    """The process survives a failed exec and says why."""
    script = tmp_path / "work" / "script"
    script.write_text("not a program")
    script.chmod(0o755)

    result = glm_process("exec", "--", "./script", env=PLAN)

    assert (result.exit_code, result.stdout) == (126, "")
    assert "cannot be executed" in result.stderr


@pytest.mark.parametrize(
    ("token", "exit_code", "stdout"),
    [('"ANTHROPIC_AUTH_TOKEN": "x",', 0, "started\n"), ("", 3, "")],
    ids=["own", "ours"],
)
def test_settings_that_would_win_are_told(glm: Glm, tmp_path: Path, token: str, exit_code: int, stdout: str) -> None:
    """Claude Code's own file beats its environment; where it names no key, ours is not sent to its service."""
    settings = tmp_path / "user" / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(f'{{"env": {{{token} "ANTHROPIC_BASE_URL": "https://other.example"}}}}')
    program = tmp_path / "work" / "claude"
    program.write_text("#!/bin/sh\necho started\n")
    program.chmod(0o755)

    result = glm("exec", "--", "./claude", env=PLAN)

    assert (result.exit_code, result.stdout) == (exit_code, stdout)
    assert f"{settings} sends Claude Code to https://other.example" in result.stderr


@pytest.mark.parametrize("argv", [("exec",), ("exec", "--")])
def test_no_program_is_a_usage_error(glm: Glm, argv: tuple[str, ...]) -> None:
    """With an example that works."""
    result = glm(*argv, env=PLAN)

    assert result.exit_code == 2
    assert "glm exec -- claude" in result.stderr


def test_a_dry_run_prints_a_command_without_the_key(glm_process: GlmProcess) -> None:
    """It needs no key, and a shell can run it as it stands."""
    result = glm_process("exec", "--provider", "zai", "--for", "anthropic", "--dry-run", "--", "claude", "-p", "a b")

    assert result.stdout == (
        'env -u ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN="$ZAI_API_KEY" '
        "ANTHROPIC_BASE_URL=https://api.z.ai/api/anthropic API_TIMEOUT_MS=3000000 claude -p 'a b'\n"
    )

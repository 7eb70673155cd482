"""The Tab key: words for each shell, and the scripts in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glmcli.completion import candidates
from glmcli.completion_scripts import FILES, SCRIPTS
from tests.harness import Glm, GlmProcess

ROOT = Path(__file__).parent.parent

CONFIG = """\
version = 1
[profiles.work]
provider = "zai"
[profiles.weekend]
provider = "sandbox"
[aliases]
fast = "glm-5.3-flash"
"""


@pytest.fixture
def config(home: Path) -> None:
    """Two profiles and an alias."""
    home.mkdir()
    (home / "config.toml").write_text(CONFIG)


@pytest.fixture
def on_path(tmp_path: Path) -> dict[str, str]:
    """An environment in which a shell finds `glm`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "glm"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m glmcli "$@"\n')
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "TERM": "dumb"}


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["ch"], ["chat"], id="command"),
        pytest.param(["completion", ""], ["bash", "zsh", "fish", "powershell"], id="argument"),
        pytest.param(["completion", "z"], ["zsh"], id="begun argument"),
        pytest.param(["chat", "--syst"], ["--system"], id="option"),
        pytest.param(["chat", "--dry"], ["--dry-run"], id="global option after the command"),
        pytest.param(["--dry"], ["--dry-run"], id="global option before the command"),
        pytest.param(["-p", "w"], ["work", "weekend"], id="profile"),
        pytest.param(["-p", "work", "ch"], ["chat"], id="command after an option with a value"),
        pytest.param(["--profile=work", "ch"], ["chat"], id="command after an option with its value attached"),
        pytest.param(["chat", "-m", "fa"], ["fast"], id="alias of a model"),
        pytest.param(["chat", "-m", "glm-5v"], ["glm-5v-turbo"], id="model"),
        pytest.param(["--provider", "zhipu-"], ["zhipu-coding"], id="provider"),
        pytest.param(["chat", "--color", "=", "a"], ["auto", "always"], id="bash splits at the equals sign"),
        pytest.param(["chat", "--color", "="], ["auto", "always", "never"], id="nothing after the equals sign"),
        pytest.param(["--env-file", ""], [":files"], id="the shell completes files"),
        pytest.param(["chat", "hello", "wor"], [], id="a prompt is free text"),
        pytest.param(["chat", "--", "--"], [":files"], id="nothing is ours after two dashes"),
        pytest.param(["nonsense", ""], None, id="an unknown word does not break it"),
    ],
)
def test_words_for_bash(words: list[str], expected: list[str] | None) -> None:
    """What can stand at the cursor, and nothing else, is offered."""
    found = candidates(["bash", *words])
    if expected is not None:
        assert found == expected


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("argv", "line"),
    [
        pytest.param(["zsh", "comp"], "completion:Print the completion script of a shell.", id="zsh"),
        pytest.param(["fish", "comp"], "completion\tPrint the completion script of a shell.", id="fish"),
        pytest.param(["powershell", "_comp"], "completion\tPrint the completion script of a shell.", id="powershell"),
        pytest.param(["zsh", "chat", "--color=al"], "--color=always", id="attached value"),
    ],
)
def test_other_shells_show_help_beside_a_word(argv: list[str], line: str) -> None:
    """Each shell gets the form that it can read."""
    assert candidates(argv) == [line]


@pytest.mark.parametrize("text", ["profiles = [broken", "a = " + "[" * 100_000], ids=["open", "nested without end"])
def test_a_broken_configuration_offers_no_profiles(home: Path, glm_process: GlmProcess, text: str) -> None:
    """The Tab key never complains."""
    home.mkdir()
    (home / "config.toml").write_text(text)
    result = glm_process("--complete", "bash", "-p", "")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_the_script_is_printed_and_kept_in_the_repository(glm: Glm, shell: str) -> None:
    """`glm completion` prints what packagers find in `completions/`."""
    assert glm("completion", shell).stdout == (ROOT / "completions" / FILES[shell]).read_text()


def test_bash_completes(on_path: dict[str, str], home: Path) -> None:
    """The script works in a real bash, as the Tab key would call it."""
    home.mkdir()
    (home / "config.toml").write_text(CONFIG)
    assert _bash(on_path, "glm", "--provider", "sandbox", "comp") == ["completion"]
    assert _bash(on_path, "glm", "chat", "-p", "we") == ["weekend"]
    assert _bash(on_path, "glm", "chat", "--color", "=", "ne") == ["never"]


def test_bash_completes_names_of_files(on_path: dict[str, str]) -> None:
    """Where a file is wanted, bash offers files, spaces included."""
    Path("my notes.env").touch()
    Path("other").touch()
    assert _bash(on_path, "glm", "--env-file", "my") == ["my notes.env"]


def _bash(environ: dict[str, str], *words: str) -> list[str]:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    typed = " ".join(f"'{word}'" for word in words)
    code = f'COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _glm; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return _output([bash, "--norc", "-c", f"{SCRIPTS['bash']}\n{code}"], environ)


def test_zsh_completes(on_path: dict[str, str]) -> None:
    """The script works in a real zsh, with the completion system stood in for by a recorder."""
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    code = f"""
    compdef() {{ :; }}
    _describe() {{ print -rl -- "${{(@P)2}}"; }}
    {SCRIPTS["zsh"]}
    words=(glm completion z); CURRENT=3; _glm
    words=(glm comp); CURRENT=2; _glm
    """
    assert _output([zsh, "-f", "-c", code], on_path) == ["zsh", "completion:Print the completion script of a shell."]


def test_fish_completes(on_path: dict[str, str]) -> None:
    """The script works in a real fish, asked as its Tab key asks."""
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("fish is not installed")
    Path("glm.fish").write_text(SCRIPTS["fish"])
    asked = "source glm.fish; complete -C 'glm completion z'; complete -C 'glm chat --dry'; complete -C 'glm comp'"
    assert _output([fish, "--no-config", "-c", asked], on_path) == [
        "zsh",
        "--dry-run\tPrint the request as a curl command; send nothing.",
        "completion\tPrint the completion script of a shell.",
    ]


def test_powershell_completes(on_path: dict[str, str]) -> None:
    """The script works in a real PowerShell."""
    pwsh = shutil.which("pwsh")
    if pwsh is None:
        pytest.skip("PowerShell is not installed")
    line = "glm completion z"
    asked = f"(TabExpansion2 -inputScript '{line}' -cursorColumn {len(line)}).CompletionMatches.CompletionText"
    assert _output([pwsh, "-NoProfile", "-Command", f"{SCRIPTS['powershell']}\n{asked}"], on_path) == ["zsh"]


def _output(command: list[str], environ: dict[str, str]) -> list[str]:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()

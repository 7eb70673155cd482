"""What a fresh process loads: start-up time, told by modules instead of a clock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import ScriptedServer

#: Ends like the real thing, but says first what was loaded.
PROBE = """
import os, sys
def leave(code):
    sys.stderr.flush()
    with open(os.environ["MODULES"], "w") as file:
        file.write("\\n".join(sys.modules))
    really(code)
really, os._exit = os._exit, leave
sys.argv[0] = "glm"
from glmcli.__main__ import main
main()
"""
#: Never needed for an answer in a pipe.
HEAVY = {
    "PIL",
    "asyncio",
    "importlib.metadata",
    "keyring",
    "markdown_it",
    "platformdirs",
    "prompt_toolkit",
    "pydantic",
    "pygments",
    "rich",
    "tomlkit",
    "tomllib",
    "tomli_w",
}


@pytest.fixture(scope="module")
def bare() -> set[str]:
    """What the interpreter itself loads."""
    return set(
        subprocess.run(
            [sys.executable, "-c", "import sys; print(*sys.modules, sep='\\n')"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    )


def _loaded(tmp_path: Path, *argv: str, input: str = "") -> tuple[set[str], str]:
    """The modules that one command loaded, and what it printed."""
    modules = tmp_path / "modules"
    environ = {**os.environ, "MODULES": str(modules)}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *argv], input=input, capture_output=True, text=True, env=environ, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(modules.read_text().split()), done.stdout


def test_version_loads_nothing(bare: set[str], tmp_path: Path) -> None:
    """`glm --version` costs what the interpreter costs."""
    loaded, printed = _loaded(tmp_path, "--version")
    assert printed.startswith("glm ")
    assert loaded - bare == {"glmcli", "glmcli.__main__", "__future__"}


@pytest.mark.parametrize("argv", [["--help"], ["-h"], []], ids=["--help", "-h", "nothing"])
def test_the_front_page_loads_the_registry_alone(bare: set[str], tmp_path: Path, argv: list[str]) -> None:
    """`glm --help` is plain data."""
    loaded, printed = _loaded(tmp_path, *argv)
    assert "Usage: glm" in printed
    assert loaded - bare == {"glmcli", "glmcli.__main__", "glmcli.registry", "__future__"}


def test_completion_loads_neither_typer_nor_a_command(bare: set[str], tmp_path: Path) -> None:
    """The Tab key must not be felt."""
    loaded, printed = _loaded(tmp_path, "--complete", "bash", "chat", "--syst")
    assert printed == "--system\n"
    assert not [name for name in loaded if name.startswith(("typer", "glmcli.commands", "httpx"))]
    assert not {"json", "typing", "dataclasses"} & (loaded - bare)


def test_a_command_loads_no_other(tmp_path: Path) -> None:
    """Exactly one command module is imported, and no HTTP client before it is needed."""
    loaded, _ = _loaded(tmp_path, "completion", "bash")
    commands = {name for name in loaded if name.startswith("glmcli.commands.")}
    assert commands == {"glmcli.commands.completion", "glmcli.commands.options"}
    assert not {"httpx", *HEAVY} & loaded


@pytest.mark.parametrize(
    "argv", [["chat", "--help"], ["chat", "-h"], ["help", "chat"], ["help", "profile", "list"]], ids=" ".join
)
def test_help_of_a_command_loads_its_page_alone(bare: set[str], tmp_path: Path, argv: list[str]) -> None:
    """`glm chat --help` costs what `glm --help` costs."""
    loaded, printed = _loaded(tmp_path, *argv)
    assert "Usage: glm" in printed
    assert loaded - bare == {
        "__future__",
        "glmcli",
        "glmcli.__main__",
        "glmcli.help_pages",
        "glmcli.help_pages.width80",
        "glmcli.terminalsize",
    }


def test_help_of_an_unusual_width_is_plain_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer makes the page that is not stored; its own way would load rich."""
    monkeypatch.setenv("COLUMNS", "66")
    loaded, printed = _loaded(tmp_path, "chat", "--help")
    assert "Usage: glm chat" in printed
    assert not {"httpx", "sqlite3", *HEAVY} & loaded


def test_a_piped_answer_loads_nothing_heavy(tmp_path: Path, server: ScriptedServer) -> None:
    """The key in the environment, no file, a pipe: no keyring, no rich, no TOML."""
    loaded, printed = _loaded(tmp_path, "chat", "hi")
    assert printed.strip()
    assert len(server.requests) == 1
    assert not HEAVY & loaded
    assert not [name for name in loaded if name.startswith("glmcli.sandbox")]


def test_the_request_leaves_before_the_history_is_loaded(tmp_path: Path, server: ScriptedServer) -> None:
    """What writing the answer down takes is imported while the service thinks, after all that sending takes."""
    _loaded(tmp_path, "chat", "hi")
    order = (tmp_path / "modules").read_text().split()
    assert "sqlite3" in order
    assert max(map(order.index, ("httpx", "httpcore"))) < min(map(order.index, ("glmcli.history", "sqlite3")))


#: Defines the command's classes without running it, and names those that `dataclass` made.
DATACLASSES = """
import sys
import glmcli.cli, glmcli.commands.chat, glmcli.commands.stream, glmcli.api.client, glmcli.api.resources.chat
import glmcli.api.retry, glmcli.config.resolve, glmcli.config.store, glmcli.config.credentials, glmcli.render.answers
for name, module in sorted(sys.modules.items()):
    if name.startswith("glmcli"):
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == name and "__dataclass_fields__" in vars(value):
                print(value.__qualname__)
"""


def test_no_class_before_the_request_is_a_dataclass() -> None:
    """One takes up to half a millisecond to define, a `Value` a fiftieth of that."""
    found = subprocess.run([sys.executable, "-c", DATACLASSES], capture_output=True, text=True, check=True)
    assert found.stdout == ""


def test_a_network_read_is_one_write() -> None:
    """A hundred deltas that came together are printed together: a write costs more than all else of a delta."""
    from glmcli.api.resources.chat import ChunkParser
    from glmcli.api.sse import ServerEvent
    from glmcli.render.answers import TextRenderer

    written: list[str] = []
    delta = ServerEvent("", '{"choices":[{"index":0,"delta":{"content":"word "}}]}')
    TextRenderer(written.append, end_line=False).feed(ChunkParser(merge=True).feed([delta] * 100))
    assert written == ["word " * 100]

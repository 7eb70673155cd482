"""Help pages: true to the registry, readable on a narrow terminal."""

from __future__ import annotations

import inspect

import pytest
from typer._click.core import Command

from glmcli import cli
from glmcli.registry import COMMANDS, GLOBAL_OPTIONS, SECTIONS, front_page
from tests.harness import Glm

#: Every command and subcommand.
PATHS = [
    path for entry in COMMANDS.values() for path in (entry.name, *(f"{entry.name} {sub}" for sub in entry.subcommands))
]


def test_the_front_page_fits_everywhere() -> None:
    """ASCII for every code page, 80 columns for every terminal."""
    page = front_page()
    assert page.isascii()
    assert max(map(len, page.splitlines())) <= 80


def test_the_front_page_names_everything() -> None:
    """Every command and every global option has its line."""
    lines = front_page().splitlines()
    for entry in COMMANDS.values():
        assert entry.section in SECTIONS
        assert f"  {entry.name:<12}{entry.help}" in lines
    for option in GLOBAL_OPTIONS:
        assert any(option.flags[-1] in line and line.endswith(option.help) for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_docstring_is_the_line_of_the_registry(name: str) -> None:
    """One sentence describes a command, in the code and on the front page."""
    entry, command = COMMANDS[name], cli.load(name)
    assert (command.help or "").splitlines()[0] == entry.help
    assert entry.help.endswith(".")
    assert tuple(cli.subcommands(command)) == entry.subcommands


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_complete(glm: Glm, path: str) -> None:
    """Usage, a sentence, help for every option, an example that begins with the command."""
    result = glm(*path.split(), "--help", env={"COLUMNS": "80"})
    command = _command(path)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: glm {path} ")
    assert max(map(len, result.stdout.splitlines())) <= 100
    for parameter in command.params:
        if not getattr(parameter, "hidden", False):
            assert getattr(parameter, "help", None), f"{parameter.name} has no help"
    if not cli.subcommands(command):
        assert f"glm {path}" in inspect.cleandoc(command.epilog or ""), "the page has no example"


def _command(path: str) -> Command:
    name, *below = path.split()
    command = cli.load(name)
    for word in below:
        command = cli.subcommands(command)[word]
    return command

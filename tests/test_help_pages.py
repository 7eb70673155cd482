"""Stored help pages: the same that Typer makes, and asked for by the same words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from glmcli.help_pages import STORED_WIDTHS, page_width, stored_page
from tests.harness import Glm
from tests.test_help import PATHS


@pytest.mark.parametrize("width", STORED_WIDTHS)
@pytest.mark.parametrize("path", PATHS)
def test_a_stored_page_is_what_typer_makes(glm: Glm, monkeypatch: pytest.MonkeyPatch, path: str, width: int) -> None:
    """Run `make docs` when this fails: the code of a command was changed."""
    monkeypatch.setenv("COLUMNS", str(width))
    made = glm(*path.split(), "--help", env={"COLUMNS": str(width)})
    assert (made.exit_code, made.stdout) == (0, stored_page([*path.split(), "--help"]))


@pytest.mark.parametrize(
    "argv",
    [["help", "profile", "list"], ["profile", "list", "-h"], ["profile", "list", "--help"]],
    ids=" ".join,
)
def test_every_way_to_ask_for_a_page_is_known(argv: list[str]) -> None:
    """The words of `glm.cli`: help in front, or its option behind."""
    assert (stored_page(argv) or "").startswith("Usage: glm profile list ")


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["help"],
        ["chat"],
        ["chat", "--", "--help"],
        ["-q", "chat", "--help"],
        ["chat", "hello", "--help"],
        ["help", "chta"],
        ["profile list", "--help"],
        ["exec", "ls", "--help"],
    ],
    ids=" ".join,
)
def test_anything_else_is_left_to_typer(argv: list[str]) -> None:
    """A page is given only for the plain name of a command."""
    assert stored_page(argv) is None


@pytest.mark.parametrize(
    ("columns", "width"),
    [("20", 50), ("80", 80), ("93", 93), ("100", 100), ("250", 100), ("", 80), ("wide", 80), ("0", 80), ("²", 80)],
)
def test_a_page_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    """Between 50 and 100 columns; only the usual widths are stored."""
    monkeypatch.setenv("COLUMNS", columns)
    page = stored_page(["chat", "--help"])
    assert (page is not None) == (width in STORED_WIDTHS)
    if page is not None and width == 100:
        assert 80 < max(map(len, page.splitlines())) <= page_width(int(columns))


def test_a_process_prints_the_same_page_either_way() -> None:
    """A global option in front goes through Typer; the bytes are the same."""
    run = [sys.executable, "-m", "glmcli"]
    stored = subprocess.run([*run, "chat", "--help"], capture_output=True, check=True)
    made = subprocess.run([*run, "--no-input", "chat", "--help"], capture_output=True, check=True)
    assert stored.stdout == made.stdout
    assert stored.stdout.count(b"\n") > 20

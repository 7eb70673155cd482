"""The root command: global options, exit codes and how failures are told."""

from __future__ import annotations

from tests.harness import Glm


def test_version_is_one_line(glm: Glm) -> None:
    """`--version` prints name and number, also after a command."""
    assert glm("--version").stdout == "glm 0.1.0\n"
    assert glm("completion", "--version").stdout == "glm 0.1.0\n"

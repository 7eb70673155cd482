"""The table of ways is complete."""

from __future__ import annotations

from glmcli.registry import COMMANDS
from tests.faults.ways import WAYS


def test_every_command_has_a_way() -> None:
    """A new command is crossed with the faults."""
    assert set(COMMANDS) == {way.command for way in WAYS}

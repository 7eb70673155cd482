"""The table of ways is complete, or says what it leaves out."""

from __future__ import annotations

from glmcli.registry import COMMANDS
from tests.faults.ways import WAYS

#: Commands whose faults are tried in their own files only.
ELSEWHERE = {
    "onboard": "tests/test_onboard.py and tests/terminal/test_wizard.py",
    "speak": "tests/test_speak.py",
    "files": "tests/test_files_command.py",
    "embed": "tests/test_embed.py",
    "rerank": "tests/test_rerank.py",
    "moderate": "tests/test_moderate.py",
}


def test_every_command_has_a_way_or_a_place() -> None:
    """A new command is crossed with the faults, or its tests are named here."""
    called = {way.words[0] for way in WAYS}
    assert set(COMMANDS) - called == set(ELSEWHERE)

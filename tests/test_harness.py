"""The fixtures can fail: each of these tests breaks one rule of the house."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

BREAKING = """
import os
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.harness import TEST_KEY


def test_environment_is_empty():
    assert "GLM_PROFILE" not in os.environ
    assert Path.home() != Path("/root")


def test_prints_a_key():
    print(TEST_KEY)


@pytest.mark.shows_key
def test_may_print_a_key():
    print(TEST_KEY)


def test_writes_a_key(home):
    home.mkdir()
    (home / "history.db").write_text(TEST_KEY)


def test_stores_a_key(home):
    home.mkdir()
    (home / "credentials.toml").write_text(TEST_KEY)


def test_command_tells_a_key(glm):
    glm("--provider", "sandbox", "chat", f"echo:{TEST_KEY}")


def test_leaves_the_machine():
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("192.0.2.1", 80))


def test_asks_for_a_name_that_is_nowhere():
    with pytest.raises(socket.gaierror):
        socket.create_connection(("host.invalid", 80))


def test_script_is_not_fetched(server):
    server.script("GET", "/models", json={})


def test_script_is_fetched(server):
    server.script("GET", "/models", json={"scripted": True})
    with urllib.request.urlopen(server.address + "/api/paas/v4/models") as reply:
        assert b"scripted" in reply.read()
    assert server.last.path == "/api/paas/v4/models"


def test_request_is_unexpected(server):
    server.only_scripted = True
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(server.address + "/api/paas/v4/models")


def test_golden_differs(golden):
    golden.check("harness/nowhere.txt", "text")
"""


def test_the_harness_finds_what_breaks_its_rules(tmp_path: Path) -> None:
    """A key in output or files, a connection to elsewhere and a script left over fail the test."""
    (tmp_path / "test_breaking.py").write_text(BREAKING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-q", "-rA", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLM_PROFILE": "work"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    broken = {
        line.partition("::")[2].split()[0]
        for line in done.stdout.splitlines()
        if line.startswith(("FAILED", "ERROR")) and "::" in line
    }
    assert broken == {
        "test_prints_a_key",
        "test_writes_a_key",
        "test_command_tells_a_key",
        "test_leaves_the_machine",
        "test_script_is_not_fetched",
        "test_request_is_unexpected",
        "test_golden_differs",
    }, done.stdout

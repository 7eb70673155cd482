"""Every test starts with an empty environment, a home of its own and no network beyond this machine.

After every test it is proven that no key came out: not in output, not in a file, not in a report.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from glmcli.api.endpoints import is_loopback
from glmcli.sandbox.accounts import ACCOUNTS
from glmcli.sandbox.app import Sandbox
from tests.faults.crossing import is_thorough
from tests.harness import TEST_KEY, Glm, GlmProcess, Golden, Result, ScriptedServer

_KEYS = (TEST_KEY, *(account.key for account in ACCOUNTS.values()))
#: Variables without which Python or Windows does not run, and those of pytest.
_KEPT = ("PATH", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "TEMP", "TMP", "TMPDIR", "CI")
#: Names that a test may ask for without being refused at its end: they exist nowhere (RFC 2606).
_NOWHERE = (".invalid", ".test", ".example", "example.com", "example.org")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write the golden files anew.")
    parser.addoption("--live", action="store_true", help="Run the tests that need the real service and a key.")
    parser.addoption("--thorough", action="store_true", help="Cross every command with every fault, not one of a kind.")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # `make test &` in a script; the commands would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "shows_key: the command prints a key because that is its purpose")
    config.addinivalue_line("markers", "network: the test may leave this machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what proves little that other tests do not prove, unless it is asked for."""
    if config.getoption("--thorough"):
        return
    left_out = [item for item in items if is_thorough(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not is_thorough(item)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if item.get_closest_marker("shows_key") is None:
        for name, text in report.sections:
            if any(key in text for key in _KEYS):
                report.outcome = "failed"
                report.longrepr = f"a key appears in: {name}"
    return report


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """GLM_HOME of this test; nothing is there yet."""
    return tmp_path / "glm"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path) -> None:
    for name in list(os.environ):
        if name.upper() not in _KEPT and not name.startswith(("PYTEST_", "COV_")):
            monkeypatch.delenv(name)
    for folder in ("user", "work"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    monkeypatch.setenv("GLM_HOME", str(home))
    # A developer's own keyring must not be asked, nor written.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture(autouse=True)
def _this_machine_only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse every connection and name that is not of this machine, as a machine without network does."""
    if request.node.get_closest_marker("network"):
        yield
        return
    refused: list[str] = []
    really_connect, really_look_up = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not is_loopback(str(address[0])):
            refused.append(str(address[0]))
            raise ConnectionRefusedError("the tests refuse to leave this machine")
        really_connect(self, address)

    def look_up(host: Any, *args: Any, **how: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not is_loopback(name):
            refused.append(name)
            raise socket.gaierror(socket.EAI_NONAME, "the tests refuse to leave this machine")
        return really_look_up(host, *args, **how)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    real = [name for name in refused if not name.endswith(_NOWHERE)]
    assert not real, f"the test tried to reach {real}"


@pytest.fixture
def _results() -> list[Result]:
    return []


@pytest.fixture(autouse=True)
def _no_key_comes_out(request: pytest.FixtureRequest, _results: list[Result], tmp_path: Path) -> Iterator[None]:
    """Neither the output of a command nor a file that it wrote may hold a key."""
    yield
    if request.node.get_closest_marker("shows_key"):
        return
    for result in _results:
        for name, data in (("stdout", result.stdout_bytes), ("stderr", result.stderr.encode())):
            assert not _holds_key(data), f"a key appears in {name}"
    for file in _files_below(tmp_path / "glm", tmp_path / "user"):
        with suppress(FileNotFoundError):
            assert file.name == "credentials.toml" or not _holds_key(file.read_bytes()), f"a key appears in {file}"


def _files_below(*folders: Path) -> Iterator[Path]:
    """Files, also while a daemon that the test started (a keyring) takes its own away."""
    for folder in folders:
        for place, _, names in os.walk(folder):  # unlike rglob it bears a folder that vanishes
            yield from (file for name in names if (file := Path(place, name)).is_file())


def _holds_key(data: bytes) -> bool:
    return any(key.encode() in data for key in _KEYS)


@pytest.fixture
def glm(_results: list[Result]) -> Glm:
    """Runs a command in this process."""
    return Glm(_results)


@pytest.fixture
def glm_process(_results: list[Result]) -> GlmProcess:
    """Runs a command in a process of its own."""
    return GlmProcess(_results)


@pytest.fixture
def sandbox() -> Sandbox:
    """The application behind `server`; a test may override this fixture to configure it."""
    return Sandbox()


@pytest.fixture
def server(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """The sandbox on a loopback socket; both regions point to it and ZAI_API_KEY is good there."""
    from glmcli.sandbox.serve import Server

    scripted = ScriptedServer(sandbox)
    with Server(scripted) as listening:
        scripted.address = listening.address
        monkeypatch.setenv("GLM_ORIGIN_INTL", listening.address)
        monkeypatch.setenv("GLM_ORIGIN_CN", listening.address)
        monkeypatch.setenv("ZAI_API_KEY", sandbox.keys["zai"])
        yield scripted
    scripted.verify()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Files of expected output."""
    return Golden(request.config.getoption("--update-golden"))

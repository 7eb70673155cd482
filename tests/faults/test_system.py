"""Faults of the system, crossed with every command: descriptors, limits, disks, homes, locales."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults import ways
from tests.faults.conftest import make_files
from tests.faults.ways import Way
from tests.harness import Glm, GlmProcess, ScriptedServer, changed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")

#: What needs a file or a job at the service first has tests of its own for what it cannot keep.
WAYS = tuple(way for way in ways.WAYS if not (way.before or way.command == "tasks"))
DRIVER = Path(__file__).with_name("driver.py")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SystemFault:
    """What the driver does to a child, what is changed in the environment, and which ways end otherwise."""

    name: str
    system: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str | None] = field(default_factory=dict)
    #: Exit codes other than 0, by way.
    otherwise: Mapping[str, int] = field(default_factory=dict)


#: What prints nothing here: settings that are written, lists of nothing, and answers that go to a file.
_QUIET = ("exec", "config-set", "templates", "files-list", "batch-remote", "batch")
_WRITES = {way.name: 1 for way in WAYS if way.name not in _QUIET}
#: What a command that must write says when it cannot; asking goes on without a history.
_HOME_IS_FULL = dict.fromkeys(("config-set", "onboard", "usage-local", "usage-balance", "history", "history-search"), 3)
_UNWRITABLE = {**_HOME_IS_FULL, **dict.fromkeys(("speak", "image", "batch", "batch-submit"), 1)}
FAULTS = (
    SystemFault("none"),
    SystemFault("stdout closed", {"closed": [1]}),
    SystemFault("stderr closed", {"closed": [2]}),
    SystemFault("stdin closed", {"closed": [0]}, otherwise={"explain-piped": 2}),
    SystemFault("all closed", {"closed": [0, 1, 2]}, otherwise={"explain-piped": 2}),
    SystemFault("stdout full", {"full": [1]}, otherwise=_WRITES),
    SystemFault("stderr full", {"full": [2]}),
    SystemFault("32 descriptors", {"nofile": 32}),
    SystemFault("no file grows", {"fsize": 0}, otherwise=_UNWRITABLE),
    SystemFault("no working directory", {"no_cwd": True}, otherwise={"speak": 1, "image": 1, "batch": 2}),
    SystemFault("no home", env={"HOME": None, "GLM_HOME": None, "USERPROFILE": None}),
    SystemFault(
        "home is a file",
        env={"GLM_HOME": "/dev/null/glm"},
        otherwise=dict.fromkeys(("config-set", "onboard", "batch", "batch-submit"), 3),
    ),
    SystemFault("locale C", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    SystemFault("unknown locale", env={"LC_ALL": "xx_YY.KOI-42", "TZ": "Nowhere/Else", "TERM": "what-is-that"}),
    SystemFault("no PATH", env={"PATH": None}),
    SystemFault("odd size", env={"COLUMNS": "0", "LINES": "-1"}),
    SystemFault("narrow", env={"COLUMNS": "1"}),
)


def outcomes(
    chosen: tuple[Way, ...],
    fault: SystemFault,
    files: Mapping[str, str],
    folder: Path,
    env: Mapping[str, str],
    *,
    before: tuple[str, ...] = (),
) -> dict[str, dict[str, Any]]:
    """What became of each way under a fault."""
    order = folder / "order.json"
    commands = [{"argv": way.argv(files), "input": way.input.decode()} for way in chosen]
    order.write_text(json.dumps({"fault": dict(fault.system), "commands": commands}))
    environ = changed({**os.environ, "PYTHONPATH": str(ROOT), **env}, fault.env)
    done = subprocess.run(
        [*before, sys.executable, str(DRIVER), str(order)], capture_output=True, env=environ, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return dict(zip([way.name for way in chosen], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_of_the_system(
    fault: SystemFault, server: ScriptedServer, way_files: dict[str, str], tmp_path: Path
) -> None:
    """No command loses its exit code, and none answers with a traceback."""
    found: dict[str, dict[str, Any]] = {}
    for provider in ("zai", "zai-coding", "zhipu"):
        chosen = tuple(way for way in WAYS if way.provider == provider)
        key = {chosen[0].variable: server.keys[provider]}
        found |= outcomes(chosen, fault, way_files, tmp_path, key)
    assert _wrong(found, fault.otherwise) == {}


def _wrong(found: Mapping[str, dict[str, Any]], otherwise: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    return {
        name: outcome
        for name, outcome in found.items()
        if outcome["exit_code"] != otherwise.get(name, 0)
        or "Traceback" in outcome["stderr"]
        or "unexpected" in outcome["stderr"]
    }


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every user may read, with a recording in it; we stand there."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "home").mkdir(0o755)
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_a_home_that_may_only_be_read(server: ScriptedServer, open_folder: Path) -> None:
    """As in a read-only image: answers come, what cannot be kept is told once, settings are refused with 3."""
    files = make_files(open_folder)
    env = {"ZAI_API_KEY": server.keys["zai"], "HOME": "/", "GLM_HOME": str(open_folder / "home")}
    (open_folder / "home").chmod(0o555)
    # Root is stopped by modes when it lacks one capability.
    fault = SystemFault("reader", env=env)
    chosen = tuple(way for way in WAYS if way.provider == "zai")

    found = outcomes(chosen, fault, files, open_folder, {}, before=("setpriv", "--bounding-set", "-dac_override"))

    assert _wrong(found, dict.fromkeys(("config-set", "onboard", "batch"), 3)) == {}
    assert found["chat"]["stdout"].strip()
    assert found["chat"]["stderr"].count("not kept") == 1
    assert list((open_folder / "home").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root can mount a small disk")
def test_a_full_disk(server: ScriptedServer, open_folder: Path) -> None:
    """Answers come, settings are refused with 3, and the file that was there is whole."""
    home = open_folder / "home"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", home], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        (home / "config.toml").write_text("version = 1\n")
        _fill(home / "ballast")
        files = make_files(open_folder)
        chosen = tuple(way for way in WAYS if way.provider == "zai")
        env = {"ZAI_API_KEY": server.keys["zai"], "GLM_HOME": str(home)}

        found = outcomes(chosen, SystemFault("full"), files, open_folder, env)

        assert _wrong(found, _HOME_IS_FULL) == {}
        assert (home / "config.toml").read_text() == "version = 1\n"
    finally:
        subprocess.run(["umount", "-l", home], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


HANGING = """
import time
from keyring.backend import KeyringBackend
class Keyring(KeyringBackend):
    priority = 9
    def get_password(self, service, user):
        time.sleep(60)
    set_password = delete_password = get_password
"""


def test_a_keyring_that_hangs(glm_process: GlmProcess, home: Path, tmp_path: Path) -> None:
    """A prompt that nobody sees costs seconds, and ends with exit 3 and a way out."""
    (tmp_path / "hanging.py").write_text(HANGING)
    home.mkdir()
    (home / "config.toml").write_text('[profiles.a]\nprovider = "zai"\nkey = "keyring"\n')
    env = {"PYTHON_KEYRING_BACKEND": "hanging.Keyring", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}

    result = glm_process("-p", "a", "chat", "hi", env=env, timeout_seconds=20)

    assert (result.exit_code, result.stdout) == (3, "")
    assert "the keyring did not answer within 3 seconds" in result.stderr
    assert "--store file" in result.stderr


def test_line_ends_of_windows(glm: Glm, server: ScriptedServer, home: Path, tmp_path: Path) -> None:
    """CRLF in every file and stream that is read: same meaning, and a prompt is passed on as it is."""
    home.mkdir(mode=0o700)
    key = server.keys["zai"]
    files = {
        home / "config.toml": 'version = 1\n[profiles.w]\nprovider = "zai"\nkey = "file"\nmodel = "glm-5.3"\n',
        home / "credentials.toml": f'version = 1\n[keys]\nw = "{key}"\n',
        tmp_path / "work" / ".glm.toml": 'profile = "w"\n[chat]\nsystem = "Be brief."\n',
        tmp_path / "work" / "some.env": "# nothing\nGLM_MAX_RETRIES=0\n",
    }
    for path, text in files.items():
        path.write_bytes(text.replace("\n", "\r\n").encode())
        path.chmod(0o600)

    result = glm("--env-file", "some.env", "chat", input="one\r\ntwo\r\n", env={"ZAI_API_KEY": None})

    assert (result.exit_code, result.stderr) == (0, "")
    system, user = server.last.json["messages"]
    assert (system["content"], user["content"].rstrip()) == ("Be brief.", "one\r\ntwo")
    for input in (f"{key}\r\n", f"\ufeff{key}\r\n"):
        assert glm("--key-stdin", "--provider", "zai", "models", "--remote", input=input).exit_code == 0


@pytest.mark.parametrize("utf8", ["0", "1"])
def test_words_beyond_ascii_in_the_locale_c(glm_process: GlmProcess, server: ScriptedServer, utf8: str) -> None:
    """What is typed arrives as it was typed, and the answer comes back whole."""
    env = {"LC_ALL": "C", "PYTHONUTF8": utf8, "PYTHONCOERCECLOCALE": "0"}
    result = glm_process("stream", "天气 héllo 🦊", env=env)
    assert (result.exit_code, result.stderr) == (0, "")
    assert server.last.json["messages"][-1]["content"] == "天气 héllo 🦊"
    assert "天气.wav" in glm_process("transcribe", "天气.wav", env=env).stderr


def test_half_a_character_is_valid_json_on_the_wire(glm: Glm, server: ScriptedServer) -> None:
    """Bytes that are no UTF-8, or half of a surrogate pair, leave as an escape, and no file stumbles over them."""
    result = glm("chat", "torn \udcff \ud83d", "--system", "\udcfe")
    assert result.exit_code == 0
    assert server.last.body.decode("utf-8").count("\\ud") == 3
    assert glm("history", "show", "last").exit_code == 0
    assert glm("history", "search", "torn").stdout.count("torn") >= 1
    assert glm("history", "export", "--all", "--format", "json").exit_code == 0

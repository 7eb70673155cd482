"""What a command asks of the system, counted by strace: no clock is read, and a slow machine cannot fail them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness import ScriptedServer


def _is_traceable() -> bool:
    """Whether there is a strace, and a system that lets it trace."""
    return (
        shutil.which("strace") is not None
        and subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"]).returncode == 0
    )


pytestmark = pytest.mark.skipif(not _is_traceable(), reason="needs a strace that may trace")

#: The launcher that pip writes, without a file of its own.
GLM = (sys.executable, "-c", "import sys; sys.argv[0] = 'glm'; from glmcli.__main__ import main; main()")
BARE = (sys.executable, "-c", "pass")
#: Calls that take a path or open one.
FILES = {"access", "faccessat2", "lstat", "newfstatat", "open", "openat", "readlink", "stat"}
PROCESSES = {"execve", "execveat", "fork", "vfork"}
#: Above those of the bare interpreter: 2,027 when this was written, nearly all of them to find modules.
FILES_BEFORE_A_REQUEST = 2_250
CHUNKS = 2_000
_DELTA = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
_END = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
SHORT, LONG = (_DELTA * count + _END for count in (1, CHUNKS))
SSE = {"Content-Type": "text/event-stream"}
_CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)(.*)$", re.MULTILINE)


class SystemCall(NamedTuple):
    """One line of strace."""

    name: str
    rest: str


def _calls(tmp_path: Path, *command: str) -> list[SystemCall]:
    """The system calls of a command and its threads, in order; a first run writes what is kept (byte code, history)."""
    log = tmp_path / "strace"
    for traced in ([], ["strace", "-f", "-qq", "-s", "24", "-o", str(log)]):
        subprocess.run([*traced, *command], check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    return [SystemCall(*found) for found in _CALL.findall(log.read_text()) if not found[1].startswith(" resumed>")]


def _files(calls: list[SystemCall]) -> int:
    return sum(call.name in FILES for call in calls)


def _started(calls: list[SystemCall]) -> list[SystemCall]:
    """Programs and processes that were started; a thread is neither."""
    started = [call for call in calls if call.name in PROCESSES]
    return started + [call for call in calls if call.name.startswith("clone") and "CLONE_THREAD" not in call.rest]


def _until_the_request(calls: list[SystemCall]) -> list[SystemCall]:
    last = max(index for index, call in enumerate(calls) if call.name in ("sendto", "sendmsg"))
    return calls[: last + 1]


@pytest.mark.parametrize(
    ("argv", "more"), [(["--version"], 50), (["--help"], 60), (["chat", "--help"], 80)], ids=["version", "help", "page"]
)
def test_what_asks_nobody_touches_few_files(tmp_path: Path, argv: list[str], more: int) -> None:
    """A handful of modules above the bare interpreter; no network, no other program."""
    bare = _calls(tmp_path, *BARE)
    calls = _calls(tmp_path, *GLM, *argv)

    assert _files(calls) <= _files(bare) + more
    assert not [call for call in calls if call.name in ("socket", "connect")]
    assert len(_started(calls)) == 1, _started(calls)


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_a_question_goes_to_its_server_alone(tmp_path: Path, server: ScriptedServer, command: str) -> None:
    """One connection, to the provider; no name service, no bus, no program beside."""
    port = server.address.rpartition(":")[2]

    calls = _calls(tmp_path, *GLM, command, "hi")

    connected = [call.rest for call in calls if call.name == "connect"]
    assert len(connected) == 1
    assert f"sin_port=htons({port})" in connected[0]
    assert len(_started(calls)) == 1, _started(calls)


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_a_request_leaves_before_many_files_are_touched(tmp_path: Path, server: ScriptedServer, command: str) -> None:
    """Each module that is imported on the way costs about eight calls: this holds their number."""
    bare = _files(_calls(tmp_path, *BARE))

    before = _until_the_request(_calls(tmp_path, *GLM, command, "hi"))

    assert _files(before) <= bare + FILES_BEFORE_A_REQUEST


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_a_long_answer_is_written_as_it_is_read(tmp_path: Path, server: ScriptedServer, command: str) -> None:
    """Not a write per chunk: as many as the reads of the network, and the end of the line."""
    server.script("POST", "/chat/completions", body=SHORT, headers=SSE)
    server.script("POST", "/chat/completions", body=LONG, headers=SSE)

    calls = _calls(tmp_path, *GLM, command, "hi")

    reads = sum(call.name == "recvfrom" for call in calls)
    writes = sum(call.name == "write" and call.rest.startswith("(1,") for call in calls)
    assert writes <= reads + 2 < CHUNKS / 5

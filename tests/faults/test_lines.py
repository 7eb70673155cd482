"""Faults of the line, crossed with every command that asks the service."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from glmcli.api import client, sse, streaming
from glmcli.api.resources import files
from tests.faults.conftest import at, remember
from tests.faults.lines import HELLO, STREAM, LineFault, endless_faults, line_faults, stream_faults
from tests.faults.ways import ONLINE, STREAMED, Way, each
from tests.harness import Glm, GlmProcess, Result
from tests.raw_server import RawServer, response

QUICK = ("--max-retries", "0", "--timeout", "0.5")


def told(result: Result, exit_code: int, words: str) -> None:
    """A failure is one clear line: no traceback, no unexpected exception, no second failure."""
    assert (result.exit_code, result.stderr) == (exit_code, result.stderr)
    assert "Traceback" not in result.stderr
    assert "unexpected" not in result.stderr
    assert words in result.stderr
    failures = [line for line in result.stderr.splitlines() if line.startswith(("glm: ", "glm ", '{"error"'))]
    assert len(failures) == 1, result.stderr


def survived(result: Result, way: Way) -> None:
    """A failure, however it is told: no traceback, no unexpected exception, a documented exit code."""
    assert result.exit_code in (1, 3, 4, 5, 6, 8) or (way.may_succeed and result.exit_code == 0), result
    assert b"Traceback" not in result.stderr.encode() + result.stdout_bytes
    assert b"unexpected" not in result.stderr.encode() + result.stdout_bytes


def reported(result: Result, exit_code: int, words: str) -> None:
    """A failure in the words of a report: the exit code of the fault, which is named somewhere."""
    kept = b"".join(path.read_bytes() for path in Path().glob("*.failed.jsonl"))
    output = (result.stdout_bytes + result.stderr.encode() + kept).decode("utf-8", "replace")
    assert (result.exit_code, output) == (exit_code, output)
    assert "Traceback" not in output
    assert "unexpected" not in output
    assert exit_code == 0 or words in output, output


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize("fault", list(line_faults()), ids=lambda fault: fault.name)
@each(*ONLINE)
def test_a_fault_of_the_line(glm: Glm, way: Way, fault: LineFault, way_files: dict[str, str], home: Path) -> None:
    """Every command survives every answer: one line, the documented exit code, nothing on stdout."""
    with RawServer([fault.answer]) as server:
        remember(way, home, server.address)
        result = glm(*way.argv(way_files, *QUICK), env=at(server.address))
    exit_code = way.exit_code(fault.name, fault.streamed if way.is_streamed else fault.whole)
    words = way.instead if fault.told == "not JSON" else fault.told
    if way.is_report:
        reported(result, exit_code, words)
    elif exit_code:
        told(result, exit_code, words)
        assert result.stdout == ""
    else:
        assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize("fault", list(stream_faults()), ids=lambda fault: fault.name)
@each(*STREAMED)
def test_a_fault_in_the_middle_of_a_stream(glm: Glm, way: Way, fault: LineFault, way_files: dict[str, str]) -> None:
    """What came before the fault is printed, and the fault is told."""
    with RawServer([fault.answer]) as server:
        result = glm(*way.argv(way_files, *QUICK), env=at(server.address))
    told(result, fault.streamed, fault.told)
    if way.name in ("chat", "stream", "stream-json"):
        assert "Hello" in result.stdout
    assert result.stdout.count("\n") <= 4


@pytest.mark.usefixtures("keyed")
def test_what_follows_the_end_of_a_stream_is_not_read(glm: Glm) -> None:
    """A second [DONE], and whatever stands behind it, changes nothing."""
    with RawServer([response(HELLO + b"data: [DONE]\n\ndata: [DONE]\n\ndata: {broken\n\n", *STREAM)]) as server:
        result = glm("stream", "hi", env=at(server.address))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Hello", "")


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize("fault", list(endless_faults()), ids=lambda fault: fault.name)
@each(*ONLINE)
def test_an_answer_without_an_end_is_given_up(
    glm: Glm, way: Way, fault: LineFault, way_files: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much a server sends, a bounded part of it is read."""
    if way.name == "api":
        pytest.skip("passed on for as long as they come, as by curl; test_memory proves that nothing is kept")
    for module, name in ((streaming, "MAX_STREAM_BYTES"), (streaming, "MAX_WHOLE_BYTES"), (client, "MAX_REPLY_BYTES")):
        monkeypatch.setattr(module, name, 4 << 20)
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 2 << 20)
    monkeypatch.setattr(files, "MAX_CONTENT_BYTES", 4 << 20)
    with RawServer([fault.answer]) as server:
        remember(way, home, server.address)
        result = glm(*way.argv(way_files, *QUICK), env=at(server.address))
    survived(result, way)
    assert len(result.stdout_bytes) < 8 << 20


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize("command", ["chat", "stream"])
def test_an_endless_stream_can_be_stopped(glm_process: GlmProcess, command: str) -> None:
    """Ctrl-C ends it with 130, with what came on stdout."""
    [fault] = [each for each in endless_faults() if each.name == "endless events"]
    with RawServer([fault.answer]) as server:
        process = glm_process.start(command, "hi", env=at(server.address), stdin=subprocess.DEVNULL)
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.read(1000).startswith(b"HelloHello")
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            told = process.stderr.read().decode()
    assert process.returncode == 130
    assert b"Hello" in rest or rest == b""
    assert "Traceback" not in told


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.usefixtures("keyed")
def test_an_endless_stream_ends_with_its_reader(glm_process: GlmProcess) -> None:
    """`glm stream ... | head -c 100` returns, quietly and with success."""
    [fault] = [each for each in endless_faults() if each.name == "endless events"]
    with RawServer([fault.answer]) as server:
        process = glm_process.start("stream", "hi", env=at(server.address), stdin=subprocess.DEVNULL)
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(100)
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(timeout=20) == 0

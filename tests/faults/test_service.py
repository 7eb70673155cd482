"""Refusals of the service, crossed with every command that asks it."""

from __future__ import annotations

import pytest

from glmcli import codes
from glmcli.codes import CodeEntry
from tests.faults.conftest import Ready
from tests.faults.ways import CODED, Way, each
from tests.harness import Glm, Result, ScriptedServer

TABLE = {**codes.CODES, **codes.GATEWAY_CODES}
RETRIED = [code for code, entry in codes.CODES.items() if entry.retryable]
FINAL = ["1113", "1308", "1309", "1310", "1311", "1313", "1314", "1315", *map(str, range(1316, 1322))]


@each(*CODED)
def test_every_code_has_its_exit_code(
    glm: Glm, server: ScriptedServer, way: Way, way_files: dict[str, str], ready: Ready
) -> None:
    """Whatever the command, a code is told by its row of the table: exit code, code and advice."""
    ready(way)
    wrong = [
        (code, result)
        for code, entry in TABLE.items()
        if not _is_told(result := _refused(glm, server, way, way_files, code), code, entry)
    ]
    assert wrong == []


def _refused(glm: Glm, server: ScriptedServer, way: Way, files: dict[str, str], code: str) -> Result:
    server.sandbox.fault = code
    return _asked(glm, server, way, files, "--max-retries", "0", "--json")


def _asked(glm: Glm, server: ScriptedServer, way: Way, files: dict[str, str], *more: str) -> Result:
    return glm(*way.argv(files, *more), env={way.variable: server.keys[way.provider]})


def _is_told(result: Result, code: str, entry: CodeEntry) -> bool:
    error = result.error
    return (
        result.exit_code == entry.exit_code
        and error["code"] == code
        and error["retryable"] == entry.retryable
        and bool(error["message"])
        and "Traceback" not in result.stderr
        and result.stdout == ""
    )


@each(*CODED)
@pytest.mark.parametrize("code", FINAL)
def test_what_no_retry_can_mend_is_asked_once(
    glm: Glm, server: ScriptedServer, way: Way, way_files: dict[str, str], code: str, ready: Ready, slept: list[float]
) -> None:
    """Balance, plan and window are refused once; more requests would be a storm."""
    ready(way)
    server.sandbox.fault = code
    _asked(glm, server, way, way_files, "--max-retries", "5")
    assert (len({request.path for request in server.requests}), slept) == (len(server.requests), [])


@each(*CODED)
@pytest.mark.parametrize("fault", ["1302x2", "1305+retry-afterx2", "htmlx2", "500x2"])
def test_what_passes_is_waited_for(
    glm: Glm, server: ScriptedServer, way: Way, way_files: dict[str, str], fault: str, ready: Ready, slept: list[float]
) -> None:
    """Two refusals and an answer: success, two waits, each told on stderr, Retry-After obeyed."""
    if way.is_paid and fault[0] not in "1":
        pytest.skip("its outcome is unknown: it is not repeated")
    ready(way)
    server.sandbox.fault = fault
    result = _asked(glm, server, way, way_files, "--max-retries", "2")
    assert result.exit_code == 0
    assert len(slept) >= 2  # a picture is fetched afterwards, and that may be repeated as well
    assert result.stderr.count("trying again in") >= 2
    assert all(1 <= seconds <= 1.5 for seconds in slept[:2] if "retry-after" in fault)
    assert all(0 <= seconds <= 1.5 for seconds in slept)


@each(*CODED)
def test_retries_end(
    glm: Glm, server: ScriptedServer, way: Way, way_files: dict[str, str], ready: Ready, slept: list[float]
) -> None:
    """`--max-retries N` means N + 1 requests."""
    ready(way)
    server.sandbox.fault = "1302"
    result = _asked(glm, server, way, way_files, "--max-retries", "3")
    assert (result.exit_code, len(server.requests), len(slept)) == (6, 4, 3)

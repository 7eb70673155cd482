"""`glm sandbox serve` and `faults`, as a script uses them."""

from __future__ import annotations

import json
import signal
import sys
from http.client import HTTPConnection
from typing import Any

import pytest

from glmcli.codes import CODES
from glmcli.sandbox.accounts import ACCOUNTS

pytestmark = pytest.mark.shows_key


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are those of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_until_it_is_told_to_end(glm_process: Any, number: signal.Signals) -> None:
    """One line of JSON says where and with which keys; the asked-for end is no failure."""
    process = glm_process.start("sandbox", "serve", "--port", "0", "--json", "-v")
    facts = json.loads(process.stdout.readline())
    connection = HTTPConnection(facts["address"].removeprefix("http://"), timeout=20)
    connection.request("GET", "/api/paas/v4/models", headers={"Authorization": f"Bearer {facts['keys']['zai']}"})
    status = connection.getresponse().status
    connection.close()

    process.send_signal(number)
    out, err = process.communicate(timeout=20)

    assert (status, process.returncode, out) == (200, 0, b"")
    assert b"GET /api/paas/v4/models 200" in err


def test_serve_prints_what_a_shell_can_take_over(glm_process: Any) -> None:
    """Everything but comments is an export, for glm, OpenAI and Anthropic clients."""
    process = glm_process.start("sandbox", "serve", "--region", "cn")
    lines = [process.stdout.readline().decode() for _ in range(10)]
    process.terminate()
    process.communicate(timeout=20)

    text = "".join(lines)
    assert all(line.startswith(("#", "export ")) for line in lines)
    for name in ("GLM_ORIGIN_CN", "ZHIPU_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_AUTH_TOKEN"):
        assert f"{name}=" in text
    assert ACCOUNTS["zai"].key not in text
    assert ACCOUNTS["zhipu"].key in text


@pytest.mark.parametrize(
    ("argv", "exit_code", "words"),
    [
        pytest.param(("--host", "0.0.0.0"), 2, "0.0.0.0", id="every address"),
        pytest.param(("--host", "192.168.1.2"), 2, "192.168.1.2", id="an address of the network"),
        pytest.param(("--port", "70000"), 2, "70000", id="port"),
        pytest.param(("--region", "mars"), 2, "mars", id="region"),
        pytest.param(("--fault", "nonsense"), 2, "glm sandbox faults", id="fault"),
    ],
)
def test_serve_refuses_what_it_cannot_do(glm: Any, argv: tuple[str, ...], exit_code: int, words: str) -> None:
    """The key of a stranger's sandbox is worthless, but its port need not be open."""
    result = glm("sandbox", "serve", *argv)

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert words in result.stderr


def test_a_port_in_use_is_named(glm: Any, server: Any) -> None:
    """With what helps."""
    port = server.address.rpartition(":")[2]

    result = glm("sandbox", "serve", "--port", port)

    assert result.exit_code == 1
    assert port in result.stderr
    assert "--port 0" in result.stderr


def test_faults_lists_every_code(glm: Any) -> None:
    """As lines, and as JSON."""
    lines = glm("sandbox", "faults").stdout.splitlines()
    listed = glm("sandbox", "faults", "--json").json

    names = [line.split()[0] for line in lines]
    assert names == [fault["name"] for fault in listed]
    assert set(CODES) < set(names)
    assert "utf8" in names


def test_the_sandbox_answers_a_chat_in_process(glm: Any) -> None:
    """No key, no port, no network."""
    result = glm("--provider", "sandbox", "chat", "echo: 你好")

    assert (result.exit_code, result.stdout) == (0, "你好\n")


def test_faults_reach_a_chat_in_process(glm: Any) -> None:
    """By the environment, too."""
    result = glm("--provider", "sandbox", "chat", "hi", env={"GLM_SANDBOX_FAULT": "1113"})

    assert result.exit_code == 5
    assert "1113" in result.stderr


def test_a_stall_in_process_ends_with_the_time_out(glm: Any) -> None:
    """There is no socket to time out; the sandbox ends the silence itself. What came is kept."""
    result = glm("--provider", "sandbox", "--timeout", "0.1", "stream", "hi", env={"GLM_SANDBOX_FAULT": "stall"})

    assert result.exit_code == 8
    assert result.stdout.startswith("## An answer")

"""The way out at the end of a command that was refused: 1113, 1309, 1311 and a refused key."""

from __future__ import annotations

from pathlib import Path

import pytest

from glmcli.sandbox.app import Sandbox
from tests.harness import Glm, ScriptedServer

ANSWER = "from the sandbox"
NOT_A_KEY = "0" * 32 + ".0123456789abcdef"
QUOTA = "/api/monitor/usage/quota/limit"
CHAT, CODING = "/api/paas/v4/chat/completions", "/api/coding/paas/v4/chat/completions"


def _asked(server: ScriptedServer) -> list[str]:
    return [request.path for request in server.requests]


@pytest.mark.parametrize(
    ("account", "variable", "model", "exit_code", "verdict", "command"),
    [
        pytest.param(
            "zai-coding", "ZAI_API_KEY", None, 5, "plan_key_on_general", 'glm chat --provider zai-coding "hello"',
            id="1113: plan key on the general endpoint",
        ),
        pytest.param(
            "zai-empty", "ZAI_API_KEY", None, 5, "no_balance", "glm doctor --provider zai --probe",
            id="1113: no balance",
        ),
        pytest.param(
            "zai", "ZAI_CODING_API_KEY", None, 5, "no_plan",
            'glm chat --provider zai --key-env ZAI_CODING_API_KEY "hello"',
            id="1113: metered key on the coding endpoint",
        ),
        pytest.param(
            "zai-coding", "ZAI_CODING_API_KEY", "glm-4.7-flashx", 5, "model_not_included",
            "glm models --provider zai-coding", id="1113: model outside the plan",
        ),
        pytest.param(
            "zai-coding", "ZAI_CODING_API_KEY", "glm-4.6v", 5, "model_not_included",
            "glm models --provider zai-coding", id="1311",
        ),
        pytest.param(
            "zai-plan-expired", "ZAI_CODING_API_KEY", None, 5, "plan_expired",
            'glm chat --provider zai --key-env ZAI_CODING_API_KEY "hello"', id="1309",
        ),
        pytest.param("nobody", "ZAI_API_KEY", None, 4, "key_refused", "glm onboard", id="401"),
    ],
)  # fmt: skip
def test_a_refusal_ends_with_its_way_out(
    glm: Glm,
    server: ScriptedServer,
    account: str,
    variable: str,
    model: str | None,
    exit_code: int,
    verdict: str,
    command: str,
) -> None:
    """By the words of `glm doctor`, with one command that a shell can run."""
    env = {"ZAI_API_KEY": None, variable: server.keys.get(account, NOT_A_KEY)}
    argv = ["chat", "hi", *(["-m", model] if model else [])]
    shown = glm(*argv, env=env)
    assert (exit_code, "") == (shown.exit_code, shown.stdout)
    assert shown.stderr.splitlines()[-1] == f"  {command}"
    error = glm(*argv, "--json", env=env).error
    assert (error["diagnosis"]["verdict"], error["diagnosis"]["command"]) == (verdict, command)
    assert error["hint"].endswith(command)


def test_the_command_that_is_told_works(glm: Glm, server: ScriptedServer) -> None:
    """As it stands, with the same environment."""
    env = {"ZAI_API_KEY": None, "ZAI_CODING_API_KEY": server.keys["zai"]}
    command = glm("chat", "hi", "--json", env=env).error["diagnosis"]["command"]
    result = glm(*command.replace('"', "").split()[1:], env=env)
    assert (result.exit_code, ANSWER in result.stdout) == (0, True)


def test_only_the_own_region_is_asked_and_only_for_free(glm: Glm, server: ScriptedServer) -> None:
    """One failed request, one question about the plan, one list of models."""
    glm("chat", "hi", "--provider", "zai-coding", env={"ZAI_CODING_API_KEY": server.keys["zai"]})
    assert _asked(server) == [CODING, QUOTA, "/api/paas/v4/models"]


def test_the_advice_speaks_chinese(glm: Glm, server: ScriptedServer) -> None:
    """The command stays as it is."""
    env = {"ZAI_API_KEY": server.keys["zai-coding"], "GLM_LANG": "zh"}
    *_, meaning, command = glm("chat", "hi", env=env).stderr.splitlines()
    assert "套餐" in meaning
    assert command == '  glm chat --provider zai-coding "hello"'


def test_where_a_refused_key_came_from_is_told(glm: Glm, server: ScriptedServer) -> None:
    """Most often it is another one than the user thinks."""
    result = glm("chat", "hi", env={"ZAI_API_KEY": NOT_A_KEY})
    assert "The key came from: variable ZAI_API_KEY." in result.stderr
    assert _asked(server) == [CHAT]


def test_what_no_plan_pays_is_not_sent_to_the_other_endpoint(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """Speech is charged to the balance, whatever the key: another provider would not help."""
    import wave

    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\x10\x20" * 16000)
    for env in ({"ZAI_API_KEY": server.keys["zai-coding"]}, {"ZAI_CODING_API_KEY": server.keys["zai-coding"]}):
        provider = "zai" if "ZAI_API_KEY" in env else "zai-coding"
        argv = ["transcribe", str(tmp_path / "a.wav"), "--provider", provider]
        result = glm(*argv, env=env, tty=True, input="y\n")
        assert result.exit_code == 5
        assert "The Coding Plan does not cover audio" in result.stderr
        assert "Try again" not in result.stderr


@pytest.mark.parametrize(("code", "status"), [("1302", 429), ("1308", 429), ("1211", 400), ("1301", 400), ("500", 500)])
def test_other_refusals_are_told_as_they_are(glm: Glm, server: ScriptedServer, code: str, status: int) -> None:
    """Nobody is asked about them."""
    server.script("POST", CHAT, status=status, json={"error": {"code": code, "message": "no"}})
    error = glm("chat", "hi", "--max-retries", "0", "--json").error
    assert "diagnosis" not in error
    assert _asked(server) == [CHAT]


def test_a_diagnosis_that_fails_is_silent(glm: Glm, server: ScriptedServer) -> None:
    """The failure itself is told all the same, and the exit code stays."""
    server.script("GET", QUOTA, status=500, body=b"<html>oops")
    result = glm("chat", "hi", env={"ZAI_API_KEY": server.keys["zai-coding"]})
    assert result.exit_code == 5
    assert "1113" in result.stderr
    assert "oops" not in result.stderr


@pytest.mark.parametrize("argv", [["--dry-run"], ["--provider", "sandbox"]], ids=["dry run", "sandbox"])
def test_nothing_is_asked_where_nothing_was_sent(glm: Glm, server: ScriptedServer, argv: list[str]) -> None:
    """A dry run sends nothing; the sandbox is no account."""
    glm("chat", "hi", *argv, env={"ZAI_API_KEY": server.keys["zai-coding"], "GLM_SANDBOX_FAULT": "1113"})
    assert _asked(server) == []


def test_a_custom_endpoint_gets_no_advice_of_the_vendor(glm: Glm, server: ScriptedServer) -> None:
    """What a code means there, nobody here knows."""
    env = {"GLM_API_KEY": server.keys["zai-coding"], "GLM_MODEL": "glm-5.3"}
    result = glm("chat", "hi", "--base-url", f"{server.address}/api/paas/v4", "--json", env=env)
    assert "diagnosis" not in result.error
    assert len(server.requests) == 1


# -- the second try -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "exit_code", "paths"),
    [
        pytest.param("y\n", 0, [CHAT, QUOTA, CODING], id="yes"),
        pytest.param("\n", 0, [CHAT, QUOTA, CODING], id="enter: the plan is paid already"),
        pytest.param("n\n", 5, [CHAT, QUOTA], id="no"),
        pytest.param("", 5, [CHAT, QUOTA], id="end of input"),
    ],
)
def test_at_a_terminal_the_plan_is_offered(
    glm: Glm, server: ScriptedServer, answer: str, exit_code: int, paths: list[str]
) -> None:
    """The same command, the same key, the endpoint that the plan pays."""
    result = glm("stream", "hi", tty=True, input=answer, env={"ZAI_API_KEY": server.keys["zai-coding"]})
    assert (result.exit_code, _asked(server)) == (exit_code, paths)
    assert (ANSWER in result.stdout) is (exit_code == 0)


def test_the_balance_is_never_the_default(glm: Glm, server: ScriptedServer) -> None:
    """Enter does not spend money."""
    env = {"ZAI_API_KEY": None, "ZAI_CODING_API_KEY": server.keys["zai"]}
    refused = glm("stream", "hi", tty=True, input="\n", env=env)
    assert "which charges the balance? [y/N]" in refused.stderr
    assert refused.exit_code == 5
    assert glm("stream", "hi", tty=True, input="y\n", env=env).exit_code == 0
    assert server.last.path == CHAT


def test_the_key_of_a_profile_is_used_again(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """And the command that makes it last is told."""
    home.mkdir(mode=0o700)
    config, keys = home / "config.toml", home / "credentials.toml"
    config.write_text('version = 1\n[profiles.work]\nprovider = "zai"\nkey = "file"\n')
    keys.write_text(f'version = 1\n[keys]\nwork = "{server.keys["zai-coding"]}"\n')
    for file in (config, keys):
        file.chmod(0o600)
    result = glm("stream", "hi", tty=True, input="y\n", env={"ZAI_API_KEY": None})
    assert (result.exit_code, server.last.path) == (0, CODING)
    command = "glm profile set work provider=zai-coding"
    assert f"to keep it so: {command}" in result.stderr
    assert glm(*command.split()[1:]).exit_code == 0
    assert glm("stream", "hi", env={"ZAI_API_KEY": None}).exit_code == 0


@pytest.mark.parametrize(
    "how",
    [
        {"tty": True, "argv": ["--no-input"]},
        {"tty": True, "argv": ["--json"]},
        {"tty": {"stdout", "stderr"}, "argv": []},
    ],
    ids=["--no-input", "--json", "stdin is a pipe"],
)
def test_nobody_is_asked_where_nobody_answers(glm: Glm, server: ScriptedServer, how: dict[str, list[str]]) -> None:
    """The exit code is that of the refusal."""
    env = {"ZAI_API_KEY": server.keys["zai-coding"]}
    result = glm("stream", "hi", *how["argv"], tty=how["tty"], input="y\n", env=env)
    assert (result.exit_code, "Try again" in result.stderr) == (5, False)


def test_there_is_no_third_try(glm: Glm, sandbox: Sandbox, server: ScriptedServer) -> None:
    """When the other endpoint refuses, too, that is told, and it ends."""
    server.script("POST", CODING, status=429, json={"error": {"code": "1113", "message": "no"}})
    result = glm("stream", "hi", tty=True, input="y\ny\n", env={"ZAI_API_KEY": server.keys["zai-coding"]})
    assert result.exit_code == 5
    assert result.stderr.count("Try again") == 1


def test_a_conversation_tells_it_too_and_asks_once(glm: Glm, server: ScriptedServer) -> None:
    """Every question that is refused ends with the way out; the service is asked about it the first time."""
    env = {"ZAI_API_KEY": server.keys["zai-coding"], "TERM": "dumb"}
    result = glm("chat", tty=True, input="hi\nagain\n", env=env)
    assert result.stderr.count('glm chat --provider zai-coding "hello"') == 2
    assert _asked(server) == [CHAT, QUOTA, CHAT]

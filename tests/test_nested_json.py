"""JSON that is nested deeper than Python reads is no JSON, wherever it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glmcli.api.assignments import parse_assignments
from glmcli.api.resources.chat import ChatRequest
from glmcli.api.resources.mcp import decoded
from glmcli.api.resources.messages import message_body
from glmcli.errors import UsageError
from glmcli.repl.documents import read_transcript
from glmcli.sandbox.app import Sandbox
from glmcli.schema import load_schema, violations
from tests.harness import Glm, ScriptedServer

DEEP = "[" * 100_000


def test_arguments_of_a_call_are_printed_as_they_came(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """The model wrote them; they are no reason to lose its answer."""
    (tmp_path / "tools.json").write_text('{"name": "f"}')
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": DEEP}}
    chunk = {"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    server.script("POST", "/chat/completions", sse=[chunk, "[DONE]"])

    result = glm("chat", "hi", "--tools", str(tmp_path / "tools.json"))

    assert (result.exit_code, result.lines) == (0, [{"id": "c", "name": "f", "arguments": DEEP}])


def test_arguments_go_back_as_text_in_the_other_dialect() -> None:
    """Where they have to be an object."""
    call = {"id": "c", "function": {"name": "f", "arguments": DEEP}}
    body: Any = message_body(ChatRequest("m", [{"role": "assistant", "tool_calls": [call]}]), stream=True)
    assert body["messages"][0]["content"][0]["input"] == {"arguments": DEEP}


def test_an_answer_that_should_be_json_is_wrong() -> None:
    """The model is told why, and asked once more."""
    [reason] = violations({}, DEEP)
    assert reason.startswith("it is not JSON")


def test_a_result_of_an_mcp_server_is_text() -> None:
    """As any other text that is no JSON."""
    assert decoded(DEEP) == DEEP


def test_a_value_on_the_command_line_is_text() -> None:
    """As any other text that is no JSON."""
    assert parse_assignments([f"a={DEEP}"]) == {"a": DEEP}


@pytest.mark.parametrize("read", [load_schema, read_transcript], ids=["schema", "conversation"])
def test_a_file_is_refused(read: Any, tmp_path: Path) -> None:
    """In words."""
    (tmp_path / "deep.json").write_text(DEEP)
    with pytest.raises(UsageError, match="is not JSON"):
        read(tmp_path / "deep.json")


@pytest.mark.parametrize(
    "argv",
    [["tokenize", "--messages", "deep"], ["embed", "--experimental", "--field", "x", "-f", "deep"]],
    ids=["messages", "lines"],
)
def test_a_file_of_a_command_is_refused(glm: Glm, server: ScriptedServer, argv: list[str]) -> None:
    """As wrong usage, before anything is asked."""
    Path("deep").write_text(DEEP)
    result = glm(*argv)
    assert result.exit_code == 2
    assert "is not JSON" in result.stderr


def test_the_sandbox_refuses_it_as_the_service_does(glm: Glm, server: ScriptedServer, sandbox: Sandbox) -> None:
    """With its code for a wrong body."""
    result = glm("api", "POST", "/chat/completions", "--input", "-", "--json", input=DEEP.encode())
    assert result.exit_code == 1
    assert json.loads(result.stderr.splitlines()[-1])["error"]["code"] == "1210"

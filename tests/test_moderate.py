"""`glm moderate`: a verdict on every text, and an exit code for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glmcli.errors import ExitCode
from tests.harness import Glm, ScriptedServer

GOOD, DOUBTFUL, BAD = "a nice day", "[review ads] buy now", "[reject violence] fight"


@pytest.fixture(autouse=True)
def _in_china(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZAI_API_KEY")
    monkeypatch.setenv("ZHIPU_API_KEY", server.keys["zhipu"])


def test_a_line_per_text(glm: Glm, server: ScriptedServer) -> None:
    """Level, kinds and text between tabs, in order."""
    result = glm("moderate", GOOD, DOUBTFUL, BAD)
    assert result.exit_code == 0
    assert result.stdout == f"PASS\t\t{GOOD}\nREVIEW\tads\t{DOUBTFUL}\nREJECT\tviolence\t{BAD}\n"
    assert server.last.json == {"model": "moderation", "input": BAD}
    assert server.last.path == "/api/paas/v4/moderations"


def test_ways_to_write(glm: Glm) -> None:
    """JSON lines, one document, a file, or columns on a terminal."""
    line = {"index": 0, "text": BAD, "risk_level": "REJECT", "risk_types": ["violence"]}
    assert glm("moderate", BAD, "--format", "jsonl").lines == [line]
    assert glm("moderate", BAD, "--json").json == {"schema_version": 1, "results": [line]}
    assert glm("moderate", BAD, tty={"stdout"}).stdout == f"REJECT  violence      {BAD}\n"
    assert glm("moderate", BAD, "-o", "verdicts.jsonl").stdout == "verdicts.jsonl\n"
    assert json.loads(Path("verdicts.jsonl").read_text()) == line


def test_progress_on_a_terminal(glm: Glm) -> None:
    """The line is taken away before a verdict is written."""
    result = glm("moderate", GOOD, DOUBTFUL, tty=True)
    assert "moderating: 0 of 2 texts" in result.stderr
    assert result.stderr.endswith("\r\x1b[K")


def test_json_lines_keep_their_fields(glm: Glm) -> None:
    """The object of a line comes back with its verdict."""
    lines = glm("moderate", "--field", "body", "--format", "jsonl", input='{"id": 1, "body": "hi"}\n').lines
    assert lines == [{"id": 1, "body": "hi", "risk_level": "PASS", "risk_types": []}]


@pytest.mark.parametrize(
    ("texts", "fail_on", "code"),
    [
        ([GOOD], "review", ExitCode.OK),
        ([GOOD, DOUBTFUL], "review", ExitCode.CONTENT),
        ([GOOD, DOUBTFUL], "reject", ExitCode.OK),
        ([BAD, GOOD], "reject", ExitCode.CONTENT),
        ([BAD], None, ExitCode.OK),
    ],
    ids=["clean", "review", "below", "reject", "unasked"],
)
@pytest.mark.parametrize("manner", [[], ["--json"]], ids=["tabs", "json"])
def test_an_exit_code_for_scripts(
    glm: Glm, texts: list[str], fail_on: str | None, code: ExitCode, manner: list[str]
) -> None:
    """The verdicts are written all the same."""
    result = glm("moderate", *texts, *(["--fail-on", fail_on] if fail_on else []), *manner)
    assert result.exit_code == code
    assert all(text in result.stdout for text in texts)


def test_a_long_text_is_judged_by_its_parts(glm: Glm, server: ScriptedServer) -> None:
    """The gravest part decides, and every kind is named."""
    text = f"{DOUBTFUL}. " + "All is well. " * 300 + f"{BAD}. " + "Good night. " * 100
    found = glm("moderate", text, "--json").json["results"]
    assert [(each["risk_level"], each["risk_types"]) for each in found] == [("REJECT", ["ads", "violence"])]
    assert len(server.requests) > 2
    assert all(len(request.json["input"]) <= 2000 for request in server.requests)


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([{"content_type": "text", "risk_level": "HIGH", "risk_type": ["x"]}], ExitCode.CONTENT),
        ([{"content_type": "text", "risk_level": "pass"}], ExitCode.OK),
        ([{"content_type": "text", "risk_level": "REVIEW", "risk_type": "ads"}], ExitCode.OK),
        ([], ExitCode.FAILED),
        ([{"content_type": "text"}], ExitCode.FAILED),
    ],
    ids=["a new word", "lower case", "one kind as text", "empty", "no level"],
)
def test_what_an_answer_may_hold(glm: Glm, server: ScriptedServer, results: object, code: ExitCode) -> None:
    """An unknown level is the gravest, and an answer without one lets nothing pass."""
    server.script("POST", "/moderations", json={"result_list": results})
    assert glm("moderate", "hi", "--fail-on", "reject").exit_code == code


def test_other_region(glm: Glm, server: ScriptedServer) -> None:
    """Z.AI documents no such path."""
    result = glm("moderate", "hi", env={"ZHIPU_API_KEY": None, "ZAI_API_KEY": server.keys["zai"]})
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "moderation is documented for Zhipu (BigModel) alone" in result.stderr


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": "moderation"}, "1213"),
        ({"model": "other", "input": "a"}, "1211"),
        ({"model": "moderation", "input": "a" * 2001}, "1214"),
        ({"model": "moderation", "input": [{"type": "smell"}]}, "1214"),
        ({"model": "moderation", "input": "a", "colour": 1}, "1210"),
    ],
    ids=["no input", "model", "too long", "kind", "unknown field"],
)
def test_the_sandbox_is_strict(glm: Glm, body: dict[str, object], code: str) -> None:
    """As the documents of the service are."""
    result = glm("api", "POST", "/moderations", "--input", "-", "--json", input=json.dumps(body))
    assert result.error["code"] == code

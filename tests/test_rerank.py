"""`glm rerank`: the best answer first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glmcli.errors import ExitCode
from tests.harness import Glm, ScriptedServer

TEXTS = ("bonds fell today", "cats see in the dark", "dogs see less")


@pytest.fixture(autouse=True)
def _in_china(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZAI_API_KEY")
    monkeypatch.setenv("ZHIPU_API_KEY", server.keys["zhipu"])


def test_the_best_first(glm: Glm, server: ScriptedServer) -> None:
    """Score, number and text between tabs."""
    result = glm("rerank", "what do cats see?", *TEXTS)
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[1:] for row in rows] == [["1", TEXTS[1]], ["2", TEXTS[2]], ["0", TEXTS[0]]]
    assert float(rows[0][0]) > float(rows[1][0]) > float(rows[2][0])
    assert server.last.json == {"model": "rerank", "query": "what do cats see?", "documents": list(TEXTS)}
    assert server.last.path == "/api/paas/v4/rerank"


def test_ways_to_write(glm: Glm) -> None:
    """Text alone, JSON lines, one document, or a table on a terminal."""
    asked = ("rerank", "cats", *TEXTS, "--top", "1")
    assert glm(*asked, "--format", "text").stdout == f"{TEXTS[1]}\n"
    line = glm(*asked, "--format", "jsonl").lines[0]
    assert (line["index"], line["text"], line["score"] > 0) == (1, TEXTS[1], True)
    found = glm(*asked, "--json").json
    assert (found["schema_version"], found["query"], len(found["results"])) == (1, "cats", 1)
    assert found["usage"]["total_tokens"] > 0
    assert glm(*asked, tty={"stdout"}).stdout.splitlines()[0].split() == ["SCORE", "TEXT"]
    assert glm(*asked, "-o", "best.jsonl").stdout == "best.jsonl\n"
    assert json.loads(Path("best.jsonl").read_text())["index"] == 1


def test_json_lines_keep_their_fields(glm: Glm) -> None:
    """The object of a line comes back with its score."""
    piped = "".join(json.dumps({"id": 10 + number, "body": text}) + "\n" for number, text in enumerate(TEXTS))
    lines = glm("rerank", "cats", "--field", "body", "--format", "jsonl", input=piped).lines
    assert (lines[0]["id"], lines[0]["body"], "score" in lines[0]) == (11, TEXTS[1], True)


def test_more_than_a_request_takes(glm: Glm, server: ScriptedServer) -> None:
    """128 go at a time, and become one order."""
    texts = [f"text {number}" for number in range(300)]
    texts[7], texts[290] = "cats and dogs", "cats"
    result = glm("rerank", "cats", "--top", "2", "--format", "text", input="\n".join(texts))
    assert result.stdout == "cats\ncats and dogs\n"
    assert [len(request.json["documents"]) for request in server.requests] == [128, 128, 44]


def test_raw_scores(glm: Glm, server: ScriptedServer) -> None:
    """Are asked for."""
    glm("rerank", "cats", *TEXTS, "--raw-scores", "--set", "user_id=user-1")
    assert (server.last.json["return_raw_scores"], server.last.json["user_id"]) == (True, "user-1")


@pytest.mark.parametrize(
    "results",
    [[], [{"index": 3, "relevance_score": 1}], [{"index": 0}], [{"relevance_score": 1}]],
    ids=["none", "no such text", "no score", "no index"],
)
def test_scores_of_nothing(glm: Glm, server: ScriptedServer, results: object) -> None:
    """Are a failure, and no file is left."""
    server.script("POST", "/rerank", json={"results": results})
    result = glm("rerank", "cats", *TEXTS, "-o", "best.tsv")
    assert (result.exit_code, list(Path().iterdir())) == (ExitCode.FAILED, [])


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["cats"], "there is no text"),
        (["c" * 4097, "a"], "the question has 4097 characters"),
        (["cats", "a", "d" * 4097], "document 2 has 4097 characters"),
        (["cats", "a", "--format", "npy"], "choose one of tsv, jsonl, text"),
    ],
    ids=["nothing", "question", "document", "format"],
)
def test_refused_before_anything_is_sent(glm: Glm, server: ScriptedServer, argv: list[str], word: str) -> None:
    """By the limits of the service."""
    result = glm("rerank", *argv)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert word in result.stderr


def test_other_region(glm: Glm, server: ScriptedServer) -> None:
    """Z.AI documents no such path."""
    result = glm("rerank", "cats", *TEXTS, env={"ZHIPU_API_KEY": None, "ZAI_API_KEY": server.keys["zai"]})
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "reranking is documented for Zhipu (BigModel) alone" in result.stderr


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": "rerank", "query": "a"}, "1213"),
        ({"model": "other", "query": "a", "documents": ["b"]}, "1211"),
        ({"model": "rerank", "query": "a", "documents": ["b"] * 129}, "1214"),
        ({"model": "rerank", "query": "a", "documents": ["b"], "top_n": -1}, "1214"),
        ({"model": "rerank", "query": "a", "documents": ["b"], "colour": 1}, "1210"),
    ],
    ids=["no documents", "model", "too many", "top", "unknown field"],
)
def test_the_sandbox_is_strict(glm: Glm, body: dict[str, object], code: str) -> None:
    """As the documents of the service are."""
    result = glm("api", "POST", "/rerank", "--input", "-", "--json", input=json.dumps(body))
    assert result.error["code"] == code

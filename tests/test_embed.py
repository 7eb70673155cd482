"""`glm embed`: one vector per text, in order, in the format that the next program reads."""

from __future__ import annotations

import ast
import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from glmcli.api.resources.embeddings import batches
from glmcli.errors import ExitCode, UsageError
from tests.harness import Glm, ScriptedServer


@pytest.fixture(autouse=True)
def _in_china(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZAI_API_KEY")
    monkeypatch.setenv("ZHIPU_API_KEY", server.keys["zhipu"])


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


def read_npy(data: bytes) -> tuple[tuple[int, int], list[tuple[float, ...]]]:
    """Shape and rows, read by the words of NumPy's own description of the format."""
    assert data[:8] == b"\x93NUMPY\x01\x00"
    length = struct.unpack_from("<H", data, 8)[0]
    assert ((10 + length) % 64, data[9 + length : 10 + length]) == (0, b"\n")
    facts = ast.literal_eval(data[10 : 10 + length].decode("latin-1"))
    assert (facts["descr"], facts["fortran_order"]) == ("<f4", False)
    rows, columns = facts["shape"]
    assert len(data) == 10 + length + 4 * rows * columns
    return (rows, columns), list(struct.iter_unpack(f"<{columns}f", data[10 + length :]))


def test_one_line_per_text(glm: Glm, server: ScriptedServer) -> None:
    """Equal texts have equal vectors, kindred ones near ones."""
    result = glm("embed", "the cat sleeps", "the cat eats", "bonds fell today", "the cat sleeps")
    lines = result.lines
    assert result.exit_code == 0
    assert [line["text"] for line in lines] == ["the cat sleeps", "the cat eats", "bonds fell today", "the cat sleeps"]
    assert [line["index"] for line in lines] == [0, 1, 2, 3]
    one, near, far, same = (line["embedding"] for line in lines)
    assert (len(one), one == same) == (2048, True)
    assert cosine(one, near) > 0.5 > 0.2 > cosine(one, far)
    assert server.last.path == "/api/paas/v4/embeddings"
    assert set(server.last.json) == {"model", "input"}


def test_more_than_a_request_takes(glm: Glm, server: ScriptedServer) -> None:
    """64 texts go at a time, and the order is that of the input."""
    Path("texts.txt").write_text("".join(f"text {number}\n" for number in range(150)))
    lines = glm("embed", "-f", "texts.txt", "-d", "256").lines
    assert [line["text"] for line in lines] == [f"text {number}" for number in range(150)]
    assert [len(request.json["input"]) for request in server.requests] == [64, 64, 22]
    assert {len(line["embedding"]) for line in lines} == {256}
    assert lines[100]["embedding"] == glm("embed", "text 100", "-d", "256").lines[0]["embedding"]


def test_an_answer_in_another_order(glm: Glm, server: ScriptedServer) -> None:
    """The index counts, not the place."""
    data = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]
    server.script("POST", "/embeddings", json={"data": data})
    assert [line["embedding"] for line in glm("embed", "a", "b").lines] == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"index": 0, "embedding": [1]}],
        [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}],
        [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}],
        [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": ["x"]}],
    ],
    ids=["none", "one", "twice the same", "lengths", "no numbers"],
)
def test_vectors_that_do_not_fit(glm: Glm, server: ScriptedServer, data: object) -> None:
    """Nothing is written where a text would get the wrong one."""
    server.script("POST", "/embeddings", json={"data": data})
    result = glm("embed", "a", "b", "-o", "out.jsonl")
    assert (result.exit_code, result.stdout, list(Path().iterdir())) == (ExitCode.FAILED, "", [])


# -- input -------------------------------------------------------------------------------


def test_lines_of_standard_input(glm: Glm, server: ScriptedServer) -> None:
    """Empty ones are left out, which is told; other line ends stay inside a text."""
    result = glm("embed", input="one\r\n\ntwo\u2028three\n")
    assert server.last.json["input"] == ["one", "two\u2028three"]
    assert result.stderr == "glm: standard input: 1 empty lines are left out\n"


def test_json_lines_in(glm: Glm, server: ScriptedServer) -> None:
    """The object of each line comes back with its vector."""
    Path("pages.jsonl").write_text(
        '{"id": 7, "page": {"text": "one"}}\n{"id": 8, "page": {"text": "two"}}\n', encoding="utf-8"
    )
    lines = glm("embed", "-f", "pages.jsonl", "--field", "page.text").lines
    assert server.last.json["input"] == ["one", "two"]
    assert [(line["id"], line["page"]["text"], len(line["embedding"])) for line in lines] == [
        (7, "one", 2048),
        (8, "two", 2048),
    ]


@pytest.mark.parametrize(
    ("argv", "piped", "word"),
    [
        ([], "", "there is no text"),
        (["-f", "missing.txt"], "", "missing.txt cannot be read"),
        (["-f", "a.jsonl"], "", "--field text"),
        (["--field", "x"], "no json\n", "standard input, line 1 is not JSON"),
        (["--field", "x"], "[1]\n", "line 1 is no JSON object"),
        (["--field", "x"], '{"x": "a"}\n{"title": "b", "n": 1}\n', "its texts are: title"),
        (["a", " "], "", "one of the texts is empty"),
        (["a", "--format", "csv"], "", "choose one of jsonl, tsv, npy"),
        (["a", "-d", "100"], "", "choose one of 256, 512, 1024, 2048"),
        (["a", "-d", "256", "-m", "embedding-2"], "", "1024 dimensions, always"),
        (["word " * 9000], "", "text 1 has about 9000 tokens"),
        (["a", "-o", "a.jsonl"], "", "a.jsonl exists"),
    ],
    ids=[
        "nothing", "no file", "no field", "no json", "no object", "no such field", "empty", "format", "dimensions",
        "embedding-2", "too long", "exists",
    ],
)  # fmt: skip
def test_refused_before_anything_is_sent(
    glm: Glm, server: ScriptedServer, argv: list[str], piped: str, word: str
) -> None:
    """With what is wrong, and where."""
    Path("a.jsonl").write_text("{}\n")
    result = glm("embed", *argv, input=piped)
    assert (result.exit_code, result.stdout, len(server.requests)) == (ExitCode.USAGE, "", 0)
    assert word in result.stderr


def test_the_small_model_takes_less() -> None:
    """Its requests are cut by tokens, too; no text is lost."""
    texts = ["word " * 500] * 40
    cut = list(batches(texts, "embedding-2"))
    assert [text for batch in cut for text in batch] == texts
    assert max(map(len, cut)) * 500 <= 8000
    with pytest.raises(UsageError, match="text 2 has about"):
        list(batches(["a", "word " * 1000], "embedding-2"))


# -- output ------------------------------------------------------------------------------


def test_a_matrix_for_numpy(glm: Glm, server: ScriptedServer) -> None:
    """By the ending of the file; its numbers are those of the JSON."""
    Path("texts.txt").write_text("".join(f"text {number}\n" for number in range(70)))
    result = glm("embed", "-f", "texts.txt", "-d", "256", "-o", "vectors.npy")
    assert (result.exit_code, result.stdout) == (0, "vectors.npy\n")
    shape, rows = read_npy(Path("vectors.npy").read_bytes())
    assert shape == (70, 256)
    assert rows[69] == pytest.approx(glm("embed", "text 69", "-d", "256").lines[0]["embedding"], abs=1e-6)
    assert read_npy(glm("embed", "a", "--format", "npy").stdout_bytes)[0] == (1, 2048)


def test_tabs(glm: Glm) -> None:
    """A row of numbers per text, and nothing else."""
    rows = [line.split("\t") for line in glm("embed", "a", "b", "-d", "256", "--format", "tsv").stdout.splitlines()]
    assert [len(row) for row in rows] == [256, 256]
    assert math.hypot(*map(float, rows[0])) == pytest.approx(1, abs=1e-4)


def test_one_document(glm: Glm) -> None:
    """With what belongs to all vectors."""
    found = glm("embed", "a b", "--json", "-d", "256").json
    assert (found["schema_version"], found["model"], found["dimensions"], found["count"]) == (1, "embedding-3", 256, 1)
    assert found["usage"] == {"total_tokens": 2}
    assert found["items"][0]["text"] == "a b"
    found = glm("embed", "a b", "--json", "-o", "a.npy").json
    assert (found["path"], found["format"], "items" in found) == ("a.npy", "npy", False)


def test_a_terminal_sees_the_beginning(glm: Glm) -> None:
    """Two thousand numbers would scroll everything away; a matrix would garble it."""
    result = glm("embed", "hello", "-d", "256", tty={"stdout"})
    assert result.stdout.endswith(" … (256)  hello\n")
    assert len(result.stdout) < 80
    assert json.loads(glm("embed", "hello", "--format", "jsonl", tty={"stdout"}).stdout)["index"] == 0
    assert glm("embed", "hello", "--format", "npy", tty={"stdout"}).exit_code == ExitCode.USAGE


def test_a_failure_in_the_middle_leaves_no_file(glm: Glm, server: ScriptedServer) -> None:
    """A matrix with missing rows would be worse than none."""
    first = [{"index": index, "embedding": [0.5]} for index in range(64)]
    server.script("POST", "/embeddings", json={"data": first})
    server.script("POST", "/embeddings", status=400, json={"error": {"code": "1214", "message": "input"}})
    result = glm("embed", "-f", "-", "-o", "vectors.npy", input="x\n" * 70)
    assert (result.exit_code, list(Path().iterdir())) == (ExitCode.FAILED, [])


def test_other_region(glm: Glm, server: ScriptedServer) -> None:
    """Z.AI documents no embeddings: refused with the way, tried on request."""
    env = {"ZHIPU_API_KEY": None, "ZAI_API_KEY": server.keys["zai"]}
    result = glm("embed", "hi", env=env)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "use --provider zhipu or zhipu-coding" in result.stderr
    assert glm("embed", "hi", "--experimental", env=env).exit_code == ExitCode.FAILED


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": "embedding-3"}, "1213"),
        ({"model": "embedding-9", "input": "a"}, "1211"),
        ({"model": "embedding-3", "input": ["a"] * 65}, "1214"),
        ({"model": "embedding-3", "input": [""]}, "1214"),
        ({"model": "embedding-3", "input": "a", "dimensions": 100}, "1214"),
        ({"model": "embedding-2", "input": "a", "dimensions": 256}, "1214"),
        ({"model": "embedding-2", "input": "word " * 600}, "1214"),
        ({"model": "embedding-3", "input": "a", "colour": 1}, "1210"),
    ],
    ids=["no input", "model", "too many", "empty", "dimensions", "embedding-2", "too long", "unknown field"],
)
def test_the_sandbox_is_strict(glm: Glm, body: dict[str, object], code: str) -> None:
    """As the documents of the service are."""
    result = glm("api", "POST", "/embeddings", "--input", "-", "--json", input=json.dumps(body))
    assert result.error["code"] == code

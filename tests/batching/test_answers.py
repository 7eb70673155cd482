"""The output of a batch after every kind of end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from glmcli.batching.answers import AnswerFile, Line
from glmcli.batching.index import Order, key_of, number_of
from glmcli.errors import UsageError

DIGEST = "0123456789abcdef"


def line(id: str, digest: str = DIGEST, content: str = "x") -> Line:
    return Line(id, digest, json.dumps({"id": id, "content": content, "request": digest}).encode() + b"\n")


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


OPEN: list[AnswerFile | Order] = []


def order_of(*ids: str) -> Order:
    order = Order()
    OPEN.append(order)
    for id in ids:
        order.append(key_of(id))
    return order


def opened(path: Path, *, ordered: bool = True) -> AnswerFile:
    answers = AnswerFile(path, name=path.name, ordered=ordered)
    OPEN.append(answers)
    answers.load()
    answers.start()
    return answers


def ids(path: Path) -> list[str]:
    return [json.loads(text)["id"] for text in path.read_bytes().splitlines()]


def test_answers_are_put_in_order(tmp_path: Path) -> None:
    """Whatever order they came in, over several runs; what only an earlier input held stays at the end."""
    out = tmp_path / "out"
    for came in (("c", "old"), ("a",), ("d", "b")):
        answers = opened(out)
        answers.append([line(id) for id in came])
        answers.finish(order_of("a", "b", "c", "d"))
    assert ids(out) == ["a", "b", "c", "d", "old"]
    assert [path.name for path in tmp_path.glob("*out*")] == ["out"]


def test_unordered_answers_stand_as_they_came(tmp_path: Path) -> None:
    """The output itself grows."""
    answers = opened(tmp_path / "out", ordered=False)
    answers.append([line("b")])
    assert ids(tmp_path / "out") == ["b"]
    answers.append([line("a")])
    answers.finish(order_of("a", "b"))
    assert ids(tmp_path / "out") == ["b", "a"]


@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
def test_a_crash_at_every_byte(tmp_path: Path, ordered: bool) -> None:
    """However much of the last line is on the disk: what is whole is kept, what is torn is asked for again."""
    whole, torn = line("a").data, line("b").data
    for length in range(len(torn) + 1):
        out = tmp_path / f"out{length}"
        growing = out.with_name(out.name + ".journal") if ordered else out
        growing.write_bytes(whole + torn[:length])
        answers = opened(out, ordered=ordered)
        assert answers.request_of("a") == number_of(DIGEST)
        assert (answers.request_of("b") is not None) == (length == len(torn))
        if answers.request_of("b") is None:
            answers.append([line("b")])
        answers.finish(order_of("a", "b"))
        assert ids(out) == ["a", "b"]


def test_a_crash_between_renaming_and_removing(tmp_path: Path) -> None:
    """The journal holds what the output holds already: each id stands there once."""
    out = tmp_path / "out"
    out.write_bytes(line("a").data + line("b").data)
    (tmp_path / "out.journal").write_bytes(line("b").data)
    answers = opened(out)
    answers.finish(order_of("a", "b"))
    assert ids(out) == ["a", "b"]


def test_the_journal_of_an_ordered_run_serves_an_unordered_one(tmp_path: Path) -> None:
    """Nothing is lost by changing one's mind."""
    out = tmp_path / "out"
    (tmp_path / "out.journal").write_bytes(line("b").data)
    answers = opened(out, ordered=False)
    assert answers.request_of("b") is not None
    answers.append([line("a")])
    answers.finish(order_of("a", "b"))
    assert sorted(ids(out)) == ["a", "b"]


def test_a_new_answer_replaces_the_old_one(tmp_path: Path) -> None:
    """Also where lines are written as they come."""
    for ordered in (True, False):
        out = tmp_path / f"out{ordered}"
        out.write_bytes(line("a").data + line("b").data)
        answers = opened(out, ordered=ordered)
        answers.append([line("a", "f" * 16, "new")])
        answers.finish(order_of("a", "b"))
        assert [json.loads(text)["content"] for text in out.read_bytes().splitlines()] == ["new", "x"]


@pytest.mark.parametrize(
    "content",
    [b"my notes", b"my notes\n", b'{"id": "a"}\n', b'{"a": 1', b'{"id": "a", "request": "no digest"}\n'],
    ids=["text", "line", "no digest", "torn json", "wrong digest"],
)
def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Exit before a byte of it changes."""
    out = tmp_path / "out"
    out.write_bytes(content)
    with pytest.raises(UsageError, match="is not an answer"):
        opened(out)
    assert out.read_bytes() == content

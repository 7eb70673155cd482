"""What a line of a batch may be, and what is said of one that may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glmcli.batching.items import Input, Item, Template, choose_form
from glmcli.errors import UsageError

_HI = {"role": "user", "content": "hi"}


def read(path: Path, text: str | bytes, form: str = "jsonl", template: str | None = None) -> list[Item]:
    file = path / f"in.{form}"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(Input(file, file.name, form, Template(template) if template else None))


@pytest.mark.parametrize(
    ("line", "id", "messages", "fields"),
    [
        ('"hi"', "line-000001", [_HI], {}),
        ('{"prompt": "hi"}', "line-000001", [_HI], {}),
        ('{"id": "a", "prompt": "hi", "label": 3}', "a", [_HI], {}),
        ('{"id": 7, "prompt": "hi", "temperature": 0.5}', "7", [_HI], {"temperature": 0.5}),
        ('{"prompt": "hi", "system": "be"}', "line-000001", [{"role": "system", "content": "be"}, _HI], {}),
        (json.dumps([_HI]), "line-000001", [_HI], {}),
        (
            json.dumps({"custom_id": "a", "model": "glm-5", "stream": True, "messages": [_HI], "seed": 1}),
            "a",
            [_HI],
            {"model": "glm-5", "seed": 1},
        ),
        (
            json.dumps(
                {"custom_id": "a", "method": "POST", "url": "/v4/chat/completions", "body": {"messages": [_HI]}}
            ),
            "a",
            [_HI],
            {},
        ),
    ],
    ids=["text", "prompt", "own fields", "request fields", "system", "messages", "request", "batch API"],
)
def test_shapes(tmp_path: Path, line: str, id: str, messages: list[object], fields: dict[str, object]) -> None:
    """Each shape that the documentation names."""
    [item] = read(tmp_path, line)
    assert (item.id, list(item.messages), dict(item.fields)) == (id, messages, fields)


def test_blank_lines_count_but_ask_nothing(tmp_path: Path) -> None:
    """Ids are those of the lines that an editor shows; a byte order mark and CRLF are no part of them."""
    items = read(tmp_path, b'\xef\xbb\xbf"a"\r\n\r\n"b"')
    assert [(item.id, item.messages[0]["content"]) for item in items] == [("line-000001", "a"), ("line-000003", "b")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 1 of in.jsonl is not JSON"),
        ("7", "line 1 of in.jsonl is neither"),
        ("{}", "neither a prompt nor messages"),
        ('{"prompt": 7}', "neither a prompt nor messages"),
        ('{"messages": []}', "messages without a role"),
        ('{"messages": ["hi"]}', "messages without a role"),
        ('{"id": {}, "prompt": "hi"}', "an id that is neither text nor a whole number"),
        ('{"url": "/v4/embeddings", "body": {}}', "is meant for /v4/embeddings"),
        (b'"\xff"', "is not UTF-8"),
        ("[" * 100_000, "is not JSON"),
    ],
    ids=["torn", "number", "empty", "no text", "no messages", "no roles", "id", "embeddings", "latin1", "deep"],
)
def test_what_is_wrong_with_a_line(tmp_path: Path, line: str | bytes, words: str) -> None:
    """The message names the line."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, line)
    assert words in caught.value.message


def test_utf_16_is_recognised(tmp_path: Path) -> None:
    """What a redirection of Windows PowerShell 5 writes."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, '"hi"\n'.encode("utf-16"))
    assert caught.value.hint == "convert it first: iconv -f utf-16 -t utf-8"


def test_tables(tmp_path: Path) -> None:
    """Quoted fields with line ends, and braces that are no columns."""
    text = 'id,name,text\n1,Ann,"two\nlines"\n,Bob,"a, b"\n'
    items = read(tmp_path, text, "csv", "{{to}} {name}: {text}")
    assert [item.id for item in items] == ["1", "row-000002"]
    assert [item.messages[0]["content"] for item in items] == ["{to} Ann: two\nlines", "{to} Bob: a, b"]
    [item] = read(tmp_path, "prompt\tx\nhi, you\t1\n", "tsv")
    assert item.messages[0]["content"] == "hi, you"


def test_a_template_fills_json_lines(tmp_path: Path) -> None:
    """Values that are no text stand as JSON; a value that looks like a column is left alone."""
    [item] = read(tmp_path, '{"id": "a", "n": 3, "tags": ["x"], "t": "{n}"}', template="{n} {tags} {t}")
    assert (item.id, item.messages[0]["content"]) == ("a", '3 ["x"] {n}')


@pytest.mark.parametrize(
    ("text", "template", "words"),
    [
        ("a,b\n1,2\n", "{c}", "row 1 of in.csv has no column 'c'"),
        ("a,b\n1,2\n", None, "no column named prompt (there are: a, b)"),
        ("a,b\n1\n", "{a}", "row 1 of in.csv has not as many fields"),
        ("a,b\n1,2,3\n", "{a}", "row 1 of in.csv has not as many fields"),
        ("", "{a}", "no header line"),
        ('a\n"x\n', "{a}", "is not CSV"),
    ],
    ids=["unknown column", "no prompt", "short row", "long row", "empty", "open quote"],
)
def test_what_is_wrong_with_a_table(tmp_path: Path, text: str, template: str | None, words: str) -> None:
    """Row and column are named."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text, "csv", template)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("name", "start", "form"),
    [
        ("a.jsonl", b"", "jsonl"),
        ("a.CSV", b"", "csv"),
        ("a.tsv", b"", "tsv"),
        ("a.txt", b'{"a', "text"),
        ("-", b'\xef\xbb\xbf {"prompt"', "jsonl"),
        ("-", b"[{", "jsonl"),
        ("-", b"Why is", "text"),
    ],
)
def test_the_format_is_found(name: str, start: bytes, form: str) -> None:
    """By the ending, else by the first character."""
    assert choose_form(name, start) == form

"""JSON bodies with files inside."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from glmcli.api.calls import JsonBody, json_body
from glmcli.api.jsonfiles import FileText, JsonFilesBody
from glmcli.errors import UsageError


@pytest.mark.parametrize("size", [0, 1, 2, 3, 196608, 196609, 400000])
def test_a_file_is_encoded_where_it_stands(tmp_path: Path, size: int) -> None:
    """The body is the JSON that holds the base64 text, and says its length beforehand."""
    data = bytes(i % 251 for i in range(size))
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    value = {"a": [FileText(path, size, "data:x/y;base64,"), "水"], "b": FileText(path, size)}

    body = json_body(value)
    sent = b"".join(body.chunks())

    text = base64.b64encode(data).decode()
    assert {"a": ["data:x/y;base64," + text, "水"], "b": text} == json.loads(sent)
    assert len(sent) == body.length()
    assert sent == b"".join(body.chunks()), "a retry sends the same again"


def test_a_large_file_is_sent_in_pieces(tmp_path: Path) -> None:
    """No piece holds more than a quarter of a MiB."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(3_000_000))
    assert max(map(len, JsonFilesBody({"f": FileText(path, 3_000_000)}).chunks())) <= 262144


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    """Rather than a request of the wrong length."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    with pytest.raises(UsageError, match="shorter"):
        list(JsonFilesBody({"f": FileText(path, 10)}).chunks())


def test_json_without_files_stays_plain() -> None:
    """The usual body needs none of this."""
    assert isinstance(json_body({"a": [1, {"b": "c"}]}), JsonBody)


def test_other_objects_are_no_json() -> None:
    """As with json itself."""
    with pytest.raises(TypeError):
        JsonFilesBody({"a": object()})

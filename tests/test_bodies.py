"""Request bodies that are read from disk while they are sent."""

from __future__ import annotations

import shutil
import subprocess
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.api.bodies import BytesBody, BytesSource, FilePart, MultipartBody, PathSource
from glmcli.errors import UsageError


def parse(body: MultipartBody) -> list[tuple[str | None, str | None, bytes]]:
    """Name, file name and content of each part, read by the standard library."""
    data = b"".join(body.chunks())
    message = BytesParser().parsebytes(b"Content-Type: " + body.content_type.encode() + b"\r\n\r\n" + data)
    parts = message.get_payload()
    assert isinstance(parts, list)
    found: list[tuple[str | None, str | None, bytes]] = []
    for part in parts:
        assert isinstance(part, Message)
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        name = part.get_param("name", header="content-disposition")
        found.append((str(name), part.get_filename(), payload))
    return found


def test_fields_come_first_and_may_repeat(tmp_path: Path) -> None:
    """Another implementation reads what we write."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"\r\n--glm\r\n\x00\xff")
    parts = [
        FilePart("file", "a.bin", "application/octet-stream", PathSource(path)),
        FilePart("other", "b", "text/plain", BytesSource(b"")),
    ]
    body = MultipartBody([("hotwords", "a"), ("hotwords", "b"), ("prompt", "two\r\nlines")], parts)
    assert parse(body) == [
        ("hotwords", None, b"a"),
        ("hotwords", None, b"b"),
        ("prompt", None, b"two\r\nlines"),
        ("file", "a.bin", b"\r\n--glm\r\n\x00\xff"),
        ("other", "b", b""),
    ]


@given(
    st.lists(st.tuples(st.text(max_size=9), st.text(max_size=20)), max_size=4),
    st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=50)), max_size=3),
)
def test_the_length_is_known_and_the_body_repeatable(
    fields: list[tuple[str, str]], files: list[tuple[str, bytes]]
) -> None:
    """Whatever the text, the promised length is the true one, twice."""
    parts = [FilePart("f", name, "text/plain", BytesSource(data)) for name, data in files]
    body = MultipartBody(fields, parts)
    first, second = b"".join(body.chunks()), b"".join(body.chunks())
    assert first == second
    assert len(first) == body.length()


def test_a_name_cannot_break_out_of_its_quotes() -> None:
    """Quotes and line ends in a file name are escaped as browsers do."""
    part = FilePart("f", 'a"\r\nX-Evil: 1', "text/plain", BytesSource(b"x"))
    data = b"".join(MultipartBody([], [part]).chunks())
    assert b'filename="a%22%0D%0AX-Evil: 1"' in data


def test_progress_is_told_up_to_the_end() -> None:
    """The hook sees growing numbers and at last the whole."""
    seen: list[tuple[int, int]] = []
    part = FilePart("f", "a", "text/plain", BytesSource(b"x" * 1000))
    body = MultipartBody([("a", "b")], [part], on_progress=lambda sent, total: seen.append((sent, total)))
    list(body.chunks())
    assert [sent for sent, _ in seen] == sorted(sent for sent, _ in seen)
    assert seen[-1] == (body.length(), body.length())


@pytest.mark.parametrize("change", [b"", b"short", b"much longer than before"])
def test_a_file_that_changes_is_not_sent_with_a_false_length(tmp_path: Path, change: bytes) -> None:
    """Shrunk or grown, the body stops."""
    path = tmp_path / "a"
    path.write_bytes(b"ten bytes.")
    source = PathSource(path)
    path.write_bytes(change)
    with pytest.raises(UsageError, match="changed while it was being sent"):
        list(source.chunks())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Named at once, before anything is sent."""
    with pytest.raises(UsageError, match="cannot be read"):
        PathSource(tmp_path / "gone")


def test_bytes_body() -> None:
    """Bytes as they are."""
    body = BytesBody(b"abc", "text/plain")
    assert (body.length(), list(body.chunks()), body.content_type) == (3, [b"abc"], "text/plain")


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no shell")
def test_curl_words_survive_the_shell(tmp_path: Path) -> None:
    """The words of a dry run, through a shell, are the arguments that curl wants."""
    path = tmp_path / "a, 'b'; c.mp3"
    path.write_bytes(b"x")
    body = MultipartBody([("prompt", "it's $HOME @x")], [FilePart("file", 'q".mp3', "audio/mpeg", PathSource(path))])
    printed = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {' '.join(body.curl_words())}"], capture_output=True, text=True
    )
    assert printed.stdout.splitlines() == [
        "--form-string",
        "prompt=it's $HOME @x",
        "-F",
        f'file=@"{path}";filename="q\\".mp3";type=audio/mpeg',
    ]

"""Request bodies that are read from disk while they are sent (RFC 7578)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Protocol

from glmcli.errors import UsageError

_READ_BYTES = 256 * 1024

#: Is told how many bytes of a body have left, and how many there are.
Progress = Callable[[int, int], None]


class Source(Protocol):
    """Bytes of known number that can be read more than once.

    `file` is the file on disk that holds them, or that can stand for them; None when there is none.
    """

    @property
    def file(self) -> Path | None: ...

    def length(self) -> int:
        """Number of bytes."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes, from the start."""


@dataclass(frozen=True, slots=True)
class BytesSource:
    """Bytes in memory."""

    data: bytes
    file: None = None

    def length(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        yield self.data


class PathSource:
    """A file on disk, read anew each time.

    The size is taken once; a file that shrinks or grows in between raises
    UsageError rather than sending a length that is not true.
    """

    def __init__(self, path: Path) -> None:
        self.file = path
        try:
            self._length = path.stat().st_size
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error

    def length(self) -> int:
        return self._length

    def chunks(self) -> Iterator[bytes]:
        left = self._length
        with self.file.open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
        if left:
            raise UsageError(f"{self.file} changed while it was being sent", hint="try again when nothing writes to it")


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file field of a form. `filename` is what the service is told."""

    name: str
    filename: str
    content_type: str
    source: Source


class BytesBody:
    """A body that is already bytes."""

    def __init__(self, data: bytes, content_type: str = "application/octet-stream") -> None:
        self.content_type = content_type
        self._data = data

    def length(self) -> int:
        return len(self._data)

    def chunks(self) -> Iterator[bytes]:
        yield self._data


class MultipartBody:
    """A `multipart/form-data` body: text fields, then files, in the order given.

    A field may be repeated. Length is known in advance and every call of
    `chunks` yields the same bytes, so that a call can be sent again.
    `on_progress` is called after each chunk.
    """

    def __init__(
        self,
        fields: Sequence[tuple[str, str]],
        files: Sequence[FilePart],
        *,
        on_progress: Progress | None = None,
    ) -> None:
        self.fields = tuple(fields)
        self.files = tuple(files)
        self._on_progress = on_progress
        # 128 random bits: no content can hold it but by malice, and malice cannot know it.
        self._boundary = f"glm-{secrets.token_hex(16)}"
        self.content_type = f"multipart/form-data; boundary={self._boundary}"

    def length(self) -> int:
        fields = sum(len(self._field(name, value)) for name, value in self.fields)
        files = sum(len(self._file_head(part)) + part.source.length() + 2 for part in self.files)
        return fields + files + len(self._end())

    def chunks(self) -> Iterator[bytes]:
        total = self.length()
        sent = 0
        for chunk in self._chunks():
            yield chunk
            sent += len(chunk)
            if self._on_progress is not None:
                self._on_progress(sent, total)

    def _chunks(self) -> Iterator[bytes]:
        for name, value in self.fields:
            yield self._field(name, value)
        for part in self.files:
            yield self._file_head(part)
            yield from part.source.chunks()
            yield b"\r\n"
        yield self._end()

    def _field(self, name: str, value: str) -> bytes:
        head = f'--{self._boundary}\r\nContent-Disposition: form-data; name="{_escaped(name)}"\r\n\r\n'
        return (head + value + "\r\n").encode("utf-8", "surrogatepass")

    def _file_head(self, part: FilePart) -> bytes:
        names = f'name="{_escaped(part.name)}"; filename="{_escaped(part.filename)}"'
        disposition = f"--{self._boundary}\r\nContent-Disposition: form-data; {names}\r\n"
        return f"{disposition}Content-Type: {part.content_type}\r\n\r\n".encode("utf-8", "surrogateescape")

    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode()

    def curl_words(self) -> list[str]:
        """The body as arguments of `curl`; content that is in no file of its own is read from its stdin."""
        words: list[str] = []
        for name, value in self.fields:
            words += ["--form-string", quote(f"{name}={value}")]
        for part in self.files:
            # Quotes are curl's own: a comma or semicolon in a bare name would end it.
            place = _in_quotes(str(part.source.file)) if part.source.file else "-"
            names = f"{part.name}=@{place};filename={_in_quotes(part.filename)}"
            words += ["-F", quote(f"{names};type={part.content_type}")]
        return words


def _in_quotes(text: str) -> str:
    """A name as curl reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    """What browsers do (WHATWG HTML, "multipart/form-data encoding algorithm")."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")

"""A JSON body with files inside, read from disk while it is sent.

A picture goes to the service as base64 text inside the JSON. Building that in
memory takes the file three times over; here it is encoded in pieces instead.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from glmcli.errors import UsageError

# A multiple of three, so that pieces of base64 join without padding between them.
_PIECE_BYTES = 3 * 65536


@dataclass(frozen=True, slots=True)
class FileText:
    """A place in a JSON value where a file's base64 text goes, behind `prefix`.

    `size` is the length of the file in bytes, as it was when it was checked.
    """

    path: Path
    size: int
    prefix: str = ""

    def length(self) -> int:
        """Characters of the JSON string, without its quotes."""
        return len(self.prefix) + 4 * ((self.size + 2) // 3)

    def chunks(self) -> Iterator[bytes]:
        """The text in pieces. Raises UsageError when the file has become shorter."""
        yield self.prefix.encode("ascii")
        left = self.size
        with self.path.open("rb") as file:
            while left:
                piece = file.read(min(_PIECE_BYTES, left))
                if not piece:
                    raise UsageError(f"{self.path} became shorter while it was being sent")
                left -= len(piece)
                yield b64encode(piece)


class JsonFilesBody:
    """A JSON document that holds `FileText`s (`api.calls.Body`)."""

    content_type = "application/json"

    def __init__(self, value: Mapping[str, object]) -> None:
        self._files: list[FileText] = []
        self._mark = token_hex(16)  # no text of a user is this
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=self._place)
        self._texts = [part.encode("utf-8", "backslashreplace") for part in text.split(f'"{self._mark}"')]

    def _place(self, value: object) -> str:
        if not isinstance(value, FileText):
            raise TypeError(f"{type(value).__name__} is no JSON")
        self._files.append(value)
        return self._mark

    def length(self) -> int:
        return sum(map(len, self._texts)) + sum(file.length() + 2 for file in self._files)

    def chunks(self) -> Iterator[bytes]:
        yield self._texts[0]
        for file, text in zip(self._files, self._texts[1:], strict=True):
            yield b'"'
            yield from file.chunks()
            yield b'"' + text

"""Texts to work on one by one: arguments, or the lines of files and standard input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.context import AppContext

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Item:
    """A text, and the JSON object of the line that it came from, if it was one."""

    text: str
    source: Mapping[str, Any] | None = None

    def document(self, index: int, **found: object) -> dict[str, object]:
        """What was found beside what it was found for: the object of the line with more keys, else the text."""
        beside = {"index": index, "text": self.text} if self.source is None else dict(self.source)
        return {**beside, **found}


def read_items(app: AppContext, words: Sequence[str], files: Sequence[str], field: str | None) -> list[Item]:
    """Each word, else each line of each file, else each line of standard input.

    With `field` lines are JSON objects, and the text is their value of that
    name; dots lead into objects. Empty plain lines are left out, which is told.
    Raises UsageError where there is nothing, or a line cannot be read.
    """
    items = [Item(word) for word in words if word != STDIN]
    sources = [*files, *(STDIN for word in words if word == STDIN)]
    if not items and not sources:
        piped = app.streams.read_piped()
        items = [] if piped is None else list(_of_lines(app, "standard input", piped, field))
    for source in sources:
        name, content = (
            ("standard input", app.streams.read_stdin()) if source == STDIN else (source, _read(app, source))
        )
        if field is None and name.lower().endswith((".jsonl", ".ndjson")):
            raise UsageError(f"{name} holds JSON, and nothing says which field", hint="--field text")
        items += _of_lines(app, name, content, field)
    if not items:
        raise UsageError("there is no text", hint="give texts as arguments, one per line with -f FILE, or by a pipe")
    if not all(item.text.strip() for item in items):
        raise UsageError("one of the texts is empty")
    return items


def _of_lines(app: AppContext, name: str, content: str, field: str | None) -> Iterator[Item]:
    empty = 0
    # Not splitlines(): it also splits at U+2028, which may stand inside a text.
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            empty += 1
        elif field is None:
            yield Item(line.rstrip("\r"))
        else:
            yield _from_json(line, field, f"{name}, line {number}")
    empty -= content.endswith("\n") or not content
    if empty:
        app.streams.note(f"glm: {name}: {empty} empty lines are left out")


def _from_json(line: str, field: str, where: str) -> Item:
    try:
        source = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not JSON: {error}") from None
    if not isinstance(source, dict):
        raise UsageError(f"{where} is no JSON object")
    text: Any = source
    for name in (field,) if field in source else field.split("."):
        text = text.get(name) if isinstance(text, dict) else None
    if not isinstance(text, str) or not text.strip():
        known = ", ".join(key for key, value in source.items() if isinstance(value, str))
        raise UsageError(f"{where} has no text in {field}", hint=f"its texts are: {known}" if known else None)
    return Item(text, source)


def _read(app: AppContext, file: str) -> str:
    try:
        return (app.cwd / Path(file).expanduser()).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text") from None

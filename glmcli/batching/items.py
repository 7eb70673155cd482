"""The lines of a batch: JSON Lines, CSV, TSV or plain text, one question each.

Read as a stream, as often as wanted, so that memory does not grow with the file.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from glmcli.errors import UsageError

FORMATS = ("jsonl", "csv", "tsv", "text")

#: Fields beside a `prompt` that are part of the request; whatever else a line holds is the user's own.
REQUEST_FIELDS = frozenset(
    (
        "do_sample",
        "max_tokens",
        "model",
        "reasoning_effort",
        "response_format",
        "stop",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_p",
        "user_id",
    )
)
_IDS = ("custom_id", "id")
_LARGEST_CELL = 16 * 1024 * 1024
_ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv", ".txt": "text"}


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `line` is where it stands, from 1; `fields` are those of the request that the line sets."""

    line: int
    id: str
    messages: tuple[Mapping[str, object], ...]
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt with `{column}` in it; `{{` and `}}` are braces."""

    text: str

    def fill(self, values: Mapping[str, object]) -> str:
        """The prompt for one row. Raises KeyError with the name of a column that is not there."""

        def put(found: re.Match[str]) -> str:
            name = found[1]
            return found[0][0] if name is None else as_text(values[name])

        return re.sub(r"\{\{|\}\}|\{([^{}]+)\}", put, self.text)


@dataclass(frozen=True, slots=True)
class Input:
    """A file of questions. `name` is what the user calls it."""

    path: Path
    name: str
    form: str
    template: Template | None = None

    def __iter__(self) -> Iterator[Item]:
        """The items in their order. Raises UsageError that names the line for what cannot be read."""
        rows = _rows if self.form in ("csv", "tsv") else _lines
        try:
            with self.path.open("rb") as file:
                yield from rows(self, file)
        except OSError as error:
            raise UsageError(f"{self.name} cannot be read: {error.strerror or error}") from error


def choose_form(name: str, start: bytes) -> str:
    """The format that the name's ending says, else the first character."""
    known = _ENDINGS.get(Path(name).suffix.lower())
    if known is not None:
        return known
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return "jsonl" if first in (b"{", b"[", b'"') else "text"


def as_text(value: object) -> str:
    """A value as a template shows it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _lines(source: Input, file: IO[bytes]) -> Iterator[Item]:
    read = _from_json if source.form == "jsonl" else _from_text
    for number, line in enumerate(file, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise _wrong(source, number, "is not UTF-8 text", _conversion(line)) from None
        if text:
            yield read(source, number, text)


def _conversion(line: bytes) -> str:
    """How to make UTF-8 of it; a redirection of Windows PowerShell 5 writes UTF-16."""
    name = "utf-16" if line.startswith((b"\xff\xfe", b"\xfe\xff")) else "latin1"
    return f"convert it first: iconv -f {name} -t utf-8"


def _from_text(source: Input, number: int, text: str) -> Item:
    return _asked(number, f"line-{number:06d}", text, {})


def _from_json(source: Input, number: int, text: str) -> Item:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = "each line is one JSON value; plain text is read with --format text"
        raise _wrong(source, number, f"is not JSON: {error}", hint) from None
    named = f"line-{number:06d}"
    if isinstance(value, str):
        return _asked(number, named, value, {})
    if isinstance(value, list):
        return Item(number, named, _messages(source, number, value), {})
    if isinstance(value, dict):
        return _from_object(source, number, value)
    raise _wrong(source, number, "is neither a prompt, nor messages, nor a request", _SHAPES)


_SHAPES = 'a line is "a prompt", {"prompt": …}, [messages], or {"id": …, "messages": […]}'


def _from_object(source: Input, number: int, value: dict[str, Any]) -> Item:
    name = _id_of(source, number, value) or f"line-{number:06d}"
    if source.template is not None:
        return _asked(number, name, _filled(source, number, value), {})
    if isinstance(value.get("body"), dict):  # a line of the Batch API, ours or another vendor's
        if "chat/completions" not in str(value.get("url", "chat/completions")):
            raise _wrong(source, number, f"is meant for {value['url']}", "only chat completions can be run here")
        value = value["body"]
    if "messages" in value:
        fields = {key: given for key, given in value.items() if key not in (*_IDS, "messages", "stream")}
        return Item(number, name, _messages(source, number, value["messages"]), fields)
    if not isinstance(value.get("prompt"), str):
        raise _wrong(source, number, "has neither a prompt nor messages", _SHAPES)
    return _asked(number, name, value["prompt"], value)


def _asked(number: int, name: str, prompt: str, beside: Mapping[str, object]) -> Item:
    messages: list[Mapping[str, object]] = [{"role": "user", "content": prompt}]
    if isinstance(beside.get("system"), str):
        messages.insert(0, {"role": "system", "content": beside["system"]})
    fields = {key: value for key, value in beside.items() if key in REQUEST_FIELDS}
    return Item(number, name, tuple(messages), fields)


def _messages(source: Input, number: int, value: object) -> tuple[Mapping[str, object], ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) and "role" in item for item in value):
        raise _wrong(source, number, "has messages without a role", _SHAPES)
    return tuple(value)


def _id_of(source: Input, number: int, value: Mapping[str, object]) -> str | None:
    found = next((value[key] for key in _IDS if value.get(key) not in (None, "")), None)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise _wrong(source, number, "has an id that is neither text nor a whole number", None)
    return str(found)


def _filled(source: Input, number: int, values: Mapping[str, object]) -> str:
    assert source.template is not None
    try:
        return source.template.fill(values)
    except KeyError as missing:
        known = ", ".join(map(str, values))
        hint = f"there are: {known}; write {{{{ for a brace"
        raise _wrong(source, number, f"has no column {missing.args[0]!r} for --template", hint) from None


# -- tables ---------------------------------------------------------------------


def _rows(source: Input, file: IO[bytes]) -> Iterator[Item]:
    from io import TextIOWrapper

    csv.field_size_limit(_LARGEST_CELL)
    text = TextIOWrapper(file, "utf-8-sig", newline="")
    reader = csv.DictReader(text, delimiter="\t" if source.form == "tsv" else ",", strict=True)
    try:
        columns = reader.fieldnames
        _check_columns(source, columns)
        for number, row in enumerate(reader, 1):
            yield _from_row(source, number, row)
    except UnicodeDecodeError:
        raise UsageError(f"{source.name} is not UTF-8 text", hint="convert it: iconv -f latin1 -t utf-8") from None
    except csv.Error as error:
        raise UsageError(f"line {reader.line_num} of {source.name} is not {source.form.upper()}: {error}") from None
    finally:
        text.detach()  # who opened the file closes it


def _check_columns(source: Input, columns: Sequence[str] | None) -> None:
    if not columns:
        raise UsageError(f"{source.name} has no header line", hint="the first line names the columns")
    if source.template is None and "prompt" not in columns:
        raise UsageError(
            f"{source.name} has no column named prompt (there are: {', '.join(columns)})",
            hint=f'make the prompt from columns: --template "… {{{columns[0]}}} …"',
        )


def _from_row(source: Input, number: int, row: dict[str, Any]) -> Item:
    if None in row or None in row.values():
        raise UsageError(f"row {number} of {source.name} has not as many fields as the header", hint="mend the row")
    name = _id_of(source, number, row) or f"row-{number:06d}"
    prompt = row["prompt"] if source.template is None else _filled(source, number, row)
    return _asked(number, name, prompt, {})


def _wrong(source: Input, number: int, what: str, hint: str | None) -> UsageError:
    unit = "row" if source.form in ("csv", "tsv") else "line"
    return UsageError(f"{unit} {number} of {source.name} {what}", hint=hint)

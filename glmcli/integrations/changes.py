"""A change of somebody else's settings file: planned, shown, written, taken back.

Every change is a list of edits of single values. What was there before stays
in a backup beside the file; what we did stands in a record (`record.py`) that
holds digests instead of values, so that it holds no key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from glmcli.errors import ConfigError
from glmcli.integrations import jsonfile
from glmcli.integrations.files import missing_directories, read_settings
from glmcli.integrations.jsonfile import JsonDocument, Match, Step
from glmcli.integrations.tomlfile import TomlDocument

Document = JsonDocument | TomlDocument


class Format(StrEnum):
    """How a settings file is written."""

    JSON = "json"
    TOML = "toml"


@dataclass(frozen=True, slots=True)
class Edit:
    """One value to put at a path, or to take away from it."""

    path: tuple[Step, ...]
    value: object = field(default=None, repr=False)
    drop: bool = False


@dataclass(frozen=True, slots=True)
class FileEdits:
    """The edits that one file needs."""

    path: Path
    format: Format
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file before and after; None is a file that does not exist."""

    path: Path
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)

    @property
    def is_needed(self) -> bool:
        """Whether anything would change."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Done:
    """One edit as the record keeps it.

    `digest` is of the value that we put (None for a value we took away);
    `kept_depth` says how many steps of the path were there before us.
    """

    path: tuple[Step, ...]
    digest: str | None
    kept_depth: int


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What we did to one file, enough to take it back.

    `backup` holds the file as it was before our first change (None if there
    was none); `restorable` says that the backup may replace the file as long
    as its digest is still `after`. `made` are the directories that we made for
    it, innermost first.
    """

    path: Path
    format: Format
    backup: Path | None
    created: bool
    after: str
    restorable: bool
    done: tuple[Done, ...]
    made: tuple[Path, ...] = ()


def open_document(text: str, format: Format, *, name: str) -> Document:
    """The editor of a file's text. Raises ConfigError for broken text."""
    return TomlDocument(text, name=name) if format is Format.TOML else JsonDocument(text, name=name)


def plan_change(wanted: FileEdits) -> FileChange:
    """Read the file and work the edits into its text; nothing is written."""
    before = read_settings(wanted.path)
    document = open_document(before or "", wanted.format, name=str(wanted.path))
    for edit in wanted.edits:
        if edit.drop:
            document.delete(edit.path)
        else:
            document.set(edit.path, edit.value)
    after = document.text
    if before is None and not any(not edit.drop for edit in wanted.edits):
        return FileChange(wanted.path, None, None)
    return FileChange(wanted.path, before, after if after.endswith("\n") or before else after + "\n")


def make_record(
    wanted: FileEdits, change: FileChange, *, backup: Path | None, earlier: FileRecord | None
) -> FileRecord:
    """What to remember of a change; `earlier` is the record of the change before it."""
    assert change.after is not None
    base = open_document(change.before or "", wanted.format, name=str(wanted.path))
    done = tuple(_done(edit, base) for edit in wanted.edits if not (edit.drop and not base.has(edit.path)))
    if earlier is None or not _still_ours(earlier, base):
        return FileRecord(
            path=wanted.path,
            format=wanted.format,
            backup=backup,
            created=change.before is None,
            after=digest(change.after),
            restorable=True,
            done=done,
            made=missing_directories(wanted.path),
        )
    first = {before.path: before for before in earlier.done}
    merged = {**first, **{each.path: _since(first.get(each.path), each) for each in done}}
    return replace(
        earlier,
        after=digest(change.after),
        # A change of the user's own between our two must survive.
        restorable=earlier.restorable and change.before is not None and digest(change.before) == earlier.after,
        done=tuple(merged.values()),
    )


def _done(edit: Edit, base: Document) -> Done:
    kept = 0
    while kept < len(edit.path) and base.has(edit.path[: kept + 1]):
        kept += 1
    return Done(edit.path, None if edit.drop else digest_of(edit.value), kept)


def _since(first: Done | None, last: Done) -> Done:
    return last if first is None else Done(last.path, last.digest, min(first.kept_depth, last.kept_depth))


def _still_ours(record: FileRecord, document: Document) -> bool:
    return any(_is_ours(done, document) for done in record.done)


def _is_ours(done: Done, document: Document) -> bool:
    return done.digest is not None and document.has(done.path) and digest_of(document.get(done.path)) == done.digest


@dataclass(frozen=True, slots=True)
class Removal:
    """How a file looks without us, and which of our values the user has changed since."""

    change: FileChange
    kept: tuple[str, ...] = ()
    whole: bool = False


def plan_removal(record: FileRecord) -> Removal:
    """Take our values out of a file, or put the whole backup back.

    The backup returns whole only if nobody touched the file after us.
    Otherwise each value of ours that still stands goes back to what it was;
    a value that the user changed is left alone.
    """
    before = read_settings(record.path)
    if before is None:
        return Removal(FileChange(record.path, None, None))
    backup = read_settings(record.backup) if record.backup is not None else None
    if record.restorable and digest(before) == record.after and (record.created or backup is not None):
        return Removal(FileChange(record.path, before, None if record.created else backup), whole=True)
    document = open_document(before, record.format, name=str(record.path))
    original = open_document(backup or "", record.format, name=str(record.backup))
    kept = tuple(_shown(done.path) for done in reversed(record.done) if not _take_back(done, document, original))
    after: str | None = document.text
    if record.created and not kept and document.text.strip() in ("", "{}"):
        after = None
    return Removal(FileChange(record.path, before, after), kept=kept)


def _take_back(done: Done, document: Document, original: Document) -> bool:
    """Undo one edit; False when the user has put something else there."""
    if done.digest is None:
        if not document.has(done.path) and original.has(done.path):
            document.set(done.path, original.get(done.path))
        return True
    if not document.has(done.path):
        return True
    if not _is_ours(done, document):
        return False
    if original.has(done.path):
        document.set(done.path, original.get(done.path))
    else:
        _prune(done, document)
    return True


def _prune(done: Done, document: Document) -> None:
    """Delete our value and the containers that we made, once they are empty."""
    document.delete(done.path)
    for depth in range(len(done.path) - 1, done.kept_depth, -1):
        if document.get(done.path[:depth]) not in ({}, []):
            return
        document.delete(done.path[:depth])


def digest(text: str) -> str:
    """A fingerprint of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest_of(value: object) -> str:
    """A fingerprint of a value, whatever the order of its members."""
    return digest(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str))


def _shown(path: Sequence[Step]) -> str:
    return ".".join(f"[{step.field}={step.value}]" if isinstance(step, Match) else step for step in path)


def step_to_json(step: Step) -> object:
    """A step of a path as the record keeps it."""
    return {"field": step.field, "value": step.value} if isinstance(step, Match) else step


def step_from_json(value: object) -> Step:
    """The reverse of `step_to_json`. Raises ConfigError for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and set(value) == {"field", "value"}:
        return jsonfile.Match(str(value["field"]), str(value["value"]))
    raise ConfigError("a step of a recorded path is neither a name nor a match")

"""Sets a coding tool up, or takes the set-up back: first planned, then carried out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glmcli.errors import ConfigError
from glmcli.integrations.changes import (
    FileChange,
    FileEdits,
    FileRecord,
    Removal,
    make_record,
    plan_change,
    plan_removal,
)
from glmcli.integrations.files import back_up, delete, read_settings, remove_directories, write_settings
from glmcli.integrations.record import Records
from glmcli.integrations.setup import Place, Setup, Tool, ToolPlan


@dataclass(frozen=True, slots=True)
class Connection:
    """What setting up one tool would change; `changes` runs beside `plan.files`."""

    tool: Tool
    plan: ToolPlan
    changes: tuple[FileChange, ...]

    @property
    def is_needed(self) -> bool:
        """Whether any file would change."""
        return any(change.is_needed for change in self.changes)


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was changed, and where its former text is kept."""

    path: Path
    backup: Path | None


@dataclass(frozen=True, slots=True)
class Disconnection:
    """What taking one tool's set-up back would change."""

    tool: Tool
    records: tuple[FileRecord, ...]
    removals: tuple[Removal, ...]


def plan_connection(tool: Tool, setup: Setup, place: Place) -> Connection:
    """Read the tool's files and work the edits in; nothing is written.

    Raises UsageError when the tool cannot use this provider, ConfigError for
    a file that cannot be read.
    """
    plan = tool.plan(setup, place)
    return Connection(tool, plan, tuple(plan_change(wanted) for wanted in plan.files))


def connect(connection: Connection, records: Records, *, stamp: str) -> list[Written]:
    """Write the planned changes, each backed up and remembered first. Raises ConfigError."""
    pairs = list(zip(connection.plan.files, connection.changes, strict=True))
    for _, change in pairs:
        _check_unchanged(change)
    return [
        _write(connection.tool.name, wanted, change, records, stamp) for wanted, change in pairs if change.is_needed
    ]


def _write(tool: str, wanted: FileEdits, change: FileChange, records: Records, stamp: str) -> Written:
    assert change.after is not None
    known = {record.path: record for record in records.load(tool)}
    backup = back_up(change.path, change.before, stamp=stamp) if change.before is not None else None
    # Remembered before it is done: after a crash in between, nothing of the file matches and nothing is undone.
    known[change.path] = make_record(wanted, change, backup=backup, earlier=known.get(change.path))
    records.save(tool, list(known.values()))
    write_settings(change.path, change.after)
    return Written(change.path, backup)


def plan_disconnection(tool: Tool, records: Records) -> Disconnection | None:
    """How the tool's files look without us; None if we never changed them."""
    known = records.load(tool.name)
    if not known:
        return None
    return Disconnection(tool, known, tuple(plan_removal(record) for record in known))


def disconnect(disconnection: Disconnection, records: Records) -> None:
    """Write the planned removals and forget the tool. Raises ConfigError.

    A backup that was put back whole has done its work and goes, as it may
    hold somebody's key; any other stays.
    """
    for removal in disconnection.removals:
        _check_unchanged(removal.change)
    pairs = list(zip(disconnection.records, disconnection.removals, strict=True))
    # Backwards: the first file made the directory that the last one leaves empty.
    for record, removal in reversed(pairs):
        change = removal.change
        if change.after is None and change.before is not None:
            delete(change.path)
        elif change.after is not None and change.is_needed:
            write_settings(change.path, change.after)
        if removal.whole and record.backup is not None:
            delete(record.backup)
        if change.after is None:
            remove_directories(record.made)
    records.save(disconnection.tool.name, [])


def _check_unchanged(change: FileChange) -> None:
    if read_settings(change.path) != change.before:
        raise ConfigError(
            f"{change.path} was changed by another program in the meantime; it was not touched",
            hint="close the tool and try again",
        )

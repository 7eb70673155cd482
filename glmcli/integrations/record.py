"""Remembers what `glm connect` did, per tool, in our data directory; no key is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glmcli.config.files import locked, write_private
from glmcli.errors import ConfigError
from glmcli.integrations.changes import Done, FileRecord, Format, step_from_json, step_to_json
from glmcli.integrations.files import read_settings


class Records:
    """The file `connect.json`: tool name -> the files that we changed for it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, tool: str) -> tuple[FileRecord, ...]:
        """What was done for a tool; empty if nothing was. Raises ConfigError for a broken file."""
        entries = self._all().get(tool, [])
        try:
            return tuple(_from_json(entry) for entry in _list(entries))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._broken(error) from None

    def save(self, tool: str, records: Sequence[FileRecord]) -> None:
        """Replace what is remembered of a tool; an empty sequence forgets it."""
        with locked(self._path):
            tools = {**self._all(), tool: [_to_json(record) for record in records]}
            if not records:
                del tools[tool]
            write_private(self._path, (json.dumps({"version": 1, "tools": tools}, indent=2) + "\n").encode())

    def tools(self) -> frozenset[str]:
        """The tools for which something is remembered."""
        return frozenset(self._all())

    def _all(self) -> dict[str, object]:
        text = read_settings(self._path)
        if text is None:
            return {}
        try:
            tools = json.loads(text)["tools"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._broken(error) from None
        return dict(tools)

    def _broken(self, error: Exception) -> ConfigError:
        return ConfigError(
            f"the record {self._path} cannot be read: {error}",
            hint="restore the settings from their .glm-backup files and delete the record",
        )


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _to_json(record: FileRecord) -> dict[str, object]:
    return {
        "path": str(record.path),
        "format": record.format.value,
        "backup": str(record.backup) if record.backup else None,
        "created": record.created,
        "after": record.after,
        "restorable": record.restorable,
        "made": [str(directory) for directory in record.made],
        "done": [
            {"path": [step_to_json(step) for step in done.path], "digest": done.digest, "kept_depth": done.kept_depth}
            for done in record.done
        ],
    }


def _from_json(entry: Mapping[str, object]) -> FileRecord:
    backup = entry["backup"]
    return FileRecord(
        path=Path(str(entry["path"])),
        format=Format(str(entry["format"])),
        backup=Path(str(backup)) if backup else None,
        created=bool(entry["created"]),
        after=str(entry["after"]),
        restorable=bool(entry["restorable"]),
        done=tuple(_done_from_json(done) for done in _list(entry["done"])),
        made=tuple(Path(str(directory)) for directory in _list(entry["made"])),
    )


def _done_from_json(entry: Mapping[str, object]) -> Done:
    path, digest, kept = entry["path"], entry["digest"], entry["kept_depth"]
    if not isinstance(path, list) or not isinstance(kept, int):
        raise TypeError("an edit has no path")
    return Done(tuple(step_from_json(step) for step in path), None if digest is None else str(digest), kept)

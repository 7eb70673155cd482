"""Asynchronous jobs that were submitted here, until they are forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from glmcli.errors import UsageError
from glmcli.history.database import Database
from glmcli.history.model import Task
from glmcli.history.rows import from_json, insert, new_id, storable_or_none, to_json, update

if TYPE_CHECKING:
    import sqlite3

_LIST_TASKS = "glm tasks list"


class TaskStore:
    """Keeps a job from before its submission to its result.

    Add it first and wait afterwards: what `add` returned survives a crash.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        kind: str,
        *,
        request: Mapping[str, object],
        status: str = "submitting",
        remote_id: str | None = None,
        provider: str | None = None,
        region: str | None = None,
        base_url: str | None = None,
        profile: str | None = None,
        model: str | None = None,
        output: str | None = None,
        result: Mapping[str, object] | None = None,
    ) -> Task:
        """Keep a new job. `kind` is video, image, agent, batch, ... Raises HistoryError."""
        now = self._database.now()
        values: dict[str, object] = {
            "id": new_id(now),
            "kind": kind,
            "status": status,
            "remote_id": storable_or_none(remote_id),
            "provider": provider,
            "region": region,
            "base_url": base_url,
            "profile": profile,
            "model": storable_or_none(model),
            "request": to_json(request),
            "output": storable_or_none(output),
            "result": None if result is None else to_json(result),
            "created_at": now,
            "updated_at": now,
        }
        with self._database.writing() as connection:
            insert(connection, "tasks", values)
            row = connection.execute("SELECT * FROM tasks WHERE id = ?", (values["id"],)).fetchone()
        return _task_of(row)

    def update(
        self,
        id: str,
        *,
        status: str | None = None,
        remote_id: str | None = None,
        result: Mapping[str, object] | None = None,
        output: str | None = None,
        error: str | None = None,
    ) -> Task:
        """Change what is given, keep the rest. Raises HistoryError; UsageError when the task was forgotten."""
        given = {
            "status": status,
            "remote_id": storable_or_none(remote_id),
            "result": None if result is None else to_json(result),
            "output": storable_or_none(output),
            "error": storable_or_none(error),
        }
        values = {name: value for name, value in given.items() if value is not None}
        with self._database.writing() as connection:
            if not update(connection, "tasks", id, {**values, "updated_at": self._database.now()}):
                raise UsageError(f"no task {id}", hint=_LIST_TASKS)
            return _task_of(connection.execute("SELECT * FROM tasks WHERE id = ?", (id,)).fetchone())

    def recent(
        self, limit: int | None = None, *, kind: str | None = None, statuses: Sequence[str] | None = None
    ) -> list[Task]:
        """Jobs, newest first; of one kind or in one of some states when asked. Raises HistoryError."""
        conditions, values = ["(? IS NULL OR kind = ?)"], [kind, kind]
        if statuses is not None:
            conditions.append(f"status IN ({', '.join('?' * len(statuses))})")
            values += statuses
        where = " AND ".join(conditions)
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM tasks WHERE {where} ORDER BY created_at DESC, id DESC LIMIT ?",  # noqa: S608  # only constants
                (*values, -1 if limit is None else limit),
            ).fetchall()
        return [_task_of(row) for row in rows]

    def find(self, name: str) -> Task:
        """The job of that id, remote id or beginning of an id; `last` is the newest.

        Raises UsageError when there is none, or several.
        """
        with self._database.reading() as connection:
            rows = _candidates(connection, name)
        if not rows:
            raise UsageError(f"no task {name!r}", hint=_LIST_TASKS)
        if len(rows) > 1:
            names = ", ".join(f"{row['id']} ({row['kind']}, {row['status']})" for row in rows)
            raise UsageError(f"several tasks match {name!r}: {names}", hint="type more of the id")
        return _task_of(rows[0])

    def forget(self, ids: Sequence[str]) -> int:
        """Remove jobs from the list here (the service goes on); how many there were. Raises HistoryError."""
        with self._database.writing() as connection:
            return sum(connection.execute("DELETE FROM tasks WHERE id = ?", (id,)).rowcount for id in ids)


def _candidates(connection: sqlite3.Connection, name: str) -> list[sqlite3.Row]:
    """Rows that a name may mean: of the first way of reading it that fits any."""
    if name == "last":
        return connection.execute("SELECT * FROM tasks ORDER BY created_at DESC, id DESC LIMIT 1").fetchall()
    name = storable_or_none(name) or ""
    for condition, value in (
        ("id = ?", name.lower()),
        ("remote_id = ?", name),
        ("substr(id, 1, length(?1)) = ?1", name.lower()),
    ):
        query = f"SELECT * FROM tasks WHERE {condition} ORDER BY created_at DESC LIMIT 6"  # noqa: S608  # only constants
        if value and (rows := connection.execute(query, (value,)).fetchall()):
            return rows
    return []


def _task_of(row: sqlite3.Row) -> Task:
    return Task(**{**dict(row), "request": from_json(row["request"]) or {}, "result": from_json(row["result"])})

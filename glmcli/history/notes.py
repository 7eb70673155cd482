"""Small facts that outlive a command: "the billing of profile work was told"."""

from __future__ import annotations

from glmcli.history.database import Database
from glmcli.history.rows import storable


class Notes:
    """Text by name. Names read as paths: `billing-told/work`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """What was noted under a name, or None. Raises HistoryError."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM notes WHERE name = ?", (storable(name),)).fetchone()
        return None if row is None else str(row["value"])

    def set(self, name: str, value: str | None) -> None:
        """Note a text; None takes the note away. Raises HistoryError."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM notes WHERE name = ?", (storable(name),))
            if value is not None:
                values = (storable(name), storable(value), self._database.now())
                connection.execute("INSERT INTO notes (name, value, updated_at) VALUES (?, ?, ?)", values)

    def is_first(self, name: str) -> bool:
        """Whether this is the first time that anybody asks for this name; for what is to be told once."""
        with self._database.writing() as connection:
            values = (storable(name), "told", self._database.now())
            done = connection.execute("INSERT OR IGNORE INTO notes (name, value, updated_at) VALUES (?, ?, ?)", values)
            return done.rowcount > 0

"""The SQLite file: opened late, shared by many processes, never destroyed.

The one owner of `sqlite3`. Every failure of SQLite becomes a HistoryError
that says what to do; the file stays as it was found.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from glmcli.config.files import FILE_MODE, Notice, make_private_folder, quiet, repair_modes
from glmcli.errors import ConfigError, HistoryError
from glmcli.history.schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

#: How long another process may hold the file before we give up.
PATIENCE_SECONDS = 30.0
# SQLite waits so long by itself, deaf to Ctrl-C; in between Python may hear it.
_DEAF_SECONDS = 0.25
#: Pages that SQLite holds in memory. Its 2 MB are a quarter of a bare interpreter; the system keeps the file anyway.
_CACHE_KIB = 512

_ANOTHER_HOME = "free the folder, or set GLM_HOME to another one; to go without: GLM_NO_LOG=1"
_BUSY, _LOCKED, _CORRUPT, _NOT_A_DATABASE = 5, 6, 11, 26
# Primary result codes of SQLite (https://www.sqlite.org/rescode.html), and what they mean for our file.
_MEANINGS = {
    _BUSY: ("another process keeps {path} locked", "try again when it has ended; find it with: fuser {path}"),
    _LOCKED: ("another process keeps {path} locked", "try again when it has ended; find it with: fuser {path}"),
    8: ("{path} or its folder is read-only", _ANOTHER_HOME),
    10: ("cannot read or write {path}: the disk reports an error", "check the disk, then: glm history list"),
    _CORRUPT: ("{path} is damaged", "to begin a new one: mv {path} {path}.damaged"),
    13: ("cannot write {path}: the disk is full", "free some space; to go without: GLM_NO_LOG=1"),
    14: ("cannot open {path}", _ANOTHER_HOME),
    _NOT_A_DATABASE: ("{path} is damaged or not a database", "to begin a new one: mv {path} {path}.damaged"),
}


class Database:
    """One file, one connection, usable from any thread.

    Nothing is touched before the first `reading` or `writing`; reading a file
    that does not exist reads an empty one and creates nothing.
    """

    def __init__(
        self,
        path: Path,
        *,
        notice: Notice = quiet,
        now: Callable[[], float] = time.time,
        patience_seconds: float = PATIENCE_SECONDS,
        migrations: Sequence[Sequence[str]] = MIGRATIONS,
    ) -> None:
        self.path = path
        self.now = now
        self._notice = notice
        self._patience_seconds = patience_seconds
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None
        self._has_log = False
        self._turn = threading.RLock()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries. Raises HistoryError, here and in the block."""
        with self._turn, self._told():
            if self._connection is None and not self.path.exists():
                with closing(self._in_memory()) as connection:
                    yield connection
            else:
                yield self._open()

    @contextmanager
    def writing(self, *, lasting: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction: all of the block is kept, or nothing. Raises HistoryError.

        The lock is taken at the beginning, so that what the block reads stays true while it writes.
        What is not `lasting` does not wait for the disk: a power cut may lose it, the end of the process does not.
        """
        with self._turn, self._told():
            connection = self._open()
            with self._awaited(connection, lasting=lasting), self._transaction(connection):
                yield connection

    def close(self) -> None:
        """Give the file back."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def compact(self) -> None:
        """Wipe what was deleted from the file and its log, as far as no other process reads it."""
        import sqlite3

        with self._turn, self._told():
            connection = self._open()
            with self._transaction(connection):
                # Without it the words of deleted messages would stay in the search index.
                connection.execute("INSERT INTO messages_text (messages_text) VALUES ('optimize')")
            with suppress(sqlite3.OperationalError):
                if _pragma(connection, "freelist_count") > _pragma(connection, "page_count") // 4:
                    connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # -- opening ---------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._prepare_file()
            is_frozen = self._is_frozen()
            connection = _connect(f"{self.path.as_uri()}?immutable=1" if is_frozen else str(self.path))
            try:
                self._prepare(connection, is_frozen=is_frozen)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _in_memory(self) -> sqlite3.Connection:
        connection = _connect(":memory:")
        self._migrate(connection)
        return connection

    def _prepare_file(self) -> None:
        """Create the file before SQLite does, whose files the umask would open to others."""
        try:
            make_private_folder(self.path.parent)
            self.path.touch(mode=FILE_MODE, exist_ok=True)
        except ConfigError as error:
            raise HistoryError(error.message, hint=_ANOTHER_HOME) from error
        except PermissionError:
            if not self.path.exists():  # else it can be read, perhaps
                raise
        repair_modes(self.path, self._notice)

    def _is_frozen(self) -> bool:
        """Whether the file can only be read: SQLite could not even make the shared memory that WAL needs."""
        is_quiet = not self.path.with_name(self.path.name + "-wal").exists()
        return is_quiet and not os.access(self.path.parent, os.W_OK)

    def _prepare(self, connection: sqlite3.Connection, *, is_frozen: bool) -> None:
        self._check_version(connection)
        if not is_frozen:
            # Readers and a writer do not wait for each other. On a file system that cannot do it, it stays as it is.
            mode = self._patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone())
            self._has_log = mode[0] == "wal"
        self._migrate(connection)

    def _check_version(self, connection: sqlite3.Connection) -> int:
        version = self._patiently(lambda: _pragma(connection, "user_version"))
        newest = len(self._migrations)
        if version > newest:
            raise HistoryError(
                f"{self.path} was written by a newer glm (version {version} of the file; this glm knows {newest})",
                hint="update glm, or set GLM_HOME to another folder; the file was not changed",
            )
        if not self._is_ours(connection, version):
            raise HistoryError(
                f"{self.path} is a database of another program",
                hint=f"move it away: mv {self.path} {self.path}.other",
            )
        return version

    def _is_ours(self, connection: sqlite3.Connection, version: int) -> bool:
        if version or self._patiently(lambda: _pragma(connection, "application_id")) == APPLICATION_ID:
            return True
        return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]

    def _migrate(self, connection: sqlite3.Connection) -> None:
        while _pragma(connection, "user_version") < len(self._migrations):
            with self._transaction(connection):
                # Another process may have been quicker while we waited for the lock.
                version = self._check_version(connection)
                for statement in self._migrations[version] if version < len(self._migrations) else ():
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {min(version + 1, len(self._migrations))}")

    # -- transactions and failures -----------------------------------------------

    @contextmanager
    def _transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        self._patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
        try:
            yield
            self._patiently(lambda: connection.execute("COMMIT"))
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _awaited(self, connection: sqlite3.Connection, *, lasting: bool) -> Iterator[None]:
        """Whether the transactions of the block wait for the disk."""
        if lasting or not self._has_log:  # without the log a power cut could tear the file itself
            yield
            return
        connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            connection.execute("PRAGMA synchronous = FULL")

    def _patiently(self, act: Callable[[], T]) -> T:
        """Do it again while another process is in the way, as long as our patience lasts."""
        import sqlite3

        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                return act()
            except sqlite3.OperationalError as error:
                if _primary_code(error) not in (_BUSY, _LOCKED) or time.monotonic() >= deadline:
                    raise
            time.sleep(0.005)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the system raise into words about our file."""
        import sqlite3

        try:
            yield
        except sqlite3.Error as error:
            message, hint = _MEANINGS.get(_primary_code(error), ("cannot use {path}: {error}", _ANOTHER_HOME))
            facts = {"path": self.path, "error": error}
            raise HistoryError(message.format(**facts), hint=hint.format(**facts)) from error
        except OverflowError as error:
            raise HistoryError(f"cannot write {self.path}: {error}") from error
        except OSError as error:
            raise HistoryError(f"cannot open {self.path}: {error.strerror or error}", hint=_ANOTHER_HOME) from error


def _connect(name: str) -> sqlite3.Connection:
    import sqlite3

    connection = sqlite3.connect(
        name, timeout=_DEAF_SECONDS, isolation_level=None, check_same_thread=False, uri=name.startswith("file:")
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA secure_delete = ON")  # what a user deletes shall be gone from the disk
    except BaseException:
        connection.close()
        raise
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its details; 0 where the failure is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF

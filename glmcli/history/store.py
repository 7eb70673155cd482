"""Conversations: kept, continued, found, searched and deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.config.files import Notice, quiet
from glmcli.errors import HistoryError, UsageError
from glmcli.history.attachments import AttachmentStore
from glmcli.history.database import Database
from glmcli.history.ledger import Ledger
from glmcli.history.model import Conversation, Hit, Message, Transcript
from glmcli.history.notes import Notes
from glmcli.history.rows import (
    conversation_of,
    insert,
    message_of,
    message_values,
    new_id,
    storable,
    storable_or_none,
    update,
)
from glmcli.history.search import search_messages, search_titles, terms_of
from glmcli.history.tasks import TaskStore

if TYPE_CHECKING:
    import sqlite3

_LONGEST_TITLE = 60  # characters
_LONGEST_GIVEN_TITLE = 200
_CONVERSATIONS = """
SELECT id, title, model, provider, profile, system, created_at, updated_at,
    (SELECT count(*) FROM messages WHERE conversation_id = conversations.id) AS message_count
FROM conversations
"""
_NEWEST_FIRST = "ORDER BY updated_at DESC, id DESC"
_LIST = "glm history list"


class History:
    """The local database. Nothing is opened or created before it is needed.

    Every method may raise HistoryError; a caller that can go on without does so with one notice.
    """

    def __init__(self, path: Path, *, notice: Notice = quiet, now: Callable[[], float] = time.time) -> None:
        self._database = Database(path, notice=notice, now=now)

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def prepare(self) -> None:
        """Open the file if there is one, so that the first use is quick; a failure shows itself then."""
        if self.path.exists():
            with suppress(HistoryError), self._database.reading():
                pass

    @cached_property
    def ledger(self) -> Ledger:
        """Tokens and costs."""
        return Ledger(self._database)

    @cached_property
    def tasks(self) -> TaskStore:
        """Asynchronous jobs."""
        return TaskStore(self._database)

    @cached_property
    def notes(self) -> Notes:
        """Small facts."""
        return Notes(self._database)

    @cached_property
    def attachments(self) -> AttachmentStore:
        """Copies of attached files."""
        return AttachmentStore(self.path.with_name("attachments"))

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    # -- writing -----------------------------------------------------------------

    def start(
        self,
        messages: Iterable[Message] = (),
        *,
        title: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        profile: str | None = None,
        system: str | None = None,
    ) -> Conversation:
        """Begin a conversation; without a title it is called by the first line of its first prompt."""
        first = tuple(messages)
        now = self._database.now()
        values: dict[str, object] = {
            "id": new_id(now),
            "title": _one_line(title or "")[:_LONGEST_GIVEN_TITLE] or title_of(first),
            "model": storable_or_none(model),
            "provider": provider,
            "profile": profile,
            "system": storable_or_none(system),
            "created_at": now,
            "updated_at": now,
        }
        with self._database.writing() as connection:
            insert(connection, "conversations", values)
            _append(connection, str(values["id"]), first, now=now)
            return _require(connection, str(values["id"]))

    def append(self, conversation_id: str, *messages: Message) -> None:
        """Add messages, all or none, behind what is there now."""
        now = self._database.now()
        with self._database.writing() as connection:
            _require(connection, conversation_id)
            _append(connection, conversation_id, messages, now=now)
            update(connection, "conversations", conversation_id, {"updated_at": now})

    def change(
        self,
        conversation_id: str,
        *,
        title: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        profile: str | None = None,
        system: str | None = None,
    ) -> Conversation:
        """Change what is given, keep the rest; an empty `system` takes the system prompt away."""
        given = {
            "title": _one_line(title or "")[:_LONGEST_GIVEN_TITLE] or None,
            "model": storable_or_none(model),
            "provider": provider,
            "profile": profile,
            "system": storable_or_none(system),
        }
        values = {name: value for name, value in given.items() if value is not None}
        with self._database.writing() as connection:
            _require(connection, conversation_id)
            if values:
                update(connection, "conversations", conversation_id, values)
            return _require(connection, conversation_id)

    def undo_turn(self, conversation_id: str) -> tuple[Message, ...]:
        """Remove the last prompt and all that followed it; what was removed, in order."""
        return self._cut(conversation_id, keep_prompt=False)

    def undo_answer(self, conversation_id: str) -> tuple[Message, ...]:
        """Remove all that followed the last prompt, for another try; what was removed, in order."""
        return self._cut(conversation_id, keep_prompt=True)

    def _cut(self, conversation_id: str, *, keep_prompt: bool) -> tuple[Message, ...]:
        with self._database.writing() as connection:
            _require(connection, conversation_id)
            found = connection.execute(
                "SELECT max(position) FROM messages WHERE conversation_id = ? AND role = 'user'", (conversation_id,)
            ).fetchone()[0]
            if found is None:
                return ()
            cut = (conversation_id, found + keep_prompt)
            removed = connection.execute(
                "SELECT * FROM messages WHERE conversation_id = ? AND position >= ? ORDER BY position", cut
            ).fetchall()
            connection.execute("DELETE FROM messages WHERE conversation_id = ? AND position >= ?", cut)
            update(connection, "conversations", conversation_id, {"updated_at": self._database.now()})
        return tuple(message_of(row) for row in removed)

    def delete(self, ids: Iterable[str], *, older_than: float | None = None) -> int:
        """Delete conversations for good, with their traces in the file; how many there were.

        With `older_than` (epoch seconds) one that went on since is spared.
        """
        deleted = 0
        with self._database.writing() as connection:
            hashes = set()
            for id in ids:
                hashes |= _hashes(connection, id)
                done = connection.execute(
                    "DELETE FROM conversations WHERE id = ?1 AND (?2 IS NULL OR updated_at < ?2)", (id, older_than)
                )
                deleted += done.rowcount
            hashes -= _referenced(connection, hashes)
        self.attachments.discard(hashes)
        if deleted:
            self._database.compact()
        return deleted

    # -- reading -----------------------------------------------------------------

    def load(self, conversation_id: str) -> Transcript:
        """A conversation with all of its messages."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM messages WHERE conversation_id = ? ORDER BY position", (conversation_id,)
            ).fetchall()
            return Transcript(_require(connection, conversation_id), tuple(message_of(row) for row in rows))

    def latest(self, *, profile: str | None = None) -> Conversation | None:
        """The conversation that went on last (of a profile), or None."""
        return next(iter(self.recent(1, profile=profile)), None)

    def recent(
        self, limit: int | None = None, *, profile: str | None = None, older_than: float | None = None
    ) -> list[Conversation]:
        """Conversations, the one that went on last first; None is all of them."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"{_CONVERSATIONS} WHERE (?1 IS NULL OR profile = ?1) AND (?2 IS NULL OR updated_at < ?2) "
                f"{_NEWEST_FIRST} LIMIT ?3",
                (profile, older_than, -1 if limit is None else limit),
            ).fetchall()
        return [conversation_of(row) for row in rows]

    def count(self) -> int:
        """How many conversations there are."""
        with self._database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM conversations").fetchone()[0])

    def find(self, name: str) -> Conversation:
        """The conversation of that id, title, beginning of an id or part of a title; `last` is the latest.

        Raises UsageError when there is none, or several.
        """
        with self._database.reading() as connection:
            ids = _candidates(connection, name)
            found = [_require(connection, id) for id in ids[:6]]
        if not found:
            raise UsageError(f"no conversation {name!r}", hint=_LIST)
        if len(found) > 1:
            names = ", ".join(f"{item.id} ({item.title})" for item in found[:5]) + (", ..." if len(ids) > 5 else "")
            raise UsageError(f"several conversations match {name!r}: {names}", hint="give the id of one")
        return found[0]

    def search(self, query: str, limit: int | None = 20) -> list[Hit]:
        """Messages that hold every word of the query, in any case, newest first; then titles that do.

        Words in double quotes stay together. Nothing in a query is an operator.
        """
        terms = terms_of(query)
        if not terms:
            return []
        with self._database.reading() as connection:
            hits = search_messages(connection, terms, limit)
            if limit is None or len(hits) < limit:
                known = {hit.conversation_id for hit in hits}
                hits += [hit for hit in search_titles(connection, terms, limit) if hit.conversation_id not in known]
        return hits[:limit]


def title_of(messages: Iterable[Message]) -> str:
    """The first line of the first prompt, shortened."""
    prompt = next((message.content for message in messages if message.role == "user"), "")
    line = _one_line(next((line for line in prompt.splitlines() if line.strip()), ""))
    if len(line) > _LONGEST_TITLE:
        line = line[: _LONGEST_TITLE - 1].rstrip() + "…"
    return line or "untitled"


def _one_line(text: str) -> str:
    return " ".join(storable(text).split())


def _append(connection: sqlite3.Connection, conversation_id: str, messages: Iterable[Message], *, now: float) -> None:
    position = connection.execute(
        "SELECT coalesce(max(position) + 1, 0) FROM messages WHERE conversation_id = ?", (conversation_id,)
    ).fetchone()[0]
    for index, message in enumerate(messages, position):
        place = {"conversation_id": conversation_id, "position": index}
        insert(connection, "messages", {**place, **message_values(message, now=now)})


def _require(connection: sqlite3.Connection, conversation_id: str) -> Conversation:
    row = connection.execute(f"{_CONVERSATIONS} WHERE id = ?", (conversation_id,)).fetchone()
    if row is None:
        raise HistoryError(f"conversation {conversation_id} is not (or no longer) in the history", hint=_LIST)
    return conversation_of(row)


def _candidates(connection: sqlite3.Connection, name: str) -> Sequence[str]:
    """Ids that a name may mean, newest first: of the first way of reading it that fits any."""
    rows = connection.execute("SELECT id, title FROM conversations ORDER BY updated_at DESC, id DESC").fetchall()
    if name == "last":
        return [row["id"] for row in rows[:1]]
    # Compared here, because SQLite knows the case of ASCII letters only.
    wanted = _one_line(name).casefold()
    titles = {row["id"]: row["title"].casefold() for row in rows}
    if wanted in titles or not wanted:
        return [wanted] if wanted else []
    return (
        [id for id, title in titles.items() if title == wanted]
        or [id for id in titles if id.startswith(wanted)]
        or [id for id, title in titles.items() if wanted in title]
    )


def _hashes(connection: sqlite3.Connection, conversation_id: str) -> set[str]:
    rows = connection.execute(
        "SELECT * FROM messages WHERE conversation_id = ? AND attachments IS NOT NULL", (conversation_id,)
    )
    return {item.sha256 for row in rows for item in message_of(row).attachments if item.sha256}


def _referenced(connection: sqlite3.Connection, hashes: set[str]) -> set[str]:
    """Those hashes that a message still names."""
    query = "SELECT 1 FROM messages WHERE attachments LIKE ? LIMIT 1"
    return {digest for digest in hashes if connection.execute(query, (f"%{digest}%",)).fetchone()}

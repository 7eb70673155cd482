"""Full-text search: what the user typed, as a query that SQLite cannot misread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glmcli.history.model import Hit, Snippet
from glmcli.history.rows import storable

if TYPE_CHECKING:
    import sqlite3

_TERM = re.compile(r'"([^"]+)"|(\S+)')
_MOST_TERMS = 50  # SQLite bounds the depth of an expression; a pasted page is not a query
_INDEXED_LENGTH = 3  # characters; the index knows nothing shorter
_BEFORE, _AFTER = 40, 120  # characters of a snippet around the first mark

_COLUMNS = "m.conversation_id, c.title, m.position, m.role, m.created_at, m.content"
_JOINED = "JOIN conversations AS c ON c.id = m.conversation_id"


def terms_of(query: str) -> list[str]:
    """The different words of a query; words in double quotes stay together."""
    found = (phrase or word.strip('"') for phrase, word in _TERM.findall(storable(query)))
    return list(dict.fromkeys(term for term in found if term.strip()))[:_MOST_TERMS]


def search_messages(connection: sqlite3.Connection, terms: Sequence[str], limit: int | None) -> list[Hit]:
    """Messages that hold every term, in any case and anywhere, newest first."""
    indexed = [term for term in terms if len(term) >= _INDEXED_LENGTH]
    short = [term for term in terms if len(term) < _INDEXED_LENGTH]
    # Newest first, and not by relevance: that would have to weigh every match of a common word.
    source = "messages AS m"
    conditions = [r"m.content LIKE ? ESCAPE '\'" for _ in short]
    values: list[object] = [_pattern(term) for term in short]
    if indexed:
        source = "messages_text AS t CROSS JOIN messages AS m ON m.id = t.rowid"
        conditions.insert(0, "messages_text MATCH ?")
        values.insert(0, " AND ".join(_quoted(term) for term in indexed))
    order = "t.rowid" if indexed else "m.id"
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM {source} {_JOINED} WHERE {' AND '.join(conditions)} ORDER BY {order} DESC LIMIT ?",  # noqa: S608  # only constants
        (*values, -1 if limit is None else limit),
    )
    return [
        Hit(
            conversation_id=row["conversation_id"],
            title=row["title"],
            position=row["position"],
            role=row["role"],
            created_at=row["created_at"],
            snippet=snippet_of(row["content"], terms),
        )
        for row in rows
    ]


def search_titles(connection: sqlite3.Connection, terms: Sequence[str], limit: int | None) -> list[Hit]:
    """Conversations whose title holds every term though none of their messages need do so, newest first."""
    conditions = " AND ".join(r"title LIKE ? ESCAPE '\'" for _ in terms)
    rows = connection.execute(
        f"SELECT id, title, updated_at FROM conversations WHERE {conditions} ORDER BY updated_at DESC LIMIT ?",  # noqa: S608  # only constants
        (*map(_pattern, terms), -1 if limit is None else limit),
    )
    return [
        Hit(row["id"], row["title"], None, None, row["updated_at"], snippet_of(row["title"], terms)) for row in rows
    ]


def snippet_of(content: str, terms: Sequence[str]) -> Snippet:
    """The surroundings of the first term that occurs, on one line, every term in them marked."""
    wanted = re.compile("|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True)), re.IGNORECASE)
    first = wanted.search(content)
    at = first.start() if first else 0
    start, end = max(0, at - _BEFORE), at + _AFTER
    text = ("…" if start else "") + content[start:end] + ("…" if end < len(content) else "")
    line = " ".join(text.split())
    return Snippet(line, tuple(match.span() for match in wanted.finditer(line)))


def _quoted(term: str) -> str:
    """A term as a string of FTS5, in which nothing is an operator. A NUL would end the query."""
    return '"' + term.replace('"', '""').replace("\0", " ") + '"'


def _pattern(term: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", term) + "%"

"""The tables of `history.db`, as the steps that lead from each version to the next.

`PRAGMA user_version` counts the steps that a file has seen. A step that was
released is never edited: a change of the tables is a new step.
"""

from __future__ import annotations

from collections.abc import Sequence

#: "glm1": tells our file from any other SQLite database.
APPLICATION_ID = 0x676C6D31

_CONVERSATIONS = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    model TEXT,
    provider TEXT,
    profile TEXT,
    system TEXT,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
)"""

_MESSAGES = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    reasoning TEXT NOT NULL,
    tool_calls TEXT,
    tool_call_id TEXT,
    attachments TEXT,
    model TEXT,
    finish_reason TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    total_tokens INTEGER,
    cached_tokens INTEGER,
    reasoning_tokens INTEGER,
    interrupted INTEGER NOT NULL,
    created_at REAL NOT NULL,
    request_id TEXT,
    seconds REAL,
    UNIQUE (conversation_id, position)
)"""

# Trigrams, because Chinese has no spaces between words: any three characters in a row are found by the index.
_SEARCH = (
    "CREATE VIRTUAL TABLE messages_text USING fts5(content, content='messages', content_rowid='id', "
    "tokenize='trigram')",
    """
CREATE TRIGGER messages_inserted AFTER INSERT ON messages BEGIN
    INSERT INTO messages_text (rowid, content) VALUES (new.id, new.content);
END""",
    """
CREATE TRIGGER messages_deleted AFTER DELETE ON messages BEGIN
    INSERT INTO messages_text (messages_text, rowid, content) VALUES ('delete', old.id, old.content);
END""",
    """
CREATE TRIGGER messages_updated AFTER UPDATE OF content ON messages BEGIN
    INSERT INTO messages_text (messages_text, rowid, content) VALUES ('delete', old.id, old.content);
    INSERT INTO messages_text (rowid, content) VALUES (new.id, new.content);
END""",
)

_LEDGER = """
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    command TEXT NOT NULL,
    provider TEXT NOT NULL,
    profile TEXT,
    model TEXT,
    prompt_tokens INTEGER,
    cached_tokens INTEGER,
    completion_tokens INTEGER,
    cost REAL,
    currency TEXT,
    credits REAL
)"""

_TASKS = """
CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    remote_id TEXT,
    provider TEXT,
    region TEXT,
    base_url TEXT,
    profile TEXT,
    model TEXT,
    request TEXT NOT NULL,
    result TEXT,
    output TEXT,
    error TEXT,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
)"""

_NOTES = "CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at REAL NOT NULL)"

#: Step n (from 0) leads to version n + 1; each runs in one transaction.
MIGRATIONS: Sequence[Sequence[str]] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        _CONVERSATIONS,
        "CREATE INDEX conversations_by_time ON conversations (updated_at)",
        _MESSAGES,
        *_SEARCH,
        _LEDGER,
        "CREATE INDEX ledger_by_time ON ledger (at)",
        _TASKS,
        "CREATE INDEX tasks_by_remote_id ON tasks (remote_id)",
        _NOTES,
    ),
    (
        "ALTER TABLE ledger ADD COLUMN weighted REAL",
        # Asked before every request of a batch, and of no use to those who have no router.
        "CREATE INDEX ledger_weighted ON ledger (profile, at, weighted) WHERE weighted IS NOT NULL",
    ),
)

"""The local database: conversations, the ledger, tasks and notes (docs/history.md)."""

from __future__ import annotations

from glmcli.history.model import (
    Attachment,
    Conversation,
    Hit,
    Message,
    Snippet,
    Task,
    Transcript,
    UsageEntry,
    UsageSum,
)
from glmcli.history.store import History

__all__ = [
    "Attachment",
    "Conversation",
    "History",
    "Hit",
    "Message",
    "Snippet",
    "Task",
    "Transcript",
    "UsageEntry",
    "UsageSum",
]

"""Values to rows and back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glmcli.events import ToolCall, Usage
from glmcli.history.model import Attachment, Conversation, Message

if TYPE_CHECKING:
    import sqlite3

_ID_EPOCH = 1_735_689_600  # 2025-01-01
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no letter that looks like a digit

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens")
MESSAGE_COLUMNS = (
    "role",
    "content",
    "reasoning",
    "tool_calls",
    "tool_call_id",
    "attachments",
    "model",
    "finish_reason",
    *_COUNTS,
    "interrupted",
    "created_at",
    "request_id",
    "seconds",
)


def new_id(now: float) -> str:
    """Ten characters that sort by time and never repeat in practice: six of seconds, four of chance."""
    seconds = max(0, int(now) - _ID_EPOCH) % 32**6
    number = seconds * 32**4 + int.from_bytes(os.urandom(4), "big") % 32**4
    return "".join(_DIGITS[number >> shift & 31] for shift in range(45, -1, -5))


def storable(text: str) -> str:
    """The text with lone surrogates, which SQLite refuses, as question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def storable_or_none(text: str | None) -> str | None:
    """As `storable`, where nothing may stand."""
    return None if text is None else storable(text)


def insert(connection: sqlite3.Connection, table: str, values: Mapping[str, object]) -> None:
    """Insert one row; the names are ours, the values are anybody's."""
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608  # our names


def update(connection: sqlite3.Connection, table: str, id: str, values: Mapping[str, object]) -> bool:
    """Change columns of the row with that id; whether there is one."""
    changes = ", ".join(f"{name} = ?" for name in values)
    done = connection.execute(f"UPDATE {table} SET {changes} WHERE id = ?", (*values.values(), id))  # noqa: S608  # our names
    return done.rowcount > 0


def message_values(message: Message, *, now: float) -> dict[str, object]:
    """The columns of a message."""
    usage = message.usage or Usage()
    return {
        "role": message.role,
        "content": storable(message.content),
        "reasoning": storable(message.reasoning),
        "tool_calls": _json_of_each(message.tool_calls, ("id", "name", "arguments")),
        "tool_call_id": storable_or_none(message.tool_call_id),
        "attachments": _json_of_each(message.attachments, ("path", "sha256", "mime", "bytes")),
        "model": storable_or_none(message.model),
        "finish_reason": storable_or_none(message.finish_reason),
        **{name: getattr(usage, name) for name in _COUNTS},
        "interrupted": int(message.interrupted),
        "created_at": now if message.created_at is None else message.created_at,
        "request_id": storable_or_none(message.request_id),
        "seconds": message.seconds,
    }


def message_of(row: sqlite3.Row) -> Message:
    """The message that a row holds."""
    counts = {name: row[name] for name in _COUNTS}
    return Message(
        role=row["role"],
        content=row["content"],
        reasoning=row["reasoning"],
        tool_calls=tuple(ToolCall(**item) for item in _list(row["tool_calls"])),
        tool_call_id=row["tool_call_id"],
        attachments=tuple(Attachment(**item) for item in _list(row["attachments"])),
        model=row["model"],
        finish_reason=row["finish_reason"],
        usage=Usage(**counts) if any(count is not None for count in counts.values()) else None,
        interrupted=bool(row["interrupted"]),
        created_at=row["created_at"],
        request_id=row["request_id"],
        seconds=row["seconds"],
    )


def conversation_of(row: sqlite3.Row) -> Conversation:
    """The conversation that a row holds; the query names its columns as the fields."""
    return Conversation(**dict(row))


def to_json(value: Mapping[str, object]) -> str:
    """A JSON object as text."""
    return storable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def from_json(text: str | None) -> dict[str, object] | None:
    """The JSON object that `to_json` wrote."""
    value = json.loads(text) if text else None
    return value if isinstance(value, dict) else None


def _json_of_each(items: tuple[object, ...], names: tuple[str, ...]) -> str | None:
    if not items:
        return None
    return storable(json.dumps([{name: getattr(item, name) for name in names} for item in items], ensure_ascii=False))


def _list(text: str | None) -> list[Any]:
    return json.loads(text) if text else []

"""Conversations as JSON files: what `/save talk.json` and `glm history export` write, read again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glmcli.api.fields import mapping, mappings, text
from glmcli.errors import UsageError
from glmcli.events import ToolCall
from glmcli.history.model import Attachment, Conversation, Message, Transcript
from glmcli.wiremessages import plain_text

if TYPE_CHECKING:
    from glmcli.wiremessages import WireMessage

_ROLES = frozenset({"user", "assistant", "tool"})


def read_transcript(path: Path) -> Transcript:
    """The (first) conversation of a file. Raises UsageError for a file that holds none.

    A bare list of messages, as other tools write it, is taken, too.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path.name} is not JSON: {error}") from None
    document = _document(value)
    found = mappings(document, "messages")
    if not found:
        raise UsageError(f"{path.name} holds no conversation", hint="/save FILE.json writes one")
    systems = [plain_text(item.get("content")) for item in found if item.get("role") == "system"]
    messages = tuple(_message(item) for item in found if item.get("role") in _ROLES)
    system = text(document, "system") or (systems[0] if systems else None)
    return _transcript(messages, text(document, "title") or path.stem, text(document, "model"), system)


def transcript_of_messages(
    messages: Iterable[WireMessage], title: str | None, model: str | None, system: str | None
) -> Transcript:
    """A conversation that stands in no database."""
    return _transcript(tuple(_message(item) for item in messages), title or "Conversation", model, system)


def _document(value: Any) -> Mapping[str, Any]:
    if isinstance(value, list):
        return {"messages": value}
    if not isinstance(value, dict):
        return {}
    several = mappings(value, "conversations")
    return several[0] if several else value


def _transcript(messages: tuple[Message, ...], title: str, model: str | None, system: str | None) -> Transcript:
    now = time.time()
    conversation = Conversation("unkept", title, model, None, None, system or None, now, now, len(messages))
    return Transcript(conversation, messages)


def _message(item: Mapping[str, Any]) -> Message:
    calls = tuple(
        ToolCall(text(call, "id") or "", text(function, "name") or "", text(function, "arguments") or "")
        for call in mappings(item, "tool_calls")
        for function in [mapping(call, "function")]
    )
    attachments = tuple(
        Attachment(path, text(kept, "sha256"), text(kept, "mime"))
        for kept in mappings(item, "attachments")
        if (path := text(kept, "path"))
    )
    return Message(
        role=str(item.get("role")),
        content=plain_text(item.get("content")),
        reasoning=text(item, "reasoning") or text(item, "reasoning_content") or "",
        tool_calls=calls,
        tool_call_id=text(item, "tool_call_id"),
        attachments=attachments,
        model=text(item, "model"),
        interrupted=item.get("complete") is False,
    )

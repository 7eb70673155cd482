"""Conversations as Markdown, for people, and as JSON, for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from glmcli.history.model import Conversation, Hit, Message, Transcript
from glmcli.history.times import iso_time, local_time

SCHEMA_VERSION = 1
_BACKTICKS = re.compile(r"`{3,}")


def conversation_document(conversation: Conversation) -> dict[str, object]:
    """What a list says of a conversation; times in UTC."""
    return {
        "id": conversation.id,
        "title": conversation.title,
        "model": conversation.model,
        "provider": conversation.provider,
        "profile": conversation.profile,
        "created_at": iso_time(conversation.created_at),
        "updated_at": iso_time(conversation.updated_at),
        "message_count": conversation.message_count,
    }


def hit_document(hit: Hit) -> dict[str, object]:
    """A match of a search; `marks` are the places of the words in the snippet."""
    return {
        "id": hit.conversation_id,
        "title": hit.title,
        "position": hit.position,
        "role": hit.role,
        "created_at": iso_time(hit.created_at),
        "snippet": hit.snippet.text,
        "marks": [list(mark) for mark in hit.snippet.marks],
    }


def transcript_document(transcript: Transcript) -> dict[str, object]:
    """A whole conversation.

    `messages` begin as the service takes them (`role`, `content`, `tool_calls`), so that they can be sent
    again; what we know beyond that follows.
    """
    system = transcript.conversation.system
    return {
        "schema_version": SCHEMA_VERSION,
        **conversation_document(transcript.conversation),
        "system": system,
        "messages": [_message_document(message) for message in transcript.messages],
    }


def json_text(transcripts: Iterable[Transcript]) -> Iterator[str]:
    """One document with all conversations, piece by piece."""
    yield f'{{"schema_version": {SCHEMA_VERSION}, "conversations": ['
    for index, transcript in enumerate(transcripts):
        yield (",\n" if index else "\n") + json.dumps(transcript_document(transcript), ensure_ascii=False)
    yield "\n]}\n"


def jsonl_text(transcripts: Iterable[Transcript]) -> Iterator[str]:
    """One conversation per line."""
    for transcript in transcripts:
        yield json.dumps(transcript_document(transcript), ensure_ascii=False) + "\n"


def markdown_text(transcripts: Iterable[Transcript], *, with_reasoning: bool = False) -> Iterator[str]:
    """One chapter per conversation."""
    for index, transcript in enumerate(transcripts):
        yield ("\n---\n\n" if index else "") + markdown(transcript, with_reasoning=with_reasoning)


def markdown(transcript: Transcript, *, with_reasoning: bool = False) -> str:
    """A conversation as a chapter: a heading per message, texts as they are, ended by a newline."""
    conversation = transcript.conversation
    facts = [conversation.id, local_time(conversation.created_at), conversation.model, conversation.profile]
    parts = [f"# {_escaped(conversation.title)}", " · ".join(f"`{fact}`" for fact in facts if fact)]
    if conversation.system:
        parts += ["## System", conversation.system.strip("\n")]
    for message in transcript.messages:
        parts += _markdown_parts(message, with_reasoning=with_reasoning)
    return "\n\n".join(parts) + "\n"


def _markdown_parts(message: Message, *, with_reasoning: bool) -> list[str]:
    parts = [_heading(message)]
    if with_reasoning and message.reasoning:
        parts.append("\n".join(f"> {line}".rstrip() for line in message.reasoning.strip().splitlines()))
    parts += [f"Attached: `{attachment.path}`" for attachment in message.attachments]
    if message.content.strip("\n"):
        parts.append(_fenced(message.content) if message.role == "tool" else message.content.strip("\n"))
    parts += [f"Calls `{call.name}`:\n\n{_fenced(call.arguments)}" for call in message.tool_calls]
    if message.interrupted:
        parts.append("*(interrupted)*")
    return parts


def _heading(message: Message) -> str:
    name = {"user": "You", "assistant": message.model or "Assistant", "tool": "Tool"}.get(message.role, message.role)
    time = "" if message.created_at is None else f" — {local_time(message.created_at)}"
    return f"## {_escaped(name)}{time}"


def _fenced(text: str) -> str:
    """The text as a block of code, behind a fence that it does not hold itself."""
    longest = max((len(match[0]) for match in _BACKTICKS.finditer(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text.strip(chr(10))}\n{fence}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", text)


def _message_document(message: Message) -> dict[str, object]:
    document: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        document["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        document["tool_call_id"] = message.tool_call_id
    if message.role == "assistant":
        document |= _answer_facts(message)
    if message.attachments:
        document["attachments"] = [
            {"path": item.path, "sha256": item.sha256, "mime": item.mime, "bytes": item.bytes}
            for item in message.attachments
        ]
    document["created_at"] = None if message.created_at is None else iso_time(message.created_at)
    return document


def _answer_facts(message: Message) -> dict[str, object]:
    usage = message.usage
    return {
        "reasoning": message.reasoning,
        "model": message.model,
        "finish_reason": message.finish_reason,
        "complete": not message.interrupted,
        "usage": None
        if usage is None
        else {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "cached_tokens": usage.cached_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        },
        "request_id": message.request_id,
        "seconds": message.seconds,
    }

"""Anthropic Messages: the same question in the other dialect.

A `ChatRequest` is rewritten, and the answer comes back as the same events.
Source: `api/anthropic-and-integrations.md` section 2 (docs.bigmodel.cn
develop/claude, docs.z.ai devpack/tool/claude) and Anthropic's own protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.catalog import find_model
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, mappings, text, whole
from glmcli.api.resources.chat import ChatRequest, events_of_answer, no_answer
from glmcli.api.sse import ServerEvent
from glmcli.api.streaming import add_delta, event_chunks, events_of_stream, read_chunk, whole_json
from glmcli.errors import GlmError, ServiceError, StreamCut, UsageError
from glmcli.events import (
    Answer,
    AnswerBuilder,
    Event,
    Finish,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    Usage,
)

_VERSION = {"anthropic-version": "2023-06-01"}
#: `max_tokens` is required here; this is sent for models that we know nothing about.
_MAX_TOKENS = 8192
_BUDGETS = {"low": 2048, "medium": 4096, "high": 8192, "max": 24576, "xhigh": 24576}
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "sensitive",
    "model_context_window_exceeded": "model_context_window_exceeded",
}


class Messages:
    """`POST /v1/messages` of the vendor's Anthropic base, or of a compatible router."""

    def __init__(self, caller: Caller, *, language: str = "en") -> None:
        self._caller = caller
        self._language = language

    def create(self, request: ChatRequest) -> Answer:
        """One whole answer. Raises what `Caller.send` raises."""
        reply = self._caller.send(_call(request, stream=False))
        answer = answer_from_message(reply.json(), language=self._language)
        answer.request_id = reply.request_id or answer.request_id
        return answer

    def stream(self, request: ChatRequest, *, merge: bool = True) -> Iterator[list[Event]]:
        """The events of an answer, one list per network read; as `ChatCompletions.stream`."""
        with self._caller.open(_call(request, stream=True)) as reply:
            if "json" in reply.headers.get("content-type", ""):
                yield events_of_answer(answer_from_message(whole_json(reply), language=self._language))
                return
            chunks = event_chunks(reply, language=self._language)
            yield from events_of_stream(chunks, MessageParser(merge=merge, language=self._language))


def _call(request: ChatRequest, *, stream: bool) -> Call:
    headers = {**_VERSION, "Accept": "text/event-stream"} if stream else _VERSION
    return Call(
        Service.CHAT, "POST", "/v1/messages", body=json_body(message_body(request, stream=stream)), headers=headers
    )


def message_body(request: ChatRequest, *, stream: bool) -> dict[str, object]:
    """A chat request as a Messages body.

    Raises UsageError for what this protocol does not have (JSON mode, and
    tools that are not functions).
    """
    if request.json_mode:
        raise UsageError("--json-mode is not part of the Anthropic protocol", hint="use --schema, or --protocol openai")
    max_tokens = request.max_tokens or _default_max_tokens(request.model)
    body: dict[str, object] = {
        "model": request.model,
        "max_tokens": max_tokens,
        "messages": _turns(request.messages),
        "stream": stream,
    }
    system = "\n\n".join(_plain(m["content"]) for m in request.messages if m["role"] == "system")
    optional: dict[str, object | None] = {
        "system": system or None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop_sequences": [request.stop] if request.stop else None,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "metadata": {"user_id": request.user_id} if request.user_id else None,
        "thinking": _thinking(request.thinking, max_tokens),
    }
    body.update({name: value for name, value in optional.items() if value is not None})
    body.update(request.extra)
    return body


def _default_max_tokens(model_id: str) -> int:
    model = find_model(model_id)
    return (model.max_output if model else None) or _MAX_TOKENS


def _thinking(fields: Mapping[str, object], max_tokens: int) -> dict[str, object] | None:
    switch = fields.get("thinking")
    if not isinstance(switch, Mapping):
        return None
    if switch.get("type") == "disabled":
        return {"type": "disabled"}
    budget = _BUDGETS.get(str(fields.get("reasoning_effort", "high")), _BUDGETS["high"])
    return {"type": "enabled", "budget_tokens": max(1024, min(budget, max_tokens - 1))}


def _tool(tool: Mapping[str, object]) -> dict[str, object]:
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, Mapping):
        raise UsageError(f"tools of type {tool.get('type')!r} are not part of the Anthropic protocol")
    return {
        "name": function.get("name"),
        "description": function.get("description", ""),
        "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
    }


def _turns(messages: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """User and assistant turns; results of tools become blocks of a user turn, and neighbours are joined."""
    turns: list[dict[str, object]] = []
    for message in messages:
        if message["role"] == "system":
            continue
        role = "assistant" if message["role"] == "assistant" else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            earlier = turns[-1]["content"]
            assert isinstance(earlier, list)
            earlier.extend(blocks)
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Mapping[str, Any]) -> list[dict[str, object]]:
    content = message.get("content")
    if message["role"] == "tool":
        return [{"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": _plain(content)}]
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
    blocks = [_block(part) for part in parts]
    for call in message.get("tool_calls") or ():
        function = call["function"]
        blocks.append(
            {"type": "tool_use", "id": call["id"], "name": function["name"], "input": _object(function["arguments"])}
        )
    return blocks


def _block(part: Mapping[str, Any]) -> dict[str, object]:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]}
    if part["type"] != "image_url":
        raise UsageError(f"attachments of type {part['type']!r} are not part of the Anthropic protocol")
    return {"type": "image", "source": _picture(part["image_url"]["url"])}


def _picture(url: Any) -> dict[str, object]:
    """The source of a picture: a link, base64 text, or a file that is read while it is sent."""
    prefix = getattr(url, "prefix", url)
    if not prefix.startswith("data:"):
        return {"type": "url", "url": url}
    head, _, data = prefix.partition(",")
    media_type = head.removeprefix("data:").removesuffix(";base64")
    return {"type": "base64", "media_type": media_type, "data": data if url is prefix else replace(url, prefix="")}


def _plain(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return str(content or "")


def _object(arguments: object) -> object:
    """Arguments as an object; what the model wrote wrongly is passed on as text."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return {"arguments": arguments}


class MessageParser:
    """Turns the events of a Messages stream into ours."""

    def __init__(self, *, merge: bool, language: str = "en") -> None:
        self.done = False
        self.finished = False
        self.failure: GlmError | None = None
        self._merge = merge
        self._language = language
        self._usage = Usage()

    def feed(self, server_events: Sequence[ServerEvent]) -> list[Event]:
        """Events of one network read. Raises StreamCut for unreadable JSON, ServiceError for an error."""
        events: list[Event] = []
        try:
            for name, data in server_events:
                if self.done:  # whatever comes behind the end, in the same read or a later one
                    break
                chunk = read_chunk(data)
                if chunk is not None:
                    self.read(text(chunk, "type") or name, chunk, events)
        except (ServiceError, StreamCut) as error:
            if not events:
                raise
            self.failure = error
        return events

    def read(self, kind: str, chunk: dict[str, Any], events: list[Event]) -> None:
        """Append the events of one chunk of this kind."""
        if kind == "error" or chunk.get("error"):
            from glmcli.api.faults import error_from_event

            raise error_from_event(chunk, self._language)
        if kind == "content_block_delta":
            self._delta(whole(chunk, "index") or 0, mapping(chunk, "delta"), events)
        elif kind == "content_block_start":
            _block_start(whole(chunk, "index") or 0, mapping(chunk, "content_block"), events)
        elif kind == "message_start":
            message = mapping(chunk, "message")
            events.append(Started(text(message, "model"), text(message, "id")))
            self._count(mapping(message, "usage"))
        elif kind == "message_delta":
            self._end(chunk, events)
        elif kind == "message_stop":
            self.done = True

    def _delta(self, index: int, delta: Mapping[str, Any], events: list[Event]) -> None:
        kind = delta.get("type")
        if kind == "text_delta":
            add_delta(events, TextDelta, text(delta, "text") or "", merge=self._merge)
        elif kind == "thinking_delta":
            add_delta(events, ReasoningDelta, text(delta, "thinking") or "", merge=self._merge)
        elif kind == "input_json_delta":
            events.append(ToolCallDelta(index, None, None, text(delta, "partial_json") or ""))

    def _end(self, chunk: Mapping[str, Any], events: list[Event]) -> None:
        self._count(mapping(chunk, "usage"))
        events.append(self._usage)
        reason = text(mapping(chunk, "delta"), "stop_reason")
        if reason:
            self.finished = True
            events.append(Finish(_FINISH_REASONS.get(reason, reason)))

    def _count(self, usage: Mapping[str, Any]) -> None:
        """Take over the counts that are there; the last word wins."""
        found = usage_from_message(usage)
        if found.prompt_tokens is not None:
            self._usage.prompt_tokens = found.prompt_tokens
            self._usage.cached_tokens = found.cached_tokens
        if found.completion_tokens is not None:
            self._usage.completion_tokens = found.completion_tokens
        self._usage.total_tokens = (self._usage.prompt_tokens or 0) + (self._usage.completion_tokens or 0)


def _block_start(index: int, block: Mapping[str, Any], events: list[Event]) -> None:
    """A block may open with its first text; a tool's block opens with its name."""
    if block.get("type") == "tool_use":
        whole_input = block.get("input")
        arguments = json.dumps(whole_input, ensure_ascii=False) if whole_input else ""
        events.append(ToolCallDelta(index, text(block, "id"), text(block, "name"), arguments))
    elif block.get("text"):
        events.append(TextDelta(text(block, "text") or ""))
    elif block.get("thinking"):
        events.append(ReasoningDelta(text(block, "thinking") or ""))


def usage_from_message(usage: Mapping[str, Any]) -> Usage:
    """Token counts; `input_tokens` leaves out what the cache served, so both are added."""
    new = whole(usage, "input_tokens")
    cached = whole(usage, "cache_read_input_tokens")
    written = whole(usage, "cache_creation_input_tokens") or 0
    return Usage(
        prompt_tokens=None if new is None else new + (cached or 0) + written,
        completion_tokens=whole(usage, "output_tokens"),
        cached_tokens=cached,
    )


def answer_from_message(body: object, *, language: str = "en") -> Answer:
    """A whole answer from the non-streaming reply. Raises ServiceError for an error in a 200, or no answer at all."""
    if not isinstance(body, dict) or not isinstance(body.get("content"), list):
        raise no_answer(body, "content", language)
    builder = AnswerBuilder()
    parser = MessageParser(merge=True, language=language)
    events: list[Event] = []
    parser.read("message_start", {"message": body}, events)
    for index, block in enumerate(mappings(body, "content")):
        _block_start(index, block, events)
    parser.read("message_delta", {"delta": body, "usage": body.get("usage")}, events)
    builder.feed(events)
    return builder.answer()

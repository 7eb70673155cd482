"""The Anthropic Messages protocol, by the same checks and answers as chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.answers import Answer, Ask, answer
from glmcli.sandbox.app import Payer, Route
from glmcli.sandbox.catalog import MODELS, Model
from glmcli.sandbox.chat import pieces, served_model
from glmcli.sandbox.checks import check_fields, check_messages, check_tools, is_integer, is_number, is_text, require
from glmcli.sandbox.envelopes import error_event
from glmcli.sandbox.exchange import Base, Refusal, Request, Response, named_event

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox

#: What the service puts in place of a tier of Claude (docs.z.ai/devpack/tool/claude).
_TIER_MODEL = "glm-5.3-flash"
_TIERS = ("haiku", "sonnet", "opus")
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "sensitive": "refusal"}
_SIGNATURE = "sandbox"


def routes() -> list[Route]:
    """What this module answers."""
    base = (Base.ANTHROPIC,)
    return [
        Route("POST", base, "/v1/messages", create_message),
        Route("POST", base, "/v1/messages/count_tokens", count_tokens, Payer.NOBODY),
    ]


def create_message(sandbox: Sandbox, request: Request) -> Response:
    """Answer a message request, in one piece or as a stream."""
    body = request.json()
    require(body, "max_tokens")
    model, ask = _read_ask(request, body)
    served = served_model(request, model.id)
    reply = answer(ask)
    usage = {"input_tokens": ask.prompt_tokens, "output_tokens": reply.completion_tokens}
    request.used = model.id, sum(usage.values())
    if body.get("stream"):
        return Response.sse(_events(request, served, reply, usage))
    if reply.finish == "network_error":
        raise Refusal("1234")
    content = [*_text_blocks(reply), *(_tool_block(call, _arguments(call)) for call in reply.calls)]
    return Response.json(_message(request, served, content, _stop_reason(reply), usage))


def count_tokens(sandbox: Sandbox, request: Request) -> Response:
    """Count the tokens that a message request would have."""
    _, ask = _read_ask(request, {"max_tokens": 1, **request.json()})
    return Response.json({"input_tokens": ask.prompt_tokens})


def _read_ask(request: Request, body: dict[str, Any]) -> tuple[Model, Ask]:
    _check(body)
    model = _find_model(body["model"])
    thinking = _check_thinking(body, model)
    messages = list(_chat_messages(body))
    check_messages(messages, model)
    functions = [_chat_function(tool) for tool in body.get("tools") or []]
    check_tools([{"type": "function", "function": function} for function in functions], None)
    ask = Ask(
        messages=messages,
        functions=functions,
        thinks=thinking,
        max_tokens=body["max_tokens"],
        stop=next(iter(body.get("stop_sequences") or []), None),
        fault=request.fault,
    )
    if ask.prompt_tokens > model.context:
        raise Refusal("1261")
    return model, ask


def _check(body: dict[str, Any]) -> None:
    """Types of the fields we know. Others pass: coding tools send betas that the service ignores."""
    require(body, "model", "messages")
    checks = {
        "model": lambda v: is_text(v, 1, 256),
        "messages": lambda v: isinstance(v, list) and len(v) > 0 and all(isinstance(item, dict) for item in v),
        "max_tokens": lambda v: is_integer(v, 1, 131072),
        "system": lambda v: isinstance(v, str | list),
        "stream": lambda v: isinstance(v, bool),
        "temperature": lambda v: is_number(v, 0, 1),
        "top_p": lambda v: is_number(v, 0.01, 1),
        "stop_sequences": lambda v: isinstance(v, list) and all(isinstance(word, str) for word in v),
        "tools": lambda v: isinstance(v, list) and all(isinstance(tool, dict) for tool in v),
        "thinking": lambda v: isinstance(v, dict),
    }
    check_fields(body, checks, lenient=True)


def _find_model(name: str) -> Model:
    if name.startswith("claude-") and any(tier in name for tier in _TIERS):
        name = _TIER_MODEL
    if name not in MODELS:
        raise Refusal("1211")
    return MODELS[name]


def _check_thinking(body: dict[str, Any], model: Model) -> bool:
    """Whether the answer begins with thinking. Raises Refusal 1210 for what the service refuses."""
    kind = (body.get("thinking") or {}).get("type")
    if kind not in (None, "enabled", "disabled"):
        raise Refusal("1210", message=f"Invalid API parameter: `thinking.type` {kind} is not supported.")
    if kind == "disabled" and model.thinking == "forced":
        raise Refusal("1210", message=f"Invalid API parameter: {model.id} does not support `thinking.type` disabled.")
    return model.thinking == "forced" or kind == "enabled"


# --- from the Anthropic form to that of chat completions -------------------


def _chat_function(tool: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": tool.get("name"),
        "description": tool.get("description") or "",
        "parameters": tool.get("input_schema"),
    }


def _chat_messages(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    system = body.get("system")
    if system:
        yield {"role": "system", "content": system if isinstance(system, str) else _joined(system)}
    for index, message in enumerate(body["messages"]):
        role, content = message.get("role"), message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if role not in ("user", "assistant"):
            raise Refusal("1214", f"messages[{index}].role")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise Refusal("1214", f"messages[{index}].content")
        yield from _from_assistant(blocks) if role == "assistant" else _from_user(blocks, index)


def _joined(blocks: list[Any]) -> str:
    return "\n".join(block.get("text") or "" for block in blocks if isinstance(block, dict))


def _from_assistant(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    calls = [
        {
            "id": block.get("id"),
            "type": "function",
            "function": {"name": block.get("name"), "arguments": json.dumps(block.get("input") or {})},
        }
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    thought = "".join(block.get("thinking") or "" for block in blocks if block.get("type") == "thinking")
    text = _joined([block for block in blocks if block.get("type") == "text"])
    yield {"role": "assistant", "content": text, "reasoning_content": thought, "tool_calls": calls}


def _from_user(blocks: list[dict[str, Any]], index: int) -> Iterator[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for block in blocks:
        kind = block.get("type")
        if kind == "tool_result":
            result = block.get("content") or ""
            text = result if isinstance(result, str) else _joined(result)
            yield {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": text}
        elif kind == "image":
            parts.append({"type": "image_url", "image_url": {"url": _image_url(block, index)}})
        elif kind == "text":
            parts.append({"type": "text", "text": block.get("text")})
        else:
            raise Refusal("1214", f"messages[{index}].content.type")
    if parts and all(part["type"] == "text" for part in parts):
        yield {"role": "user", "content": _joined(parts)}
    elif parts:
        yield {"role": "user", "content": parts}


def _image_url(block: dict[str, Any], index: int) -> str:
    source = block.get("source") or {}
    if source.get("type") == "url":
        return str(source.get("url"))
    if source.get("type") != "base64" or not isinstance(source.get("data"), str):
        raise Refusal("1214", f"messages[{index}].content.source")
    return f"data:{source.get('media_type')};base64,{source['data']}"


# --- the answer --------------------------------------------------------------


def _stop_reason(reply: Answer) -> str:
    return _STOP_REASONS.get(reply.finish, reply.finish)


def _message(
    request: Request, model: str, content: list[dict[str, Any]], stop_reason: str | None, usage: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "id": f"msg_{request.log_id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _text_blocks(reply: Answer) -> list[dict[str, Any]]:
    blocks = []
    if reply.reasoning:
        blocks.append({"type": "thinking", "thinking": reply.reasoning, "signature": _SIGNATURE})
    if reply.content:
        blocks.append({"type": "text", "text": reply.content})
    return blocks


def _tool_block(call: dict[str, Any], arguments: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": arguments}


def _arguments(call: dict[str, Any]) -> object:
    try:
        return json.loads(call["function"]["arguments"])
    except ValueError:
        return {}


def _events(request: Request, model: str, reply: Answer, usage: dict[str, int]) -> Iterator[str]:
    start = _message(request, model, [], None, {**usage, "output_tokens": 0})
    yield named_event("message_start", {"type": "message_start", "message": start})
    yield named_event("ping", {"type": "ping"})
    for index, (block, deltas) in enumerate(_streamed_blocks(reply)):
        yield named_event(
            "content_block_start", {"type": "content_block_start", "index": index, "content_block": block}
        )
        for delta in deltas:
            yield named_event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})
        yield named_event("content_block_stop", {"type": "content_block_stop", "index": index})
    if reply.finish == "network_error":
        yield error_event(request, Refusal("1234"))
        return
    end = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    yield named_event("message_delta", {"type": "message_delta", "delta": end, "usage": usage})
    yield named_event("message_stop", {"type": "message_stop"})


def _streamed_blocks(reply: Answer) -> Iterator[tuple[dict[str, Any], Iterator[dict[str, Any]]]]:
    """Each block as it starts, and the deltas that fill it."""
    if reply.reasoning:
        yield {"type": "thinking", "thinking": "", "signature": ""}, _thinking_deltas(reply.reasoning)
    if reply.content:
        texts = ({"type": "text_delta", "text": piece} for piece in pieces(reply.content))
        yield {"type": "text", "text": ""}, texts
    for call in reply.calls:
        inputs = pieces(call["function"]["arguments"])
        yield _tool_block(call, {}), ({"type": "input_json_delta", "partial_json": piece} for piece in inputs)


def _thinking_deltas(reasoning: str) -> Iterator[dict[str, Any]]:
    for piece in pieces(reasoning):
        yield {"type": "thinking_delta", "thinking": piece}
    yield {"type": "signature_delta", "signature": _SIGNATURE}

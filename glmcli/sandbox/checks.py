"""Strict checks of a chat request, with the codes that the service uses.

1213 a required field is missing, 1214 a value is out of range or of the wrong
type, 1215 two things exclude one another, 1210 the field or value does not
exist or the model does not take it, 1211 the model is unknown.
Ranges: OpenAPI of docs.z.ai, ChatCompletionTextRequest and VisionRequest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from glmcli.sandbox.catalog import MODELS, Model
from glmcli.sandbox.exchange import Refusal

Body = Mapping[str, Any]

_MAX_OUTPUT = 131072
_MAX_FUNCTIONS = 128
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SEARCH_ENGINES = {
    "intl": ("search_pro_jina",),
    "cn": ("search_std", "search_pro", "search_pro_sogou", "search_pro_quark"),
}
_RECENCY = ("oneDay", "oneWeek", "oneMonth", "oneYear", "noLimit")


def is_number(value: object, low: float, high: float) -> bool:
    """Whether a JSON number (not a boolean) lies in a range, ends included."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def is_integer(value: object, low: int, high: int) -> bool:
    """Whether a JSON integer (not a boolean) lies in a range, ends included."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_text(value: object, low: int, high: int) -> bool:
    """Whether a text has a length in a range, ends included."""
    return isinstance(value, str) and low <= len(value) <= high


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "model": lambda v: is_text(v, 1, 256),
    "messages": lambda v: isinstance(v, list) and len(v) > 0,
    "stream": lambda v: isinstance(v, bool),
    "thinking": lambda v: isinstance(v, dict),
    "reasoning_effort": lambda v: isinstance(v, str),
    "do_sample": lambda v: isinstance(v, bool),
    "temperature": lambda v: is_number(v, 0, 1),
    "top_p": lambda v: is_number(v, 0.01, 1),
    "max_tokens": lambda v: is_integer(v, 1, _MAX_OUTPUT),
    "stop": lambda v: isinstance(v, list) and len(v) <= 1 and all(isinstance(word, str) for word in v),
    "tools": lambda v: isinstance(v, list),
    "tool_choice": lambda v: v == "auto",
    "tool_stream": lambda v: isinstance(v, bool),
    "response_format": lambda v: isinstance(v, dict) and set(v) == {"type"} and v["type"] in ("text", "json_object"),
    "request_id": lambda v: is_text(v, 6, 64),
    "user_id": lambda v: is_text(v, 6, 128),
}


def check_chat(body: Body, *, region: str | None, lenient: bool = False) -> Model:
    """Check a whole request; the model it names. Raises Refusal.

    region: `intl` or `cn` decides the search engines; None accepts all.
    """
    require(body, "model", "messages")
    check_fields(body, _FIELDS, lenient=lenient)
    model = MODELS.get(body["model"])
    if model is None:
        raise Refusal("1211")
    _check_thinking(body, model)
    _check_abilities(body, model)
    check_messages(body["messages"], model)
    check_tools(body.get("tools") or [], region)
    return model


def require(body: Body, *names: str) -> None:
    """Raises Refusal 1213 for the first field that is missing."""
    for name in names:
        if body.get(name) is None:
            raise Refusal("1213", name)


def check_fields(body: Body, fields: Mapping[str, Callable[[Any], bool]], *, lenient: bool = False) -> None:
    """Raises Refusal 1210 for an unknown field, 1214 for a value that its check denies.

    An explicit null counts as absent.
    """
    for name, value in body.items():
        check = fields.get(name)
        if check is None and not lenient:
            raise Refusal("1210", message=f"Invalid API parameter: unknown field `{name}`.")
        if check is not None and value is not None and not check(value):
            raise Refusal("1214", name)


def _check_thinking(body: Body, model: Model) -> None:
    thinking = body.get("thinking") or {}
    kind = thinking.get("type", "enabled")
    if kind not in ("enabled", "disabled") or not isinstance(thinking.get("clear_thinking", True), bool):
        raise Refusal("1210", message="Invalid API parameter: `thinking` is invalid.")
    if set(thinking) - {"type", "clear_thinking"}:
        raise Refusal("1210", message="Invalid API parameter: unknown field in `thinking`.")
    if model.thinking == "forced" and kind == "disabled":
        raise Refusal("1210", message=f"Invalid API parameter: {model.id} does not support `thinking.type` disabled.")
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in model.efforts:
        choices = ", ".join(model.efforts) or "no value"
        raise Refusal("1210", message=f"Invalid API parameter: `reasoning_effort` of {model.id} takes {choices}.")


def _check_abilities(body: Body, model: Model) -> None:
    if model.vision and body.get("response_format"):
        raise Refusal("1210", message=f"Invalid API parameter: {model.id} does not support `response_format`.")
    if body.get("tools") and not model.tools:
        raise Refusal("1210", message=f"Invalid API parameter: {model.id} does not support `tools`.")
    if body.get("tool_stream"):
        if not model.tool_stream:
            raise Refusal("1210", message=f"Invalid API parameter: {model.id} does not support `tool_stream`.")
        if not body.get("stream"):
            raise Refusal("1210", message="Invalid API parameter: `tool_stream` needs `stream`.")


def check_messages(messages: Sequence[Any], model: Model) -> None:
    """Roles, contents and the order of tool calls. Raises Refusal 1214."""
    roles = [message.get("role") if isinstance(message, dict) else None for message in messages]
    if set(roles) <= {"system", "assistant"}:
        raise Refusal("1214", "messages")
    parts: list[dict[str, Any]] = []
    called: set[str] = set()
    for index, (role, message) in enumerate(zip(roles, messages, strict=True)):
        where = f"messages[{index}]"
        if role not in _ROLES:
            raise Refusal("1214", f"{where}.role")
        _ROLES[role](message, where, called)
        if isinstance(message.get("content"), list):
            if role != "user" or not model.vision:
                text = f"Invalid API parameter: {model.id} takes `{where}.content` as text only."
                raise Refusal("1210", message=text)
            parts += message["content"]
    if parts:
        from glmcli.sandbox.parts import check_parts

        check_parts(parts, model)


def _check_spoken(message: Body, where: str, called: set[str]) -> None:
    content = message.get("content")
    if content is None:
        raise Refusal("1213", f"{where}.content")
    if not isinstance(content, str | list) or not content:
        raise Refusal("1214", f"{where}.content")


def _check_assistant(message: Body, where: str, called: set[str]) -> None:
    calls = message.get("tool_calls") or []
    if not isinstance(message.get("content") or "", str):
        raise Refusal("1214", f"{where}.content")
    if not calls and not message.get("content") and not message.get("reasoning_content"):
        raise Refusal("1213", f"{where}.content")
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(call.get("id"), str) or call.get("type") != "function":
            raise Refusal("1214", f"{where}.tool_calls")
        if not isinstance(function.get("name"), str) or not isinstance(function.get("arguments"), str):
            raise Refusal("1214", f"{where}.tool_calls.function")
        called.add(call["id"])


def _check_tool(message: Body, where: str, called: set[str]) -> None:
    if not isinstance(message.get("content"), str):
        raise Refusal("1214", f"{where}.content")
    if message.get("tool_call_id") not in called:
        raise Refusal("1214", f"{where}.tool_call_id")


_ROLES: dict[str, Callable[[Body, str, set[str]], None]] = {
    "system": _check_spoken,
    "user": _check_spoken,
    "assistant": _check_assistant,
    "tool": _check_tool,
}


def check_tools(tools: Sequence[Any], region: str | None) -> None:
    """Kinds, names and numbers of tools. Raises Refusal."""
    kinds = [tool.get("type") if isinstance(tool, dict) else None for tool in tools]
    if kinds.count("function") > _MAX_FUNCTIONS:
        raise Refusal("1214", "tools")
    # China FAQ: functions, retrieval and web_search cannot be mixed in one request.
    if region == "cn" and len(set(kinds)) > 1:
        raise Refusal("1215", "tools")
    for index, (kind, tool) in enumerate(zip(kinds, tools, strict=True)):
        where = f"tools[{index}]"
        if kind == "mcp" and region == "intl":
            raise Refusal("1210", message=f"Invalid API parameter: `{where}.type` mcp is not supported.")
        if kind not in _TOOLS or not isinstance(tool.get(kind), dict):
            raise Refusal("1214", f"{where}.type")
        _TOOLS[kind](tool[kind], where, region)


def _check_function(function: Body, where: str, region: str | None) -> None:
    for name in ("name", "description", "parameters"):
        if function.get(name) is None:
            raise Refusal("1213", f"{where}.function.{name}")
    if not isinstance(function["name"], str) or not _FUNCTION_NAME.fullmatch(function["name"]):
        raise Refusal("1214", f"{where}.function.name")
    if not isinstance(function["description"], str):
        raise Refusal("1214", f"{where}.function.description")
    if not isinstance(function["parameters"], dict):
        raise Refusal("1214", f"{where}.function.parameters")


def _check_search(search: Body, where: str, region: str | None) -> None:
    engine = search.get("search_engine")
    if engine is None:
        raise Refusal("1213", f"{where}.web_search.search_engine")
    known = _SEARCH_ENGINES[region] if region else sum(_SEARCH_ENGINES.values(), ())
    check_fields(
        search,
        {
            "search_engine": lambda v: v in known,
            "enable": lambda v: isinstance(v, bool),
            "count": lambda v: is_integer(v, 1, 50),
            "search_recency_filter": lambda v: v in _RECENCY,
            "content_size": lambda v: v in ("medium", "high"),
            "result_sequence": lambda v: v in ("before", "after"),
            **dict.fromkeys(("search_query", "search_domain_filter", "search_prompt"), lambda v: isinstance(v, str)),
            **dict.fromkeys(("search_result", "require_search", "search_intent"), lambda v: isinstance(v, bool)),
        },
    )


def _check_retrieval(retrieval: Body, where: str, region: str | None) -> None:
    if not isinstance(retrieval.get("knowledge_id"), str):
        raise Refusal("1213", f"{where}.retrieval.knowledge_id")


def _check_mcp(server: Body, where: str, region: str | None) -> None:
    if not isinstance(server.get("server_label"), str):
        raise Refusal("1213", f"{where}.mcp.server_label")


_TOOLS: dict[str, Callable[[Body, str, str | None], None]] = {
    "function": _check_function,
    "web_search": _check_search,
    "retrieval": _check_retrieval,
    "mcp": _check_mcp,
}

"""What the sandbox says: deterministic, scripted by words in the prompt, and honest about itself.

Words in the last user message (`docs/sandbox.md` has the list for users):
`echo: TEXT`, `repeat: N`, `broken-json`, `call NAME {…}`, `loop`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from glmcli.sandbox import tokens

_THOUGHT = "This is the sandbox thinking: no model is asked. 先想一想，再回答。 The prompt has {} tokens."
_DEMO = """\
## An answer from the sandbox

No model was asked: this text comes from the **sandbox**, an imitation of the service.
You wrote: {quoted}

| Piece | What it tests |
|:------|:--------------|
| Table | alignment, 中文宽度 |
| Code  | highlighting |

```python
def greet(name: str) -> str:
    return f"你好, {{name}}!"  # a fence with CJK inside
```

1. One item with `inline code`
2. Another with *emphasis* and a [link](https://docs.z.ai)
   - nested: 沙盒的回答，不是模型的回答。

> Start a prompt with `echo:` to get your own words back.
"""
_FILLER = ("sand", "box", "word", "after", "word", "goes", "on", "and", "on", "now\n")
_FINISHES = ("network_error", "sensitive", "length", "model_context_window_exceeded")


@dataclass(frozen=True)
class Ask:
    """A question in one form for all protocols: messages as in chat completions."""

    messages: Sequence[dict[str, Any]]
    functions: Sequence[dict[str, Any]] = ()
    search: dict[str, Any] | None = None
    wants_json: bool = False
    thinks: bool = True
    max_tokens: int = 65536
    stop: str | None = None
    fault: str | None = None

    @property
    def prompt(self) -> str:
        """The text of the last user message."""
        spoken = [message for message in self.messages if message.get("role") == "user"]
        return text_of(spoken[-1]) if spoken else ""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all messages and tools."""
        texts = [json.dumps(function, ensure_ascii=False) for function in self.functions]
        return sum(message_tokens(message) for message in self.messages) + sum(map(tokens.count, texts))


@dataclass
class Answer:
    """What is sent back, before a protocol wraps it."""

    content: str
    reasoning: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    finish: str = "stop"
    found: list[dict[str, str]] = field(default_factory=list)

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of the reasoning alone."""
        return tokens.count(self.reasoning)

    @property
    def completion_tokens(self) -> int:
        """Tokens of reasoning, content and calls."""
        called = sum(tokens.count(call["function"]["name"] + call["function"]["arguments"]) for call in self.calls)
        return self.reasoning_tokens + tokens.count(self.content) + called


def text_of(message: dict[str, Any]) -> str:
    """The text of a message, whether a string or parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content if part.get("type") == "text")


def message_tokens(message: dict[str, Any]) -> int:
    """Tokens of one message; an attachment counts as a fixed number."""
    content = message.get("content")
    attached = sum(part.get("type") != "text" for part in content) if isinstance(content, list) else 0
    calls = json.dumps(message["tool_calls"]) if message.get("tool_calls") else ""
    reasoning = message.get("reasoning_content") or ""
    return tokens.PER_MESSAGE + tokens.count(text_of(message)) + tokens.count(calls + reasoning) + 1024 * attached


def answer(ask: Ask) -> Answer:
    """The whole answer to a question, within its budget of tokens."""
    reply = _say(ask)
    if ask.thinks:
        reply.reasoning = _THOUGHT.format(ask.prompt_tokens)
    if ask.stop and ask.stop in reply.content:
        reply.content = reply.content.partition(ask.stop)[0]
    if ask.fault in _FINISHES:
        reply.content, reply.calls, reply.finish = reply.content[: len(reply.content) // 2], [], ask.fault
    return _within_budget(reply, ask.max_tokens)


def _within_budget(reply: Answer, limit: int) -> Answer:
    if reply.completion_tokens <= limit:
        return reply
    # Reasoning is spent first: a budget of one token buys no content at all.
    reply.reasoning = tokens.clip(reply.reasoning, limit)
    reply.content = tokens.clip(reply.content, max(0, limit - reply.reasoning_tokens))
    reply.calls, reply.finish = [], "length"
    return reply


def _say(ask: Ask) -> Answer:
    prompt = ask.prompt
    calls = _calls(ask)
    if calls:
        return Answer("", calls=calls, finish="tool_calls")
    if ask.messages and ask.messages[-1].get("role") == "tool":
        return Answer(_report(ask.messages))
    if (echo := re.search(r"(?:^|\n)echo: ?(.*)", prompt, re.DOTALL)) is not None:
        return Answer(echo[1])
    if (repeat := re.search(r"\brepeat: ?(\d+)", prompt)) is not None:
        return Answer(_filler(int(repeat[1])))
    if ask.wants_json:
        return Answer(_json_text(ask))
    if ask.search is not None:
        return _searched(ask)
    attached = _attached(ask.messages)
    if attached:
        lines = "\n".join(f"- {line}" for line in attached)
        return Answer(f"The sandbox looked at what you attached, no model did:\n\n{lines}\n")
    return Answer(_DEMO.format(quoted=_quoted(prompt)))


def _quoted(prompt: str) -> str:
    line = " ".join(prompt.split())
    return f"“{line[:60]}…”" if len(line) > 60 else f"“{line}”"


def _filler(number: int) -> str:
    words = (f"{_FILLER[index % len(_FILLER)]} " if index % 10 < 9 else _FILLER[9] for index in range(number))
    return "".join(words).strip()


def _attached(messages: Sequence[dict[str, Any]]) -> list[str]:
    content = next((m.get("content") for m in reversed(messages) if m.get("role") == "user"), None)
    parts = [part for part in content if part.get("type") != "text"] if isinstance(content, list) else []
    if not parts:
        return []
    from glmcli.sandbox.parts import describe

    return [describe(part) for part in parts]


def _searched(ask: Ask) -> Answer:
    search = ask.search or {}
    query = search.get("search_query") or ask.prompt
    number = min(int(search.get("count") or 10), 3)
    found = [
        {
            "title": f"Sandbox result {index} for {query[:40]}",
            "link": f"https://example.com/sandbox/{index}",
            "content": f"Nothing was searched; this is result {index} of the sandbox about {query[:80]}.",
            "media": "Sandbox",
            "icon": "",
            "publish_date": "2026-01-01",
            "refer": f"ref_{index}",
        }
        for index in range(1, number + 1)
    ]
    lines = "".join(f"- {item['title']} [{item['refer']}]\n" for item in found)
    content = f"The sandbox searched nothing, and found:\n\n{lines}"
    return Answer(content, found=found if search.get("search_result") else [])


# --- tools ---------------------------------------------------------------


def _calls(ask: Ask) -> list[dict[str, Any]]:
    """The calls that the prompt asks for, unless their results are already there."""
    prompt = ask.prompt
    last_is_result = bool(ask.messages) and ask.messages[-1].get("role") == "tool"
    if not ask.functions or (last_is_result and not re.search(r"\bloop\b", prompt)):
        return []
    named = [function for function in ask.functions if _mentions(prompt, function["name"])]
    if not named and re.search(r"\bcall\b|调用", prompt):
        named = [ask.functions[0]]
    done = sum(message.get("role") == "tool" for message in ask.messages)
    return [_call(function, prompt, done + index) for index, function in enumerate(named, 1)]


def _mentions(prompt: str, name: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", prompt) is not None


def _call(function: dict[str, Any], prompt: str, number: int) -> dict[str, Any]:
    name = function["name"]
    arguments = _given_arguments(name, prompt)
    if arguments is None:
        arguments = json.dumps(sample(function.get("parameters") or {}), ensure_ascii=False)
    called = {"name": name, "arguments": arguments}
    return {"id": f"call_sandbox_{number}", "type": "function", "function": called}


def _given_arguments(name: str, prompt: str) -> str | None:
    """The `{…}` after a function name, as it stands (broken JSON too)."""
    found = re.search(rf"{re.escape(name)} ?(\{{.*)", prompt, re.DOTALL)
    if found is None:
        return None
    try:
        return found[1][: json.JSONDecoder().raw_decode(found[1])[1]]
    except ValueError:
        return found[1]


def _report(messages: Sequence[dict[str, Any]]) -> str:
    names = {call["id"]: call["function"]["name"] for message in messages for call in message.get("tool_calls") or []}
    results = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        results.append(f"- {names.get(message.get('tool_call_id', ''), 'tool')}: {text_of(message)}")
    return "The sandbox got these results:\n\n" + "\n".join(reversed(results)) + "\n"


def sample(schema: dict[str, Any]) -> Any:
    """A value that a JSON Schema allows, the same one every time."""
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return sample(schema[key][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    made: Callable[[dict[str, Any]], Any] = _SAMPLES.get(kind[0] if isinstance(kind, list) else kind, _sample_text)
    return made(schema)


def _sample_object(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    wanted = schema.get("required") or properties
    return {name: sample(properties.get(name) or {}) for name in wanted}


def _sample_array(schema: dict[str, Any]) -> list[Any]:
    items = schema.get("items")
    return [sample(items if isinstance(items, dict) else {})] * max(1, schema.get("minItems", 1))


def _sample_text(schema: dict[str, Any]) -> str:
    formats = {
        "date": "2026-01-01",
        "date-time": "2026-01-01T00:00:00Z",
        "email": "sandbox@example.com",
        "uri": "https://example.com",
    }
    text = formats.get(schema.get("format", ""), "sandbox")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 1000)]


def _sample_number(schema: dict[str, Any]) -> int:
    return int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))


_SAMPLES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "object": _sample_object,
    "array": _sample_array,
    "number": _sample_number,
    "integer": _sample_number,
    "boolean": lambda schema: True,
    "null": lambda schema: None,
}


# --- JSON mode -----------------------------------------------------------


def _json_text(ask: Ask) -> str:
    answered = any(message.get("role") == "assistant" for message in ask.messages)
    if "broken-json" in _all_text(ask) and not answered:
        return '{"sandbox": tru'
    schema = next(_schemas(_all_text(ask)), None)
    value = sample(schema) if schema is not None else {"sandbox": True, "prompt": ask.prompt}
    return json.dumps(value, ensure_ascii=False, indent=2)


def _all_text(ask: Ask) -> str:
    return "\n".join(text_of(message) for message in ask.messages)


def _schemas(text: str) -> Iterator[dict[str, Any]]:
    """The JSON Schemas that stand in a text: JSON mode has no field for one."""
    decoder = json.JSONDecoder()
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except ValueError:
            end = position + 1
        else:
            if isinstance(value, dict) and ("properties" in value or isinstance(value.get("type"), str)):
                yield value
        position = text.find("{", end)

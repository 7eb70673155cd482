"""Messages in the service's form, as they go back with the next question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glmcli.events import Answer

WireMessage = dict[str, Any]


def assistant_message(answer: Answer, *, keep_reasoning: bool) -> WireMessage:
    """An answer as the message that goes back with the next question."""
    message: WireMessage = {"role": "assistant", "content": answer.content}
    if keep_reasoning and answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    return message


def with_results(messages: list[WireMessage]) -> list[WireMessage]:
    """The messages, with a result for every call: the service refuses a call that was left without one.

    Calls are left so when they were only printed, stopped by Ctrl-C, or one round too many.
    """
    answered = {message.get("tool_call_id") for message in messages}
    whole: list[WireMessage] = []
    waiting: list[WireMessage] = []
    for message in messages:
        if message["role"] != "tool":
            whole += waiting
            waiting = []
        whole.append(message)
        for call in message.get("tool_calls") or ():
            if call["id"] not in answered:
                missing = "error: this call was not carried out"
                waiting.append({"role": "tool", "tool_call_id": call["id"], "content": missing})
    return whole + waiting


def plain_text(content: object) -> str:
    """The text of a message's content, whichever form it has."""
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if part.get("type") == "text")
    return str(content or "")

"""Replaces the older part of a conversation by a summary, so that it fits the model again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from glmcli.repl.size import context_of
from glmcli.wiremessages import plain_text

if TYPE_CHECKING:
    from glmcli.session import Session
    from glmcli.wiremessages import WireMessage

_ASK = (
    "Summarise the conversation below for someone who continues it. Keep facts, names, numbers, decisions, open "
    "questions, wishes of the user, and code that still matters. Write in the language of the conversation. "
    "Answer with the summary alone."
)
_FIRST = "Summary of our conversation so far:\n\n"
_REPLY = "Understood. I go on from there."
_USUAL_CONTEXT_TOKENS = 128_000


def compact(session: Session) -> str:
    """Summarise all but the last exchange and go on from the summary; empty when nothing came.

    What does not fit one request is summarised piece by piece. Raises as a
    question does; the conversation is then as it was.
    """
    from glmcli.history.model import Message

    older, last = _parted(session.messages)
    context = context_of(session.model) or _USUAL_CONTEXT_TOKENS
    summary = ""
    # Half of the window, at worst with a token per character and a half.
    for piece in _pieces(_transcript(older), limit=int(context * 0.5 * 1.5)):
        summary = _summarise(session, summary, piece)
        if not summary:
            return ""
    messages: list[WireMessage] = [
        {"role": "user", "content": _FIRST + summary},
        {"role": "assistant", "content": _REPLY},
        *last,
    ]
    kept = [Message(role=str(message["role"]), content=plain_text(message["content"])) for message in messages]
    title = session.keeper.title and f"{session.keeper.title} (compacted)"
    session.replace_messages(messages, kept, title=title)
    return summary


def _parted(messages: list[WireMessage]) -> tuple[list[WireMessage], list[WireMessage]]:
    """The older part, and the last exchange when that is plain text and not all there is."""
    last = messages[-2:]
    is_plain = [message["role"] for message in last] == ["user", "assistant"] and not any(
        message.get("tool_calls") or not isinstance(message["content"], str) for message in last
    )
    if not is_plain or len(messages) <= 2:
        return messages, []
    return messages[:-2], last


def _transcript(messages: list[WireMessage]) -> str:
    lines = []
    for message in messages:
        calls = [f"[calls {call['function']['name']}]" for call in message.get("tool_calls") or ()]
        lines.append(f"{str(message['role']).upper()}: {' '.join([plain_text(message['content']), *calls])}")
    return "\n\n".join(lines)


def _pieces(text: str, *, limit: int) -> Iterator[str]:
    for start in range(0, len(text), limit):
        yield text[start : start + limit]


def _summarise(session: Session, summary: str, piece: str) -> str:
    """The summary of what was summarised before and one more piece."""
    from glmcli.asking import build_request
    from glmcli.turn import ask, told

    so_far = f"Summary of what came before:\n{summary}\n\n" if summary else ""
    options = session.setup.options.replace(system=None, json_mode=False, stop=(), max_tokens=None)
    prompt = f"{_ASK}\n\n{so_far}Conversation:\n{piece}"
    request = build_request(session.app, options, [{"role": "user", "content": prompt}])
    turn = ask(session.app, request, thinking="hide", shown=False)
    session.spent.add(session.app, turn.answer)
    told(session.app, turn)
    return turn.answer.content.strip()

"""How long a conversation is, in tokens: estimated, because the service counts only what it is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from glmcli.api.catalog import find_model

if TYPE_CHECKING:
    from glmcli.session import Session

# Rules of thumb for byte-pair encodings; within a fifth for prose and code.
_LATIN_CHARACTERS_PER_TOKEN = 4.0
_OTHER_CHARACTERS_PER_TOKEN = 1.5
_TOKENS_PER_MESSAGE = 4


def context_of(model: str) -> int | None:
    """The context window of a model in tokens, None when unknown."""
    known = find_model(model)
    return known.context if known is not None else None


def tokens_in(text: str) -> int:
    """Tokens of a text, estimated."""
    latin = len(text) if text.isascii() else sum(character < "\u0250" for character in text)
    return round(latin / _LATIN_CHARACTERS_PER_TOKEN + (len(text) - latin) / _OTHER_CHARACTERS_PER_TOKEN)


def about_tokens(session: Session) -> int:
    """Tokens of all messages and the system message, estimated."""
    texts = [json.dumps(message, ensure_ascii=False, default=str) for message in session.messages]
    texts += [text for text in (session.setup.options.system, session.unanswered) if text]
    return sum(tokens_in(text) + _TOKENS_PER_MESSAGE for text in texts)


def counted_tokens(session: Session) -> int | None:
    """Tokens of the conversation as the service counted them with the last answer."""
    usage = session.last_turn.answer.usage if session.last_turn is not None else None
    if usage is None or usage.prompt_tokens is None:
        return None
    return usage.prompt_tokens + (usage.completion_tokens or 0)

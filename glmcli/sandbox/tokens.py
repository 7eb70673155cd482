"""A plausible count of tokens: close enough to test budgets, never the real tokenizer."""

from __future__ import annotations

import re

_CJK = r"\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(rf"\s*(?:[{_CJK}]|[^\W\d_{_CJK}]{{1,6}}|\d{{1,3}}|[^\w\s]|_)|\s+")
#: What a message costs beside its text.
PER_MESSAGE = 4


def count(text: str) -> int:
    """Number of tokens of a text."""
    return sum(1 for _ in _TOKEN.finditer(text))


def clip(text: str, limit: int) -> str:
    """The text, or its first `limit` tokens."""
    end = 0
    for number, found in enumerate(_TOKEN.finditer(text)):
        if number == limit:
            return text[:end]
        end = found.end()
    return text

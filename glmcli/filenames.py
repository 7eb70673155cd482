"""File names from prompts: readable, short, and good on every system."""

from __future__ import annotations

import unicodedata

#: Longest name without its ending, in characters and in bytes of UTF-8.
MAX_CHARACTERS = 60
MAX_BYTES = 120
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
)


def name_from(text: str, fallback: str) -> str:
    """A file name, without an ending, that says what a prompt said.

    Letters and digits of every script stay, all else becomes a hyphen: no
    separators, no leading dot or dash, no device of Windows.
    """
    folded = unicodedata.normalize("NFC", text).lower()
    words = "".join(c if c.isalnum() or unicodedata.category(c) in ("Mn", "Mc") else " " for c in folded).split()
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word
        if not _fits(longer):
            break
        name = longer
    name = name or _cut(words[0] if words else fallback)
    return f"{name}-{fallback}" if name in _RESERVED else name


def _fits(name: str) -> bool:
    return len(name) <= MAX_CHARACTERS and len(name.encode("utf-8", "replace")) <= MAX_BYTES


def _cut(name: str) -> str:
    """The beginning of one long word: Chinese is written without spaces."""
    while not _fits(name):
        name = name[:-1]
    return name

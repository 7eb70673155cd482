"""A key as people paste it, and as it must be sent."""

from __future__ import annotations

from collections.abc import Callable

from glmcli.errors import ConfigError

_QUOTES = (("'", "'"), ('"', '"'), ("“", "”"), ("‘", "’"))


def clean_key(text: str, source: str, notice: Callable[[str], None]) -> str:
    """A key without what copying and exporting put around it; says what was taken off.

    Raises ConfigError, which does not show the key, for white space, control
    or other characters inside that no HTTP header can carry.
    """
    key = text.removesuffix("\n").removesuffix("\r")
    stripped = _unwrapped(key)
    if not stripped:
        raise ConfigError(f"the key ({source}) is empty", hint="copy the key again, whole and alone")
    for position, character in enumerate(stripped, 1):
        if not "!" <= character <= "~":
            raise ConfigError(
                f"the key ({source}) has a character that no key has: {_name_of(character)} at position {position}",
                hint="copy the key again, whole and alone",
            )
    if stripped != key:
        notice(f"glm: ignored white space or quotes around the key ({source})")
    return stripped


def _unwrapped(key: str) -> str:
    key = key.strip().strip("\ufeff\u200b").strip()
    for left, right in _QUOTES:
        if len(key) >= 2 and key.startswith(left) and key.endswith(right):
            return key[1:-1].strip()
    return key


def _name_of(character: str) -> str:
    import unicodedata

    names = {" ": "a space", "\n": "a line break", "\r": "a line break", "\t": "a tab"}
    if character in names:
        return names[character]
    return unicodedata.name(character, f"U+{ord(character):04X}").lower()


def doubt_about(key: str) -> str | None:
    """Why a text hardly is a key of Z.AI or Zhipu, or None. Only a doubt: team keys may look different."""
    import re

    if re.fullmatch(r"[0-9a-f]{32}\.[0-9A-Za-z]{16}", key):
        return None
    if key.count(".") != 1:
        return "a key of Z.AI or Zhipu has the form id.secret, with one dot; this one has not"
    return "a key of Z.AI or Zhipu has 32 hexadecimal characters before its dot and 16 after it; this one has not"

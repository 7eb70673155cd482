"""How many tokens a text has, guessed without the tokenizer.

An estimate and never more: the vocabulary of GLM is not here. The rules follow
what byte-pair vocabularies of its size (about 150,000 entries) do: a common
English word is one token, long words and identifiers are cut about every five
letters, digits go in threes, two Chinese characters are often one entry, and
runs of blanks or newlines count once. `docs/search.md` says how far off it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from glmcli.api.jsonfiles import FileText

#: Role marks and line ends around each message, and what opens a request and the answer.
PER_MESSAGE = 4
PER_REQUEST = 4
#: A picture whose size is not known; GLM-4V cuts 28 x 28 pixels into one token.
PICTURE = 1024
PIXELS_PER_TOKEN_SIDE = 28

_HAN = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA_HANGUL = r"\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af\u1100-\u11ff"
_PIECE = re.compile(
    rf"(?P<han>[{_HAN}]+)|(?P<syllable>[{_KANA_HANGUL}]+)|(?P<word> ?[A-Za-z]+)|(?P<digits>\d+)"
    rf"|(?P<letters>[^\W\d_A-Za-z{_HAN}{_KANA_HANGUL}]+)|(?P<newline>[ \t]*[\r\n]+)|(?P<blank>[^\S\r\n]+)"
    r"|(?P<mark>[!-/:-@\[-`{-~]+)|(?P<other>.)",
    re.DOTALL,
)
#: A lower-case run with the capital before it: how identifiers fall apart.
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
#: Letters of a word that are one token; a longer word is cut every so many.
_ONE_WORD, _CUT = 9, 5


def estimate(text: str) -> int:
    """About how many tokens a text has. Linear in its length."""
    return round(sum(_cost(found.lastgroup or "other", found[0]) for found in _PIECE.finditer(text)))


def _cost(kind: str, piece: str) -> float:
    size = len(piece)
    if kind == "word":
        return sum(_word(len(part)) for part in _PART.findall(piece))
    if kind == "blank":
        return 0.0 if size == 1 else 1.0  # a single blank goes with the word behind it
    if kind == "digits":
        return -(-size // 3)
    if kind == "mark":
        return 1.0 if size <= 2 else size / 2
    if kind == "other" and ord(piece) > 0xFFFF:  # emoji and the like: bytes
        return 2.0
    return size * _PER_CHARACTER.get(kind, 0.0) or 1.0


_PER_CHARACTER = {"han": 0.62, "syllable": 0.75, "letters": 0.4}


def _word(size: int) -> int:
    return 1 if size <= _ONE_WORD else -(-size // _CUT)


def estimate_request(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, object]] = ()) -> int:
    """About how many tokens a whole request has. Of attachments only pictures are counted."""
    import json

    told = [json.dumps(tool, ensure_ascii=False) for tool in tools]
    return PER_REQUEST + sum(map(_message, messages)) + sum(map(estimate, told))


def _message(message: Mapping[str, Any]) -> int:
    import json

    content = message.get("content")
    total = PER_MESSAGE + (estimate(content) if isinstance(content, str) else 0)
    for part in content if isinstance(content, list) else []:
        total += _part(part) if isinstance(part, Mapping) else 0
    for name in ("reasoning_content", "tool_calls"):
        value = message.get(name)
        if value:
            total += estimate(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return total


def _part(part: Mapping[str, Any]) -> int:
    if part.get("type") == "text":
        return estimate(str(part.get("text", "")))
    return _picture(part.get("image_url")) if part.get("type") == "image_url" else 0


def _picture(holder: object) -> int:
    """By the size of the picture, where the file is at hand to tell it."""
    source = holder.get("url") if isinstance(holder, Mapping) else None
    if not isinstance(source, FileText):
        return PICTURE
    size = _pixels(source)
    if size is None:
        return PICTURE
    side = PIXELS_PER_TOKEN_SIDE
    return -(-size[0] // side) * -(-size[1] // side)


def _pixels(file: FileText) -> tuple[int, int] | None:
    """Width and height of a PNG; other kinds do not say it at their beginning."""
    try:
        with file.path.open("rb") as stream:
            head = stream.read(24)
    except OSError:
        return None
    if not head.startswith(b"\x89PNG") or len(head) < 24:
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")

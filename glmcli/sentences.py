"""Cuts a long text into pieces where a reader would breathe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_CLOSERS = r"[\"'”’»)\]』」）》】〉]*"
#: Places to cut behind, the best first. A Latin stop counts before a blank only: `3.14` and `example.com` are words.
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(rf"[。！？…]+{_CLOSERS}|[.!?]+{_CLOSERS}(?=\s)|\n")
_CLAUSE = re.compile(rf"[，；：、]{_CLOSERS}|[,;:—–]{_CLOSERS}(?=\s)")
_BLANK = re.compile(r"\s+")
#: Words whose stop ends no sentence, and single letters (`J. S. Bach`).
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘])(?:[^\W\d_]|(?i:[a-z]\.[a-z]|mr|mrs|ms|dr|prof|st|vs|etc|no|vol|fig|approx|bzw|ca|usw))\.$"
)
#: How much text before a stop is looked at for an abbreviation.
_LOOK_BACK = 12


def pieces(text: str, limit: int) -> list[str]:
    """Pieces of at most `limit` characters, in order and without blanks at their ends.

    A piece ends with a paragraph that fills at least half of it, else with
    the last sentence that fits, else with a clause, a word, or between two
    Chinese characters. A single longer word is cut, for want of better.
    """
    text = text.strip()
    found = []
    start = 0
    while len(text) - start > limit:
        # One more character tells whether a blank follows.
        window = text[start : start + limit + 1]
        end = _end(window, limit)
        found.append(window[:end].rstrip())
        start += end
        while text[start].isspace():
            start += 1
    return [*found, text[start:]] if text else found


def _end(window: str, limit: int) -> int:
    """Where the piece ends that begins with this window on a text that is too long."""
    paragraph = _last(_PARAGRAPH, window, limit)
    if paragraph > limit // 2:
        return paragraph
    for pattern in (_SENTENCE, _CLAUSE, _BLANK):
        end = _last(pattern, window, limit)
        if end:
            return end
    return _between_characters(window, limit)


def _last(pattern: re.Pattern[str], window: str, limit: int) -> int:
    """The end of the last match that fits; 0 when there is none."""
    return max(_ends(pattern, window, limit), default=0)


def _ends(pattern: re.Pattern[str], window: str, limit: int) -> Iterator[int]:
    for match in pattern.finditer(window):
        # A blank at the edge is dropped anyway, so that it may stick out.
        end = match.start() if match[0].isspace() else match.end()
        if 0 < end <= limit and not (pattern is _SENTENCE and _is_abbreviation(window, match)):
            yield end


def _is_abbreviation(window: str, match: re.Match[str]) -> bool:
    if match[0] != ".":
        return False
    is_lower = window[match.end() :].lstrip()[:1].islower()
    return is_lower or _ABBREVIATION.search(window[max(0, match.end() - _LOOK_BACK) : match.end()]) is not None


def _between_characters(window: str, limit: int) -> int:
    """A cut where no blank is: not before a mark that belongs to the character before, nor inside a Latin word."""
    end = limit
    while end > 1 and _belongs_together(window[end - 1], window[end]):
        end -= 1
    return end if end > 1 else limit


def _belongs_together(before: str, after: str) -> bool:
    if unicodedata.combining(after) or unicodedata.category(after) in ("Mn", "Mc", "Me") or "\u200d" in (before, after):
        return True
    return _is_spaced_script(before) and _is_spaced_script(after)


def _is_spaced_script(character: str) -> bool:
    """Whether words of this script are set apart by blanks."""
    return character.isalnum() and unicodedata.east_asian_width(character) not in ("W", "F")

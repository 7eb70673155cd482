"""A transcript as text, SubRip (SRT) or WebVTT.

SRT has no standard; the form here is the one that every player reads.
WebVTT: https://www.w3.org/TR/webvtt1/ (section 4.1 for the escapes).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cue:
    """Words and when they were said, in seconds from the start."""

    start: float
    end: float
    text: str


def join(texts: Iterable[str]) -> str:
    """The texts of consecutive pieces as one, blanks where the script uses them."""
    whole = ""
    parts: list[str] = []
    for text in texts:
        stripped = text.strip()
        if stripped:
            parts.append(separator(whole, stripped) + stripped)
            whole = stripped
    return "".join(parts)


def separator(before: str, after: str) -> str:
    """What stands between two texts: nothing in Chinese and Japanese, else a blank."""
    if not before or not after:
        return ""
    return "" if _is_wide(before[-1]) or _is_wide(after[0]) else " "


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF" and not "\uac00" <= character <= "\ud7a3"


def srt(cues: Iterable[Cue]) -> str:
    """The cues as SubRip; those without words are left out."""
    blocks = (
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_one_line(cue.text)}\n\n"
        for number, cue in enumerate(_spoken(cues), 1)
    )
    return "".join(blocks)


def vtt(cues: Iterable[Cue]) -> str:
    """The cues as WebVTT; those without words are left out."""
    blocks = (
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escaped(_one_line(cue.text))}\n\n"
        for cue in _spoken(cues)
    )
    return "WEBVTT\n\n" + "".join(blocks)


def _spoken(cues: Iterable[Cue]) -> Iterable[Cue]:
    return (cue for cue in cues if cue.text.strip())


def _one_line(text: str) -> str:
    """An empty line would end the cue, and an arrow would start one."""
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"

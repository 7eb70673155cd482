"""Markdown as pieces to translate and pieces to leave alone; joined they are the text again.

Code, front matter, formulas and link definitions are left alone as blocks.
Inside a paragraph code spans, addresses and HTML tags are masked, since a
model translates those too when it is let.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"[ \t>]*(?:[-*+]\s+|\d+[.)]\s+)?(`{3,}(?!.*`)|~{3,}|\$\$)")
_RAW_HTML = re.compile(r"\s*<(pre|script|style|textarea)\b", re.IGNORECASE)
_DEFINITION = re.compile(r" {0,3}\[[^\]\n]+\]:\s*\S+.*$")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")
_INDENTED = re.compile(r"(?: {4}|\t)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])")

#: What inside a paragraph is no language.
_PROTECTED = re.compile(
    r"(?P<tick>`+)(?!`).+?(?<!`)(?P=tick)(?!`)"  # code spans
    r"|\$\$.+?\$\$"
    r"|(?<=\])\((?:[^()\s]|\([^()\s]*\))*(?:\s+(?:\"[^\"\n]*\"|'[^'\n]*'))?\s*\)"  # where a link leads
    r"|(?<=\])\[[^\]\n]*\]"  # the name of a link definition
    r"|\[\^[^\]\n]+\]"  # footnotes
    r"|<!--.*?-->|</?[A-Za-z][^<>\n]*>|<[A-Za-z][A-Za-z0-9+.-]*:[^<>\s]*>"  # HTML, autolinks
    r"|https?://[^\s<>()\[\]]*[^\s<>()\[\].,;:!?'\"]"
    r"|\{\{[^{}\n]*\}\}"
    r"|(?m:^[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?::?-+:?)?[ \t]*$)",  # under the head of a table
    re.DOTALL,
)
_MASK = re.compile(r"<\s*[xX]\s*(\d+)\s*/?\s*>")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text; only `is_words` is to be translated."""

    text: str
    is_words: bool


def split_markdown(text: str, limit: int) -> list[Piece]:
    """The pieces of a Markdown text, in order; words come in stretches of at most `limit` characters."""
    pieces: list[Piece] = []
    words: list[str] = []

    def end_words() -> None:
        pieces.extend(_pieces_of_words("".join(words)))
        words.clear()

    for block, is_words in _blocks(text):
        if not is_words:
            end_words()
            pieces.append(Piece(block, is_words=False))
            continue
        if sum(map(len, words)) + len(block) > limit:
            end_words()
        for part in _cut(block, limit):
            if len(part) == limit or sum(map(len, words)) + len(part) > limit:
                end_words()
            words.append(part)
    end_words()
    return pieces


def split_plain(text: str, limit: int) -> list[Piece]:
    """The pieces of a text that is no Markdown."""
    return [piece for part in _cut(text, limit) for piece in _pieces_of_words(part)]


def _pieces_of_words(text: str) -> Iterator[Piece]:
    """White space at both ends, and what has no letters, is left alone."""
    inner = text.strip()
    if not inner or not any(character.isalpha() for character in _PROTECTED.sub("", inner)):
        if text:
            yield Piece(text, is_words=False)
        return
    start = text.index(inner)
    for part, is_words in ((text[:start], False), (inner, True), (text[start + len(inner) :], False)):
        if part:
            yield Piece(part, is_words)


# -- blocks ------------------------------------------------------------------------------


def _blocks(text: str) -> Iterator[tuple[str, bool]]:
    """Paragraphs with the blank lines behind them, and blocks that are no language."""
    lines = text.splitlines(keepends=True)
    place = _front_matter(lines)
    if place:
        yield "".join(lines[:place]), False
    paragraph: list[str] = []
    in_list = False
    while place < len(lines):
        end = _kept_block(lines, place, in_list=in_list)
        if end > place:
            if paragraph:
                yield "".join(paragraph), True
                paragraph = []
            yield "".join(lines[place:end]), False
            place = end
            continue
        line = lines[place]
        if paragraph and not paragraph[-1].strip() and line.strip():
            yield "".join(paragraph), True
            paragraph = []
        in_list = _stays_in_list(line, in_list=in_list)
        paragraph.append(line)
        place += 1
    if paragraph:
        yield "".join(paragraph), True


def _stays_in_list(line: str, *, in_list: bool) -> bool:
    """Whether indented lines below belong to a list item rather than to code."""
    if _LIST_ITEM.match(line):
        return True
    return in_list and (not line.strip() or line[0] in " \t")


def _front_matter(lines: list[str]) -> int:
    """The line behind YAML or TOML at the beginning; 0 without."""
    if not lines or lines[0].rstrip() not in ("---", "+++"):
        return 0
    mark = lines[0].rstrip()
    return next((number + 1 for number, line in enumerate(lines[1:], 1) if line.rstrip() == mark), 0)


def _kept_block(lines: list[str], place: int, *, in_list: bool) -> int:
    """The line behind a block that begins here and is left alone; `place` itself when none does."""
    line = lines[place]
    fence = _FENCE.match(line)
    if fence is not None and not (fence[1] == "$$" and line.count("$$") > 1):
        return _behind_fence(lines, place, fence[1])
    raw = _RAW_HTML.match(line)
    if raw is not None:
        closing = f"</{raw[1].lower()}>"
        return next((number + 1 for number in range(place, len(lines)) if closing in lines[number].lower()), len(lines))
    if line.lstrip().startswith("<!--"):
        return next((number + 1 for number in range(place, len(lines)) if "-->" in lines[number]), len(lines))
    if _DEFINITION.match(line):
        return place + 1
    is_after_blank = place == 0 or not lines[place - 1].strip()
    if is_after_blank and not in_list and _INDENTED.match(line) and line.strip():
        return _behind_indented(lines, place)
    return place


def _behind_fence(lines: list[str], place: int, mark: str) -> int:
    closing = re.compile(rf"[ \t>]*{re.escape(mark)}{re.escape(mark[0])}*\s*$")
    if mark == "$$":
        closing = re.compile(r".*\$\$\s*$")
    return next((number + 1 for number in range(place + 1, len(lines)) if closing.match(lines[number])), len(lines))


def _behind_indented(lines: list[str], place: int) -> int:
    end = place
    for number in range(place, len(lines)):
        if _INDENTED.match(lines[number]) and lines[number].strip():
            end = number + 1
        elif lines[number].strip():
            break
    return end


# -- cutting -----------------------------------------------------------------------------


def _cut(text: str, limit: int) -> Iterator[str]:
    """A text in parts of at most `limit` characters, cut at lines, sentences or words where it can be."""
    part = ""
    for unit in _units(text, limit):
        if part and len(part) + len(unit) > limit:
            yield part
            part = ""
        part += unit
    if part:
        yield part


def _units(text: str, limit: int) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        if len(line) <= limit:
            yield line
            continue
        for sentence in _keeping(_SENTENCE_END, line):
            yield from _short(sentence, limit)


def _keeping(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    """Cut behind every match."""
    start = 0
    for found in pattern.finditer(text):
        if found.end() > start:
            yield text[start : found.end()]
            start = found.end()
    if start < len(text):
        yield text[start:]


def _short(text: str, limit: int) -> Iterator[str]:
    while len(text) > limit:
        place = text.rfind(" ", limit // 2, limit) + 1 or limit
        yield text[:place]
        text = text[place:]
    yield text


# -- masks -------------------------------------------------------------------------------


def mask(text: str) -> tuple[str, list[str]]:
    """The text with `<x1/>`, `<x2/>`, ... for what is no language, and what stood there."""
    kept: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"<x{len(kept)}/>"

    return _PROTECTED.sub(put_away, text), kept


def unmask(text: str, kept: list[str]) -> str | None:
    """The text with everything back in its place; None when a mask was lost or doubled."""
    numbers = sorted(int(found[1]) for found in _MASK.finditer(text))
    if numbers != list(range(1, len(kept) + 1)):
        return None
    return _MASK.sub(lambda found: kept[int(found[1]) - 1], text)


def around_masks(text: str) -> list[Piece]:
    """The words of a text between what would be masked, for a translator that loses masks."""
    pieces: list[Piece] = []
    place = 0
    for found in _PROTECTED.finditer(text):
        pieces += _pieces_of_words(text[place : found.start()])
        pieces.append(Piece(found[0], is_words=False))
        place = found.end()
    return [*pieces, *_pieces_of_words(text[place:])]

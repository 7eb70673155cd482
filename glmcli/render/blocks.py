"""The block structure of Markdown, line by line as it arrives.

CommonMark describes its parser as a stack of open blocks that each new line
extends or closes (https://spec.commonmark.org/0.31.2/#appendix-a-parsing-strategy).
That form is incremental by nature: a line is looked at once, and what it
settles is told to a `Sink` at once. Tables are those of GitHub.

Where an answer has no end in sight, four limits keep a block from waiting for it:

- a line longer than `LONG_LINE` characters is taken for what its beginning says
  and passed on in pieces; it is never an underline, a fence or the head of a table;
- a paragraph longer than that no longer becomes a heading by an underline;
- containers nest `MAX_DEPTH` deep; what is deeper is text;
- link definitions count for the text after them.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Protocol

LONG_LINE = 1024
MAX_DEPTH = 100


class Sink(Protocol):
    """Is told of the blocks in order. Every `start_…` is followed by its `end_…`."""

    def enter_quote(self) -> None:
        """A block quote begins."""

    def enter_item(self, list_id: int, marker: str) -> None:
        """A list item begins; `marker` is `"-"` or a number and its delimiter, items of one list share the id."""

    def leave(self) -> None:
        """The innermost quote or item ends."""

    def blank(self) -> None:
        """The source has an empty line here."""

    def rule(self) -> None:
        """A thematic break."""

    def define(self, text: str) -> str:
        """Take link definitions from the start of a paragraph; what is left of it."""

    def start_text(self, level: int) -> None:
        """A paragraph (level 0) or a heading begins."""

    def text(self, text: str) -> None:
        """More inline Markdown of it; may hold newlines."""

    def end_text(self) -> None:
        """It ends."""

    def start_code(self, kind: str, info: str) -> None:
        """Verbatim lines begin; kind is `"fence"`, `"indented"` or `"html"`."""

    def code_line(self, line: str) -> None:
        """One verbatim line."""

    def code_piece(self, text: str) -> None:
        """More of the last verbatim line, which is long."""

    def end_code(self) -> None:
        """They end."""

    def start_table(self, header: list[str], alignments: list[str]) -> None:
        """A table begins; alignments are `"left"`, `"center"`, `"right"` or `""`."""

    def row(self, cells: list[str]) -> None:
        """A row, as long as the header."""

    def end_table(self) -> None:
        """It ends."""


@dataclass(slots=True)
class _Quote:
    pass


@dataclass(slots=True)
class _Item:
    list_id: int
    kind: str  # the character that makes neighbours one list: - + * . )
    number: int
    indent: int  # columns that a line must be indented by to belong to it
    is_empty: bool = True


@dataclass(slots=True)
class _Paragraph:
    level: int = 0
    settled: list[str] = field(default_factory=list)  # lines that are certainly its own
    last: str | None = None  # a line that may yet be the head of a table
    size: int = 0
    flows: bool = False  # its text is passed on as it comes


@dataclass(slots=True)
class _Verbatim:
    kind: str
    fence: str = ""
    indent: int = 0
    end: re.Pattern[str] | None = None  # of HTML; None ends at an empty line
    blanks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Table:
    columns: int
    pieces: list[str] = field(default_factory=list)


_HEADING = re.compile(r"(#{1,6})(?:[ ]+|$)")
_HEADING_END = re.compile(r"(?:^|[ ])[ ]*#+[ ]*$")
_UNDERLINE = re.compile(r"(=+|-+)[ ]*$")
_RULE = re.compile(r"(?:(?:\*[ ]*){3,}|(?:-[ ]*){3,}|(?:_[ ]*){3,})$")
_FENCE = re.compile(r"(`{3,})([^`]*)$|(~{3,})(.*)$")
_MARKER = re.compile(r"([-+*])(?= |$)|(\d{1,9})([.)])(?= |$)")
_DELIMITERS = re.compile(r"(?!- )[-:|][-:| ]+$")
_DELIMITER = re.compile(r":?-+:?$")
_PIPE = re.compile(r"(?<!\\)\|")

_HTML_BLOCKS = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|"
    "fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|"
    "menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|"
    "track|ul"
)
_RAW_TAGS = "script|pre|style|textarea"
_ATTRIBUTE = r"\s+[a-zA-Z_:][\w:.-]*(?:\s*=\s*(?:[^\"'=<>`\s]+|'[^']*'|\"[^\"]*\"))?"
# What begins a block of HTML, and what ends it (None: an empty line).
_HTML: list[tuple[re.Pattern[str], re.Pattern[str] | None]] = [
    (re.compile(rf"<(?:{_RAW_TAGS})(?=\s|>|$)", re.I), re.compile(rf"</(?:{_RAW_TAGS})>", re.I)),
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<\?"), re.compile(r"\?>")),
    (re.compile(r"<![A-Za-z]"), re.compile(r">")),
    (re.compile(r"<!\[CDATA\["), re.compile(r"\]\]>")),
    (re.compile(rf"</?(?:{_HTML_BLOCKS})(?=\s|/?>|$)", re.I), None),
]
# Any other tag that stands alone; it cannot end a paragraph or a table.
_HTML_TAG = re.compile(rf"(?:<[A-Za-z][A-Za-z0-9-]*(?:{_ATTRIBUTE})*\s*/?>|</[A-Za-z][A-Za-z0-9-]*\s*>)\s*$")


class BlockParser:
    """Tells a sink of the blocks that the lines given to it make."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._stack: list[_Quote | _Item] = []
        self._leaf: _Paragraph | _Verbatim | _Table | None = None
        self._lists = 0

    def fork(self, sink: Sink) -> BlockParser:
        """The same state with another sink, to look ahead with."""
        twin = BlockParser(sink)
        twin._stack = [copy.copy(container) for container in self._stack]
        twin._leaf = copy.copy(self._leaf)
        if isinstance(twin._leaf, _Paragraph):
            twin._leaf.settled = [*twin._leaf.settled]
        elif isinstance(twin._leaf, _Verbatim):
            twin._leaf.blanks = [*twin._leaf.blanks]
        elif isinstance(twin._leaf, _Table):
            twin._leaf.pieces = []
        twin._lists = self._lists
        return twin

    # -- what arrives -------------------------------------------------------

    def line(self, line: str, *, is_long: bool = False) -> None:
        """Take one line without its newline, or (`is_long`) the beginning of a long one."""
        text = line.expandtabs(4) if "\t" in line else line
        position, matched = self._match(text)
        leaf = self._leaf if matched == len(self._stack) else None
        if not (isinstance(leaf, _Verbatim) and self._extend_verbatim(leaf, text, position, is_long)):
            self._open(text, position, matched, is_long)

    def long_piece(self, text: str) -> None:
        """Take more of the long line that was begun."""
        text = text.replace("\t", "    ")
        if isinstance(self._leaf, _Paragraph):
            self._sink.text(text)
        elif isinstance(self._leaf, _Verbatim):
            self._sink.code_piece(text)
        elif isinstance(self._leaf, _Table):
            self._leaf.pieces.append(text)

    def end_long_line(self) -> None:
        """The long line is complete."""
        if isinstance(self._leaf, _Paragraph):
            if self._leaf.level:
                self._close_leaf()
            else:
                self._leaf.last = ""
        elif isinstance(self._leaf, _Table):
            pieces, self._leaf.pieces = self._leaf.pieces, []
            self._sink.row(_cells("".join(pieces), self._leaf.columns))

    def finish(self) -> None:
        """No more lines come: close every block."""
        self._close_to(0)

    # -- looking ahead ------------------------------------------------------

    def may_show(self, line: str) -> bool:
        """Whether the unfinished line can be shown already.

        What may turn into a marker, an underline, a fence or a table is held
        back: shown as text it would only flicker.
        """
        if isinstance(self._leaf, _Verbatim):
            return bool(line.strip(" >`~"))
        if isinstance(self._leaf, _Table) or line.lstrip(" >").startswith("|"):
            return False
        return bool(line.lstrip(" \t>-+*_=~`#:|0123456789.)"))

    def drop_table_head(self) -> None:
        """Forget the last line of a paragraph when it looks like the head of a table."""
        leaf = self._leaf
        if isinstance(leaf, _Paragraph) and leaf.last is not None and leaf.last.startswith("|"):
            leaf.last = None
            if not leaf.settled and not leaf.flows:
                self._leaf = None

    # -- containers ---------------------------------------------------------

    def _match(self, text: str) -> tuple[int, int]:
        """Where the line's content begins after the open containers that it continues, and how many those are."""
        position = 0
        for matched, container in enumerate(self._stack):
            start = _skip_spaces(text, position)
            if isinstance(container, _Quote):
                if start - position > 3 or text[start : start + 1] != ">":
                    return position, matched
                position = start + 1
                if text[position : position + 1] == " ":
                    position += 1
            elif start == len(text):
                if container.is_empty:
                    return position, matched
                position = min(position + container.indent, start)
            elif start - position >= container.indent:
                position += container.indent
            else:
                return position, matched
        return position, len(self._stack)

    def _open(self, text: str, position: int, matched: int, is_long: bool) -> None:
        """Open the blocks that the rest of the line begins, and put its text into the last of them."""
        while True:
            start = _skip_spaces(text, position)
            indent = start - position
            if start == len(text):
                self._blank(matched)
                return
            if indent >= 4:
                break
            rest = text[start:]
            if self._open_leaf(rest, indent, matched, is_long):
                return
            if len(self._stack[:matched]) >= MAX_DEPTH:
                break
            if rest[0] == ">":
                self._close_to(matched)
                self._push(_Quote())
                self._sink.enter_quote()
                position = start + (2 if rest[1:2] == " " else 1)
            else:
                width = self._open_item(rest, indent, matched)
                if not width:
                    break
                position = min(start + width, len(text))
            matched += 1
        self._put(text, position, matched, is_long)

    def _open_item(self, rest: str, indent: int, matched: int) -> int:
        """Begin a list item if one begins here; the columns of its marker and spaces, else 0."""
        match = _MARKER.match(rest)
        if match is None:
            return 0
        marker = match.group()
        after = rest[len(marker) :]
        in_paragraph = isinstance(self._leaf, _Paragraph) and matched == len(self._stack)
        if in_paragraph and (not after.strip() or (match.group(2) and int(match.group(2)) != 1)):
            return 0
        spaces = len(after) - len(after.lstrip(" "))
        if not after.strip() or spaces > 4:
            spaces = 1
        kind = match.group(1) or match.group(3)
        sibling = self._stack[matched] if matched < len(self._stack) else None
        self._close_to(matched)
        if isinstance(sibling, _Item) and sibling.kind == kind:
            list_id, number = sibling.list_id, sibling.number + 1
        else:
            self._lists += 1
            list_id, number = self._lists, int(match.group(2) or 0)
        self._push(_Item(list_id, kind, number, indent + len(marker) + spaces))
        self._sink.enter_item(list_id, f"{number}{kind}" if match.group(2) else kind)
        return len(marker) + spaces

    def _push(self, container: _Quote | _Item) -> None:
        self._fill()
        self._stack.append(container)

    def _fill(self) -> None:
        """The innermost item has content now."""
        if self._stack and isinstance(container := self._stack[-1], _Item):
            container.is_empty = False

    def _close_to(self, depth: int) -> None:
        """Close the open leaf and the containers beyond `depth`."""
        self._close_leaf()
        while len(self._stack) > depth:
            self._stack.pop()
            self._sink.leave()

    def _blank(self, matched: int) -> None:
        self._close_to(matched)
        self._sink.blank()

    # -- leaves -------------------------------------------------------------

    def _open_leaf(self, rest: str, indent: int, matched: int, is_long: bool) -> bool:
        """Begin (and perhaps end) a block that one line is enough to know; whether there was one."""
        first = rest[0]
        if first == "#" and (match := _HEADING.match(rest)):
            self._close_to(matched)
            self._heading(len(match.group(1)), rest[match.end() :], is_long)
            return True
        if first == "<" and (html := self._html(rest, is_long)):
            self._close_to(matched)
            self._begin_verbatim(html, "")
            self._sink.code_line(" " * indent + rest)
            if html.end is not None and html.end.search(rest):
                self._close_leaf()
            return True
        if is_long:
            return False
        if first in "`~" and (match := _FENCE.match(rest)):
            self._close_to(matched)
            info = (match.group(2) or match.group(4) or "").strip()
            self._begin_verbatim(_Verbatim("fence", match.group(1) or match.group(3), indent), info)
            return True
        leaf = self._leaf if matched == len(self._stack) else None
        if isinstance(leaf, _Paragraph) and (self._begin_table(leaf, rest) or self._underline(leaf, rest)):
            return True
        if first in "-*_" and _RULE.match(rest):
            self._close_to(matched)
            self._fill()
            self._sink.rule()
            return True
        return False

    def _heading(self, level: int, text: str, is_long: bool) -> None:
        self._fill()
        self._sink.start_text(level)
        if is_long:
            self._leaf = _Paragraph(level, flows=True)
            self._sink.text(text)
        else:
            self._sink.text(_HEADING_END.sub("", text).strip())
            self._sink.end_text()

    def _html(self, rest: str, is_long: bool) -> _Verbatim | None:
        """The block of HTML that begins here, if one does; after a long line it ends at an empty one."""
        for begin, end in _HTML:
            if begin.match(rest):
                return _Verbatim("html", end=None if is_long else end)
        if not isinstance(self._leaf, _Paragraph | _Table) and _HTML_TAG.match(rest):
            return _Verbatim("html")
        return None

    def _begin_verbatim(self, leaf: _Verbatim, info: str) -> None:
        self._fill()
        self._leaf = leaf
        self._sink.start_code(leaf.kind, info)

    def _extend_verbatim(self, leaf: _Verbatim, text: str, position: int, is_long: bool) -> bool:
        """Add a line to the open verbatim block; False when the line is not its own."""
        start = _skip_spaces(text, position)
        if leaf.kind == "fence":
            closes = start - position < 4 and text.startswith(leaf.fence, start) and not is_long
            if closes and not text[start:].rstrip(" ").strip(leaf.fence[0]):
                self._close_leaf()
            else:
                self._sink.code_line(text[min(start, position + leaf.indent) :])
            return True
        if leaf.kind == "indented":
            if start == len(text):
                leaf.blanks.append(text[position + 4 :])
                self._sink.blank()
                return True
            if start - position < 4:
                return False
            for blank in leaf.blanks:
                self._sink.code_line(blank)
            leaf.blanks.clear()
            self._sink.code_line(text[position + 4 :])
            return True
        if leaf.end is None and start == len(text):
            return False
        self._sink.code_line(text[position:])
        if leaf.end is not None and leaf.end.search(text, position):
            self._close_leaf()
        return True

    def _put(self, text: str, position: int, matched: int, is_long: bool) -> None:
        """Put the line's text into the open leaf or into a new one."""
        start = _skip_spaces(text, position)
        leaf = self._leaf
        if isinstance(leaf, _Paragraph):  # also one in a container that the line does not continue: a lazy line
            self._extend_paragraph(leaf, text[start:], is_long)
        elif start - position >= 4:
            self._close_to(matched)
            self._begin_verbatim(_Verbatim("indented"), "")
            self._sink.code_line(text[position + 4 :])
        elif isinstance(leaf, _Table) and matched == len(self._stack):
            if is_long:
                leaf.pieces = [text[start:]]
            else:
                self._sink.row(_cells(text[start:], leaf.columns))
        else:
            self._close_to(matched)
            self._fill()
            self._leaf = _Paragraph()
            self._extend_paragraph(self._leaf, text[start:], is_long)

    def _extend_paragraph(self, leaf: _Paragraph, text: str, is_long: bool) -> None:
        self._settle_last(leaf)
        leaf.size += len(text) + 1
        leaf.last = text
        if is_long or leaf.size > LONG_LINE:
            self._flow(leaf)
        if is_long:
            self._sink.text(text)
            leaf.last = None

    def _settle_last(self, leaf: _Paragraph) -> None:
        """The last line is the paragraph's own."""
        if leaf.last is None:
            return
        if leaf.flows:
            self._sink.text(leaf.last + "\n")
        else:
            leaf.settled.append(leaf.last)
        leaf.last = None

    def _flow(self, leaf: _Paragraph) -> None:
        """From here on the text is passed on as it comes."""
        if leaf.flows:
            return
        leaf.flows = True
        self._sink.start_text(leaf.level)
        for line in leaf.settled:
            self._sink.text(line + "\n")
        leaf.settled.clear()

    def _close_leaf(self) -> None:
        leaf, self._leaf = self._leaf, None
        if isinstance(leaf, _Paragraph):
            self._close_paragraph(leaf)
        elif isinstance(leaf, _Verbatim):
            self._sink.end_code()
        elif isinstance(leaf, _Table):
            self._sink.end_table()

    def _close_paragraph(self, leaf: _Paragraph, level: int = 0) -> None:
        if leaf.flows:
            if leaf.last:
                self._sink.text(leaf.last)
            self._sink.end_text()
            return
        lines = leaf.settled if leaf.last is None else [*leaf.settled, leaf.last]
        text = "\n".join(lines)
        if text.startswith("["):
            text = self._sink.define(text)
        if text.strip():
            self._sink.start_text(level)
            self._sink.text(text.rstrip(" "))
            self._sink.end_text()

    def _underline(self, leaf: _Paragraph, rest: str) -> bool:
        """Make the open paragraph a heading if the line underlines it."""
        if leaf.flows or not (match := _UNDERLINE.match(rest)):
            return False
        self._leaf = None
        self._close_paragraph(leaf, 1 if match.group(1)[0] == "=" else 2)
        return True

    def _begin_table(self, leaf: _Paragraph, rest: str) -> bool:
        """Make the last line of the open paragraph the head of a table if the line is its delimiter row."""
        if leaf.last is None or "|" not in leaf.last or not _DELIMITERS.match(rest):
            return False
        alignments = _alignments(rest)
        header = _cells(leaf.last)
        if not alignments or len(header) != len(alignments):
            return False
        leaf.last = None
        if leaf.settled or leaf.flows:
            self._close_leaf()
        self._leaf = _Table(len(header))
        self._sink.start_table(header, alignments)
        return True


def _skip_spaces(text: str, position: int) -> int:
    length = len(text)
    while position < length and text[position] == " ":
        position += 1
    return position


def _cells(row: str, columns: int | None = None) -> list[str]:
    """The cells of a table row, exactly `columns` of them if given."""
    parts = _PIPE.split(row.strip())
    if parts and not parts[0]:
        parts.pop(0)
    if parts and not parts[-1]:
        parts.pop()
    cells = [part.strip().replace("\\|", "|") for part in parts]
    if columns is None:
        return cells
    return cells[:columns] + [""] * (columns - len(cells))


def _alignments(row: str) -> list[str] | None:
    """The alignments that a delimiter row asks for, or None when it is none."""
    alignments = []
    parts = row.split("|")
    for index, part in enumerate(parts):
        mark = part.strip()
        if not mark:
            if index in (0, len(parts) - 1):
                continue
            return None
        if not _DELIMITER.match(mark):
            return None
        left, right = mark[0] == ":", mark[-1] == ":"
        alignments.append("center" if left and right else "right" if right else "left" if left else "")
    return alignments


class LineFeeder:
    """Cuts text that comes in any pieces into the lines of a parser."""

    def __init__(self, parser: BlockParser) -> None:
        self._parser = parser
        self.rest = ""  # the unfinished line, unless it is long and already passed on
        self._is_long = False

    def feed(self, text: str) -> None:
        """Take text; newlines are `\\n`."""
        first, *others = text.split("\n")
        self._extend(first)
        for part in others:
            self._end_line()
            self._extend(part)

    def finish(self) -> None:
        """The text is complete, with or without a last newline."""
        if self.rest or self._is_long:
            self._end_line()

    def _extend(self, part: str) -> None:
        if self._is_long:
            if part:
                self._parser.long_piece(part)
            return
        self.rest += part
        while len(self.rest) >= LONG_LINE and not self._is_long:
            head, tail = self.rest[:LONG_LINE], self.rest[LONG_LINE:]
            if head.isspace():  # indentation says no more beyond this
                self.rest = " " * 100 + tail
                continue
            self._is_long, self.rest = True, ""
            self._parser.line(head, is_long=True)
            if tail:
                self._parser.long_piece(tail)

    def _end_line(self) -> None:
        if self._is_long:
            self._parser.end_long_line()
        else:
            self._parser.line(self.rest)
        self._is_long, self.rest = False, ""

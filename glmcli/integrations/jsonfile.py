"""Edits a JSON file without disturbing the rest of its text.

Settings files of coding tools are JSON with comments and trailing commas as
often as not, and people care for their order and indentation. So a value is
not parsed, changed and printed again: the text is scanned once, and only the
characters of the touched member are replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from glmcli.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Match:
    """A step of a path into an array: the object whose `field` is `value`."""

    field: str
    value: str


#: A way into a document: names of members, and `Match` inside arrays.
Step = str | Match
Path = Sequence[Step]

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_BLANK = re.compile(r"[ \t\r\n\ufeff]+")
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}
_MISSING = object()


@dataclass(slots=True)
class _Node:
    """A value and where it stands: `text[start:end]`."""

    start: int
    end: int
    value: object = None
    #: Members of an object (with names) or items of an array (without).
    children: list[_Child] | None = None
    is_array: bool = False


@dataclass(slots=True)
class _Child:
    """A member or an item; `comma` is the offset of the comma behind it."""

    start: int
    node: _Node
    name: str | None = None
    comma: int | None = None


class JsonDocument:
    """A JSON text that is edited in place; comments and layout survive.

    Raises ConfigError with line and column for a text that is not JSON.
    """

    def __init__(self, text: str, *, name: str) -> None:
        self.name = name
        self._read(text if text.strip(" \t\r\n\ufeff") else text + "{}")

    def _read(self, text: str) -> None:
        self.text = text
        self._root = _Scanner(text, self.name).document()

    def get(self, path: Path) -> object:
        """The value at a path, or None."""
        value = self._value(path)
        return None if value is _MISSING else value

    def has(self, path: Path) -> bool:
        """Whether something, null included, stands at a path."""
        return self._value(path) is not _MISSING

    def _value(self, path: Path) -> object:
        node = self._node(path)
        return _MISSING if node is None else _plain(node)

    def _node(self, path: Path) -> _Node | None:
        node: _Node | None = self._root
        for step in path:
            child = _find(node, step) if node is not None else None
            node = child.node if child is not None else None
        return node

    def set(self, path: Path, value: object) -> None:
        """Put a value at a path, making the objects and arrays on the way.

        Raises ConfigError when something on the way is neither.
        """
        node = self._root
        for depth, step in enumerate(path):
            self._check_container(node, step, path[:depth])
            child = _find(node, step)
            if child is None:
                self._insert(node, step, _nested(path[depth + 1 :], value))
                return
            node = child.node
        if _plain(node) != value or type(_plain(node)) is not type(value):
            self._replace(node, value)

    def delete(self, path: Path) -> None:
        """Take away what stands at a path; nothing there is fine."""
        parent = self._node(path[:-1])
        child = _find(parent, path[-1]) if parent is not None else None
        if parent is None or child is None:
            return
        assert parent.children is not None
        self._remove(parent, parent.children.index(child))

    # -- edits of the text ---------------------------------------------------

    def _check_container(self, node: _Node, step: Step, path: Path) -> None:
        wanted = "an array" if isinstance(step, Match) else "an object"
        if node.children is None or node.is_array is not isinstance(step, Match):
            line, column = _position(self.text, node.start)
            where = ".".join(str(part) for part in path) or "the file"
            raise ConfigError(
                f"{self.name}, line {line}, column {column}: {where} should be {wanted}",
                hint="mend the file by hand; nothing was changed",
            )

    def _replace(self, node: _Node, value: object) -> None:
        printed = self._print(value, self._indent_at(node.start))
        self._read(self.text[: node.start] + printed + self.text[node.end :])

    def _insert(self, parent: _Node, step: Step, value: object) -> None:
        assert parent.children is not None
        if parent.children:
            self._append(parent, parent.children[-1], step, value)
        else:
            self._fill(parent, step, value)

    def _append(self, parent: _Node, last: _Child, step: Step, value: object) -> None:
        indent = self._own_indent(last.start)
        if indent is None:
            member = self._member(step, value, None)
            at, added = (last.node.end, ", " + member) if last.comma is None else (last.comma + 1, f" {member},")
            self._read(self.text[:at] + added + self.text[at:])
            return
        member = self.newline + indent + self._member(step, value, indent)
        after = (last.comma if last.comma is not None else last.node.end - 1) + 1
        after = self._after_same_line_comment(after, parent.end)
        if last.comma is not None:
            self._read(self.text[:after] + member + "," + self.text[after:])
        else:
            end = last.node.end
            self._read(self.text[:end] + "," + self.text[end:after] + member + self.text[after:])

    def _fill(self, parent: _Node, step: Step, value: object) -> None:
        outer = self._indent_at(parent.start)
        inner = outer + self._indent_unit
        opened = parent.start + 1
        inside = self.text[opened : parent.end - 1].rstrip()
        member = self.newline + inner + self._member(step, value, inner) + self.newline + outer
        self._read(self.text[:opened] + inside + member + self.text[parent.end - 1 :])

    def _member(self, step: Step, value: object, indent: str | None) -> str:
        printed = self._print(value, indent)
        return printed if isinstance(step, Match) else json.dumps(step, ensure_ascii=False) + ": " + printed

    def _remove(self, parent: _Node, index: int) -> None:
        assert parent.children is not None
        child = parent.children[index]
        is_last = index == len(parent.children) - 1
        start, end = child.start, child.node.end if child.comma is None else child.comma + 1
        previous_comma = parent.children[index - 1].comma if index > 0 else None
        if self._own_indent(start) is not None and self._line_ends(end):
            start = self._line_start(start)
        elif not is_last:
            gap = self.text[end : parent.children[index + 1].start]
            end += len(gap) - len(gap.lstrip(" \t"))
        elif previous_comma is not None:
            start = self._after_remarks(previous_comma + 1, start)
        text = self.text[:start] + self.text[end:]
        if is_last and child.comma is None and previous_comma is not None:
            text = text[:previous_comma] + text[previous_comma + 1 :]
        if (
            len(parent.children) == 1
            and not (self.text[parent.start + 1 : start] + self.text[end : parent.end - 1]).strip()
        ):
            text = self.text[: parent.start + 1] + self.text[parent.end - 1 :]
        self._read(text)

    def _after_remarks(self, begin: int, end: int) -> int:
        """The end of the comments in a gap, with the line break that a `//` needs."""
        gap = self.text[begin:end]
        return end if "//" in gap else begin + len(gap.rstrip())

    # -- layout --------------------------------------------------------------

    @property
    def newline(self) -> str:
        """The line ending of the text."""
        return "\r\n" if "\r\n" in self.text else "\n"

    @property
    def _indent_unit(self) -> str:
        for child in self._root.children or ():
            indent = self._own_indent(child.start)
            if indent:
                return indent
        return "  "

    def _line_start(self, offset: int) -> int:
        """The offset of the line break before `offset`, or of the text's beginning."""
        break_at = self.text.rfind("\n", 0, offset)
        if break_at > 0 and self.text[break_at - 1] == "\r":
            return break_at - 1
        return max(break_at, 0)

    def _own_indent(self, offset: int) -> str | None:
        """The blanks before `offset` if nothing else precedes it on its line."""
        before = self.text[self.text.rfind("\n", 0, offset) + 1 : offset]
        return before if not before.strip(" \t") and "\n" in self.text[:offset] else None

    def _indent_at(self, offset: int) -> str:
        line = self.text[self.text.rfind("\n", 0, offset) + 1 :]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _line_ends(self, offset: int) -> bool:
        return not self.text[offset:].split("\n", 1)[0].strip()

    def _after_same_line_comment(self, offset: int, limit: int) -> int:
        found = re.compile(r"[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/)").match(self.text, offset, limit)
        return found.end() if found else offset

    def _print(self, value: object, indent: str | None) -> str:
        if indent is None:
            return json.dumps(value, ensure_ascii=False)
        printed = json.dumps(value, ensure_ascii=False, indent=self._indent_unit)
        return printed.replace("\n", self.newline + indent)


def _find(node: _Node | None, step: Step) -> _Child | None:
    if node is None or node.children is None:
        return None
    # The last of two equal names wins, as in every JSON reader.
    for child in reversed(node.children):
        if isinstance(step, Match):
            value = _plain(child.node)
            if node.is_array and isinstance(value, dict) and value.get(step.field) == step.value:
                return child
        elif child.name == step:
            return child
    return None


def _nested(rest: Path, value: object) -> object:
    for step in reversed(rest):
        value = [value] if isinstance(step, Match) else {step: value}
    return value


def _plain(node: _Node) -> object:
    if node.children is None:
        return node.value
    if node.is_array:
        return [_plain(child.node) for child in node.children]
    return {child.name: _plain(child.node) for child in node.children}


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")


@dataclass(slots=True)
class _Scanner:
    """Reads JSON with comments and trailing commas, keeping offsets."""

    text: str
    name: str
    at: int = field(default=0)

    def document(self) -> _Node:
        self._skip()
        node = self._value(depth=0)
        self._skip()
        if self.at < len(self.text):
            raise self._broken("something follows the end of the document")
        return node

    def _value(self, depth: int) -> _Node:
        if depth > 200:
            raise self._broken("nested too deeply")
        start = self.at
        character = self.text[start : start + 1]
        if character in ("{", "["):
            return self._container(depth, is_array=character == "[")
        if character == '"':
            value: object = self._string()
        else:
            value = self._scalar()
        return _Node(start, self.at, value)

    def _container(self, depth: int, *, is_array: bool) -> _Node:
        start, close = self.at, "]" if is_array else "}"
        self.at += 1
        children = list(self._children(depth, close, is_array=is_array))
        self.at += 1
        return _Node(start, self.at, children=children, is_array=is_array)

    def _children(self, depth: int, close: str, *, is_array: bool) -> Iterator[_Child]:
        self._skip()
        while self.text[self.at : self.at + 1] != close:
            child = self._child(depth, is_array=is_array)
            self._skip()
            if self.text[self.at : self.at + 1] == ",":
                child.comma = self.at
                self.at += 1
                self._skip()
            elif self.text[self.at : self.at + 1] != close:
                raise self._broken(f"expected a comma or {close}")
            yield child

    def _child(self, depth: int, *, is_array: bool) -> _Child:
        start = self.at
        if is_array:
            return _Child(start, self._value(depth + 1))
        if self.text[start : start + 1] != '"':
            raise self._broken("expected a name in double quotes")
        name = self._string()
        self._skip()
        if self.text[self.at : self.at + 1] != ":":
            raise self._broken("expected a colon")
        self.at += 1
        self._skip()
        return _Child(start, self._value(depth + 1), name)

    def _string(self) -> str:
        try:
            value, self.at = json.decoder.scanstring(self.text, self.at + 1, True)  # type: ignore[attr-defined]  # known to every CPython
        except json.JSONDecodeError as error:
            self.at = error.pos
            raise self._broken(error.msg[:1].lower() + error.msg[1:]) from None
        return str(value)

    def _scalar(self) -> object:
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        number = _NUMBER.match(self.text, self.at)
        if number is None:
            raise self._broken("expected a value")
        self.at = number.end()
        return json.loads(number.group())

    def _skip(self) -> None:
        while True:
            blank = _BLANK.match(self.text, self.at)
            if blank:
                self.at = blank.end()
            if self.text.startswith("//", self.at):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text.startswith("/*", self.at):
                end = self.text.find("*/", self.at + 2)
                if end < 0:
                    raise self._broken("a comment is not closed")
                self.at = end + 2
            else:
                return

    def _broken(self, reason: str) -> ConfigError:
        line, column = _position(self.text, self.at)
        return ConfigError(
            f"{self.name} is not valid JSON: line {line}, column {column}: {reason}",
            hint="mend the file by hand; it was not touched",
        )

"""Dotenv files: text in, variables out.

    # a comment
    export NAME=value          # another
    NAME='exactly this, $HOME too'
    NAME="line\\nline"

Nothing is interpolated. Inside double quotes `\\n \\r \\t \\\\ \\" \\$` are
escapes; single quotes and backticks take everything as it is; quoted values
may span lines. The last assignment of a name wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from glmcli.errors import ConfigError

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_UNQUOTED = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}


def parse_dotenv(text: str, file: str) -> dict[str, str]:
    """The variables of a dotenv file.

    Raises ConfigError with `file` and line; values are never shown.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return dict(_assignments(text, file))


def _assignments(text: str, file: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        blank = _REST_OF_LINE.match(text, position)
        if blank:
            position = blank.end()
            continue
        position = _skip_blanks(text, position)
        found = _ASSIGNMENT.match(text, position)
        if found is None:
            raise _broken(text, position, file, "expected NAME=value")
        value, position = _value(text, found.end(), file)
        if "\0" in value:
            raise _broken(text, found.start(), file, f"the value of {found[1]} holds a NUL character")
        yield found[1], value


def _skip_blanks(text: str, position: int) -> int:
    while text[position] in " \t":
        position += 1
    return position


def _value(text: str, start: int, file: str) -> tuple[str, int]:
    """A value and where the next line begins."""
    quote = text[start : start + 1]
    if quote not in ("'", '"', "`"):
        found = _UNQUOTED.match(text, start)
        assert found is not None
        return _COMMENT.sub("", found[0]).strip(" \t"), found.end() + 1
    value, end = _quoted(text, start, file)
    rest = _REST_OF_LINE.match(text, end)
    if rest is None:
        raise _broken(text, end, file, "unexpected text after the closing quote")
    return value, rest.end()


def _quoted(text: str, start: int, file: str) -> tuple[str, int]:
    quote = text[start]
    parts: list[str] = []
    position = start + 1
    while position < len(text):
        character = text[position]
        if character == quote:
            return "".join(parts), position + 1
        if character == "\\" and quote == '"' and position + 1 < len(text):
            follower = text[position + 1]
            parts.append(_ESCAPES.get(follower, "\\" + follower))
            position += 2
            continue
        parts.append(character)
        position += 1
    raise _broken(text, start, file, f"the quote {quote} is never closed")


def _broken(text: str, position: int, file: str, reason: str) -> ConfigError:
    line = text.count("\n", 0, position) + 1
    return ConfigError(
        f"{file}, line {line}: {reason}", hint="write one NAME=value per line, quoted when it holds spaces"
    )

"""Edits a TOML file; tomlkit keeps comments, order and layout."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, cast

from glmcli.errors import ConfigError
from glmcli.integrations.jsonfile import Match, Path

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_Table = MutableMapping[str, object]


class TomlDocument:
    """A TOML text that is edited in place, with the interface of `JsonDocument`.

    Raises ConfigError with line and column for a text that is not TOML.
    """

    def __init__(self, text: str, *, name: str) -> None:
        self.name = name
        self._is_crlf = "\r\n" in text
        self._read(text)

    def _read(self, text: str) -> None:
        import tomlkit
        from tomlkit.exceptions import ParseError, TOMLKitError

        try:
            self._document: TOMLDocument = tomlkit.parse(text)
        except ParseError as error:
            reason = str(error).partition(" at line")[0]
            raise self._broken(f"line {error.line}, column {error.col}: {reason}") from None
        except TOMLKitError as error:
            raise self._broken(str(error)) from None

    def _broken(self, reason: str) -> ConfigError:
        return ConfigError(f"{self.name} is not valid TOML: {reason}", hint="mend the file by hand; it was not touched")

    @property
    def text(self) -> str:
        """The text as it stands now."""
        import tomlkit

        text = tomlkit.dumps(self._document)
        # What tomlkit adds ends in a bare line feed.
        return re.sub(r"(?<!\r)\n", "\r\n", text) if self._is_crlf else text

    def get(self, path: Path) -> object:
        """The value at a path, or None."""
        found = self._table(path[:-1])
        value = found.get(_name(path[-1])) if found is not None else None
        unwrap = getattr(value, "unwrap", None)
        return unwrap() if unwrap is not None else value

    def has(self, path: Path) -> bool:
        """Whether something stands at a path."""
        found = self._table(path[:-1])
        return found is not None and _name(path[-1]) in found

    def _table(self, path: Path) -> _Table | None:
        table: object = self._document
        for step in path:
            if not isinstance(table, MutableMapping) or _name(step) not in table:
                return None
            table = table[_name(step)]
        return cast("_Table", table) if isinstance(table, MutableMapping) else None

    def set(self, path: Path, value: object) -> None:
        """Put a value at a path, making the tables on the way.

        Raises ConfigError when something on the way is not a table.
        """
        import tomlkit

        if self.has(path) and self.get(path) == value:
            return
        table = cast("_Table", self._document)
        for depth, step in enumerate(path[:-1]):
            name = _name(step)
            if name not in table:
                table[name] = tomlkit.table(is_super_table=depth < len(path) - 2)
            inner = table[name]
            if not isinstance(inner, MutableMapping):
                raise ConfigError(f"{self.name}: {'.'.join(_names(path[: depth + 1]))} should be a table")
            table = inner
        table[_name(path[-1])] = value

    def delete(self, path: Path) -> None:
        """Take away what stands at a path; nothing there is fine."""
        if self.get(path) == {}:
            self._delete_header(_names(path))
            return
        table = self._table(path[:-1])
        if table is not None:
            table.pop(_name(path[-1]), None)

    def _delete_header(self, names: Sequence[str]) -> None:
        """Delete the header of an empty table and the blank line before it.

        tomlkit counts a comment to the table above it, so that deleting the
        table would also delete what someone wrote over the next one.
        """
        dotted = r"[ \t]*\.[ \t]*".join(f"[\"']?{re.escape(name)}[\"']?" for name in names)
        header = re.compile(rf"(?:(?<=\n)\r?\n)?^[ \t]*\[[ \t]*{dotted}[ \t]*\][ \t]*(?:\r?\n|\Z)", re.MULTILINE)
        self._read(header.sub("", self.text, count=1))


def _name(step: str | Match) -> str:
    assert isinstance(step, str), "no tool keeps arrays of tables"
    return step


def _names(path: Path) -> Sequence[str]:
    return [_name(step) for step in path]

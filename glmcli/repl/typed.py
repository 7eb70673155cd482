"""What was typed at the prompt, kept for the next conversation: one JSON text per line, mode 0600."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from glmcli.config.files import FILE_MODE, make_private_folder, write_private
from glmcli.errors import ConfigError

_MOST_ENTRIES = 5000
#: A longer text is a document, not something to find again with Ctrl-R; in characters.
_LONGEST_ENTRY = 20_000


class TypedLines:
    """The file. What begins with a space or looks like a key never gets there.

    `is_secret` tells texts that hold a key. A file that cannot be written is
    told once by `notice`.
    """

    def __init__(self, path: Path, *, is_secret: Callable[[str], bool], notice: Callable[[str], None]) -> None:
        self._path = path
        self._is_secret = is_secret
        self._notice = notice
        self._is_broken = False

    def load(self) -> list[str]:
        """The entries, oldest first; lines that are none of ours are skipped."""
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        entries = []
        for line in lines:
            with suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, str):
                    entries.append(entry)
        if len(lines) > 2 * _MOST_ENTRIES:
            self._shorten(entries[-_MOST_ENTRIES:])
        return entries[-_MOST_ENTRIES:]

    def add(self, text: str) -> None:
        """Keep a text, unless it is private, empty or a whole document."""
        if not text.strip() or text.startswith(" ") or len(text) > _LONGEST_ENTRY or self._is_secret(text):
            return
        line = (json.dumps(text) + "\n").encode("ascii")
        try:
            make_private_folder(self._path.parent)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
            try:
                os.write(descriptor, line)  # in one piece: another conversation may write, too
            finally:
                os.close(descriptor)
        except (OSError, ConfigError) as error:
            if not self._is_broken:
                self._is_broken = True
                self._notice(f"glm: what is typed is not kept: {error}")

    def _shorten(self, entries: list[str]) -> None:
        with suppress(ConfigError):
            write_private(self._path, b"".join((json.dumps(entry) + "\n").encode("ascii") for entry in entries))

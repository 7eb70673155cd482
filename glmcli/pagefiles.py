"""Where pages of the web are written: file names from addresses."""

from __future__ import annotations

import os
import re
from pathlib import Path

from glmcli.errors import UsageError


class Targets:
    """The file of each page: the one named, or one in a folder by the address."""

    def __init__(self, output: str | None, cwd: Path, *, pages: int, ending: str) -> None:
        """`output` is the word behind `-o`; None and `-` mean standard output. Raises UsageError."""
        self._place = None if output in (None, "-") else cwd / str(output)
        self._ending = ending
        self._taken: set[str] = set()
        several = pages > 1 or str(output).endswith(("/", os.sep))
        self._is_folder = self._place is not None and (several or self._place.is_dir())
        if self._is_folder and self._place is not None and self._place.exists() and not self._place.is_dir():
            raise UsageError(f"{output} is a file, and {pages} pages need a folder")

    def of(self, url: str) -> Path | None:
        """Where a page goes; None is standard output. No two pages share a file."""
        if self._place is None or not self._is_folder:
            return self._place
        name = stem = _slug(url)
        number = 1
        while name in self._taken:
            number += 1
            name = f"{stem}-{number}"
        self._taken.add(name)
        return self._place / (name + self._ending)


def _slug(url: str) -> str:
    """A file name that tells the address, for any file system."""
    bare = re.sub(r"^https?://(www\.)?", "", url, flags=re.IGNORECASE).partition("#")[0]
    return re.sub(r"[^\w.-]+", "-", bare).strip("-.")[:120] or "page"

"""Files that get their name when they are whole: one that grows out of sight, or a text that is there already."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Self

from glmcli.downloads import Place, settle
from glmcli.drafts import Draft
from glmcli.errors import GlmError, UsageError


def write_whole(path: Path, content: str) -> None:
    """Replace a file by a text, whole or not at all. Raises UsageError.

    A symbolic link is followed; what is no file (`/dev/null`, a pipe) is written to and never replaced.
    """
    data = content.encode("utf-8", "replace")
    try:
        target = path.resolve()
        if target.is_symlink():  # a loop, from Python 3.13 on; before that resolving raises
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        is_special = target.exists() and not target.is_file()
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_special:
            target.write_bytes(data)
        else:
            _replace(target, data)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = error.strerror if isinstance(error, OSError) else None
        raise UsageError(f"{path} cannot be written: {(reason or str(error)).lower()}") from error


def _replace(target: Path, data: bytes) -> None:
    with Draft(target, mode=0o666) as draft:
        draft.fill(data)
        draft.path.replace(target)


class NewFile:
    """Inside the block the bytes stand beside their place; without `finish` nothing is left of them.

    Every method raises GlmError where the disk refuses.
    """

    def __init__(self, place: Place, ending: str) -> None:
        """`ending` is for a place whose name is not exact."""
        self._place = place
        self._ending = ending
        self._open = ExitStack()
        self._draft = Draft(place.path, mode=0o666)
        self._file: IO[bytes] | None = None
        self.size = 0

    def __enter__(self) -> Self:
        try:
            self._place.folder.mkdir(parents=True, exist_ok=True)
            self._open.enter_context(self._draft)
            self._file = os.fdopen(self._draft.descriptor, "wb", closefd=False)
        except OSError as error:
            raise self._cannot(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._open.close()

    def write(self, data: bytes) -> None:
        """Append."""
        assert self._file is not None
        try:
            self._file.write(data)
        except OSError as error:
            raise self._cannot(error) from error
        self.size += len(data)

    def replace_start(self, data: bytes) -> None:
        """Write over the first bytes; nothing is appended afterwards."""
        assert self._file is not None
        try:
            self._file.seek(0)
            self._file.write(data)
        except OSError as error:
            raise self._cannot(error) from error

    def finish(self) -> Path:
        """Bring the bytes to the disk and give the file its name. Raises UsageError when that is taken by now."""
        assert self._file is not None
        try:
            self._file.close()
            self._draft.finish()
            return settle(self._draft.path, self._place, self._ending)
        except OSError as error:
            raise self._cannot(error) from error

    def _cannot(self, error: OSError) -> GlmError:
        return GlmError(
            f"cannot write {self._place.path}: {(error.strerror or str(error)).lower()}",
            hint="free some space, or write elsewhere",
        )

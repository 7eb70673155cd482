"""Files that went with messages: known by path and hash, copied only on request."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from glmcli.config.files import make_private_folder, write_private
from glmcli.errors import HistoryError
from glmcli.history.model import Attachment


def describe(path: Path, *, mime: str | None = None) -> Attachment:
    """The reference to a file as it is now. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Attachment(str(path.absolute()), digest, mime, file.tell())


class AttachmentStore:
    """Copies of attachments, named by their hash, in one private folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, attachment: Attachment) -> None:
        """Copy an attached file, so that the conversation outlives it.

        A URL is not fetched. Raises HistoryError when the file is gone or no longer the one attached.
        """
        if attachment.sha256 is None or self._copy(attachment.sha256).exists():
            return
        try:
            data = Path(attachment.path).read_bytes()
        except OSError as error:
            raise HistoryError(f"cannot keep {attachment.path}: {error.strerror or error}") from error
        if hashlib.sha256(data).hexdigest() != attachment.sha256:
            raise HistoryError(f"{attachment.path} has changed since it was attached")
        make_private_folder(self.folder)
        write_private(self._copy(attachment.sha256), data)

    def locate(self, attachment: Attachment) -> Path | None:
        """Where the very bytes that were attached can be read today: the copy, or the file if it is unchanged."""
        if attachment.sha256 is None:
            return None
        copy = self._copy(attachment.sha256)
        if copy.exists():
            return copy
        path = Path(attachment.path)
        with suppress(OSError):
            if describe(path).sha256 == attachment.sha256:
                return path
        return None

    def discard(self, hashes: Collection[str]) -> None:
        """Remove copies."""
        for digest in hashes:
            with suppress(OSError):
                self._copy(digest).unlink()

    def _copy(self, sha256: str) -> Path:
        return self.folder / sha256

"""What was already transcribed, so that a piece is never paid for twice.

One small JSON file per piece, named by the SHA-256 of everything that decides
the answer. Unlike the history this is a cache: it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from glmcli.drafts import Draft

#: Entries older than this many seconds are removed.
MAX_AGE_SECONDS = 7 * 24 * 3600.0
#: The newest so many entries are kept: at half a minute each, a week of sound.
MAX_ENTRIES = 20_000


def key(piece_digest: str, *, base_url: str, model: str, hotwords: Sequence[str], extra: Mapping[str, str]) -> str:
    """The name of an entry. Text of earlier pieces is context, not part of it."""
    parts = [piece_digest, base_url, model, list(hotwords), sorted(extra.items())]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


class KeptPieces:
    """Answers by key in one folder (made with mode 0700, files 0600)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> Mapping[str, object] | None:
        """The kept answer; None when there is none, or it is damaged."""
        try:
            value = json.loads(self._path(name).read_bytes())
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def put(self, name: str, answer: Mapping[str, object]) -> None:
        """Keep an answer. A folder that cannot be written costs only the resumption."""
        try:
            _make_private(self._folder)
            _write_private(self._path(name), json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        except OSError:
            return

    def prune(self, now: float) -> None:
        """Remove what is too old or too much; `now` is epoch seconds."""
        try:
            entries = [(entry.stat().st_mtime, entry.path) for entry in os.scandir(self._folder)]
        except OSError:
            return
        entries.sort(reverse=True)
        for index, (changed, path) in enumerate(entries):
            if index >= MAX_ENTRIES or now - changed > MAX_AGE_SECONDS:
                Path(path).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _make_private(folder: Path) -> None:
    """Not `parents=True`, which gives the mode to the last folder only."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _write_private(path: Path, data: bytes) -> None:
    """Atomic, and never readable by others, not even for a moment."""
    with Draft(path) as draft:
        draft.fill(data)
        draft.path.replace(path)

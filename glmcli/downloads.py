"""Brings results of the service to disk: resumed where the line broke, whole or not at all.

A file grows as `.NAME.….part` in the folder where it will stand, is checked
for length and kind, written through to the disk and only then renamed. What
a server calls it is never used for a name.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from glmcli.api.calls import OpenReply
from glmcli.drafts import Draft, renamed, sweep
from glmcli.errors import GlmError, NetworkError, ResultGone, ServiceError, StreamCut, UsageError

#: A larger file is not taken (bytes).
MAX_BYTES = {"image": 100 * 1024 * 1024, "cover": 100 * 1024 * 1024, "video": 4 * 1024**3, "file": 1024**3}
_PIECE_BYTES = 256 * 1024
#: How long an unfinished file waits for the rest: pictures stay at the service for 30 days, videos for one.
_PART_SECONDS = 30 * 24 * 3600.0
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0
_TAKEN = "another glm is downloading it; wait for that one, or look at: glm tasks list"

#: `api.client.Client.fetch`: opens a URL without any key.
Fetch = Callable[..., AbstractContextManager[OpenReply]]
#: Is told the bytes that are there, and the whole where it is known.
OnProgress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file goes. A name that the user chose is exact; else it gets an ending, and a number when it is taken."""

    folder: Path
    name: str
    is_exact: bool = False
    overwrite: bool = False

    @property
    def path(self) -> Path:
        """The file, where its name is exact."""
        return self.folder / self.name


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that is complete."""

    path: Path
    size: int
    content_type: str


def check_place(place: Place) -> None:
    """Find out before anything is paid whether a file could be written. Raises UsageError."""
    if place.is_exact and place.path.exists() and not place.overwrite:
        raise exists_already(place.path)
    if place.is_exact and place.path.exists() and not place.path.is_file():
        raise UsageError(f"{place.path} is no file that could be overwritten", hint="choose another -o")
    folder = place.folder
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="choose another -o")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"nothing can be written into {folder}", hint="choose another -o")


def exists_already(path: Path) -> UsageError:
    """The refusal to overwrite."""
    return UsageError(f"{path} exists", hint="add --force to overwrite it, or choose another -o")


class Downloader:
    """Downloads with one client.

    `max_retries` counts tries in a row that brought nothing new.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        max_retries: int = 2,
        sleep: Callable[[float], None] = time.sleep,
        on_progress: OnProgress = lambda done, total: None,
    ) -> None:
        self._fetch = fetch
        self._max_retries = max_retries
        self._sleep = sleep
        self._on_progress = on_progress

    def save(self, url: str, place: Place, *, role: str) -> Saved:
        """Download a file; `role` (image, video, cover) says what it has to be.

        Raises ResultGone when the address is dead, NetworkError when the line
        broke too often (what came is kept for the next try), GlmError when
        the file is no such thing or cannot be written.
        """
        part = _part(url, place)
        try:
            place.folder.mkdir(parents=True, exist_ok=True)
            _sweep_parts(place)
            with _claimed(part) as file:
                self._fill(file, url, MAX_BYTES[role])
                content_type, ending = self._recognised(file, url, part, role)
                size = file.seek(0, os.SEEK_END)
                os.fsync(file.fileno())
            return Saved(settle(part, place, ending), size, content_type)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise GlmError(
                f"cannot write {place.folder / place.name}: {reason}", hint="free some space, or write elsewhere"
            ) from error

    def _fill(self, file: IO[bytes], url: str, limit: int) -> None:
        """Add what is missing until all is there."""
        tries, etag = 0, ""
        while True:
            before = file.seek(0, os.SEEK_END)
            try:
                with self._fetch(url, headers=_range_headers(before, etag)) as reply:
                    etag = reply.headers.get("etag", "")
                    self._take(file, reply, before, limit)
                    return
            except (NetworkError, ServiceError) as error:
                tries = 1 if file.seek(0, os.SEEK_END) > before else tries + 1
                if _is_gone(error):
                    raise ResultGone(f"the address of the file at {urlsplit(url).netloc} is no longer good") from error
                if isinstance(error, ServiceError) and error.http_status == 416:
                    file.truncate(0)  # what we have belongs to another file
                elif not error.retryable and not isinstance(error, StreamCut):
                    raise
                if tries > self._max_retries:
                    raise
                self._sleep(min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 2.0 ** (tries - 1)))

    def _take(self, file: IO[bytes], reply: OpenReply, before: int, limit: int) -> None:
        """Append the body of a reply. Raises StreamCut when it is shorter than it said."""
        start, total = _extent(reply.headers) if reply.status == 206 else (0, _length(reply.headers))
        if start > before:
            raise StreamCut("the server sent another part of the file than the one asked for")
        if total is not None and total > limit:
            raise _too_large(total, limit)
        file.seek(start)
        if start == 0:
            file.truncate()  # it begins anew; else what is there stays until it is written over
        size = start
        for chunk in reply.chunks():
            size += len(chunk)
            if size > limit:
                raise _too_large(size, limit)
            file.write(chunk)
            self._on_progress(size, total)
        file.flush()
        if total is not None and size != total:
            raise StreamCut(f"the download ended after {size} of {total} bytes")

    def _recognised(self, file: IO[bytes], url: str, part: Path, role: str) -> tuple[str, str]:
        file.seek(0)
        head = file.read(32)
        found = recognise(head, role)
        if found is None:
            part.unlink()
            wanted = "a video" if role == "video" else "a picture"
            raise GlmError(f"what came from {urlsplit(url).netloc} is not {wanted}: it begins with {head[:16]!r}")
        return found


def recognise(head: bytes, role: str) -> tuple[str, str] | None:
    """Content type and usual ending by the first bytes; None when they do not fit the role."""
    if role == "file":
        return ("application/pdf", ".pdf") if head.startswith(b"%PDF-") else ("application/octet-stream", "")
    if role == "video":
        if head[4:8] == b"ftyp":
            return ("video/quicktime", ".mov") if head[8:12] == b"qt  " else ("video/mp4", ".mp4")
        return ("video/webm", ".webm") if head.startswith(b"\x1aE\xdf\xa3") else None
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp", ".webp"
    for magic, content_type, ending in (
        (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
        (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
        (b"GIF8", "image/gif", ".gif"),
    ):
        if head.startswith(magic):
            return content_type, ending
    return None


def write_bytes(data: bytes, place: Place, *, role: str) -> Saved:
    """Save a file that came inside an answer. Raises GlmError as `Downloader.save` does."""
    found = recognise(data, role)
    if found is None:
        raise GlmError(f"what came is not a picture: it begins with {data[:16]!r}")
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        with Draft(place.path, mode=0o666) as draft:
            draft.fill(data)
            return Saved(settle(draft.path, place, found[1]), len(data), found[0])
    except OSError as error:
        raise GlmError(f"cannot write {place.path}: {(error.strerror or str(error)).lower()}") from error


def copy(path: Path, write: Callable[[bytes], None]) -> None:
    """Hand over the bytes of a file in pieces."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            write(piece)


# -- one file on disk --------------------------------------------------------------------


def _part(url: str, place: Place) -> Path:
    """The unfinished file; a part of another address is another file (signatures in the query change)."""
    parts = urlsplit(url)
    digest = hashlib.sha256(f"{parts.netloc}{parts.path}".encode("utf-8", "replace")).hexdigest()[:8]
    return place.folder / f".{place.name[:60]}.{digest}.part"


def _sweep_parts(place: Place) -> None:
    """Remove what broken downloads to this place left so long ago that no service has the rest any more."""
    name = re.compile(re.escape(f".{place.name[:60]}.") + "[0-9a-f]{8}" + re.escape(".part"))
    sweep(place.folder, name, age_seconds=_PART_SECONDS)


@contextmanager
def _claimed(part: Path) -> Iterator[IO[bytes]]:
    """The unfinished file, ours alone while the block runs. Raises GlmError when another process has it."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    with os.fdopen(descriptor, "r+b") as file:
        if os.name == "posix" and not _lock(descriptor):
            raise GlmError(f"{part} is in use", hint=_TAKEN)
        yield file


def _lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks
    return True


def settle(part: Path, place: Place, ending: str) -> Path:
    """Give the finished file its name. Raises UsageError when the name that was chosen is taken."""
    if place.is_exact:
        if place.overwrite:
            part.replace(place.path)
        elif not renamed(part, place.path):
            raise exists_already(place.path)
        return place.path
    number = 1
    while True:
        path = place.folder / f"{place.name}{f'-{number}' if number > 1 else ''}{ending}"
        if place.overwrite:
            part.replace(path)
            return path
        if renamed(part, path):
            return path
        number += 1


# -- headers -----------------------------------------------------------------------------


def _range_headers(have: int, etag: str) -> Mapping[str, str]:
    """Ask for what is missing, and one byte before it: a complete part is then no error 416."""
    if not have:
        return {}
    wanted = {"Range": f"bytes={have - 1}-"}
    return {**wanted, "If-Range": etag} if etag and not etag.startswith("W/") else wanted


def _extent(headers: Mapping[str, str]) -> tuple[int, int | None]:
    """First byte and whole length of a Content-Range."""
    found = re.match(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("content-range", ""))
    if found is None:
        raise StreamCut("the server sent a part of the file without saying which")
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _length(headers: Mapping[str, str]) -> int | None:
    # The length of compressed bytes says nothing about those that reach us.
    length = headers.get("content-length", "")
    return int(length) if length.isdigit() and "content-encoding" not in headers else None


def _is_gone(error: GlmError) -> bool:
    return isinstance(error, ServiceError) and error.http_status in (401, 403, 404, 410)


def _too_large(size: int, limit: int) -> GlmError:
    return GlmError(f"the file has {size >> 20} MiB; at most {limit >> 20} MiB are taken")

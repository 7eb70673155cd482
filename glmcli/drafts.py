"""What nobody shall find: drafts beside the file that they will be, and folders for scratch.

Each is locked by the process that uses it, so that the system tells what a
killed one left behind. Whoever makes the next draft of the same file, or the
next folder, removes that; what a living process holds is never touched.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

#: Where the file system knows no locks, what nobody changed for so long is nobody's any more.
ABANDONED_SECONDS = 3600.0
_NAME_CHARACTERS = 60
_FOLDER = "glm-scratch-"


class Draft:
    """A new file in the folder of `target`, inside the block; at its end it is gone, unless it was renamed.

    The folder has to exist. Raises OSError.
    """

    def __init__(self, target: Path, *, ending: str = ".part", mode: int = 0o600) -> None:
        self._target = target
        self._mode = mode
        self._beginning, self._ending = f".{target.name[:_NAME_CHARACTERS]}.glm-", ending
        self._descriptor: int | None = None
        self.path = target

    def __enter__(self) -> Self:
        name = re.compile(re.escape(self._beginning) + "[0-9a-f]{8}" + re.escape(self._ending))
        sweep(self._target.parent, name)
        while True:
            self.path = self._target.with_name(f"{self._beginning}{os.urandom(4).hex()}{self._ending}")
            how = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            descriptor = os.open(self.path, how, self._mode)
            if _hold(descriptor, self.path):
                self._descriptor = descriptor
                return self
            os.close(descriptor)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.path.unlink()
        self._close()

    @property
    def descriptor(self) -> int:
        """The open file."""
        assert self._descriptor is not None
        return self._descriptor

    def fill(self, data: bytes) -> None:
        """Write the whole of it and bring it to the disk; ready to be renamed."""
        with os.fdopen(self.descriptor, "wb", closefd=False) as file:
            file.write(data)
        self.finish()

    def finish(self) -> None:
        """Bring the bytes to the disk. Afterwards the draft can be renamed, and no longer be written."""
        os.fsync(self.descriptor)
        if os.name == "nt":  # pragma: no cover  # where open files cannot be renamed
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def renamed(path: Path, new: Path) -> bool:
    """Rename without overwriting, in one step where the file system can; whether the name was free."""
    try:
        os.link(path, new)
    except FileExistsError:
        return False
    except OSError:  # no hard links here
        if new.exists():
            return False
        path.replace(new)
        return True
    with suppress(OSError):
        path.unlink()
    return True


@contextmanager
def scratch_folder(environ: Mapping[str, str]) -> Iterator[Path]:
    """A folder for this process alone (mode 0700), below `TMPDIR`; gone at the end of the block. Raises OSError."""
    import shutil
    import tempfile

    place = Path(environ.get("TMPDIR") or tempfile.gettempdir())
    sweep(place, re.compile(_FOLDER + "[a-z0-9_]{8}"), shutil.rmtree)
    lock = None
    while lock is None:
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=place))
        lock = held(folder)
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def held(folder: Path) -> ExitStack | None:
    """What keeps a new folder from being swept until it is closed; None when somebody was faster."""
    with ExitStack() as stack:
        if os.name == "posix":
            try:
                descriptor = os.open(folder, os.O_RDONLY)
            except FileNotFoundError:
                return None
            stack.callback(os.close, descriptor)
            if not _hold(descriptor, folder):
                return None
        return stack.pop_all()


# -- whose it is -----------------------------------------------------------------------


def sweep(
    place: Path, name: re.Pattern[str], remove: Callable[[Path], object] = Path.unlink, *, age_seconds: float = 0.0
) -> None:
    """Remove what is named like this, is of that age and ours, and is held by nobody.

    A failure costs only the tidiness.
    """
    with suppress(OSError), os.scandir(place) as entries:
        for path in [Path(entry.path) for entry in entries if name.fullmatch(entry.name)]:
            with suppress(OSError):
                _remove_abandoned(path, remove, age_seconds)


def _remove_abandoned(path: Path, remove: Callable[[Path], object], age_seconds: float) -> None:
    found = path.lstat()
    if not _is_own(found) or not _is_old(found, age_seconds):
        return
    if os.name != "posix":  # pragma: no cover  # what is open cannot be removed there
        if _is_old(found, ABANDONED_SECONDS):
            remove(path)
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        is_free = _lock(descriptor)
        if _is_old(found, ABANDONED_SECONDS) if is_free is None else is_free:
            remove(path)
    finally:
        os.close(descriptor)


def _is_own(found: os.stat_result) -> bool:
    is_plain = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return is_plain and (os.name != "posix" or found.st_uid == os.geteuid())


def _is_old(found: os.stat_result, age_seconds: float) -> bool:
    return not age_seconds or time.time() - found.st_mtime > age_seconds


def _hold(descriptor: int, path: Path) -> bool:
    """Lock what we have just made; False when somebody who swept was faster."""
    if os.name != "posix":  # pragma: no cover  # such locks are those of POSIX
        return True
    try:
        return _lock(descriptor) is not False and os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _lock(descriptor: int) -> bool | None:
    """Whether the lock is ours now; None where there are no locks. Closing the descriptor gives it back."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True

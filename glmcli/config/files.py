"""Private files: written whole or not at all, one writer at a time, mode 0600."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from glmcli.errors import ConfigError

Notice = Callable[[str], None]

FILE_MODE = 0o600
FOLDER_MODE = 0o700
LOCK_TIMEOUT_SECONDS = 10.0
_LOCK_PAUSE_SECONDS = 0.01


def quiet(notice: str) -> None:
    """The notice callable of those who do not want any."""


def write_private(path: Path, data: bytes) -> None:
    """Replace a file by `data` in one step; mode 0600, missing folders 0700.

    Either the old or the new content is there after a crash. A symbolic link
    is followed, not replaced, and what is no file (`/dev/null`, to which a
    history is sometimes linked) is written to. Raises ConfigError; the old
    file is then intact.
    """
    from glmcli.drafts import Draft

    target = _followed(path)
    make_private_folder(target.parent)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        with Draft(target, ending=".tmp", mode=FILE_MODE) as draft:
            draft.fill(data)
            draft.path.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise _cannot("write", path, error) from error


def _followed(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise ConfigError(f"cannot follow {path}: {error}", hint=f"look at it with: ls -l {path}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    if os.name != "posix":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_private_folder(folder: Path) -> None:
    """Create a folder, and its missing parents, with mode 0700. Raises ConfigError."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_private_folder(folder.parent)
    try:
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise _cannot("create", folder, error) from error


def _cannot(verb: str, path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"cannot {verb} {path}: {error.strerror or error}",
        hint="mend the cause, or set GLM_HOME to a folder where glm may write",
    )


def repair_modes(path: Path, notice: Notice) -> None:
    """Take a file, and its folder, away from the eyes of others; says so.

    What belongs to somebody else is left alone.
    """
    if os.name != "posix":
        return
    if _is_ours_alone(path.parent):
        _repair(path.parent, FOLDER_MODE, notice)
    _repair(path, FILE_MODE, notice)


def _is_ours_alone(folder: Path) -> bool:
    """Whether a folder may be closed: `GLM_HOME=/tmp` must not close `/tmp`."""
    try:
        is_shared = bool(folder.stat().st_mode & stat.S_ISVTX)
        return not is_shared and len(folder.resolve().parts) > 2 and folder.resolve() != Path.home().resolve()
    except (OSError, RuntimeError):
        return False


def _repair(path: Path, mode: int, notice: Notice) -> None:
    try:
        found = path.stat()
        is_open = bool(found.st_mode & 0o077)
        if is_open and found.st_uid == os.geteuid():
            path.chmod(mode)
            notice(f"{path} could be read by others (mode {stat.S_IMODE(found.st_mode):04o}); it is now {mode:04o}")
    except OSError:
        return


@contextmanager
def locked(
    path: Path,
    *,
    timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Be the only `glm` that changes `path` inside the block.

    Raises ConfigError, naming the lock file, when another one holds it for
    too long. The lock file stays: removing it would let two writers in.
    """
    make_private_folder(path.parent)
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, FILE_MODE)
    except OSError as error:
        raise _cannot("create", lock, error) from error
    try:
        _acquire(descriptor, lock, timeout_seconds, sleep)
        yield
    finally:
        os.close(descriptor)  # gives the lock back, also when the process is killed


def _acquire(descriptor: int, lock: Path, timeout_seconds: float, sleep: Callable[[float], None]) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not try_lock(descriptor):
        if time.monotonic() >= deadline:
            raise ConfigError(
                f"another glm has held {lock} for {timeout_seconds:g} seconds",
                hint=f"wait for it to end; if there is none, find the holder with: fuser {lock}",
            )
        sleep(_LOCK_PAUSE_SECONDS)


if os.name == "nt":  # pragma: no cover

    def try_lock(descriptor: int) -> bool:
        """Lock an open file unless somebody else has; whether it is ours now. Closing it gives it back."""
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows only
        except OSError:
            return False
        return True

else:

    def try_lock(descriptor: int) -> bool:
        """Lock an open file unless somebody else has; whether it is ours now. Closing it gives it back."""
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # Some network file systems know no locks; the atomic rename still protects each write.
            return True
        return True

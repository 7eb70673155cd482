"""Reads and writes the settings files of other tools: private, atomic, backed up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from glmcli.config.files import write_private
from glmcli.drafts import Draft, renamed
from glmcli.errors import ConfigError


def read_settings(path: Path) -> str | None:
    """The text of a file with its own line endings; None if there is no file.

    Raises ConfigError for a file that cannot be read or is not UTF-8.
    """
    with _as_config_error("read", path):
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte at offset {error.start}); it was not touched") from None


def write_settings(path: Path, text: str) -> None:
    """Replace a file atomically, readable by its owner alone.

    A symbolic link is followed, so that dotfiles kept elsewhere stay linked.
    Missing directories are made for the owner alone. Raises ConfigError.
    """
    try:
        write_private(path, text.encode())
    except ConfigError as error:
        # The hint of our own files, GLM_HOME, does not help here.
        raise ConfigError(error.message, hint="mend the cause and try again") from error


def missing_directories(path: Path) -> tuple[Path, ...]:
    """The directories that writing a file would make, innermost first."""
    return tuple(parent for parent in path.resolve().parents if not parent.exists())


def remove_directories(directories: Sequence[Path]) -> None:
    """Remove directories that are empty; others stay as they are."""
    for directory in directories:
        with suppress(OSError):
            directory.rmdir()


def delete(path: Path) -> None:
    """Delete a file that may be gone already. Raises ConfigError."""
    with _as_config_error("delete", path):
        path.resolve().unlink(missing_ok=True)


def back_up(path: Path, text: str, *, stamp: str) -> Path:
    """Keep `text` beside the file as `NAME.glm-backup-STAMP`; an older backup is never overwritten."""
    target = path.resolve()
    base = f"{target.name}.glm-backup-{stamp}"
    with _as_config_error("back up", path):
        for number in range(1, 1000):
            backup = target.with_name(base if number == 1 else f"{base}-{number}")
            try:
                _write_new(backup, text.encode(), beside=target)
            except FileExistsError:
                continue
            return backup
    raise ConfigError(f"cannot back up {path}: too many backups of this second")


def _write_new(path: Path, data: bytes, *, beside: Path) -> None:
    """Whole or not at all, and over nothing that is there; a draft of another second is found by the same name."""
    with Draft(beside) as draft:
        draft.fill(data)
        if not renamed(draft.path, path):
            raise FileExistsError(path)


@contextmanager
def _as_config_error(doing: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"cannot {doing} {path}: {error.strerror or error}") from error

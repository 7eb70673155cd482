"""A recording as pieces that the service takes, whatever file it comes from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from glmcli.audio import ffmpeg
from glmcli.audio.kinds import HEAD_BYTES, sniff
from glmcli.audio.mp3 import Mp3Error
from glmcli.audio.pieces import Piece, plan
from glmcli.audio.wav import UnsupportedCodec, WavError
from glmcli.drafts import scratch_folder
from glmcli.errors import UsageError

#: Kinds that are cut here; everything else is converted first.
NATIVE_KINDS = ("wav", "mp3")


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound file, ready to be sent. `name` is what the user called it."""

    name: str
    pieces: tuple[Piece, ...]

    @property
    def seconds(self) -> float:
        """The length of the whole."""
        return self.pieces[-1].end


def check(path: Path, *, name: str, environ: Mapping[str, str]) -> None:
    """Raise UsageError for a file that cannot be transcribed, as far as its head tells.

    Cheap, so that the last of many files is checked before the first is sent.
    """
    kind = _kind(path, name)
    if kind not in NATIVE_KINDS:
        ffmpeg.require_ffmpeg(name, kind, environ)


@contextmanager
def open_recording(path: Path, *, name: str, environ: Mapping[str, str]) -> Iterator[Recording]:
    """Plan the pieces of a file, converted first where that is needed.

    What was converted lives in a private temporary folder for as long as the
    context. Raises UsageError, with the name of the file, when that fails.
    """
    kind = _kind(path, name)
    if kind in NATIVE_KINDS:
        pieces = _plan(path, kind, name, environ)
        if pieces is not None:
            yield Recording(name, pieces)
            return
    program = ffmpeg.require_ffmpeg(name, kind, environ)
    with scratch_folder(environ) as folder:
        target = folder / "converted.wav"
        ffmpeg.convert(program, path, target, name=name, environ=environ)
        try:
            pieces = tuple(replace(piece, is_whole=False) for piece in plan(target, "wav"))
        except WavError as error:
            raise _with_name(error, name) from None
        yield Recording(name, pieces)


def spool(source: BinaryIO, target: Path) -> None:
    """Copy a pipe to a file, so that it can be read more than once."""
    with target.open("xb") as file:
        shutil.copyfileobj(source, file, 256 * 1024)


def _kind(path: Path, name: str) -> str | None:
    if path.is_dir():
        raise UsageError(f"{name} is a directory", hint=f"name its files: glm transcribe {name.rstrip('/')}/*.mp3")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise UsageError(f"{name} does not exist", hint="check the name; `-` reads from a pipe") from None
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}") from error
    if not head:
        raise UsageError(f"{name} is empty")
    return sniff(head)


def _plan(path: Path, kind: str, name: str, environ: Mapping[str, str]) -> tuple[Piece, ...] | None:
    """The pieces, or None when only a converter can read this one and there is one."""
    try:
        return tuple(plan(path, kind))
    except WavError as error:
        if isinstance(error, UnsupportedCodec) and ffmpeg.find_ffmpeg(environ) is not None:
            return None
        raise _with_name(error, name) from None
    except Mp3Error as error:  # a tag of MP3 may stand in front of other sound
        if ffmpeg.find_ffmpeg(environ) is not None:
            return None
        raise _with_name(error, name) from None


def _with_name(error: UsageError, name: str) -> UsageError:
    hint = error.hint or "convert it first: ffmpeg -i IN -ar 16000 -ac 1 out.wav"
    return UsageError(f"{name}: {error.message}", hint=hint)

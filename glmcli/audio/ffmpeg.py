"""Other formats, turned into WAV by `ffmpeg` where it is installed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from glmcli.audio.kinds import NOT_SOUND
from glmcli.errors import UsageError

if TYPE_CHECKING:
    import subprocess

#: All that the child needs; above all it does not get the variables that hold keys.
_VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
)
_MAX_COMPLAINT_BYTES = 4096
_INSTALL = {
    "darwin": "brew install ffmpeg",
    "win32": "winget install ffmpeg",
}


def find_ffmpeg(environ: Mapping[str, str]) -> str | None:
    """The program's path, None when it is not installed."""
    return shutil.which("ffmpeg", path=environ.get("PATH", ""))


def require_ffmpeg(name: str, kind: str | None, environ: Mapping[str, str]) -> str:
    """The program's path. Raises UsageError that names the format and how to install it."""
    what = kind.upper() if kind else "neither WAV nor MP3"
    if kind in NOT_SOUND:
        raise UsageError(f"{name} is {what}, not a recording", hint="give a WAV or MP3 file, or what ffmpeg can read")
    program = find_ffmpeg(environ)
    if program is None:
        install = _INSTALL.get(sys.platform, "sudo apt install ffmpeg")
        raise UsageError(
            f"{name} is {what}, the service takes only WAV and MP3, and ffmpeg is not installed to convert it",
            hint=f"install it ({install}) and run the same command again",
        )
    return program


def convert(program: str, source: Path, target: Path, *, name: str, environ: Mapping[str, str]) -> None:
    """Write the first audio stream of a file as WAV, 16 kHz, mono, 16 bits.

    Speech models listen at 16 kHz; an hour takes 115 MB of disk. Raises
    UsageError with the first words of ffmpeg when it cannot.
    """
    import subprocess

    command = [program, "-nostdin", "-hide_banner", "-v", "error", "-y"]
    # Only files: a playlist must not make the converter fetch what it names.
    command += ["-protocol_whitelist", "file", "-i", f"file:{source.absolute()}"]
    command += ["-map", "0:a:0", "-ac", "1", "-ar", "16000", "-c:a", "pcm_s16le", "-rf64", "auto", "-f", "wav"]
    process = subprocess.Popen(  # noqa: S603  # the arguments are ours, the file name is not an option
        [*command, f"file:{target.absolute()}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={key: value for key, value in environ.items() if key.upper() in _VARIABLES},
    )
    complaint = _run(process)
    if process.returncode:
        first = complaint.decode("utf-8", "replace").strip().splitlines()[:1]
        reason = first[0].removeprefix(f"file:{source.absolute()}: ") if first else f"exit code {process.returncode}"
        hint = "give a recording, for example WAV, MP3, M4A or OGG"
        raise UsageError(f"ffmpeg cannot read {name}: {reason}", hint=hint)


def _run(process: subprocess.Popen[bytes]) -> bytes:
    """Wait for the end; the beginning of what it said. Ctrl-C ends the child too."""
    assert process.stderr is not None
    try:
        with process.stderr as stderr:
            complaint = _read_bounded(stderr)
        process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return complaint


def _read_bounded(stderr: IO[bytes]) -> bytes:
    complaint = stderr.read(_MAX_COMPLAINT_BYTES)
    while stderr.read(65536):  # keep the pipe empty, or the child would wait for us
        pass
    return complaint

"""Puts text on the clipboard: by a program where there is one, else by the terminal itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import PurePath

from glmcli.streams import Streams

#: Program, and the variable without which it has no screen to talk to.
_PROGRAMS = (
    (("wl-copy",), "WAYLAND_DISPLAY"),
    (("xclip", "-selection", "clipboard"), "DISPLAY"),
    (("xsel", "--clipboard", "--input"), "DISPLAY"),
    (("clip.exe",), "WSL_DISTRO_NAME"),
)
# xterm's own limit is lower than that of most others.
_LONGEST_OSC52 = 74_994
_PATIENCE_SECONDS = 5


def copy(text: str, streams: Streams, environ: Mapping[str, str]) -> str | None:
    """Copy, and say by what; None when there is no way.

    OSC 52 reaches the clipboard of the person in front of the screen, also
    through ssh, where a program would fill the clipboard of the other machine.
    """
    is_remote = bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
    program = None if is_remote else _program(environ)
    if program is not None and _run(program, text, environ):
        return PurePath(program[0]).stem
    return "the terminal (OSC 52)" if _by_terminal(text, streams) else None


def _program(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    """The first program of this system that is there, by its full path."""
    from shutil import which

    own = {"darwin": ("pbcopy",), "win32": ("clip.exe",)}.get(sys.platform)
    usable = [own] if own else [words for words, variable in _PROGRAMS if environ.get(variable)]
    for words in usable:
        found = which(words[0], path=environ.get("PATH"))
        if found:
            return (found, *words[1:])
    return None


def _run(program: tuple[str, ...], text: str, environ: Mapping[str, str]) -> bool:
    import subprocess

    encoding = "utf-16" if program[0].endswith("clip.exe") else "utf-8"
    try:
        # Their daemons keep running with our descriptors: nothing of theirs may be a pipe of ours.
        done = subprocess.run(  # noqa: S603  # a word of the table
            program,
            input=text.encode(encoding, "replace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _by_terminal(text: str, streams: Streams) -> bool:
    from base64 import b64encode

    data = b64encode(text.encode("utf-8", "replace")).decode("ascii")
    if not streams.stderr_is_tty or streams.is_dumb or len(data) > _LONGEST_OSC52:
        return False
    streams.write_control(f"\x1b]52;c;{data}\a")
    return True

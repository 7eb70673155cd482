"""The user's own editor, for a text that is too long for a line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from glmcli.errors import ConfigError


def edit_file(environ: Mapping[str, str], path: Path) -> None:
    """Open a file in $VISUAL or $EDITOR and wait. Raises ConfigError when that fails."""
    import shlex
    import subprocess

    usual = "notepad" if os.name == "nt" else "vi"
    editor = environ.get("VISUAL") or environ.get("EDITOR") or usual
    try:
        words = [*shlex.split(editor, posix=os.name == "posix"), str(path)]
        code = subprocess.run(words, env=dict(environ), check=False).returncode  # noqa: S603  # the user's editor
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot run the editor {editor!r}: {error}", hint="set EDITOR, for example: EDITOR=nano"
        ) from None
    if code != 0:
        raise ConfigError(f"the editor {editor!r} ended with exit code {code}; nothing was changed")


def edit_text(environ: Mapping[str, str], text: str, *, suffix: str = ".md") -> str:
    """The text as it leaves the editor. Raises ConfigError."""
    from glmcli.drafts import scratch_folder

    with scratch_folder(environ) as folder:  # mode 0700: a prompt is private
        path = folder / f"prompt{suffix}"
        path.write_text(text, encoding="utf-8")
        edit_file(environ, path)
        return path.read_text(encoding="utf-8")

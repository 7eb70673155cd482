"""A real Secret Service (gnome-keyring) on a bus of its own, which holds one key."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

from running import PYTHON

BACKEND = "keyring.backends.SecretService.Keyring"
NEEDED = ("dbus-run-session", "gnome-keyring-daemon")
_SESSION = """
printf x | gnome-keyring-daemon --unlock --components=secrets > /dev/null 2>&1
echo "$DBUS_SESSION_BUS_ADDRESS"
read end
"""
_KEEP = f"""
import sys
from glmcli.config.credentials import KeyringStore
KeyringStore({BACKEND!r}).save(sys.argv[1], sys.stdin.read())
"""


def start(stack: ExitStack, folder: Path, profile: str, key: str) -> dict[str, str] | None:
    """The variables with which a client finds it, until the stack is closed; None where the programs are missing."""
    if not all(map(shutil.which, NEEDED)):
        return None
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    session = subprocess.Popen(
        ["dbus-run-session", "--", "sh", "-c", _SESSION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        text=True,
    )
    stack.enter_context(session)  # closes its input, and so ends it
    assert session.stdout is not None
    found = {"DBUS_SESSION_BUS_ADDRESS": session.stdout.readline().strip()}
    subprocess.run([PYTHON, "-c", _KEEP, profile], input=key, text=True, check=True, env={**environ, **found})
    return found

"""How a failure is told: one line and a hint on stderr, or one JSON object with `--json`.

Used at the end of a command, and by a conversation, which no error ends.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping

from glmcli.errors import GlmError, Interrupted
from glmcli.streams import Streams, harmless

_RED = "\x1b[31m"
_DIM = "\x1b[2m"
_PLAIN = "\x1b[0m"

#: What a key looks like, ours and other vendors': an exception of a library may quote a header.
_KEY = re.compile(r"\b[0-9a-f]{32}\.[A-Za-z0-9]{8,}\b|\bsk-[\w-]{8,}|(?i:(?<=bearer )\S+)")


def as_ours(error: BaseException) -> GlmError:
    """The error to tell for anything that was raised."""
    if isinstance(error, GlmError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("interrupted")
    if isinstance(error, OSError) and error.strerror:
        return _from_system(error)
    return _unexpected(error)


def tell(
    error: GlmError, streams: Streams, *, as_json: bool, prefix: str = "glm", secrets: Mapping[str, str] | None = None
) -> None:
    """Write the failure to stderr; a failure is never silenced by `--quiet`.

    `secrets` is an environment whose keys are taken out of the text: a message may quote what was typed.
    """
    secrets = secrets or {}
    if as_json:
        import json

        told = {
            name: without_keys(value, secrets) if isinstance(value, str) else value
            for name, value in error.to_json().items()
        }
        streams.complain(json.dumps({"error": told}, ensure_ascii=False))
        return
    message = harmless(without_keys(error.message, secrets))
    hints = [f"  {harmless(without_keys(line, secrets))}" for line in (error.hint or "").splitlines()]
    if streams.may_color(stderr=True):
        prefix, hints = f"{_RED}{prefix}:{_PLAIN}", [f"{_DIM}{hint}{_PLAIN}" for hint in hints]
    else:
        prefix = f"{prefix}:"
    streams.complain_styled("\n".join([f"{prefix} {message}", *hints]))


def trace(error: BaseException, environ: Mapping[str, str]) -> str:
    """The traceback for `-vv`: source lines only, never the values of variables."""
    import traceback

    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return without_keys("".join(lines), environ).rstrip("\n")


def without_keys(text: str, environ: Mapping[str, str]) -> str:
    """The text with everything that is or looks like a key taken out."""
    for name, value in environ.items():
        if name.upper().endswith(("KEY", "TOKEN", "SECRET")) and len(value) >= 8:
            text = text.replace(value, f"${name}")
    return _KEY.sub("[key]", text)


def _from_system(error: OSError) -> GlmError:
    reason = (error.strerror or "").lower()
    if error.filename is not None:
        return GlmError(f"{error.filename}: {reason}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return GlmError(f"cannot write the output: {reason}", hint="free some space, or write elsewhere")
    return GlmError(f"the system refused: {reason}", hint="for the details add -vv")


def _unexpected(error: BaseException) -> GlmError:
    said = " ".join(str(error).split())
    return GlmError(
        f"unexpected {type(error).__name__}: {said}" if said else f"unexpected {type(error).__name__}",
        hint="this is a fault of glm; for the details run it again as: glm -vv ...",
    )

"""TOML as text: parsed, with the place of a mistake in the words of a user."""

from __future__ import annotations

import re
from pathlib import Path

from glmcli.errors import ConfigError

# "Expected '=' after a key in a key/value pair (at line 3, column 5)"
_TOML_PLACE = r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)"


def parse_toml(text: str, path: Path) -> dict[str, object]:
    """The document; `path` is for messages. Raises ConfigError with line and reason."""
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path}, {_place_and_reason(str(error), text)}",
            hint=f"mend it in an editor; nothing was changed in {path.name}",
        ) from None
    except (RecursionError, ValueError):  # arrays within arrays, or a number of thousands of digits
        raise ConfigError(
            f"{path} is nested too deeply, or holds a number of too many digits",
            hint=f"mend it in an editor; nothing was changed in {path.name}",
        ) from None


def _place_and_reason(message: str, text: str) -> str:
    found = re.fullmatch(_TOML_PLACE, message)
    if found is None:
        return message
    reason = found[1][:1].lower() + found[1][1:]
    if found[2]:
        return f"line {found[2]}, column {found[3]}: {reason}"
    return f"line {len(text.splitlines()) or 1}: {reason} before the end of the file"

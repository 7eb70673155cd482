"""A file for the people who are asked for help: what was found, and no key.

What is written is searched for every known key, whole and in parts, plain and
in the usual encodings, before it reaches the disk.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from glmcli.errors import GlmError

if TYPE_CHECKING:
    from glmcli.context import AppContext

REDACTED = "<redacted>"
#: Shorter parts would be found by chance.
_SHORTEST_PART = 8
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIALS?)$", re.IGNORECASE)
#: What looks like a key of anybody.
_LOOKS_LIKE_KEY = re.compile(r"\b[0-9a-f]{32}\.[A-Za-z0-9]{8,}\b|\bsk-[\w-]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*")


def known_secrets(app: AppContext, key: str = "") -> list[str]:
    """The key in use, those in the private file, and every variable that is named like a secret."""
    from glmcli.config.store import load_keys

    found = [key]
    try:
        found += load_keys(app.paths.credentials_file).values()
    except GlmError:
        # A file that cannot be parsed still holds its keys: every word of it is taken for one.
        found += _words_of(app.paths.credentials_file)
    found += [value for name, value in app.environ.items() if _SECRET_NAME.search(name)]
    return [secret for secret in dict.fromkeys(each.strip() for each in found) if len(secret) >= _SHORTEST_PART]


def _words_of(path: Path) -> list[str]:
    try:
        return re.findall(r"[^\s\"'=]{8,}", path.read_text("utf-8", "replace"))
    except OSError:
        return []


def forms_of(secret: str) -> set[str]:
    """The shapes in which a secret may turn up: whole, its parts, base64 at every offset, hex, quoted, reversed."""
    parts = [secret, *(part for part in re.split(r"[.:\-_]", secret) if len(part) >= _SHORTEST_PART)]
    forms: set[str] = set()
    for part in parts:
        data = part.encode()
        forms |= {part, part[::-1], quote(part, safe=""), data.hex(), json.dumps(part)[1:-1]}
        forms |= {form for offset in range(3) for form in _base64_inside(data, offset)}
    return {form for form in forms if len(form) >= _SHORTEST_PART}


def _base64_inside(data: bytes, offset: int) -> Iterable[str]:
    """The characters that some bytes surely leave in a base64 text in which they begin at `offset` modulo 3."""
    encoded = b64encode(b"\0" * offset + data).decode().rstrip("=")
    first = (offset * 8 + 5) // 6
    last = (offset + len(data)) * 8 // 6
    inner = encoded[first:last]
    return inner, inner.replace("+", "-").replace("/", "_")


def redacted(text: str, secrets: Iterable[str], replacements: Mapping[str, str]) -> str:
    """The text without any form of the secrets, without what looks like a key, and with other replacements."""
    for form in sorted({form for secret in secrets for form in forms_of(secret)}, key=len, reverse=True):
        text = text.replace(form, REDACTED)
    text = _LOOKS_LIKE_KEY.sub(REDACTED, text)
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text


def proven(text: str, secrets: Iterable[str]) -> int:
    """How many forms were searched for. Raises GlmError when one is in the text."""
    forms = {form for secret in secrets for form in forms_of(secret)}
    lowered = text.lower()
    if any(form in text or form.lower() in lowered for form in forms):
        raise GlmError("the support file would hold a part of a key; nothing was written", hint="glm doctor -v")
    return len(forms)


def support_text(app: AppContext, report: Mapping[str, object]) -> str:
    """What helps others: versions, the report, and the configuration, without what was said to a model."""
    import platform
    import sys

    document = {
        **report,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "language": app.language,
        "packages": _versions(),
        "variables": sorted(app.environ),
        "config.toml": _configuration(app.paths.config_file),
    }
    return json.dumps(_without_prompts(document), ensure_ascii=False, indent=2) + "\n"


def _without_prompts(value: object) -> object:
    """The value with system prompts shortened to their length, and key commands to their first word."""
    if isinstance(value, dict):
        return {
            name: _prompt_length(item) if _is_prompt(name) else _without_prompts(item) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_without_prompts(item) for item in value]
    if isinstance(value, str) and value.startswith("command:"):
        return value.split()[0] + " ..."
    return value


def _is_prompt(name: object) -> bool:
    return name in ("system", "chat.system")


def _prompt_length(value: object) -> object:
    text = value.get("value") if isinstance(value, dict) else value
    return f"({len(str(text))} characters)"


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("typer", "httpx", "httpcore", "rich", "keyring", "prompt_toolkit", "tomlkit", "truststore"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def _configuration(path: Path) -> object:
    """What `config.toml` says; nothing when it is missing or broken, which the report tells."""
    import tomllib

    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None


def write(path: Path, text: str) -> None:
    """Write the file, for the user alone. Raises GlmError for one that exists."""
    from glmcli.config.files import write_private

    if path.exists():
        raise GlmError(f"{path} exists", hint="name another file: glm doctor --bundle FILE")
    write_private(path, text.encode())

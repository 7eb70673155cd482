"""Shows a change as a unified diff from which no key can be read."""

from __future__ import annotations

import re
from difflib import unified_diff

from glmcli.integrations.changes import FileChange

#: `"API_KEY": "value"` and `api_key = "value"`, in JSON and TOML.
_SECRET_MEMBER = re.compile(
    r"""(?P<head>["']?(?P<name>[\w.-]*(?:key|token|secret|passw|authorization|cookie|credential|header)[\w.-]*)["']?\s*[:=]\s*)"""
    r"""(?P<quote>["'])(?P<value>(?:\\.|(?!(?P=quote)).)*)(?P=quote)""",
    re.IGNORECASE,
)
# `id.secret` of the vendor, common prefixes of other services, `--api-key=...`, and a password in a URL.
_SECRET_WORD = re.compile(
    r"\b[0-9a-fA-F]{32}\.[A-Za-z0-9]{8,}\b"
    r"|\b(?:sk|pk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{8,}"
    r"|(?<=key=)[^\s\"'&<$]+|(?<=token=)[^\s\"'&<$]+"
    r"|(?<=://)[^/\s\"'@]+:[^/\s\"'@]+(?=@)"
)
# A variable's name or a command that prints the key is what a reader wants to see.
_REFERENCE = re.compile(r"\$?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|\$\{\w+\}|\{(?:env|file):[^}]+\}|!.*|\$\(.*\)")
_COMMAND_NAMES = frozenset({"apikeyhelper"})


def redacted_diff(change: FileChange, *, key: str | None) -> str:
    """The unified diff of a change with every secret masked, ours and other people's."""
    before, after = change.before or "", change.after or ""
    lines = unified_diff(
        _masked(before, key).splitlines(),
        _masked(after, key).splitlines(),
        fromfile="/dev/null" if change.before is None else str(change.path),
        tofile="/dev/null" if change.after is None else str(change.path),
        lineterm="",
    )
    return "\n".join(lines)


def _masked(text: str, key: str | None) -> str:
    if key:
        text = text.replace(key, "<your key>")
    return _SECRET_WORD.sub("<secret>", _SECRET_MEMBER.sub(_mask_member, text))


def _mask_member(found: re.Match[str]) -> str:
    value, quote = found["value"], found["quote"]
    if not value or value == "<your key>" or _REFERENCE.fullmatch(value) or found["name"].lower() in _COMMAND_NAMES:
        return found[0]
    return f"{found['head']}{quote}<secret>{quote}"

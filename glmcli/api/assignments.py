"""`--set key=value` for request fields that have no option of their own."""

from __future__ import annotations

from collections.abc import Iterable

from glmcli.errors import UsageError

_EXAMPLES = {"--set": "do_sample=false"}


def parse_assignments(pairs: Iterable[str], *, flag: str = "--set") -> dict[str, object]:
    """Fields from `key=value`; a value that reads as JSON is JSON, else text.

    `a.b=1` sets a field inside an object. Raises UsageError for a pair
    without `=` or a key that is already something else. `flag` is the option
    that an error names.
    """
    import json

    fields: dict[str, object] = {}
    for pair in pairs:
        key, equals, written = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(
                f"{flag} {pair!r} is not key=value", hint=f"for example {flag} {_EXAMPLES.get(flag, 'name=value')}"
            )
        try:
            value: object = json.loads(written)
        except (ValueError, RecursionError):
            value = written
        _put(fields, key.strip().split("."), value, f"{flag} {pair!r}")
    return fields


def _put(fields: dict[str, object], path: list[str], value: object, told: str) -> None:
    inner = fields
    for name in path[:-1]:
        step = inner.setdefault(name, {})
        if not isinstance(step, dict):
            raise UsageError(f"{told}: {name!r} is already a plain value")
        inner = step
    inner[path[-1]] = value

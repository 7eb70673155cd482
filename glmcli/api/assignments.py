"""`--set key=value` for request fields that have no option of their own."""

from __future__ import annotations

from collections.abc import Iterable

from glmcli.errors import UsageError


def parse_assignments(pairs: Iterable[str]) -> dict[str, object]:
    """Fields from `key=value`; a value that reads as JSON is JSON, else text.

    `a.b=1` sets a field inside an object. Raises UsageError for a pair
    without `=` or a key that is already something else.
    """
    import json

    fields: dict[str, object] = {}
    for pair in pairs:
        key, equals, written = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {pair!r} is not key=value", hint="for example --set do_sample=false")
        try:
            value: object = json.loads(written)
        except ValueError:
            value = written
        _put(fields, key.strip().split("."), value, pair)
    return fields


def _put(fields: dict[str, object], path: list[str], value: object, pair: str) -> None:
    inner = fields
    for name in path[:-1]:
        step = inner.setdefault(name, {})
        if not isinstance(step, dict):
            raise UsageError(f"--set {pair!r}: {name!r} is already a plain value")
        inner = step
    inner[path[-1]] = value

"""Careful reading of JSON that a server sent: right type, or the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text(body: Mapping[str, Any], key: str) -> str | None:
    """A string; a number is taken for its text. None for anything else."""
    value = body.get(key)
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def whole(body: Mapping[str, Any], key: str) -> int | None:
    """An integer, also written as 3.0 or "3". None for anything else."""
    value = body.get(key)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    try:
        return int(float(value)) if isinstance(value, float | str) else None
    except (ValueError, OverflowError):
        return None


def mapping(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object; an empty one for anything else."""
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def mappings(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """A list of objects; a lone object counts as one, anything else as none."""
    value = body.get(key)
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

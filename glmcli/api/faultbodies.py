"""What the body of a refusal says, whichever shape it has.

Five shapes are known, and gateways have theirs; nothing here raises but
`parsed`, whatever the types of the fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: How much of a text is looked at, in characters; no server has more to say.
READ_CHARACTERS = 8000


@dataclass(slots=True)
class Fault:
    """What a body says, before our table is asked."""

    code: str | None = None
    type: str | None = None
    message: str | None = None
    request_id: str | None = None
    retry_after: object = None
    reset: object = None

    @classmethod
    def from_json(cls, value: object) -> Fault | None:
        """Read any of the five shapes, and those of gateways; None when it is no object."""
        if isinstance(value, list):
            value = next((item for item in value if isinstance(item, dict)), None)
        if not isinstance(value, dict):
            return None
        inner = _inner(value)
        said, bracket_code, bracket_id = _unbracketed(_first_text((inner, value), ("message", "msg", "detail")))
        return cls(
            code=_first_code((inner, value)) or bracket_code,
            type=_first_text((inner, value), ("type",)),
            message=said,
            request_id=_first_text((value, inner), ("request_id",)) or bracket_id,
            retry_after=value.get("retry_after", inner.get("retry_after")),
            reset=inner.get("next_flush_time", value.get("next_flush_time")),
        )


def _inner(value: dict[str, Any]) -> dict[str, Any]:
    """The object under `error`; a text or a list there becomes one."""
    error = value.get("error")
    if isinstance(error, list):
        error = next((item for item in error if isinstance(item, dict | str)), None)
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) else {}


def is_failure(value: dict[str, Any]) -> bool:
    """Whether the body of a reply with HTTP 200 tells of a failure."""
    if value.get("error") or value.get("success") is False or value.get("type") == "error":
        return True
    if value.get("status") == "failed" and "agent_id" in value:
        return True
    # The flat shape of the OpenAPI file. Successes of monitor carry a code, too: 200.
    is_flat = not value.keys() & {"data", "choices", "success"} and value.keys() & {"message", "msg"}
    return bool(is_flat) and _code(value.get("code")) not in (None, "0", "200")


def parsed(body: bytes) -> object:
    """The JSON value of a body. Raises ValueError, also for nesting without end."""
    import json

    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def scalar(value: object) -> str | None:
    """The words of a body that is no object."""
    return one_line(value) or None if isinstance(value, str) else None


def _first_text(places: Iterable[Mapping[str, Any]], names: Iterable[str]) -> str | None:
    """The first of the fields that holds a text worth reading."""
    for name in names:
        for place in places:
            value = place.get(name)
            if name == "detail" and isinstance(value, list):  # FastAPI's list of complaints
                value = "; ".join(str(item["msg"]) for item in value if isinstance(item, dict) and "msg" in item)
            if isinstance(value, str) and (text := one_line(value)):
                return text
    return None


def _first_code(places: Iterable[Mapping[str, Any]]) -> str | None:
    for place in places:
        code = _code(place.get("code"))
        if code is not None:
            return code
    return None


def _code(value: object) -> str | None:
    """A business code as text, whatever type it came in."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e9:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e9:
        return str(value)
    if isinstance(value, str):
        return one_line(value)[:64] or None
    return None


_LEADING_CODE = re.compile(r"\[(\d{3,4})\] ?")
_TRAILING_ID = re.compile(r" ?\[([0-9A-Za-z_.-]{8,64})\]$")


_TORSO_CODE = re.compile(r'"code" ?: ?"?(\d{3,4})\b')


def code_in_torso(text: str) -> str | None:
    """The code in JSON that broke off before its end."""
    found = _TORSO_CODE.search(text[:READ_CHARACTERS])
    return found[1] if found else None


def _unbracketed(text: str | None) -> tuple[str | None, str | None, str | None]:
    """Message, code and log id of `[1302][Rate limit reached][2026...]`."""
    leading = _LEADING_CODE.match(text) if text else None
    if text is None or leading is None:
        return text, None, None
    rest = text[leading.end() :]
    trailing = _TRAILING_ID.search(rest)
    if trailing is not None and (trailing.start() == 0 or not any(map(str.isdigit, trailing[1]))):
        trailing = None  # a message of one word, not an id
    if trailing is not None:
        rest = rest[: trailing.start()]
    if rest.startswith("[") and rest.endswith("]"):
        rest = rest[1:-1]
    return rest, leading[1], trailing[1] if trailing else None


def one_line(text: str) -> str:
    """A text on one line, bounded, without keys and anything that could steer a terminal."""
    text = text[:READ_CHARACTERS]
    return without_keys(" ".join("".join(c if c.isprintable() else " " for c in text).split()))


# Chinese words are word characters, and touch what they quote; keys may touch one another.
_KEY = re.compile(r"[0-9a-f]{32}\.[\w.-]+|(?<![0-9A-Za-z])(?:sk-[\w.-]{12,}|eyJ[\w-]+\.[\w.-]+)|(?i:(?<=bearer )\S+)")


def without_keys(text: str) -> str:
    """A text without what looks like a key: some gateways quote the one that they refuse."""
    return _KEY.sub("<key>", text)

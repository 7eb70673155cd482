"""What a hosted MCP server says when it refuses: business codes in quotes, or words.

The forms are documented nowhere, so several are understood: JSON of an error
inside a text (`MCP error -429: {"error": {"code": "1310", ...}}`), bracketed
codes, and free text in both languages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from glmcli import codes
from glmcli.api.fields import text
from glmcli.errors import ExitCode, ServiceError
from glmcli.language import CHINESE, ENGLISH

OTHER = "other"
_ADVICE = {
    ENGLISH: {
        codes.BALANCE: "search and read by MCP need a Coding Plan; let the balance pay: add --via general",
        codes.PLAN_ACCOUNT: "see the plan with glm usage, or let the balance pay: add --via general",
        codes.PLAN_WINDOW: "see what the plan has left with glm usage, or let the balance pay: add --via general",
        OTHER: "let the general endpoint answer: add --via general (it bills the balance)",
    },
    CHINESE: {
        codes.BALANCE: "MCP 搜索和读取需要 Coding Plan；也可用余额支付：加上 --via general",
        codes.PLAN_ACCOUNT: "用 glm usage 查看套餐，或用余额支付：加上 --via general",
        codes.PLAN_WINDOW: "用 glm usage 查看套餐剩余额度，或用余额支付：加上 --via general",
        OTHER: "改用通用端点：加上 --via general（从余额扣费）",
    },
}
#: What free text says, as far as it can be told apart: kind and exit code.
_FREE_TEXT = (
    (
        r"quota|limit\W+(?:\w+\W+)?(?:reached|exhausted|exceeded)|exhausted|\W429\b|用尽|额度|上限",
        codes.PLAN_WINDOW,
        ExitCode.LIMIT,
    ),
    (r"insufficient balance|subscri|coding plan|套餐|余额", codes.PLAN_ACCOUNT, ExitCode.BALANCE),
)


def refusal(said: str, *, server: str, language: str = ENGLISH) -> ServiceError:
    """The error that a text of a server tells: by the business code that it quotes, else as it stands."""
    from glmcli.api.faults import error_from_event

    quoted = _quoted_error(said)
    if quoted is None:
        return _in_free_text(said, server, language)
    error = error_from_event(quoted, language)
    if error.kind in _ADVICE[ENGLISH]:
        error.hint = advice(error.kind, language)
    return error


def _in_free_text(said: str, server: str, language: str) -> ServiceError:
    from glmcli.api.faultbodies import without_keys

    shown = " ".join(without_keys(said).split())[:500] or "no reason given"
    kind, exit_code = "service", ExitCode.FAILED
    for pattern, meant, meant_code in _FREE_TEXT:
        if re.search(pattern, shown, re.IGNORECASE):
            kind, exit_code = meant, meant_code
            break
    return ServiceError(
        f"the MCP server {server} refused: {shown}",
        hint=advice(kind if kind in _ADVICE[ENGLISH] else OTHER, language),
        kind=kind,
        exit_code=exit_code,
        server_message=shown,
    )


def _quoted_error(said: str) -> Mapping[str, Any] | None:
    """The body of an error of the service inside a text, if its code is known."""
    start = said.find("{")
    if start >= 0:
        try:
            value = json.JSONDecoder().raw_decode(said[start:])[0]
        except ValueError:
            value = None
        inner = value.get("error", value) if isinstance(value, dict) else None
        if isinstance(inner, dict) and codes.find(text(inner, "code") or "") is not None:
            return {"error": inner}
    # Not any number: "1000 calls" is no code.
    found = re.search(r"(?:\[|code\W{0,4})(\d{3,4})\b", said)
    if found is not None and codes.find(found[1]) is not None:
        return {"error": {"code": found[1], "message": said}}
    return None


def advice(kind: str, language: str) -> str:
    """What to do about a refusal of a kind, or of none in particular (OTHER)."""
    return _ADVICE[language if language in _ADVICE else ENGLISH][kind]

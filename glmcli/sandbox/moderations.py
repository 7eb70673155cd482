"""`/moderations`: a verdict that the text itself asks for, under the service's rules.

`[reject]` or `[review]` in a text has that level, with the kind that follows
the word: `[reject violence]`. Fields: OpenAPI of docs.bigmodel.cn.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.checks import check_fields, is_text, require
from glmcli.sandbox.embeddings import only_in_china
from glmcli.sandbox.exchange import Base, Refusal, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Route, Sandbox

_MAX_CHARACTERS = 2000
_KINDS = ("text", "image_url", "video_url", "audio_url")
_WISH = re.compile(r"\[(reject|review)(?: (\w+))?\]")


def routes() -> list[Route]:
    """The routes of this module."""
    from glmcli.sandbox.app import Route

    return [Route("POST", (Base.GENERAL,), "/moderations", moderate)]


def moderate(sandbox: Sandbox, request: Request) -> Response:
    """A verdict on every part."""
    only_in_china(request)
    body = request.json()
    require(body, "model", "input")
    check_fields(
        body,
        {"model": lambda v: isinstance(v, str), "input": lambda v: isinstance(v, str | list | dict)},
        lenient=sandbox.lenient,
    )
    if body["model"] != "moderation":
        raise Refusal("1211")
    results = [_judged(part) for part in _parts(body["input"])]
    texts = sum(result["content_type"] == "text" for result in results)
    return Response.json(
        {
            "id": request.log_id,
            "created": int(sandbox.clock()),
            "request_id": request.log_id,
            "result_list": results,
            "usage": {"moderation_text": {"call_count": texts}},
        }
    )


def _parts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        value = {"type": "text", "text": value}
    parts = value if isinstance(value, list) else [value]
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in _KINDS or (kind == "text" and not is_text(part.get("text"), 1, _MAX_CHARACTERS)):
            raise Refusal("1214", "input")
    if not parts:
        raise Refusal("1214", "input")
    return parts


def _judged(part: dict[str, Any]) -> dict[str, Any]:
    found = _WISH.search(str(part.get("text", "")))
    level = found[1].upper() if found else "PASS"
    types = [found[2] or "sandbox"] if found else []
    return {"content_type": part["type"].removesuffix("_url"), "risk_level": level, "risk_type": types}

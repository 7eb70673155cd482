"""`POST /tokenizer`: counts of the sandbox's own estimate, under the service's rules.

docs.z.ai/api-reference/tools/tokenizer: GLM-5 models are in no list of it, so
they are unknown here too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from glmcli.sandbox import tokens
from glmcli.sandbox.answers import text_of
from glmcli.sandbox.app import Route
from glmcli.sandbox.catalog import MODELS
from glmcli.sandbox.checks import check_fields, check_messages, check_tools, is_text, require
from glmcli.sandbox.exchange import PAAS, Refusal, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox

_MODELS_INTL = ("glm-4.6", "glm-4.6v", "glm-4.5")
_MODELS_CN = (*_MODELS_INTL, "glm-4.5-air", "glm-4-0520", "glm-4-long", "glm-4-air", "glm-4-flash")
_IMAGE_TOKENS = 1024
_VIDEO_TOKENS = 4096


def routes() -> list[Route]:
    """What this module answers."""
    return [Route("POST", PAAS, "/tokenizer", count_tokens)]


def count_tokens(sandbox: Sandbox, request: Request) -> Response:
    """Check the request and count its messages and tools."""
    body = request.json()
    _check(body, request.region)
    images, videos = _count_parts(body["messages"], "image_url"), _count_parts(body["messages"], "video_url")
    texts = [text_of(message) for message in body["messages"]]
    texts += [json.dumps(tool, ensure_ascii=False) for tool in body.get("tools") or []]
    prompt = sum(map(tokens.count, texts)) + tokens.PER_MESSAGE * len(body["messages"])
    usage = {"prompt_tokens": prompt, "image_tokens": images * _IMAGE_TOKENS, "video_tokens": videos * _VIDEO_TOKENS}
    return Response.json(
        {
            "id": request.log_id,
            "created": int(sandbox.clock()),
            "request_id": body.get("request_id") or request.log_id,
            "usage": {**usage, "total_tokens": sum(usage.values())},
        }
    )


def _check(body: dict[str, Any], region: str) -> None:
    require(body, "model", "messages")
    check_fields(
        body,
        {
            "model": lambda v: isinstance(v, str),
            "messages": lambda v: isinstance(v, list) and len(v) > 0,
            "tools": lambda v: isinstance(v, list),
            "request_id": lambda v: is_text(v, 6, 64),
            "user_id": lambda v: is_text(v, 6, 128),
        },
    )
    if body["model"] not in (_MODELS_CN if region == "cn" else _MODELS_INTL):
        raise Refusal("1211")
    check_messages(body["messages"], MODELS.get(body["model"], MODELS["glm-4.6"]))
    check_tools(body.get("tools") or [], region)


def _count_parts(messages: list[dict[str, Any]], kind: str) -> int:
    contents = [message["content"] for message in messages if isinstance(message.get("content"), list)]
    return sum(part.get("type") == kind for content in contents for part in content)

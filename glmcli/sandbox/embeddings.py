"""`/embeddings` and `/rerank`: vectors of the words in a text, under the service's rules.

The same text has the same vector, always; texts that share words are near.
Fields and limits: OpenAPI of docs.bigmodel.cn. Z.AI documents neither path.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glmcli.sandbox import tokens
from glmcli.sandbox.checks import check_fields, is_integer, is_text, require
from glmcli.sandbox.exchange import Base, Refusal, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Route, Sandbox

MAX_ITEMS = 64
DIMENSIONS = (256, 512, 1024, 2048)
#: Tokens of one text and of one request, by model.
_LIMITS = {"embedding-3": (3072, None), "embedding-2": (512, 8000)}
_MAX_DOCUMENTS = 128
_MAX_CHARACTERS = 4096
_WORD = re.compile(r"[\u3400-\u9fff\u3040-\u30ff]|[^\W_\u3400-\u9fff\u3040-\u30ff]+")


def routes() -> list[Route]:
    """The routes of this module."""
    from glmcli.sandbox.app import Route

    return [
        Route("POST", (Base.GENERAL,), "/embeddings", embed),
        Route("POST", (Base.GENERAL,), "/rerank", rerank),
    ]


def only_in_china(request: Request) -> None:
    """Raises Refusal 1222 for an account of Z.AI."""
    if request.region == "intl" and not (request.account is not None and request.account.everywhere):
        raise Refusal("1222", f"{request.method} {request.path}", status=404)


def embed(sandbox: Sandbox, request: Request) -> Response:
    """A vector for every text."""
    only_in_china(request)
    body = request.json()
    texts = _checked_texts(body, lenient=sandbox.lenient)
    dimensions = 1024 if body["model"] == "embedding-2" else body.get("dimensions") or DIMENSIONS[-1]
    count = sum(map(tokens.count, texts))
    return Response.json(
        {
            "object": "list",
            "model": body["model"],
            "data": [
                {"object": "embedding", "index": index, "embedding": vector(text, dimensions)}
                for index, text in enumerate(texts)
            ],
            "usage": {"prompt_tokens": count, "completion_tokens": 0, "total_tokens": count},
        }
    )


def _checked_texts(body: dict[str, Any], *, lenient: bool) -> list[str]:
    require(body, "model", "input")
    check_fields(
        body,
        {
            "model": lambda v: isinstance(v, str),
            "input": lambda v: isinstance(v, str) or (isinstance(v, list) and 1 <= len(v) <= MAX_ITEMS),
            "dimensions": lambda v: v in DIMENSIONS and not isinstance(v, bool),
        },
        lenient=lenient,
    )
    if body["model"] not in _LIMITS:
        raise Refusal("1211")
    if body["model"] == "embedding-2" and body.get("dimensions") not in (None, 1024):
        raise Refusal("1214", "dimensions")
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    of_item, of_request = _LIMITS[body["model"]]
    for text in texts:
        if not is_text(text, 1, 1_000_000) or tokens.count(text) > of_item:
            raise Refusal("1214", "input")
    if of_request is not None and sum(map(tokens.count, texts)) > of_request:
        raise Refusal("1214", "input")
    return texts


def vector(text: str, dimensions: int) -> list[float]:
    """A vector of length 1: every word adds to eight places that its digest names."""
    places = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [text]:
        digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
        for start in range(0, 32, 4):
            number = int.from_bytes(digest[start : start + 4], "big")
            places[number % dimensions] += 1.0 if number >> 31 else -1.0
    length = math.sqrt(sum(place * place for place in places)) or 1.0
    return [round(place / length, 7) for place in places]


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(map(float.__mul__, one, other))


def rerank(sandbox: Sandbox, request: Request) -> Response:
    """Documents by their nearness to the question."""
    only_in_china(request)
    body = request.json()
    require(body, "model", "query", "documents")
    check_fields(
        body,
        {
            "model": lambda v: isinstance(v, str),
            "query": lambda v: is_text(v, 1, _MAX_CHARACTERS),
            "documents": lambda v: (
                isinstance(v, list)
                and 1 <= len(v) <= _MAX_DOCUMENTS
                and all(is_text(text, 1, _MAX_CHARACTERS) for text in v)
            ),
            "top_n": lambda v: is_integer(v, 0, _MAX_DOCUMENTS),
            "return_documents": lambda v: isinstance(v, bool),
            "return_raw_scores": lambda v: isinstance(v, bool),
            "request_id": lambda v: is_text(v, 6, 64),
            "user_id": lambda v: is_text(v, 6, 128),
        },
        lenient=sandbox.lenient,
    )
    if body["model"] != "rerank":
        raise Refusal("1211")
    count = tokens.count(body["query"]) + sum(map(tokens.count, body["documents"]))
    return Response.json(
        {
            "id": request.log_id,
            "created": int(sandbox.clock()),
            "request_id": body.get("request_id") or request.log_id,
            "results": _ranked(body),
            "usage": {"prompt_tokens": count, "total_tokens": count},
        }
    )


def _ranked(body: dict[str, Any]) -> list[dict[str, Any]]:
    query = vector(body["query"], DIMENSIONS[-1])
    results = []
    for index, text in enumerate(body["documents"]):
        nearness = _cosine(query, vector(text, DIMENSIONS[-1]))
        score = nearness * 10 if body.get("return_raw_scores") else max(0.0, nearness)
        document = {"document": text} if body.get("return_documents") else {}
        results.append({"index": index, "relevance_score": round(score, 6), **document})
    results.sort(key=lambda result: -result["relevance_score"])
    return results[: body.get("top_n") or None]

"""Documents by their relevance to a question: `POST /rerank` (BigModel).

Fields and limits: OpenAPI of docs.bigmodel.cn (`api/files-and-batch.md` section 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, mappings, whole
from glmcli.api.resources.async_results import json_object
from glmcli.errors import ServiceError, UsageError

DEFAULT_MODEL = "rerank"
MAX_CHARACTERS = 4096
#: Documents of one request.
MAX_DOCUMENTS = 128


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """A question and the documents of one request. `extra` fields replace those of the same name."""

    query: str
    documents: Sequence[str]
    model: str = DEFAULT_MODEL
    raw_scores: bool = False
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The request body; every document is wanted back, by its number."""
        optional = {"return_raw_scores": self.raw_scores, "request_id": self.request_id, "user_id": self.user_id}
        given = {name: value for name, value in optional.items() if value}
        return {"model": self.model, "query": self.query, "documents": list(self.documents), **given, **self.extra}


def check(query: str, documents: Sequence[str]) -> None:
    """Compare with the documented limits before anything is sent. Raises UsageError."""
    for what, text in (("the question", query), *((f"document {n}", d) for n, d in enumerate(documents, 1))):
        if len(text) > MAX_CHARACTERS:
            raise UsageError(
                f"{what} has {len(text)} characters; the service takes {MAX_CHARACTERS}",
                hint="cut it first, for example by paragraphs",
            )


@dataclass(frozen=True, slots=True)
class Score:
    """How well the document with this number (from 0) answers the question."""

    index: int
    relevance: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores, the best first, and the tokens that were paid."""

    scores: Sequence[Score]
    tokens: int | None = None


class Reranker:
    """`/rerank` of region cn."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def rank(self, request: RerankRequest) -> Ranking:
        """The scores of one request. Raises what `Caller.send` raises, and ServiceError for scores of nothing."""
        reply = self._caller.send(Call(Service.EMBEDDINGS, "POST", "/rerank", body=json_body(request.to_json())))
        return ranking_from_json(json_object(reply), len(request.documents), reply.request_id)


def ranking_from_json(body: Mapping[str, Any], count: int, request_id: str | None = None) -> Ranking:
    """Read a reply. Raises ServiceError where an index or a score is missing or stands for no document."""
    scores = []
    for item in mappings(body, "results"):
        index, relevance = whole(item, "index"), item.get("relevance_score")
        if index is None or not 0 <= index < count or not isinstance(relevance, int | float):
            raise ServiceError("the service sent a score without a document", request_id=request_id)
        scores.append(Score(index, float(relevance)))
    if not scores:
        raise ServiceError("the service sent no scores", request_id=request_id)
    return Ranking(best_first(scores), whole(mapping(body, "usage"), "total_tokens"))


def best_first(scores: Sequence[Score]) -> list[Score]:
    """In falling order; equals stay as the documents were."""
    return sorted(scores, key=lambda score: (-score.relevance, score.index))

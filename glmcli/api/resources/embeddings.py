"""Vectors of texts: `POST /embeddings` (BigModel).

Fields and limits: OpenAPI of docs.bigmodel.cn (`api/files-and-batch.md` section 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, mappings, whole
from glmcli.api.resources.async_results import json_object
from glmcli.api.tokens import estimate
from glmcli.errors import ServiceError, UsageError

DEFAULT_MODEL = "embedding-3"
#: Texts of one request.
MAX_ITEMS = 64
#: What `embedding-3` can be asked for.
DIMENSIONS = (256, 512, 1024, 2048)


class Limits(NamedTuple):
    """Tokens of one text and, where that is limited, of one request together."""

    item_tokens: int
    request_tokens: int | None = None


#: By model; others may work.
LIMITS = {DEFAULT_MODEL: Limits(3072), "embedding-2": Limits(512, 8000)}
#: The estimate of `api.tokens` may be off by so much: only what is surely too long is refused here.
_DOUBT = 1.5


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts of one request. `extra` fields replace those of the same name."""

    input: Sequence[str]
    model: str = DEFAULT_MODEL
    dimensions: int | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The request body."""
        given = {} if self.dimensions is None else {"dimensions": self.dimensions}
        return {"model": self.model, "input": list(self.input), **given, **self.extra}


def check(model: str, dimensions: int | None) -> None:
    """Compare with the documented values before anything is sent. Raises UsageError."""
    if dimensions is None or model not in LIMITS:
        return
    if model != DEFAULT_MODEL:
        raise UsageError(f"the vectors of {model} have 1024 dimensions, always", hint=f"use -m {DEFAULT_MODEL}")
    if dimensions not in DIMENSIONS:
        choices = ", ".join(map(str, DIMENSIONS))
        raise UsageError(f"{model} makes no vectors of {dimensions} dimensions", hint=f"choose one of {choices}")


def batches(texts: Sequence[str], model: str) -> Iterator[Sequence[str]]:
    """The texts in order, in as many as one request takes.

    Raises UsageError for a text that is surely too long.
    """
    limits = LIMITS.get(model, LIMITS[DEFAULT_MODEL])
    start = tokens = 0
    for end, text in enumerate(texts):
        size = estimate(text)
        if size > limits.item_tokens * _DOUBT:
            raise UsageError(
                f"text {end + 1} has about {size} tokens; {model} takes {limits.item_tokens}",
                hint="cut it first, for example by paragraphs",
            )
        is_full = limits.request_tokens is not None and tokens + size > limits.request_tokens
        if end > start and (end - start == MAX_ITEMS or is_full):
            yield texts[start:end]
            start, tokens = end, 0
        tokens += size
    if texts[start:]:
        yield texts[start:]


@dataclass(frozen=True, slots=True)
class Vectors:
    """One vector per text, in their order, and the tokens that were paid."""

    rows: Sequence[Sequence[float]]
    tokens: int | None = None


class Embeddings:
    """`/embeddings` of region cn."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create(self, request: EmbeddingRequest) -> Vectors:
        """The vectors of one request. Raises what `Caller.send` raises, and ServiceError where one is missing."""
        reply = self._caller.send(Call(Service.EMBEDDINGS, "POST", "/embeddings", body=json_body(request.to_json())))
        return vectors_from_json(json_object(reply), len(request.input), reply.request_id)


def vectors_from_json(body: Mapping[str, Any], count: int, request_id: str | None = None) -> Vectors:
    """Read a reply whose items may stand in any order. Raises ServiceError unless there is one for each text."""
    found: dict[int, Sequence[float]] = {}
    for place, item in enumerate(mappings(body, "data")):
        index = whole(item, "index")
        found[place if index is None else index] = _numbers(item.get("embedding"))
    rows = [found.get(index, ()) for index in range(count)]
    if not all(rows) or len(found) != count:
        raise ServiceError(f"the service sent {len(found)} vectors for {count} texts", request_id=request_id)
    if len({len(row) for row in rows}) > 1:
        raise ServiceError("the service sent vectors of different lengths", request_id=request_id)
    return Vectors(rows, whole(mapping(body, "usage"), "total_tokens"))


def _numbers(value: object) -> Sequence[float]:
    """The numbers of a list; none for anything else."""
    is_vector = isinstance(value, list) and all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in value
    )
    return value if is_vector else ()  # type: ignore[return-value]  # every item was looked at

"""Whether a text may be shown: `POST /moderations` (BigModel).

Fields and levels: OpenAPI of docs.bigmodel.cn (`api/files-and-batch.md` section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Service
from glmcli.api.fields import mappings, text
from glmcli.api.resources.async_results import json_object
from glmcli.errors import ServiceError

DEFAULT_MODEL = "moderation"
#: The longest text of one request.
MAX_CHARACTERS = 2000
PASS, REVIEW, REJECT = "PASS", "REVIEW", "REJECT"
#: From harmless to grave; a word that is not here counts as the gravest.
LEVELS = (PASS, REVIEW, REJECT)


def gravity(level: str) -> int:
    """A number that grows with the risk."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


@dataclass(frozen=True, slots=True)
class ModerationRequest:
    """A text to judge. `extra` fields replace those of the same name."""

    input: str
    model: str = DEFAULT_MODEL
    extra: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The request body."""
        return {"model": self.model, "input": self.input, **self.extra}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The level of risk, in the service's word, and its kinds."""

    level: str
    types: tuple[str, ...] = ()


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict on all parts: the highest level, and every kind that was found."""
    found = list(verdicts)
    level = max((verdict.level for verdict in found), key=gravity)
    return Verdict(level, tuple(dict.fromkeys(name for verdict in found for name in verdict.types)))


class Moderations:
    """`/moderations` of region cn."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def judge(self, request: ModerationRequest) -> Verdict:
        """The verdict on one text. Raises what `Caller.send` raises, and ServiceError for an answer without one."""
        reply = self._caller.send(Call(Service.EMBEDDINGS, "POST", "/moderations", body=json_body(request.to_json())))
        return verdict_from_json(json_object(reply), reply.request_id)


def verdict_from_json(body: Mapping[str, Any], request_id: str | None = None) -> Verdict:
    """Read a reply. Raises ServiceError when it holds no level."""
    found = []
    for item in mappings(body, "result_list"):
        level, types = text(item, "risk_level"), item.get("risk_type")
        if level:
            names = types if isinstance(types, list) else [types]
            found.append(Verdict(level.upper(), tuple(name for name in names if isinstance(name, str) and name)))
    if not found:
        # No news is not good news: a text must not pass because an answer was empty.
        raise ServiceError("the service sent no verdict", request_id=request_id)
    return gravest(found)

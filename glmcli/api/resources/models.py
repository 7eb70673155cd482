"""`GET /models`: the models that an endpoint lists.

Undocumented, and neither complete nor true to what a plan includes
(`api/models.md` section 5): vision, free and media models are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glmcli.api.calls import Call, Caller
from glmcli.api.endpoints import Service
from glmcli.api.fields import text, whole
from glmcli.errors import ServiceError


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One line of the list. `created` is epoch seconds."""

    id: str
    created: int | None = None
    owned_by: str | None = None

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> ListedModel:
        """A model from its object; the id is empty when there is none."""
        return cls(text(body, "id") or "", whole(body, "created"), text(body, "owned_by"))


class Models:
    """`GET /models` of any provider; free of charge, and refused for a bad key."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self) -> list[ListedModel]:
        """The models in the order of the service.

        Raises what `Caller.send` raises, and ServiceError for a reply that is no list.
        """
        return models_from_json(self._caller.send(Call(Service.MODELS, "GET", "/models")).json())


def models_from_json(body: object) -> list[ListedModel]:
    """The models of a reply; entries without an id are left out.

    Raises ServiceError when the reply has no list under `data`; what it says instead is told.
    """
    from glmcli.api.faults import error_in_body

    error = error_in_body(body, status=200)
    if error is not None:
        raise error
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        from glmcli.api.faults import error_in_body

        raise error_in_body(body) or ServiceError(
            "the list of models has no list under data",
            hint="check the base URL: glm doctor",
            http_status=200,
            is_foreign=True,
        )
    models = [ListedModel.from_json(item) for item in data if isinstance(item, dict)]
    return [model for model in models if model.id]

"""`GET /models`: the ten text models that the service lists, for any good key.

The route is undocumented; recordings of July and August 2026 show its shape,
and that vision, free and media models are missing from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glmcli.sandbox.app import Payer, Route
from glmcli.sandbox.exchange import PAAS, Base, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox

# id, created (epoch seconds)
_LISTED = (
    ("glm-4.5", 1753632000),
    ("glm-4.5-air", 1753632000),
    ("glm-4.6", 1759190400),
    ("glm-4.7", 1766361600),
    ("glm-5", 1770768000),
    ("glm-5-turbo", 1773532800),
    ("glm-5.1", 1775606400),
    ("glm-5.2", 1781625600),
    ("glm-5.3", 1786492800),
    ("glm-5.3-flash", 1786492800),
)


def routes() -> list[Route]:
    """What this module answers."""
    return [
        Route("GET", PAAS, "/models", list_models, Payer.NOBODY),
        # The Anthropic base lists models even without a key.
        Route("GET", (Base.ANTHROPIC,), "/v1/models", list_for_anthropic, Payer.ANYONE),
    ]


def list_models(sandbox: Sandbox, request: Request) -> Response:
    """The list in the OpenAI shape."""
    data = [{"id": id, "object": "model", "created": created, "owned_by": "z-ai"} for id, created in _LISTED]
    return Response.json({"object": "list", "data": data})


def list_for_anthropic(sandbox: Sandbox, request: Request) -> Response:
    """The list in the Anthropic shape."""
    from time import gmtime, strftime

    data = [
        {
            "id": id,
            "type": "model",
            "display_name": id.upper(),
            "created_at": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(created)),
        }
        for id, created in _LISTED
    ]
    return Response.json({"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]})

"""What only one region offers: a refusal that names the way, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS, Region
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.context import AppContext

#: Providers that answer for both regions, or for none of the vendor's.
_ANYWHERE = ("sandbox", "custom")


def is_anywhere(app: AppContext) -> bool:
    """Whether what answers belongs to no region."""
    return app.target.provider.name in _ANYWHERE


def require_china(app: AppContext, what: str, *, experimental: bool) -> None:
    """Refuse what Z.AI does not document, unless the user wants to try. Raises UsageError."""
    provider = app.target.provider
    if provider.region is Region.CN or is_anywhere(app):
        return
    if experimental:
        app.streams.note(f"glm: {what} is documented for Zhipu (BigModel) alone; {provider.name} may refuse it")
        return
    names = " or ".join(each.name for each in PROVIDERS.values() if each.region is Region.CN)
    raise UsageError(
        f"{what} is documented for Zhipu (BigModel) alone, and {provider.name} is Z.AI",
        hint=f"use --provider {names}; --experimental tries it at Z.AI all the same",
    )

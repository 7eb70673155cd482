"""What was seen of a key: findings per endpoint, and the plan behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from glmcli import codes
from glmcli.api.endpoints import PROVIDERS, Region
from glmcli.errors import GlmError, ServiceError


class Outcome(StrEnum):
    """How a question to the service ended."""

    NOT_ASKED = "not_asked"
    OK = "ok"
    REFUSED = "refused"
    NETWORK = "network"
    PAGE = "page"  # something that is not the service answered: a proxy, a portal


@dataclass(frozen=True, slots=True)
class Finding:
    """What one question brought.

    `code` is the business code, or the HTTP status where there was none;
    `detail` the words of a failure; `reset_at` epoch seconds; `model` the one
    that a completion was asked of.
    """

    outcome: Outcome = Outcome.NOT_ASKED
    code: str | None = None
    detail: str | None = None
    reset_at: float | None = None
    model: str | None = None

    @classmethod
    def of_error(cls, error: GlmError, *, model: str | None = None) -> Finding:
        """The finding that a failure is."""
        if not isinstance(error, ServiceError):
            return cls(Outcome.NETWORK, detail=error.message, model=model)
        if error.is_foreign:
            return cls(Outcome.PAGE, detail=error.message, model=model)
        status = str(error.http_status) if error.http_status else None
        return cls(Outcome.REFUSED, error.code or status, error.message, error.reset_at, model)

    @property
    def kind(self) -> str:
        """The class of its code (`codes.AUTH`, ...); empty when it has none."""
        entry = codes.find(self.code) if self.outcome is Outcome.REFUSED and self.code else None
        return entry.kind if entry else ""


class PlanState(StrEnum):
    """What the quota endpoint of a region says."""

    UNKNOWN = "unknown"  # not asked, missing, or failed
    ACTIVE = "active"
    NONE = "none"
    REFUSED = "refused"  # the key


@dataclass(frozen=True, slots=True)
class PlanFinding:
    """The plan behind a key.

    `used_up` says that a window is full, until `reset_at` (epoch seconds); `trouble` is a fault
    because of which nothing is known.
    """

    state: PlanState = PlanState.UNKNOWN
    level: str | None = None
    used_up: bool = False
    reset_at: float | None = None
    detail: str | None = None
    trouble: Finding = Finding()


@dataclass(frozen=True, slots=True)
class ProviderEvidence:
    """What was seen at one endpoint."""

    models: Finding = Finding()
    completion: Finding = Finding()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was seen. A provider or region that is missing was not asked."""

    providers: Mapping[str, ProviderEvidence] = field(default_factory=dict)
    plans: Mapping[Region, PlanFinding] = field(default_factory=dict)

    def of(self, provider: str) -> ProviderEvidence:
        """What was seen at a provider."""
        return self.providers.get(provider, ProviderEvidence())

    def plan_of(self, provider: str) -> PlanFinding:
        """What the quota endpoint of a provider's region said."""
        return self.plans.get(PROVIDERS[provider].region, PlanFinding())

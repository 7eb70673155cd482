"""Which provider a key is for: one, a question, or a reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Plan, Provider, Region
from glmcli.catalogue import text
from glmcli.diagnosis.evidence import Evidence, Outcome
from glmcli.diagnosis.verdicts import OPEN, PROVEN, SILENT, Verdict, judge, other_region


class Reason(StrEnum):
    """Why there is no provider to use, or why the user must say which. The words are an interface."""

    BOTH_WORK = "both_work"
    PLAN_UNCERTAIN = "plan_uncertain"  # the balance works; whether a plan would pay is not known
    NOTHING_TRIED = "nothing_tried"  # the key is accepted, and free calls could not tell who pays
    BUSY = "busy"
    NO_MONEY = "no_money"
    KEY_REFUSED = "key_refused"
    RESTRICTED = "restricted"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Decision:
    """The provider to use; or, with `candidates`, a question; or neither, for `reason`.

    `model` is the one that answered, where another than the default did.
    """

    provider: str | None = None
    candidates: tuple[str, ...] = ()
    reason: Reason | None = None
    model: str | None = None


def choose(evidence: Evidence, default_region: Region = Region.INTL) -> Decision:
    """The provider that a key is for.

    The plan is preferred over nothing known about the balance, never the other
    way round: what is metered is not picked silently. A key is accepted by
    both companies' hosts at times, so the region where something is proven
    wins, and the default region among equals.
    """
    regions = (default_region, other_region(default_region))
    for region in regions:
        decision = _choose_proven(region, evidence)
        if decision is not None:
            return decision
    for region in regions:
        decision = _choose_open(region, evidence)
        if decision is not None:
            return decision
    return Decision(reason=_reason(evidence))


def _pair(region: Region) -> tuple[Provider, Provider]:
    """The plan's and the metered provider of a region."""
    here = [PROVIDERS[name] for name in VENDOR_PROVIDERS if PROVIDERS[name].region is region]
    return (
        next(each for each in here if each.plan is Plan.CODING),
        next(each for each in here if each.plan is Plan.PAYG),
    )


def _choose_proven(region: Region, evidence: Evidence) -> Decision | None:
    coding, metered = (each.name for each in _pair(region))
    plan, balance = judge(coding, evidence), judge(metered, evidence)
    pays = balance is Verdict.WORKS
    if pays and plan in PROVEN:
        return Decision(candidates=(coding, metered), reason=Reason.BOTH_WORK)
    if pays and plan in OPEN | SILENT:
        return Decision(candidates=(coding, metered), reason=Reason.PLAN_UNCERTAIN)
    if plan in PROVEN:
        return Decision(coding, model=model_of(coding, evidence))
    return Decision(metered, model=model_of(metered, evidence)) if pays else None


def _choose_open(region: Region, evidence: Evidence) -> Decision | None:
    """The choice where the key is good and nothing is proven to pay."""
    coding, metered = (each.name for each in _pair(region))
    plan, balance = judge(coding, evidence), judge(metered, evidence)
    if balance is Verdict.MODEL_NOT_INCLUDED:
        balance = Verdict.ACCEPTED  # an unknown model says nothing of money
    no_plan = plan in (Verdict.NO_PLAN, Verdict.PLAN_EXPIRED, Verdict.PAYG_KEY_ON_CODING)
    if balance in OPEN and no_plan:
        return Decision(metered)  # nothing else is left that could pay
    if plan in OPEN and balance in (Verdict.NO_BALANCE, Verdict.PLAN_KEY_ON_GENERAL):
        return Decision(coding)
    if Verdict.BUSY in (plan, balance) and (plan in OPEN or balance in OPEN):
        return Decision(candidates=(coding, metered), reason=Reason.BUSY)
    if plan in OPEN or balance in OPEN:
        return Decision(candidates=(coding, metered), reason=Reason.NOTHING_TRIED)
    return None


def model_of(provider: str, evidence: Evidence) -> str | None:
    """The model that answered there, if it is not the default; else None."""
    completion = evidence.of(provider).completion
    is_other = completion.model != PROVIDERS[provider].default_model
    return completion.model if completion.outcome is Outcome.OK and is_other else None


_REASONS = (
    (Reason.RESTRICTED, {Verdict.RESTRICTED, Verdict.ENTERPRISE_ONLY}),
    (Reason.NO_MONEY, {Verdict.NO_BALANCE, Verdict.NO_PLAN, Verdict.PLAN_EXPIRED, Verdict.PLAN_KEY_ON_GENERAL}),
    (Reason.KEY_REFUSED, {Verdict.KEY_REFUSED}),
)


def _reason(evidence: Evidence) -> Reason:
    verdicts = {judge(provider, evidence) for provider in evidence.providers}
    for reason, telling in _REASONS:
        if verdicts & telling:
            return reason
    return Reason.UNREACHABLE


def told(decision: Decision, language: str = "en") -> str:
    """A decision in one sentence."""
    if decision.provider is not None:
        return text("decision.use", language, provider=decision.provider)
    return text(f"reason.{decision.reason}", language)

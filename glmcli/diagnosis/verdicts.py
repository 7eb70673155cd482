"""How a provider stands for a key, judged from evidence."""

from __future__ import annotations

from enum import StrEnum

from glmcli import codes
from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Plan, Region
from glmcli.diagnosis.evidence import Evidence, Finding, Outcome, PlanState


class Verdict(StrEnum):
    """How a provider stands for the key. The words are an interface."""

    WORKS = "works"
    PLAN_ACTIVE = "plan_active"
    WINDOW_USED_UP = "window_used_up"
    MODEL_NOT_INCLUDED = "model_not_included"
    BUSY = "busy"
    ACCEPTED = "accepted"
    ACCEPTED_BESIDE_PLAN = "accepted_beside_plan"
    PLAN_KEY_ON_GENERAL = "plan_key_on_general"
    NO_BALANCE = "no_balance"
    PAYG_KEY_ON_CODING = "payg_key_on_coding"
    NO_PLAN = "no_plan"
    PLAN_EXPIRED = "plan_expired"
    ENTERPRISE_ONLY = "enterprise_only"
    RESTRICTED = "restricted"
    OTHER_REGION = "other_region"
    KEY_REFUSED = "key_refused"
    UNREACHABLE = "unreachable"
    NOT_THE_SERVICE = "not_the_service"
    FAILED = "failed"
    NOT_ASKED = "not_asked"


#: Proven: a request was answered, or the vendor says that a plan pays.
PROVEN = frozenset({Verdict.WORKS, Verdict.PLAN_ACTIVE, Verdict.WINDOW_USED_UP, Verdict.MODEL_NOT_INCLUDED})
#: The key is good, and who pays is not known.
OPEN = frozenset({Verdict.ACCEPTED, Verdict.ACCEPTED_BESIDE_PLAN, Verdict.BUSY})
#: Nothing came of the question: the key may be good or bad.
SILENT = frozenset({Verdict.UNREACHABLE, Verdict.NOT_THE_SERVICE, Verdict.FAILED, Verdict.NOT_ASKED})

_BY_CODE = {
    "1005": Verdict.RESTRICTED,
    "1309": Verdict.PLAN_EXPIRED,
    "1313": Verdict.RESTRICTED,
    "1314": Verdict.PLAN_EXPIRED,
    "1315": Verdict.ENTERPRISE_ONLY,
}
_BY_KIND = {
    codes.AUTH: Verdict.KEY_REFUSED,
    codes.MODEL: Verdict.MODEL_NOT_INCLUDED,
    codes.PERMISSION: Verdict.RESTRICTED,
    codes.PLAN_WINDOW: Verdict.WINDOW_USED_UP,
    codes.RATE: Verdict.BUSY,
}


def judge(provider: str, evidence: Evidence) -> Verdict:
    """How a provider stands. A completion says more than the quota, and the quota more than the list of models."""
    seen = evidence.of(provider)
    refused = _of_refusal(provider, seen.models, evidence)
    if refused is Verdict.KEY_REFUSED:
        return Verdict.OTHER_REGION if home_elsewhere(provider, evidence) else refused
    if seen.completion.outcome is not Outcome.NOT_ASKED:
        return _of_finding(provider, seen.completion, evidence)
    if seen.models.outcome is Outcome.NOT_ASKED:
        return Verdict.NOT_ASKED
    if seen.models.outcome in (Outcome.NETWORK, Outcome.PAGE) or refused in (Verdict.BUSY, Verdict.RESTRICTED):
        return _of_finding(provider, seen.models, evidence)
    accepted = seen.models.outcome is Outcome.OK
    return _of_plan(provider, evidence, otherwise=None if accepted else refused or Verdict.FAILED)


def _of_finding(provider: str, finding: Finding, evidence: Evidence) -> Verdict:
    by_outcome = {
        Outcome.OK: Verdict.WORKS,
        Outcome.NETWORK: Verdict.UNREACHABLE,
        Outcome.PAGE: Verdict.NOT_THE_SERVICE,
    }
    return by_outcome.get(finding.outcome) or _of_refusal(provider, finding, evidence) or Verdict.FAILED


def _of_refusal(provider: str, finding: Finding, evidence: Evidence) -> Verdict | None:
    """The verdict of a code; None for a finding without a telling one."""
    if finding.kind == codes.BALANCE:
        return _of_missing_money(provider, evidence)
    return _BY_CODE.get(finding.code or "") or _BY_KIND.get(finding.kind)


def _of_missing_money(provider: str, evidence: Evidence) -> Verdict:
    """1113 means four things; the other endpoint of the region tells them apart."""
    sibling = sibling_of(provider)
    if PROVIDERS[provider].plan is Plan.PAYG:
        return Verdict.PLAN_KEY_ON_GENERAL if has_plan(sibling, evidence) else Verdict.NO_BALANCE
    if evidence.plan_of(provider).state is PlanState.ACTIVE:
        return Verdict.MODEL_NOT_INCLUDED
    works = evidence.of(sibling).completion.outcome is Outcome.OK
    return Verdict.PAYG_KEY_ON_CODING if works else Verdict.NO_PLAN


def has_plan(coding: str, evidence: Evidence) -> bool:
    """Whether a Coding Plan was seen behind the key, at the coding provider of a region."""
    completion = evidence.of(coding).completion
    return (
        evidence.plan_of(coding).state is PlanState.ACTIVE
        or completion.outcome is Outcome.OK
        or completion.kind == codes.PLAN_WINDOW
    )


def _of_plan(provider: str, evidence: Evidence, *, otherwise: Verdict | None) -> Verdict:
    """The verdict where no completion was tried; `otherwise` that of a key that is not accepted."""
    plan = evidence.plan_of(provider)
    if PROVIDERS[provider].plan is Plan.CODING:
        if plan.state is PlanState.ACTIVE:
            return Verdict.WINDOW_USED_UP if plan.used_up else Verdict.PLAN_ACTIVE
        if plan.state is PlanState.NONE:
            works = evidence.of(sibling_of(provider)).completion.outcome is Outcome.OK
            return Verdict.PAYG_KEY_ON_CODING if works else Verdict.NO_PLAN
    if otherwise is not None:
        return otherwise
    if PROVIDERS[provider].plan is Plan.PAYG and plan.state is PlanState.ACTIVE:
        return Verdict.ACCEPTED_BESIDE_PLAN
    return Verdict.ACCEPTED


def sibling_of(provider: str) -> str:
    """The other plan in the same region."""
    own = PROVIDERS[provider]
    return next(
        name
        for name in VENDOR_PROVIDERS
        if PROVIDERS[name].region is own.region and PROVIDERS[name].plan is not own.plan
    )


def other_region(region: Region) -> Region:
    """The region of the other company."""
    return Region.CN if region is Region.INTL else Region.INTL


def home_elsewhere(provider: str, evidence: Evidence) -> str | None:
    """The provider of the other region that accepts the key, the same plan first; the plan's own where one is seen."""
    own = PROVIDERS[provider]
    there = [name for name in VENDOR_PROVIDERS if PROVIDERS[name].region is not own.region]
    accepting = [name for name in there if evidence.of(name).models.outcome is Outcome.OK]
    best = [name for name in accepting if judge(name, evidence) in PROVEN]
    same = [name for name in accepting if PROVIDERS[name].plan is own.plan]
    return next(iter([*best, *same, *accepting]), None)

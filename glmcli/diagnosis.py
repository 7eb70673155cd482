"""What a key can use, decided from evidence; pure, so that a table can test it.

Evidence is gathered by `probing`: per provider the outcome of the free
`GET /models` and of a tiny completion, per region what the quota endpoint says.
`diagnose` turns it into one row per provider - verdict, meaning, the command
that mends it - and `choose` into the provider to use, a question, or a reason
why there is none.

A verdict is a word of the JSON interface and does not change; what it means is
told by the catalogue, in English or Chinese.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from glmcli import codes
from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Plan, Provider, Region
from glmcli.api.moments import local_time
from glmcli.catalogue import text
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
    """The plan behind a key. `used_up` says that a window is full, until `reset_at` (epoch seconds)."""

    state: PlanState = PlanState.UNKNOWN
    level: str | None = None
    used_up: bool = False
    reset_at: float | None = None
    detail: str | None = None


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
        return Verdict.OTHER_REGION if _home_elsewhere(provider, evidence) else refused
    if seen.completion.outcome is not Outcome.NOT_ASKED:
        return _of_finding(provider, seen.completion, evidence)
    if seen.models.outcome is Outcome.NOT_ASKED:
        return Verdict.NOT_ASKED
    if seen.models.outcome in (Outcome.NETWORK, Outcome.PAGE) or refused in (Verdict.BUSY, Verdict.RESTRICTED):
        return _of_finding(provider, seen.models, evidence)
    return _of_plan(provider, evidence, accepted=seen.models.outcome is Outcome.OK)


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
        return Verdict.PLAN_KEY_ON_GENERAL if _has_plan(sibling, evidence) else Verdict.NO_BALANCE
    if evidence.plan_of(provider).state is PlanState.ACTIVE:
        return Verdict.MODEL_NOT_INCLUDED
    works = evidence.of(sibling).completion.outcome is Outcome.OK
    return Verdict.PAYG_KEY_ON_CODING if works else Verdict.NO_PLAN


def _has_plan(coding: str, evidence: Evidence) -> bool:
    completion = evidence.of(coding).completion
    return (
        evidence.plan_of(coding).state is PlanState.ACTIVE
        or completion.outcome is Outcome.OK
        or completion.kind == codes.PLAN_WINDOW
    )


def _of_plan(provider: str, evidence: Evidence, *, accepted: bool) -> Verdict:
    """The verdict where no completion was tried."""
    plan = evidence.plan_of(provider)
    if PROVIDERS[provider].plan is Plan.CODING:
        if plan.state is PlanState.ACTIVE:
            return Verdict.WINDOW_USED_UP if plan.used_up else Verdict.PLAN_ACTIVE
        if plan.state is PlanState.NONE:
            works = evidence.of(sibling_of(provider)).completion.outcome is Outcome.OK
            return Verdict.PAYG_KEY_ON_CODING if works else Verdict.NO_PLAN
    if not accepted:
        return Verdict.FAILED
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


def _home_elsewhere(provider: str, evidence: Evidence) -> str | None:
    """The provider of the other region that accepts the key, the same plan first; the plan's own where one is seen."""
    own = PROVIDERS[provider]
    there = [name for name in VENDOR_PROVIDERS if PROVIDERS[name].region is not own.region]
    accepting = [name for name in there if evidence.of(name).models.outcome is Outcome.OK]
    best = [name for name in accepting if judge(name, evidence) in PROVEN]
    same = [name for name in accepting if PROVIDERS[name].plan is own.plan]
    return next(iter([*best, *same, *accepting]), None)


# -- rows ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subject:
    """What the diagnosis is about: a stored profile, and the provider that is in use now.

    `onboarding` is a key that is not stored yet: commands then set it up.
    `variable` is the variable that holds the key, if one does.
    """

    profile: str | None = None
    provider: str | None = None
    onboarding: bool = False
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One provider of the matrix. `title` is the verdict in words of the language."""

    provider: str
    verdict: Verdict
    title: str
    meaning: str
    command: str

    def to_json(self) -> dict[str, object]:
        """The row of `glm doctor --json`."""
        return {
            "provider": self.provider,
            "verdict": self.verdict.value,
            "meaning": self.meaning,
            "command": self.command,
        }


def diagnose(
    evidence: Evidence,
    *,
    language: str = "en",
    subject: Subject | None = None,
    providers: Iterable[str] = VENDOR_PROVIDERS,
) -> list[Row]:
    """A row per provider, in the order in which they are shown."""
    subject = subject or Subject()
    return [_row(provider, evidence, language, subject) for provider in providers]


def _row(provider: str, evidence: Evidence, language: str, subject: Subject) -> Row:
    verdict = judge(provider, evidence)
    values = _values(provider, verdict, evidence, language)
    return Row(
        provider,
        verdict,
        title=text(f"verdict.{verdict}", language),
        meaning=text(f"meaning.{verdict}", language, **values),
        command=_command(provider, verdict, evidence, subject),
    )


#: Pages of the vendor, by region (`api/auth-and-endpoints.md` section 1, `api/quota.md` section 5).
_KEYS_PAGE = {
    Region.INTL: "https://z.ai/manage-apikey/apikey-list",
    Region.CN: "https://bigmodel.cn/usercenter/proj-mgmt/apikeys",
}
BILLING_PAGE = {Region.INTL: "https://z.ai/manage-apikey/billing", Region.CN: "https://bigmodel.cn"}
_PLAN_PAGE = {Region.INTL: "https://docs.z.ai/devpack/overview", Region.CN: "https://bigmodel.cn"}
POLICY_PAGE = "https://docs.z.ai/devpack/usage-policy"


def _values(provider: str, verdict: Verdict, evidence: Evidence, language: str) -> dict[str, object]:
    """What the texts about a provider may mention."""
    own, seen, plan = PROVIDERS[provider], evidence.of(provider), evidence.plan_of(provider)
    finding = seen.models if seen.completion.outcome is Outcome.NOT_ASKED else seen.completion
    reset_at = finding.reset_at or plan.reset_at
    reset = text("diagnosis.reset", language, time=local_time(reset_at)) if reset_at else ""
    elsewhere = _home_elsewhere(provider, evidence) if verdict is Verdict.OTHER_REGION else None
    return {
        "site": text(f"site.{own.region}", language),
        "other_site": text(f"site.{_other(own.region)}", language),
        "sibling": sibling_of(provider),
        "elsewhere": elsewhere or "",
        "model": finding.model or own.default_model or "",
        "code": text("diagnosis.code", language, code=finding.code) if finding.code else "",
        "detail": (finding.detail or plan.detail or "?").rstrip(".。"),
        "level": plan.level or "?",
        "reset": reset,
        "keys_page": _KEYS_PAGE[own.region],
        "billing_page": BILLING_PAGE[own.region],
        "plan_page": _PLAN_PAGE[own.region],
    }


def keys_page(region: Region) -> str:
    """Where keys of a region are made."""
    return _KEYS_PAGE[region]


def _other(region: Region) -> Region:
    return Region.CN if region is Region.INTL else Region.INTL


# -- commands --------------------------------------------------------------------


#: What the other plan of the region may mend, if that one is usable.
_MENDED_BY_SIBLING = frozenset(
    {
        Verdict.PLAN_KEY_ON_GENERAL,
        Verdict.ACCEPTED_BESIDE_PLAN,
        Verdict.PAYG_KEY_ON_CODING,
        Verdict.NO_PLAN,
        Verdict.PLAN_EXPIRED,
    }
)


def _command(provider: str, verdict: Verdict, evidence: Evidence, subject: Subject) -> str:
    """What to type: it mends the situation, or goes on where nothing needs mending."""
    sibling = sibling_of(provider)
    if verdict in (Verdict.WORKS, Verdict.PLAN_ACTIVE):
        return _use(provider, subject)
    if verdict in _MENDED_BY_SIBLING:
        return _use(sibling, subject) if _may_pay(sibling, evidence) else _again(provider, subject)
    if verdict is Verdict.OTHER_REGION:
        return _use(_home_elsewhere(provider, evidence) or provider, subject)
    if verdict is Verdict.MODEL_NOT_INCLUDED:
        return f"glm models {_selection(provider, subject)}"
    if verdict is Verdict.WINDOW_USED_UP:
        return f"glm usage {_selection(provider, subject)}"
    if verdict is Verdict.RESTRICTED:
        return f"glm explain {_code(provider, evidence)}"
    if verdict is Verdict.KEY_REFUSED and subject.onboarding:
        return _ask_everywhere(subject)
    if verdict in (Verdict.KEY_REFUSED, Verdict.ENTERPRISE_ONLY):
        return f"glm profile login {subject.profile}" if subject.profile else "glm onboard"
    if verdict is Verdict.NOT_ASKED:
        return _ask_everywhere(subject)
    if verdict in (Verdict.UNREACHABLE, Verdict.NOT_THE_SERVICE):
        return f"glm doctor {_selection(provider, subject)} -v"
    return _again(provider, subject)


def _may_pay(provider: str, evidence: Evidence) -> bool:
    """Whether the key has a chance there, as far as was seen."""
    if judge(provider, evidence) in PROVEN | OPEN:
        return True
    is_metered = PROVIDERS[provider].plan is Plan.PAYG
    not_tried = evidence.of(provider).completion.outcome is Outcome.NOT_ASKED
    return not_tried if is_metered else _has_plan(provider, evidence)


def _use(provider: str, subject: Subject) -> str:
    """A command that asks this provider: at once, or after the profile was moved to it."""
    if subject.profile and provider != subject.provider:
        return f"glm profile set {subject.profile} provider={provider}"
    if subject.onboarding:
        return f"glm onboard --auth-choice {provider}-api-key"
    return f'glm chat {_selection(provider, subject)} "hello"'


def _ask_everywhere(subject: Subject) -> str:
    return "glm onboard --auth-choice auto --region any" if subject.onboarding else "glm doctor --all-regions"


def _again(provider: str, subject: Subject) -> str:
    if subject.onboarding:
        return f"glm onboard --auth-choice {provider}-api-key --probe"
    return f"glm doctor {_selection(provider, subject)} --probe"


def _selection(provider: str, subject: Subject) -> str:
    if subject.profile and provider == subject.provider:
        return f"--profile {subject.profile}"
    own = PROVIDERS[provider]
    if subject.variable and subject.variable not in (own.own_variable, *own.fallback_variables):
        return f"--provider {provider} --key-env {subject.variable}"
    return f"--provider {provider}"


def _code(provider: str, evidence: Evidence) -> str:
    seen = evidence.of(provider)
    return seen.completion.code or seen.models.code or "1220"


# -- the choice ------------------------------------------------------------------


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
    regions = (default_region, _other(default_region))
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


def as_text(rows: Iterable[Row], language: str = "en") -> str:
    """The matrix for people: per provider the verdict, what it means, and what to type."""
    lines: list[str] = []
    for row in rows:
        lines.append(f"{row.provider:<14}{row.title}")
        lines.append(f"  {row.meaning}")
        lines.append(f"  {text('diagnosis.command', language)} {row.command}")
    return "\n".join(lines)

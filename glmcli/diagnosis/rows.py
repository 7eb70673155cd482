"""What a verdict means, and the command that mends it: one row per provider."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Plan, Region
from glmcli.api.moments import local_time
from glmcli.catalogue import text
from glmcli.diagnosis.evidence import Evidence, Outcome
from glmcli.diagnosis.verdicts import OPEN, PROVEN, Verdict, has_plan, home_elsewhere, judge, other_region, sibling_of


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
    elsewhere = home_elsewhere(provider, evidence) if verdict is Verdict.OTHER_REGION else None
    return {
        "site": text(f"site.{own.region}", language),
        "other_site": text(f"site.{other_region(own.region)}", language),
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
        return _use(home_elsewhere(provider, evidence) or provider, subject)
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
    return not_tried if is_metered else has_plan(provider, evidence)


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


def as_text(rows: Iterable[Row], language: str = "en") -> str:
    """The matrix for people: per provider the verdict, what it means, and what to type."""
    lines: list[str] = []
    for row in rows:
        lines.append(f"{row.provider:<14}{row.title}")
        lines.append(f"  {row.meaning}")
        lines.append(f"  {text('diagnosis.command', language)} {row.command}")
    return "\n".join(lines)

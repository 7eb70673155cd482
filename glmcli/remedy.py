"""The way out of a refusal, told at the end of the command that met it.

1113 means four things, and the vendor's message tells none of them apart. The
failure itself is evidence; a free question or two to the provider's own region
make it a diagnosis, by the same rules as `glm doctor`. Bounded by seconds, and
silent when it finds nothing: an explanation must not fail, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from glmcli import codes
from glmcli.api.calls import Call, JsonBody
from glmcli.api.endpoints import BILLS_BALANCE, PROVIDERS, VENDOR_PROVIDERS, Plan, Provider, Service
from glmcli.catalogue import text
from glmcli.context import AppContext
from glmcli.diagnosis import (
    BILLING_PAGE,
    OPEN,
    PROVEN,
    Evidence,
    Finding,
    Outcome,
    PlanFinding,
    PlanState,
    ProviderEvidence,
    Row,
    Subject,
    Verdict,
    diagnose,
    judge,
    sibling_of,
)
from glmcli.errors import GlmError, ServiceError
from glmcli.probing import Prober

TIMEOUT_SECONDS = 2.5
_CODES = frozenset({"1113", "1309", "1311"})


@dataclass(frozen=True, slots=True)
class Remedy:
    """What stands behind a failure. `second_try` is the provider with which the same command may work."""

    lines: tuple[str, ...]
    row: Row
    second_try: Provider | None = None


def concerns(error: GlmError) -> bool:
    """Whether a failure is of the kind that a diagnosis explains."""
    return isinstance(error, ServiceError) and (error.code in _CODES or error.kind == codes.AUTH)


def diagnose_failure(app: AppContext, error: ServiceError) -> Remedy | None:
    """The way out of a refusal that the vendor's own service gave; None where there is nothing to say.

    Puts what it finds into the error's hint and diagnosis.
    """
    if not concerns(error) or not _is_ours(app):
        return None
    try:
        remedy = _remedy(app, error)
    except GlmError:
        return None
    error.hint = "\n".join(remedy.lines)
    error.diagnosis = remedy.row.to_json()
    return remedy


def _is_ours(app: AppContext) -> bool:
    """Whether this invocation asked a provider of the vendor, with a key that is known."""
    if not app.has_called or app.options.dry_run:
        return False
    return app.target.provider.name in VENDOR_PROVIDERS and app.target.base_url is None


def _remedy(app: AppContext, error: ServiceError) -> Remedy:
    provider, call = app.settings.provider.value, app.last_call  # which the questions below replace
    finding = Finding.of_error(error, model=_model(app, call))
    evidence = _evidence(app, finding, call)
    [row] = diagnose(evidence, language=app.language, subject=_subject(app), providers=[provider.name])
    if finding.code == "1113" and call is not None and _never_by_plan(call, provider, evidence):
        return _without_balance(app, row, call)
    lines = [row.meaning, row.command]
    if finding.kind == codes.AUTH:
        lines.insert(0, text("remedy.key_from", app.language, source=app.key().source))
    return Remedy(tuple(lines), row, _second_try(row, evidence))


def _evidence(app: AppContext, finding: Finding, call: Call | None) -> Evidence:
    """What the failure shows, and what free questions add; asked once in an invocation."""
    provider = app.settings.provider.value
    if finding.kind == codes.AUTH:
        return Evidence({provider.name: ProviderEvidence(models=finding)})
    key = (finding.code, finding.model, call.service.value if call is not None else None)
    if key not in app.diagnosed:
        prober = Prober(app, app.key(), auth=app.settings.auth.value, timeout_seconds=TIMEOUT_SECONDS)
        app.diagnosed[key] = _seen(prober, provider, finding)
    return app.diagnosed[key]


def _seen(prober: Prober, provider: Provider, finding: Finding) -> Evidence:
    """The failure, and what free questions to the same region add to it."""
    own = ProviderEvidence(models=Finding(Outcome.OK), completion=finding)
    plan = prober.quota(provider.name) if finding.code == "1113" else PlanFinding()
    evidence = Evidence({provider.name: own}, {provider.region: plan})
    if provider.plan is Plan.PAYG or plan.state is PlanState.ACTIVE or finding.code == "1311":
        return evidence
    sibling = sibling_of(provider.name)
    return Evidence({**evidence.providers, sibling: ProviderEvidence(models=prober.models(sibling))}, evidence.plans)


def _model(app: AppContext, call: Call | None) -> str | None:
    """The model that was asked for."""
    body = call.body if call is not None else None
    model = body.value.get("model") if isinstance(body, JsonBody) else None
    return str(model) if model else app.settings.model.value


def _subject(app: AppContext) -> Subject:
    """The profile, if a change of it would mend the next call."""
    settings = app.settings
    name = settings.profile.value
    decides = name is not None and settings.provider.source == f"profile {name}"
    return Subject(name if decides else None, settings.provider.value.name, variable=app.key().variable)


# -- calls that no plan pays -----------------------------------------------------


def _never_by_plan(call: Call, provider: Provider, evidence: Evidence) -> bool:
    """Whether the account has a plan, and the plan does not pay for this kind of call anywhere."""
    if call.service not in BILLS_BALANCE or (call.service is Service.WEB and provider.plan is Plan.PAYG):
        return False
    return provider.plan is Plan.CODING or evidence.plan_of(provider.name).state is PlanState.ACTIVE


def _without_balance(app: AppContext, row: Row, call: Call) -> Remedy:
    page = BILLING_PAGE[PROVIDERS[row.provider].region]
    meaning = text("remedy.not_in_plan", app.language, service=call.service.value, billing_page=page)
    changed = replace(row, verdict=Verdict.NO_BALANCE, title="", meaning=meaning, command="glm doctor")
    return Remedy((meaning,), changed)


# -- a second try ----------------------------------------------------------------


def _second_try(row: Row, evidence: Evidence) -> Provider | None:
    """The other plan of the region, where it may pay for the same call."""
    if row.verdict not in (Verdict.PLAN_KEY_ON_GENERAL, Verdict.NO_PLAN, Verdict.PLAN_EXPIRED):
        return None
    sibling = sibling_of(row.provider)
    if judge(sibling, evidence) in PROVEN | OPEN or row.verdict is Verdict.PLAN_KEY_ON_GENERAL:
        return PROVIDERS[sibling]
    return None


def offer(app: AppContext, remedy: Remedy, run_again: Callable[[AppContext], int]) -> int | None:
    """Ask whether to try with the other provider, and do; the exit code, None when that was not wanted.

    A metered provider is not the default answer.
    """
    provider = remedy.second_try
    if provider is None or app.options.json or not (app.prompter.can_ask and app.streams.stderr_is_tty):
        return None
    is_plan = provider.plan is Plan.CODING
    question = text("remedy.retry" if is_plan else "remedy.retry_metered", app.language, provider=provider.name)
    try:
        if not app.prompter.confirm(question, default=is_plan):
            return None
    except KeyboardInterrupt:
        return None
    again = app.switched(provider)
    try:
        code = run_again(again)
    finally:
        again.close()
    if code == 0 and remedy.row.command.startswith("glm profile set "):
        app.streams.note(text("remedy.keep", app.language, command=remedy.row.command))
    return code

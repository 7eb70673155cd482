"""Says whether a key may use a provider, in words and with the way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS, Region
from glmcli.catalogue import text
from glmcli.diagnosis import Decision, Evidence, Reason, Row, Subject, Verdict, choose, diagnose, judge, model_of
from glmcli.errors import ExitCode, GlmError, KeyRefused, MissingKey, NetworkError, ServiceError, UsageError
from glmcli.onboarding.answers import AUTO, Answers, FoundKey, Verified, Wish, providers_of
from glmcli.onboarding.keys import key_lying_around, key_of_flags
from glmcli.probing import Prober

if TYPE_CHECKING:
    from glmcli.context import AppContext

#: What proves that a provider may be kept.
HOW = {
    Verdict.WORKS: "answer",
    Verdict.PLAN_ACTIVE: "plan",
    Verdict.WINDOW_USED_UP: "plan",
    Verdict.BUSY: "key",
    Verdict.ACCEPTED: "key",
}
_EXIT_CODES = {
    Verdict.KEY_REFUSED: ExitCode.AUTH,
    Verdict.OTHER_REGION: ExitCode.AUTH,
    Verdict.FAILED: ExitCode.FAILED,
    Verdict.RESTRICTED: ExitCode.FAILED,
}
_EXIT_CODES_OF_REASONS = {
    Reason.BOTH_WORK: ExitCode.CONFIG,
    Reason.PLAN_UNCERTAIN: ExitCode.CONFIG,
    Reason.NOTHING_TRIED: ExitCode.CONFIG,
    Reason.BUSY: ExitCode.LIMIT,
    Reason.NO_MONEY: ExitCode.BALANCE,
    Reason.KEY_REFUSED: ExitCode.AUTH,
    Reason.RESTRICTED: ExitCode.BALANCE,
}


def decide(evidence: Evidence, providers: Sequence[str], region: Region) -> Decision:
    """The provider to verify: the only one, the best of the same plan, or the choice between plan and balance."""
    if len({PROVIDERS[name].plan for name in providers}) > 1:
        return choose(evidence, region)
    order = [*HOW, Verdict.MODEL_NOT_INCLUDED]
    ranks = {verdict: rank for rank, verdict in enumerate(order)}
    best = min(providers, key=lambda name: ranks.get(judge(name, evidence), len(order)))
    return Decision(best, model=model_of(best, evidence))


def verify(provider: str, evidence: Evidence, language: str) -> Verified:
    """That a key may use a provider. Raises what is told otherwise: in words, with the way out."""
    (row,) = diagnose(evidence, language=language, subject=Subject(onboarding=True), providers=[provider])
    how = HOW.get(row.verdict)
    if how is None:
        raise refusal(row, language)
    return Verified(provider, how, row, model_of(provider, evidence))


def refusal(row: Row, language: str) -> GlmError:
    """The error that a row is when its provider cannot be kept."""
    hint = row.command
    if row.verdict is Verdict.ACCEPTED_BESIDE_PLAN:
        hint += f"\n--probe  ({text('onboard.probe', language)})"
    message = f"{row.provider}: {row.meaning[:1].lower()}{row.meaning[1:].rstrip('.。')}"
    if row.verdict in (Verdict.UNREACHABLE, Verdict.NOT_THE_SERVICE):
        return NetworkError(message, hint=hint)
    exit_code = _EXIT_CODES.get(row.verdict, ExitCode.BALANCE)
    kind = KeyRefused if exit_code is ExitCode.AUTH else ServiceError
    return kind(message, hint=hint, kind=row.verdict.value, exit_code=exit_code)


def undecided(decision: Decision, wish: Wish, language: str) -> GlmError:
    """The error for a choice that only the user can make, or that nothing is left to choose from."""
    reason = decision.reason or Reason.UNREACHABLE
    message = text(f"reason.{reason}", language)
    if reason is Reason.UNREACHABLE:
        return NetworkError(message, hint="glm doctor -v")
    hints = [f"--auth-choice {name}-api-key  ({PROVIDERS[name].title})" for name in decision.candidates]
    if reason is Reason.NOTHING_TRIED:
        hints.append(f"--probe  ({text('onboard.probe', language)})")
    if reason is Reason.KEY_REFUSED and wish.region != "any":
        hints.append(f"--region any  ({text('onboard.any', language)})")
    exit_code = _EXIT_CODES_OF_REASONS[reason]
    return ServiceError(message, hint="\n".join(hints) or None, kind=reason.value, exit_code=exit_code)


def by_flags(app: AppContext, wish: Wish, name: str) -> Answers:
    """Find and verify a key without anybody to ask.

    Raises UsageError for what the flags leave open, and what `verify` and `undecided` make.
    """
    providers = _providers_by_flags(wish)
    before = app.config.profiles.get(name)
    key = key_of_flags(app, wish, providers) or key_lying_around(app, before, providers)
    if key is None:
        raise MissingKey(
            f"no key for {' or '.join(providers)}",
            hint=f'printf %s "$KEY" | glm onboard --non-interactive --auth-choice {wish.choice} --key-stdin',
        )
    if wish.skip_verify:
        return Answers(wish, Verified(providers[0], "skipped", meaning=text("onboard.skipped", app.language)), key)
    return Answers(wish, _verified_by_flags(app, wish, key, providers, before.auth if before else "bearer"), key)


def _providers_by_flags(wish: Wish) -> tuple[str, ...]:
    if wish.choice is None:
        raise UsageError(
            "there is nobody to ask whose key it is",
            hint="say it with --auth-choice zai-api-key, zai-coding-api-key, zhipu-api-key, "
            "zhipu-coding-api-key or auto",
        )
    if wish.choice != AUTO:
        return (wish.choice,)
    check_skip(wish)
    return providers_of(wish.regions)


def check_skip(wish: Wish) -> None:
    """Refuse to find out what must not be asked. Raises UsageError."""
    if wish.skip_verify and wish.choice == AUTO:
        raise UsageError("--auth-choice auto asks the service, and --skip-verify forbids it", hint="name the provider")


def _verified_by_flags(app: AppContext, wish: Wish, key: FoundKey, providers: Sequence[str], auth: str) -> Verified:
    prober = Prober(app, key.secret, auth=auth)
    evidence = prober.ask_free(providers)
    if wish.probe:
        evidence = prober.ask_completions(evidence, providers, models=[wish.model] if wish.model else None)
    decision = decide(evidence, providers, wish.regions[0])
    if decision.provider is None:
        _show_rows(app, evidence, providers)
        raise undecided(decision, wish, app.language)
    return verify(decision.provider, evidence, app.language)


def _show_rows(app: AppContext, evidence: Evidence, providers: Sequence[str]) -> None:
    from glmcli.diagnosis import as_text

    if not app.options.json:
        rows = diagnose(evidence, language=app.language, subject=Subject(onboarding=True), providers=providers)
        app.streams.note(as_text(rows, app.language))

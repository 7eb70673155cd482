"""What a key can use: situations of real accounts, what is made of each, and what to type."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Region
from glmcli.api.faults import error_from_reply, not_json
from glmcli.catalogue import texts
from glmcli.codes import CODES
from glmcli.diagnosis import (
    Decision,
    Evidence,
    Finding,
    Outcome,
    PlanFinding,
    PlanState,
    ProviderEvidence,
    Reason,
    Subject,
    Verdict,
    as_text,
    choose,
    diagnose,
    judge,
    told,
)
from glmcli.errors import NetworkError, TimedOut
from tests.harness import Golden

OK = Finding(Outcome.OK)
NOT_ASKED = Finding()
ANSWER = Finding(Outcome.OK, model="glm-5.3")
PAGE = Finding(Outcome.PAGE, detail="a proxy answered with a web page instead of the service (HTTP 200): Sign in")
TIMEOUT = Finding(Outcome.NETWORK, detail="nothing came from api.z.ai for 5 s")
RESET = 1795000000.0  # 2026-11-18T11:06:40Z
PRO = PlanFinding(PlanState.ACTIVE, "pro")
NO_PLAN = PlanFinding(PlanState.NONE, detail="The current user does not have an active coding plan")
MISSING = PlanFinding(PlanState.UNKNOWN, detail="the address does not exist (HTTP 404)")


def refused(code: str, *, reset_at: float | None = None, model: str | None = "glm-5.3") -> Finding:
    entry = CODES[code]
    return Finding(Outcome.REFUSED, code, entry.en.meaning, reset_at, model)


def seen(models: Finding = OK, completion: Finding = NOT_ASKED) -> ProviderEvidence:
    return ProviderEvidence(models, completion)


BAD = seen(refused("1000", model=None))


@dataclass(frozen=True)
class Situation:
    """What people get into: a sentence, what was seen, and what should be made of it."""

    name: str
    sentence: str
    evidence: Evidence
    verdicts: Mapping[str, Verdict]
    decision: Decision
    commands: Mapping[str, str] = field(default_factory=dict)


def intl(coding: ProviderEvidence, general: ProviderEvidence, plan: PlanFinding | None = None) -> Evidence:
    """Evidence where only the default region was asked."""
    return Evidence({"zai": general, "zai-coding": coding}, {Region.INTL: plan} if plan else {})


def everywhere(there: Evidence, here: ProviderEvidence = BAD) -> Evidence:
    """A key of Zhipu that was shown to Z.AI, too: `there` is written for zai and moved."""
    moved = {name.replace("zai", "zhipu"): each for name, each in there.providers.items()}
    return Evidence({"zai": here, "zai-coding": here, **moved}, {Region.CN: there.plans[Region.INTL]})


USE_PLAN = 'glm chat --provider zai-coding "hello"'
USE_BALANCE = 'glm chat --provider zai "hello"'

SITUATIONS = [
    Situation(
        "plan_key_free_calls",
        "A key of a Coding Plan; only free calls were made.",
        intl(seen(), seen(), PRO),
        {"zai": Verdict.ACCEPTED_BESIDE_PLAN, "zai-coding": Verdict.PLAN_ACTIVE},
        Decision("zai-coding"),
        {"zai": USE_PLAN, "zai-coding": USE_PLAN},
    ),
    Situation(
        "plan_key_on_general",
        "A key of a Coding Plan meets the general endpoint: error 1113 although the plan is paid.",
        intl(seen(OK, ANSWER), seen(OK, refused("1113")), PRO),
        {"zai": Verdict.PLAN_KEY_ON_GENERAL, "zai-coding": Verdict.WORKS},
        Decision("zai-coding"),
        {"zai": USE_PLAN},
    ),
    Situation(
        "plan_key_on_general_quota_missing",
        "As before, on a host where the quota endpoint is missing; the completions tell.",
        intl(seen(OK, ANSWER), seen(OK, refused("1113")), MISSING),
        {"zai": Verdict.PLAN_KEY_ON_GENERAL, "zai-coding": Verdict.WORKS},
        Decision("zai-coding"),
        {"zai": USE_PLAN},
    ),
    Situation(
        "payg_key_on_coding_1113",
        "A key that pays as you go meets the coding endpoint, which answers 1113.",
        intl(seen(OK, refused("1113")), seen(OK, ANSWER), NO_PLAN),
        {"zai": Verdict.WORKS, "zai-coding": Verdict.PAYG_KEY_ON_CODING},
        Decision("zai"),
        {"zai-coding": USE_BALANCE},
    ),
    Situation(
        "payg_key_on_coding_1309",
        "The Coding Plan has expired (1309), and the account has balance.",
        intl(seen(OK, refused("1309")), seen(OK, ANSWER), NO_PLAN),
        {"zai": Verdict.WORKS, "zai-coding": Verdict.PLAN_EXPIRED},
        Decision("zai"),
        {"zai-coding": USE_BALANCE},
    ),
    Situation(
        "payg_key_free_calls",
        "A key that pays as you go; only free calls were made, and the account has no plan.",
        intl(seen(), seen(), NO_PLAN),
        {"zai": Verdict.ACCEPTED, "zai-coding": Verdict.NO_PLAN},
        Decision("zai"),
        {"zai": "glm doctor --provider zai --probe", "zai-coding": USE_BALANCE},
    ),
    Situation(
        "other_region",
        "A key of BigModel's Coding Plan is shown to Z.AI, with the consent to ask both.",
        everywhere(intl(seen(OK, ANSWER), seen(OK, refused("1113")), PRO)),
        {
            "zai": Verdict.OTHER_REGION,
            "zai-coding": Verdict.OTHER_REGION,
            "zhipu": Verdict.PLAN_KEY_ON_GENERAL,
            "zhipu-coding": Verdict.WORKS,
        },
        Decision("zhipu-coding"),
        {"zai": 'glm chat --provider zhipu-coding "hello"', "zai-coding": 'glm chat --provider zhipu-coding "hello"'},
    ),
    Situation(
        "accepted_by_both_hosts",
        "A key of BigModel that Z.AI accepts, too, where it has neither balance nor plan.",
        everywhere(intl(seen(OK, refused("1113")), seen(OK, ANSWER), NO_PLAN), seen(OK, refused("1113"))),
        {"zai": Verdict.NO_BALANCE, "zai-coding": Verdict.NO_PLAN, "zhipu": Verdict.WORKS},
        Decision("zhipu"),
    ),
    Situation(
        "key_refused",
        "The key is mistyped, cut off or deleted: 1000 at both endpoints.",
        intl(BAD, BAD),
        {"zai": Verdict.KEY_REFUSED, "zai-coding": Verdict.KEY_REFUSED, "zhipu": Verdict.NOT_ASKED},
        Decision(reason=Reason.KEY_REFUSED),
        {"zai": "glm onboard", "zhipu": "glm doctor --all-regions"},
    ),
    Situation(
        "balance_and_plan",
        "The account has both a balance and a plan: only the user can say who pays.",
        intl(seen(OK, ANSWER), seen(OK, ANSWER), PRO),
        {"zai": Verdict.WORKS, "zai-coding": Verdict.WORKS},
        Decision(candidates=("zai-coding", "zai"), reason=Reason.BOTH_WORK),
        {"zai": USE_BALANCE, "zai-coding": USE_PLAN},
    ),
    Situation(
        "balance_and_uncertain_plan",
        "The balance works; the coding endpoint did not answer, so a plan may exist.",
        intl(seen(OK, TIMEOUT), seen(OK, ANSWER), MISSING),
        {"zai": Verdict.WORKS, "zai-coding": Verdict.UNREACHABLE},
        Decision(candidates=("zai-coding", "zai"), reason=Reason.PLAN_UNCERTAIN),
    ),
    Situation(
        "no_balance_anywhere",
        "The key is good, and nobody pays: 1113 at both endpoints.",
        intl(seen(OK, refused("1113")), seen(OK, refused("1113")), NO_PLAN),
        {"zai": Verdict.NO_BALANCE, "zai-coding": Verdict.NO_PLAN},
        Decision(reason=Reason.NO_MONEY),
        {"zai": "glm doctor --provider zai --probe", "zai-coding": "glm doctor --provider zai-coding --probe"},
    ),
    Situation(
        "busy_1302",
        "The rate limit (1302) is hit while probing an account without a plan.",
        intl(seen(OK, refused("1302")), seen(OK, refused("1302")), NO_PLAN),
        {"zai": Verdict.BUSY, "zai-coding": Verdict.BUSY},
        Decision(candidates=("zai-coding", "zai"), reason=Reason.BUSY),
        {"zai": "glm doctor --provider zai --probe"},
    ),
    Situation(
        "busy_1305_beside_plan",
        "The service is overloaded (1305) while probing, and there is no balance to fall back to.",
        intl(seen(OK, refused("1305")), seen(OK, refused("1113")), PRO),
        {"zai": Verdict.PLAN_KEY_ON_GENERAL, "zai-coding": Verdict.BUSY},
        Decision("zai-coding"),
    ),
    Situation(
        "window_used_up_1308",
        "The five hours of the plan are used up (1308): the key is fine.",
        intl(seen(OK, refused("1308", reset_at=RESET)), seen(OK, refused("1113")), PRO),
        {"zai": Verdict.PLAN_KEY_ON_GENERAL, "zai-coding": Verdict.WINDOW_USED_UP},
        Decision("zai-coding"),
        {"zai-coding": "glm usage --provider zai-coding"},
    ),
    Situation(
        "window_used_up_1310",
        "The week of the plan is used up (1310), on a host where the quota endpoint is missing.",
        intl(seen(OK, refused("1310", reset_at=RESET)), seen(OK, refused("1113")), MISSING),
        {"zai": Verdict.PLAN_KEY_ON_GENERAL, "zai-coding": Verdict.WINDOW_USED_UP},
        Decision("zai-coding"),
    ),
    Situation(
        "window_used_up_quota",
        "The quota endpoint itself says that the plan's window is full; nothing was sent.",
        intl(seen(), seen(), replace(PRO, used_up=True, reset_at=RESET)),
        {"zai": Verdict.ACCEPTED_BESIDE_PLAN, "zai-coding": Verdict.WINDOW_USED_UP},
        Decision("zai-coding"),
    ),
    Situation(
        "model_not_in_plan_1311",
        "The plan does not include the model that was asked (1311).",
        intl(seen(OK, refused("1311", model="glm-5v-turbo")), seen(OK, refused("1113")), PRO),
        {"zai": Verdict.PLAN_KEY_ON_GENERAL, "zai-coding": Verdict.MODEL_NOT_INCLUDED},
        Decision("zai-coding"),
        {"zai-coding": "glm models --provider zai-coding"},
    ),
    Situation(
        "model_unknown_1211",
        "The model does not exist on the service (1211).",
        intl(seen(OK, refused("1211", model="glm-4")), seen(OK, refused("1211", model="glm-4")), PRO),
        {"zai": Verdict.MODEL_NOT_INCLUDED, "zai-coding": Verdict.MODEL_NOT_INCLUDED},
        Decision("zai-coding"),
    ),
    Situation(
        "model_outside_plan_1113",
        "An active plan answers 1113: the model is outside the plan.",
        intl(seen(OK, refused("1113", model="glm-4.7-flashx")), seen(OK, refused("1113")), PRO),
        {"zai": Verdict.PLAN_KEY_ON_GENERAL, "zai-coding": Verdict.MODEL_NOT_INCLUDED},
        Decision("zai-coding"),
    ),
    Situation(
        "only_the_small_model",
        "The plan includes glm-5.3-flash alone: the fallback of the probe was answered.",
        intl(seen(OK, Finding(Outcome.OK, model="glm-5.3-flash")), seen(OK, refused("1113")), PRO),
        {"zai": Verdict.PLAN_KEY_ON_GENERAL, "zai-coding": Verdict.WORKS},
        Decision("zai-coding", model="glm-5.3-flash"),
    ),
    Situation(
        "quota_success_false",
        "The quota endpoint answers HTTP 200 with success:false (500) that says nothing of plans.",
        intl(seen(), seen(), PlanFinding(PlanState.UNKNOWN, detail="internal error of the service (500)")),
        {"zai": Verdict.ACCEPTED, "zai-coding": Verdict.ACCEPTED},
        Decision(candidates=("zai-coding", "zai"), reason=Reason.NOTHING_TRIED),
    ),
    Situation(
        "quota_refuses_key",
        "The quota endpoint refuses the key (401 in the body), the list of models accepts it.",
        intl(seen(), seen(), PlanFinding(PlanState.REFUSED, detail="the key was refused (401)")),
        {"zai": Verdict.ACCEPTED, "zai-coding": Verdict.ACCEPTED},
        Decision(candidates=("zai-coding", "zai"), reason=Reason.NOTHING_TRIED),
    ),
    Situation(
        "quota_missing",
        "The quota endpoint does not exist, and nothing was sent: free calls cannot tell.",
        intl(seen(), seen(), MISSING),
        {"zai": Verdict.ACCEPTED, "zai-coding": Verdict.ACCEPTED},
        Decision(candidates=("zai-coding", "zai"), reason=Reason.NOTHING_TRIED),
        {"zai": "glm doctor --provider zai --probe"},
    ),
    Situation(
        "timeout_on_one_host",
        "Z.AI does not answer; BigModel, asked with consent, knows the key and has balance.",
        everywhere(intl(seen(OK, refused("1113")), seen(OK, ANSWER), NO_PLAN), seen(TIMEOUT)),
        {"zai": Verdict.UNREACHABLE, "zai-coding": Verdict.UNREACHABLE, "zhipu": Verdict.WORKS},
        Decision("zhipu"),
        {"zai": "glm doctor --provider zai -v"},
    ),
    Situation(
        "out_of_reach",
        "Nothing answers at all.",
        intl(seen(TIMEOUT), seen(TIMEOUT)),
        {"zai": Verdict.UNREACHABLE, "zai-coding": Verdict.UNREACHABLE},
        Decision(reason=Reason.UNREACHABLE),
    ),
    Situation(
        "proxy_page",
        "A proxy answers with a web page in place of the service.",
        intl(seen(PAGE), seen(PAGE)),
        {"zai": Verdict.NOT_THE_SERVICE, "zai-coding": Verdict.NOT_THE_SERVICE},
        Decision(reason=Reason.UNREACHABLE),
        {"zai": "glm doctor --provider zai -v"},
    ),
    Situation(
        "restricted",
        "The account is restricted under the fair use policy (1313).",
        intl(seen(OK, refused("1313")), seen(OK, refused("1113")), PRO),
        {"zai": Verdict.PLAN_KEY_ON_GENERAL, "zai-coding": Verdict.RESTRICTED},
        Decision(reason=Reason.RESTRICTED),
        {"zai-coding": "glm explain 1313"},
    ),
    Situation(
        "enterprise_key",
        "A key of an enterprise package is used as an individual one (1315).",
        intl(seen(OK, refused("1315")), seen(OK, refused("1113")), MISSING),
        {"zai": Verdict.NO_BALANCE, "zai-coding": Verdict.ENTERPRISE_ONLY},
        Decision(reason=Reason.RESTRICTED),
    ),
    Situation(
        "service_fails",
        "The service fails with 500 while probing.",
        intl(seen(OK, refused("500")), seen(OK, refused("500")), MISSING),
        {"zai": Verdict.FAILED, "zai-coding": Verdict.FAILED},
        Decision(reason=Reason.UNREACHABLE),
    ),
]
each_situation = pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)


@each_situation
def test_a_situation_becomes_its_verdicts(situation: Situation) -> None:
    """Every provider that the table names stands as it says."""
    assert {name: judge(name, situation.evidence) for name in situation.verdicts} == dict(situation.verdicts)


@each_situation
def test_a_situation_becomes_its_decision(situation: Situation) -> None:
    """One provider, a question, or a reason."""
    assert choose(situation.evidence) == situation.decision


@each_situation
def test_a_row_ends_in_its_command(situation: Situation) -> None:
    """What is typed mends the situation."""
    commands = {row.provider: row.command for row in diagnose(situation.evidence)}
    assert {name: commands[name] for name in situation.commands} == dict(situation.commands)


@each_situation
def test_the_metered_provider_is_never_chosen_beside_a_possible_plan(situation: Situation) -> None:
    """Where the balance is chosen, no plan pays and none may be hidden by silence."""
    decision = choose(situation.evidence)
    if decision.provider in ("zai", "zhipu"):
        coding = judge(f"{decision.provider}-coding", situation.evidence)
        assert coding in {Verdict.NO_PLAN, Verdict.PAYG_KEY_ON_CODING, Verdict.PLAN_EXPIRED}


@each_situation
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_matrix_is_understood_without_other_help(
    situation: Situation, language: str, golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole text that a person reads, in a file of its own."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    golden.check(f"doctor/{situation.name}.{language}.txt", page(situation, language))


def page(situation: Situation, language: str) -> str:
    evidence, decision = situation.evidence, choose(situation.evidence)
    lines = [f"# {situation.sentence}", *(f"#   {line}" for line in _seen(evidence)), ""]
    lines += [as_text(diagnose(evidence, language=language), language), "", f"=> {told(decision, language)}"]
    lines += [f"   {name}" for name in decision.candidates]
    return "\n".join(lines) + "\n"


def _seen(evidence: Evidence) -> list[str]:
    lines = []
    for name, each in evidence.providers.items():
        lines.append(f"{name:<13} GET /models: {_outcome(each.models):<14} completion: {_outcome(each.completion)}")
    return lines + [
        f"quota ({region}): {plan.state} {plan.level or ''}".rstrip() for region, plan in evidence.plans.items()
    ]


def _outcome(finding: Finding) -> str:
    return f"{finding.outcome} {finding.code or ''}".strip()


# -- properties of the tables ------------------------------------------------------


def test_every_verdict_appears_in_a_situation() -> None:
    """No verdict is untested."""
    found = {judge(name, each.evidence) for each in SITUATIONS for name in VENDOR_PROVIDERS}
    assert found == set(Verdict)


def test_every_reason_appears_in_a_situation() -> None:
    """No reason is untested."""
    assert {each.decision.reason for each in SITUATIONS} == {None, *Reason}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("provider", VENDOR_PROVIDERS)
def test_every_code_becomes_a_verdict(provider: str, code: str) -> None:
    """Whatever the service answers to a probe, there is a row with a meaning and a command."""
    finding = Finding(Outcome.REFUSED, code, "words of the service", model="glm-5.3")
    evidence = Evidence({provider: seen(OK, finding)}, {PROVIDERS[provider].region: MISSING})
    for language in ("en", "zh"):
        (row,) = diagnose(evidence, language=language, providers=[provider])
        assert row.verdict not in {Verdict.WORKS, Verdict.NOT_ASKED}
        assert row.meaning.endswith((".", "。")) or "https://" in row.meaning
        assert "{" not in row.meaning
        assert row.command.startswith("glm ")


@each_situation
def test_commands_of_a_profile_name_it(situation: Situation) -> None:
    """For a stored profile the command moves or uses that very profile."""
    subject = Subject(profile="work", provider="zai")
    for row in diagnose(situation.evidence, subject=subject):
        if row.verdict in {Verdict.WORKS, Verdict.PLAN_ACTIVE, Verdict.PLAN_KEY_ON_GENERAL}:
            assert row.command in {
                'glm chat --profile work "hello"',
                "glm profile set work provider=zai-coding",
                "glm profile set work provider=zhipu",
                "glm profile set work provider=zhipu-coding",
            }


@each_situation
def test_commands_of_the_wizard_onboard(situation: Situation) -> None:
    """A key that is not stored yet cannot be chatted with."""
    for row in diagnose(situation.evidence, subject=Subject(onboarding=True)):
        assert "glm chat" not in row.command
        assert "glm profile" not in row.command


def test_the_default_region_wins_among_equals() -> None:
    """A key that both companies accept with a plan stays in the region of the user."""
    both = intl(seen(OK, ANSWER), seen(OK, refused("1113")), PRO)
    evidence = Evidence(
        {**both.providers, "zhipu-coding": seen(OK, ANSWER), "zhipu": seen(OK, refused("1113"))},
        {Region.INTL: PRO, Region.CN: PRO},
    )
    assert choose(evidence, Region.INTL).provider == "zai-coding"
    assert choose(evidence, Region.CN).provider == "zhipu-coding"


# -- findings from failures ----------------------------------------------------------


def test_a_failure_becomes_a_finding() -> None:
    """Refusals keep their code, silence its words, pages of proxies are told apart."""
    refusal = error_from_reply(429, {}, b'{"error":{"code":"1113","message":"Insufficient balance"}}')
    assert Finding.of_error(refusal, model="glm-5.3").code == "1113"
    assert Finding.of_error(error_from_reply(404, {}, b"{}")).code == "404"
    assert Finding.of_error(TimedOut("nothing came")).outcome is Outcome.NETWORK
    assert Finding.of_error(NetworkError("refused")).detail == "refused"
    for status in (200, 403, 502):
        page_of_proxy = not_json(status, {"content-type": "text/html"}, b"<html><title>Sign in</title></html>")
        assert Finding.of_error(page_of_proxy).outcome is Outcome.PAGE


def test_a_torn_refusal_keeps_its_code() -> None:
    """JSON that broke off is the service's own, not a proxy's."""
    torn = not_json(429, {"content-type": "application/json"}, b'{"error":{"code":"1302","mess')
    assert (Finding.of_error(torn).outcome, Finding.of_error(torn).code) == (Outcome.REFUSED, "1302")


def test_every_text_of_a_verdict_exists_in_both_languages() -> None:
    """Verdict, meaning and reason are found by their words."""
    wanted = {f"{kind}.{verdict}" for kind in ("verdict", "meaning") for verdict in Verdict}
    wanted |= {f"reason.{reason}" for reason in Reason}
    for language in ("en", "zh"):
        assert wanted <= set(texts(language))

"""Evidence is gathered one request at a time, free ones first, from the service itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from glmcli.api.endpoints import VENDOR_PROVIDERS, Region
from glmcli.config.model import Secret
from glmcli.context import AppContext
from glmcli.diagnosis import Decision, Finding, Outcome, PlanState, Reason, choose
from glmcli.probing import Prober, target_of
from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server
from tests.harness import ScriptedServer

INTL = ("zai-coding", "zai")


@pytest.fixture
def app(server: ScriptedServer) -> Iterator[AppContext]:
    made = AppContext()
    yield made
    made.close()


def prober(app: AppContext, key: str, *, timeout_seconds: float = 5) -> Prober:
    return Prober(app, Secret(key, "a test"), timeout_seconds=timeout_seconds)


BOTH = Decision(candidates=INTL, reason=Reason.BOTH_WORK)


@pytest.mark.parametrize(
    ("account", "free", "probed"),
    [
        ("zai", Decision("zai"), Decision("zai")),
        ("zai-coding", Decision("zai-coding"), Decision("zai-coding")),
        ("zai-both", Decision("zai-coding"), BOTH),
        ("zai-empty", Decision("zai"), Decision(reason=Reason.NO_MONEY)),
        ("zai-legacy", Decision("zai-coding"), Decision("zai-coding")),
        ("zai-flash-only", Decision("zai-coding"), Decision("zai-coding", model="glm-5.3-flash")),
        ("zai-plan-expired", Decision("zai"), Decision(reason=Reason.NO_MONEY)),
        ("zai-window-used-up", Decision("zai-coding"), Decision("zai-coding")),
        ("zai-week-used-up", Decision("zai-coding"), Decision("zai-coding")),
        ("zai-fair-use", Decision("zai-coding"), Decision(reason=Reason.RESTRICTED)),
        ("zai-enterprise", Decision("zai-coding"), Decision(reason=Reason.RESTRICTED)),
        ("zai-rate-limited", Decision("zai"), Decision("zai")),
        ("zai-overloaded", Decision("zai"), Decision("zai")),
        ("zai-locked", Decision("zai"), Decision(reason=Reason.RESTRICTED)),
    ],
)
def test_every_account_of_the_sandbox_is_recognised(
    app: AppContext, server: ScriptedServer, account: str, free: Decision, probed: Decision
) -> None:
    """By free calls alone, and with tiny completions."""
    asking = prober(app, server.keys[account])
    evidence = asking.ask_free(INTL)
    assert choose(evidence) == free
    assert choose(asking.ask_completions(evidence, INTL)) == probed


def test_free_calls_are_three_per_region(app: AppContext, server: ScriptedServer) -> None:
    """Two lists and one quota; nothing is posted."""
    prober(app, server.keys["zai-coding"]).ask_free(INTL)
    asked = [(request.method, request.path) for request in server.requests]
    assert asked == [
        ("GET", "/api/coding/paas/v4/models"),
        ("GET", "/api/paas/v4/models"),
        ("GET", "/api/monitor/usage/quota/limit"),
    ]


def test_a_refused_key_is_not_asked_about_money(app: AppContext, server: ScriptedServer) -> None:
    """Neither its plan nor a completion."""
    asking = prober(app, "bad.key")
    evidence = asking.ask_completions(asking.ask_free(INTL), INTL)
    assert len(server.requests) == 2
    assert evidence.plans == {}
    assert evidence.of("zai").completion == Finding()


@pytest.mark.parametrize("fault", ["1302", "1305", "500"])
def test_nothing_is_repeated(app: AppContext, server: ScriptedServer, sandbox: Sandbox, fault: str) -> None:
    """What every other command would try again is evidence here."""
    sandbox.fault = fault
    prober(app, server.keys["zai"]).ask_free(INTL)
    assert len(server.requests) == 2


def test_a_silent_host_is_given_up_once(app: AppContext, server: ScriptedServer, sandbox: Sandbox) -> None:
    """The second endpoint of a host that does not answer is not waited for again."""
    sandbox.fault = "stall"
    asking = prober(app, server.keys["zai"], timeout_seconds=0.3)
    evidence = asking.ask_completions(asking.ask_free(INTL), INTL)
    assert len(server.requests) == 1
    assert {evidence.of(name).models.outcome for name in INTL} == {Outcome.NETWORK}


def test_models_are_tried_in_order_until_one_is_allowed(app: AppContext, server: ScriptedServer) -> None:
    """A model that is not for the key costs nothing; the first one that is, ends it."""
    asking = prober(app, server.keys["zai-flash-only"])
    evidence = asking.ask_completions(asking.ask_free(["zai-coding"]), ["zai-coding"])
    assert evidence.of("zai-coding").completion == Finding(Outcome.OK, model="glm-5.3-flash")
    sent = [request.json["model"] for request in server.requests if request.method == "POST"]
    assert sent == ["glm-5.3", "glm-5.3-flash"]


def test_a_reply_that_is_no_completion_proves_nothing(app: AppContext, server: ScriptedServer) -> None:
    """A portal says 200 to everything."""
    server.script("POST", "/chat/completions", json={"welcome": True})
    assert prober(app, server.keys["zai"]).completion("zai", "glm-5.3").outcome is Outcome.PAGE


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ({"status": 404, "json": {"error": {"code": "1222", "message": "no"}}}, PlanState.UNKNOWN),
        ({"json": {"code": 500, "msg": "Internal Error", "success": False}}, PlanState.UNKNOWN),
        ({"json": {"code": 200, "success": True, "data": {}}}, PlanState.UNKNOWN),
        ({"body": b"<html>no</html>", "headers": {"Content-Type": "text/html"}}, PlanState.UNKNOWN),
        ({"json": {"code": 500, "msg": "No active coding plan", "success": False}}, PlanState.NONE),
    ],
    ids=["missing", "fails", "empty", "page", "no-plan"],
)
def test_the_quota_is_best_effort(
    app: AppContext, server: ScriptedServer, reply: dict[str, object], state: PlanState
) -> None:
    """Only a clear word counts; no failure of it is fatal."""
    server.script("GET", "/quota/limit", **reply)  # type: ignore[arg-type]  # a table of replies
    assert prober(app, server.keys["zai-coding"]).quota("zai-coding").state is state


def test_each_region_is_asked_at_its_own_host(app: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a profile or variable that selects another provider changes nothing."""
    intl, cn = Sandbox(region="intl"), Sandbox(region="cn")
    with Server(intl) as there, Server(cn) as here:
        monkeypatch.setenv("GLM_ORIGIN_INTL", there.address)
        monkeypatch.setenv("GLM_ORIGIN_CN", here.address)
        monkeypatch.setenv("GLM_PROVIDER", "sandbox")
        monkeypatch.setenv("GLM_BASE_URL", "https://elsewhere.test")
        asking = AppContext()
        assert target_of(asking, "zhipu").origin == here.address
        evidence = prober(asking, cn.keys["zhipu-coding"]).ask_free(VENDOR_PROVIDERS)
        asking.close()
    assert choose(evidence) == Decision("zhipu-coding")
    assert evidence.plans[Region.CN].level == "pro"
    assert len(intl.requests) == 2

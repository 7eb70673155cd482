"""`glm usage`: the windows of a plan, use over time, and the local ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from glmcli.api.resources.quota import Window, quota_from_json
from glmcli.commands.usage import UsageOptions, run
from glmcli.context import AppContext
from glmcli.history import History, UsageEntry
from glmcli.render import quota as render
from glmcli.streams import Streams
from tests.harness import Glm, Golden, Result, ScriptedServer, Terminal

NOON = 1_795_255_200.0  # 2026-11-21 10:00 UTC, 11:00 in Berlin
HOUR = 3600.0
QUOTA = "/api/monitor/usage/quota/limit"


@pytest.fixture
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that is neither UTC nor the service's."""
    if not hasattr(time, "tzset"):
        pytest.skip("the clock of this system cannot be set for one process")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    time.tzset()


@pytest.fixture
def plan(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """The server, with the key of a Coding Plan in the environment."""
    monkeypatch.delenv("ZAI_API_KEY")
    monkeypatch.setenv("ZAI_CODING_API_KEY", server.keys["zai-coding"])
    return server


def _limit(
    type: str = "CREDIT_LIMIT", unit: int = 3, number: int = 5, left: float | None = 1, **more: Any
) -> dict[str, Any]:
    """A window that resets in `left` hours."""
    reset = {} if left is None else {"nextResetTime": int((NOON + left * HOUR) * 1000)}
    return {"type": type, "unit": unit, "number": number, **reset, **more}


CREDITS = [
    _limit(usage=12000, currentValue=5710, remaining=6289, percentage=47),
    _limit(unit=6, number=1, left=100, usage=60000, currentValue=57100, remaining=2900, percentage=95),
]
LEGACY = [
    _limit("TOKENS_LIMIT", percentage=25),
    _limit(
        "TIME_LIMIT", unit=5, number=1, left=None, usage=4000, currentValue=1828, remaining=2172, percentage=45,
        usageDetails=[{"modelCode": "search-prime", "usage": 1433}, {"modelCode": "zread", "usage": 0}],
    ),
    _limit("SOMETHING_NEW", percentage=99),
]  # fmt: skip


@pytest.mark.usefixtures("_berlin")
@pytest.mark.parametrize(("name", "limits"), [("credits", CREDITS), ("legacy", LEGACY)])
@pytest.mark.parametrize("width", [80, 60])
def test_windows_of_both_generations(golden: Golden, name: str, limits: list[dict[str, Any]], width: int) -> None:
    """How full, when it resets on this clock, and where the pace leads."""
    quota = quota_from_json({"level": "pro", "limits": limits})
    lines = list(render.lines(quota, NOON, render.Look(width)))
    assert max(map(len, lines)) <= max(width, 70)
    golden.check(f"usage/{name}-{width}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("limit", "at_reset", "used_up_in_hours"),
    [
        pytest.param(_limit(percentage=40), 50, None, id="lasts"),
        pytest.param(_limit(percentage=90), 112.5, 4 / 9, id="does not last"),
        pytest.param(_limit(percentage=0), 0, None, id="unused"),
        pytest.param(_limit(percentage=100), 125, 0, id="used up"),
        pytest.param(_limit(percentage=10, left=4.999), None, None, id="too early to tell"),
        pytest.param(_limit(percentage=10, left=-1), None, None, id="over"),
        pytest.param(_limit(percentage=10, left=None), None, None, id="no reset told"),
        pytest.param(_limit(unit=9, percentage=10), None, None, id="unknown unit"),
        pytest.param(_limit(unit=5, number=1, percentage=10, left=15 * 24), 20, None, id="a month by the calendar"),
    ],
)
def test_pace(limit: dict[str, Any], at_reset: float | None, used_up_in_hours: float | None) -> None:
    """The average rate so far, carried on."""
    window = Window.from_json(limit)
    assert window is not None
    pace = render.pace_of(window, NOON)
    if at_reset is None:
        assert pace is None
        return
    assert pace is not None
    assert pace.percent_at_reset == pytest.approx(at_reset, abs=0.01)
    expected = None if used_up_in_hours is None else pytest.approx(NOON + used_up_in_hours * HOUR)
    assert pace.used_up_at == expected


@pytest.mark.usefixtures("_berlin")
@pytest.mark.parametrize(
    ("hours", "shown"), [(2, "at 13:00"), (14, "on Sun 22 Nov at 01:00"), (13 - 1 / 3600, "at 23:59")]
)
def test_times_are_local(hours: float, shown: str) -> None:
    """A day is named when it is not today's."""
    assert shown == render.clock(NOON + hours * HOUR, NOON)


def test_the_plan_on_a_terminal(glm: Glm, plan: ScriptedServer) -> None:
    """Plan, product and renewal; the customer's id stays where it is."""
    result = glm("usage", tty=True, env={"NO_COLOR": "1"})
    assert result.exit_code == 0
    first, *rest = result.stdout.splitlines()
    assert first.startswith("Coding Plan Pro (zai-coding) · GLM Coding Pro, VALID, renews 2")
    assert rest[0].startswith("5 hours  ███")
    assert rest[0].endswith("47 %  5,640 of 12,000 credits")
    assert "sandbox-customer" not in result.stdout + result.stderr
    assert plan.requests[0].headers["authorization"] == plan.keys["zai-coding"]


def test_windows_in_a_pipe_and_as_json(glm: Glm, plan: ScriptedServer) -> None:
    """Figures without units; times in UTC."""
    plan.script("GET", QUOTA, json={"code": 200, "success": True, "data": {"level": "pro", "limits": CREDITS}})
    assert glm("usage").stdout == (
        "models\t5 hour\t47.6\t5710\t12000\t6289\t2026-11-21T11:00:00Z\n"
        "models\t1 week\t95.2\t57100\t60000\t2900\t2026-11-25T14:00:00Z\n"
    )
    plan.script("GET", QUOTA, json={"code": 200, "success": True, "data": {"level": "max", "limits": LEGACY}})
    document = glm("usage", "--json").json
    assert document["plan"] == "max"
    assert set(document["subscriptions"][0]) == {"product", "status", "next_renewal"}
    tokens, calls = document["windows"]
    assert (tokens["percent_used"], tokens["limit"], tokens["counts"]) == (25.0, None, "tokens")
    assert (calls["metered"], calls["details"]["search-prime"], calls["resets_at"]) == ("tools", 1433, None)


@pytest.mark.parametrize(("limit", "exit_code"), [("46", 6), ("47", 0), ("90", 0), ("101", 2)])
def test_fail_above(glm: Glm, plan: ScriptedServer, limit: str, exit_code: int) -> None:
    """For CI: the windows are shown, and the exit code judges them."""
    result = glm("usage", "--json", "--fail-above", limit)
    assert result.exit_code == exit_code
    if exit_code == 6:
        assert result.json["windows"]
        assert (result.error["kind"], "5 hours is used to 47 %" in result.error["message"]) == ("plan_window", True)


@pytest.mark.parametrize(
    ("reply", "exit_code", "told"),
    [
        pytest.param({"status": 404, "json": {}}, 1, "does not tell the windows", id="no such endpoint"),
        pytest.param({"body": b"<html><title>Portal</title>"}, 1, "does not tell the windows", id="web page"),
        pytest.param({"json": {"code": 500, "success": False, "msg": "busy"}}, 1, "busy", id="failure with HTTP 200"),
        pytest.param({"json": {"code": 200, "success": True}}, 1, "does not tell", id="no data"),
        pytest.param(
            {"json": {"code": 500, "success": False, "msg": "no coding plan"}}, 5, "no active Coding Plan", id="no plan"
        ),
    ],
)
def test_the_endpoint_may_fail(
    glm: Glm, plan: ScriptedServer, reply: dict[str, Any], exit_code: int, told: str
) -> None:
    """It is in no reference: told with a way to go on."""
    plan.script("GET", QUOTA, **reply)
    result = glm("usage", "--max-retries", "0")
    assert (exit_code, "") == (result.exit_code, result.stdout)
    assert told in result.stderr
    assert "glm usage --local" in result.stderr


def test_a_subscription_that_cannot_be_read_is_left_out(glm: Glm, plan: ScriptedServer) -> None:
    """One line that is nice to have."""
    plan.script("GET", "/subscription/list", status=403, json={})
    result = glm("usage", tty=True)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "Coding Plan Pro (zai-coding)")


@pytest.mark.parametrize(
    ("key", "argv", "exit_code", "told"),
    [
        pytest.param("zai", [], 0, "https://z.ai/manage-apikey/billing", id="a balance"),
        pytest.param("zai", ["--fail-above", "90"], 1, "no window to judge", id="nothing to judge"),
        pytest.param("zai-both", [], 0, "--provider zai-coding", id="a plan that this provider does not use"),
        pytest.param("nonsense", [], 4, "refused", id="bad key"),
    ],
)
def test_pay_as_you_go(glm: Glm, server: ScriptedServer, key: str, argv: list[str], exit_code: int, told: str) -> None:
    """No endpoint tells a balance; where to look is told."""
    result = glm("usage", *argv, env={"ZAI_API_KEY": server.keys.get(key, "0" * 32 + ".0123456789abcdef")})
    assert result.exit_code == exit_code
    assert told in result.stderr


@pytest.mark.parametrize(
    ("reply", "exit_code", "told"),
    [
        pytest.param({"status": 502, "body": b"<html><title>nginx</title>"}, 1, "nginx", id="web page"),
        pytest.param({"body": b"<html><title>Portal</title>"}, 1, "Portal", id="login page"),
        pytest.param({"body": b"{broken"}, 1, "not JSON", id="garbage"),
        pytest.param({"json": {"code": 200, "success": True, "data": None}}, 1, "no data", id="no data"),
        pytest.param({"status": 429, "json": {"error": {"code": "1302", "message": "slow"}}}, 6, "1302", id="busy"),
        pytest.param({"status": 404, "json": {}}, 0, "pays from a balance", id="no such endpoint"),
        pytest.param({"json": {"code": 500, "success": False, "msg": "no coding plan"}}, 0, "balance", id="no plan"),
    ],
)
def test_a_fault_is_not_taken_for_a_balance(
    glm: Glm, server: ScriptedServer, reply: dict[str, Any], exit_code: int, told: str
) -> None:
    """Only the service can say that a key has no plan; anything else is told, with a way to go on."""
    server.script("GET", QUOTA, **reply)
    result = glm("usage", "--max-retries", "0")
    assert (result.exit_code, told in result.stderr) == (exit_code, True), result.stderr
    assert ("glm usage --local" in result.stderr) == (exit_code != 0)
    assert glm("usage", "--local").exit_code == 0


def test_a_custom_endpoint_has_no_windows(glm: Glm) -> None:
    """Exit 2 before anything is sent."""
    result = glm("usage", "--base-url", "http://127.0.0.1:9/v1", env={"GLM_API_KEY": "x"})
    assert (result.exit_code, "glm usage --local" in result.stderr) == (2, True)


def test_use_over_time(glm: Glm, plan: ScriptedServer) -> None:
    """Asked for in whole hours of the service's clock; told in UTC."""
    result = glm("usage", "--models", "--tools", "--since", "24h", "--json")
    assert result.exit_code == 0
    assert result.json["models"]["totals"] == {"glm-5.3": 55200}
    assert result.json["tools"]["totals"] == {"search-prime": 24, "web-reader": 12, "zread": 0}
    assert len(result.json["models"]["times"]) == len(result.json["models"]["by_name"]["glm-5.3"])
    assert result.json["models"]["times"][0].endswith("T16:00:00Z")  # midnight in UTC+8
    query = plan.last.query
    assert (query["startTime"][-6:], query["endTime"][-6:]) == (":00:00", ":59:59")
    shown = glm("usage", "--tools", tty=True).stdout.splitlines()
    assert shown[0].split() == ["CALLS", "TOTAL"]
    assert shown[1].split()[:2] == ["search-prime", "24"]
    assert "▄█" in shown[1]


@pytest.mark.parametrize(
    "argv",
    [
        ["--local", "--models"],
        ["--by", "day", "--tools"],
        ["--local", "--fail-above", "9"],
        ["30"],
        ["--since", "soon"],
    ],
)
def test_what_does_not_go_together(glm: Glm, argv: list[str]) -> None:
    """Exit 2, and nobody is asked."""
    assert glm("usage", *argv).exit_code == 2


# -- watching ---------------------------------------------------------------------


def _watched(tty: bool, rounds: int, sleep_calls: list[float], **environ: str) -> Result:
    """What `--watch` writes until Ctrl-C in the given pause."""

    def sleep(seconds: float) -> None:
        sleep_calls.append(seconds)
        if len(sleep_calls) == rounds:
            raise KeyboardInterrupt

    stdout, stderr = (Terminal() if tty else BytesIO()), BytesIO()
    env = {**os.environ, **environ}
    app = AppContext(streams=Streams(stdin=BytesIO(), stdout=stdout, stderr=stderr, environ=env), environ=env)
    app.options.max_retries = 0
    app.sleep = sleep
    run(app, UsageOptions(watch_seconds=30))
    app.close()
    return Result(0, stdout.getvalue(), stderr.getvalue().decode())


def test_watch_shows_it_until_ctrl_c(plan: ScriptedServer) -> None:
    """A terminal is cleared before each look; a pipe gets line after line."""
    pauses: list[float] = []
    shown = _watched(True, 2, pauses)
    assert (shown.stdout.count("\x1b[H\x1b[2J"), shown.stdout.count("5 hours"), pauses) == (2, 2, [30, 30])
    assert _watched(False, 3, []).stdout.count("5 hour\t") == 3


def test_watch_outlives_a_network_that_is_gone(plan: ScriptedServer) -> None:
    """Told on stderr, and tried again."""
    result = _watched(False, 2, [], GLM_ORIGIN_INTL="http://127.0.0.1:9")
    assert result.stdout == ""
    assert result.stderr.count("trying again in 30 s") == 2


# -- the ledger ---------------------------------------------------------------------


@pytest.fixture
def recorded(home: Path) -> None:
    """A ledger with a priced, a free, an unknown and a plan's request."""
    history = History(home / "history.db")
    now = time.time()
    for entry in (
        UsageEntry("chat", "zai", "glm-5.3", "work", 1200, 200, 500, cost=1.25, currency="USD", at=now),
        UsageEntry("chat", "zai", "glm-4.7-flash", "work", 10, 0, 5, cost=0.0, currency="USD", at=now),
        UsageEntry("chat", "zhipu", "glm-5.3", "中文", 100, 0, 50, at=now),
        UsageEntry("chat", "zai-coding", "glm-5.3", "plan", 100, 0, 50, credits=12.5, at=now),
        UsageEntry("chat", "zai", "glm-5", "work", 1, 0, 1, cost=9.0, currency="USD", at=now - 40 * 86400),
    ):
        history.ledger.record(entry)
    history.close()


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("by", ["model", "profile"])
def test_the_local_sums(glm: Glm, golden: Golden, by: str) -> None:
    """A price that is not known is a question mark beside the sum, never a zero."""
    result = glm("usage", "--by", by, tty=True, env={"NO_COLOR": "1"})
    golden.check(f"usage/local-{by}.txt", result.stdout + "--\n" + result.stderr)


@pytest.mark.usefixtures("recorded")
def test_the_local_sums_for_programs(glm: Glm) -> None:
    """By day, since a date, of one profile; the prices are dated."""
    today = time.strftime("%Y-%m-%d")
    assert glm("usage", "--local").stdout == f"{today}\t4\t1410\t200\t605\t1.250000 USD\t1\t12.50\n"
    document = glm("usage", "--local", "--since", "90d", "--json").json["local"]
    assert (document["total"]["costs"], len(document["sums"])) == ({"USD": 10.25}, 2)
    assert document["prices_as_of"] == "2026-09"
    assert glm("usage", "--local", "--since", today, "-p", "plan", "--json").json["local"]["total"]["credits"] == 12.5


def test_an_empty_ledger_is_said_to_be_empty(glm: Glm, home: Path) -> None:
    """No file is made for it."""
    result = glm("usage", "--local")
    assert (result.exit_code, result.stdout, "nothing was recorded" in result.stderr) == (0, "", True)
    assert not home.exists()


@pytest.mark.parametrize(
    ("argv", "provider", "line"),
    [
        (["image", "a fox", "-o", "a.png"], "zai", "glm-image\t1\t0\t0\t0\t0.015000 USD\t0\t\n"),
        (["image", "a fox", "-o", "a.png"], "zai-coding", "glm-image\t1\t0\t0\t0\t0.015000 USD\t0\t\n"),
        (["image", "a fox", "-o", "a.png"], "zhipu", "glm-image\t1\t0\t0\t0\t\t1\t\n"),
        (["video", "a fox", "--no-wait"], "zai", "cogvideox-3\t1\t0\t0\t0\t0.200000 USD\t0\t\n"),
        (["search", "foxes"], "zai", "search-prime\t1\t0\t0\t0\t0.010000 USD\t0\t\n"),
        (["search", "foxes"], "zhipu", "search_std\t1\t0\t0\t0\t\t1\t\n"),
    ],
    ids=["picture", "picture beside a plan", "picture in China", "video", "search", "search in China"],
)
def test_what_is_paid_by_the_piece(glm: Glm, server: ScriptedServer, argv: list[str], provider: str, line: str) -> None:
    """At the public price; where that is in another currency it is unknown and no zero."""
    name = {"zai": "ZAI_API_KEY", "zai-coding": "ZAI_CODING_API_KEY", "zhipu": "ZHIPU_API_KEY"}[provider]
    key = server.keys["zai-both" if provider == "zai-coding" else provider]
    result = glm("--provider", provider, *argv, env={name: key})
    assert result.exit_code == 0, result.stderr
    assert glm("usage", "--by", "model").stdout == line


@pytest.mark.parametrize("argv", [["search", "foxes"], ["read", "https://example.com/article"]], ids=["search", "read"])
def test_a_hosted_tool_of_a_plan_takes_credits(glm: Glm, server: ScriptedServer, argv: list[str]) -> None:
    """1.2 of them for a call, and half outside the peak hours."""
    key = {"ZAI_CODING_API_KEY": server.keys["zai-coding"]}
    assert glm("--provider", "zai-coding", *argv, env=key).exit_code == 0
    assert glm("usage", "--by", "model").stdout.split("\t")[-1] in ("1.20\n", "0.60\n")


@pytest.mark.parametrize(
    ("argv", "model"),
    [(["embed", "one", "two"], "embedding-3"), (["rerank", "question", "one", "two"], "rerank")],
    ids=["embed", "rerank"],
)
def test_tokens_of_other_models(glm: Glm, server: ScriptedServer, argv: list[str], model: str) -> None:
    """What the service counted, once per request."""
    tokens = glm("--provider", "zhipu", *argv, "--json", env={"ZHIPU_API_KEY": server.keys["zhipu"]}).json["usage"]
    assert glm("usage", "--by", "model").stdout == f"{model}\t1\t{tokens['total_tokens']}\t0\t0\t\t1\t\n"


def test_nothing_is_recorded_without_leave(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """GLM_NO_LOG holds for pictures and searches, too."""
    assert glm("search", "foxes", env={"GLM_NO_LOG": "1"}).exit_code == 0
    assert not home.joinpath("history.db").exists()


def test_a_question_stands_in_the_ledger(glm: Glm, server: ScriptedServer) -> None:
    """What `glm chat` asked is what `glm usage` counts."""
    assert glm("chat", "hi").exit_code == 0
    [line] = glm("usage", "--by", "model").stdout.splitlines()
    assert line.split("\t")[:2] == ["glm-5.3", "1"]

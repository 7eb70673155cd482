"""Plan windows, use over time, subscriptions and listed models, as the service sends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from glmcli.api.calls import Call, OpenReply, Reply
from glmcli.api.resources.models import Models, models_from_json
from glmcli.api.resources.quota import (
    Metered,
    Monitor,
    Unit,
    Window,
    has_no_plan,
    model_usage_from_json,
    quota_from_json,
    service_time,
    tool_usage_from_json,
)
from glmcli.config.model import Secret
from glmcli.context import AppContext, Manner
from glmcli.errors import KeyRefused, ServiceError
from glmcli.probing import target_of
from tests.harness import ScriptedServer

# Answers of live services, as clients recorded them (shapes of both generations of plans).
CREDITS = {
    "level": "pro",
    "limits": [
        {
            "type": "CREDIT_LIMIT",
            "unit": 3,
            "number": 5,
            "usage": 12000,
            "currentValue": 5710,
            "remaining": 6289,
            "percentage": 47,
            "nextResetTime": 1789648624765,
        },
        {
            "type": "CREDIT_LIMIT",
            "unit": 6,
            "number": 1,
            "usage": 60000,
            "currentValue": 5710,
            "remaining": 54289,
            "percentage": 9,
            "nextResetTime": 1790235145997,
        },
    ],
}
LEGACY = {
    "level": "max",
    "limits": [
        {"type": "TOKENS_LIMIT", "unit": 3, "number": 5, "percentage": 25, "nextResetTime": 1770648402389},
        {
            "type": "TIME_LIMIT",
            "unit": 5,
            "number": 1,
            "usage": 4000,
            "currentValue": 1828,
            "remaining": 2172,
            "percentage": 45,
            "usageDetails": [
                {"modelCode": "search-prime", "usage": 1433},
                {"modelCode": "web-reader", "usage": 462},
                {"modelCode": "zread", "usage": 0},
            ],
        },
    ],
}


def test_credit_windows_are_chosen_by_their_unit() -> None:
    """Two windows of the same type coexist; counts are finer than the percentage."""
    quota = quota_from_json(CREDITS)
    hours = quota.window(Metered.MODELS, Unit.HOUR)
    week = quota.window(Metered.MODELS, Unit.WEEK)
    assert hours is not None
    assert week is not None
    assert (quota.level, hours.limit, hours.used, hours.remaining) == ("pro", 12000, 5710, 6289)
    assert hours.percent_used == pytest.approx(47.59, abs=0.01)
    assert (hours.seconds, week.seconds) == (5 * 3600, 7 * 86400)
    assert hours.resets_at == 1789648624.765
    assert quota.used_up is None


def test_legacy_windows_keep_their_tools() -> None:
    """Without counts the percentage is all there is; the reset of tool calls may be missing."""
    quota = quota_from_json(LEGACY)
    tokens = quota.window(Metered.MODELS, Unit.HOUR)
    tools = quota.window(Metered.TOOLS, Unit.MONTH)
    assert tokens is not None
    assert tools is not None
    assert (tokens.percent_used, tokens.limit) == (25.0, None)
    assert tools.percent_used == pytest.approx(45.7)
    assert (tools.resets_at, tools.seconds) == (None, None)
    assert dict(tools.details) == {"search-prime": 1433, "web-reader": 462, "zread": 0}


@pytest.mark.parametrize(
    ("body", "percent"),
    [
        ({"usage": 0, "remaining": 0, "percentage": 30}, 30.0),
        ({"usage": "200", "remaining": "50"}, 75.0),
        ({"usage": 100, "remaining": -1}, 100.0),
        ({"percentage": "12"}, 12.0),
        ({"percentage": 140}, 100.0),
        ({"percentage": "much"}, None),
        ({"percentage": None}, None),
        ({}, None),
    ],
    ids=["limit-zero", "numbers-as-text", "overdrawn", "percent-as-text", "above-100", "a-word", "null", "nothing"],
)
def test_the_share_is_read_whatever_is_there(body: dict[str, object], percent: float | None) -> None:
    """`usage` is the limit; where it is missing or nought, the percentage counts."""
    window = Window.from_json({"type": "TOKENS_LIMIT", "unit": 3, "number": 5, **body})
    assert window is not None
    assert window.percent_used == percent


def test_unknown_windows_are_passed_over() -> None:
    """A type that a later plan brings does not stop the rest; an unknown unit stays unknown."""
    limits = [{"type": "MOON_LIMIT", "unit": 3}, {"type": "CREDIT_LIMIT", "unit": 9, "percentage": 5}, "?"]
    (window,) = quota_from_json({"limits": limits}).windows
    assert (window.unit, window.seconds, window.number) == (None, None, 1)


def test_the_window_that_opens_last_stops_models() -> None:
    """Full tool windows stop no model."""
    limits = [
        {"type": "CREDIT_LIMIT", "unit": 3, "number": 5, "percentage": 100, "nextResetTime": 1_000_000},
        {"type": "CREDIT_LIMIT", "unit": 6, "number": 1, "percentage": 100, "nextResetTime": 2_000_000},
        {"type": "TIME_LIMIT", "unit": 5, "number": 1, "percentage": 100, "nextResetTime": 9_000_000},
    ]
    full = quota_from_json({"limits": limits}).used_up
    assert full is not None
    assert (full.unit, full.resets_at) == (Unit.WEEK, 2000.0)


def test_use_over_time_is_read_beside_its_times() -> None:
    """Parallel arrays; a hole counts as nothing."""
    series = model_usage_from_json(
        {
            "granularity": "hourly",
            "x_time": ["2026-11-20 10:00", "2026-11-20 11:00"],
            "modelCallCount": [3, None],
            "modelDataList": [{"modelName": "glm-5.3", "tokensUsage": [1200, 0], "totalTokens": 1200}],
            "modelSummaryList": [{"modelName": "glm-5.3", "totalTokens": 1200}],
        }
    )
    assert (series.calls, series.by_name, series.totals) == ((3, 0), {"glm-5.3": (1200, 0)}, {"glm-5.3": 1200})
    tools = tool_usage_from_json(
        {
            "x_time": ["10:00", "11:00"],
            "toolDataList": [
                {"toolCode": "search-prime", "usageCount": [1, 2], "totalUsageCount": 3},
                {"toolName": "Zread", "usageCount": [0, 5], "totalUsageCount": 5},
            ],
        }
    )
    assert (tools.calls, tools.totals) == ((1, 7), {"search-prime": 3, "Zread": 5})


@pytest.mark.parametrize("body", [{}, {"x_time": None, "modelDataList": "?"}], ids=["empty", "wrong-types"])
def test_an_empty_series_is_no_failure(body: dict[str, Any]) -> None:
    """Best effort: what is missing is empty."""
    assert model_usage_from_json(body).times == ()
    assert tool_usage_from_json(body).calls == ()


def test_times_are_written_for_the_clock_of_the_service() -> None:
    """UTC+8, without a zone, whatever the zone of this machine."""
    assert service_time(0) == "1970-01-01 08:00:00"


# -- over a real socket ------------------------------------------------------------


@pytest.fixture
def app(server: ScriptedServer) -> Iterator[AppContext]:
    made = AppContext()
    yield made
    made.close()


def monitor(app: AppContext, key: str) -> Monitor:
    target = target_of(app, "zai-coding")
    return Monitor(app.client_for(target, Secret(key, "a test"), manner=Manner(5, 0)))


@pytest.mark.parametrize(("account", "level"), [("zai-coding", "pro"), ("zai-legacy", "max")])
def test_the_bare_key_is_sent_first(app: AppContext, server: ScriptedServer, account: str, level: str) -> None:
    """As the vendor's plugin does; one request is enough where it is accepted."""
    assert monitor(app, server.keys[account]).quota().level == level
    assert len(server.requests) == 1
    assert server.last.headers["authorization"] == server.keys[account]


def test_the_scheme_is_tried_when_the_bare_key_is_refused(app: AppContext, server: ScriptedServer) -> None:
    """Some accounts want `Bearer`."""
    path = "/monitor/usage/quota/limit"
    server.script("GET", path, json={"code": 401, "msg": "token incorrect", "success": False})
    assert monitor(app, server.keys["zai-coding"]).quota().level == "pro"
    assert server.last.headers["authorization"] == f"Bearer {server.keys['zai-coding']}"


def test_no_plan_is_told_from_a_failure(app: AppContext, server: ScriptedServer) -> None:
    """Both come as HTTP 200 with `success: false`."""
    with pytest.raises(ServiceError) as without:
        monitor(app, server.keys["zai"]).quota()
    assert has_no_plan(without.value)
    server.script("GET", "/quota/limit", json={"code": 500, "msg": "Internal Error", "success": False})
    with pytest.raises(ServiceError) as failed:
        monitor(app, server.keys["zai"]).quota()
    assert not has_no_plan(failed.value)


def test_a_bad_key_is_refused_with_http_200(app: AppContext, server: ScriptedServer) -> None:
    """The body says 401; it is no missing plan."""
    with pytest.raises(KeyRefused) as refused:
        monitor(app, "bad.key").quota()
    assert not has_no_plan(refused.value)


@pytest.mark.parametrize("msg", ["您还没有购买 GLM Coding 套餐", "No active coding plan found for this user"])
def test_the_message_of_a_missing_plan_is_known_in_both_languages(msg: str) -> None:
    """There is no code for it."""
    assert has_no_plan(ServiceError("no", server_message=msg))


def test_series_and_subscriptions_of_a_plan(app: AppContext, server: ScriptedServer) -> None:
    """Times are encoded in UTC+8; customer ids are not kept."""
    asked = monitor(app, server.keys["zai-coding"])
    series = asked.model_usage(1795000000, 1795086400)
    assert len(series.times) == len(series.calls) == 24
    assert server.last.query == {"startTime": "2026-11-18 19:06:40", "endTime": "2026-11-19 19:06:40"}
    assert set(asked.tool_usage(1795000000, 1795086400).totals) == {"search-prime", "web-reader", "zread"}
    (subscription,) = asked.subscriptions()
    assert (subscription.product, subscription.status) == ("GLM Coding Pro", "VALID")
    assert "customer" not in repr(subscription)
    assert monitor(app, server.keys["zai"]).subscriptions() == []


def test_the_team_form_asks_with_its_type(app: AppContext, server: ScriptedServer) -> None:
    """`type=2` for a team's plan."""
    monitor(app, server.keys["zai-coding"]).quota(team=True)
    assert server.last.query == {"type": "2"}


# -- models ------------------------------------------------------------------------


class Answering:
    """A caller that answers every call with one body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def send(self, call: Call) -> Reply:
        return Reply(200, {}, self._body)

    def open(self, call: Call) -> AbstractContextManager[OpenReply]:
        raise NotImplementedError


def test_models_are_listed_in_the_order_of_the_service(app: AppContext, server: ScriptedServer) -> None:
    """With what is known of each."""
    target = target_of(app, "zai")
    listed = Models(app.client_for(target, Secret(server.keys["zai"], "a test"))).list()
    assert listed[-1].id == "glm-5.3-flash"
    assert (listed[-1].owned_by, listed[-1].created) == ("z-ai", 1786492800)


@pytest.mark.parametrize("body", [b"[]", b'{"data": {}}', b'{"object":"list"}', b"null", b"<html>hello</html>"])
def test_what_is_no_list_is_told(body: bytes) -> None:
    """A portal that answers JSON or HTML with 200 is not taken for a list of models."""
    with pytest.raises(ServiceError) as wrong:
        Models(Answering(body)).list()
    assert wrong.value.is_foreign


def test_a_refusal_in_a_200_is_a_refusal() -> None:
    """A gateway that answers 200 to everything is still understood."""
    with pytest.raises(KeyRefused):
        Models(Answering(b'{"error":{"code":"1000","message":"Authentication Failed"}}')).list()


def test_entries_without_an_id_are_left_out() -> None:
    """The rest of the list is good."""
    assert [model.id for model in models_from_json({"data": [{"id": "glm-5.3"}, {}, "?", {"id": None}]})] == ["glm-5.3"]

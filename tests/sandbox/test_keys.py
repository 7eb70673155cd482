"""Whose key opens what: region, plan, balance, and the ways of sending it."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from glmcli.sandbox.accounts import ACCOUNTS
from glmcli.sandbox.app import Sandbox
from tests.sandbox.conftest import CHAT, CODING_CHAT, Caller

BODY = {"model": "glm-5.3", "messages": [{"role": "user", "content": "hi"}]}
MESSAGES = "/api/anthropic/v1/messages"
MODELS = "/api/paas/v4/models"
QUOTA = "/api/monitor/usage/quota/limit"


def jwt(key: str, *, ttl_seconds: float = 60, secret: str | None = None, **header: object) -> str:
    """A token as the vendor's SDK makes it; `header` and `secret` may spoil it."""
    key_id, good_secret = key.split(".")
    now = time.time() * 1000
    claims = {"api_key": key_id, "exp": now + ttl_seconds * 1000, "timestamp": now}
    signed = ".".join(_encode(part) for part in ({"alg": "HS256", "sign_type": "SIGN", **header}, claims))
    digest = hmac.digest((secret or good_secret).encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@pytest.mark.parametrize("key", ["zai", "zhipu", "zai-both", "sandbox"])
def test_balance_pays_on_the_general_base(call: Caller, key: str) -> None:
    """Accounts with balance, and the sandbox's own."""
    assert call.chat(key=key).status == 200


@pytest.mark.parametrize("key", ["zai-coding", "zhipu-coding", "zai-legacy", "zai-both", "sandbox"])
def test_a_plan_pays_on_the_coding_base(call: Caller, key: str) -> None:
    """Accounts with a plan, and the sandbox's own."""
    assert call.chat(key=key, path=CODING_CHAT).status == 200


@pytest.mark.parametrize(
    ("key", "path", "code"),
    [
        pytest.param("zai-coding", CHAT, "1113", id="plan key on the general base"),
        pytest.param("zhipu-coding", CHAT, "1113", id="the same in China"),
        pytest.param("zai", CODING_CHAT, "1113", id="pay-as-you-go key on the coding base"),
        pytest.param("zai-empty", CHAT, "1113", id="no balance"),
        pytest.param("zai-empty", CODING_CHAT, "1113", id="no plan"),
        pytest.param("zai-plan-expired", CODING_CHAT, "1309", id="expired plan"),
        pytest.param("zai-window-used-up", CODING_CHAT, "1308", id="five hours used up"),
        pytest.param("zai-week-used-up", CODING_CHAT, "1310", id="week used up"),
        pytest.param("zai-fair-use", CODING_CHAT, "1313", id="fair use"),
        pytest.param("zai-enterprise", CODING_CHAT, "1315", id="enterprise key"),
        pytest.param("zai-rate-limited", CHAT, "1302", id="rate limit"),
        pytest.param("zai-overloaded", CHAT, "1305", id="overloaded"),
    ],
)
def test_a_key_that_cannot_pay_is_refused(call: Caller, key: str, path: str, code: str) -> None:
    """429 with the code of the situation."""
    answer = call.chat(key=key, path=path)

    assert (answer.status, answer.code) == (429, code)


def test_a_used_up_window_says_when_it_resets() -> None:
    """The text holds a time in UTC+8 without a zone, the same one that the quota names."""
    sandbox = Sandbox(clock=lambda: 1_790_000_000.0)
    body = json.dumps(BODY).encode()

    refused = _ask(sandbox, "POST", CODING_CHAT, body, sandbox.keys["zai-window-used-up"])
    quota = _ask(sandbox, "GET", QUOTA, b"", sandbox.keys["zai-window-used-up"])

    assert "will reset at 2026-09-21 23:43:20" in refused["error"]["message"]
    assert quota["data"]["limits"][0]["nextResetTime"] == 1_790_005_400_000


def _ask(sandbox: Sandbox, method: str, path: str, body: bytes, key: str) -> Any:
    """Call the application without a server, as the client does in process."""
    from io import BytesIO

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "sandbox.localhost",
        "SERVER_PORT": "80",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "wsgi.input": BytesIO(body),
    }
    return json.loads(b"".join(sandbox(environ, lambda *_: lambda data: None)))


@pytest.mark.parametrize("key", ["zai", "zai-coding", "zai-both"])
def test_the_anthropic_base_takes_either(call: Caller, key: str) -> None:
    """A plan pays if there is one, the balance otherwise."""
    assert call("POST", MESSAGES, {**BODY, "max_tokens": 9}, key=key).status == 200


@pytest.mark.parametrize("key", ["zai", "zai-coding", "zai-empty", "zai-plan-expired"])
def test_listing_models_costs_nothing(call: Caller, key: str) -> None:
    """A good key is enough on both bases, so the list cannot tell a plan from balance."""
    assert call("GET", MODELS, key=key).status == 200
    assert call("GET", "/api/coding/paas/v4/models", key=key).status == 200


def test_a_sandbox_of_one_region_refuses_the_keys_of_the_other(serve: Callable[[Sandbox], Caller]) -> None:
    """401 with 1000; its own keys and the sandbox's are good, and only they are named."""
    call = serve(Sandbox(region="cn"))
    foreign = {"Authorization": f"Bearer {ACCOUNTS['zai'].key}"}

    answer = call("POST", CHAT, BODY, key=None, headers=foreign)

    assert (answer.status, answer.code) == (401, "1000")
    assert call.chat(key="zhipu").status == 200
    assert call.chat(key="sandbox").status == 200
    assert "zai" not in call.sandbox.keys


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, "1001", id="no key"),
        pytest.param({"Authorization": "Bearer "}, "1001", id="empty key"),
        pytest.param({"Authorization": "Bearer nobody.atall"}, "1000", id="unknown key"),
        pytest.param({"x-api-key": ACCOUNTS["zai"].key}, "1001", id="x-api-key"),
        pytest.param({"Authorization": ACCOUNTS["zai"].key}, "1001", id="without Bearer"),
        pytest.param({"Authorization": "Basic abc"}, "1001", id="basic"),
        pytest.param({"Authorization": "Bearer a.b.c"}, "1002", id="broken token"),
    ],
)
def test_a_key_must_be_sent_as_bearer(call: Caller, headers: dict[str, str], code: str) -> None:
    """The OpenAI-style bases know no other way."""
    answer = call("POST", CHAT, BODY, key=None, headers=headers)

    assert (answer.status, answer.code) == (401, code)


def test_the_anthropic_base_takes_x_api_key(call: Caller) -> None:
    """Both headers work there; without one the envelope is Anthropic's."""
    body = {**BODY, "max_tokens": 9}

    assert call("POST", MESSAGES, body, key=None, headers={"x-api-key": call.sandbox.keys["zai"]}).status == 200
    refused = call("POST", MESSAGES, body, key=None)
    assert refused.status == 401
    assert refused.json["type"] == "error"
    assert refused.json["error"]["type"] == "authentication_error"
    assert refused.json["error"]["message"].startswith("[1001][")
    assert refused.json["request_id"] == refused.headers["x-log-id"]


def test_the_monitor_takes_a_bare_key(call: Caller) -> None:
    """As the vendor's own plugin sends it."""
    bare = call("GET", QUOTA, key=None, headers={"Authorization": call.sandbox.keys["zai-coding"]})

    assert bare.json["success"] is True
    assert call("GET", QUOTA, key="zai-coding").json["success"] is True


@pytest.mark.parametrize(
    ("spoiled", "code"),
    [
        pytest.param({"ttl_seconds": -1}, "1003", id="expired"),
        pytest.param({"secret": "wrong"}, "1000", id="wrong secret"),
        pytest.param({"sign_type": None}, "1002", id="no sign_type"),
        pytest.param({"alg": "none"}, "1002", id="not signed"),
    ],
)
def test_a_spoiled_token_is_refused(call: Caller, spoiled: dict[str, Any], code: str) -> None:
    """Times are milliseconds, the algorithm HS256, `sign_type` SIGN."""
    token = jwt(call.sandbox.keys["zai"], **spoiled)

    answer = call("POST", CHAT, BODY, key=None, headers={"Authorization": f"Bearer {token}"})

    assert (answer.status, answer.code) == (401, code)


def test_a_token_in_seconds_has_expired(call: Caller) -> None:
    """The mistake of a well-known sample: seconds look like 1970."""
    key_id, secret = call.sandbox.keys["zai"].split(".")
    claims = {"api_key": key_id, "exp": int(time.time()) + 60, "timestamp": int(time.time())}
    signed = f"{_encode({'alg': 'HS256', 'sign_type': 'SIGN'})}.{_encode(claims)}"
    digest = base64.urlsafe_b64encode(hmac.digest(secret.encode(), signed.encode(), "sha256")).decode().rstrip("=")

    answer = call("POST", CHAT, BODY, key=None, headers={"Authorization": f"Bearer {signed}.{digest}"})

    assert answer.code == "1003"


def test_a_good_token_opens_what_its_key_opens(call: Caller) -> None:
    """A token stands for its key, plan and region included."""
    header = {"Authorization": f"Bearer {jwt(call.sandbox.keys['zai-coding'])}"}

    assert call("POST", CODING_CHAT, BODY, key=None, headers=header).status == 200
    assert call("POST", CHAT, BODY, key=None, headers=header).code == "1113"


def test_every_key_has_the_form_of_the_vendor() -> None:
    """32 hex digits, a dot, 16 letters or digits; no two are the same."""
    keys = [account.key for account in ACCOUNTS.values()]

    assert len(set(keys)) == len(keys)
    for key in keys:
        key_id, secret = key.split(".")
        assert len(bytes.fromhex(key_id)) == 16
        assert len(secret) == 16
        assert secret.isalnum()


# --- usage of the plan -------------------------------------------------------


def test_quota_of_a_credit_plan(call: Caller) -> None:
    """Two windows of credits: `usage` is the limit, `currentValue` what was used."""
    data = call("GET", QUOTA, key="zai-coding").json["data"]

    assert data["level"] == "pro"
    assert [(window["type"], window["unit"], window["number"], window["usage"]) for window in data["limits"]] == [
        ("CREDIT_LIMIT", 3, 5, 12000),
        ("CREDIT_LIMIT", 6, 1, 60000),
    ]
    for window in data["limits"]:
        assert window["currentValue"] + window["remaining"] == window["usage"]


def test_quota_of_a_legacy_plan(call: Caller) -> None:
    """Tokens without a limit, and tool calls by the month without a reset time."""
    tokens, calls = call("GET", QUOTA, key="zai-legacy").json["data"]["limits"]

    assert (tokens["type"], "usage" in tokens) == ("TOKENS_LIMIT", False)
    assert (calls["type"], "nextResetTime" in calls) == ("TIME_LIMIT", False)
    assert {detail["modelCode"] for detail in calls["usageDetails"]} == {"search-prime", "web-reader", "zread"}


@pytest.mark.parametrize(
    ("key", "code", "words"),
    [
        pytest.param("zai", 500, "coding plan", id="no plan"),
        pytest.param("zai-plan-expired", 500, "coding plan", id="expired"),
        pytest.param(None, 401, "Authentication", id="no key"),
    ],
)
def test_a_failing_monitor_still_answers_200(call: Caller, key: str | None, code: int, words: str) -> None:
    """Failure stands in the body: `success` and `code`."""
    answer = call("GET", QUOTA, key=key)

    assert answer.status == 200
    assert (answer.json["success"], answer.json["code"]) == (False, code)
    assert words in answer.json["msg"]


def test_usage_by_model_and_tool_needs_its_times(call: Caller) -> None:
    """With both times the columns have equal lengths; without them nothing comes."""
    times = "startTime=2026-11-20%2010:00:00&endTime=2026-11-21%2010:59:59"

    models = call("GET", f"/api/monitor/usage/model-usage?{times}", key="zai-coding").json["data"]
    tools = call("GET", f"/api/monitor/usage/tool-usage?{times}", key="zai-coding").json["data"]

    assert len(models["x_time"]) == len(models["tokensUsage"]) == len(models["modelDataList"][0]["tokensUsage"])
    assert len(tools["x_time"]) == len(tools["networkSearchCount"]) == len(tools["zreadMcpCount"])
    assert call("GET", "/api/monitor/usage/model-usage", key="zai-coding").json["success"] is False


@pytest.mark.parametrize(
    ("key", "statuses"), [("zai-coding", ["VALID"]), ("zai-plan-expired", ["EXPIRED"]), ("zai", [])]
)
def test_subscriptions(call: Caller, key: str, statuses: list[str]) -> None:
    """One line per plan."""
    data = call("GET", "/api/biz/subscription/list", key=key).json["data"]

    assert [line["status"] for line in data] == statuses


# --- models and tokens -------------------------------------------------------


def test_models_of_the_anthropic_base_need_no_key(call: Caller) -> None:
    """So the list there proves nothing about a key."""
    answer = call("GET", "/api/anthropic/v1/models", key=None)

    assert answer.status == 200
    assert "glm-5.3" in {model["id"] for model in answer.json["data"]}


def test_models_are_no_complete_catalogue(call: Caller) -> None:
    """Vision models are missing from the list, as recorded."""
    listed = call("GET", MODELS).json

    assert listed["object"] == "list"
    assert {model["object"] for model in listed["data"]} == {"model"}
    assert "glm-4.6v" not in {model["id"] for model in listed["data"]}


def test_tokens_are_counted(call: Caller) -> None:
    """More text, more tokens; pictures are counted apart."""
    long, short = (_count(call, {"role": "user", "content": "word " * number}) for number in (100, 10))

    assert long["prompt_tokens"] - short["prompt_tokens"] == 90
    assert long["total_tokens"] == long["prompt_tokens"]


def _count(call: Caller, message: dict[str, Any]) -> Any:
    return call("POST", "/api/paas/v4/tokenizer", {"model": "glm-4.6", "messages": [message]}).json["usage"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"model": "glm-5.3"}, "1211", id="a model that it does not know"),
        pytest.param({"model": "glm-4-air"}, "1211", id="a model of the other region"),
        pytest.param({"messages": [{"role": "system", "content": "x"}]}, "1214", id="only a system message"),
        pytest.param({"stream": True}, "1210", id="unknown field"),
        pytest.param({"messages": None}, "1213", id="no messages"),
    ],
)
def test_the_tokenizer_is_strict(call: Caller, fields: dict[str, Any], code: str) -> None:
    """It has a list of models of its own."""
    body = {"model": "glm-4.6", "messages": [{"role": "user", "content": "x"}], **fields}

    assert call("POST", "/api/paas/v4/tokenizer", body).code == code


def test_an_unknown_path_is_404(call: Caller) -> None:
    """With and without a key, below and beside the bases."""
    for path in ("/api/paas/v4/nothing", "/elsewhere", "/"):
        assert call("GET", path, key=None).status == 404

"""The router of the sandbox: weights, budget, rate and keys, asked by clients that we did not write."""

from __future__ import annotations

import json

import anthropic
import openai
import pytest

from glmcli.sandbox.router import DAILY_BUDGET, REQUESTS_PER_MINUTE, WEIGHTS, weight_of
from tests.sandbox.conftest import Caller

CHAT = "/router/v1/chat/completions"
BODY = {"model": "glm-4.5-air", "messages": [{"role": "user", "content": "echo: hi"}]}
PROMPT = "\n\nHuman: echo: hello\n\nAssistant:"


def test_openai_s_package_talks_to_it(call: Caller) -> None:
    """Whole and streamed, with what is left in the headers."""
    client = openai.OpenAI(base_url=f"{call.server.address}/router/v1", api_key=call.sandbox.keys["router"])
    with client:
        reply = client.chat.completions.with_raw_response.create(
            model="glm-4.5-air", messages=[{"role": "user", "content": "echo: hi"}]
        )
        assert reply.parse().choices[0].message.content == "hi"
        assert reply.headers["x-ratelimit-limit-requests"] == str(REQUESTS_PER_MINUTE)
        assert reply.headers["x-ratelimit-remaining-requests"] == str(REQUESTS_PER_MINUTE - 1)
        assert "glm-5.3" in [model.id for model in client.models.list()]
        with pytest.raises(openai.AuthenticationError, match="not one of this router"):
            client.with_options(api_key=call.sandbox.keys["zai"]).models.list()


def test_anthropic_s_package_talks_to_it(call: Caller) -> None:
    """Messages; the key comes as `x-api-key`."""
    client = anthropic.Anthropic(base_url=f"{call.server.address}/router", api_key=call.sandbox.keys["router"])
    with client:
        message = client.messages.create(
            model="glm-4.5-air", max_tokens=100, messages=[{"role": "user", "content": "echo: hello"}]
        )
        assert message.content[-1].type == "text"
        assert message.content[-1].text == "hello"


def test_legacy_completions(call: Caller) -> None:
    """Whole and in pieces; Anthropic's own package has dropped them."""
    body = {"model": "glm-4.5-air", "prompt": PROMPT, "max_tokens_to_sample": 100}
    head = {"x-api-key": call.sandbox.keys["router"]}
    whole = call("POST", "/router/v1/complete", body, key=None, headers=head).json
    assert (whole["type"], whole["completion"], whole["stop_reason"]) == ("completion", " hello", "stop_sequence")
    streamed = call("POST", "/router/v1/complete", {**body, "stream": True}, key=None, headers=head)
    pieces = [json.loads(payload) for payload in streamed.payloads]
    assert "".join(piece["completion"] for piece in pieces) == " hello"
    assert [piece["stop_reason"] for piece in pieces if piece["stop_reason"]] == ["stop_sequence"]


@pytest.mark.parametrize("model", [*WEIGHTS, "glm-5"])
def test_tokens_are_weighed(call: Caller, model: str) -> None:
    """What is left shrinks by tokens times weight; a model that is not named counts double."""
    reply = call("POST", CHAT, {**BODY, "model": model}, key="router")
    tokens = reply.json["usage"]["total_tokens"]
    left = float(reply.headers["x-ratelimit-remaining-tokens"])
    assert left == pytest.approx(DAILY_BUDGET - weight_of(model) * tokens, abs=0.5)
    assert weight_of("glm-5") == 2


def test_one_request_too_many_is_refused(call: Caller) -> None:
    """429 with the seconds to wait; a minute later it goes on."""
    now = 1_800_000_000.0
    call.sandbox.clock = lambda: now
    codes = [call("POST", CHAT, BODY, key="router").status for _ in range(REQUESTS_PER_MINUTE)]
    assert set(codes) == {200}
    refused = call("POST", CHAT, BODY, key="router")
    assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
    assert (refused.headers["retry-after"], refused.headers["x-ratelimit-remaining-requests"]) == ("60", "0")
    now += 60
    assert call("POST", CHAT, BODY, key="router").status == 200


def test_the_budget_is_that_of_a_day(call: Caller) -> None:
    """Used up is 429 insufficient_quota, until the next day (UTC)."""
    now = 1_800_000_000.0
    call.sandbox.clock = lambda: now
    call.sandbox.store("router")["budget"] = 1
    assert [call("POST", CHAT, BODY, key="router").status for _ in range(2)] == [200, 429]
    refused = call("POST", CHAT, BODY, key="router")
    assert (refused.code, refused.headers.get("retry-after")) == ("insufficient_quota", None)
    now += 86400
    assert call("POST", CHAT, BODY, key="router").status == 200


@pytest.mark.parametrize(
    ("key", "words"), [("router-ended", "expired"), ("zai", "not one of this router")], ids=["ended", "another's"]
)
def test_keys_of_others_and_ended_ones_are_refused(call: Caller, key: str, words: str) -> None:
    """401 in the shape of the protocol that was spoken."""
    chat = call("POST", CHAT, BODY, key=key)
    messages = call("POST", "/router/v1/messages", {**BODY, "max_tokens": 10}, key=key)
    assert (chat.status, chat.code, words in chat.message) == (401, "invalid_api_key", True)
    assert (messages.status, messages.json["type"], words in messages.json["error"]["message"]) == (401, "error", True)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"prompt": "hello"}, 400, id="no turns"),
        pytest.param({"prompt": "\n\nHuman: hello"}, 400, id="nobody to answer"),
        pytest.param({"max_tokens_to_sample": 0}, 400, id="no tokens"),
        pytest.param({"model": "gpt-2"}, 404, id="unknown model"),
    ],
)
def test_a_legacy_prompt_is_checked(call: Caller, changes: dict[str, object], status: int) -> None:
    """The turns must be there, and a model."""
    body = {"model": "glm-4.5-air", "prompt": PROMPT, "max_tokens_to_sample": 10, **changes}
    assert call("POST", "/router/v1/complete", body, key="router").status == status

"""What the sandbox answers, whole and in pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glmcli.sandbox import tokens
from tests.sandbox.conftest import CODING_CHAT, Caller

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather.", "parameters": WEATHER}}
TIME = {"type": "function", "function": {"name": "get_time", "description": "Time.", "parameters": {}}}


def content_of(body: Any) -> str:
    return str(body["choices"][0]["message"]["content"])


def test_an_answer_says_that_it_comes_from_a_sandbox(call: Caller) -> None:
    """Nobody shall take the demo answer for a model's; it holds what a renderer must master."""
    answer = call.chat("What is the meaning of life?")

    content = content_of(answer.json)
    assert "No model was asked" in content
    for piece in ("| Table |", "```python", "1. One", "中文", "> Start"):
        assert piece in content


def test_the_same_question_gets_the_same_answer(call: Caller) -> None:
    """Answers are deterministic, ids are not."""
    first, second = call.chat("hello").json, call.chat("hello").json

    assert first["choices"] == second["choices"]
    assert first["id"] != second["id"]


def test_echo_answers_exactly_the_text(call: Caller) -> None:
    """Spaces, line ends, control characters and emoji come back as they went."""
    text = " two  spaces\n\n\ttab \u2028 \x1b[31m 😀 é\n"

    assert content_of(call.chat(f"echo:{text}").json) == text[1:]
    assert call.chat(f"echo: {text}", stream=True).joined("content") == text


def test_a_stream_gives_reasoning_first_then_content_then_usage(call: Caller) -> None:
    """Reasoning never follows content; finish reason and usage come in the last chunk, then [DONE]."""
    answer = call.chat("hello", stream=True)

    kinds = [next(iter(chunk["choices"][0]["delta"].keys() - {"role"})) for chunk in answer.chunks]
    assert kinds == sorted(kinds, reverse=True)
    assert set(kinds) == {"content", "reasoning_content"}
    last = answer.chunks[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["total_tokens"] > 0
    assert answer.payloads[-1] == "[DONE]"
    assert not any("usage" in chunk for chunk in answer.chunks[:-1])


def test_a_stream_joins_to_the_whole_answer(call: Caller) -> None:
    """Streamed or not, the words are the same."""
    whole = call.chat("hello").json["choices"][0]["message"]
    streamed = call.chat("hello", stream=True)

    assert streamed.joined("content") == whole["content"]
    assert streamed.joined("reasoning_content") == whole["reasoning_content"]


def test_the_log_id_stands_in_header_and_body(call: Caller) -> None:
    """X-Log-Id names the request, and so does `id`; a request_id is given back."""
    answer = call.chat(request_id="my-request-1")

    assert answer.headers["x-log-id"] == answer.json["id"]
    assert answer.json["request_id"] == "my-request-1"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"model": "glm-4.7", "thinking": {"type": "disabled"}}, id="switched off"),
        pytest.param({"model": "glm-5.2", "reasoning_effort": "none"}, id="no effort"),
        pytest.param({"model": "glm-4-32b-0414-128k"}, id="a model that cannot think"),
    ],
)
def test_without_thinking_there_is_no_reasoning(call: Caller, fields: dict[str, Any]) -> None:
    """Reasoning is left out where the request or the model says so."""
    assert "reasoning_content" not in call.chat(**fields).json["choices"][0]["message"]


def test_a_small_budget_is_eaten_by_reasoning(call: Caller) -> None:
    """`max_tokens: 1` leaves no content at all, as on the service."""
    choice = call.chat(max_tokens=1).json["choices"][0]

    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")


@pytest.mark.parametrize("budget", [5, 40, 100])
def test_the_budget_is_never_exceeded(call: Caller, budget: int) -> None:
    """completion_tokens stays within max_tokens, and equals it when the answer is cut."""
    body = call.chat("repeat: 500", max_tokens=budget).json

    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == budget


def test_repeat_makes_answers_of_a_given_length(call: Caller) -> None:
    """`repeat: N` answers N tokens, so that speed and budgets can be tested."""
    content = content_of(call.chat("repeat: 1234", max_tokens=5000).json)

    assert tokens.count(content) == 1234


def test_a_stop_word_ends_the_answer(call: Caller) -> None:
    """What follows the stop word is not sent."""
    assert content_of(call.chat("echo: one END two", stop=["END"]).json) == "one "


def test_a_repeated_beginning_is_cached(call: Caller) -> None:
    """The second turn of a conversation counts the first as cached."""
    first = call.chat("hello").json
    turns = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": content_of(first)},
        {"role": "user", "content": "again"},
    ]

    second = call.chat(messages=turns).json

    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] == first["usage"]["prompt_tokens"]


def test_too_long_a_prompt_is_refused(call: Caller) -> None:
    """Beyond the context of the model the code is 1261."""
    answer = call.chat("word " * 130_000, model="glm-4.5")

    assert (answer.status, answer.code) == (400, "1261")


# --- tools -------------------------------------------------------------------


def test_a_function_named_in_the_prompt_is_called(call: Caller) -> None:
    """Arguments are those of the prompt when it has some."""
    choice = call.chat('get_weather {"city": "北京"} please', tools=[TIME, TOOL]).json["choices"][0]

    (called,) = choice["message"]["tool_calls"]
    assert called["function"]["name"] == "get_weather"
    assert json.loads(called["function"]["arguments"]) == {"city": "北京"}
    assert choice["finish_reason"] == "tool_calls"


def test_several_functions_are_called_at_once(call: Caller) -> None:
    """Each named function is called, with an id of its own."""
    calls = call.chat("get_weather and get_time", tools=[TIME, TOOL]).json["choices"][0]["message"]["tool_calls"]

    assert {called["function"]["name"] for called in calls} == {"get_weather", "get_time"}
    assert len({called["id"] for called in calls}) == 2


@pytest.mark.parametrize(
    ("tool_stream", "pieces"), [pytest.param(False, 1, id="whole"), pytest.param(True, 5, id="in pieces")]
)
def test_arguments_come_in_pieces_only_on_request(call: Caller, tool_stream: bool, pieces: int) -> None:
    """Without `tool_stream` a call is one delta; with it, the arguments follow bit by bit."""
    answer = call.chat('get_weather {"city":"Rome"}', tools=[TOOL], stream=True, tool_stream=tool_stream or None)

    deltas = [chunk["choices"][0]["delta"].get("tool_calls") for chunk in answer.chunks]
    called = [one for delta in deltas if delta for one in delta]
    assert len(called) == pieces
    assert "".join(one["function"]["arguments"] for one in called) == '{"city":"Rome"}'
    assert ["name" in one["function"] for one in called] == [True] + [False] * (pieces - 1)


def test_broken_arguments_can_be_asked_for(call: Caller) -> None:
    """A client must survive arguments that are no JSON."""
    (called,) = call.chat('get_weather {"city": ', tools=[TOOL]).json["choices"][0]["message"]["tool_calls"]

    with pytest.raises(ValueError, match="Expecting"):
        json.loads(called["function"]["arguments"])


def test_a_tool_result_is_reported(call: Caller) -> None:
    """After a result the answer is text; with `loop` in the prompt the calls never end."""

    def after_result(prompt: str) -> Any:
        called = call.chat(prompt, tools=[TOOL]).json["choices"][0]["message"]
        turns = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": "", "tool_calls": called["tool_calls"]},
            {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "sunny"},
        ]
        return call.chat(messages=turns, tools=[TOOL]).json["choices"][0]

    assert "get_weather: sunny" in after_result("call get_weather")["message"]["content"]
    assert after_result("call get_weather in a loop")["finish_reason"] == "tool_calls"


def test_the_search_tool_brings_its_results(call: Caller) -> None:
    """`web_search[]` comes with the answer when search_result asks for it, in the stream too."""
    search = {"search_engine": "search_pro_jina", "enable": True, "search_result": True, "count": 2}
    tools = [{"type": "web_search", "web_search": search}]

    whole = call.chat("news", tools=tools).json
    streamed = call.chat("news", tools=tools, stream=True).chunks[-1]

    assert [item["refer"] for item in whole["web_search"]] == ["ref_1", "ref_2"]
    assert streamed["web_search"] == whole["web_search"]
    quiet = {"type": "web_search", "web_search": {**search, "search_result": False}}
    assert "web_search" not in call.chat("news", tools=[quiet]).json


# --- JSON mode ---------------------------------------------------------------


def test_json_mode_answers_json(call: Caller) -> None:
    """Any prompt gets a JSON object."""
    answer = call.chat("say something", response_format={"type": "json_object"})

    assert json.loads(content_of(answer.json)) == {"sandbox": True, "prompt": "say something"}


def test_json_mode_follows_a_schema_in_the_prompt(call: Caller) -> None:
    """The service has no field for a schema: it stands in the prompt, and is obeyed."""
    schema = {
        "type": "object",
        "required": ["name", "kind", "tags", "age"],
        "properties": {
            "name": {"type": "string", "minLength": 10},
            "kind": {"enum": ["cat", "dog"]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "age": {"type": "integer", "minimum": 3},
        },
    }
    answer = call.chat(f"Answer by {json.dumps(schema)} only", response_format={"type": "json_object"})

    assert json.loads(content_of(answer.json)) == {
        "name": "sandboxxxx",
        "kind": "cat",
        "tags": ["sandbox", "sandbox"],
        "age": 3,
    }


def test_broken_json_is_mended_in_the_second_turn(call: Caller) -> None:
    """`broken-json` lets a client show how it repairs an answer."""
    mode = {"type": "json_object"}
    first = content_of(call.chat("broken-json please", response_format=mode).json)
    turns = [
        {"role": "user", "content": "broken-json please"},
        {"role": "assistant", "content": first},
        {"role": "user", "content": "that was no JSON"},
    ]

    second = content_of(call.chat(messages=turns, response_format=mode).json)

    with pytest.raises(ValueError, match="Expecting"):
        json.loads(first)
    assert json.loads(second)["sandbox"] is True


# --- the plan ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "served"),
    [("glm-5.3", "glm-5.3"), ("glm-5.2", "glm-5.3"), ("glm-5.1", "glm-5.3"), ("glm-4.7", "glm-5.3-flash")],
)
def test_a_plan_serves_old_models_by_new_ones(call: Caller, asked: str, served: str) -> None:
    """`model` in the answer is the one that answered."""
    assert call.chat(model=asked, key="zai-coding", path=CODING_CHAT).json["model"] == served


@pytest.mark.parametrize(
    ("key", "model", "code"),
    [
        pytest.param("zai-coding", "glm-5v-turbo", "1311", id="not in any plan"),
        pytest.param("zai-coding", "glm-4.7-flashx", "1113", id="refused as unpaid"),
        pytest.param("zai-flash-only", "glm-5.3", "1311", id="not in this plan"),
    ],
)
def test_a_plan_refuses_other_models(call: Caller, key: str, model: str, code: str) -> None:
    """Models outside the plan are refused by name, some as if nothing paid for them."""
    answer = call.chat(model=model, key=key, path=CODING_CHAT)

    assert (answer.status, answer.code) == (429, code)


def test_an_asynchronous_request_becomes_a_task(call: Caller) -> None:
    """`async/chat/completions` answers at once with a task."""
    body = {"model": "glm-5.3", "messages": [{"role": "user", "content": "echo: later"}]}

    task = call("POST", "/api/paas/v4/async/chat/completions", body).json

    assert task["task_status"] == "PROCESSING"
    assert content_of(call.sandbox.store("chat_results")[task["id"]]) == "later"

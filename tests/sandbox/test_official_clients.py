"""The vendor's SDK and those of OpenAI and Anthropic take the sandbox for the service.

They are clients that we did not write: what they understand, the service might say.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
import zai

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server
from tests.sandbox.conftest import png

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
FUNCTION = {"name": "get_weather", "description": "The weather.", "parameters": WEATHER}
TOOLS: Any = [{"type": "function", "function": FUNCTION}]
SAID: Any = [{"role": "user", "content": "echo: 你好, world"}]
CALLING: Any = [{"role": "user", "content": "please call get_weather"}]


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    with Server(Sandbox()) as server:
        yield server


def _key(server: Server, name: str = "zai") -> str:
    assert isinstance(server.sandbox, Sandbox)
    return server.sandbox.keys[name]


# --- zai-sdk -----------------------------------------------------------------


@pytest.fixture
def vendor(service: Server) -> Any:
    return zai.ZaiClient(api_key=_key(service), base_url=f"{service.address}/api/paas/v4", max_retries=0)


def test_zai_sdk_reads_an_answer_with_its_reasoning(vendor: Any) -> None:
    """The vendor's SDK finds content, reasoning, usage and finish reason where it expects them."""
    reply = vendor.chat.completions.create(model="glm-5.3", messages=SAID)

    choice = reply.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("你好, world", "stop")
    assert "sandbox" in choice.message.reasoning_content
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_zai_sdk_reads_a_stream(vendor: Any) -> None:
    """The vendor's SDK puts the deltas of a stream together, usage in the last one."""
    chunks = list(vendor.chat.completions.create(model="glm-5.3", messages=SAID, stream=True))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "你好, world"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens > 0


def test_zai_sdk_reads_tool_calls(vendor: Any) -> None:
    """A call of a function arrives with arguments that its schema allows."""
    reply = vendor.chat.completions.create(model="glm-5.3", messages=CALLING, tools=TOOLS)

    (call,) = reply.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert {"city", "days"} == set(json.loads(call.function.arguments))


def test_zai_sdk_goes_on_after_a_tool_result(vendor: Any) -> None:
    """Its own message, given back as it came, is understood with the result behind it."""
    first = vendor.chat.completions.create(model="glm-5.3", messages=CALLING, tools=TOOLS).choices[0].message
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "rain"}
    turns = [*CALLING, first.model_dump(exclude_none=True), result]

    second = vendor.chat.completions.create(model="glm-5.3", messages=turns, tools=TOOLS)

    assert "get_weather: rain" in second.choices[0].message.content


@pytest.mark.parametrize("thinking", ["enabled", "disabled"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_zai_sdk_turns_thinking_on_and_off(vendor: Any, thinking: str, stream: bool) -> None:
    """The reasoning is there or not, whole and in pieces."""
    asked = {"model": "glm-4.7", "messages": SAID, "thinking": {"type": thinking}}
    reply = vendor.chat.completions.create(**asked, stream=stream)
    messages = [chunk.choices[0].delta for chunk in reply] if stream else [reply.choices[0].message]

    reasoning = "".join(message.reasoning_content or "" for message in messages)
    assert bool(reasoning) is (thinking == "enabled")


def test_zai_sdk_shows_a_picture(vendor: Any) -> None:
    """It cuts off what says the type of a data URL; the bare base64 is measured all the same."""
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]

    reply = vendor.chat.completions.create(model="glm-4.6v", messages=[{"role": "user", "content": parts}])

    assert "3x2 pixels" in reply.choices[0].message.content


# PyJWT finds the secret of the vendor's keys, 16 characters, short.
@pytest.mark.filterwarnings("ignore:The HMAC key is 16 bytes long")
def test_zai_sdk_authenticates_with_a_token_of_its_own_making(service: Server) -> None:
    """The JWT that the vendor's SDK signs is accepted."""
    client: Any = zai.ZaiClient(
        api_key=_key(service), base_url=f"{service.address}/api/paas/v4", disable_token_cache=False, max_retries=0
    )

    reply = client.chat.completions.create(model="glm-5.3", messages=SAID)

    assert reply.choices[0].message.content == "你好, world"


@pytest.mark.parametrize(
    ("key", "error"),
    [
        pytest.param("zai-empty", "APIReachLimitError", id="no balance"),
        pytest.param("zai-coding", "APIReachLimitError", id="plan key on the general base"),
        pytest.param("zai-locked", "APIStatusError", id="locked account"),
    ],
)
def test_zai_sdk_raises_the_error_of_the_status(service: Server, key: str, error: str) -> None:
    """Refusals come with the HTTP status that the SDK has an exception for."""
    client = zai.ZaiClient(api_key=_key(service, key), base_url=f"{service.address}/api/paas/v4", max_retries=0)

    with pytest.raises(zai.core.APIStatusError) as raised:
        client.chat.completions.create(model="glm-5.3", messages=SAID)

    assert error == type(raised.value).__name__


# --- openai ------------------------------------------------------------------


@pytest.fixture
def open_client(service: Server) -> openai.OpenAI:
    return openai.OpenAI(
        api_key=_key(service, "zai-coding"), base_url=f"{service.address}/api/coding/paas/v4", max_retries=0
    )


@pytest.mark.parametrize(
    ("key", "base"),
    [
        ("zai", "/api/paas/v4"),
        ("zai-coding", "/api/coding/paas/v4"),
        ("zhipu", "/api/paas/v4"),
        ("zhipu-coding", "/api/coding/paas/v4"),
    ],
)
def test_openai_asks_at_both_bases_of_both_regions(service: Server, key: str, base: str) -> None:
    """Whole and in pieces; the reasoning is a field beyond those that the OpenAI SDK knows."""
    client = openai.OpenAI(api_key=_key(service, key), base_url=service.address + base, max_retries=0)

    whole = client.chat.completions.create(model="glm-5.3", messages=SAID).choices[0]
    pieces = [chunk.choices[0] for chunk in client.chat.completions.create(model="glm-5.3", messages=SAID, stream=True)]

    assert (whole.message.content, whole.finish_reason) == ("你好, world", "stop")
    assert "".join(piece.delta.content or "" for piece in pieces) == "你好, world"
    assert "sandbox" in whole.message.model_dump()["reasoning_content"]
    assert whole.message.model_dump()["reasoning_content"] == "".join(
        piece.delta.model_dump().get("reasoning_content") or "" for piece in pieces
    )


def test_openai_draws(service: Server) -> None:
    """Its method for pictures finds an address, from which a PNG comes."""
    client = openai.OpenAI(api_key=_key(service), base_url=f"{service.address}/api/paas/v4", max_retries=0)

    (drawn,) = client.images.generate(model="glm-image", prompt="a fox").data or []

    assert drawn.url is not None
    with urllib.request.urlopen(drawn.url) as reply:
        assert reply.read(4) == b"\x89PNG"


def test_openai_reads_a_stream_on_the_coding_base(open_client: openai.OpenAI) -> None:
    """The OpenAI SDK reads deltas, and the model that a plan puts in place of an older one."""
    chunks = list(open_client.chat.completions.create(model="glm-5.2", messages=SAID, stream=True))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "你好, world"
    assert {"glm-5.3"} == {chunk.model for chunk in chunks}


def test_openai_gathers_tool_arguments_that_come_in_pieces(open_client: openai.OpenAI) -> None:
    """With `tool_stream`, pieces with the same index make one call."""
    chunks = list(
        open_client.chat.completions.create(
            model="glm-5.3", messages=CALLING, tools=TOOLS, stream=True, extra_body={"tool_stream": True}
        )
    )

    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    arguments = [piece.function.arguments or "" for piece in pieces if piece.function]
    assert len(arguments) > 2
    assert {"city", "days"} == set(json.loads("".join(arguments)))
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_openai_goes_on_after_a_tool_result(open_client: openai.OpenAI) -> None:
    """A result returned to the model appears in its answer."""
    first = open_client.chat.completions.create(model="glm-5.3", messages=CALLING, tools=TOOLS)
    said = first.choices[0].message
    (called,) = said.tool_calls or []
    result: Any = {"role": "tool", "tool_call_id": called.id, "content": "rain"}
    turn: Any = said.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})

    second = open_client.chat.completions.create(model="glm-5.3", messages=[*CALLING, turn, result], tools=TOOLS)

    assert "get_weather: rain" in (second.choices[0].message.content or "")


def test_openai_lists_models(open_client: openai.OpenAI) -> None:
    """The list has the shape of the OpenAI API."""
    assert "glm-5.3" in {model.id for model in open_client.models.list()}


def test_openai_shows_a_picture(service: Server) -> None:
    """A picture as data URL is measured."""
    client = openai.OpenAI(api_key=_key(service), base_url=f"{service.address}/api/paas/v4", max_retries=0)
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    content: Any = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]

    reply = client.chat.completions.create(model="glm-4.6v", messages=[{"role": "user", "content": content}])

    assert f"image png, {len(png())} bytes, 3x2 pixels" in (reply.choices[0].message.content or "")


def test_openai_raises_for_a_wrong_key(service: Server) -> None:
    """A key that nobody has is 401 with the code 1000."""
    client = openai.OpenAI(api_key="nobody.atall", base_url=f"{service.address}/api/paas/v4", max_retries=0)

    with pytest.raises(openai.AuthenticationError) as raised:
        client.chat.completions.create(model="glm-5.3", messages=SAID)

    assert raised.value.code == "1000"


# --- anthropic ---------------------------------------------------------------


@pytest.fixture
def claude(service: Server) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=_key(service), base_url=f"{service.address}/api/anthropic", max_retries=0)


def test_anthropic_reads_a_message_with_thinking(claude: anthropic.Anthropic) -> None:
    """Thinking comes as a block before the text."""
    reply = claude.messages.create(model="glm-5.3", max_tokens=500, messages=SAID, system="Be brief.")

    assert [block.type for block in reply.content] == ["thinking", "text"]
    assert getattr(reply.content[1], "text", None) == "你好, world"
    assert reply.stop_reason == "end_turn"


@pytest.mark.parametrize("thinking", ["enabled", "disabled"])
def test_anthropic_turns_thinking_on_and_off(claude: anthropic.Anthropic, thinking: str) -> None:
    """Its own field decides, with a budget where it is on."""
    how: Any = {"type": thinking, **({"budget_tokens": 1024} if thinking == "enabled" else {})}
    reply = claude.messages.create(model="glm-4.7", max_tokens=2000, messages=SAID, thinking=how)

    assert ("thinking" in [block.type for block in reply.content]) is (thinking == "enabled")


def test_anthropic_reads_a_stream(claude: anthropic.Anthropic) -> None:
    """Its stream helper gathers the same text, stop reason and usage."""
    with claude.messages.stream(model="glm-5.3", max_tokens=500, messages=SAID) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == "你好, world"
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


def test_anthropic_calls_a_tool_and_goes_on(claude: anthropic.Anthropic) -> None:
    """A tool_use block is answered with tool_result."""
    tools: Any = [{"name": "get_weather", "description": "The weather.", "input_schema": WEATHER}]
    with claude.messages.stream(model="glm-5.3", max_tokens=500, messages=CALLING, tools=tools) as stream:
        first = stream.get_final_message()
    used = first.content[-1]
    assert isinstance(used, anthropic.types.ToolUseBlock)
    assert used.input == {"city": "sandbox", "days": 1}
    result: Any = {"type": "tool_result", "tool_use_id": used.id, "content": "rain"}
    turns: Any = [
        *CALLING,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]

    second = claude.messages.create(model="glm-5.3", max_tokens=500, messages=turns, tools=tools)

    assert "get_weather: rain" in getattr(second.content[-1], "text", "")


def test_anthropic_shows_a_picture(claude: anthropic.Anthropic) -> None:
    """A picture as base64 source is measured."""
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "what?"}]

    reply = claude.messages.create(model="glm-4.6v", max_tokens=500, messages=[{"role": "user", "content": content}])

    assert "3x2 pixels" in getattr(reply.content[-1], "text", "")


def test_anthropic_counts_and_lists(claude: anthropic.Anthropic) -> None:
    """Token counts and the list of models are there."""
    assert claude.messages.count_tokens(model="glm-5.3", messages=SAID).input_tokens > 0
    assert "glm-5.3" in {model.id for model in claude.models.list()}


def test_anthropic_raises_for_a_rate_limit(service: Server) -> None:
    """Refusals are in the envelope of the Anthropic API, with the business code inside."""
    client = anthropic.Anthropic(
        api_key=_key(service, "zai-rate-limited"), base_url=f"{service.address}/api/anthropic", max_retries=0
    )

    with pytest.raises(anthropic.RateLimitError) as raised:
        client.messages.create(model="glm-5.3", max_tokens=5, messages=SAID)

    assert "[1302]" in raised.value.message

"""`glm chat` and `glm stream` for one answer, against the sandbox on a socket."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.harness import Glm, GlmProcess, ScriptedServer

ODD_TEXTS = {
    "chinese": "你好,世界。",
    "emoji": "a🦊b👩‍👩‍👧‍👦c",
    "line separators": "a\u2028b\u2029c\u0085d",
    "control characters": "bell\x07 escape\x1b[31mred\x1b]52;c;aGk=\x07 nul\x00 end",
    "newlines at the end": "a\n\n\n",
    "no newline at the end": "a",
    "carriage returns": "a\r\nb\rc",
    "spaces": "  a  ",
}


def text_events(text: str, size: int = 3) -> list[object]:
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    events: list[object] = [{"model": "glm-5.3", "choices": [{"delta": {"content": piece}}]} for piece in pieces]
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    return [*events, end, "[DONE]"]


def test_one_variable_is_all_the_set_up(glm: Glm, server: ScriptedServer) -> None:
    """With a key in the environment `glm chat hi` answers: no file, no profile."""
    result = glm("chat", "hi")
    assert result.exit_code == 0, result.stderr
    assert "sandbox" in result.stdout
    assert server.last.path == "/api/paas/v4/chat/completions"
    assert server.last.json["messages"][-1]["content"] == "hi"


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=list(ODD_TEXTS))
def test_stream_writes_exactly_the_models_bytes(glm: Glm, server: ScriptedServer, text: str) -> None:
    """Not a byte is added, removed or made harmless in a pipe."""
    server.script("POST", "/chat/completions", sse=text_events(text))
    assert text.encode() == glm("stream", "hi").stdout_bytes


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=list(ODD_TEXTS))
def test_chat_in_a_pipe_ends_with_exactly_one_newline(glm: Glm, server: ScriptedServer, text: str) -> None:
    """All else is untouched."""
    server.script("POST", "/chat/completions", sse=text_events(text))
    assert (text.rstrip("\n") + "\n").encode() == glm("chat", "hi").stdout_bytes


@pytest.mark.parametrize(
    ("words", "piped", "prompt"),
    [
        pytest.param(["why", "so?"], b"", "why so?", id="arguments are joined"),
        pytest.param([], b"piped\n", "piped\n", id="pipe alone, untouched"),
        pytest.param(["sum up"], b"notes", "sum up\n\nnotes", id="argument, blank line, pipe"),
        pytest.param(["sum up", "-"], b"notes", "sum up\n\nnotes", id="dash"),
        pytest.param(["-"], "\ufeff水".encode(), "水", id="byte order mark"),
        pytest.param(["--", "-v"], b"", "-v", id="after two dashes all is prompt"),
    ],
)
def test_the_prompt_comes_from_arguments_and_pipe(
    glm: Glm, server: ScriptedServer, words: list[str], piped: bytes, prompt: str
) -> None:
    """In the documented order."""
    assert glm("stream", *words, input=piped).exit_code == 0
    assert prompt == server.last.json["messages"][-1]["content"]


def test_every_option_reaches_the_request(glm: Glm, server: ScriptedServer) -> None:
    """Each under the name of the vendor's schema."""
    glm(
        "chat", "hi", "-m", "glm-4.6", "-s", "be brief", "--temperature", "0.2", "--top-p", "0.5", "--max-tokens", "99",
        "--stop", "END", "--think", "off", "--json-mode", "--user-id", "user-1", "--request-id", "request-1",
        "--set", "do_sample=false",
    )  # fmt: skip
    body = server.last.json
    assert body == {
        "model": "glm-4.6",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "stream": True,
        "temperature": 0.2,
        "top_p": 0.5,
        "max_tokens": 99,
        "stop": ["END"],
        "response_format": {"type": "json_object"},
        "request_id": "request-1",
        "user_id": "user-1",
        "thinking": {"type": "disabled"},
        "do_sample": False,
    }


@pytest.mark.parametrize(
    ("argv", "path"),
    [
        (["--provider", "zai"], "/api/paas/v4/chat/completions"),
        (["--provider", "zai-coding"], "/api/coding/paas/v4/chat/completions"),
        (["--provider", "zhipu"], "/api/paas/v4/chat/completions"),
        (["--provider", "zhipu-coding"], "/api/coding/paas/v4/chat/completions"),
        (["--provider", "bigmodel"], "/api/paas/v4/chat/completions"),
    ],
)
def test_each_provider_asks_its_own_endpoint(glm: Glm, server: ScriptedServer, argv: list[str], path: str) -> None:
    """With the key of its own variable."""
    variables = {"zai": "ZAI_API_KEY", "zai-coding": "ZAI_CODING_API_KEY", "zhipu": "ZHIPU_API_KEY"}
    variables |= {"zhipu-coding": "ZHIPU_CODING_API_KEY"}
    env = {variable: server.keys[provider] for provider, variable in variables.items()}
    result = glm("chat", "hi", *argv, env=env)
    assert (0, path) == (result.exit_code, server.last.path), result.stderr


def test_a_custom_base_url_is_asked(glm: Glm, server: ScriptedServer) -> None:
    """With its own key, and never with that of a vendor's provider."""
    base = server.address + "/api/paas/v4"
    key = server.keys["zai"]
    argv = ["chat", "hi", "--provider", "custom", "--base-url", base, "-m", "glm-4.6"]
    assert glm(*argv, env={"GLM_API_KEY": key, "ZAI_API_KEY": None}).exit_code == 0
    assert glm(*argv, env={"ZAI_API_KEY": key}).exit_code == 4


def test_a_hand_written_profile_is_used(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """Provider, model, key reference and chat defaults of `config.toml`."""
    home.mkdir(mode=0o700)
    config = home / "config.toml"
    config.write_text(
        'version = 1\ndefault_profile = "work"\n'
        '[profiles.work]\nprovider = "zhipu-coding"\nmodel = "glm-5.3"\nkey = "env:WORK_KEY"\n'
        '[profiles.work.chat]\nsystem = "be kind"\nmax_tokens = 512\n'
    )
    config.chmod(0o600)
    env = {"WORK_KEY": server.keys["zhipu-coding"], "ZAI_API_KEY": None}
    result = glm("chat", "hi", env=env)
    assert result.exit_code == 0, result.stderr
    assert server.last.path == "/api/coding/paas/v4/chat/completions"
    assert (server.last.json["messages"][0]["content"], server.last.json["max_tokens"]) == ("be kind", 512)


SCHEMA = {
    "type": "object",
    "required": [
        "schema_version",
        "content",
        "reasoning",
        "model",
        "finish_reason",
        "complete",
        "usage",
        "tool_calls",
        "sources",
        "request_id",
    ],
    "properties": {
        "schema_version": {"const": 1},
        "content": {"type": "string"},
        "reasoning": {"type": "string"},
        "model": {"type": ["string", "null"]},
        "finish_reason": {"type": ["string", "null"]},
        "complete": {"type": "boolean"},
        "usage": {"type": ["object", "null"]},
        "tool_calls": {"type": "array"},
        "sources": {"type": "array"},
        "request_id": {"type": ["string", "null"]},
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize("extra", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_chat_json_is_one_document_of_the_documented_shape(glm: Glm, server: ScriptedServer, extra: list[str]) -> None:
    """The same whether it was streamed or not."""
    document = glm("chat", "hi", "--json", *extra).json
    Draft202012Validator(SCHEMA).validate(document)
    assert (document["complete"], document["finish_reason"]) == (True, "stop")
    assert document["content"]
    assert document["reasoning"]
    assert document["usage"]["prompt_tokens"] > 0


def test_stream_json_is_one_event_per_line(glm: Glm, server: ScriptedServer) -> None:
    """The texts joined are the answer; the last lines say usage and reason."""
    server.script("POST", "/chat/completions", sse=text_events("a\u2028b水c"))
    lines = glm("stream", "hi", "--json").lines
    assert "".join(line["text"] for line in lines if line["type"] == "text") == "a\u2028b水c"
    assert {"text", "usage", "finish", "start"} == {line["type"] for line in lines}
    assert lines[-1] == {"type": "finish", "reason": "stop"} or lines[-2] == {"type": "finish", "reason": "stop"}


def test_reasoning_is_hidden_in_a_pipe_and_shown_on_request(glm: Glm, server: ScriptedServer) -> None:
    """`--thinking show` sends it to stderr, `only` to stdout."""
    events: list[object] = [{"choices": [{"delta": {"reasoning_content": "Let me see"}}]}, *text_events("Hi")]
    for _ in range(3):
        server.script("POST", "/chat/completions", sse=events)
    hidden, shown = glm("chat", "hi"), glm("chat", "hi", "--thinking", "show")
    only = glm("chat", "hi", "--thinking", "only")
    assert (hidden.stdout, hidden.stderr) == ("Hi\n", "")
    assert (shown.stdout, "Let me see" in shown.stderr) == ("Hi\n", True)
    assert only.stdout == "Let me see\n"


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [
        ("length", 0, "--max-tokens"),
        ("sensitive", 7, "content policy"),
        ("network_error", 8, "network_error"),
        ("model_context_window_exceeded", 0, "context window"),
    ],
)
def test_every_ending_other_than_stop_is_told(
    glm: Glm, server: ScriptedServer, reason: str, code: int, words: str
) -> None:
    """On stderr, with the exit code of the table; what came is kept."""
    end = {"choices": [{"delta": {}, "finish_reason": reason}]}
    server.script("POST", "/chat/completions", sse=[*text_events("Hi")[:1], end, "[DONE]"])
    result = glm("chat", "hi")
    assert (code, "Hi\n") == (result.exit_code, result.stdout)
    assert words in result.stderr


def test_a_budget_eaten_by_thinking_is_told(glm: Glm, server: ScriptedServer) -> None:
    """An empty answer with reason `length` says why it is empty."""
    thought = {"choices": [{"delta": {"reasoning_content": "hm"}}]}
    end = {"choices": [{"delta": {}, "finish_reason": "length"}]}
    server.script("POST", "/chat/completions", sse=[thought, end, "[DONE]"])
    result = glm("chat", "hi")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "thinking used up" in result.stderr


@pytest.mark.parametrize("fault", ["cut", "truncated"])
def test_a_cut_stream_keeps_what_came(glm: Glm, server: ScriptedServer, fault: str) -> None:
    """Printed, told on stderr, exit 8, and not asked again."""
    result = glm("chat", f"fault:{fault}")
    assert result.exit_code == 8
    assert "broke off" in result.stderr
    assert result.stdout.strip()
    assert len(server.requests) == 1


def test_a_failure_with_json_is_one_object_on_stderr(glm: Glm, server: ScriptedServer) -> None:
    """stdout stays empty."""
    result = glm("chat", "fault:1113", "--json")
    assert (result.exit_code, result.stdout_bytes) == (5, b"")
    assert tuple(result.error[k] for k in ("code", "http_status", "retryable")) == ("1113", 429, False)
    assert result.error["hint"]


def test_an_unknown_model_names_the_nearest_ones(glm: Glm, server: ScriptedServer) -> None:
    """1211 comes with ids that may have been meant."""
    result = glm("chat", "hi", "-m", "glm-5.33")
    assert result.exit_code == 1
    assert "1211" in result.stderr or "unknown model" in result.stderr.lower()
    assert "glm-5.3" in result.stderr


def test_a_dry_run_prints_a_command_that_a_shell_runs(glm: Glm, server: ScriptedServer) -> None:
    """The real curl sends it with the key from the variable; nothing was sent before."""
    command = glm("chat", "it's 水 $HOME `x`", "--dry-run").stdout
    assert len(server.requests) == 0
    assert "$ZAI_API_KEY" in command
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert b"data: [DONE]" in done.stdout
    assert server.last.json["messages"][-1]["content"] == "it's 水 $HOME `x`"


def test_a_long_dry_run_is_still_a_command(glm: Glm, server: ScriptedServer) -> None:
    """A body that no argument list can hold goes through a here-document."""
    command = glm("chat", "--dry-run", input=b"word " * 60000).stdout
    done = subprocess.run(["bash"], input=command.encode(), capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert server.last.json["messages"][-1]["content"] == "word " * 60000


def test_a_closed_pipe_is_quiet(glm_process: GlmProcess, server: ScriptedServer) -> None:
    """`glm stream ... | head -c 1` leaves nothing on stderr."""
    process = glm_process.start("stream", "repeat: 20000", stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 0
    process.stderr.close()


WRONG_INPUTS = [
    pytest.param([""], b"", 2, "prompt is empty", id="empty prompt"),
    pytest.param([], b"", 2, "prompt is empty", id="nothing piped"),
    pytest.param(["  "], b" \n", 2, "prompt is empty", id="blank prompt"),
    pytest.param([], b"ab\xff", 2, "not UTF-8", id="invalid UTF-8"),
    pytest.param(["hi", "--temperature", "3"], b"", 2, "0 to 1", id="temperature 3"),
    pytest.param(["hi", "--temperature", "warm"], b"", 2, "warm", id="temperature is no number"),
    pytest.param(["hi", "--max-tokens", "0"], b"", 2, "131072", id="no tokens"),
    pytest.param(["hi", "--stop", "a", "--stop", "b"], b"", 2, "one stop", id="two stops"),
    pytest.param(["hi", "--think", "hard"], b"", 2, "off, low", id="unknown level"),
    pytest.param(["hi", "--thinking", "loud"], b"", 2, "show, hide", id="unknown way"),
    pytest.param(["hi", "--set", "oops"], b"", 2, "key=value", id="set without a value"),
    pytest.param(["hi", "--provider", "openai"], b"", 3, "zhipu-coding", id="unknown provider"),
    pytest.param(["hi", "-p", "nope"], b"", 3, "nope", id="unknown profile"),
    pytest.param(["hi", "--base-url", "127.0.0.1:1/v1"], b"", 3, "scheme", id="base URL without scheme"),
    pytest.param(["hi", "--modell", "x"], b"", 2, "--model", id="mistyped option"),
]


@pytest.mark.parametrize(("argv", "piped", "code", "words"), WRONG_INPUTS)
def test_wrong_input_gets_one_clear_error(
    glm: Glm, server: ScriptedServer, argv: list[str], piped: bytes, code: int, words: str
) -> None:
    """What is wrong, the right exit code, and no request."""
    result = glm("chat", *argv, input=piped)
    assert (code, b"") == (result.exit_code, result.stdout_bytes), result.stderr
    assert words in result.stderr
    assert len(server.requests) == 0
    assert "Traceback" not in result.stderr


def test_no_key_anywhere_is_exit_4(glm: Glm, server: ScriptedServer) -> None:
    """The message names the variable and the wizard."""
    result = glm("chat", "hi", "--provider", "zhipu", env={"ZAI_API_KEY": None})
    assert result.exit_code == 4
    assert "ZHIPU_API_KEY" in result.stderr


def test_several_own_variables_are_never_guessed_between(glm: Glm, server: ScriptedServer) -> None:
    """Exit 3, naming both and the option."""
    result = glm("chat", "hi", env={"ZHIPU_API_KEY": server.keys["zhipu"]})
    assert result.exit_code == 3
    for word in ("ZAI_API_KEY", "ZHIPU_API_KEY", "--provider"):
        assert word in result.stderr


def test_a_key_with_space_around_it_works(glm: Glm, server: ScriptedServer) -> None:
    """A newline from `$(cat key)` on Windows or a careless paste does no harm."""
    assert glm("chat", "hi", env={"ZAI_API_KEY": f" {server.keys['zai']}\r\n"}).exit_code == 0


def test_a_key_with_space_inside_is_refused(glm: Glm, server: ScriptedServer) -> None:
    """Without showing it, and before anything is sent."""
    result = glm("chat", "hi", env={"ZAI_API_KEY": "abc def"})
    assert result.exit_code in (3, 4)
    assert "abc def" not in result.stderr
    assert len(server.requests) == 0


def test_a_prompt_of_five_megabytes_is_sent(glm: Glm, server: ScriptedServer) -> None:
    """Whether it fits is the model's word: the service answers 1261."""
    result = glm("chat", "-m", "glm-4.6", input=b"word " * 1_000_000)
    assert result.exit_code == 1
    assert len(server.requests) == 1
    assert json.loads(glm("explain", "1261", "--json").stdout)["meaning"]


def test_verbose_shows_the_traffic_without_the_key(glm: Glm, server: ScriptedServer) -> None:
    """`-vv` shows method, URL, headers and body."""
    result = glm("chat", "hi", "-vv")
    assert result.exit_code == 0
    assert "> POST http://127.0.0.1" in result.stderr
    assert '"model":"glm-5.3"' in result.stderr
    assert "< 200" in result.stderr


def test_waiting_for_a_retry_is_visible(glm: Glm, server: ScriptedServer) -> None:
    """Twice 1302, then the answer; each wait is told on stderr."""
    result = glm("chat", "fault:1302x2", "--max-retries", "3")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("trying again") == 2
    assert len(server.requests) == 3


def test_the_anthropic_protocol_answers_too(glm: Glm, server: ScriptedServer) -> None:
    """`--protocol anthropic` reaches `/v1/messages` and reads the same answer."""
    result = glm("chat", "echo: hello", "--protocol", "anthropic", "--json")
    assert result.exit_code == 0, result.stderr
    assert server.last.path == "/api/anthropic/v1/messages"
    assert "hello" in result.json["content"]

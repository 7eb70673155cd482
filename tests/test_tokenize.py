"""`glm tokenize`: the service's count, or an estimate that says that it is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glmcli.api.jsonfiles import FileText
from glmcli.api.resources.tokenizer import count_from_json
from glmcli.api.tokens import PER_MESSAGE, PER_REQUEST, PICTURE, estimate, estimate_request
from glmcli.errors import ExitCode, ServiceError
from glmcli.sandbox import tokens
from tests.harness import Changes, Glm, ScriptedServer
from tests.sandbox.conftest import png

WORDS = "How many tokens is this?"
NOBODY: Changes = {"ZAI_API_KEY": None}


@pytest.fixture
def weather() -> Path:
    """A file with one tool."""
    path = Path("tools.json")
    function = {"name": "get_weather", "description": "The weather.", "parameters": {"type": "object"}}
    path.write_text(json.dumps([{"type": "function", "function": function}]))
    return path


# -- counted by the service ------------------------------------------------------------------


def test_a_bare_number_in_a_pipe(glm: Glm, server: ScriptedServer) -> None:
    """And nothing else on stdout; whose count it is stands on stderr."""
    result = glm("tokenize", *WORDS.split())
    assert (result.exit_code, result.stdout) == (0, f"{tokens.count(WORDS) + tokens.PER_MESSAGE}\n")
    assert result.stderr == "glm: counted as glm-4.6 does; for glm-5.3 this is an estimate\n"
    assert server.last.json == {"model": "glm-4.6", "messages": [{"role": "user", "content": WORDS}]}
    assert server.last.path == "/api/paas/v4/tokenizer"


@pytest.mark.parametrize(
    ("argv", "piped", "content"),
    [
        (["a", "b"], "", "a b"),
        ([], "你好\n", "你好\n"),
        (["-"], "x", "x"),
        (["-f", "-"], "x", "x"),
        (["-f", "notes.md"], "", "# Notes\n"),
    ],
    ids=["words", "pipe", "dash", "file dash", "file"],
)
def test_where_the_text_comes_from(glm: Glm, server: ScriptedServer, argv: list[str], piped: str, content: str) -> None:
    """To the byte."""
    Path("notes.md").write_text("# Notes\n")
    assert glm("tokenize", *argv, input=piped).exit_code == 0
    assert server.last.json["messages"] == [{"role": "user", "content": content}]


def test_every_option_is_a_field(glm: Glm, server: ScriptedServer, weather: Path) -> None:
    """Tools, system message, ids and whatever else is set."""
    glm(
        "tokenize", "hi", "--tools", str(weather), "-s", "Be brief.", "-m", "glm-4.5", "--user-id", "user-1",
        "--request-id", "request-1",
    )  # fmt: skip
    sent = server.last.json
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["tools"] == json.loads(weather.read_text())
    assert (sent["model"], sent["user_id"], sent["request_id"]) == ("glm-4.5", "user-1", "request-1")


@pytest.mark.parametrize("whole", [False, True], ids=["a list", "a chat request"])
def test_messages(glm: Glm, server: ScriptedServer, weather: Path, whole: bool) -> None:
    """A conversation from a file, with the tools of a whole request."""
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}]
    messages.append({"role": "user", "content": "count"})
    request = {"model": "glm-5.3", "messages": messages, "tools": json.loads(weather.read_text())}
    Path("chat.json").write_text(json.dumps(request if whole else messages))
    assert glm("tokenize", "--messages", "chat.json").exit_code == 0
    assert server.last.json["messages"] == messages
    assert ("tools" in server.last.json) == whole


def test_a_picture(glm: Glm, server: ScriptedServer) -> None:
    """It goes along, a seeing model counts, and its share is told."""
    Path("a.png").write_bytes(png())
    result = glm("tokenize", "what is this?", "-a", "a.png", "--json")
    assert server.last.json["model"] == "glm-4.6v"
    assert server.last.json["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert result.json["items"][0]["image_tokens"] == 1024
    assert result.json["tokens"] > 1024
    alone = glm("tokenize", "-a", "a.png", tty={"stdout", "stdin"})
    assert "1024 for pictures" in alone.stdout


def test_several_files(glm: Glm, server: ScriptedServer) -> None:
    """One line each and the sum, as `wc` has it; columns on a terminal."""
    Path("a.md").write_text("one")
    Path("b.md").write_text("one two three " * 40)
    a, b = 1 + 4, 120 + 1 + 4
    result = glm("tokenize", "-f", "a.md", "b.md")  # what a shell makes of *.md
    assert result.stdout == f"{a}\ta.md\n{b}\tb.md\n{a + b}\ttotal\n"
    shown = glm("tokenize", "-f", "a.md", "-f", "b.md", tty={"stdout"})
    assert shown.stdout == f"  {a}  a.md\n{b}  b.md\n{a + b}  total\n"


def test_nothing_has_no_tokens(glm: Glm, server: ScriptedServer) -> None:
    """An empty text is not sent: the service refuses it."""
    assert glm("tokenize", input="").stdout == "0\n"
    assert not server.requests


def test_on_a_terminal(glm: Glm, server: ScriptedServer) -> None:
    """The number with the model that counted."""
    assert glm("tokenize", "hi", tty={"stdout"}).stdout == "5 tokens (glm-4.6)\n"


def test_json(glm: Glm, server: ScriptedServer) -> None:
    """Stable keys."""
    assert glm("tokenize", "hi", "--json").json == {
        "schema_version": 1,
        "tokens": 5,
        "estimate": False,
        "model": "glm-4.6",
        "for_model": "glm-5.3",
        "reason": None,
        "items": [{"name": "text", "tokens": 5, "image_tokens": 0, "video_tokens": 0, "estimate": False}],
    }


@pytest.mark.parametrize(
    ("argv", "env", "models", "noted"),
    [
        ([], {}, ["glm-4.6"], True),
        (["-m", "glm-4.5"], {}, ["glm-4.5"], False),
        ([], {"GLM_MODEL": "glm-4.5"}, ["glm-4.5"], False),
        (["-m", "glm-5.3"], {}, ["glm-5.3", "glm-4.6"], True),
    ],
    ids=["default", "option", "settings", "a model that the tokenizer does not know"],
)
def test_the_model(
    glm: Glm, server: ScriptedServer, argv: list[str], env: Changes, models: list[str], noted: bool
) -> None:
    """A model of GLM-5 is asked for when it is named, and another counts when it is refused."""
    result = glm("tokenize", "hi", *argv, env=env)
    assert (result.exit_code, result.stdout) == (0, "5\n")
    assert [request.json["model"] for request in server.requests] == models
    assert ("for glm-5.3 this is an estimate" in result.stderr) == noted


def test_a_model_of_nobody(glm: Glm, server: ScriptedServer) -> None:
    """A mistyped name is an error, not a count of something else."""
    result = glm("tokenize", "hi", "-m", "gpt-4")
    assert (result.exit_code, result.stdout, "1211" in result.stderr) == (ExitCode.FAILED, "", True)


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["-f", "missing.md"], "missing.md cannot be read"),
        (["-f", "a.png"], "glm tokenize -a a.png"),
        (["-f", "a.md", "some", "text"], "some is no file"),
        (["-f", "a.md", "-f", "a.md", "-s", "x"], "go with one text"),
        (["--messages", "a.md"], "is not JSON"),
        (["--messages", "empty.json"], "no list of messages"),
        (["--messages", "empty.json", "text"], "by itself"),
        (["hi", "--user-id", "me"], "6 to 128"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(glm: Glm, server: ScriptedServer, argv: list[str], word: str) -> None:
    """Exit 2 with the way out, and nothing is sent."""
    Path("a.md").write_text("x")
    Path("empty.json").write_text("[]")
    Path("a.png").write_bytes(png())
    result = glm("tokenize", *argv)
    assert (result.exit_code, word in result.stderr) == (ExitCode.USAGE, True)
    assert not server.requests


def test_the_name_of_a_file_is_a_text(glm: Glm, server: ScriptedServer) -> None:
    """It is counted as asked for, and what was probably meant is told."""
    Path("notes.md").write_text("x " * 100)
    result = glm("tokenize", "notes.md")
    assert (int(result.stdout) < 20, "glm tokenize -f notes.md" in result.stderr) == (True, True)


# -- estimated ---------------------------------------------------------------------------------

ESTIMATE = f"~{PER_REQUEST + PER_MESSAGE + 2}\n"


def test_offline(glm: Glm, server: ScriptedServer) -> None:
    """Nobody is asked; the number says that it is an estimate."""
    result = glm("tokenize", "hello world", "--offline")
    assert (result.exit_code, result.stdout) == (0, ESTIMATE)
    assert "~ is an estimate made here" in result.stderr
    assert not server.requests


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({}, "no profile and no provider"),
        ({"GLM_PROVIDER": "zai"}, "key"),
        ({"ZAI_API_KEY": "feedfacefeedfacefeedfacefeedface.x", "GLM_ORIGIN_INTL": "http://127.0.0.1:9"}, "refuses"),
    ],
    ids=["nothing is set up", "no key", "no network"],
)
def test_out_of_reach(glm: Glm, env: dict[str, str], reason: str) -> None:
    """Exit 0 with an estimate, and why on stderr."""
    result = glm("tokenize", "hello world", "--max-retries", "0", env=env)
    assert (result.exit_code, result.stdout) == (0, ESTIMATE)
    assert reason in result.stderr


def test_a_plan_without_balance(glm: Glm, server: ScriptedServer) -> None:
    """1113 on the general base, which is the documented one; the coding base may do."""
    env = {**NOBODY, "ZAI_CODING_API_KEY": server.keys["zai-coding"]}
    result = glm("tokenize", "hello world", env=env)
    assert (result.exit_code, result.stdout) == (0, ESTIMATE)
    assert "--via coding" in result.stderr
    assert "balance pays" in result.stderr
    assert glm("tokenize", "hello world", "--via", "coding", env=env).stdout == "6\n"


def test_an_address_without_a_tokenizer(glm: Glm, server: ScriptedServer) -> None:
    """404, as a compatible server answers."""
    argv = ("--base-url", f"{server.address}/v1", "-m", "my-model")
    result = glm("tokenize", "hello world", *argv, env={"GLM_API_KEY": server.keys["zai"], **NOBODY})
    assert (result.exit_code, result.stdout) == (0, ESTIMATE)


@pytest.mark.parametrize(
    ("account", "exit_code"), [(None, ExitCode.AUTH), ("zai-rate-limited", ExitCode.LIMIT)], ids=["wrong key", "1302"]
)
def test_other_refusals_are_failures(
    glm: Glm, server: ScriptedServer, account: str | None, exit_code: ExitCode
) -> None:
    """A wrong key wants to be known, and a limit passes: neither becomes an estimate."""
    key = server.keys[account] if account else "feedfacefeedfacefeedfacefeedface.TESTKEYneverShown"
    result = glm("tokenize", "hi", "--max-retries", "0", env={"ZAI_API_KEY": key})
    assert (result.exit_code, result.stdout) == (exit_code, "")


def test_a_broken_configuration_is_a_failure(glm: Glm, home: Path) -> None:
    """It is not the same as none."""
    home.mkdir()
    (home / "config.toml").write_text("version = ")
    assert glm("tokenize", "hi").exit_code == ExitCode.CONFIG


def test_estimates_in_every_form(glm: Glm) -> None:
    """Marked in tables, sums and JSON."""
    Path("a.md").write_text("hello")
    Path("b.md").write_text("world")
    each = PER_REQUEST + PER_MESSAGE + 1
    argv = ("tokenize", "--offline", "-f", "a.md", "-f", "b.md")
    assert glm(*argv).stdout == f"~{each}\ta.md\n~{each}\tb.md\n~{2 * each}\ttotal\n"
    document = glm(*argv, "--json").json
    assert (document["estimate"], document["model"], document["tokens"]) == (True, None, 2 * each)
    assert glm("tokenize", "--offline", "hello", tty={"stdout"}).stdout == f"~{each} tokens (estimate)\n"


# -- the estimate itself -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("hello world", 2),
        ("getUserName", 3),
        ("internationalization", 4),
        ("1234567", 3),
        ("a\n\n\nb", 3),
        ("    indented", 2),
        ("人工智能", 2),
        ("ありがとう", 4),
        ("🎉", 2),
        ("Привет", 2),
        ("x == y", 3),
        ("\ud800", 1),
        ("\x00", 1),
    ],
)
def test_rules(text: str, number: int) -> None:
    """What one vocabulary of that size does with each kind of text."""
    assert estimate(text) == number


SAMPLES = {
    "English": ("The quick brown fox jumps over the lazy dog, and the dog does not mind at all. " * 20, 0.25),
    "Python": (Path(__file__).read_text(encoding="utf-8"), 0.25),
    "Markdown": ((Path(__file__).parent.parent / "docs" / "sandbox.md").read_text(encoding="utf-8"), 0.25),
    "Chinese": ("人工智能是计算机科学的一个分支，它企图了解智能的实质，并生产出新的智能机器。" * 20, 0.4),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_two_estimates_agree_roughly(name: str) -> None:
    """Ours and the sandbox's: neither is the tokenizer. The sandbox counts every Chinese character as one token."""
    text, tolerance = SAMPLES[name]
    assert estimate(text) == pytest.approx(tokens.count(text), rel=tolerance)


def test_requests(tmp_path: Path) -> None:
    """Messages, tools, reasoning, calls and pictures all count; a picture by its size where that is known."""
    message: dict[str, Any] = {"role": "user", "content": "hello"}
    base = estimate_request([message])
    assert base == PER_REQUEST + PER_MESSAGE + 1
    assert estimate_request([message, message]) == base + PER_MESSAGE + 1
    assert estimate_request([message], [{"type": "function"}]) > base
    assert estimate_request([{**message, "tool_calls": [{"id": "1"}]}]) > base
    parts = [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}]
    assert estimate_request([{"role": "user", "content": parts}]) == base + PICTURE
    picture = tmp_path / "a.png"
    picture.write_bytes(png())
    parts[1] = {"type": "image_url", "image_url": {"url": FileText(picture, picture.stat().st_size)}}
    assert estimate_request([{"role": "user", "content": parts}]) == base + 1


# -- replies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "total"),
    [
        ({"prompt_tokens": 14, "image_tokens": 0, "video_tokens": 0, "total_tokens": 14}, 14),
        ({"prompt_tokens": 14}, 14),
        ({"prompt_tokens": "14", "image_tokens": 6.0}, 20),
        ({"total_tokens": 3}, 3),
    ],
    ids=["all", "prompt alone", "strange types", "total alone"],
)
def test_tolerant_reading(usage: dict[str, object], total: int) -> None:
    """Only `prompt_tokens` is sure to come."""
    assert count_from_json({"usage": usage}).total == total


@pytest.mark.parametrize("body", [{}, {"usage": {}}, {"usage": {"prompt_tokens": None}}, [], None], ids=str)
def test_no_count_at_all(body: object) -> None:
    """Is an error that names the key, not zero."""
    with pytest.raises(ServiceError, match=r"usage\.prompt_tokens"):
        count_from_json(body)

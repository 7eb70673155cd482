"""Conversations through the command line: tools, attachments, thinking that goes back, schemas, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.harness import Glm, Result, ScriptedServer

TOOLS = '''
    def weather(city: str) -> dict:
        """Tell the weather of a city."""
        return {"city": city, "sky": "blue"}

    def time_of_day() -> str:
        """Tell the time."""
        return "noon"

    def broken() -> str:
        """Fail."""
        raise RuntimeError("no network")
'''
#: One pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


@pytest.fixture
def tools(tmp_path: Path) -> str:
    path = tmp_path / "tools.py"
    path.write_text(dedent(TOOLS), encoding="utf-8")
    return str(path)


def call(name: str, arguments: str, number: int = 1) -> dict[str, Any]:
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def asks_for(*calls: dict[str, Any], reasoning: str = "") -> list[object]:
    """The stream of an answer that is nothing but calls."""
    thought: list[object] = [{"choices": [{"delta": {"reasoning_content": reasoning}}]}] if reasoning else []
    deltas: list[object] = [
        {"choices": [{"delta": {"tool_calls": [{"index": index, **one}]}}]} for index, one in enumerate(calls)
    ]
    return [*thought, *deltas, {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}, "[DONE]"]


def says(text: str, reason: str = "stop", reasoning: str = "") -> list[object]:
    """The stream of an answer in one piece."""
    delta = {"content": text, **({"reasoning_content": reasoning} if reasoning else {})}
    return [{"choices": [{"delta": delta}]}, {"choices": [{"delta": {}, "finish_reason": reason}]}, "[DONE]"]


def sent(server: ScriptedServer, number: int = -1) -> list[dict[str, Any]]:
    """The messages of a request."""
    messages = server.requests[number].json["messages"]
    assert isinstance(messages, list)
    return messages


# -- tools --------------------------------------------------------------------------------


def test_results_go_back_over_several_rounds(glm: Glm, server: ScriptedServer, tools: str) -> None:
    """Each round sends the calls and their results; the last answer is the output."""
    server.only_scripted = True
    server.script("POST", "/chat/completions", sse=asks_for(call("time_of_day", "{}")))
    server.script("POST", "/chat/completions", sse=asks_for(call("weather", '{"city": "Roma"}', 2)))
    server.script("POST", "/chat/completions", sse=says("Blue at noon."))
    result = glm("chat", "how is Rome?", "--tools", tools, "--yes")
    assert (result.exit_code, result.stdout) == (0, "Blue at noon.\n"), result.stderr
    assert len(server.requests) == 3
    assert [message["role"] for message in sent(server)] == ["user", "assistant", "tool", "assistant", "tool"]
    assert sent(server)[2] == {"role": "tool", "tool_call_id": "call_1", "content": "noon"}
    assert json.loads(sent(server)[4]["content"]) == {"city": "Roma", "sky": "blue"}
    assert sent(server)[3]["tool_calls"] == [call("weather", '{"city": "Roma"}', 2)]
    assert 'calling weather({"city": "Roma"})' in result.stderr


def test_parallel_calls_are_answered_together_in_their_order(glm: Glm, server: ScriptedServer, tools: str) -> None:
    """Two calls of one answer are two tool messages of one request."""
    server.script(
        "POST",
        "/chat/completions",
        sse=asks_for(call("weather", '{"city":"A"}', 1), call("weather", '{"city":"B"}', 2)),
    )
    glm("chat", "both", "--tools", tools, "--yes")
    assert len(server.requests) == 2
    assert [(m["tool_call_id"], json.loads(m["content"])["city"]) for m in sent(server)[2:]] == [
        ("call_1", "A"),
        ("call_2", "B"),
    ]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param(call("broken", "{}"), "error: RuntimeError: no network", id="fails"),
        pytest.param(
            call("nope", "{}"), "there is no tool 'nope'; there are weather, time_of_day, broken", id="unknown"
        ),
        pytest.param(call("weather", '{"town": 1}'), "missing a required argument: 'city'", id="wrong arguments"),
        pytest.param(call("weather", '{"city'), "the arguments are not JSON", id="broken JSON"),
        pytest.param(call("weather", "[1]"), "not a JSON object", id="no object"),
    ],
)
def test_what_goes_wrong_in_a_tool_is_told_to_the_model(
    glm: Glm, server: ScriptedServer, tools: str, wrong: dict[str, Any], words: str
) -> None:
    """As the result of the call; the conversation goes on."""
    server.script("POST", "/chat/completions", sse=asks_for(wrong))
    server.script("POST", "/chat/completions", sse=says("I see."))
    result = glm("chat", "go", "--tools", tools, "--yes")
    assert (result.exit_code, result.stdout) == (0, "I see.\n")
    assert words in sent(server)[-1]["content"]


def test_rounds_are_limited(glm: Glm, server: ScriptedServer, tools: str) -> None:
    """A model that never stops calling is stopped, with exit code 1."""
    result = glm("chat", "loop time_of_day", "--tools", tools, "--yes", "--max-rounds", "2")
    assert result.exit_code == 1
    assert "stopped after 2 rounds" in result.stderr
    assert len(server.requests) == 3


def test_a_conversation_goes_on_after_a_call_without_result(glm: Glm, server: ScriptedServer, tools: str) -> None:
    """A call that was never carried out gets a result, for the service refuses one without."""
    glm("chat", "loop time_of_day", "--tools", tools, "--yes", "--max-rounds", "1")
    assert glm("chat", "-c", "echo: on").stdout == "on\n"
    calls = {call["id"] for message in sent(server) for call in message.get("tool_calls", ())}
    assert calls == {message["tool_call_id"] for message in sent(server) if message["role"] == "tool"}
    assert "not carried out" in [message for message in sent(server) if message["role"] == "tool"][-1]["content"]


def test_the_user_may_refuse_a_call(glm: Glm, server: ScriptedServer, tools: str) -> None:
    """The model is told so; an allowed tool is not asked about."""
    server.script(
        "POST", "/chat/completions", sse=asks_for(call("weather", '{"city":"A"}', 1), call("time_of_day", "{}", 2))
    )
    server.script("POST", "/chat/completions", sse=says("Well."))
    result = glm(
        "chat",
        "go",
        "--tools",
        tools,
        "--allow",
        "time_of_day",
        input="n\n",
        tty={"stdin", "stderr"},
        env={"TERM": "dumb"},
    )
    assert result.stderr.count("[y/N]") == 1
    assert [message["content"] for message in sent(server)[2:]] == ["error: the user did not allow this call", "noon"]


def test_without_a_person_nothing_is_called_unasked(glm: Glm, server: ScriptedServer, tools: str) -> None:
    """In a pipe --yes or --allow is needed, and said so before anything is sent."""
    result = glm("chat", "go", "--tools", tools)
    assert result.exit_code == 2
    assert "--allow" in result.stderr
    assert len(server.requests) == 0


def test_tools_of_a_json_file_are_printed(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """One JSON object per call on stdout; nothing is carried out."""
    file = tmp_path / "tools.json"
    file.write_text('[{"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}]')
    server.script("POST", "/chat/completions", sse=asks_for(call("f", '{"a": 1}')))
    result = glm("chat", "go", "--tools", str(file))
    assert (result.exit_code, result.lines) == (0, [{"id": "call_1", "name": "f", "arguments": {"a": 1}}])
    assert server.last.json["tools"][0]["function"]["name"] == "f"
    assert len(server.requests) == 1


def test_a_whole_exchange_with_json_is_one_document(glm: Glm, server: ScriptedServer, tools: str) -> None:
    """However many rounds it took."""
    server.script("POST", "/chat/completions", sse=asks_for(call("time_of_day", "{}")))
    server.script("POST", "/chat/completions", sse=says("Noon."))
    assert glm("chat", "go", "--tools", tools, "--yes", "--json").json["content"] == "Noon."


def test_tools_work_over_the_anthropic_protocol(glm: Glm, server: ScriptedServer, tools: str) -> None:
    """Calls and results travel as blocks."""
    result = glm("chat", "please call time_of_day", "--tools", tools, "--yes", "--protocol", "anthropic")
    assert result.exit_code == 0, result.stderr
    assert "time_of_day: noon" in result.stdout
    assert [request.path for request in server.requests] == ["/api/anthropic/v1/messages"] * 2
    assert [block["type"] for block in sent(server)[-1]["content"]] == ["tool_result"]


# -- attachments on the wire ----------------------------------------------------------------


def test_a_picture_switches_to_a_model_that_sees(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """The switch is told; the picture goes as base64 before the text."""
    (tmp_path / "dot.png").write_bytes(PNG)
    result = glm("chat", "what is it?", "-a", str(tmp_path / "dot.png"))
    assert result.exit_code == 0, result.stderr
    assert "glm-5.3 cannot read pictures; asking glm-5.3-flash" in result.stderr
    assert server.last.json["model"] == "glm-5.3-flash"
    picture, text = sent(server)[0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert text == {"type": "text", "text": "what is it?"}


def test_a_text_file_stands_in_the_prompt(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """Every model can read it, so the model stays."""
    (tmp_path / "notes.md").write_text("```\ncode\n```\n")
    glm("chat", "sum up", "-a", str(tmp_path / "notes.md"))
    assert server.last.json["model"] == "glm-5.3"
    assert sent(server)[0]["content"] == "notes.md:\n````\n```\ncode\n```\n````\n\nsum up"


def a_file(**fields: str) -> dict[str, Any]:
    return {"type": "file", "file": fields}


@pytest.mark.parametrize(
    ("provider", "word", "part"),
    [
        ("zai", "paper.pdf", a_file(file_data="data:application/pdf;base64,", filename="paper.pdf")),
        ("zai", "https://example.com/p.pdf", a_file(file_url="https://example.com/p.pdf", filename="p.pdf")),
        ("zhipu", "https://example.com/p.pdf", {"type": "file_url", "file_url": {"url": "https://example.com/p.pdf"}}),
    ],
    ids=["intl file", "intl URL", "cn URL"],
)
def test_documents_take_the_form_of_the_region(
    glm: Glm, server: ScriptedServer, provider: str, word: str, part: dict[str, Any]
) -> None:
    """`file` on api.z.ai, `file_url` for links on open.bigmodel.cn."""
    Path("paper.pdf").write_bytes(PDF)
    env = {"ZAI_API_KEY": None, "ZHIPU_API_KEY": server.keys["zhipu"]} if provider == "zhipu" else {}
    result = glm("chat", "sum up", "-a", word, env=env)
    assert result.exit_code == 0, result.stderr
    got = sent(server)[0]["content"][0]
    if "file_data" in got.get("file", {}):
        got["file"]["file_data"] = got["file"]["file_data"].partition(",")[0] + ","
    assert got == part


def test_standard_input_can_be_attached(glm: Glm, server: ScriptedServer) -> None:
    """`-a -` reads it as a file, whatever it is."""
    glm("chat", "what is it?", "-a", "-", input=PNG)
    assert sent(server)[0]["content"][0]["type"] == "image_url"


def test_pictures_of_a_conversation_go_along_with_the_next_question(
    glm: Glm, server: ScriptedServer, tmp_path: Path
) -> None:
    """Unless the file has changed: then that is told, and the conversation goes on without it."""
    picture = tmp_path / "dot.png"
    picture.write_bytes(PNG)
    glm("chat", "look", "-a", str(picture))
    assert glm("chat", "-c", "and?").exit_code == 0
    assert sent(server)[0]["content"][0]["type"] == "image_url"
    picture.unlink()
    result = glm("chat", "-c", "still?")
    assert result.exit_code == 0, result.stderr
    assert "is gone or has changed" in result.stderr
    assert sent(server)[0]["content"] == "look"


# -- thinking ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("provider", "goes_back"), [("zai", False), ("zai-coding", True)])
def test_thinking_goes_back_on_the_coding_plan(
    glm: Glm, server: ScriptedServer, provider: str, goes_back: bool
) -> None:
    """Preserved thinking is the default there; elsewhere it would only cost."""
    env = {"ZAI_CODING_API_KEY": server.keys["zai-coding"]}
    for words in (["one"], ["-c", "two"]):
        server.script("POST", "/chat/completions", sse=says("Yes.", reasoning="Hm."))
        glm("--provider", provider, "chat", *words, env=env)
    assert sent(server)[1].get("reasoning_content") == ("Hm." if goes_back else None)


def test_thinking_goes_back_with_calls(glm: Glm, server: ScriptedServer, tools: str) -> None:
    """Between tool calls every endpoint wants it."""
    server.script("POST", "/chat/completions", sse=asks_for(call("time_of_day", "{}"), reasoning="I need the time."))
    glm("chat", "go", "--tools", tools, "--yes")
    assert sent(server)[1]["reasoning_content"] == "I need the time."


def test_a_refused_effort_is_remembered(glm: Glm, server: ScriptedServer) -> None:
    """1210 on reasoning_effort: asked again with the switch alone, told, and not tried a second time."""
    refusal = {"error": {"code": "1210", "message": "Invalid API parameter"}}
    server.script("POST", "/chat/completions", status=400, json=refusal)
    first = glm("chat", "echo: hi", "--think", "high")
    assert (first.exit_code, first.stdout) == (0, "hi\n"), first.stderr
    assert "refuses thinking levels" in first.stderr
    assert len(server.requests) == 2
    glm("chat", "echo: hi", "--think", "high")
    assert len(server.requests) == 3
    assert server.last.json["thinking"] == {"type": "enabled"}
    assert "reasoning_effort" not in server.last.json


# -- schema -----------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("answers", "code", "printed"),
    [
        pytest.param(['{"n": 1}'], 0, '{"n": 1}\n', id="valid"),
        pytest.param(['```json\n{"n": 1}\n```'], 0, '{"n": 1}\n', id="in a fence"),
        pytest.param(['{"n": "one"}', '{"n": 1}'], 0, '{"n": 1}\n', id="mended"),
        pytest.param(["no", '{"n": null}'], 1, "", id="wrong twice"),
    ],
)
def test_an_answer_fits_its_schema_or_is_none(
    glm: Glm, server: ScriptedServer, tmp_path: Path, answers: list[str], code: int, printed: str
) -> None:
    """Validated here, mended once, exit 1 after that; nothing invalid is ever printed."""
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(SCHEMA))
    for text in answers:
        server.script("POST", "/chat/completions", sse=says(text))
    result = glm("chat", "give n", "--schema", str(schema))
    assert (result.exit_code, result.stdout) == (code, printed), result.stderr
    assert len(server.requests) == len(answers)
    assert "JSON Schema" in sent(server, 0)[0]["content"]
    if code:
        assert "n: None is not of type 'integer'" in result.stderr


# -- what is kept -----------------------------------------------------------------------------


def last(glm: Glm) -> dict[str, Any]:
    document = glm("history", "show", "last", "--json").json
    assert isinstance(document, dict)
    return document


def test_a_conversation_goes_on(glm: Glm, server: ScriptedServer) -> None:
    """`-c` the latest, `--resume` by title; with its system message and model."""
    glm("chat", "echo: one", "-s", "be brief", "-m", "glm-4.6", "--title", "Numbers")
    glm("chat", "echo: other")
    result = glm("chat", "--resume", "Numbers", "echo: two")
    assert result.exit_code == 0, result.stderr
    assert [message["content"] for message in sent(server)] == ["be brief", "echo: one", "one", "echo: two"]
    assert server.last.json["model"] == "glm-4.6"
    glm("chat", "-c", "echo: three")
    assert [message["content"] for message in last(glm)["messages"]][-2:] == ["echo: three", "three"]
    assert last(glm)["title"] == "Numbers"


def test_an_untitled_conversation_is_called_by_its_first_question(glm: Glm, server: ScriptedServer) -> None:
    """The first line of it."""
    glm("chat", "echo: apples\nand pears")
    assert last(glm)["title"] == "echo: apples"


@pytest.mark.parametrize("words", [["-c"], ["--resume", "nothing"]], ids=["latest", "by name"])
def test_a_conversation_that_is_not_there(glm: Glm, server: ScriptedServer, words: list[str]) -> None:
    """Exit 2, and nothing is sent."""
    result = glm("chat", *words, "hi")
    assert (result.exit_code, len(server.requests)) == (2, 0)


def test_a_cut_answer_is_kept_as_interrupted(glm: Glm, server: ScriptedServer) -> None:
    """What came is there tomorrow, marked; and the conversation can go on."""
    assert glm("chat", "fault:cut").exit_code == 8
    question, answer = last(glm)["messages"]
    assert (question["content"], answer["complete"]) == ("fault:cut", False)
    assert answer["content"]
    assert glm("chat", "-c", "echo: on").exit_code == 0
    assert sent(server)[1]["content"] == answer["content"]


def test_a_question_without_an_answer_is_not_kept(glm: Glm, server: ScriptedServer) -> None:
    """A refusal leaves no conversation behind."""
    assert glm("chat", "fault:1113").exit_code == 5
    assert glm("history", "list", "--json").json["conversations"] == []


def test_nothing_is_kept_when_that_is_wanted(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """`--no-log` keeps no word of it, only what it cost; GLM_NO_LOG not even that."""
    assert glm("chat", "hi", env={"GLM_NO_LOG": "1"}).exit_code == 0
    assert not (home / "history.db").exists()
    assert glm("chat", "a word of mine", "--no-log").exit_code == 0
    assert glm("history", "list", "--json").json["conversations"] == []
    assert not [file for file in home.rglob("history.db*") if b"a word of mine" in file.read_bytes()]


def test_a_broken_history_is_one_notice(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """The answer comes all the same."""
    home.mkdir(mode=0o700)
    (home / "history.db").write_bytes(b"this is no database at all, whatever its name says" * 100)
    result = glm("chat", "echo: hi")
    assert (result.exit_code, result.stdout) == (0, "hi\n")
    assert result.stderr.count("is not kept") == 1


# -- a conversation on a terminal that knows lines only ----------------------------------------


def converse(glm: Glm, *lines: str, argv: tuple[str, ...] = (), env: dict[str, str] | None = None) -> Result:
    """Type lines into `glm chat`."""
    typed = "".join(f"{line}\n" for line in lines)
    return glm("chat", *argv, input=typed, tty=True, env={"TERM": "dumb", **(env or {})})


def test_a_failed_question_can_be_asked_again(glm: Glm, server: ScriptedServer) -> None:
    """/retry knows it, although it never became part of the conversation."""
    refusal = {"error": {"code": "1234", "message": "network error"}}
    for _ in range(3):
        server.script("POST", "/chat/completions", status=500, json=refusal)
    result = converse(glm, "echo: first", "/retry", argv=("--max-retries", "2"))
    assert "1234" in result.stderr
    assert result.stdout == "first\n"
    assert [message["role"] for message in last(glm)["messages"]] == ["user", "assistant"]


def test_a_full_context_is_told_and_compacted(glm: Glm, server: ScriptedServer) -> None:
    """1261 says how much too long it is; /compact goes on from a summary, and the whole stays in the history."""
    server.script("POST", "/chat/completions", sse=says("one"))
    server.script("POST", "/chat/completions", status=400, json={"error": {"code": "1261", "message": "too long"}})
    server.script("POST", "/chat/completions", sse=says("They counted."))
    server.script("POST", "/chat/completions", sse=says("three"))
    result = converse(glm, "count", f"/system {'x' * 900_000}", "on", "/system off", "/compact", "go on")
    assert "glm-5.3 takes 1,048,576" in result.stderr
    assert "/compact summarises" in result.stderr
    assert sent(server)[0]["content"] == "Summary of our conversation so far:\n\nThey counted."
    assert [message["content"] for message in sent(server)][-1] == "go on"
    titles = [item["title"] for item in glm("history", "list", "--json").json["conversations"]]
    assert sorted(titles) == ["count", "count (compacted)"]


def test_commands_change_the_questions_to_come(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """Model, system message, thinking, search and attachments."""
    (tmp_path / "a b.txt").write_text("hello")
    converse(
        glm, "/model glm-4.6", "/system be kind", "/think off", "/search on", f"/attach {tmp_path / 'a b.txt'}", "hi"
    )
    body = server.last.json
    assert (body["model"], body["thinking"]) == ("glm-4.6", {"type": "disabled"})
    assert [message["content"] for message in body["messages"]] == ["be kind", "a b.txt:\n```\nhello\n```\n\nhi"]
    assert body["tools"][0]["type"] == "web_search"


def test_options_are_set_and_checked(glm: Glm, server: ScriptedServer) -> None:
    """A value that the service would refuse is told at once, and the old one stays."""
    result = converse(
        glm, "/set temperature 0.2", "/set temperature 3", "/set max_tokens=many", "/set do_sample false", "/set", "hi"
    )
    assert "0 to 1" in result.stderr
    assert "max_tokens must be a number" in result.stderr
    assert "set: temperature=0.2 do_sample=false" in result.stderr
    body = server.last.json
    assert (body["temperature"], body["do_sample"], "max_tokens" in body) == (0.2, False, False)


@pytest.mark.parametrize("word", ["exit", "quit", "/exit", "/q", ":q"])
def test_there_are_many_ways_to_leave(glm: Glm, server: ScriptedServer, word: str) -> None:
    """None of them is a question."""
    assert converse(glm, word, "never asked").exit_code == 0
    assert len(server.requests) == 0


def test_a_dry_run_prints_each_request(glm: Glm, server: ScriptedServer) -> None:
    """And sends none."""
    result = converse(glm, "one", "two", argv=("--dry-run",))
    assert (result.exit_code, result.stdout.count("curl ")) == (0, 2)
    assert len(server.requests) == 0


def test_what_was_used_is_told(glm: Glm, server: ScriptedServer) -> None:
    """/tokens counts with the model's window, /cost sums up."""
    result = converse(glm, "/tokens", "/cost", "echo: hi", "/tokens", "/cost")
    assert "about 0 tokens" in result.stderr
    assert "nothing was asked yet" in result.stderr
    assert "of 1,048,576" in result.stderr
    assert "1 request · " in result.stderr
    assert "$0.000" in result.stderr


@pytest.mark.parametrize(
    ("argv", "words"),
    [(["--json"], "--json needs a prompt"), (["--schema", "s.json"], "--schema needs"), (["--no-input"], "no prompt")],
)
def test_what_no_conversation_can_do(glm: Glm, server: ScriptedServer, argv: list[str], words: str) -> None:
    """Exit 2 before anything is typed."""
    result = glm("chat", *argv, tty=True, env={"TERM": "dumb"})
    assert result.exit_code == 2
    assert words in result.stderr


def test_without_a_key_no_conversation_begins(glm: Glm, server: ScriptedServer) -> None:
    """Nothing is typed in vain."""
    result = converse(glm, "hi", argv=("--provider", "zhipu"), env={"ZAI_API_KEY": ""})
    assert result.exit_code == 4
    assert "> " not in result.stderr


def test_every_command_is_documented() -> None:
    """In docs/chat.md, in the order of /help."""
    from glmcli.repl.commands import COMMANDS

    page = (Path(__file__).parent.parent / "docs" / "chat.md").read_text(encoding="utf-8")
    places = [page.find(f"| `/{name}") for name in COMMANDS if name != "quit"]
    assert -1 not in places
    assert places == sorted(places)


def test_a_refusal_in_a_conversation_comes_with_its_way_out(glm: Glm, server: ScriptedServer) -> None:
    """A plan's key at the general endpoint: what that means and the command that mends it, and on it goes."""
    result = converse(glm, "hello", "/help", env={"ZAI_API_KEY": server.keys["zai-coding"]})
    assert "1113" in result.stderr
    assert "zai-coding" in result.stderr
    assert "List the commands." in result.stderr
    assert result.exit_code == 0


def test_a_picture_is_made_inside_a_conversation(glm: Glm, server: ScriptedServer) -> None:
    """Saved under a name from its prompt, and ready to be asked about."""
    result = converse(glm, "/image a red fox", "/attach a-red-fox.png", "what is it?")
    assert "saved a-red-fox.png" in result.stderr
    assert Path("a-red-fox.png").read_bytes().startswith(b"\x89PNG")
    assert sent(server)[0]["content"][0]["type"] == "image_url"

"""`glm agent`, with a sandbox that marks what it translates and remembers what it is asked."""

from __future__ import annotations

import json
import re
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.api.languages import LANGUAGES, find_language
from glmcli.api.polling import JobState
from glmcli.api.resources.agents import AgentRequest, job_from_json, reply_from_json, text_part
from glmcli.api.resources.files import AGENT_TYPES
from glmcli.errors import ExitCode, UsageError
from glmcli.markdown_pieces import around_masks, mask, split_markdown, unmask
from tests.harness import Glm, ScriptedServer

IMAGE = ("--image", "https://example.com/dog.png")


def said(server: ScriptedServer) -> list[str]:
    """The text of every agent request, in order."""
    bodies = [request.json for request in server.requests if request.path.endswith("/v1/agents")]
    return [body["messages"][0]["content"][0]["text"] for body in bodies]


def answer(*texts: str, **fields: Any) -> dict[str, Any]:
    """A scripted translation."""
    content = [{"type": "text", "text": text} for text in texts]
    return {"status": "success", "choices": [{"messages": [{"role": "assistant", "content": content}]}], **fields}


# -- translation -------------------------------------------------------------------------------


def test_a_text_is_translated(glm: Glm, server: ScriptedServer) -> None:
    """The words on stdout; the request has its content in parts and says that it does not stream."""
    result = glm("agent", "translate", "Good", "morning", "--to", "Japanese")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "[ja] Good morning\n", "")
    assert server.last.path == "/api/v1/agents"
    assert server.last.json == {
        "agent_id": "general_translation",
        "stream": False,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Good morning"}]}],
        "custom_variables": {"source_lang": "auto", "target_lang": "ja", "strategy": "general"},
    }


def test_every_wish_reaches_the_service(glm: Glm, server: ScriptedServer) -> None:
    """Source, strategy, suggestion, glossary by id, ids, and fields of one's own beside ours."""
    argv = ("-t", "de", "--from", "en", "--suggestion", "formal", "--glossary", "file-sandbox-1")
    glm("agent", "translate", "hi", *argv, "--set", "custom_variables.x=1", "--user-id", "user-01")
    assert server.last.json["custom_variables"] == {
        "source_lang": "en",
        "target_lang": "de",
        "strategy": "general",
        "strategy_config": {"general": {"suggestion": "formal"}},
        "glossary": "file-sandbox-1",
        "x": 1,
    }
    assert server.last.json["user_id"] == "user-01"
    server.script("POST", "/agents", json=answer("hallo"))
    glm("agent", "translate", "hi", "-t", "de", "--strategy", "cot", "--reason-lang", "from")
    assert server.last.json["custom_variables"]["strategy_config"] == {"cot": {"reason_lang": "from"}}


README = """\
---
title: untouched
---
# A heading

Some *words* with `code`, a [link](https://example.com/a_(b)?c=d "Title") and <b>tags</b>.

```python
print("never translated")
```

    indented code

- an item

    more of the item

| head | other |
|:-----|-------|
| cell | `x|y` |

See [the docs][ref] or https://example.com/x.

[ref]: https://example.com/ref "Ref"

<pre>
raw text
</pre>

$$
a + b
$$
"""


def test_markdown_stays_markdown(glm: Glm, server: ScriptedServer) -> None:
    """Code, addresses, tags, front matter, formulas and definitions come out as they went in."""
    result = glm("agent", "translate", "-t", "ja", input=README)
    assert result.exit_code == 0
    for kept in (
        "---\ntitle: untouched\n---\n",
        '```python\nprint("never translated")\n```\n',
        "\n    indented code\n",
        '(https://example.com/a_(b)?c=d "Title")',
        "<b>tags</b>",
        "|:-----|-------|\n",
        "`code`",
        "][ref]",
        '[ref]: https://example.com/ref "Ref"\n',
        "<pre>\nraw text\n</pre>\n",
        "$$\na + b\n$$\n",
        "https://example.com/x.",
    ):
        assert kept in result.stdout
    assert "# [ja] A heading\n" in result.stdout
    assert "- [ja] an item\n" in result.stdout
    assert "    [ja] more of the item\n" in result.stdout
    sent = "\n".join(said(server))
    assert not re.search(r"https:|print|indented code|raw text|untouched|`|<b>", sent)
    assert result.stdout.replace("[ja] ", "") == README


def test_a_model_that_loses_masks(glm: Glm, server: ScriptedServer) -> None:
    """What stands between them is then translated alone, and nothing is lost."""
    text = "lose-tags here `code` and [a link](https://example.com) there\n"
    result = glm("agent", "translate", "-t", "ja", input=text)
    assert result.stdout.replace("[ja] ", "") == text
    assert len(said(server)) > 1


def test_a_long_text_goes_in_pieces(glm: Glm, server: ScriptedServer) -> None:
    """In order, each short enough, nothing lost."""
    text = "\n\n".join(f"Paragraph {number}. " + "word " * 150 for number in range(30)) + "\n"
    result = glm("agent", "translate", "-t", "fr", "--request-id", "letter-1", input=text)
    assert result.stdout.replace("[fr] ", "") == text
    assert len(said(server)) > 5
    assert max(map(len, said(server))) <= 3000
    assert "".join(said(server)).count("Paragraph") == 30
    ids = [request.json["request_id"] for request in server.requests]
    assert len(set(ids)) == len(ids)


def test_plain_text_is_not_read_as_markdown(glm: Glm, server: ScriptedServer) -> None:
    """`--plain` translates what looks like code."""
    glm("agent", "translate", "-t", "fr", "--plain", input="    four spaces in front\n")
    assert said(server) == ["four spaces in front"]


@given(st.text(alphabet=" \n#`-*[]()<>|a1:$.x/\t", max_size=300), st.integers(5, 80))
def test_pieces_are_the_text(text: str, limit: int) -> None:
    """Joined they are what was cut, and no stretch of words is too long."""
    pieces = split_markdown(text, limit)
    assert "".join(piece.text for piece in pieces) == text
    assert all(len(piece.text) <= limit for piece in pieces if piece.is_words)


@given(st.text(alphabet=" \n`[]()<>ax1/:|-", max_size=120))
def test_masks_can_be_taken_off(text: str) -> None:
    """Whatever stood there."""
    masked, kept = mask(text)
    assert unmask(masked, kept) == text
    assert "".join(piece.text for piece in around_masks(text)) == text


@pytest.mark.parametrize("damaged", ["", "<x1/>", "<x1/><x1/>", "<x1/><x2/><x3/>"])
def test_lost_and_doubled_masks_are_noticed(damaged: str) -> None:
    """None rather than a text that lacks something."""
    assert unmask(damaged, ["a", "b"]) is None


def test_masks_may_be_moved_and_spaced() -> None:
    """Word order differs between languages."""
    assert unmask("<X2 /> und < x1/>", ["a", "b"]) == "b und a"


@pytest.mark.parametrize(
    ("word", "code"),
    [("ja", "ja"), ("JA", "ja"), ("japanese", "ja"), ("zh", "zh-CN"), ("zh_TW", "zh-TW"), ("pinyin", "Pinyin")],
)
def test_languages_by_code_and_name(word: str, code: str) -> None:
    """As people write them."""
    assert find_language(word) == code


@pytest.mark.parametrize(
    ("word", "source", "hint"),
    [
        ("japanse", False, "ja (Japanese)"),
        ("xx", False, "it knows zh-CN"),
        ("auto", False, ""),
        ("qq", True, "it knows"),
    ],
)
def test_unknown_languages(word: str, source: bool, hint: str) -> None:
    """The nearest are named."""
    with pytest.raises(UsageError) as caught:
        find_language(word, as_source=source)
    assert hint in (caught.value.hint or "")


def test_the_sandbox_knows_the_same_languages(glm: Glm, server: ScriptedServer) -> None:
    """Every language of the table is one that the service documents."""
    for code in LANGUAGES:
        assert glm("agent", "translate", "hi", "-t", code).exit_code == 0


@pytest.mark.parametrize(
    "argv",
    [
        ("hi",),
        ("hi", "-t", "klingon"),
        ("hi", "-t", "fr", "--strategy", "best"),
        ("hi", "-t", "fr", "--strategy", "cot", "--suggestion", "x"),
        ("hi", "-t", "fr", "--reason-lang", "to"),
        ("hi", "-t", "fr", "-f", "a.md"),
        ("-t", "fr"),
        ("-t", "fr", "-f", "missing.md"),
        ("hi", "-t", "fr", "--glossary", "terms/missing.xlsx"),
    ],
    ids=lambda argv: " ".join(argv),
)
def test_wishes_that_cannot_be(glm: Glm, server: ScriptedServer, argv: tuple[str, ...]) -> None:
    """Told before anything is sent."""
    assert glm("agent", "translate", *argv).exit_code == ExitCode.USAGE
    assert not server.requests


def test_a_glossary_is_uploaded(glm: Glm, server: ScriptedServer) -> None:
    """With the purpose `agent`; its id goes into the request and is told for the next time."""
    Path("terms.txt").write_text("cat=Katze")
    result = glm("agent", "translate", "cat", "-t", "de", "--glossary", "terms.txt")
    upload, translation = server.requests
    assert (upload.path, b"agent" in upload.body, b"cat=Katze" in upload.body) == ("/api/paas/v4/files", True, True)
    id = translation.json["custom_variables"]["glossary"]
    assert f"--glossary {id}" in result.stderr


def test_a_glossary_of_another_type(glm: Glm, server: ScriptedServer) -> None:
    """The types are checked first."""
    Path("terms.odt").write_text("x")
    result = glm("agent", "translate", "cat", "-t", "de", "--glossary", "terms.odt")
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert ".xlsx" in result.stderr


def test_a_failure_in_the_middle(glm: Glm, server: ScriptedServer) -> None:
    """What was translated is written, and how far it came is told."""
    text = "\n\n".join(f"Paragraph {number}. " + "word " * 400 for number in range(4))
    Path("long.md").write_text(text)
    server.script("POST", "/agents", json=answer("erster Teil"))
    error = {"status": "failed", "agent_id": "general_translation", "error": {"code": "1113", "message": "no balance"}}
    server.script("POST", "/agents", json=error)
    result = glm("agent", "translate", "-t", "de", "-f", "long.md", "-o", "lang.md")
    assert result.exit_code == ExitCode.BALANCE
    assert Path("lang.md").read_text().startswith("erster Teil")
    assert re.search(r"1 of \d pieces were translated and are in lang.md", result.stderr)


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("1113", ExitCode.BALANCE), ("1301", ExitCode.CONTENT), ("1210", ExitCode.FAILED), ("1000", ExitCode.AUTH)],
)
def test_failures_with_status_200(glm: Glm, server: ScriptedServer, code: str, exit_code: ExitCode) -> None:
    """The body decides, not the status."""
    server.sandbox.fault = code
    assert glm("agent", "translate", "hi", "-t", "fr").exit_code == exit_code


def test_an_answer_that_the_policy_stopped(glm: Glm, server: ScriptedServer) -> None:
    """`sensitive` is exit 7."""
    server.sandbox.fault = "sensitive"
    assert glm("agent", "translate", "hi", "-t", "fr").exit_code == ExitCode.CONTENT


def test_an_answer_without_text(glm: Glm, server: ScriptedServer) -> None:
    """Nothing is not a translation."""
    server.script("POST", "/agents", json={"status": "success", "choices": []})
    assert glm("agent", "translate", "hi", "-t", "fr").exit_code == ExitCode.FAILED


def test_json(glm: Glm, server: ScriptedServer) -> None:
    """One document."""
    document = glm("agent", "translate", "hi", "-t", "fr", "--json").json
    assert (document["text"], document["to"], document["complete"]) == ("[fr] hi", "fr", True)
    assert document["usage"]["total_tokens"] > 0


def test_dry_run(glm: Glm, server: ScriptedServer) -> None:
    """The request of the first piece."""
    result = glm("agent", "translate", "hi", "-t", "fr", "--dry-run")
    assert "/api/v1/agents" in result.stdout
    assert not server.requests


# -- any agent ---------------------------------------------------------------------------------


def test_the_known_agents(glm: Glm) -> None:
    """Without a key; every row has its regions."""
    assert [agent["id"] for agent in glm("agent", "list", "--json").json][:2] == [
        "general_translation",
        "slides_glm_agent",
    ]
    assert "vidu_template_agent\tintl\tasync" in glm("agent", "list").stdout


def test_an_agent_by_its_id(glm: Glm, server: ScriptedServer) -> None:
    """Variables of a file and of the command line; the latter win."""
    Path("vars.json").write_text('{"target_lang": "ko", "strategy": "reflection"}')
    argv = ("--vars", "vars.json", "--var", "target_lang=fr", "--var", "strategy_config.general.suggestion=short")
    result = glm("agent", "run", "general_translation", "good", "day", *argv)
    assert (result.exit_code, result.stdout) == (0, "[fr] good day\n")
    assert server.last.json["custom_variables"] == {
        "target_lang": "fr",
        "strategy": "reflection",
        "strategy_config": {"general": {"suggestion": "short"}},
    }


@pytest.mark.parametrize("fault", [None, "utf8"])
def test_streaming(glm: Glm, server: ScriptedServer, fault: str | None) -> None:
    """Text as it comes, one newline at the end, wherever the bytes are cut."""
    server.sandbox.fault = fault
    result = glm("agent", "run", "general_translation", "你好 again", "--var", "target_lang=fr", "--stream")
    assert (result.exit_code, result.stdout) == (0, "[fr] 你好 again\n")
    assert server.last.json["stream"] is True


@pytest.mark.parametrize(
    ("events", "exit_code", "out"),
    [
        ([{"agent_id": "x", "choices": [], "error": {"code": 1113, "message": "m"}}], ExitCode.BALANCE, ""),
        ([{"choices": [{"delta": {"content": "half"}}]}], ExitCode.NETWORK, "half\n"),
        (["{cut"], ExitCode.NETWORK, ""),
        ([{"choices": [{"delta": {"content": ["a", {"text": "b"}]}}]}, "[DONE]"], ExitCode.OK, "ab\n"),
        ([{"choices": [{"finish_reason": "sensitive"}]}], ExitCode.CONTENT, ""),
        ([{"choices": [{"finish_reason": "stop", "delta": {"content": "all"}}]}], ExitCode.OK, "all\n"),
    ],
    ids=["error", "no-end", "torn-json", "mixed-content", "sensitive", "no-mark"],
)
def test_streams_of_all_kinds(
    glm: Glm, server: ScriptedServer, events: list[object], exit_code: ExitCode, out: str
) -> None:
    """Errors inside, early ends, odd content."""
    server.script("POST", "/agents", sse=events)
    result = glm("agent", "run", "some_agent", "hi", "--stream")
    assert (result.exit_code, result.stdout) == (exit_code, out)


def test_a_stream_that_is_refused(glm: Glm, server: ScriptedServer) -> None:
    """The refusal comes as plain JSON with HTTP 200."""
    server.sandbox.fault = "1113"
    assert glm("agent", "run", "general_translation", "hi", "--stream").exit_code == ExitCode.BALANCE


@pytest.mark.parametrize(("fault", "requests", "exit_code"), [("1302x2", 3, 0), ("1302", 3, 6), ("1113", 1, 5)])
def test_a_refused_stream_is_asked_for_again(
    glm: Glm, server: ScriptedServer, fault: str, requests: int, exit_code: int
) -> None:
    """A rate limit that is told with HTTP 200 is waited for before any output; what no retry mends is told at once."""
    code, _, times = fault.partition("x")
    refusal = {"agent_id": "x", "status": "failed", "error": {"code": code, "message": "no"}}
    for _ in range(int(times or requests)):
        server.script("POST", "/agents", json=refusal)
    result = glm("agent", "run", "general_translation", "hi", "--stream", "--max-retries", "2")
    asked = [request for request in server.requests if request.method == "POST"]
    assert (result.exit_code, len(asked), bool(result.stdout)) == (exit_code, requests, exit_code == 0)
    assert result.stderr.count("trying again in") == requests - 1


MESSAGE: dict[str, Any] = {"role": "assistant", "content": {"type": "text", "text": "hi"}}


@pytest.mark.parametrize(
    "choice",
    [
        {"messages": MESSAGE},
        {"messages": [MESSAGE]},
        {"message": {"content": "hi"}},
        {"message": [{"content": [{"type": "text", "text": "h"}, "i"]}]},
        {"delta": {"content": {"text": "hi"}}},
        {"message": [{"phase": "thinking", "content": "no"}, {"phase": "answer", "content": "hi"}, 7, None]},
    ],
    ids=["object", "list", "string", "parts", "delta", "phases"],
)
def test_answers_in_every_shape(choice: dict[str, Any]) -> None:
    """The documents show several, the SDK another."""
    assert reply_from_json({"choices": [choice]}).text == "hi"


@pytest.mark.parametrize("choices", [None, "x", [None], [{"message": None}], [{"message": {"content": 5}}], {"a": 1}])
def test_answers_that_are_none(choices: object) -> None:
    """Nothing raises."""
    assert reply_from_json({"choices": choices}).text == ""


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        ({"status": "pending"}, JobState.RUNNING, None),
        ({"status": "failed", "error": {"code": "1301", "message": "m"}}, JobState.FAILED, "m (1301)"),
        ({"status": "failed"}, JobState.FAILED, None),
    ],
)
def test_states_of_asynchronous_agents(body: dict[str, Any], state: JobState, reason: str | None) -> None:
    """The words of the service."""
    job = job_from_json(body)
    assert (job.state, job.reason) == (state, reason)


def test_an_agent_of_another_region(glm: Glm, server: ScriptedServer) -> None:
    """The list is named."""
    result = glm("agent", "run", "intelligent_education_correction_polling", "hi")
    assert result.exit_code == ExitCode.FAILED
    assert "glm agent list" in result.stderr


def test_an_agent_that_takes_its_time(glm: Glm, server: ScriptedServer) -> None:
    """It is remembered as a task and waited for; its result is written."""
    env = {"ZHIPU_API_KEY": server.keys["zhipu"], "ZAI_API_KEY": None}
    result = glm("agent", "run", "intelligent_education_correction_polling", "polls:0", env=env)
    assert result.exit_code == 0
    assert result.stdout.strip().endswith("/result.pdf")
    result = glm("agent", "run", "intelligent_education_correction_polling", "polls:0", "--no-wait", env=env)
    assert glm("tasks", "list", "--json", env=env).exit_code == 0
    assert result.exit_code == 0


def test_an_asynchronous_answer_in_words(glm: Glm, server: ScriptedServer) -> None:
    """A result need not be a file; it is kept as the task's."""
    server.script("POST", "/agents", json={"status": "pending", "async_id": "job-1", "agent_id": "x"})
    choice = {"message": [{"role": "assistant", "content": [{"type": "text", "text": "8 of 10"}]}]}
    server.script("POST", "/async-result", json={"status": "success", "async_id": "job-1", "choices": [choice]})
    result = glm("agent", "run", "x", "mark this")
    assert (result.exit_code, result.stdout) == (0, "8 of 10\n")
    assert [task["status"] for task in glm("tasks", "list", "--json").json["tasks"]] == ["done"]


# -- effects -----------------------------------------------------------------------------------


def test_an_effect(glm: Glm, server: ScriptedServer) -> None:
    """Submitted, polled, downloaded; the picture's address is a plain text."""
    result = glm("agent", "effects", "bodyshake", *IMAGE, "-o", "dog.mp4", "--interval", "0.01")
    assert (result.exit_code, result.stdout) == (0, "dog.mp4\n")
    assert Path("dog.mp4").read_bytes()[4:8] == b"ftyp"
    first = server.requests[0].json
    assert first["custom_variables"] == {"template": "bodyshake"}
    assert first["messages"][0]["content"][1] == {"type": "image_url", "image_url": "https://example.com/dog.png"}
    assert set(server.requests[1].json) == {"agent_id", "async_id"}


def test_an_effect_is_a_task(glm: Glm, server: ScriptedServer) -> None:
    """`--no-wait` prints its id, with which another command finishes it."""
    id = glm("agent", "effects", "bodyshake", *IMAGE, "-o", "dog.mp4", "--no-wait").stdout.strip()
    result = glm("tasks", "wait", id)
    assert (result.exit_code, Path("dog.mp4").exists()) == (0, True), result.stderr


@pytest.mark.parametrize(
    ("words", "exit_code"), [("task:fail", ExitCode.FAILED), ("task:forever", ExitCode.PENDING)], ids=["failed", "slow"]
)
def test_effects_without_a_video(glm: Glm, server: ScriptedServer, words: str, exit_code: ExitCode) -> None:
    """A failure is exit 1; one that is still running at the deadline is exit 9."""
    argv = ("agent", "effects", "sexy_me", words, *IMAGE, "--interval", "0.01", "--deadline", "0.1")
    assert glm(*argv).exit_code == exit_code


@pytest.mark.parametrize("argv", [("nope", *IMAGE), ("bodyshake",), ("bodyshake", "--image", "dog.png")])
def test_effects_that_cannot_be(glm: Glm, server: ScriptedServer, argv: tuple[str, ...]) -> None:
    """Told before anything is sent."""
    assert glm("agent", "effects", *argv).exit_code == ExitCode.USAGE
    assert not server.requests


def test_an_effect_is_submitted_once(glm: Glm, server: ScriptedServer) -> None:
    """Nobody knows whether a paid job was taken: it is not sent again."""
    server.sandbox.fault = "html"
    assert glm("agent", "effects", "bodyshake", *IMAGE).exit_code != 0
    assert len(server.requests) == 1


# -- slides ------------------------------------------------------------------------------------


def test_slides(glm: Glm, server: ScriptedServer) -> None:
    """One HTML file per page, the PDF beside them; the conversation is told."""
    result = glm("agent", "slides", "tides", "-o", "tides", "--export", "pdf,png", "--size", "640x360")
    assert result.exit_code == 0
    names = [*(f"page-{n:02d}.html" for n in (1, 2, 3)), "slides.pdf", *(f"page-{n:02d}.png" for n in (1, 2, 3))]
    assert result.stdout.split() == [f"tides/{name}" for name in names]
    assert "<p>tides</p>" in Path("tides/page-02.html").read_text()
    assert Path("tides/slides.pdf").read_bytes().startswith(b"%PDF")
    assert server.requests[0].json["stream"] is True
    export = server.requests[1].json["custom_variables"]
    assert export == {"include_pdf": True, "pages": [{"position": n, "width": 640, "height": 360} for n in (1, 2, 3)]}


def test_slides_can_be_changed(glm: Glm, server: ScriptedServer) -> None:
    """`--conversation` goes on; pages that come again replace the old ones."""
    id = glm("agent", "slides", "tides", "-o", "tides", "--json").json["conversation_id"]
    result = glm("agent", "slides", "bluer", "-o", "tides", "--conversation", id)
    assert result.exit_code == 0
    assert server.last.json["conversation_id"] == id
    assert "turn 2" in Path("tides/page-01.html").read_text()


def test_an_old_conversation_can_be_exported(glm: Glm, server: ScriptedServer) -> None:
    """Without a prompt nothing is made anew."""
    id = glm("agent", "slides", "tides", "-o", "tides", "--json").json["conversation_id"]
    result = glm("agent", "slides", "--conversation", id, "--export", "pdf", "-o", "out")
    assert (result.exit_code, result.stdout) == (0, "out/slides.pdf\n")


def test_pages_that_came_are_saved(glm: Glm, server: ScriptedServer) -> None:
    """The line breaks: what was made before is on disk, and the failure told."""
    html = "<!DOCTYPE html><html><body>one</body></html>"
    called = {"tool_name": "insert_page", "output": html, "position": [1]}
    message = {"role": "assistant", "phase": "tool", "content": [{"type": "object", "object": called}]}
    server.script("POST", "/agents", sse=[{"conversation_id": "c1", "choices": [{"message": [message]}]}])
    result = glm("agent", "slides", "tides", "-o", "tides")
    assert (result.exit_code, Path("tides/page-01.html").read_text()) == (ExitCode.NETWORK, html)
    assert "1 pages were saved" in result.stderr


def test_a_page_in_several_pieces(glm: Glm, server: ScriptedServer) -> None:
    """A page that is cut is put together; a page without a place gets the next one."""
    outputs = ["<html><body>o", "<b>ne</b></body></html>", "<html>two</html>"]
    events = [
        {"choices": [{"message": [{"content": [{"type": "object", "object": {"output": output}}]}]}]}
        for output in outputs
    ]
    server.script("POST", "/agents", sse=[*events, "[DONE]"])
    glm("agent", "slides", "tides", "-o", "tides")
    pages = [path.read_text() for path in sorted(Path("tides").iterdir())]
    assert pages == ["<html><body>o<b>ne</b></body></html>", "<html>two</html>"]


def test_the_folder_of_slides_is_ours(glm: Glm, server: ScriptedServer) -> None:
    """An id that the service chose cannot lead out of the working directory."""
    html = {"type": "object", "object": {"output": "<html></html>", "position": 1}}
    events = [{"conversation_id": "../../../x", "choices": [{"message": [{"content": [html]}]}]}, "[DONE]"]
    server.script("POST", "/agents", sse=events)
    assert glm("agent", "slides", "tides").stdout == "slides-x/page-01.html\n"


@pytest.mark.parametrize("argv", [(), ("x", "--export", "odp"), ("x", "--size", "big"), ("--export", "pdf")])
def test_slides_that_cannot_be(glm: Glm, server: ScriptedServer, argv: tuple[str, ...]) -> None:
    """Usage errors."""
    assert glm("agent", "slides", *argv).exit_code == ExitCode.USAGE


# -- against the official SDK --------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # the SDK's own
def test_the_body_is_that_of_the_official_sdk(server: ScriptedServer) -> None:
    """zai-sdk 0.2.3 sends the same body, to a path that does not exist (docs/agents.md)."""
    from zai import ZaiClient

    variables = {"target_lang": "ja"}
    parts = [text_part("hello")]
    client = ZaiClient(api_key=server.keys["zai"], base_url=f"{server.address}/api/paas/v4")
    server.script("POST", "/agents", json=answer("hi"))
    client.agents.invoke(
        agent_id="general_translation",
        messages=[{"role": "user", "content": parts}],
        custom_variables=variables,
        stream=False,
        request_id="request-1",
        user_id="user-01",
    )
    assert server.last.path == "/api/paas/v4/v1/agents"
    ours = AgentRequest(
        "general_translation", parts, variables=variables, request_id="request-1", user_id="user-01"
    ).body()
    assert json.loads(server.last.body) == ours


@pytest.mark.filterwarnings("ignore")  # the SDK's own
def test_the_upload_is_that_of_the_official_sdk(glm: Glm, server: ScriptedServer) -> None:
    """The same fields in the form; the type of the file is said where the SDK guesses."""
    from zai import ZaiClient

    Path("terms.txt").write_text("cat=Katze")
    client = ZaiClient(api_key=server.keys["zai"], base_url=f"{server.address}/api/paas/v4")
    with Path("terms.txt").open("rb") as file:
        client.files.create(file=file, purpose="agent")  # type: ignore[arg-type]  # the SDK's hints lack it
    glm("agent", "translate", "cat", "-t", "de", "--glossary", "terms.txt")
    theirs, ours = (_form(request) for request in list(server.requests)[:2])
    assert ours == theirs


def _form(request: Any) -> dict[str, tuple[str | None, str]]:
    head = b"Content-Type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
    parts: Any = BytesParser().parsebytes(head + request.body).get_payload()
    return {
        part.get_param("name", header="content-disposition"): (part.get_filename(), part.get_payload(decode=True))
        for part in parts
    }


def test_the_types_of_glossaries_are_documented() -> None:
    """docs.z.ai names seven."""
    assert sorted(AGENT_TYPES) == [".doc", ".jpg", ".pdf", ".png", ".ppt", ".txt", ".xlsx"]

"""`glm chat` as a conversation, on a real pseudo-terminal."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Glm, ScriptedServer
from tests.terminal.terminal import Terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")


@pytest.fixture
def talk() -> Iterator[Terminal]:
    """A conversation with the sandbox, at its first prompt."""
    with Terminal("--provider", "sandbox", "chat") as terminal:
        terminal.wait_for_prompt()
        yield terminal


def say(terminal: Terminal, line: str) -> None:
    """Type a line and wait until it was dealt with."""
    before = sum(shown.startswith(">") for shown in terminal.lines)
    terminal.enter(line)
    terminal.wait(
        lambda: terminal.is_at_prompt and sum(shown.startswith(">") for shown in terminal.lines) > before,
        "the next prompt",
    )


def messages(glm: Glm) -> list[tuple[str, str]]:
    """Role and text of the latest conversation in the history."""
    document = glm("history", "show", "last", "--json").json
    return [(message["role"], message["content"]) for message in document["messages"]]


# -- turns ------------------------------------------------------------------------------


def test_a_conversation_of_several_turns(talk: Terminal, glm: Glm) -> None:
    """Each question goes with what was said before, and Ctrl-D ends with exit code 0."""
    for word in ("red", "green", "blue"):
        say(talk, f"echo: {word}")
    talk.type("\x04")
    assert talk.wait_for_end() == 0
    expected = [(("user", f"echo: {word}"), ("assistant", word)) for word in ("red", "green", "blue")]
    assert messages(glm) == [message for turn in expected for message in turn]


def test_the_status_names_model_and_conversation_and_leaves_no_trace(talk: Terminal) -> None:
    """It stands to the right of the prompt until the line is sent."""
    assert "glm-5.3" in talk.lines[-1]
    say(talk, "echo: Rome")
    assert talk.lines[-1].endswith("glm-5.3 · echo: Rome")
    sent = next(line for line in talk.lines if line.startswith("> echo: Rome"))
    assert sent == "> echo: Rome"


def test_alt_enter_begins_a_new_line(talk: Terminal, glm: Glm) -> None:
    """Both lines are one message."""
    talk.type("echo: one\x1b\rtwo")
    say(talk, "")
    assert messages(glm)[0] == ("user", "echo: one\ntwo")


def test_a_pasted_text_of_several_lines_is_one_message(talk: Terminal, glm: Glm) -> None:
    """Nothing is sent before Enter is pressed."""
    talk.paste("echo: one\ntwo\n/exit\n")
    talk.wait_for("/exit")
    say(talk, "")
    assert messages(glm)[0] == ("user", "echo: one\ntwo\n/exit\n")


def test_a_paste_of_a_hundred_kilobytes_is_one_message(talk: Terminal, glm: Glm) -> None:
    """It arrives whole, and does not fill the screen."""
    text = "".join(f"{number} Zeile mit Wörtern und 中文\n" for number in range(3000))
    assert len(text.encode()) > 100_000
    talk.type("repeat: 3 ")
    talk.paste(text)
    talk.wait_for("[paste 1: ")
    say(talk, " thanks")
    assert messages(glm)[0] == ("user", f"repeat: 3 {text} thanks")


def test_typed_ahead_lines_wait_for_their_turn(talk: Terminal, glm: Glm) -> None:
    """What is typed while an answer comes does not appear in it and is not lost."""
    talk.enter("repeat: 60")
    talk.wait_for("sandbox thinking")
    talk.type("echo: next\r")
    talk.wait_for(" s · sandbox", 2)
    assert [text for role, text in messages(glm) if role == "user"] == ["repeat: 60", "echo: next"]
    assert "> echo: next" in talk.lines


def test_a_dumb_terminal_gets_plain_lines(glm: Glm) -> None:
    """No escape sequence, no editor; the conversation is the same."""
    with Terminal("--provider", "sandbox", "chat", term="dumb") as terminal:
        terminal.wait_for_prompt()
        terminal.enter("echo: plain")
        terminal.wait_for(" s · sandbox")
        terminal.enter("/exit")
        assert terminal.wait_for_end() == 0
        assert b"\x1b" not in terminal.raw
    assert messages(glm) == [("user", "echo: plain"), ("assistant", "plain")]


# -- keys -------------------------------------------------------------------------------


def test_commands_and_their_words_are_completed(talk: Terminal) -> None:
    """With the Tab key, and shown while a slash command is typed."""
    talk.type("/mod")
    talk.wait_for("Show or change the model.")
    talk.type("\t glm-4.6v-flashx")
    talk.wait_for("/model glm-4.6v-flashx")
    say(talk, "")
    talk.wait_for("model: glm-4.6v-flashx")


def test_files_are_completed(talk: Terminal) -> None:
    """For /attach, as far as the name is unique."""
    Path("picture-of-a-cat.txt").write_text("a cat")
    talk.type("/attach pict\t")
    talk.wait_for("/attach picture-of-a-cat.txt")
    talk.type("\r")
    talk.wait_for("/attach picture-of-a-cat.txt")
    say(talk, "")
    talk.wait_for("attached: picture-of-a-cat.txt (text, 5 bytes)")


def test_what_was_typed_comes_back_in_the_next_conversation(talk: Terminal, home: Path) -> None:
    """By the arrow and Ctrl-R; the file is private, and lines with a leading space or a key are not in it."""
    for line in ("echo: apple", " echo: private", f"echo: {'ab12' * 8}.secretsecret", "echo: pear"):
        say(talk, line)
    talk.type("\x04")
    talk.wait_for_end()
    file = home / "state" / "prompt_history"
    assert [json.loads(line) for line in file.read_text().splitlines()] == ["echo: apple", "echo: pear"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with Terminal("--provider", "sandbox", "chat") as second:
        second.wait_for_prompt()
        second.type("\x1b[A")
        second.wait_for("> echo: pear")
        second.type("\x03")
        second.wait_for_prompt()
        second.type("\x12appl")
        second.wait_for("echo: apple")
        second.type("\r")
        second.wait_for("> echo: apple")


def test_ctrl_c_clears_a_line_and_then_leaves(talk: Terminal, glm: Glm) -> None:
    """At an empty prompt it is the end, with exit code 0."""
    talk.type("half a thought")
    talk.wait_for("half a thought")
    talk.type("\x03")
    talk.wait_for_prompt()
    talk.type("\x03")
    assert talk.wait_for_end() == 0
    assert talk.settings == talk.before


# -- Ctrl-C during an answer --------------------------------------------------------------


def test_ctrl_c_stops_an_answer_at_any_moment_and_the_next_turn_works(talk: Terminal) -> None:
    """Twenty moments, from before the first byte to the middle of the text."""
    for number in range(20):
        talk.enter("repeat: 3000")
        until = time.monotonic() + number * 0.02
        while time.monotonic() < until:
            talk.read()
        talk.type("\x03")
        talk.wait_for("interrupted", number + 1)
        talk.wait_for_prompt()
        say(talk, f"echo: works {number}.")
        assert f"\nworks {number}.\n" in talk.text.replace(f"> echo: works {number}.", "")
    talk.type("\x04")
    assert talk.wait_for_end() == 0
    assert talk.settings == talk.before
    assert "Traceback" not in talk.text


def test_a_stopped_answer_is_kept_and_marked(talk: Terminal, glm: Glm) -> None:
    """What came stands in the history as interrupted, and /continue goes on."""
    talk.enter("repeat: 3000")
    talk.wait_for("sand box word")
    talk.type("\x03")
    talk.wait_for("interrupted; what came is kept: /continue goes on")
    talk.wait_for_prompt()
    say(talk, "/continue")
    document = glm("history", "show", "last", "--json").json["messages"]
    assert [message["role"] for message in document] == ["user", "assistant", "user", "assistant"]
    assert document[1]["content"].startswith("sand box word")
    assert (document[1]["complete"], document[3]["complete"]) == (False, True)


def test_a_silent_server_is_stopped_too(server: ScriptedServer) -> None:
    """Ctrl-C does not wait for the next byte; the next question goes out on a new connection."""
    with Terminal("chat") as terminal:
        terminal.wait_for_prompt()
        terminal.enter("fault:stall")
        terminal.wait_for("sandbox thinking")
        terminal.type("\x03")
        terminal.wait_for("interrupted")
        terminal.wait_for_prompt()
        say(terminal, "echo: here again")
        assert "\nhere again\n" in terminal.text
        terminal.type("\x04")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize("while_answering", [False, True], ids=["at the prompt", "during an answer"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_leaves_a_sane_terminal(talk: Terminal, name: str, while_answering: bool) -> None:
    """Line discipline and cursor are as they were before."""
    number = getattr(signal, name)
    if while_answering:
        talk.enter("repeat: 3000")
        talk.wait_for("sand box word")
    talk.child.kill(number)
    assert talk.wait_for_end() == 128 + number
    assert talk.settings == talk.before
    assert not talk.emulator.cursor.hidden
    assert "Traceback" not in talk.text


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_an_answer_is_not_lost_with_the_terminal(talk: Terminal, glm: Glm, name: str) -> None:
    """What came before a signal ended the process is in the history, marked as interrupted."""
    talk.enter("repeat: 3000")
    talk.wait_for("sand box word")
    talk.child.kill(getattr(signal, name))
    talk.wait_for_end()
    answer = glm("history", "show", "last", "--json").json["messages"][-1]
    assert answer["content"].startswith("sand box word")
    assert not answer["complete"]


def test_a_call_of_a_tool_is_asked_for(server: ScriptedServer) -> None:
    """What is typed is seen; Ctrl-C at the question stops the turn, and the conversation goes on."""
    Path("tools.py").write_text("def time_of_day() -> str:\n    'Tell the time.'\n    return 'noon'\n")
    with Terminal("chat", "--tools", "tools.py") as terminal:
        terminal.wait_for_prompt()
        terminal.enter("call time_of_day")
        terminal.wait_for("Call time_of_day({})? [y/N]")
        terminal.type("y")
        terminal.wait_for("[y/N] y")
        terminal.type("\r")
        terminal.wait_for("time_of_day: noon")
        terminal.wait_for_prompt()
        terminal.enter("call time_of_day again")
        terminal.wait_for("[y/N]", 2)
        terminal.type("\x03")
        terminal.wait_for("interrupted")
        terminal.wait_for_prompt()
        say(terminal, "echo: on")
        assert "\non\n" in terminal.text


def test_the_window_may_change_its_size(talk: Terminal) -> None:
    """At the prompt and during an answer; the next prompt is whole."""
    talk.resize(50, 20)
    say(talk, "echo: narrow")
    talk.enter("repeat: 120")
    talk.wait_for("sand box word")
    talk.resize(100, 30)
    talk.wait_for_prompt()
    say(talk, "echo: wide")
    assert "\nwide\n" in talk.text


# -- commands -----------------------------------------------------------------------------


def test_retry_replaces_the_answer_and_undo_takes_the_turn_back(talk: Terminal, glm: Glm) -> None:
    """In the history, too."""
    say(talk, "echo: one")
    say(talk, "/retry")
    assert messages(glm) == [("user", "echo: one"), ("assistant", "one")]
    say(talk, "echo: two")
    say(talk, "/undo")
    talk.wait_for("taken back: echo: two")
    assert messages(glm) == [("user", "echo: one"), ("assistant", "one")]


def test_edit_opens_the_last_question_in_the_editor(tmp_path: Path, glm: Glm) -> None:
    """What is saved there is asked."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i.bak "s/one/edited/" "$1"\n')
    editor.chmod(0o700)
    with Terminal("--provider", "sandbox", "chat", env={"EDITOR": str(editor), "VISUAL": ""}) as terminal:
        terminal.wait_for_prompt()
        say(terminal, "echo: one")
        say(terminal, "/edit")
        terminal.wait_for(" s · sandbox", 2)
    assert messages(glm)[-2:] == [("user", "echo: edited"), ("assistant", "edited")]


def test_save_and_load(talk: Terminal, glm: Glm) -> None:
    """Markdown for people; JSON can be loaded again; a conversation of the history by its title."""
    say(talk, "echo: apple")
    say(talk, "/title Fruit")
    say(talk, "/save fruit.md")
    say(talk, "/save fruit.json")
    say(talk, "/save fruit.json")
    talk.wait_for("fruit.json exists")
    assert "apple" in Path("fruit.md").read_text()
    say(talk, "/new")
    say(talk, "echo: stone")
    say(talk, "/load Fruit")
    talk.wait_for("going on with “Fruit”, 2 messages")
    say(talk, "echo: pear")
    assert [text for _, text in messages(glm)] == ["echo: apple", "apple", "echo: pear", "pear"]
    say(talk, "/load fruit.json")
    say(talk, "echo: plum")
    assert [text for _, text in messages(glm)] == ["echo: apple", "apple", "echo: plum", "plum"]
    assert glm("history", "show", "last", "--json").json["title"] == "Fruit"


def test_copy_reaches_the_clipboard_of_the_terminal(talk: Terminal) -> None:
    """By OSC 52 where no program can: the whole answer, or its last block of code."""
    say(talk, "show me code")
    say(talk, "/copy code")
    talk.wait_for("copied")
    data = talk.raw.partition(b"\x1b]52;c;")[2].partition(b"\a")[0]
    assert base64.b64decode(data).decode().startswith("def greet(")


def test_an_error_never_ends_the_conversation(talk: Terminal) -> None:
    """Refusals, unknown commands, missing files: told, and on it goes."""
    say(talk, "fault:1113")
    talk.wait_for("1113")
    say(talk, "/modle")
    talk.wait_for("did you mean /model?")
    say(talk, "/attach nowhere.png")
    talk.wait_for("nowhere.png cannot be read")
    say(talk, "/load nothing")
    talk.wait_for("no conversation 'nothing'")
    say(talk, "/etc/hosts echo: is a path")
    say(talk, "echo: still here")
    assert "\nstill here\n" in talk.text


def test_no_log_keeps_nothing(home: Path) -> None:
    """The prompt says so."""
    with Terminal("--provider", "sandbox", "chat", "--no-log") as terminal:
        terminal.wait_for_prompt()
        assert terminal.lines[-1].endswith("not kept")
        say(terminal, "echo: secret")
        terminal.type("\x04")
        terminal.wait_for_end()
    assert not list(home.rglob("history.db"))


def test_a_conversation_is_resumed(glm: Glm) -> None:
    """`glm chat -c` shows where it stopped and goes on there."""
    glm("--provider", "sandbox", "chat", "echo: first")
    with Terminal("--provider", "sandbox", "chat", "-c") as terminal:
        terminal.wait_for("going on with “echo: first”, 2 messages")
        terminal.wait_for_prompt()
        say(terminal, "echo: second")
    assert [text for _, text in messages(glm)] == ["echo: first", "first", "echo: second", "second"]


def test_a_single_answer_that_is_stopped_is_kept_too(glm: Glm) -> None:
    """Exit code 130, what came on the screen and in the history; `glm chat -c` goes on with it."""
    with Terminal("--provider", "sandbox", "chat", "repeat: 3000") as terminal:
        terminal.wait_for("sand box word")
        terminal.type("\x03")
        assert terminal.wait_for_end() == 130
        assert terminal.settings == terminal.before
        assert not terminal.emulator.cursor.hidden
    question, answer = glm("history", "show", "last", "--json").json["messages"]
    assert question["content"] == "repeat: 3000"
    assert answer["content"].startswith("sand box word")
    assert not answer["complete"]

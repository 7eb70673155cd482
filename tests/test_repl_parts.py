"""The parts of a conversation at the terminal that need no terminal: completion, typed lines, clipboard, Ctrl-C."""

from __future__ import annotations

import base64
import json
import os
import signal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from glmcli.asking import ChatOptions
from glmcli.clipboard import copy
from glmcli.context import AppContext
from glmcli.history.model import Message
from glmcli.interrupts import Interrupts
from glmcli.repl.completion import candidates
from glmcli.repl.reading import Pastes, status
from glmcli.repl.size import tokens_in
from glmcli.repl.talk import Talk
from glmcli.repl.typed import TypedLines
from glmcli.session import Session, SessionSetup
from glmcli.streams import Streams
from glmcli.wiremessages import with_results
from tests.harness import Terminal


@pytest.fixture
def talk() -> Talk:
    """A conversation with the sandbox that nobody has begun."""
    environ = {**os.environ, "GLM_PROVIDER": "sandbox"}
    streams = Streams(stdin=BytesIO(), stdout=BytesIO(), stderr=BytesIO(), environ=environ)
    app = AppContext(streams=streams, environ=environ, cwd=Path.cwd())
    return Talk(Session(app, SessionSetup(ChatOptions(), "hide")))


# -- completion -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("/th", ["/think"]),
        ("/t", ["/think", "/tokens", "/title"]),
        ("/think m", ["medium", "max"]),
        ("/search ", ["on", "off"]),
        ("/model glm-4.6v-flashx", ["glm-4.6v-flashx"]),
        ("/attach ", ["folder/", "talk.json"]),
        ("/attach .", [".hidden"]),
        ("/attach folder/", ["inner.txt"]),
        ("/save -f ta", ["talk.json"]),
        ("/load ta", ["talk.json"]),
        ("/tokens ", []),
        ("/nothing x", []),
        ("what is /th", []),
        ("one\n/th", []),
    ],
)
def test_completion(talk: Talk, before: str, words: list[str]) -> None:
    """Commands and what they take; a question is left alone."""
    Path("folder").mkdir()
    for name in ("talk.json", ".hidden", "folder/inner.txt"):
        Path(name).write_text("x")
    assert [found.text for found in candidates(talk, before)] == words


def test_conversations_are_completed_by_title_or_id(talk: Talk) -> None:
    """A title that two have is replaced by the ids."""
    history = talk.app.history
    for title in ("Rome", "Twice", "Twice"):
        history.start([Message("user", "hi")], title=title)
    ids = [item.id for item in history.recent() if item.title == "Twice"]
    assert [found.text for found in candidates(talk, "/load ro")] == ["Rome"]
    assert [found.text for found in candidates(talk, "/load twi")] == ids
    talk.app.close()


def test_a_broken_history_completes_nothing(talk: Talk, home: Path) -> None:
    """The Tab key is no place to complain."""
    home.mkdir(mode=0o700)
    (home / "history.db").write_bytes(b"no database " * 400)
    assert not list(candidates(talk, "/load x"))


def test_the_status_is_short_and_harmless(talk: Talk) -> None:
    """A title cannot steer the terminal, nor fill it."""
    talk.session.keeper.title = "a\x1b]0;x\x07" + "b" * 50
    talk.session.setup.web_search = True
    shown = status(talk)
    assert shown.startswith("glm-5.3 · a^[]0;x^G")
    assert shown.endswith("… · web search")
    assert len(shown) < 70


# -- what is typed --------------------------------------------------------------------------


def lines(path: Path, notices: list[str]) -> TypedLines:
    return TypedLines(path, is_secret=lambda text: "secret" in text, notice=notices.append)


def test_typed_lines_come_back_in_their_order(tmp_path: Path) -> None:
    """With line breaks; private ones, secrets and documents are not kept; foreign lines are skipped."""
    path, notices = tmp_path / "state" / "typed", list[str]()
    kept = lines(path, notices)
    for text in ("one", "two\nlines 水", " private", "my secret", "", "x" * 20_001):
        kept.add(text)
    with path.open("a") as file:
        file.write("no json\n42\n")
    assert kept.load() == ["one", "two\nlines 水"]
    assert (path.stat().st_mode & 0o777, notices) == (0o600, [])


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    """The newest five thousand stay."""
    path = tmp_path / "typed"
    path.write_text("".join(json.dumps(str(number)) + "\n" for number in range(10_001)))
    assert lines(path, []).load()[0] == "5001"
    assert len(path.read_text().splitlines()) == 5000


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    """And the conversation goes on."""
    (tmp_path / "file").write_text("")
    notices: list[str] = []
    kept = lines(tmp_path / "file" / "typed", notices)
    kept.add("one")
    kept.add("two")
    assert len(notices) == 1


def test_long_pastes_stand_behind_a_word() -> None:
    """Each comes back where its word stands, with line breaks as line feeds."""
    pastes = Pastes()
    long = "line\r\n" * 50
    first, second = pastes.shown(long), pastes.shown("y" * 5000)
    assert pastes.shown("short\rtext") == "short\ntext"
    assert first == "[paste 1: 250 characters, 51 lines]"
    assert pastes.expanded(f"a {first} b {second}") == " ".join(["a", "line\n" * 50, "b", "y" * 5000])


# -- the clipboard --------------------------------------------------------------------------


def terminal_of(environ: dict[str, str]) -> tuple[Streams, Terminal]:
    screen = Terminal()
    return Streams(stdin=BytesIO(), stdout=Terminal(), stderr=screen, environ=environ), screen


@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
@pytest.mark.parametrize(
    ("program", "variable"), [("wl-copy", "WAYLAND_DISPLAY"), ("xclip", "DISPLAY"), ("xsel", "DISPLAY")]
)
def test_a_program_takes_the_text(tmp_path: Path, program: str, variable: str) -> None:
    """Where there is a screen for it; through ssh the terminal does."""
    script = tmp_path / program
    script.write_text(f'#!/bin/sh\n/bin/cat > "{tmp_path}/clipboard"\n')
    script.chmod(0o700)
    environ = {"PATH": str(tmp_path), variable: ":0", "TERM": "xterm"}
    streams, screen = terminal_of(environ)
    assert copy("水 and more", streams, environ) == program
    assert (tmp_path / "clipboard").read_text() == "水 and more"
    assert screen.getvalue() == b""
    assert copy("x", streams, {**environ, "SSH_TTY": "/dev/pts/1"}) == "the terminal (OSC 52)"


def test_the_terminal_takes_the_text() -> None:
    """As base64 in an OSC 52; not more than terminals take, and nothing on one that knows lines only."""
    streams, screen = terminal_of({"TERM": "xterm"})
    assert copy("水", streams, {"PATH": ""}) == "the terminal (OSC 52)"
    assert screen.getvalue() == b"\x1b]52;c;" + base64.b64encode("水".encode()) + b"\a"
    assert copy("x" * 100_000, streams, {"PATH": ""}) is None
    assert copy("x", terminal_of({"TERM": "dumb"})[0], {"PATH": ""}) is None


# -- Ctrl-C ---------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_waits_for_a_point_where_nothing_breaks() -> None:
    """Noted in between, handed over where it can be taken, raised where it must be at once."""
    interrupts = Interrupts()
    taken: list[str] = []
    with interrupts.guarded():
        os.kill(os.getpid(), signal.SIGINT)
        with interrupts.handed_to(lambda: taken.append("earlier")):
            os.kill(os.getpid(), signal.SIGINT)
        assert taken == ["earlier", "earlier"]
        interrupts.forget()
        with interrupts.handed_to(lambda: taken.append("never")):
            pass
        with pytest.raises(KeyboardInterrupt), interrupts.at_once():
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_third_ctrl_c_is_always_heard() -> None:
    """Whatever hangs."""
    with Interrupts().guarded():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


# -- messages -------------------------------------------------------------------------------


def test_every_call_has_a_result() -> None:
    """One that is missing is put in before the next message that is no result."""
    calls = [{"id": name, "function": {"name": "f", "arguments": "{}"}} for name in ("a", "b")]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "user", "content": "on"},
    ]
    whole = with_results(messages)
    assert [message["role"] for message in whole] == ["user", "assistant", "tool", "tool", "user"]
    assert [message["tool_call_id"] for message in whole[2:4]] == ["a", "b"]
    assert with_results(whole) == whole


def test_the_estimate_knows_scripts() -> None:
    """A Chinese character is most of a token, a Latin one a quarter."""
    assert tokens_in("word" * 100) == 100
    assert tokens_in("水" * 150) == 100
    assert tokens_in("") == 0

"""The commands that are killed: how each is started, what must hold at once, and how it is brought to its end."""

from __future__ import annotations

import json
import sqlite3
import stat
import tomllib
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.audio.make import words, write_speech
from tests.crash.ground import Ground, key_of

_SETTINGS = '{\n  // my own\n  "model": "opus",\n}\n'
_PICTURES = ("a fox", "a cat", "an owl")
_PROMPTS = 30
_SECONDS_OF_SPEECH = 95


@dataclass(frozen=True)
class Case:
    """A command to kill. `check` runs after the kill, `finish` brings it to its end and looks at the whole."""

    name: str
    argv: tuple[str, ...]
    finish: Callable[[Ground], None]
    prepare: Callable[[Ground], None] = lambda ground: None
    check: Callable[[Ground], None] = lambda ground: None
    input: bytes = b""


# -- what holds for every command --------------------------------------------------------


def sound(ground: Ground) -> None:
    """Every file of ours is whole and private."""
    for name in ("config.toml", "credentials.toml"):
        path = ground.home / name
        if path.exists():
            tomllib.loads(path.read_text())
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, name
    database = ground.home / "history.db"
    if database.exists():
        assert stat.S_IMODE(database.stat().st_mode) == 0o600
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    for conversation in ground.json("history", "list")["conversations"]:
        ground.glm("history", "show", conversation["id"])


# -- keys and settings -------------------------------------------------------------------

_KEY = key_of("zai-coding").encode()
_ONBOARD = ("onboard", "--non-interactive", "--auth-choice", "zai-coding", "--key-stdin", "--store", "file")


def _prepare_onboard(ground: Ground) -> None:
    ground.glm(*_ONBOARD, "--profile", "old", input=_KEY)
    config = ground.home / "config.toml"
    config.write_text("# mine\n" + config.read_text())


def _check_onboard(ground: Ground) -> None:
    config, keys = _toml(ground, "config.toml"), _toml(ground, "credentials.toml")["keys"]
    assert {"old"} <= set(config["profiles"]) <= set(keys)
    assert (ground.home / "config.toml").read_text().startswith("# mine\n")
    assert set(keys.values()) == {_KEY.decode()}


def _finish_onboard(ground: Ground) -> None:
    ground.glm(*_ONBOARD, "--profile", "new", input=_KEY)
    _check_onboard(ground)
    assert set(_toml(ground, "config.toml")["profiles"]) == {"old", "new"}


def _check_config(ground: Ground) -> None:
    text = (ground.home / "config.toml").read_text()
    assert text.startswith("# mine\n")
    assert _toml(ground, "config.toml").get("aliases", {}) in ({}, {"fast": "glm-5-flash"})


def _finish_config(ground: Ground) -> None:
    ground.glm("config", "set", "aliases.fast", "glm-5-flash")
    assert ground.glm("config", "get", "aliases.fast").stdout == "glm-5-flash\n"


def _toml(ground: Ground, name: str) -> dict[str, Any]:
    return tomllib.loads((ground.home / name).read_text())


def _prepare_connect(ground: Ground) -> None:
    _claude(ground).parent.mkdir()
    _claude(ground).write_text(_SETTINGS)


def _check_connect(ground: Ground) -> None:
    text = _claude(ground).read_text()
    assert text == _SETTINGS or (text.startswith(_SETTINGS[:20]) and "ANTHROPIC_BASE_URL" in text)
    assert text.count("{") == text.count("}")
    for backup in _claude(ground).parent.glob("*.glm-backup-*"):
        assert backup.read_text() == _SETTINGS


def _finish_connect(ground: Ground) -> None:
    """Set up again, and taken back: the user's file is what it was."""
    ground.glm(*_CONNECT)
    assert "ANTHROPIC_BASE_URL" in _claude(ground).read_text()
    ground.glm("connect", "claude-code", "--remove", "--yes")
    assert _claude(ground).read_text() == _SETTINGS


def _claude(ground: Ground) -> Path:
    return ground.user / ".claude" / "settings.json"


_CONNECT = ("connect", "claude-code", "--yes", "--provider", "zai-coding")

# -- conversations -----------------------------------------------------------------------

_QUESTION = "echo: " + " ".join(f"word{number}" for number in range(25))
_CHAT = ("chat", _QUESTION)


def _check_chat(ground: Ground) -> None:
    """A question that was answered, however little of it, is in the history; what is there is whole."""
    for conversation in ground.json("history", "list")["conversations"]:
        messages = ground.json("history", "show", conversation["id"])["messages"]
        assert messages[0]["content"] == _QUESTION
        for answer in messages[1:]:
            assert _QUESTION.removeprefix("echo: ").startswith(answer["content"])
            assert answer["complete"] == (answer["content"] == _QUESTION.removeprefix("echo: "))


def _finish_chat(ground: Ground) -> None:
    before = len(ground.json("history", "list")["conversations"])
    ground.glm(*_CHAT)
    _check_chat(ground)
    kept = ground.json("history", "list")["conversations"]
    assert len(kept) == before + 1
    assert ground.json("history", "show", "last")["messages"][1]["complete"]


# -- pictures and videos -----------------------------------------------------------------

_VIDEO = ("video", "a cat polls:2 mebibytes:2", "-o", "cat.mp4", "--interval", "0.05")
_IMAGE_LATER = ("image", "a fox polls:2", "--async", "-o", "fox.png", "--interval", "0.05")
_IMAGE = ("image", "a fox", "-o", "fox.png")
_LIST = ("image", "--file", "prompts.txt", "-o", "pictures/", "--jobs", "2")


def _job_case(name: str, argv: tuple[str, ...], path_end: str, file: str) -> Case:
    """A job of the service: known before it is submitted, and submitted once."""

    def check(ground: Ground) -> None:
        posts = ground.sandbox.paid(path_end)
        assert posts <= 1
        assert len(ground.json("tasks", "list")["tasks"]) >= posts
        assert _is_media_or_absent(ground.work / file)

    def finish(ground: Ground) -> None:
        tasks = ground.json("tasks", "list")["tasks"]
        sent = ground.sandbox.paid(path_end)
        if any(task["status"] in ("running", "succeeded", "done") for task in tasks):
            ground.glm("tasks", "wait", "last", "--interval", "0.05")
            assert _is_media_or_absent(ground.work / file)
            assert (ground.work / file).exists()
        elif tasks:  # between its being written down and the answer nobody knows; it is said, and not sent again
            said = ground.glm("tasks", "wait", "last", expected=(1,)).stderr
            assert "may have accepted" in said
        else:
            ground.glm(*argv)
            sent += 1
        assert ground.sandbox.paid(path_end) == sent <= 1

    return Case(name, argv, finish, check=check)


def _is_media_or_absent(path: Path) -> bool:
    """Whether the file ends as a whole one does."""
    if not path.exists():
        return True
    data = path.read_bytes()
    return data.endswith(b"IEND\xaeB`\x82") if path.suffix == ".png" else data[4:8] == b"ftyp" and len(data) > 2 * 2**20


def _check_image(ground: Ground) -> None:
    assert _is_media_or_absent(ground.work / "fox.png")


def _finish_image(ground: Ground) -> None:
    """A picture whose address was written down is fetched by the same command, and not drawn again."""
    posts = ground.sandbox.paid("/images/generations")
    known = [task for task in ground.json("tasks", "list")["tasks"] if task["status"] == "succeeded"]
    was_asked_for = any(path.endswith(".png") for _, path in ground.sandbox.answered)
    if not (ground.work / "fox.png").exists():
        assert known or not was_asked_for
        ground.glm(*_IMAGE)
        assert ground.sandbox.paid("/images/generations") == posts + (not known)
    _check_image(ground)
    assert (ground.work / "fox.png").exists()


def _prepare_list(ground: Ground) -> None:
    (ground.work / "prompts.txt").write_text("".join(f"{prompt}\n" for prompt in _PICTURES))


def _check_list(ground: Ground) -> None:
    for path in (ground.work / "pictures").glob("[0-9]*"):
        assert _is_media_or_absent(path)


def _finish_list(ground: Ground) -> None:
    """The same command again draws what is missing; twice only what was on its way, at most one per job."""
    ground.glm(*_LIST)
    _check_list(ground)
    assert len(list((ground.work / "pictures").glob("[0-9]*"))) == len(_PICTURES)
    assert ground.sandbox.paid("/images/generations") <= len(_PICTURES) + 2


# -- speech ------------------------------------------------------------------------------

_TRANSCRIBE = ("transcribe", "talk.wav", "-o", "talk.txt")
_SPEAK = ("speak", "--provider", "zhipu", "good morning to everybody here", "-o", "speech.wav")


def _prepare_transcribe(ground: Ground) -> None:
    write_speech(ground.work / "talk.wav", _SECONDS_OF_SPEECH)


def _check_transcribe(ground: Ground) -> None:
    path = ground.work / "talk.txt"
    assert not path.exists() or path.read_text().split() == words(_SECONDS_OF_SPEECH)


def _finish_transcribe(ground: Ground) -> None:
    """Only the piece that was on its way may be asked for twice."""
    pieces = 4
    ground.glm(*_TRANSCRIBE)
    assert (ground.work / "talk.txt").read_text().split() == words(_SECONDS_OF_SPEECH)
    assert ground.sandbox.paid("/audio/transcriptions") <= pieces + 1


def _check_speak(ground: Ground) -> None:
    path = ground.work / "speech.wav"
    if path.exists():
        data = path.read_bytes()
        assert data[:4] == b"RIFF"
        assert int.from_bytes(data[4:8], "little") == len(data) - 8


def _finish_speak(ground: Ground) -> None:
    if not (ground.work / "speech.wav").exists():
        ground.glm(*_SPEAK)
    assert (ground.work / "speech.wav").exists()
    _check_speak(ground)


# -- batches -----------------------------------------------------------------------------

_BATCH = ("batch", "run", "in.jsonl", "-o", "out.jsonl", "-j", "4")
_SUBMIT = ("--provider", "zhipu", "batch", "submit", "in.jsonl", "-o", "out.jsonl")


def _prepare_batch(ground: Ground) -> None:
    lines = [json.dumps({"id": f"q{number}", "prompt": f"echo: answer q{number}"}) for number in range(_PROMPTS)]
    (ground.work / "in.jsonl").write_text("".join(f"{line}\n" for line in lines))


def _on_disk(ground: Ground) -> list[Any]:
    """Whole lines of answers, in the output or its journal."""
    lines = []
    for name in ("out.jsonl", "out.jsonl.journal"):
        path = ground.work / name
        lines += [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []
    return lines


def _finish_batch(ground: Ground) -> None:
    """Every id once and in order; what was on the disk is not asked for again."""
    kept = {line["id"] for line in _on_disk(ground)}
    before = len(_asked(ground))
    ground.glm(*_BATCH)
    assert not kept & set(_asked(ground)[before:])
    lines = [json.loads(line) for line in (ground.work / "out.jsonl").read_bytes().splitlines()]
    assert [line["id"] for line in lines] == [f"q{number}" for number in range(_PROMPTS)]
    assert all(line["content"] == f"answer {line['id']}" for line in lines)
    # Those on the wire or on their way to the disk: four jobs, and one item ahead.
    assert sum(times - 1 for times in Counter(_asked(ground)).values()) <= 5


def _asked(ground: Ground) -> list[str]:
    """The ids that were asked for; a request that was cut off asks for nothing."""
    bodies = [request.json for request in ground.sandbox.requests]
    return [body["messages"][-1]["content"].removeprefix("echo: answer ") for body in bodies if body is not None]


def _finish_submit(ground: Ground) -> None:
    """One batch at the service, whatever was killed: found again by its mark, or never begun."""
    tasks = ground.json("--provider", "zhipu", "batch", "list")
    if not tasks:
        assert ground.sandbox.paid("/batches") == 0
        ground.glm(*_SUBMIT)
    elif tasks[0]["status"] == "not submitted":
        ground.glm("--provider", "zhipu", "batch", "submit", "--resume", tasks[0]["id"])
    assert ground.sandbox.paid("/batches") <= 1
    while "completed" not in ground.glm("--provider", "zhipu", "batch", "status", "last", expected=(0, 9)).stdout:
        pass
    ground.glm("--provider", "zhipu", "batch", "fetch", "last")
    assert len(_on_disk(ground)) == _PROMPTS
    assert not list((ground.home / "state" / "batches").glob("*/"))


CASES = (
    Case("onboard", (*_ONBOARD, "--profile", "new"), _finish_onboard, _prepare_onboard, _check_onboard, _KEY),
    Case("config", ("config", "set", "aliases.fast", "glm-5-flash"), _finish_config, _prepare_onboard, _check_config),
    Case("connect", _CONNECT, _finish_connect, _prepare_connect, _check_connect),
    Case("chat", _CHAT, _finish_chat, check=_check_chat),
    _job_case("video", _VIDEO, "/videos/generations", "cat.mp4"),
    _job_case("image --async", _IMAGE_LATER, "/async/images/generations", "fox.png"),
    Case("image", _IMAGE, _finish_image, check=_check_image),
    Case("image --file", _LIST, _finish_list, _prepare_list, _check_list),
    Case("transcribe", _TRANSCRIBE, _finish_transcribe, _prepare_transcribe, _check_transcribe),
    Case("speak", _SPEAK, _finish_speak, check=_check_speak),
    Case("batch run", _BATCH, _finish_batch, _prepare_batch),
    Case("batch submit", _SUBMIT, _finish_submit, _prepare_batch),
)

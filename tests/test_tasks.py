"""`glm tasks`: what was begun is finished, wherever and whenever."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from glmcli.history import History
from tests.harness import Glm, GlmProcess, ScriptedServer

FAST = ("--interval", "0.01")


def submit(glm: Glm, prompt: str = "a cat", *argv: str, **how: Any) -> str:
    """Submit a video and leave; its id."""
    result = glm("video", prompt, "--no-wait", *argv, **how)
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


def status_of(glm: Glm, id: str) -> str:
    return str(glm("tasks", "show", id, "--json").json["status"])


def submissions(server: ScriptedServer) -> int:
    return len([request for request in server.requests if request.method == "POST"])


# -- how a task may end ------------------------------------------------------------------


def test_a_task_is_finished_later(glm: Glm, server: ScriptedServer) -> None:
    """By its id, its beginning, the service's id, or `last`; fetched once."""
    id = submit(glm)
    remote = glm("tasks", "show", id, "--json").json["remote_id"]
    first = glm("tasks", "wait", id, *FAST)
    requests = len(server.requests)

    assert (first.exit_code, first.stdout) == (0, "a-cat.mp4\n")
    for name in (id, remote, "last"):
        assert glm("tasks", "wait", name).stdout == "a-cat.mp4\n"
    assert len(server.requests) == requests
    assert [path.name for path in Path().iterdir()] == ["a-cat.mp4"]


@pytest.mark.parametrize(
    ("prompt", "argv", "exit_code", "status", "words"),
    [
        ("task:fail x", (), 1, "failed", "could not make the video"),
        ("task:forever x", ("--deadline", "0.05"), 9, "running", "still running"),
        ("task:lost x", (), 1, "lost", "does not know task"),
        ("task:nothing x", (), 1, "failed", "named no file"),
        ("task:gone x", (), 1, "gone", "no longer good"),
        ("task:page x", (), 1, "succeeded", "is not a video"),
    ],
    ids=["fails", "takes too long", "unknown there", "no file", "too late", "a login page"],
)
def test_every_end_is_told_apart(
    glm: Glm, server: ScriptedServer, prompt: str, argv: tuple[str, ...], exit_code: int, status: str, words: str
) -> None:
    """By exit code, by words, and in the list; asking again says the same and submits nothing."""
    id = submit(glm, prompt)
    for _ in range(2):
        result = glm("tasks", "wait", id, *FAST, *argv)
        assert (result.exit_code, result.stdout) == (exit_code, "")
        assert status_of(glm, id) == status
    assert submissions(server) == 1
    first = glm("tasks", "wait", id, *FAST, *argv, "--json")
    assert first.error["kind"] in ("task_failed", "pending", "expired", "failed")


def test_words_of_the_first_failure(glm: Glm, server: ScriptedServer) -> None:
    """What the service gave as a reason is kept and shown."""
    id = submit(glm)
    server.script("GET", "", json={"task_status": "FAIL", "error": {"code": "1301", "message": "unsafe content"}})
    result = glm("tasks", "wait", id, *FAST)

    assert result.exit_code == 7
    assert "unsafe content (1301)" in result.stderr
    assert "unsafe content" in glm("tasks", "list").stdout


def test_pending_says_how_to_come_back(glm: Glm, server: ScriptedServer) -> None:
    """Exit 9, and a hint that can be typed."""
    result = glm("video", "task:forever", *FAST, "--deadline", "0.05", "--json")
    assert (result.exit_code, result.error["kind"]) == (9, "pending")
    assert result.error["hint"].startswith("glm tasks wait ")


def test_fetch_asks_once(glm: Glm, server: ScriptedServer) -> None:
    """A task that still runs is not waited for; one that is done can be had again elsewhere."""
    id = submit(glm)
    assert glm("tasks", "fetch", id).exit_code == 9
    assert glm("tasks", "wait", id, *FAST).exit_code == 0
    assert glm("tasks", "fetch", id, "-o", "copies/", "--cover").stdout.splitlines() == [
        "copies/a-cat.mp4",
        "copies/a-cat-cover.png",
    ]
    assert glm("tasks", "fetch", id, "-o", "-").stdout_bytes == Path("a-cat.mp4").read_bytes()


def test_a_file_that_was_deleted_is_fetched_again(glm: Glm, server: ScriptedServer) -> None:
    """As long as the service has it."""
    id = submit(glm, "a cat", "-o", "cat.mp4")
    glm("tasks", "wait", id, *FAST)
    Path("cat.mp4").unlink()

    assert glm("tasks", "fetch", id).stdout == "cat.mp4\n"
    assert Path("cat.mp4").exists()


def test_a_file_in_the_way_is_not_overwritten(glm: Glm, server: ScriptedServer) -> None:
    """What was written there since the submission stays; the video is not lost."""
    id = submit(glm, "a cat", "-o", "cat.mp4")
    Path("cat.mp4").write_bytes(b"mine")
    refused = glm("tasks", "wait", id, *FAST)

    assert (refused.exit_code, Path("cat.mp4").read_bytes()) == (2, b"mine")
    assert glm("tasks", "fetch", id, "-o", "other.mp4").exit_code == 0


# -- several -----------------------------------------------------------------------------


def test_all_are_waited_for(glm: Glm, server: ScriptedServer) -> None:
    """Each is fetched when it is done; what fails is told and does not stop the others."""
    for prompt in ("one polls:4", "two polls:1", "task:fail three"):
        submit(glm, prompt)
    result = glm("tasks", "wait", "--all", *FAST)

    assert sorted(result.stdout.split()) == ["one-polls-4.mp4", "two-polls-1.mp4"]
    assert result.stdout.split()[0] == "two-polls-1.mp4"
    assert result.exit_code == 1
    assert "1 of 3 tasks are not done" in result.stderr
    assert glm("tasks", "wait", "--all").stderr == "no tasks are open\n"


def test_one_that_never_ends_does_not_hold_up_the_others(glm: Glm, server: ScriptedServer) -> None:
    """At the deadline the rest is here, and the exit code says that something is pending."""
    submit(glm, "task:forever")
    submit(glm, "a cat")
    result = glm("tasks", "wait", "--all", *FAST, "--deadline", "0.5")
    assert (result.exit_code, result.stdout) == (9, "a-cat.mp4\n")


def test_without_a_name_the_only_open_one_is_meant(glm: Glm, server: ScriptedServer) -> None:
    """Of several none is guessed."""
    assert glm("tasks", "wait").exit_code == 0
    submit(glm, "one")
    assert glm("tasks", "wait", *FAST).stdout == "one.mp4\n"
    submit(glm, "two")
    submit(glm, "three")
    assert glm("tasks", "wait").exit_code == 2


def test_tasks_of_other_commands_are_left_to_them(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """A batch is in the list, and is waited for by its own command."""
    with closing(History(home / "history.db")) as history:
        id = history.tasks.add("batch", request={}, status="running", remote_id="b-1", provider="zhipu").id

    assert glm("tasks", "wait", "--all").stderr == "no tasks are open\n"
    named = glm("tasks", "wait", id)
    assert (named.exit_code, f"glm batch wait {id}" in named.stderr) == (2, True)
    assert "batch" in glm("tasks", "list").stdout


# -- the right key at the right place ------------------------------------------------------


def test_a_task_is_asked_for_where_it_was_submitted(glm: Glm, server: ScriptedServer) -> None:
    """With the provider of its submission, whatever the environment chooses today."""
    cn = {"ZHIPU_API_KEY": server.keys["zhipu"]}
    id = submit(glm, "a cat", "--provider", "zhipu", env=cn)
    result = glm("tasks", "wait", id, *FAST, env=cn)

    assert result.exit_code == 0, result.stderr
    polls = [request for request in server.requests if "/async-result/" in request.path]
    assert {request.headers["authorization"] for request in polls} == {f"Bearer {server.keys['zhipu']}"}


def test_a_moved_origin_is_remembered(glm: Glm, server: ScriptedServer) -> None:
    """The task lives where it was submitted, also when a variable points elsewhere now."""
    id = submit(glm)
    result = glm("tasks", "wait", id, *FAST, env={"GLM_ORIGIN_INTL": "http://127.0.0.1:9"})
    assert (result.exit_code, result.stdout) == (0, "a-cat.mp4\n")


def test_a_key_is_not_sent_to_another_company(glm: Glm, server: ScriptedServer) -> None:
    """A provider on the command line that is not the task's is refused before anything is sent."""
    id = submit(glm)
    before = len(server.requests)
    result = glm("tasks", "wait", id, "--provider", "zhipu", env={"ZHIPU_API_KEY": server.keys["zhipu"]})

    assert result.exit_code == 3
    assert "submitted to zai" in result.stderr
    assert len(server.requests) == before


def test_the_sandbox_remembers_across_processes(glm: Glm) -> None:
    """Without a key or a port: submitted by one command, fetched by the next."""
    submit(glm, "a cat", "--provider", "sandbox")
    result = glm("tasks", "wait", "last", *FAST)
    assert (result.exit_code, result.stdout) == (0, "a-cat.mp4\n")


# -- interruptions -----------------------------------------------------------------------


def test_ctrl_c_says_how_to_come_back(glm: Glm, glm_process: GlmProcess, server: ScriptedServer) -> None:
    """Exit 130, nothing lost."""
    process = glm_process.start("video", "a cat polls:2", "--interval", "0.5")
    while len(server.requests) < 2 and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "goes on at the service" in stderr.decode()
    command = stderr.decode().split("glm ")[-1].split()
    assert glm(*command, *FAST).exit_code == 0
    assert submissions(server) == 1


@pytest.mark.parametrize(
    "reply", [{"status": 502, "body": b"<html>"}, {"status": 429, "json": {"error": {"code": "1302"}}}]
)
def test_a_wait_survives_trouble_on_the_way(glm: Glm, server: ScriptedServer, reply: dict[str, Any]) -> None:
    """A task goes on while a proxy coughs or a limit is hit."""
    id = submit(glm)
    for _ in range(3):
        server.script("GET", "", **reply)
    assert glm("tasks", "wait", id, *FAST, "--max-retries", "0").exit_code == 0


@pytest.mark.parametrize("argv", [("fetch",), ("wait", *FAST, "--deadline", "0")], ids=["fetch", "wait"])
@pytest.mark.parametrize(
    ("reply", "exit_code", "words"),
    [
        pytest.param({"status": 502, "body": b"<html><title>nginx</title>"}, 1, "nginx", id="web page"),
        pytest.param({"status": 500, "json": {"error": {"code": "500", "message": "x"}}}, 1, "500", id="failure"),
        pytest.param({"status": 429, "json": {"error": {"code": "1302", "message": "slow"}}}, 6, "1302", id="busy"),
    ],
)
def test_a_question_without_an_answer_is_not_taken_for_a_running_task(
    glm: Glm, server: ScriptedServer, argv: tuple[str, ...], reply: dict[str, Any], exit_code: int, words: str
) -> None:
    """The fault is told, and the task stays open."""
    id = submit(glm)
    server.script("GET", "", **reply)
    result = glm("tasks", argv[0], id, *argv[1:], "--max-retries", "0")
    assert (result.exit_code, words in result.stderr) == (exit_code, True), result.stderr
    assert f"the task goes on; later: glm tasks wait {id}" in result.stderr
    assert status_of(glm, id) == "running"
    assert glm("tasks", "wait", id, *FAST).exit_code == 0


def test_a_refused_key_ends_the_wait_at_once(glm: Glm, server: ScriptedServer) -> None:
    """No patience mends it, and the task stays open."""
    id = submit(glm)
    result = glm("tasks", "wait", id, *FAST, env={"ZAI_API_KEY": "0" * 32 + ".wrongwrongwrong0"})
    assert result.exit_code == 4
    assert status_of(glm, id) == "running"


def test_two_terminals_make_one_file(glm: Glm, glm_process: GlmProcess, server: ScriptedServer, home: Path) -> None:
    """Both waits end; the video is there once, and whole."""
    id = submit(glm, "a cat polls:3 mebibytes:1")
    waits = [glm_process.start("tasks", "wait", id, "--interval", "0.1") for _ in range(2)]
    ends = [wait.communicate(timeout=30) for wait in waits]

    assert [wait.returncode for wait in waits] == [0, 0], ends
    assert ends[0][0] == ends[1][0]
    assert [path.stat().st_size > 2**20 for path in Path().glob("a-cat*")] == [True]
    assert list(home.rglob("*.lock")) == []


# -- the list ----------------------------------------------------------------------------


def test_the_list_shows_what_was_submitted(glm: Glm, server: ScriptedServer) -> None:
    """Newest first; a table on a terminal, tab-separated lines in a pipe, one document as JSON."""
    submit(glm, "一只猫")
    submit(glm, "task:fail", "-o", "x.mp4")
    glm("tasks", "wait", "last", *FAST)

    lines = [line.split("\t") for line in glm("tasks", "list").stdout.splitlines()]
    assert [line[3] for line in lines] == ["failed", "running"]
    assert lines[1][5] == "一只猫"
    assert [line.split("\t")[3] for line in glm("tasks", "list", "--open").stdout.splitlines()] == ["running"]
    assert glm("tasks", "list", "--kind", "image", "--json").json["tasks"] == []
    assert glm("tasks", "list", "-n", "1", tty={"stdout"}).stdout.splitlines()[0].split() == [
        *("ID", "SUBMITTED", "KIND", "STATUS", "MODEL", "ABOUT")
    ]


def test_show_tells_everything(glm: Glm, server: ScriptedServer) -> None:
    """Where it was submitted, what was asked for, and where the file is."""
    id = submit(glm, "a cat", "--fps", "60")
    glm("tasks", "wait", id, *FAST)
    shown = glm("tasks", "show").stdout

    for fact in (id, "done", "cogvideox-3", "60", str(Path("a-cat.mp4").absolute()), server.address):
        assert fact in shown


def test_forgetting_asks_before_money_is_lost(glm: Glm, server: ScriptedServer) -> None:
    """A task that runs only with --force; what has ended with --done."""
    id = submit(glm)
    assert glm("tasks", "forget", id).exit_code == 2
    assert glm("tasks", "forget").exit_code == 2
    glm("tasks", "wait", id, *FAST)
    assert glm("tasks", "forget", "--done").stderr == "forgot 1 task\n"
    assert Path("a-cat.mp4").exists()
    assert glm("tasks", "forget", submit(glm), "--force", "--json").json["forgotten"]
    assert glm("tasks", "list").stdout == ""


def test_an_unknown_name_is_told(glm: Glm) -> None:
    """With the command that lists what there is."""
    result = glm("tasks", "wait", "nonsense")
    assert (result.exit_code, "glm tasks list" in result.stderr) == (2, True)

"""`glm batch submit|status|wait|fetch|cancel|list`: the Batch API of the service, without losing a job or an answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from glmcli.batching.items import Input
from glmcli.batching.parts import PartLimits, write_parts
from glmcli.batching.requests import Requests
from glmcli.context import AppContext
from glmcli.errors import ExitCode, UsageError
from glmcli.sandbox.accounts import ACCOUNTS
from tests.harness import Glm, ScriptedServer

ZHIPU = ("--provider", "zhipu")
SUBMIT = (*ZHIPU, "batch", "submit", "in.jsonl", "-o", "out.jsonl")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIPU_API_KEY", ACCOUNTS["zhipu"].key)


def ask(count: int, **fields: object) -> list[str]:
    names = [f"q{number}" for number in range(count)]
    lines = [json.dumps({"id": name, "prompt": f"echo: answer {name}", **fields}) for name in names]
    Path("in.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return names


def lines_of(path: str = "out.jsonl") -> list[Any]:
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def paths(server: ScriptedServer) -> list[str]:
    return [f"{request.method} {request.path.removeprefix('/api/paas/v4')}" for request in server.requests]


def test_from_prompts_to_answers(glm: Glm, server: ScriptedServer) -> None:
    """Submitted, waited for and joined: every answer in the order of the input, which the service does not keep."""
    names = ask(20)
    submitted = glm(*SUBMIT, "-m", "glm-4.7", "-s", "Be brief.")
    assert submitted.exit_code == 0, submitted.stderr
    assert "submitted 20 requests; next: glm batch wait " in submitted.stderr
    assert paths(server) == ["POST /files", "POST /batches"]
    assert server.last.json["endpoint"] == "/v4/chat/completions"
    assert "completion_window" not in server.last.json
    waited = glm(*ZHIPU, "batch", "wait", "--interval", "1", env={"GLM_LANG": "en"})
    assert (waited.exit_code, waited.stdout) == (0, "")
    assert [line["id"] for line in lines_of()] == names
    assert all(line["content"] == f"answer {line['id']}" for line in lines_of())
    assert {line["model"] for line in lines_of()} == {"glm-4.7"}


def test_parts_of_killed_runs_are_removed(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """What no task knows goes with the next submission, what the service has with the next look at it."""
    ask(3)
    orphan = home / "state" / "batches" / "0123456789abcdef"
    orphan.mkdir(parents=True)
    assert glm(*SUBMIT).exit_code == 0
    assert not orphan.exists()

    (task,) = glm(*ZHIPU, "tasks", "list", "--json").json["tasks"]
    folder = Path(task["request"]["folder"])
    folder.mkdir()
    glm(*ZHIPU, "batch", "status")
    assert not folder.exists()


def test_the_states_on_the_way(glm: Glm, server: ScriptedServer) -> None:
    """Status asks, fetch before the end says so with exit 9, list knows it without asking."""
    ask(3)
    glm(*SUBMIT)
    task = glm(*ZHIPU, "batch", "status", "--json").json
    assert (task["status"], task["requests"], len(task["parts"])) == ("in_progress", 3, 1)
    early = glm(*ZHIPU, "batch", "fetch")
    assert early.exit_code == ExitCode.PENDING
    assert f"glm batch wait {task['id']}" in early.stderr
    assert glm(*ZHIPU, "batch", "wait", "--interval", "1", "--deadline", "0").exit_code in (0, ExitCode.PENDING)
    before = len(server.requests)
    assert glm("batch", "list").stdout.startswith(f"{task['id']}\t")
    assert len(server.requests) == before
    [remote] = glm(*ZHIPU, "batch", "list", "--remote", "--json").json
    assert remote["id"] == task["parts"][0]["batch_id"]
    assert 1.7e9 < remote["created_at"] < 1e10
    assert glm(*ZHIPU, "batch", "status", remote["id"], "--json").json["id"] == task["id"]


def finish(glm: Glm) -> Any:
    for _ in range(4):
        glm(*ZHIPU, "batch", "status")
    return glm(*ZHIPU, "batch", "fetch")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"<!DOCTYPE html><title>Hotel Wi-Fi</title>", "Hotel Wi-Fi", id="login page"),
        pytest.param(b"", "empty body", id="nothing"),
        pytest.param(b"it works!", "holds no answer of this batch", id="another text"),
        pytest.param(
            b'{"custom_id":"job-000001","response":{}}\n', "holds no answer of this batch", id="another batch"
        ),
    ],
)
def test_what_came_instead_of_the_answers(glm: Glm, server: ScriptedServer, body: bytes, words: str) -> None:
    """Is told, and the answers can be fetched still."""
    names = ask(3)
    glm(*SUBMIT)
    for _ in range(4):
        glm(*ZHIPU, "batch", "status")
    server.script("GET", "/content", body=body)
    failed = glm(*ZHIPU, "batch", "fetch", "--max-retries", "0")
    assert (failed.exit_code, failed.stdout, words in failed.stderr) == (1, "", True), failed.stderr
    assert glm(*ZHIPU, "tasks", "list", "--json").json["tasks"][0]["status"] != "fetched"
    assert not Path("out.jsonl").exists()
    assert glm(*ZHIPU, "batch", "fetch").exit_code == 0
    assert [line["id"] for line in lines_of()] == names


def test_failures_and_what_is_missing(glm: Glm, server: ScriptedServer) -> None:
    """Failures have code and reason beside the output, and `glm batch run` completes the file."""
    Path("in.jsonl").write_text('"echo: a"\n"fault:1301 b"\n"echo: c"\n')
    glm(*SUBMIT)
    fetched = finish(glm)
    assert fetched.exit_code == 1
    assert "1 of 3 requests have no answer" in fetched.stderr
    assert [line["content"] for line in lines_of()] == ["a", "c"]
    [failure] = lines_of("out.jsonl.failed.jsonl")
    assert (failure["id"], failure["line"], failure["code"]) == ("line-000002", 2, "1301")
    Path("in.jsonl").write_text('"echo: a"\n"fault:1301 b"\n"echo: c"\n"echo: d"\n')
    server.script("POST", "/chat/completions", json=_answer("b"))
    before = len(server.requests)
    assert glm(*ZHIPU, "batch", "run", "in.jsonl", "-o", "out.jsonl").exit_code == 0
    assert [line["content"] for line in lines_of()] == ["a", "b", "c", "d"]
    assert len(server.requests) - before == 2


def _answer(content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"model": "glm-5.3", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}


def test_large_inputs_become_several_parts(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """By lines, by bytes and by model; no line is lost, doubled or changed."""
    lines = [{"id": f"q{n}", "prompt": "x" * 50, "model": ("glm-4.7", "glm-5.1")[n % 7 == 0]} for n in range(100)]
    Path("in.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    app = AppContext(cwd=Path.cwd(), environ={"GLM_PROVIDER": "sandbox", "GLM_HOME": str(tmp_path / "glm")})
    from glmcli.asking import ChatOptions

    requests = Requests(app, ChatOptions())
    source = Input(Path("in.jsonl"), "in.jsonl", "jsonl")
    for limits in (PartLimits(max_lines=30), PartLimits(max_bytes=5000)):
        folder = tmp_path / f"parts{limits.max_lines}"
        folder.mkdir()
        parts = write_parts(source, requests, folder, limits)
        found = []
        for part in parts:
            data = (folder / part["name"]).read_bytes()
            written = [json.loads(line) for line in data.splitlines()]
            assert len(written) == part["requests"] <= limits.max_lines
            assert len(data) <= limits.max_bytes
            assert {line["body"]["model"] for line in written} == {part["model"]}
            assert not any("stream" in line["body"] or "id" in line["body"] for line in written)
            found += [line["custom_id"] for line in written]
        assert len(parts) > 3
        assert sorted(name.split("-", 2)[2] for name in found) == sorted(line["id"] for line in lines)
    app.close()


def test_several_parts_are_joined(glm: Glm, server: ScriptedServer) -> None:
    """Two models are two jobs of one batch, and one file in the end."""
    lines = [{"id": f"q{n}", "prompt": f"echo: {n}", "model": ("glm-4.7", "glm-5.1")[n % 2]} for n in range(10)]
    Path("in.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    shown = glm(*SUBMIT).stdout
    assert shown.count("5 requests") == 2
    assert finish(glm).exit_code == 0
    assert [(line["id"], line["model"]) for line in lines_of()] == [(line["id"], line["model"]) for line in lines]


def test_a_batch_of_which_the_answer_never_came_is_not_begun_twice(glm: Glm, server: ScriptedServer) -> None:
    """The creation may have been accepted: resuming looks for it before it creates another."""
    ask(3)
    server.script("POST", "/batches", body=b"", headers={"content-type": "application/json"})
    cut = glm(*SUBMIT)
    assert cut.exit_code != 0
    assert "glm batch submit --resume " in cut.stderr
    task = glm("batch", "list", "--json").json[0]
    assert (task["status"], task["error"] is not None) == ("not submitted", True)
    # What the service took although its answer was lost:
    part = task["parts"][0]
    accepted = {
        "id": "batch_taken",
        "object": "batch",
        "status": "in_progress",
        "metadata": {"glm_task": task["id"], "glm_part": part["name"]},
    }
    server.script("GET", "/batches", json={"object": "list", "data": [accepted], "has_more": False})
    before = len(server.requests)
    resumed = glm(*ZHIPU, "batch", "submit", "--resume", task["id"], "--json")
    assert resumed.json["parts"][0]["batch_id"] == "batch_taken"
    assert paths(server)[before:] == ["GET /batches"]


def test_a_refused_submission_goes_on_where_it_stopped(glm: Glm, server: ScriptedServer) -> None:
    """What is uploaded is not uploaded again, and the prompts need not be there any more."""
    ask(3)
    server.script("POST", "/batches", status=429, json={"error": {"code": "1113", "message": "no balance"}})
    assert glm(*SUBMIT).exit_code == ExitCode.BALANCE
    Path("in.jsonl").unlink()
    before = len(server.requests)
    assert glm(*ZHIPU, "batch", "submit", "--resume", "last").exit_code == 0
    assert paths(server)[before:] == ["POST /batches"]
    assert finish(glm).exit_code == 0
    assert len(lines_of()) == 3


def test_nothing_of_the_prompts_stays_behind(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """Parts wait on the disk only until they are submitted."""
    ask(3)
    glm(*SUBMIT)
    assert not list(home.rglob("part-*"))
    Path("in.jsonl").write_text("{")
    assert glm(*SUBMIT).exit_code == ExitCode.USAGE
    assert not list((home / "state" / "batches").iterdir())


def test_cancel(glm: Glm, server: ScriptedServer) -> None:
    """Stopped there; a fetch says what is missing."""
    ask(3)
    glm(*SUBMIT)
    assert "cancelling" in glm(*ZHIPU, "batch", "cancel").stdout
    assert "cancelled" in glm(*ZHIPU, "batch", "status").stdout
    fetched = glm(*ZHIPU, "batch", "fetch")
    assert fetched.exit_code == 1
    assert "is cancelled, and 3 of 3 requests have no answer" in fetched.stderr
    assert "send what is missing: glm batch run" in fetched.stderr


def test_a_batch_that_the_service_refuses(glm: Glm, server: ScriptedServer) -> None:
    """Its reason is told."""
    ask(2)
    glm(*SUBMIT)
    refused = {"object": "batch", "id": "batch_x", "status": "failed", "errors": {"data": [{"message": "bad line 2"}]}}
    server.script("GET", server.sandbox.store("batches").popitem()[0], json=refused)
    result = glm(*ZHIPU, "batch", "fetch")
    assert result.exit_code == 1
    assert "bad line 2" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--provider", "zai"), "zai has no Batch API: Z.AI documents none"),
        (("--provider", "zai-coding"), "zai-coding has no Batch API"),
        (
            ("--provider", "custom", "--base-url", "http://127.0.0.1:9/v1", "-m", "m"),
            "custom has no Batch API: a compatible service has none",
        ),
    ],
    ids=["zai", "zai-coding", "custom"],
)
def test_providers_without_one(glm: Glm, server: ScriptedServer, options: tuple[str, ...], words: str) -> None:
    """The reason, and the way that works there."""
    ask(1)
    position = options.index("-m") if "-m" in options else len(options)
    result = glm(*options[:position], "batch", "submit", "in.jsonl", *options[position:])
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert words in result.stderr
    assert "run it here instead: glm batch run" in result.stderr


def test_mistakes(glm: Glm, server: ScriptedServer) -> None:
    """Names that mean nothing, or something else."""
    assert "no batch was submitted here" in glm(*ZHIPU, "batch", "status").stderr
    assert "either a file or --resume" in glm(*ZHIPU, "batch", "submit").stderr
    assert "no task 'nix'" in glm(*ZHIPU, "batch", "status", "nix").stderr
    assert not server.requests


def test_in_the_sandbox(glm: Glm) -> None:
    """A dry run shows the upload; nothing is kept of it."""
    ask(2)
    result = glm("--provider", "sandbox", "batch", "submit", "in.jsonl", "--dry-run")
    assert (result.exit_code, "/files" in result.stdout) == (0, True)
    assert glm("batch", "list", "--json").json == []


@pytest.mark.skipif(os.name == "nt", reason="named pipes differ")
@pytest.mark.parametrize("kind", ["notes", "pipe"])
def test_answers_do_not_replace_somebody_elses_file(glm: Glm, server: ScriptedServer, kind: str) -> None:
    """Nor a device; with another name they can still be fetched."""
    ask(2)
    glm(*SUBMIT)
    if kind == "notes":
        Path("kept").write_text("my notes\n")
    else:
        os.mkfifo("kept")
    refused = glm(*ZHIPU, "batch", "wait", "--interval", "1", "-o", "kept")
    assert (refused.exit_code, "choose another" in refused.stderr) == (ExitCode.USAGE, True)
    assert Path("kept").is_fifo() or Path("kept").read_text() == "my notes\n"
    assert glm(*ZHIPU, "batch", "fetch").exit_code == 0
    assert len(lines_of()) == 2


def test_ids_that_are_given_twice(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """Told before anything is uploaded."""
    Path("in.jsonl").write_text('{"id": 1, "prompt": "a"}\n{"id": "1", "prompt": "b"}\n')
    result = glm(*SUBMIT)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "has the id '1' of line 1" in result.stderr
    with pytest.raises(UsageError):
        list(Input(tmp_path / "gone", "gone", "jsonl"))

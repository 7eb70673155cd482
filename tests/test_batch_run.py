"""`glm batch run`: complete, in order, resumable, within limits and budgets."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from glmcli.errors import ExitCode
from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.exchange import Request, Response
from tests.audio.make import PEAK
from tests.harness import Glm, GlmProcess, ScriptedServer

SANDBOX = ("--provider", "sandbox")
RUN = ("batch", "run", "in.jsonl", "-o", "out.jsonl")


def ask(count: int, path: str = "in.jsonl", words: str = "echo: answer {}") -> list[str]:
    """Write prompts that are answered by their number; the ids."""
    names = [f"q{number:05d}" for number in range(count)]
    lines = [json.dumps({"id": name, "prompt": words.format(name)}) for name in names]
    Path(path).write_text("".join(f"{line}\n" for line in lines))
    return names


def lines_of(path: str = "out.jsonl") -> list[Any]:
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def ids_of(path: str = "out.jsonl") -> list[str]:
    return [line["id"] for line in lines_of(path)]


def asked(server: ScriptedServer) -> Counter[str]:
    """How often each prompt arrived."""
    return Counter(request.json["messages"][-1]["content"] for request in server.requests)


# -- complete and in order -----------------------------------------------------------------


@pytest.mark.parametrize("jobs", ["1", "7"])
def test_every_answer_once_and_in_order(glm: Glm, server: ScriptedServer, jobs: str) -> None:
    """Each line holds its own answer; progress and sums are for stderr."""
    names = ask(60)
    result = glm(*RUN, "--jobs", jobs)
    assert (result.exit_code, result.stdout) == (0, "")
    assert ids_of() == names
    assert all(line["content"] == f"answer {line['id']}" for line in lines_of())
    assert "60 of 60 answered in out.jsonl (" in result.stderr
    assert sorted(path.name for path in Path().iterdir()) == ["in.jsonl", "out.jsonl"]


def test_the_line_of_an_answer(glm: Glm, server: ScriptedServer) -> None:
    """All that is known of it; the digest says what was asked."""
    ask(1)
    glm(*RUN)
    [line] = lines_of()
    assert list(line) == [
        "id",
        "content",
        "reasoning",
        "model",
        "finish_reason",
        "usage",
        "request_id",
        "request",
    ]
    assert (line["model"], line["finish_reason"]) == ("glm-5.3", "stop")
    assert line["usage"]["completion_tokens"] > 0
    assert re.fullmatch("[0-9a-f]{16}", line["request"])


def test_options_are_those_of_chat(glm: Glm, server: ScriptedServer) -> None:
    """And what a line says itself wins."""
    Path("in.jsonl").write_text('"a"\n{"prompt": "b", "model": "glm-4.7", "temperature": 0.2, "mine": 1}\n')
    options = ("-m", "glm-5.1", "-s", "Be brief.", "--temperature", "0.7", "--think", "off", "--json-mode")
    assert glm(*RUN, *options, "--max-tokens", "300", "-j", "1").exit_code == 0
    first, second = (request.json for request in server.requests)
    assert first == {
        "model": "glm-5.1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}],
        "stream": False,
        "temperature": 0.7,
        "max_tokens": 300,
        "thinking": {"type": "disabled"},
        "response_format": {"type": "json_object"},
    }
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"model", "messages", "temperature"}
    assert (second["model"], second["temperature"]) == ("glm-4.7", 0.2)


@pytest.mark.parametrize(
    ("name", "content", "options", "answers"),
    [
        ("in.csv", "id,n\nx,1\ny,2\n", ["--template", "echo: no {n}"], [("x", "no 1"), ("y", "no 2")]),
        ("in.tsv", "prompt\techo\necho: a\tb\n", [], [("row-000001", "a")]),
        ("in.txt", "echo: a\n\necho: b\n", [], [("line-000001", "a"), ("line-000003", "b")]),
        ("in.txt", '"echo: a"\n', ["--format", "jsonl"], [("line-000001", "a")]),
    ],
    ids=["csv", "tsv", "text", "format"],
)
def test_forms_of_input(glm: Glm, name: str, content: str, options: list[str], answers: list[tuple[str, str]]) -> None:
    """Tables with a template, plain text, and the option that overrules the ending."""
    Path(name).write_text(content)
    result = glm(*SANDBOX, "batch", "run", name, *options)
    assert [(line["id"], line["content"]) for line in result.lines] == answers


@pytest.mark.parametrize("order", [[], ["--unordered"]], ids=["ordered", "unordered"])
def test_from_pipe_to_pipe(glm: Glm, order: list[str]) -> None:
    """Standard input to standard output, without a file."""
    text = "".join(f"echo: {number}\n" for number in range(50))
    result = glm(*SANDBOX, "batch", "run", "-", *order, input=text)
    contents = [line["content"] for line in result.lines]
    assert (result.exit_code, sorted(contents, key=int)) == (0, [str(number) for number in range(50)])
    assert order or contents == sorted(contents, key=int)
    assert not list(Path().iterdir())


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_a_reader_that_had_enough(glm_process: GlmProcess, server: ScriptedServer) -> None:
    """`| head -1` ends the run quietly, long before its end."""
    server.sandbox.work_seconds = 0.02
    ask(400)
    with glm_process.start("batch", "run", "in.jsonl", "-j", "2") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["id"] == "q00000"
        process.stdout.close()
        told = process.stderr.read().decode()
    assert process.returncode == 0
    assert told == "glm: without -o FILE nothing is kept: an interrupted run begins anew\n"
    assert len(server.requests) < 400


def test_signed_tokens_from_many_threads(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """`auth = "jwt"`: every thread has a token that is good."""
    home.mkdir()
    profile = '[profiles.signed]\nprovider = "zai"\nauth = "jwt"\nkey = "env:ZAI_API_KEY"\n'
    (home / "config.toml").write_text(f"version = 1\n{profile}")
    names = ask(60)
    result = glm(*RUN, "-p", "signed", "-j", "12")
    assert (result.exit_code, ids_of()) == (0, names)
    assert all(request.headers["authorization"].count(".") == 2 for request in server.requests)


def test_anthropic_protocol(glm: Glm, server: ScriptedServer) -> None:
    """The same questions by `/v1/messages`."""
    names = ask(5)
    assert glm(*RUN, "--protocol", "anthropic", "-s", "Be brief.").exit_code == 0
    assert ids_of() == names
    assert server.last.path.endswith("/v1/messages")
    assert server.last.json["system"] == "Be brief."


def test_dry_run_shows_the_first_request(glm: Glm, server: ScriptedServer) -> None:
    """And sends none."""
    ask(3)
    result = glm(*RUN, "--dry-run")
    assert (result.exit_code, len(server.requests)) == (0, 0)
    assert "answer q00000" in result.stdout
    assert not Path("out.jsonl").exists()


# -- what is told before anything is paid ---------------------------------------------------


@pytest.mark.parametrize(
    ("content", "argv", "words"),
    [
        ('"a"\n{"prompt": 3}\n', [], "line 2 of in.jsonl has neither"),
        ('{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}\n', [], "line 2 of in.jsonl has the id 'a' of line 1"),
        ("\n", [], "in.jsonl holds no prompts"),
        ('"a"\n', ["--format", "xml"], "there is no format 'xml'"),
        ('"a"\n', ["--temperature", "3"], "out of range"),
        ('"a"\n', ["-o", "in.jsonl"], "would overwrite the questions"),
        ('"a"\n', ["-o", "."], "is a folder"),
        ('"a"\n', ["--failed", "in.jsonl"], "the failures would overwrite in.jsonl"),
        ('"a"\n', ["--failed", "out.jsonl"], "the failures would overwrite out.jsonl"),
        ('"a"\n', ["--failed", "out.jsonl.journal"], "the failures would overwrite"),
        ('"a"\n', ["--jobs", "0"], "0"),
        ('"a"\n', ["--max-cost", "1", "-m", "mystery"], "price of mystery here is not known"),
    ],
    ids=[
        "line",
        "twice",
        "empty",
        "format",
        "option",
        "overwrite",
        "folder",
        "failed=in",
        "failed=out",
        "failed=journal",
        "jobs",
        "price",
    ],
)
def test_mistakes_cost_nothing(glm: Glm, server: ScriptedServer, content: str, argv: list[str], words: str) -> None:
    """Everything is read before the first request leaves."""
    Path("in.jsonl").write_text(content)
    result = glm("batch", "run", "in.jsonl", "-o", "out.jsonl", *argv)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert words in result.stderr
    assert not Path("out.jsonl").exists()


def test_somebody_elses_file_is_not_touched(glm: Glm, server: ScriptedServer) -> None:
    """An output that is no output of ours stays as it is."""
    ask(3)
    Path("out.jsonl").write_text("my notes\n")
    result = glm(*RUN)
    assert (result.exit_code, Path("out.jsonl").read_text()) == (ExitCode.USAGE, "my notes\n")
    assert not server.requests


@pytest.mark.parametrize(
    "content",
    ["my notes\n", '{"id": "a", "prompt": "x"}\n', '{"id": "q00000", "content": "x", "request": "0123456789abcdef"}\n'],
    ids=["notes", "questions", "answers"],
)
def test_failures_do_not_replace_somebody_elses_file(glm: Glm, server: ScriptedServer, content: str) -> None:
    """--failed is written anew by each run, so a slip of the hand must not cost a file."""
    ask(3)
    Path("kept").write_text(content)
    result = glm(*RUN, "--failed", "kept")
    assert (result.exit_code, Path("kept").read_text(), len(server.requests)) == (ExitCode.USAGE, content, 0)
    assert "kept holds something else than failures of a batch" in result.stderr


def test_failures_in_a_folder_that_is_made(glm: Glm, server: ScriptedServer) -> None:
    """As with the output; the next run replaces them."""
    Path("in.jsonl").write_text('"fault:1301"\n"echo: two"\n')
    for _ in range(2):
        assert glm(*RUN, "--failed", "new/lost.jsonl").exit_code == ExitCode.FAILED
        assert [line["id"] for line in lines_of("new/lost.jsonl")] == ["line-000001"]


@pytest.mark.skipif(os.name == "nt", reason="named pipes differ")
def test_an_output_that_is_no_file(glm: Glm, server: ScriptedServer) -> None:
    """A device or a pipe is neither read as answers nor replaced by a file: nobody's /dev/null is at stake."""
    ask(3)
    os.mkfifo("out.jsonl")
    result = glm(*RUN)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "is no file that answers can be kept in" in result.stderr
    assert Path("out.jsonl").is_fifo()


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_an_output_behind_a_link(glm: Glm, server: ScriptedServer) -> None:
    """The link stays, and what it points to is the output."""
    ask(3)
    Path("real.jsonl").touch()
    Path("out.jsonl").symlink_to("real.jsonl")
    assert glm(*RUN).exit_code == 0
    assert Path("out.jsonl").is_symlink()
    assert len(lines_of("real.jsonl")) == 3


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_an_output_that_is_the_input_by_another_name(glm: Glm, server: ScriptedServer, kind: str) -> None:
    """No link hides that the questions would be overwritten."""
    ask(3)
    if kind == "hard":
        Path("out.jsonl").hardlink_to("in.jsonl")
    else:
        Path("out.jsonl").symlink_to("in.jsonl")
    result = glm(*RUN)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "would overwrite the questions" in result.stderr


def test_an_estimate(glm: Glm, server: ScriptedServer) -> None:
    """Requests, tokens and cost, with the day of the prices; of what is left when some are answered."""
    ask(10, words="echo: " + "word " * 80 + "{}")
    found = glm(*RUN[:3], "--estimate", "--max-tokens", "1000", "--json").json
    assert (found["requests"], found["to_send"], found["model"]) == (10, 10, "glm-5.3")
    assert 500 < found["prompt_tokens"] < 2000
    assert found["completion_tokens_at_most"] == 10_000
    assert found["cost_usd_at_most"] == pytest.approx((found["prompt_tokens"] * 1.4 + 10_000 * 4.4) / 1e6)
    assert re.fullmatch(r"20\d\d-\d\d", found["prices_as_of"])
    assert "cost        about $0." in glm(*RUN[:3], "--estimate").stdout
    assert not server.requests
    glm(*RUN)
    assert glm(*RUN, "--estimate", "--json").json["to_send"] == 0


# -- resuming ------------------------------------------------------------------------------


def test_a_rerun_sends_what_is_missing(glm: Glm, server: ScriptedServer) -> None:
    """New lines and lost answers, wherever they stand; nothing else is asked again."""
    names = ask(20)
    glm(*RUN)
    kept = [line for line in Path("out.jsonl").read_text().splitlines() if "q00007" not in line]
    Path("out.jsonl").write_text("".join(f"{line}\n" for line in kept))
    lines = Path("in.jsonl").read_text().splitlines()
    lines.insert(3, json.dumps({"id": "new", "prompt": "echo: new"}))
    Path("in.jsonl").write_text("\n".join(lines))
    before = len(server.requests)
    result = glm(*RUN)
    assert "19 of 21 are answered and not sent again" in result.stderr
    assert sorted(request.json["messages"][0]["content"] for request in list(server.requests)[before:]) == [
        "echo: answer q00007",
        "echo: new",
    ]
    assert ids_of() == [*names[:3], "new", *names[3:]]


def test_a_finished_batch_sends_nothing(glm: Glm, server: ScriptedServer) -> None:
    """The output does not even change."""
    ask(5)
    glm(*RUN)
    before = Path("out.jsonl").read_bytes(), Path("out.jsonl").stat().st_mtime_ns
    assert glm(*RUN).exit_code == 0
    assert (Path("out.jsonl").read_bytes(), Path("out.jsonl").stat().st_mtime_ns) == before
    assert len(server.requests) == 5


def test_failures_stand_beside_and_are_tried_again(glm: Glm, server: ScriptedServer) -> None:
    """Code and reason per id; the next run asks for those alone, and the file goes when none is left."""
    ask(6)
    server.script("POST", "/chat/completions", status=400, json={"error": {"code": "1301", "message": "unsafe"}})
    result = glm(*RUN, "-j", "1")
    assert (result.exit_code, ids_of()) == (1, [f"q0000{number}" for number in range(1, 6)])
    assert "1 of 6 failed (1 × 1301); see out.jsonl.failed.jsonl" in result.stderr
    [failure] = lines_of("out.jsonl.failed.jsonl")
    assert (failure["id"], failure["line"], failure["code"], failure["tries"]) == ("q00000", 1, "1301", 1)
    assert glm(*RUN).exit_code == 0
    assert ids_of() == [f"q0000{number}" for number in range(6)]
    assert not Path("out.jsonl.failed.jsonl").exists()
    assert len(server.requests) == 7


def test_an_answer_that_the_policy_ended_is_a_failure(glm: Glm, server: ScriptedServer) -> None:
    """finish_reason sensitive is no answer."""
    Path("in.jsonl").write_text('"fault:sensitive a"\n"echo: b"\n')
    assert glm(*RUN).exit_code == 1
    assert lines_of("out.jsonl.failed.jsonl")[0]["kind"] == "content"


@pytest.mark.parametrize(("share", "code"), [("19", 1), ("20", 0)])
def test_fail_above(glm: Glm, server: ScriptedServer, share: str, code: int) -> None:
    """Two of ten are borne at 20 %, not at 19 %."""
    prompts = ["echo: x"] * 8 + ["fault:1301 x"] * 2
    Path("in.jsonl").write_text("".join(f"{json.dumps(prompt)}\n" for prompt in prompts))
    assert glm(*RUN, "--fail-above", share).exit_code == code
    assert len(lines_of("out.jsonl.failed.jsonl")) == 2


def test_other_options_are_not_mixed_in(glm: Glm, server: ScriptedServer) -> None:
    """Answers of one model do not silently complete those of another; paying anew needs a word."""
    names = ask(4)
    glm(*RUN)
    refused = glm(*RUN, "-m", "glm-4.7")
    assert (refused.exit_code, len(server.requests)) == (ExitCode.USAGE, 4)
    assert "4 of the answers in out.jsonl belong to other requests" in refused.stderr
    assert glm(*RUN, "-m", "glm-4.7", "--resend-changed").exit_code == 0
    assert ids_of() == names
    assert {line["model"] for line in lines_of()} == {"glm-4.7"}


def test_two_runs_do_not_pay_twice(glm: Glm, glm_process: GlmProcess, server: ScriptedServer) -> None:
    """A second run on the same output is refused while the first goes on."""
    server.sandbox.work_seconds = 0.3
    ask(30)
    with glm_process.start(*RUN, "-j", "2") as first:
        _wait_for(lambda: len(server.requests) >= 2)
        second = glm(*RUN)
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=30)
    assert second.exit_code == ExitCode.USAGE
    assert "another `glm batch run` is writing out.jsonl" in second.stderr


# -- the end of keys, money and windows ---------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "provider", "code", "words"),
    [
        ("zai-empty", "zai", ExitCode.BALANCE, "1113"),
        ("zai-locked", "zai", ExitCode.FAILED, "1112"),
        ("zai-window-used-up", "zai-coding", ExitCode.LIMIT, "1308"),
        ("zhipu", "zai", ExitCode.AUTH, "1000"),
    ],
)
def test_what_all_would_meet_ends_the_run_at_once(
    glm: Glm, server: ScriptedServer, account: str, provider: str, code: ExitCode, words: str
) -> None:
    """One request finds out; the others are not even tried, and the way on is said."""
    server.sandbox.region = "intl"
    ask(50)
    key = {"zai": "ZAI_API_KEY", "zai-coding": "ZAI_CODING_API_KEY"}[provider]
    accounts = server.sandbox.accounts
    result = glm("--provider", provider, *RUN, env={key: accounts[account].key})
    chats = [request for request in server.requests if request.path.endswith("/chat/completions")]
    assert (result.exit_code, len(chats)) == (code, 1)
    assert words in result.stderr
    assert "run the same command again: 0 of 50 are answered" in result.stderr
    assert not Path("out.jsonl.failed.jsonl").exists()


def test_a_mistyped_model_ends_the_run(glm: Glm, server: ScriptedServer) -> None:
    """1211 for the common model would come for every line."""
    ask(50)
    result = glm(*RUN, "-m", "glm-5.33")
    assert (result.exit_code, len(server.requests)) == (1, 1)


def _reset_in(seconds: float) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + seconds + 8 * 3600))
    return {"error": {"code": "1308", "message": f"Usage limit reached for 5 hour. Your limit will reset at {moment}"}}


def test_a_window_that_closes_stops_and_goes_on_later(glm: Glm, server: ScriptedServer) -> None:
    """Exit 6 with the time; what came is kept, and the next run sends the rest."""
    names = ask(10)
    for _ in range(4):
        server.script("POST", "/chat/completions", **_answer())
    server.script("POST", "/chat/completions", status=429, json=_reset_in(3600))
    result = glm(*RUN, "-j", "1")
    assert result.exit_code == ExitCode.LIMIT
    assert "stopped after 4 of 10" in result.stderr
    assert "or let it wait: --wait" in result.stderr
    assert ids_of() == names[:4]
    assert glm(*RUN, "-j", "1").exit_code == 0
    assert ids_of() == names
    assert len(server.requests) == 11


def _answer() -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}
    usage = {"prompt_tokens": 100, "completion_tokens": 900, "total_tokens": 1000}
    return {"json": {"model": "glm-5.3", "choices": [choice], "usage": usage}}


def test_wait_sleeps_until_the_window_opens(glm: Glm, server: ScriptedServer) -> None:
    """One notice, and no request meanwhile; the item itself is not lost."""
    names = ask(5)
    server.script("POST", "/chat/completions", status=429, json=_reset_in(-4))
    result = glm(*RUN, "-j", "1", "--wait")
    assert (result.exit_code, ids_of()) == (0, names)
    assert result.stderr.count("; waiting ") == 1
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("option", "words"),
    [(["--max-tokens-total", "4500"], "--max-tokens-total 4500"), (["--max-cost", "0.02"], "--max-cost 0.02")],
    ids=["tokens", "cost"],
)
def test_a_budget_is_kept_over_all_runs(glm: Glm, server: ScriptedServer, option: list[str], words: str) -> None:
    """Stopped before it is exceeded; a rerun with the same budget sends nothing, with a larger one goes on."""
    ask(20)
    for _ in range(4):
        server.script("POST", "/chat/completions", **_answer())
    result = glm(*RUN, "-j", "1", *option)
    assert result.exit_code == 1
    assert f"stopped at {words}: 4 of 20 are answered" in result.stderr
    again = glm(*RUN, "-j", "1", *option)
    assert (again.exit_code, len(server.requests)) == (1, 4)
    assert glm(*RUN, option[0], "1000000").exit_code == 0
    assert len(ids_of()) == 20


def test_the_ledger_knows(glm: Glm, server: ScriptedServer) -> None:
    """What a batch used is in `glm usage --local`."""
    ask(5)
    glm(*RUN)
    assert "5" in glm("usage", "--local").stdout


def test_a_summary_as_json(glm: Glm, server: ScriptedServer) -> None:
    """`--json` prints one document on stdout, and a failure as one object on stderr."""
    Path("in.jsonl").write_text('"echo: a"\n"fault:1301 b"\n')
    result = glm(*RUN, "--json")
    assert (result.json["requests"], result.json["answered"], result.json["failed"]) == (2, 1, 1)
    assert result.json["reasons"] == {"1301": 1}
    assert result.error["message"].startswith("1 of 2 failed")


def test_progress_on_a_terminal(glm: Glm, server: ScriptedServer) -> None:
    """One line that is taken away again; nothing of it in a pipe or with --quiet."""
    server.sandbox.work_seconds = 0.02
    ask(40)
    shown = glm(*RUN, "-j", "2", tty={"stderr"}).stderr
    assert re.search(r"\r\x1b\[K[^\r]*\d+ of 40 · \d under way · [\d.]+/(s|min) · ", shown)
    Path("out.jsonl").unlink()
    assert "\r" not in glm(*RUN).stderr
    Path("out.jsonl").unlink()
    assert glm(*RUN, "-q", tty={"stderr"}).stderr == ""


# -- faults, kills, crowds ------------------------------------------------------------------


FAULTS = ("1302", "1305", "500", "1234", "cut", "truncated", "html", "empty", "network_error")


class Unreliable(Sandbox):
    """Plays each fault for a share of the requests; counts the answers that were sent whole, by prompt."""

    def __init__(self, share: float) -> None:
        super().__init__(work_seconds=0.005, watch=self._count)
        self.share = share
        self.paid: list[str] = []
        self._chance = random.Random(5)

    def __call__(self, environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        with self.lock:
            number = self._chance.random() / self.share
        if number < len(FAULTS):
            environ = {**environ, "HTTP_X_SANDBOX_FAULT": FAULTS[int(number)]}
        return super().__call__(environ, start_response)

    def _count(self, request: Request, response: Response) -> None:
        if response.status == 200 and "x-sandbox-fault" not in request.headers:
            with self.lock:
                self.paid.append(request.json()["messages"][-1]["content"].removeprefix("echo: answer "))


class TestFaults:
    """Two per cent of each kind; `benchmarks/batch.py` has more of them, and more prompts."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return Unreliable(0.02)

    @pytest.mark.skipif(os.name == "nt", reason="signals differ")
    @pytest.mark.parametrize("order", [[], ["--unordered"]], ids=["ordered", "unordered"])
    def test_killed_and_resumed(
        self, glm_process: GlmProcess, server: ScriptedServer, sandbox: Unreliable, order: list[str]
    ) -> None:
        """Three times kill -9: every id is there once, and what was on the disk is never paid again."""
        names = ask(300)
        jobs, journal = 32, Path("out.jsonl" if order else "out.jsonl.journal")
        lost = 0
        for share in (0.2, 0.5, 0.8):
            with glm_process.start(*RUN, *order, "-j", str(jobs), "--max-retries", "6") as process:
                _wait_for(lambda share=share: _count_lines(journal, "out.jsonl") >= share * 300)
                process.kill()
                process.communicate()
            time.sleep(0.3)  # the server answers what it has still read
            kept = _ids_on_disk(journal, Path("out.jsonl"))
            paid = len(sandbox.paid)
            lost += len(set(sandbox.paid) - kept)
            sandbox.paid.clear()
            _check_nothing_is_paid_again(glm_process, sandbox, kept, paid)
        for _ in range(5):
            done = glm_process(*RUN, *order, "-j", str(jobs), "--max-retries", "6")
            if done.exit_code == 0:
                break
        assert done.exit_code == 0, done.stderr
        assert sorted(ids_of()) == names
        assert order or ids_of() == names
        assert all(line["content"] == f"answer {line['id']}" for line in lines_of())
        # What nobody can know: answers that were on the wire when the process died.
        assert lost <= 3 * jobs


def _check_nothing_is_paid_again(glm_process: GlmProcess, sandbox: Unreliable, kept: set[str], paid: int) -> None:
    """A short run, ended in an orderly way, asks for nothing that is on the disk."""
    assert paid > 0
    with glm_process.start(*RUN, "-j", "2") as process:
        _wait_for(lambda: len(sandbox.paid) >= 3 or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert not kept & set(sandbox.paid)
    assert max(Counter(sandbox.paid).values(), default=1) == 1
    assert set(sandbox.paid) <= _ids_on_disk(Path("out.jsonl"), Path("out.jsonl.journal")), "SIGTERM lost an answer"
    sandbox.paid.clear()


def _count_lines(*paths: Path | str) -> int:
    return sum(Path(path).read_bytes().count(b"\n") for path in paths if Path(path).exists())


def _ids_on_disk(*paths: Path) -> set[str]:
    found = set()
    for path in paths:
        for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else ():
            found.add(json.loads(line)["id"])
    return found


def _wait_for(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_orderly_end_keeps_what_is_under_way(
    glm_process: GlmProcess, server: ScriptedServer, number: signal.Signals
) -> None:
    """Exit 130; every request that left has its answer in the output, and the hint says how to go on."""
    server.sandbox.work_seconds = 0.4
    names = ask(20)
    with glm_process.start(*RUN, "-j", "4") as process:
        _wait_for(lambda: len(server.requests) >= 6)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    sent = len(server.requests)
    assert ids_of() == names[:sent]
    assert f"run the same command again: {sent} of 20 are answered".encode() in stderr
    assert glm_process(*RUN, "-j", "20").exit_code == 0
    assert len(server.requests) == 20


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_a_second_ctrl_c_does_not_wait(glm_process: GlmProcess, server: ScriptedServer) -> None:
    """Requests that hang are given up."""
    server.sandbox.work_seconds = 20
    ask(4)
    with glm_process.start(*RUN, "-j", "1") as process:
        _wait_for(lambda: len(server.requests) >= 1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=10)
    assert process.returncode == ExitCode.INTERRUPTED
    assert b"once more stops at once" in stderr


class TestCrowd:
    """Three terminals, one key, two requests in flight allowed."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        self.answered = 0
        #: How many answers had gone out before each refusal.
        self.refused: list[int] = []
        return Sandbox(in_flight=2, work_seconds=0.02, watch=self._note)

    def _note(self, request: Request, response: Response) -> None:
        if response.status == 429:
            self.refused.append(self.answered)
        else:
            self.answered += 1

    @pytest.mark.skipif(os.name == "nt", reason="signals differ")
    def test_three_runs_share_the_limit(self, glm_process: GlmProcess, server: ScriptedServer) -> None:
        """The limit is found in the first moments; from then on nobody is refused, and everybody is served."""
        runs = []
        for number in range(3):
            ask(120, f"in{number}.jsonl")
            files = (f"in{number}.jsonl", "-o", f"out{number}.jsonl")
            runs.append(glm_process.start("batch", "run", *files, "-j", "6", "-q"))
        ends = []
        for run in runs:
            _, stderr = run.communicate(timeout=60)
            ends.append((run.returncode, stderr))
        assert ends == [(0, b"")] * 3
        assert [len(lines_of(f"out{number}.jsonl")) for number in range(3)] == [120] * 3
        assert self.answered == 360
        assert self.refused, "the limit was never met: this proves nothing"
        late = [answered for answered in self.refused if answered > 60]
        assert not late, f"{len(self.refused)} refusals, after so many answers: {self.refused}"

    def test_a_lone_run_learns(self, glm: Glm, server: ScriptedServer) -> None:
        """Refusals are few, each is tried again, and it is told once per change."""
        ask(80)
        result = glm(*RUN, "-j", "16")
        assert (result.exit_code, len(lines_of())) == (0, 80)
        assert "the service limits the rate; now 8 at a time" in result.stderr
        assert len(self.refused) < 60


_MEASURED = f"""{PEAK}
import sys
from glmcli.cli import run
code = run(sys.argv[1:])
print(peak_bytes(), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_memory_does_not_grow_with_the_input(tmp_path: Path) -> None:
    """Fifty times the lines, about the same memory."""
    peaks = []
    for count in (200, 10_000):
        ask(count, words="echo: " + "long " * 50 + "{}")
        Path("out.jsonl").write_text(
            "".join(
                json.dumps({"id": f"q{number:05d}", "content": "x" * 500, "request": "0" * 16}) + "\n"
                for number in range(count)
            )
        )
        # All were answered to other requests: everything is read, compared and refused.
        done = subprocess.run([sys.executable, "-c", _MEASURED, *SANDBOX, *RUN], capture_output=True, text=True)
        assert "belong to other requests" in done.stderr
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] - peaks[0] < 3 * 1024 * 1024

"""Batches, questions and raw calls through a router: the sandbox's one, over a socket, by a clock of our own."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from glmcli.asking import ChatOptions
from glmcli.batching.local import RunOptions, run_batch
from glmcli.config.model import GlobalOptions
from glmcli.context import AppContext
from glmcli.errors import ExitCode, GlmError
from glmcli.events import Answer, Usage
from glmcli.history import History, UsageEntry
from glmcli.pace import WINDOW_SECONDS
from glmcli.sandbox.app import Sandbox
from glmcli.spending import Spending
from glmcli.streams import Streams
from tests.harness import Glm, GlmProcess, ScriptedServer

NOON = datetime(2026, 11, 21, 12).timestamp()
WEIGHTS = '[profiles.router.weights]\n"glm-5.3" = 1\n"glm-5.3-flash" = 0.5\n"glm-4.5-air" = 0.1\n"glm-5v-turbo" = 8\n'


class Clock:
    """A clock that moves when somebody sleeps, for any number of threads."""

    def __init__(self) -> None:
        self.time = NOON
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    """A router that counts by the same clock as its users."""
    return Sandbox(clock=clock.now)


@pytest.fixture
def router(server: ScriptedServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes a profile of the sandbox's router."""
    monkeypatch.setenv("ROUTER_KEY", server.keys["router"])
    home.mkdir(mode=0o700)

    def write(rules: str = "", *, model: str = "glm-4.5-air", weights: str = WEIGHTS) -> None:
        text = (
            f'[profiles.router]\nprovider = "custom"\nbase_url = "{server.address}/router/v1"\n'
            f'model = "{model}"\nkey = "env:ROUTER_KEY"\n{rules}\n{weights}'
        )
        (home / "config.toml").write_text(text)
        (home / "config.toml").chmod(0o600)

    return write


@pytest.fixture
def batch(clock: Clock) -> Callable[..., str]:
    """Runs a batch by the clock; what it said on stderr."""

    def run(*, jobs: int = 4, wait: bool = False, **options: Any) -> str:
        streams = Streams(stdin=BytesIO(), stdout=BytesIO(), stderr=BytesIO(), environ=dict(os.environ))
        app = AppContext(options=GlobalOptions(wait=wait), streams=streams, environ=dict(os.environ))
        app.now, app.sleep = clock.now, clock.sleep
        try:
            run_batch(app, ChatOptions(), RunOptions("in.jsonl", "out.jsonl", jobs=jobs, **options))
        finally:
            app.close()
        stderr = streams.stderr
        assert isinstance(stderr, BytesIO)
        return stderr.getvalue().decode()

    return run


def ask(count: int, **fields: Any) -> list[str]:
    """Write prompts; their ids."""
    names = [f"q{number:03d}" for number in range(count)]
    Path("in.jsonl").write_text(
        "".join(json.dumps({"id": name, "prompt": f"echo: {name}", **fields}) + "\n" for name in names)
    )
    return names


def answered() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]


def used(server: ScriptedServer) -> float:
    """What the router itself has counted today."""
    return float(server.sandbox.store("router")["router"]["used"])


# -- the rate ------------------------------------------------------------------------------


def test_a_batch_keeps_the_rate(
    server: ScriptedServer, router: Callable[..., None], batch: Callable[..., str], clock: Clock
) -> None:
    """200 requests at 120 a minute: none is refused, and the last leave a minute after the first."""
    router("requests_per_minute = 120")
    names = ask(200)
    batch(jobs=8)
    assert [line["id"] for line in answered()] == names
    assert len(server.requests) == 200
    assert WINDOW_SECONDS <= clock.now() - NOON < 2 * WINDOW_SECONDS


def test_questions_take_places_of_the_minute(
    glm: Glm, server: ScriptedServer, router: Callable[..., None], batch: Callable[..., str], clock: Clock
) -> None:
    """What is asked beside a batch with the same key counts, so that the batch is refused nothing."""
    router("requests_per_minute = 120")
    clock.time = time.time()
    for _ in range(3):
        assert glm("chat", "echo: hi").exit_code == 0
    clock.time = time.time()
    ask(118)
    started = clock.now()
    told = batch(jobs=1)
    assert "limits the rate" not in told
    assert clock.now() - started >= WINDOW_SECONDS - 1
    assert len(server.requests) == 121


# -- the budget ----------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 8])
def test_a_batch_stops_before_the_budget_of_the_day(
    server: ScriptedServer, router: Callable[..., None], batch: Callable[..., str], clock: Clock, jobs: int
) -> None:
    """The router never says no; the next day goes on where this one ended."""
    server.sandbox.store("router")["budget"] = 300
    router("daily_budget = 300", model="glm-5.3-flash")
    names = ask(60)
    with pytest.raises(GlmError, match=r"stopped at the daily budget of profile router \(\d+ of 300") as stopped:
        batch(jobs=jobs)
    assert stopped.value.exit_code is ExitCode.FAILED
    assert "run the same command again" in (stopped.value.hint or "")
    assert "or let it wait: --wait" in (stopped.value.hint or "")
    first = len(answered())
    assert 0 < first < 60
    assert 250 < used(server) <= 300
    clock.sleep(86400)
    with pytest.raises(GlmError):
        batch(jobs=jobs)
    assert first < len(answered()) < 60
    assert [line["id"] for line in answered()] == names[: len(answered())]
    assert len(server.requests) == len(answered())


def test_wait_goes_on_day_after_day(
    server: ScriptedServer, router: Callable[..., None], batch: Callable[..., str], clock: Clock
) -> None:
    """One notice per day; everything is answered in the end, each once."""
    router("daily_budget = 300", model="glm-5.3-flash")
    names = ask(60)
    told = batch(wait=True)
    assert [line["id"] for line in answered()] == names
    assert len(server.requests) == 60
    days = int((clock.now() - NOON + 12 * 3600) // 86400)
    assert days > 1
    assert told.count("the daily budget of profile router is used up") == days


def test_a_failure_is_not_tried_again_on_the_next_day(
    server: ScriptedServer, router: Callable[..., None], batch: Callable[..., str]
) -> None:
    """A pass of a new day sends what the last one left, not what it lost."""
    router("daily_budget = 300", model="glm-5.3-flash")
    ask(30)
    with Path("in.jsonl").open("a") as file:
        file.write(json.dumps({"id": "late", "prompt": "echo: late"}) + "\n")
    text = Path("in.jsonl").read_text()
    Path("in.jsonl").write_text(json.dumps({"id": "bad", "prompt": "fault:1301"}) + "\n" + text)
    with pytest.raises(GlmError, match="1 of 32 failed"):
        batch(wait=True)
    bad = [request for request in server.requests if b"fault:1301" in request.body]
    assert (len(bad), len(answered())) == (1, 31)


def test_what_fits_into_no_day_is_not_waited_for(
    server: ScriptedServer, router: Callable[..., None], batch: Callable[..., str], clock: Clock
) -> None:
    """A request that is larger than the whole budget ends the run at once, with the way out."""
    router("daily_budget = 300", model="glm-5v-turbo")
    ask(3)
    with pytest.raises(GlmError) as stopped:
        batch(wait=True)
    assert "more than a whole day has: glm profile set router daily_budget=N" in (stopped.value.hint or "")
    assert (len(server.requests), clock.now()) == (0, NOON)


def test_what_others_used_counts(
    glm: Glm, server: ScriptedServer, router: Callable[..., None], batch: Callable[..., str], clock: Clock
) -> None:
    """A question of another process takes its share; nothing of it is left for the batch."""
    router("daily_budget = 2000", model="glm-5v-turbo")
    clock.time = time.time()
    asked = glm("chat", "repeat: 200", "--no-stream")
    assert asked.exit_code == 0, asked.stderr
    ask(3)
    with pytest.raises(GlmError, match=r"0 of 3 are answered"):
        batch()
    assert len(server.requests) == 1


def test_without_a_ledger_the_run_counts_itself(
    server: ScriptedServer,
    router: Callable[..., None],
    batch: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """GLM_NO_LOG keeps nothing, so that only this run is counted, and that is said."""
    monkeypatch.setenv("GLM_NO_LOG", "1")
    router("daily_budget = 300", model="glm-5.3-flash")
    ask(60)
    with pytest.raises(GlmError, match="stopped at the daily budget"):
        batch()
    assert 250 < used(server) <= 300


def test_the_ledger_agrees_with_the_router(
    glm: Glm, server: ScriptedServer, router: Callable[..., None], batch: Callable[..., str]
) -> None:
    """Several models, one of which the table does not name, all by both protocols."""
    router("daily_budget = 100000")
    names = ["glm-5.3", "glm-5.3-flash", "glm-4.5-air", "glm-5", "glm-5v-turbo"]
    Path("in.jsonl").write_text(
        "".join(json.dumps({"id": name, "prompt": "echo: hi", "model": name}) + "\n" for name in names)
    )
    batch()
    budget = glm("usage", "--local", "--json", "--since", "2026-11-01").json["local"]
    assert budget["total"]["weighted_tokens"] == pytest.approx(used(server))
    assert sum(line["usage"]["prompt_tokens"] for line in answered()) > 0


# -- the estimate --------------------------------------------------------------------------


def test_the_estimate_knows_what_is_left(glm: Glm, router: Callable[..., None], server: ScriptedServer) -> None:
    """Weighted tokens of the input against the budget of today, for people and for programs; nothing is sent."""
    router("daily_budget = 30000\nrequests_per_minute = 120", model="glm-5.3-flash")
    ask(250)
    found = glm("batch", "run", "in.jsonl", "--estimate", "--json").json
    weighted = (found["prompt_tokens"] + found["completion_tokens"]) / 2
    assert found["router"]["weighted_tokens"] == weighted
    assert (found["router"]["budget"]["left"], found["router"]["fits_today"]) == (30000, weighted <= 30000)
    assert (found["router"]["requests_per_minute"], found["router"]["seconds_at_least"]) == (120, 2 * WINDOW_SECONDS)
    told = glm("batch", "run", "in.jsonl", "--estimate").stdout
    assert f"weighted    about {weighted:,.0f} tokens; only 30,000 of the daily 30,000 are left today" in told
    assert "rate        120 requests a minute: at least 2 min" in told
    assert not server.requests


def test_no_router_no_estimate_of_one(glm: Glm, server: ScriptedServer) -> None:
    """The key is there for programs, and null."""
    ask(1)
    assert glm("batch", "run", "in.jsonl", "--estimate", "--json").json["router"] is None


def test_the_batch_api_is_not_for_routers(glm: Glm, router: Callable[..., None], server: ScriptedServer) -> None:
    """`submit` says so before anything is sent, and names the way that works."""
    router()
    ask(1)
    result = glm("batch", "submit", "in.jsonl")
    assert (result.exit_code, "glm batch run FILE -o ANSWERS" in result.stderr) == (2, True)
    assert not server.requests


# -- questions and raw calls ---------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_chat_speaks_both_protocols_of_a_router(
    glm: Glm, router: Callable[..., None], server: ScriptedServer, protocol: str
) -> None:
    """The base URL ends in /v1 for both; what the answer used is weighed."""
    router()
    result = glm("chat", "echo: hello", "--protocol", protocol, "--max-tokens", "500")
    assert (result.exit_code, result.stdout) == (0, "hello\n")
    end = {"openai": "/router/v1/chat/completions", "anthropic": "/router/v1/messages"}[protocol]
    assert server.last.path == end
    document = glm("usage", "--local", "--json").json["local"]
    assert document["total"]["weighted_tokens"] == pytest.approx(used(server))


@pytest.mark.parametrize("path", ["/v1/complete", "v1/complete", "complete", "/complete"])
def test_a_legacy_completion_by_a_raw_call(
    glm: Glm, router: Callable[..., None], server: ScriptedServer, path: str
) -> None:
    """`glm api` reaches what no command of its own is for, below the base URL of the profile."""
    router()
    prompt = "\n\nHuman: echo: hello\n\nAssistant:"
    fields = ["-f", "model=glm-4.5-air", "-f", f"prompt={prompt}", "-F", "max_tokens_to_sample=100"]
    result = glm("api", "POST", path, *fields, "--json-path", "completion")
    assert (result.exit_code, result.stdout) == (0, " hello\n"), result.stderr
    assert server.last.path == "/router/v1/complete"


def test_a_key_that_ended_is_refused_as_such(
    glm: Glm, router: Callable[..., None], server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 4 with the router's own words."""
    router()
    monkeypatch.setenv("ROUTER_KEY", server.keys["router-ended"])
    result = glm("chat", "hi")
    assert result.exit_code == ExitCode.AUTH
    assert "expired" in result.stderr


def test_ctrl_c_ends_the_wait_for_a_day(
    glm_process: GlmProcess, home: Path, router: Callable[..., None], server: ScriptedServer
) -> None:
    """Exit 130 at once, although the day is long; nothing was sent."""
    router("daily_budget = 300", model="glm-5.3-flash")
    history = History(home / "history.db")
    history.ledger.record(UsageEntry("chat", "custom", "glm-5.3", "router", weighted=300.0))
    history.close()
    ask(3)
    process = glm_process.start("batch", "run", "in.jsonl", "-o", "out.jsonl", "--wait")
    assert process.stderr is not None
    assert b"the daily budget of profile router is used up (300 of 300" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == ExitCode.INTERRUPTED
    assert b"run the same command again" in process.stderr.read()
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        stream.close()
    assert not server.requests


def test_a_conversation_knows_its_weight(router: Callable[..., None], server: ScriptedServer) -> None:
    """`/cost` sums the weighted tokens beside the plain ones."""
    router(model="glm-5v-turbo")
    streams = Streams(stdin=BytesIO(), stdout=BytesIO(), stderr=BytesIO(), environ=dict(os.environ))
    app = AppContext(streams=streams, environ=dict(os.environ))
    spending = Spending()
    spending.add(app, Answer(content="x", model="glm-5v-turbo", usage=Usage(prompt_tokens=10, completion_tokens=5)))
    app.close()
    assert "120 weighted tokens" in spending.told()

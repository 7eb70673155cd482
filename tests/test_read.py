"""`glm read`: many pages, in order, none lost by another's failure."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest
import zai

from glmcli.api.resources.reader import Page, page_from_json, page_from_text, patience
from glmcli.errors import ExitCode, ServiceError
from glmcli.render.pages import content
from glmcli.sandbox.app import Sandbox
from tests.harness import Changes, Glm, GlmProcess, ScriptedServer

A, B, EMPTY = "https://example.com/a", "https://example.com/b", "https://example.com/empty"


def plan(server: ScriptedServer) -> Changes:
    return {"ZAI_API_KEY": None, "ZAI_CODING_API_KEY": server.keys["zai-coding"]}


def asked(server: ScriptedServer) -> list[str]:
    """The addresses that were sent by REST."""
    return [request.json["url"] for request in server.requests if request.path.endswith("/reader")]


# -- what is sent ------------------------------------------------------------------------

EVERYTHING = (
    "--format", "text", "--no-cache", "--timeout-page", "30", "--no-images", "--no-gfm", "--links-summary",
    "--images-summary", "--keep-data-urls",
)  # fmt: skip
FIELDS = {
    "url": A,
    "timeout": 30,
    "no_cache": True,
    "return_format": "text",
    "retain_images": False,
    "no_gfm": True,
    "keep_img_data_url": True,
    "with_images_summary": True,
    "with_links_summary": True,
}


def test_every_option_is_a_field(glm: Glm, server: ScriptedServer) -> None:
    """By REST; `retain_images` is false outright, because the service's default is true."""
    glm("read", A, *EVERYTHING, "--user-id", "user-1", "--set", "request_id=request-1")
    assert server.last.json == {**FIELDS, "user_id": "user-1", "request_id": "request-1"}
    assert server.last.path == "/api/paas/v4/reader"


def test_every_option_is_an_argument(glm: Glm, server: ScriptedServer) -> None:
    """By the plan's server the same, without ids; the tool has its live name."""
    result = glm("read", A, *EVERYTHING, "--user-id", "user-1", env=plan(server))
    assert (result.exit_code, result.stderr) == (0, "")
    assert server.last.json["params"] == {"name": "webReader", "arguments": FIELDS}


def test_nothing_is_sent_that_was_not_asked_for(glm: Glm, server: ScriptedServer) -> None:
    """Address and format."""
    glm("read", A)
    assert server.last.json == {"url": A, "return_format": "markdown"}


@pytest.mark.filterwarnings("ignore")  # the SDK's own
def test_the_body_is_that_of_the_official_sdk(glm: Glm, server: ScriptedServer) -> None:
    """zai-sdk and glm send the same JSON; but its `timeout` is a text, where the documents say a number."""
    client = zai.ZaiClient(api_key=server.keys["zai"], base_url=f"{server.address}/api/paas/v4", max_retries=0)
    server.script("POST", "/reader", json={"reader_result": {"content": "x"}})
    client.web_reader.web_reader(**{**FIELDS, "timeout": "30"})  # type: ignore[arg-type]  # a row of mixed types
    theirs = server.last.json
    glm("read", A, *EVERYTHING)
    assert server.last.json == {**theirs, "timeout": 30}


@pytest.mark.parametrize(
    ("setting", "page", "seconds"), [(300.0, None, 300.0), (10.0, None, 35.0), (10.0, 60, 75.0), (300.0, 400, 415.0)]
)
def test_we_are_more_patient_than_the_service(setting: float, page: int | None, seconds: float) -> None:
    """The HTTP time-out lies beyond that of the page, whatever the settings say."""
    assert patience(setting, page) == seconds


def test_a_time_out_that_was_asked_for_counts(glm: Glm, server: ScriptedServer) -> None:
    """`--timeout` bounds a request, also one that would be given longer by itself."""
    server.sandbox.fault = "stall"
    result = glm("read", A, "--timeout", "0.1", "--max-retries", "0")
    assert result.exit_code == 8
    assert "nothing came" in result.stderr


# -- which pages -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "piped", "urls"),
    [
        ([A, B], "", [A, B]),
        ([], f"{B}\n\n  {A}  \n# a comment\n", [B, A]),
        ([A, "-"], f"{B}\n", [A, B]),
        (["example.com/a"], "", [A]),
        ([A, A], "", [A, A]),
    ],
    ids=["arguments", "lines of stdin", "both", "without scheme", "twice"],
)
@pytest.mark.parametrize("jobs", ["1", "4"])
def test_addresses(glm: Glm, server: ScriptedServer, argv: list[str], piped: str, urls: list[str], jobs: str) -> None:
    """Read in order; `https://` is put in front and told."""
    result = glm("read", *argv, "--jsonl", "--jobs", jobs, input=piped)
    assert (result.exit_code, [page["url"] for page in result.lines]) == (0, urls)
    assert ("glm: reading https://example.com/a" in result.stderr) == ("example.com/a" in argv)


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        ([], "no page to read"),
        (["ftp://example.com/a"], "is no web address"),
        (["file:///etc/passwd"], "is no web address"),
        (["https://"], "is no web address"),
        (["http://localhost:8000/"], "cannot reach localhost"),
        (["http://192.168.1.1/"], "cannot reach 192.168.1.1"),
        (["https://me:secret@example.com/"], "user name or password"),
        (["notes.md"], "is a file here"),
        (["http://[::1"], "is no web address"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_addresses(glm: Glm, server: ScriptedServer, argv: list[str], word: str) -> None:
    """Told before anything is sent, also for one among good ones."""
    Path("notes.md").write_text("x")
    result = glm("read", *argv)
    assert (result.exit_code, word in result.stderr) == (ExitCode.USAGE, True)
    assert "secret" not in result.stderr
    assert not server.requests


# -- many ----------------------------------------------------------------------------------


class Slow(Sandbox):
    """Lets a request pass only when the expected number is under way, all but the first."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(3)
        self.is_first = True

    def __call__(self, environ, start_response):  # type: ignore[no-untyped-def]  # the signature of WSGI
        first, self.is_first = self.is_first, False
        if not first:
            self.barrier.wait(timeout=20)
        return super().__call__(environ, start_response)


class TestAtOnce:
    """Pages are read at the same time and written in order."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return Slow()

    def test_jobs(self, glm: Glm, server: ScriptedServer) -> None:
        """Three requests meet at the server; nobody would pass alone."""
        urls = [f"https://example.com/{number}" for number in range(7)]
        result = glm("read", *urls, "--jobs", "3", "--jsonl")
        assert (result.exit_code, [page["url"] for page in result.lines]) == (0, urls)


class Silent(Sandbox):
    """Answers the first request and no other."""

    def __init__(self) -> None:
        super().__init__(stall_seconds=60)
        self.is_first = True

    def __call__(self, environ, start_response):  # type: ignore[no-untyped-def]  # the signature of WSGI
        self.fault, self.is_first = (None if self.is_first else "stall"), False
        return super().__call__(environ, start_response)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
class TestInterrupted:
    """Ctrl-C while several pages are on their way."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return Silent()

    def test_ctrl_c(self, glm_process: GlmProcess, server: ScriptedServer) -> None:
        """What came is kept, and nobody waits for the rest."""
        urls = [f"https://example.com/{number}" for number in range(6)]
        process = glm_process.start("read", *urls, "--jsonl")
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        while len(server.requests) < 5:
            threading.Event().wait(0.01)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
        assert (first["url"], rest, process.returncode) == (urls[0], b"", ExitCode.INTERRUPTED)


@pytest.mark.parametrize("route", ["general", "mcp"])
@pytest.mark.parametrize("jobs", ["1", "4"])
def test_one_failure_does_not_lose_the_others(glm: Glm, server: ScriptedServer, route: str, jobs: str) -> None:
    """The pages before and after are written; the failure is told with its address; exit 1."""
    env = plan(server) if route == "mcp" else None
    result = glm("read", A, EMPTY, B, "--jobs", jobs, env=env)
    assert result.exit_code == ExitCode.FAILED
    assert [line for line in result.stdout.splitlines() if line.startswith("==>")] == [
        f"==> Sandbox page /a ({A}) <==",
        f"==> Sandbox page /b ({B}) <==",
    ]
    assert f"glm: {EMPTY}: the page came back empty" in result.stderr
    assert "glm: 1 of 3 pages could not be read" in result.stderr


def test_a_failure_keeps_its_place_among_lines(glm: Glm, server: ScriptedServer) -> None:
    """Line three belongs to address three, whatever happened to two; the failure itself is on stderr."""
    result = glm("read", A, "https://example.com/fault:500", B, "--json", "--max-retries", "0")
    assert [("error" in line, line["url"]) for line in result.lines] == [
        (False, A), (True, "https://example.com/fault:500"), (False, B),
    ]  # fmt: skip
    assert result.lines[1]["error"]["code"] == "500"
    assert (result.exit_code, result.error["message"]) == (1, "1 of 3 pages could not be read")


@pytest.mark.parametrize("jobs", ["1", "4"])
def test_what_all_pages_share_ends_the_command(glm: Glm, server: ScriptedServer, jobs: str) -> None:
    """No balance for one is none for the others: they are not asked."""
    urls = [f"https://example.com/{number}" for number in range(20)]
    env = {"ZAI_API_KEY": server.keys["zai-empty"]}
    result = glm("read", *urls, "--jobs", jobs, env=env)
    assert result.exit_code == ExitCode.BALANCE
    assert asked(server) == urls[:1]


def test_one_session_serves_all_pages(glm: Glm, server: ScriptedServer) -> None:
    """The plan's server is opened once, whatever the jobs."""
    urls = [f"https://example.com/{number}" for number in range(6)]
    result = glm("read", *urls, "--jobs", "4", "--jsonl", env=plan(server))
    assert [page["url"] for page in result.lines] == urls
    assert [request.json["method"] for request in server.requests].count("initialize") == 1


def test_a_lone_empty_page_fails(glm: Glm, server: ScriptedServer) -> None:
    """HTTP 200 without content is no page."""
    result = glm("read", EMPTY, "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "came back empty" in result.error["message"]


# -- what is written -----------------------------------------------------------------------


def test_one_page_is_its_text_alone(glm: Glm, server: ScriptedServer) -> None:
    """No header, exactly one newline at the end."""
    server.script("POST", "/reader", json={"reader_result": {"title": "T", "content": "# Hi\n\ntext\n\n"}})
    assert glm("read", A).stdout == "# Hi\n\ntext\n"


def test_both_routes_give_the_same_output(glm: Glm, server: ScriptedServer) -> None:
    """Text to the byte, JSON but for the route and the request's id."""
    assert glm("read", A).stdout == glm("read", A, env=plan(server)).stdout
    by_rest, by_plan = glm("read", A, "--json").json, glm("read", A, "--json", env=plan(server)).json
    assert {name for name in by_rest if by_rest[name] != by_plan[name]} == {"route", "request_id"}


def test_json(glm: Glm, server: ScriptedServer) -> None:
    """Everything that the service said, maps as they came."""
    page = glm("read", A, "--json").json
    assert list(page) == [
        "schema_version", "url", "final_url", "route", "title", "description", "published", "content", "metadata",
        "external", "images", "links", "request_id",
    ]  # fmt: skip
    assert page["metadata"]["keywords"] == "sandbox"
    assert page["external"]["stylesheet"]


def test_files(glm: Glm, server: ScriptedServer) -> None:
    """One page into a file; several into a folder, each under a name of its own."""
    single = glm("read", A, "-o", "page.md")
    assert (single.stdout, Path("page.md").read_text().startswith("# Sandbox")) == ("", True)
    glm("read", A, A, "https://www.example.com/x/y?q=1#top", EMPTY, "-o", "pages")
    assert sorted(path.name for path in Path("pages").iterdir()) == [
        "example.com-a-2.md", "example.com-a.md", "example.com-x-y-q-1.md",
    ]  # fmt: skip
    glm("read", A, "-o", "texts/", "--format", "text")
    glm("read", A, "-o", "texts/", "--json")
    assert json.loads(Path("texts/example.com-a.json").read_text())["title"] == "Sandbox page /a"
    assert Path("texts/example.com-a.txt").exists()
    refused = glm("read", A, B, "-o", "page.md")
    assert (refused.exit_code, "need a folder" in refused.stderr) == (ExitCode.USAGE, True)


def test_on_a_terminal(glm: Glm, server: ScriptedServer) -> None:
    """Markdown is rendered; text is made harmless."""
    server.script("POST", "/reader", json={"reader_result": {"content": "# Hi\n\n**bold** \x1b]0;x\x07"}})
    shown = glm("read", A, tty={"stdout"}, env={"COLUMNS": "60"}).stdout
    assert ("**" in shown, "\x1b]0" in shown) == (False, False)
    server.script("POST", "/reader", json={"reader_result": {"content": "text \x1b[2J"}})
    assert glm("read", A, "--format", "text", tty={"stdout"}).stdout == "text ^[[2J\n"


@pytest.mark.parametrize(
    ("page", "is_markdown", "text"),
    [
        (Page(content="x\n\n"), True, "x\n"),
        (Page(content="see https://b.example", links={"B": "https://b.example"}), True, "see https://b.example\n"),
        (Page(content="x", links={"B": "https://b.example"}), True, "x\n\n## Links\n\n- [B](https://b.example)\n"),
        (Page(content="x", images={"I": "https://i.example"}), False, "x\n\nImages:\nI: https://i.example\n"),
    ],
    ids=["plain", "already there", "markdown", "text"],
)
def test_summaries_that_come_beside_the_content(page: Page, is_markdown: bool, text: str) -> None:
    """They are appended once."""
    assert content(page, is_markdown=is_markdown) == text


# -- what is read --------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{}, [], {"reader_result": "x"}, None], ids=str)
def test_no_page_at_all(body: object) -> None:
    """Is an error that names the key."""
    with pytest.raises(ServiceError, match="`reader_result`"):
        page_from_json(body)


def test_strange_fields_are_borne() -> None:
    """Each counts as absent."""
    page = page_from_json({"reader_result": {"title": None, "content": 3, "metadata": [], "links": "x"}})
    assert page == Page(content="3")


PAGE = {"title": "T", "content": "# T", "url": A}


@pytest.mark.parametrize(
    ("said", "page"),
    [
        (json.dumps(PAGE), Page(A, "T", content="# T")),
        (json.dumps(json.dumps(PAGE)), Page(A, "T", content="# T")),
        (json.dumps({"reader_result": PAGE}), Page(A, "T", content="# T")),
        (json.dumps([PAGE]), Page(A, "T", content="# T")),
        ("# Words\n\nas they are", Page(content="# Words\n\nas they are")),
        (json.dumps("# quoted"), Page(content="# quoted")),
        ('{"a": 1}', Page(content='{"a": 1}')),
        ("42", Page(content="42")),
    ],
    ids=["object", "twice", "wrapped", "in a list", "words", "quoted words", "a page of JSON", "a number"],
)
def test_the_text_of_the_plans_tool(said: str, page: Page) -> None:
    """However it is wrapped."""
    assert page_from_text(said) == page

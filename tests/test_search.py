"""`glm search`: by REST and by the plan's MCP server, in every form of output."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zai

from glmcli.api.resources.web_search import SearchResult, answer_from_json, answer_from_text
from glmcli.errors import ExitCode, ServiceError
from glmcli.render.results import block, markdown
from glmcli.render.wrapping import cell_width
from tests.harness import Changes, Glm, Golden, ScriptedServer


def plan(server: ScriptedServer, account: str = "zai-coding", provider: str = "zai-coding") -> Changes:
    """The environment of somebody with a plan."""
    return {"ZAI_API_KEY": None, "GLM_API_KEY": None, **_key(server, account, provider)}


def _key(server: ScriptedServer, account: str, provider: str) -> dict[str, str]:
    return {f"{provider.upper().replace('-', '_')}_API_KEY": server.keys[account]}


def cn(server: ScriptedServer) -> Changes:
    return {"ZAI_API_KEY": None, **_key(server, "zhipu", "zhipu")}


def paths(server: ScriptedServer) -> list[str]:
    return [request.path for request in server.requests]


# -- what is sent ------------------------------------------------------------------------


def test_every_option_is_a_field(glm: Glm, server: ScriptedServer) -> None:
    """Names of the service, short words of ours."""
    server.script("POST", "/web_search", json={"search_result": []})
    glm(
        "search", "rust", "async", "-n", "7", "--recency", "month", "--domain", "https://docs.rs/tokio",
        "--engine", "search_pro", "--content-size", "high", "--intent", "--user-id", "user-1",
        "--request-id", "request-1", "--set", "include_image=true",
    )  # fmt: skip
    assert server.last.json == {
        "search_engine": "search_pro",
        "search_query": "rust async",
        "search_intent": True,
        "count": 7,
        "search_domain_filter": "docs.rs",
        "search_recency_filter": "oneMonth",
        "content_size": "high",
        "request_id": "request-1",
        "user_id": "user-1",
        "include_image": True,
    }


def test_nothing_is_sent_that_was_not_asked_for(glm: Glm, server: ScriptedServer) -> None:
    """Engine and query; everything else is the service's to choose."""
    assert glm("search", "rust").exit_code == 0
    assert server.last.json == {"search_engine": "search-prime", "search_query": "rust"}
    assert server.last.path == "/api/paas/v4/web_search"


@pytest.mark.parametrize(
    ("word", "sent"),
    [("day", "oneDay"), ("week", "oneWeek"), ("year", "oneYear"), ("any", "noLimit"), ("oneMonth", "oneMonth")],
)
def test_recency(glm: Glm, server: ScriptedServer, word: str, sent: str) -> None:
    """Our words and the service's own."""
    assert glm("search", "rust", "--recency", word).exit_code == 0
    assert server.last.json["search_recency_filter"] == sent


@pytest.mark.parametrize(
    ("argv", "count", "shown"), [(["--engine", "sogou", "-n", "15"], 20, 15), (["-e", "std", "-n", "15"], 15, 15)]
)
def test_sogou_counts_in_tens(glm: Glm, server: ScriptedServer, argv: list[str], count: int, shown: int) -> None:
    """What is too much is cut here."""
    result = glm("search", "量子计算", "--urls-only", *argv, env=cn(server))
    assert (server.last.json["count"], len(result.stdout.splitlines())) == (count, shown)


def test_china_always_gets_the_intent(glm: Glm, server: ScriptedServer) -> None:
    """The schema of BigModel requires it."""
    assert glm("search", "量子计算", env=cn(server)).exit_code == 0
    assert server.last.json == {
        "search_engine": "search_std", "search_query": "量子计算", "search_intent": False,
    }  # fmt: skip


def test_a_long_query_in_china_is_sent_whole_with_a_warning(glm: Glm, server: ScriptedServer) -> None:
    """70 characters are a recommendation: neither cut nor refused here."""
    server.script("POST", "/web_search", json={"search_result": []})
    result = glm("search", "字" * 71, env=cn(server))
    assert result.exit_code == 0
    assert "71 characters; BigModel recommends 70" in result.stderr
    assert server.last.json["search_query"] == "字" * 71
    assert "BigModel" not in glm("search", "字" * 71).stderr


@pytest.mark.parametrize(
    "fields",
    [
        {"search_engine": "search-prime", "search_query": "rust"},
        {
            "search_engine": "search_pro", "search_query": "量子", "search_intent": True, "count": 5,
            "search_domain_filter": "example.com", "search_recency_filter": "oneWeek", "content_size": "high",
            "request_id": "request-1", "user_id": "user-12",
        },
    ],
    ids=["least", "everything"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")  # the SDK's own
def test_the_body_is_that_of_the_official_sdk(glm: Glm, server: ScriptedServer, fields: dict[str, Any]) -> None:
    """zai-sdk and glm send the same JSON for the same wishes."""
    options = {
        "search_engine": "--engine", "count": "--count", "search_domain_filter": "--domain",
        "search_recency_filter": "--recency", "content_size": "--content-size", "request_id": "--request-id",
        "user_id": "--user-id",
    }  # fmt: skip
    argv = [str(word) for name, flag in options.items() if name in fields for word in (flag, fields[name])]
    client = zai.ZaiClient(api_key=server.keys["zai"], base_url=f"{server.address}/api/paas/v4", max_retries=0)
    for _ in range(2):
        server.script("POST", "/web_search", json={"search_result": []})
    client.web_search.web_search(**fields)
    theirs = server.last.json
    glm("search", fields["search_query"], *(["--intent"] if "search_intent" in fields else []), *argv)
    assert server.last.json == theirs


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["x", "--recency", "hour"], "day, week, month"),
        (["x", "--domain", "a.example", "--domain", "b.example"], "given 2 times"),
        (["x", "--domain", " "], "is no domain"),
        (["x", "-n", "51"], "51"),
        (["x", "--markdown", "--json"], "exclude one another"),
        (["x", "--urls-only", "--jsonl"], "exclude one another"),
        (["x", "--user-id", "me"], "6 to 128"),
        ([" "], "nothing to search for"),
        ([], "nothing to search for"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(glm: Glm, server: ScriptedServer, argv: list[str], word: str) -> None:
    """Exit 2 with the way out, and nothing is sent."""
    result = glm("search", *argv)
    assert (result.exit_code, word in result.stderr) == (ExitCode.USAGE, True)
    assert not server.requests


def test_the_query_may_be_piped(glm: Glm, server: ScriptedServer) -> None:
    """Its lines become one."""
    glm("search", input="rust\nrelease\n")
    assert server.last.json["search_query"] == "rust release"


# -- the route ---------------------------------------------------------------------------


def test_a_plan_searches_by_its_own_server(glm: Glm, server: ScriptedServer) -> None:
    """No balance is touched, nothing is said about billing; the tool is called by its live name."""
    result = glm("search", "rust", "-n", "2", "--recency", "week", env=plan(server))
    assert (result.exit_code, result.stderr) == (0, "")
    assert set(paths(server)) == {"/api/mcp/web_search_prime/mcp"}
    assert server.last.json["params"] == {
        "name": "web_search_prime",
        "arguments": {"search_query": "rust", "search_recency_filter": "oneWeek"},
    }


def test_a_plan_in_china(glm: Glm, server: ScriptedServer) -> None:
    """The same server below the origin of BigModel; no engine, no intent."""
    result = glm("search", "量子计算", "-n", "1", env=plan(server, "zhipu-coding", "zhipu-coding"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert server.last.json["params"]["arguments"] == {"search_query": "量子计算"}


def test_both_routes_give_the_same_output(glm: Glm, server: ScriptedServer) -> None:
    """Text, Markdown, lines and addresses, to the byte; JSON but for the route."""
    for form in ([], ["--markdown"], ["--jsonl"], ["--urls-only"]):
        by_rest = glm("search", "rust", "-n", "3", *form)
        by_plan = glm("search", "rust", "-n", "3", *form, env=plan(server))
        assert by_rest.stdout == by_plan.stdout != ""
    by_rest, by_plan = (glm("search", "rust", "--json", env=env) for env in (None, plan(server)))
    differing = {name for name in by_rest.json if by_rest.json[name] != by_plan.json[name]}
    assert differing == {"route", "engine", "request_id"}
    assert (by_rest.json["route"], by_plan.json["route"]) == ("general", "mcp")


@pytest.mark.parametrize(
    ("account", "via", "path"),
    [
        ("zai", "mcp", "/api/mcp/web_search_prime/mcp"),
        ("zai-both", "general", "/api/paas/v4/web_search"),
        ("zai-both", "coding", "/api/coding/paas/v4/web_search"),
    ],
)
def test_via_overrides_the_route(glm: Glm, server: ScriptedServer, account: str, via: str, path: str) -> None:
    """Whatever the table would take; `-v` names it."""
    env = plan(server, "zai-both") if account == "zai-both" else {"ZAI_API_KEY": server.keys["zai-both"]}
    result = glm("search", "rust", "--via", via, "-v", env=env)
    assert (result.exit_code, server.last.path) == (0, path)
    assert f"glm: route {via}: " in result.stderr


def test_a_plan_is_told_before_it_pays_from_the_balance(glm: Glm, server: ScriptedServer) -> None:
    """Once per profile."""
    env = plan(server, "zai-both")
    assert "balance pays" in glm("search", "rust", "--via", "general", env=env).stderr
    assert "balance pays" not in glm("search", "rust", "--via", "general", env=env).stderr


def test_without_balance_the_way_out_is_the_plans_server(glm: Glm, server: ScriptedServer) -> None:
    """1113 ends with the words to leave out."""
    result = glm("search", "rust", "--via", "general", env=plan(server))
    assert result.exit_code == ExitCode.BALANCE
    assert "without --via general the plan's own MCP server answers" in result.stderr


def test_without_balance_a_plan_is_named(glm: Glm, server: ScriptedServer) -> None:
    """The same for a key on pay-as-you-go."""
    result = glm("search", "rust", env={"ZAI_API_KEY": server.keys["zai-coding"]})
    assert result.exit_code == ExitCode.BALANCE
    assert "zai-coding" in result.stderr


def test_options_of_the_other_route_are_named(glm: Glm, server: ScriptedServer) -> None:
    """They are left out, not refused."""
    by_plan = glm("search", "rust", "--engine", "search_pro", env=plan(server))
    assert (by_plan.exit_code, "takes no --engine" in by_plan.stderr) == (0, True)
    by_rest = glm("search", "rust", "--location", "us", "--content-size", "high")
    assert by_rest.exit_code == 0
    assert "--location works with the plan's MCP server only" in by_rest.stderr
    assert "--content-size is not documented for Z.AI" in by_rest.stderr
    glm("search", "rust", "--location", "us", env=plan(server))
    assert server.last.json["params"]["arguments"]["location"] == "us"


def test_the_sandbox_searches_without_a_key(glm: Glm) -> None:
    """Both routes, in process."""
    for via in ("general", "mcp"):
        assert glm("--provider", "sandbox", "search", "rust", "--via", via, "--urls-only", "-n", "1").stdout


def test_dry_runs(glm: Glm, server: ScriptedServer) -> None:
    """A curl command each; that of the plan opens the session and says so."""
    by_rest = glm("search", "rust", "--dry-run")
    assert "/api/paas/v4/web_search" in by_rest.stdout
    assert '"search_query":"rust"' in by_rest.stdout
    by_plan = glm("search", "rust", "--dry-run", env=plan(server))
    assert ("initialize" in by_plan.stdout, "tools/call" in by_plan.stderr) == (True, True)
    assert not server.requests


# -- failures ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "exit_code", "requests"),
    [("1701", ExitCode.LIMIT, 2), ("1702", ExitCode.FAILED, 1), ("1703", ExitCode.FAILED, 1)],
)
def test_codes_of_the_search(glm: Glm, server: ScriptedServer, code: str, exit_code: ExitCode, requests: int) -> None:
    """Too many at once is tried again, the others are not."""
    result = glm("search", f"fault:{code}", "--max-retries", "1", "--json")
    assert (result.exit_code, result.error["code"], result.stdout) == (exit_code, code, "")
    assert len(server.requests) == requests


def test_a_reply_without_results_names_the_key(glm: Glm, server: ScriptedServer) -> None:
    """It is not taken for an empty list."""
    server.script("POST", "/web_search", json={"id": "1"})
    result = glm("search", "rust")
    assert (result.exit_code, "`search_result`" in result.stderr) == (ExitCode.FAILED, True)


# -- what is read ------------------------------------------------------------------------

HIT = {"title": "A", "link": "https://a.example", "media": "Site", "publish_date": "2026-10-01", "content": "x"}
FOUND = SearchResult("A", "https://a.example", "Site", "2026-10-01", "x")


@pytest.mark.parametrize(
    ("body", "results"),
    [
        ({"search_result": [HIT, HIT]}, (FOUND, FOUND)),
        ({"search_result": HIT}, (FOUND,)),
        ({"search_result": [HIT, "?", None]}, (FOUND,)),
        ({"search_result": [{"link": 1, "title": None, "extra": []}]}, (SearchResult(url="1"),)),
        ({"search_result": None}, ()),
        ({"search_intent": [{"intent": "SEARCH_NONE"}]}, ()),
    ],
    ids=["array", "object", "strange items", "strange fields", "null", "intent only"],
)
def test_tolerant_reading(body: object, results: tuple[SearchResult, ...]) -> None:
    """Arrays and objects, missing and strange fields."""
    assert answer_from_json(body).results == results


@pytest.mark.parametrize("body", [{}, [], None, "x"], ids=str)
def test_no_answer_at_all(body: object) -> None:
    """Is an error."""
    with pytest.raises(ServiceError):
        answer_from_json(body)


@pytest.mark.parametrize(
    ("said", "results", "text"),
    [
        (json.dumps([HIT]), (FOUND,), ""),
        (json.dumps(json.dumps([HIT])), (FOUND,), ""),
        (json.dumps({"search_result": [HIT]}), (FOUND,), ""),
        (json.dumps(HIT), (FOUND,), ""),
        ('"[]"', (), ""),
        ("[]", (), ""),
        ("no JSON at all", (), "no JSON at all"),
        (json.dumps("words in quotes"), (), "words in quotes"),
        ("42", (), "42"),
        ("", (), ""),
    ],
    ids=["list", "twice", "object", "one hit", "empty twice", "empty", "words", "quoted words", "number", "nothing"],
)
def test_the_text_of_the_plans_tool(said: str, results: tuple[SearchResult, ...], text: str) -> None:
    """Decoded up to twice, else taken as words."""
    answer = answer_from_text(said)
    assert (answer.results, answer.said) == (results, text)


def test_words_instead_of_results_are_shown(glm: Glm, server: ScriptedServer) -> None:
    """As the answer, in JSON under `text`, and on stderr where only addresses are wanted."""
    env = plan(server)
    assert glm("search", "plain", env=env).stdout == "The sandbox answers in plain text.\n"
    assert glm("search", "plain", "--json", env=env).json["text"] == "The sandbox answers in plain text."
    urls = glm("search", "plain", "--urls-only", env=env)
    assert (urls.stdout, "in words" in urls.stderr) == ("", True)


# -- what is written ---------------------------------------------------------------------


def test_on_a_terminal(glm: Glm, server: ScriptedServer, golden: Golden) -> None:
    """Title, site, date, address and extract, wrapped by width, Chinese too."""
    results = [
        {**HIT, "title": "Rust 1.90", "content": "One long line about " + "a release and " * 12},
        {
            **HIT,
            "title": "量子计算的最新进展",
            "media": "新华网",
            "content": "量子计算是一种遵循量子力学规律的计算。" * 16,
        },
        {"link": "https://c.example/only", "content": "no title"},
    ]
    server.script("POST", "/web_search", json={"search_result": results})
    result = glm("search", "rust", tty={"stdout"}, env={"COLUMNS": "60", "NO_COLOR": "1"})
    golden.check("search/terminal.txt", result.stdout)
    assert max(cell_width(line) for line in result.stdout.splitlines()) <= 60


def test_in_a_pipe(glm: Glm, server: ScriptedServer, golden: Golden) -> None:
    """Plain blocks with the whole extract; Markdown on request."""
    result = glm("search", "sparse rust", "-n", "2", "--recency", "day", env={"GLM_LANG": "en"})
    hidden = [line for line in result.stdout.splitlines() if " · " not in line]
    golden.check("search/pipe.txt", "\n".join(hidden) + "\n")


def test_json(glm: Glm, server: ScriptedServer) -> None:
    """One document with everything; null is what the service did not say."""
    server.script("POST", "/web_search", json={"search_result": [{"link": "https://a.example"}], "request_id": "r"})
    document = glm("search", "rust", "--json").json
    assert list(document) == [
        "schema_version", "query", "route", "engine", "results", "text", "intent", "request_id",
    ]  # fmt: skip
    assert document["results"] == [
        {
            "title": None, "url": "https://a.example", "site": None, "date": None, "content": None,
            "icon": None, "reference": None,
        }
    ]  # fmt: skip


def test_json_lines_and_addresses(glm: Glm, server: ScriptedServer) -> None:
    """One result per line; an address is written once."""
    assert [line["reference"] for line in glm("search", "rust", "-n", "3", "--jsonl").lines] == [
        "ref_1", "ref_2", "ref_3",
    ]  # fmt: skip
    server.script("POST", "/web_search", json={"search_result": [HIT, HIT, {"title": "no link"}]})
    assert glm("search", "rust", "--links").stdout == "https://a.example\n"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (FOUND, "1. [A](https://a.example) (Site, 2026-10-01)\n\n   x\n"),
        (SearchResult(title="a [b] *c*"), "1. a \\[b\\] \\*c\\*\n"),
        (SearchResult("t", "https://a.example/x (y)"), "1. [t](<https://a.example/x%20(y)>)\n"),
        (SearchResult(url="https://a.example"), "1. [https://a.example](https://a.example)\n"),
        (SearchResult("t", content="one\n\ntwo"), "1. t\n\n   one\n\n   two\n"),
    ],
    ids=["all", "marks", "address with spaces", "no title", "paragraphs"],
)
def test_markdown(result: SearchResult, text: str) -> None:
    """A numbered list that reads as Markdown whatever the titles hold."""
    assert markdown(1, result) == text


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("https://a.example/x?y=1&z=2#w", "https://a.example/x?y=1&z=2#w\n"),
        ('https://a.example/it\'s "here"\\', "https://a.example/it%27s%20%22here%22%5C\n"),
        ("https://a.example/\n--output=x", "https://a.example/%0A--output=x\n"),
        ("--output=/etc/x", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
    ids=["usual", "quotes", "two lines", "an option", "a script", "nothing"],
)
def test_addresses_are_safe_for_other_programs(glm: Glm, server: ScriptedServer, url: str, printed: str) -> None:
    """Whoever made a page chose its address: for `xargs` each is one word, and none is an option."""
    server.script("POST", "/web_search", json={"search_result": [{"link": url, "title": "t"}]})
    assert glm("search", "rust", "--urls-only").stdout == printed


def test_nothing_found(glm: Glm, server: ScriptedServer) -> None:
    """Exit 0, nothing on stdout, and why on stderr."""
    result = glm("search", "nothing")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing was found" in result.stderr
    declined = glm("search", "你好", "--intent", env=cn(server))
    assert "--no-intent" in declined.stderr
    assert glm("search", "nothing", "--json").json["results"] == []


def test_a_result_cannot_steer_the_terminal(glm: Glm, server: ScriptedServer) -> None:
    """Escape sequences are shown, not obeyed, in every form that a terminal gets."""
    evil = {"title": "\x1b]0;owned\x07", "link": "https://a.example/\x1b[2J", "content": "\x1b[31m", "media": "\x9b"}
    for form in ([], ["--markdown"], ["--urls-only"]):
        server.script("POST", "/web_search", json={"search_result": [evil]})
        shown = glm("search", "rust", *form, tty={"stdout"}, env={"NO_COLOR": "1"}).stdout
        assert "\x1b" not in shown
        assert "\x9b" not in shown


def test_an_address_is_never_broken() -> None:
    """A terminal makes links of whole addresses only."""
    url = "https://a.example/" + "x" * 200
    assert f"   {url}" in list(block(1, SearchResult("t", url), width=40, gutter=3, color=False))


def test_search_and_read_go_together(glm: Glm, server: ScriptedServer) -> None:
    """What one prints the other takes."""
    urls = glm("search", "rust", "-n", "2", "--urls-only").stdout
    pages = glm("read", "--jsonl", input=urls).lines
    assert [page["url"] for page in pages] == urls.split()

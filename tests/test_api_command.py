"""`glm api`: raw calls to the provider's own origin."""

from __future__ import annotations

import json
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from glmcli.api.endpoints import PROVIDERS, Service, Target
from glmcli.errors import ExitCode, GlmError, UsageError
from glmcli.rawcall import extract, parse_fields, parse_headers, place_of
from tests.harness import TEST_KEY, Glm, GlmProcess, ScriptedServer

ASK = ("-f", "model=glm-5.3", "-f", "messages[][role]=user", "-f", "messages[][content]=echo: hi")


# -- what is sent ------------------------------------------------------------------------------


def test_fields_make_a_post(glm: Glm, server: ScriptedServer) -> None:
    """As `gh api` does it; the answer is passed on byte by byte."""
    result = glm("api", "chat/completions", *ASK, "-F", "temperature=0.5", "-F", "stream=false")
    assert result.exit_code == 0
    assert result.json["choices"][0]["message"]["content"] == "hi"
    assert (server.last.method, server.last.path) == ("POST", "/api/paas/v4/chat/completions")
    assert server.last.json == {
        "model": "glm-5.3",
        "messages": [{"role": "user", "content": "echo: hi"}],
        "temperature": 0.5,
        "stream": False,
    }


@pytest.mark.parametrize(
    ("argv", "method", "query"),
    [
        (("models",), "GET", {}),
        (("files", "-X", "GET", "-f", "purpose=batch", "-F", "limit=5"), "GET", {"purpose": "batch", "limit": "5"}),
        (("GET", "files?purpose=batch", "-f", "after=a b"), "GET", {"purpose": "batch", "after": "a b"}),
        (("DELETE", "files/file-1"), "DELETE", {}),
        (("delete", "files/file-1"), "DELETE", {}),
    ],
    ids=["plain", "fields-of-a-get", "query-and-fields", "delete", "lower-case"],
)
def test_method_and_query(
    glm: Glm, server: ScriptedServer, argv: tuple[str, ...], method: str, query: dict[str, str]
) -> None:
    """GET without fields, POST with them, or what is said."""
    server.script(method, "/" + next(word for word in argv if word[0].islower() and word != "delete").split("?")[0])
    assert glm("api", *argv).exit_code == 0
    assert (server.last.method, server.last.query, server.last.body) == (method, query, b"")


@pytest.mark.parametrize(
    ("plain", "typed", "fields"),
    [
        (["a=1", "b=true"], [], {"a": "1", "b": "true"}),
        ([], ["a=1", "b=true", "c=null", "d=x"], {"a": 1, "b": True, "c": None, "d": "x"}),
        ([], ["e=[1]", 'f={"g":2}'], {"e": [1], "f": {"g": 2}}),
        (["a[b][c]=1", "a[b][d]=2"], [], {"a": {"b": {"c": "1", "d": "2"}}}),
        (["a[]=1", "a[]=2"], [], {"a": ["1", "2"]}),
        (
            ["m[][r]=u", "m[][c]=1", "m[][r]=a", "m[][c]=2"],
            [],
            {"m": [{"r": "u", "c": "1"}, {"r": "a", "c": "2"}]},
        ),
        (["a=x=y", "b="], [], {"a": "x=y", "b": ""}),
        ([], ["a=@note.txt"], {"a": "content of note.txt"}),
    ],
    ids=["text", "typed", "json", "objects", "lists", "lists-of-objects", "odd-values", "file"],
)
def test_fields(plain: list[str], typed: list[str], fields: dict[str, Any]) -> None:
    """Texts, typed values, and brackets for what lies inside."""
    assert parse_fields(plain, typed, lambda name: f"content of {name}".encode()) == fields


@pytest.mark.parametrize("pair", ["a", "=1", "a[=1", "a]b=1", "[b]=1"])
def test_fields_that_cannot_be_read(pair: str) -> None:
    """Told with the pair."""
    with pytest.raises(UsageError):
        parse_fields([pair], [], lambda name: b"")


def test_fields_that_contradict_each_other() -> None:
    """A text is no object."""
    with pytest.raises(UsageError, match="contradicts"):
        parse_fields(["a=1", "a[b]=2"], [], lambda name: b"")


def test_a_body_from_standard_input(glm: Glm, server: ScriptedServer) -> None:
    """Byte for byte, JSON unless a header says otherwise; fields then go into the query."""
    server.script("POST", "/chat/completions", json={"ok": True})
    glm("api", "chat/completions", "--input", "-", "-f", "x=1", input=b'{ "a":  1 }')
    assert (server.last.body, server.last.query) == (b'{ "a":  1 }', {"x": "1"})
    assert server.last.headers["content-type"] == "application/json"
    Path("body.txt").write_bytes(b"hello")
    server.script("PUT", "/chat/completions", json={"ok": True})
    glm("api", "PUT", "chat/completions", "--input", "body.txt", "-H", "content-type: text/plain")
    assert (server.last.body, server.last.headers["content-type"]) == (b"hello", "text/plain")


def test_a_form_uploads_files(glm: Glm, server: ScriptedServer) -> None:
    """`--form` streams files from disk, with their name and type."""
    Path("terms.txt").write_text("cat=Katze")
    result = glm("api", "files", "--form", "-f", "purpose=agent", "-F", "file=@terms.txt", "--json-path", "filename")
    assert (result.exit_code, result.stdout) == (0, "terms.txt\n")
    head = b"Content-Type: " + server.last.headers["content-type"].encode() + b"\r\n\r\n"
    parts: Any = BytesParser().parsebytes(head + server.last.body).get_payload()
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/plain"]
    assert parts[1].get_payload(decode=True) == b"cat=Katze"


def test_headers(glm: Glm, server: ScriptedServer) -> None:
    """Ours can be replaced where they are not our own."""
    server.script("GET", "/models", json={})
    glm("api", "models", "-H", "accept: text/plain", "-H", "Accept-Language: zh-CN")
    assert (server.last.headers["accept"], server.last.headers["accept-language"]) == ("text/plain", "zh-CN")


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "User-Agent", "Host", "Content-Length", "Cookie"])
def test_headers_that_are_ours(glm: Glm, server: ScriptedServer, name: str) -> None:
    """Who pays and who asks is not said by hand, and the value is not repeated."""
    result = glm("api", "models", "-H", f"{name}: Bearer {TEST_KEY}")
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert TEST_KEY not in result.stderr


@pytest.mark.parametrize("line", ["Accept", "A B: c", "A: b\r\nC: d", "A: ü"])
def test_headers_that_cannot_be(line: str) -> None:
    """No line may smuggle in another."""
    with pytest.raises(UsageError):
        parse_headers([line])


# -- where it goes -----------------------------------------------------------------------------

ZAI = Target(PROVIDERS["zai"], "https://api.z.ai")
CODING = Target(PROVIDERS["zai-coding"], "https://api.z.ai")
ROUTER = Target(PROVIDERS["custom"], "https://r.example", "https://r.example/v1")
BELOW = Target(PROVIDERS["custom"], "https://r.example", "https://r.example/router/v1")
BARE = Target(PROVIDERS["custom"], "https://r.example", "https://r.example/router")


@pytest.mark.parametrize(
    ("target", "path", "url"),
    [
        (ZAI, "chat/completions", "https://api.z.ai/api/paas/v4/chat/completions"),
        (ZAI, "/chat/completions", "https://api.z.ai/api/paas/v4/chat/completions"),
        (CODING, "chat/completions", "https://api.z.ai/api/coding/paas/v4/chat/completions"),
        (CODING, "images/generations", "https://api.z.ai/api/paas/v4/images/generations"),
        (CODING, "/paas/v4/chat/completions", "https://api.z.ai/api/paas/v4/chat/completions"),
        (ZAI, "agents", "https://api.z.ai/api/v1/agents"),
        (ZAI, "/api/monitor/usage/quota/limit", "https://api.z.ai/api/monitor/usage/quota/limit"),
        (ZAI, "/monitor/usage/quota/limit?type=2", "https://api.z.ai/api/monitor/usage/quota/limit?type=2"),
        (ZAI, "https://api.z.ai:443/api/x", "https://api.z.ai/api/x"),
        (ROUTER, "models", "https://r.example/v1/models"),
        (ROUTER, "/v1/complete", "https://r.example/v1/complete"),
        (BELOW, "/v1/complete", "https://r.example/router/v1/complete"),
        (BARE, "/v1/complete", "https://r.example/router/v1/complete"),
        (BELOW, "/api/v1/agents", "https://r.example/api/v1/agents"),
        (ROUTER, "/api/tags", "https://r.example/api/tags"),
        (ROUTER, "https://r.example/v1/models?x=1", "https://r.example/v1/models?x=1"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.provider.name,
)
def test_paths(target: Target, path: str, url: str) -> None:
    """Short paths stand below the base of their service, others below the origin."""
    service, below, place = place_of(path, target)
    assert place.url(service, below) == url


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/api/paas/v4/models",
        "http://api.z.ai/api/paas/v4/models",
        "https://api.z.ai:8443/api",
        "https://api.z.ai.evil.example/",
        "https://api.z.ai@evil.example/",
        "https://u:p@api.z.ai/api/x",
        "https://[evil/",
        "//evil.example/models",
        "\\\\evil.example\\models",
        "models\r\nX: y",
        "/",
        "",
    ],
)
def test_places_where_the_key_does_not_belong(glm: Glm, server: ScriptedServer, path: str) -> None:
    """Refused before anything is sent."""
    with pytest.raises(UsageError):
        place_of(path, ZAI)
    result = glm("api", path, env={"GLM_ORIGIN_INTL": None})
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)


def test_the_key_of_the_monitor_is_bare(glm: Glm, server: ScriptedServer) -> None:
    """As the vendor's own plugin sends it."""
    env = {"ZAI_API_KEY": server.keys["zai-both"]}
    result = glm("api", "/api/monitor/usage/quota/limit", "--json-path", "data.level", env=env)
    assert (result.exit_code, result.stdout) == (0, "pro\n")
    assert not server.last.headers["authorization"].startswith("Bearer")


def test_the_service_behind_an_unknown_word_is_general() -> None:
    """New endpoints appear there."""
    assert place_of("something/new", ZAI)[0] is Service.MEDIA


# -- what comes back ---------------------------------------------------------------------------


def test_a_stream_is_passed_on_as_it_arrives(glm_process: GlmProcess, server: ScriptedServer) -> None:
    """The first event can be read while the sandbox still writes."""
    server.sandbox.pace_seconds = 0.05
    argv = ("api", "chat/completions", "-f", "model=glm-5.3", "-F", "stream=true", "-f", "messages[][role]=user")
    process = glm_process.start(*argv, "-f", "messages[][content]=repeat: 1000")
    assert process.stdout
    assert process.stdout.readline().startswith(b"data: ")
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_stream_bytes_are_untouched(glm: Glm, server: ScriptedServer) -> None:
    """Frames and end mark as they came."""
    body = 'data: {"a": "你\u2028"}\n\n: comment\n\ndata: [DONE]\n\n'.encode()
    server.script("POST", "/chat/completions", body=body, headers={"content-type": "text/event-stream"})
    assert glm("api", "chat/completions", *ASK).stdout_bytes == body


def test_status_and_headers(glm: Glm, server: ScriptedServer) -> None:
    """`-i` writes them in front, with an empty line behind."""
    server.script("GET", "/models", json={"a": 1}, headers={"X-Note": "yes"})
    result = glm("api", "models", "-i")
    head, _, body = result.stdout.partition("\n\n")
    assert head.splitlines()[0] == "HTTP 200"
    assert "x-note: yes" in head.splitlines()
    assert json.loads(body) == {"a": 1}


DOCUMENT: dict[str, Any] = {"a": {"b": [{"c": 1}, {"c": "two"}]}, "n": None, "l": []}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b[0].c", 1),
        ("a.b[-1].c", "two"),
        (".a.b[1]", {"c": "two"}),
        ("a.b[].c", [1, "two"]),
        ("n", None),
        ("l[]", []),
    ],
)
def test_json_path(path: str, found: object) -> None:
    """Names, indexes, and every item."""
    assert extract(DOCUMENT, path) == found


@pytest.mark.parametrize(
    ("path", "hint"),
    [("a.x", "behind a is the keys b"), ("a.b[5]", "a list of 2"), ("a.b[0].c.d", "plain value"), ("a[]", "keys b")],
)
def test_json_path_to_nothing(path: str, hint: str) -> None:
    """What is there instead is told."""
    with pytest.raises(GlmError) as caught:
        extract(DOCUMENT, path)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("path", ["", "a..b", "a[b]", "a[0"])
def test_json_paths_that_cannot_be_read(path: str) -> None:
    """Usage errors."""
    with pytest.raises(UsageError):
        extract(DOCUMENT, path)


def test_json_path_writes_lines(glm: Glm, server: ScriptedServer) -> None:
    """Texts bare, so that a shell can use them."""
    server.script("GET", "/models", json={"data": [{"id": "a"}, {"id": "b c"}]})
    assert glm("api", "models", "--json-path", "data[].id").stdout == "a\nb c\n"


@pytest.mark.parametrize(
    ("code", "exit_code"), [("1113", ExitCode.BALANCE), ("1000", ExitCode.AUTH), ("1301", ExitCode.CONTENT)]
)
def test_refusals(glm: Glm, server: ScriptedServer, code: str, exit_code: ExitCode) -> None:
    """The exit code follows from the business code."""
    server.sandbox.fault = code
    assert glm("api", "chat/completions", *ASK).exit_code == exit_code


def test_a_failure_with_status_200(glm: Glm, server: ScriptedServer) -> None:
    """Agents answer 200 and `failed`: the body is passed on, the exit code tells."""
    result = glm("api", "agents", "-f", "agent_id=nope", "-F", 'messages=[{"role":"user","content":[]}]')
    assert result.exit_code == ExitCode.FAILED
    assert result.json["status"] == "failed"


def test_a_post_is_not_repeated(glm: Glm, server: ScriptedServer) -> None:
    """What may cost money is sent once when nobody knows how it ended; a GET is sent again."""
    server.sandbox.fault = "html"
    glm("api", "chat/completions", *ASK)
    assert len(server.requests) == 1
    glm("api", "models", "--max-retries", "1")
    assert len(server.requests) == 3


def test_dry_run(glm: Glm, server: ScriptedServer) -> None:
    """A command for the shell, with the key as a variable."""
    result = glm("api", "chat/completions", *ASK, "--dry-run")
    assert result.stdout.startswith("curl -sS -X POST")
    assert '"Authorization: Bearer $ZAI_API_KEY"' in result.stdout
    assert not server.requests


def test_a_terminal_gets_json_laid_out(glm: Glm, server: ScriptedServer) -> None:
    """And no control characters."""
    server.script("GET", "/models", body=b'{"a":"\\u001b]52;"}', headers={"content-type": "application/json"})
    result = glm("api", "models", tty={"stdout"})
    assert result.stdout.splitlines()[0] == "{"
    assert "\x1b" not in result.stdout


def test_bytes_are_not_for_a_terminal(glm: Glm, server: ScriptedServer) -> None:
    """Sound and pictures go to a file."""
    server.script("GET", "/files/x/content", body=b"\x00\xff", headers={"content-type": "audio/wav"})
    assert glm("api", "files/x/content", tty={"stdout"}).exit_code == ExitCode.USAGE
    server.script("GET", "/files/x/content", body=b"\x00\xff", headers={"content-type": "audio/wav"})
    assert glm("api", "files/x/content").stdout_bytes == b"\x00\xff"


@pytest.mark.parametrize(
    "argv",
    [("FETCH", "models"), ("GET",), ("GET", "a", "b"), ("GET", "models", "-X", "POST"), ("GET", "a", "--input", "-")],
    ids=lambda argv: "-".join(argv),
)
def test_words_that_make_no_call(glm: Glm, server: ScriptedServer, argv: tuple[str, ...]) -> None:
    """Usage errors."""
    assert glm("api", *argv).exit_code == ExitCode.USAGE
    assert not server.requests

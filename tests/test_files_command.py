"""`glm files`: what the service keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from glmcli.errors import ExitCode
from tests.harness import Changes, Glm, ScriptedServer

LINE = '{"custom_id":"job-000001"}\n'


@pytest.fixture
def china(server: ScriptedServer) -> Changes:
    """An account at Zhipu."""
    return {"ZAI_API_KEY": None, "ZHIPU_API_KEY": server.keys["zhipu"]}


@pytest.fixture(autouse=True)
def _files() -> None:
    Path("a.jsonl").write_text(LINE)
    Path("b.txt").write_text("notes")
    Path("empty.txt").touch()
    Path("program.exe").write_text("MZ")


def test_the_id_is_the_answer(glm: Glm, server: ScriptedServer, china: Changes) -> None:
    """So that a script can keep it; `.jsonl` is meant for a batch."""
    result = glm("files", "upload", "a.jsonl", env=china)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "file-sandbox-00000002\n", "")
    assert b'name="purpose"\r\n\r\nbatch\r\n' in server.last.body
    assert b'filename="a.jsonl"\r\nContent-Type: application/jsonl\r\n\r\n' + LINE.encode() in server.last.body
    assert server.last.path == "/api/paas/v4/files"


def test_several(glm: Glm, server: ScriptedServer, china: Changes) -> None:
    """Each with its name; one that cannot be sent keeps all at home."""
    lines = glm("files", "upload", "a.jsonl", "b.txt", env=china).stdout.splitlines()
    assert [line.partition("\t")[2] for line in lines] == ["a.jsonl", "b.txt"]
    before = len(server.requests)
    assert glm("files", "upload", "a.jsonl", "empty.txt", env=china).exit_code == ExitCode.USAGE
    assert len(server.requests) == before


def test_a_document(glm: Glm, china: Changes) -> None:
    """What the service says of the file, with stable keys."""
    found = glm("files", "upload", "b.txt", "--purpose", "code-interpreter", "--json", env=china).json
    file = found["files"][0]
    assert found["schema_version"] == 1
    assert set(file) == {"id", "filename", "bytes", "purpose", "created_at"}
    assert (file["filename"], file["bytes"], file["purpose"]) == ("b.txt", 5, "code-interpreter")


def test_ids_are_told_before_a_refusal(glm: Glm, server: ScriptedServer, china: Changes) -> None:
    """A file that was kept is not lost with the document."""
    server.script("POST", "/files", json={"id": "file-1"})
    server.script("POST", "/files", status=400, json={"error": {"code": "1214", "message": "file"}})
    result = glm("files", "upload", "a.jsonl", "b.txt", "--json", env=china)
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert "a.jsonl is kept as file-1" in result.stderr


def test_what_zai_keeps(glm: Glm, server: ScriptedServer) -> None:
    """Documents for agents, and nothing else is documented there."""
    assert glm("files", "upload", "b.txt").exit_code == 0
    assert b'name="purpose"\r\n\r\nagent\r\n' in server.last.body
    before = len(server.requests)
    result = glm("files", "upload", "a.jsonl", "--purpose", "batch")
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, before)
    assert "the purpose batch is documented at Zhipu (BigModel) alone" in result.stderr
    glm("files", "upload", "a.jsonl", "--purpose", "batch", "--experimental")
    assert len(server.requests) == before + 1


@pytest.mark.parametrize("argv", [["list"], ["delete", "f"], ["download", "f"]], ids=lambda argv: argv[0])
def test_what_only_zhipu_offers(glm: Glm, server: ScriptedServer, argv: list[str]) -> None:
    """Is refused at Z.AI with the way, and tried on request."""
    result = glm("files", *argv)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "use --provider zhipu or zhipu-coding" in result.stderr
    assert glm("files", *argv, "--experimental").exit_code == ExitCode.FAILED
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["empty.txt"], "empty.txt is empty"),
        (["missing.txt"], "cannot be read"),
        (["."], "is a folder"),
        (["b.txt", "--purpose", "batch"], "it takes .jsonl"),
        (["b.txt", "--purpose", "assistants"], "documented nowhere"),
        (["b.txt", "--purpose", "voice-clone-input"], "it takes .mp3, .wav"),
        (["large.png", "--purpose", "code-interpreter"], "up to 5 MiB"),
        (["large.pdf"], "up to 20 MiB"),
        (["huge.jsonl"], "up to 100 MiB"),
    ],
    ids=["empty", "missing", "folder", "kind", "purpose", "voice", "picture", "document", "batch"],
)
def test_refused_before_anything_is_sent(
    glm: Glm, server: ScriptedServer, china: Changes, argv: list[str], word: str
) -> None:
    """By the limits of the purpose."""
    for name, mebibytes in (("large.png", 6), ("large.pdf", 21), ("huge.jsonl", 101)):
        with open(name, "wb") as file:
            file.truncate(mebibytes << 20)
    result = glm("files", "upload", *argv, env=china)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert word in result.stderr


def test_kinds_that_zai_takes(glm: Glm, server: ScriptedServer) -> None:
    """Are told."""
    result = glm("files", "upload", "program.exe")
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "it takes .pdf, .doc" in result.stderr


def test_list(glm: Glm, server: ScriptedServer, china: Changes) -> None:
    """Every purpose is asked for; a pipe gets tab-separated values, the latest first."""
    for name in ("a.jsonl", "b.txt"):
        glm("files", "upload", name, env=china)
    rows = [line.split("\t") for line in glm("files", "list", env=china).stdout.splitlines()]
    assert [(row[2], row[3], row[4]) for row in rows] == [("batch", "27", "a.jsonl"), ("agent", "5", "b.txt")]
    assert rows[0][1].endswith("Z")
    assert [request.query["purpose"] for request in list(server.requests)[-3:]] == [
        "batch", "code-interpreter", "agent",
    ]  # fmt: skip
    found = glm("files", "list", "--purpose", "agent", "--json", env=china).json["files"]
    assert [file["filename"] for file in found] == ["b.txt"]


def test_a_table_on_a_terminal(glm: Glm, china: Changes) -> None:
    """With a header; nothing yet is a sentence."""
    assert "no files yet" in glm("files", "list", tty=True, env=china).stderr
    glm("files", "upload", "a.jsonl", env=china)
    lines = glm("files", "list", tty=True, env=china).stdout.splitlines()
    assert lines[0].split() == ["ID", "CREATED", "PURPOSE", "SIZE", "NAME"]
    assert lines[1].split()[-4:] == ["batch", "0.0", "KiB", "a.jsonl"]


def test_every_page_is_asked_for(glm: Glm, server: ScriptedServer, china: Changes) -> None:
    """Until the service has no more; milliseconds are seconds."""
    first = {"id": "file-2", "filename": "x", "bytes": 1, "purpose": "batch", "created_at": 1760000000000}
    server.script("GET", "/files", json={"data": [first], "has_more": True})
    server.script("GET", "/files", json={"data": [{**first, "id": "file-1"}], "has_more": False})
    lines = glm("files", "list", "--purpose", "batch", "-n", "0", env=china).stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [
        ["file-2", "2025-10-09T08:53:20Z"],
        ["file-1", "2025-10-09T08:53:20Z"],
    ]
    assert server.last.query == {"purpose": "batch", "limit": "100", "after": "file-2"}


def test_a_limit_ends_the_asking(glm: Glm, server: ScriptedServer, china: Changes) -> None:
    """The next page is not fetched in vain."""
    server.script("GET", "/files", json={"data": [{"id": "file-2"}, {"id": "file-1"}], "has_more": True})
    result = glm("files", "list", "--purpose", "batch", "-n", "1", env=china)
    assert result.stdout == "file-2\t\t\t\t\n"


def test_download(glm: Glm, china: Changes) -> None:
    """Whole, under a name of its own, and never over another file."""
    id = glm("files", "upload", "a.jsonl", env=china).stdout.strip()
    result = glm("files", "download", id, env=china)
    assert (result.exit_code, result.stdout) == (0, f"{id}.jsonl\n")
    assert Path(f"{id}.jsonl").read_text() == LINE
    assert glm("files", "download", id, "-o", "-", env=china).stdout == LINE
    found = glm("files", "download", id, "-o", "out.jsonl", "--json", env=china).json
    assert found == {"schema_version": 1, "id": id, "path": str(Path("out.jsonl").absolute()), "bytes": len(LINE)}
    assert glm("files", "download", id, "-o", "out.jsonl", env=china).exit_code == ExitCode.USAGE
    assert glm("files", "download", id, "-o", "out.jsonl", "--force", env=china).exit_code == 0


def test_a_download_that_fails(glm: Glm, china: Changes) -> None:
    """Leaves nothing."""
    before = sorted(Path().iterdir())
    assert glm("files", "download", "file-unknown", env=china).exit_code == ExitCode.FAILED
    assert sorted(Path().iterdir()) == before


def test_delete(glm: Glm, china: Changes) -> None:
    """They are gone at the service; a second time is a refusal."""
    ids = [glm("files", "upload", name, env=china).stdout.strip() for name in ("a.jsonl", "b.txt")]
    result = glm("files", "delete", *ids, env=china)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"{ids[1]} is deleted" in result.stderr
    assert glm("files", "list", env=china).stdout == ""
    assert glm("files", "delete", ids[0], env=china).exit_code == ExitCode.FAILED
    id = glm("files", "upload", "b.txt", env=china).stdout.strip()
    assert glm("files", "delete", id, "--json", env=china).json == {"schema_version": 1, "deleted": [id]}


PAGE = b"<!DOCTYPE html><html><head><title>Hotel Wi-Fi</title></head><body>Pay here</body></html>"


@pytest.mark.parametrize("output", [[], ["-o", "out.jsonl", "--force"], ["-o", "-"]], ids=["named", "over", "pipe"])
@pytest.mark.parametrize(
    ("body", "content_type", "exit_code", "told"),
    [
        pytest.param(PAGE, "text/html; charset=utf-8", ExitCode.FAILED, "a web page", id="login page"),
        pytest.param(PAGE, "application/octet-stream", ExitCode.FAILED, "Hotel Wi-Fi", id="page by its bytes"),
        pytest.param(b"", "application/octet-stream", ExitCode.FAILED, "empty body", id="nothing"),
        pytest.param(
            b'{"error":{"code":"1113","message":"no"}}', "application/json", ExitCode.BALANCE, "1113", id="no"
        ),
    ],
)
def test_what_came_instead_of_a_file_is_not_saved(
    glm: Glm,
    server: ScriptedServer,
    china: Changes,
    output: list[str],
    body: bytes,
    content_type: str,
    exit_code: int,
    told: str,
) -> None:
    """One clear error; nothing stands under the name, and what stood there stays."""
    if "--force" in output:
        Path("out.jsonl").write_text("mine")
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    server.script("GET", "/files/f/content", body=body, headers={"Content-Type": content_type})
    result = glm("files", "download", "f", *output, "--max-retries", "0", env=china)
    assert (result.exit_code, result.stdout, told in result.stderr) == (exit_code, "", True), result.stderr
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param(PAGE, "page.html", id="a page that is asked for"),
        pytest.param(b'{"custom_id":"job-1","error":{"code":"1301","message":"x"}}\n', "e.jsonl", id="a failed line"),
        pytest.param(LINE.encode() * 20_000, "long.jsonl", id="many lines"),
    ],
)
def test_what_only_looks_like_a_failure_is_saved(
    glm: Glm, server: ScriptedServer, china: Changes, body: bytes, name: str
) -> None:
    """Byte for byte."""
    server.script("GET", "/files/f/content", body=body, headers={"Content-Type": "text/html"})
    assert glm("files", "download", "f", "-o", name, env=china).exit_code == 0
    assert Path(name).read_bytes() == body

"""`glm ocr`, with a sandbox that counts the pages it gets in a way of its own."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import subprocess
import sys
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from glmcli.api.resources.ocr import LayoutRequest, layout_from_json
from glmcli.errors import ExitCode
from glmcli.pdf import count_pages
from tests.audio.make import PEAK
from tests.harness import Glm, ScriptedServer
from tests.pdf_files import pdf


def png(padding: int = 0) -> bytes:
    """One white pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0\xff\xff\xff")
    extra = chunk(b"teXt", bytes(padding)) if padding else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def ranges(server: ScriptedServer) -> list[tuple[int | None, int | None]]:
    """The pages of every layout request, in order."""
    bodies = [request.json for request in server.requests if request.path.endswith("/layout_parsing")]
    return [(body.get("start_page_id"), body.get("end_page_id")) for body in bodies]


def page_headings(markdown: str) -> list[int]:
    return [int(number) for number in re.findall(r"^# Page (\d+) of", markdown, re.MULTILINE)]


# -- one document ----------------------------------------------------------------------------


def test_a_pdf_becomes_markdown(glm: Glm, server: ScriptedServer) -> None:
    """The text on stdout; the request is a data URI of the very bytes, and nothing that was not asked for."""
    data = pdf(2)
    Path("scan.bin").write_bytes(data)
    result = glm("ocr", "scan.bin")
    assert (result.exit_code, page_headings(result.stdout)) == (0, [1, 2])
    assert hashlib.sha256(data).hexdigest() in result.stdout
    assert result.stdout.endswith("\n")
    assert not result.stdout.endswith("\n\n")
    body = server.last.json
    assert sorted(body) == ["file", "model"]
    prefix, _, payload = body["file"].partition(",")
    assert (prefix, b64decode(payload)) == ("data:application/pdf;base64", data)


@pytest.mark.parametrize(
    ("data", "mime"),
    [(png(), "image/png"), (b"\xff\xd8\xff\xe0" + bytes(40), "image/jpeg"), (b"\n\n" + pdf(1), "application/pdf")],
    ids=["png", "jpeg", "pdf-after-blank-lines"],
)
def test_the_type_is_told_by_the_content(glm: Glm, server: ScriptedServer, data: bytes, mime: str) -> None:
    """Whatever the name says."""
    server.script("POST", "/layout_parsing", json={"md_results": "text"})
    Path("file.txt").write_bytes(data)
    assert glm("ocr", "file.txt").stdout == "text\n"
    assert server.last.json["file"].startswith(f"data:{mime};base64,")


def test_standard_input(glm: Glm, server: ScriptedServer) -> None:
    """`-` reads a pipe, and a number of pages from it."""
    assert page_headings(glm("ocr", "-", input=pdf(31)).stdout) == list(range(1, 32))
    assert ranges(server) == [(1, 30), (31, 31)]


def test_an_address_is_fetched_by_the_service(glm: Glm, server: ScriptedServer) -> None:
    """The URL stands in the request as it is."""
    assert glm("ocr", "https://example.com/a.pdf?pages=2", "--pages", "2").exit_code == 0
    assert server.last.json["file"] == "https://example.com/a.pdf?pages=2"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"RIFF\0\0\0\0WEBPVP8 ", "magick 'a.dat' 'a.png'"),
        (b"\0\0\0\x18ftypheic", "magick"),
        (b"II*\0" + bytes(20), "TIFF"),
        (b"PK\x03\x04" + bytes(20), "soffice --headless --convert-to pdf 'a.dat'"),
        (b"schon Text\n", "text already"),
        (bytes(30), "PDF, PNG and JPEG"),
        (b"", "is empty"),
        (png(10 * 1024 * 1024), "10 MiB"),
    ],
    ids=["webp", "heic", "tiff", "office", "text", "unknown", "empty", "large-picture"],
)
def test_what_the_service_does_not_take(glm: Glm, server: ScriptedServer, data: bytes, word: str) -> None:
    """Refused before anything is sent, with the command that converts it."""
    Path("a.dat").write_bytes(data)
    result = glm("ocr", "a.dat")
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert word in result.stderr


def test_a_pdf_above_the_limit(glm: Glm, server: ScriptedServer) -> None:
    """50 MB are checked first."""
    Path("a.pdf").write_bytes(pdf(1, padding=50 * 1024 * 1024))
    result = glm("ocr", "a.pdf")
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "50 MiB" in result.stderr


# -- pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "counted"),
    [
        (pdf(1), 1),
        (pdf(65), 65),
        (pdf(65, packed=True), 65),
        (pdf(7, padding=3 * 1024 * 1024), 7),
        (pdf(7, packed=True, padding=3 * 1024 * 1024 - 200), 7),
        (pdf(7, packed=True, encrypted=True), None),
        (b"%PDF-1.4\n%%EOF", None),
    ],
    ids=["one", "plain", "packed", "behind-megabytes", "packed-across-windows", "encrypted", "no-tree"],
)
def test_counting_pages(tmp_path: Path, made: bytes, counted: int | None) -> None:
    """The root of the page tree counts, plain or packed; what does not say it is not guessed."""
    (tmp_path / "a.pdf").write_bytes(made)
    assert count_pages(tmp_path / "a.pdf") == counted


@pytest.mark.parametrize(
    ("provider", "wanted"),
    [("zai", [(1, 30), (31, 60), (61, 65)]), ("zhipu", [(None, None)])],
)
def test_more_pages_than_a_request_may_have(
    glm: Glm, server: ScriptedServer, provider: str, wanted: list[tuple[int | None, int | None]]
) -> None:
    """30 at a time at Z.AI, 100 at Zhipu; joined in order."""
    Path("long.pdf").write_bytes(pdf(65, packed=True))
    env = {"ZHIPU_API_KEY": server.keys["zhipu"]}
    result = glm("ocr", "long.pdf", "--provider", provider, "-o", "long.md", env=env)
    assert (result.exit_code, result.stdout) == (0, "")
    assert page_headings(Path("long.md").read_text()) == list(range(1, 66))
    assert ranges(server) == wanted


@pytest.mark.parametrize(
    ("pages", "sent", "read"),
    [
        ("3", [(3, 3)], [3]),
        ("3-5, 8", [(3, 5), (8, 8)], [3, 4, 5, 8]),
        ("38-", [(38, 40)], [38, 39, 40]),
        ("2-40", [(2, 31), (32, 40)], list(range(2, 41))),
        ("39-99", [(39, 40)], [39, 40]),
    ],
)
def test_chosen_pages(
    glm: Glm, server: ScriptedServer, pages: str, sent: list[tuple[int, int]], read: list[int]
) -> None:
    """Ranges, single pages and open ends."""
    Path("a.pdf").write_bytes(pdf(40))
    result = glm("ocr", "a.pdf", "--pages", pages)
    assert (ranges(server), page_headings(result.stdout)) == (sent, read)


@pytest.mark.parametrize("pages", ["0", "5-3", "x", "1,,y", "41", "999999999"])
def test_pages_that_cannot_be(glm: Glm, server: ScriptedServer, pages: str) -> None:
    """Told before anything is paid."""
    Path("a.pdf").write_bytes(pdf(40))
    assert glm("ocr", "a.pdf", "--pages", pages).exit_code == ExitCode.USAGE
    assert not server.requests


def test_pages_of_a_picture(glm: Glm, server: ScriptedServer) -> None:
    """Pictures have none."""
    Path("a.png").write_bytes(png())
    assert "is a picture" in glm("ocr", "a.png", "--pages", "1").stderr


def test_a_page_count_that_only_trying_tells(glm: Glm, server: ScriptedServer) -> None:
    """A document that is refused as a whole is asked for in ranges until one comes back short."""
    result = glm("ocr", "https://example.com/book.pdf?pages=65")
    assert page_headings(result.stdout) == list(range(1, 66))
    assert ranges(server) == [(None, None), (1, 30), (31, 60), (61, 90)]


def test_trying_ends_where_nothing_is_left(glm: Glm, server: ScriptedServer) -> None:
    """60 pages end exactly with a range: the next one is refused, and that is the end."""
    result = glm("ocr", "https://example.com/book.pdf?pages=60", "--pages", "1-")
    assert (result.exit_code, page_headings(result.stdout)) == (0, list(range(1, 61)))


def test_a_refusal_that_is_not_about_pages(glm: Glm, server: ScriptedServer) -> None:
    """The first refusal is the one that is told."""
    for message in ("file is damaged", "start_page_id"):
        error = {"error": {"code": "1214", "message": message}}
        server.script("POST", "/layout_parsing", status=400, json=error)
    result = glm("ocr", "https://example.com/book.pdf")
    assert result.exit_code == ExitCode.FAILED
    assert "file is damaged" in result.stderr


def test_smaller_steps(glm: Glm, server: ScriptedServer) -> None:
    """`--split` asks for fewer pages at a time, each request with an id of its own."""
    Path("a.pdf").write_bytes(pdf(5))
    glm("ocr", "a.pdf", "--split", "2", "--request-id", "invoice-7")
    assert ranges(server) == [(1, 2), (3, 4), (5, 5)]
    ids = [request.json["request_id"] for request in server.requests]
    assert ids == ["invoice-7-0001", "invoice-7-0002", "invoice-7-0003"]


def test_pages_that_were_read_are_kept(glm: Glm, server: ScriptedServer) -> None:
    """The balance ends in the middle: what was paid for is written, and the rest has a command."""
    Path("a.pdf").write_bytes(pdf(65))
    server.script("POST", "/layout_parsing", json={"md_results": "# Page 1 of x", "layout_details": [[]] * 30})
    server.script("POST", "/layout_parsing", status=429, json={"error": {"code": "1113", "message": "balance"}})
    result = glm("ocr", "a.pdf", "-o", "a.md")
    assert (result.exit_code, Path("a.md").read_text()) == (ExitCode.BALANCE, "# Page 1 of x\n")
    assert "pages 1-30 were read before" in result.stderr
    assert "glm ocr a.pdf --pages 31-" in result.stderr


# -- several documents -------------------------------------------------------------------------


def test_several_documents_into_a_folder(glm: Glm, server: ScriptedServer) -> None:
    """One file each; one that the service refuses does not stop the others."""
    for name in ("a", "b", "c"):
        Path(f"{name}.png").write_bytes(png(ord(name)))
    server.script("POST", "/layout_parsing", json={"md_results": "first"})
    server.script("POST", "/layout_parsing", status=400, json={"error": {"code": "1214", "message": "damaged"}})
    server.script("POST", "/layout_parsing", json={"md_results": "third"})
    result = glm("ocr", "a.png", "b.png", "c.png", "-o", "texts/")
    assert result.exit_code == ExitCode.FAILED
    assert {path.name: path.read_text() for path in Path("texts").iterdir()} == {"a.md": "first\n", "c.md": "third\n"}
    assert "1 of 3 files failed" in result.stderr


def test_several_documents_on_stdout(glm: Glm, server: ScriptedServer) -> None:
    """Each below its name."""
    for name in ("a.png", "b.png"):
        Path(name).write_bytes(png())
        server.script("POST", "/layout_parsing", json={"md_results": f"text of {name}"})
    result = glm("ocr", "a.png", "b.png")
    assert result.stdout == "==> a.png <==\ntext of a.png\n\n==> b.png <==\ntext of b.png\n"


def test_all_documents_are_looked_at_first(glm: Glm, server: ScriptedServer) -> None:
    """A file that is not there stops the command before anything is paid."""
    Path("a.png").write_bytes(png())
    result = glm("ocr", "a.png", "missing.pdf")
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "missing.pdf cannot be read" in result.stderr


# -- figures and layout --------------------------------------------------------------------------


def test_figures_are_left_out(glm: Glm, server: ScriptedServer) -> None:
    """A reference that no reader can follow goes, and its gap with it."""
    Path("a.pdf").write_bytes(pdf(1))
    markdown = "before\n\n![](page=0,bbox=[1, 2, 3, 4])\n\nafter ![x](page=0,bbox=[5,6,7,8]) it"
    server.script("POST", "/layout_parsing", json={"md_results": markdown})
    result = glm("ocr", "a.pdf")
    assert result.stdout == "before\n\nafter  it\n"
    assert "figures left out: 2 (--crops DIR saves them)" in result.stderr


def test_figures_are_saved_and_linked(glm: Glm, server: ScriptedServer) -> None:
    """Cut-outs go to a folder; the Markdown links to them from where it lies."""
    Path("a.pdf").write_bytes(pdf(31))
    result = glm("ocr", "a.pdf", "--crops", "out/figures", "-o", "out/a.md")
    assert result.exit_code == 0
    text = Path("out/a.md").read_text()
    links = re.findall(r"!\[\]\(([^)]*)\)", text)
    assert links[0] == "figures/page-1-figure-1.png"
    assert links[30] == "figures/page-31-figure-1.png"
    assert all((Path("out") / link).read_bytes().startswith(b"\x89PNG") for link in links)
    assert server.requests[0].json["return_crop_images"] is True
    assert "authorization" not in next(r for r in server.requests if "/crop-" in r.path).headers


def test_a_lost_figure_does_not_cost_the_text(glm: Glm, server: ScriptedServer) -> None:
    """The text was paid for: it is written, and the failure told."""
    Path("a.pdf").write_bytes(pdf(1))
    server.script("GET", "/crop-1.png", status=404, body=b"")
    result = glm("ocr", "a.pdf", "--crops", "figures")
    assert result.exit_code == ExitCode.FAILED
    assert page_headings(result.stdout) == [1]
    assert "not every picture could be saved" in result.stderr


def test_pictures_of_the_pages(glm: Glm, server: ScriptedServer) -> None:
    """`--visualize` saves what the service draws."""
    Path("a.pdf").write_bytes(pdf(2))
    assert glm("ocr", "a.pdf", "--visualize", "pages").exit_code == 0
    assert sorted(path.name for path in Path("pages").iterdir()) == ["page-1.png", "page-2.png"]


PIXELS = [[{"index": 0, "label": "text", "bbox_2d": [100, 200, 300, 400], "content": "a\tb\nc"}]]
FRACTIONS = [[{"index": 0, "label": "text", "bbox_2d": [0.1, 0.1, 0.3, 0.2], "content": "a\tb\nc"}]]
SIZES = {"num_pages": 1, "pages": [{"width": 1000, "height": 2000}]}


@pytest.mark.parametrize(
    ("details", "info", "pixels", "fractions"),
    [
        (PIXELS, SIZES, [100, 200, 300, 400], [0.1, 0.1, 0.3, 0.2]),
        (FRACTIONS, SIZES, [100, 200, 300, 400], [0.1, 0.1, 0.3, 0.2]),
        (PIXELS, {}, [100, 200, 300, 400], None),
        (FRACTIONS, {}, None, [0.1, 0.1, 0.3, 0.2]),
    ],
    ids=["pixels", "fractions", "pixels-without-size", "fractions-without-size"],
)
def test_boxes_in_both_forms(
    glm: Glm, server: ScriptedServer, details: object, info: object, pixels: object, fractions: object
) -> None:
    """The values decide what the service meant; what cannot be computed is null."""
    Path("a.png").write_bytes(png())
    server.script("POST", "/layout_parsing", json={"md_results": "", "layout_details": details, "data_info": info})
    document = glm("ocr", "a.png", "--json").json
    [block] = document["pages"][0]["blocks"]
    assert (block["bbox"], block["bbox_normalized"]) == (pixels, fractions)


def test_json_of_several_ranges(glm: Glm, server: ScriptedServer) -> None:
    """Pages keep their numbers in the document, tokens are summed."""
    Path("a.pdf").write_bytes(pdf(4))
    document = glm("ocr", "a.pdf", "--pages", "2,4", "--json").json
    assert [page["page"] for page in document["pages"]] == [2, 4]
    assert (document["file"], document["complete"], len(document["request_ids"])) == ("a.pdf", True, 2)
    assert document["usage"]["prompt_tokens"] == 1800
    assert page_headings(document["markdown"]) == [2, 4]


def test_layout_as_lines(glm: Glm, server: ScriptedServer) -> None:
    """One line per region, whatever its text holds."""
    Path("a.png").write_bytes(png())
    server.script("POST", "/layout_parsing", json={"md_results": "", "layout_details": PIXELS})
    expected = "page\tlabel\tleft\ttop\tright\tbottom\tcontent\n1\ttext\t100\t200\t300\t400\ta b c\n"
    assert glm("ocr", "a.png", "--layout").stdout == expected


@pytest.mark.parametrize(
    "body",
    [
        {"layout_details": [[{"content": "only layout"}]]},
        {"layout_details": [{"content": "only layout"}]},
        {"md_results": "only layout", "layout_details": None, "data_info": None, "usage": None},
        {"md_results": "only layout", "layout_details": "?", "layout_visualization": "?", "crop_images": 7},
    ],
    ids=["no-markdown", "flat-layout", "nulls", "nonsense"],
)
def test_replies_that_lack_something(body: dict[str, Any]) -> None:
    """What is there is read."""
    assert layout_from_json(body).markdown == "only layout"


# -- how it is sent ------------------------------------------------------------------------------


def test_dry_run_holds_the_document(glm: Glm, server: ScriptedServer) -> None:
    """One command that a shell could run; nothing is sent."""
    Path("a.png").write_bytes(png())
    result = glm("ocr", "a.png", "--dry-run")
    assert result.stdout.startswith("curl ")
    assert "$ZAI_API_KEY" in result.stdout
    assert not server.requests


def test_fields_of_ones_own(glm: Glm, server: ScriptedServer) -> None:
    """`--set` and the ids reach the body."""
    Path("a.png").write_bytes(png())
    server.script("POST", "/layout_parsing", json={"md_results": "x"})
    glm("ocr", "a.png", "--set", "lang=de", "--user-id", "user-01", "--request-id", "request-1", "-m", "glm-ocr-2")
    body = server.last.json
    del body["file"]
    assert body == {"model": "glm-ocr-2", "lang": "de", "user_id": "user-01", "request_id": "request-1"}


_MEASURED = f"""{PEAK}
import sys
from glmcli.cli import run
code = run(sys.argv[1:])
print(peak_bytes(), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_a_large_document_in_little_memory(server: ScriptedServer) -> None:
    """A PDF of almost 50 MB is sent from disk: it takes a few megabytes more than one of a page."""
    peaks = []
    for padding in (0, 49 * 1024 * 1024):
        Path("a.pdf").write_bytes(pdf(1, padding=padding))
        command = [sys.executable, "-c", _MEASURED, "ocr", "a.pdf", "-o", "a.md"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] - peaks[0] < 12 * 1024 * 1024


@pytest.mark.filterwarnings("ignore")  # the SDK's own
def test_the_body_is_that_of_the_official_sdk(server: ScriptedServer) -> None:
    """zai-sdk 0.2.3 sends the same fields with the same values."""
    from zai import ZaiClient

    client = ZaiClient(api_key=server.keys["zai"], base_url=f"{server.address}/api/paas/v4")
    url = "https://example.com/a.pdf?pages=9"
    client.layout_parsing.create(
        model="glm-ocr",
        file=url,
        return_crop_images=True,
        need_layout_visualization=True,
        start_page_id=2,
        end_page_id=3,
        request_id="request-1",
        user_id="user-01",
    )
    ours = LayoutRequest(
        url,
        return_crop_images=True,
        need_layout_visualization=True,
        start_page=2,
        end_page=3,
        request_id="request-1",
        user_id="user-01",
    )
    assert json.loads(server.last.body) == ours.body()

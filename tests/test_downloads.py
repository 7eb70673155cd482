"""Downloads: resumed, checked, and never in the way of another file."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glmcli.api.calls import OpenReply
from glmcli.downloads import Downloader, Place, check_place, recognise
from glmcli.errors import GlmError, NetworkError, ResultGone, StreamCut, UsageError
from glmcli.filenames import MAX_BYTES, MAX_CHARACTERS, name_from
from tests.harness import Glm, GlmProcess, ScriptedServer

FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 40
URL = "https://cdn.example/v/film.mp4?signature=1"
Headers = dict[str, str]


class Reply:
    """A reply that ends where it is told to."""

    def __init__(self, status: int, headers: Headers, body: bytes, *, breaks: bool = False) -> None:
        self.status, self.headers, self._body, self._breaks = status, headers, body, breaks

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), 1000):
            yield self._body[start : start + 1000]
        if self._breaks:
            raise StreamCut("the line broke")


class Shop:
    """A server of one file that knows ranges and breaks off after so many bytes, as often as it is told to."""

    def __init__(self, data: bytes = FILM, *, cuts: tuple[int, ...] = (), ranges: bool = True) -> None:
        self.data, self.cuts, self.ranges = data, list(cuts), ranges
        self.asked: list[Headers] = []

    @contextmanager
    def fetch(self, url: str, *, headers: Headers) -> Iterator[OpenReply]:
        self.asked.append(dict(headers))
        start = int(headers["Range"][6:-1]) if "Range" in headers and self.ranges else 0
        body = self.data[start:]
        fields = {"content-length": str(len(body)), "etag": '"1"'}
        if start:
            fields["content-range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        cut = self.cuts.pop(0) if self.cuts else None
        yield Reply(206 if start else 200, fields, body[:cut], breaks=cut is not None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    path = tmp_path / "files"
    path.mkdir()
    return path


def downloader(shop: Shop, *, retries: int = 2) -> Downloader:
    return Downloader(shop.fetch, max_retries=retries, sleep=lambda seconds: None)


def test_a_cut_download_goes_on_where_it_broke(folder: Path) -> None:
    """Each try asks only for what is missing, of the same version of the file."""
    shop = Shop(cuts=(3000, 4000))
    saved = downloader(shop).save(URL, Place(folder, "film.mp4", is_exact=True), role="video")

    assert saved.path.read_bytes() == FILM
    assert [asked.get("Range") for asked in shop.asked] == [None, "bytes=2999-", "bytes=6998-"]
    assert shop.asked[1]["If-Range"] == '"1"'
    assert [path.name for path in folder.iterdir()] == ["film.mp4"]


def test_what_came_outlives_the_process(folder: Path) -> None:
    """A second run takes up the part that the first one left, also when the signature of the address changed."""
    place = Place(folder, "film")
    with pytest.raises(StreamCut):
        downloader(Shop(cuts=(5000, 0, 0)), retries=1).save(URL, place, role="video")
    shop = Shop()
    saved = downloader(shop).save(URL.replace("=1", "=2"), place, role="video")

    assert saved.path.read_bytes() == FILM
    assert shop.asked[0]["Range"] == "bytes=4999-"


def test_a_part_that_is_whole_is_not_fetched_again(folder: Path) -> None:
    """A crash between the last byte and the rename costs one byte."""
    place = Place(folder, "film")
    with pytest.raises(StreamCut):
        downloader(Shop(cuts=(len(FILM), 0)), retries=0).save(URL, place, role="video")
    shop = Shop()
    saved = downloader(shop).save(URL, place, role="video")

    assert saved.path.read_bytes() == FILM
    assert shop.asked == [{"Range": f"bytes={len(FILM) - 1}-"}]


def test_a_server_without_ranges_is_read_from_the_start(folder: Path) -> None:
    """Nothing is doubled where the server ignores the Range."""
    saved = downloader(Shop(cuts=(3000,), ranges=False)).save(URL, Place(folder, "film"), role="video")
    assert saved.path.read_bytes() == FILM


def test_a_short_answer_is_a_cut(folder: Path) -> None:
    """Fewer bytes than the length said are never taken for the whole, even when the line ends politely."""

    class Liar(Shop):
        @contextmanager
        def fetch(self, url: str, *, headers: Headers) -> Iterator[OpenReply]:
            self.asked.append(headers)
            yield Reply(200, {"content-length": str(len(FILM))}, FILM[:100])

    with pytest.raises(StreamCut, match="100 of"):
        downloader(Liar()).save(URL, Place(folder, "film"), role="video")
    assert not (folder / "film.mp4").exists()


@pytest.mark.parametrize(
    ("data", "role"),
    [(b"<html><title>Sign in</title></html>", "video"), (FILM, "image"), (b"", "image")],
    ids=["a page", "a video for a picture", "nothing"],
)
def test_only_what_was_asked_for_is_kept(folder: Path, data: bytes, role: str) -> None:
    """A login page with status 200 does not become a video; nothing is left behind."""
    with pytest.raises(GlmError, match="is not a"):
        downloader(Shop(data)).save(URL, Place(folder, "film"), role=role)
    assert list(folder.iterdir()) == []


def test_a_file_is_never_overwritten_unasked(folder: Path) -> None:
    """A chosen name is refused, a derived one gets a number, --force replaces."""
    (folder / "film.mp4").write_bytes(b"mine")
    exact, derived = Place(folder, "film.mp4", is_exact=True), Place(folder, "film")
    with pytest.raises(UsageError, match="exists"):
        check_place(exact)
    with pytest.raises(UsageError, match="exists"):
        downloader(Shop()).save(URL, exact, role="video")
    assert downloader(Shop()).save(URL, derived, role="video").path.name == "film-2.mp4"
    assert (folder / "film.mp4").read_bytes() == b"mine"

    downloader(Shop()).save(URL, Place(folder, "film.mp4", is_exact=True, overwrite=True), role="video")
    assert (folder / "film.mp4").read_bytes() == FILM


def test_two_downloads_of_one_file_do_not_mix(folder: Path) -> None:
    """While one runs, another is told so."""
    place = Place(folder, "film")

    class Slow(Shop):
        @contextmanager
        def fetch(self, url: str, *, headers: Headers) -> Iterator[OpenReply]:
            with pytest.raises(GlmError, match="in use"):
                downloader(Shop()).save(URL, place, role="video")
            with super().fetch(url, headers=headers) as reply:
                yield reply

    assert downloader(Slow()).save(URL, place, role="video").path.read_bytes() == FILM


def test_a_file_beyond_the_limit_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server cannot fill the disk."""
    monkeypatch.setitem(__import__("glmcli.downloads").downloads.MAX_BYTES, "video", 5000)
    with pytest.raises(GlmError, match="at most"):
        downloader(Shop()).save(URL, Place(folder, "film"), role="video")


def test_an_unreachable_server_is_given_up(folder: Path) -> None:
    """As many tries as retries allow, then the error of the network."""

    class Dead(Shop):
        @contextmanager
        def fetch(self, url: str, *, headers: Headers) -> Iterator[OpenReply]:
            self.asked.append(headers)
            raise NetworkError("refused")
            yield

    dead = Dead()
    with pytest.raises(NetworkError):
        downloader(dead).save(URL, Place(folder, "film"), role="video")
    assert len(dead.asked) == 3


@pytest.mark.parametrize(
    ("head", "role", "ending"),
    [
        (b"\x89PNG\r\n\x1a\n", "image", ".png"),
        (b"\xff\xd8\xff\xe0", "cover", ".jpg"),
        (b"RIFF0000WEBP", "image", ".webp"),
        (b"\x00\x00\x00\x18ftypisom", "video", ".mp4"),
        (b"\x1aE\xdf\xa3", "video", ".webm"),
        (b"RIFF0000WAVE", "image", None),
    ],
)
def test_the_ending_follows_from_the_content(head: bytes, role: str, ending: str | None) -> None:
    """Whatever the address calls it."""
    found = recognise(head, role)
    assert (found[1] if found else None) == ending


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a red fox", "a-red-fox"),
        ("A Red  Fox!", "a-red-fox"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\Windows\\x", "c-windows-x"),
        ("🦊🦊", "image"),
        ("一只红色的狐狸", "一只红色的狐狸"),
        ("con", "con-image"),
        ("LPT1", "lpt1-image"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("a\x00b\nc", "a-b-c"),
        ("e\u0301clair", "éclair"),
        ("", "image"),
    ],
)
def test_names_come_from_prompts(prompt: str, name: str) -> None:
    """Letters of every script stay; separators, devices and dots do not."""
    assert name_from(prompt, "image") == name


@pytest.mark.parametrize("prompt", ["word " * 100, "狐" * 500, "x" * 500], ids=["words", "Chinese", "one word"])
def test_long_prompts_make_short_names(prompt: str) -> None:
    """A name fits into every file system, endings and numbers included."""
    name = name_from(prompt, "image")
    assert 20 < len(name) <= MAX_CHARACTERS
    assert len(name.encode()) <= MAX_BYTES


# -- through the command -----------------------------------------------------------------


def test_a_cut_picture_is_whole_at_the_end(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """Over a socket: the line breaks once, the rest is asked for, and no request for it carries the key."""
    result = glm("image", "a fox task:cut", "-o", "fox.png")

    assert (result.exit_code, result.stdout) == (0, "fox.png\n")
    downloads = [request for request in server.requests if request.method == "GET"]
    assert [("range" in request.headers) for request in downloads] == [False, True]
    assert not any("authorization" in request.headers for request in downloads)
    whole = glm("image", "a fox task:cut", "-o", "again.png")
    assert whole.exit_code == 0
    assert Path("fox.png").read_bytes() == Path("again.png").read_bytes()


def test_a_folder_that_is_a_file_is_told_before_anything_is_paid(glm: Glm, server: ScriptedServer) -> None:
    """No request leaves."""
    Path("taken").write_text("x")
    result = glm("video", "a cat", "-o", "taken/cat.mp4")

    assert result.exit_code == 2
    assert "taken is no folder" in result.stderr
    assert not server.requests


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_readonly_folder_is_told_before_anything_is_paid(glm: Glm, server: ScriptedServer) -> None:
    """No request leaves."""
    Path("locked").mkdir(mode=0o500)
    result = glm("image", "a fox", "-o", "locked/fox.png")

    assert result.exit_code == 2
    assert not server.requests


def test_a_full_disk_loses_nothing(glm: Glm, glm_process: GlmProcess, server: ScriptedServer) -> None:
    """The video stays at the service, what came is kept, and `tasks fetch` goes on from there."""
    limit = 3 * 2**20
    process = glm_process.start(
        *("video", "a cat polls:0 mebibytes:4", "-o", "cat.mp4"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cannot write" in stderr.decode()
    assert "glm tasks fetch" in stderr.decode()

    assert glm("tasks", "fetch", "last").exit_code == 0
    assert Path("cat.mp4").stat().st_size > 4 * 2**20
    assert server.last.headers["range"].startswith("bytes=3")
    assert len([request for request in server.requests if request.method == "POST"]) == 1


_PEAK = """
import resource, sys
from glmcli.cli import run
code = run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def peak_kib(*argv: str) -> int:
    """Peak memory of a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, *argv], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1])


@pytest.mark.skipif(sys.platform == "darwin", reason="counts memory in other units")
def test_a_large_download_needs_little_memory(server: ScriptedServer, tmp_path: Path) -> None:
    """The peak of half a gigabyte stays within 40 MB of a short chat."""
    if shutil.disk_usage(tmp_path).free < 2 * 2**30:
        pytest.skip("needs a gigabyte of disk")
    plain = peak_kib("chat", "echo: hi")
    large = peak_kib("video", "a cat polls:0 mebibytes:500", "-o", str(tmp_path / "cat.mp4"))

    assert (tmp_path / "cat.mp4").stat().st_size > 500 * 2**20
    (tmp_path / "cat.mp4").unlink()
    assert large - plain < 40 * 1024


def test_the_bytes_can_be_piped(glm: Glm, server: ScriptedServer) -> None:
    """`-o -` writes the file and nothing else, and leaves none behind."""
    piped = glm("image", "a fox", "-o", "-")
    glm("image", "a fox", "-o", "fox.png")

    assert hashlib.sha256(piped.stdout_bytes).digest() == hashlib.sha256(Path("fox.png").read_bytes()).digest()
    assert [path.name for path in Path().iterdir()] == ["fox.png"]


def test_an_expired_address_is_told_as_such(glm: Glm, server: ScriptedServer) -> None:
    """403 from the store of files is not a matter of the key."""
    result = glm("image", "a fox task:gone", "-o", "fox.png")

    assert result.exit_code == ResultGone.exit_code == 1
    assert "no longer good" in result.stderr

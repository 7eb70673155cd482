"""Files that go along with a prompt: what they are taken for, and what is refused before anything is sent."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from glmcli.api.endpoints import PROVIDERS, Region
from glmcli.attachments import (
    LIMITS,
    MIB,
    Attachment,
    message_content,
    open_attachment,
    picture_size,
    seeing_model,
    sniff,
)
from glmcli.errors import UsageError

PNG_HEAD = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x01\x2c\x01\x90\x01\x01\x11\x00"


def png(width: int, height: int) -> bytes:
    return PNG_HEAD + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x06\x00\x00\x00"


def made(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize(
    ("name", "data", "kind", "mime"),
    [
        ("a.png", png(1, 1), "image", "image/png"),
        ("no-suffix", JPEG, "image", "image/jpeg"),
        ("lies.txt", png(2, 2), "image", "image/png"),
        ("a.pdf", b"%PDF-1.7\n", "file", "application/pdf"),
        ("a.mkv", b"\x1aE\xdf\xa3\x00", "video", "video/x-matroska"),
        ("a.mp4", b"\x00\x00\x00\x18ftypisom\x00\x00", "video", "video/mp4"),
        ("a.mov", b"\x00\x00\x00\x14ftypqt  \x00\x00", "video", "video/quicktime"),
        ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio", "audio/wav"),
        ("a.mp3", b"ID3\x03\x00", "audio", "audio/mpeg"),
        ("a.doc", b"\xd0\xcf\x11\xe0\x00", "file", "application/msword"),
        ("a.py", "print('水')\n".encode(), "text", "text/plain"),
        ("bom.csv", b"\xef\xbb\xbfa;b\n", "text", "text/plain"),
    ],
)
def test_a_file_is_known_by_its_content(tmp_path: Path, name: str, data: bytes, kind: str, mime: str) -> None:
    """Its name only helps where content cannot tell."""
    found = open_attachment(made(tmp_path, name, data))
    assert (found.kind, found.mime, found.size) == (kind, mime, len(data))


def test_office_files_are_told_apart_by_their_names(tmp_path: Path) -> None:
    """All of them are ZIP archives inside; a bare archive is refused."""
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    assert open_attachment(str(path)).mime.endswith("wordprocessingml.document")
    with pytest.raises(UsageError, match="no kind"):
        open_attachment(str(path.rename(tmp_path / "a.zip")))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.webp", b"RIFF\x24\x00\x00\x00WEBPVP8 ", "WebP"),
        ("a.gif", b"GIF89a\x01\x00\x01\x00", "GIF"),
        ("a.heic", b"\x00\x00\x00\x18ftypheic\x00", "HEIC"),
        ("a.tiff", b"II*\x00\x08\x00\x00\x00", "TIFF"),
        ("a.bin", b"\x00\x01\x02", "no kind"),
        ("latin.txt", b"caf\xe9\n", "no kind"),
        ("empty.txt", b"", "is empty"),
        ("wide.png", png(6001, 10), "6001x10"),
    ],
)
def test_what_no_model_takes_is_refused(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    """With what to do about it, before anything is sent."""
    with pytest.raises(UsageError) as caught:
        open_attachment(made(tmp_path, name, data))
    assert words in caught.value.message
    assert caught.value.hint or words == "is empty"


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file and a folder."""
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        open_attachment(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="is a directory"):
        open_attachment(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "head", "kind"), [("a.png", png(1, 1), "image"), ("a.pdf", b"%PDF-", "file"), ("a.txt", b"a", "text")]
)
def test_a_file_beyond_the_limit_is_refused_without_being_read(
    tmp_path: Path, name: str, head: bytes, kind: str
) -> None:
    """Its size is told, and the limit; a file of exactly the limit passes."""
    path = Path(made(tmp_path, name, head))
    if kind != "text":  # a text of zeros is no text
        with path.open("r+b") as file:
            file.truncate(LIMITS[kind])
        assert open_attachment(str(path)).size == LIMITS[kind]
    with path.open("r+b") as file:
        if kind == "text":
            file.write(b"a" * (LIMITS[kind] + 1))
        file.truncate(LIMITS[kind] + 1)
    with pytest.raises(UsageError, match=f"takes {LIMITS[kind] // MIB} MiB"):
        open_attachment(str(path))


def test_a_text_may_end_its_first_piece_inside_a_character(tmp_path: Path) -> None:
    """The first 64 KiB decide, wherever they end."""
    text = "a" + "水" * 40_000
    assert open_attachment(made(tmp_path, "long.txt", text.encode())).text == text


@pytest.mark.parametrize(
    ("url", "kind", "name"),
    [
        ("https://example.com/a.JPG?x=1", "image", "a.JPG"),
        ("https://example.com/film.mp4", "video", "film.mp4"),
        ("https://example.com/my%20paper.pdf", "file", "my paper.pdf"),
        ("https://example.com/image/42", "image", "42"),
    ],
)
def test_a_link_is_known_by_its_path(url: str, kind: str, name: str) -> None:
    """The service fetches it, not we."""
    found = open_attachment(url)
    assert (found.kind, found.name, found.url, found.path) == (kind, name, url, None)


def test_the_size_of_a_picture_is_read_from_its_head() -> None:
    """PNG and JPEG; None where it does not tell."""
    assert picture_size(png(640, 480)) == (640, 480)
    assert picture_size(JPEG) == (400, 300)
    assert picture_size(b"\xff\xd8\xff\xe0\x00") is None
    assert picture_size(b"%PDF-") is None


@pytest.mark.parametrize(
    ("kinds", "words"),
    [(["file", "image"], "documents cannot go together"), (["audio"], "do not take recordings"), (["file"] * 51, "51")],
)
def test_kinds_that_the_service_does_not_take_together(kinds: list[str], words: str) -> None:
    """Told before anything is sent."""
    attachments = [Attachment(f"{i}", kind, "", url=f"https://example.com/{i}") for i, kind in enumerate(kinds)]
    with pytest.raises(UsageError, match=words):
        message_content("hi", attachments, Region.INTL)


def test_text_and_pictures_together() -> None:
    """Texts stand in the text, pictures before it, in their order."""
    text = Attachment("a.txt", "text", "text/plain", path=Path("a.txt"), text="one\n")
    pictures = [Attachment(n, "image", "", url=f"https://example.com/{n}.png") for n in ("x", "y")]
    content = message_content("what?", [pictures[0], text, pictures[1]], Region.INTL)
    assert isinstance(content, list)
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    assert content[-1]["text"] == "a.txt:\n```\none\n```\n\nwhat?"


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
def test_the_seeing_model_sees(provider: object) -> None:
    """The replacement that is named can read pictures where it is offered."""
    from glmcli.api.catalog import find_model
    from glmcli.api.endpoints import Provider

    assert isinstance(provider, Provider)
    model = find_model(seeing_model(provider))
    assert model is not None
    assert "image" in model.inputs
    assert provider.region.value in model.regions


def test_a_short_head_is_enough() -> None:
    """Content is told from whatever came, down to one byte."""
    assert sniff(b"a", "")[0] == "text"

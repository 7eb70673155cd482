"""Files of every kind become pieces; what cannot is refused in clear words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glmcli.audio import ffmpeg
from glmcli.audio.kinds import sniff
from glmcli.audio.recordings import check, open_recording
from glmcli.errors import UsageError
from glmcli.sandbox.audio import heard
from tests.audio.make import mp3_frame, wav, words, write_speech

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
NO_PATH = {"PATH": "/nonexistent"}


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (wav(b"ab"), "wav"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"RIFF\0\0\0\0AVI LIST", None),
        (mp3_frame(), "mp3"),
        (b"ID3\x03\0", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\xff\xfd\x50\x80", "mp2"),
        (b"OggS\0\x02", "ogg"),
        (b"fLaC\0", "flac"),
        (b"\0\0\0\x20ftypM4A ", "m4a"),
        (b"\0\0\0\x20ftypisom", "mp4"),
        (b"\x1a\x45\xdf\xa3\x01", "webm"),
        (b"hello there", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_kinds_are_told_by_content(head: bytes, kind: str | None) -> None:
    """The first bytes decide, never the name."""
    assert sniff(head) == kind


@pytest.mark.parametrize(
    ("data", "words_", "hint"),
    [
        (
            b"OggS" + bytes(60),
            "x.wav is OGG, the service takes only WAV and MP3, and ffmpeg is not installed",
            "install",
        ),
        (b"plain text, really", "is neither WAV nor MP3", "install"),
        (b"%PDF-1.7", "is PDF, not a recording", "WAV or MP3"),
        (b"", "is empty", None),
    ],
    ids=["ogg", "unknown", "pdf", "empty"],
)
def test_without_ffmpeg_the_format_is_named(tmp_path: Path, data: bytes, words_: str, hint: str | None) -> None:
    """The message says what the file is, the hint how to go on."""
    path = tmp_path / "x.wav"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        check(path, name="x.wav", environ=NO_PATH)
    assert words_ in caught.value.message
    assert (hint or "") in (caught.value.hint or "")


def test_a_directory_and_a_missing_file(tmp_path: Path) -> None:
    """Both are named."""
    with pytest.raises(UsageError, match="is a directory"):
        check(tmp_path, name="talks/", environ={})
    with pytest.raises(UsageError, match=r"gone\.wav does not exist"):
        check(tmp_path / "gone.wav", name="gone.wav", environ={})


def test_a_broken_wav_without_ffmpeg_names_the_file(tmp_path: Path) -> None:
    """The reason of the reader, and the file."""
    path = tmp_path / "x.wav"
    path.write_bytes(wav(bytes(100), encoding=7, bits=8))
    with (
        pytest.raises(UsageError, match=r"x\.wav: the WAV file holds mu-law") as caught,
        open_recording(path, name="x.wav", environ=NO_PATH),
    ):
        pass
    assert "ffmpeg" in (caught.value.hint or "")


@needs_ffmpeg
@pytest.mark.parametrize("form", ["flac", "ogg", "m4a", "webm", "aiff", "mu-law.wav"])
def test_other_formats_go_through_ffmpeg(tmp_path: Path, form: str) -> None:
    """Spoken words survive the way through each format; the temporary file is gone afterwards."""
    source = write_speech(tmp_path / "a.wav", 40, rate=16000)
    target = tmp_path / f"-a b.{form}"
    codec = {"mu-law.wav": ["-c:a", "pcm_mulaw"], "m4a": ["-b:a", "128k"]}.get(form, [])
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, *codec, f"file:{target}"], check=True)
    with open_recording(target, name=target.name, environ=dict(os.environ)) as recording:
        assert recording.seconds == pytest.approx(40, abs=0.2)
        found = [word for piece in recording.pieces for word in heard(b"".join(piece.chunks()))]
        temporary = recording.pieces[0].path
    assert not temporary.parent.exists()
    if form in ("flac", "aiff", "mu-law.wav"):
        assert found == words(40)
    else:  # lossy codecs blur the edges of tones, and some words with them
        assert 30 <= len(found) <= 45


@needs_ffmpeg
def test_what_ffmpeg_cannot_read(tmp_path: Path) -> None:
    """Its own words, short, with our name of the file."""
    path = tmp_path / "x.ogg"
    path.write_bytes(b"OggS" + bytes(600))
    with (
        pytest.raises(UsageError, match=r"ffmpeg cannot read x\.ogg: (?!.*x\.ogg)"),
        open_recording(path, name="x.ogg", environ=dict(os.environ)),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_the_converter_sees_no_key_and_may_talk_without_end(tmp_path: Path) -> None:
    """Only a few variables reach the child; megabytes of complaints neither block it nor us."""
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\nhead -c 3000000 /dev/zero >&2\nexit 1\n")
    program.chmod(0o755)
    source = tmp_path / "a.ogg"
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "ZAI_API_KEY": "secret", "GLM_API_KEY": "secret"}
    assert ffmpeg.find_ffmpeg(environ) == str(program)
    with pytest.raises(UsageError) as caught:
        ffmpeg.convert(str(program), source, tmp_path / "b.wav", name="a.ogg", environ=environ)
    assert len(caught.value.message) < 5000
    assert "secret" not in (tmp_path / "seen").read_text()

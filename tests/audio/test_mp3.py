"""MP3 frames, made by hand and by an encoder."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.audio.mp3 import Mp3Error, frames, parse_header
from glmcli.errors import GlmError
from tests.audio.make import mp3_frame

FIXTURE = Path(__file__).parent / "tones.mp3"
FRAME = mp3_frame()
ID3 = b"ID3\x04\0\0\0\0\x02\x00" + b"\xff\xfb\x50\xc0" * 64  # 256 bytes that look like frames


@pytest.mark.parametrize(
    ("word", "rate", "samples", "length"),
    [
        ("fffb90c4", 44100, 1152, 417),
        ("fffb92c4", 44100, 1152, 418),
        ("fffbe4c4", 48000, 1152, 960),
        ("fff384c4", 24000, 576, 192),
        ("ffe318c4", 8000, 576, 72),
        ("fffa90c4", 44100, 1152, 417),
    ],
    ids=["128k", "padded", "320k", "MPEG 2", "MPEG 2.5", "with CRC"],
)
def test_headers(word: str, rate: int, samples: int, length: int) -> None:
    """Rate, samples and length of the three versions."""
    header = parse_header(bytes.fromhex(word))
    assert header is not None
    assert (header.rate, header.samples, header.length) == (rate, samples, length)


@pytest.mark.parametrize("word", ["fffd90c4", "ffeb90c4", "fffbf0c4", "fffb9cc4", "fffb92c6", "49443304"])
def test_other_words_are_no_header(word: str) -> None:
    """Layer II, the reserved version, bad bitrates, rates and emphasis, and tags."""
    assert parse_header(bytes.fromhex(word)) is None


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (FRAME * 5, 5),
        (ID3 + FRAME * 5, 5),
        (ID3 + ID3 + FRAME * 5 + b"TAG" + bytes(125), 5),
        (b"\0" * 1000 + FRAME * 5, 5),
        (FRAME * 2 + b"\xff\xfbjunk\xff" * 50 + FRAME * 3, 5),
        (FRAME * 2 + ID3 + FRAME * 3, 5),
        (FRAME * 5 + FRAME[:100], 5),
        (mp3_frame(payload=b"Xing") + FRAME * 5, 5),
        (mp3_frame(payload=b"Info") + FRAME * 5, 5),
        (mp3_frame(payload=b"\0" * 15 + b"VBRI") + FRAME * 5, 5),
        (FRAME * 3 + mp3_frame(payload=b"Xing") + FRAME * 2, 5),
        (FRAME, 1),
    ],
    ids=[
        "plain",
        "tag",
        "two tags",
        "zeros",
        "junk",
        "tag between",
        "cut end",
        "Xing",
        "Info",
        "VBRI",
        "appended file",
        "one",
    ],
)
def test_only_sound_is_counted(data: bytes, count: int) -> None:
    """Tags, encoder notes, junk and half frames are left out; every other frame is there, and is whole."""
    found = list(frames(BytesIO(data)))
    assert len(found) == count
    assert all(data[frame.offset : frame.offset + 4] == FRAME[:4] for frame in found)
    assert {frame.length for frame in found} == {208}


def test_side_information() -> None:
    """Loudness grows with the gain, silence is zero, and the reach into the reservoir is read."""
    silent = b"\xff\xfb\x50\xc0" + bytes(204)
    data = mp3_frame(gain=100) + mp3_frame(gain=180, back=300) + silent + FRAME
    quiet, loud, nothing, _ = frames(BytesIO(data))
    assert nothing.level == 0 < quiet.level < loud.level
    assert (loud.reaches_back, loud.main_bytes) == (300, 208 - 4 - 17)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfb\x00\xc0" + bytes(300), "free bitrate"),
        (b"ID3\x04\0\0\0\0\0\x04abcd", "no frames"),
        (bytes(5000), "no frames"),
        (FRAME * 3 + bytes.fromhex("fff384c4").ljust(192, b"\0") * 4, "changes its sample rate"),
    ],
    ids=["free format", "only a tag", "zeros", "two streams"],
)
def test_what_cannot_be_cut_is_refused(data: bytes, words: str) -> None:
    """A file whose frames cannot be found is refused with the reason; a second stream is never dropped in silence."""
    with pytest.raises(Mp3Error, match=words):
        list(frames(BytesIO(data)))


@given(st.lists(st.one_of(st.just(FRAME), st.binary(max_size=60)), min_size=1, max_size=12))
def test_noise_never_crashes(parts: list[bytes]) -> None:
    """Whatever stands between frames, what is yielded is whole, in order and inside the file."""
    data = b"".join(parts)
    end = 0
    try:
        for frame in frames(BytesIO(data)):
            assert frame.offset >= end
            end = frame.offset + frame.length
            assert end <= len(data)
            assert parse_header(data[frame.offset : frame.offset + 4]) is not None
    except GlmError:
        return


def test_a_file_of_a_real_encoder() -> None:
    """LAME's file: 5 s of sound (and padding), pauses quieter than tones."""
    with FIXTURE.open("rb") as file:
        found = list(frames(file))
    seconds = sum(frame.samples / frame.rate for frame in found)
    assert 5.0 <= seconds < 5.15
    at_pause = [frame.level for number, frame in enumerate(found) if 1.6 < number * 576 / 22050 < 1.9]
    at_tone = [frame.level for number, frame in enumerate(found) if 1.1 < number * 576 / 22050 < 1.4]
    assert max(at_pause) < min(at_tone)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("quality", ["-b:a 32k", "-b:a 96k", "-q:a 5"])
def test_we_count_what_ffprobe_counts(tmp_path: Path, rate: int, quality: str) -> None:
    """Frame for frame, constant and variable bitrate, all versions."""
    path = tmp_path / "a.mp3"
    noise = ["-f", "lavfi", "-i", f"anoisesrc=d=3:r={rate}:seed=1", "-ac", "2"]
    subprocess.run(["ffmpeg", "-v", "error", *noise, *quality.split(), path], check=True)
    show = ["-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"]
    counted = subprocess.run(["ffprobe", "-v", "error", *show, path], check=True, capture_output=True).stdout
    with path.open("rb") as file:
        assert len(list(frames(file))) == int(counted)

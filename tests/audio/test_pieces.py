"""Where recordings are cut, and that nothing is lost by it."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glmcli.audio import mp3
from glmcli.audio.pieces import LIMIT_BYTES, LIMIT_SECONDS, Piece, plan, quietest
from glmcli.audio.wav import read_wav
from glmcli.errors import UsageError
from tests.audio.make import MP3_FRAME_SECONDS, PEAK, mp3_frame, mp3_speech, wav, write_speech


def content(piece: Piece) -> bytes:
    data = b"".join(piece.chunks())
    assert len(data) == piece.length()
    return data


def samples(piece: Piece) -> bytes:
    """The samples of a WAV piece, read back as a receiver would."""
    data = content(piece)
    layout = read_wav(BytesIO(data))
    assert layout.data_bytes == len(data) - layout.data_offset
    assert layout.seconds == pytest.approx(piece.end - piece.start)
    return data[layout.data_offset :]


def assert_adjoin(pieces: list[Piece], seconds: float) -> None:
    """The pieces cover the recording from start to end without gap or overlap, and none is too long or too short."""
    assert pieces[0].start == 0
    assert pieces[-1].end == pytest.approx(seconds, abs=0.01)
    assert all(one.end == two.start for one, two in pairwise(pieces))
    assert all(piece.end - piece.start <= LIMIT_SECONDS and piece.length() <= LIMIT_BYTES for piece in pieces)
    assert len(pieces) == 1 or all(piece.end - piece.start >= 0.99 for piece in pieces)


# -- WAV -----------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.1, 1, 29.95, 30.0, 30.001, 31, 59.9, 61, 95])
def test_every_sample_is_sent_once(tmp_path: Path, seconds: float) -> None:
    """The samples of the pieces, put together, are those of the recording."""
    data = random.Random(2).randbytes(int(seconds * 8000) * 2)
    path = tmp_path / "a.wav"
    path.write_bytes(wav(data))
    pieces = plan(path, "wav")
    assert_adjoin(pieces, seconds)
    assert b"".join(map(samples, pieces)) == data
    assert (len(pieces) == 1) == (seconds <= 30)


def test_cuts_fall_into_pauses(tmp_path: Path) -> None:
    """With a pause in every second, no cut touches a word."""
    path = write_speech(tmp_path / "a.wav", 95)
    for piece in plan(path, "wav")[1:]:
        # A word lasts 0.24 s from the full second on.
        assert 0.24 + 0.05 < piece.start % 1 < 0.95


@pytest.mark.parametrize(
    ("bits", "channels", "rate"),
    [(32, 8, 192000), (24, 2, 96000), (16, 2, 48000), (8, 1, 8000)],
    ids=["6 MB/s", "576 kB/s", "192 kB/s", "8 kB/s"],
)
def test_pieces_stay_below_25_megabytes(tmp_path: Path, bits: int, channels: int, rate: int) -> None:
    """Rich formats are cut by size: 4 s of eight channels of 32 bits are 25 MB."""
    path = tmp_path / "a.wav"
    size = 35 * rate * channels * bits // 8
    with path.open("wb") as file:
        file.write(wav(b"", bits=bits, channels=channels, rate=rate, data_size=0xFFFFFFFF))
        file.truncate(file.tell() + size)
    pieces = plan(path, "wav")
    assert_adjoin(pieces, 35)
    assert sum(piece.ranges[0][1] for piece in pieces) == size


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.floats(0.01, 100),
    rate=st.sampled_from([1, 7, 100, 1000]),
    bits=st.sampled_from([8, 16, 24]),
    channels=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_any_recording_is_covered(
    tmp_path: Path, seconds: float, rate: int, bits: int, channels: int, seed: int
) -> None:
    """Whatever the format and length, the pieces join to the whole."""
    block = bits // 8 * channels
    data = random.Random(seed).randbytes(max(1, int(seconds * rate)) * block)
    path = tmp_path / "a.wav"
    path.write_bytes(wav(data, rate=rate, bits=bits, channels=channels))
    pieces = plan(path, "wav")
    assert b"".join(map(samples, pieces)) == data
    assert all(piece.end - piece.start <= 30 for piece in pieces)


def test_a_file_that_shrinks_is_not_sent_short(tmp_path: Path) -> None:
    """The length was promised; a shorter body would be a lie."""
    path = write_speech(tmp_path / "a.wav", 3)
    [piece] = plan(path, "wav")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UsageError, match="became shorter"):
        list(piece.chunks())


# -- MP3 -----------------------------------------------------------------------------


def test_mp3_pieces_are_whole_frames_in_order(tmp_path: Path) -> None:
    """Each frame is in exactly one piece, tags in none, cuts in the quiet."""
    parts = [b"ID3\x04\0\0\0\0\0\x0a" + bytes(10), mp3_frame(payload=b"Info"), *mp3_speech(95)]
    path = tmp_path / "a.mp3"
    path.write_bytes(b"".join(parts))
    pieces = plan(path, "mp3")
    assert_adjoin(pieces, (len(parts) - 2) * MP3_FRAME_SECONDS)
    assert b"".join(map(content, pieces)) == b"".join(parts[2:])
    assert all(not 0.15 < piece.start % 1 < 0.85 for piece in pieces[1:])


def test_junk_between_frames_is_not_sent(tmp_path: Path) -> None:
    """A picture in the middle of two joined files costs neither time nor bytes."""
    half = b"".join(mp3_speech(10))
    path = tmp_path / "a.mp3"
    path.write_bytes(half + b"ID3\x04\0\0\0\0\x7f\x7f".ljust(16393, b"\0") + half)
    [piece] = plan(path, "mp3")
    assert content(piece) == half + half
    assert len(piece.ranges) == 2


@pytest.mark.parametrize(("back", "lead"), [(0, 0), (1, 1), (187, 1), (188, 2), (511, 3)])
def test_a_piece_brings_the_reservoir_of_its_first_frame(tmp_path: Path, back: int, lead: int) -> None:
    """As many frames in front of the cut are sent again as hold the data that the first new frame draws on."""
    path = tmp_path / "a.mp3"
    path.write_bytes(b"".join(mp3_speech(40, lambda **how: mp3_frame(back=back, **how))))
    first, second = plan(path, "mp3")
    overlap = sum(length for _, length in first.ranges) - second.ranges[0][0]
    assert overlap == lead * 208
    assert second.start == first.end
    assert second.end - second.start + lead * MP3_FRAME_SECONDS <= LIMIT_SECONDS


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(("rate", "bitrate"), [(8000, "8k"), (16000, "32k"), (44100, "128k")])
def test_a_decoder_takes_every_piece(tmp_path: Path, rate: int, bitrate: str) -> None:
    """Each piece of LAME's file decodes without a complaint that the whole does not cause, within 30 s."""
    path = tmp_path / "a.mp3"
    tones = f"aevalsrc=sin(2*PI*300*t)*gt(mod(t\\,1)\\,0.4):d=70:s={rate}"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", tones, "-b:a", bitrate, path], check=True)
    pieces = plan(path, "mp3")
    with path.open("rb") as file:
        assert_adjoin(pieces, sum(frame.samples / frame.rate for frame in mp3.frames(file)))
    decode = ["ffmpeg", "-v", "error", "-f", "mp3", "-i", "pipe:0", "-f", "s16le", "-ac", "1", "pipe:1"]
    for piece in pieces:
        done = subprocess.run(decode, input=content(piece), capture_output=True, check=True)
        seconds = len(done.stdout) / 2 / rate
        assert piece.end - piece.start - 0.2 <= seconds <= LIMIT_SECONDS
        assert b"Invalid data" not in done.stderr
        # A tone begins 0.4 s after each full second; what a decoder lost would move or mute it.
        onset = 1.4 - piece.start % 1 + (len(done.stdout) / 2 / rate - (piece.end - piece.start))
        first, last = int((onset + 0.1) * rate) * 2, int((onset + 0.5) * rate) * 2
        assert max(abs(value - 256 * (value > 127)) for value in done.stdout[first + 1 : last : 2]) > 10


# -- both ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "index"),
    [
        ([5, 5, 1, 1, 5, 5], 3),
        ([5, 0, 0, 0, 0, 5, 5], 4),
        ([1, 1, 1], 2),
        ([9], 0),
        ([9.0, float("inf"), float("inf")], 0),
    ],
    ids=["dip", "long pause", "even", "single", "infinite"],
)
def test_the_quietest_point(levels: list[float], index: int) -> None:
    """The cut falls between the two neighbours with the lowest mean; of equals the last."""
    assert quietest(levels, 2) == index


_PLAN = f"""{PEAK}
import sys
from pathlib import Path
from glmcli.audio.pieces import plan
pieces = plan(Path(sys.argv[1]), sys.argv[2])
for piece in pieces[:3]:
    piece.digest()
print(len(pieces), peak_bytes())
"""


@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_memory_does_not_grow_with_the_recording(tmp_path: Path, kind: str) -> None:
    """Three hours need no more than two megabytes above one minute, where the file has hundreds."""
    peaks = []
    for seconds, count in ((60, 3), (3 * 3600, 370)):
        path = tmp_path / f"{seconds}.{kind}"
        with path.open("wb") as file:
            if kind == "wav":
                file.write(wav(b"", data_size=0xFFFFFFFF))
                file.truncate(file.tell() + seconds * 16000)
            else:
                minute = b"".join(mp3_speech(60))
                for _ in range(seconds // 60):
                    file.write(minute)
        done = subprocess.run([sys.executable, "-c", _PLAN, path, kind], capture_output=True, check=True, text=True)
        pieces, peak = map(int, done.stdout.split())
        assert abs(pieces - count) < 20
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 2 * 1024 * 1024

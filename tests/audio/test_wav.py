"""WAV files as their writers really leave them."""

from __future__ import annotations

import random
import struct
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.audio.wav import UnsupportedCodec, WavError, levels, read_wav
from glmcli.errors import GlmError
from tests.audio.make import wav

SAMPLES = bytes(range(250)) * 64  # 16000 bytes


@pytest.mark.parametrize(
    ("encoding", "bits"),
    [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)],
    ids=["8", "16", "24", "32", "float", "double"],
)
@pytest.mark.parametrize("extensible", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_formats_are_understood(encoding: int, bits: int, extensible: bool, channels: int) -> None:
    """Every plain sample format is read, with its true length."""
    data = wav(SAMPLES, encoding=encoding, bits=bits, extensible=extensible, channels=channels)
    found = read_wav(BytesIO(data))
    block = channels * bits // 8
    assert (found.encoding, found.channels, found.frames) == (encoding, channels, 16000 // block)
    assert found.data_offset == data.index(SAMPLES[:16])


@pytest.mark.parametrize(
    ("changes", "frames"),
    [
        ({}, 8000),
        ({"data_size": 0, "riff_size": 0}, 8000),
        ({"data_size": 0xFFFFFFFF, "riff_size": 0xFFFFFFFF}, 8000),
        ({"data_size": 0x7FFFF000}, 8000),
        ({"before": [(b"LIST", b"INFOIART\x03\0\0\0abc")]}, 8000),
        ({"before": [(b"bext", b"odd"), (b"JUNK", b"")]}, 8000),
        ({"after": b"LIST\x04\0\0\0INFO"}, 8000),
        ({"data_size": 15999}, 7999),
    ],
    ids=["true", "zero", "unknown", "too long", "list", "odd chunk", "trailer", "half a sample"],
)
def test_sizes_and_chunks_of_real_writers(changes: dict[str, object], frames: int) -> None:
    """Sizes left open by a pipe mean "to the end"; other chunks are passed over."""
    found = read_wav(BytesIO(wav(SAMPLES, **changes)))  # type: ignore[arg-type]  # a row of the table
    assert found.frames == frames


def test_rf64_beyond_four_gigabytes() -> None:
    """The size in `ds64` counts where the 32-bit one is 0xFFFFFFFF."""
    ds64 = struct.pack("<QQQI", 0, 1000, 500, 0)
    data = wav(SAMPLES, before=[(b"ds64", ds64)], data_size=0xFFFFFFFF).replace(b"RIFF", b"RF64", 1)
    assert read_wav(BytesIO(data)).data_bytes == 1000


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (wav(b""), WavError),
        (wav(SAMPLES)[:20], WavError),
        (wav(SAMPLES)[:38], WavError),
        (wav(SAMPLES, channels=0), WavError),
        (wav(SAMPLES, rate=0), WavError),
        (wav(SAMPLES, encoding=7, bits=8), UnsupportedCodec),
        (wav(SAMPLES, encoding=2, bits=4), UnsupportedCodec),
        (b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd", WavError),
    ],
    ids=["empty", "cut format", "no samples", "no channel", "no rate", "mu-law", "ADPCM", "no format"],
)
def test_what_cannot_be_cut_is_refused(data: bytes, error: type[WavError]) -> None:
    """A broken or compressed file is named as such."""
    with pytest.raises(error):
        read_wav(BytesIO(data))


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 200))
def test_damage_never_crashes(noise: bytes, at: int, cut: int) -> None:
    """Whatever stands in the header, the reader answers with a layout inside the file or a WavError."""
    data = bytearray(wav(SAMPLES[:200]))
    data[at : at + len(noise)] = noise
    data = data[: len(data) - cut]
    try:
        found = read_wav(BytesIO(bytes(data)))
    except GlmError:
        return
    assert 0 < found.data_bytes <= len(data) - found.data_offset
    assert found.data_bytes % found.frame_bytes == 0


@pytest.mark.parametrize(
    ("encoding", "bits", "pack"),
    [
        (1, 8, lambda v: bytes([int(128 + v * 127)])),
        (1, 16, lambda v: struct.pack("<h", int(v * 32767))),
        (1, 24, lambda v: struct.pack("<i", int(v * (2**31 - 1)))[1:]),
        (1, 32, lambda v: struct.pack("<i", int(v * (2**31 - 1)))),
        (3, 32, lambda v: struct.pack("<f", v)),
        (3, 64, lambda v: struct.pack("<d", v)),
    ],
    ids=["8", "16", "24", "32", "float", "double"],
)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_loudness_of_every_format(encoding: int, bits: int, pack: object, channels: int) -> None:
    """Noise in only the last channel is heard, in each format; silence is lower."""
    assert callable(pack)
    noise = random.Random(1)
    frames = []
    for index in range(8000):
        loud = noise.uniform(-0.9, 0.9) if index >= 4000 else 0.0
        frames.append(pack(0.0) * (channels - 1) + pack(loud))
    file = BytesIO(wav(b"".join(frames), encoding=encoding, bits=bits, channels=channels))
    found = levels(file, read_wav(file), 0, 8000)
    assert len(found) == 50
    assert max(found[:25]) < min(found[25:]) / 10


def test_a_header_is_readable_again(tmp_path: Path) -> None:
    """A header of our own describes the same format, with true sizes."""
    source = read_wav(BytesIO(wav(SAMPLES, bits=24, channels=2, extensible=True)))
    again = read_wav(BytesIO(source.header(600) + bytes(600)))
    assert (again.format_chunk, again.data_bytes) == (source.format_chunk, 600)

"""The cutter of recordings: WAV and MP3."""

from __future__ import annotations

import io
import itertools
import struct
import wave
from collections.abc import Iterator
from contextlib import contextmanager

from glmcli.audio import mp3, pieces, wav
from glmcli.audio.pieces import Piece, plan
from tests.fuzz.material import Material, scratch

#: Limits that a small file can exceed; no head and frame together are larger.
_LIMITS = {"LIMIT_BYTES": 6_000, "LIMIT_SECONDS": 3.0, "MAX_SECONDS": 2.99}


def _raw(content: bytes) -> bytes:
    return b"\x00" + content


def _wav(form: bytes, samples: bytes) -> bytes:
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


WAV_SEEDS = (
    _raw(_wav(struct.pack("<HHIIHH", 1, 1, 8, 16, 2, 16), bytes(range(250)) * 4)),
    _raw(_wav(struct.pack("<HHIIHH", 1, 2, 3, 6, 2, 8), bytes(range(250)))),
    _raw(_wav(struct.pack("<HHIIHH", 3, 1, 2, 8, 4, 32), b"\x00\x00\xc0\x7f\x00\x00\x80\x7f\x00\x00\x80\xff" * 25)),
    _raw(_wav(struct.pack("<HHIIHHHHI", 0xFFFE, 1, 4, 12, 3, 24, 22, 24, 0) + b"\x01\x00" + bytes(14), bytes(600))),
    _raw(_wav(struct.pack("<HHIIHH", 6, 1, 8000, 8000, 1, 8), bytes(10))),
    _raw(b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, 900, 400, 200, 0)
         + b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 4, 8, 2, 16) + b"data\xff\xff\xff\xff" + bytes(range(200)) * 2),
    b"\x01\x00\x00\xe8\x03\x00\x00\xff\xffhello quiet \0\0\0\0\0\0\0\0\0\0\0\0 and loud",
    b"\x01\x01\x01\x64\x00\x00\x00\xff\x7fabc\0\0\0xyz",
    b"\x01\x02\x00\x20\x00\x00\x01\x00\x40\x11\x22\x33",
    b"\x01\x03\x07\x05\x10\x00\x00\x00\x20abc\0\0\0xyz",
    b"\x01\x04\x01\xff\x01\x00\x00\x00\x50\x00\x00\xc0\x7f\x00\x00\x80\x7f\x11\x22",
    b"\x01\x05\x00\x01\x00\x00\x00\x00\x02\x11\x22\x33\x44\x55\x66\xe0\x3f",
)  # fmt: skip
WAV_WORDS = (
    *(
        b"RIFF",
        b"RF64",
        b"WAVE",
        b"fmt ",
        b"data",
        b"ds64",
        b"LIST",
        b"fact",
        b"\x10\0\0\0",
        b"\x12\0\0\0",
        b"\x28\0\0\0",
    ),
    *(b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x01\x00", b"\x03\x00", b"\xfe\xff", b"\x08\x00", b"\x18\x00", b"\x20\x00"),
)
_FRAME = b"\xff\xfb\x50\xc0"  # 64 kbit/s, 44.1 kHz, mono: 208 bytes, 26 ms
_SLOW = b"\xff\xe3\x18\xc0"  # MPEG 2.5, 8 kbit/s, 8 kHz, mono: 72 bytes, 72 ms
MP3_SEEDS = (
    b"\x00" + (_FRAME + bytes(204)) * 3,
    b"\x00ID3\x04\x00\x00\x00\x00\x00\x05tags." + (_FRAME + b"\x22" * 204) * 4 + b"TAG" + bytes(125),
    b"\x00" + (_SLOW + bytes(9) + b"Info" + bytes(55)) + (_SLOW + b"\x10\x20\x30" + bytes(65)) * 6,
    b"\x00junk" + (_FRAME + bytes(204)) * 2 + b"junk\xff\xfb" + (_FRAME + bytes(204)) * 3,
    b"\x00" + (_FRAME + bytes(204)) * 3 + (_SLOW + bytes(68)) * 4,
    b"\x00\xff\xfb\x00\xc0" + bytes(400),
    b"\x01" + b"\x01\x00\x05\x80" * 40,
    b"\x01" + b"\x10\xff\xff\xff\x83\x01\x02\x03" * 30,
    b"\x01" + b"\x04\x77\x00\x07" * 50 + b"\x02\xff\xff",
)
MP3_WORDS = (
    *(_FRAME, _SLOW, b"ID3\x04\x00\x00\x00\x00\x00\x00", b"TAG", b"APET", b"LYRI", b"Xing", b"Info", b"VBRI"),
    *(b"\xff\xfb\x00\xc0", b"\xff\xf3\x18\xc4", b"\xff\xe3\x18\xc0" + bytes(68), b"\xff\xfa", b"\xff\xff\xff\xff"),
)


def fuzz_wav(data: bytes) -> None:
    """Pieces are WAV files within the limits; their samples joined are those of the recording."""
    material = Material(data)
    content = _made_wav(material) if material.flag() else material.rest()
    try:
        recording = wav.read_wav(io.BytesIO(content))
    except wav.WavError:
        recording = None
    try:
        found = _planned(content, "wav")
    except wav.WavError:
        assert recording is None
        return
    assert recording is not None
    samples = [_samples(piece, recording) for piece in found]
    start, end = recording.data_offset, recording.data_offset + recording.data_bytes
    assert b"".join(samples) == content[start:end]
    _check_times(found, recording.seconds)
    assert all(piece.length() <= _LIMITS["LIMIT_BYTES"] for piece in found)


def _made_wav(material: Material) -> bytes:
    """A sound WAV file of up to 40 s and 20 kB with a form of the fuzzer's choice."""
    encoding, bits = material.pick(((1, 16), (1, 8), (1, 24), (1, 32), (3, 32), (3, 64)))
    channels = 1 + material.below(8)
    rate = max(1, material.number(3) >> material.below(20))
    block = channels * bits // 8
    count = material.number(2)
    pattern = material.rest() or b"\0"
    size = min(count, 40 * rate, 20_000 // block) * block
    samples = (pattern * (size // len(pattern) + 1))[:size]
    return _wav(struct.pack("<HHIIHH", encoding, channels, rate, rate * block & 0xFFFFFFFF, block, bits), samples)


def _planned(content: bytes, kind: str) -> list[Piece]:
    path = scratch() / f"sound.{kind}"
    path.write_bytes(content)
    with _small_limits():
        return plan(path, kind)


@contextmanager
def _small_limits() -> Iterator[None]:
    before = {name: getattr(pieces, name) for name in _LIMITS}
    vars(pieces).update(_LIMITS)
    try:
        yield
    finally:
        vars(pieces).update(before)


def _samples(piece: Piece, recording: wav.WavFile) -> bytes:
    """The samples of a piece, read as a file of its own, by the standard library too where it can."""
    content = b"".join(piece.chunks())
    assert len(content) == piece.length()
    read = wav.read_wav(io.BytesIO(content))
    assert (read.encoding, read.channels, read.rate, read.sample_bytes) == (
        *(recording.encoding, recording.channels, recording.rate),
        recording.sample_bytes,
    )
    samples = content[read.data_offset : read.data_offset + read.data_bytes]
    if recording.format_chunk[:2] == b"\x01\x00":
        with wave.open(io.BytesIO(content)) as opened:
            assert opened.readframes(opened.getnframes()) == samples
    return samples


def _check_times(found: list[Piece], seconds: float) -> None:
    """Pieces follow one another without gaps, and none is longer than the service takes."""
    assert found[0].start == 0
    assert abs(found[-1].end - seconds) < 1e-6
    assert all(before.end == after.start for before, after in itertools.pairwise(found))
    assert all(0 < piece.end - piece.start <= _LIMITS["LIMIT_SECONDS"] for piece in found)
    assert found[0].is_whole == (len(found) == 1)


# -- MP3 -------------------------------------------------------------------------------


def fuzz_mp3(data: bytes) -> None:
    """Pieces consist of whole frames, every frame is heard in one of them, and each is an MP3 file of its own."""
    material = Material(data)
    content = _made_mp3(material) if material.flag() else material.rest()
    try:
        frames = list(mp3.frames(io.BytesIO(content)))
    except mp3.Mp3Error:
        frames = []
    try:
        found = _planned(content, "mp3")
    except mp3.Mp3Error:
        assert not frames
        return
    _check_frames(frames, content)
    _check_times(found, sum(frame.samples / frame.rate for frame in frames))
    held = [_frames_of(piece, frames, content) for piece in found]
    assert held[0][0] == frames[0].offset
    heard = set[int]()
    for offsets in held:
        heard.update(offsets)
    assert heard == {frame.offset for frame in frames}
    assert all(before[-1] < after[-1] for before, after in itertools.pairwise(held))


def _made_mp3(material: Material) -> bytes:
    """Frames of one kind in runs, with junk and tags between them, up to 20 kB and a run."""
    content = bytearray()
    head = _SLOW
    while material and len(content) < 20_000:
        kind = material.below(8)
        count = 1 + material.below(64)
        side = material.take(2)
        if kind == 7:
            content += material.take(count)
            continue
        if kind == 6:
            head = material.pick((_SLOW, _FRAME, b"\xff\xf3\x18\xc4", b"\xff\xfb\x90\x00", b"\xff\xfa\x14\xc0"))
        header = mp3.parse_header(head)
        assert header is not None
        content += (head + side.ljust(header.length - 4, b"\0")) * count
    return bytes(content)


def _check_frames(frames: list[mp3.Frame], content: bytes) -> None:
    end = 0
    kinds = set()
    for frame in frames:
        assert frame.offset >= end
        end = frame.offset + frame.length
        header = mp3.parse_header(content[frame.offset : frame.offset + 4])
        assert header is not None
        assert (header.length, header.samples, header.rate) == (frame.length, frame.samples, frame.rate)
        kinds.add(header.kind)
    assert end <= len(content)
    assert len(kinds) == 1


def _frames_of(piece: Piece, frames: list[mp3.Frame], content: bytes) -> list[int]:
    """The offsets of the frames that a piece holds; it holds nothing else, and reads back as them."""
    inside = [f for f in frames if any(at <= f.offset and f.offset + f.length <= at + n for at, n in piece.ranges)]
    sent = b"".join(piece.chunks())
    assert sent == b"".join(content[frame.offset : frame.offset + frame.length] for frame in inside)
    again = list(mp3.frames(io.BytesIO(sent)))
    assert [frame.length for frame in again] == [frame.length for frame in inside]
    assert sum(frame.length for frame in again) == len(sent)
    assert sum(frame.samples / frame.rate for frame in inside) <= _LIMITS["LIMIT_SECONDS"]
    return [frame.offset for frame in inside]

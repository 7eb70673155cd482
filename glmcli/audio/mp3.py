"""MP3 frames without decoding them.

Header and side information: ISO/IEC 11172-3 section 2.4 and 13818-3 (the half
sample rates); the tags of encoders that are no sound: "Xing", "Info", "VBRI".
MPEG 2.5 is the usual extension to 8-12 kHz.

A frame may keep part of its data in the up to 511 bytes before it (the bit
reservoir), so a cut in front of such a frame costs a decoder the frame. The
side information says how far it reaches back; see `pieces` for what is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from glmcli.errors import UsageError

_READ_BYTES = 256 * 1024
#: Bytes kept in front of the reader so that the largest frame and the next header fit.
_LOOKAHEAD_BYTES = 4096
#: Junk that is skipped in search of the first frame, after tags.
MAX_LEADING_JUNK_BYTES = 1024 * 1024

_BITRATES_V1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITRATES_V2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


class Mp3Error(UsageError):
    """An MP3 file that holds no frames that can be cut."""


class Header(NamedTuple):
    """What the four bytes of a frame header say; `kind` is equal for all frames of one stream."""

    kind: int
    version: int
    rate: int
    samples: int
    length: int
    is_mono: bool
    has_crc: bool

    @property
    def side_offset(self) -> int:
        """Where the side information starts, from the frame's start."""
        return 6 if self.has_crc else 4

    @property
    def side_bytes(self) -> int:
        """The length of the side information."""
        if self.version == 3:
            return 17 if self.is_mono else 32
        return 9 if self.is_mono else 17


class Frame(NamedTuple):
    """One frame of sound. `level` grows with loudness; `reaches_back` is in bytes of main data."""

    offset: int
    length: int
    samples: int
    rate: int
    level: float
    reaches_back: int
    main_bytes: int


def parse_header(word: bytes) -> Header | None:
    """The header in these four bytes, None when they are none of layer III.

    Raises Mp3Error for the free format, whose frames do not say how long they are.
    """
    if len(word) < 4 or word[0] != 0xFF or word[1] & 0xE6 != 0xE2:
        return None
    version = word[1] >> 3 & 3
    bitrate_index, rate_index = word[2] >> 4, word[2] >> 2 & 3
    if version == 1 or bitrate_index == 15 or rate_index == 3 or word[3] & 3 == 2:
        return None
    rate = _RATES[version][rate_index]
    is_first = version == 3
    kbits = (_BITRATES_V1 if is_first else _BITRATES_V2)[bitrate_index]
    length = (144 if is_first else 72) * kbits * 1000 // rate + (word[2] >> 1 & 1) if kbits else 0
    # Layer, version and rate never change in one stream; mono and stereo do not either.
    is_mono = word[3] >> 6 == 3
    kind = (word[1] & 0xFE) << 3 | rate_index << 1 | is_mono
    return Header(kind, version, rate, 1152 if is_first else 576, length, is_mono, not word[1] & 1)


def frames(file: BinaryIO) -> Iterator[Frame]:
    """The frames of sound of a seekable MP3 file, in order, with junk and tags left out.

    Raises Mp3Error when there is none, and for the free format. Memory does
    not grow with the file.
    """
    reader = _Reader(file)
    offset = _first_frame(reader)
    first = parse_header(reader.read(offset, 4))
    assert first is not None
    kind = first.kind
    if _is_encoder_tag(first, reader.read(offset, first.length)):
        offset += first.length
    count = 0
    while True:
        header = _header_at(reader, offset, kind)
        if header is None:
            following = _resync(reader, offset, kind)
            if following is None:
                break
            offset = following
            continue
        data = reader.read(offset, header.length)
        if len(data) < header.length:  # the end of the file cuts its last frame
            break
        if not _is_encoder_tag(header, data):
            count += 1
            yield _frame(offset, header, data)
        offset += header.length
    if not count:
        raise Mp3Error("the MP3 file has no frames of sound")


class _Reader:
    """Random access in one direction: a buffer that slides over the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = 0
        self._buffer = b""

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes at an offset; fewer only at the end of the file."""
        at = offset - self._start
        if at < 0 or at + size > len(self._buffer):
            self._file.seek(offset)
            self._buffer = self._file.read(_READ_BYTES + _LOOKAHEAD_BYTES)
            self._start, at = offset, 0
        return self._buffer[at : at + size]

    def find(self, needle: bytes, offset: int, limit: int) -> int:
        """Where a byte comes next at or after an offset, -1 if not before `limit`."""
        while offset < limit:
            chunk = self.read(offset, min(_LOOKAHEAD_BYTES, limit - offset))
            if not chunk:
                return -1
            at = chunk.find(needle)
            if at >= 0:
                return offset + at
            offset += len(chunk)
        return -1


def _header_at(reader: _Reader, offset: int, kind: int) -> Header | None:
    header = parse_header(reader.read(offset, 4))
    return header if header is not None and header.kind == kind and header.length else None


def _first_frame(reader: _Reader) -> int:
    """Where the sound starts: behind tags and junk, at a frame that is followed by another or by the end."""
    start = _skip_tags(reader, 0)
    limit = start + MAX_LEADING_JUNK_BYTES
    offset = start
    free_format = False
    while (offset := reader.find(b"\xff", offset, limit)) >= 0:
        header = parse_header(reader.read(offset, 4))
        if header is not None and not header.length:
            free_format = free_format or offset == start
        elif header is not None and _is_followed(reader, offset, header):
            return offset
        offset += 1
    if free_format:
        raise Mp3Error(
            "the MP3 file has a free bitrate, whose frames do not say how long they are",
            hint="convert it first: ffmpeg -i in.mp3 -b:a 64k out.mp3",
        )
    raise Mp3Error("the MP3 file has no frames of sound")


def _skip_tags(reader: _Reader, offset: int) -> int:
    """Past the ID3v2 tags at an offset (sizes are four times seven bits)."""
    while (head := reader.read(offset, 10))[:3] == b"ID3" and len(head) == 10:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        offset += 10 + size + (10 if head[5] & 0x10 else 0)
    return offset


def _is_followed(reader: _Reader, offset: int, header: Header) -> bool:
    """Whether the next frame (or the end, or a tag) stands where this header says."""
    end = offset + header.length
    following = reader.read(end, 4)
    if not following:
        return len(reader.read(offset, header.length)) == header.length
    if following.startswith((b"TAG", b"ID3", b"APET", b"LYRI")):
        return True
    after = parse_header(following)
    return after is not None and after.kind == header.kind


def _resync(reader: _Reader, offset: int, kind: int) -> int | None:
    """The next frame of the same stream after junk, None at the end of the file."""
    offset = max(offset + 1, _skip_tags(reader, offset))
    while reader.read(offset, 1):
        found = reader.find(b"\xff", offset, offset + _READ_BYTES)
        if found < 0:
            offset += _READ_BYTES
            continue
        header = parse_header(reader.read(found, 4))
        if header is not None and header.length and _is_followed(reader, found, header):
            if header.kind == kind:
                return found
            _refuse_change(reader, found, header)
        offset = found + 1
    return None


def _refuse_change(reader: _Reader, offset: int, header: Header) -> None:
    """Three frames in a row are no accident: another stream was appended to this one.

    Skipping it as junk would lose speech without a word.
    """
    following = parse_header(reader.read(offset + header.length, 4))
    if following is not None and following.length and _is_followed(reader, offset + header.length, following):
        raise Mp3Error(
            "the MP3 file changes its sample rate or channels in the middle",
            hint="convert it first: ffmpeg -i in.mp3 -ar 16000 -ac 1 out.wav",
        )


def _is_encoder_tag(header: Header, data: bytes) -> bool:
    """Whether a frame is an encoder's note (its counts would be wrong for a piece)."""
    at = 4 + header.side_bytes
    return data[at : at + 4] in (b"Xing", b"Info") or data[36:40] == b"VBRI"


def _frame(offset: int, header: Header, data: bytes) -> Frame:
    at = header.side_offset
    size = header.side_bytes
    side = int.from_bytes(data[at : at + size], "big")
    bits = size * 8
    back = side >> bits - (9 if header.version == 3 else 8)
    main_bytes = header.length - at - size
    level = _level(side, bits, header)
    return Frame(offset, header.length, header.samples, header.rate, level, back, main_bytes)


def _level(side: int, bits: int, header: Header) -> float:
    """A stand-in for the energy: from `global_gain`, the step of the quantiser.

    Each granule and channel has its own; one without coded data is silent.
    The gain counts quarter powers of two of the amplitude.
    """
    channels = 1 if header.is_mono else 2
    if header.version == 3:
        first, size, granules = (18 if header.is_mono else 20), 59, 2
    else:
        first, size, granules = (9 if header.is_mono else 10), 63, 1
    level = 0.0
    for index in range(granules * channels):
        shift = bits - first - index * size - 29
        part = side >> shift & 0x1FFFFFFF
        if part >> 17 and part >> 8 & 0x1FF:  # part2_3_length and big_values
            level += 2.0 ** ((part & 0xFF) / 2)
    return level

"""WAV files as their writers really leave them.

Read here rather than by the standard library's `wave`, which knows neither
float samples nor WAVE_FORMAT_EXTENSIBLE (before Python 3.12) nor sizes that a
pipe left at zero or 0xFFFFFFFF. Layout: Microsoft's "Multiple Channel Audio
Data and WAVE Files"; RF64 (beyond 4 GiB): EBU Tech 3306.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from operator import mul
from typing import BinaryIO

from glmcli.errors import UsageError

PCM = 1
FLOAT = 3
EXTENSIBLE = 0xFFFE

_CODECS = {
    2: "Microsoft ADPCM",
    6: "A-law",
    7: "mu-law",
    17: "IMA ADPCM",
    49: "GSM 6.10",
    80: "MPEG layer II",
    85: "MP3",
}
_SUPPORTED = {(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)}
#: The length of one measurement of loudness, in seconds.
WINDOW_SECONDS = 0.02
#: Samples looked at per window: enough to tell a pause, whatever the rate.
_SAMPLES_PER_WINDOW = 160
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)


class WavError(UsageError):
    """A WAV file that cannot be read, or holds a codec that we do not cut."""


class UnsupportedCodec(WavError):
    """A sound WAV file with compressed samples; a converter can read it."""


@dataclass(frozen=True, slots=True)
class WavFile:
    """Where the samples of a WAV file stand, and what they mean.

    `format_chunk` is the body of `fmt `, kept for the headers of pieces.
    """

    format_chunk: bytes
    encoding: int
    channels: int
    rate: int
    sample_bytes: int
    data_offset: int
    data_bytes: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.sample_bytes

    @property
    def frames(self) -> int:
        """Samples per channel."""
        return self.data_bytes // self.frame_bytes

    @property
    def seconds(self) -> float:
        """The length of the recording."""
        return self.frames / self.rate

    def header(self, data_bytes: int) -> bytes:
        """The head of a WAV file in this format with so many bytes of samples."""
        format_chunk = b"fmt " + struct.pack("<I", len(self.format_chunk)) + self.format_chunk
        if len(self.format_chunk) % 2:
            format_chunk += b"\0"
        size = 4 + len(format_chunk) + 8 + data_bytes
        return b"RIFF" + struct.pack("<I", size) + b"WAVE" + format_chunk + b"data" + struct.pack("<I", data_bytes)


def read_wav(file: BinaryIO) -> WavFile:
    """The layout of a seekable WAV file.

    Sizes that point past the end of the file, and those that a pipe left open,
    mean "up to the end". Raises WavError when there is nothing to cut.
    """
    length = file.seek(0, 2)
    file.seek(0)
    if len(file.read(12)) < 12:
        raise WavError("the WAV header is cut off")
    format_chunk: bytes | None = None
    long_data: int | None = None
    for name, offset, size in _chunks(file, 12, length):
        if name == b"ds64" and size >= 16:
            long_data = struct.unpack("<Q", _read_at(file, offset + 8, 8))[0]
        elif name == b"fmt ":
            format_chunk = _read_at(file, offset, min(size, 1024))
        elif name == b"data":
            if format_chunk is None:
                raise WavError("the WAV file has samples before it says what they are")
            return _layout(format_chunk, offset, _data_bytes(size, long_data, length - offset))
    raise WavError("the WAV file has no samples" if format_chunk is not None else "the WAV file has no format chunk")


def _chunks(file: BinaryIO, offset: int, length: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset and stated size of each chunk; chunks are padded to even sizes."""
    while offset + 8 <= length:
        name, size = struct.unpack("<4sI", _read_at(file, offset, 8))
        yield name, offset + 8, size
        offset += 8 + size + size % 2


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise WavError("the WAV header is cut off")
    return data


def _data_bytes(stated: int, long_stated: int | None, available: int) -> int:
    if stated == 0xFFFFFFFF and long_stated:
        return min(long_stated, available)
    return available if stated in _UNKNOWN_SIZES else min(stated, available)


def _layout(chunk: bytes, offset: int, data_bytes: int) -> WavFile:
    if len(chunk) < 16:
        raise WavError("the WAV format chunk is cut off")
    encoding, channels, rate, _, block, bits = struct.unpack("<HHIIHH", chunk[:16])
    if encoding == EXTENSIBLE and len(chunk) >= 26:
        encoding = struct.unpack("<H", chunk[24:26])[0]  # the first field of the sub-format's GUID
    if (encoding, bits) not in _SUPPORTED:
        codec = _CODECS.get(encoding, f"codec {encoding}, {bits} bits")
        raise UnsupportedCodec(f"the WAV file holds {codec}, not plain samples")
    if not channels or not rate or block != channels * bits // 8:
        raise WavError(f"the WAV header contradicts itself ({channels} channels, {rate} Hz, {block} bytes a frame)")
    data_bytes -= data_bytes % block
    if not data_bytes:
        raise WavError("the WAV file has no samples")
    return WavFile(chunk, encoding, channels, rate, bits // 8, offset, data_bytes)


# -- loudness ----------------------------------------------------------------------


def levels(file: BinaryIO, wav: WavFile, first: int, last: int) -> list[float]:
    """Mean square of each window of WINDOW_SECONDS between two frames.

    Only windows that fit are measured. The unit differs from format to format:
    the numbers are for comparison within one file.
    """
    step = window_frames(wav)
    stride = _stride(step * wav.channels, wav.channels)
    file.seek(wav.data_offset + first * wav.frame_bytes)
    found = []
    for _ in range((last - first) // step):
        data = file.read(step * wav.frame_bytes)
        samples = _samples(data[: len(data) - len(data) % wav.frame_bytes], wav)[::stride]
        found.append(_mean_square(samples))
    return found


def window_frames(wav: WavFile) -> int:
    """Frames in one window of `levels`."""
    return max(1, int(wav.rate * WINDOW_SECONDS))


def _stride(samples: int, channels: int) -> int:
    """A step that visits every channel: it shares no divisor with their number."""
    stride = max(1, samples // _SAMPLES_PER_WINDOW)
    while math.gcd(stride, channels) != 1:
        stride += 1
    return stride


def _mean_square(samples: list[int] | array[int] | array[float]) -> float:
    if not len(samples):
        return 0.0
    mean = sum(map(mul, samples, samples)) / len(samples)
    return mean if math.isfinite(mean) else math.inf  # NaN would win or lose every comparison at random


def _samples(data: bytes, wav: WavFile) -> list[int] | array[int] | array[float]:
    """Samples of all channels; of 24 and 32 bits the upper 16, which is plenty for loudness."""
    if wav.encoding == FLOAT:
        return _array("f" if wav.sample_bytes == 4 else "d", data)
    if wav.sample_bytes == 1:
        return [value - 128 for value in data]
    if wav.sample_bytes == 2:
        return _array("h", data)
    upper = bytearray(len(data) // wav.sample_bytes * 2)
    upper[0::2] = data[wav.sample_bytes - 2 :: wav.sample_bytes]
    upper[1::2] = data[wav.sample_bytes - 1 :: wav.sample_bytes]
    return _array("h", bytes(upper))


def _array(code: str, data: bytes) -> array[int] | array[float]:
    values: array[int] | array[float] = array(code, data)
    if sys.byteorder == "big":
        values.byteswap()
    return values

"""Raw 16-bit mono samples: their WAV head, and how two stretches of them are joined."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator

SAMPLE_BYTES = 2
#: What a WAV head says of a length that a pipe cannot know in advance.
UNKNOWN_BYTES = 0xFFFFFFFF
#: The head that `wav_head` makes, in bytes.
HEAD_BYTES = 44

#: How long the ends of two stretches are faded where they would click, in seconds.
FADE_SECONDS = 0.004
#: A step up from silence of less than this is not heard (of 32768: -48 dB).
_AUDIBLE = 128


def wav_head(data_bytes: int | None, rate: int) -> bytes:
    """The head of a WAV file; None is a length that nobody knows yet."""
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    riff, data = (UNKNOWN_BYTES,) * 2 if data_bytes is None else (HEAD_BYTES - 8 + data_bytes, data_bytes)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt \x10\0\0\0" + form + b"data" + struct.pack("<I", data)


def seconds(data_bytes: int, rate: int) -> float:
    """How long so many bytes of samples last."""
    return data_bytes / SAMPLE_BYTES / rate


def whole_samples(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut between samples; half a sample at the end is dropped."""
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        even = len(data) - len(data) % SAMPLE_BYTES
        rest = data[even:]
        if even:
            yield data[:even]


def joined(stretches: Iterable[Iterable[bytes]], rate: int) -> Iterator[bytes]:
    """Stretches one behind the other, sample by sample: nothing is added and nothing left out.

    Where the sound does not begin or end near silence, a few milliseconds at
    the join are faded, so that it does not click. `stretches` are cut between
    samples; only the end of each is held back.
    """
    edge = int(rate * FADE_SECONDS) * SAMPLE_BYTES
    tail = b""
    for number, stretch in enumerate(stretches):
        held, is_begun = b"", number == 0
        for chunk in stretch:
            held += chunk
            if not is_begun and len(held) >= edge:
                yield _faded(tail, edge, at_end=True)
                held, is_begun = _faded(held, edge), True
            if is_begun and len(held) > edge:
                yield held[:-edge]
                held = held[-edge:]
        if not is_begun:  # a stretch shorter than its fade
            yield _faded(tail, edge, at_end=True)
            held = _faded(held, edge)
        tail = held
    yield tail


def _faded(data: bytes, edge: int, *, at_end: bool = False) -> bytes:
    """The samples with silence at one end, reached over `edge` bytes; as they are where they are quiet there."""
    levels = _levels(data)
    if not levels or abs(levels[-1 if at_end else 0]) < _AUDIBLE:
        return data
    count = min(len(levels), edge // SAMPLE_BYTES)
    for index in range(count):
        place = -1 - index if at_end else index
        levels[place] = levels[place] * index // count
    return _as_bytes(levels)


def _levels(data: bytes) -> array[int]:
    levels = array("h", data)
    if sys.byteorder == "big":
        levels.byteswap()
    return levels


def _as_bytes(levels: array[int]) -> bytes:
    if sys.byteorder == "big":
        levels.byteswap()
    return levels.tobytes()

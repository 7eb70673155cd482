"""Speech of the sandbox: words as tones, so that what was heard can be told from the sound itself.

A word is its UTF-8 bytes; each half byte is a tone of 20 ms out of sixteen,
600 to 2850 Hz. Silence separates words. Whoever cuts a recording inside a
word, loses a piece or mixes their order is found out by the transcript.
"""

from __future__ import annotations

import math
import re
import struct
from array import array
from collections.abc import Iterator, Mapping
from functools import lru_cache

SLOT_SECONDS = 0.02
GAP_SECONDS = 0.1
#: What a stretch of sound becomes that is no word of this code.
UNCLEAR = "[unclear]"

_LOWEST_CYCLES = 12  # per slot: whole cycles, so that tones join without a click
_STEP_CYCLES = 3
_QUIET = 3  # of 128
_MARKS = bytes(ord("0") if min(value, 256 - value) <= _QUIET else ord("+-"[value > 127]) for value in range(256))
#: A half byte that is far from its tone was no tone.
_TOLERANCE_CYCLES = 1.2


def speak(text: str, rate: int, *, gap_seconds: float = GAP_SECONDS, volume: float = 0.5) -> Iterator[bytes]:
    """The text as 16-bit mono samples, word by word, each followed by a gap."""
    slots = _slots(rate, volume)
    gap = bytes(2 * int(rate * gap_seconds))
    for word in text.split():
        yield b"".join(slots[half] for byte in word.encode("utf-8", "replace") for half in (byte >> 4, byte & 15)) + gap


@lru_cache(maxsize=4)
def _slots(rate: int, volume: float) -> Mapping[int, bytes]:
    count = int(rate * SLOT_SECONDS)
    top = 32767 * min(volume, 1.0)
    made = {}
    for half in range(16):
        turn = 2 * math.pi * (_LOWEST_CYCLES + _STEP_CYCLES * half) / count
        made[half] = struct.pack(f"<{count}h", *(int(top * math.sin(turn * (index + 0.5))) for index in range(count)))
    return made


def listen(levels: bytes, rate: int) -> list[str]:
    """The words in a recording of one channel, given as signed bytes (the top 8 bits of each sample)."""
    marks = levels.translate(_MARKS)
    pause = int(rate * GAP_SECONDS / 2)
    sounds = re.split(rb"0{%d,}" % pause, marks)
    return [_word(sound.strip(b"0"), rate) for sound in sounds if sound.strip(b"0")]


def _word(sound: bytes, rate: int) -> str:
    slot = int(rate * SLOT_SECONDS)
    halves = [_half(sound[index * slot : (index + 1) * slot]) for index in range(round(len(sound) / slot))]
    if len(halves) % 2 or None in halves:
        return UNCLEAR
    known = [half for half in halves if half is not None]
    data = bytes(high << 4 | low for high, low in zip(known[::2], known[1::2], strict=True))
    try:
        return data.decode() or UNCLEAR
    except UnicodeDecodeError:
        return UNCLEAR


def _half(slot: bytes) -> int | None:
    """The half byte of one tone: the changes of sign count its cycles."""
    signs = slot.replace(b"0", b"")
    cycles = (signs.count(b"+-") + signs.count(b"-+") + 1) / 2
    half = round((cycles - _LOWEST_CYCLES) / _STEP_CYCLES)
    is_near = abs(cycles - _LOWEST_CYCLES - _STEP_CYCLES * half) <= _TOLERANCE_CYCLES
    return half if is_near and 0 <= half < 16 else None


def top_bytes(samples: bytes, *, encoding: int, sample_bytes: int, channels: int) -> bytes:
    """The first channel of little-endian samples as signed bytes."""
    if encoding == 3:
        values = array("f" if sample_bytes == 4 else "d", samples)[::channels]
        return bytes(int(max(-1.0, min(1.0, value)) * 127) & 0xFF for value in values)
    top = samples[sample_bytes - 1 :: sample_bytes * channels]
    return top.translate(bytes(value ^ 0x80 for value in range(256))) if sample_bytes == 1 else top

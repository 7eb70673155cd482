"""Recordings for tests: made, not stored."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from glmcli.sandbox.audio import wav_head
from glmcli.sandbox.tones import speak


def words(count: int) -> list[str]:
    """One word per second: w00000, w00001, ..."""
    return [f"w{number:05d}" for number in range(count)]


def write_speech(path: Path, seconds: int, *, rate: int = 8000) -> Path:
    """A WAV file with one word a second, as the sandbox understands them; written second by second."""
    with path.open("wb") as file:
        file.write(wav_head(seconds * rate * 2, rate))
        for word in words(seconds):
            sound = b"".join(speak(word, rate))
            file.write(sound + bytes(rate * 2 - len(sound)))
    return path


def wav(
    samples: bytes,
    *,
    encoding: int = 1,
    channels: int = 1,
    rate: int = 8000,
    bits: int = 16,
    extensible: bool = False,
    before: Iterable[tuple[bytes, bytes]] = (),
    after: bytes = b"",
    data_size: int | None = None,
    riff_size: int | None = None,
) -> bytes:
    """A WAV file with chunks before the samples, bytes behind them, and sizes that may lie."""
    block = channels * bits // 8
    tag = 0xFFFE if extensible else encoding
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    if extensible:
        guid = struct.pack("<H", encoding) + bytes.fromhex("000000001000800000aa00389b71")
        form += struct.pack("<HHI", 22, bits, 0) + guid
    body = b"WAVE"
    for name, content in (*before, (b"fmt ", form)):
        body += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    body += b"data" + struct.pack("<I", len(samples) if data_size is None else data_size) + samples + after
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


#: Code for a child process: `peak_bytes()` is the most memory that it had at once.
#: Not `ru_maxrss` on Linux: there it starts with what the parent had when it forked.
PEAK = """
def peak_bytes():
    import resource, sys
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
"""


# -- MP3 ---------------------------------------------------------------------------


def mp3_frame(
    *,
    gain: int = 180,
    back: int = 0,
    payload: bytes = b"",
    head: bytes = b"\xff\xfb\x50\xc0",
) -> bytes:
    """A frame, by default MPEG 1, 64 kbit/s, 44.1 kHz, mono: 208 bytes, 26 ms. Its sound is not meant to be heard."""
    assert head == b"\xff\xfb\x50\xc0"
    bits = f"{back:09b}" + "0" * 9
    for _granule in range(2):
        bits += f"{100:012b}" + f"{10:09b}" + f"{gain:08b}" + "0" * 30
    side = int(bits, 2).to_bytes(17, "big")
    return (head + side + payload).ljust(208, b"\0")


#: Seconds of one `mp3_frame`.
MP3_FRAME_SECONDS = 1152 / 44100


def mp3_speech(seconds: int, frame: Callable[..., bytes] = mp3_frame) -> Iterator[bytes]:
    """Frames with a loud word in the middle of each second and quiet around it."""
    number = 0
    for second, word in enumerate(words(seconds)):
        while number * MP3_FRAME_SECONDS < second + 1:
            at = number * MP3_FRAME_SECONDS - second
            is_word = 0.5 <= at < 0.5 + MP3_FRAME_SECONDS
            loud = 0.2 <= at < 0.8
            text = f"word({word})".encode() if is_word else b""
            yield frame(gain=200 if loud else 90, payload=text)
            number += 1

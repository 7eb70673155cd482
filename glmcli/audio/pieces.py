"""Where to cut a recording that is longer than the service takes at a time.

The service takes 30 seconds and 25 MB. A recording within both is one piece.
A longer one is cut at its quietest point between two thirds and 29/30 of the
limit, so that a word is rarely cut and what is left is never shorter than a
thirtieth of the limit (one second).

WAV: each piece gets a header of its own in front of the samples.
MP3: pieces consist of whole frames. A frame may draw on data of earlier frames
(the bit reservoir); a piece therefore starts with the few frames in front of
the cut that hold it. They lie in the quietest stretch that was found and a
decoder mutes those that it cannot decode, so no word is heard twice, while a
cut without them would swallow the first tenth of a second of the next word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from glmcli.audio import mp3, wav
from glmcli.errors import UsageError

#: What the service takes in one call.
LIMIT_SECONDS = 30.0
LIMIT_BYTES = 25_000_000
#: A little less, for services that count the padding of an encoder or round up.
MAX_SECONDS = 29.9
#: Cuts are searched between these parts of the limit.
_SEARCH_FROM = 2 / 3
_SEARCH_TO = 29 / 30
#: A pause has to last this long to count in full.
_PAUSE_SECONDS = 0.2
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a recording as a sound file of its own; its bytes are read when they are sent.

    `start` and `end` are seconds in the recording. `ranges` are offsets and
    lengths in the file at `path`; `head` goes in front of them. `is_whole`
    says that the piece is all the sound of that file.
    """

    path: Path
    kind: str
    start: float
    end: float
    head: bytes
    ranges: tuple[tuple[int, int], ...]
    is_whole: bool = False

    @property
    def file(self) -> Path | None:
        """The file on disk that can stand for the piece, if there is one."""
        return self.path if self.is_whole else None

    def length(self) -> int:
        """Bytes of the piece as a file."""
        return len(self.head) + sum(length for _, length in self.ranges)

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the piece. Raises UsageError when the recording changed since it was planned."""
        if self.head:
            yield self.head
        with self.path.open("rb") as file:
            for offset, length in self.ranges:
                file.seek(offset)
                yield from _read_exactly(file, length, self.path)

    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        found = hashlib.sha256()
        for chunk in self.chunks():
            found.update(chunk)
        return found.hexdigest()


def _read_exactly(file: BinaryIO, length: int, path: Path) -> Iterator[bytes]:
    while length:
        chunk = file.read(min(length, _READ_BYTES))
        if not chunk:
            raise UsageError(f"{path.name} became shorter while it was being sent")
        length -= len(chunk)
        yield chunk


def plan(path: Path, kind: str) -> list[Piece]:
    """The pieces of a recording of kind `wav` or `mp3`, in order and without gaps.

    Raises WavError or Mp3Error when the file is broken or holds no sound.
    """
    with path.open("rb") as file:
        pieces = list(_plan_wav(path, file) if kind == "wav" else _plan_mp3(path, file))
    return [replace(pieces[0], is_whole=True)] if len(pieces) == 1 else pieces


# -- WAV -------------------------------------------------------------------------------


def _plan_wav(path: Path, file: BinaryIO) -> Iterator[Piece]:
    recording = wav.read_wav(file)
    most = (LIMIT_BYTES - len(recording.header(0))) // recording.frame_bytes
    if recording.frames <= min(LIMIT_SECONDS * recording.rate, most):  # clips of exactly 30 s are common
        yield _wav_piece(path, recording, 0, recording.frames)
        return
    limit = max(1, min(int(MAX_SECONDS * recording.rate), most))
    start = 0
    while start < recording.frames:
        end = recording.frames
        if end - start > limit:
            end = _quiet_frame(file, recording, start, limit)
        yield _wav_piece(path, recording, start, end)
        start = end


def _quiet_frame(file: BinaryIO, recording: wav.WavFile, start: int, limit: int) -> int:
    first, last = start + int(limit * _SEARCH_FROM), start + max(1, int(limit * _SEARCH_TO))
    levels = wav.levels(file, recording, first, last)
    if not levels:
        return last
    step = wav.window_frames(recording)
    return first + quietest(levels, round(_PAUSE_SECONDS / wav.WINDOW_SECONDS)) * step


def _wav_piece(path: Path, recording: wav.WavFile, start: int, end: int) -> Piece:
    size = (end - start) * recording.frame_bytes
    place = (recording.data_offset + start * recording.frame_bytes, size)
    return Piece(path, "wav", start / recording.rate, end / recording.rate, recording.header(size), (place,))


# -- MP3 -------------------------------------------------------------------------------


def _plan_mp3(path: Path, file: BinaryIO) -> Iterator[Piece]:
    """Holds the frames of one piece and no more."""
    held: list[mp3.Frame] = []
    lead = 0  # how many of `held` were heard in the piece before
    seconds = start = 0.0
    for frame in mp3.frames(file):
        duration = frame.samples / frame.rate
        if seconds + duration > MAX_SECONDS:
            cut = _quiet_index(held, lead)
            end = start + _seconds(held[lead:cut])
            yield _mp3_piece(path, held[:cut], start, end)
            lead_from = _lead_index(held, cut)
            held, lead, start = held[lead_from:], cut - lead_from, end
            seconds = _seconds(held)
        held.append(frame)
        seconds += duration
    yield _mp3_piece(path, held, start, start + _seconds(held[lead:]))


def _seconds(frames: Iterable[mp3.Frame]) -> float:
    return sum(frame.samples / frame.rate for frame in frames)


def _quiet_index(held: list[mp3.Frame], lead: int) -> int:
    """The frame to cut in front of."""
    duration = held[0].samples / held[0].rate
    first = max(lead + 1, int(MAX_SECONDS * _SEARCH_FROM / duration))
    last = int(MAX_SECONDS * _SEARCH_TO / duration)
    return first + quietest([frame.level for frame in held[first:last]], round(_PAUSE_SECONDS / duration))


def _lead_index(held: list[mp3.Frame], cut: int) -> int:
    """The earliest frame whose data the frame at the cut draws on."""
    missing = held[cut].reaches_back if cut < len(held) else 0
    index = cut
    while missing > 0 and index > 0:
        index -= 1
        missing -= held[index].main_bytes
    return index


def _mp3_piece(path: Path, held: list[mp3.Frame], start: float, end: float) -> Piece:
    return Piece(path, "mp3", start, end, b"", tuple(_joined(held)))


class _Range(NamedTuple):
    offset: int
    length: int


def _joined(held: list[mp3.Frame]) -> Iterator[_Range]:
    """Frames that touch become one range; junk between them is left out."""
    current = _Range(held[0].offset, 0)
    for frame in held:
        if frame.offset != current.offset + current.length:
            yield current
            current = _Range(frame.offset, 0)
        current = _Range(current.offset, current.length + frame.length)
    yield current


# -- both ------------------------------------------------------------------------------


def quietest(levels: list[float], pause: int) -> int:
    """The index to cut in front of: the middle of the quietest `pause` levels; of equals the last.

    Near the ends of the list fewer levels are averaged.
    """
    half = max(1, pause // 2)
    best, best_mean = 0, float("inf")
    for index in range(len(levels)):
        around = levels[max(0, index - half) : index + half]
        mean = sum(around) / len(around)
        if mean <= best_mean:
            best, best_mean = index, mean
    return best

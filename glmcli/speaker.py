"""Speaks a text of any length: piece by piece to the service, as one sound to file, pipe or player."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from glmcli.api.resources.speech import RATE, Samples, Speech, SpeechRequest
from glmcli.audio.pcm import HEAD_BYTES, joined, wav_head, whole_samples
from glmcli.errors import ServiceError

if TYPE_CHECKING:
    from glmcli.api.calls import Reply
    from glmcli.newfile import NewFile
    from glmcli.streams import Streams

#: Kinds of content that are surely no samples.
_NO_SOUNDS = ("text", "image", "video", "multipart")
#: A page is known by its beginning.
_LOOKED_AT_BYTES = 1024

#: Is told how many pieces are through, and the bytes of sound that came.
OnProgress = Callable[[int, int], None]


class Speaker:
    """Turns pieces of text into one sound."""

    def __init__(
        self, speech: Speech, request: Callable[[str], SpeechRequest], *, stream: bool, on_progress: OnProgress
    ) -> None:
        """`stream` asks for the sound as it is made, else piece by piece."""
        self._speech = speech
        self._request = request
        self._stream = stream
        self._on_progress = on_progress
        self._rate = 0
        self._bytes = 0

    def speak(self, texts: Sequence[str]) -> tuple[int, Iterator[bytes]]:
        """Samples per second, and the samples; a piece is asked for when those before it are through.

        Raises what `Speech` raises, and ServiceError for no sound or two kinds of it.
        """
        stretches = (self._stretch(number, text) for number, text in enumerate(texts))
        first = next(stretches)
        head = next(first, b"")
        if not head:
            raise ServiceError("the service sent no sound")
        return self._rate, joined(chain([chain([head], first)], stretches), self._rate)

    def _stretch(self, number: int, text: str) -> Iterator[bytes]:
        self._on_progress(number, self._bytes)
        return whole_samples(self._checked(number, self._samples(text)))

    def _samples(self, text: str) -> Iterator[Samples]:
        request = self._request(text)
        return self._speech.stream(request) if self._stream else iter([self._speech.create(request)])

    def _checked(self, number: int, stretch: Iterator[Samples]) -> Iterator[bytes]:
        for samples in stretch:
            if self._rate not in (0, samples.rate):
                raise ServiceError(f"the service changed from {self._rate} to {samples.rate} samples per second")
            self._rate = samples.rate
            self._bytes += len(samples.data)
            self._on_progress(number, self._bytes)
            yield samples.data


def samples_of(reply: Reply) -> Samples:
    """The sound of a whole answer, WAV or bare samples. Raises ServiceError when it is neither."""
    if reply.body[:4] == b"RIFF":
        return _from_wav(reply)
    if "json" in reply.headers.get("content-type", "") or reply.body[:1] == b"{":
        from glmcli.api.faults import error_in_body

        raise error_in_body(reply.json()) or _no_sound(reply, "JSON")
    _check_samples(reply)
    return Samples(reply.body, RATE)


def _check_samples(reply: Reply) -> None:
    """Any bytes can be played as samples, a picture or a proxy's page too. Raises ServiceError for what is no sound."""
    from glmcli.api.faults import is_page, not_json

    content_type = reply.headers.get("content-type", "")
    if not reply.body or is_page(reply.headers, reply.body[:_LOOKED_AT_BYTES].decode("utf-8", "replace")):
        raise not_json(reply.status, reply.headers, reply.body)
    if content_type.partition("/")[0] in _NO_SOUNDS:
        raise _no_sound(reply, content_type)


def _from_wav(reply: Reply) -> Samples:
    from glmcli.audio.wav import PCM, WavError, read_wav

    try:
        found = read_wav(BytesIO(reply.body))
    except WavError as error:
        raise _no_sound(reply, f"a WAV file that cannot be read ({error.message})") from error
    if (found.encoding, found.channels, found.sample_bytes) != (PCM, 1, 2):
        raise _no_sound(reply, f"{8 * found.sample_bytes}-bit sound of {found.channels} channels")
    return Samples(reply.body[found.data_offset : found.data_offset + found.data_bytes], found.rate)


def _no_sound(reply: Reply, what: str) -> ServiceError:
    return ServiceError(f"the service sent {what} where 16-bit mono sound should be", request_id=reply.request_id)


# -- where it goes -----------------------------------------------------------------------


class Outlet(Protocol):
    """Where sound goes. Nothing counts before `finish`."""

    #: Nobody takes anything any more.
    is_closed: bool

    def begin(self, rate: int) -> None:
        """Sound of so many samples per second follows."""

    def write(self, samples: bytes) -> None:
        """More sound."""

    def finish(self) -> None:
        """That was all."""


class FileOutlet:
    """A file, as WAV or bare samples; its head is written again when the length is known."""

    is_closed = False

    def __init__(self, file: NewFile, *, form: str) -> None:
        self._file = file
        self._is_wav = form == "wav"
        self._rate = 0

    def begin(self, rate: int) -> None:
        """Leave room for the head."""
        self._rate = rate
        if self._is_wav:
            self._file.write(wav_head(0, rate))

    def write(self, samples: bytes) -> None:
        """More sound."""
        self._file.write(samples)

    def finish(self) -> None:
        """Put the true head in its place; the name is given by who owns the file."""
        if self._is_wav:
            self._file.replace_start(wav_head(self._file.size - HEAD_BYTES, self._rate))


class PipeOutlet:
    """Standard output; the head of a WAV leaves its length open, as no pipe can know it."""

    is_closed = False

    def __init__(self, streams: Streams, *, form: str) -> None:
        self._streams = streams
        self._is_wav = form == "wav"

    def begin(self, rate: int) -> None:
        """Write the head."""
        if self._is_wav:
            self._streams.write_bytes(wav_head(None, rate))

    def write(self, samples: bytes) -> None:
        """More sound."""
        self._streams.write_bytes(samples)

    def finish(self) -> None:
        """Everything is out already."""


def pour(rate: int, sound: Iterator[bytes], outlets: Sequence[Outlet]) -> int:
    """Pass a sound on to every outlet; stops when none is open. Returns the bytes of samples that came."""
    for outlet in outlets:
        outlet.begin(rate)
    size = 0
    for samples in sound:
        size += len(samples)
        for outlet in outlets:
            outlet.write(samples)
        if all(outlet.is_closed for outlet in outlets):
            break
    for outlet in outlets:
        outlet.finish()
    return size

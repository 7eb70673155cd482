"""Sends the pieces of a recording and gathers their texts in order.

One after the other, each with the text before it as context; or several at a
time without. What was answered is kept at once, so that a failure, a Ctrl-C
or a second format costs nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from glmcli.api.resources.transcriptions import (
    MAX_PROMPT_CHARACTERS,
    Segment,
    Transcript,
    TranscriptionRequest,
    Transcriptions,
)
from glmcli.audio.captions import join
from glmcli.audio.kept import key
from glmcli.audio.recordings import Recording

if TYPE_CHECKING:
    from glmcli.audio.kept import KeptPieces
    from glmcli.audio.pieces import Piece

#: Is given text as it arrives.
OnText = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece and its text. `was_kept` says that it was transcribed earlier and not sent now."""

    piece: Piece
    transcript: Transcript
    was_kept: bool


class Transcriber:
    """Transcribes recordings with one set of wishes.

    `wishes` builds the request of a piece; `base_url` is where it is sent, so
    that an answer of one service is never taken for another's. `kept` None
    neither uses nor keeps earlier answers.
    """

    def __init__(
        self,
        transcriptions: Transcriptions,
        wishes: Callable[[Piece], TranscriptionRequest],
        *,
        kept: KeptPieces | None,
        base_url: str,
        jobs: int = 1,
        note: Callable[[str], None],
    ) -> None:
        self._transcriptions = transcriptions
        self._wishes = wishes
        self._kept = kept
        self._base_url = base_url
        self._jobs = jobs
        self._note = note

    def transcribe(self, recording: Recording, on_text: OnText | None = None) -> Generator[Spoken, None, None]:
        """The pieces with their texts, in order, each as soon as it and those before it are there.

        `on_text` asks for streaming; it is not called for pieces that were kept.
        """
        if self._jobs > 1 and len(recording.pieces) > 1:
            return self._at_once(recording.pieces)
        return self._in_turn(recording.pieces, on_text)

    def _in_turn(self, pieces: Sequence[Piece], on_text: OnText | None) -> Generator[Spoken, None, None]:
        before = ""
        for number, piece in enumerate(pieces, 1):
            request = self._request(piece, number, len(pieces))
            context = join((request.prompt or "", before))[-MAX_PROMPT_CHARACTERS:]
            spoken = self._one(piece, request, replace(request, prompt=context), on_text)
            yield spoken
            # Only the end is ever needed again; a day of speech need not be joined anew each time.
            before = join((before, spoken.transcript.text))[-MAX_PROMPT_CHARACTERS:]

    def _at_once(self, pieces: Sequence[Piece]) -> Generator[Spoken, None, None]:
        """The first alone: it finds out whether key, balance and request are good before many are sent."""
        requests = [self._request(piece, number, len(pieces)) for number, piece in enumerate(pieces, 1)]
        yield self._one(pieces[0], requests[0], requests[0], None)
        pool = ThreadPoolExecutor(self._jobs)
        try:
            futures = [
                pool.submit(self._one, piece, request, request, None)
                for piece, request in zip(pieces[1:], requests[1:], strict=True)
            ]
            yield from map(Future.result, futures)
        except KeyboardInterrupt:
            self._note("glm: stopping; requests under way may finish, since they are paid for")
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _request(self, piece: Piece, number: int, count: int) -> TranscriptionRequest:
        """The request of a piece; ids have to be unique, so that pieces get a number behind theirs."""
        request = self._wishes(piece)
        if request.request_id is None or count == 1:
            return request
        tail = f"-{number:04d}"
        return replace(request, request_id=request.request_id[: 64 - len(tail)] + tail)

    def _one(
        self, piece: Piece, plain: TranscriptionRequest, request: TranscriptionRequest, on_text: OnText | None
    ) -> Spoken:
        """`plain` is the request without the text of other pieces: it names the kept answer."""
        name = self._name(piece, plain)
        found = self._kept.get(name) if self._kept else None
        if found is not None:
            transcript = _transcript(found)
            if transcript is not None:
                return Spoken(piece, transcript, was_kept=True)
        if on_text is not None:
            transcript = self._transcriptions.stream(request, on_text)
        else:
            transcript = self._transcriptions.create(request)
        if self._kept is not None:
            self._kept.put(name, _answer(transcript))
        return Spoken(piece, transcript, was_kept=False)

    def _name(self, piece: Piece, plain: TranscriptionRequest) -> str:
        if self._kept is None:
            return ""
        extra = {"prompt": plain.prompt or "", **{name: repr(value) for name, value in plain.extra.items()}}
        return key(piece.digest(), base_url=self._base_url, model=plain.model, hotwords=plain.hotwords, extra=extra)


def _answer(transcript: Transcript) -> dict[str, object]:
    segments = [[segment.start, segment.end, segment.text] for segment in transcript.segments]
    return {
        "text": transcript.text,
        "model": transcript.model,
        "request_id": transcript.request_id,
        "segments": segments,
    }


def _transcript(answer: object) -> Transcript | None:
    """The transcript as it was kept; None when the file is not of our making."""
    try:
        segments = tuple(Segment(*segment) for segment in answer["segments"])  # type: ignore[index]  # checked by the except
        return Transcript(answer["text"], answer["model"], answer["request_id"], segments)  # type: ignore[index]
    except (KeyError, TypeError):
        return None

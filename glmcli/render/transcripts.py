"""A transcript in the form that was asked for: text, JSON, SRT or WebVTT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glmcli.audio.captions import Cue, join, separator, srt, vtt
from glmcli.streams import Streams

if TYPE_CHECKING:
    from glmcli.transcriber import Spoken

FORMATS = ("text", "json", "srt", "vtt")
#: File name endings of the formats.
ENDINGS = {"text": ".txt", "json": ".json", "srt": ".srt", "vtt": ".vtt"}
SCHEMA_VERSION = 1


def document(name: str, spoken: Sequence[Spoken]) -> dict[str, object]:
    """The JSON document of one recording; times in seconds."""
    return {
        "schema_version": SCHEMA_VERSION,
        "file": name,
        "duration": round(spoken[-1].piece.end, 3),
        "model": next((item.transcript.model for item in spoken if item.transcript.model), None),
        "text": join(item.transcript.text for item in spoken),
        "pieces": [_piece(item) for item in spoken],
    }


def _piece(item: Spoken) -> dict[str, object]:
    piece: dict[str, object] = {
        "start": round(item.piece.start, 3),
        "end": round(item.piece.end, 3),
        "text": item.transcript.text,
        "request_id": item.transcript.request_id,
        "kept": item.was_kept,
    }
    if item.transcript.segments:
        piece["segments"] = [
            {"start": round(cue.start, 3), "end": round(cue.end, 3), "text": cue.text} for cue in _cues_of(item)
        ]
    return piece


def cues(spoken: Sequence[Spoken]) -> list[Cue]:
    """The words with their times: of the segments where the model gave some, else of the pieces."""
    return [cue for item in spoken for cue in _cues_of(item)]


def _cues_of(item: Spoken) -> list[Cue]:
    start, end = item.piece.start, item.piece.end
    if not item.transcript.segments:
        return [Cue(start, end, item.transcript.text)]
    return [
        Cue(min(start + segment.start, end), min(start + segment.end, end), segment.text)
        for segment in item.transcript.segments
    ]


def rendered(form: str, name: str, spoken: Sequence[Spoken]) -> str:
    """The whole content of an output file."""
    if form == "json":
        import json

        return json.dumps(document(name, spoken), ensure_ascii=False, indent=2) + "\n"
    if form == "srt":
        return srt(cues(spoken))
    if form == "vtt":
        return vtt(cues(spoken))
    return join(item.transcript.text for item in spoken) + "\n"


class LiveText:
    """Writes the text of one recording to stdout while it comes, on one line."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._write = streams.write_harmless if streams.stdout_is_tty else streams.write
        self._last = ""
        self._piece_has_text = False

    def delta(self, text: str) -> None:
        """A bit of the current piece."""
        if not self._piece_has_text:
            text = text.lstrip()
            if not text:
                return
            text = separator(self._last, text) + text
            self._piece_has_text = True
        self._write(text)
        self._last = text.rstrip() or self._last

    def piece(self, item: Spoken) -> None:
        """The current piece is complete; its text is written unless it came in bits."""
        if not self._piece_has_text:
            self.delta(item.transcript.text.strip())
        self._piece_has_text = False

    def end(self, *, complete: bool) -> None:
        """End the line, also of a text that was broken off; silence is an empty line."""
        if complete or self._last:
            self._streams.write("\n")

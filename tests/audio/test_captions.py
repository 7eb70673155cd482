"""Transcripts as SRT, WebVTT and plain text."""

from __future__ import annotations

import pytest

from glmcli.audio.captions import Cue, join, srt, vtt

CUES = [
    Cue(0, 28.8734, "hello there"),
    Cue(28.8734, 57.9996, "  "),
    Cue(57.9996, 3725.5, "a <b> & c\n\n--> d"),
]


def test_srt() -> None:
    """Numbers run without gaps, silence is left out, an empty line or arrow cannot break a cue."""
    assert srt(CUES) == (
        "1\n00:00:00,000 --> 00:00:28,873\nhello there\n\n2\n00:00:58,000 --> 01:02:05,500\na <b> & c -> d\n\n"
    )


def test_vtt() -> None:
    """The same with a head, points, and escapes."""
    assert vtt(CUES) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:28.873\nhello there\n\n"
        "00:00:58.000 --> 01:02:05.500\na &lt;b&gt; &amp; c -&gt; d\n\n"
    )


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        (["one ", " two", "", "three."], "one two three."),
        (["你好,", "世界"], "你好,世界"),
        (["你好。", "世界"], "你好。世界"),
        (["안녕", "세계"], "안녕 세계"),
        (["", " "], ""),
    ],
    ids=["english", "mixed", "chinese", "korean", "silence"],
)
def test_join(texts: list[str], whole: str) -> None:
    """Blanks stand between pieces where the script uses them."""
    assert join(texts) == whole

"""What kind of sound a file holds, told from its first bytes.

The service sniffs as well: renaming a `.webm` to `.mp3` helps nobody.
"""

from __future__ import annotations

#: How many bytes `sniff` wants to see.
HEAD_BYTES = 64

# (offset, bytes, name); the first that matches wins.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"ID3", "mp3"),
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (4, b"ftypM4A", "m4a"),
    (4, b"ftypqt", "mov"),
    (4, b"ftyp3g", "3gp"),
    (4, b"ftyp", "mp4"),
    (0, b"\x1a\x45\xdf\xa3", "webm"),
    (0, b"FORM", "aiff"),
    (0, b"caff", "caf"),
    (0, b"#!AMR", "amr"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "wma"),
    (0, b".snd", "au"),
    (0, b"MThd", "midi"),
    (0, b"%PDF", "pdf"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"\x89PNG", "png"),
    (0, b"\x1f\x8b", "gzip"),
)
_WAVE_FORMS = (b"RIFF", b"RF64", b"BW64")
#: Kinds that no converter turns into speech.
NOT_SOUND = frozenset({"midi", "pdf", "zip", "png", "gzip"})


def sniff(head: bytes) -> str | None:
    """The format's short name (`wav`, `mp3`, `ogg`, ...), or None for an unknown one."""
    if head[:4] in _WAVE_FORMS and head[8:12] == b"WAVE":
        return "wav"
    for offset, signature, name in _SIGNATURES:
        if head.startswith(signature, offset):
            return name
    return _sniff_sync(head)


def _sniff_sync(head: bytes) -> str | None:
    """MPEG audio without a tag: eleven set bits, then version and layer."""
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    return {0: "aac", 1: "mp3", 2: "mp2", 3: "mp2"}[layer]

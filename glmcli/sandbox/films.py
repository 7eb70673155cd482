"""Pictures and films to download: real PNG and MP4 bytes, of the size and length that were asked for.

The film is one second of a test pattern (made once with `ffmpeg -f lavfi -i
testsrc2=size=96x64:rate=8`), whatever was asked; the prompt stands in a `free`
box behind it, which players skip, and so does padding of any length.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Download:
    """A file: some bytes, then so many zeros, which are made while they leave."""

    head: bytes
    content_type: str
    padding: int = 0

    @property
    def size(self) -> int:
        """Number of bytes of the whole."""
        return len(self.head) + self.padding

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` up to, not including, `stop`."""
        if start < len(self.head):
            yield self.head[start:stop]
        left = stop - max(start, len(self.head))
        zeros = bytes(_PIECE_BYTES)
        while left > 0:
            yield zeros[:left]
            left -= _PIECE_BYTES


def film(prompt: str, *, padding: int = 0) -> Download:
    """A playable MP4 that carries its prompt, and padding of so many bytes (below 4 GiB)."""
    note = f"sandbox: {prompt}".encode("utf-8", "replace")
    boxes = _box_head(len(note)) + note
    if padding:
        boxes += _box_head(padding)
    return Download(_sample() + boxes, "video/mp4", padding)


def picture(prompt: str, width: int, height: int) -> Download:
    """A PNG of that many pixels in two colours that the prompt decides."""
    colours = zlib.crc32(prompt.encode("utf-8", "replace")).to_bytes(4, "big")
    palette = bytes((colours[0], colours[1], colours[2], colours[3], 255 - colours[1], 255 - colours[2]))
    row_bytes = (width + 7) // 8
    row = b"\0" + b"\0" * (row_bytes // 2) + b"\xff" * (row_bytes - row_bytes // 2)
    text = b"Comment\0\0\0\0\0" + f"sandbox: {prompt}".encode("utf-8", "replace")
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"iTXt", text),
        (b"IDAT", zlib.compress(row * height)),
        (b"IEND", b""),
    )
    return Download(b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, data) for kind, data in chunks), "image/png")


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _box_head(size: int) -> bytes:
    return struct.pack(">I", size + 8) + b"free"


@cache
def _sample() -> bytes:
    return base64.b64decode(_SAMPLE)


_SAMPLE = """
AAAAIGZ0eXBpc29tAAACAGlzb21pc28yYXZjMW1wNDEAAANgbW9vdgAAAGxtdmhkAAAAAAAAAAAAAAAAAAAD6AAAA+gAAQAAAQAAAAAAAAAAAAAA
AAEAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgAAAq90cmFrAAAAXHRraGQAAAAD
AAAAAAAAAAAAAAABAAAAAAAAA+gAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAABAAAAAAGAAAABAAAAAAAAk
ZWR0cwAAABxlbHN0AAAAAAAAAAEAAAPoAAAQAAABAAAAAAInbWRpYQAAACBtZGhkAAAAAAAAAAAAAAAAAABAAAAAQABVxAAAAAAALWhkbHIAAAAA
AAAAAHZpZGUAAAAAAAAAAAAAAABWaWRlb0hhbmRsZXIAAAAB0m1pbmYAAAAUdm1oZAAAAAEAAAAAAAAAAAAAACRkaW5mAAAAHGRyZWYAAAAAAAAA
AQAAAAx1cmwgAAAAAQAAAZJzdGJsAAAAwnN0c2QAAAAAAAAAAQAAALJhdmMxAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAGAAQABIAAAASAAAAAAA
AAABDExhdmMgbGlieDI2NAAAAAAAAAAAAAAAAAAAAAAAAAAAGP//AAAAOGF2Y0MBZAAK/+EAGmdkAAqscgRGJsBEAAADAAQAAAMAQDxIlhGAAQAH
aOhDg5LIsP34+AAAAAAQcGFzcAAAAAEAAAABAAAAFGJ0cnQAAAAAAAA+qAAAPqgAAAAYc3R0cwAAAAAAAAABAAAACAAACAAAAAAUc3RzcwAAAAAA
AAABAAAAAQAAADhjdHRzAAAAAAAAAAUAAAACAAAQAAAAAAEAADgAAAAAAQAAGAAAAAACAAAAAAAAAAIAAAgAAAAAHHN0c2MAAAAAAAAAAQAAAAEA
AAAIAAAAAQAAADRzdHN6AAAAAAAAAAAAAAAIAAAE2wAAAI8AAADkAAAAfAAAAEYAAABEAAAALgAAAFMAAAAUc3RjbwAAAAAAAAABAAADkAAAAD11
ZHRhAAAANW1ldGEAAAAAAAAAIWhkbHIAAAAAAAAAAG1kaXJhcHBsAAAAAAAAAAAAAAAACGlsc3QAAAAIZnJlZQAAB91tZGF0AAACrwYF//+r3EXp
vebZSLeWLNgg2SPu73gyNjQgLSBjb3JlIDE2NCByMzA5NSBiYWVlNDAwIC0gSC4yNjQvTVBFRy00IEFWQyBjb2RlYyAtIENvcHlsZWZ0IDIwMDMt
MjAyMiAtIGh0dHA6Ly93d3cudmlkZW9sYW4ub3JnL3gyNjQuaHRtbCAtIG9wdGlvbnM6IGNhYmFjPTEgcmVmPTE2IGRlYmxvY2s9MTowOjAgYW5h
bHlzZT0weDM6MHgxMzMgbWU9dW1oIHN1Ym1lPTEwIHBzeT0xIHBzeV9yZD0xLjAwOjAuMDAgbWl4ZWRfcmVmPTEgbWVfcmFuZ2U9MjQgY2hyb21h
X21lPTEgdHJlbGxpcz0yIDh4OGRjdD0xIGNxbT0wIGRlYWR6b25lPTIxLDExIGZhc3RfcHNraXA9MSBjaHJvbWFfcXBfb2Zmc2V0PS0yIHRocmVh
ZHM9MiBsb29rYWhlYWRfdGhyZWFkcz0xIHNsaWNlZF90aHJlYWRzPTAgbnI9MCBkZWNpbWF0ZT0xIGludGVybGFjZWQ9MCBibHVyYXlfY29tcGF0
PTAgY29uc3RyYWluZWRfaW50cmE9MCBiZnJhbWVzPTggYl9weXJhbWlkPTIgYl9hZGFwdD0yIGJfYmlhcz0wIGRpcmVjdD0zIHdlaWdodGI9MSBv
cGVuX2dvcD0wIHdlaWdodHA9MiBrZXlpbnQ9MjUwIGtleWludF9taW49OCBzY2VuZWN1dD00MCBpbnRyYV9yZWZyZXNoPTAgcmNfbG9va2FoZWFk
PTYwIHJjPWNyZiBtYnRyZWU9MSBjcmY9NDAuMCBxY29tcD0wLjYwIHFwbWluPTAgcXBtYXg9NjkgcXBzdGVwPTQgaXBfcmF0aW89MS40MCBhcT0x
OjEuMDAAgAAAAiRliIEAE//Uuobb26XQ0Q4dfohWkIRfhqN7qhzU30hPCUD0/IXgKRKHHiY9Io1v7rT0H6YOUuhjHwHem7d9/r/Q16Tri+wtK25u
CpfX0cMpLZk7VheXC/6tsZIyA/mcVEu+pVFcQH/m5UGwd6Y4sVgtE8r76ws1VAWBFnHIEIjt+gXvfysVhOTRxuuCiA7launaGANUn9JdfsrzdeLG
fhYzEeDq1qr3s+PTWo3/7MHjCCjJHgEAsXyxvkHrcrKKrahKN2c7ukCm6KRsjdCZv1H2nPwigmZ7dLZwPC/cWOBf8FXz0Ui4e42zeaBgRE79JX3H
JIZ71jiSGcRRDKVOlbj9SpdDXLIckOaVcc3eXZ96ftHt6NWQzHqOw3JDM0CFUUQRTH0vGBGSDq0ffzTzncsF6Teo6Mp+iH3PfJIf+a5+KZU9Ahmj
nmt8ZQ18VKZfn1A3EjJ5+b+o96TMadjUIAcVDd1LfjXHR0dTWvYIzZ2v8Enjmd/maWQ2SrfYW3FVRvfE3bBErykT5smhi+V28E3sBWoTH9BejD/h
SDm85M+ivFAJ7hxajTXBShCKDaMoHDIYTTEbszZT/4HlndlTninMiB64hZT9u5CCXVjj3VUxR0siLIL+CxLxkfN/ZJUZoqpTsR9YVbMAY9ltcTGW
eXzV8A2gy/ci19ixStHqfuefUB4syUO1x//Y6laX54mlZbGp/ENTLUN9RKqUAFON2v5unuulFwAAAItBmggtiT/oNMNDRznTuXiZv//4tcrENMpw
N/l0+ZowXQ/4KfMIpwogVllK239xErWta+fo/Mll2HjxLwTMXv69nTc/M54k5/Dh4qh5JwPyAsWoziajdw0IkWvC/PnXiLkxOpLyi2+d9VaE6t0Q
tjPJiRDg/mdlaQE/1TjyJDGsgXoHHIgPvvqGrcBAAAAA4EGaEOvwIGTKYR3/7wLScdIK/dF2Z2c8d0QB2+9VDdkI1UPUSkuUydryjJmAHbGrQpOe
suVy8GSWdcdq5XCYaMQR1bZe4TUi5TXsdFqY4YbFaaZB61TB80RfcL4UCa0X9JUD4wY9StrCz1zwRBMmK5xgHImGi+DVfNwxnUr8RAQNNdNfJurF
28N5hWNdoUdImhWvqa1ShBW5kPn/9KhfdtO77pSu2/xDXYQIO/CVFCFpNHYa2iNj/Ce9M4GlFNx3bNhHsiO70TkcFDZORyY1PHPVehORTVf9fGiS
IfHssF/9AAAAeEGeGIVER9BfycA6Dq9foVn4nAFLd/jftv0lBFha30qHV20/jYXqW6b0WLYfYZLCQxhCUr/0pMImFCwNcV0I74AmyvNUNb/tmg4i
mg23cP14b+laxWaeXe+MRM9/0Cp//8/VEG1tu8umjky9cuaNfmCGLmcckCTO8AAAAEIBniBFIjv/1t+KMljP4697i/HAOoJArnscZJy1nq5HYqDB
w/wsdXscHUwrTRGKUtgmmpZJHRB0oRz0ugwqzGYr3hUAAABAAZ4gZSI7//fzCp73XvTBVrUAGmktGFdKnXUIZ5RwguWFS1n/h26xbHlXI7bPK0he
1svNeAnwE5Vk4NfPlQkLeQAAACoBniCtyO/W35u4sBz7ZgWSmnLsUdC4Z7shqsSNXmgzjofpnT3XBqpYRMEAAABPAZ4gzcjv3V+qVJ2BNN90jWFA
Ub6EURHBbJrimIoP3o542bolCI92b3buiwoZmMkwxvdQvmFwqDhsgJt2w9mYUG3z1FA5VrY+9nOH4/FPMQ==
"""

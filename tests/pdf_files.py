"""PDF files for tests, with as many pages as a test wants."""

from __future__ import annotations

import zlib

SIGNATURE = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"


def pdf(pages: int, *, packed: bool = False, padding: int = 0, encrypted: bool = False) -> bytes:
    """A PDF whose page tree has two levels; `packed` puts its objects into a compressed object stream."""
    half = pages // 2
    kids = b"<</Type /Pages /Parent 2 0 R /Kids [] /Count %d>>"
    root = b"<</Kids [3 0 R 4 0 R] /Resources <</Font <</F1 9 0 R>> >> /Type /Pages /Count %d>>" % pages
    outline = b"<</Type /Outlines /Count 700>>"
    objects = [b"<</Type /Catalog /Pages 2 0 R>>", root, kids % half, kids % (pages - half), outline]
    objects += [b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792]>>"] * pages
    body = _packed(objects, encrypted=encrypted) if packed else _plain(objects)
    filler = (
        b"8 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\n" % (padding, b"\x01" * padding) if padding else b""
    )
    return SIGNATURE + filler + body + b"trailer <</Root 1 0 R>>\n%%EOF\n"


def _plain(objects: list[bytes]) -> bytes:
    return b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, item) for number, item in enumerate(objects, 1))


def _packed(objects: list[bytes], *, encrypted: bool) -> bytes:
    data = zlib.compress(b" ".join(objects))
    if encrypted:
        data = bytes(byte ^ 0x5A for byte in data)
    head = b"<</Type /ObjStm /N %d /First 0 /Filter /FlateDecode /Length %d>>" % (len(objects), len(data))
    return b"1 0 obj\n" + head + b"\nstream\r\n" + data + b"\nendstream\nendobj\n"

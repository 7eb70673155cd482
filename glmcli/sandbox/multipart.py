"""Reads multipart forms from a file without holding them in memory (RFC 7578)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from glmcli.sandbox.exchange import Part, Refusal
from glmcli.sandbox.spooling import spool

_LINE = 64 * 1024


def read_parts(source: IO[bytes], boundary: bytes) -> Iterator[Part]:
    """The parts in their order. Raises Refusal 1210 for a body that does not end."""
    marker = b"--" + boundary
    if source.readline(_LINE).rstrip(b"\r\n") != marker:
        raise _broken()
    last = False
    while not last:
        headers = _read_headers(source)
        file, last = _read_content(source, marker)
        disposition = headers.get("content-disposition", "")
        name = _parameter(disposition, "name")
        if name is None:
            raise _broken()
        yield Part(name, _parameter(disposition, "filename"), headers.get("content-type"), file)


def _read_headers(source: IO[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    while line := source.readline(_LINE).rstrip(b"\r\n"):
        name, _, value = line.decode("utf-8", "replace").partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def _read_content(source: IO[bytes], marker: bytes) -> tuple[IO[bytes], bool]:
    """The bytes up to the next marker, and whether it was the closing one."""
    file = spool()
    held = b""  # the line end before a marker belongs to the marker
    while line := source.readline(_LINE):
        word = line.rstrip(b"\r\n")
        if word in (marker, marker + b"--") and (held.endswith(b"\r\n") or file.tell() + len(held) == 0):
            file.write(held[:-2])
            file.seek(0)
            return file, word != marker
        file.write(held)
        held = line
    raise _broken()


def _parameter(disposition: str, name: str) -> str | None:
    found = re.search(rf';\s*{name}="((?:[^"\\]|\\.)*)"', disposition)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else None


def _broken() -> Refusal:
    return Refusal("1210", message="Invalid API parameter: the multipart body cannot be read.")

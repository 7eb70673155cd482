"""Decompression with a bound, for servers that compress although nobody asked."""

from __future__ import annotations

from collections.abc import Iterator

from glmcli.errors import NetworkError

#: No answer of the service grows by more than this when it is unpacked.
MAX_RATIO = 200
_STEP_BYTES = 1024 * 1024
_SLACK_BYTES = 8 * 1024 * 1024


def decompressed(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The plain bytes of a body with this `Content-Encoding`.

    Raises NetworkError for an encoding that was not asked for and is not gzip
    or deflate, for damaged data, and for a body that unpacks to far more than
    it was (a "bomb"); at no time is more than a step of it in memory.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        yield from chunks
        return
    if name not in ("gzip", "x-gzip", "deflate"):
        raise NetworkError(f"the answer is compressed with {name!r}, which was not asked for")
    import zlib

    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip and zlib headers both
    taken = given = 0
    for chunk in chunks:
        taken += len(chunk)
        while chunk:
            try:
                plain = unpacker.decompress(chunk, _STEP_BYTES)
            except zlib.error as error:
                raise NetworkError(f"the compressed answer is damaged: {error}") from None
            chunk = unpacker.unconsumed_tail
            given += len(plain)
            if given > taken * MAX_RATIO + _SLACK_BYTES:
                raise NetworkError("the compressed answer unpacks to far more than it should")
            if plain:
                yield plain

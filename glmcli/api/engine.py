"""Imports httpx without what it would load only because it happens to be installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: Other event loops, HTTP/2, httpx's own command line (which imports rich), and codings that we never accept.
UNUSED = ("anyio", "trio", "h2", "click", "brotli", "brotlicffi", "zstandard")


def load_httpx() -> None:
    """Import httpx and the transport that it would import for its first connection.

    anyio alone is a hundredth of a start; click, trio or h2 in the same environment would be a half.
    """
    if "httpx" in sys.modules:
        return
    with _hidden(UNUSED):
        import httpcore  # noqa: F401  # to be in sys.modules is all that is wanted
        import httpx  # noqa: F401  # as above


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Let the import of these packages fail as if they were missing; those that are loaded stay."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is how Python spells "not to be found"
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)

"""The terminal between two prompts: keys typed into an answer must not appear in the middle of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

if sys.platform == "win32":  # pragma: no cover

    @contextmanager
    def echo(stdin: BinaryIO, *, shown: bool) -> Iterator[None]:
        """Its console shows what is typed only where it is read."""
        yield

    @contextmanager
    def unbuffered(stdin: BinaryIO) -> Iterator[None]:
        """Its console hands over every key as it is."""
        yield

else:

    @contextmanager
    def echo(stdin: BinaryIO, *, shown: bool) -> Iterator[None]:
        """Show or hide what is typed inside the block; whatever happens, as before afterwards."""
        import termios

        with _changed(stdin, on=termios.ECHO if shown else 0, off=0 if shown else termios.ECHO):
            yield

    @contextmanager
    def unbuffered(stdin: BinaryIO) -> Iterator[None]:
        """Hand over keys without waiting for the end of a line; Ctrl-C is a signal all the same."""
        import termios

        with _changed(stdin, on=termios.ISIG, off=termios.ECHO | termios.ICANON):
            yield

    @contextmanager
    def _changed(stdin: BinaryIO, *, on: int, off: int) -> Iterator[None]:
        """Set and clear local modes of a terminal; a stream that is none is left alone."""
        import termios

        try:
            descriptor = stdin.fileno()
            before = termios.tcgetattr(descriptor)
        except (OSError, termios.error):
            yield
            return
        changed = [*before]
        changed[3] = (before[3] | on) & ~off
        termios.tcsetattr(descriptor, termios.TCSADRAIN, changed)
        try:
            yield
        finally:
            with suppress(termios.error):  # the terminal may have gone
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

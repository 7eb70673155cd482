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

else:

    @contextmanager
    def echo(stdin: BinaryIO, *, shown: bool) -> Iterator[None]:
        """Show or hide what is typed inside the block; whatever happens, as before afterwards."""
        import termios

        try:
            descriptor = stdin.fileno()
            before = termios.tcgetattr(descriptor)
        except (OSError, termios.error):  # no terminal of the system
            yield
            return
        changed = [*before]
        changed[3] = before[3] | termios.ECHO if shown else before[3] & ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSADRAIN, changed)
        try:
            yield
        finally:
            with suppress(termios.error):  # the terminal may have gone
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

"""What Markdown on a terminal costs while it streams: bytes written and CPU seconds.

    python benchmarks/markdown.py [--live] [TOKENS …]

Each answer is fed to `StreamingMarkdown` in chunks of one token (4 characters;
2 for Chinese) on a pty of 100x40, at 500 chunks a second on a clock that skips
the waiting. `x print` is the ratio to one complete `print_markdown` of the same
text, `exp` the growth exponent against the size before (1 is linear).
`--live` adds the loop that most programs have, `rich.live.Live` over the whole
answer; its cost is the square of the length, so only small sizes are run.
"""

from __future__ import annotations

import argparse
import math
import os
import pty
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from answers import KINDS

from glmcli.render.markdown import StreamingMarkdown, preload, print_markdown

WIDTH, HEIGHT = 100, 40
SECONDS_PER_CHUNK = 1 / 500


class Clock:
    """Real time without the waiting between chunks."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.perf_counter() + self.skipped


class Terminal:
    """The program's end of a pty."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.bytes = 0

    def write(self, text: str) -> None:
        data = text.encode()
        self.bytes += len(data)
        while data:
            data = data[os.write(self.descriptor, data) :]


@contextmanager
def terminal() -> Iterator[Terminal]:
    """A pty whose other end is read as a terminal would."""
    master, slave = pty.openpty()
    reader = threading.Thread(target=_drain, args=(master,), daemon=True)
    reader.start()
    try:
        yield Terminal(slave)
    finally:
        os.close(slave)
        reader.join()
        os.close(master)


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 65536):
            pass
    except OSError:  # the other end is closed
        pass


def stream(text: str, chunk: int) -> tuple[int, float]:
    """Bytes and CPU seconds of the streaming renderer."""
    clock = Clock()
    with terminal() as screen:
        started = time.thread_time()
        markdown = StreamingMarkdown(screen.write, width=lambda: WIDTH, height=lambda: HEIGHT, color=True, clock=clock)
        for start in range(0, len(text), chunk):
            markdown.feed(text[start : start + chunk])
            clock.skipped += SECONDS_PER_CHUNK
        markdown.finish()
        return screen.bytes, time.thread_time() - started


def whole(text: str) -> tuple[int, float]:
    """Bytes and CPU seconds of one complete print."""
    with terminal() as screen:
        started = time.thread_time()
        print_markdown(text, screen.write, width=WIDTH, color=True)
        return screen.bytes, time.thread_time() - started


def live(text: str, chunk: int) -> tuple[int, float]:
    """Bytes and CPU seconds of `rich.live.Live` over the whole answer, refreshed 12 times a second."""
    from rich.console import Console
    from rich.live import Live
    from rich.markdown import Markdown

    clock = Clock()
    with terminal() as screen, os.fdopen(os.dup(screen.descriptor), "w", encoding="utf-8") as file:
        console = Console(file=_Counting(file, screen), force_terminal=True, width=WIDTH, height=HEIGHT)  # type: ignore[arg-type]  # writes and flushes
        started = time.thread_time()
        drawn = -1.0
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as view:
            for start in range(0, len(text), chunk):
                clock.skipped += SECONDS_PER_CHUNK
                if clock() - drawn >= 1 / 12:
                    view.update(Markdown(text[: start + chunk]), refresh=True)
                    drawn = clock()
            view.update(Markdown(text), refresh=True)
        return screen.bytes, time.thread_time() - started


class _Counting:
    """A text file that counts what is written to it."""

    encoding = "utf-8"

    def __init__(self, file: object, screen: Terminal) -> None:
        self._screen = screen

    def write(self, text: str) -> int:
        self._screen.write(text)
        return len(text)

    def flush(self) -> None:
        return None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("tokens", nargs="*", type=int, default=[1000, 4000, 16000, 64000])
    parser.add_argument("--live", action="store_true", help="also run rich.live.Live for up to 4000 tokens")
    arguments = parser.parse_args()
    preload()
    heads = ("tokens", 6), ("bytes/byte", 10), ("x print", 8), ("exp", 5), ("CPU s", 7), ("print s", 8), ("exp", 5)
    print(f"{'answer':<10} " + " ".join(f"{head:>{width}}" for head, width in heads))
    for name, (make, chunk) in KINDS.items():
        before: tuple[int, int, float] | None = None
        for tokens in arguments.tokens:
            text = make(tokens)
            size = len(text.encode())
            written, seconds = stream(text, chunk)
            printed, print_seconds = whole(text)
            growth = _growth(before, (tokens, written, seconds))
            before = (tokens, written, seconds)
            print(
                f"{name:<10} {tokens:>6} {written / size:>10.2f} {written / printed:>8.2f} {growth[0]:>5} "
                f"{seconds:>7.2f} {print_seconds:>8.2f} {growth[1]:>5}"
            )
            if arguments.live and tokens <= 4000:
                live_bytes, live_seconds = live(text, chunk)
                print(f"{'  rich.Live':<17} {live_bytes / size:>10.2f} {'':>8} {'':>5} {live_seconds:>7.2f}")


def _growth(before: tuple[int, int, float] | None, now: tuple[int, int, float]) -> tuple[str, str]:
    """Exponents of bytes and seconds against tokens."""
    if before is None:
        return "", ""
    ratio = math.log(now[0] / before[0])
    return f"{math.log(now[1] / before[1]) / ratio:.2f}", f"{math.log(now[2] / before[2]) / ratio:.2f}"


if __name__ == "__main__":
    main()

"""Standard input and output: the one owner of `sys.stdin`, `stdout`, `stderr`.

Answers go to stdout as UTF-8 bytes, whatever the locale; everything about an
answer goes to stderr. Text that a server chose is made harmless before it
meets a terminal; in a pipe bytes pass untouched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import BinaryIO, TextIO

from glmcli import terminalsize
from glmcli.errors import UsageError


class Streams:
    """The three standard streams, or what a test puts in their place."""

    def __init__(
        self,
        *,
        stdin: BinaryIO | None = None,
        stdout: BinaryIO | None = None,
        stderr: BinaryIO | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.stdin = stdin or _binary(sys.stdin)
        self.stdout = stdout or _binary(sys.stdout)
        self.stderr = stderr or _binary(sys.stderr)
        self.environ = os.environ if environ is None else environ
        self.color = "auto"
        self.quiet = False
        self._hidden: set[str] = set()
        self.stdin_is_tty = _is_tty(self.stdin)
        self.stdout_is_tty = _is_tty(self.stdout)
        self.stderr_is_tty = _is_tty(self.stderr)

    # -- what the terminal can do ------------------------------------------

    @property
    def is_dumb(self) -> bool:
        """Whether the terminal can only print lines."""
        return self.environ.get("TERM", "") == "dumb"

    def may_color(self, *, stderr: bool = False) -> bool:
        """Whether colour and motion are wanted on stdout (or stderr).

        `--color` wins, then NO_COLOR, then FORCE_COLOR/CLICOLOR_FORCE, then the terminal.
        """
        if self.color != "auto":
            return self.color == "always"
        if self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("FORCE_COLOR") or self.environ.get("CLICOLOR_FORCE", "0") != "0":
            return True
        tty = self.stderr_is_tty if stderr else self.stdout_is_tty
        return tty and not self.is_dumb

    @property
    def width(self) -> int:
        """Columns of the terminal; 80 where there is none."""
        return terminalsize.columns(self.environ, self._descriptors())

    @property
    def height(self) -> int:
        """Lines of the terminal; 24 where there is none."""
        return terminalsize.lines(self.environ, self._descriptors())

    def _descriptors(self) -> Iterator[int]:
        for stream in (self.stdout, self.stderr, self.stdin):
            try:
                yield stream.fileno()
            except (OSError, ValueError):
                continue

    # -- output -------------------------------------------------------------

    def hide(self, secret: str) -> None:
        """Keep a key out of everything that is told from now on, whoever quotes it.

        Short ones are left alone: `EMPTY` or `x` for a server at home are words.
        """
        if len(secret) >= _SHORTEST_SECRET:
            self._hidden.add(secret)

    def without_secrets(self, text: str) -> str:
        """The text with every key that is in use taken out."""
        for secret in self._hidden:
            text = text.replace(secret, "<key>")
        return text

    def write(self, text: str) -> None:
        """Write text to stdout and flush, exactly as it is."""
        self.write_bytes(text.encode("utf-8", "replace"))

    def write_harmless(self, text: str) -> None:
        """Write text that a server chose to a terminal."""
        self.write(harmless(text))

    def write_bytes(self, data: bytes) -> None:
        """Write bytes to stdout and flush."""
        self.stdout.write(data)
        self.stdout.flush()

    def write_line(self, text: str = "") -> None:
        """Write one line of our own making to stdout, safe for a terminal."""
        self.write((harmless(text) if self.stdout_is_tty else text) + "\n")

    def write_json(self, value: object) -> None:
        """Write one JSON document on one line (indented on a terminal)."""
        import json

        indent = 2 if self.stdout_is_tty else None
        self.write(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")

    def note(self, text: str) -> None:
        """Tell the user something on stderr, unless `--quiet`."""
        if not self.quiet:
            self.complain(text)

    def complain(self, text: str) -> None:
        """Tell the user something on stderr, also with `--quiet`. A closed stderr is borne."""
        self.complain_styled(harmless(text))

    def complain_styled(self, text: str) -> None:
        """As `complain`, for text that holds our own ANSI codes and is harmless otherwise."""
        text = self.without_secrets(text)
        try:
            self.stderr.write((text + "\n").encode("utf-8", "replace"))
            self.stderr.flush()
        except (OSError, ValueError):
            pass

    def write_error(self, text: str) -> None:
        """Write text to stderr as it comes (reasoning), dim where colour is wanted."""
        shown = harmless(text) if self.stderr_is_tty else text
        if self.may_color(stderr=True):
            shown = f"\x1b[2m{shown}\x1b[22m"
        try:
            self.stderr.write(shown.encode("utf-8", "replace"))
            self.stderr.flush()
        except (OSError, ValueError):
            pass

    def write_control(self, codes: str) -> None:
        """Send control codes of our own to the terminal on stderr; nothing where there is none."""
        if self.stderr_is_tty:
            try:
                self.stderr.write(codes.encode())
                self.stderr.flush()
            except (OSError, ValueError):
                pass

    # -- input --------------------------------------------------------------

    def read_piped(self) -> str | None:
        """All of stdin as text when it is not a terminal, else None.

        Raises UsageError for bytes that are not UTF-8. A byte order mark is dropped.
        """
        if self.stdin_is_tty:
            return None
        self._announce_waiting()
        return self.read_stdin()

    def _announce_waiting(self) -> None:
        """Say after a while that input is awaited: an inherited pipe may never end."""
        if os.name != "posix":
            return
        from select import select

        try:
            ready, _, _ = select([self.stdin.fileno()], [], [], _SILENT_SECONDS)
        except (OSError, ValueError):  # not a real file, or closed
            return
        if not ready:
            self.note("glm: waiting for standard input; add < /dev/null when there is none")

    def read_stdin(self) -> str:
        """All of stdin as text, terminal or not (for `-`)."""
        data = self.stdin.read()
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(
                f"standard input is not UTF-8 text (byte 0x{data[error.start]:02x} at offset {error.start})",
                hint="convert it first, for example: iconv -f latin1 -t utf-8",
            ) from None


#: How long standard input may be silent before we say that we wait for it.
_SILENT_SECONDS = 2.0


#: Keys of fewer characters are not hidden.
_SHORTEST_SECRET = 8


def harmless(text: str) -> str:
    """Text without control characters, so that it cannot steer a terminal.

    Newline and tab stay; every other C0, DEL and C1 character and the bidi
    overrides become visible escapes.
    """
    if text.isprintable():
        return text
    return "".join(c if _is_safe(c) else _escaped(c) for c in text)


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def _is_safe(character: str) -> bool:
    if character in "\n\t":
        return True
    code = ord(character)
    return not (code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or character in _BIDI)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return "^" + chr(code + 0x40)
    return f"<U+{code:04X}>" if code > 0xFF else f"\\x{code:02x}"


class _Nowhere:
    """Stands in for a standard stream that the parent closed."""

    def read(self, size: int = -1) -> bytes:
        return b""

    def write(self, data: bytes) -> int:
        return len(data)

    def flush(self) -> None:
        return None

    def fileno(self) -> int:
        raise OSError("no such stream")

    def isatty(self) -> bool:
        return False


def _binary(stream: TextIO | None) -> BinaryIO:
    if stream is None:
        return _Nowhere()  # type: ignore[return-value]  # the few methods that we use
    return stream.buffer if hasattr(stream, "buffer") else stream  # type: ignore[return-value]  # a test's BytesIO


def _is_tty(stream: BinaryIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False

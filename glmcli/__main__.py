"""The start of a process: `glm` and `python -m glmcli`.

Nothing but `sys` is imported before it is known that it is needed: `--version`, help and completion
answer without Typer.
"""

from __future__ import annotations

import sys

from glmcli import __version__


def main() -> None:
    """Run one command and end the process with its exit code."""
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    _leave(code)


def _run(argv: list[str]) -> int:
    if argv == ["--version"]:
        return _print(f"glm {__version__}\n")
    if argv in (["--help"], ["-h"], ["help"]) or (not argv and not _stdout_is_tty()):
        from glmcli.registry import front_page

        return _print(front_page())
    if argv and argv[0] == "--complete":
        from glmcli.completion import candidates

        return _print("".join(f"{word}\n" for word in candidates(argv[1:])))
    if "help" in argv[:1] or argv[-1:] in (["--help"], ["-h"]):
        from glmcli.help_pages import stored_page

        if page := stored_page(argv):
            return _print(page)
    return _run_command(argv)


def _run_command(argv: list[str]) -> int:
    import gc

    if sys.getfilesystemencoding() == "ascii":
        _start_again_in_utf8(argv)
    _hold_standard_places()

    gc.disable()  # a tenth of the imports' time; `cli` switches it on again after the last one
    from glmcli.cli import run

    _end_on_signals()
    return run(argv)


def _start_again_in_utf8(argv: list[str]) -> None:
    """Become a process that can read what was typed: under `LC_ALL=C PYTHONUTF8=0` arguments are torn bytes."""
    import os

    if sys.executable and os.name == "posix":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", "-m", "glmcli", *argv])  # noqa: S606  # ourselves


def _hold_standard_places() -> None:
    """Put /dev/null where the parent closed a standard stream.

    The next file or socket would take its number, and the errors of a child would be written into it.
    """
    import os

    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            os.set_inheritable(number, True)


def _end_on_signals() -> None:
    """Let SIGTERM and SIGHUP unwind the stack, so that every `finally` runs."""
    import signal
    from types import FrameType

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # Not when it is ignored: that is what `nohup` asks for.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _stdout_is_tty() -> bool:
    return sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty()


def _print(text: str) -> int:
    if sys.stdout is not None:
        sys.stdout.buffer.write(text.encode())  # UTF-8 and plain line ends, whatever the locale
    return 0


def _leave(code: int) -> None:
    """End at once: the interpreter's own clean-up takes longer than some commands."""
    import os

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            pass  # the reader had enough
        except (AttributeError, ValueError):
            pass  # closed by the parent
        except OSError as error:
            if stream is sys.stdout and code == 0:  # else the failure was told already
                code = 1
                _tell(f"glm: cannot write the output: {error.strerror}\n")
    os._exit(code)


def _tell(line: str) -> None:
    """Write to the standard error stream, if it takes anything."""
    import os
    from contextlib import suppress

    with suppress(OSError):
        os.write(2, line.encode())


if __name__ == "__main__":
    main()

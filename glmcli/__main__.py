"""The start of a process: `glm` and `python -m glmcli`.

Nothing but `sys` is imported before it is known that it is needed: `--version`, the front page and
completion answer without Typer.
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
    if argv in (["--help"], ["-h"]) or (not argv and not _stdout_is_tty()):
        from glmcli.registry import front_page

        return _print(front_page())
    if argv and argv[0] == "--complete":
        from glmcli.completion import candidates

        return _print("".join(f"{word}\n" for word in candidates(argv[1:])))
    return _run_command(argv)


def _run_command(argv: list[str]) -> int:
    import gc

    gc.disable()  # a tenth of the imports' time; `cli` switches it on again after the last one
    from glmcli.cli import run

    _end_on_signals()
    return run(argv)


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
        sys.stdout.write(text)
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
            code = code or 1
            os.write(2, f"glm: cannot write the output: {error.strerror}\n".encode())
    os._exit(code)


if __name__ == "__main__":
    main()

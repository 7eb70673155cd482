"""Runs commands in forked children of one warm process: a fault of the system costs milliseconds, not a start-up.

Reads a JSON document from the file that is named first, and prints one: the
outcome of each command. A child sees what a fresh process would see: its own
descriptors, limits and working directory.
"""

from __future__ import annotations

import json
import os
import selectors
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 30


def main() -> None:
    """Run every command under the one fault."""
    order = json.loads(Path(sys.argv[1]).read_bytes())
    import glmcli.cli  # noqa: F401  # warm: the children share it

    json.dump([_outcome(words, order["fault"]) for words in order["commands"]], sys.stdout)


def _outcome(command: dict[str, Any], fault: dict[str, Any]) -> dict[str, Any]:
    pipes = [os.pipe() for _ in range(3)]
    pid = os.fork()
    if pid == 0:
        _become(command, fault, pipes)
    (input_end, feeding), (out, out_end), (err, err_end) = pipes
    for descriptor in (input_end, out_end, err_end):
        os.close(descriptor)
    with suppress(BrokenPipeError):
        os.write(feeding, command["input"].encode())
    os.close(feeding)
    texts = _read_both(out, err)
    _, status = os.waitpid(pid, 0)
    return {"exit_code": os.waitstatus_to_exitcode(status), "stdout": texts[out], "stderr": texts[err]}


def _read_both(out: int, err: int) -> dict[int, str]:
    read = {out: b"", err: b""}
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)
        selector.register(err, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 65536)
                read[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return {descriptor: data.decode("utf-8", "replace") for descriptor, data in read.items()}


def _become(command: dict[str, Any], fault: dict[str, Any], pipes: list[tuple[int, int]]) -> None:
    """Be the command; does not return."""
    import signal

    signal.alarm(PATIENCE_SECONDS)
    ends = (pipes[0][0], pipes[1][1], pipes[2][1])
    for number, end in enumerate(ends):
        os.dup2(end, number)
    os.closerange(3, 64)
    for number in fault.get("full", ()):
        os.dup2(os.open("/dev/full", os.O_RDWR), number)
    for number in fault.get("closed", ()):
        os.close(number)
    _limit(fault)
    _place(fault)
    names = ("stdin", "stdout", "stderr")
    for number, name in enumerate(names):
        closed = number in fault.get("closed", ())
        setattr(sys, name, None if closed else os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    sys.argv = ["glm", *command["argv"]]
    from glmcli.__main__ import main as glm

    glm()


def _limit(fault: dict[str, Any]) -> None:
    import resource

    for name, limit in (("nofile", resource.RLIMIT_NOFILE), ("fsize", resource.RLIMIT_FSIZE)):
        if name in fault:
            resource.setrlimit(limit, (fault[name], fault[name]))


def _place(fault: dict[str, Any]) -> None:
    if fault.get("no_cwd"):
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        os.rmdir(folder)
    if "HOME" not in os.environ:
        _move_account(Path(sys.argv[1]).parent / "account")


def _move_account(folder: Path) -> None:
    """Without HOME the account says where home is: that of whoever runs the tests is neither read nor written."""
    import pwd

    entry = pwd.getpwuid(os.getuid())
    moved = pwd.struct_passwd((*entry[:5], str(folder), *entry[6:]))
    pwd.getpwuid = lambda uid: moved


if __name__ == "__main__":
    main()

"""Runs the command it is given, and prints its exit code and the most memory that it held (KiB).

A process of its own, and a small one: what a child reports as its peak is never
less than what the process that started it held.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the words; their output goes where ours does not."""
    silent = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, silent, 1)]
    pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    # macOS counts bytes, Linux KiB.
    peak = used.ru_maxrss >> 10 if sys.platform == "darwin" else used.ru_maxrss
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {peak}\n")


if __name__ == "__main__":
    main()

"""Many kills: `python -m tests.crash --kills 200 [--seed N] [COMMAND...]`."""

from __future__ import annotations

import argparse
import os
import time

from tests.crash.cases import CASES
from tests.crash.trials import run_trials


def main() -> None:
    """Kill each command so often and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="*", help="the commands to kill (default: all)", metavar="COMMAND")
    parser.add_argument("--kills", type=int, default=100, help="how often each is killed")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)), help="repeats the same moments")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    for case in CASES:
        if options.commands and case.name not in options.commands:
            continue
        started = time.monotonic()
        tally = run_trials(case, options.kills, options.seed)
        seconds = time.monotonic() - started
        print(f"{case.name:14} {tally.kills} kills, {tally.survived} of them while it ran, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()

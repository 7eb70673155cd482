"""Everything about speed that `docs/performance.md` tells, against floors measured in the same run.

    python benchmarks/bench.py [--suite NAME,...] [--rounds 9] [--quick] [--write]
                               [--peers llm,shell-gpt,zai-sdk,openai] [--peers-in FOLDER]

Runs are interleaved (A B C A B C ...), so that a busy machine slows all rows alike: a table shows medians, and the
median of the ratios to `python -c pass` (or the floor that it names) round by round. The server runs in a process
of its own; every client starts in a clean environment. `--write` takes the tables into `docs/performance.md`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import peers
import plot
import rendered
import report
import suites
from running import Bench, Failed, Outcome, Plan

SUITES: dict[str, Callable[[Bench, Plan], Outcome]] = {
    "start": suites.start,
    "request": suites.request,
    "text": suites.text,
    "lag": suites.lag,
    "chunks": suites.chunks,
    "upload": suites.upload,
    "rendered": rendered.rendered,
    "instructions": rendered.instructions,
}
ROUNDS = 9
TOKENS = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000)


def main() -> None:
    """Print the tables as Markdown."""
    given = _options()
    versions = dict(_named(word) for word in given.peers.split(",") if word)
    begun, failed = time.monotonic(), []
    parts: dict[str, str] = {}
    figures: dict[str, float] = {}
    with ExitStack() as stack:
        home = given.peers_in or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glm-peers-")))
        installed = {name: peers.install(f"{name}=={number}", home) for name, number in versions.items()}
        plan = Plan(given.rounds, max(2, given.rounds // 3), TOKENS[: 3 if given.quick else None], installed)
        machine = report.machine(_command(given), versions)
        print(f"{machine}\n\n{given.rounds} rounds, {plan.few} of long runs.", flush=True)
        for name in given.suite.split(","):
            started = time.monotonic()
            try:
                with ExitStack() as servers:
                    outcome = SUITES[name](Bench(servers), plan)
            except Failed as error:  # the others are worth having
                failed.append(name)
                print(f"\n### {name}\n\n{error}", flush=True)
                continue
            parts |= outcome.tables
            figures |= outcome.figures
            shown = "\n\n".join(outcome.tables.values()) or "Not run: a program that it needs is missing."
            print(f"\n### {name}\n\n{_paragraph(SUITES[name])}\n\n{shown}", flush=True)
            print(f"\n({time.monotonic() - started:.0f} s)", flush=True)
    print(f"\n### goals\n\n{report.goals(figures)}\n\nAll in {(time.monotonic() - begun) / 60:.1f} minutes.")
    if given.write:
        whole = set(given.suite.split(",")) == SUITES.keys() and not failed
        _write({**parts, "machine": machine} if whole else parts, figures)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _write(parts: dict[str, str], figures: dict[str, float]) -> None:
    before = report.part_of(report.PAGE.read_text("utf-8"), "goals") or ""
    homeless = report.write({**parts, "goals": report.goals(figures, before)})
    if homeless:
        raise SystemExit(f"{report.PAGE} has no markers for {', '.join(homeless)}")
    plot.main()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default=",".join(SUITES), help=f"of {', '.join(SUITES)}; all of them")
    parser.add_argument("--rounds", type=int, help="9, or 3 with --quick; of long runs a third, at least two")
    parser.add_argument("--quick", action="store_true", help="few rounds and short answers, to see that all is well")
    parser.add_argument("--peers", default="", help=f"of {', '.join(peers.VERSIONS)}, perhaps llm==0.37")
    parser.add_argument("--peers-in", type=Path, help="keep their environments here instead of throwing them away")
    parser.add_argument(
        "--write",
        action="store_true",
        help="take what was measured into docs/performance.md; machine and command only when every suite was run",
    )
    given = parser.parse_args()
    if unknown := set(given.suite.split(",")) - SUITES.keys():
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")
    if given.quick and given.write:
        parser.error("figures of --quick are not for the page")
    given.rounds = given.rounds or (3 if given.quick else ROUNDS)
    return given


def _command(given: argparse.Namespace) -> list[str]:
    """The options that matter for the figures."""
    words = ["--suite", given.suite] if given.suite != ",".join(SUITES) else []
    words += ["--rounds", str(given.rounds)] if given.rounds != ROUNDS and not given.quick else []
    words += ["--quick"] if given.quick else []
    return words + (["--peers", given.peers] if given.peers else [])


def _named(word: str) -> tuple[str, str]:
    name, _, number = word.partition("==")
    if name not in peers.VERSIONS:
        raise SystemExit(f"no such peer: {name}")
    return name, number or peers.VERSIONS[name]


def _paragraph(suite: object) -> str:
    return "\n".join(line.strip() for line in (suite.__doc__ or "").strip().splitlines())


if __name__ == "__main__":
    main()

"""What a rendered answer costs: CPU seconds of `glm chat` on a terminal, bytes, and instructions of the renderer.

    python benchmarks/rendered.py (stream | print) KIND TOKENS

writes what the renderer alone writes, on a clock of its own: streamed at 500 tokens a second, or at once.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import answers
from running import FLOOR, GLM, HEIGHT, PASS, PYTHON, WIDTH, Bench, Case, Outcome, Plan, Sample

KINDS = ("mixed", "code", "table", "chinese")
TOKENS_PER_SECOND = 500
#: Below this the CPU of a whole process is mostly its start, and the ratio of two sizes noise.
TOLD_FROM = 8_000
CHUNKS = 2_000
VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


def rendered(bench: Bench, plan: Plan) -> Outcome:
    """Answers on a terminal of 100 x 40, sent at 8,000 tokens a second.

    CPU is that of `glm chat`, least of all rounds, less that of a one-word answer. Bytes are those of the
    renderer at 500 tokens a second, against one complete print.
    """
    hello = Case("hello", [GLM, "chat", "--no-log", "bench:hello"], asks=True, on_terminal=True)
    cases = {
        (kind, tokens): Case(kind, [GLM, "chat", "--no-log", f"bench:{kind}={tokens}"], asks=True, on_terminal=True)
        for kind in KINDS
        for tokens in plan.tokens
    }
    bench.run([hello, *cases.values()], plan.few)
    printed = _in_parallel(bench, {key: _worker("print", *key) for key in cases})
    streamed = _in_parallel(bench, {key: _worker("stream", *key) for key in cases})
    lines = ["| answer | tokens | CPU s | x half | bytes x print |", "|---|---:|---:|---:|---:|"]
    figures: dict[str, float] = {}
    least = min(sample.cpu for sample in hello.samples)
    costs = {key: min(sample.cpu for sample in case.samples) - least for key, case in cases.items()}
    for (kind, tokens), cost in costs.items():
        half = costs.get((kind, tokens // 2))
        growth = cost / half if half else float("nan")
        many = streamed[kind, tokens].written / printed[kind, tokens].written
        shown = f"{growth:.2f}" if half else ""
        lines.append(f"| {kind} | {tokens} | {cost / 1000:.2f} | {shown} | {many:.2f} |")
        _raise(figures, f"bytes, {kind}", many)
        if tokens // 2 >= TOLD_FROM:
            _raise(figures, "CPU doubling", growth)
    return Outcome({"rendered": "\n".join(lines)}, figures)


def instructions(bench: Bench, plan: Plan) -> Outcome:
    """Instructions in millions, counted by valgrind: they do not depend on how busy the machine is.

    The first table is the renderer at 500 tokens a second, `x` against half the length; the second whole commands,
    and each chunk of a long answer into a pipe.
    """
    if not shutil.which(VALGRIND[0]):
        return Outcome({})
    tables = {"instructions": _commands(bench)}
    sizes = (0, *plan.tokens)
    cases = {(kind, tokens): _worker("stream", kind, tokens) for kind in KINDS for tokens in sizes}
    counted = {name: _counting(bench, case) for name, case in cases.items()}
    _in_parallel(bench, counted)
    found = {name: _count(case) for name, case in counted.items()}
    lines = ["| tokens | " + " | ".join(f"{kind} | x" for kind in KINDS) + " |", "|---:|" + "---:|" * 2 * len(KINDS)]
    figures: dict[str, float] = {}
    for tokens in plan.tokens:
        cells = []
        for kind in KINDS:
            cost = found[kind, tokens] - found[kind, 0]
            half = found.get((kind, tokens // 2))
            growth = cost / (half - found[kind, 0]) if half else float("nan")
            cells += [f"{cost:.0f}", f"{growth:.2f}" if half else ""]
            if half:
                _raise(figures, "instructions doubling", growth)
        lines.append(f"| {tokens} | " + " | ".join(cells) + " |")
    return Outcome({"instructions-rendered": "\n".join(lines), **tables}, figures)


def _commands(bench: Bench) -> str:
    origin = bench.origins["plain"]
    floor = [PYTHON, "-c", FLOOR, origin]
    commands = {
        PASS: ([PYTHON, "-c", "pass"], False),
        "glm --version": ([PYTHON, GLM, "--version"], False),
        "glm --help": ([PYTHON, GLM, "--help"], False),
        "glm chat --help": ([PYTHON, GLM, "chat", "--help"], False),
        "http.client floor": ([*floor, "bench:hello"], True),
        "glm chat": ([PYTHON, GLM, "chat", "bench:hello"], True),
        "glm stream": ([PYTHON, GLM, "stream", "bench:hello"], True),
    }
    long = {
        "http.client floor": [*floor, f"bench:chunks={CHUNKS}"],
        "glm chat": [PYTHON, GLM, "chat", f"bench:chunks={CHUNKS}"],
        "glm stream": [PYTHON, GLM, "stream", f"bench:chunks={CHUNKS}"],
    }

    def count(name: str, command: list[str], asks: bool) -> float:
        bench.measure(Case(name, command, asks))  # writes byte code and the files that a first run makes
        case = _counting(bench, Case(name, command, asks))
        bench.measure(case)
        return _count(case)

    whole = {name: count(name, command, asks) for name, (command, asks) in commands.items()}
    chunk = {name: (count(name, command, True) - whole[name]) / CHUNKS for name, command in long.items()}
    lines = ["| | millions | x | a chunk, thousands | x |", "|---|---:|---:|---:|---:|"]
    for name, cost in whole.items():
        each = chunk.get(name)
        of_chunk = "|" if each is None else f"{each * 1000:.1f} | {each / chunk['http.client floor']:.2f}"
        lines.append(f"| {name} | {cost:.0f} | {cost / whole[PASS]:.2f} | {of_chunk} |")
    return "\n".join(lines)


def _worker(act: str, kind: str, tokens: int) -> Case:
    return Case(f"{act} {kind} {tokens}", [PYTHON, __file__, act, kind, str(tokens)])


def _in_parallel(bench: Bench, cases: dict[tuple[str, int], Case]) -> dict[tuple[str, int], Sample]:
    """Runs that no clock looks at; `written` is what the worker printed."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(cases, pool.map(bench.measure, cases.values()), strict=True))


def _counting(bench: Bench, case: Case) -> Case:
    log = bench.folder / f"{case.name.replace(' ', '-')}.valgrind"
    return Case(case.name, [*VALGRIND, f"--log-file={log}", *case.command], case.asks, environ={"PYTHONHASHSEED": "0"})


def _count(case: Case) -> float:
    """Millions of instructions that the run wrote down."""
    log = next(word for word in case.command if word.startswith("--log-file=")).partition("=")[2]
    found = re.search(r"I +refs: +([\d,]+)", Path(log).read_text())
    assert found is not None
    return int(found[1].replace(",", "")) / 1e6


def _raise(figures: dict[str, float], name: str, value: float) -> None:
    figures[name] = max(value, figures.get(name, value))


def stream(kind: str, tokens: int) -> str:
    """What the renderer writes while an answer streams."""
    from glmcli.render.markdown import StreamingMarkdown, preload

    preload()
    written: list[str] = []
    now = 0.0
    markdown = StreamingMarkdown(
        written.append, width=lambda: WIDTH, height=lambda: HEIGHT, color=True, clock=lambda: now
    )
    for piece in answers.pieces(kind, tokens):
        markdown.feed(piece)
        now += 1 / TOKENS_PER_SECOND
    markdown.finish()
    return "".join(written)


def whole(kind: str, tokens: int) -> str:
    """One complete print."""
    from glmcli.render.markdown import print_markdown

    written: list[str] = []
    make, _ = answers.KINDS[kind]
    print_markdown(make(tokens), written.append, width=WIDTH, color=True)
    return "".join(written)


if __name__ == "__main__":
    act = {"stream": stream, "print": whole}[sys.argv[1]]
    sys.stdout.write(act(sys.argv[2], int(sys.argv[3])))

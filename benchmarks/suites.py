"""What is measured on whole processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import peers
import secretservice
from running import CURL, GLM, PASS, PYTHON, Bench, Case, Outcome, Plan, Sample, clients, floors, others, table

CHUNKS = 50_000
LAG_WORDS = 240
MEGABYTE = 1_000_000
KEYRING = """
from keyring.backend import KeyringBackend
class Keyring(KeyringBackend):
    priority = 1
    def get_password(self, service, username): return %r
    def set_password(self, service, username, password): pass
    def delete_password(self, service, username): pass
"""
REAL_KEYRING = "key from Secret Service"
#: What every command that calls stands on; httpcore is what httpx imports for its first connection.
LIBRARIES = "import gc; gc.disable(); import typer, httpx, httpcore, os; os._exit(0)"


def start(bench: Bench, plan: Plan) -> Outcome:
    """Commands that ask nobody."""
    cases = [
        Case(PASS, [PYTHON, "-c", "pass"]),
        Case("glm --version", [GLM, "--version"]),
        Case("glm --help", [GLM, "--help"]),
        Case("glm chat --help", [GLM, "chat", "--help"]),
        Case("glm --complete", [GLM, "--complete", "bash", "chat", "--s"]),
    ]
    bench.run(cases, plan.rounds)
    figures = {case.name: case.ratio(_wall, cases[0]) for case in cases[1:]}
    return Outcome({"start": table(cases, {"wall ms": _wall}, cases[0])}, figures)


def request(bench: Bench, plan: Plan) -> Outcome:
    """From spawn to the last byte of the request, and the peak of memory."""
    prompt = "bench:hello"
    chat = Case("glm chat, key from environment", [GLM, "chat", prompt], asks=True)
    keys = _stored_keys(bench)
    peer_cases = others(bench, plan, prompt)
    libraries = Case("typer and httpx, imported", [PYTHON, "-c", LIBRARIES])
    stream = Case("glm stream", [GLM, "stream", prompt], asks=True)
    cases = [*floors(bench, prompt), libraries, chat, stream, *keys]
    if "tls" in bench.origins:
        trusted = {"SSL_CERT_FILE": str(bench.certificate)}
        cases.append(Case("glm chat, TLS", [GLM, "chat", prompt], asks=True, environ=trusted, server="tls"))
    cases += peer_cases
    bench.run(cases, plan.rounds)
    bare = cases[0]
    for sample in bare.samples:
        sample.memory = _bare_memory()
    for sample in libraries.samples:
        sample.request = sample.wall
    figures = {"request / pass": chat.ratio(_request, bare, _wall), "memory / pass": chat.ratio(_memory, bare)}
    for case in peer_cases:
        figures[f"request / {case.name}"] = chat.ratio(_request, case)
        figures[f"memory / {case.name}"] = chat.ratio(_memory, case)
    if real := [case for case in keys if REAL_KEYRING in case.name]:
        figures["keyring more / pass"] = real[0].more(_request, chat) / bare.median(_wall)
    timed = table(cases, {"spawn to request ms": _request}, bare, _wall)
    memory = table([case for case in cases if case.name != CURL], {"peak MiB": _memory}, bare)
    return Outcome({"request": timed, "memory": memory}, figures)


def _bare_memory() -> float:
    """Peak of a bare interpreter in MiB, by its own account: the system's counts its parent before exec."""
    if not Path("/proc/self/status").exists():
        return float("nan")
    status = subprocess.run(
        [PYTHON, "-c", "import sys; sys.stdout.write(open('/proc/self/status').read())"], capture_output=True, text=True
    ).stdout
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _stored_keys(bench: Bench) -> list[Case]:
    (bench.folder / "benchkeyring.py").write_text(KEYRING % peers.KEY)
    stand_in = {"PYTHONPATH": str(bench.folder)}
    cases = [
        _stored_key(bench, "key from file", "file", None, {}),
        _stored_key(bench, "key from stand-in keyring", "keyring", "benchkeyring.Keyring", stand_in),
    ]
    if (session := secretservice.start(bench.stack, bench.folder, "bench", peers.KEY)) is not None:
        cases.append(_stored_key(bench, REAL_KEYRING, "keyring", secretservice.BACKEND, session))
    return cases


def _stored_key(bench: Bench, name: str, kind: str, backend: str | None, environ: dict[str, str]) -> Case:
    home = bench.folder / f"glm, {name}"
    home.mkdir(mode=0o700)
    profile = '[profiles.bench]\nprovider = "zai"\nkey = "' + kind + '"\n'
    if backend:
        profile += f'keyring_backend = "{backend}"\n'
    else:
        (home / "credentials.toml").write_text(f'version = 1\n\n[keys]\nbench = "{peers.KEY}"\n')
    (home / "config.toml").write_text(f"version = 1\n\n{profile}")
    for file in home.iterdir():
        file.chmod(0o600)
    environ = {**environ, "GLM_HOME": str(home), "ZAI_API_KEY": "", "GLM_PROFILE": "bench"}
    return Case(f"glm chat, {name}", [GLM, "chat", "bench:hello"], asks=True, environ=environ)


def text(bench: Bench, plan: Plan) -> Outcome:
    """The server thinks for 150 ms; then from its first byte of text to the screen, from its last byte to the exit."""
    tables = {}
    figures: dict[str, float] = {}
    for where, on_terminal in (("pipe", False), ("terminal", True)):
        prompt = "bench:think"
        cases = [*floors(bench, prompt)[1:], *clients(bench, prompt), *others(bench, plan, prompt)]
        for case in cases:
            case.on_terminal = on_terminal
        bench.run(cases, plan.rounds)
        columns = {f"{where}: text ms": _text, "last byte to exit ms": _exit}
        tables[f"text-{where}"] = table(cases, columns, cases[0])
        chat = next(case for case in cases if case.name == "glm chat")
        figures[f"text / floor, {where}"] = chat.ratio(_text, cases[0])
        figures[f"exit / floor, {where}"] = chat.ratio(_exit, cases[0])
    return Outcome(tables, figures)


def lag(bench: Bench, plan: Plan) -> Outcome:
    """From the server's write of a word to its appearance, 80 words a second: all words of all rounds together."""
    tables = {}
    for where, on_terminal in (("pipe", False), ("terminal", True)):
        prompt = f"bench:lag={LAG_WORDS}"
        cases = [*floors(bench, prompt)[1:], *clients(bench, prompt), *others(bench, plan, prompt)]
        for case in cases:
            case.on_terminal = on_terminal
        bench.run(cases, plan.few)
        lines = [f"| {where} | median ms | p99 ms | longest ms |", "|---|---:|---:|---:|"]
        for case in cases:
            lags = sorted(value for sample in case.samples for value in sample.lags)
            shown = (lags[len(lags) // 2], lags[len(lags) * 99 // 100], lags[-1])
            lines.append(f"| {case.name} | " + " | ".join(f"{value:.1f}" for value in shown) + " |")
        tables[f"lag-{where}"] = "\n".join(lines)
    return Outcome(tables)


def chunks(bench: Bench, plan: Plan) -> Outcome:
    """CPU per chunk of a long answer into a pipe, and what it adds to the memory."""
    long, short = (
        [*floors(bench, prompt)[1:], *clients(bench, prompt), *others(bench, plan, prompt)]
        for prompt in (f"bench:chunks={CHUNKS}", "bench:hello")
    )
    bench.run([case for pair in zip(long, short, strict=True) for case in pair], plan.few)
    lines = ["| | us CPU per chunk | x | MiB more |", "|---|---:|---:|---:|"]
    figures: dict[str, float] = {}
    floor = long[0].more(_cpu, short[0])
    for case, brief in zip(long, short, strict=True):
        cost, more = case.more(_cpu, brief), case.more(_memory, brief)
        lines.append(f"| {case.name} | {cost * 1000 / CHUNKS:.2f} | {cost / floor:.2f} | {more:.1f} |")
        figures |= {f"chunk / floor, {case.name}": cost / floor, f"memory of chunks, {case.name}": more}
    return Outcome({"chunks": "\n".join(lines)}, figures)


def upload(bench: Bench, plan: Plan) -> Outcome:
    """A video as base64 text; curl sends a file of the same length. 200 MB is what the service takes at most."""
    tables = {}
    figures: dict[str, float] = {}
    for megabytes in (50, 200):
        hello, *cases = _uploads(bench, plan, megabytes * MEGABYTE)
        bench.run([hello, *cases], plan.few)
        columns = {"wall ms": _wall, "peak MiB": _memory}
        tables[f"upload-{megabytes}"] = table([hello, *cases], columns, cases[0])
        chat = next(case for case in cases if case.name == "glm chat -a")
        figures[f"upload {megabytes}, memory more"] = chat.more(_memory, hello)
        for case in cases:
            figures[f"upload {megabytes} / {case.name}"] = chat.ratio(_wall, case)
    return Outcome(tables, figures)


def _uploads(bench: Bench, plan: Plan, size: int) -> list[Case]:
    """A question without a video, then the clients that send one."""
    video, body = bench.folder / f"{size}.mp4", bench.folder / f"{size}.json"
    video.write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41")
    body.touch()
    os.truncate(video, size)  # not made here: the memory of this process would be counted with its children's
    os.truncate(body, size * 4 // 3)
    base = f"{bench.origins['plain']}/api/paas/v4"
    cases = [Case("glm chat hi", [GLM, "chat", "--no-log", "bench:hello"], asks=True)]
    if curl := shutil.which("curl"):
        send = [curl, "-sN", "-H", "Expect:", "--data-binary", f"@{body}", f"{base}/chat/completions"]
        cases.append(Case("curl --data-binary", send, asks=True))
    attach = [GLM, "chat", "--no-log", "-m", "glm-4.6v", "-a", str(video), "bench:hello"]
    cases.append(Case("glm chat -a", attach, asks=True))
    if "zai-sdk" in plan.peers:
        words = [base, peers.KEY, "bench:hello", str(video)]
        python = str(plan.peers["zai-sdk"] / "python")
        cases.append(Case("zai-sdk", [python, "-c", peers.ZAI_UPLOAD, *words], asks=True))
    return cases


def _wall(sample: Sample) -> float:
    return sample.wall


def _cpu(sample: Sample) -> float:
    return sample.cpu


def _memory(sample: Sample) -> float:
    return sample.memory


def _request(sample: Sample) -> float:
    return sample.request


def _text(sample: Sample) -> float:
    return sample.text


def _exit(sample: Sample) -> float:
    return sample.exit

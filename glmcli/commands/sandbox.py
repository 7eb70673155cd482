"""`glm sandbox`: the embedded imitation of the service, for any client on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.api.endpoints import VENDOR_PROVIDERS, Region, is_loopback
from glmcli.commands.options import context_of, examples, group_app
from glmcli.context import AppContext
from glmcli.errors import GlmError, UsageError

if TYPE_CHECKING:
    from threading import Event

    from glmcli.sandbox.exchange import Request, Response

app = group_app("Run the embedded imitation of the service.")


class ServedRegion(StrEnum):
    """Whose keys are good."""

    INTL = Region.INTL.value
    CN = Region.CN.value


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where to listen, and how to behave. `pace_seconds` comes before each piece of a stream."""

    host: str = "127.0.0.1"
    port: int = 0
    region: str | None = None
    fault: str | None = None
    pace_seconds: float = 0.0
    lenient: bool = False


@app.command(
    "serve",
    epilog=examples(
        "glm sandbox serve --port 8765",
        "glm sandbox serve --json --port 0",
        "glm sandbox serve --fault 1302x2 --pace 0.02",
    ),
)
def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", help="Listen on this loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Listen on this port; 0 takes a free one.", max=65535, min=0)] = 0,
    region: Annotated[
        ServedRegion | None,
        typer.Option("--region", help="Refuse the keys of the other region: intl or cn.", show_default=False),
    ] = None,
    fault: Annotated[
        str | None,
        typer.Option("--fault", help="Answer every request with this fault.", metavar="NAME", show_default=False),
    ] = None,
    pace: Annotated[
        float, typer.Option("--pace", help="Pause before each piece of a stream.", metavar="SECONDS", min=0)
    ] = 0.0,
    lenient: Annotated[bool, typer.Option("--lenient", help="Ignore unknown fields of a chat request.")] = False,
) -> None:
    """Serve the sandbox on a loopback address until Ctrl-C."""
    if not is_loopback(host):
        raise UsageError(f"{host} is not an address of this machine", hint="use --host 127.0.0.1, or leave it out")
    run_serve(context_of(ctx), ServeOptions(host, port, region.value if region else None, fault, pace, lenient))


def run_serve(app: AppContext, options: ServeOptions) -> None:
    """Listen, say where, and wait for Ctrl-C or SIGTERM. Raises GlmError when the port is taken."""
    from glmcli.sandbox.app import Sandbox
    from glmcli.sandbox.serve import Server

    if options.fault is not None:
        _check_fault(options.fault)
    sandbox = Sandbox(
        region=options.region,
        fault=options.fault,
        pace_seconds=options.pace_seconds,
        lenient=options.lenient,
        watch=_logger(app) if app.options.verbose else None,
    )
    try:
        server = Server(sandbox, options.host, options.port)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise GlmError(
            f"cannot listen on {options.host} port {options.port}: {reason}", hint="use --port 0 for a free port"
        ) from error
    with _end_signal() as ended, server:
        _announce(app, server.address, sandbox.keys)
        ended.wait()


def _check_fault(name: str) -> None:
    from glmcli.sandbox.exchange import Refusal
    from glmcli.sandbox.faults import parse

    try:
        parse(name)
    except Refusal:
        raise UsageError(f"the sandbox knows no fault {name!r}", hint="see glm sandbox faults") from None


def _logger(app: AppContext) -> Callable[[Request, Response], None]:
    def log(request: Request, response: Response) -> None:
        app.streams.complain(f"{request.method} {request.path} {response.status}")

    return log


@contextmanager
def _end_signal() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set: the asked-for end of a server is no failure."""
    import signal
    from threading import Event, current_thread, main_thread

    event = Event()
    if current_thread() is not main_thread():
        yield event
        return
    before = {number: signal.signal(number, lambda *_: event.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(app: AppContext, address: str, keys: dict[str, str]) -> None:
    if app.options.json:
        app.streams.write_json({"address": address, "keys": keys})
        return
    key = next(keys[name] for name in VENDOR_PROVIDERS if name in keys)
    lines = (
        f"# The sandbox listens at {address} until Ctrl-C. Set one of these groups in another shell.",
        "# glm",
        *(f"export {name}={address}" for name in ("GLM_ORIGIN_INTL", "GLM_ORIGIN_CN")),
        *(f"export {variable}={keys[name]}" for name, variable in _VARIABLES if name in keys),
        "# OpenAI clients",
        f"export OPENAI_BASE_URL={address}/api/paas/v4 OPENAI_API_KEY={key}",
        "# Anthropic clients",
        f"export ANTHROPIC_BASE_URL={address}/api/anthropic ANTHROPIC_AUTH_TOKEN={key}",
        "# Keys in trouble",
        *(f"#   {name:<22} {keys[name]}" for name in keys if name not in VENDOR_PROVIDERS),
    )
    app.streams.write("".join(f"{line}\n" for line in lines))


_VARIABLES = (
    ("zai", "ZAI_API_KEY"),
    ("zai-coding", "ZAI_CODING_API_KEY"),
    ("zhipu", "ZHIPU_API_KEY"),
    ("zhipu-coding", "ZHIPU_CODING_API_KEY"),
)


@app.command("faults", epilog=examples("glm sandbox faults", 'glm --provider sandbox chat "fault:1302x2 hello"'))
def faults(ctx: typer.Context) -> None:
    """List the faults that the sandbox can play."""
    run_faults(context_of(ctx))


def run_faults(app: AppContext) -> None:
    """Write name and meaning, one per line; with `--json` one array."""
    from glmcli.sandbox.faults import NAMES

    if app.options.json:
        app.streams.write_json([{"name": name, "meaning": meaning} for name, meaning in NAMES.items()])
        return
    width = max(map(len, NAMES))
    app.streams.write("".join(f"{name:<{width}}  {meaning}\n" for name, meaning in NAMES.items()))
    app.streams.note("add xN to fail N times and then pass, +retry-after for the header: 1302+retry-afterx2")

"""`glm exec`: runs a program with the variables set, so that no key is written anywhere."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from glmcli.api.clientenv import ClientEnvironment, Dialect, client_bases, client_environment
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import CommandNotFound, ConfigError, DryRun, NotExecutable, UsageError
from glmcli.streams import Streams

if TYPE_CHECKING:
    import subprocess

app = command_app()


@dataclass(frozen=True, slots=True)
class ExecOptions:
    """A program with its arguments, and which variables it gets."""

    command: tuple[str, ...]
    dialect: Dialect = Dialect.ALL


@app.command(
    context_settings={"allow_interspersed_args": False},
    epilog=examples(
        "glm exec -- claude",
        "glm exec -p work -- python app.py",
        "glm exec --for mcp -- npx -y @z_ai/mcp-server",
        "glm exec -- sh -c 'curl $OPENAI_BASE_URL/models -H \"Authorization: Bearer $OPENAI_API_KEY\"'",
    ),
)
def exec_(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND...", show_default=False, help="The program to run.")
    ] = None,
    dialect: Annotated[
        Dialect,
        typer.Option("--for", help="Set the variables of these clients: all, openai, anthropic, zai or mcp."),
    ] = Dialect.ALL,
) -> int:
    """Run a program with the variables that it needs."""
    return run(context_of(ctx), ExecOptions(tuple(command or ()), dialect))


def run(app: AppContext, options: ExecOptions) -> int:
    """Become the program; the exit code of a child where that is impossible.

    Raises UsageError without a program, CommandNotFound (127) and NotExecutable (126).
    """
    if not options.command:
        raise UsageError("which program?", hint="glm exec -- claude")
    if app.options.dry_run:
        raise DryRun(_shown(app, options))
    program = find_program(options.command[0], app.environ.get("PATH", os.defpath), cwd=app.cwd)
    client_bases(app.target)  # a provider without an address is told before a key is looked for
    environ = _environment(app, options, app.key().reveal()).over(app.environ)
    if Path(program).stem == "claude" and options.dialect in (Dialect.ALL, Dialect.ANTHROPIC):
        _check_claude_settings(app, environ)
    if os.name == "posix" and _is_ours(app.streams):
        _become(program, options.command, environ, app.cwd)
    return _run_child(program, options.command, environ, app)


def find_program(name: str, path: str, *, cwd: Path) -> str:
    """The file that a shell would run. Raises CommandNotFound or NotExecutable."""
    if os.path.dirname(name):  # noqa: PTH120  # "./app" and "app" differ, and Path makes them one
        candidate = cwd / name
        if not candidate.exists():
            raise CommandNotFound(f"no such file: {name}")
        if candidate.is_dir() or not os.access(candidate, os.X_OK):
            raise NotExecutable(f"{name} cannot be executed", hint=f"make it executable: chmod +x {name}")
        return str(candidate)
    found = shutil.which(name, path=path)
    if found is None:
        raise CommandNotFound(f"command not found: {name}", hint="is it installed and on PATH?")
    return found


def _environment(app: AppContext, options: ExecOptions, key: str) -> ClientEnvironment:
    return client_environment(app.target, key, dialect=options.dialect, auth=app.settings.auth.value)


def _shown(app: AppContext, options: ExecOptions) -> str:
    """The same as a command of a shell, with the key as a variable."""
    key = f"${app.options.key_env or app.target.provider.own_variable}"
    environment = _environment(app, options, key)
    removals = [f"-u {name}" for name in environment.unset]
    settings = [
        f'{name}="{key}"' if value == key else f"{name}={shlex.quote(value)}"
        for name, value in environment.variables.items()
    ]
    return " ".join(["env", *removals, *settings, shlex.join(options.command)])


def _check_claude_settings(app: AppContext, environ: Mapping[str, str]) -> None:
    """Say that Claude Code's own settings win over the variables of its environment.

    Raises ConfigError where they would send this key to another service.
    """
    from glmcli.connecting import place_of
    from glmcli.integrations.claude_code import CLAUDE_CODE
    from glmcli.integrations.detect import detect_tool

    state = detect_tool(CLAUDE_CODE, place_of(app))
    if not state.base_url or state.base_url == environ.get("ANTHROPIC_BASE_URL"):
        return
    told = f"{state.path} sends Claude Code to {state.base_url}, whatever the variables say"
    if state.status == "other service" and state.key is None:
        raise ConfigError(f"{told}, and this key with it", hint="set it up for this service: glm connect claude-code")
    app.streams.note(f"{told}; to change the file: glm connect claude-code")


def _is_ours(streams: Streams) -> bool:
    """Whether our streams are the process's own, so that a program may take its place.

    Within another program (a test, an embedding) the process is not ours to give away.
    """
    try:
        return [stream.fileno() for stream in (streams.stdin, streams.stdout, streams.stderr)] == [0, 1, 2]
    except (OSError, ValueError, AttributeError):
        return False


def _become(program: str, command: Sequence[str], environ: Mapping[str, str], cwd: Path) -> NoReturn:
    """Replace this process: terminal, signals and exit code are then the program's own."""
    import signal

    # Python ignores it, and what is ignored stays so across exec: `| head` would never end the program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.chdir(cwd)
    try:
        os.execve(program, list(command), dict(environ))  # noqa: S606  # the purpose
    except OSError as error:
        raise _failed(command[0], error) from error


def _run_child(program: str, command: Sequence[str], environ: Mapping[str, str], app: AppContext) -> int:
    """Run the program as a child and pass its streams and exit code on."""
    import subprocess

    is_ours = _is_ours(app.streams)
    pipe = None if is_ours else subprocess.PIPE
    try:
        child = subprocess.Popen(  # noqa: S603  # running the user's command is the purpose
            [program, *command[1:]], env=dict(environ), cwd=app.cwd, stdin=pipe, stdout=pipe, stderr=pipe
        )
    except OSError as error:
        raise _failed(command[0], error) from error
    if not is_ours:
        out, err = child.communicate(app.streams.stdin.read())
        app.streams.write_bytes(out)
        app.streams.stderr.write(err)
    return _wait(child)


def _wait(child: subprocess.Popen[bytes]) -> int:
    """The child's exit code. Ctrl-C reaches the child too, and it decides what to do."""
    while True:
        try:
            return _exit_code(child.wait())
        except KeyboardInterrupt:
            continue


def _exit_code(returned: int) -> int:
    """What a shell reports: 128 and the signal for a child that a signal ended."""
    return returned if returned >= 0 else 128 - returned


def _failed(name: str, error: OSError) -> NotExecutable:
    return NotExecutable(
        f"{name} cannot be executed: {error.strerror or error}", hint="a script needs a first line like #!/bin/sh"
    )

"""`glm env`: the variables that other clients need, as lines for a shell."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from glmcli.api.clientenv import ClientEnvironment, Dialect, client_bases, client_environment, client_variable_names
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import UsageError

app = command_app()


class Shell(StrEnum):
    """A shell whose way of setting variables we know; `sh` stands for all of its family."""

    SH = "sh"
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


For = Annotated[
    Dialect, typer.Option("--for", help="Set the variables of these clients: all, openai, anthropic, zai or mcp.")
]


@dataclass(frozen=True, slots=True)
class EnvOptions:
    """Which variables, for which shell, and whether a person may read the key."""

    dialect: Dialect = Dialect.ALL
    shell: Shell | None = None
    reveal: bool = False
    unset: bool = False
    key_only: bool = False


@app.command(
    epilog=examples(
        'eval "$(glm env)"',
        "glm env --for anthropic --shell fish | source",
        'eval "$(glm env --unset)"',
        "glm env --for mcp --json | jq .Z_AI_MODE",
    )
)
def env(
    ctx: typer.Context,
    dialect: For = Dialect.ALL,
    shell: Annotated[
        Shell | None, typer.Option("--shell", show_default=False, help="Write for this shell; else for yours.")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the key although a terminal is watching.")] = False,
    unset: Annotated[bool, typer.Option("--unset", help="Write lines that take the variables away.")] = False,
    key_only: Annotated[bool, typer.Option("--key-only", help="Print the key alone, for tools that ask.")] = False,
) -> None:
    """Print the variables that other clients need."""
    if unset and key_only:
        raise UsageError("--unset and --key-only exclude each other")
    run(context_of(ctx), EnvOptions(dialect, shell, reveal, unset, key_only))


def run(app: AppContext, options: EnvOptions) -> None:
    """Write the lines, or one JSON object. Raises UsageError rather than show a key on a terminal."""
    shell = options.shell or detect_shell(app.environ, os_name=os.name)
    if options.unset:
        _write_unset(app, options, shell)
        return
    if app.streams.stdout_is_tty and not options.reveal:
        raise UsageError("refusing to print a key to a terminal", hint=_instead(options, shell))
    client_bases(app.target)  # a provider without an address is told before a key is looked for
    if app.options.dry_run:
        _write_names(app, options)
        return
    key = app.key().reveal()
    if options.key_only:
        app.streams.write(key + "\n")
        return
    environment = client_environment(app.target, key, dialect=options.dialect, auth=app.settings.auth.value)
    if app.options.json:
        app.streams.write_json(dict(environment.variables))
    else:
        app.streams.write(export_lines(environment, shell))


def _write_names(app: AppContext, options: EnvOptions) -> None:
    """What would be set, without a value: a dry run shows no key."""
    names = client_variable_names(app.target.provider, options.dialect)
    variable = app.options.key_env or app.target.provider.own_variable or "GLM_API_KEY"
    app.streams.note(f"dry run: {', '.join(names)} would be set, with the key as in ${variable}")


def _write_unset(app: AppContext, options: EnvOptions, shell: Shell) -> None:
    names = client_variable_names(app.target.provider, options.dialect)
    if app.options.json:
        app.streams.write_json(list(names))
    else:
        app.streams.write("".join(_unset_line(name, shell) for name in names))


def _instead(options: EnvOptions, shell: Shell) -> str:
    words = ["glm env", *([f"--for {options.dialect}"] if options.dialect is not Dialect.ALL else [])]
    if options.key_only:
        return "--reveal shows it all the same: glm env --key-only --reveal"
    command = " ".join(words)
    applied = {
        Shell.FISH: f"{command} | source",
        Shell.POWERSHELL: f"{command} | Out-String | Invoke-Expression",
    }.get(shell, f'eval "$({command})"')
    return f"{applied}   sets the variables in this shell; --reveal prints them all the same"


def detect_shell(environ: Mapping[str, str], *, os_name: str) -> Shell:
    """The shell that most likely reads our lines: that of `SHELL`, PowerShell on Windows."""
    name = re.split(r"[/\\]", environ.get("SHELL", ""))[-1].removesuffix(".exe").lstrip("-")
    if name in ("fish", "zsh", "bash"):
        return Shell(name)
    if name in ("pwsh", "powershell"):
        return Shell.POWERSHELL
    if not name and (os_name == "nt" or "PSModulePath" in environ):
        return Shell.POWERSHELL
    return Shell.SH


def export_lines(environment: ClientEnvironment, shell: Shell) -> str:
    """Lines that set the variables, and take away those that would win over them."""
    unset = "".join(_unset_line(name, shell) for name in environment.unset)
    return unset + "".join(_export_line(name, value, shell) for name, value in environment.variables.items())


def _export_line(name: str, value: str, shell: Shell) -> str:
    if shell is Shell.FISH:
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {name} '{escaped}'\n"
    if shell is Shell.POWERSHELL:
        # PowerShell takes typographic quotes for quotes as well.
        escaped = re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", value)
        return f"$env:{name} = '{escaped}'\n"
    return f"export {name}={shlex.quote(value)}\n"


def _unset_line(name: str, shell: Shell) -> str:
    if shell is Shell.FISH:
        return f"set -e {name}\n"
    if shell is Shell.POWERSHELL:
        return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue\n"
    return f"unset {name}\n"

"""The root command: finds one command module, feeds it the global options, tells failures.

This is the only place where errors are caught and become exit codes.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer
from typer._click.core import Command, Context, Parameter
from typer._click.exceptions import NoArgsIsHelpError
from typer._click.types import FloatRange, IntRange
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from glmcli import __version__
from glmcli.config.model import GlobalOptions
from glmcli.context import AppContext
from glmcli.errors import DryRun, ExitCode, GlmError, ServiceError, UsageError
from glmcli.registry import COMMANDS, GLOBAL_OPTIONS, GlobalOption, front_page, near
from glmcli.streams import Streams

if TYPE_CHECKING:
    from typer._click.types import ParamType

#: Of Python's own 700, an import of the HTTP client alone would make a hundred; this many take about 5 MB.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000
#: Last line of every help page.
_MORE = "Global options (--json, -p, --provider, --timeout, ...): glm --help"


def run(
    argv: Sequence[str],
    *,
    streams: Streams | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> int:
    """Run one command in this process and return its exit code; never raises a failure.

    What is not given is taken from the process.
    """
    environ = dict(os.environ) if environ is None else environ
    streams = streams or Streams(environ=environ)
    app = AppContext(options=GlobalOptions(), streams=streams, environ=environ, cwd=cwd)
    try:
        return _run(argv, app)
    finally:
        app.close()


def _run(argv: Sequence[str], app: AppContext, *, is_second: bool = False) -> int:
    """Run it in a context; `is_second` says that another try was made, and no third is offered."""
    try:
        return _dispatch(_words(argv), app)
    except typer.Exit as stop:
        return stop.exit_code
    except BrokenPipeError:
        return ExitCode.OK  # the reader had enough, as `| head` does
    except (typer.Abort, EOFError):
        return _fail(KeyboardInterrupt(), argv, app)
    except ServiceError as error:
        return _refused(error, argv, app, is_second=is_second)
    except (Exception, KeyboardInterrupt) as error:
        return _fail(error, argv, app)


def _words(argv: Sequence[str]) -> list[str]:
    """The arguments, with `glm help chat` read as `glm chat --help`."""
    if argv and argv[0] == "help":
        return [*argv[1:], "--help"]
    return list(argv)


def _dispatch(argv: list[str], app: AppContext) -> int:
    if not argv:
        app.streams.write(front_page())
        _greet(app)
        return ExitCode.OK
    root = RootGroup()
    try:
        with root.make_context("glm", argv, obj=app) as context:
            result = root.invoke(context)
    except NoArgsIsHelpError as error:
        app.streams.write(help_page(error.ctx))
        return ExitCode.OK
    except DryRun as dry:
        app.streams.write_line(dry.command)
        return ExitCode.OK
    return result if isinstance(result, int) else ExitCode.OK


def _fail(error: BaseException, argv: Sequence[str], app: AppContext) -> int:
    from glmcli import failure

    told, prefix = failure.expected(error, _command_in(argv))
    secrets = app.secrets()
    if app.options.verbose > 1 and not isinstance(error, GlmError):
        app.streams.complain(failure.trace(error, secrets))
    # The option may stand behind the word that could not be parsed.
    as_json = app.options.json or "--json" in _before_dashes(argv)
    failure.tell(told, app.streams, as_json=as_json, prefix=prefix, secrets=secrets)
    return told.exit_code


def _refused(error: ServiceError, argv: Sequence[str], app: AppContext, *, is_second: bool) -> int:
    """Tell a refusal with the way out of it, and at a terminal offer to take that way."""
    from glmcli.remedy import diagnose_failure, offer

    try:
        remedy = diagnose_failure(app, error)
    except KeyboardInterrupt:
        remedy = None
    code = _fail(error, argv, app)
    if remedy is None or is_second:
        return code
    second = offer(app, remedy, lambda again: _run(argv, again, is_second=True))
    return code if second is None else second


def _command_in(argv: Sequence[str]) -> str:
    return next((f"glm {word}" for word in argv if word in COMMANDS), "glm")


def _before_dashes(argv: Sequence[str]) -> Sequence[str]:
    return argv[: argv.index("--")] if "--" in argv else argv


def _greet(app: AppContext) -> None:
    """Show someone who has neither profile nor key the two ways to begin."""
    if not app.streams.stdout_is_tty:
        return
    from glmcli.api.endpoints import PROVIDERS
    from glmcli.config.paths import find_paths

    variables = {
        name
        for provider in PROVIDERS.values()
        for name in (provider.own_variable, *provider.fallback_variables)
        if name
    }
    if not variables & set(app.environ) and not find_paths(app.environ).config_file.exists():
        app.streams.note('\nBegin with: glm onboard   (or without a key: glm --provider sandbox chat "hello")')


# -- the tree of commands ----------------------------------------------------


class RootGroup(TyperGroup):
    """`glm` itself: knows every name, loads the one command that is asked for."""

    def __init__(self) -> None:
        super().__init__(name="glm", rich_markup_mode=None, add_help_option=False)
        _add_global_options(self)

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        command = self.get_command(ctx, args[0])
        if command is None:
            meant = near(args[0])
            hint = f"did you mean glm {meant}?" if meant else "see glm --help"
            raise UsageError(f"no such command: {args[0]}", hint=hint)
        return args[0], command, args[1:]


def load(name: str) -> Command:
    """The command of that name, equipped with the global options. Imports its module."""
    app = import_module(f"glmcli.commands.{COMMANDS[name].module}").app
    command = get_command(cast(typer.Typer, app))
    command.name = name
    _equip(command)
    if not gc.isenabled():  # switched off by `__main__`; more imports follow, so it comes back with patience
        gc.freeze()
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        gc.enable()
    return command


def subcommands(command: Command) -> Mapping[str, Command]:
    """The commands below a group; nothing below a plain command."""
    return command.commands if isinstance(command, TyperGroup) else {}


def _equip(command: Command) -> None:
    _add_global_options(command)
    for parameter in command.params:
        _name_value(parameter)
    for subcommand in subcommands(command).values():
        _equip(subcommand)


def _name_value(parameter: Parameter) -> None:
    """Give a value the name that help shows, independent of Typer's version."""
    if parameter.metavar is not None:
        return
    if isinstance(parameter, TyperArgument):
        parameter.metavar = str(parameter.name).upper() + ("..." if parameter.nargs != 1 else "")
    elif choices := choices_of(parameter):
        parameter.metavar = "|".join(choices)
    else:
        parameter.metavar = _VALUE_NAMES.get(parameter.type.name, "TEXT")


def choices_of(parameter: Parameter) -> list[str]:
    """The words that a parameter accepts; none when it accepts any."""
    return [str(getattr(choice, "value", choice)) for choice in getattr(parameter.type, "choices", ())]


_VALUE_NAMES = {
    "integer": "N",
    "integer range": "N",
    "int": "N",
    "float": "NUMBER",
    "float range": "NUMBER",
    "path": "FILE",
    "file": "FILE",
    "filename": "FILE",
    "directory": "DIRECTORY",
}


# -- global options ----------------------------------------------------------

_HELP = GlobalOption("help", ("-h", "--help"), "Show this page.")
_VERSION = GlobalOption("version", ("--version",), "Show the version.")


def _add_global_options(command: Command) -> None:
    """Add what every command takes; an option of the command's own wins over ours."""
    command.add_help_option = False
    taken = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    for option in (*GLOBAL_OPTIONS, _HELP, _VERSION):
        free = tuple(flag for flag in option.flags if flag not in taken)
        if free:
            command.params.append(_parameter(option, free))


@cache
def _parameter(option: GlobalOption, flags: tuple[str, ...]) -> TyperOption:
    """The parameter for an option, one for all commands: nothing of an invocation is kept in it."""
    # Named apart from the command's own parameters: the parser keys values by name.
    name = "global_" + flags[-1].strip("-").replace("-", "_")
    return TyperOption(param_decls=[name, *flags], expose_value=False, hidden=True, **_how_parsed(option))


def _how_parsed(option: GlobalOption) -> dict[str, Any]:
    if option is _HELP or option is _VERSION:
        return {"is_flag": True, "is_eager": True, "callback": _show_help if option is _HELP else _show_version}
    how: dict[str, Any] = {"callback": _keep(option)}
    if option.metavar is None:
        how["count" if option.kind == "count" else "is_flag"] = True
    else:
        how["type"] = _value_type(option)
    return how


def _value_type(option: GlobalOption) -> ParamType | type[str]:
    if option.kind == "seconds":
        return FloatRange(min=0, min_open=True)
    return IntRange(min=0) if option.kind == "number" else str


def _keep(option: GlobalOption) -> Callable[[Context, Parameter, Any], None]:
    """A callback that writes the value into the invocation's `GlobalOptions`."""

    def keep(context: Context, parameter: Parameter, value: Any) -> None:
        if value is None or context.resilient_parsing:
            return
        if option.choices and value not in option.choices:
            raise typer.BadParameter(
                f"{value!r} is not one of {', '.join(option.choices)}.", ctx=context, param=parameter
            )
        app = cast(AppContext, context.find_root().obj)
        if option.kind == "count":
            value += app.options.verbose
        elif option.kind == "path":
            value = Path(value).expanduser()
        setattr(app.options, option.name, value)
        app.streams.color = app.options.color or "auto"
        app.streams.quiet = app.options.quiet

    return keep


def _show_version(context: Context, parameter: Parameter, value: bool | None) -> None:
    if value:
        _streams(context).write(f"glm {__version__}\n")
        context.exit()


def _show_help(context: Context, parameter: Parameter, value: bool | None) -> None:
    if value:
        _streams(context).write(help_page(context))
        context.exit()


def _streams(context: Context) -> Streams:
    return cast(AppContext, context.find_root().obj).streams


# -- help --------------------------------------------------------------------


def help_page(context: Context) -> str:
    """The help of the command that `context` belongs to, with a final newline."""
    if context.parent is None:
        return front_page()
    from glmcli.help_pages import page_width

    context.terminal_width = page_width(_streams(context).width)
    command, formatter = context.command, context.make_formatter()
    # Typer writes {WORD} around required arguments; everyone else writes WORD.
    pieces = [piece.strip("{}") for piece in command.collect_usage_pieces(context)]
    formatter.write_usage(context.command_path, " ".join(pieces))
    command.format_help_text(context, formatter)
    command.format_options(context, formatter)
    command.format_epilog(context, formatter)
    return f"{formatter.getvalue().rstrip()}\n\n{_MORE}\n"

"""What several commands share: how an app is made, and common parameters.

A command module reads

    app = command_app()

    @app.command(epilog=examples("glm tokenize hello", "glm tokenize -f notes.md"))
    def tokenize(ctx: typer.Context, text: Text = None) -> None:
        '''Count the tokens of a text.'''
        run(context_of(ctx), TokenizeOptions(...))

A group has several functions with `@app.command("name")` and `app = group_app("help line")`.
Global options (`--json`, `-p`, ...) are added to every command by `glmcli.cli`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import typer

if TYPE_CHECKING:
    from glmcli.context import AppContext

Command = TypeVar("Command", bound=Callable[..., Any])


class App(typer.Typer):
    """A Typer app that reads the annotations of a command once."""

    def command(self, *args: Any, **named: Any) -> Callable[[Command], Command]:
        """As `typer.Typer.command`, which compiles the text of every annotation four times on each start."""
        keep = super().command(*args, **named)
        return lambda function: keep(_looked_up(function))


def _looked_up(function: Command) -> Command:
    """The function with annotations that are a single name replaced by what the name stands for."""
    known = function.__globals__
    texts = function.__annotations__
    function.__annotations__ = {name: known.get(text, text) for name, text in texts.items()}
    return function


def command_app() -> App:
    """An app for one command: plain help, no tracebacks of Typer's own."""
    return App(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


def group_app(help: str) -> App:
    """An app for a command with subcommands; alone it shows its help."""
    app = App(
        help=help,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=True,
        subcommand_metavar="COMMAND",
    )

    @app.callback()
    def keep_as_group() -> None:
        pass

    keep_as_group.__doc__ = help
    return app


def examples(*lines: str) -> str:
    """The epilog of a help page; each line is a command that works as it stands.

    `\\b` keeps the lines from being rewrapped.
    """
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def context_of(ctx: typer.Context) -> AppContext:
    """The `AppContext` that `glmcli.cli` put on the root context."""
    return cast("AppContext", ctx.find_root().obj)

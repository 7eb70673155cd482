"""`glm completion SHELL`: the script that teaches a shell our words."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples


class Shell(StrEnum):
    """The shells that we can teach."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


app = command_app()


@app.command(
    epilog=examples(
        "glm completion bash > ~/.local/share/bash-completion/completions/glm",
        'glm completion zsh > "${fpath[1]}/_glm"',
        "glm completion fish > ~/.config/fish/completions/glm.fish",
        "glm completion powershell >> $PROFILE",
    )
)
def completion(
    ctx: typer.Context,
    shell: Annotated[Shell, typer.Argument(help="bash, zsh, fish or powershell.", show_default=False)],
) -> None:
    """Print the completion script of a shell."""
    from glmcli.completion import script

    context_of(ctx).streams.write(script(shell.value))

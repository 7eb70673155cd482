"""What `chat` and `stream` have in common: parameters and the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.asking import ChatOptions
    from glmcli.context import AppContext

Prompt = Annotated[
    list[str] | None,
    typer.Argument(help="The prompt; - reads it from standard input.", metavar="[PROMPT]...", show_default=False),
]
Model = Annotated[str | None, typer.Option("-m", "--model", help="Ask this model (see `glm models`).", metavar="ID")]
System = Annotated[str | None, typer.Option("-s", "--system", help="Set the system message.", metavar="TEXT")]
Temperature = Annotated[float | None, typer.Option(help="Sample with this temperature, 0 to 1.", metavar="X")]
TopP = Annotated[
    float | None, typer.Option("--top-p", help="Sample from this share of likely tokens, 0.01 to 1.", metavar="X")
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", help="Stop after N tokens, thinking included.", metavar="N")
]
Stop = Annotated[
    list[str] | None, typer.Option("--stop", help="Stop before this text (the service takes one).", metavar="TEXT")
]
Think = Annotated[
    str | None, typer.Option("--think", help="Think off, low, medium, high, max or auto.", metavar="LEVEL")
]
ShowThinking = Annotated[
    str | None,
    typer.Option("--thinking", help="Show, hide or print only the thinking (show|hide|only).", metavar="HOW"),
]
JsonMode = Annotated[bool, typer.Option("--json-mode", help="Make the model answer with a JSON object.")]
NoStream = Annotated[bool, typer.Option("--no-stream", help="Ask for the whole answer at once.")]
UserId = Annotated[str | None, typer.Option("--user-id", help="Name the end user, 6 to 128 characters.", metavar="ID")]
RequestId = Annotated[
    str | None, typer.Option("--request-id", help="Give the request an id, 6 to 64 characters.", metavar="ID")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set another request field; the value is JSON or text.", metavar="KEY=VALUE"),
]

TemplateName = Annotated[
    str | None, typer.Option("--template", help="Ask with a template (see `glm template`).", metavar="NAME")
]
Variables = Annotated[
    list[str] | None, typer.Option("--var", help="Give a variable of the template its value.", metavar="NAME=VALUE")
]


def read_question(
    app: AppContext, options: ChatOptions, *, attached: tuple[str, ...] = ()
) -> tuple[ChatOptions, str | None]:
    """The prompt as `read_prompt` finds it, put into the template, and the options with those of the template."""
    is_enough = bool(attached) or options.template is not None
    prompt = read_prompt(app, options.prompt, stdin_is_attached="-" in attached, may_be_empty=is_enough)
    if options.template is None:
        if options.variables:
            raise UsageError("--var needs --template", hint="glm template list")
        return options, prompt
    from glmcli.templates import apply_template

    options, prompt = apply_template(app, options.template, options, prompt, options.variables)
    if not prompt and not attached and not app.streams.stdin_is_tty:
        raise UsageError("the prompt is empty", hint=f"glm chat --template {options.template} < FILE")
    return options, prompt


def read_prompt(
    app: AppContext, words: tuple[str, ...], *, stdin_is_attached: bool = False, may_be_empty: bool = False
) -> str | None:
    """The prompt: arguments, then a blank line, then what is piped in.

    A word `-` asks for standard input even when that is a terminal. None when
    there is a terminal and no prompt (a conversation is wanted). Raises
    UsageError when all there is is empty, unless an attachment speaks for itself.
    """
    streams = app.streams
    argument = " ".join(word for word in words if word != "-")
    piped = "" if stdin_is_attached else _piped(app, words)
    prompt = "\n\n".join(part for part in (argument, piped) if part.strip())
    if prompt or may_be_empty:
        return prompt
    if streams.stdin_is_tty and not words:
        return None
    raise UsageError("the prompt is empty", hint='give it as an argument or pipe it in: glm chat "your question"')


def _piped(app: AppContext, words: tuple[str, ...]) -> str:
    return app.streams.read_stdin() if "-" in words else app.streams.read_piped() or ""

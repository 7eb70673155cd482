"""`glm chat`: one answer for a prompt."""

from __future__ import annotations

import typer

from glmcli.asking import ChatOptions, build_request, thinking_choice
from glmcli.commands.chat_options import (
    JsonMode,
    MaxTokens,
    Model,
    NoStream,
    Prompt,
    RequestId,
    Set,
    ShowThinking,
    Stop,
    System,
    Temperature,
    Think,
    TopP,
    UserId,
    read_prompt,
)
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import UsageError
from glmcli.turn import ask, told

app = command_app()


@app.command(
    epilog=examples(
        'glm chat "why is the sky blue?"',
        'glm chat "explain this" < main.py',
        'glm chat --think low -m glm-5.3 "a limerick about tea" > limerick.txt',
        "glm --provider sandbox chat hello",
    )
)
def chat(
    ctx: typer.Context,
    prompt: Prompt = None,
    model: Model = None,
    system: System = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    stop: Stop = None,
    think: Think = None,
    thinking: ShowThinking = None,
    json_mode: JsonMode = False,
    no_stream: NoStream = False,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Ask a model and read its answer as it comes."""
    options = ChatOptions(
        prompt=tuple(prompt or ()),
        model=model,
        system=system,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=tuple(stop or ()),
        think=think,
        thinking=thinking,
        json_mode=json_mode,
        stream=not no_stream,
        user_id=user_id,
        request_id=request_id,
        assignments=tuple(assignments or ()),
    )
    run(context_of(ctx), options)


def run(app: AppContext, options: ChatOptions) -> None:
    """Answer one prompt: Markdown on a terminal, exact text in a pipe, one document with `--json`."""
    prompt = read_prompt(app, options.prompt)
    if prompt is None:
        raise UsageError("there is no prompt", hint='glm chat "your question", or pipe it in')
    request = build_request(app, options, [{"role": "user", "content": prompt}])
    on_terminal = app.streams.stdout_is_tty and app.streams.stderr_is_tty
    thinking = thinking_choice(app, options.thinking, default="show" if on_terminal else "hide")
    turn = ask(app, request, thinking=thinking, stream=options.stream)
    told(app, turn)

"""`glm stream`: the pipe-first form of a question."""

from __future__ import annotations

import typer

from glmcli.asking import ChatOptions, build_request, thinking_choice
from glmcli.commands.chat_options import (
    JsonMode,
    MaxTokens,
    Model,
    Prompt,
    RequestId,
    Set,
    ShowThinking,
    Stop,
    System,
    Temperature,
    TemplateName,
    Think,
    TopP,
    UserId,
    Variables,
    read_question,
)
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import UsageError
from glmcli.render.answers import AnswerRenderer, JsonLinesRenderer, ReasoningRenderer, TextRenderer
from glmcli.turn import advised, chat_resource, run_turn, told

app = command_app()


@app.command(
    epilog=examples(
        'cat notes.md | glm stream "summarise" > summary.md',
        'git diff | glm stream "write a commit message"',
        "glm stream --json hello | jq -r 'select(.type == \"text\").text'",
    )
)
def stream(
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
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
    template: TemplateName = None,
    variables: Variables = None,
) -> None:
    """Ask a model and pipe the raw answer as it arrives."""
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
        user_id=user_id,
        request_id=request_id,
        assignments=tuple(assignments or ()),
        template=template,
        variables=tuple(variables or ()),
    )
    run(context_of(ctx), options)


def run(app: AppContext, options: ChatOptions) -> None:
    """Write the model's bytes to stdout and nothing else."""
    options, prompt = read_question(app, options)
    if not prompt:
        raise UsageError("there is no prompt", hint='glm stream "your question", or pipe it in')
    request = build_request(app, options, [{"role": "user", "content": prompt}])
    batches = chat_resource(app).stream(request, merge=not app.options.json)
    turn = run_turn(advised(batches, request.model), _renderer(app, options))
    told(app, turn)


def _renderer(app: AppContext, options: ChatOptions) -> AnswerRenderer:
    thinking = thinking_choice(app, options.thinking, default="hide")
    if app.options.json:
        return JsonLinesRenderer(app.streams.write)
    if thinking == "only":
        return ReasoningRenderer(app.streams.write)
    show = app.streams.write_error if thinking == "show" else None
    return TextRenderer(app.streams.write, write_reasoning=show, end_line=False)

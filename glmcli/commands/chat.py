"""`glm chat`: one answer for a prompt, or a conversation."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.asking import ChatOptions, thinking_choice
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
from glmcli.session import Session, SessionSetup
from glmcli.turn import tell_calls, tell_sources, told
from glmcli.values import Value

if TYPE_CHECKING:
    from glmcli.attachments import Attachment
    from glmcli.events import ToolCall
    from glmcli.history.model import Transcript
    from glmcli.toolbox import Toolbox

app = command_app()

Attach = Annotated[
    list[str] | None,
    typer.Option(
        "-a", "--attach", help="Attach a picture, video, document, text or URL; - is standard input.", metavar="FILE"
    ),
]
Continue = Annotated[bool, typer.Option("-c", "--continue", help="Go on with the latest conversation.")]
Resume = Annotated[str | None, typer.Option("--resume", help="Go on with a conversation.", metavar="ID|TITLE")]
Title = Annotated[str | None, typer.Option("--title", help="Give a new conversation this title.", metavar="TEXT")]
NoLog = Annotated[bool, typer.Option("--no-log", help="Keep nothing of this conversation.")]
Copy = Annotated[bool, typer.Option("--copy-attachments", help="Keep copies of attached files with the conversation.")]
Tools = Annotated[
    Path | None, typer.Option("--tools", help="Offer tools: .json prints calls, .py carries them out.", metavar="FILE")
]
Yes = Annotated[bool, typer.Option("--yes", help="Carry out every call without asking.")]
Allow = Annotated[
    list[str] | None, typer.Option("--allow", help="Carry out calls of this tool without asking.", metavar="NAME")
]
MaxRounds = Annotated[int, typer.Option("--max-rounds", help="Stop after N rounds of tool calls.", metavar="N", min=1)]
WebSearch = Annotated[bool, typer.Option("--web-search", help="Let the service search the web; sources go to stderr.")]
SchemaFile = Annotated[
    Path | None, typer.Option("--schema", help="Demand JSON that is valid against this schema.", metavar="FILE")
]


class ConversationOptions(Value):
    """What `chat` knows beyond one question."""

    attach: tuple[str, ...] = ()
    resume: str | None = None
    latest: bool = False
    title: str | None = None
    no_log: bool = False
    copy_attachments: bool = False
    tools: Path | None = None
    yes: bool = False
    allow: tuple[str, ...] = ()
    max_rounds: int = 10
    web_search: bool = False
    schema: Path | None = None


@app.command(
    epilog=examples(
        "glm chat",
        'glm chat "why is the sky blue?"',
        'glm chat "explain this" < main.py',
        'glm chat -a photo.png "what is on the table?"',
        'glm chat -c "and in one sentence?"',
        "git diff | glm chat --template review",
        "glm --provider sandbox chat hello",
    )
)
def chat(
    ctx: typer.Context,
    prompt: Prompt = None,
    model: Model = None,
    system: System = None,
    attach: Attach = None,
    latest: Continue = False,
    resume: Resume = None,
    title: Title = None,
    no_log: NoLog = False,
    copy_attachments: Copy = False,
    think: Think = None,
    thinking: ShowThinking = None,
    tools: Tools = None,
    yes: Yes = False,
    allow: Allow = None,
    max_rounds: MaxRounds = 10,
    web_search: WebSearch = False,
    schema: SchemaFile = None,
    json_mode: JsonMode = False,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    stop: Stop = None,
    no_stream: NoStream = False,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
    template: TemplateName = None,
    variables: Variables = None,
) -> None:
    """Ask a model, or hold a conversation."""
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
        template=template,
        variables=tuple(variables or ()),
    )
    conversation = ConversationOptions(
        attach=tuple(attach or ()),
        resume=resume,
        latest=latest,
        title=title,
        no_log=no_log,
        copy_attachments=copy_attachments,
        tools=tools,
        yes=yes,
        allow=tuple(allow or ()),
        max_rounds=max_rounds,
        web_search=web_search,
        schema=schema,
    )
    run(context_of(ctx), options, conversation)


def run(app: AppContext, options: ChatOptions, conversation: ConversationOptions) -> None:
    """Answer one prompt: Markdown on a terminal, exact text in a pipe, one document with `--json`."""
    with ExitStack() as stack:
        words = conversation.attach
        options, prompt = read_question(app, options, attached=words)
        attachments = [_opened(app, word, stack) for word in words]
        session = Session(app, _setup(app, options, conversation), transcript=_transcript(app, conversation))
        if prompt is None or (not prompt and _is_at_terminal(app) and "-" not in words):
            _converse(session, attachments, conversation)
        elif conversation.schema is not None:
            _answer_with_schema(session, prompt, attachments, conversation.schema)
        else:
            _answer(session, prompt, attachments)


def _is_at_terminal(app: AppContext) -> bool:
    return app.streams.stdin_is_tty and app.streams.stdout_is_tty and not app.options.no_input


def _converse(session: Session, attachments: list[Attachment], conversation: ConversationOptions) -> None:
    """Hold a conversation. Raises UsageError where there can be none."""
    app = session.app
    if not _is_at_terminal(app):
        raise UsageError("there is no prompt", hint='glm chat "your question", or pipe it in')
    for flag, given in (("--json", app.options.json), ("--schema", conversation.schema is not None)):
        if given:
            raise UsageError(f"{flag} needs a prompt", hint=f'glm chat {flag} ... "your question"')
    from glmcli.repl.loop import converse

    converse(session, attachments)


def _opened(app: AppContext, word: str, stack: ExitStack) -> Attachment:
    """An attachment; standard input is put into a file that lives as long as the command."""
    from glmcli.attachments import open_attachment

    if word != "-":
        return open_attachment(word)
    from shutil import copyfileobj

    from glmcli.drafts import scratch_folder

    path = stack.enter_context(scratch_folder(app.environ)) / "stdin"
    with path.open("wb") as file:
        copyfileobj(app.streams.stdin, file)
    return open_attachment(str(path), name="standard input")


def _setup(app: AppContext, options: ChatOptions, conversation: ConversationOptions) -> SessionSetup:
    on_terminal = app.streams.stdout_is_tty and app.streams.stderr_is_tty
    toolbox = _toolbox(app, conversation)
    return SessionSetup(
        options=options,
        thinking=thinking_choice(app, options.thinking, default="show" if on_terminal else "hide"),
        toolbox=toolbox,
        may_run=lambda call: _is_allowed(app, conversation, call),
        max_rounds=conversation.max_rounds,
        web_search=conversation.web_search,
        log=not conversation.no_log,
        title=conversation.title,
        copy_attachments=conversation.copy_attachments,
        # One document for the whole exchange, not one for each round of tools.
        shown=conversation.schema is None and not app.options.json,
    )


def _toolbox(app: AppContext, conversation: ConversationOptions) -> Toolbox | None:
    if conversation.tools is None:
        return None
    from glmcli.toolbox import load_toolbox

    toolbox = load_toolbox(conversation.tools)
    unasked = set(toolbox.functions) - set(conversation.allow)
    if toolbox.can_run and unasked and not conversation.yes and not app.prompter.can_ask:
        raise UsageError(
            f"nobody can be asked before {', '.join(sorted(unasked))} is called",
            hint="allow it with --allow NAME, or everything with --yes",
        )
    return toolbox


def _is_allowed(app: AppContext, conversation: ConversationOptions, call: ToolCall) -> bool:
    if conversation.yes or call.name in conversation.allow:
        return True
    return app.prompter.confirm(f"Call {call.name}({call.arguments})?")


def _transcript(app: AppContext, conversation: ConversationOptions) -> Transcript | None:
    """The conversation to go on with. Raises UsageError when there is none."""
    if conversation.resume is not None:
        return app.history.load(app.history.find(conversation.resume).id)
    if not conversation.latest:
        return None
    latest = app.history.latest()
    if latest is None:
        raise UsageError("there is no conversation to go on with", hint='begin one: glm chat "hello"')
    return app.history.load(latest.id)


def _answer(session: Session, prompt: str, attachments: list[Attachment]) -> None:
    app = session.app
    turn = session.ask(prompt, attachments)
    if app.options.json:
        from glmcli.render.answers import answer_to_json

        app.streams.write_json(answer_to_json(turn.answer, complete=turn.failure is None))
    elif session.setup.toolbox is not None and not session.setup.toolbox.can_run:
        tell_calls(app, turn.answer)
    tell_sources(app, turn.answer)
    told(app, turn)


def _answer_with_schema(session: Session, prompt: str, attachments: list[Attachment], file: Path) -> None:
    from glmcli.api.catalog import find_model
    from glmcli.schema import ask_for_json, instruction, load_schema

    schema = load_schema(file)
    system = session.setup.options.system
    known = find_model(session.model)
    session.change(
        system="\n\n".join(part for part in (system, instruction(schema)) if part),
        json_mode=known is None or known.json_mode,
    )
    text, turn = ask_for_json(session, prompt, schema, attachments)
    if session.app.options.json:
        from glmcli.render.answers import answer_to_json

        turn.answer.content = text
        session.app.streams.write_json(answer_to_json(turn.answer))
    else:
        session.app.streams.write_line(text)

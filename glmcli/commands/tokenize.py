"""`glm tokenize`: how many tokens a text, a conversation or a file has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from glmcli.api.endpoints import Region
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.counting import Counted, Counter, Item, Wishes
from glmcli.errors import NoProvider, UsageError

app = command_app()

#: Raised when a key of the JSON output changes its meaning (`docs/json-output.md`).
SCHEMA_VERSION = 1
STDIN = "-"

Text = Annotated[
    list[str] | None, typer.Argument(help="The text; else standard input.", metavar="TEXT...", show_default=False)
]
Files = Annotated[
    list[str] | None,
    typer.Option("-f", "--file", help="Count a file; repeat it, or name more behind it.", metavar="FILE"),
]
Messages = Annotated[str | None, typer.Option("--messages", help="Count a JSON file of chat messages.", metavar="FILE")]
Tools = Annotated[str | None, typer.Option("--tools", help="Count these tools too.", metavar="FILE")]
System = Annotated[str | None, typer.Option("-s", "--system", help="Count a system message too.", metavar="TEXT")]
Attach = Annotated[
    list[str] | None,
    typer.Option("-a", "--attach", help="Count a picture, video or document too.", metavar="FILE|URL"),
]
Model = Annotated[str | None, typer.Option("-m", "--model", help="Count as this model does.", metavar="MODEL")]
Offline = Annotated[bool, typer.Option("--offline", help="Estimate here; ask nobody.")]
UserId = Annotated[str | None, typer.Option("--user-id", help="Name the end user, 6 to 128 characters.", metavar="ID")]
RequestId = Annotated[
    str | None, typer.Option("--request-id", help="Give the request an id, 6 to 64 characters.", metavar="ID")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set another request field; the value is JSON or text.", metavar="KEY=VALUE"),
]


@dataclass(frozen=True, slots=True)
class TokenizeOptions:
    """What is counted, and how; `words` are text or, behind `-f`, more files."""

    words: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    messages: str | None = None
    tools: str | None = None
    system: str | None = None
    attachments: tuple[str, ...] = ()
    wishes: Wishes = field(default_factory=Wishes)


@app.command(
    epilog=examples(
        "glm tokenize how many tokens is this",
        "glm tokenize -f README.md -f CHANGELOG.md",
        "git diff | glm tokenize",
        "glm tokenize --offline < notes.md",
    )
)
def tokenize(
    ctx: typer.Context,
    text: Text = None,
    files: Files = None,
    messages: Messages = None,
    tools: Tools = None,
    system: System = None,
    attach: Attach = None,
    model: Model = None,
    offline: Offline = False,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Count the tokens of texts, files and messages."""
    from glmcli.api.assignments import parse_assignments

    options = TokenizeOptions(
        words=tuple(text or ()),
        files=tuple(files or ()),
        messages=messages,
        tools=tools,
        system=system,
        attachments=tuple(attach or ()),
        wishes=Wishes(model, offline, request_id, user_id, parse_assignments(assignments or ())),
    )
    run(context_of(ctx), options)


def run(app: AppContext, options: TokenizeOptions) -> None:
    """Count every item and write the numbers; where the service cannot say, an estimate."""
    from glmcli.api.resources.tokenizer import check

    check(options.wishes.request_id, options.wishes.user_id)
    items = _items(app, options)
    counter = Counter(app, options.wishes)
    counted = [counter.count(item) for item in items]
    counter.tell()
    _write(app, counted, counter)


# -- what is counted ---------------------------------------------------------------


def _items(app: AppContext, options: TokenizeOptions) -> list[Item]:
    files = [*options.files, *_more_files(app, options)]
    if options.messages is not None:
        return [_conversation(app, options, files)]
    texts = [(_shown(file), _read_file(app, file)) for file in files] or _typed(app, options)
    beside = options.tools or options.system or options.attachments
    if len(texts) > 1 and beside:
        raise UsageError("tools, a system message and attachments go with one text", hint="count the files one by one")
    return [Item(name, _messages(app, options, text), _tools(app, options)) for name, text in texts]


def _more_files(app: AppContext, options: TokenizeOptions) -> tuple[str, ...]:
    """Words behind `-f`: a shell makes them of `-f *.md`. Raises UsageError when they are no files."""
    if not options.files:
        return ()
    for word in options.words:
        if not (app.cwd / word).is_file():
            raise UsageError(f"{word} is no file, and text cannot go with -f", hint="count the text by itself")
    return options.words


def _typed(app: AppContext, options: TokenizeOptions) -> list[tuple[str, str]]:
    """The words of the command line, else standard input; nothing where an attachment speaks for itself."""
    text = " ".join(word for word in options.words if word != STDIN)
    if text:
        if len(options.words) == 1 and (app.cwd / text).is_file():
            app.streams.note(f"glm: this counts the name; for the content of the file: glm tokenize -f {text}")
        return [("text", text)]
    if options.attachments and STDIN not in options.words:
        return [("attachments", "")]
    piped = app.streams.read_stdin() if STDIN in options.words else app.streams.read_piped()
    if piped is None:
        raise UsageError("there is nothing to count", hint="glm tokenize -f notes.md, or pipe text in")
    return [("standard input", piped)]


def _shown(file: str) -> str:
    return "standard input" if file == STDIN else file


def _read_file(app: AppContext, file: str) -> str:
    if file == STDIN:
        return app.streams.read_stdin()
    try:
        return (app.cwd / Path(file).expanduser()).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text", hint=f"a picture or document: glm tokenize -a {file}") from None


def _messages(app: AppContext, options: TokenizeOptions, text: str) -> list[Mapping[str, Any]]:
    from glmcli.attachments import message_content, open_attachment

    attachments = [open_attachment(word) for word in options.attachments]
    content = message_content(text, attachments, _region(app))
    message: Mapping[str, Any] = {"role": "user", "content": content}
    return [{"role": "system", "content": options.system}, message] if options.system else [message]


def _region(app: AppContext) -> Region:
    """The region decides the form of documents; without a provider nothing is sent anyway."""
    try:
        return app.target.provider.region
    except NoProvider:
        return Region.INTL


def _tools(app: AppContext, options: TokenizeOptions) -> Sequence[Mapping[str, object]]:
    if options.tools is None:
        return ()
    from glmcli.toolbox import load_toolbox

    return load_toolbox(app.cwd / Path(options.tools).expanduser()).tools


def _conversation(app: AppContext, options: TokenizeOptions, files: Sequence[str]) -> Item:
    """The messages of a JSON file: a list, or a whole chat request with its tools."""
    if files or options.words or options.attachments:
        raise UsageError("--messages is counted by itself", hint="put everything into the file of messages")
    import json

    file = str(options.messages)
    try:
        value: object = json.loads(_read_file(app, file))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{_shown(file)} is not JSON: {error}") from None
    tools = _tools(app, options)
    if isinstance(value, dict):
        offered = value.get("tools")
        tools = tools or (offered if isinstance(offered, list) else ())
        value = value.get("messages")
    if not isinstance(value, list) or not value or not all(isinstance(message, dict) for message in value):
        raise UsageError(f"{_shown(file)} holds no list of messages", hint='[{"role": "user", "content": "..."}]')
    messages = [{"role": "system", "content": options.system}, *value] if options.system else value
    return Item(_shown(file), messages, tools)


# -- writing -----------------------------------------------------------------------


def _write(app: AppContext, counted: Sequence[Counted], counter: Counter) -> None:
    total = Counted(Item("total", ()), sum(each.tokens for each in counted), is_estimate=_has_estimate(counted))
    if app.options.json:
        app.streams.write_json(_document(counted, total, counter))
    elif len(counted) > 1:
        _write_table(app, [*counted, total])
    elif app.streams.stdout_is_tty:
        app.streams.write_line(_sentence(counted[0], counter.model))
    else:
        app.streams.write_line(total.shown)


def _has_estimate(counted: Sequence[Counted]) -> bool:
    """Whether one of them was not counted by the service; then the sum was not, either."""
    return any(each.is_estimate for each in counted)


def _sentence(counted: Counted, model: str | None) -> str:
    beside = [
        f"{number} for {what}" for number, what in ((counted.images, "pictures"), (counted.videos, "video")) if number
    ]
    details = ["estimate"] if counted.is_estimate else [model] if model else []
    extra = ", ".join([*details, *beside])
    noun = "token" if counted.tokens == 1 else "tokens"
    return f"{counted.shown} {noun}" + (f" ({extra})" if extra else "")


def _write_table(app: AppContext, rows: Sequence[Counted]) -> None:
    """Numbers under one another on a terminal, before a tab in a pipe."""
    if not app.streams.stdout_is_tty:
        for row in rows:
            app.streams.write_line(f"{row.shown}\t{row.item.name}")
        return
    width = max(len(row.shown) for row in rows)
    for row in rows:
        app.streams.write_line(f"{row.shown:>{width}}  {row.item.name}")


def _document(counted: Sequence[Counted], total: Counted, counter: Counter) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "tokens": total.tokens,
        "estimate": total.is_estimate,
        "model": counter.model,
        "for_model": counter.meant,
        "reason": counter.reason,
        "items": [each.to_json() for each in counted],
    }

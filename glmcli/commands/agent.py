"""`glm agent`: translation, slides, video effects, and any other agent by its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.media_options import DEADLINE_SECONDS, Deadline, Force, Interval, NoWait, absolute, prompt_of
from glmcli.commands.options import context_of, examples, group_app
from glmcli.context import AppContext
from glmcli.errors import GlmError, Interrupted, ServiceError, StreamCut, UsageError

if TYPE_CHECKING:
    from glmcli.api.resources.agents import AgentReply, AgentRequest, Agents
    from glmcli.history.model import Task
    from glmcli.jobs import Jobs, Wish
    from glmcli.slides import Deck
    from glmcli.translator import TranslationRequest

app = group_app("Translate, make slides, or run any agent.")

SCHEMA_VERSION = 1
_EFFECT_PROMPT = "make the effect"

Text = Annotated[
    list[str] | None,
    typer.Argument(help="The text; - or nothing reads standard input.", metavar="[TEXT]...", show_default=False),
]
UserId = Annotated[str | None, typer.Option("--user-id", help="Name the end user, 6 to 128 characters.", metavar="ID")]
RequestId = Annotated[
    str | None, typer.Option("--request-id", help="Give the request an id, 6 to 64 characters.", metavar="ID")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set another request field; the value is JSON or text.", metavar="KEY=VALUE"),
]
Conversation = Annotated[str | None, typer.Option("--conversation", help="Go on with a conversation.", metavar="ID")]
OutputFile = Annotated[str | None, typer.Option("-o", "--output", help="Write to this file.", metavar="FILE")]


def _extra(assignments: list[str] | None) -> dict[str, object]:
    from glmcli.api.assignments import parse_assignments

    return parse_assignments(assignments or ())


def _agents(app: AppContext) -> Agents:
    from glmcli.api.resources.agents import Agents

    return Agents(app.client, language=app.language)


def _record(app: AppContext, agent_id: str, reply: AgentReply) -> None:
    from glmcli.accounting import record_usage

    record_usage(app, command="agent", model=agent_id, usage=reply.usage)


def _write(app: AppContext, text: str) -> None:
    if app.streams.stdout_is_tty:
        app.streams.write_harmless(text)
    else:
        app.streams.write(text)


# -- list --------------------------------------------------------------------------------


@app.command("list", epilog=examples("glm agent list", "glm agent list --json | jq -r '.[].id'"))
def list_agents(ctx: typer.Context) -> None:
    """List the agents that are documented, by region."""
    run_list(context_of(ctx))


def run_list(app: AppContext) -> None:
    """Write what is known; the service is not asked."""
    from glmcli.api.resources.agents import KNOWN_AGENTS

    if app.options.json:
        keys = ("id", "does", "mode", "regions", "command")
        app.streams.write_json([{key: getattr(agent, key) for key in keys} for agent in KNOWN_AGENTS])
        return
    for agent in KNOWN_AGENTS:
        command = f"glm agent {agent.command}" if agent.command else f"glm agent run {agent.id}"
        words = (agent.id, "/".join(agent.regions), agent.mode, agent.does, command)
        if app.streams.stdout_is_tty:
            app.streams.write_line(f"{words[0]:<41}{words[1]:<9}{words[2]:<8}{words[3]}\n    {words[4]}")
        else:
            app.streams.write_line("\t".join(words))


# -- run ---------------------------------------------------------------------------------

Var = Annotated[
    list[str] | None,
    typer.Option("--var", help="Set a custom variable; the value is JSON or text.", metavar="KEY=VALUE"),
]
Vars = Annotated[str | None, typer.Option("--vars", help="Read custom variables from a JSON file.", metavar="FILE")]
Image = Annotated[list[str] | None, typer.Option("--image", help="Add a picture by its address.", metavar="URL")]
Stream = Annotated[bool, typer.Option("--stream", help="Show the answer while it comes.")]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asks for."""

    agent_id: str
    text: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    variables: Mapping[str, object] = field(default_factory=dict)
    stream: bool = False
    conversation_id: str | None = None
    wait: bool = True
    deadline_seconds: float | None = None
    user_id: str | None = None
    request_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        'glm agent run general_translation "good morning" --var target_lang=fr',
        "glm agent run AGENT --vars variables.json --image https://example.com/work.png --json",
    )
)
def run(
    ctx: typer.Context,
    agent_id: Annotated[str, typer.Argument(help="The id of the agent.", metavar="ID")],
    text: Text = None,
    var: Var = None,
    vars_file: Vars = None,
    image: Image = None,
    stream: Stream = False,
    conversation: Conversation = None,
    no_wait: NoWait = False,
    deadline: Deadline = None,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Run an agent by its id."""
    from glmcli.api.assignments import parse_assignments

    app = context_of(ctx)
    options = RunOptions(
        agent_id=agent_id,
        text=tuple(text or ()),
        images=tuple(image or ()),
        variables={**_variables(app, vars_file), **parse_assignments(var or (), flag="--var")},
        stream=stream,
        conversation_id=conversation,
        wait=not no_wait,
        deadline_seconds=deadline,
        user_id=user_id,
        request_id=request_id,
        extra=_extra(assignments),
    )
    run_agent(app, options)


def _variables(app: AppContext, name: str | None) -> dict[str, object]:
    """Custom variables from a JSON file. Raises UsageError."""
    if name is None:
        return {}
    import json

    try:
        text = app.streams.read_stdin() if name == "-" else (app.cwd / name).read_text("utf-8-sig")
        value = json.loads(text)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{name} holds no JSON object", hint='for example {"target_lang": "fr"}')
    return value


def run_agent(app: AppContext, options: RunOptions) -> None:
    """Ask, and write what the agent says; one that takes its time is remembered as a task and waited for."""
    request = _request(app, options)
    if options.stream and not app.options.json:
        _write_stream(app, request)
        return
    try:
        reply = _agents(app).invoke(request)
    except ServiceError as error:
        if error.code == "1222":
            error.hint = f"is {options.agent_id!r} an agent of this region? glm agent list"
        raise
    _record(app, options.agent_id, reply)
    if reply.async_id and not reply.parts:
        _await_result(app, options, reply.async_id)
        return
    _write_reply(app, reply)


def _request(app: AppContext, options: RunOptions) -> AgentRequest:
    from glmcli.api.resources.agents import AgentRequest, image_part, text_part

    text = prompt_of(app, list(options.text)) if options.text or not options.images else ""
    if not text and not options.images:
        raise UsageError("there is nothing for the agent to do", hint=f'glm agent run {options.agent_id} "your text"')
    return AgentRequest(
        options.agent_id,
        [*([text_part(text)] if text else []), *map(image_part, options.images)],
        stream=options.stream and not app.options.json,
        variables=options.variables,
        conversation_id=options.conversation_id,
        request_id=options.request_id,
        user_id=options.user_id,
        extra=options.extra,
    )


def _write_stream(app: AppContext, request: AgentRequest) -> None:
    """Text as it comes, then addresses; one final newline."""
    last, files = "", []
    try:
        for reply in _agents(app).stream(request):
            if reply.text:
                _write(app, reply.text)
                last = reply.text[-1]
            files += [file.url for file in reply.files]
            _record(app, request.agent_id, reply)
    finally:
        if last and last != "\n":
            app.streams.write("\n")
    for url in files:
        app.streams.write_line(url)


def _write_reply(app: AppContext, reply: AgentReply) -> None:
    if app.options.json:
        app.streams.write_json(_reply_json(reply))
        return
    text = reply.text
    if text:
        _write(app, text if text.endswith("\n") else text + "\n")
    for file in reply.files:
        app.streams.write_line(file.url)
    if not text and not reply.files:
        app.streams.write_json(dict(reply.body))
    if reply.conversation_id:
        app.streams.note(f"glm: go on with --conversation {reply.conversation_id}")


def _reply_json(reply: AgentReply) -> dict[str, object]:
    usage = reply.usage
    return {
        "schema_version": SCHEMA_VERSION,
        "text": reply.text,
        "files": [{"role": file.role, "url": file.url} for file in reply.files],
        "status": reply.status,
        "conversation_id": reply.conversation_id,
        "finish_reason": reply.finish_reason,
        "request_id": reply.request_id,
        "usage": None if usage is None else _usage_json([reply]),
        "reply": dict(reply.body),
    }


def _usage_json(replies: list[AgentReply]) -> dict[str, int]:
    usages = [reply.usage for reply in replies if reply.usage]
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: sum(getattr(usage, name) or 0 for usage in usages) for name in names}


def _await_result(app: AppContext, options: RunOptions, async_id: str) -> None:
    """Remember an answer that is still being made, and wait for it."""
    from glmcli.api.resources.async_results import Submission
    from glmcli.jobs import Jobs
    from glmcli.jobviews import tell_submitted

    jobs = Jobs(app, deadline_seconds=options.deadline_seconds or DEADLINE_SECONDS["video"])
    try:
        prompt = " ".join(options.text)
        wish = _wish(options.agent_id, {"prompt": prompt}, absolute(app, None))
        task = jobs.submit(wish, lambda: Submission(async_id))
        if not options.wait:
            tell_submitted(app, task)
            return
        for outcome in jobs.outcomes([task]):
            _write_outcome(app, outcome.task, outcome.error)
    finally:
        jobs.close()


def _write_outcome(app: AppContext, task: Task, error: GlmError | None) -> None:
    """The result of an agent: text and addresses, which `Jobs` takes for a failure when there are none."""
    from glmcli.api.resources.agents import reply_from_json
    from glmcli.jobstates import DONE

    body = (task.result or {}).get("reply")
    reply = reply_from_json(body if isinstance(body, dict) else {})
    if error is not None and not reply.parts:
        raise error
    _write_reply(app, reply)
    if error is not None and task.id:
        app.history.tasks.update(task.id, status=DONE)


def _wish(agent_id: str, request: Mapping[str, object], output: str, *, force: bool = False) -> Wish:
    from glmcli.api.resources.agents import TASK_KIND
    from glmcli.jobs import Wish

    return Wish(TASK_KIND, agent_id, {"agent_id": agent_id, **request}, output, force=force)


# -- translate ---------------------------------------------------------------------------

To = Annotated[str, typer.Option("-t", "--to", help="Translate into this language, by code or name.", metavar="LANG")]
From = Annotated[str, typer.Option("--from", help="Say which language the text is in.", metavar="LANG")]
Strategy = Annotated[
    str,
    typer.Option(help="Work as general, paraphrase, two_step, three_step, reflection or cot.", metavar="NAME"),
]
Suggestion = Annotated[str | None, typer.Option(help="Ask for a style or terms (strategy general).", metavar="TEXT")]
ReasonLanguage = Annotated[
    str | None, typer.Option("--reason-lang", help="Reason in the language from or to (strategy cot).", metavar="WHICH")
]
Glossary = Annotated[
    str | None, typer.Option(help="Use the terms of this file, or of one kept by the service.", metavar="FILE|ID")
]
Plain = Annotated[bool, typer.Option("--plain", help="Take the text for plain, not for Markdown.")]
InputFile = Annotated[str | None, typer.Option("-f", "--file", help="Translate this file.", metavar="FILE")]


@dataclass(frozen=True, slots=True)
class TranslateOptions:
    """What the command line asks for. `glossary` is a file or an id."""

    text: str
    request: TranslationRequest
    glossary: str | None = None
    plain: bool = False
    output: str | None = None


@app.command(
    epilog=examples(
        'glm agent translate "Good morning" --to ja',
        "glm agent translate -t fr < README.md > README.fr.md",
        "glm agent translate -t de --suggestion formal --glossary terms.xlsx -f a.md -o b.md",
    )
)
def translate(
    ctx: typer.Context,
    to: To,
    text: Text = None,
    source: From = "auto",
    strategy: Strategy = "general",
    suggestion: Suggestion = None,
    reason_lang: ReasonLanguage = None,
    glossary: Glossary = None,
    plain: Plain = False,
    file: InputFile = None,
    output: OutputFile = None,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Translate text or Markdown of any length."""
    from glmcli.api.languages import find_language
    from glmcli.translator import TranslationRequest

    app = context_of(ctx)
    strategy = _strategy(strategy, suggestion, reason_lang)
    request = TranslationRequest(
        to=find_language(to),
        source=find_language(source, as_source=True),
        strategy=strategy,
        suggestion=suggestion,
        reason_language=reason_lang,
        request_id=request_id,
        user_id=user_id,
        extra=_extra(assignments),
    )
    options = TranslateOptions(_text_to_translate(app, text, file), request, glossary, plain, output)
    run_translate(app, options)


def _strategy(word: str, suggestion: str | None, reason_language: str | None) -> str:
    """The strategy, checked together with what belongs to one of them. Raises UsageError."""
    from glmcli.translator import STRATEGIES

    strategy = word.replace("-", "_")
    if strategy not in STRATEGIES:
        raise UsageError(f"there is no strategy {word!r}", hint=f"choose {', '.join(STRATEGIES)}")
    if suggestion and strategy != "general":
        raise UsageError(f"--suggestion belongs to the strategy general, not to {strategy}")
    if reason_language is not None and (strategy != "cot" or reason_language not in ("from", "to")):
        raise UsageError("--reason-lang is from or to, and belongs to the strategy cot", hint="--strategy cot")
    return strategy


def _text_to_translate(app: AppContext, words: list[str] | None, file: str | None) -> str:
    """The text, exactly as it is. Raises UsageError when there is none."""
    if words and file is not None:
        raise UsageError("a text and --file contradict each other")
    if file is not None and file != "-":
        try:
            text: str | None = (app.cwd / Path(file).expanduser()).read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from error
        except UnicodeDecodeError:
            raise UsageError(f"{file} is not UTF-8 text", hint="for a document: glm ocr first") from None
    elif file == "-" or words == ["-"]:
        text = app.streams.read_stdin()
    else:
        text = " ".join(words) if words else app.streams.read_piped()
    if not text or not text.strip():
        raise UsageError("there is no text to translate", hint='glm agent translate "your text" --to ja')
    return text


def run_translate(app: AppContext, options: TranslateOptions) -> None:
    """Translate piece by piece; what is finished is written, also when a later piece fails."""
    from dataclasses import replace

    from glmcli.render.progress import StatusLine
    from glmcli.translator import Translator, pieces_of

    request = replace(options.request, glossary=_glossary_id(app, options.glossary))
    pieces = pieces_of(options.text, is_markdown=not options.plain)
    count = sum(piece.is_words for piece in pieces)
    if app.options.dry_run and count > 1:
        app.streams.note(f"glm: the text is sent in {count} pieces; this is the first")
    replies: list[AgentReply] = []
    status = StatusLine(app.streams)

    def watch(reply: AgentReply) -> None:
        replies.append(reply)
        _record(app, "general_translation", reply)

    translator = Translator(_agents(app), request, watch=watch)
    sink = _Sink(app, options)
    try:
        status.show(f"translating into {request.to}, {count} pieces")
        for text in translator.translate(pieces):
            status.clear()
            sink.write(text)
            status.show(f"translating into {request.to}, {len(replies)} of {count} pieces are done")
    except (GlmError, KeyboardInterrupt) as error:
        status.clear()
        sink.close(replies, complete=False)
        raise _told(error, sink, done=len(replies), count=count) from None
    status.clear()
    sink.close(replies, complete=True)


def _told(error: GlmError | KeyboardInterrupt, sink: _Sink, *, done: int, count: int) -> GlmError:
    failure = error if isinstance(error, GlmError) else Interrupted("stopped")
    if done and count > 1:
        failure.message += f"; {done} of {count} pieces were translated and {sink.kept}"
    return failure


class _Sink:
    """Where a translation goes: standard output piece by piece, a file, or a JSON document."""

    def __init__(self, app: AppContext, options: TranslateOptions) -> None:
        self._app = app
        self._options = options
        self._texts: list[str] = []
        self._is_live = options.output in (None, "-") and not app.options.json

    @property
    def kept(self) -> str:
        """What became of the pieces."""
        to_file = self._options.output not in (None, "-")
        return f"are in {self._options.output}" if to_file else "are on standard output"

    def write(self, text: str) -> None:
        """Take a piece."""
        self._texts.append(text)
        if self._is_live:
            _write(self._app, text)

    def close(self, replies: list[AgentReply], *, complete: bool) -> None:
        """Write what is not out yet; a text ends with a newline."""
        text = "".join(self._texts)
        if not text:
            return
        end = "" if text.endswith("\n") else "\n"
        if self._is_live:
            self._app.streams.write(end)
        elif self._app.options.json:
            self._out(self._document(text, replies, complete=complete))
        else:
            self._save(text + end)

    def _document(self, text: str, replies: list[AgentReply], *, complete: bool) -> dict[str, object]:
        request = self._options.request
        return {
            "schema_version": SCHEMA_VERSION,
            "text": text,
            "from": request.source,
            "to": request.to,
            "strategy": request.strategy,
            "complete": complete,
            "requests": len(replies),
            "usage": _usage_json(replies),
        }

    def _out(self, document: dict[str, object]) -> None:
        if self._options.output in (None, "-"):
            self._app.streams.write_json(document)
            return
        import json

        self._save(json.dumps(document, ensure_ascii=False, indent=2) + "\n")

    def _save(self, text: str) -> None:
        assert self._options.output is not None
        path = self._app.cwd / Path(self._options.output).expanduser()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="replace", newline="")
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error
        self._app.streams.note(f"glm: wrote {path}")


def _glossary_id(app: AppContext, word: str | None) -> str | None:
    """The id of a glossary; a file is uploaded first. Raises UsageError."""
    if word is None:
        return None
    from glmcli.api.resources.files import AGENT_TYPES

    path = app.cwd / Path(word).expanduser()
    if not path.is_file():
        if "/" in word or path.suffix.lower() in AGENT_TYPES:
            raise UsageError(f"the glossary {word} is not there")
        return word
    content_type = AGENT_TYPES.get(path.suffix.lower())
    if content_type is None:
        raise UsageError(
            f"a glossary cannot be a {path.suffix or 'file without ending'}",
            hint=f"the service takes {', '.join(AGENT_TYPES)}",
        )
    return _uploaded(app, path, content_type)


def _uploaded(app: AppContext, path: Path, content_type: str) -> str:
    from glmcli.api.bodies import PathSource
    from glmcli.api.resources.files import Files, UploadRequest

    request = UploadRequest(path.name, PathSource(path), "agent", content_type)
    stored = Files(app.client).upload(request)
    app.streams.note(f"glm: the glossary is kept for 180 days; next time: --glossary {stored.id}")
    return stored.id


# -- slides ------------------------------------------------------------------------------

Folder = Annotated[
    str | None, typer.Option("-o", "--output", help="Save pages here (default: slides-ID).", metavar="DIR")
]
Export = Annotated[list[str] | None, typer.Option("--export", help="Export as pdf, png or both.", metavar="FORMAT")]
Size = Annotated[str, typer.Option(help="Export pages of so many pixels.", metavar="WxH")]


@dataclass(frozen=True, slots=True)
class SlidesOptions:
    """What the command line asks for. An empty prompt exports the conversation as it is."""

    prompt: str
    output: str | None = None
    conversation_id: str | None = None
    export: tuple[str, ...] = ()
    size: tuple[int, int] = (1280, 720)
    user_id: str | None = None
    request_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        'glm agent slides "three slides about tides" -o tides/ --export pdf',
        'glm agent slides "make the second one blue" --conversation ID -o tides/',
        "glm agent slides --conversation ID --export pdf -o tides/",
    )
)
def slides(
    ctx: typer.Context,
    prompt: Text = None,
    output: Folder = None,
    conversation: Conversation = None,
    export: Export = None,
    size: Size = "1280x720",
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Make slides or a poster from a prompt."""
    app = context_of(ctx)
    words = prompt_of(app, prompt) if prompt or not (conversation and export) else ""
    if not words and not (conversation and export):
        raise UsageError("there is no prompt", hint='glm agent slides "three slides about tides"')
    options = SlidesOptions(
        prompt=words,
        output=output,
        conversation_id=conversation,
        export=_formats(export),
        size=_size(size),
        user_id=user_id,
        request_id=request_id,
        extra=_extra(assignments),
    )
    run_slides(app, options)


def _formats(words: list[str] | None) -> tuple[str, ...]:
    formats = tuple(part.strip().lower() for word in words or () for part in word.split(","))
    unknown = next((name for name in formats if name not in ("pdf", "png")), None)
    if unknown is not None:
        raise UsageError(f"slides cannot be exported as {unknown!r}", hint="choose pdf, png or pdf,png")
    return formats


def _size(text: str) -> tuple[int, int]:
    width, times, height = text.lower().partition("x")
    if not times or not width.isdigit() or not height.isdigit() or not int(width) * int(height):
        raise UsageError(f"--size {text!r} is not of the form 1280x720")
    return int(width), int(height)


def run_slides(app: AppContext, options: SlidesOptions) -> None:
    """Save the pages that the agent makes, and export them where asked for.

    Pages that came are saved also when the answer breaks off.
    """
    from glmcli.slides import Deck

    deck = Deck()
    deck.conversation_id = options.conversation_id
    failure: GlmError | None = None
    if options.prompt:
        failure = _make(app, options, deck)
    folder = app.cwd / Path(options.output or _folder_name(deck)).expanduser()
    saved = deck.save(folder) if deck.pages else []
    exported = _exported(app, options, deck, folder) if failure is None else []
    _write_deck(app, deck, [*saved, *exported])
    if failure is not None:
        failure.message += f"; {len(saved)} pages were saved" if saved else ""
        raise failure
    if not saved and not exported and not deck.text:
        raise GlmError("the slide agent made no page", hint="say more in the prompt")


def _folder_name(deck: Deck) -> str:
    """A name from the id that the service gave, which may hold anything."""
    from glmcli.filenames import name_from

    return f"slides-{name_from((deck.conversation_id or '')[-12:], 'new')}"


def _make(app: AppContext, options: SlidesOptions, deck: Deck) -> GlmError | None:
    """Ask the agent, and gather what comes. A failure after the first page is returned."""
    from glmcli.api.resources.agents import SLIDES, AgentRequest, text_part
    from glmcli.render.progress import StatusLine

    request = AgentRequest(
        SLIDES,
        [text_part(options.prompt)],
        stream=True,
        conversation_id=options.conversation_id,
        request_id=options.request_id,
        user_id=options.user_id,
        extra=options.extra,
    )
    status = StatusLine(app.streams)
    try:
        status.show("slides: the agent thinks")
        for reply in _agents(app).stream(request):
            deck.feed(reply)
            _record(app, SLIDES, reply)
            status.show(f"slides: {len(deck.pages)} pages, {deck.tool or 'thinking'}")
    except KeyboardInterrupt:
        return Interrupted("stopped")
    except GlmError as error:
        if not deck.pages and not isinstance(error, StreamCut):
            raise
        return error
    finally:
        status.clear()
    return None


def _exported(app: AppContext, options: SlidesOptions, deck: Deck, folder: Path) -> list[Path]:
    """The files of an export, downloaded."""
    if not options.export:
        return []
    from glmcli.slides import export_variables

    if deck.conversation_id is None:
        raise GlmError("the slide agent named no conversation, so nothing can be exported")
    positions = sorted(position for position in deck.pages if position) if "png" in options.export else []
    if "png" in options.export and not positions:
        raise UsageError("pages are exported as pictures together with a prompt", hint="--export pdf")
    variables = export_variables(positions, options.size, as_pdf="pdf" in options.export)
    reply = _agents(app).conversation(deck.conversation_id, variables=variables)
    return list(_downloads(app, reply, folder, positions))


def _downloads(app: AppContext, reply: AgentReply, folder: Path, positions: list[int]) -> Iterator[Path]:
    from glmcli.downloads import Downloader, Place

    downloader = Downloader(app.client.fetch, sleep=app.sleep)
    pictures = iter(positions)
    for file in reply.files:
        name = "slides"
        if file.role == "image":
            name = f"page-{next(pictures, 0):02d}"
        yield downloader.save(file.url, Place(folder, name, overwrite=True), role=file.role).path


def _write_deck(app: AppContext, deck: Deck, files: list[Path]) -> None:
    shown = [str(path.relative_to(app.cwd) if path.is_relative_to(app.cwd) else path) for path in files]
    if app.options.json:
        app.streams.write_json(
            {
                "schema_version": SCHEMA_VERSION,
                "conversation_id": deck.conversation_id,
                "text": deck.text,
                "files": shown,
            }
        )
        return
    for name in shown:
        app.streams.write_line(name)
    if deck.text:
        app.streams.note(deck.text)
    if deck.conversation_id:
        app.streams.note(f"glm: to change them: glm agent slides --conversation {deck.conversation_id} ...")


# -- effects -----------------------------------------------------------------------------

Output = Annotated[str | None, typer.Option("-o", "--output", help="Write to this file or folder.", metavar="PATH")]


@dataclass(frozen=True, slots=True)
class EffectsOptions:
    """What the command line asks for. `output` is an absolute path."""

    template: str
    image: str
    prompt: str
    output: str
    force: bool = False
    wait: bool = True
    deadline_seconds: float | None = None
    interval_seconds: float | None = None
    user_id: str | None = None
    request_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        "glm agent effects bodyshake --image https://example.com/dog.png -o dog.mp4",
        "glm agent effects french_kiss --image https://example.com/two.png --no-wait",
    )
)
def effects(
    ctx: typer.Context,
    template: Annotated[str, typer.Argument(help="french_kiss, bodyshake or sexy_me.", metavar="TEMPLATE")],
    prompt: Text = None,
    image: Annotated[str, typer.Option(help="The picture, by its address.", metavar="URL")] = "",
    output: Output = None,
    force: Force = False,
    no_wait: NoWait = False,
    deadline: Deadline = None,
    interval: Interval = None,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Make a video from a picture with a template."""
    from glmcli.api.resources.agents import TEMPLATES

    app = context_of(ctx)
    if template not in TEMPLATES:
        raise UsageError(f"there is no template {template!r}", hint=f"choose {', '.join(TEMPLATES)}")
    if not image.startswith(("http://", "https://")):
        raise UsageError("the picture is given by an address", hint="--image https://example.com/dog.png")
    options = EffectsOptions(
        template=template,
        image=image,
        prompt=" ".join(prompt or ()) or _EFFECT_PROMPT,
        output=absolute(app, output),
        force=force,
        wait=not no_wait,
        deadline_seconds=deadline,
        interval_seconds=interval,
        user_id=user_id,
        request_id=request_id,
        extra=_extra(assignments),
    )
    run_effects(app, options)


def run_effects(app: AppContext, options: EffectsOptions) -> None:
    """Remember the job, submit it, wait for it and fetch the video. Raises TaskPending at the deadline."""
    from glmcli.downloads import check_place
    from glmcli.jobs import Jobs
    from glmcli.jobstates import place_of
    from glmcli.jobviews import finish, tell_submitted

    check_place(place_of(options.output, options.prompt, "agent", force=options.force))
    deadline = DEADLINE_SECONDS["video"] if options.deadline_seconds is None else options.deadline_seconds
    jobs = Jobs(app, interval_seconds=options.interval_seconds, deadline_seconds=deadline)
    try:
        task = _submit_effect(app, jobs, options)
        if options.wait:
            finish(app, jobs, [task])
        else:
            tell_submitted(app, task)
    finally:
        jobs.close()


def _submit_effect(app: AppContext, jobs: Jobs, options: EffectsOptions) -> Task:
    from glmcli.api.resources.agents import EFFECTS, AgentRequest, image_part, text_part
    from glmcli.api.resources.async_results import Submission

    request = AgentRequest(
        EFFECTS,
        [text_part(options.prompt), image_part(options.image)],
        variables={"template": options.template},
        request_id=options.request_id,
        user_id=options.user_id,
        extra=options.extra,
    )

    def send() -> Submission:
        reply = _agents(app).invoke(request, repeatable=False)
        if not reply.async_id:
            raise ServiceError("the effects agent answered without the id of a task", request_id=reply.request_id)
        return Submission(reply.async_id, reply.status, request_id=reply.request_id)

    facts = {"template": options.template, "prompt": options.prompt, "image": options.image}
    wish = _wish(EFFECTS, facts, options.output, force=options.force)
    return jobs.submit(wish, send)

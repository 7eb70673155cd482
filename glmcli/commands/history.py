"""`glm history`: the conversations that were kept here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from glmcli.commands.options import context_of, examples, group_app
from glmcli.context import AppContext
from glmcli.errors import GlmError, UsageError
from glmcli.history.export import (
    SCHEMA_VERSION,
    conversation_document,
    hit_document,
    json_text,
    jsonl_text,
    markdown,
    markdown_text,
    transcript_document,
)
from glmcli.history.model import Conversation, Hit, Transcript
from glmcli.history.times import age, iso_time, parse_age
from glmcli.streams import harmless

app = group_app("Find, read, export and delete conversations.")


class Format(StrEnum):
    """What an export is made of."""

    MD = "md"
    JSON = "json"
    JSONL = "jsonl"


_NAMES = typer.Argument(metavar="[ID|TITLE]...", show_default=False, help="Conversations, or `last`.")
_All = Annotated[bool, typer.Option("--all", help="Take every conversation (of the profile that -p names).")]
_OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", metavar="AGE", show_default=False, help="Take what rested for 12h, 30d, 2w, 6mo, 1y."),
]
_Limit = Annotated[int, typer.Option("--limit", "-n", min=0, help="Show at most N; 0 shows all.")]
_JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line.")]
_Reasoning = Annotated[bool, typer.Option("--reasoning", help="Show the thinking, too.")]


# -- list ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Which conversations, and how."""

    limit: int | None = 20
    json_lines: bool = False


@app.command("list", epilog=examples("glm history list", "glm history list -n 0 --json", "glm history list -p work"))
def list_(ctx: typer.Context, limit: _Limit = 20, json_lines: _JsonLines = False) -> None:
    """List conversations, the latest first."""
    run_list(context_of(ctx), ListOptions(limit=limit or None, json_lines=json_lines))


def run_list(app: AppContext, options: ListOptions) -> None:
    """Print conversations: a table on a terminal, tab-separated values in a pipe."""
    found = app.history.recent(options.limit, profile=app.options.profile)
    if not found and not (app.options.json or options.json_lines):
        app.streams.note("no conversations yet; begin one with: glm chat")
    _write_conversations(app, found, json_lines=options.json_lines)
    if len(found) == options.limit and app.streams.stdout_is_tty and app.history.count() > len(found):
        app.streams.note(f"the latest {len(found)} of {app.history.count()}; all of them: glm history list -n 0")


def _write_conversations(app: AppContext, found: list[Conversation], *, json_lines: bool = False) -> None:
    streams = app.streams
    if json_lines:
        _write_json_lines(app, map(conversation_document, found))
    elif app.options.json:
        documents = [conversation_document(item) for item in found]
        streams.write_json({"schema_version": SCHEMA_VERSION, "conversations": documents})
    elif not streams.stdout_is_tty:
        for item in found:
            fields = (item.id, iso_time(item.updated_at), str(item.message_count), item.model or "", item.title)
            streams.write_line("\t".join(fields))
    elif found:
        from glmcli.render.columns import columns

        rows = [
            (item.id, age(app.now() - item.updated_at), str(item.message_count), item.model or "", item.title)
            for item in found
        ]
        header = ("ID", "UPDATED", "MESSAGES", "MODEL", "TITLE")
        for line in columns(header, rows, width=streams.width, flexible=4):
            streams.write_line(line)


def _write_json_lines(app: AppContext, documents: Iterable[dict[str, object]]) -> None:
    import json

    for document in documents:
        app.streams.write(json.dumps(document, ensure_ascii=False) + "\n")


# -- show ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Which conversation, and what of it."""

    name: str
    raw: bool = False
    answer: bool = False
    reasoning: bool = False


@app.command(
    epilog=examples("glm history show last", "glm history show last --answer", 'glm history show "Trip to Rome" --json')
)
def show(
    ctx: typer.Context,
    name: Annotated[
        list[str] | None, typer.Argument(metavar="ID|TITLE|last", show_default=False, help="The conversation.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the Markdown source on a terminal, too.")] = False,
    answer: Annotated[bool, typer.Option("--answer", help="Print the last answer alone.")] = False,
    reasoning: _Reasoning = False,
) -> None:
    """Show a conversation."""
    words = " ".join(name or ["last"])  # a title need not be quoted
    run_show(context_of(ctx), ShowOptions(name=words, raw=raw, answer=answer, reasoning=reasoning))


def run_show(app: AppContext, options: ShowOptions) -> None:
    """Print a conversation: rendered on a terminal, as Markdown in a pipe."""
    transcript = app.history.load(app.history.find(options.name).id)
    if options.answer:
        _write_markdown(app, _last_answer(transcript), raw=options.raw)
    elif app.options.json:
        app.streams.write_json(transcript_document(transcript))
    else:
        _write_markdown(app, markdown(transcript, with_reasoning=options.reasoning), raw=options.raw)


def _last_answer(transcript: Transcript) -> str:
    message = transcript.last_answer
    if message is None:
        raise GlmError(f"no answer in conversation {transcript.conversation.id} ({transcript.conversation.title})")
    return message.content if message.content.endswith("\n") else message.content + "\n"


def _write_markdown(app: AppContext, text: str, *, raw: bool) -> None:
    streams = app.streams
    if not streams.stdout_is_tty:
        streams.write(text)
    elif raw:
        streams.write_harmless(text)
    else:
        from glmcli.render.markdown import print_markdown

        print_markdown(text, streams.write, width=streams.width, color=streams.may_color())


# -- search ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What to look for."""

    query: str
    limit: int | None = 20
    json_lines: bool = False


@app.command(
    epilog=examples("glm history search sqlite lock", "glm history search 天气", "glm history search '\"to be\"'")
)
def search(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="All must occur, in any case.")],
    limit: _Limit = 20,
    json_lines: _JsonLines = False,
) -> None:
    """Search the texts of all conversations."""
    query = " ".join(words)
    if not query.strip(' "'):
        raise UsageError("what shall be searched for?", hint="glm history search WORDS")
    run_search(context_of(ctx), SearchOptions(query=query, limit=limit or None, json_lines=json_lines))


def run_search(app: AppContext, options: SearchOptions) -> None:
    """Print what matches, newest first."""
    hits = app.history.search(options.query, options.limit)
    if options.json_lines:
        _write_json_lines(app, map(hit_document, hits))
    elif app.options.json:
        app.streams.write_json({"schema_version": SCHEMA_VERSION, "results": [hit_document(hit) for hit in hits]})
    elif hits:
        for line in _hit_lines(app, hits):
            app.streams.write(line + "\n")
    else:
        app.streams.note(f"nothing found for: {options.query}")


def _hit_lines(app: AppContext, hits: list[Hit]) -> Iterator[str]:
    streams = app.streams
    for hit in hits:
        if not streams.stdout_is_tty:
            position = "" if hit.position is None else str(hit.position)
            fields = (hit.conversation_id, iso_time(hit.created_at), position, hit.role or "", hit.title)
            yield "\t".join((*fields, hit.snippet.text))
            continue
        # Words are marked in what is already harmless: escapes would move the marks.
        bold = ("\x1b[1m", "\x1b[22m") if streams.may_color() else ("", "")
        where = "title" if hit.role is None else hit.role
        yield harmless(f"{hit.conversation_id}  {hit.title}  ({where}, {age(app.now() - hit.created_at)})")
        yield "    " + hit.snippet.converted(harmless).marked(*bold)


# -- export --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Which conversations, in which form, and where to."""

    names: tuple[str, ...] = ()
    take_all: bool = False
    older_than_seconds: float | None = None
    format: Format = Format.MD
    output: Path | None = None
    force: bool = False
    reasoning: bool = False


@app.command(
    epilog=examples(
        "glm history export last -o talk.md",
        "glm history export --all --format jsonl -o history.jsonl",
        "glm history export --all --format json | jq '.conversations[].title'",
    )
)
def export(
    ctx: typer.Context,
    names: Annotated[list[str] | None, _NAMES] = None,
    take_all: _All = False,
    older_than: _OlderThan = None,
    format: Annotated[
        Format | None,
        typer.Option("--format", "-f", show_default=False, help="Write md, json or jsonl; without it as FILE ends."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", show_default=False, help="Write to FILE.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE when it exists.")] = False,
    reasoning: _Reasoning = False,
) -> None:
    """Write conversations as Markdown or JSON."""
    app = context_of(ctx)
    options = ExportOptions(
        names=tuple(names or ()),
        take_all=take_all,
        older_than_seconds=None if older_than is None else parse_age(older_than),
        format=format or _format_of(output, as_json=app.options.json),
        output=None if output == Path("-") else output,
        force=force,
        reasoning=reasoning,
    )
    run_export(app, options)


def _format_of(output: Path | None, *, as_json: bool) -> Format:
    endings = {f".{format.value}": format for format in Format}
    found = endings.get(output.suffix.lower()) if output is not None else None
    return found or (Format.JSON if as_json else Format.MD)


def run_export(app: AppContext, options: ExportOptions) -> None:
    """Write the chosen conversations, oldest first. Raises UsageError for a FILE that exists."""
    _refuse_to_replace(app, options)
    chosen = _choose(app, options.names, take_all=options.take_all, older_than_seconds=options.older_than_seconds)
    transcripts = (app.history.load(item.id) for item in reversed(chosen))
    pieces = _pieces(transcripts, options)
    if options.output is not None:
        from glmcli.config.files import write_private

        write_private(app.cwd / options.output, "".join(pieces).encode())
        app.streams.note(f"wrote {len(chosen)} conversation{'s' * (len(chosen) != 1)} to {options.output}")
        return
    for piece in pieces:
        if app.streams.stdout_is_tty:
            app.streams.write_harmless(piece)
        else:
            app.streams.write(piece)


def _refuse_to_replace(app: AppContext, options: ExportOptions) -> None:
    if options.output is None:
        return
    path = app.cwd / options.output
    if path.is_dir():
        raise UsageError(f"{options.output} is a folder", hint="name a file: -o FILE")
    if path.exists() and not options.force:
        raise UsageError(f"{options.output} exists", hint="replace it with --force")


def _pieces(transcripts: Iterable[Transcript], options: ExportOptions) -> Iterator[str]:
    if options.format is Format.JSON:
        return json_text(transcripts)
    if options.format is Format.JSONL:
        return jsonl_text(transcripts)
    return markdown_text(transcripts, with_reasoning=options.reasoning)


def _choose(
    app: AppContext, names: tuple[str, ...], *, take_all: bool, older_than_seconds: float | None
) -> list[Conversation]:
    """The conversations that are meant, latest first. Raises UsageError when nothing says which."""
    if take_all and names:
        raise UsageError("either names of conversations or --all", hint="glm history list")
    if not names and not take_all and older_than_seconds is None:
        raise UsageError("which conversations?", hint="name them (glm history list), or say --all or --older-than 30d")
    limit = None if older_than_seconds is None else app.now() - older_than_seconds
    if not names:
        return app.history.recent(profile=app.options.profile, older_than=limit)
    found = {item.id: item for item in map(app.history.find, names)}
    kept = [item for item in found.values() if limit is None or item.updated_at < limit]
    return sorted(kept, key=lambda item: (item.updated_at, item.id), reverse=True)


# -- delete --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """Which conversations, and whether it was said already that one is sure."""

    names: tuple[str, ...] = ()
    take_all: bool = False
    older_than_seconds: float | None = None
    yes: bool = False


@app.command(
    epilog=examples(
        "glm history delete last", "glm history delete --older-than 30d --dry-run", "glm history delete --all --yes"
    )
)
def delete(
    ctx: typer.Context,
    names: Annotated[list[str] | None, _NAMES] = None,
    take_all: _All = False,
    older_than: _OlderThan = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """Delete conversations for good."""
    options = DeleteOptions(
        names=tuple(names or ()),
        take_all=take_all,
        older_than_seconds=None if older_than is None else parse_age(older_than),
        yes=yes,
    )
    run_delete(context_of(ctx), options)


def run_delete(app: AppContext, options: DeleteOptions) -> None:
    """Delete after a question, which `--yes` answers; with `--dry-run` only list."""
    chosen = _choose(app, options.names, take_all=options.take_all, older_than_seconds=options.older_than_seconds)
    if app.options.dry_run:
        _write_conversations(app, chosen)
        app.streams.note(f"would delete {_counted(chosen)}")
        return
    if chosen and not options.yes and not _is_sure(app, chosen):
        app.streams.note("nothing was deleted")
        return
    limit = None if options.older_than_seconds is None else app.now() - options.older_than_seconds
    deleted = app.history.delete([item.id for item in chosen], older_than=limit)
    if app.options.json:
        app.streams.write_json({"schema_version": SCHEMA_VERSION, "deleted": deleted})
    else:
        app.streams.note(f"deleted {deleted} conversation{'s' * (deleted != 1)}")


def _is_sure(app: AppContext, chosen: list[Conversation]) -> bool:
    if not app.prompter.can_ask:
        raise UsageError(f"refusing to delete {_counted(chosen)} unasked", hint="say so with --yes")
    return app.prompter.confirm(f"Delete {_counted(chosen)}?")


def _counted(chosen: list[Conversation]) -> str:
    messages = sum(item.message_count for item in chosen)
    tail = f" ({messages} message{'s' * (messages != 1)})"
    if len(chosen) == 1:
        return f"“{chosen[0].title}”" + tail
    return f"{len(chosen)} conversations" + tail

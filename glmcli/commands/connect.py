"""`glm connect`: sets up a coding tool in its own file, and takes it back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.connecting import place_of, records_of, setup_of
from glmcli.context import AppContext
from glmcli.errors import ExitCode, UsageError
from glmcli.integrations.catalog import find_tool
from glmcli.integrations.changes import FileChange
from glmcli.integrations.connection import (
    Connection,
    Disconnection,
    Written,
    disconnect,
    plan_connection,
    plan_disconnection,
)
from glmcli.integrations.connection import (
    connect as carry_out,
)
from glmcli.integrations.detect import ToolState, detect_tools
from glmcli.integrations.redact import redacted_diff
from glmcli.integrations.setup import Setup, Tool

app = command_app()

_Tools = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TOOL...",
        show_default=False,
        help="claude-code, codex, opencode, crush, droid, pi, openclaw, cline, cursor, roo, kilo or goose.",
    ),
]


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What is to be done with which tools."""

    tools: tuple[str, ...] = ()
    list_tools: bool = False
    remove: bool = False
    yes: bool = False
    by_reference: bool | None = None
    map_models: bool = False
    mark_onboarded: bool = False
    model: str | None = None


@app.command(
    epilog=examples(
        "glm connect --list",
        "glm connect claude-code --dry-run",
        "glm connect codex --provider zai-coding --yes",
        "glm connect claude-code --remove",
    )
)
def connect(
    ctx: typer.Context,
    tools: _Tools = None,
    list_tools: Annotated[bool, typer.Option("--list", "-l", help="List the tools and how they stand.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the set-up back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    by_reference: Annotated[
        bool | None,
        typer.Option(
            "--by-reference/--write-key",
            show_default=False,
            help="Refer to the key, or write it into the file; without it, as the tool's documents do.",
        ),
    ] = None,
    map_models: Annotated[
        bool, typer.Option("--map-models", help="Name the models behind Claude Code's tiers.")
    ] = False,
    mark_onboarded: Annotated[
        bool, typer.Option("--mark-onboarded", help="Skip Claude Code's own first-run questions.")
    ] = False,
    model: Annotated[str | None, typer.Option("--model", "-m", show_default=False, help="Use this model.")] = None,
) -> None:
    """Set up a coding tool to use your key."""
    options = ConnectOptions(
        tools=tuple(tools or ()),
        list_tools=list_tools,
        remove=remove,
        yes=yes,
        by_reference=by_reference,
        map_models=map_models,
        mark_onboarded=mark_onboarded,
        model=model,
    )
    run(context_of(ctx), options)


def run(app: AppContext, options: ConnectOptions) -> None:
    """List, set up or take back. Raises UsageError when no tool is named."""
    if options.list_tools:
        _list(app)
        return
    tools = tuple(dict.fromkeys(find_tool(name) for name in options.tools))
    if not tools:
        raise UsageError("which tool?", hint="glm connect claude-code; all of them: glm connect --list")
    work = _remove if options.remove else _connect
    told = [work(app, tool, options) for tool in tools]
    if app.options.json:
        app.streams.write_json({"schema_version": 1, "tools": told})


# -- the list ------------------------------------------------------------------


def _list(app: AppContext) -> None:
    place = place_of(app)
    ours = records_of(app).tools()
    states = detect_tools(place.environ, place.home)
    if app.options.json:
        app.streams.write_json({"schema_version": 1, "tools": [_state_json(state, ours) for state in states]})
        return
    rows = [("TOOL", "STATE", "SET UP BY", "SERVICE")]
    for state in states:
        how = {"file": "", "command": "its own command", "form": "its settings form"}[state.how]
        author = "glm" if state.name in ours else "you" if state.status == "set up" else how
        rows.append((state.name, state.status, author, state.problem or state.base_url or ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        app.streams.write_line("  ".join([*cells, row[3]]).rstrip())


def _state_json(state: ToolState, ours: frozenset[str]) -> dict[str, object]:
    return {
        "name": state.name,
        "title": state.title,
        "how": state.how,
        "installed": state.is_installed,
        "status": state.status,
        "set_up_by_glm": state.name in ours,
        "path": str(state.path) if state.path else None,
        "base_url": state.base_url,
        "model": state.model,
        "key": state.key,
        "plan_support": state.support,
        "problem": state.problem,
    }


# -- setting up ----------------------------------------------------------------


def _connect(app: AppContext, tool: Tool, options: ConnectOptions) -> dict[str, object]:
    # First without the key: a tool that cannot use this provider must not ask for one.
    tool.plan(_setup(app, options, with_key=False), place_of(app))
    setup = _setup(app, options, with_key=tool.how == "file")
    connection = plan_connection(tool, setup, place_of(app))
    _show_steps(app, connection)
    _show_changes(app, connection.changes, key=setup.key.text)
    written: Sequence[Written] = ()
    if connection.is_needed and _may_write(app, options, f"Set up {tool.title} this way?"):
        written = carry_out(connection, records_of(app), stamp=_stamp(app))
    _tell_connected(app, connection, written)
    return _connection_json(connection, setup, written)


def _setup(app: AppContext, options: ConnectOptions, *, with_key: bool) -> Setup:
    return setup_of(
        app,
        with_key=with_key,
        by_reference=options.by_reference,
        model=options.model,
        map_models=options.map_models,
        mark_onboarded=options.mark_onboarded,
    )


def _show_steps(app: AppContext, connection: Connection) -> None:
    if app.options.json:
        return
    plan = connection.plan
    if plan.command:
        app.streams.write_line(plan.command)
    width = max((len(name) for name, _ in plan.fields), default=0)
    for name, value in plan.fields:
        app.streams.write_line(f"{name.ljust(width)}  {value}")


def _show_changes(app: AppContext, changes: Sequence[FileChange], *, key: str | None) -> None:
    if app.options.json:
        return
    for change in changes:
        if change.is_needed:
            app.streams.write_line(redacted_diff(change, key=key))


def _tell_connected(app: AppContext, connection: Connection, written: Sequence[Written]) -> None:
    tool = connection.tool
    for file in written:
        kept = f" (as it was: {file.backup})" if file.backup else ""
        app.streams.note(f"wrote {file.path}{kept}")
    if connection.changes and not connection.is_needed:
        app.streams.note(f"{tool.title} is set up like this already; nothing to change")
    for note in connection.plan.notes:
        app.streams.note(note)
    if written:
        app.streams.note(f"to take it back: glm connect {tool.name} --remove")
    elif not connection.changes:
        app.streams.note(f"the vendor's page: {tool.docs}")


def _connection_json(connection: Connection, setup: Setup, written: Sequence[Written]) -> dict[str, object]:
    backups = {file.path: file.backup for file in written}
    return {
        "tool": connection.tool.name,
        "provider": setup.provider.name,
        "changed": bool(written),
        "files": [
            _file_json(change, key=setup.key.text, backup=str(backups.get(change.path) or "") or None)
            for change in connection.changes
        ],
        "command": connection.plan.command,
        "fields": dict(connection.plan.fields),
        "notes": list(connection.plan.notes),
    }


def _file_json(change: FileChange, *, key: str | None, backup: str | None = None) -> Mapping[str, object]:
    return {"path": str(change.path), "diff": redacted_diff(change, key=key), "backup": backup}


# -- taking back ---------------------------------------------------------------


def _remove(app: AppContext, tool: Tool, options: ConnectOptions) -> dict[str, object]:
    records = records_of(app)
    plan = plan_disconnection(tool, records)
    if plan is None:
        app.streams.note(f"glm has not set up {tool.title}; nothing was touched")
        return {"tool": tool.name, "changed": False, "files": []}
    changes = [removal.change for removal in plan.removals]
    _show_changes(app, changes, key=None)
    is_done = _may_write(app, options, f"Take the set-up of {tool.title} back?")
    if is_done:
        disconnect(plan, records)
        _tell_disconnected(app, plan)
    return {"tool": tool.name, "changed": is_done, "files": [_file_json(change, key=None) for change in changes]}


def _tell_disconnected(app: AppContext, plan: Disconnection) -> None:
    for record, removal in zip(plan.records, plan.removals, strict=True):
        path = record.path
        if removal.whole:
            app.streams.note(f"restored {path}" if removal.change.after is not None else f"deleted {path}")
        elif removal.change.before is None:
            app.streams.note(f"{path} is gone already")
        else:
            app.streams.note(f"{path} was changed since; took out our own values only")
        if removal.kept:
            app.streams.note(f"left as you changed them: {', '.join(removal.kept)}")


# -- consent -------------------------------------------------------------------


def _may_write(app: AppContext, options: ConnectOptions, question: str) -> bool:
    """Whether to write: with --yes, or when someone at the terminal agrees.

    Raises UsageError when nobody can be asked, and ends with 1 on a refusal.
    """
    if app.options.dry_run:
        app.streams.note("dry run: nothing was written")
        return False
    if options.yes:
        return True
    if not app.prompter.can_ask:
        raise UsageError("there is nobody to agree to the change", hint="look at it with --dry-run, then add --yes")
    if app.prompter.confirm(question):
        return True
    app.streams.note("nothing was changed")
    raise typer.Exit(ExitCode.FAILED)


def _stamp(app: AppContext) -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(app.now()))

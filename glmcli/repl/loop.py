"""Reads, asks and tells, until the user leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glmcli.repl.commands import take
from glmcli.repl.keeping import where
from glmcli.repl.reading import open_reader
from glmcli.repl.talk import Leave, Talk
from glmcli.repl.terminal import echo

if TYPE_CHECKING:
    import threading

    from glmcli.attachments import Attachment
    from glmcli.context import AppContext
    from glmcli.events import ToolCall
    from glmcli.session import Session


def converse(session: Session, attachments: Sequence[Attachment] = ()) -> None:
    """Hold a conversation. Raises only what makes any question impossible: no model, no key."""
    app = session.app
    _require_key(app)
    _ask_aloud(session)
    talk = Talk(session, attachments)
    app.streams.note(greeting(talk))
    reader = open_reader(talk)
    loading = _load_ahead(app)
    with app.interrupts.guarded():
        while True:
            app.interrupts.forget()
            try:
                line = reader.read()
            except (EOFError, KeyboardInterrupt):
                break
            loading.join()
            try:
                take(talk, line)
            except Leave:
                break
            if line.strip():
                app.streams.complain("")


def greeting(talk: Talk) -> str:
    """One line about where the questions go, and one about the conversation that goes on."""
    session = talk.session
    provider = session.app.settings.provider.value.name
    begun = f"{where(talk)}\n" if session.messages else ""
    attached = f"{len(talk.attachments)} attached · " if talk.attachments else ""
    return f"{begun}{session.model} · {provider} · {attached}/help lists the commands, Ctrl-D leaves"


def _require_key(app: AppContext) -> None:
    """Fail before anything is typed that would be lost."""
    if app.settings.provider.value.name != "sandbox" and not app.options.dry_run:
        app.key()


def _ask_aloud(session: Session) -> None:
    """Show what is typed at the question whether a tool may be called: during an answer nothing is shown."""
    may_run, stdin = session.setup.may_run, session.app.streams.stdin

    def ask(call: ToolCall) -> bool:
        with echo(stdin, shown=True):
            return may_run(call)

    session.setup.may_run = ask


def _load_ahead(app: AppContext) -> threading.Thread:
    """Import what an answer needs while the first question is typed."""
    import threading

    client = app.client

    def load() -> None:
        from glmcli.render.live import LiveRenderer

        client.prepare()
        LiveRenderer.preload()

    thread = threading.Thread(target=load, name="glm-loader", daemon=True)
    thread.start()
    return thread

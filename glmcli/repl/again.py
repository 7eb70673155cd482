"""Commands about what was asked already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glmcli.errors import GlmError, UsageError

if TYPE_CHECKING:
    from glmcli.repl.talk import Talk


def retry(talk: Talk, argument: str) -> None:
    """`/retry`"""
    talk.retry()


def go_on(talk: Talk, argument: str) -> None:
    """`/continue`"""
    talk.go_on()


def undo(talk: Talk, argument: str) -> None:
    """`/undo`"""
    text = talk.session.undo()
    line = " ".join(text.split())
    talk.say(f"taken back: {line[:70]}{'…' if len(line) > 70 else ''}")


def edit(talk: Talk, argument: str) -> None:
    """`/edit`"""
    from glmcli.editor import edit_text

    before = argument or talk.last_prompt
    text = edit_text(talk.app.environ, before).strip("\n")
    if not text.strip():
        talk.say("the text is empty; nothing was asked")
    elif text == talk.last_prompt:
        talk.say("the question is as it was; /retry asks it again")
    else:
        talk.ask(text)


def compact(talk: Talk, argument: str) -> None:
    """`/compact`"""
    from glmcli.repl.compaction import compact as replace_older_part
    from glmcli.repl.size import about_tokens

    session = talk.session
    if not session.messages:
        raise UsageError("there is nothing to summarise yet")
    before = about_tokens(session)
    talk.say("summarising the conversation so far ...")
    summary = replace_older_part(session)
    if not summary:
        raise GlmError("the model gave no summary; the conversation is as it was")
    talk.say(f"about {before:,} tokens became {about_tokens(session):,}; the whole stays in the history")

"""Commands about the conversation as a whole: its name, its size, its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.errors import GlmError, HistoryError, UsageError
from glmcli.repl.size import about_tokens, context_of, counted_tokens
from glmcli.wiremessages import plain_text

if TYPE_CHECKING:
    from glmcli.history.model import Transcript
    from glmcli.repl.talk import Talk

_CODE = re.compile(r"^(?P<fence>`{3,}|~{3,})[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$", re.DOTALL | re.MULTILINE)


def tokens(talk: Talk, argument: str) -> None:
    """`/tokens`"""
    session = talk.session
    counted = counted_tokens(session)
    used = about_tokens(session) if counted is None else counted
    context = context_of(session.model)
    share = f" of {context:,} ({used / context:.1%})" if context else ""
    source = "counted with the last answer" if counted is not None else "estimated"
    talk.say(f"{'' if counted is not None else 'about '}{used:,} tokens{share} in {session.model}, {source}")


def cost(talk: Talk, argument: str) -> None:
    """`/cost`"""
    talk.say(talk.session.spent.told() if talk.session.spent.requests else "nothing was asked yet")


def copy(talk: Talk, argument: str) -> None:
    """`/copy [code]`"""
    from glmcli.clipboard import copy as put

    text = _last_answer(talk)
    if argument == "code":
        blocks = [match["code"].removesuffix("\n") for match in _CODE.finditer(text)]
        if not blocks:
            raise UsageError("the last answer holds no block of code", hint="/copy copies the whole of it")
        text = blocks[-1]
    elif argument:
        raise UsageError(f"/copy takes code or nothing, not {argument!r}")
    way = put(text, talk.app.streams, talk.app.environ)
    if way is None:
        raise GlmError(
            "there is no clipboard: no wl-copy, xclip, xsel or pbcopy, and the terminal takes no text",
            hint="/save answer.md writes a file",
        )
    talk.say(f"copied {len(text):,} characters by {way}")


def _last_answer(talk: Talk) -> str:
    for message in reversed(talk.session.messages):
        if message["role"] == "assistant" and message["content"]:
            return str(message["content"])
    raise UsageError("there is no answer yet")


# -- files and conversations -------------------------------------------------------


def save(talk: Talk, argument: str) -> None:
    """`/save [-f] FILE`"""
    from glmcli.history.export import json_text, markdown_text

    force, name = argument.startswith("-f "), argument.removeprefix("-f ").strip()
    if not name or name == "-f":
        raise UsageError("/save needs a file", hint="/save talk.md, or /save talk.json to load it again")
    if not talk.session.messages:
        raise UsageError("there is nothing to save yet")
    path = talk.app.cwd / Path(name).expanduser()
    if path.exists() and not force:
        raise UsageError(f"{name} exists", hint=f"/save -f {name} overwrites it")
    transcript = _transcript(talk)
    texts = json_text([transcript]) if path.suffix == ".json" else markdown_text([transcript])
    path.write_text("".join(texts), encoding="utf-8")
    talk.say(f"saved {len(transcript.messages)} messages to {name}")


def _transcript(talk: Talk) -> Transcript:
    """The conversation from the history, with times and models; from memory when it is not kept."""
    session = talk.session
    if session.keeper.conversation_id is not None:
        try:
            return talk.app.history.load(session.keeper.conversation_id)
        except HistoryError as error:
            talk.say(f"glm: {error.message}; saving what is in memory")
    from glmcli.repl.documents import transcript_of_messages

    return transcript_of_messages(session.messages, session.keeper.title, session.model, session.setup.options.system)


def load(talk: Talk, argument: str) -> None:
    """`/load ID|TITLE|FILE`"""
    if not argument:
        raise UsageError("/load needs a conversation", hint="/load last, /load TITLE, or /load talk.json")
    path = talk.app.cwd / Path(argument).expanduser()
    if path.suffix == ".json" and path.is_file():
        from glmcli.repl.documents import read_transcript

        read = read_transcript(path)
        talk.session.load(read)
        # A file is no conversation of the history: one begins with it.
        talk.session.replace_messages([*talk.session.messages], read.messages, title=read.conversation.title)
    else:
        talk.session.load(talk.app.history.load(talk.app.history.find(argument).id))
    talk.say(where(talk))


def where(talk: Talk) -> str:
    """One line about a conversation that goes on, with its last question."""
    session = talk.session
    questions = [plain_text(message["content"]) for message in session.messages if message["role"] == "user"]
    line = " ".join(questions[-1].split()) if questions else ""
    last = f"\n  last question: {line[:70]}{'…' if len(line) > 70 else ''}" if line else ""
    return f"going on with “{session.keeper.title}”, {len(session.messages)} messages{last}"


def title(talk: Talk, argument: str) -> None:
    """`/title [TEXT]`"""
    session = talk.session
    if argument:
        session.keeper.rename(argument)
    talk.say(f"title: {session.keeper.title or 'none yet'}")


def new(talk: Talk, argument: str) -> None:
    """`/new`"""
    talk.session.clear()
    talk.attachments.clear()
    talk.say("a new conversation")


def info(talk: Talk, argument: str) -> None:
    """`/info`"""
    session, app = talk.session, talk.app
    setup, settings = session.setup, app.settings
    system = setup.options.system if setup.options.system is not None else app.settings.chat.get("system")
    kept = (
        f"{session.keeper.conversation_id} in {app.paths.history_file}" if session.keeper.conversation_id else "not yet"
    )
    rows = [
        ("title", session.keeper.title or "none yet"),
        ("model", session.model),
        ("provider", f"{settings.provider.value.name} ({settings.provider.source})"),
        ("profile", settings.profile.value or "none"),
        ("system", str(getattr(system, "value", system) or "none")),
        ("messages", str(len(session.messages))),
        ("think", f"{setup.options.think or 'auto'}, {'shown' if setup.thinking == 'show' else 'hidden'}"),
        ("web search", "on" if setup.web_search else "off"),
        ("tools", ", ".join(setup.toolbox.functions) or "printed only" if setup.toolbox else "none"),
        ("attached", ", ".join(item.name for item in talk.attachments) or "nothing"),
        ("kept", kept if session.keeper.is_logged else "no (--no-log)"),
    ]
    talk.say("\n".join(f"  {name:<11}{value}" for name, value in rows))

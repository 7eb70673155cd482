"""Words for the Tab key: commands, and what each of them takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.errors import HistoryError
from glmcli.repl.choices import known_models
from glmcli.repl.commands import COMMANDS

if TYPE_CHECKING:
    from glmcli.repl.talk import Talk

_MOST_CONVERSATIONS = 50


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may replace the last `length` characters before the cursor."""

    text: str
    length: int
    note: str = ""


def candidates(talk: Talk, before: str) -> Iterator[Candidate]:
    """What may stand at the cursor, given the text before it. Only commands are completed."""
    if not before.startswith("/") or "\n" in before:
        return
    word, space, argument = before[1:].partition(" ")
    if not space:
        for command in COMMANDS.values():
            if command.name.startswith(word):
                yield Candidate(f"/{command.name}", len(before), command.help)
    elif word in COMMANDS:
        yield from _arguments(talk, COMMANDS[word].completes, argument.lstrip())


def _arguments(talk: Talk, kind: str, begun: str) -> Iterator[Candidate]:
    if kind == "file":
        yield from _files(begun.removeprefix("-f "))
    elif kind == "model":
        words = [*known_models(talk), *talk.app.settings.aliases]
        yield from (Candidate(word, len(begun)) for word in words if word.startswith(begun))
    elif kind == "conversation":
        yield from _conversations(talk, begun)
        yield from (item for item in _files(begun) if item.text.endswith((".json", os.sep)))
    else:
        yield from (Candidate(word, len(begun)) for word in kind.split("|") if word.startswith(begun) and word)


def _files(begun: str) -> Iterator[Candidate]:
    """Names in the folder that was begun; hidden ones only when asked for."""
    folder, _, name = begun.rpartition("/")
    place = Path(f"{folder}/" if begun.startswith("/") else folder or ".").expanduser()
    try:
        found = sorted(place.iterdir())
    except (OSError, RuntimeError):
        return
    for path in found:
        if path.name.startswith(name) and (name.startswith(".") or not path.name.startswith(".")):
            yield Candidate(path.name + ("/" if path.is_dir() else ""), len(name))


def _conversations(talk: Talk, begun: str) -> Iterator[Candidate]:
    """Titles, newest first; one that several conversations have is completed to an id."""
    try:
        recent = talk.app.history.recent(_MOST_CONVERSATIONS) if talk.app.paths.history_file.exists() else []
    except HistoryError:
        return
    titles = [item.title for item in recent]
    for item in recent:
        text = item.title if titles.count(item.title) == 1 else item.id
        if begun.casefold() in item.title.casefold() or item.id.startswith(begun):
            yield Candidate(text, len(begun), item.title if text == item.id else item.id)

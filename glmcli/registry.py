"""The commands of `glm`: strings only, so that help and completion import nothing.

A command named `x` lives in `glmcli/commands/x.py` (`module` says otherwise)
and offers `app`, a `typer.Typer`. Its help line equals the line here.
"""

from __future__ import annotations

from typing import NamedTuple


class CommandEntry(NamedTuple):
    """One line of `glm --help`."""

    name: str
    help: str
    module: str
    section: str
    subcommands: tuple[str, ...] = ()


COMMANDS: dict[str, CommandEntry] = {
    entry.name: entry
    for entry in (
        CommandEntry("chat", "Ask a model, or hold a conversation.", "chat", "Ask"),
        CommandEntry("stream", "Ask a model and pipe the raw answer as it arrives.", "stream", "Ask"),
        CommandEntry("explain", "Explain an error code of the service.", "explain", "Set up and mend"),
        CommandEntry("sandbox", "Run the embedded imitation of the service.", "sandbox", "Set up and mend", ("serve", "faults")),
        CommandEntry("completion", "Print the completion script of a shell.", "completion", "Set up and mend"),
    )
}

#: Sections of `glm --help`, in their order.
SECTIONS = ("Ask", "Create", "Look up", "Set up and mend", "Keep")


def near(word: str) -> str | None:
    """The command that a mistyped word most likely meant."""
    from difflib import get_close_matches

    found = get_close_matches(word, COMMANDS, n=1, cutoff=0.6)
    return found[0] if found else None

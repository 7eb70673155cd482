"""The table of `/commands`: what each is called, does and completes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from glmcli.errors import UsageError
from glmcli.repl import again, choices, keeping, picture
from glmcli.repl.talk import Leave, Talk


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """One command. `completes` is `file`, `model`, `conversation`, words as `on|off`, or nothing."""

    name: str
    argument: str
    help: str
    run: Callable[[Talk, str], None]
    completes: str = ""


def _help(talk: Talk, argument: str) -> None:
    rows = [(f"/{command.name} {command.argument}".rstrip(), command.help) for command in COMMANDS.values()]
    width = max(len(usage) for usage, _ in rows)
    lines = [f"  {usage:<{width}}  {help}" for usage, help in rows]
    lines += [
        "",
        "  Enter sends, Alt-Enter begins a new line, Ctrl-R searches what was typed before,",
        "  Ctrl-X Ctrl-E opens the editor, Ctrl-C stops an answer, Ctrl-D leaves.",
        "  A question that begins with a slash is written with two: //etc/hosts",
    ]
    talk.say("\n".join(lines))


def _leave(talk: Talk, argument: str) -> None:
    raise Leave


COMMANDS: dict[str, SlashCommand] = {
    command.name: command
    for command in (
        SlashCommand("help", "", "List the commands.", _help),
        SlashCommand("model", "[ID]", "Show or change the model.", choices.model, "model"),
        SlashCommand("system", "[TEXT|off]", "Show, set or drop the system message.", choices.system),
        SlashCommand(
            "think",
            "[LEVEL|show|hide]",
            "Think off, low, medium, high, max or auto; show or hide it.",
            choices.think,
            "off|low|medium|high|max|auto|show|hide",
        ),
        SlashCommand(
            "set",
            "[NAME VALUE|clear]",
            "Show or change temperature, max_tokens and the like.",
            choices.set_option,
            "temperature|top_p|max_tokens|stop|clear",
        ),
        SlashCommand("search", "[on|off]", "Let the service search the web.", choices.search, "on|off"),
        SlashCommand("attach", "[FILE|URL|clear]", "Attach to the next question.", choices.attach, "file"),
        SlashCommand("image", "PROMPT", "Create a picture and save it here.", picture.image),
        SlashCommand("tokens", "", "Tell how full the context is.", keeping.tokens),
        SlashCommand("cost", "", "Tell what this conversation has used.", keeping.cost),
        SlashCommand("retry", "", "Ask the last question again.", again.retry),
        SlashCommand("continue", "", "Let the model go on with its last answer.", again.go_on),
        SlashCommand("undo", "", "Take the last question and its answer back.", again.undo),
        SlashCommand("edit", "", "Edit the last question and ask it.", again.edit),
        SlashCommand("compact", "", "Replace the older part by a summary.", again.compact),
        SlashCommand("copy", "[code]", "Copy the last answer, or its last block of code.", keeping.copy, "code"),
        SlashCommand("save", "[-f] FILE", "Write the conversation as .md or .json.", keeping.save, "file"),
        SlashCommand("load", "ID|TITLE|FILE", "Go on with another conversation.", keeping.load, "conversation"),
        SlashCommand("title", "[TEXT]", "Show or change the title.", keeping.title),
        SlashCommand("info", "", "Tell what is asked, and how.", keeping.info),
        SlashCommand("new", "", "Begin a new conversation.", keeping.new),
        SlashCommand("exit", "", "Leave.", _leave),
        SlashCommand("quit", "", "Leave.", _leave),
    )
}

# A path such as /etc/hosts is no command.
_COMMAND = re.compile(r"/([a-zA-Z?][\w-]*)?(?:\s+(.*))?", re.DOTALL)


#: What people type who want to leave; as a question it would make no sense.
_FAREWELLS = frozenset({"exit", "quit", ":q", ":wq", "exit()", "quit()"})


def take(talk: Talk, line: str) -> None:
    """Carry out a line: a command, or a question. Raises Leave."""
    if line.strip() in _FAREWELLS:
        raise Leave
    found = _COMMAND.fullmatch(line.rstrip())
    try:
        if found is not None:
            find(found[1] or "help").run(talk, (found[2] or "").strip())
        elif line.strip():
            talk.ask(line[1:] if line.startswith("//") else line)
    except Leave:
        raise
    except KeyboardInterrupt:
        talk.say("interrupted")
    except Exception as error:  # no error ends a conversation
        talk.tell(error)


def find(word: str) -> SlashCommand:
    """The command of that name, or of a beginning that only it has. Raises UsageError with the nearest."""
    word = {"?": "help", "h": "help", "q": "quit", "bye": "exit"}.get(word, word).lower()
    if word in COMMANDS:
        return COMMANDS[word]
    begun = [name for name in COMMANDS if name.startswith(word)]
    if len(begun) == 1:
        return COMMANDS[begun[0]]
    if begun:
        raise UsageError(f"/{word} may be {' or '.join(f'/{name}' for name in begun)}")
    from difflib import get_close_matches

    near = get_close_matches(word, COMMANDS, n=1, cutoff=0.5)
    raise UsageError(
        f"there is no command /{word}", hint=f"did you mean /{near[0]}?" if near else "/help lists the commands"
    )

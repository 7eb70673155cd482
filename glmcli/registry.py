"""The commands of `glm`: strings only, so that help and completion import nothing.

A command named `x` lives in `glmcli/commands/x.py` (`module` says otherwise)
and offers `app`, a `typer.Typer`. Its help line equals the line here.
"""

from __future__ import annotations


class CommandEntry:
    """One line of `glm --help`.

    A plain class: `typing` and `dataclasses` would cost the front page more than Python's own start.
    """

    __slots__ = ("help", "module", "name", "section", "subcommands")

    def __init__(self, name: str, help: str, module: str, section: str, subcommands: tuple[str, ...] = ()) -> None:
        self.name = name
        self.help = help
        self.module = module
        self.section = section
        self.subcommands = subcommands


COMMANDS: dict[str, CommandEntry] = {
    entry.name: entry
    for entry in (
        CommandEntry("chat", "Ask a model, or hold a conversation.", "chat", "Ask"),
        CommandEntry("stream", "Ask a model and pipe the raw answer as it arrives.", "stream", "Ask"),
        CommandEntry(
            "agent",
            "Translate, make slides, or run any agent.",
            "agent",
            "Create",
            ("list", "run", "translate", "slides", "effects"),
        ),
        CommandEntry("ocr", "Turn PDFs and pictures into Markdown.", "ocr", "Create"),
        CommandEntry(
            "batch",
            "Send many prompts, resumable; here or on the Batch API.",
            "batch",
            "Ask",
            ("run", "submit", "status", "wait", "fetch", "cancel", "list"),
        ),
        CommandEntry("transcribe", "Turn speech into text, of any length.", "transcribe", "Create"),
        CommandEntry("speak", "Turn text of any length into speech.", "speak", "Create"),
        CommandEntry("search", "Search the web.", "search", "Look up"),
        CommandEntry("read", "Read web pages as Markdown or text.", "read", "Look up"),
        CommandEntry("tokenize", "Count the tokens of texts, files and messages.", "tokenize", "Look up"),
        CommandEntry("embed", "Turn texts into vectors.", "embed", "Look up"),
        CommandEntry("rerank", "Sort texts by their relevance to a question.", "rerank", "Look up"),
        CommandEntry("moderate", "Ask which texts may be shown.", "moderate", "Look up"),
        CommandEntry("image", "Create a picture from a prompt.", "image", "Create"),
        CommandEntry("video", "Create a video from a prompt or pictures.", "video", "Create"),
        CommandEntry(
            "tasks",
            "List, wait for and fetch asynchronous jobs.",
            "tasks",
            "Create",
            ("list", "show", "wait", "fetch", "forget"),
        ),
        CommandEntry(
            "files",
            "Upload, list, delete and download files.",
            "files",
            "Keep",
            ("upload", "list", "delete", "download"),
        ),
        CommandEntry("models", "List models with context, price and abilities.", "models", "Look up"),
        CommandEntry("usage", "Show the plan's windows, or what was used here.", "usage", "Look up"),
        CommandEntry(
            "onboard", "Set up a key: find out what it can use, verify it, store it.", "onboard", "Set up and mend"
        ),
        CommandEntry("doctor", "Find out what works, and mend what does not.", "doctor", "Set up and mend"),
        CommandEntry("api", "Call any path of the service with your key.", "api", "Look up"),
        CommandEntry("explain", "Explain an error code of the service.", "explain", "Set up and mend"),
        CommandEntry(
            "sandbox", "Run the embedded imitation of the service.", "sandbox", "Set up and mend", ("serve", "faults")
        ),
        CommandEntry("env", "Print the variables that other clients need.", "env", "Set up and mend"),
        CommandEntry("exec", "Run a program with the variables that it needs.", "exec", "Set up and mend"),
        CommandEntry("connect", "Set up a coding tool to use your key.", "connect", "Set up and mend"),
        CommandEntry(
            "history",
            "Find, read, export and delete conversations.",
            "history",
            "Keep",
            ("list", "show", "search", "export", "delete"),
        ),
        CommandEntry(
            "template",
            "Keep prompts with variables for later use.",
            "template",
            "Keep",
            ("list", "show", "new", "edit"),
        ),
        CommandEntry(
            "profile",
            "Manage profiles and their keys.",
            "profile",
            "Set up and mend",
            ("list", "show", "use", "set", "rename", "delete", "login", "logout"),
        ),
        CommandEntry(
            "config", "Show and change the configuration.", "config", "Set up and mend", ("path", "get", "set", "edit")
        ),
        CommandEntry("completion", "Print the completion script of a shell.", "completion", "Set up and mend"),
    )
}

#: Sections of `glm --help`, in their order.
SECTIONS = ("Ask", "Create", "Look up", "Set up and mend", "Keep")

#: What people type who know another tool, and what it is called here.
SYNONYMS = {
    "ask": "chat",
    "auth": "profile login",
    "embeddings": "embed",
    "init": "onboard",
    "login": "profile login",
    "logout": "profile logout",
    "prompt": "chat",
    "quota": "usage",
    "repl": "chat",
    "say": "speak",
    "serve": "sandbox serve",
    "setup": "onboard",
    "stt": "transcribe",
    "tts": "speak",
    "upload": "files upload",
    "web": "search",
}


def near(word: str) -> str | None:
    """The command that a mistyped or foreign word most likely meant."""
    meant = SYNONYMS.get(word.lower(), "")
    if meant.partition(" ")[0] in COMMANDS:
        return meant
    from difflib import get_close_matches

    found = get_close_matches(word.lower(), COMMANDS, n=1, cutoff=0.6)
    return found[0] if found else None


class GlobalOption:
    """An option that every command takes, before or after its name.

    `name` is the field of `GlobalOptions`. An option without `metavar` is a flag. `kind` says how a
    value is checked: `text`, `path`, `count`, `seconds`, `number`, or `choice` among `choices`.
    """

    __slots__ = ("choices", "flags", "help", "kind", "metavar", "name")

    def __init__(
        self,
        name: str,
        flags: tuple[str, ...],
        help: str,
        *,
        metavar: str | None = None,
        kind: str = "text",
        choices: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.flags = flags
        self.help = help
        self.metavar = metavar
        self.kind = kind
        self.choices = choices


GLOBAL_OPTIONS = (
    GlobalOption("profile", ("-p", "--profile"), "Use a stored profile.", metavar="NAME"),
    GlobalOption("provider", ("--provider",), "Use zai[-coding], zhipu[-coding], sandbox or custom.", metavar="NAME"),
    GlobalOption("base_url", ("--base-url",), "Send requests to a compatible service.", metavar="URL"),
    GlobalOption(
        "protocol",
        ("--protocol",),
        "Speak openai or anthropic.",
        metavar="NAME",
        kind="choice",
        choices=("openai", "anthropic"),
    ),
    GlobalOption(
        "via",
        ("--via",),
        "Override the route: general, coding or mcp.",
        metavar="ROUTE",
        kind="choice",
        choices=("general", "coding", "mcp"),
    ),
    GlobalOption("json", ("--json",), "Print JSON; failures too, on stderr."),
    GlobalOption("quiet", ("-q", "--quiet"), "Print the answer and errors only."),
    GlobalOption("verbose", ("-v", "--verbose"), "Tell what happens; twice: the wire, key redacted.", kind="count"),
    GlobalOption(
        "color",
        ("--color",),
        "Colour the output: auto, always or never.",
        metavar="WHEN",
        kind="choice",
        choices=("auto", "always", "never"),
    ),
    GlobalOption(
        "timeout", ("--timeout",), "Give up on a request that is silent so long.", metavar="SECONDS", kind="seconds"
    ),
    GlobalOption(
        "max_retries", ("--max-retries",), "Repeat a failed request at most N times.", metavar="N", kind="number"
    ),
    GlobalOption("wait", ("--wait",), "Sleep until a plan window resets."),
    GlobalOption("dry_run", ("--dry-run",), "Print the request as a curl command; send nothing."),
    GlobalOption("no_input", ("--no-input",), "Never ask; fail where a question would be."),
    GlobalOption("allow_http", ("--allow-http",), "Allow plain http to hosts beyond this machine."),
    GlobalOption("env_file", ("--env-file",), "Read variables from a dotenv file.", metavar="FILE", kind="path"),
    GlobalOption("key_env", ("--key-env",), "Take the key from a variable.", metavar="NAME"),
    GlobalOption("key_stdin", ("--key-stdin",), "Take the key from standard input."),
)

_EXAMPLES = (
    'glm chat "why is the sky blue?"',
    'git diff | glm chat "write a commit message"',
    'glm --provider sandbox chat "no key needed"',
)


def front_page() -> str:
    """The text of `glm --help`: ASCII, at most 80 columns, every command and global option."""
    lines = [
        "Usage: glm [OPTIONS] COMMAND [ARGS]...",
        "",
        "  The command line for GLM models of Z.AI and Zhipu (BigModel).",
    ]
    for section in SECTIONS:
        entries = [entry for entry in COMMANDS.values() if entry.section == section]
        if entries:
            lines += ["", f"{section}:", *(f"  {entry.name:<12}{entry.help}" for entry in entries)]
    lines += ["", "Options, before or after the command:"]
    lines += [_option_line(option.flags, option.metavar, option.help) for option in GLOBAL_OPTIONS]
    lines += [
        _option_line(("-h", "--help"), None, "Show this page, or that of a command."),
        _option_line(("--version",), None, "Show the version."),
    ]
    lines += ["", "Examples:", *(f"  {example}" for example in _EXAMPLES)]
    lines += ["", "More about a command: glm COMMAND --help"]
    return "\n".join(lines) + "\n"


def _option_line(flags: tuple[str, ...], metavar: str | None, help: str) -> str:
    short = flags[0] + ", " if len(flags) > 1 else "    "
    names = short + flags[-1] + (f" {metavar}" if metavar else "")
    return f"  {names:<23} {help}"

"""Words for a shell's Tab key.

Commands and options come from `completion_data`, which is generated; profiles and aliases from
`config.toml`. Neither Typer nor a command module is imported, and nothing is sent: a shell asks at
every press of the key.
"""

from __future__ import annotations

from glmcli.completion_data import GLOBAL, MODELS, TREE
from glmcli.completion_scripts import SCRIPTS

__all__ = ["SCRIPTS", "candidates", "script"]

#: A word and what it means.
Word = tuple[str, str]

#: Kinds of values that the shell itself completes.
_BY_SHELL = {"file": ":files", "directory": ":directories"}


def script(shell: str) -> str:
    """The completion script of a shell (a key of `SCRIPTS`)."""
    return SCRIPTS[shell]


def candidates(argv: list[str]) -> list[str]:
    """The lines to print for `glm --complete SHELL WORD...`; the last word is being completed.

    A single `:files` or `:directories` asks the shell to complete names of files.
    """
    shell, words = argv[0], argv[1:]
    if shell == "powershell":
        words[-1] = words[-1][1:]  # a mark in front: it drops empty arguments
    found = _found(_joined(words) if shell == "bash" else words)
    return [_line(shell, word) for word in found]


def _joined(words: list[str]) -> list[str]:
    """The words without the equals signs: bash hands over `--color=al` as `--color`, `=`, `al`."""
    words = [word for word in words[:-1] if word != "="] + words[-1:]
    return [*words[:-1], ""] if words[-1:] == ["="] else words


def _found(words: list[str]) -> list[Word]:
    current = words[-1] if words else ""
    path, waiting, position, only_words = _walk(words[:-1])
    if waiting:
        return _matching(_values(waiting), current)
    if only_words:
        return [(_BY_SHELL["file"], "")]
    if current.startswith("--") and "=" in current:
        return _after_equals(path, current)
    if current.startswith("-"):
        return _matching(_options(path), current)
    below = TREE[path]["commands"]
    if below:
        return _matching(list(below), current)
    kinds = TREE[path]["arguments"]
    return _matching(_values(kinds[min(position, len(kinds) - 1)]), current) if kinds else []


def _walk(words: list[str]) -> tuple[str, str, int, bool]:
    """Where the cursor stands: the command, the kind of value that an option waits for, the number of
    arguments before it, and whether `--` has ended the options."""
    path, waiting, position = "", "", 0
    for word in words:
        if waiting:
            waiting = ""
        elif word == "--":
            return path, "", position, True
        elif word.startswith("-"):
            waiting = "" if "=" in word else _kind_of(path, word)
        elif f"{path} {word}".strip() in TREE:
            path = f"{path} {word}".strip()
        else:
            position += 1
    return path, waiting, position, False


def _kind_of(path: str, flag: str) -> str:
    """What an option takes: a kind, choices as `a|b`, or nothing."""
    for flags, kind, _ in (*TREE[path]["options"], *GLOBAL):
        if flag in flags:
            return kind
    return ""


def _options(path: str) -> list[Word]:
    return [(flag, help) for flags, _, help in (*TREE[path]["options"], *GLOBAL) for flag in flags]


def _after_equals(path: str, current: str) -> list[Word]:
    flag, _, begun = current.partition("=")
    return [(f"{flag}={value}", help) for value, help in _matching(_values(_kind_of(path, flag)), begun)]


def _matching(words: list[Word], begun: str) -> list[Word]:
    return [word for word in words if word[0].startswith(begun) or word[0] in _BY_SHELL.values()]


def _values(kind: str) -> list[Word]:
    if kind in _BY_SHELL:
        return [(_BY_SHELL[kind], "")]
    if kind == "profile":
        return [(name, "") for name in _configured("profiles")]
    if kind == "model":
        return [(name, "") for name in (*MODELS, *_configured("aliases"))]
    return [(choice, "") for choice in kind.split("|")] if "|" in kind else []


def _configured(table: str) -> list[str]:
    """Names in a table of `config.toml`; a broken file has none: this is no place to complain."""
    import os
    import tomllib

    from glmcli.config.paths import find_paths
    from glmcli.errors import GlmError

    try:
        document = tomllib.loads(find_paths(os.environ).config_file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, GlmError):
        return []
    names = document.get(table)
    return list(names) if isinstance(names, dict) else []


def _line(shell: str, word: Word) -> str:
    value, help = word
    if shell == "bash" or not help:
        return value.replace(":", "\\:") if shell == "zsh" and not value.startswith(":") else value
    if shell == "zsh":
        return value.replace(":", "\\:") + ":" + help
    return f"{value}\t{help}"

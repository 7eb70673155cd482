"""What setting up a coding tool takes in, and what it gives back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from glmcli.api.clientenv import ClientBases
from glmcli.api.endpoints import Plan, Provider, Region
from glmcli.errors import UsageError
from glmcli.integrations.changes import Document, FileEdits, Format, open_document
from glmcli.integrations.files import read_settings

#: The small model of the plans (docs.z.ai/devpack, October 2026).
FLASH_MODEL = "glm-5.3-flash"


@dataclass(frozen=True, slots=True)
class Place:
    """Where tools keep their files: a home directory and an environment."""

    home: Path
    environ: Mapping[str, str]

    def directory(self, variable: str, *default: str) -> Path:
        """The directory that a variable names, or one under the home directory."""
        named = self.environ.get(variable)
        return Path(named).expanduser() if named else self.home.joinpath(*default)

    def config_directory(self, name: str) -> Path:
        """A tool's directory under `~/.config` (XDG)."""
        return self.directory("XDG_CONFIG_HOME", ".config") / name


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The key, and the ways to refer to it instead of writing it down.

    `variable` names a variable that holds the key (`is_exported` says whether
    it does so already); `command` prints the key. `by_reference` is the
    user's wish, None for the tool's own custom.
    """

    text: str
    variable: str
    command: str
    is_exported: bool = False
    by_reference: bool | None = None

    def __repr__(self) -> str:
        return f"KeyUse(variable={self.variable!r}, by_reference={self.by_reference!r})"

    def refers(self, *, by_default: bool) -> bool:
        """Whether to write a reference, in a tool that does so by default or not."""
        return by_default if self.by_reference is None else self.by_reference


@dataclass(frozen=True, slots=True)
class Setup:
    """What a tool shall use: provider, addresses, model, key, and the user's wishes."""

    provider: Provider
    bases: ClientBases
    model: str
    key: KeyUse
    auth: str = "bearer"
    map_models: bool = False
    mark_onboarded: bool = False

    @property
    def is_plan(self) -> bool:
        """Whether a Coding Plan pays."""
        return self.provider.plan is Plan.CODING

    @property
    def is_intl(self) -> bool:
        """Whether the account is one of Z.AI rather than BigModel."""
        return self.provider.region is Region.INTL

    @property
    def is_custom(self) -> bool:
        """Whether the address is the user's own."""
        return self.provider.name == "custom"

    def openai_base(self, tool: str) -> str:
        """The Chat Completions address. Raises UsageError if there is none."""
        return _required(self.bases.openai, tool, "the OpenAI protocol")

    def anthropic_base(self, tool: str) -> str:
        """The Messages address. Raises UsageError if there is none."""
        return _required(self.bases.anthropic, tool, "the Anthropic protocol")


def _required(base: str | None, tool: str, protocol: str) -> str:
    if base is None:
        raise UsageError(
            f"{tool} needs {protocol}, which this provider does not speak",
            hint="choose --provider zai-coding or zhipu-coding, or set --protocol for a custom base URL",
        )
    return base


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """How a tool is set up.

    Either `files` are edited, or a `command` is to be run, or `fields` are to
    be filled in by hand. `notes` are for people.
    """

    files: tuple[FileEdits, ...] = ()
    command: str | None = None
    fields: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a tool's file says now. `key` is `written`, `reference` or None."""

    base_url: str | None = None
    key: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A coding tool: how it is recognised, read and set up.

    `how` is `file` (we edit its file), `command` (its own command does it) or
    `form` (fields to fill in). `support` says how the Coding Plan regards it
    (docs.z.ai/devpack/tool/others).
    """

    name: str
    title: str
    plan: Callable[[Setup, Place], ToolPlan]
    how: str = "file"
    executables: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    #: The file that we would edit; None for tools without one.
    file: Callable[[Place], Path] | None = None
    inspect: Callable[[Place], Standing] | None = None
    #: Directories whose presence shows that the tool is in use.
    traces: Callable[[Place], tuple[Path, ...]] | None = None
    support: str = "listed"
    docs: str = ""


def open_settings(path: Path, format: Format = Format.JSON) -> Document | None:
    """A settings file opened for reading, or None. Raises ConfigError for a broken one."""
    text = read_settings(path)
    return None if text is None else open_document(text, format, name=str(path))


def text_at(document: Document, *path: str) -> str | None:
    """The text at a path, or None if there is something else."""
    value = document.get(path)
    return value if isinstance(value, str) and value else None


def key_kind(value: str | None) -> str | None:
    """Whether a key stands in a file itself or by reference."""
    if value is None:
        return None
    return "reference" if value.startswith(("$", "!", "{env:", "{file:")) else "written"


def variable_note(tool: str, key: KeyUse, executable: str) -> tuple[str, ...]:
    """How the variable gets its value, if it has none yet."""
    if key.is_exported:
        return (f"{tool} reads the key from ${key.variable}, which is set in this shell",)
    return (
        f"{tool} reads the key from ${key.variable}: start it with `glm exec -- {executable}`, "
        'or put eval "$(glm env)" into your shell\'s start file (--write-key puts the key into the file instead)',
    )


def refuse_custom(setup: Setup, tool: str, executable: str) -> None:
    """Raise UsageError for a custom base URL that we do not know how to write for a tool."""
    if setup.is_custom:
        raise UsageError(
            f"{tool} cannot be pointed at a custom base URL by glm",
            hint=f"run it with the variables set: glm exec -- {executable}",
        )


def is_blank_file(path: Path) -> bool:
    """Whether a JSON file is missing or holds nothing. Raises ConfigError for a broken one."""
    document = open_settings(path)
    return document is None or json.dumps(document.get(())) == "{}"

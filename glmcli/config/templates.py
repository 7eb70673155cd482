"""Templates: a prompt with `{{variables}}`, a system message and options, in one TOML file.

`{{input}}` stands for the words of the command line and what is piped in.
Other braces are left alone: a prompt may well be about code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from glmcli.config.model import CHAT_KEYS
from glmcli.config.schema import Checker, Types
from glmcli.config.tomltext import parse_toml
from glmcli.errors import UsageError

#: Keys of a template, with their types.
TEMPLATE_KEYS: Mapping[str, Types] = {
    "description": (str,),
    "prompt": (str,),
    **CHAT_KEYS,
    "json_mode": (bool,),
    "defaults": (dict,),
}
INPUT = "input"
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Template:
    """One template. `options` are chat options by the names of a profile's; `defaults` are values of variables."""

    name: str
    path: Path
    description: str = ""
    system: str | None = None
    prompt: str | None = None
    model: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names that stand in the texts besides `input`, in their order."""
        names = _VARIABLE.findall(f"{self.system or ''}\n{self.prompt or ''}")
        return tuple(name for name in dict.fromkeys(names) if name != INPUT)

    @property
    def wants_input(self) -> bool:
        """Whether there is nothing to ask without words of the user."""
        return self.prompt is None or INPUT in _VARIABLE.findall(self.prompt)


@dataclass(frozen=True, slots=True)
class Filled:
    """The texts of a template with everything in its place; None where there is nothing to say."""

    system: str | None
    prompt: str | None


def parse_template(text: str, path: Path) -> Template:
    """The template that a text makes; `path` is for messages. Raises ConfigError with path and line."""
    document = parse_toml(text, path)
    check = Checker(text, path)
    for key in document:
        if key not in TEMPLATE_KEYS:
            near = get_close_matches(key, TEMPLATE_KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(TEMPLATE_KEYS)}"
            raise check.error((key,), "is no key of a template", hint=hint)
    check.keys(document, TEMPLATE_KEYS, ())
    defaults = check.table(document, "defaults")
    for name, value in defaults.items():
        check.type(value, (str,), ("defaults", name))
    template = Template(
        path.stem,
        path,
        description=check.text(document, "description") or "",
        system=check.text(document, "system"),
        prompt=check.text(document, "prompt"),
        model=check.text(document, "model"),
        options={key: document[key] for key in (*CHAT_KEYS, "json_mode") if key in document and key not in _TEXTS},
        defaults={name: str(value) for name, value in defaults.items()},
    )
    for name in defaults:
        if name not in template.variables:
            raise check.error(("defaults", name), "stands in neither prompt nor system")
    if template.prompt is None and template.system is None:
        raise check.error(("prompt",), "is missing, and so is system", hint='add: prompt = "…{{input}}"')
    return template


_TEXTS = ("model", "system")


def fill(template: Template, given: Mapping[str, str], words: str | None) -> Filled:
    """The texts with every variable replaced, once: a value may hold braces of its own.

    Words that the prompt has no `{{input}}` for follow it. Raises UsageError
    for variables that are missing, and for ones that the template has not.
    """
    _check_names(template, given)
    values = {**template.defaults, **given}
    missing = [name for name in template.variables if name not in values]
    if missing:
        flags = " ".join(f"--var {name}=…" for name in missing)
        raise UsageError(f"template {template.name} needs {', '.join(missing)}", hint=f"give {flags}")
    if template.wants_input and template.prompt is not None and not words:
        raise UsageError(
            f"template {template.name} needs a text in the place of {{{{input}}}}",
            hint=f"glm chat --template {template.name} < FILE, or give the text as an argument",
        )
    values[INPUT] = words or ""
    return Filled(_put(template.system, values), _prompt(template, values, words))


def _check_names(template: Template, given: Mapping[str, str]) -> None:
    for name in given:
        if name not in template.variables:
            known = ", ".join(template.variables) or "none"
            hint = f"its variables: {known}" + ("; input is what is piped in" if name == INPUT else "")
            raise UsageError(f"template {template.name} has no variable {name}", hint=hint)


def _prompt(template: Template, values: Mapping[str, str], words: str | None) -> str | None:
    if template.prompt is None:
        return words
    prompt = _put(template.prompt, values) or ""
    return prompt if template.wants_input or not words else f"{prompt.rstrip()}\n\n{words}"


def _put(text: str | None, values: Mapping[str, str]) -> str | None:
    return None if text is None else _VARIABLE.sub(lambda found: values[found[1]], text)

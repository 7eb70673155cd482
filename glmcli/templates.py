"""Templates in the configuration folder: found by name, and laid under the options of a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glmcli.config.templates import Template, fill, parse_template
from glmcli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from glmcli.asking import ChatOptions
    from glmcli.context import AppContext

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def template_path(app: AppContext, name: str) -> Path:
    """Where the template of a name stands; a path to a `.toml` file is taken as it is. Raises UsageError."""
    if "/" in name or name.endswith(".toml"):
        return app.cwd / Path(name).expanduser()
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a template", hint="use letters, digits, _ and -")
    return app.paths.templates_dir / f"{name}.toml"


def template_names(app: AppContext) -> list[str]:
    """The names of all templates, sorted."""
    return sorted(path.stem for path in app.paths.templates_dir.glob("*.toml"))


def read_template(app: AppContext, name: str) -> tuple[Template, str]:
    """A template and its text. Raises UsageError when there is none, ConfigError when it is broken."""
    from glmcli.config.store import read_text

    path = template_path(app, name)
    text = read_text(path)
    if text is None:
        raise UsageError(f"there is no template {name!r}", hint=_hint(app, name))
    return parse_template(text, path), text


def _hint(app: AppContext, name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, template_names(app), n=1)
    return f"did you mean {near[0]}?" if near else f"glm template list; make one with: glm template new {name}"


def apply_template(
    app: AppContext, name: str, options: ChatOptions, words: str | None, variables: Sequence[str]
) -> tuple[ChatOptions, str | None]:
    """The options and the prompt of a question that is asked with a template; what was given as an option wins."""
    template, _ = read_template(app, name)
    filled = fill(template, parse_variables(variables), words)
    laid_under: dict[str, Any] = {"system": filled.system, "model": template.model, **template.options}
    stop = laid_under.get("stop")
    if stop is not None:
        laid_under["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    missing = {key: value for key, value in laid_under.items() if not _is_given(getattr(options, key))}
    return options.replace(**missing), filled.prompt


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != ()


def parse_variables(variables: Sequence[str]) -> dict[str, str]:
    """`name=value` words as a table. Raises UsageError for one without an equals sign."""
    table = {}
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--var {variable!r} has not the form name=value")
        table[name.strip()] = value
    return table


def save_template(app: AppContext, name: str, text: str) -> Path:
    """Write a template, if it is a good one. Raises ConfigError with path and line; nothing is written then."""
    from glmcli.config.files import write_private

    path = template_path(app, name)
    parse_template(text, path)
    try:
        write_private(path, text.encode())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
    return path

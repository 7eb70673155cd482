"""`glm config`: where the files stand, and the values in `config.toml`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import context_of, examples, group_app
from glmcli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from glmcli.context import AppContext

app = group_app("Show and change the configuration.")

Key = Annotated[
    str, typer.Argument(help="A dotted key, as profiles.work.model or settings.timeout.", show_default=False)
]


class Place(StrEnum):
    """What `glm config path` can name."""

    CONFIG = "config"
    CREDENTIALS = "credentials"
    HISTORY = "history"
    TEMPLATES = "templates"
    STATE = "state"
    CACHE = "cache"


@app.command(
    epilog=examples("glm config path", 'cat "$(glm config path config)"', "glm config path --json | jq -r .history")
)
def path(
    ctx: typer.Context,
    place: Annotated[Place | None, typer.Argument(help="Print this path alone.", show_default=False)] = None,
) -> None:
    """Print where the files of glm stand."""
    run_path(context_of(ctx), place)


def run_path(app: AppContext, place: Place | None) -> None:
    """Print the paths, whether or not something is there yet."""
    paths = app.paths
    places = {
        Place.CONFIG: paths.config_file,
        Place.CREDENTIALS: paths.credentials_file,
        Place.HISTORY: paths.history_file,
        Place.TEMPLATES: paths.templates_dir,
        Place.STATE: paths.state_dir,
        Place.CACHE: paths.cache_dir,
    }
    if place is not None:
        app.streams.write_json(str(places[place])) if app.options.json else app.streams.write_line(str(places[place]))
    elif app.options.json:
        app.streams.write_json({str(name): str(where) for name, where in places.items()})
    else:
        for name, where in places.items():
            app.streams.write_line(f"{name:<12} {where}")


@app.command(epilog=examples("glm config get", "glm config get default_profile", "glm config get profiles.work --json"))
def get(
    ctx: typer.Context,
    key: Annotated[str | None, typer.Argument(help="A dotted key; else the whole file.", show_default=False)] = None,
) -> None:
    """Print a value of config.toml, or all of it."""
    run_get(context_of(ctx), key)


def run_get(app: AppContext, key: str | None) -> None:
    """Print a value as it stands in the file: text bare, a table as TOML. Raises ConfigError when it is not set."""
    import tomllib

    from glmcli.config.store import read_config_text

    text = read_config_text(app.paths.config_file)
    document = tomllib.loads(text.removeprefix("\ufeff"))
    value: object = document if key is None else _value_at(document, _place(key))
    if app.options.json:
        app.streams.write_json(_jsonable(value))
    elif key is None:
        app.streams.write(text)
    else:
        app.streams.write(_as_text(value))


def _place(key: str) -> tuple[str, ...]:
    from glmcli.config.schema import place_of

    place = place_of(key)
    if not place:
        raise UsageError(
            f"{key!r} is not a dotted key", hint='for example: profiles.work.model, or profiles."a b".model'
        )
    return place


def _value_at(document: Mapping[str, object], place: tuple[str, ...]) -> object:
    from glmcli.config.schema import dotted

    value: object = document
    for part in place:
        if not isinstance(value, Mapping) or part not in value:
            raise ConfigError(f"{dotted(place)} is not set", hint="see what is: glm config get")
        value = value[part]
    return value


def _jsonable(value: object) -> object:
    """TOML knows dates; JSON takes them as text."""
    if isinstance(value, Mapping):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


def _as_text(value: object) -> str:
    if isinstance(value, Mapping):
        import tomli_w

        return tomli_w.dumps(value)
    if isinstance(value, list):
        import json

        return json.dumps(_jsonable(value), ensure_ascii=False) + "\n"
    return (str(value).lower() if isinstance(value, bool) else str(value)) + "\n"


@app.command(
    "set",
    epilog=examples(
        "glm config set default_profile work",
        "glm config set profiles.work.chat.temperature 0.3",
        "glm config set aliases.fast glm-5-flash",
        "glm config set settings.timeout --unset",
    ),
)
def set_key(
    ctx: typer.Context,
    key: Key,
    value: Annotated[str | None, typer.Argument(help="Its new value.", show_default=False)] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Remove the key.")] = False,
) -> None:
    """Set a value of config.toml."""
    if unset == (value is not None):
        raise UsageError("give a value, or --unset", hint=f"glm config set {key} VALUE")
    run_set(context_of(ctx), key, value)


def run_set(app: AppContext, key: str, text: str | None) -> None:
    """Write one value, checked for its type; None removes it. Raises ConfigError; nothing is written then."""
    from glmcli.config.editing import change_values
    from glmcli.config.schema import value_from_text

    place = _place(key)
    value = None if text is None else value_from_text(text, place)
    changes = change_values(
        app.paths.config_file, {place: value}, allow_http=app.options.allow_http, notice=app.streams.note
    )
    if app.options.json:
        app.streams.write_json({"changes": changes})
        return
    for change in changes or ["nothing to change"]:
        app.streams.note(change)


# -- edit --------------------------------------------------------------------------


@app.command(epilog=examples("glm config edit", "EDITOR='code --wait' glm config edit"))
def edit(ctx: typer.Context) -> None:
    """Open config.toml in an editor and check it before it is used."""
    run_edit(context_of(ctx))


def run_edit(app: AppContext) -> None:
    """Edit a copy; the file itself is replaced when the copy is good.

    A copy with a mistake is kept, so that no typing is lost. Raises ConfigError.
    """
    from glmcli.config.files import write_private

    if app.options.no_input:
        raise UsageError("an editor needs a person", hint="glm config set KEY VALUE")
    original = app.paths.config_file
    before = _text_of(original)
    copy = original.with_name(f"config.edit-{os.getpid()}.toml")
    write_private(copy, (before or _FIRST_LINES).encode())
    while True:
        _run_editor(app, copy)
        after = _text_of(copy)
        if after == (before or _FIRST_LINES):
            copy.unlink()
            app.streams.note("glm: nothing was changed")
            return
        try:
            _take_over(app, copy, before, after)
        except ConfigError as error:
            if not _wants_to_try_again(app, error):
                raise
        else:
            copy.unlink()
            app.streams.note(f"glm: {original} changed")
            return


def _wants_to_try_again(app: AppContext, error: ConfigError) -> bool:
    if not app.prompter.can_ask:
        return False
    app.streams.complain(f"glm: {error.message}")
    return app.prompter.confirm("Edit it again?", default=True)


_FIRST_LINES = "version = 1\n"


def _text_of(path: Path) -> str:
    """The text, good or bad: an editor is how a broken file is mended."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint=f"look at it with: ls -l {path}") from error


def _run_editor(app: AppContext, copy: Path) -> None:
    from glmcli.editor import edit_file

    try:
        edit_file(app.environ, copy)
    except ConfigError:
        copy.unlink()
        raise


def _take_over(app: AppContext, copy: Path, before: str, after: str) -> None:
    """Replace the configuration by the copy, if it is good. Raises ConfigError that names the copy."""
    from glmcli.config.editing import check_config
    from glmcli.config.store import parse_config, replace_config

    try:
        check_config(parse_config(after, copy), allow_http=True)
        replace_config(app.paths.config_file, before, after, notice=app.streams.note)
    except ConfigError as error:
        hint = f"{error.hint or 'mend it'} (your text is kept: {copy})"
        raise ConfigError(f"{error.message}; the configuration is as it was", hint=hint) from None

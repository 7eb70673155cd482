"""`glm profile`: what is configured, what wins and why, and where each key is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import context_of, examples, group_app
from glmcli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from glmcli.config.model import KeyCandidate, Profile, Secret, Settings
    from glmcli.context import AppContext

app = group_app("Manage profiles and their keys.")

Name = Annotated[str, typer.Argument(help="Name of a profile.", show_default=False)]


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """Whose key, where to keep it; `move` takes the key from where it is now."""

    name: str
    store: str | None = None
    key_command: str | None = None
    move: bool = False
    expires: str | None = None


# -- looking -----------------------------------------------------------------------


@app.command("list", epilog=examples("glm profile list", "glm profile list --json | jq -r '.[].name'"))
def list_profiles(ctx: typer.Context) -> None:
    """List the profiles; a star marks the one in use."""
    run_list(context_of(ctx))


def run_list(app: AppContext) -> None:
    """Print one line, or one JSON object, per profile."""
    in_use = _name_in_use(app)
    profiles = list(app.config.profiles.values())
    if app.options.json:
        app.streams.write_json([_as_json(profile, in_use) for profile in profiles])
        return
    if not profiles:
        app.streams.note("glm: no profiles yet; make one with: glm onboard")
    rows = [
        (
            "*" if profile.name == in_use else " ",
            profile.name,
            profile.provider,
            profile.model or "-",
            _kind_of_key(profile),
        )
        for profile in profiles
    ]
    _write_columns(app, rows)


def _name_in_use(app: AppContext) -> str | None:
    """The profile that a command would use here; None when there is none, or nothing can be resolved."""
    try:
        return app.settings.profile.value
    except ConfigError:
        return None


def _kind_of_key(profile: Profile) -> str:
    return (profile.key or "-").partition(":")[0] if (profile.key or "").startswith("command:") else profile.key or "-"


def _as_json(profile: Profile, in_use: str | None) -> dict[str, object]:
    return {
        "name": profile.name,
        "in_use": profile.name == in_use,
        "provider": profile.provider,
        "model": profile.model,
        "key": profile.key,
        "auth": profile.auth,
        "base_url": profile.base_url,
        "protocol": profile.protocol,
        "chat": dict(profile.chat),
    }


@app.command(epilog=examples("glm profile show", "glm profile show work", "glm profile show --json | jq .model.source"))
def show(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Name of a profile; else the one in use.", show_default=False)
    ] = None,
) -> None:
    """Show each setting, its value and where it comes from."""
    run_show(context_of(ctx), name)


def run_show(app: AppContext, name: str | None) -> None:
    """Print what a command with this profile would work with; the key by its place alone."""
    from glmcli.checkup import rows as setting_rows
    from glmcli.config.resolve import key_candidates, resolve

    options = app.options if name is None else app.options.changed(profile=name)
    settings = resolve(options, app.environ, app.directory_file, app.config)
    for warning in settings.warnings:
        app.streams.note(f"glm: {warning}")
    candidates = key_candidates(settings, options, app.environ)
    rows = [*setting_rows(settings), ("key", *_key_row(app, settings, candidates))]
    if app.options.json:
        app.streams.write_json({key: {"value": value, "source": source} for key, value, source in rows})
        return
    _write_columns(app, [(key, _shown(value), f"({source})") for key, value, source in rows])


def _key_row(app: AppContext, settings: Settings, candidates: Sequence[KeyCandidate]) -> tuple[str, str]:
    """Whether there is a key and where; a keyring or command is not asked, since it may ask in turn."""
    if settings.provider.value.name == "sandbox":
        return "not needed", "the sandbox"
    for candidate in candidates:
        word = _state_of(app, settings, candidate)
        if word:
            return word, candidate.source
    return "none", "looked at: " + ", ".join(candidate.source for candidate in candidates)


def _state_of(app: AppContext, settings: Settings, candidate: KeyCandidate) -> str | None:
    reference = candidate.reference
    if candidate.kind == "stdin" or reference == "keyring" or reference.startswith("command:"):
        return "not opened"
    if reference == "file":
        from glmcli.config.credentials import FileStore

        return "set" if FileStore(app.paths.credentials_file).load(settings.profile.value or "") else None
    return "set" if app.environ.get(reference.removeprefix("env:"), "").strip() else None


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _write_columns(app: AppContext, rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        app.streams.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


# -- changing ----------------------------------------------------------------------


@app.command(epilog=examples("glm profile use work"))
def use(ctx: typer.Context, name: Name) -> None:
    """Make a profile the default."""
    from glmcli.config.profiles import use_profile

    app = context_of(ctx)
    _tell(app, use_profile(app.paths, name, notice=app.streams.note) or [f"default_profile: {name}, as before"])


@app.command(
    "set",
    epilog=examples(
        "glm profile set work model=glm-5.3",
        "glm profile set work chat.temperature=0.3 chat.system='Be brief.'",
        "glm profile set work chat.temperature=",
        "glm profile set router daily_budget=1000000 requests_per_minute=120 weights.glm-5.3=2",
        "glm profile set router key_expires=90d",
    ),
)
def set_keys(
    ctx: typer.Context,
    name: Name,
    values: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="Keys to set; KEY= removes one.")],
) -> None:
    """Set keys of a profile."""
    run_set(context_of(ctx), name, _pairs(values))


def _pairs(words: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise UsageError(f"{word!r} is not KEY=VALUE", hint="for example: glm profile set work model=glm-5.3")
        pairs[key] = value
    return pairs


def run_set(app: AppContext, name: str, pairs: Mapping[str, str]) -> None:
    """Write the values, each checked for its type. Raises ConfigError; nothing is written then."""
    from glmcli.config.profiles import set_values

    values = {key: _value(app, name, key, text) if text else None for key, text in pairs.items()}
    changes = set_values(app.paths, name, values, allow_http=app.options.allow_http, notice=app.streams.note)
    _tell(app, changes or ["nothing to change"])


def _value(app: AppContext, name: str, key: str, text: str) -> object:
    """What a word means for a key. Raises ConfigError when it does not fit."""
    if key == "key_expires":
        from glmcli.config.routers import end_from_words

        return end_from_words(text, app.now())
    from glmcli.config.schema import place_in_profile, value_from_text

    return value_from_text(text, place_in_profile(name, key))


@app.command(epilog=examples("glm profile rename work office"))
def rename(
    ctx: typer.Context,
    old: Name,
    new: Annotated[str, typer.Argument(help="Its new name.", show_default=False)],
) -> None:
    """Rename a profile; its key goes with it."""
    from glmcli.config.profiles import rename_profile

    app = context_of(ctx)
    rename_profile(app.paths, old, new, notice=app.streams.note)
    _tell(app, [f"profile {old} is now called {new}"])


@app.command(epilog=examples("glm profile delete work", "glm profile delete work --yes"))
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a profile and its stored key."""
    run_delete(context_of(ctx), name, yes=yes)


def run_delete(app: AppContext, name: str, *, yes: bool) -> None:
    """Delete after a question. Raises UsageError when nobody can be asked and `yes` was not given."""
    from glmcli.config.profiles import delete_profile, find_profile

    find_profile(app.config, name)
    if not yes:
        prompter = app.prompter
        if not prompter.can_ask:
            raise UsageError(f"deleting profile {name} needs a yes", hint=f"glm profile delete {name} --yes")
        if not prompter.confirm(f"Delete profile {name} and its stored key?"):
            app.streams.note("glm: nothing was deleted")
            return
    delete_profile(app.paths, name, notice=app.streams.note)
    _tell(app, [f"profile {name} deleted"])
    if app.config.default_profile == name and len(app.config.profiles) > 2:
        app.streams.note("glm: there is no default profile now; choose one with: glm profile use NAME")


# -- keys --------------------------------------------------------------------------


@app.command(
    epilog=examples(
        "glm profile login work",
        "pass show zai | glm profile login work --key-stdin --store file",
        "glm profile login work --key-env ZAI_API_KEY --store keyring",
        "glm profile login ci --store env:ZAI_API_KEY",
        "glm profile login work --store 'command:pass show zai'",
        "glm profile login work --store file --move",
        "glm profile login router --expires 90d",
    )
)
def login(
    ctx: typer.Context,
    name: Name,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="STORE", help="Keep it in keyring, file, env:NAME or command:CMD.", show_default=False
        ),
    ] = None,
    key_command: Annotated[
        str | None,
        typer.Option("--key-command", metavar="CMD", help="The command of --store command.", show_default=False),
    ] = None,
    move: Annotated[bool, typer.Option("--move", help="Take the key from where it is stored now.")] = False,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="WHEN",
            help="Remember when a router's key ends: 90d or 2027-02-19.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Replace the key of a profile, or keep it elsewhere."""
    run_login(context_of(ctx), LoginOptions(name, store, key_command, move, expires))


def run_login(app: AppContext, options: LoginOptions) -> None:
    """Read a key and store it, then delete the one that was stored elsewhere. Raises ConfigError, MissingKey."""
    from glmcli.config.profiles import change_key, find_profile, reference_to

    profile = find_profile(app.config, options.name)
    store = options.store or ("command" if options.key_command else _usual_store(profile))
    kind = reference_to(store, variable=app.options.key_env, command=options.key_command)
    ends = _end_of_new_key(app, profile, options)
    secret = None
    if kind.startswith(("env:", "command:")):
        if options.move:
            raise UsageError("--move puts a key into keyring or file; a variable or command is only referred to")
    else:
        secret = _stored_key(app, profile) if options.move else _given_key(app, profile)
        _tell_doubt(app, profile, secret)
    change_key(app.paths, profile.name, kind, secret, notice=app.streams.note)
    _tell(app, [f"profile {profile.name}: key in {kind.partition(':')[0] if kind.startswith('command:') else kind}"])
    _remember_end(app, profile, ends)
    app.streams.note(f"glm: see whether it works with: glm -p {profile.name} doctor")


def _end_of_new_key(app: AppContext, profile: Profile, options: LoginOptions) -> Mapping[str, object]:
    """What becomes of `key_expires`, since that of the old key says nothing about a new one. Raises GlmError."""
    if options.expires is not None:
        from glmcli.api.endpoints import find_provider
        from glmcli.config.routers import end_from_words

        if find_provider(profile.provider).name != "custom":
            raise UsageError(f"--expires is for a router's key, and profile {profile.name} is {profile.provider}")
        return {"key_expires": end_from_words(options.expires, app.now())}
    if options.move or profile.router is None or profile.router.key_expires is None:
        return {}
    return {"key_expires": None}


def _remember_end(app: AppContext, profile: Profile, values: Mapping[str, object]) -> None:
    from glmcli.config.profiles import set_values

    if not values:
        return
    set_values(app.paths, profile.name, values, allow_http=True, notice=app.streams.note)
    if values["key_expires"] is None:
        app.streams.note(
            "glm: key_expires was that of the old key and is removed; "
            f"if the new one ends, too: glm profile set {profile.name} key_expires=90d"
        )
    else:
        app.streams.note(f"glm: the key ends on {values['key_expires']}; glm doctor warns before")


def _usual_store(profile: Profile) -> str:
    return profile.key if profile.key in ("keyring", "file") else "keyring"


def _given_key(app: AppContext, profile: Profile) -> Secret:
    """The key from the flags, or typed at the terminal. Raises UsageError when there is neither."""
    from glmcli.config.credentials import find_key
    from glmcli.config.keytext import clean_key
    from glmcli.config.model import Secret
    from glmcli.config.resolve import key_candidates

    if app.options.key_stdin or app.options.key_env:
        settings = _settings_of(app, profile)
        candidates = key_candidates(settings, app.options, app.environ)
        return find_key(candidates, settings, app.environ, app.paths, app.streams)
    prompter = app.prompter
    if not prompter.can_ask:
        raise UsageError(
            "no key was given",
            hint=f'printf %s "$KEY" | glm profile login {profile.name} --key-stdin (or --key-env NAME)',
        )
    return Secret(clean_key(prompter.secret(f"Key for profile {profile.name}"), "typed", app.streams.note), "typed")


def _stored_key(app: AppContext, profile: Profile) -> Secret:
    """The key to which the profile refers now. Raises UsageError when there is none."""
    from glmcli.config.credentials import load_stored
    from glmcli.config.keytext import clean_key
    from glmcli.config.model import Secret

    reference = profile.key or ""
    text = load_stored(reference, _settings_of(app, profile), app.environ, app.paths) if reference else None
    if not text:
        raise UsageError(f"profile {profile.name} has no key to move", hint=f"glm profile login {profile.name}")
    return Secret(clean_key(text, f"profile {profile.name}", app.streams.note), f"profile {profile.name}")


def _settings_of(app: AppContext, profile: Profile) -> Settings:
    """The settings with this very profile, whatever flags and variables say of others."""
    from glmcli.config.model import GlobalOptions
    from glmcli.config.resolve import resolve

    return resolve(GlobalOptions(profile=profile.name, allow_http=True), {}, None, app.config)


def _tell_doubt(app: AppContext, profile: Profile, secret: Secret) -> None:
    from glmcli.api.endpoints import VENDOR_PROVIDERS, find_provider
    from glmcli.config.keytext import doubt_about

    doubt = doubt_about(secret.reveal())
    if doubt and find_provider(profile.provider).name in VENDOR_PROVIDERS:
        app.streams.note(f"glm: {doubt}")


@app.command(epilog=examples("glm profile logout work"))
def logout(ctx: typer.Context, name: Name) -> None:
    """Delete the stored key of a profile; the profile stays."""
    from glmcli.config.profiles import remove_key

    app = context_of(ctx)
    was_stored = remove_key(app.paths, name, notice=app.streams.note)
    _tell(app, [f"profile {name}: key deleted" if was_stored else f"profile {name}: no key was stored"])


def _tell(app: AppContext, changes: Sequence[str]) -> None:
    """What was done: the answer of these commands is the change itself, so words go to stderr."""
    if app.options.json:
        app.streams.write_json({"changes": list(changes)})
        return
    for change in changes:
        app.streams.note(change)

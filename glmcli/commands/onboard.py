"""`glm onboard`: sets up a profile, by questions or by flags."""

from __future__ import annotations

from typing import Annotated

import typer

from glmcli.api.endpoints import VENDOR_PROVIDERS, find_provider
from glmcli.commands.options import command_app, context_of, examples
from glmcli.config.model import Secret
from glmcli.context import AppContext
from glmcli.errors import ConfigError, UsageError
from glmcli.onboarding.answers import AUTO, Answers, Kept, Wish

app = command_app()

_CHOICES = (*(f"{name}-api-key" for name in VENDOR_PROVIDERS), AUTO)
_KEY_HELP = "The key itself; better piped in with --key-stdin."


@app.command(
    epilog=examples(
        "glm onboard",
        'printf %s "$KEY" | glm onboard --non-interactive --auth-choice auto --key-stdin',
        "glm onboard --non-interactive --auth-choice zai-coding --store env --key-env ZAI_API_KEY",
        'glm onboard --non-interactive --auth-choice zai-api-key --zai-api-key "$ZAI_API_KEY" -p ci',
        "glm onboard --base-url https://router.example/v1 --key-env ROUTER_KEY -m glm-5.3 -p router",
    )
)
def onboard(
    ctx: typer.Context,
    non_interactive: Annotated[bool, typer.Option("--non-interactive", help="Ask nothing; flags say it all.")] = False,
    auth_choice: Annotated[
        str | None,
        typer.Option(
            "--auth-choice",
            metavar="CHOICE",
            show_default=False,
            help="A provider (zai, zai-coding, zhipu, zhipu-coding, each also with -api-key), or auto: find out.",
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            "--region", metavar="REGION", show_default=False, help="With auto: ask intl (default), cn, or any of both."
        ),
    ] = None,
    zai_api_key: Annotated[
        str | None, typer.Option("--zai-api-key", metavar="KEY", show_default=False, help=_KEY_HELP)
    ] = None,
    zai_coding_api_key: Annotated[
        str | None, typer.Option("--zai-coding-api-key", metavar="KEY", show_default=False, help=_KEY_HELP)
    ] = None,
    zhipu_api_key: Annotated[
        str | None, typer.Option("--zhipu-api-key", metavar="KEY", show_default=False, help=_KEY_HELP)
    ] = None,
    zhipu_coding_api_key: Annotated[
        str | None, typer.Option("--zhipu-coding-api-key", metavar="KEY", show_default=False, help=_KEY_HELP)
    ] = None,
    key_command: Annotated[
        str | None,
        typer.Option(
            "--key-command", metavar="CMD", show_default=False, help="Take the key from the output of a command."
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="STORE",
            show_default=False,
            help="Keep the key in keyring or file, or refer to env (--key-env) or command (--key-command).",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", show_default=False, help="Use this model.")] = None,
    skip_verify: Annotated[
        bool, typer.Option("--skip-verify", help="Store the key without asking the service.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Send one tiny request per endpoint where free calls cannot tell.")
    ] = False,
    set_default: Annotated[bool, typer.Option("--set-default", help="Make it the default profile.")] = False,
) -> None:
    """Set up a key: find out what it can use, verify it, store it."""
    context = context_of(ctx)
    flags = {
        "zai": zai_api_key,
        "zai-coding": zai_coding_api_key,
        "zhipu": zhipu_api_key,
        "zhipu-coding": zhipu_coding_api_key,
    }
    given = {provider: key for provider, key in flags.items() if key is not None}
    wish = Wish(
        choice=_choice(auth_choice or _provider(context), given),
        region=_one_of("--region", region, ("intl", "cn", "any")),
        flags=_secrets(context, given),
        key_command=key_command,
        store=_one_of("--store", store, ("keyring", "file", "env", "command")),
        model=model,
        skip_verify=skip_verify,
        probe=probe,
        set_default=set_default,
    )
    run(context, wish, non_interactive=non_interactive)


def _provider(app: AppContext) -> str | None:
    """The choice that `--provider` makes; `custom` is made by its address alone."""
    if app.options.provider != "custom":
        return app.options.provider
    if not app.options.base_url:
        raise UsageError("provider custom needs an address", hint="add --base-url URL")
    return None


def _choice(word: str | None, flags: dict[str, str]) -> str | None:
    """The provider that a word names, or `auto`; the only key flag's provider when there is no word."""
    if word is None:
        return next(iter(flags)) if len(flags) == 1 else None
    if word == AUTO:
        return AUTO
    try:
        name = find_provider(word.removesuffix("-api-key")).name
    except ConfigError:
        name = ""
    if name not in VENDOR_PROVIDERS:
        raise UsageError(f"{word!r} is no auth choice", hint=f"choose one of {', '.join(_CHOICES)}")
    return name


def _one_of(flag: str, word: str | None, words: tuple[str, ...]) -> str | None:
    if word is not None and word not in words:
        raise UsageError(f"{flag} {word!r} is unknown", hint=f"choose one of {', '.join(words)}")
    return word


def _secrets(app: AppContext, flags: dict[str, str]) -> dict[str, Secret]:
    """The keys of the flags, cleaned; says once that a command line is no place for them."""
    from glmcli.config.keytext import clean_key

    secrets = {}
    for provider, key in flags.items():
        source = f"flag --{provider}-api-key"
        secrets[provider] = Secret(clean_key(key, source, app.streams.note) if key.strip() else "", source)
    if any(secret.reveal() for secret in secrets.values()):
        from glmcli.catalogue import text

        app.streams.note(text("onboard.argv", app.language))
    return secrets


def run(app: AppContext, wish: Wish, *, non_interactive: bool = False) -> None:
    """Find, verify, store, tell. Raises what is told; nothing is stored then."""
    from glmcli.config.profiles import check_name
    from glmcli.onboarding.answers import profile_name
    from glmcli.onboarding.keeping import keep
    from glmcli.onboarding.telling import tell_policy, tell_shadows, tell_unproven

    name = profile_name(app)
    check_name(name)
    before = app.config.profiles.get(name)
    asks = app.prompter.can_ask and not non_interactive
    answers = _answers(app, wish, name, asks=asks)
    if app.options.dry_run:
        app.streams.note("dry run: nothing was written")
        return
    kept = keep(app, name, answers)
    tell_unproven(app, answers.verified)
    tell_policy(app, kept.profile, before)
    tell_shadows(app, kept.profile, answers.key)
    _tell(app, answers, kept, with_command=asks)


def _answers(app: AppContext, wish: Wish, name: str, *, asks: bool) -> Answers:
    """What to keep: of a compatible service, by questions, or by flags."""
    if app.options.base_url:
        from glmcli.onboarding.compatible import set_up

        return set_up(app, wish, asks=asks)
    if asks:
        from glmcli.onboarding.wizard import Wizard

        return Wizard(app, wish, name).run()
    from glmcli.onboarding.verification import by_flags

    return by_flags(app, wish, name)


def _tell(app: AppContext, answers: Answers, kept: Kept, *, with_command: bool) -> None:
    from glmcli.catalogue import text
    from glmcli.onboarding.telling import document, equivalent_command, report

    if app.options.json:
        app.streams.write_json(document(app, answers.verified, kept))
        return
    for line in report(app, answers.verified, kept):
        app.streams.write_line(line)
    if with_command:
        app.streams.note(text("onboard.command", app.language, command=equivalent_command(kept.profile)))
    selection = "" if kept.is_default else f"-p {kept.profile.name} "
    app.streams.note(text("onboard.next", app.language, selection=selection))
    tools = _tools_to_connect(app) if with_command else []
    if tools:
        names = ", ".join(tools)
        app.streams.note(text("onboard.tools", app.language, names=names, selection=selection, first=tools[0]))


def _tools_to_connect(app: AppContext) -> list[str]:
    """Coding tools that are installed here and talk to no service yet."""
    from glmcli.config.paths import user_home
    from glmcli.integrations.detect import detect_tools

    states = detect_tools(app.environ, user_home(app.environ))
    return [state.name for state in states if state.is_installed and state.status == "not set up"]

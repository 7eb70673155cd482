"""`glm onboard --base-url URL`: a router, vLLM, SGLang, any service that speaks OpenAI or Anthropic.

There is no plan to find out: the list of models shows whether the key is
accepted, where the service has such a list, and offers the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS, Protocol, Target
from glmcli.catalogue import text
from glmcli.config.model import GlobalOptions, Secret, Settings
from glmcli.context import Manner
from glmcli.errors import KeyRefused, MissingKey, ServiceError, UsageError
from glmcli.onboarding.answers import Answers, FoundKey, Verified, Wish
from glmcli.onboarding.keys import key_of_flags, key_of_variables
from glmcli.probing import TIMEOUT_SECONDS

if TYPE_CHECKING:
    from glmcli.context import AppContext

CUSTOM = "custom"
_MOST_OFFERED = 20


def set_up(app: AppContext, wish: Wish, *, asks: bool) -> Answers:
    """Find and verify a key for the service that `--base-url` names.

    Raises UsageError for what is left open and nobody can be asked, KeyRefused,
    NetworkError, and ConfigError for an address that cannot be used.
    """
    if wish.choice not in (None, CUSTOM):
        raise UsageError(
            f"--base-url is for a compatible service, and --auth-choice says {wish.choice}",
            hint="leave one of them out",
        )
    settings = _settings(app)
    target = Target(PROVIDERS[CUSTOM], settings.origin.value, settings.base_url.value, settings.protocol.value)
    key = key_of_flags(app, wish, (CUSTOM,)) or key_of_variables(app, [PROVIDERS[CUSTOM].own_variable])
    if key is None and not asks:
        raise _missing(settings)
    with app.prompter.silent():
        return _verified(app, wish, target, key or _typed_key(app), asks=asks)


def _verified(app: AppContext, wish: Wish, target: Target, key: FoundKey, *, asks: bool) -> Answers:
    models = None if wish.skip_verify else _listed(app, target, key)
    verified = Verified(
        CUSTOM,
        "skipped" if wish.skip_verify else "key" if models is not None else "none",
        model=wish.model or _model(app, models or (), asks=asks),
        base_url=target.base_url,
        protocol=None if target.protocol is Protocol.OPENAI else target.protocol.value,
        meaning=_meaning(app, wish, models),
    )
    return Answers(wish, verified, key)


def _settings(app: AppContext) -> Settings:
    """The address and protocol that the command line names, whatever profile is in use."""
    from glmcli.config.model import Config
    from glmcli.config.resolve import resolve

    options = GlobalOptions(
        base_url=app.options.base_url, protocol=app.options.protocol, allow_http=app.options.allow_http
    )
    return resolve(options, {}, None, Config(app.paths.config_file))


def _typed_key(app: AppContext) -> FoundKey:
    from glmcli.config.keytext import clean_key

    typed = app.prompter.secret(
        text("wizard.key", app.language), note=text("wizard.hidden", app.language), flag="--key-stdin"
    )
    source = text("wizard.typed", app.language)
    return FoundKey(Secret(clean_key("".join(typed.split()), source, app.streams.note), source))


def _missing(settings: Settings) -> MissingKey:
    return MissingKey(
        f"no key for {settings.base_url.value}",
        hint='printf %s "$KEY" | glm onboard --non-interactive --base-url URL --key-stdin (or --key-env NAME)',
    )


def _listed(app: AppContext, target: Target, key: FoundKey) -> Sequence[str] | None:
    """The models of the service; None when it has no list, which says nothing of the key."""
    from glmcli.api.resources.models import Models

    manner = Manner(TIMEOUT_SECONDS, max_retries=0)
    try:
        return [model.id for model in Models(app.client_for(target, key.secret, manner=manner)).list()]
    except KeyRefused:
        raise
    except ServiceError as error:
        if error.is_foreign:
            raise
        return None


def _model(app: AppContext, models: Sequence[str], *, asks: bool) -> str:
    """The model to use: the only one, or the one that is chosen. A compatible service has no default."""
    if len(models) == 1:
        return models[0]
    offered = models[:_MOST_OFFERED]
    if asks and offered:
        question = text("wizard.model", app.language)
        return app.prompter.choose(question, [(name, name) for name in offered], flag="--model")
    named = app.prompter.text(text("wizard.model_name", app.language), flag="--model") if asks else ""
    if not named:
        known = f"; the service lists {', '.join(offered)}" if offered else ""
        raise UsageError(f"a compatible service has no default model{known}", hint="name it: --model MODEL")
    return named


def _meaning(app: AppContext, wish: Wish, models: Sequence[str] | None) -> str:
    if wish.skip_verify:
        return text("onboard.skipped", app.language)
    if models is None:
        return text("onboard.no_list", app.language)
    return text("onboard.lists", app.language, count=len(models))

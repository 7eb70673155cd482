"""From options to a request: what was asked for, then the defaults of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glmcli.errors import ConfigError, HistoryError, UsageError
from glmcli.values import Value

if TYPE_CHECKING:
    from glmcli.api.resources.chat import ChatRequest
    from glmcli.context import AppContext

THINKING_CHOICES = ("show", "hide", "only")


class ChatOptions(Value):
    """The options of one question, as given; None where nothing was said."""

    prompt: tuple[str, ...] = ()
    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    think: str | None = None
    thinking: str | None = None
    json_mode: bool = False
    stream: bool = True
    user_id: str | None = None
    request_id: str | None = None
    assignments: tuple[str, ...] = ()
    template: str | None = None
    variables: tuple[str, ...] = ()


def build_request(app: AppContext, options: ChatOptions, messages: list[dict[str, object]]) -> ChatRequest:
    """The request for these messages: options first, then the profile's defaults.

    Raises UsageError for values that the service is documented to refuse, and
    ConfigError when no model is known.
    """
    from glmcli.api.resources.chat import ChatRequest, check

    defaults = Defaults(app)
    stop = options.stop or defaults.texts("stop")
    if len(stop) > 1:
        raise UsageError(f"--stop was given {len(stop)} times", hint="the service takes one stop text")
    model = resolve_model(app, options.model)
    request = ChatRequest(
        model=model,
        messages=with_system(messages, defaults.text("system") if options.system is None else options.system),
        temperature=defaults.number("temperature") if options.temperature is None else options.temperature,
        top_p=defaults.number("top_p") if options.top_p is None else options.top_p,
        max_tokens=defaults.whole("max_tokens") if options.max_tokens is None else options.max_tokens,
        stop=stop[0] if stop else None,
        thinking=thinking_for(app, model, options.think or defaults.text("think")),
        json_mode=options.json_mode,
        request_id=options.request_id,
        user_id=options.user_id or defaults.text("user_id"),
        extra=_assigned(options.assignments) if options.assignments else {},
    )
    if app.target.base_url is None:
        check(request)
    return request


def _assigned(assignments: tuple[str, ...]) -> dict[str, object]:
    from glmcli.api.assignments import parse_assignments

    return parse_assignments(assignments)


def resolve_model(app: AppContext, flag: str | None) -> str:
    """The model to ask: the flag (or its alias), the settings, the provider's default."""
    settings = app.settings
    if flag:
        return settings.aliases.get(flag, flag)
    model = settings.model.value
    if not model:
        raise ConfigError(
            f"provider {settings.provider.value.name!r} has no default model",
            hint="name one with --model, GLM_MODEL or in the profile",
        )
    return model


def with_system(messages: list[dict[str, object]], system: str | None) -> list[dict[str, object]]:
    """The messages behind a system message, if there is one."""
    return [{"role": "system", "content": system}, *messages] if system else messages


def thinking_for(app: AppContext, model: str, level: str | None) -> dict[str, object]:
    """The fields for `--think`; says once when the level had to be replaced."""
    if level is None:
        return {}
    from glmcli.api.thinking import LEVELS, thinking_fields

    if level not in LEVELS:
        raise UsageError(f"--think {level!r} is unknown", hint=f"choose one of {', '.join(LEVELS)}")
    wanted = thinking_fields(model, level, refused=_is_known_to_refuse(app, model, level))
    if wanted.note:
        app.streams.note(f"glm: {wanted.note}")
    return wanted.fields


def _is_known_to_refuse(app: AppContext, model: str, level: str) -> bool:
    """Whether this model was seen to refuse thinking levels; a database out of order means no."""
    if level in ("off", "auto") or not app.paths.history_file.exists():
        return False
    try:
        return app.history.notes.get(f"refuses effort: {model}") is not None
    except HistoryError:
        return False


class Defaults:
    """Chat defaults from `.glm.toml` and the profile, each in its type."""

    def __init__(self, app: AppContext) -> None:
        self._chat = app.settings.chat

    def text(self, name: str) -> str | None:
        """A string, or None."""
        value = self._value(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> float | None:
        """A number, or None."""
        value = self._value(name)
        return float(value) if isinstance(value, int | float) else None

    def whole(self, name: str) -> int | None:
        """An integer, or None."""
        value = self._value(name)
        return value if isinstance(value, int) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; a lone string counts as one."""
        value = self._value(name)
        if isinstance(value, str):
            return (value,)
        return tuple(str(item) for item in value) if isinstance(value, list) else ()

    def _value(self, name: str) -> object:
        sourced = self._chat.get(name)
        return sourced.value if sourced is not None else None


def thinking_choice(app: AppContext, flag: str | None, *, default: str) -> str:
    """`show`, `hide` or `only`: the option, the profile's word, the default."""
    choice = flag or Defaults(app).text("thinking") or default
    if choice not in THINKING_CHOICES:
        raise UsageError(f"--thinking {choice!r} is unknown", hint=f"choose one of {', '.join(THINKING_CHOICES)}")
    return choice

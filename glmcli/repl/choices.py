"""Commands that choose how the next questions are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glmcli.api.catalog import MODELS, find_model, nearest
from glmcli.api.thinking import LEVELS
from glmcli.asking import build_request
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.repl.talk import Talk


def model(talk: Talk, argument: str) -> None:
    """`/model [ID]`"""
    session = talk.session
    if not argument:
        aliases = talk.app.settings.aliases
        named = [f"{name} ({meant})" for name, meant in aliases.items()]
        talk.say(f"model: {session.model}\n  others: {', '.join([*known_models(talk), *named])}")
        return
    if " " in argument:
        raise UsageError(f"a model has one word, not {argument!r}")
    session.change(model=argument)
    chosen = session.model
    note = ""
    if find_model(chosen) is None and talk.app.target.base_url is None:
        meant = ", ".join(nearest(chosen))
        note = " (not in the list that I know" + (f"; did you mean {meant}?" if meant else "") + ")"
    talk.say(f"model: {chosen}{note}")


def known_models(talk: Talk) -> list[str]:
    """Ids that the provider is known to serve; none for a server of the user's own."""
    target = talk.app.target
    if target.base_url is not None:
        return []
    return [item.id for item in MODELS.values() if target.provider.region.value in item.regions]


def system(talk: Talk, argument: str) -> None:
    """`/system [TEXT|off]`"""
    if not argument:
        given = talk.session.setup.options.system
        default = talk.app.settings.chat.get("system")
        if given is None and default is not None:
            talk.say(f"system ({default.source}): {default.value}")
        else:
            talk.say(f"system: {given or 'none'}")
        return
    text = "" if argument == "off" else argument
    talk.session.change(system=text)
    talk.say("system message set" if text else "system message dropped")


def think(talk: Talk, argument: str) -> None:
    """`/think [LEVEL|show|hide]`"""
    setup = talk.session.setup
    if argument in ("show", "hide"):
        setup.thinking = argument
        talk.say(f"thinking is {'shown' if argument == 'show' else 'hidden'}")
    elif argument in LEVELS:
        talk.session.change(think=argument)
        talk.say(f"think: {argument}")
    elif not argument:
        default = talk.app.settings.chat.get("think")
        level = setup.options.think or (default.value if default is not None else "auto")
        talk.say(f"think: {level} ({'shown' if setup.thinking == 'show' else 'hidden'})")
    else:
        raise UsageError(f"there is no level {argument!r}", hint=f"/think {'|'.join(LEVELS)}, or show, or hide")


def set_option(talk: Talk, argument: str) -> None:
    """`/set [NAME VALUE|clear]`"""
    session = talk.session
    options = session.setup.options
    if argument == "clear":
        session.change(**dict.fromkeys(_SETTABLE), stop=(), assignments=())
    elif argument:
        name, _, text = argument.replace("=", " ", 1).partition(" ")
        changed = options.replace(**_change(name, text.strip(), options.assignments))
        # The checks of a request, before the next question meets them.
        build_request(talk.app, changed, [{"role": "user", "content": "?"}])
        session.setup.options = changed
    options = session.setup.options
    shown = [f"{name}={getattr(options, name)}" for name in _SETTABLE if getattr(options, name) is not None]
    shown += [f"stop={options.stop[0]!r}"] if options.stop else []
    talk.say(f"set: {' '.join([*shown, *options.assignments]) or 'nothing'}")


_SETTABLE: dict[str, type] = {"temperature": float, "top_p": float, "max_tokens": int}


def _change(name: str, text: str, assignments: tuple[str, ...]) -> dict[str, Any]:
    """The options that a name and a value change; a name that is none of ours is a field of the request."""
    if not text:
        raise UsageError("/set needs a name and a value", hint="/set temperature 0.2")
    if name == "stop":
        return {"stop": (text,)}
    if name not in _SETTABLE:
        kept = [one for one in assignments if one.partition("=")[0] != name]
        return {"assignments": (*kept, f"{name}={text}")}
    try:
        return {name: _SETTABLE[name](text)}
    except ValueError:
        raise UsageError(f"{name} must be a number, not {text!r}") from None


def search(talk: Talk, argument: str) -> None:
    """`/search [on|off]`"""
    setup = talk.session.setup
    if argument not in ("", "on", "off"):
        raise UsageError("/search takes on or off", hint="for one search without a conversation: glm search")
    if argument:
        setup.web_search = argument == "on"
    talk.say(f"web search: {'on' if setup.web_search else 'off'}")


def attach(talk: Talk, argument: str) -> None:
    """`/attach [FILE|URL|clear]`"""
    if argument == "clear":
        talk.attachments.clear()
        talk.say("nothing is attached")
        return
    if argument:
        from glmcli.attachments import open_attachment

        # Several may come at once, as a terminal writes files that are dropped on it.
        talk.attachments += [open_attachment(word) for word in _files(argument)]
    for item in talk.attachments:
        size = f", {item.size:,} bytes" if item.size else ""
        talk.say(f"attached: {item.name} ({item.kind}{size})")
    if not talk.attachments:
        talk.say("nothing is attached; /attach FILE")


def _files(argument: str) -> list[str]:
    """The words as a shell would read them; a name with spaces that exists is one word."""
    import shlex
    from pathlib import Path

    if Path(argument).expanduser().exists():
        return [argument]
    try:
        return shlex.split(argument)
    except ValueError:
        return [argument]

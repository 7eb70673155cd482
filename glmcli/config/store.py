"""Reads and rewrites `config.toml`, and finds `.glm.toml`.

Reading is strict, so that a misspelt value is told instead of ignored, yet
keeps what it does not know: a newer `glm` may have written it. Rewriting
goes through tomlkit, which keeps comments and order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.config.files import LOCK_TIMEOUT_SECONDS, Notice, locked, quiet, repair_modes, write_private
from glmcli.config.model import CHAT_KEYS, Config, DirectoryFile, FileEnvironment, Profile
from glmcli.config.schema import (
    PROFILE_KEYS,
    ROUTER_KEYS,
    SETTING_KEYS,
    TOP_KEYS,
    VERSION,
    Checker,
    is_key_reference,
)
from glmcli.config.tomltext import parse_toml
from glmcli.errors import ConfigError

if TYPE_CHECKING:
    import tomlkit

    from glmcli.config.routers import Router

DIRECTORY_FILE = ".glm.toml"


def load_config(path: Path, *, notice: Notice | None = None) -> Config:
    """Read `config.toml`; an empty Config when there is none.

    With `notice`, modes that let others read it are repaired and told.
    Raises ConfigError with path, line and reason.
    """
    text = read_text(path)
    if text is None:
        return Config(path)
    if notice is not None:
        repair_modes(path, notice)
    return parse_config(text, path)


def read_config_text(path: Path) -> str:
    """`config.toml` as it stands, checked; empty when there is none. Raises ConfigError."""
    text = read_text(path) or ""
    parse_config(text, path)
    return text


def parse_config(text: str, path: Path) -> Config:
    """The Config that a text makes; `path` is for messages. Raises ConfigError."""
    document = parse_toml(text, path)
    check = Checker(text, path)
    check.keys(document, TOP_KEYS, ())
    _refuse_newer(document.get("version", VERSION), path)
    profiles = check.table(document, "profiles")
    aliases = check.table(document, "aliases")
    for name, value in aliases.items():
        check.type(value, (str,), ("aliases", name))
    settings = check.table(document, "settings")
    check.keys(settings, SETTING_KEYS, ("settings",))
    return Config(
        path,
        exists=True,
        default_profile=check.text(document, "default_profile"),
        profiles={name: _profile(name, value, check) for name, value in profiles.items()},
        aliases={name: str(value) for name, value in aliases.items()},
        settings=settings,
    )


def find_directory_file(cwd: Path) -> DirectoryFile | None:
    """The nearest `.glm.toml` in `cwd` or above it. Raises ConfigError when it is broken."""
    for folder in (cwd, *cwd.parents):
        path = folder / DIRECTORY_FILE
        if not _is_reachable(path):
            continue
        text = read_text(path)
        if text is not None:
            return parse_directory_file(text, path)
    return None


def _is_reachable(path: Path) -> bool:
    """Whether there is such a file; not in a folder that is closed to us, as after `sudo -u`."""
    try:
        return path.exists()
    except OSError:
        return False


def parse_directory_file(text: str, path: Path) -> DirectoryFile:
    """A profile's name and chat defaults; all else is named in `ignored`.

    A key or base URL is among the ignored: a cloned repository must not
    redirect anybody's key.
    """
    document = parse_toml(text, path)
    check = Checker(text, path)
    check.keys(document, {"profile": (str,), "chat": (dict,)}, ())
    chat = check.table(document, "chat")
    check.keys(chat, CHAT_KEYS, ("chat",))
    ignored = [key for key in document if key not in ("profile", "chat")]
    ignored += [f"chat.{key}" for key in chat if key not in CHAT_KEYS]
    return DirectoryFile(
        path,
        profile=check.text(document, "profile"),
        chat={key: value for key, value in chat.items() if key in CHAT_KEYS},
        ignored=tuple(ignored),
    )


def environment_with_file(environ: Mapping[str, str], file: Path) -> FileEnvironment:
    """The environment, completed from a dotenv file. Raises ConfigError."""
    from glmcli.config.dotenv import parse_dotenv

    text = read_text(file)
    if text is None:
        raise ConfigError(f"there is no env file {file}", hint="name an existing file with --env-file")
    return FileEnvironment(environ, parse_dotenv(text, str(file)), str(file))


def replace_config(path: Path, before: str, after: str, *, notice: Notice = quiet) -> None:
    """Replace the whole text, if it still is `before`. Raises ConfigError; the file is then untouched."""
    parse_config(after, path)
    with locked(path):
        if (read_text(path) or "") != before:
            raise ConfigError(f"{path} was changed by another glm meanwhile", hint="run: glm config edit")
        write_private(path, after.encode())
    repair_modes(path, notice)


@contextmanager
def edit_config(
    path: Path, *, notice: Notice = quiet, timeout_seconds: float = LOCK_TIMEOUT_SECONDS
) -> Iterator[tomlkit.TOMLDocument]:
    """Change `config.toml`: yields a tomlkit document and writes it back at the end.

    The file is read again under a lock, so that two writers lose nothing; it
    is checked before it is replaced, and left alone when nothing changed or
    the block raised. Raises ConfigError.
    """
    import tomlkit

    with locked(path, timeout_seconds=timeout_seconds):
        before = read_text(path)
        if before is not None:
            parse_config(before, path)
            repair_modes(path, notice)
        document = _editable(before or "", path)
        yield document
        if tomlkit.dumps(document) == (before or ""):
            return
        after = text_of(document, notice=notice)
        if before is None and "version" not in document:
            after = f"version = {VERSION}\n{after}"
        parse_config(after, path)
        write_private(path, after.encode())


def _editable(text: str, path: Path) -> tomlkit.TOMLDocument:
    """A document for changes. Raises ConfigError: what can be read may still be too deep for it."""
    import tomlkit
    from tomlkit.exceptions import ParseError

    try:
        return tomlkit.parse(text)
    except (ParseError, RecursionError) as error:
        raise ConfigError(
            f"{path} cannot be changed here: {error}", hint="change it in an editor: glm config edit"
        ) from None


def text_of(document: tomlkit.TOMLDocument, *, notice: Notice = quiet) -> str:
    """What a changed document says as TOML, with its comments if that can be.

    tomlkit misplaces keys when a table was written with dotted keys
    (`a.b = 1`) and then gains a table of its own. Values count for more than
    comments: such a file is written anew without them.
    """
    import tomllib

    text = document.as_string()
    meant = document.unwrap()
    try:
        if tomllib.loads(text) == meant:
            return text
    except tomllib.TOMLDecodeError:
        pass
    import tomli_w

    notice("glm: the dotted keys of config.toml were written as tables; comments in it are gone")
    return tomli_w.dumps(meant)


def read_text(path: Path) -> str | None:
    """A file as text, a byte order mark dropped; None when there is none. Raises ConfigError."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path} is not a file", hint=f"move it away: mv {path} {path}.old")
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror or error}", hint=f"look at it with: ls -l {path}"
        ) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: not UTF-8 text", hint="save the file as UTF-8") from None


def _refuse_newer(version: object, path: Path) -> None:
    if isinstance(version, int) and version > VERSION:
        raise ConfigError(
            f"{path} was written by a newer glm (version = {version}; this glm knows {VERSION})",
            hint="upgrade glm, or use another folder: GLM_HOME=~/.glm-old glm onboard",
        )


def _profile(name: str, value: object, check: Checker) -> Profile:
    where = ("profiles", name)
    check.type(value, (dict,), where)
    assert isinstance(value, dict)
    check.keys(value, PROFILE_KEYS, where)
    if "provider" not in value:
        raise check.error(where, "has no provider", hint=f"glm profile set {name} provider=zai")
    _check_key_reference(value.get("key"), (*where, "key"), check)
    chat = check.table(value, "chat", where)
    check.keys(chat, CHAT_KEYS, (*where, "chat"))
    known = {key: value[key] for key in PROFILE_KEYS if key in value}
    ours = {*PROFILE_KEYS, *ROUTER_KEYS, "chat"}
    extra = {key: item for key, item in value.items() if key not in ours}
    return Profile(name, **known, chat=chat, router=_router(value, where, check), extra=extra)


def _router(value: Mapping[str, object], where: tuple[str, ...], check: Checker) -> Router | None:
    if not any(key in value for key in ROUTER_KEYS):
        return None
    from glmcli.config.routers import read_router

    return read_router(value, where, check)


def _check_key_reference(reference: object, where: tuple[str, ...], check: Checker) -> None:
    """A key itself has no place in `config.toml`; the message does not repeat it."""
    if isinstance(reference, str) and not is_key_reference(reference):
        raise check.error(
            where,
            "is not a reference to a key (keyring, file, env:NAME or command:...)",
            hint=f"take it out of the file, then: glm profile login {where[1]}",
        )


def load_keys(path: Path, *, notice: Notice = quiet) -> dict[str, str]:
    """The keys of `credentials.toml` by profile. Raises ConfigError, which shows no key."""
    text = read_text(path)
    if text is None:
        return {}
    repair_modes(path, notice)
    document = parse_toml(text, path)
    check = Checker(text, path)
    _refuse_newer(document.get("version", VERSION), path)
    keys = check.table(document, "keys")
    check.keys(keys, dict.fromkeys(keys, (str,)), ("keys",))
    return {name: str(key) for name, key in keys.items()}

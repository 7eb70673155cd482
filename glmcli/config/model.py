"""What a configuration is, once read: values, and where each came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from glmcli.api.endpoints import Protocol, Provider, Via
from glmcli.values import Value

if TYPE_CHECKING:
    from glmcli.config.routers import Router

T = TypeVar("T")

#: Names and types of `[profiles.NAME.chat]` and of `[chat]` in `.glm.toml`.
CHAT_KEYS: Mapping[str, tuple[type, ...]] = {
    "model": (str,),
    "system": (str,),
    "temperature": (float, int),
    "top_p": (float, int),
    "max_tokens": (int,),
    "stop": (str, list),
    "think": (str,),
    "thinking": (str,),
    "user_id": (str,),
}


class Sourced(Value, Generic[T]):
    """A value and the words that say where it came from.

    `source` reads as "flag --model", "variable GLM_MODEL", "/home/a/.glm.toml",
    "profile work" or "default".
    """

    value: T
    source: str


class Profile(Value):
    """A named set of provider, model, defaults and a reference to a key.

    `key` is a reference: `keyring`, `file`, `env:NAME` or `command:...`.
    `extra` keeps what we do not know, for a rewrite.
    """

    name: str
    provider: str
    model: str | None = None
    key: str | None = None
    auth: str = "bearer"
    base_url: str | None = None
    protocol: str | None = None
    keyring_backend: str | None = None
    chat: Mapping[str, object] = {}
    router: Router | None = None
    extra: Mapping[str, object] = {}


class Config(Value):
    """`config.toml`, parsed and checked. `path` is where it stands or would stand."""

    path: Path
    exists: bool = False
    default_profile: str | None = None
    profiles: Mapping[str, Profile] = {}
    aliases: Mapping[str, str] = {}
    settings: Mapping[str, object] = {}


class DirectoryFile(Value):
    """A `.glm.toml`: a profile's name and chat defaults, never a key or URL."""

    path: Path
    profile: str | None = None
    chat: Mapping[str, object] = {}
    ignored: tuple[str, ...] = ()


class FileEnvironment(dict[str, str]):
    """An environment that was completed from a dotenv file.

    A variable that is really set wins over the file; `from_file` holds those
    that the file decided, and `file` is its name as the user gave it.
    """

    def __init__(self, environ: Mapping[str, str], variables: Mapping[str, str], file: str) -> None:
        self.from_file = {name: value for name, value in variables.items() if not environ.get(name)}
        self.file = file
        super().__init__({**environ, **self.from_file})


class GlobalOptions:
    """Options accepted before and after every command; None means not given."""

    profile: str | None = None
    provider: str | None = None
    base_url: str | None = None
    protocol: str | None = None
    via: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: int = 0
    color: str | None = None
    timeout: float | None = None
    max_retries: int | None = None
    wait: bool = False
    dry_run: bool = False
    no_input: bool = False
    allow_http: bool = False
    env_file: Path | None = None
    key_env: str | None = None
    key_stdin: bool = False

    def __init__(self, **given: Any) -> None:
        for name, value in given.items():
            if name not in GlobalOptions.__annotations__:
                raise TypeError(f"there is no global option {name!r}")
            setattr(self, name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GlobalOptions) and all(
            getattr(self, name) == getattr(other, name) for name in GlobalOptions.__annotations__
        )

    def __repr__(self) -> str:
        return f"GlobalOptions({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def changed(self, **changes: Any) -> GlobalOptions:
        """The same options with some others."""
        return GlobalOptions(**{**vars(self), **changes})


class Settings(Value):
    """What one invocation works with. Made by `config.resolve.resolve` alone."""

    profile: Sourced[str | None]
    provider: Sourced[Provider]
    protocol: Sourced[Protocol]
    origin: Sourced[str]
    base_url: Sourced[str | None]
    model: Sourced[str | None]
    auth: Sourced[str]
    timeout_seconds: Sourced[float]
    max_retries: Sourced[int]
    via: Sourced[Via | None]
    chat: Mapping[str, Sourced[object]]
    key_reference: str | None
    keyring_backend: str | None
    aliases: Mapping[str, str]
    no_log: Sourced[bool]
    warnings: tuple[str, ...] = ()
    router: Router | None = None


class Secret:
    """A key that never shows itself; only `reveal` gives it away.

    `source` says where it was found ("variable ZAI_API_KEY", "keyring, profile work").
    """

    __slots__ = ("_text", "source")

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self.source = source

    @property
    def variable(self) -> str | None:
        """The variable that it was found in, if it was one of the environment itself."""
        words = self.source.split()
        return words[1] if words[:1] == ["variable"] and "in" not in words else None

    def reveal(self) -> str:
        """The key itself, for a header or a store."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret(<{len(self._text)} characters>, source={self.source!r})"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")


class KeyCandidate(Value):
    """A place where the key may be, in order of precedence.

    `kind` is `stdin`, `env` or `stored`; `reference` is the variable's name,
    or the profile's reference (`keyring`, `file`, `env:NAME`, `command:...`).
    """

    kind: str
    reference: str
    source: str

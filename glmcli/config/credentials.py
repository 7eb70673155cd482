"""Where keys are kept, and how one is found.

Stores: the system's keyring (the one owner of `keyring` is here), a private
file, a variable of the environment, the output of a command. `config.toml`
holds a reference to one of them, never a key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from glmcli.config.files import Notice, locked, quiet, write_private
from glmcli.config.keytext import clean_key
from glmcli.config.model import KeyCandidate, Secret, Settings
from glmcli.errors import ConfigError, GlmError, MissingKey, UsageError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from glmcli.config.paths import Paths
    from glmcli.streams import Streams

T = TypeVar("T")
Meanwhile = Callable[[], object]


def _nothing() -> None:
    return None


SERVICE_NAME = "glmcli"
KEYRING_LIMIT_SECONDS = 3.0
COMMAND_LIMIT_SECONDS = 60.0  # a password manager may ask for a finger or a phrase


class CredentialStore(Protocol):
    """Keeps one key per profile."""

    def load(self, profile: str) -> str | None:
        """The key, or None when there is none. Raises ConfigError when the store fails."""

    def save(self, profile: str, key: str) -> None:
        """Keep a key, in place of an older one. Raises ConfigError unless it can be read back."""

    def delete(self, profile: str) -> bool:
        """Forget a key; whether there was one. Raises ConfigError when the store fails."""

    def describe(self) -> str:
        """The store in a few words, for `glm profile show` and `glm doctor`."""


class FileStore:
    """Keys in `credentials.toml`, mode 0600."""

    def __init__(self, path: Path, *, notice: Notice = quiet) -> None:
        self._path = path
        self._notice = notice

    def load(self, profile: str) -> str | None:
        return self._keys().get(profile)

    def save(self, profile: str, key: str) -> None:
        with locked(self._path):
            self._write({**self._keys(), profile: key})

    def delete(self, profile: str) -> bool:
        if not self._path.exists():
            return False
        with locked(self._path):
            keys = self._keys()
            if keys.pop(profile, None) is None:
                return False
            self._write(keys)
        return True

    def describe(self) -> str:
        return f"file {self._path}"

    def _keys(self) -> dict[str, str]:
        from glmcli.config.store import load_keys

        return load_keys(self._path, notice=self._notice)

    def _write(self, keys: Mapping[str, str]) -> None:
        import tomli_w

        write_private(self._path, tomli_w.dumps({"version": 1, "keys": dict(keys)}).encode())


class KeyringStore:
    """Keys in the keyring of the system, under the service name `glmcli`.

    `backend` ("keyring.backends.SecretService.Keyring") is loaded without the
    discovery of all backends; None means: find the best one. A keyring that
    does not answer within `limit_seconds`, whatever it waits for, has failed.
    `meanwhile` is done while it is asked.
    """

    def __init__(
        self,
        backend: str | None = None,
        *,
        limit_seconds: float = KEYRING_LIMIT_SECONDS,
        meanwhile: Meanwhile = _nothing,
    ) -> None:
        self._name = backend
        self._limit_seconds = limit_seconds
        self._meanwhile = meanwhile
        self._loaded: KeyringBackend | None = None

    def load(self, profile: str) -> str | None:
        return self._ask("read", lambda keyring: keyring.get_password(SERVICE_NAME, profile))

    def save(self, profile: str, key: str) -> None:
        self._ask("write to", lambda keyring: keyring.set_password(SERVICE_NAME, profile, key))
        if self.load(profile) != key:
            raise ConfigError(
                f"the keyring ({self.backend}) took the key and did not keep it", hint=_elsewhere(profile)
            )

    def delete(self, profile: str) -> bool:
        if self.load(profile) is None:
            return False
        self._ask("delete from", lambda keyring: keyring.delete_password(SERVICE_NAME, profile))
        return True

    def describe(self) -> str:
        return f"keyring ({self.backend})" if self.backend else "keyring"

    @property
    def backend(self) -> str | None:
        """The full name of the backend in use, to be remembered in the profile."""
        if self._loaded is None:
            return self._name
        return f"{type(self._loaded).__module__}.{type(self._loaded).__qualname__}"

    def _ask(self, verb: str, question: Callable[[KeyringBackend], T]) -> T:
        # What is done meanwhile hides packages from imports (`api.engine`), which a backend of others may need.
        is_known = (self._name or "").startswith("keyring.backends.")
        meanwhile = self._meanwhile if is_known else _nothing
        return _bounded(lambda: question(self._backend()), verb, self._limit_seconds, meanwhile)

    def _backend(self) -> KeyringBackend:
        if self._loaded is None:
            self._loaded = _load_backend(self._name) if self._name else _best_backend()
        return self._loaded


def _load_backend(name: str) -> KeyringBackend:
    from importlib import import_module

    from keyring.backend import KeyringBackend

    module, _, attribute = name.rpartition(".")
    try:
        backend = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"there is no keyring backend {name}", hint="run: glm profile login NAME") from error
    if not isinstance(backend, KeyringBackend):
        raise ConfigError(f"{name} is no keyring backend", hint="run: glm profile login NAME")
    return backend


def _best_backend() -> KeyringBackend:
    """The backend that keyring chooses; of a chain its first link, which is the one that keeps what is written."""
    import keyring

    chosen = keyring.get_keyring()
    links: Sequence[KeyringBackend] = getattr(chosen, "backends", ())
    return links[0] if links else chosen


def _bounded(action: Callable[[], T], verb: str, limit_seconds: float, meanwhile: Meanwhile) -> T:
    """Run a question to a keyring in a thread of its own, and give up when the limit has passed since `meanwhile`.

    Raises ConfigError instead of whatever the backend raised.
    """
    from threading import Thread

    results: list[T] = []
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            results.append(action())
        except BaseException as error:  # backends are foreign code: any failure is theirs
            failures.append(error)

    thread = Thread(target=ask, name="keyring", daemon=True)
    thread.start()
    meanwhile()
    thread.join(limit_seconds)
    if results:
        return results[0]
    if not failures:
        raise ConfigError(f"the keyring did not answer within {limit_seconds:g} seconds", hint=_UNLOCK_HINT)
    if isinstance(failures[0], GlmError):
        raise failures[0]
    raise ConfigError(f"cannot {verb} the keyring: {_reason(failures[0])}", hint=_UNLOCK_HINT) from None


_UNLOCK_HINT = (
    "unlock the keyring and try again, or keep the key elsewhere: "
    "glm profile login NAME --store file (or export it in a variable)"
)


def _elsewhere(profile: str) -> str:
    return f"keep it elsewhere: glm profile login {profile} --store file"


def _reason(error: BaseException) -> str:
    """The first line of what a backend said, or the name of its exception."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


# -- finding a key ---------------------------------------------------------------


def find_key(
    candidates: Sequence[KeyCandidate],
    settings: Settings,
    environ: Mapping[str, str],
    paths: Paths,
    streams: Streams,
    *,
    meanwhile: Meanwhile = _nothing,
) -> Secret:
    """The first key that the candidates give, cleaned. `meanwhile` is done while a keyring looks, if one is asked.

    Raises MissingKey with a hint that names what was tried; ConfigError when
    a store fails (another key must not pay because the keyring is locked).
    """
    for candidate in candidates:
        text = _read_candidate(candidate, settings, environ, paths, streams, meanwhile)
        if text is not None and text.strip():
            return Secret(clean_key(text, candidate.source, streams.note), candidate.source)
    raise _missing(candidates, settings)


def _read_candidate(
    candidate: KeyCandidate,
    settings: Settings,
    environ: Mapping[str, str],
    paths: Paths,
    streams: Streams,
    meanwhile: Meanwhile,
) -> str | None:
    if candidate.kind == "stdin":
        return _from_stdin(streams)
    if candidate.kind == "env":
        return environ.get(candidate.reference)
    text = load_stored(candidate.reference, settings, environ, paths, notice=streams.note, meanwhile=meanwhile)
    if text is None and candidate.reference in ("keyring", "file"):
        streams.note(f"glm: no key for profile {settings.profile.value} in the {candidate.reference} store")
    return text


def _from_stdin(streams: Streams) -> str:
    if streams.stdin_is_tty:
        raise UsageError("--key-stdin reads a pipe", hint='for example: printf %s "$KEY" | glm ... --key-stdin')
    return streams.read_stdin()


def load_stored(
    reference: str,
    settings: Settings,
    environ: Mapping[str, str],
    paths: Paths,
    *,
    notice: Notice = quiet,
    meanwhile: Meanwhile = _nothing,
) -> str | None:
    """The key that a profile's reference leads to, or None. Raises ConfigError."""
    if reference.startswith("env:"):
        return environ.get(reference.removeprefix("env:")) or None
    if reference.startswith("command:"):
        return run_key_command(reference.removeprefix("command:"), environ)
    backend = settings.keyring_backend
    store = open_store(reference, paths, keyring_backend=backend, notice=notice, meanwhile=meanwhile)
    return store.load(settings.profile.value or "")


def open_store(
    kind: str,
    paths: Paths,
    *,
    keyring_backend: str | None = None,
    notice: Notice = quiet,
    meanwhile: Meanwhile = _nothing,
) -> FileStore | KeyringStore:
    """The store called `keyring` or `file`. Raises ConfigError for another word."""
    if kind == "keyring":
        return KeyringStore(keyring_backend, meanwhile=meanwhile)
    if kind == "file":
        return FileStore(paths.credentials_file, notice=notice)
    # Not repeated: it may be a key that stands in the wrong place.
    raise ConfigError("there is no such store for keys", hint="choose one of keyring, file, env:NAME, command:CMD")


def run_key_command(command: str, environ: Mapping[str, str], *, limit_seconds: float = COMMAND_LIMIT_SECONDS) -> str:
    """The output of a command without its last newline. Its errors go to the terminal, its output nowhere else.

    No shell is involved; stdin is closed, since it may hold the prompt.
    Raises ConfigError, naming the program alone.
    """
    import shlex
    import subprocess

    try:
        words = shlex.split(command, posix=os.name == "posix")
    except ValueError as error:
        raise ConfigError(f"the key command cannot be read: {error}", hint=_COMMAND_HINT) from None
    if not words:
        raise ConfigError("the key command is empty", hint=_COMMAND_HINT)
    try:
        done = subprocess.run(  # noqa: S603  # the user's own command, without a shell
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=dict(environ),
            timeout=limit_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"the key command {words[0]} did not end within {limit_seconds:g} seconds") from None
    except OSError as error:
        raise ConfigError(f"cannot run the key command {words[0]}: {error.strerror}", hint=_COMMAND_HINT) from None
    if done.returncode != 0:
        raise ConfigError(f"the key command {words[0]} ended with exit code {done.returncode}", hint=_COMMAND_HINT)
    try:
        return done.stdout.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"the key command {words[0]} printed something that is no text", hint=_COMMAND_HINT) from None


_COMMAND_HINT = "try the command by itself, then: glm profile login NAME --store 'command:CMD'"


def _missing(candidates: Sequence[KeyCandidate], settings: Settings) -> MissingKey:
    if len(candidates) == 1 and "flag --key-" in candidates[0].source:
        return MissingKey(f"{candidates[0].source} holds no key", hint=_hint_for_flag(candidates[0]))
    tried = ", ".join(candidate.source for candidate in candidates) or "nowhere to look"
    provider = settings.provider.value
    return MissingKey(f"no key for {provider.name} (looked at: {tried})", hint=_hint_for_profile(settings))


def _hint_for_flag(candidate: KeyCandidate) -> str:
    if candidate.kind == "stdin":
        return 'pipe the key in: printf %s "$KEY" | glm ... --key-stdin'
    return f"export {candidate.reference}=..., or name another variable with --key-env"


def _hint_for_profile(settings: Settings) -> str:
    reference = settings.key_reference or ""
    if reference.startswith("env:"):
        return f"export {reference.removeprefix('env:')}=... (or: glm profile login {settings.profile.value})"
    if reference:
        return f"glm profile login {settings.profile.value}"
    return f"run glm onboard, or: export {settings.provider.value.own_variable or 'GLM_API_KEY'}=..."

"""Stores of keys, real ones, and how the key of an invocation is found in them."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from keyring.backends.null import Keyring

from glmcli.config.credentials import (
    CredentialStore,
    FileStore,
    KeyringStore,
    find_key,
    open_store,
    run_key_command,
)
from glmcli.config.keytext import clean_key, doubt_about
from glmcli.config.model import Config, GlobalOptions, Profile, Secret
from glmcli.config.paths import Paths, find_paths
from glmcli.config.resolve import key_candidates, resolve
from glmcli.errors import ConfigError, ExitCode, MissingKey, UsageError
from glmcli.streams import Streams
from tests.harness import TEST_KEY, Terminal

PYTHON = sys.executable
posix_only = pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")


# -- one suite for every store that keeps keys ------------------------------------


class Conformance:
    """What each store must do; subclasses say which one by the fixture `store`."""

    def test_what_is_saved_is_loaded(self, store: CredentialStore) -> None:
        """A key comes back as it was, for its own profile alone."""
        store.save("work", TEST_KEY)
        store.save('机器 "a.b"', "other")

        assert (store.load("work"), store.load('机器 "a.b"'), store.load("play")) == (TEST_KEY, "other", None)

    def test_saving_again_replaces(self, store: CredentialStore) -> None:
        """The newest key counts."""
        store.save("work", "old")
        store.save("work", TEST_KEY)

        assert store.load("work") == TEST_KEY

    def test_deleting_forgets_one_key(self, store: CredentialStore) -> None:
        """And says whether there was one."""
        store.save("work", TEST_KEY)
        store.save("play", "other")

        assert (store.delete("work"), store.delete("work"), store.delete("never")) == (True, False, False)
        assert (store.load("work"), store.load("play")) == (None, "other")

    def test_description_is_no_secret(self, store: CredentialStore) -> None:
        """It goes to the screen."""
        store.save("work", TEST_KEY)

        assert TEST_KEY not in store.describe()
        assert store.describe()


class TestFileStore(Conformance):
    @pytest.fixture
    def store(self, home: Path) -> FileStore:
        return FileStore(home / "credentials.toml")


class RemoteStore:
    """A `KeyringStore` in another process, which has a keyring of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, *call: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        reply = json.loads(self._process.stdout.readline())
        if "error" in reply:
            raise ConfigError(reply["error"], hint=reply["hint"])
        return reply["result"]

    def load(self, profile: str) -> str | None:
        key = self.ask("load", profile)
        return key if key is None else str(key)

    def save(self, profile: str, key: str) -> None:
        self.ask("save", profile, key)

    def delete(self, profile: str) -> bool:
        return bool(self.ask("delete", profile))

    def describe(self) -> str:
        return str(self.ask("describe"))


_NEEDED = ("dbus-run-session", "gnome-keyring-daemon")
_MISSING = [name for name in _NEEDED if shutil.which(name) is None]
_UNLOCKED = """
printf x | gnome-keyring-daemon --unlock --components=secrets > /dev/null 2>&1
exec {python} -m tests.keyring_worker
"""


@pytest.mark.skipif(bool(_MISSING), reason=f"a real Secret Service needs {' and '.join(_MISSING)}")
class TestSecretService(Conformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RemoteStore]:
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "user")}
        process = subprocess.Popen(
            ["dbus-run-session", "--", "sh", "-c", _UNLOCKED.format(python=PYTHON)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            cwd=Path(__file__).parent.parent,
            text=True,
        )
        with process:
            yield RemoteStore(process)

    def test_remembered_backend_is_used_without_discovery(self, store: RemoteStore) -> None:
        """The name that a profile remembers finds the key."""
        store.save("work", TEST_KEY)

        name = store.ask("backend")

        assert name == "keyring.backends.SecretService.Keyring"
        assert store.ask("load_directly", name, "work") == TEST_KEY

    def test_locked_keyring_is_told(self, store: RemoteStore) -> None:
        """No traceback, no other key instead: a reason and a way out."""
        store.save("work", TEST_KEY)
        store.ask("lock")

        with pytest.raises(ConfigError, match="cannot read the keyring: KeyringLocked") as caught:
            store.load("work")

        assert "--store file" in str(caught.value.hint)


# -- keyrings that fail ----------------------------------------------------------


def test_keyring_that_swallows_the_key_is_noticed() -> None:
    """The null backend takes everything and keeps nothing; what was stored is read back."""
    store = KeyringStore("keyring.backends.null.Keyring")

    with pytest.raises(ConfigError, match="took the key and did not keep it") as caught:
        store.save("work", TEST_KEY)

    assert caught.value.hint == "keep it elsewhere: glm profile login work --store file"
    assert TEST_KEY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("name", ["keyring.backends.fail.Keyring", None], ids=["by name", "found"])
def test_machine_without_a_keyring_is_told(name: str | None) -> None:
    """A server over SSH: reason and way out, whatever is asked."""
    store = KeyringStore(name)
    questions: list[Callable[[], object]] = [
        lambda: store.load("work"),
        lambda: store.save("work", TEST_KEY),
        lambda: store.delete("work"),
    ]

    for question in questions:
        with pytest.raises(ConfigError, match="NoKeyringError") as caught:
            question()
        assert "--store file" in str(caught.value.hint)


@pytest.mark.parametrize(
    "name", ["no.such.module", "keyring.backends.fail.Nothing", "pathlib.Path", "Keyring", ""], ids=repr
)
def test_lost_backend_is_told(name: str) -> None:
    """An upgrade or another machine may lack the backend that a profile remembers."""
    with pytest.raises(ConfigError):
        KeyringStore(name).load("work")


class Hanging(Keyring):
    """Stands in for a daemon that waits for a dialog nobody sees."""

    answer = threading.Event()

    def get_password(self, service: Any, username: Any, password: Any = None) -> Any:
        self.answer.wait(30)


class Exploding(Keyring):
    """Stands in for a backend that ends the program, as broken bindings do."""

    def get_password(self, service: Any, username: Any, password: Any = None) -> Any:
        raise SystemExit("boom\nsecond line")


def test_hanging_keyring_is_given_up() -> None:
    """After the limit the command goes on with an error instead of waiting for ever."""
    Hanging.answer.clear()

    with pytest.raises(ConfigError, match=r"did not answer within 0\.05 seconds") as caught:
        KeyringStore(f"{__name__}.Hanging", limit_seconds=0.05).load("work")

    Hanging.answer.set()
    assert "unlock the keyring" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("backend", "times"), [("keyring.backends.null.Keyring", 1), (f"{__name__}.Exploding", 0)], ids=["own", "foreign"]
)
def test_time_while_a_keyring_looks_is_used(backend: str, times: int) -> None:
    """Beside keyring's own backends, of which it is known what they import."""
    done: list[str] = []
    store = KeyringStore(backend, meanwhile=lambda: done.append("httpx"))
    with suppress(ConfigError):
        store.load("work")
    assert done == ["httpx"] * times


def test_whatever_a_backend_raises_is_told_in_one_line() -> None:
    """Also what no `except Exception` would catch."""
    with pytest.raises(ConfigError) as caught:
        KeyringStore(f"{__name__}.Exploding").load("work")

    assert caught.value.message == "cannot read the keyring: SystemExit: boom"


# -- the file --------------------------------------------------------------------


@posix_only
def test_file_store_is_private(home: Path) -> None:
    """Mode 0600 from the first byte; a wrong mode is repaired and told."""
    notices: list[str] = []
    store = FileStore(home / "credentials.toml", notice=notices.append)
    store.save("work", TEST_KEY)
    assert stat.S_IMODE((home / "credentials.toml").stat().st_mode) == 0o600
    (home / "credentials.toml").chmod(0o640)

    store.load("work")

    assert stat.S_IMODE((home / "credentials.toml").stat().st_mode) == 0o600
    assert len(notices) == 1


@pytest.mark.parametrize(
    "text",
    [f'[keys]\nwork = "{TEST_KEY}\n', f'[keys]\nwork = ["{TEST_KEY}"]\n', f'keys = "{TEST_KEY}"\n', f"{TEST_KEY}\n"],
    ids=["open text", "list", "no table", "bare key"],
)
def test_broken_credentials_are_told_without_a_key(home: Path, text: str) -> None:
    """Path and line, and nothing of the content; saving does not overwrite it."""
    home.mkdir()
    path = home / "credentials.toml"
    path.write_text(text)

    actions: list[Callable[[], object]] = [
        lambda: FileStore(path).load("work"),
        lambda: FileStore(path).save("play", "k"),
    ]
    for action in actions:
        with pytest.raises(ConfigError, match=r"credentials\.toml, line \d") as caught:
            action()
        assert "feedface" not in f"{caught.value} {caught.value.hint}"
    assert path.read_text() == text


# -- finding ---------------------------------------------------------------------


@pytest.fixture
def paths(home: Path) -> Paths:
    return find_paths({"GLM_HOME": str(home)})


class Finder:
    """Looks for the key of a profile `work`, with what an invocation has."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.streams = Streams(stdin=BytesIO(), stdout=BytesIO(), stderr=BytesIO(), environ={})

    def __call__(self, environ: Mapping[str, str] | None = None, *, key: str | None = "file", **options: Any) -> Secret:
        profile = Profile("work", "zai-coding", key=key, keyring_backend="keyring.backends.fail.Keyring")
        config = Config(self.paths.config_file, True, "work", {"work": profile})
        given, environ = GlobalOptions(**options), environ or {}
        settings = resolve(given, environ, None, config)
        return find_key(key_candidates(settings, given, environ), settings, environ, self.paths, self.streams)

    @property
    def told(self) -> str:
        assert isinstance(self.streams.stderr, BytesIO)
        return self.streams.stderr.getvalue().decode()


@pytest.fixture
def find(paths: Paths) -> Finder:
    return Finder(paths)


def found(secret: Secret) -> tuple[str, str]:
    return secret.reveal(), secret.source


def test_order_of_precedence(find: Finder) -> None:
    """Own variable, stored key, fallback variables in their order; empty ones are passed over."""
    all_of_them = {"ZAI_CODING_API_KEY": "own", "ZAI_API_KEY": "fallback1", "Z_AI_API_KEY": "fallback2"}
    fallbacks = {**all_of_them, "ZAI_CODING_API_KEY": ""}

    assert found(find({**all_of_them, "CI": "flag"}, key_env="CI")) == ("flag", "variable CI (flag --key-env)")
    assert found(find(fallbacks)) == ("fallback1", "variable ZAI_API_KEY")
    assert found(find({**fallbacks, "ZAI_API_KEY": "  "})) == ("fallback2", "variable Z_AI_API_KEY")
    open_store("file", find.paths).save("work", "stored")
    assert found(find(all_of_them)) == ("own", "variable ZAI_CODING_API_KEY")
    assert found(find(fallbacks)) == ("stored", "file, profile work")


def test_key_from_a_pipe(find: Finder) -> None:
    """`--key-stdin` takes what was piped, without its newline."""
    find.streams.stdin = BytesIO(b"piped\n")

    assert found(find({"ZAI_CODING_API_KEY": "own"}, key_stdin=True)) == ("piped", "flag --key-stdin")
    assert find.told == ""


def test_key_from_a_terminal_is_refused(paths: Paths) -> None:
    """It would be shown while it is typed."""
    find = Finder(paths)
    find.streams = Streams(stdin=Terminal(), stdout=BytesIO(), stderr=BytesIO(), environ={})

    with pytest.raises(UsageError, match="--key-stdin reads a pipe"):
        find(key_stdin=True)


def test_reference_to_a_variable(find: Finder) -> None:
    """`env:NAME` is the stored key: it wins over the fallback variables."""
    environ = {"WORK_KEY": "referred", "ZAI_API_KEY": "fallback"}

    assert found(find(environ, key="env:WORK_KEY")) == ("referred", "env:WORK_KEY, profile work")


def test_reference_to_a_command(find: Finder) -> None:
    """Its output without the newline; the environment is handed on, stdin is not."""
    command = f"{PYTHON} -c \"import os, sys; assert not sys.stdin.read(); print(os.environ['PREFIX'] + 'made')\""
    find.streams.stdin = BytesIO(b"the prompt")

    assert found(find({"PREFIX": "hand"}, key=f"command:{command}")) == ("handmade", "command, profile work")
    assert find.streams.stdin.read() == b"the prompt"


def test_failing_keyring_is_not_replaced_by_a_fallback_variable(find: Finder) -> None:
    """Otherwise another key would pay whenever the keyring is locked."""
    with pytest.raises(ConfigError, match="cannot read the keyring"):
        find({"ZAI_API_KEY": "fallback"}, key="keyring")


def test_own_variable_needs_no_keyring(find: Finder) -> None:
    """The keyring is not even loaded."""
    assert found(find({"ZAI_CODING_API_KEY": "own"}, key="keyring"))[0] == "own"


MISSING: dict[str, tuple[str | None, dict[str, Any], tuple[str, ...]]] = {
    "nothing stored": (
        "file",
        {},
        ("file, profile work", "ZAI_CODING_API_KEY", "Z_AI_API_KEY", "glm profile login work"),
    ),
    "no reference": (
        None,
        {},
        ("no key for zai-coding", "ZAI_CODING_API_KEY", "glm onboard", "export ZAI_CODING_API_KEY="),
    ),
    "empty flag variable": (None, {"key_env": "CI_KEY"}, ("variable CI_KEY (flag --key-env)", "export CI_KEY=")),
    "empty pipe": (None, {"key_stdin": True}, ("flag --key-stdin holds no key", "printf %s")),
    "unset reference": ("env:WORK_KEY", {}, ("env:WORK_KEY, profile work", "export WORK_KEY=")),
}


@pytest.mark.parametrize(("key", "options", "words"), MISSING.values(), ids=MISSING.keys())
def test_missing_key_names_what_was_tried(
    find: Finder, key: str | None, options: dict[str, Any], words: tuple[str, ...]
) -> None:
    """Exit 4, with the variables, the profile and the next step."""
    with pytest.raises(MissingKey) as caught:
        find(key=key, **options)

    told = f"{caught.value.message} / {caught.value.hint}"
    assert caught.value.exit_code == ExitCode.AUTH
    assert [word for word in words if word not in told] == []


# -- commands --------------------------------------------------------------------

COMMAND_FAILURES = {
    "no such program": ("no-such-program-here get key", "cannot run the key command no-such-program-here"),
    "exit code": (f"{PYTHON} -c 'raise SystemExit(7)' {TEST_KEY}", "ended with exit code 7"),
    "no text": (f"{PYTHON} -c 'import sys; sys.stdout.buffer.write(bytes([255]))'", "no text"),
    "open quote": (f"pass 'show {TEST_KEY}", "cannot be read: No closing quotation"),
    "nothing": ("''", "cannot run the key command"),
    "blank": ("  ", "is empty"),
}


@pytest.mark.parametrize(("command", "reason"), COMMAND_FAILURES.values(), ids=COMMAND_FAILURES.keys())
def test_failing_key_command_names_the_program_alone(command: str, reason: str) -> None:
    """Arguments and output may hold secrets."""
    with pytest.raises(ConfigError) as caught:
        run_key_command(command, os.environ)

    assert reason in caught.value.message
    assert TEST_KEY not in f"{caught.value.message} {caught.value.hint}"


def test_key_command_that_never_ends_is_stopped() -> None:
    """The limit is told."""
    with pytest.raises(ConfigError, match=r"did not end within 0\.2 seconds"):
        run_key_command(f"{PYTHON} -c 'import time; time.sleep(60)'", os.environ, limit_seconds=0.2)


def test_key_command_meets_no_shell() -> None:
    """Nothing in it is expanded."""
    assert run_key_command(f"{PYTHON} -c 'import sys; print(sys.argv[1])' $HOME;x", {}) == "$HOME;x"


# -- the text of a key -----------------------------------------------------------

CLEANED = {
    "as it is": (TEST_KEY, False),
    "newline": (f"{TEST_KEY}\n", False),
    "newline of Windows": (f"{TEST_KEY}\r\n", False),
    "spaces": (f"  {TEST_KEY}\t", True),
    "double quotes": (f'"{TEST_KEY}"', True),
    "single quotes and newline": (f"'{TEST_KEY}'\n", True),
    "typographic quotes": (f"“{TEST_KEY}”", True),
    "byte order mark": (f"\ufeff{TEST_KEY}", True),
    "no-break spaces": (f"\u00a0{TEST_KEY}\u200b", True),
}


@pytest.mark.parametrize(("text", "is_told"), CLEANED.values(), ids=CLEANED.keys())
def test_wrapping_of_a_key_is_taken_off(text: str, is_told: bool) -> None:
    """What copying and exporting put around it; silently only the newline of a command."""
    notices: list[str] = []

    assert clean_key(text, "variable X", notices.append) == TEST_KEY
    assert [("variable X" in notice, TEST_KEY in notice) for notice in notices] == [(True, False)] * is_told


BAD_KEYS = {
    "space": ("abc def.ghi", "a space at position 4"),
    "newline": ("abc\ndef", "a line break at position 4"),
    "escape": ("abc\x1b[0m", "u+001b at position 4"),
    "fullwidth": ("abc。def", "ideographic full stop at position 4"),
    "placeholder": ("密钥", "cjk unified ideograph-5bc6 at position 1"),
    "quotes alone": ('""', "is empty"),
}


@pytest.mark.parametrize(("text", "reason"), BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_key_that_no_header_can_carry_is_refused(text: str, reason: str) -> None:
    """Named by position; the key itself is not shown."""
    with pytest.raises(ConfigError) as caught:
        clean_key(text, "variable X", pytest.fail)

    assert reason in caught.value.message
    assert "abc" not in f"{caught.value.message} {caught.value.hint}"


def test_strange_forms_are_doubted_not_refused() -> None:
    """Keys of teams may look different."""
    assert doubt_about("0123456789abcdef0123456789abcdef.Abcdefghijklmnop") is None
    assert "one dot" in str(doubt_about("sk-123"))
    assert "32 hexadecimal" in str(doubt_about("abc.def"))


def test_secret_never_shows_itself() -> None:
    """In no form that a log or traceback would use."""
    secret = Secret(TEST_KEY, "test")

    assert all(TEST_KEY not in text for text in (repr(secret), str(secret), f"{secret}", repr([secret])))

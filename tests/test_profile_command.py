"""`glm profile`: profiles are seen, changed, and their keys moved."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.harness import TEST_KEY, Glm, GlmProcess

WORK = """\
version = 1
default_profile = "work"

# the office
[profiles.work]
provider = "zai-coding"
model = "glm-4.7"
key = "file"
mine = 1

[profiles.work.chat]
temperature = 0.3

[profiles.play]
provider = "zhipu"
key = "command:pass show secret/path"
"""


@pytest.fixture
def file(home: Path) -> Path:
    """A `config.toml` with two profiles; a key is stored for `work`."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(WORK)
    (home / "config.toml").chmod(0o600)
    (home / "credentials.toml").write_text(f'[keys]\nwork = "{TEST_KEY}"\n')
    (home / "credentials.toml").chmod(0o600)
    return home / "config.toml"


def keys_of(home: Path) -> dict[str, str]:
    stored: dict[str, str] = tomllib.loads((home / "credentials.toml").read_text())["keys"]
    return stored


def profiles_of(file: Path) -> dict[str, Any]:
    profiles: dict[str, Any] = tomllib.loads(file.read_text()).get("profiles", {})
    return profiles


# -- looking ---------------------------------------------------------------------


def test_list_marks_the_profile_in_use(glm: Glm, file: Path) -> None:
    """One line each; of a key command only the word."""
    assert (
        glm("profile", "list").stdout == "*  work  zai-coding  glm-4.7  file\n   play  zhipu       -        command\n"
    )
    assert glm("-p", "play", "profile", "list").stdout.splitlines()[1].startswith("*  play")


def test_list_as_json(glm: Glm, file: Path) -> None:
    """Stable keys for scripts."""
    listed = glm("profile", "list", "--json").json

    assert [(item["name"], item["in_use"], item["provider"], item["chat"]) for item in listed] == [
        ("work", True, "zai-coding", {"temperature": 0.3}),
        ("play", False, "zhipu", {}),
    ]


def test_list_of_none(glm: Glm) -> None:
    """No failure: an empty answer, and the way to the first one."""
    result = glm("profile", "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "glm onboard" in result.stderr
    assert glm("profile", "list", "--json").json == []


def test_show_tells_values_and_sources(glm: Glm, file: Path) -> None:
    """Each setting with what decided it; the key by its place."""
    shown = glm("profile", "show", "--json", "--timeout", "5", env={"GLM_MODEL": "m"}).json

    assert shown["profile"] == {"value": "work", "source": "config.toml, default_profile"}
    assert shown["provider"] == {"value": "zai-coding", "source": "profile work"}
    assert shown["model"] == {"value": "m", "source": "variable GLM_MODEL"}
    assert shown["timeout"] == {"value": 5.0, "source": "flag --timeout"}
    assert shown["chat.temperature"] == {"value": 0.3, "source": "profile work"}
    assert shown["key"] == {"value": "set", "source": "file, profile work"}


def test_show_for_people(glm: Glm, file: Path) -> None:
    """Aligned, one setting per line."""
    lines = glm("profile", "show").stdout.splitlines()

    assert lines[0].split() == ["profile", "work", "(config.toml,", "default_profile)"]
    assert ["timeout", "300", "(default)"] in [line.split() for line in lines]


def test_show_of_another_profile(glm: Glm, file: Path) -> None:
    """By name; its key command is not run."""
    shown = glm("profile", "show", "play", "--json").json

    assert shown["origin"]["value"] == "https://open.bigmodel.cn"
    assert shown["key"] == {"value": "not opened", "source": "command, profile play"}


def test_show_without_a_key(glm: Glm, file: Path) -> None:
    """What was looked at is named."""
    (file.parent / "credentials.toml").unlink()

    key = glm("profile", "show", "--json").json["key"]

    assert key["value"] == "none"
    assert "ZAI_CODING_API_KEY" in key["source"]


def test_show_without_any_profile_works_for_a_variable(glm: Glm) -> None:
    """What wins is also told when nothing is configured."""
    shown = glm("profile", "show", "--json", env={"ZAI_API_KEY": "k"}).json

    assert shown["profile"] == {"value": None, "source": "none"}
    assert shown["provider"] == {"value": "zai", "source": "variable ZAI_API_KEY"}


@pytest.mark.parametrize("command", ["show", "use", "delete", "login", "logout"])
def test_unknown_profile_is_exit_3_with_the_near_name(glm: Glm, file: Path, command: str) -> None:
    """And nothing is changed."""
    result = glm("profile", command, "wrok")

    assert (result.exit_code, "did you mean work?" in result.stderr) == (3, True)
    assert file.read_text() == WORK


# -- changing --------------------------------------------------------------------


def test_use_changes_the_default(glm: Glm, file: Path) -> None:
    """Only that line of the file."""
    result = glm("profile", "use", "play")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "default_profile: work -> play\n"
    assert file.read_text() == WORK.replace('default_profile = "work"', 'default_profile = "play"')


def test_set_keeps_comments_and_unknown_keys(glm: Glm, file: Path) -> None:
    """Values take the type of their key; KEY= removes one."""
    result = glm("profile", "set", "work", "model=", "chat.max_tokens=100", "chat.system=Be brief.", "auth=jwt")

    assert result.exit_code == 0
    assert profiles_of(file)["work"] == {
        "provider": "zai-coding",
        "key": "file",
        "mine": 1,
        "auth": "jwt",
        "chat": {"temperature": 0.3, "max_tokens": 100, "system": "Be brief."},
    }
    assert "# the office" in file.read_text()


def test_set_tells_changes_as_json(glm: Glm, file: Path) -> None:
    """One document, empty when it was so before."""
    assert glm("profile", "set", "work", "model=x", "--json").json == {"changes": ["profiles.work.model: glm-4.7 -> x"]}
    assert glm("profile", "set", "work", "chat.temperature=", "--json").json == {
        "changes": ["profiles.work.chat.temperature: 0.3 removed"]
    }
    assert "chat" not in profiles_of(file)["work"]
    assert "nothing to change" in glm("profile", "set", "work", "model=x").stderr


NONSENSE = {
    "type": ("chat.temperature=hot", 3, "must be a number, not 'hot'"),
    "half a token": ("chat.max_tokens=1.5", 3, "must be a whole number"),
    "provider": ("provider=openai", 3, "unknown provider 'openai'"),
    "no provider": ("provider=", 3, "has no provider"),
    "auth": ("auth=basic", 3, "choose one of bearer, jwt, x-api-key"),
    "protocol": ("protocol=grpc", 3, "choose one of openai, anthropic"),
    "custom alone": ("provider=custom", 3, "needs a base URL"),
    "base URL": ("base_url=http://llm.example", 3, "plain http"),
    "a key": (f"key={TEST_KEY}", 3, "not a reference to a key"),
    "no equals sign": ("model", 2, "'model' is not KEY=VALUE"),
}


@pytest.mark.parametrize(("word", "code", "reason"), NONSENSE.values(), ids=NONSENSE.keys())
def test_set_refuses_nonsense(glm: Glm, file: Path, word: str, code: int, reason: str) -> None:
    """The file is untouched, and a key that was typed is not repeated."""
    result = glm("profile", "set", "work", "model=changed", word)

    assert (result.exit_code, reason in result.stderr) == (code, True), result.stderr
    assert file.read_text() == WORK


def test_rename_takes_key_and_default_along(glm: Glm, file: Path) -> None:
    """Nothing else changes."""
    result = glm("profile", "rename", "work", "büro")

    assert (result.exit_code, result.stderr) == (0, "profile work is now called büro\n")
    assert profiles_of(file)["büro"] == tomllib.loads(WORK)["profiles"]["work"]
    assert 'default_profile = "büro"' in file.read_text()
    assert keys_of(file.parent) == {"büro": TEST_KEY}


@pytest.mark.parametrize(
    ("name", "reason"),
    [("play", "already called"), ("a b", "cannot name"), ("", "cannot name"), ("-x", "no such option")],
)
def test_rename_to_a_bad_name(glm: Glm, file: Path, name: str, reason: str) -> None:
    """Refused before anything moves."""
    result = glm("profile", "rename", "work", name)

    assert (result.exit_code in (2, 3), reason in result.stderr.lower()) == (True, True), result.stderr
    assert (file.read_text(), keys_of(file.parent)) == (WORK, {"work": TEST_KEY})


def test_delete_takes_the_key_along(glm: Glm, file: Path) -> None:
    """With --yes nobody is asked."""
    result = glm("profile", "delete", "work", "--yes")

    assert (result.exit_code, list(profiles_of(file)), keys_of(file.parent)) == (0, ["play"], {})
    assert "default_profile" not in file.read_text()


def test_delete_without_a_person_needs_yes(glm: Glm, file: Path) -> None:
    """A script says it."""
    result = glm("profile", "delete", "work")

    assert (result.exit_code, "glm profile delete work --yes" in result.stderr) == (2, True)
    assert file.read_text() == WORK


@pytest.mark.parametrize(("answer", "left"), [("y\n", ["play"]), ("\n", ["work", "play"]), ("", ["work", "play"])])
def test_delete_asks_at_a_terminal(glm: Glm, file: Path, answer: str, left: list[str]) -> None:
    """Only a yes deletes."""
    glm("profile", "delete", "work", input=answer, tty=True)

    assert list(profiles_of(file)) == left


def test_delete_goes_on_when_the_keyring_fails(glm: Glm, file: Path) -> None:
    """A profile of another machine can be got rid of; what could not be deleted is told."""
    file.write_text(WORK.replace('key = "file"', 'key = "keyring"'))

    result = glm("profile", "delete", "work", "--yes")

    assert (result.exit_code, list(profiles_of(file))) == (0, ["play"])
    assert "could not be deleted" in result.stderr


# -- keys ------------------------------------------------------------------------


def test_login_takes_a_key_from_a_pipe(glm: Glm, file: Path) -> None:
    """Into the store where the old one was."""
    new = TEST_KEY.replace("feed", "beef")

    result = glm("profile", "login", "work", "--key-stdin", input=f"{new}\n")

    assert (result.exit_code, keys_of(file.parent)) == (0, {"work": new})
    assert new not in result.stderr
    assert file.read_text() == WORK


def test_login_takes_a_key_from_a_variable(glm: Glm, file: Path) -> None:
    """From a command to the file; the reference in config.toml follows."""
    result = glm("profile", "login", "play", "--key-env", "MY_KEY", "--store", "file", env={"MY_KEY": TEST_KEY})

    assert result.exit_code == 0, result.stderr
    assert profiles_of(file)["play"]["key"] == "file"
    assert keys_of(file.parent)["play"] == TEST_KEY


@pytest.mark.parametrize(
    ("arguments", "reference"),
    [
        (["--store", "env:CI_KEY"], "env:CI_KEY"),
        (["--store", "env", "--key-env", "CI_KEY"], "env:CI_KEY"),
        (["--store", "command:pass show x"], "command:pass show x"),
        (["--key-command", "pass show x"], "command:pass show x"),
    ],
    ids=" ".join,
)
def test_login_by_reference_forgets_the_stored_key(glm: Glm, file: Path, arguments: list[str], reference: str) -> None:
    """The key is somewhere else now; no copy stays behind."""
    result = glm("profile", "login", "work", *arguments)

    assert result.exit_code == 0, result.stderr
    assert (profiles_of(file)["work"]["key"], keys_of(file.parent)) == (reference, {})


def test_login_moves_a_key(glm: Glm, file: Path) -> None:
    """From a variable into the file, without typing it again."""
    file.write_text(WORK.replace('key = "file"', 'key = "env:OLD"'))
    (file.parent / "credentials.toml").unlink()

    result = glm("profile", "login", "work", "--store", "file", "--move", env={"OLD": TEST_KEY})

    assert result.exit_code == 0, result.stderr
    assert (profiles_of(file)["work"]["key"], keys_of(file.parent)) == ("file", {"work": TEST_KEY})


def test_login_into_a_failing_keyring_changes_nothing(glm: Glm, file: Path) -> None:
    """The old key stays where it is."""
    result = glm("profile", "login", "work", "--store", "keyring", "--move")

    assert (result.exit_code, "--store file" in result.stderr) == (3, True)
    assert (file.read_text(), keys_of(file.parent)) == (WORK, {"work": TEST_KEY})


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ([], 2, "--key-stdin"),
        (["--key-stdin"], 4, "holds no key"),
        (["--key-env", "NONE"], 4, "variable NONE"),
        (["--store", TEST_KEY], 2, "no key was given"),
        (["--store", "env"], 2, "--key-env NAME"),
        (["--store", "command"], 2, "--key-command"),
        (["--store", "env:X Y"], 3, "env:NAME"),
        (["--store", "env:X", "--move"], 2, "--move"),
    ],
)
def test_login_refusals(glm: Glm, file: Path, arguments: list[str], code: int, reason: str) -> None:
    """Each names what is missing; a key in the wrong place is not repeated."""
    result = glm("profile", "login", "work", *arguments)

    assert (result.exit_code, reason in result.stderr) == (code, True), result.stderr
    assert (file.read_text(), keys_of(file.parent)) == (WORK, {"work": TEST_KEY})


def test_login_doubts_a_strange_key_and_stores_it(glm: Glm, file: Path) -> None:
    """Keys of teams may look different."""
    result = glm("profile", "login", "work", "--key-stdin", input="sk-strange")

    assert (result.exit_code, keys_of(file.parent)) == (0, {"work": "sk-strange"})
    assert "one dot" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_key_is_not_shown_while_it_is_typed(glm_process: GlmProcess, file: Path) -> None:
    """At a real terminal: the question is, the key is not, and the terminal shows again afterwards."""
    import pty
    import termios

    leader, follower = pty.openpty()
    process = glm_process.start("profile", "login", "work", stdin=follower, stdout=follower, stderr=follower)
    shown = _read_until(leader, b"not shown): ")
    os.write(leader, TEST_KEY.replace("feed", "beef").encode() + b"\n")

    assert process.wait(30) == 0
    shown += _read_until(leader, b"doctor")
    assert b"Key for profile work" in shown
    assert b"TESTKEY" not in shown
    assert termios.tcgetattr(follower)[3] & termios.ECHO
    assert keys_of(file.parent)["work"].startswith("beef")
    os.close(leader)
    os.close(follower)


def _read_until(descriptor: int, end: bytes) -> bytes:
    data = b""
    while end not in data and select.select([descriptor], [], [], 30)[0]:
        data += os.read(descriptor, 4096)
    return data


def test_logout_forgets_key_and_reference(glm: Glm, file: Path) -> None:
    """The profile stays."""
    result = glm("profile", "logout", "work")

    assert (result.exit_code, result.stderr) == (0, "profile work: key deleted\n")
    assert ("key" in profiles_of(file)["work"], keys_of(file.parent)) == (False, {})
    assert "no key was stored" in glm("profile", "logout", "work").stderr


def test_keyring_stays_unloaded(glm_process: GlmProcess, file: Path) -> None:
    """A key in a file or a variable does not pay for the keyring library."""
    code = (
        "import sys; from glmcli.cli import run; run(['profile', 'show']);"
        "run(['profile', 'logout', 'work']); print('keyring' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "False"

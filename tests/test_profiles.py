"""What the wizard and `glm profile` share: profiles saved and keys moved, without losing either."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from glmcli.config.files import quiet
from glmcli.config.model import Profile, Secret
from glmcli.config.paths import Paths, find_paths
from glmcli.config.profiles import change_key, read_key, reference_to, save_profile, store_key
from glmcli.config.store import load_config
from glmcli.errors import ConfigError, UsageError
from tests.harness import TEST_KEY

WORK = Profile("work", "zai-coding", model="glm-5.3", key="file", chat={"temperature": 0.3})


@pytest.fixture
def paths(home: Path) -> Paths:
    return find_paths({"GLM_HOME": str(home)})


def test_first_profile_becomes_the_default(paths: Paths) -> None:
    """A later one only when that is asked for."""
    save_profile(paths, WORK)
    save_profile(paths, WORK.replace(name="play"))
    assert load_config(paths.config_file).default_profile == "work"

    save_profile(paths, WORK.replace(name="play"), make_default=True)

    assert load_config(paths.config_file).default_profile == "play"


def test_saved_profile_is_read_as_it_was(paths: Paths) -> None:
    """Every field, also for a custom endpoint with a strange name."""
    router = Profile(
        "büro.1@x",
        "custom",
        model="llama",
        key="command:pass show x",
        auth="x-api-key",
        base_url="https://llm.example/v1",
        protocol="anthropic",
        chat={"stop": ["a"], "system": 'sag "hi"\n'},
    )

    save_profile(paths, router)

    assert load_config(paths.config_file).profiles == {router.name: router}


def test_second_run_changes_only_what_differs(paths: Paths) -> None:
    """And says what; the same again is nothing."""
    assert save_profile(paths, WORK) == [
        "profiles.work.provider: zai-coding",
        "profiles.work.model: glm-5.3",
        "profiles.work.key: file",
        "profiles.work.chat.temperature: 0.3",
        "default_profile: work",
    ]
    written = paths.config_file.stat().st_ino

    assert save_profile(paths, WORK) == []
    assert save_profile(paths, WORK.replace(chat={})) == []
    assert paths.config_file.stat().st_ino == written
    assert save_profile(paths, WORK.replace(model=None, key="keyring")) == [
        "profiles.work.model: glm-5.3 removed",
        "profiles.work.key: file -> keyring",
    ]


SHAPES = {
    "headers": '[profiles.work]\nprovider = "zai"\nmine = 1\n',
    "inline": 'profiles = { work = { provider = "zai", mine = 1 } }\n',
    "inline profile": '[profiles]\nwork = { provider = "zai", mine = 1 }\n',
    "dotted": 'profiles.work.provider = "zai"\nprofiles.work.mine = 1\n',
    "dotted below a header": '[profiles]\nwork.provider = "zai"\nwork.mine = 1\n',
    "out of order": (
        '[profiles.work]\nprovider = "zai"\nmine = 1\n[aliases]\na = "b"\n[profiles.other]\nprovider = "zhipu"\n'
    ),
    "chat first": '[profiles.work.chat]\ntop_p = 0.5\n[profiles.work]\nprovider = "zai"\nmine = 1\n',
    "quoted": '["profiles"."work"]\n"provider" = "zai"\n\'mine\' = 1\n',
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_of_toml_can_be_changed(paths: Paths, text: str) -> None:
    """However a person wrote the file, the result says what was meant and keeps the rest."""
    paths.config_dir.mkdir()
    paths.config_file.write_text(text)
    expected = tomllib.loads(text)
    expected["profiles"]["work"] |= {"provider": "zai-coding", "model": "glm-5.3", "key": "file"}
    expected["profiles"]["work"].setdefault("chat", {})["temperature"] = 0.3
    expected["profiles"]["new"] = {"provider": "zhipu"}
    expected["default_profile"] = "new"

    save_profile(paths, WORK)
    save_profile(paths, Profile("new", "zhipu"), make_default=True)

    assert tomllib.loads(paths.config_file.read_text()) == expected


@pytest.mark.parametrize(
    "profile",
    [
        WORK.replace(name="a b"),
        WORK.replace(name=""),
        WORK.replace(name="-p"),
        WORK.replace(provider="openai"),
        WORK.replace(key=TEST_KEY),
        WORK.replace(auth="basic"),
        Profile("x", "custom"),
        Profile("x", "custom", base_url="http://llm.example"),
        WORK.replace(chat={"temperature": "hot"}),
    ],
)
def test_useless_profile_is_not_saved(paths: Paths, profile: Profile) -> None:
    """Nothing is written, and a key is not repeated."""
    with pytest.raises(ConfigError) as caught:
        save_profile(paths, profile)

    assert not paths.config_file.exists()
    assert TEST_KEY not in f"{caught.value} {caught.value.hint}"


def test_store_key_gives_the_reference(paths: Paths) -> None:
    """What to write into the profile; a variable or command keeps nothing."""
    assert store_key("file", "work", Secret(TEST_KEY, "test"), paths) == ("file", None)
    assert read_key(WORK, paths) == TEST_KEY
    assert store_key("env:CI_KEY", "work", None, paths) == ("env:CI_KEY", None)
    with pytest.raises(ConfigError):
        store_key("file", "work", None, paths)
    with pytest.raises(ConfigError) as caught:
        store_key(TEST_KEY, "work", Secret(TEST_KEY, "test"), paths)
    assert TEST_KEY not in f"{caught.value} {caught.value.hint}"


def test_key_in_the_same_store_is_replaced_not_deleted(paths: Paths) -> None:
    """The new key is there afterwards."""
    save_profile(paths, WORK)
    store_key("file", "work", Secret("old", "test"), paths)

    assert change_key(paths, "work", "file", Secret(TEST_KEY, "test"), notice=quiet) == []

    assert read_key(WORK, paths) == TEST_KEY


def test_words_of_options_become_a_reference() -> None:
    """`--store env` and `--store command` need to be told of what."""
    assert reference_to("keyring") == "keyring"
    assert reference_to("env", variable="CI_KEY") == "env:CI_KEY"
    assert reference_to("command", command="pass show x") == "command:pass show x"
    for store in ("env", "command"):
        with pytest.raises(UsageError):
            reference_to(store)

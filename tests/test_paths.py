"""Where files stand: the same folders as platformdirs, without its cost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from glmcli.config.paths import find_paths
from glmcli.errors import ConfigError

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the short cut is taken on Linux alone")

ENVIRONMENTS = {
    "home alone": {"HOME": "/home/ann"},
    "all four": {
        "HOME": "/home/ann",
        "XDG_CONFIG_HOME": "/c",
        "XDG_DATA_HOME": "/d/",
        "XDG_STATE_HOME": "/s",
        "XDG_CACHE_HOME": "/k",
    },
    "relative ones are ignored": {"HOME": "/home/ann", "XDG_CONFIG_HOME": "conf", "XDG_STATE_HOME": "./s"},
    "empty ones are ignored": {"HOME": "/home/ann", "XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""},
    "a relative home is ignored": {"HOME": "ann"},
    "an empty home is ignored": {"HOME": ""},
    "no home": {},
}


@linux_only
@pytest.mark.parametrize("environ", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_folders_equal_those_of_platformdirs(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the XDG variables say, we and platformdirs mean the same folders."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "GLM_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    theirs = platformdirs.PlatformDirs("glm", appauthor=False)

    ours = find_paths(environ)

    assert (ours.config_dir, ours.data_dir) == (theirs.user_config_path, theirs.user_data_path)
    assert (ours.state_dir, ours.cache_dir) == (theirs.user_state_path, theirs.user_cache_path)


@linux_only
def test_platformdirs_is_not_loaded_on_linux() -> None:
    """The short cut is one: platformdirs stays unloaded."""
    code = """
import sys
from glmcli.config.paths import find_paths
find_paths({"HOME": "/h"})
print("platformdirs" in sys.modules)
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_other_systems_ask_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS and Windows platformdirs decides."""
    monkeypatch.setattr("glmcli.config.paths.sys.platform", "darwin")
    theirs = platformdirs.PlatformDirs("glm", appauthor=False)

    assert find_paths({"HOME": "/somewhere/else"}).config_dir == theirs.user_config_path


def test_glm_home_holds_everything(tmp_path: Path) -> None:
    """GLM_HOME puts every file under one folder, whatever XDG says."""
    found = find_paths({"GLM_HOME": str(tmp_path), "HOME": "/home/ann", "XDG_CONFIG_HOME": "/c"})

    assert found.config_file == tmp_path / "config.toml"
    assert found.credentials_file == tmp_path / "credentials.toml"
    assert found.history_file == tmp_path / "history.db"
    everything = (found.config_dir, found.data_dir, found.state_dir, found.cache_dir, found.templates_dir)
    assert all(folder.is_relative_to(tmp_path) for folder in everything)
    assert found.prompt_history_file.is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("home", "expected"),
    [("~/glm", "/home/ann/glm"), ("~", "/home/ann"), ("  /srv/glm ", "/srv/glm")],
    ids=["tilde", "tilde alone", "white space"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths")
def test_glm_home_as_people_write_it(home: str, expected: str) -> None:
    """A tilde that no shell expanded still means the home folder."""
    assert find_paths({"GLM_HOME": home, "HOME": "/home/ann"}).config_dir == Path(expected)


def test_relative_glm_home_counts_from_the_working_directory() -> None:
    """The folder does not move when the command changes directory later."""
    assert find_paths({"GLM_HOME": "here"}).config_dir == Path.cwd() / "here"


@linux_only
def test_user_without_home_is_told_of_glm_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container user that no password database knows gets a way out."""
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)

    with pytest.raises(ConfigError, match="no home folder") as caught:
        find_paths({})

    assert "GLM_HOME" in str(caught.value.hint)
    assert find_paths({"GLM_HOME": "/srv/glm"}).config_dir == Path("/srv/glm")

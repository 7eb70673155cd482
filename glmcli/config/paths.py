"""Where the files of `glm` stand on this machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from glmcli.errors import ConfigError
from glmcli.values import Value

_APP = "glm"
_NO_HOME = "set GLM_HOME to a folder for the files of glm, for example: GLM_HOME=/srv/glm glm ..."

# Variable and default of the XDG base directory specification, per kind.
_XDG = {
    "config": ("XDG_CONFIG_HOME", ".config"),
    "data": ("XDG_DATA_HOME", ".local/share"),
    "state": ("XDG_STATE_HOME", ".local/state"),
    "cache": ("XDG_CACHE_HOME", ".cache"),
}


class Paths(Value):
    """The folders of one user, and the files in them; nothing need exist."""

    config_dir: Path
    data_dir: Path
    state_dir: Path
    cache_dir: Path

    @property
    def config_file(self) -> Path:
        """Profiles and settings."""
        return self.config_dir / "config.toml"

    @property
    def credentials_file(self) -> Path:
        """Keys of profiles with `key = "file"`."""
        return self.config_dir / "credentials.toml"

    @property
    def templates_dir(self) -> Path:
        """Saved prompts."""
        return self.config_dir / "templates"

    @property
    def history_file(self) -> Path:
        """Conversations, tasks and the ledger: one SQLite database."""
        return self.data_dir / "history.db"

    @property
    def prompt_history_file(self) -> Path:
        """What was typed at the prompt of `glm chat`."""
        return self.state_dir / "prompt_history"


def find_paths(environ: Mapping[str, str]) -> Paths:
    """The folders that belong to this environment.

    `GLM_HOME` puts all of them under one folder; a relative one counts from
    the working directory. Raises ConfigError when the user has no home.
    """
    home = environ.get("GLM_HOME", "").strip()
    if home:
        return _under(Path(home), environ)
    # platformdirs takes as long to load as the rest of a command; the
    # specification is four lines where most of our users are.
    if sys.platform == "linux" and "ANDROID_DATA" not in environ:
        return Paths(**{f"{kind}_dir": _xdg_dir(kind, environ) for kind in _XDG})
    return _from_platformdirs()


def _under(home: Path, environ: Mapping[str, str]) -> Paths:
    if home.parts[:1] == ("~",):
        home = user_home(environ).joinpath(*home.parts[1:])
    home = home.absolute()
    return Paths(config_dir=home, data_dir=home, state_dir=home / "state", cache_dir=home / "cache")


def _xdg_dir(kind: str, environ: Mapping[str, str]) -> Path:
    variable, default = _XDG[kind]
    named = environ.get(variable, "")
    # The specification: a relative path is invalid and must be ignored.
    base = Path(named) if named.startswith("/") else user_home(environ) / default
    return base / _APP


def user_home(environ: Mapping[str, str]) -> Path:
    """The home folder: `HOME`, else the password database. Raises ConfigError when there is none."""
    named = environ.get("HOME", "")
    if named and Path(named).is_absolute():
        return Path(named)
    try:
        home = Path("~").expanduser() if sys.platform == "win32" else _home_of_account()
    except (ImportError, KeyError, RuntimeError):
        raise ConfigError("this user has no home folder", hint=_NO_HOME) from None
    if not home.is_absolute():
        raise ConfigError("this user has no home folder", hint=_NO_HOME)
    return home


def _home_of_account() -> Path:
    import os
    import pwd

    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def _from_platformdirs() -> Paths:
    import platformdirs

    try:
        folders = platformdirs.PlatformDirs(_APP, appauthor=False)
        return Paths(
            config_dir=folders.user_config_path,
            data_dir=folders.user_data_path,
            state_dir=folders.user_state_path,
            cache_dir=folders.user_cache_path,
        )
    except RuntimeError:
        raise ConfigError("this user has no home folder", hint=_NO_HOME) from None

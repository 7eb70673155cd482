"""`config.toml` and `.glm.toml`: what is read, refused, kept and replaced."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from glmcli.config.files import locked, write_private
from glmcli.config.model import Profile
from glmcli.config.schema import value_from_text
from glmcli.config.store import edit_config, environment_with_file, find_directory_file, load_config
from glmcli.errors import ConfigError, ExitCode

posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")

WHOLE = """\
# mine
version = 1
default_profile = "work"
later = "a newer glm knows"

[profiles.work]  # the office
provider = "zai-coding"
model = "glm-5.3"
key = "env:WORK_KEY"
auth = "jwt"
colour = "red"

[profiles.work.chat]
temperature = 1
system = "Be brief."

[profiles."my router"]
provider = "custom"
base_url = "https://llm.example/v1"
protocol = "anthropic"
key = "command:pass show llm"

[aliases]
fast = "glm-5-flash"

[settings]
timeout = 30
max_retries = 0
no_log = true
"""


@pytest.fixture
def path(home: Path) -> Path:
    """Where `config.toml` of this test stands; its folder exists."""
    home.mkdir(mode=0o700)
    return home / "config.toml"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- reading ---------------------------------------------------------------------


def test_reads_everything_it_knows_and_keeps_the_rest(path: Path) -> None:
    """Known keys become fields, unknown ones `extra`."""
    path.write_text(WHOLE)

    config = load_config(path)

    assert config.default_profile == "work"
    assert config.profiles["work"] == Profile(
        name="work",
        provider="zai-coding",
        model="glm-5.3",
        key="env:WORK_KEY",
        auth="jwt",
        chat={"temperature": 1, "system": "Be brief."},
        extra={"colour": "red"},
    )
    assert config.profiles["my router"].base_url == "https://llm.example/v1"
    assert config.aliases == {"fast": "glm-5-flash"}
    assert config.settings == {"timeout": 30, "max_retries": 0, "no_log": True}


def test_no_file_is_an_empty_configuration(path: Path) -> None:
    """Nothing is required, and nothing is made by reading."""
    config = load_config(path)

    assert (config.exists, config.path, dict(config.profiles)) == (False, path, {})
    assert not path.exists()


def test_byte_order_mark_of_an_editor_is_borne(path: Path) -> None:
    """Notepad writes one."""
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.encode())

    assert load_config(path).default_profile == "work"


BROKEN = {
    "syntax": (b"version = 1\nmodel glm\n", "line 2, column 7: expected '=' after a key in a key/value pair"),
    "open text": (b'version = 1\n\nmodel = "glm\n', "line 3, column 13: illegal character '\\n'"),
    "end of file": (b"version = 1\na = [1,\n", "line 2: "),
    "twice": (b"version = 1\nversion = 1\n", "line 2, column 12: cannot overwrite a value"),
    "nested without end": (b"a = " + b"[" * 100_000, "nested too deeply, or holds a number of too many digits"),
    "too many digits": (b"a = " + b"9" * 5000, "nested too deeply, or holds a number of too many digits"),
    "not UTF-8": (b"version = 1\nmodel = '\xff'\n", "line 2: not UTF-8 text"),
    "version": (b"version = '1'\n", "line 1: version must be a whole number, not text"),
    "default_profile": (b"default_profile = 1\n", "line 1: default_profile must be text, not a whole number"),
    "profiles": (b"profiles = 'x'\n", "line 1: profiles must be a table, not text"),
    "a profile": (b"[profiles]\nwork = 'zai'\n", "line 2: profiles.work must be a table, not text"),
    "no provider": (b"\n[profiles.work]\nmodel = 'x'\n", "line 2: profiles.work has no provider"),
    "model": (
        b"[profiles.a]\nprovider = 'zai'\nmodel = 5\n",
        "line 3: profiles.a.model must be text, not a whole number",
    ),
    "quoted profile": (
        b"[profiles.\"a b\"]\nprovider = 'zai'\nmodel = 5.5\n",
        'line 3: profiles."a b".model must be text, not a number',
    ),
    "temperature": (
        b"[profiles.a]\nprovider='zai'\n[profiles.a.chat]\ntemperature = 'hot'\n",
        "line 4: profiles.a.chat.temperature must be a number, not text",
    ),
    "true is no number": (
        b"[profiles.a]\nprovider='zai'\nchat.max_tokens = true\n",
        "line 3: profiles.a.chat.max_tokens must be a whole number, not true or false",
    ),
    "alias": (b"[aliases]\nfast = ['a']\n", "line 2: aliases.fast must be text, not a list"),
    "no_log": (b"[settings]\nno_log = 1\n", "line 2: settings.no_log must be true or false, not a whole number"),
    "timeout": (b"[settings]\ntimeout = 1979-05-27\n", "line 2: settings.timeout must be a number, not a date or time"),
}


def test_a_file_too_deep_for_changes_is_read_and_left_alone(path: Path) -> None:
    """What changes a file gives up earlier than what reads it."""
    data = b"a = " + b"[" * 150 + b"]" * 150 + b"\n"
    path.write_bytes(data)

    assert load_config(path).exists
    with pytest.raises(ConfigError, match="cannot be changed here"), edit_config(path) as document:
        document["default_profile"] = "x"

    assert path.read_bytes() == data


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000], ids=["nested without end", "too many digits"])
def test_a_value_that_cannot_be_read_is_text(text: str) -> None:
    """For a key that we do not know; a known one says what it must be."""
    assert value_from_text(text, ("future", "key")) == text
    with pytest.raises(ConfigError, match="must be"):
        value_from_text(text, ("settings", "timeout"))


@pytest.mark.parametrize(("data", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_file_is_told_with_path_line_and_reason(path: Path, data: bytes, reason: str) -> None:
    """Exit 3, and the file stays as it is, also when something tries to change it."""
    path.write_bytes(data)

    with pytest.raises(ConfigError) as caught:
        load_config(path)
    with pytest.raises(ConfigError), edit_config(path) as document:
        document["default_profile"] = "x"

    assert str(path) in caught.value.message
    assert reason in caught.value.message
    assert caught.value.exit_code == ExitCode.CONFIG
    assert path.read_bytes() == data


def test_key_in_the_configuration_is_refused_and_not_repeated(path: Path) -> None:
    """A key itself has no place in config.toml; the message does not spread it further."""
    path.write_text('[profiles.a]\nprovider = "zai"\nkey = "0123456789abcdef.secretpart"\n')

    with pytest.raises(ConfigError, match=r"line 3: profiles\.a\.key is not a reference") as caught:
        load_config(path)

    assert "secretpart" not in f"{caught.value.message} {caught.value.hint}"
    assert "glm profile login a" in str(caught.value.hint)


def test_newer_version_is_refused_politely(path: Path) -> None:
    """A file of a newer glm is neither misread nor overwritten."""
    path.write_text("version = 2\n")

    with pytest.raises(ConfigError, match="written by a newer glm") as caught:
        load_config(path)

    assert "upgrade" in str(caught.value.hint)


def test_folder_in_the_place_of_the_file_is_told(path: Path) -> None:
    """The reason is named, not a traceback."""
    path.mkdir()

    with pytest.raises(ConfigError, match="is not a file"):
        load_config(path)


@posix_only
def test_unreadable_file_is_told(path: Path) -> None:
    """The reason of the system is passed on."""
    path.write_text(WHOLE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")

    with pytest.raises(ConfigError, match=r"cannot read .*: Permission denied"):
        load_config(path)

    path.chmod(0o600)  # the fixtures look for keys in it


# -- modes -----------------------------------------------------------------------


@posix_only
def test_wrong_modes_are_repaired_with_a_notice(path: Path) -> None:
    """Others could read the file and the folder; afterwards they cannot, once is told."""
    path.write_text(WHOLE)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    notices: list[str] = []

    load_config(path, notice=notices.append)
    load_config(path, notice=notices.append)

    assert (mode_of(path), mode_of(path.parent)) == (0o600, 0o700)
    assert [str(path.parent) in notices[0], str(path) in notices[1], len(notices)] == [True, True, 2]
    assert "0644" in notices[1]


@posix_only
def test_shared_folder_is_left_open(path: Path) -> None:
    """GLM_HOME=/tmp must not close /tmp for everybody."""
    path.write_text(WHOLE)
    path.chmod(0o644)
    path.parent.chmod(0o1777)

    load_config(path, notice=lambda text: None)

    assert mode_of(path.parent) == 0o1777
    assert mode_of(path) == 0o600


@posix_only
def test_home_folder_is_left_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """GLM_HOME=~ does not change who may enter the home folder."""
    user = tmp_path / "user"
    monkeypatch.setenv("HOME", str(user))
    user.chmod(0o755)
    (user / "config.toml").write_text(WHOLE)

    load_config(user / "config.toml", notice=lambda text: None)

    assert mode_of(user) == 0o755


# -- writing ---------------------------------------------------------------------


def test_comments_order_and_unknown_keys_survive_a_change(path: Path) -> None:
    """Only the changed line differs."""
    path.write_text(WHOLE)

    with edit_config(path) as document:
        document["profiles"]["work"]["model"] = "glm-4.7"

    assert path.read_text() == WHOLE.replace('model = "glm-5.3"', 'model = "glm-4.7"')


def test_line_ends_of_windows_survive(path: Path) -> None:
    """A file with CRLF keeps it."""
    path.write_bytes(b'version = 1\r\n# x\r\ndefault_profile = "a"\r\n')

    with edit_config(path) as document:
        document["default_profile"] = "b"

    assert path.read_bytes() == b'version = 1\r\n# x\r\ndefault_profile = "b"\r\n'


@posix_only
def test_new_file_is_private_and_says_its_version(home: Path) -> None:
    """Missing folders are made, for the user alone, whatever the umask."""
    path = home / "deep" / "config.toml"
    before = os.umask(0)
    try:
        with edit_config(path) as document:
            document["default_profile"] = "a"
    finally:
        os.umask(before)

    assert path.read_text() == 'version = 1\ndefault_profile = "a"\n'
    assert (mode_of(path), mode_of(path.parent), mode_of(home)) == (0o600, 0o700, 0o700)


def test_nothing_is_written_when_nothing_changed(path: Path) -> None:
    """An edit without an effect leaves the very file, and makes none."""
    with edit_config(path):
        pass
    assert not path.exists()
    path.write_text(WHOLE)
    inode = path.stat().st_ino

    with edit_config(path) as document:
        document["default_profile"] = "work"

    assert (path.read_text(), path.stat().st_ino) == (WHOLE, inode)


def test_failed_block_changes_nothing(path: Path) -> None:
    """An error in the middle of a change leaves the file as it was."""
    path.write_text(WHOLE)

    def fail_halfway() -> None:
        with edit_config(path) as document:
            document["default_profile"] = "x"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()

    assert path.read_text() == WHOLE


def test_change_that_would_break_the_file_is_refused(path: Path) -> None:
    """What is written can be read again."""
    path.write_text(WHOLE)

    with pytest.raises(ConfigError, match=r"profiles\.work\.model must be text"), edit_config(path) as document:
        document["profiles"]["work"]["model"] = 7

    assert path.read_text() == WHOLE


@posix_only
def test_symbolic_link_is_followed_not_replaced(path: Path, tmp_path: Path) -> None:
    """A config.toml kept in a folder of dotfiles stays there."""
    real = tmp_path / "dotfiles" / "glm.toml"
    real.parent.mkdir()
    real.write_text(WHOLE)
    path.symlink_to(real)

    with edit_config(path) as document:
        document["default_profile"] = "my router"

    assert path.is_symlink()
    assert 'default_profile = "my router"' in real.read_text()
    assert [entry.name for entry in real.parent.iterdir()] == ["glm.toml"]


@posix_only
def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    """A history that is linked to /dev/null must not cost root the device; a pipe stands for it here."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_private(tmp_path / "link", b"data")
    assert os.read(reader, 10) == b"data"
    os.close(reader)
    assert pipe.is_fifo()


@posix_only
def test_circle_of_links_is_told(path: Path) -> None:
    """It is an error of the configuration, not a crash."""
    path.symlink_to(path)

    with pytest.raises(ConfigError), edit_config(path) as document:
        document["default_profile"] = "x"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_loses_nothing(path: Path) -> None:
    """The old file is intact, no temporary file is left, and the reason is told."""
    path.write_text(WHOLE)
    code = """
import resource, signal, sys
from pathlib import Path
from glmcli.config.files import write_private
from glmcli.errors import ConfigError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_private(Path(sys.argv[1]), b"x" * 100_000)
except ConfigError as error:
    print(error.message)
"""

    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)

    assert done.stdout == f"cannot write {path}: File too large\n"
    assert path.read_text() == WHOLE
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]


@posix_only
def test_read_only_folder_is_told(path: Path) -> None:
    """The reason and the way out are named."""
    path.write_text(WHOLE)
    path.parent.chmod(0o500)
    if os.access(path.parent, os.W_OK):
        pytest.skip("root may write everywhere")

    with pytest.raises(ConfigError, match=r"cannot write .*: Permission denied") as caught:
        write_private(path, b"new")

    path.parent.chmod(0o700)
    assert "GLM_HOME" in str(caught.value.hint)
    assert path.read_text() == WHOLE


def test_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    """GLM_HOME that names a file."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="cannot create"):
        write_private(tmp_path / "file" / "config.toml", b"new")


# -- two at once -----------------------------------------------------------------


def test_held_lock_is_named_after_a_while(path: Path) -> None:
    """A second glm waits, then says what it waited for."""
    with locked(path), pytest.raises(ConfigError) as caught, edit_config(path, timeout_seconds=0.05):
        pass

    assert f"{path}.lock" in caught.value.message
    assert f"{path}.lock" in str(caught.value.hint)


def test_lock_of_a_killed_process_is_free(path: Path) -> None:
    """A crash does not lock anybody out."""
    code = """
import os, sys
from pathlib import Path
from glmcli.config.files import locked
with locked(Path(sys.argv[1])):
    os._exit(9)
"""
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)

    with edit_config(path, timeout_seconds=0.05) as document:
        document["default_profile"] = "x"

    assert load_config(path).default_profile == "x"


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_fifty_writers_lose_nothing(path: Path) -> None:
    """Every one of fifty processes that edit at once finds its change in the file, and the comments stand."""
    path.write_text(WHOLE)
    code = """
import os, sys
from pathlib import Path
import tomlkit
from glmcli.config.store import edit_config
path = Path(sys.argv[1])
children = []
for number in range(50):
    child = os.fork()
    if child == 0:
        with edit_config(path, timeout_seconds=60) as document:
            document["aliases"][f"alias{number}"] = f"model{number}"
        os._exit(0)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
print(sum(codes))
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)

    assert done.stdout == "0\n"
    assert load_config(path).aliases == {"fast": "glm-5-flash"} | {f"alias{n}": f"model{n}" for n in range(50)}
    assert "# mine" in path.read_text()
    assert not list(path.parent.glob("*.tmp"))


# -- .glm.toml -------------------------------------------------------------------


def test_directory_file_is_found_upwards(tmp_path: Path) -> None:
    """The nearest one counts, from any folder below it."""
    inner = tmp_path / "repo" / "src" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / ".glm.toml").write_text('profile = "far"\n')
    (tmp_path / "repo" / ".glm.toml").write_text('profile = "near"\n[chat]\ntemperature = 0.2\n')

    found = find_directory_file(inner)

    assert found is not None
    assert (found.path, found.profile, found.chat) == (tmp_path / "repo" / ".glm.toml", "near", {"temperature": 0.2})


def test_directory_file_gives_no_key_and_no_address(tmp_path: Path) -> None:
    """A cloned repository cannot redirect a key; what it tried is named."""
    (tmp_path / ".glm.toml").write_text(
        'base_url = "https://evil.example"\nkey = "env:ZAI_API_KEY"\nprovider = "custom"\n'
        '[chat]\nsystem = "hi"\nbase_url = "https://evil.example"\n[profiles.work]\nprovider = "custom"\n'
    )

    found = find_directory_file(tmp_path)

    assert found is not None
    assert found.ignored == ("base_url", "key", "provider", "profiles", "chat.base_url")
    assert (found.profile, found.chat) == (None, {"system": "hi"})


def test_broken_directory_file_is_told(tmp_path: Path) -> None:
    """As precisely as config.toml."""
    (tmp_path / ".glm.toml").write_text("[chat]\ntemperature = 'x'\n")

    with pytest.raises(ConfigError, match=r"\.glm\.toml, line 2: chat\.temperature must be a number"):
        find_directory_file(tmp_path)


# -- env files -------------------------------------------------------------------


def test_env_file_completes_the_environment(tmp_path: Path) -> None:
    """Its name is remembered as the source."""
    file = tmp_path / "ci.env"
    file.write_text("ZAI_API_KEY=abc\n")

    environ = environment_with_file({"HOME": "/h"}, file)

    assert environ == {"HOME": "/h", "ZAI_API_KEY": "abc"}
    assert environ.file == str(file)


def test_missing_env_file_is_told(tmp_path: Path) -> None:
    """It was asked for, so it must be there."""
    with pytest.raises(ConfigError, match="there is no env file"):
        environment_with_file({}, tmp_path / "none.env")

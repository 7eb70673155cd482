"""`glm config`: where files stand, and single values of `config.toml`."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.harness import TEST_KEY, Glm

TEXT = """\
version = 1
default_profile = "work"

# the office
[profiles.work]
provider = "zai"
since = 2026-01-01

[profiles."my router"]
provider = "custom"
base_url = "https://llm.example/v1"

[profiles."my router".chat]
stop = ["a", "b"]

[settings]
no_log = true
"""


@pytest.fixture
def file(home: Path) -> Path:
    """A `config.toml` with comments, a date and a quoted name."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(TEXT)
    (home / "config.toml").chmod(0o600)
    return home / "config.toml"


# -- path ------------------------------------------------------------------------


def test_path_names_every_place(glm: Glm, home: Path) -> None:
    """All of them, or the one that is asked for, bare; nothing is created."""
    lines = dict(line.split() for line in glm("config", "path").stdout.splitlines())

    assert lines["config"] == str(home / "config.toml")
    assert glm("config", "path", "--json").json == lines
    assert glm("config", "path", "history").stdout == f"{home / 'history.db'}\n"
    assert glm("config", "path", "config", "--json").json == lines["config"]
    assert glm("config", "path", "moon").exit_code == 2
    assert not home.exists()


def test_path_works_with_a_broken_file(glm: Glm, file: Path) -> None:
    """It is how one finds the file to mend."""
    file.write_text("[")

    assert glm("config", "path", "config").stdout == f"{file}\n"


# -- get -------------------------------------------------------------------------

VALUES = {
    "text": ("default_profile", "work\n", "work"),
    "number": ("version", "1\n", 1),
    "switch": ("settings.no_log", "true\n", True),
    "quoted name": ('profiles."my router".provider', "custom\n", "custom"),
    "list": ('profiles."my router".chat.stop', '["a", "b"]\n', ["a", "b"]),
    "unknown key": ("profiles.work.since", "2026-01-01\n", "2026-01-01"),
    "table": (
        "profiles.work",
        'provider = "zai"\nsince = 2026-01-01\n',
        {"provider": "zai", "since": "2026-01-01"},
    ),
}


@pytest.mark.parametrize(("key", "text", "value"), VALUES.values(), ids=VALUES.keys())
def test_get(glm: Glm, file: Path, key: str, text: str, value: object) -> None:
    """Bare for shells, or as JSON."""
    assert glm("config", "get", key).stdout == text
    assert glm("config", "get", key, "--json").json == value


def test_get_of_everything_is_the_file(glm: Glm, file: Path) -> None:
    """With its comments."""
    assert glm("config", "get").stdout == TEXT
    assert glm("config", "get", "--json").json["settings"] == {"no_log": True}


@pytest.mark.parametrize(
    ("key", "code"), [("default_model", 3), ("profiles.nobody.model", 3), ("version.major", 3), ("a..b", 2), ("", 2)]
)
def test_get_of_what_is_not_set(glm: Glm, file: Path, key: str, code: int) -> None:
    """A failure, so that scripts notice."""
    result = glm("config", "get", key)

    assert (result.exit_code, result.stdout) == (code, "")


def test_get_without_a_file(glm: Glm) -> None:
    """Nothing is configured, and that is no failure."""
    result = glm("config", "get")

    assert (result.exit_code, result.stdout) == (0, "")


# -- set -------------------------------------------------------------------------

CHANGES = {
    "text": ("default_profile", "my router", 'default_profile = "work"', 'default_profile = "my router"'),
    "switch": ("settings.no_log", "false", "no_log = true", "no_log = false"),
    "number": ("settings.timeout", "30", "no_log = true\n", "no_log = true\ntimeout = 30\n"),
    "text that looks like a number": (
        "profiles.work.model", "5", "since = 2026-01-01\n", 'since = 2026-01-01\nmodel = "5"\n',
    ),
    "list": (
        'profiles."my router".chat.stop', '["END"]', 'stop = ["a", "b"]', 'stop = ["END"]',
    ),
    "one stop word": ('profiles."my router".chat.stop', "END", 'stop = ["a", "b"]', 'stop = "END"'),
    "unknown key": ("profiles.work.since", "7", "since = 2026-01-01", "since = 7"),
}  # fmt: skip


@pytest.mark.parametrize(("key", "value", "before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_set_changes_one_line(glm: Glm, file: Path, key: str, value: str, before: str, after: str) -> None:
    """With the type of its key; everything else stays as it is."""
    result = glm("config", "set", key, value)

    assert result.exit_code == 0, result.stderr
    assert file.read_text().replace("\n\n[", "\n[") == TEXT.replace(before, after).replace("\n\n[", "\n[")


def test_set_makes_file_and_tables(glm: Glm, home: Path) -> None:
    """The first value of all."""
    assert glm("config", "set", "aliases.fast", "glm-5-flash").exit_code == 0

    assert (home / "config.toml").read_text() == 'version = 1\n[aliases]\nfast = "glm-5-flash"\n'
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600 or os.name == "nt"


def test_unset_removes_a_value_and_its_empty_table(glm: Glm, file: Path) -> None:
    """And again: nothing to change."""
    assert glm("config", "set", "settings.no_log", "--unset", "--json").json == {
        "changes": ["settings.no_log: true removed"]
    }
    assert "settings" not in file.read_text()
    assert glm("config", "set", "settings.no_log", "--unset", "--json").json == {"changes": []}
    assert "settings" not in file.read_text()


REFUSED = {
    "type": (["settings.timeout", "soon"], 3, "must be a number, not 'soon'"),
    "range": (["settings.timeout", "0"], 3, "settings.timeout is 0: it must be a number of seconds above 0"),
    "retries": (["--", "settings.max_retries", "-1"], 3, "0 or more"),
    "switch": (["settings.no_log", "1"], 3, "true or false"),
    "profile": (["default_profile", "wrok"], 3, "did you mean work?"),
    "provider": (["profiles.work.provider", "openai"], 3, "unknown provider 'openai'"),
    "incomplete profile": (["profiles.new.model", "x"], 3, "profiles.new has no provider"),
    "circle": (["aliases.a", "a"], 3, "a -> a"),
    "table": (["profiles.work", "x"], 3, "is a table"),
    "below a value": (["default_profile.x", "x"], 3, "default_profile is not a table"),
    "key": (["profiles.work.key", TEST_KEY], 3, "not a reference to a key"),
    "no value": (["default_profile"], 2, "give a value, or --unset"),
    "value and --unset": (["default_profile", "x", "--unset"], 2, "give a value, or --unset"),
    "version": (["version", "2"], 3, "newer glm"),
}


@pytest.mark.parametrize(("arguments", "code", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_set_refuses(glm: Glm, file: Path, arguments: list[str], code: int, reason: str) -> None:
    """Before anything is written."""
    result = glm("config", "set", *arguments)

    assert (result.exit_code, reason in result.stderr) == (code, True), result.stderr
    assert file.read_text() == TEXT


# -- edit ------------------------------------------------------------------------


def editor(tmp_path: Path, code: str) -> dict[str, str]:
    """An EDITOR that runs Python code with the file as `path`."""
    script = tmp_path / "editor with space.py"
    script.write_text(f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n{code}\n")
    return {"EDITOR": f'"{sys.executable}" "{script}"'}


def test_edit_replaces_the_file_by_what_was_written(glm: Glm, file: Path, tmp_path: Path) -> None:
    """The editor sees a private copy of the text."""
    code = """
import os
assert path.stat().st_mode & 0o077 == 0 or os.name == "nt"
path.write_text(path.read_text().replace('"zai"', '"zai-coding"'))
"""
    result = glm("config", "edit", env=editor(tmp_path, code))

    assert (result.exit_code, result.stderr) == (0, f"glm: {file} changed\n")
    assert file.read_text() == TEXT.replace('"zai"', '"zai-coding"')
    assert sorted(entry.name for entry in file.parent.iterdir()) == ["config.toml", "config.toml.lock"]


def test_visual_wins_over_editor(glm: Glm, file: Path, tmp_path: Path) -> None:
    """As everywhere."""
    visual = editor(tmp_path, "path.write_text(path.read_text() + '# seen\\n')")["EDITOR"]

    assert glm("config", "edit", env={"VISUAL": visual, "EDITOR": "false"}).exit_code == 0
    assert file.read_text().endswith("# seen\n")


def test_edit_mends_a_broken_file(glm: Glm, file: Path, tmp_path: Path) -> None:
    """That is what an editor is for."""
    file.write_text("version = \n")

    result = glm("config", "edit", env=editor(tmp_path, "path.write_text('version = 1\\n')"))

    assert (result.exit_code, file.read_text()) == (0, "version = 1\n")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("path.write_text('version = ')", "line 1"),
        ("path.write_text('default_profile = 1')", "default_profile must be text"),
        ("path.write_text('default_profile = \"x\"')", "no profile is called 'x'"),
        ("path.write_text('[profiles.a]\\nprovider = \"openai\"\\n')", "unknown provider"),
    ],
    ids=["syntax", "type", "profile", "provider"],
)
def test_edit_with_a_mistake_keeps_both_texts(glm: Glm, file: Path, tmp_path: Path, code: str, reason: str) -> None:
    """The configuration stays as it was, and no typing is lost."""
    result = glm("config", "edit", env=editor(tmp_path, code))

    assert (result.exit_code, reason in result.stderr) == (3, True), result.stderr
    assert file.read_text() == TEXT
    (kept,) = file.parent.glob("config.edit-*.toml")
    assert str(kept) in result.stderr


def test_edit_may_be_repeated_at_a_terminal(glm: Glm, file: Path, tmp_path: Path) -> None:
    """A mistake is told, and the same text opened again."""
    code = """
text = path.read_text()
path.write_text(text.replace("oops", "# mended") if "oops" in text else text + "oops")
"""
    result = glm("config", "edit", input="y\n", tty=True, env=editor(tmp_path, code))

    assert (result.exit_code, file.read_text()) == (0, TEXT + "# mended")
    assert "Edit it again?" in result.stderr


def test_edit_does_not_overwrite_what_another_glm_wrote(glm: Glm, file: Path, tmp_path: Path) -> None:
    """Both texts are there, and that is told."""
    code = f"""
path.write_text(path.read_text() + "# mine\\n")
pathlib.Path({str(file)!r}).write_text("version = 1\\n")
"""
    result = glm("config", "edit", env=editor(tmp_path, code))

    assert (result.exit_code, "changed by another glm" in result.stderr) == (3, True)
    assert file.read_text() == "version = 1\n"
    assert next(file.parent.glob("config.edit-*.toml")).read_text().endswith("# mine\n")


def test_edit_without_a_change_changes_nothing(glm: Glm, file: Path) -> None:
    """`:q` in the editor."""
    result = glm("config", "edit", env={"EDITOR": "true"})

    assert (result.exit_code, result.stderr) == (0, "glm: nothing was changed\n")
    assert [entry.name for entry in file.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [("no-such-editor", "cannot run the editor"), ("false", "exit code 1"), ('"', "cannot run the editor")],
)
def test_edit_with_a_failing_editor(glm: Glm, file: Path, command: str, reason: str) -> None:
    """The configuration is as it was, and no copy is left."""
    result = glm("config", "edit", env={"EDITOR": command})

    assert (result.exit_code, reason in result.stderr) == (3, True)
    assert [entry.name for entry in file.parent.iterdir()] == ["config.toml"]


def test_edit_needs_a_person(glm: Glm, file: Path) -> None:
    """`--no-input` means that there is none."""
    assert glm("config", "edit", "--no-input", env={"EDITOR": "true"}).exit_code == 2

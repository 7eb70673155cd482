"""Changing other people's files, and taking the change back."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from glmcli.errors import ConfigError
from glmcli.integrations.changes import (
    Edit,
    FileChange,
    FileEdits,
    FileRecord,
    Format,
    make_record,
    plan_change,
    plan_removal,
)
from glmcli.integrations.files import back_up, read_settings, write_settings
from glmcli.integrations.jsonfile import Match
from glmcli.integrations.record import Records
from glmcli.integrations.redact import redacted_diff

KEY = "0123456789abcdef0123456789abcdef.ABCDEFGHIJKLMNOP"


def carry_out(wanted: FileEdits, earlier: FileRecord | None = None) -> FileRecord:
    change = plan_change(wanted)
    assert change.after is not None
    backup = back_up(change.path, change.before, stamp="20261121-120000") if change.before is not None else None
    record = make_record(wanted, change, backup=backup, earlier=earlier)
    write_settings(change.path, change.after)
    return record


def take_back(record: FileRecord) -> FileChange:
    change = plan_removal(record).change
    if change.after is not None:
        write_settings(change.path, change.after)
    elif change.before is not None:
        change.path.unlink()
    return change


def settings(path: Path, *edits: Edit) -> FileEdits:
    return FileEdits(path, Format.JSON, edits)


def test_an_untouched_file_gets_its_backup_back(tmp_path: Path) -> None:
    """Byte for byte, comments and odd layout included."""
    path = tmp_path / "settings.json"
    before = '{ "env" : {"OLD":"1"} ,\r\n // x\r\n}'
    path.write_bytes(before.encode())

    take_back(carry_out(settings(path, Edit(("env", "KEY"), KEY), Edit(("env", "OLD"), drop=True))))

    assert path.read_bytes() == before.encode()


def test_a_new_file_disappears_again(tmp_path: Path) -> None:
    """What did not exist before does not exist after."""
    path = tmp_path / "deep" / "settings.json"

    record = carry_out(settings(path, Edit(("a", "b"), 1)))

    assert json.loads(path.read_text()) == {"a": {"b": 1}}
    take_back(record)
    assert not path.exists()


def test_a_file_changed_since_loses_only_our_values(tmp_path: Path) -> None:
    """The user's later change stays; our values go back to what they were."""
    path = tmp_path / "settings.json"
    path.write_text('{\n  "model": "opus"\n}\n')
    record = carry_out(
        settings(
            path, Edit(("model",), "glm"), Edit(("env", "KEY"), KEY), Edit(("list", Match("id", "x")), {"id": "x"})
        )
    )
    path.write_text(path.read_text().replace("{\n", '{\n  "theme": "dark",\n', 1))

    take_back(record)

    assert path.read_text() == '{\n  "theme": "dark",\n  "model": "opus"\n}\n'


def test_a_value_that_the_user_changed_is_left(tmp_path: Path) -> None:
    """Removal names what it kept."""
    path = tmp_path / "settings.json"
    record = carry_out(settings(path, Edit(("model",), "glm"), Edit(("env", "KEY"), KEY)))
    path.write_text(path.read_text().replace('"glm"', '"mine"'))

    removal = plan_removal(record)

    assert removal.kept == ("model",)
    assert json.loads(removal.change.after or "") == {"model": "mine"}


def test_a_dropped_value_comes_back_into_a_changed_file(tmp_path: Path) -> None:
    """What we took away is restored from the backup, unless the user has set it anew."""
    path = tmp_path / "settings.json"
    path.write_text('{"env": {"ANTHROPIC_API_KEY": "sk-ant"}}')
    record = carry_out(settings(path, Edit(("env", "ANTHROPIC_API_KEY"), drop=True), Edit(("x",), 1)))
    path.write_text('{"env": {}, "x": 1, "y": 2}')

    take_back(record)

    assert json.loads(path.read_text()) == {"env": {"ANTHROPIC_API_KEY": "sk-ant"}, "y": 2}


def test_a_second_change_still_goes_back_to_the_first_backup(tmp_path: Path) -> None:
    """Connecting twice does not make our own values the original."""
    path = tmp_path / "settings.json"
    path.write_text('{"model": "opus"}')
    first = carry_out(settings(path, Edit(("model",), "glm")))

    second = carry_out(settings(path, Edit(("model",), "glm-2"), Edit(("n",), 1)), earlier=first)

    take_back(second)
    assert path.read_text() == '{"model": "opus"}'


def test_a_change_between_two_connections_survives_the_removal(tmp_path: Path) -> None:
    """The first backup would undo the user's own work, so values are taken out one by one."""
    path = tmp_path / "settings.json"
    path.write_text('{"model": "opus"}')
    first = carry_out(settings(path, Edit(("model",), "glm")))
    path.write_text('{"model": "glm", "mine": true}')
    second = carry_out(settings(path, Edit(("model",), "glm-2")), earlier=first)

    take_back(second)

    assert json.loads(path.read_text()) == {"model": "opus", "mine": True}


def test_toml_comments_survive_setting_and_removing(tmp_path: Path) -> None:
    """A TOML file is edited in place too."""
    path = tmp_path / "config.toml"
    before = '# mine\nmodel = "gpt" # why\n\n[features]\nweb = true\n'
    path.write_text(before)
    edits = (Edit(("model",), "glm"), Edit(("model_providers", "ZAI", "name"), "ZAI"))

    record = carry_out(FileEdits(path, Format.TOML, edits))

    assert path.read_text() == (
        '# mine\nmodel = "glm" # why\n\n[features]\nweb = true\n\n[model_providers.ZAI]\nname = "ZAI"\n'
    )
    path.write_text(path.read_text() + "# later\n")
    take_back(record)
    assert path.read_text() == before + "# later\n"


def test_toml_keeps_its_line_endings(tmp_path: Path) -> None:
    """A file of Windows gets lines of Windows."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"a = 1\r\n")

    carry_out(FileEdits(path, Format.TOML, (Edit(("t", "b"), 2),)))

    assert path.read_bytes() == b"a = 1\r\n\r\n[t]\r\nb = 2\r\n"


def test_files_are_private_and_links_are_followed(tmp_path: Path) -> None:
    """Mode 0600, new directories 0700, and a linked file stays a link."""
    (tmp_path / "dotfiles").mkdir()
    real, link = tmp_path / "dotfiles" / "settings.json", tmp_path / "settings.json"
    real.write_text("{}")
    real.chmod(0o644)
    link.symlink_to(real)

    carry_out(settings(link, Edit(("a",), 1)))
    carry_out(settings(tmp_path / "new" / "s.json", Edit(("a",), 1)))

    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert [path.name for path in real.parent.iterdir() if "backup" in path.name] == [
        "settings.json.glm-backup-20261121-120000"
    ]


def test_two_backups_of_one_second_do_not_meet(tmp_path: Path) -> None:
    """An older backup is never overwritten."""
    path = tmp_path / "s.json"

    first, second = back_up(path, "1", stamp="now"), back_up(path, "2", stamp="now")

    assert (first.read_text(), second.read_text()) == ("1", "2")


@pytest.mark.parametrize(
    ("name", "format", "text", "place"),
    [
        ("s.json", Format.JSON, '{"a": }', "line 1, column 7"),
        ("c.toml", Format.TOML, 'a = "x"\nb = \n', "line 2, column 4"),
    ],
    ids=["json", "toml"],
)
def test_a_broken_file_is_named_and_untouched(tmp_path: Path, name: str, format: Format, text: str, place: str) -> None:
    """The error says where; the file stays."""
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(ConfigError, match=place):
        plan_change(FileEdits(path, format, (Edit(("a",), 1),)))
    assert path.read_text() == text


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """No guessing of encodings."""
    path = tmp_path / "s.json"
    path.write_bytes(b'{"a": "\xff"}')

    with pytest.raises(ConfigError, match="not UTF-8"):
        plan_change(settings(path, Edit(("a",), 1)))


def test_the_record_survives_the_disk_and_holds_no_key(tmp_path: Path) -> None:
    """What is loaded equals what was saved, without any value of ours."""
    path = tmp_path / "settings.json"
    path.write_text('{"old": "sk-old"}')
    record = carry_out(settings(path, Edit(("env", "KEY"), KEY), Edit(("m", Match("id", "x")), {"id": "x", "k": KEY})))
    records = Records(tmp_path / "data" / "connect.json")

    records.save("claude-code", [record])

    assert records.load("claude-code") == (record,)
    assert records.load("codex") == ()
    assert records.tools() == {"claude-code"}
    text = read_settings(tmp_path / "data" / "connect.json") or ""
    assert KEY not in text
    assert "sk-old" not in text
    records.save("claude-code", [])
    assert records.load("claude-code") == ()


def test_a_broken_record_is_told(tmp_path: Path) -> None:
    """A record that somebody edited does not lead to a guess."""
    path = tmp_path / "connect.json"
    path.write_text('{"tools": {"codex": [{"path": "/x"}]}}')

    with pytest.raises(ConfigError, match="cannot be read"):
        Records(path).load("codex")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f'"ANTHROPIC_AUTH_TOKEN": "{KEY}"', '"ANTHROPIC_AUTH_TOKEN": "<your key>"'),
        ('"ANTHROPIC_AUTH_TOKEN": "sk-ant-123"', '"ANTHROPIC_AUTH_TOKEN": "<secret>"'),
        ('"Authorization": "Bearer abc"', '"Authorization": "<secret>"'),
        ('"password": "a\\"b"', '"password": "<secret>"'),
        ('"apiKey": "{env:ZAI_API_KEY}"', '"apiKey": "{env:ZAI_API_KEY}"'),
        ('"apiKey": "${ZAI_API_KEY}"', '"apiKey": "${ZAI_API_KEY}"'),
        ('"key": "!glm env --key-only"', '"key": "!glm env --key-only"'),
        ('"apiKeyHelper": "glm env --key-only"', '"apiKeyHelper": "glm env --key-only"'),
        ('"note": "fedcba9876543210fedcba9876543210.QRSTUVWXYZ123456"', '"note": "<secret>"'),
        ('"apiKey": "AKIAIOSFODNN7EXAMPLE"', '"apiKey": "<secret>"'),
        ('"args": ["--api-key=abc", "x"]', '"args": ["--api-key=<secret>", "x"]'),
        ('"proxy": "http://me:pw@proxy:80"', '"proxy": "http://<secret>@proxy:80"'),
        ('"ANTHROPIC_CUSTOM_HEADERS": "x-api-key: abc"', '"ANTHROPIC_CUSTOM_HEADERS": "<secret>"'),
        ('"model": "glm-5.3"', '"model": "glm-5.3"'),
    ],
)
def test_no_key_is_seen_in_a_diff(line: str, shown: str) -> None:
    """Keys, ours and others', are masked; references are shown."""
    change = FileChange(Path("/home/a/s.json"), "{\n}\n", f"{{\n{line}\n}}\n")

    assert redacted_diff(change, key=KEY).splitlines() == [
        "--- /home/a/s.json",
        "+++ /home/a/s.json",
        "@@ -1,2 +1,3 @@",
        " {",
        f"+{shown}",
        " }",
    ]


def test_a_toml_key_is_masked_but_a_variable_is_not() -> None:
    """TOML's form of a member is known too."""
    text = 'experimental_bearer_token = "abc"\nenv_key = "ZAI_API_KEY"\n'

    diff = redacted_diff(FileChange(Path("/c.toml"), None, text), key=None)

    assert '+experimental_bearer_token = "<secret>"\n+env_key = "ZAI_API_KEY"' in diff
    assert diff.startswith("--- /dev/null\n")

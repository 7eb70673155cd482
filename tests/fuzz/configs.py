"""`config.toml` and `.glm.toml`: reading them, and changing one value."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from glmcli.config.editing import Place, change_values
from glmcli.config.model import Config
from glmcli.config.schema import value_from_text
from glmcli.config.store import load_config, parse_directory_file, read_text
from glmcli.errors import ConfigError
from tests.fuzz.material import Material, scratch

_CHAT = ("profiles", "work", "chat")
_CHANGES: tuple[tuple[Place, str | None], ...] = (
    (("default_profile",), "work"),
    (("default_profile",), None),
    (("profiles", "work", "model"), "glm-5.3"),
    (("profiles", "work", "model"), None),
    (("profiles", "new", "provider"), "zai"),
    (("profiles", "a.b", "provider"), "zhipu"),
    (("profiles", "work"), None),
    ((*_CHAT, "temperature"), "0.5"),
    ((*_CHAT, "system"), 'two\nlines "quoted" \x1b'),
    ((*_CHAT, "temperature"), None),
    (("aliases", "fast"), "glm-4.7-flash"),
    (("aliases", "fast"), None),
    (("settings", "timeout"), "30"),
    (("settings", "no_log"), "true"),
    (("settings", "unknown key"), "[1, 2]"),
    (("future", "deep", "key"), "x"),
)
_SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("version = 1", "default_profile = 'work'", "'new key' = [1, {a = 2}]", "when = 2026-11-21T05:00:00Z")),
    ("profiles.work", ("provider = 'zai'", "model = 'glm-5'", "key = 'env:X'", "new = [\n  1, # one\n  2\n]")),
    ("profiles.work.chat", ("temperature = 0.2", "system = '''a\n# no comment\n'''", "top_p = 1", "later.deep = nan")),
    ('profiles."a.b"', ("provider = 'custom'", "base_url = 'https://x.example'", "chat.top_p = 0.5", "x = {y = inf}")),
    ("aliases", ("fast = 'glm-5-air'", "'with space' = 'fast'", "f = 'glm-5'", '"\\u0061" = "b"')),
    ("settings", ("timeout = 10", "max_retries = 2", "no_log = false", "'unknown key' = 0x1F")),
    ("future", ("new = 1_000", "deep = {other = 1}", "list = []", "when = 05:00:00")),
    ("[future.tables]", ("a = 1", "b = 'x'", "c.d = 2", "[future.tables.sub]")),
)
SEEDS = (
    b"\x00version = 1\n[profiles.work]\nprovider = 'zai'\n",
    b"\x02\xef\xbb\xbfdefault_profile = 'work' # mine\r\n[profiles.work]\r\nprovider = 'zai'\r\nmodel = 'glm-5'\r\n",
    b"\x10profiles.work.provider = 'zai'\nprofiles.work.chat.temperature = 1\n[future]\nx = [1, {a = 2}]\n",
    b"\x14aliases = {fast = 'x'}\nversion = 99\n",
    b"\x00" + b"[" * 40 + b"\nx = " + b"[" * 40,
    b"\x06[profiles.work]\nprovider = 1\n",
    *(bytes([2 * n + 1, n, 0x0F, 0x05, 0x1F, 0x0A, 0x13, 0x21, 0x30, 0x42, 0x17, 0x88]) for n in range(16)),
    *(bytes([2 * n + 1, n, 0x4F, 0x0F, 0x2F, 0x3F, 0xCF, 0x8F, 0x1F, 0x0F, 0xFF]) for n in range(16)),
)
WORDS = (
    *(f"{line}\n".encode() for _, lines in _SECTIONS for line in lines),
    *(f"[{name}]\n".encode() for name, _ in _SECTIONS),
    *(
        b"[",
        b"]",
        b"=",
        b'"',
        b"'",
        b'"""',
        b"#",
        b"{",
        b"}",
        b",",
        b".",
        b"x = " + b"[" * 1500,
        b"x = " + b"9" * 4400,
        b"x = " + b"[" * 120 + b"]" * 120 + b"\n",
        b"\\u0000",
        b"\r\n",
        b"\xe2\x80\xa8",
        b"\x00",
    ),
)
PATH = "config.toml"


def fuzz_config(data: bytes) -> None:
    """Read, or refused with its path; changed as asked and nothing else, comments kept; or refused and untouched."""
    material = Material(data)
    choice = material.byte()
    place, text = _CHANGES[choice // 2 % len(_CHANGES)]
    content = _made(material) if choice & 1 else material.rest()
    path = scratch() / PATH
    path.write_bytes(content)
    path.chmod(0o600)

    before = _loaded(path)
    _read_as_directory_file(path)
    notices: list[str] = []
    try:
        change_values(path, {place: None if text is None else value_from_text(text, place)}, notice=notices.append)
    except ConfigError as error:
        _check_refusal(error, path)
        assert path.read_bytes() == content
        return
    assert before is not None
    assert _loaded(path) is not None
    _check_change(content, path.read_bytes(), place, text)
    if not notices and text is not None:
        assert _comments(path.read_text("utf-8")) == _comments(content.decode("utf-8-sig"))


def _made(material: Material) -> bytes:
    """A file that is TOML most of the time: sections in some order, as tables or with dotted keys, with comments."""
    start = material.byte()
    dotted, tables = list[str](), list[str]()
    for number in range(len(_SECTIONS)):
        name, lines = _SECTIONS[(start + number) % len(_SECTIONS)]
        choice = material.byte()
        chosen = [line for index, line in enumerate(lines) if choice >> index & 1]
        if choice & 0x10:
            chosen = [f"{line} #{name}{index}#" for index, line in enumerate(chosen)]
        if name and (name.startswith("[") or not choice & 0x20):
            tables += [f"#{name}#", f"[{name}]", *chosen, ""] if chosen or choice & 0x40 else []
        else:
            dotted += [f"{name}.{line}" if name else line for line in chosen]
    ending = "\r\n" if start & 0x80 else "\n"
    return ending.join([*dotted, *tables, *(["# the end"] if start & 0x40 else [])]).encode()


def _loaded(path: Path) -> Config | None:
    try:
        return load_config(path)
    except ConfigError as error:
        _check_refusal(error, path)
        assert str(path) in error.message
        return None


def _check_refusal(error: ConfigError, path: Path) -> None:
    assert error.message
    assert error.hint
    error.message.encode()


def _read_as_directory_file(path: Path) -> None:
    """A file of a cloned repository may say a profile and chat defaults, and nothing else."""
    try:
        text = read_text(path)
        found = parse_directory_file(text or "", path)
    except ConfigError as error:
        assert str(path) in error.message
        return
    document = tomllib.loads(text or "")
    chat = document.get("chat", {})
    assert found.profile == document.get("profile")
    assert repr({**found.chat}) == repr(
        {key: value for key, value in chat.items() if f"chat.{key}" not in found.ignored}
    )
    assert not {"base_url", "key", "provider"} & set(found.chat)
    assert {*document} - {"profile", "chat"} <= set(found.ignored)


def _check_change(before: bytes, after: bytes, place: Place, text: str | None) -> None:
    """Exactly one value differs; an empty table may have gone with its last one."""
    old, new = (dict(_leaves(tomllib.loads(data.decode("utf-8-sig")))) for data in (before, after))
    for leaves in (old, new):
        for key in [key for key in leaves if key[: len(place)] == place]:
            value = leaves.pop(key)
            assert leaves is old or value == repr(value_from_text(text or "", place)), value
    assert old == new
    assert text is None or place in dict(_leaves(tomllib.loads(after.decode())))


def _leaves(value: Mapping[str, object], where: Place = ()) -> Iterator[tuple[Place, str]]:
    """The values that are no tables, with their places. By `repr`: NaN differs from itself."""
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, (*where, key))
        else:
            yield (*where, key), repr(item)


def _comments(text: str) -> list[str]:
    """The marks that `_made` left."""
    return sorted(re.findall(r"#[^#\s]+#|# the end|# one", text))

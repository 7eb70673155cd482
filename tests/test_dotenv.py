"""Dotenv files: what is read, and what is refused with its line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.config.dotenv import parse_dotenv
from glmcli.config.model import FileEnvironment
from glmcli.errors import ConfigError

READ = {
    "plain": ("A=1\nB=two\n", {"A": "1", "B": "two"}),
    "no last newline": ("A=1", {"A": "1"}),
    "export": ("export A=1\nexport\tB=2\n", {"A": "1", "B": "2"}),
    "a name that begins with export": ("exported=1", {"exported": "1"}),
    "blank lines and comments": ("\n# A=0\n  # more\n\nA=1\n", {"A": "1"}),
    "spaces around": ("  A = 1  \n\tB\t=\t2", {"A": "1", "B": "2"}),
    "comment behind a value": ("A=1 # one\nB=#none\nC=a#b\nD= # none", {"A": "1", "B": "", "C": "a#b", "D": ""}),
    "equals signs in a value": ("A=b=c==", {"A": "b=c=="}),
    "empty": ("A=\nB=''\nC=\"\"\n", {"A": "", "B": "", "C": ""}),
    "double quotes": (r'A="a \"b\" \\ \n\t\$ \x # not a comment"', {"A": 'a "b" \\ \n\t$ \\x # not a comment'}),
    "single quotes": (r"""A='a "b" \n $C # no'""", {"A": r'a "b" \n $C # no'}),
    "backticks": ('A=`it\'s "so"`', {"A": 'it\'s "so"'}),
    "a comment behind quotes": ("A='1' # one\nB=2", {"A": "1", "B": "2"}),
    "several lines": ('A="one\ntwo"\nB=3', {"A": "one\ntwo", "B": "3"}),
    "no interpolation": ('A=$HOME\nB="${HOME}"', {"A": "$HOME", "B": "${HOME}"}),
    "the last one wins": ("A=1\nA=2", {"A": "2"}),
    "CRLF": ("A=1\r\nB='2'\r\n", {"A": "1", "B": "2"}),
    "byte order mark": ("\ufeffA=1", {"A": "1"}),
    "other scripts": ("A=密钥", {"A": "密钥"}),
    "nothing": ("", {}),
    "spaces at the end": ("A=1\n   ", {"A": "1"}),
}


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ.keys())
def test_reads(text: str, expected: dict[str, str]) -> None:
    """The forms that dotenv files have in the wild are understood."""
    assert parse_dotenv(text, ".env") == expected


REFUSED = {
    "no equals sign": ("A=1\nNAME\n", "line 2: expected NAME=value"),
    "a name with a dash": ("MY-KEY=1", "line 1: expected NAME=value"),
    "a name that begins with a digit": ("\n\n1A=1", "line 3: expected NAME=value"),
    "open quote": ("A=1\nB='x\n\n", "line 2: the quote ' is never closed"),
    "text behind quotes": ("A='1'2", "line 1: unexpected text after the closing quote"),
    "NUL": ("A=a\0b", "line 1: the value of A holds a NUL character"),
    "shell code": ("if true; then\n", "line 1: expected NAME=value"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_with_file_and_line(text: str, reason: str) -> None:
    """What cannot be read is told with its place."""
    with pytest.raises(ConfigError) as caught:
        parse_dotenv(text, "conf/.env")

    assert caught.value.message == f"conf/.env, {reason}"


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the parser fail in a way that is not told, and none hangs it."""
    with suppress(ConfigError):
        variables = parse_dotenv(text, ".env")
        assert all(name.isascii() and "\0" not in value for name, value in variables.items())


_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
_values = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]))


@given(st.dictionaries(_names, _values))
def test_quoted_values_come_back(variables: dict[str, str]) -> None:
    """What is written in double quotes with escapes is read as it was."""
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in variables.items()}
    text = "".join(f'{name}="{value}" # note\n' for name, value in escaped.items())

    assert parse_dotenv(text, ".env") == variables


def test_what_is_really_set_wins_over_the_file() -> None:
    """The file completes the environment; an empty variable counts as unset."""
    environ = FileEnvironment({"A": "set", "B": ""}, {"A": "file", "B": "file", "C": "file"}, ".env")

    assert environ == {"A": "set", "B": "file", "C": "file"}
    assert set(environ.from_file) == {"B", "C"}

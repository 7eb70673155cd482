"""Dotenv files."""

from __future__ import annotations

import re

from glmcli.config.dotenv import parse_dotenv
from glmcli.errors import ConfigError

SEEDS = (
    b"A=1\nB=two\n",
    b"export A=1\nexport\tB=2\n",
    b"\xef\xbb\xbf# A=0\r\n  # more\r\n\r\nA = 1 # one\r\n",
    rb'A="a \"b\" \\ \n\t\$ \x # not a comment"',
    b"A='one\ntwo'\nB=`it's \"so\"` # c\n\n",
    b"A=1\nNAME\n",
    b"A='1'2",
    b"A=a\0b",
    "A=密钥\nA=\n   ".encode(),
)
WORDS = (
    *(b"export ", b"A=", b"NAME=", b'"', b"'", b"`", b"\\", b"#", b" #", b"\n", b"\r\n", b"\r", b"\t", b"=", b"\0"),
    *(b"${HOME}", b"\\n", b'\\"', b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\xc2\xa0", b"\x0c"),
)
#: What a message may say: a place and one of four reasons, which name no value.
_DOCUMENTED = re.compile(
    r"\.env, line [1-9]\d*: (expected NAME=value|the value of [A-Za-z_]\w* holds a NUL character"
    r"|the quote ['\"`] is never closed|unexpected text after the closing quote)",
    re.ASCII,
)


def fuzz_dotenv(data: bytes) -> None:
    """Read or refused with a line that exists; what was read comes back when it is quoted."""
    text = data.decode("utf-8", "replace")
    try:
        variables = parse_dotenv(text, ".env")
    except ConfigError as error:
        assert _DOCUMENTED.fullmatch(error.message), error.message
        line = int(error.message.split("line ")[1].split(":")[0])
        assert line <= len(re.split(r"\r\n|\r|\n", text))
        return

    for name, value in variables.items():
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
        assert "\0" not in value
        assert name in text
    assert parse_dotenv("\n".join(f"export {name}={_quoted(value)} # x" for name, value in variables.items()), "") == (
        variables
    )
    assert parse_dotenv(text + "\n", "") == variables
    assert parse_dotenv(f"{text}\nLAST=1", "") == {**variables, "LAST": "1"}


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
    return f'"{escaped}"'

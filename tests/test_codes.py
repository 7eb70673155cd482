"""The table of codes against the vendor's page, written down here a second time."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from glmcli import codes
from glmcli.codes import CODES, GATEWAY_CODES, STATUSES, CodeEntry
from glmcli.errors import ExitCode
from glmcli.registry import COMMANDS

#: code, HTTP status ("-": the page names none), repeated?, exit code, old?
#: From docs.z.ai/api-reference/api-code (mid-2026, *old*: spring) and, for 1701-1703, docs.bigmodel.cn.
TABLE = """
434  434  no   1  old
435  435  no   1  old
500  500  yes  1
1000 401  no   4
1001 401  no   4
1002 401  no   4  old
1003 401  no   4
1004 401  no   4  old
1005 401  no   4
1100 -    once 1  old
1110 -    no   1  old
1111 -    no   1  old
1112 -    no   1  old
1113 429  no   5
1120 -    yes  1  old
1121 -    no   1  old
1200 500  yes  1
1210 400  no   1
1211 400  no   1
1212 400  no   1
1213 400  no   1
1214 400  no   1
1215 400  no   1
1220 403  no   1
1221 400  no   1
1222 400  no   1
1230 500  yes  1
1231 -    no   1  old
1234 500  yes  1
1261 400  no   1
1300 -    no   7  old
1301 400  no   7
1302 429  yes  6
1303 -    yes  6  old
1304 -    no   6  old
1305 429  yes  6
1308 429  no   6
1309 429  no   5
1310 429  no   6
1311 429  no   5
1312 -    yes  6  old
1313 429  no   5
1314 429  no   5
1315 429  no   5
1316 429  no   6
1317 429  no   6
1318 429  no   6
1319 429  no   6
1320 429  no   6
1321 429  no   6
1701 -    yes  6
1702 -    no   1
1703 -    no   1
"""
ROWS = [line.split() for line in TABLE.split("\n") if line]
EVERY_ENTRY = [*CODES.values(), *GATEWAY_CODES.values(), *STATUSES.values(), codes.UNKNOWN, codes.UNKNOWN_LIMIT]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_what_the_page_says(row: list[str]) -> None:
    """HTTP status, retry and exit code of every code."""
    code, http_status, retry, exit_code, *old = row
    entry = CODES[code]
    assert entry.http_status == (None if http_status == "-" else int(http_status))
    assert (entry.retryable, entry.retry_limit) == (retry != "no", 1 if retry == "once" else None)
    assert (entry.exit_code, entry.old) == (ExitCode(int(exit_code)), bool(old))


def test_the_table_has_the_codes_of_the_page_and_no_other() -> None:
    """Neither side has a code that the other lacks, and the order is kept."""
    assert list(CODES) == [row[0] for row in ROWS]


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (codes.AUTH, {"1000", "1001", "1002", "1003", "1004", "1005"}),
        (codes.BALANCE, {"1113"}),
        (codes.MODEL, {"1211", "1311"}),
        (codes.CONTENT, {"1300", "1301"}),
        (codes.RATE, {"1302", "1303", "1304", "1305", "1312", "1701"}),
        (codes.PLAN_WINDOW, {"1308", "1310", *map(str, range(1316, 1322))}),
        (codes.PLAN_ACCOUNT, {"1309", "1313", "1314"}),
    ],
)
def test_kinds_group_what_is_mended_alike(kind: str, members: set[str]) -> None:
    """A kind holds exactly these codes."""
    assert {entry.code for entry in CODES.values() if entry.kind == kind} == members


@pytest.mark.parametrize(
    ("word", "exit_code", "retryable"),
    [
        ("invalid_api_key", 4, False),
        ("authentication_error", 4, False),
        ("model_not_found", 1, False),
        ("rate_limit_exceeded", 6, True),
        ("rate_limit_error", 6, True),
        ("internal_server_error", 1, True),
        ("overloaded_error", 1, True),
        ("insufficient_quota", 5, False),
        ("billing_error", 5, False),
        ("context_length_exceeded", 1, False),
        ("content_filter", 7, False),
    ],
)
def test_words_of_gateways_map_to_the_same_classes(word: str, exit_code: int, retryable: bool) -> None:
    """A compatible gateway's word has our exit code and retry decision."""
    entry = codes.find(word)
    assert entry is not None
    assert (entry.exit_code, entry.retryable) == (exit_code, retryable)


@pytest.mark.parametrize(
    ("status", "exit_code", "retryable"),
    [
        *[(400, 1, False), (401, 4, False), (402, 5, False), (403, 1, False), (404, 1, False), (418, 1, False)],
        *[(429, 6, True), (500, 1, True), (502, 1, True), (503, 1, True), (599, 1, True), (302, 1, False)],
    ],
)
def test_a_status_without_a_code_has_a_row(status: int, exit_code: int, retryable: bool) -> None:
    """HTTP status alone decides when nothing else is known, also for statuses that nobody listed."""
    entry = codes.of_status(status)
    assert (entry.exit_code, entry.retryable) == (exit_code, retryable)


@pytest.mark.parametrize("entry", EVERY_ENTRY, ids=lambda entry: f"{entry.code or entry.kind}-{entry.http_status}")
def test_every_entry_is_told_in_both_languages(entry: CodeEntry) -> None:
    """Meaning and advice are there, lower case without a full stop, and really Chinese where they claim it."""
    for words in (entry.en, entry.zh):
        assert all(words)
        assert not any(text.endswith((".", "。")) for text in words)
    assert entry.en.meaning[0].islower()
    assert all(re.search(r"[\u4e00-\u9fff]", text) for text in entry.zh)
    assert not any(re.search(r"[\u4e00-\u9fff]", text) for text in entry.en)
    assert (entry.words("en"), entry.words("zh")) == (entry.en, entry.zh)


@pytest.mark.parametrize("entry", EVERY_ENTRY, ids=lambda entry: f"{entry.code or entry.kind}-{entry.http_status}")
def test_advice_names_commands_that_exist(entry: CodeEntry) -> None:
    """`glm WORD` in an advice is a command, the same one in both languages."""
    named = [re.findall(r"\bglm ([a-z]+)\b(?! wait)", words.advice) for words in (entry.en, entry.zh)]
    for word in named[0]:
        assert word in COMMANDS or word == "wait"
    assert [word for word in named[0] if word != "wait"] == named[1]


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [("1131", "1113"), ("1133", "1113"), ("13O2", "1302"), ("rate_limit_exceded", "rate_limit_exceeded")],
)
def test_a_mistyped_code_finds_its_neighbour(mistyped: str, meant: str) -> None:
    """The neighbour is among the few that are offered."""
    assert meant in codes.near(mistyped)


def test_importing_the_table_is_cheap() -> None:
    """The sandbox and every failing command import it: no module beyond `enum` and friends."""
    program = "import sys; import glmcli.codes; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"typer", "json", "dataclasses", "difflib", "httpx", "datetime"} & set(loaded)

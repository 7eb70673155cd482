"""`glm explain`: the table of codes, for people and for scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glmcli.codes import CODES
from tests.harness import Glm

ROOT = Path(__file__).resolve().parent.parent


def test_a_code_is_explained(glm: Glm) -> None:
    """Meaning, retry, exit code and advice on stdout."""
    result = glm("explain", "1308")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "1308  the usage limit of the plan is reached\n"
        "  HTTP        429\n"
        "  kind        plan_window\n"
        "  retry       not before the reset\n"
        "  exit code   6\n"
        "  what to do  see the windows with glm usage, or let glm wait for the reset: add --wait\n"
    )


def test_json_has_the_promised_keys(glm: Glm) -> None:
    """One object for one code."""
    told = glm("explain", "1113", "--json").json
    assert told.keys() >= {"code", "http_status", "meaning", "retryable", "exit_code", "advice"}
    assert (told["code"], told["http_status"], told["retryable"], told["exit_code"]) == ("1113", 429, False, 5)


def test_several_codes_are_a_list(glm: Glm) -> None:
    """In the order asked for, each once."""
    told = glm("--json", "explain", "1305", "1302", "1305").json
    assert [entry["code"] for entry in told] == ["1305", "1302"]


def test_several_codes_are_paragraphs(glm: Glm) -> None:
    """An empty line between them."""
    paragraphs = glm("explain", "1305", "1302").stdout.split("\n\n")
    assert [paragraph[:4] for paragraph in paragraphs] == ["1305", "1302"]


@pytest.mark.parametrize("code", CODES)
def test_every_code_can_be_asked_for(glm: Glm, code: str) -> None:
    """As text and as JSON."""
    assert glm("explain", code).stdout.startswith(f"{code}  ")
    assert glm("explain", code, "--json").json["exit_code"] == CODES[code].exit_code


def test_chinese_on_request(glm: Glm) -> None:
    """GLM_LANG changes the words, never the keys and numbers."""
    result = glm("explain", "1302", env={"GLM_LANG": "zh"})
    assert result.stdout.startswith("1302  并发请求过多，已达到速率限制\n  HTTP      429\n  类别      rate\n")
    english, chinese = (glm("explain", "1302", "--json", env={"GLM_LANG": name}).json for name in ("en", "zh"))
    assert english.keys() == chinese.keys()
    assert english["advice"] != chinese["advice"]


TEXTS = {
    "body": ('{"error":{"code":"1113","message":"Insufficient balance"}}', ["1113"]),
    "int": ('{"error": {"code": 1301}, "request_id": "2026112113021302"}', ["1301"]),
    "python": ("Error code: 429, with error text {'error': {'code': '1302', 'message': 'x'}}", ["1302"]),
    "brackets": ("[1302][Rate limit reached for requests][20261121130500abcd]", ["1302"]),
    "ours": ("glm: rate limit reached: too many requests at once (1302)", ["1302"]),
    "ours-chinese": ("glm: 模型不存在（1211）", ["1211"]),
    "curl": ('HTTP/1.1 429 Too Many Requests\r\n\r\n{"error":{"code":"1311","message":"x"}}', ["1311"]),
    "log": ('{"code":"1302"}\n{"code":"1113"}\n{"code":"1302"}', ["1302", "1113"]),
    "sentence": ("what does error 1305 mean", ["1305"]),
    "status": ("HTTP 502 Bad Gateway", ["502"]),
    "gateway": ('{"error":{"code":"invalid_api_key","type":"invalid_request_error"}}', ["invalid_api_key"]),
    "type": ("openai.RateLimitError: rate_limit_exceeded", ["rate_limit_exceeded"]),
    "no-time": ("2026-11-21 13:02:11 port 1309.5 failed with 1214", ["1214"]),
}


@pytest.mark.parametrize(("text", "codes"), TEXTS.values(), ids=TEXTS)
def test_the_code_is_found_in_what_was_pasted_or_piped(glm: Glm, text: str, codes: list[str]) -> None:
    """A body, a log line, a message of ours or of an SDK; the same both ways."""
    pasted, piped = glm("explain", text, "--json"), glm("explain", "--json", input=text)
    dashed = glm("explain", "-", "--json", input=text)
    assert pasted.stdout == piped.stdout == dashed.stdout
    told = pasted.json if len(codes) > 1 else [pasted.json]
    assert [entry["code"] for entry in told] == codes


def test_unquoted_words_are_one_text(glm: Glm) -> None:
    """`glm explain HTTP 429 Too Many Requests` needs no quotes."""
    assert glm("explain", "HTTP", "429", "Too", "Many").stdout.startswith("429  ")


def test_a_status_leads_to_its_codes(glm: Glm) -> None:
    """429 alone says little here: it may be a rate, a balance or a plan."""
    last = glm("explain", "429").stdout.splitlines()[-1]
    assert {"1113", "1302", "1308"} <= set(last.replace(",", "").split())


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["1131"], "unknown error code '1131'", "1113"),
        (["1113", "1133"], "unknown error code '1133'", "1113"),
        (["rate_limit_exceded"], "unknown error code 'rate_limit_exceded'", "rate_limit_exceeded"),
        (["77777"], "unknown error code '77777'", "glm explain --list"),
        (["hello"], "no error code found in 'hello'", "glm explain --list"),
        ([], "nothing to explain", "glm explain 1113"),
    ],
    ids=["near", "second", "word", "far", "text", "nothing"],
)
def test_what_is_unknown_is_wrong_usage(glm: Glm, words: list[str], message: str, hint: str) -> None:
    """Exit 2, nothing on stdout, and the nearest codes."""
    result = glm("explain", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert hint in result.stderr


def test_a_terminal_without_arguments_does_not_hang(glm: Glm) -> None:
    """Nobody waits for input that was not announced."""
    assert glm("explain", tty=True).exit_code == 2


def test_the_list_has_every_code_once(glm: Glm) -> None:
    """As lines and as JSON, in order."""
    assert [line.split()[0] for line in glm("explain", "--list").stdout.splitlines()] == list(CODES)
    assert [entry["code"] for entry in glm("explain", "--list", "--json").json] == list(CODES)


def test_no_configuration_is_needed(glm: Glm, home: Path) -> None:
    """Also not a sound one."""
    home.mkdir()
    (home / "config.toml").write_text("not = [toml")
    assert glm("explain", "1113").exit_code == 0


def test_the_page_is_fresh() -> None:
    """`docs/errors.md` is what the table says."""
    command = [sys.executable, str(ROOT / "scripts" / "docs_errors.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stderr) == (0, "")
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert all(f"\n| {code}" in page for code in CODES)

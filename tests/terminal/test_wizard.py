"""`glm onboard` on a real pseudo-terminal: the questions, the mistakes people make, and how they leave."""

from __future__ import annotations

import json
import os
import signal
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glmcli.sandbox.accounts import ACCOUNTS
from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server
from tests.harness import TEST_KEY, Glm, ScriptedServer
from tests.terminal.terminal import Terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")

WHERE, WHO, KEY, MODEL = "Where is your account?", "What pays?", "(not shown):", "Which model by default?"
READY = "profile default is ready"
DOWN = "\x1b[B"
CTRL_C = "\x03"


@pytest.fixture(autouse=True)
def _no_key_in_the_shell(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZAI_API_KEY")


@pytest.fixture
def start() -> Iterator[Callable[..., Terminal]]:
    """Starts `glm onboard` with more arguments; ended with the test, and no screen may have shown a key."""
    started: list[Terminal] = []

    def start(*argv: str, **how: Any) -> Terminal:
        started.append(Terminal("onboard", *argv, **{"columns": 100, **how}))
        return started[-1]

    yield start
    for terminal in started:
        terminal.__exit__(None, None, None)
        assert not any(account.key.encode() in terminal.raw for account in ACCOUNTS.values())


Start = Callable[..., Terminal]


def config(home: Path) -> dict[str, Any]:
    path = home / "config.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def key_in(home: Path, profile: str = "default") -> str | None:
    path = home / "credentials.toml"
    return tomllib.loads(path.read_text())["keys"].get(profile) if path.exists() else None


def to_the_key(terminal: Terminal, region: int, plan: int) -> None:
    """Answer the first two questions by number."""
    terminal.wait_for(WHERE)
    terminal.enter(str(region))
    terminal.wait_for(WHO)
    terminal.enter(str(plan))
    terminal.wait_for(KEY)


# -- the straight way --------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "region", "plan"), [("zai-coding", 1, 1), ("zai", 1, 2), ("zhipu-coding", 2, 1), ("zhipu", 2, 2)]
)
def test_four_answers_set_up_a_provider(start: Start, home: Path, provider: str, region: int, plan: int) -> None:
    """Where, what pays, the key, the model: then it works, and the command for CI is shown."""
    terminal = start(columns=160)
    to_the_key(terminal, region, plan)
    terminal.enter(ACCOUNTS[provider].key)
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"] == {"provider": provider, "model": "glm-5.3", "key": "file"}
    assert key_in(home) == ACCOUNTS[provider].key
    assert READY in terminal.text
    assert f"--auth-choice {provider}-api-key" in terminal.text
    assert ("usage-policy" in terminal.text) == provider.endswith("coding")
    assert terminal.settings == terminal.before


def test_enter_alone_means_the_first_answer(start: Start, home: Path) -> None:
    """Z.AI and its Coding Plan: three times Enter beside the key."""
    terminal = start()
    for question, answer in ((WHERE, ""), (WHO, ""), (KEY, ACCOUNTS["zai-coding"].key), (MODEL, "")):
        terminal.wait_for(question)
        terminal.enter(answer)
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["provider"] == "zai-coding"


def test_arrows_and_names_choose_as_well(start: Start, home: Path) -> None:
    """Down to the second option; letters of a name add up."""
    terminal = start()
    terminal.wait_for(WHERE)
    terminal.enter("zhip")
    terminal.wait_for(WHO)
    terminal.enter(DOWN)
    terminal.wait_for(KEY)
    terminal.enter(ACCOUNTS["zhipu"].key)
    terminal.wait_for(MODEL)
    terminal.enter("glm-4.7-fl")
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"] == {"provider": "zhipu", "model": "glm-4.7-flash", "key": "file"}


def test_another_model_is_typed(start: Start, home: Path) -> None:
    """The list is no limit."""
    terminal = start()
    to_the_key(terminal, 1, 2)
    terminal.enter(ACCOUNTS["zai"].key)
    terminal.wait_for(MODEL)
    terminal.enter("another")
    terminal.wait_for("Name of the model")
    terminal.enter("glm-4.6")
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["model"] == "glm-4.6"


def test_not_sure_means_find_out(start: Start, home: Path) -> None:
    """The endpoint is found, and what was sent is what the option said."""
    terminal = start()
    to_the_key(terminal, 1, 3)
    terminal.enter(ACCOUNTS["zai-legacy"].key)
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["provider"] == "zai-coding"


def test_what_the_command_line_says_is_not_asked(start: Start, home: Path) -> None:
    """With choice and model only the key is left."""
    terminal = start("--auth-choice", "zai-coding", "--model", "glm-5.3-flash")
    terminal.wait_for(KEY)
    terminal.enter(ACCOUNTS["zai-coding"].key)
    assert terminal.wait_for_end() == 0
    assert WHERE not in terminal.text
    assert config(home)["profiles"]["default"]["model"] == "glm-5.3-flash"


def test_a_compatible_service_asks_for_key_and_model(start: Start, home: Path) -> None:
    """Its own list is offered."""
    base = f"{os.environ['GLM_ORIGIN_INTL']}/api/paas/v4"
    terminal = start("--base-url", base)
    terminal.wait_for(KEY)
    terminal.paste(ACCOUNTS["zai"].key + "\n")
    terminal.enter()
    terminal.wait_for(MODEL)
    terminal.enter("glm-4.7")
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["base_url"] == base
    assert config(home)["profiles"]["default"]["model"] == "glm-4.7"


def test_chinese_is_spoken(start: Start, home: Path) -> None:
    """By the locale; the answers are the same keys."""
    terminal = start(env={"LANG": "zh_CN.UTF-8"})
    for question, answer in (("您的账号在哪里", ""), ("由什么付费", ""), ("请粘贴 Key", ACCOUNTS["zai-coding"].key)):
        terminal.wait_for(question)
        terminal.enter(answer)
    terminal.wait_for("默认使用哪个模型")
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert "配置 default 已就绪" in terminal.text


# -- the key -----------------------------------------------------------------------


def test_a_key_is_pasted_with_what_came_along(start: Start, home: Path) -> None:
    """Spaces, a line break in the middle and one at the end: one key, shown as stars."""
    key = ACCOUNTS["zai-coding"].key
    terminal = start("--auth-choice", "zai-coding")
    terminal.wait_for(KEY)
    terminal.paste(f"  {key[:20]}\n{key[20:]} \n")
    terminal.wait_for("*" * len(key))
    assert "*" * (len(key) + 1) not in terminal.text
    terminal.enter()
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert key_in(home) == key


def test_a_refused_key_is_corrected_at_once(start: Start, home: Path) -> None:
    """The reason in words, nothing stored, and the next attempt counts."""
    terminal = start("--auth-choice", "zai-coding")
    terminal.wait_for(KEY)
    terminal.enter(TEST_KEY)
    terminal.wait_for("not accepted by Z.AI")
    assert not config(home)
    terminal.wait_for(KEY, count=2)
    terminal.enter(ACCOUNTS["zai-coding"].key)
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert key_in(home) == ACCOUNTS["zai-coding"].key


def test_an_empty_answer_is_asked_again(start: Start) -> None:
    """Enter by mistake is no key; neither are words."""
    terminal = start("--auth-choice", "zai-coding")
    terminal.wait_for(KEY)
    terminal.enter()
    terminal.wait_for("Nothing came")
    terminal.enter("схема")
    terminal.wait_for("has a character that no key has")
    terminal.wait_for(KEY, count=3)


def test_a_key_of_the_other_company_is_asked_there_with_consent(
    start: Start, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the answer sends it there."""
    intl, cn = Sandbox(region="intl"), Sandbox(region="cn")
    with Server(intl) as there, Server(cn) as here:
        monkeypatch.setenv("GLM_ORIGIN_INTL", there.address)
        monkeypatch.setenv("GLM_ORIGIN_CN", here.address)
        terminal = start()
        to_the_key(terminal, 1, 1)
        terminal.enter(ACCOUNTS["zhipu-coding"].key)
        terminal.wait_for("What now?")
        assert not cn.requests
        terminal.enter("2")
        terminal.wait_for(KEY, count=2)
        terminal.enter(ACCOUNTS["zhipu-coding"].key)
        terminal.wait_for(MODEL)
        terminal.enter()
        assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["provider"] == "zhipu-coding"


def test_a_plan_key_on_the_metered_side_is_led_to_its_plan(start: Start, home: Path) -> None:
    """The mistake behind most of the errors 1113: one Enter mends it."""
    terminal = start()
    to_the_key(terminal, 1, 2)
    terminal.enter(ACCOUNTS["zai-coding"].key)
    terminal.wait_for("Use zai-coding instead")
    terminal.enter()
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["provider"] == "zai-coding"


def test_the_metered_side_is_never_taken_by_enter(start: Start, home: Path) -> None:
    """Who has no plan is asked, and Enter means no."""
    terminal = start()
    to_the_key(terminal, 1, 1)
    terminal.enter(ACCOUNTS["zai"].key)
    terminal.wait_for("Use zai instead")
    terminal.enter()
    terminal.wait_for("What now?")
    assert not config(home)
    terminal.enter("1")
    terminal.wait_for(KEY, count=2)
    terminal.enter(ACCOUNTS["zai"].key)
    terminal.wait_for("Use zai instead", count=2)
    terminal.enter("y")
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["provider"] == "zai"


def test_where_both_pay_the_user_says_who(start: Start, home: Path) -> None:
    """Told which one bills; the plan comes first."""
    terminal = start()
    to_the_key(terminal, 1, 3)
    terminal.enter(ACCOUNTS["zai-both"].key)
    terminal.wait_for("What should pay?")
    assert "the balance is charged for every call" in terminal.text
    terminal.enter("2")
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["provider"] == "zai"


def test_without_verification_nothing_is_left_to_find_out(start: Start, home: Path, server: ScriptedServer) -> None:
    """The answers that need the service are not offered, and it is not asked."""
    terminal = start("--skip-verify")
    to_the_key(terminal, 1, 2)
    assert "Not sure" not in terminal.text
    terminal.enter(TEST_KEY)
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert "not verified" in terminal.text
    assert (key_in(home), len(server.requests)) == (TEST_KEY, 0)


# -- what is there already ---------------------------------------------------------


def test_a_second_run_shows_what_is_set_and_keeps_it(start: Start, home: Path, glm: Glm) -> None:
    """Enter at every question changes nothing, the key included."""
    words = (
        "--non-interactive",
        "--auth-choice",
        "zhipu-coding",
        "--key-stdin",
        "--store",
        "file",
        "-m",
        "glm-5.3-flash",
    )
    glm("onboard", *words, input=ACCOUNTS["zhipu-coding"].key)
    before = (home / "config.toml").read_text()
    terminal = start()
    terminal.wait_for("Profile default is set: zhipu-coding, model glm-5.3-flash, key in file")
    for question in (WHERE, WHO, KEY, MODEL):
        terminal.wait_for(question)
        terminal.enter()
    assert terminal.wait_for_end() == 0
    assert "nothing to change" in terminal.text
    assert (home / "config.toml").read_text() == before


def test_a_key_of_another_program_is_offered_and_not_taken_silently(start: Start, home: Path) -> None:
    """Claude Code's settings name it; Enter takes it."""
    settings = Path(os.environ["HOME"]) / ".claude" / "settings.json"
    settings.parent.mkdir()
    key = ACCOUNTS["zai-coding"].key
    base = f"{os.environ['GLM_ORIGIN_INTL']}/api/anthropic"
    settings.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": base, "ANTHROPIC_AUTH_TOKEN": key}}))
    try:
        terminal = start("--region", "intl", columns=200)
        terminal.wait_for(WHO)
        terminal.enter()
        terminal.wait_for(f"press Enter for that of {settings}")
        assert not config(home)
        terminal.enter()
        terminal.wait_for(MODEL)
        terminal.enter()
        assert terminal.wait_for_end() == 0
        assert key_in(home) == key
    finally:
        settings.unlink()


def test_a_variable_is_offered_and_referred_to(start: Start, home: Path) -> None:
    """No copy is made of what the shell holds."""
    terminal = start("--auth-choice", "zai-coding", env={"ZAI_CODING_API_KEY": ACCOUNTS["zai-coding"].key})
    terminal.wait_for("variable ZAI_CODING_API_KEY")
    terminal.enter()
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["key"] == "env:ZAI_CODING_API_KEY"


def test_coding_tools_that_are_here_are_named(start: Start, tmp_path: Path) -> None:
    """With the command that sets one up; nothing is set up unasked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "claude").write_text("#!/bin/sh\n")
    (folder / "claude").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    terminal = start("--auth-choice", "zai-coding", "-m", "glm-5.3", columns=160, env={"PATH": path})
    terminal.wait_for(KEY)
    terminal.enter(ACCOUNTS["zai-coding"].key)
    assert terminal.wait_for_end() == 0
    assert "glm connect claude-code" in terminal.text


# -- the terminal ------------------------------------------------------------------


def test_a_key_that_is_pasted_too_early_is_not_shown(start: Start, home: Path) -> None:
    """All answers at once, before any question: the terminal shows none of them by itself."""
    terminal = start("--auth-choice", "zai-coding")
    terminal.wait_for("Setting up")
    terminal.enter(ACCOUNTS["zai-coding"].key)
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert key_in(home) == ACCOUNTS["zai-coding"].key


@pytest.mark.parametrize("step", range(4), ids=["region", "plan", "key", "model"])
@pytest.mark.parametrize("how", ["key", "signal"])
def test_ctrl_c_writes_nothing(start: Start, home: Path, step: int, how: str) -> None:
    """At every question: exit 130, no file, and the terminal as it was."""
    terminal = start()
    for question, answer in ((WHERE, ""), (WHO, ""), (KEY, ACCOUNTS["zai-coding"].key))[:step]:
        terminal.wait_for(question)
        terminal.enter(answer)
    terminal.wait_for((WHERE, WHO, KEY, MODEL)[step])
    if how == "key":
        terminal.type(CTRL_C)
    else:
        terminal.child.kill(signal.SIGINT)
    assert terminal.wait_for_end() == 130
    assert not (home / "config.toml").exists()
    assert not (home / "credentials.toml").exists()
    assert terminal.settings == terminal.before


def test_ctrl_c_stops_the_verification(start: Start, home: Path, sandbox: Sandbox) -> None:
    """A service that is silent does not hold anybody."""
    sandbox.fault = "stall"
    terminal = start("--auth-choice", "zai-coding")
    terminal.wait_for(KEY)
    terminal.enter(ACCOUNTS["zai-coding"].key)
    terminal.wait_for("Asking")
    terminal.wait(lambda: bool(sandbox.requests), "the request")
    terminal.type(CTRL_C)
    assert terminal.wait_for_end() == 130
    assert not (home / "config.toml").exists()
    assert terminal.settings == terminal.before


def test_ctrl_d_and_termination_leave_a_sane_terminal(start: Start, home: Path) -> None:
    """The end of input stops the questions; a signal restores the line."""
    terminal = start()
    terminal.wait_for(WHERE)
    terminal.type("\x04")
    assert terminal.wait_for_end() == 130
    assert terminal.settings == terminal.before
    other = start()
    other.wait_for(WHERE)
    other.child.kill(signal.SIGTERM)
    other.wait_for_end()
    assert other.settings == other.before
    assert not (home / "config.toml").exists()


def test_the_window_may_change_its_size(start: Start, home: Path) -> None:
    """Narrower and wider in the middle of a menu and of the key."""
    terminal = start()
    terminal.wait_for(WHERE)
    terminal.resize(48, 20)
    terminal.type(DOWN)
    terminal.wait_for("> 2.")
    terminal.resize(120, 30)
    terminal.enter()
    terminal.wait_for(WHO)
    terminal.enter()
    terminal.wait_for(KEY)
    terminal.type(ACCOUNTS["zhipu-coding"].key[:30])
    terminal.resize(60, 20)
    terminal.enter(ACCOUNTS["zhipu-coding"].key[30:])
    terminal.wait_for(MODEL)
    terminal.enter()
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["provider"] == "zhipu-coding"


def test_a_dumb_terminal_gets_lines(start: Start, home: Path) -> None:
    """Numbers and names are typed, the key is not shown, and no control code is sent."""
    terminal = start(term="dumb")
    terminal.wait_for("1-3 [1]:")
    terminal.enter("zhipu")
    terminal.wait_for("1-3 [1]:", count=2)
    terminal.enter("9")
    terminal.wait_for("1-3 [1]:", count=3)
    terminal.enter("1")
    terminal.wait_for("(not shown):")
    terminal.enter(ACCOUNTS["zhipu-coding"].key)
    terminal.wait_for("1-3 [1]:", count=4)
    terminal.enter("glm-5.3-flash")
    assert terminal.wait_for_end() == 0
    assert config(home)["profiles"]["default"]["model"] == "glm-5.3-flash"
    assert b"\x1b" not in terminal.raw
    assert terminal.settings == terminal.before


def test_no_input_asks_nothing(start: Start, home: Path) -> None:
    """`--no-input` at a terminal is a pipe's case: exit 2 and the flag to use."""
    terminal = start("--no-input")
    assert terminal.wait_for_end() == 2
    assert "--auth-choice" in terminal.text
    assert not (home / "config.toml").exists()

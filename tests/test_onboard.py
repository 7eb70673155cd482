"""`glm onboard` without questions: every choice, what is refused, what is written and when."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glmcli.sandbox.accounts import ACCOUNTS
from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server
from tests.harness import TEST_KEY, Glm, GlmProcess, Result, ScriptedServer

PROVIDERS = ("zai", "zai-coding", "zhipu", "zhipu-coding")


@pytest.fixture(autouse=True)
def _no_key_in_the_shell(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZAI_API_KEY")


class Onboard:
    """`glm onboard --non-interactive` with the key of a sandbox account piped in."""

    def __init__(self, glm: Glm) -> None:
        self._glm = glm

    def __call__(self, account: str, choice: str, *argv: str, env: dict[str, str | None] | None = None) -> Result:
        words = ("--non-interactive", "--auth-choice", choice, "--key-stdin", "--store", "file", *argv)
        key = ACCOUNTS[account].key if account in ACCOUNTS else account
        return self._glm("onboard", *words, input=key, env=env)


@pytest.fixture
def onboard(glm: Glm) -> Onboard:
    return Onboard(glm)


def config(home: Path) -> dict[str, Any]:
    path = home / "config.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def keys(home: Path) -> dict[str, str]:
    path = home / "credentials.toml"
    found: dict[str, str] = tomllib.loads(path.read_text())["keys"] if path.exists() else {}
    return found


def nothing_is_stored(home: Path) -> bool:
    return not config(home) and not keys(home)


# -- every choice ------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_four_choices_with_their_own_flag(glm: Glm, server: ScriptedServer, home: Path, provider: str) -> None:
    """`--auth-choice X-api-key --X-api-key KEY`, as it is documented; the key in argv is warned about."""
    flags = ("--auth-choice", f"{provider}-api-key", f"--{provider}-api-key", server.keys[provider])
    result = glm("onboard", "--non-interactive", *flags, "--store", "file")
    assert result.exit_code == 0, result.stderr
    assert config(home)["profiles"]["default"] == {"provider": provider, "key": "file"}
    assert keys(home) == {"default": server.keys[provider]}
    assert ("add --probe" in result.stderr) == (provider in ("zai", "zhipu"))
    assert "ps" in result.stderr
    assert "profile default is ready" in result.stdout


@pytest.mark.parametrize(
    ("choice", "account", "provider"),
    [
        ("zai-global", "zai", "zai"),
        ("zai-cn", "zhipu", "zhipu"),
        ("zai-coding-global", "zai-coding", "zai-coding"),
        ("zai-coding-cn", "zhipu-coding", "zhipu-coding"),
        *((name, name, name) for name in PROVIDERS),
        ("auto", "zai", "zai"),
        ("auto", "zai-coding", "zai-coding"),
        ("auto", "zai-legacy", "zai-coding"),
    ],
)
def test_every_other_name_of_a_choice(onboard: Onboard, home: Path, choice: str, account: str, provider: str) -> None:
    """OpenClaw's four names, our four providers, and `auto`."""
    result = onboard(account, choice)
    assert result.exit_code == 0, result.stderr
    assert config(home)["profiles"]["default"]["provider"] == provider


@pytest.mark.parametrize(
    ("region", "account", "provider"),
    [("cn", "zhipu", "zhipu"), ("cn", "zhipu-coding", "zhipu-coding"), ("any", "zhipu-coding", "zhipu-coding")],
)
def test_auto_asks_the_region_that_was_named(
    onboard: Onboard, two_regions: tuple[Sandbox, Sandbox], home: Path, region: str, account: str, provider: str
) -> None:
    """`--region any` is the consent to send the key to both companies."""
    assert onboard(account, "auto", "--region", region).exit_code == 0
    assert config(home)["profiles"]["default"]["provider"] == provider
    assert bool(two_regions[0].requests) == (region == "any")


@pytest.fixture
def two_regions(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sandbox, Sandbox]]:
    """Z.AI and BigModel at addresses of their own, each knowing its own keys alone."""
    intl, cn = Sandbox(region="intl"), Sandbox(region="cn")
    with Server(intl) as there, Server(cn) as here:
        monkeypatch.setenv("GLM_ORIGIN_INTL", there.address)
        monkeypatch.setenv("GLM_ORIGIN_CN", here.address)
        yield intl, cn


def test_a_key_goes_to_one_company_only(onboard: Onboard, two_regions: tuple[Sandbox, Sandbox], home: Path) -> None:
    """Without `--region any` the other company never sees it, also when it is refused."""
    result = onboard("zhipu-coding", "auto")
    assert (result.exit_code, nothing_is_stored(home)) == (4, True)
    assert "--region any" in result.stderr
    assert not two_regions[1].requests


def test_free_calls_suffice_without_consent(onboard: Onboard, server: ScriptedServer) -> None:
    """No completion is sent unless `--probe` says so."""
    onboard("zai-coding", "auto")
    assert {request.method for request in server.requests} == {"GET"}


def test_a_probe_sends_one_tiny_request_per_endpoint(onboard: Onboard, server: ScriptedServer) -> None:
    """One token, thinking at its least, one model when it is accepted."""
    onboard("zai", "auto", "--probe")
    sent = [request.json for request in server.requests if request.method == "POST"]
    assert [body["max_tokens"] for body in sent] == [1, 1]
    assert {body["model"] for body in sent} == {"glm-5.3"}
    assert all(body["reasoning_effort"] == "low" for body in sent)


def test_the_model_that_answers_is_kept(onboard: Onboard, home: Path) -> None:
    """A plan that lacks the default model gets the one that it has."""
    assert onboard("zai-flash-only", "auto", "--probe").exit_code == 0
    assert config(home)["profiles"]["default"]["model"] == "glm-5.3-flash"


# -- where the key comes from ------------------------------------------------------


def test_a_variable_may_be_referred_to(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """`--store env` keeps no key at all."""
    words = ("--non-interactive", "--auth-choice", "zai-coding-api-key", "--store", "env", "--key-env", "MY_KEY")
    assert glm("onboard", *words, env={"MY_KEY": server.keys["zai-coding"]}).exit_code == 0
    assert config(home)["profiles"]["default"]["key"] == "env:MY_KEY"
    assert keys(home) == {}


def test_a_command_may_be_referred_to(glm: Glm, server: ScriptedServer, home: Path, tmp_path: Path) -> None:
    """`--key-command` alone means that the command stays the store."""
    secret = tmp_path / "secret"
    secret.write_text(server.keys["zai-coding"])
    words = ("--non-interactive", "--auth-choice", "zai-coding", "--key-command", f"cat {secret}")
    assert glm("onboard", *words).exit_code == 0
    assert config(home)["profiles"]["default"]["key"] == f"command:cat {secret}"
    assert glm("profile", "show").exit_code == 0


def test_a_variable_that_is_set_is_taken_and_not_copied(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """CI exports a key and names nothing: the profile refers to the variable."""
    env = {"ZAI_API_KEY": server.keys["zai-coding"]}
    assert glm("onboard", "--non-interactive", "--auth-choice", "auto", env=env).exit_code == 0
    assert config(home)["profiles"]["default"] == {"provider": "zai-coding", "key": "env:ZAI_API_KEY"}


def test_two_different_keys_are_not_guessed_between(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """The variables are named, the keys are not."""
    env = {"ZAI_API_KEY": server.keys["zai"], "ZAI_CODING_API_KEY": server.keys["zai-coding"]}
    result = glm("onboard", "--non-interactive", "--auth-choice", "auto", env=env)
    assert (result.exit_code, nothing_is_stored(home)) == (3, True)
    assert "ZAI_CODING_API_KEY" in result.stderr


def test_a_keyring_that_does_not_work_is_replaced_with_a_notice(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """Without `--store` the private file takes its place; no traceback."""
    result = glm("onboard", "--non-interactive", "--auth-choice", "zai", "--key-stdin", input=server.keys["zai"])
    assert result.exit_code == 0
    assert "credentials.toml" in result.stderr
    assert "Traceback" not in result.stderr
    assert keys(home) == {"default": server.keys["zai"]}


def test_a_keyring_that_was_asked_for_must_work(onboard: Onboard, home: Path) -> None:
    """`--store keyring` is no wish but an order."""
    result = onboard("zai", "zai", "--store", "keyring")
    assert (result.exit_code, nothing_is_stored(home)) == (3, True)


def test_a_keyring_that_swallows_the_key_is_noticed(
    glm_process: GlmProcess, server: ScriptedServer, home: Path
) -> None:
    """The null backend takes everything and keeps nothing; what was stored is read back."""
    env = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    words = ("--non-interactive", "--auth-choice", "zai", "--key-stdin")
    result = glm_process("onboard", *words, input=server.keys["zai"], env=env)
    assert (result.exit_code, config(home)["profiles"]["default"]["key"]) == (0, "file")
    assert "did not keep it" in result.stderr


def test_a_key_never_stands_beside_the_other_companys_address(
    glm_process: GlmProcess, server: ScriptedServer, home: Path, tmp_path: Path
) -> None:
    """While the new key is stored, the profile refers to none: a kill at that moment sends nothing astray."""
    (tmp_path / "watching.py").write_text(WATCHING_KEYRING)
    env = {"PYTHON_KEYRING_BACKEND": "watching.Keyring", "PYTHONPATH": str(tmp_path), "SEEN": str(tmp_path / "seen")}
    for provider in ("zai", "zhipu"):
        words = ("--auth-choice", provider, "--key-stdin")
        result = glm_process("onboard", "--non-interactive", *words, input=server.keys[provider], env=env)
        assert result.exit_code == 0, result.stderr
    (seen,) = (tmp_path / "seen").read_text().split("---\n")[1:]
    assert tomllib.loads(seen)["profiles"]["default"].get("key") is None
    assert config(home)["profiles"]["default"]["provider"] == "zhipu"
    assert config(home)["profiles"]["default"]["key"] == "keyring"


#: Keeps keys in a file, and what config.toml held when one was written.
WATCHING_KEYRING = """
import json, os, pathlib
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 5
    path = pathlib.Path(os.environ["SEEN"] + ".keys")

    def get_password(self, service, user):
        return json.loads(self.path.read_text()).get(user) if self.path.exists() else None

    def set_password(self, service, user, password):
        config = pathlib.Path(os.environ["GLM_HOME"], "config.toml")
        with open(os.environ["SEEN"], "a") as seen:
            seen.write("---\\n" + config.read_text() if config.exists() else "")
        self.path.write_text(json.dumps({user: password}))

    def delete_password(self, service, user):
        self.path.unlink()
"""


def test_a_failed_store_leaves_the_old_profile_whole(onboard: Onboard, home: Path) -> None:
    """A keyring that fails in the middle of a change of company changes nothing."""
    onboard("zai", "zai")
    before = (config(home), keys(home))
    assert onboard("zhipu", "zhipu", "--store", "keyring").exit_code == 3
    assert (config(home), keys(home)) == before


# -- what is refused ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "choice", "flags", "exit_code", "told"),
    [
        ("zai-coding", "zai", (), 5, "--auth-choice zai-coding-api-key"),
        ("zai-coding", "zai", ("--probe",), 5, "--auth-choice zai-coding-api-key"),
        ("zai", "zai-coding", (), 5, "--auth-choice zai-api-key"),
        ("zai", "zai-coding", ("--probe",), 5, "--auth-choice zai-api-key"),
        ("zai-plan-expired", "zai-coding", ("--probe",), 5, "1309"),
        ("zai-empty", "zai", ("--probe",), 5, "1113"),
        ("zai-empty", "auto", ("--probe",), 5, "neither a plan nor a balance"),
        ("zai-both", "auto", ("--probe",), 3, "--auth-choice zai-api-key"),
        ("zai-fair-use", "zai-coding", ("--probe",), 1, "glm explain 1313"),
        ("zai-enterprise", "zai-coding", ("--probe",), 5, "1315"),
        ("zai-locked", "zai", ("--probe",), 1, "glm explain 1112"),
        ("zai-flash-only", "zai-coding", ("--probe", "--model", "glm-5.3"), 5, "glm-5.3"),
        (TEST_KEY, "zai", (), 4, "1000"),
        (TEST_KEY, "auto", (), 4, "--region any"),
    ],
)
def test_nothing_is_stored_that_does_not_work(
    onboard: Onboard, home: Path, account: str, choice: str, flags: tuple[str, ...], exit_code: int, told: str
) -> None:
    """The reason in words, the way out to type, and no file."""
    result = onboard(account, choice, *flags)
    assert (result.exit_code, nothing_is_stored(home)) == (exit_code, True)
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("account", "choice", "how"),
    [
        ("zai-window-used-up", "zai-coding", "answer-not-needed"),
        ("zai-week-used-up", "zai-coding", "answer-not-needed"),
        ("zai-rate-limited", "zai", "busy"),
        ("zai-overloaded", "zai", "busy"),
        ("zai-both", "zai-coding", "works"),
    ],
)
def test_a_key_in_passing_trouble_is_stored(onboard: Onboard, home: Path, account: str, choice: str, how: str) -> None:
    """A full window or a busy service says nothing against the key."""
    result = onboard(account, choice, "--probe", "--json")
    assert result.exit_code == 0, result.stderr
    assert keys(home) == {"default": ACCOUNTS[account].key}
    verdicts = {"answer-not-needed": "window_used_up", "busy": "busy", "works": "works"}
    assert result.json["verdict"] == verdicts[how]


def test_who_pays_is_asked_for_when_free_calls_cannot_tell(
    onboard: Onboard, server: ScriptedServer, home: Path
) -> None:
    """A missing quota endpoint leaves the choice open: a choice, or `--probe`."""
    server.script("GET", "/quota/limit", status=404, json={"error": {"code": "1222", "message": "gone"}})
    result = onboard("zai-coding", "auto", "--json")
    assert (result.exit_code, nothing_is_stored(home)) == (3, True)
    assert result.error["kind"] == "nothing_tried"
    assert "--probe" in result.error["hint"]


@pytest.mark.parametrize(
    "reply",
    [
        {"body": b"<html><title>Sign in</title></html>", "headers": {"Content-Type": "text/html"}},
        {"status": 502, "body": b"<html><h1>Bad gateway</h1></html>", "headers": {"Content-Type": "text/html"}},
        {"json": {"welcome": "portal"}},
    ],
    ids=["page", "bad-gateway", "portal-json"],
)
def test_a_proxy_is_not_taken_for_the_service(
    onboard: Onboard, server: ScriptedServer, home: Path, reply: dict[str, Any]
) -> None:
    """Exit 8, and nothing is known of the key."""
    server.script("GET", "/models", **reply)
    result = onboard("zai", "zai")
    assert (result.exit_code, nothing_is_stored(home)) == (8, True)
    assert "in between" in result.stderr


def test_a_dead_host_ends_with_8(onboard: Onboard, home: Path) -> None:
    """Out of reach is no verdict about the key."""
    result = onboard("zai", "auto", env={"GLM_ORIGIN_INTL": "http://127.0.0.1:9"})
    assert (result.exit_code, nothing_is_stored(home)) == (8, True)


@pytest.mark.parametrize(
    ("argv", "exit_code", "told"),
    [
        ((), 2, "--auth-choice"),
        (("--auth-choice", "gpt"), 2, "no auth choice"),
        (("--auth-choice", "sandbox"), 2, "no auth choice"),
        (("--auth-choice", "zai"), 4, "--key-stdin"),
        (("--auth-choice", "zai", "--region", "mars"), 2, "intl, cn, any"),
        (("--auth-choice", "zai", "--store", "cloud"), 2, "keyring, file, env, command"),
        (("--auth-choice", "zai", "--zai-api-key", ""), 4, "is the variable set"),
        (("--auth-choice", "zai", "--zhipu-api-key", TEST_KEY), 2, "--zai-api-key"),
        (("--auth-choice", "zai", "--zai-api-key", TEST_KEY, "--key-stdin"), 2, "exclude each other"),
        (("--auth-choice", "auto", "--key-stdin", "--skip-verify"), 2, "name the provider"),
        (("--auth-choice", "zai", "--key-env", "NO_SUCH"), 4, "NO_SUCH"),
        (("--auth-choice", "zai", "--key-stdin", "--profile", "a b"), 3, "a b"),
        (("--base-url", "https://router.test", "--auth-choice", "zai", "--key-stdin"), 2, "leave one of them out"),
        (("--base-url", "http://router.test", "--key-stdin"), 3, "plain http"),
        (("--base-url", "https://router.test"), 4, "--key-env NAME"),
        (("--provider", "custom", "--key-stdin"), 2, "--base-url URL"),
    ],
    ids=lambda value: " ".join(value).replace(TEST_KEY, "KEY") if isinstance(value, tuple) else None,
)
def test_wrong_words_are_told(glm: Glm, home: Path, argv: tuple[str, ...], exit_code: int, told: str) -> None:
    """Each names the option that mends it; nothing is written."""
    result = glm("onboard", "--non-interactive", *argv, input=TEST_KEY)
    assert (result.exit_code, nothing_is_stored(home)) == (exit_code, True)
    assert told in result.stderr


def test_nobody_is_asked_without_a_terminal(glm: Glm, home: Path) -> None:
    """A pipe gets the flag to use instead, exit 2."""
    result = glm("onboard")
    assert (result.exit_code, nothing_is_stored(home)) == (2, True)
    assert "--auth-choice" in result.stderr


def test_a_broken_file_stops_before_the_key_is_read(onboard: Onboard, server: ScriptedServer, home: Path) -> None:
    """Exit 3, the file untouched, nothing sent."""
    home.mkdir()
    (home / "config.toml").write_text("version = [")
    assert onboard("zai", "zai").exit_code == 3
    assert (home / "config.toml").read_text() == "version = ["
    assert not server.requests


def test_a_dry_run_sends_and_writes_nothing(onboard: Onboard, server: ScriptedServer, home: Path) -> None:
    """The first request as a command, the key as a variable."""
    result = onboard("zai", "zai", "--dry-run")
    assert result.exit_code == 0
    assert "$ZAI_API_KEY" in result.stdout
    assert onboard("zai", "zai", "--dry-run", "--skip-verify").exit_code == 0
    assert not server.requests
    assert nothing_is_stored(home)


# -- what is told ------------------------------------------------------------------


def test_json_is_one_document(onboard: Onboard, server: ScriptedServer, home: Path) -> None:
    """Profile, provider, addresses, where the key is, how it was verified, what changed."""
    document = onboard("zai-coding", "auto", "--profile", "ci", "--json").json
    assert document["profile"] == "ci"
    assert document["provider"] == "zai-coding"
    assert document["base_urls"]["chat"] == f"{server.address}/api/coding/paas/v4"
    assert document["base_urls"]["media"] == f"{server.address}/api/paas/v4"
    assert document["key"] == {"reference": "file", "place": f"file {home / 'credentials.toml'}"}
    assert (document["verified"], document["verdict"]) == ("plan", "plan_active")
    assert document["changes"]
    assert document["policy"].startswith("https://docs.z.ai/devpack/usage-policy")


def test_the_equivalent_command_makes_the_same_profile(
    onboard: Onboard, home: Path, glm_process: GlmProcess, server: ScriptedServer
) -> None:
    """It runs in a shell as it stands, with the key as a variable."""
    document = onboard("zai-coding", "auto", "--profile", "ci", "--model", "glm-5.3-flash", "--json").json
    before = config(home)
    for file in ("config.toml", "credentials.toml"):
        (home / file).unlink()
    command = document["command"].replace("glm onboard", f"{glm_process.command[0]} -m glmcli onboard")
    env = {**os.environ, "ZAI_CODING_API_KEY": server.keys["zai-coding"]}
    subprocess.run(["sh", "-c", command], env=env, check=True, capture_output=True)
    assert config(home) == before
    assert keys(home) == {"ci": server.keys["zai-coding"]}


def test_the_policy_is_told_once_per_profile(onboard: Onboard) -> None:
    """With the vendor's page and the alternative; a key that pays as you go is not troubled with it."""
    page = "docs.z.ai/devpack/usage-policy"
    first = onboard("zai-coding", "zai-coding").stderr
    assert page in first
    assert "zai-api-key" in first
    assert page not in onboard("zai-coding", "zai-coding", "--model", "glm-5.3-flash").stderr
    assert page in onboard("zai-coding", "zai-coding", "--profile", "other").stderr
    assert page not in onboard("zai", "zai", "--profile", "metered").stderr


def test_variables_that_win_over_the_profile_are_named(onboard: Onboard) -> None:
    """A key that is exported for this provider is used before the stored one."""
    result = onboard("zai", "zai", env={"ZAI_API_KEY": TEST_KEY, "GLM_MODEL": "glm-4.7"})
    assert "ZAI_API_KEY" in result.stderr
    assert "GLM_MODEL" in result.stderr


def test_chinese_is_spoken_and_json_keys_stay(onboard: Onboard) -> None:
    """`GLM_LANG=zh` changes the words alone."""
    result = onboard("zai-coding", "zai", "--json", env={"GLM_LANG": "zh"})
    assert result.exit_code == 5
    assert "套餐" in result.error["message"]
    assert "--auth-choice zai-coding-api-key" in result.error["hint"]


# -- compatible services -----------------------------------------------------------


def test_a_compatible_service_is_set_up(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """Its list of models proves the key; then it answers."""
    base = f"{server.address}/api/paas/v4"
    words = ("--base-url", base, "--key-stdin", "--store", "file", "-m", "glm-5.3-flash", "-p", "router")
    result = glm("onboard", "--non-interactive", *words, "--json", input=server.keys["zai"])
    assert result.exit_code == 0, result.stderr
    assert (result.json["provider"], result.json["verified"]) == ("custom", "key")
    assert result.json["base_urls"] == {"chat": base}
    assert f"--base-url {base}" in result.json["command"]
    assert config(home)["profiles"]["router"] == {
        "provider": "custom",
        "model": "glm-5.3-flash",
        "key": "file",
        "base_url": base,
    }
    assert glm("chat", "-p", "router", "hello").exit_code == 0


def test_a_compatible_service_without_a_list_is_stored_and_told(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """404 for the list says nothing of the key."""
    server.script("GET", "/models", status=404, json={"detail": "Not Found"})
    words = ("--base-url", f"{server.address}/v1", "--key-stdin", "--store", "file", "-m", "m")
    result = glm("onboard", "--non-interactive", *words, "--json", input=TEST_KEY)
    assert (result.exit_code, result.json["verified"]) == (0, "none")


@pytest.mark.parametrize(
    ("flags", "key", "exit_code", "told"),
    [((), "zai", 2, "glm-5.3-flash"), (("-m", "x"), TEST_KEY, 4, "refused")],
    ids=["no-model", "bad-key"],
)
def test_what_a_compatible_service_lacks_is_told(
    glm: Glm, server: ScriptedServer, home: Path, flags: tuple[str, ...], key: str, exit_code: int, told: str
) -> None:
    """Its models are named; a refused key is not stored."""
    words = ("--base-url", f"{server.address}/api/paas/v4", "--key-stdin", "--store", "file", *flags)
    result = glm("onboard", "--non-interactive", *words, input=server.keys.get(key, key))
    assert (result.exit_code, nothing_is_stored(home)) == (exit_code, True)
    assert told in result.stderr


def test_a_profile_that_leaves_a_compatible_service_forgets_its_address(
    glm: Glm, onboard: Onboard, server: ScriptedServer, home: Path
) -> None:
    """No key of Z.AI goes to the router."""
    words = ("--base-url", f"{server.address}/api/paas/v4", "--key-stdin", "--store", "file", "-m", "m")
    glm("onboard", "--non-interactive", *words, input=server.keys["zai"])
    assert onboard("zai-coding", "zai-coding").exit_code == 0
    assert config(home)["profiles"]["default"] == {"provider": "zai-coding", "key": "file"}


# -- a second run ------------------------------------------------------------------


def test_a_second_run_changes_only_what_differs(onboard: Onboard, home: Path) -> None:
    """And says what: comments and other keys of the file survive."""
    onboard("zai-coding", "zai-coding")
    path = home / "config.toml"
    path.write_text(path.read_text() + "# mine\n[profiles.default.chat]\ntemperature = 0.5\n")
    before = path.read_text()

    same = onboard("zai-coding", "zai-coding", "--json")
    assert same.json["changes"] == []
    assert path.read_text() == before

    changed = onboard("zai-coding", "zai-coding", "--model", "glm-5.3-flash", "--json")
    assert changed.json["changes"] == ["profiles.default.model: glm-5.3-flash"]
    assert config(home)["profiles"]["default"]["chat"] == {"temperature": 0.5}
    assert "# mine" in path.read_text()


def test_a_second_run_needs_no_key(onboard: Onboard, glm: Glm, home: Path) -> None:
    """The stored key is verified again when only the model changes."""
    onboard("zai-coding", "zai-coding")
    result = glm("onboard", "--non-interactive", "--auth-choice", "zai-coding", "--model", "glm-5.3-flash")
    assert result.exit_code == 0, result.stderr
    assert config(home)["profiles"]["default"] == {
        "provider": "zai-coding",
        "key": "file",
        "model": "glm-5.3-flash",
    }


def test_a_new_key_replaces_the_old_one_and_says_so(onboard: Onboard, home: Path) -> None:
    """The key itself is not told."""
    onboard("zai-coding", "zai-coding")
    result = onboard("zai-legacy", "zai-coding")
    assert "replaced" in result.stdout
    assert keys(home) == {"default": ACCOUNTS["zai-legacy"].key}


def test_a_change_of_provider_takes_the_old_model_away(onboard: Onboard, home: Path) -> None:
    """A model of the plan need not be one of the balance."""
    onboard("zai-coding", "zai-coding", "--model", "glm-5.3-flash")
    onboard("zai", "zai")
    assert config(home)["profiles"]["default"] == {"provider": "zai", "key": "file"}


def test_a_failed_second_run_leaves_the_first(onboard: Onboard, home: Path) -> None:
    """Refused keys change nothing."""
    onboard("zai-coding", "zai-coding")
    before = (config(home), keys(home))
    assert onboard(TEST_KEY, "zai-coding").exit_code == 4
    assert (config(home), keys(home)) == before


def test_a_move_to_a_variable_forgets_the_stored_key(onboard: Onboard, glm: Glm, home: Path) -> None:
    """No key is left behind in the file."""
    onboard("zai", "zai")
    words = ("--non-interactive", "--auth-choice", "zai", "--store", "env", "--key-env", "MY_KEY")
    assert glm("onboard", *words, env={"MY_KEY": ACCOUNTS["zai"].key}).exit_code == 0
    assert keys(home) == {}


def test_the_default_profile_changes_only_on_request(onboard: Onboard, home: Path) -> None:
    """The first becomes it; another one with `--set-default`."""
    onboard("zai", "zai", "--profile", "first")
    onboard("zai-coding", "zai-coding", "--profile", "second")
    assert config(home)["default_profile"] == "first"
    onboard("zai-coding", "zai-coding", "--profile", "second", "--set-default")
    assert config(home)["default_profile"] == "second"


def test_what_was_set_up_answers(onboard: Onboard, glm: Glm) -> None:
    """`glm chat` works with the stored key, at the right address."""
    onboard("zai-coding", "auto")
    result = glm("chat", "hello")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip()


def test_unverified_keys_are_stored_on_request(onboard: Onboard, server: ScriptedServer, home: Path) -> None:
    """`--skip-verify` sends nothing and says so."""
    result = onboard(TEST_KEY, "zhipu", "--skip-verify", "--json")
    assert (result.json["verified"], result.json["provider"]) == ("skipped", "zhipu")
    assert not server.requests
    assert keys(home) == {"default": TEST_KEY}


# -- crashes and crowds ------------------------------------------------------------


def test_a_killed_run_leaves_nothing_half_written(glm_process: GlmProcess, server: ScriptedServer, home: Path) -> None:
    """Twenty runs, each killed at another moment: a profile that is there has its key."""
    for moment in range(20):
        name = f"run{moment}"
        words = ("--auth-choice", "zai-coding", "--key-stdin", "--store", "file", "--profile", name)
        process = glm_process.start("onboard", "--non-interactive", *words)
        assert process.stdin is not None
        process.stdin.write(server.keys["zai-coding"].encode())
        process.stdin.close()
        time.sleep(0.02 * moment)
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        profiles = config(home).get("profiles", {})
        assert set(profiles) <= set(keys(home))
        assert all(profile == {"provider": "zai-coding", "key": "file"} for profile in profiles.values())


def test_fifty_at_once_lose_nothing(glm_process: GlmProcess, server: ScriptedServer, home: Path) -> None:
    """Every profile and key is there, both files are whole, and nobody else can read them."""
    names = [f"p{number}" for number in range(50)]
    running = []
    for name in names:
        words = ("--auth-choice", "zai-coding", "--key-stdin", "--store", "file", "--profile", name, "--json")
        running.append(glm_process.start("onboard", "--non-interactive", *words))
    for process in running:
        output, errors = process.communicate(server.keys["zai-coding"].encode())
        assert process.returncode == 0, errors.decode()
        assert json.loads(output)["provider"] == "zai-coding"
    assert set(config(home)["profiles"]) == set(keys(home)) == set(names)
    for file in ("config.toml", "credentials.toml"):
        assert stat.S_IMODE((home / file).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700

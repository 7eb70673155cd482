"""`glm doctor`: settings and their sources, keys, files, network, and the matrix of the endpoints."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from glmcli import codes, supportfile
from glmcli.checkup import Level, check_variables, without_userinfo
from glmcli.config.model import Secret
from glmcli.errors import GlmError
from tests.harness import TEST_KEY, Glm, GlmProcess, Golden, ScriptedServer

NOT_A_KEY = "0" * 32 + ".0123456789abcdef"
FOREIGN_KEY = "9f" * 16 + ".keyOfAnotherProgram"
needs_modes = pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")


def _write(home: Path, config: str, keys: dict[str, str] | None = None) -> None:
    """A configuration as `glm` itself leaves it."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("version = 1\n" + config)
    (home / "config.toml").chmod(0o600)
    if keys:
        lines = [f'{name} = "{key}"' for name, key in keys.items()]
        (home / "credentials.toml").write_text("version = 1\n[keys]\n" + "\n".join(lines) + "\n")
        (home / "credentials.toml").chmod(0o600)


WORK = '[profiles.work]\nprovider = "{provider}"\nkey = "file"\n'


# -- the matrix ---------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("name", "account", "argv"),
    [
        ("balance", "zai", []),
        ("plan-key-on-general", "zai-coding", []),
        ("plan-key-on-general-probed", "zai-coding", ["--probe"]),
        ("plan-key-on-coding", "zai-coding", ["--provider", "zai-coding"]),
        ("empty-probed", "zai-empty", ["--probe"]),
        ("expired", "zai-plan-expired", ["--provider", "zai-coding", "--probe"]),
        ("refused", "nobody", []),
    ],
)
def test_the_matrix(
    glm: Glm, server: ScriptedServer, golden: Golden, language: str, name: str, account: str, argv: list[str]
) -> None:
    """Per endpoint a verdict, what it means, and the command that mends it; a star marks the one in use."""
    env = {"ZAI_API_KEY": server.keys.get(account, NOT_A_KEY), "GLM_LANG": language}
    result = glm("doctor", "-q", *argv, env=env)
    shown = re.sub(r"at \d{4}-\S+ \S+ \S+", "at TIME", result.stdout)
    golden.check(f"doctor/command-{name}.{language}.txt", f"exit {result.exit_code}\n{shown}")


@pytest.mark.parametrize(
    ("reply", "exit_code", "verdict", "words"),
    [
        pytest.param({"status": 502, "body": b"<html><title>nginx</title>"}, 8, "not_the_service", "nginx", id="page"),
        pytest.param({"body": b"{broken"}, 8, "not_the_service", "not JSON", id="garbage"),
        pytest.param({"status": 500, "json": {"error": {"code": "500", "message": "x"}}}, 1, "failed", "500", id="5xx"),
        pytest.param(
            {"status": 429, "json": {"error": {"code": "1302", "message": "x"}}}, 6, "busy", "1302", id="busy"
        ),
        pytest.param({"status": 404, "json": {}}, 0, "accepted", "only a request can tell", id="no such endpoint"),
    ],
)
def test_a_plan_of_which_nothing_is_heard_does_not_work(
    glm: Glm, server: ScriptedServer, reply: dict[str, Any], exit_code: int, verdict: str, words: str
) -> None:
    """That the key is accepted says nothing about the plan; a completion that is answered says more."""
    env = {"ZAI_API_KEY": server.keys["zai-coding"]}
    server.script("GET", "/quota/limit", **reply)
    result = glm("doctor", "--json", "--provider", "zai-coding", env=env)
    found = result.json["selected"]
    assert (result.exit_code, found["verdict"], words in found["meaning"]) == (exit_code, verdict, True), found
    server.script("GET", "/quota/limit", **reply)
    assert glm("doctor", "--provider", "zai-coding", "--probe", env=env).exit_code == 0


@pytest.mark.parametrize("provider", ["zai", "zai-coding"])
@pytest.mark.parametrize("argv", [(), ("--probe",)], ids=["free", "probed"])
def test_no_refusal_is_success(glm: Glm, server: ScriptedServer, provider: str, argv: tuple[str, ...]) -> None:
    """Whatever code every question brings: no exit code 0, and for money, plan and limits that of the code."""
    wrong = []
    for code, entry in codes.CODES.items():
        server.sandbox.fault = code
        result = glm("doctor", "--provider", provider, *argv, env={"ZAI_API_KEY": server.keys[provider]})
        if result.exit_code == 0 or (entry.exit_code in (5, 6) and result.exit_code != entry.exit_code):
            wrong.append((code, result.exit_code))
    assert wrong == []


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": {}}]}], ids=str)
def test_an_endpoint_that_answers_nothing_does_not_work(glm: Glm, server: ScriptedServer, body: object) -> None:
    """A router that says yes and sends no answer."""
    server.script("GET", "/models", json={"data": [{"id": "some"}]})
    server.script("POST", "/chat/completions", json=body)
    env = {"GLM_API_KEY": FOREIGN_KEY, "GLM_MODEL": "some"}
    result = glm("doctor", "--json", "--probe", "--base-url", f"{server.address}/v1", env=env)
    assert result.exit_code != 0
    assert result.json["selected"]["verdict"] in ("not_the_service", "failed")


def test_only_the_own_region_gets_the_key(glm: Glm, server: ScriptedServer) -> None:
    """The other company's rows say so; the command that they name is the consent."""
    gone = {"GLM_ORIGIN_CN": "http://127.0.0.1:9"}
    verdicts = {row["provider"]: row["verdict"] for row in glm("doctor", "--json", env=gone).json["providers"]}
    assert verdicts == {"zai": "accepted", "zai-coding": "no_plan", "zhipu": "not_asked", "zhipu-coding": "not_asked"}
    asked = glm("doctor", "--json", "--all-regions", env=gone).json["providers"]
    assert {row["provider"]: row["verdict"] for row in asked[2:]} == dict.fromkeys(
        ("zhipu", "zhipu-coding"), "unreachable"
    )


def test_without_consent_nothing_is_charged(glm: Glm, server: ScriptedServer) -> None:
    """Lists of models and the quota are free; a completion is not."""
    glm("doctor")
    assert [request.method for request in server.requests] == ["GET"] * 3
    glm("doctor", tty=True, input="n\n")
    assert all(request.method == "GET" for request in server.requests)
    result = glm("doctor", tty=True, input="y\n")
    [sent] = [request for request in server.requests if request.method == "POST"]
    assert (sent.json["max_tokens"], "zai works." in result.stdout) == (1, True)


def test_the_model_of_the_profile_is_tried(glm: Glm, server: ScriptedServer) -> None:
    """That another model would be answered is no help to this one."""
    env = {"ZAI_API_KEY": server.keys["zai-flash-only"], "GLM_PROVIDER": "zai-coding"}
    assert glm("doctor", "--probe", "--json", env=env).json["selected"]["verdict"] == "model_not_included"
    assert glm("doctor", "--probe", "--json", env={**env, "GLM_MODEL": "glm-5.3-flash"}).json["works"]


@pytest.mark.parametrize(
    ("account", "argv", "exit_code"),
    [
        pytest.param("zai", [], 0, id="accepted"),
        pytest.param("zai", ["--probe"], 0, id="works"),
        pytest.param("zai-coding", ["--provider", "zai-coding"], 0, id="plan"),
        pytest.param("zai-coding", [], 5, id="plan key on the general endpoint"),
        pytest.param("zai-empty", ["--probe"], 5, id="no balance"),
        pytest.param("zai", ["--provider", "zai-coding"], 5, id="no plan"),
        pytest.param("zai-window-used-up", ["--provider", "zai-coding"], 6, id="used up"),
        pytest.param("zai-flash-only", ["--provider", "zai-coding", "--probe"], 5, id="the model is not in the plan"),
        pytest.param("zai-rate-limited", ["--probe"], 6, id="busy"),
        pytest.param("zai-fair-use", ["--provider", "zai-coding", "--probe"], 5, id="restricted"),
        pytest.param("nobody", [], 4, id="refused"),
    ],
)
def test_the_exit_code_is_that_of_the_trouble(
    glm: Glm, server: ScriptedServer, account: str, argv: list[str], exit_code: int
) -> None:
    """0 only when the selected provider works; JSON says the same."""
    env = {"ZAI_API_KEY": server.keys.get(account, NOT_A_KEY)}
    result = glm("doctor", *argv, "--json", env=env)
    document = result.json
    assert (exit_code, exit_code, exit_code == 0) == (result.exit_code, document["exit_code"], document["works"])
    assert len(document["providers"]) == 4
    assert all({"verdict", "meaning", "command"} <= set(row) for row in document["providers"])
    assert [row["provider"] for row in document["providers"] if row["selected"]] == [document["selected"]["provider"]]


def test_a_service_that_is_out_of_reach(glm: Glm, server: ScriptedServer) -> None:
    """Exit 8; nothing is said about the key."""
    result = glm("doctor", "-q", env={"GLM_ORIGIN_INTL": "http://127.0.0.1:9"})
    assert (result.exit_code, "out of reach" in result.stdout) == (8, True)


def test_a_custom_endpoint_has_a_row_of_its_own(glm: Glm, server: ScriptedServer) -> None:
    """The vendor's hosts do not get its key, not even with `--all-regions`."""
    argv = ["doctor", "--all-regions", "--base-url", f"{server.address}/api/paas/v4", "--json"]
    env = {"GLM_API_KEY": server.keys["zai"], "ZAI_API_KEY": None, "GLM_MODEL": "glm-5.3"}
    document = glm(*argv, env=env).json
    assert (document["selected"]["provider"], document["selected"]["verdict"]) == ("custom", "accepted")
    assert {row["verdict"] for row in document["providers"]} == {"not_asked"}
    assert [request.path for request in server.requests] == ["/api/paas/v4/models"]
    assert glm(*argv, "--probe", env=env).json["selected"]["verdict"] == "works"
    server.script("GET", "/models", status=404, json={})
    assert glm(*argv, env=env).exit_code == 1
    assert glm(*argv, env={**env, "GLM_API_KEY": NOT_A_KEY}).exit_code == 4


def test_the_sandbox_is_examined_too(glm: Glm) -> None:
    """In process, without a key."""
    result = glm("doctor", "--provider", "sandbox")
    assert (result.exit_code, "sandbox works." in result.stdout) == (0, True)


# -- what is set up -----------------------------------------------------------------


def test_every_setting_tells_its_source(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """Flag, variable, profile or default; and which key is used."""
    _write(home, WORK.format(provider="zai"), {"work": server.keys["zai"]})
    result = glm("doctor", "--timeout", "9", env={"ZAI_API_KEY": None, "GLM_MODEL": "glm-5"})
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "profile work (config.toml, the only profile)" in lines
    assert "provider zai (profile work)" in lines
    assert "model glm-5 (variable GLM_MODEL)" in lines
    assert "timeout 9 (flag --timeout)" in lines
    assert "key found (file, profile work), 49 characters" in lines


def test_a_broken_configuration_is_examined(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """Path, line and reason; exit 3; with a provider on the command line the endpoints all the same."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("[profiles.work\n")
    result = glm("doctor")
    assert result.exit_code == 3
    assert "config.toml, line 1" in result.stdout
    document = glm("doctor", "--provider", "zai", "--json").json
    assert (document["exit_code"], document["selected"]["verdict"]) == (3, "accepted")
    assert (home / "config.toml").read_text() == "[profiles.work\n"


def test_a_configuration_nested_without_end_is_examined_too(glm: Glm, home: Path) -> None:
    """In words, and in the file for support."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("a = " + "[" * 100_000)
    assert "nested too deeply" in glm("doctor").stdout
    assert glm("doctor", "--bundle", "support.json").exit_code == 3
    assert json.loads(Path("support.json").read_text())


def test_nothing_set_up(glm: Glm) -> None:
    """Exit 3, four rows, and the way to begin."""
    result = glm("doctor", "--json")
    assert (result.exit_code, result.json["selected"]) == (3, None)
    assert {row["command"] for row in result.json["providers"]} == {"glm onboard"}


def test_a_profile_without_its_key(glm: Glm, home: Path) -> None:
    """Exit 4, and the command that stores one."""
    _write(home, WORK.format(provider="zai"))
    result = glm("doctor", "-q")
    assert result.exit_code == 4
    assert "glm profile login work" in result.stdout


def test_a_keyring_that_hangs_is_given_up(glm_process: GlmProcess, tmp_path: Path, home: Path) -> None:
    """After seconds, with the reason; the rest is told all the same."""
    (tmp_path / "hanging.py").write_text(
        "from keyring.backend import KeyringBackend\nimport time\n"
        "class Keyring(KeyringBackend):\n    priority = 9\n"
        "    def get_password(self, service, name): time.sleep(60)\n"
        "    set_password = delete_password = get_password\n"
    )
    _write(home, '[profiles.work]\nprovider = "zai"\nkey = "keyring"\nkeyring_backend = "hanging.Keyring"\n')
    result = glm_process("doctor", env={"PYTHONPATH": str(tmp_path)}, timeout_seconds=30)
    assert result.exit_code == 3
    assert "the keyring did not answer within" in result.stdout
    assert "config.toml" in result.stdout


KEY_IN_USE = Secret("a" * 32 + ".used", "variable ZAI_API_KEY")


@pytest.mark.parametrize(
    ("environ", "name", "level", "said"),
    [
        pytest.param({"GLM_MODLE": "x"}, "GLM_MODLE", Level.NOTE, "did you mean GLM_MODEL?", id="mistyped"),
        pytest.param({"GLM_COLOUR": "x"}, "GLM_COLOUR", Level.NOTE, "knows no such variable", id="unknown"),
        pytest.param({"ZAI_BASE_URL": "https://x"}, "ZAI_BASE_URL", Level.NOTE, "does not read it", id="foreign"),
        pytest.param({"ZAI_API_KEY": "  "}, "ZAI_API_KEY", Level.NOTE, "counts as unset", id="empty"),
        pytest.param({"ZAI_API_KEY": KEY_IN_USE.reveal()}, "ZAI_API_KEY", Level.OK, "is used", id="used"),
        pytest.param({"GLM_TIMEOUT": "9"}, "GLM_TIMEOUT", Level.OK, "9", id="ours"),
    ],
)
def test_variables_in_play(environ: dict[str, str], name: str, level: Level, said: str) -> None:
    """Those that count, and those that only look as if they did."""
    [check] = [each for each in check_variables(environ, "en", key=KEY_IN_USE) if each.name == name]
    assert (check.level, said in check.message) == (level, True)


def test_variables_that_contradict_each_other(glm: Glm, server: ScriptedServer) -> None:
    """Which key wins, which is another, and whose it is; no key is shown."""
    env = {"Z_AI_API_KEY": NOT_A_KEY, "ZHIPU_CODING_API_KEY": NOT_A_KEY}
    document = glm("doctor", "--provider", "zai", "--json", env=env).json
    checks = {check["name"]: (check["level"], check["message"]) for check in document["checks"]}
    assert checks["ZAI_API_KEY"] == ("ok", "set; this key is used")
    assert checks["Z_AI_API_KEY"][0] == "note"
    assert "the one from variable ZAI_API_KEY wins" in checks["Z_AI_API_KEY"][1]
    assert checks["ZHIPU_CODING_API_KEY"] == ("ok", "set; it is for zhipu-coding")


@pytest.mark.parametrize(
    ("environ", "name", "said"),
    [
        pytest.param({"HTTPS_PROXY": "http://me:word@proxy.test:3128"}, "proxy", "http://proxy.test:3128", id="proxy"),
        pytest.param({"HTTPS_PROXY": "socks5://x"}, "proxy", "not supported", id="unusable proxy"),
        pytest.param({"SSL_CERT_FILE": "/nowhere.pem"}, "certificates", "cannot be used", id="certificates"),
        pytest.param({"GLM_ORIGIN_INTL": "https://gateway.test"}, "address", "gateway.test (variable", id="gateway"),
    ],
)
def test_the_way_to_the_service(glm: Glm, environ: dict[str, str], name: str, said: str) -> None:
    """Told without the password of a proxy."""
    env = {"ZAI_API_KEY": NOT_A_KEY, "GLM_ORIGIN_INTL": "https://api.example.com", **environ}
    result = glm("doctor", "--json", env=env)
    [check] = [check for check in result.json["checks"] if check["name"] == name]
    assert said in check["message"]
    assert "me:word" not in result.stdout + result.stderr


def test_a_url_without_its_password() -> None:
    """Also one with an @ in the path."""
    assert without_userinfo("http://a:b@c:1/d@e") == "http://c:1/d@e"
    assert without_userinfo("http://c") == "http://c"


# -- mending ------------------------------------------------------------------------


def test_fix_moves_the_profile_to_the_plan(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """Shown, done, and examined again."""
    _write(home, WORK.format(provider="zai"), {"work": server.keys["zai-coding"]})
    env = {"ZAI_API_KEY": None}
    before = glm("doctor", "-q", env=env)
    assert (before.exit_code, "glm profile set work provider=zai-coding" in before.stdout) == (5, True)
    result = glm("doctor", "--fix", env=env)
    assert result.exit_code == 0
    assert "to be mended:\n  glm profile set work provider=zai-coding" in result.stderr
    assert "zai-coding works." in result.stdout
    assert glm("chat", "hi", env=env).exit_code == 0
    assert "nothing that glm could mend" in glm("doctor", "--fix", env=env).stderr


def test_fix_asks_at_a_terminal(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """No means no."""
    _write(home, WORK.format(provider="zai-coding") + 'model = "glm-4.6v"\n', {"work": server.keys["zai-coding"]})
    result = glm("doctor", "--fix", tty=True, input="n\n", env={"ZAI_API_KEY": None})
    assert "glm profile set work model=glm-5.3" in result.stderr
    assert 'model = "glm-4.6v"' in (home / "config.toml").read_text()
    glm("doctor", "--fix", tty=True, input="y\n", env={"ZAI_API_KEY": None})
    assert 'model = "glm-5.3"' in (home / "config.toml").read_text()


@needs_modes
def test_fix_repairs_modes(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """Files that others can read are bad; afterwards they cannot."""
    _write(home, WORK.format(provider="zai"))
    (home / "credentials.toml").write_text("version = 1\n")
    (home / "credentials.toml").chmod(0o644)
    result = glm("doctor", "-q")
    assert "can be read by others (mode 0644)" in result.stdout
    assert f"chmod 600 {home / 'credentials.toml'}" in result.stdout
    glm("doctor", "--fix")
    assert (home / "credentials.toml").stat().st_mode & 0o777 == 0o600


# -- the file for support -----------------------------------------------------------


def test_the_support_file_holds_no_key(glm: Glm, server: ScriptedServer, home: Path, tmp_path: Path) -> None:
    """Neither the one in use, nor a stored one, nor that of another program; but what helps."""
    _write(
        home,
        WORK.format(provider="zai")
        + f'[profiles.work.chat]\nsystem = "private words"\n[aliases]\nx = "{FOREIGN_KEY}"\n',
        {"work": server.keys["zai-coding"]},
    )
    env = {"ZAI_API_KEY": None, "SOME_TOKEN": b64encode(server.keys["zai-coding"].encode()).decode()}
    result = glm("doctor", "--bundle", "support.json", env={**env, "OPENAI_API_KEY": FOREIGN_KEY})
    text = (tmp_path / "work" / "support.json").read_text()
    assert result.exit_code == 5
    assert "none is there" in result.stderr
    for part in (server.keys["zai-coding"], FOREIGN_KEY):
        assert not [half for half in part.split(".") if half in text]
    document = json.loads(text)
    assert document["config.toml"]["profiles"]["work"]["chat"]["system"] == "(13 characters)"
    assert "private words" not in text
    assert str(tmp_path / "user") not in text
    assert (document["selected"]["provider"], "httpx" in document["packages"]) == ("zai", True)
    assert "SOME_TOKEN" in document["variables"]


@needs_modes
def test_the_support_file_is_private_and_replaces_nothing(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """0600; an existing file stays."""
    path = tmp_path / "work" / "support.json"
    assert glm("doctor", "--bundle", "support.json").exit_code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_text()
    assert glm("doctor", "--bundle", "support.json").exit_code == 1
    assert path.read_text() == before


@pytest.mark.parametrize("part", ["feedfacefeedfacefeedfacefeedface", "TESTKEYneverShown", TEST_KEY])
@pytest.mark.parametrize(
    "hide",
    [
        pytest.param(lambda text: text, id="plain"),
        pytest.param(lambda text: text.upper(), id="upper case"),
        pytest.param(lambda text: text[::-1], id="backwards"),
        pytest.param(lambda text: text.encode().hex(), id="hex"),
        pytest.param(lambda text: b64encode(text.encode()).decode(), id="base64"),
        pytest.param(lambda text: b64encode(f"Bearer {text}".encode()).decode(), id="base64 at another offset"),
        pytest.param(lambda text: urlsafe_b64encode(f"u:{text}@".encode()).decode(), id="base64 of basic auth"),
    ],
)
def test_a_key_is_found_in_every_shape(part: str, hide: object) -> None:
    """The proof would fail, and redaction makes it hold."""
    assert callable(hide)
    text = f'{{"a": "{hide(part)}"}}'
    with pytest.raises(GlmError, match="nothing was written"):
        supportfile.proven(text, [TEST_KEY])
    lowered = hide(part) != part.upper()
    if lowered:
        assert supportfile.proven(supportfile.redacted(text, [TEST_KEY], {}), [TEST_KEY]) > 10

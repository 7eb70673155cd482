"""Routers: what a profile says of them, weighted tokens in the ledger, the daily budget, keys that end."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from glmcli.config.model import Config, GlobalOptions
from glmcli.config.resolve import resolve
from glmcli.config.routers import UNKNOWN_WEIGHT, Router, day_of, end_from_words, end_of
from glmcli.config.store import parse_config
from glmcli.errors import ConfigError
from glmcli.events import Usage
from glmcli.history import History, UsageEntry
from glmcli.history.schema import MIGRATIONS
from tests.harness import Glm, ScriptedServer

PATH = Path("config.toml")
OWN = "https://r.example/"
HEAD = f'[profiles.router]\nprovider = "custom"\nbase_url = "{OWN}v1"\n'


def read(text: str) -> Config:
    return parse_config(text, PATH)


def router_of(text: str) -> Router:
    found = read(HEAD + text).profiles["router"].router
    assert found is not None
    return found


def resolved(text: str) -> Router:
    settings = resolve(GlobalOptions(), {}, None, read(HEAD + text))
    assert settings.router is not None
    return settings.router


# -- reading -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "text"),
    [
        pytest.param("2027-02-19", "2027-02-19", id="date"),
        pytest.param('"2027-02-19"', "2027-02-19", id="date as text"),
        pytest.param("2027-02-19T12:00:00Z", "2027-02-19T12:00:00+00:00", id="moment"),
        pytest.param('" 2027-02-19T12:00:00Z "', "2027-02-19T12:00:00Z", id="moment as text"),
        pytest.param("2027-02-19T12:00:00", "2027-02-19T12:00:00", id="local moment"),
    ],
)
def test_the_end_of_a_key_is_a_date_a_moment_or_text(written: str, text: str) -> None:
    """Each way in which TOML may say it is taken."""
    assert router_of(f"key_expires = {written}").key_expires == text


def test_a_date_includes_its_day_and_a_zone_counts() -> None:
    """A key that ends on a date is good until the local midnight behind it."""
    assert end_of("2027-02-19") == datetime(2027, 2, 19, 23, 59, 59).timestamp()
    assert end_of("2027-02-19T12:00:00Z") == datetime(2027, 2, 19, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        pytest.param("daily_budget = -1", 4, "daily_budget must be at least 1, not -1", id="negative budget"),
        pytest.param("daily_budget = 0", 4, "daily_budget must be at least 1", id="no budget"),
        pytest.param('daily_budget = "1000"', 4, "daily_budget must be a whole number, not text", id="text budget"),
        pytest.param("daily_budget = 1.5", 4, "daily_budget must be a whole number, not a number", id="half a token"),
        pytest.param("daily_budget = true", 4, "must be a whole number, not true or false", id="true budget"),
        pytest.param("daily_budget = 2027-02-19", 4, "must be a whole number, not a date or time", id="date as budget"),
        pytest.param("requests_per_minute = 0", 4, "requests_per_minute must be at least 1", id="no requests"),
        pytest.param("requests_per_minute = 0.5", 4, "must be a whole number", id="half a request"),
        pytest.param("key_expires = 90", 4, "key_expires must be a date such as 2027-02-19", id="number as date"),
        pytest.param('key_expires = "soon"', 4, "must be a date such as 2027-02-19, not 'soon'", id="no date"),
        pytest.param("key_expires = 12:00:00", 4, "must be a date such as 2027-02-19", id="time alone"),
        pytest.param("weights = 2", 4, "weights must be a table, not a whole number", id="weights without names"),
        pytest.param('weights = {"glm-5.3" = "2x"}', 4, '"glm-5.3" must be a number, not text', id="inline"),
        pytest.param("[profiles.router.weights]\nglm-5 = -2", 5, "glm-5 must be 0 or more, not -2", id="negative"),
        pytest.param("[profiles.router.weights]\nglm-5 = nan", 5, "glm-5 must be 0 or more, not nan", id="nan"),
        pytest.param("[profiles.router.weights]\nglm-5 = inf", 5, "glm-5 must be 0 or more, not inf", id="infinite"),
        pytest.param("[profiles.router.weights]\nglm-5 = true", 5, "glm-5 must be a number", id="true weight"),
        pytest.param('[profiles.router.weights]\n"GLM-5" = 1\nglm-5 = 2', 6, "weighs glm-5 a second time", id="twice"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(glm: Glm, home: Path, text: str, line: int, reason: str) -> None:
    """Exit 3 with path, line and reason, and the file is as it was."""
    home.mkdir(mode=0o700)
    file = home / "config.toml"
    file.write_text(HEAD + text)
    file.chmod(0o600)
    result = glm("profile", "show")
    assert result.exit_code == 3
    assert f"config.toml, line {line}: profiles.router." in result.stderr
    assert reason in result.stderr
    assert file.read_text() == HEAD + text


# -- weights -----------------------------------------------------------------------------

WEIGHTS = """
[profiles.router.weights]
glm-5.3 = 2
"GLM-4.5-Air" = 0.1
Fast = 0.5
[aliases]
fast = "GLM-5.3-flash"
again = "fast"
"""


@pytest.mark.parametrize(
    ("models", "weight"),
    [
        pytest.param(["glm-5.3"], 2, id="named without quotes, which TOML reads as a table"),
        pytest.param(["GLM-5.3"], 2, id="asked in capitals"),
        pytest.param(["glm-4.5-air"], 0.1, id="named in capitals"),
        pytest.param(["glm-5.3-flash"], 0.5, id="named by an alias"),
        pytest.param(["z-ai/glm-5.3"], 2, id="with a vendor"),
        pytest.param(["glm-9"], UNKNOWN_WEIGHT, id="unknown"),
        pytest.param([None], UNKNOWN_WEIGHT, id="no name at all"),
        pytest.param(["glm-5.3", "glm-4.5-air"], 2, id="what was asked for comes first"),
        pytest.param(["router-best", "glm-4.5-air"], 0.1, id="a name of the router's: what answered"),
    ],
)
def test_a_model_is_weighed_by_its_name(models: list[str | None], weight: float) -> None:
    """Case does not matter, aliases and vendors are looked through, and strangers count double."""
    assert resolved(WEIGHTS).weight_of(*models) == weight


@pytest.mark.parametrize("name", ["default", '"*"'])
def test_the_weight_of_all_others_can_be_set(name: str) -> None:
    """`default` or `*` in the table replaces the 2 of unknown models."""
    router = resolved(f"[profiles.router.weights]\n{name} = 3\nglm-5 = 1\n")
    assert (router.weight_of("glm-9"), router.weight_of("glm-5")) == (3, 1)


def test_a_model_s_own_weight_wins_over_its_alias() -> None:
    """An alias lends its weight only where its model has none."""
    router = resolved('[profiles.router.weights]\nfast = 8\nglm-5 = 1\n[aliases]\nfast = "glm-5"\n')
    assert router.weight_of("glm-5") == 1


def test_without_weights_every_token_counts_once_against_a_budget() -> None:
    """A budget alone counts plain tokens; a rate alone counts none."""
    usage = Usage(prompt_tokens=30, completion_tokens=12)
    assert router_of("daily_budget = 100").weighted(usage, "glm-5") == 42
    assert router_of("requests_per_minute = 100").weighted(usage, "glm-5") is None


def test_only_the_profile_s_own_host_has_its_rules() -> None:
    """`--base-url` of another host is another service; another path of the same host is not."""
    config = read(HEAD + "daily_budget = 100")
    own = resolve(GlobalOptions(base_url="https://r.example/anthropic"), {}, None, config)
    other = resolve(GlobalOptions(base_url="https://other.example/v1"), {}, None, config)
    assert (own.router is not None, other.router) == (True, None)


# -- changing ----------------------------------------------------------------------------


@pytest.fixture
def profile(glm: Glm, home: Path) -> Path:
    """A profile of a router; the file that holds it."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(HEAD)
    (home / "config.toml").chmod(0o600)
    return home / "config.toml"


def test_profile_set_takes_all_of_it_and_show_tells(glm: Glm, profile: Path) -> None:
    """Dots in the name of a model need no quotes; 90d becomes a date; nothing behind = removes."""
    words = ["daily_budget=1000000", "requests_per_minute=120", "weights.glm-5.3=2", "weights.*=4", "key_expires=90d"]
    assert glm("profile", "set", "router", *words).exit_code == 0
    shown = {name: item["value"] for name, item in glm("profile", "show", "--json").json.items()}
    assert (shown["daily_budget"], shown["requests_per_minute"]) == (1_000_000, 120)
    assert (shown["weights.glm-5.3"], shown["weights.*"]) == (2, 4)
    assert shown["key_expires"] == (date.today() + timedelta(days=90)).isoformat()
    assert '"glm-5.3" = 2' in profile.read_text()
    assert glm("config", "get", "profiles.router.weights.glm-5.3").stdout == "2\n"
    assert glm("profile", "set", "router", "weights=", "key_expires=").exit_code == 0
    assert "weights.glm-5.3" not in glm("profile", "show", "--json").json


@pytest.mark.parametrize(
    "word", ["daily_budget=-1", "daily_budget=x", "weights.glm-5=x", "weights=2", "key_expires=soon", "key_expires=d"]
)
def test_profile_set_refuses_what_does_not_fit(glm: Glm, profile: Path, word: str) -> None:
    """Exit 3, and the file is as it was."""
    before = profile.read_text()
    assert glm("profile", "set", "router", word).exit_code == 3
    assert profile.read_text() == before


def test_the_vendor_s_profiles_have_no_router(glm: Glm, profile: Path) -> None:
    """`profile set` refuses with the way out; what stands in the file is told and ignored."""
    assert glm("profile", "set", "router", "daily_budget=5").exit_code == 0
    refused = glm("profile", "set", "router", "provider=zai", "base_url=")
    assert refused.exit_code == 3
    assert "only provider custom has daily_budget" in refused.stderr
    assert "glm profile set router daily_budget=" in refused.stderr
    profile.write_text('[profiles.work]\nprovider = "zai"\nrequests_per_minute = 120\n')
    shown = glm("profile", "show", "--json")
    assert shown.exit_code == 0
    assert "profile work: only provider custom has requests_per_minute; ignored" in shown.stderr
    assert "requests_per_minute" not in shown.json


def test_a_new_key_brings_its_own_end(glm: Glm, profile: Path) -> None:
    """`login --expires` remembers it; without, the end of the old key is dropped and that is told."""
    login = ("profile", "login", "router", "--store", "env:ROUTER_KEY")
    remembered = glm(*login, "--expires", "90d")
    assert remembered.exit_code == 0
    end = (date.today() + timedelta(days=90)).isoformat()
    assert f"the key ends on {end}" in remembered.stderr
    assert f"key_expires = {end}" in profile.read_text()
    dropped = glm(*login)
    assert "key_expires was that of the old key and is removed" in dropped.stderr
    assert "key_expires" not in profile.read_text()


def test_expires_is_for_routers(glm: Glm, profile: Path) -> None:
    """A vendor's key has no end that glm would know; nothing is stored."""
    profile.write_text('[profiles.work]\nprovider = "zai"\n')
    result = glm("profile", "login", "work", "--store", "env:X", "--expires", "90d")
    assert result.exit_code == 2
    assert "X" not in profile.read_text()


@pytest.mark.parametrize("words", ["90 days", "-3d", "99999999999d", "2027-13-01", ""])
def test_an_end_that_is_none(words: str) -> None:
    """What is neither days nor a date is refused with examples."""
    with pytest.raises(ConfigError) as raised:
        end_from_words(words, time.time())
    assert "90d" in (raised.value.hint or "")


def test_the_day_of_a_budget_is_the_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """From midnight to midnight of this machine's zone, also where a day has 23 hours."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        start, end = day_of(datetime(2027, 3, 28, 12, tzinfo=UTC).timestamp())
        assert (end - start) == 23 * 3600
        assert start == datetime(2027, 3, 27, 23, tzinfo=UTC).timestamp()
    finally:
        monkeypatch.undo()
        time.tzset()


# -- the ledger --------------------------------------------------------------------------


def record(home: Path, weighted: float | None, *, profile: str = "router", at: float | None = None) -> None:
    """An entry of the ledger, as another process would leave it."""
    history = History(home / "history.db")
    history.ledger.record(
        UsageEntry(
            "chat", "custom", "glm-5.3", profile, prompt_tokens=10, completion_tokens=5, weighted=weighted, at=at
        )
    )
    history.close()


@pytest.fixture
def budgeted(profile: Path) -> Path:
    """A profile with weights and a budget, and its home."""
    profile.write_text(HEAD + "daily_budget = 1000\n[profiles.router.weights]\nglm-5.3 = 2\n")
    return profile.parent


def test_an_answer_is_weighed_as_it_was_asked_for(glm: Glm, server: ScriptedServer, budgeted: Path) -> None:
    """The ledger holds tokens times weight; `usage --local` shows them, as a column and as JSON."""
    server.script("POST", "/v1/chat/completions", json=answer("someone/glm-5.3-2027", 30, 12))
    address = f"{server.address}/v1"
    settings = budgeted / "config.toml"
    settings.write_text(settings.read_text().replace("https://r.example/v1", address))
    asked = glm("chat", "hi", "--no-stream", "-m", "GLM-5.3", env={"GLM_API_KEY": "k"})
    assert asked.exit_code == 0, asked.stderr
    document = glm("usage", "--local", "--json").json["local"]
    assert document["total"]["weighted_tokens"] == 84
    assert document["budgets"][0] == {
        "profile": "router",
        "weighted_tokens": 84,
        "daily_budget": 1000,
        "left": 916,
        "percent": 8.4,
        "resets_at": document["budgets"][0]["resets_at"],
    }
    shown = glm("usage", "--local", tty=True).stdout.splitlines()
    assert shown[0].split()[-1] == "WEIGHTED"
    assert shown[1].split()[-1] == "84"
    assert "router: 84 of 1,000 weighted tokens today (8 %), 916 left; resets" in "\n".join(shown)


def answer(model: str, prompt: int, completion: int) -> dict[str, object]:
    """A chat completion with its counts."""
    return {
        "id": "1",
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion},
    }


def test_a_pipe_gets_the_weighted_tokens_last(glm: Glm, budgeted: Path) -> None:
    """One value more behind the others, and the budget beside them on stderr."""
    record(budgeted, 30)
    result = glm("usage", "--by", "profile")
    assert result.stdout == "router\t1\t10\t0\t5\t\t1\t\t30\n"
    assert "router: 30 of 1,000 weighted tokens today" in result.stderr


def test_yesterday_and_other_profiles_do_not_count(glm: Glm, budgeted: Path) -> None:
    """The budget is that of one profile and of one local day."""
    start, _ = day_of(time.time())
    record(budgeted, 7)
    record(budgeted, 100, at=start - 1)
    record(budgeted, 50, at=start)
    record(budgeted, 500, profile="other")
    record(budgeted, None)
    assert glm("usage", "--local", "--json").json["local"]["budgets"][0]["weighted_tokens"] == 57


@pytest.mark.parametrize(("used", "exit_code"), [(900, 0), (901, 6), (2000, 6)])
def test_a_script_can_ask_whether_the_budget_is_nearly_used_up(
    glm: Glm, budgeted: Path, used: float, exit_code: int
) -> None:
    """`--local --fail-above` is exit 6 above the share, and not at it."""
    record(budgeted, used)
    assert glm("usage", "--local", "--fail-above", "90").exit_code == exit_code


def test_fail_above_needs_a_budget(glm: Glm) -> None:
    """Without one there is nothing to judge: exit 2 with the way to set one."""
    result = glm("usage", "--local", "--fail-above", "90")
    assert (result.exit_code, "daily_budget=" in result.stderr) == (2, True)


def test_a_ledger_of_an_older_glm_gains_the_column(glm: Glm, budgeted: Path) -> None:
    """What was recorded before is kept, with nothing weighed."""
    with closing(sqlite3.connect(budgeted / "history.db")) as old:
        for statement in MIGRATIONS[0]:
            old.execute(statement)
        old.execute("PRAGMA user_version = 1")
        old.execute(
            "INSERT INTO ledger (at, command, provider, prompt_tokens) VALUES (?, 'chat', 'custom', 3)",
            (time.time(),),
        )
        old.commit()
    (budgeted / "history.db").chmod(0o600)
    record(budgeted, 30)
    total = glm("usage", "--local", "--json").json["local"]["total"]
    assert (total["prompt_tokens"], total["weighted_tokens"]) == (13, 30)


# -- the end of a key --------------------------------------------------------------------


def in_days(days: float) -> str:
    """A moment so many days from now, as TOML writes it."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        pytest.param(89.5, "ok", "(89 days left)", id="long"),
        pytest.param(13.5, "note", "(13 days left): get a new one in time", id="soon"),
        pytest.param(0.5, "note", "(0 days left)", id="today"),
        pytest.param(-0.5, "bad", "ended on", id="over"),
    ],
)
def test_doctor_knows_when_the_key_ends(
    glm: Glm, server: ScriptedServer, profile: Path, days: float, level: str, words: str
) -> None:
    """Two weeks before it is a note with the command for a new key, behind it a fault."""
    profile.write_text(
        f'{HEAD}key = "env:ROUTER_KEY"\nkey_expires = {in_days(days)}\n'.replace(OWN, f"{server.address}/")
    )
    result = glm("doctor", "--json", env={"ROUTER_KEY": server.keys["router"]})
    check = next(check for check in result.json["checks"] if check["name"] == "expires")
    assert (check["level"], words in check["message"]) == (level, True)
    assert check["command"] == (None if level == "ok" else "glm profile login router --expires 90d")
    assert "the key of profile" not in result.stderr


def test_doctor_says_nothing_about_a_key_from_elsewhere(glm: Glm, server: ScriptedServer, profile: Path) -> None:
    """The profile's date is that of the profile's key, and `--key-env` names another one."""
    profile.write_text(
        f'{HEAD}key = "env:ROUTER_KEY"\nkey_expires = {in_days(-1)}\n'.replace(OWN, f"{server.address}/")
    )
    env = {"OTHER": "k", "ROUTER_KEY": "l"}
    checks = glm("doctor", "--key-env", "OTHER", "--json", env=env).json["checks"]
    assert "expires" not in [check["name"] for check in checks]


@pytest.mark.parametrize(
    ("days", "flags", "told"),
    [
        pytest.param(8, (), None, id="more than a week"),
        pytest.param(6, (), "ends on", id="a week"),
        pytest.param(-1, (), "ended on", id="over"),
        pytest.param(-1, ("--key-env", "OTHER"), None, id="another key"),
        pytest.param(-1, ("-q",), None, id="quiet"),
    ],
)
def test_a_question_says_it_in_the_last_week(
    glm: Glm, server: ScriptedServer, profile: Path, days: float, flags: tuple[str, ...], told: str | None
) -> None:
    """One line on stderr, whatever the number of requests; the answer is as ever."""
    text = f'{HEAD}key = "env:ROUTER_KEY"\nmodel = "glm-4.5-air"\nkey_expires = {in_days(days)}\n'
    profile.write_text(text.replace(OWN, f"{server.address}/router/"))
    key = server.keys["router"]
    result = glm("chat", "echo: hi", *flags, env={"ROUTER_KEY": key, "OTHER": key})
    assert (result.exit_code, result.stdout) == (0, "hi\n")
    assert result.stderr.count("the key of profile router") == (told is not None)
    if told:
        assert f"the key of profile router {told}" in result.stderr
        assert "a new one: glm profile login router" in result.stderr


def test_the_page_about_routers_shows_a_good_file() -> None:
    """What is to be copied from the documents means what they say."""
    page = (Path(__file__).parent.parent / "docs" / "routers.md").read_text("utf-8")
    router = read(page.split("```toml\n")[1].split("```")[0]).profiles["router"].router
    assert router is not None
    assert (router.daily_budget, router.requests_per_minute, router.key_expires) == (1_000_000, 120, "2027-02-19")
    assert [router.weight_of(name) for name in ("glm-5.3", "glm-5v-turbo", "glm-9")] == [1, 8, 2]

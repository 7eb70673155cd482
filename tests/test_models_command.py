"""`glm models`: what is known here, what the service adds, and how each is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from glmcli.api.catalog import MODELS
from glmcli.api.othermodels import OTHER_MODELS
from glmcli.api.resources import images, ocr, transcriptions, videos
from tests.harness import Glm, Golden, ScriptedServer

NOBODY = {"ZAI_API_KEY": None}


def _ids(stdout: str) -> list[str]:
    return [line.partition("\t")[0] for line in stdout.splitlines()]


def test_the_list_needs_neither_key_nor_network(glm: Glm) -> None:
    """Every known model, although nothing is set up."""
    result = glm("models", "-q")
    assert (0, list(MODELS), "") == (result.exit_code, _ids(result.stdout), result.stderr)


def test_a_table_on_a_terminal(glm: Glm, golden: Golden) -> None:
    """Figures in columns; what is not known is a question mark."""
    result = glm("models", tty=True, env={"COLUMNS": "110", "NO_COLOR": "1"})
    assert result.exit_code == 0
    golden.check("models/table.txt", result.stdout + "--\n" + result.stderr)


def test_values_between_tabs_in_a_pipe(glm: Glm) -> None:
    """Numbers as numbers, for `cut` and `sort`."""
    lines = {line.split("\t")[0]: line.split("\t") for line in glm("models").stdout.splitlines()}
    assert lines["glm-5.3"] == ["glm-5.3", "1048576", "131072", "text", "always", "1.4", "0.26", "4.4", "plan"]
    assert lines["glm-5.3-flashx"] == [
        "glm-5.3-flashx", "?", "131072", "text,image,video,file", "always", "?", "?", "?", "",
    ]  # fmt: skip
    assert lines["glm-4.7-flash"][5:8] == ["0", "0", "0"]


def test_an_id_is_shown_in_full(glm: Glm, golden: Golden) -> None:
    """Also one that is part of others' names, and in any case."""
    result = glm("models", "GLM-5.3")
    golden.check("models/glm-5.3.txt", result.stdout)


@pytest.mark.parametrize(
    ("argv", "ids"),
    [
        pytest.param(["5.3"], ["glm-5.3", "glm-5.3-flash", "glm-5.3-flashx"], id="part of the id"),
        pytest.param(["glm-5.?"], ["glm-5.3", "glm-5.2", "glm-5.1"], id="pattern"),
        pytest.param(["--plan"], ["glm-5.3", "glm-5.3-flash"], id="plan"),
        pytest.param(["--vision", "--free"], ["glm-4.6v-flash"], id="vision and free"),
        pytest.param(["glm-4-*", "--region", "cn"], ["glm-4-flash-250414", "glm-4-flashx-250414", "glm-4-voice"]),
        pytest.param(["autoglm", "--thinking"], None, id="nothing fits"),
    ],
)
def test_filters(glm: Glm, argv: list[str], ids: list[str] | None) -> None:
    """Each leaves out what it does not fit; together they all count."""
    result = glm("models", "-q", *argv)
    assert (result.exit_code, _ids(result.stdout)) == ((2, []) if ids is None else (0, ids))


def test_a_mistyped_id_is_told_with_its_neighbours(glm: Glm) -> None:
    """Exit 2, and a command that would find out more."""
    result = glm("models", "glm-5.33")
    assert result.exit_code == 2
    assert "did you mean glm-5.3" in result.stderr
    assert "glm models --remote" in result.stderr


def test_default_and_aliases_are_marked(glm: Glm, home: Path) -> None:
    """Those of the profile that is used; an alias may be asked for by name."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(
        'version = 1\n[aliases]\nbest = "glm-5.3"\nfast = "glm-5.3-flash"\n'
        '[profiles.work]\nprovider = "zai-coding"\nmodel = "fast"\n'
    )
    (home / "config.toml").chmod(0o600)
    notes = {line.split("\t")[0]: line.split("\t")[-1] for line in glm("models").stdout.splitlines()}
    assert notes["glm-5.3"] == "plan, alias best"
    assert notes["glm-5.3-flash"] == "default, plan, alias fast"
    assert notes["glm-4.7"] == "on a plan answered by glm-5.3-flash"
    assert glm("models", "fast", "--json").json["id"] == "glm-5.3-flash"


def test_prices_in_cny_are_said_to_be_unknown(glm: Glm) -> None:
    """A price in the wrong currency is worse than none."""
    env = {"ZHIPU_API_KEY": "0" * 32 + ".0123456789abcdef"}
    result = glm("models", tty=True, env=env)
    assert "1.40" not in result.stdout
    assert "CNY and not known here" in result.stderr
    document = glm("models", "--json", env=env).json
    assert (document["currency"], document["region"], document["models"][0]["price"]) == ("CNY", "cn", None)
    assert glm("models", "--region", "intl", "--json", env=env).json["models"][0]["price"]["input"] == 1.4


def test_json_tells_unknown_from_nothing(glm: Glm) -> None:
    """null is not known; false and 0 are."""
    models = {model["id"]: model for model in glm("models", "--json").json["models"]}
    assert models["glm-4.7-flash"]["price"] == {"input": 0.0, "cached": 0.0, "output": 0.0}
    assert models["glm-5.3-flashx"]["price"] is None
    assert models["glm-4-32b-0414-128k"]["thinking"]["supported"] is False
    assert models["glm-5.2"]["plan_serves"] == "glm-5.3"
    assert models["glm-5.3"]["served"] is None


def test_the_service_adds_what_is_new(glm: Glm, server: ScriptedServer) -> None:
    """A new id is shown as unknown; what the service leaves out stays."""
    listing = {"object": "list", "data": [{"id": "glm-5.3"}, {"id": "glm-6"}]}
    server.script("GET", "/api/paas/v4/models", json=listing)
    models = {model["id"]: model for model in glm("models", "--remote", "--json").json["models"]}
    assert (models["glm-5.3"]["served"], models["glm-4.6v"]["served"]) == (True, False)
    assert models["glm-6"] == {
        **dict.fromkeys(models["glm-6"]),
        "id": "glm-6",
        "known": False,
        "default": False,
        "aliases": [],
        "thinking": {"supported": None, "can_disable": None, "efforts": None},
        "served": True,
    }
    server.script("GET", "/models", json=listing)
    assert glm("models", "glm-6", "--remote").stdout.splitlines()[1] == "  context                ?"


def test_a_custom_service_is_listed_alone(glm: Glm, server: ScriptedServer) -> None:
    """With `--remote`: what another vendor's server does not list, it does not have."""
    server.script("GET", "/v1/models", json={"data": [{"id": "qwen"}, {"id": "glm-4.6"}]})
    argv = ("--base-url", f"{server.address}/v1", "models", "--remote", "--json")
    document = glm(*argv, env={"GLM_API_KEY": server.keys["zai"]}).json
    assert [model["id"] for model in document["models"]] == ["qwen", "glm-4.6"]
    assert (document["currency"], document["models"][1]["price"]) == (None, None)


@pytest.mark.parametrize(
    ("argv", "env", "exit_code"),
    [
        pytest.param(["--remote"], NOBODY, 3, id="nothing set up"),
        pytest.param(["--remote"], {"ZAI_API_KEY": "0" * 32 + ".wrongwrongwrong1"}, 4, id="bad key"),
        pytest.param(["--provider", "nonsense"], NOBODY, 3, id="unknown provider"),
    ],
)
def test_asking_can_fail(
    glm: Glm, server: ScriptedServer, argv: list[str], env: dict[str, str | None], exit_code: int
) -> None:
    """As every other command does."""
    assert glm("models", *argv, env=env).exit_code == exit_code


# -- models that do not chat -----------------------------------------------------------


def test_all_adds_what_does_not_chat(glm: Glm, golden: Golden) -> None:
    """A second table: what each makes, and with which command."""
    result = glm("models", "--all", tty=True, env={"COLUMNS": "110", "NO_COLOR": "1"})
    golden.check("models/others.txt", result.stdout.partition("\n\n")[2])
    ids = _ids(glm("models", "--all", "-q").stdout)
    assert ids == [*MODELS, *OTHER_MODELS]
    assert {len(line.split("\t")) for line in glm("models", "--all").stdout.splitlines()} == {9}
    assert "other_models" in glm("models", "--all", "--json").json


def test_a_pattern_finds_them_too(glm: Glm) -> None:
    """An id shows one in full; its price is that of the user's region."""
    assert _ids(glm("models", "cogvideo", "-q").stdout) == ["cogvideox-3", "cogvideox-2", "cogvideox-flash"]
    assert "0.2 USD per video" in glm("models", "cogvideox-3").stdout
    env = {"ZHIPU_API_KEY": "0" * 32 + ".0123456789abcdef"}
    assert glm("models", "cogvideox-3", "--json", env=env).json["price"] is None
    assert glm("models", "cogvideox-3", "--vision").exit_code == 0


def test_every_model_of_a_command_is_listed() -> None:
    """What `glm image` and the others use by default or know the limits of."""
    assert {*images.MODELS, *videos.MODELS, ocr.DEFAULT_MODEL, transcriptions.DEFAULT_MODEL} <= set(OTHER_MODELS)


def test_a_broken_configuration_is_told(glm: Glm, home: Path) -> None:
    """Rather than shown as if there were none."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("default_profile = \n")
    assert glm("models").exit_code == 3

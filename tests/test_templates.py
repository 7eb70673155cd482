"""Templates: read strictly, filled once, laid under the options of a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from glmcli.config.templates import fill, parse_template
from glmcli.errors import ConfigError, UsageError
from tests.harness import Glm, ScriptedServer

REVIEW = '''\
description = "Review a change"
system = "You review {{language}}."
model = "glm-4.6"
prompt = """
Look for {{focus}} in:

{{input}}
"""
think = "off"
temperature = 0.2
max_tokens = 4000

[defaults]
focus = "mistakes"
'''


@pytest.fixture
def review(home: Path) -> Path:
    path = home / "templates" / "review.toml"
    path.parent.mkdir(mode=0o700, parents=True)
    path.write_text(REVIEW, encoding="utf-8")
    return path


# -- reading --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param('prompt = "a"\nmodell = "x"\n', 2, "modell is no key", id="unknown key"),
        pytest.param('prompt = "a"\n\ntemperature = "warm"\n', 3, "temperature must be a number", id="wrong type"),
        pytest.param('prompt = "a"\njson_mode = 1\n', 2, "json_mode must be true or false", id="no flag"),
        pytest.param('prompt = "a"\n[defaults]\nx = "1"\n', 3, "defaults.x stands in neither", id="unused default"),
        pytest.param('prompt = "a {{n}}"\n[defaults]\nn = 1\n', 3, "defaults.n must be text", id="default is no text"),
        pytest.param('prompt = "a\n', 1, "", id="broken TOML"),
        pytest.param('prompt = ["a"]\n', 1, "prompt must be text, not a list", id="list"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, words: str) -> None:
    """Path, line and reason."""
    with pytest.raises(ConfigError) as caught:
        parse_template(text, Path("/t/x.toml"))
    assert f"/t/x.toml, line {line}" in caught.value.message
    assert words in caught.value.message


def test_a_template_needs_a_text() -> None:
    """A prompt, or a system message."""
    with pytest.raises(ConfigError, match="prompt is missing"):
        parse_template('model = "glm-5.3"\n', Path("x.toml"))
    assert parse_template('system = "be kind"\n', Path("x.toml")).wants_input


def test_variables_are_found_in_their_order() -> None:
    """Once each, without `input`; what is no name is no variable."""
    template = parse_template(
        'system = "{{b}} {{ a }}"\nprompt = "{{a}} {{input}} {{1}} {x} {{x y}}"\n', Path("x.toml")
    )
    assert template.variables == ("b", "a")
    filled = fill(template, {"a": "1", "b": "2"}, "words")
    assert (filled.system, filled.prompt) == ("2 1", "1 words {{1}} {x} {{x y}}")


def test_values_are_not_read_again() -> None:
    """A diff about templates stays what it is."""
    template = parse_template('prompt = "{{a}}: {{input}}"\n', Path("x.toml"))
    assert fill(template, {"a": "{{input}}"}, "{{a}} {{b}}").prompt == "{{input}}: {{a}} {{b}}"


def test_words_follow_a_prompt_without_a_place_for_them() -> None:
    """After a blank line."""
    template = parse_template('prompt = "Translate."\n', Path("x.toml"))
    assert fill(template, {}, "hello").prompt == "Translate.\n\nhello"
    assert fill(template, {}, None).prompt == "Translate."


@pytest.mark.parametrize(
    ("given", "words", "told"),
    [
        pytest.param({}, "x", "needs language, tone", id="missing"),
        pytest.param({"language": "a", "tone": "b"}, None, "needs a text", id="no input"),
        pytest.param({"language": "a", "tone": "b", "tune": "c"}, "x", "has no variable tune", id="unknown"),
    ],
)
def test_what_is_missing_is_listed(given: dict[str, str], words: str | None, told: str) -> None:
    """All of it at once."""
    template = parse_template('prompt = "{{language}} {{tone}} {{input}}"\n', Path("x.toml"))
    with pytest.raises(UsageError, match=told) as caught:
        fill(template, given, words)
    assert caught.value.hint


# -- asking ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_a_template_makes_the_request(glm: Glm, server: ScriptedServer, review: Path, command: str) -> None:
    """Texts, model and options; what is piped in stands at {{input}}."""
    result = glm(command, "--template", "review", "--var", "language=Python", input="+ x = 1\n")
    assert result.exit_code == 0, result.stderr
    body = server.last.json
    assert body["messages"] == [
        {"role": "system", "content": "You review Python."},
        {"role": "user", "content": "Look for mistakes in:\n\n+ x = 1\n\n"},
    ]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("glm-4.6", 0.2, 4000)
    assert body["thinking"] == {"type": "disabled"}


def test_options_win_over_the_template(glm: Glm, server: ScriptedServer, review: Path) -> None:
    """Each by itself, and --var over a default."""
    words = ["--var", "language=Go", "--var", "focus=races", "-m", "glm-4.5", "--temperature", "0.9", "-s", "be short"]
    glm("chat", "--template", "review", *words, "code")
    body = server.last.json
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("glm-4.5", 0.9, 4000)
    assert [message["content"] for message in body["messages"]] == ["be short", "Look for races in:\n\ncode\n"]


def test_a_template_beside_the_work_is_named_by_its_path(glm: Glm, server: ScriptedServer) -> None:
    """Anything with a slash or `.toml` in it."""
    Path("here.toml").write_text('prompt = "echo: {{input}}"\n')
    assert glm("stream", "--template", "here.toml", "hi").stdout == "hi"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--template", "review", "x"], 2, "needs language"),
        (["--template", "review", "--var", "language=C"], 2, "needs a text"),
        (["--template", "review", "--var", "language", "x"], 2, "not the form name=value"),
        (["--template", "reviev", "x"], 2, "did you mean review?"),
        (["--template", "a b", "x"], 2, "cannot name a template"),
        (["--var", "a=b", "x"], 2, "--var needs --template"),
        (["--template", "broken", "x"], 3, "broken.toml, line 1"),
    ],
)
def test_what_cannot_be_asked(
    glm: Glm, server: ScriptedServer, review: Path, words: list[str], code: int, told: str
) -> None:
    """Told before anything is sent."""
    review.with_name("broken.toml").write_text("prompt = \n")
    result = glm("chat", *words)
    assert (result.exit_code, len(server.requests)) == (code, 0)
    assert told in result.stderr


def test_a_template_without_prompt_opens_a_conversation(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """Its system message holds for all of it."""
    (home / "templates").mkdir(mode=0o700, parents=True)
    (home / "templates" / "kind.toml").write_text('system = "be kind"\n')
    glm("chat", "--template", "kind", input="echo: one\necho: two\n", tty=True, env={"TERM": "dumb"})
    assert [message["content"] for message in server.last.json["messages"]] == [
        "be kind", "echo: one", "one", "echo: two",
    ]  # fmt: skip


# -- the command ----------------------------------------------------------------------------


def test_templates_are_listed(glm: Glm, review: Path) -> None:
    """A broken one is told and hides no other."""
    review.with_name("broken.toml").write_text("prompt = \n")
    result = glm("template", "list")
    assert (result.exit_code, result.stdout) == (0, "review\tglm-4.6\tlanguage, focus\tReview a change\n")
    assert "broken.toml, line 1" in result.stderr
    assert glm("template", "list", "--json").json["templates"][0]["variables"] == ["language", "focus"]
    assert "VARIABLES" in glm("template", "list", tty=True).stdout


def test_a_template_is_shown(glm: Glm, review: Path) -> None:
    """The file as it is, or its parts."""
    assert glm("template", "show", "review").stdout == REVIEW
    document = glm("template", "show", "review", "--json").json
    assert (document["options"]["think"], document["defaults"]) == ("off", {"focus": "mistakes"})


def test_a_template_is_made_from_words(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """And can be used at once; quotes, line ends and braces stay what they are."""
    prompt = 'Say "{{word}}"\nin \\LaTeX {{input}}'
    assert glm("template", "new", "say", "--prompt", prompt, "--description", "Say it").exit_code == 0
    glm("chat", "--template", "say", "--var", "word=hi", "now")
    assert server.last.json["messages"][0]["content"] == 'Say "hi"\nin \\LaTeX now'
    assert (home / "templates" / "say.toml").stat().st_mode & 0o777 == 0o600
    assert glm("template", "new", "say", "--prompt", "x").exit_code == 2


def editor(folder: Path, script: str) -> dict[str, str]:
    """An editor that changes its file by a shell command."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return {"EDITOR": str(path)}


def test_the_editor_makes_and_changes_templates(glm: Glm, tmp_path: Path, home: Path) -> None:
    """`new` opens a file that explains itself and is good as it stands."""
    made = glm("template", "new", "mine", env=editor(tmp_path, "true"))
    assert made.exit_code == 0, made.stderr
    script = '{ echo "think = \\"low\\""; cat "$1"; } > "$1.x"; mv "$1.x" "$1"'
    changed = glm("template", "edit", "mine", env=editor(tmp_path, script))
    assert changed.exit_code == 0, changed.stderr
    assert glm("template", "show", "mine", "--json").json["options"] == {"think": "low"}


def test_a_mistake_in_the_editor_loses_nothing(glm: Glm, tmp_path: Path, review: Path) -> None:
    """The template stays as it was, and the text is kept beside it."""
    result = glm("template", "edit", "review", env=editor(tmp_path, 'echo "promt = 1" > "$1"'))
    assert result.exit_code == 3
    assert "promt is no key" in result.stderr
    assert review.read_text() == REVIEW
    assert review.with_suffix(".toml.rejected").read_text() == "promt = 1\n"

"""`glm history`: on a terminal, in a pipe and as JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glmcli.errors import UsageError
from glmcli.events import ToolCall, Usage
from glmcli.history import Attachment, History, Message
from glmcli.history.times import age, parse_age
from glmcli.render.columns import columns
from tests.harness import Glm

DAY = 24 * 3600.0
Keep = Callable[..., str]


@pytest.fixture
def history(home: Path) -> Iterator[History]:
    """The database that the commands use."""
    history = History(home / "history.db")
    yield history
    history.close()


@pytest.fixture
def keep(home: Path) -> Keep:
    """Keeps a conversation of a prompt and an answer, some days old."""

    def keep(title: str, answer: str = "fine", *, days: float = 0, profile: str | None = None) -> str:
        history = History(home / "history.db", now=lambda: time.time() - days * DAY)
        messages = [Message("user", f"prompt of {title}"), Message("assistant", answer, model="glm-5.3")]
        id = history.start(messages, title=title, model="glm-5.3", profile=profile).id
        history.close()
        return id

    return keep


@pytest.fixture
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the zone can be changed on POSIX only")
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


# -- list ----------------------------------------------------------------------


def test_list_in_a_pipe_is_tab_separated(glm: Glm, keep: Keep) -> None:
    """One line per conversation, the latest first, times in UTC."""
    first, second = keep("Old\tplan", days=3), keep("New 猫")

    result = glm("history", "list")

    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [second, "2", "glm-5.3", "New 猫"] == [rows[0][0], *rows[0][2:]]
    assert [first, "2", "glm-5.3", "Old plan"] == [rows[1][0], *rows[1][2:]]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rows[0][1])


def test_list_on_a_terminal_is_a_table(glm: Glm, keep: Keep) -> None:
    """Ages instead of times; a long title is cut to the width, Chinese counted double; nothing steers the terminal."""
    ids = [keep("长" * 60, days=3), keep("evil\x1b]0;x\x07", days=0.126)]

    result = glm("history", "list", tty=True, env={"COLUMNS": "60"})

    assert [
        "ID          UPDATED  MESSAGES  MODEL    TITLE",
        f"{ids[1]}  3h ago   2         glm-5.3  evil^[]0;x^G",
        f"{ids[0]}  3d ago   2         glm-5.3  {'长' * 9}…",
    ] == result.stdout.splitlines()


def test_list_as_json(glm: Glm, keep: Keep) -> None:
    """One document, or one object per line."""
    id = keep("Plan", profile="work")

    document = glm("history", "list", "--json").json
    lines = glm("history", "list", "--jsonl").lines

    assert document["schema_version"] == 1
    assert document["conversations"] == lines
    assert (id, "Plan", "work", 2) == tuple(lines[0][key] for key in ("id", "title", "profile", "message_count"))
    assert {"id", "title", "model", "provider", "profile", "created_at", "updated_at", "message_count"} == set(lines[0])


def test_list_is_limited_and_filtered(glm: Glm, keep: Keep) -> None:
    """At most N, of the profile that -p names; a terminal is told that there are more."""
    for number in range(4):
        keep(str(number), days=number, profile="work" if number else "home")

    assert [line["title"] for line in glm("history", "list", "-n", "2", "--jsonl").lines] == ["0", "1"]
    assert len(glm("history", "list", "-n", "0", "--jsonl").lines) == 4
    assert [line["title"] for line in glm("history", "list", "-n1", "-p", "work", "--jsonl").lines] == ["1"]
    assert glm("history", "list", "-n2", tty=True).stderr == "the latest 2 of 4; all of them: glm history list -n 0\n"


@pytest.mark.parametrize("words", [("list",), ("search", "x")], ids=lambda words: words[0])
def test_an_empty_history(glm: Glm, home: Path, words: tuple[str, ...]) -> None:
    """Nothing on stdout, a word on stderr, no file, and JSON that can still be read."""
    result = glm("history", *words)

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr
    assert [value for value in glm("history", *words, "--json").json.values() if value != 1 and value] == []
    assert not home.exists()


# -- show ----------------------------------------------------------------------


@pytest.fixture
def talk(history: History) -> str:
    """A conversation with all that one may hold."""
    return history.start(
        [
            Message("user", "What is **this**?", attachments=(Attachment("/pictures/a.png", "0" * 64),), created_at=0),
            Message(
                "assistant",
                "Let me *look*.\n",
                reasoning="hm\nwell",
                tool_calls=(ToolCall("call_1", "look", '{"at":"it"}'),),
                model="glm-5.3",
                usage=Usage(1, 2, 3),
                created_at=60,
            ),
            Message("tool", "a ```fenced``` cat", tool_call_id="call_1", created_at=60),
            Message("assistant", "# A cat\x1b[31m", model="glm-5.3", interrupted=True, created_at=120, request_id="r"),
        ],
        title="A [strange] thing",
        system="Be brief.",
        profile="work",
    ).id


@pytest.mark.usefixtures("_in_utc")
def test_show_in_a_pipe_is_markdown(glm: Glm, talk: str) -> None:
    """A chapter with a heading per message; texts stand as they are, to the byte."""
    expected = """\
# A \\[strange\\] thing

FACTS

## System

Be brief.

## You — 1970-01-01 00:00

Attached: `/pictures/a.png`

What is **this**?

## glm-5.3 — 1970-01-01 00:01

> hm
> well

Let me *look*.

Calls `look`:

```
{"at":"it"}
```

## Tool — 1970-01-01 00:01

````
a ```fenced``` cat
````

## glm-5.3 — 1970-01-01 00:02

# A cat\x1b[31m

*(interrupted)*
"""
    result = glm("history", "show", talk, "--reasoning")
    without = glm("history", "show", talk)

    assert expected == re.sub(r"^`\S+` · .* · `work`$", "FACTS", result.stdout, flags=re.MULTILINE)
    assert talk in result.stdout
    assert result.stdout.replace("> hm\n> well\n\n", "") == without.stdout


def test_show_on_a_terminal_is_rendered(glm: Glm, talk: str) -> None:
    """Markup is gone and control characters are harmless; --raw shows the source."""
    rendered = glm("history", "show", "last", tty=True, env={"NO_COLOR": "1"}).stdout
    raw = glm("history", "show", "--raw", tty=True).stdout

    assert "What is this?" in re.sub(r"\x1b\[[\d;]*m", "", rendered)
    assert "What is **this**?" in raw
    for shown in (rendered, raw):
        assert "\x1b[31m" not in shown
        assert "A cat^[[31m" in shown


def test_show_the_answer_alone(glm: Glm, talk: str) -> None:
    """For the next command of a pipe: the last answer and one newline."""
    assert glm("history", "show", "A", "[strange]", "thing", "--answer").stdout == "# A cat\x1b[31m\n"


def test_show_as_json(glm: Glm, talk: str) -> None:
    """Messages begin as the service takes them; what else is known stands beside."""
    document = glm("history", "show", talk, "--json").json

    assert (1, talk, "Be brief.", 4) == (
        document["schema_version"],
        document["id"],
        document["system"],
        document["message_count"],
    )
    prompt, call, tool, answer = document["messages"]
    assert (
        prompt["role"],
        prompt["content"],
        prompt["attachments"][0]["path"],
    ) == ("user", "What is **this**?", "/pictures/a.png")
    assert (call["tool_calls"]) == [
        {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"it"}'}}
    ]
    assert (call["reasoning"], call["complete"], call["usage"]["total_tokens"]) == ("hm\nwell", True, 3)
    assert (tool["role"], tool["tool_call_id"]) == ("tool", "call_1")
    assert (answer["complete"], answer["request_id"], answer["created_at"]) == (False, "r", "1970-01-01T00:02:00Z")


@pytest.mark.parametrize(
    ("name", "message"), [("nothing", "no conversation 'nothing'"), ("plan", "several conversations match 'plan'")]
)
def test_a_name_that_means_nothing_or_much(glm: Glm, keep: Keep, name: str, message: str) -> None:
    """Exit 2, with the candidates."""
    ids = [keep("Plan A"), keep("Plan B")]

    result = glm("history", "show", name)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    if name == "plan":
        assert all(id in result.stderr for id in ids)


# -- search --------------------------------------------------------------------


def test_search_in_a_pipe(glm: Glm, keep: Keep) -> None:
    """Id, time, position, role, title and snippet; words need no quoting."""
    id = keep("Cooking", "Use the\n\tgreen pan.")
    keep("Painting", "Use green.")

    result = glm("history", "search", "GREEN", "pan")

    fields = result.stdout.rstrip("\n").split("\t")
    assert [id, "1", "assistant", "Cooking", "Use the green pan."] == [fields[0], *fields[2:]]


def test_search_on_a_terminal_marks_the_words(glm: Glm, keep: Keep) -> None:
    """The words are bold, what surrounds them cannot steer the terminal."""
    id = keep("Wetter", "明天\x1b[2J北京的天气怎么样")

    result = glm("history", "search", "天气", tty=True)
    plain = glm("history", "search", "天气", tty=True, env={"NO_COLOR": "1"})

    assert f"{id}  Wetter  (assistant, just now)\n    明天^[[2J北京的\x1b[1m天气\x1b[22m怎么样\n" == result.stdout
    assert re.sub(r"\x1b\[\d+m", "", result.stdout) == plain.stdout


def test_search_as_json(glm: Glm, keep: Keep) -> None:
    """The marks say where the words stand in the snippet."""
    id = keep("Cooking", "green peas, Green pan")

    (hit,) = glm("history", "search", "green", "--json").json["results"]

    assert [hit] == glm("history", "search", "green", "--jsonl").lines
    assert (id, 1, "assistant", [[0, 5], [12, 17]]) == (hit["id"], hit["position"], hit["role"], hit["marks"])


@pytest.mark.parametrize("query", ['"', "NEAR(a b", "a AND", "*", "col:x", "-- '", "^x"])
def test_search_takes_any_text(glm: Glm, keep: Keep, query: str) -> None:
    """Nothing that is typed is a syntax error of the index."""
    keep("Plan")

    result = glm("history", "search", "--", query)

    assert (2 if query == '"' else 0, "") == (result.exit_code, result.stdout)
    assert "Traceback" not in result.stderr


# -- export --------------------------------------------------------------------


def test_export_forms(glm: Glm, keep: Keep, tmp_path: Path) -> None:
    """Oldest first; the ending of the file says the form, --format overrides it."""
    first, second = keep("First", days=2), keep("Second")

    markdown = glm("history", "export", "--all").stdout
    glm("history", "export", "--all", "-o", "all.jsonl")
    glm("history", "export", first, "first", "-o", "first.json")
    glm("history", "export", "last", "-o", "odd.json", "--format", "md")

    assert re.search(r"# First\n(.|\n)*fine\n\n---\n\n# Second\n", markdown)
    work = tmp_path / "work"
    assert [first, second] == [json.loads(line)["id"] for line in (work / "all.jsonl").read_text().splitlines()]
    assert [first] == [item["id"] for item in json.loads((work / "first.json").read_text())["conversations"]]
    assert (work / "odd.json").read_text().startswith("# Second\n")
    assert (work / "all.jsonl").stat().st_mode & 0o777 == 0o600
    assert [second] == [item["id"] for item in glm("history", "export", "last", "--json").json["conversations"]]
    assert glm("history", "export", "--older-than", "30d", "--json").json["conversations"] == []


def test_export_never_replaces_a_file_unasked(glm: Glm, keep: Keep, tmp_path: Path) -> None:
    """An existing file needs --force; a folder is refused."""
    keep("Plan")
    file = tmp_path / "work" / "mine.md"
    file.write_text("mine")

    refused = glm("history", "export", "last", "-o", "mine.md")
    assert (refused.exit_code, file.read_text()) == (2, "mine")
    assert glm("history", "export", "last", "-o", ".").exit_code == 2
    assert glm("history", "export", "last", "-o", "mine.md", "--force").exit_code == 0
    assert file.read_text().startswith("# Plan")


def test_export_and_delete_need_to_know_what(glm: Glm, keep: Keep) -> None:
    """Without names, age or --all nothing is meant; with both nothing is clear."""
    id = keep("Plan")

    for command in ("export", "delete"):
        assert glm("history", command).exit_code == 2
        assert glm("history", command, id, "--all").exit_code == 2
    assert len(glm("history", "list", "--jsonl").lines) == 1


# -- delete --------------------------------------------------------------------


def test_delete_asks_at_a_terminal(glm: Glm, keep: Keep) -> None:
    """No is the default; yes deletes."""
    keep("Plan")

    declined = glm("history", "delete", "last", tty=True, input="\n")
    assert "Delete “Plan” (2 messages)?" in declined.stderr
    assert "nothing was deleted" in declined.stderr
    assert len(glm("history", "list", "--jsonl").lines) == 1

    assert "deleted 1 conversation\n" in glm("history", "delete", "last", tty=True, input="y\n").stderr
    assert glm("history", "list", "--jsonl").lines == []


@pytest.mark.parametrize(("words", "tty"), [((), False), (("--no-input",), True)], ids=["pipe", "--no-input"])
def test_delete_does_not_delete_unasked(glm: Glm, keep: Keep, words: tuple[str, ...], tty: bool) -> None:
    """Where nobody can be asked, --yes must say so: exit 2."""
    keep("Plan")

    result = glm("history", "delete", "--all", *words, tty=tty)

    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert len(glm("history", "list", "--jsonl").lines) == 1


def test_delete_by_age_and_profile(glm: Glm, keep: Keep) -> None:
    """Only what is old enough, or belongs to the profile, or was named; a dry run only tells."""
    for title, days in (("old", 40), ("older", 80), ("new", 1)):
        keep(title, days=days)
    keep("work", profile="work")

    def left() -> list[str]:
        return [line["title"] for line in glm("history", "list", "--jsonl").lines]

    dry = glm("history", "delete", "--older-than", "30d", "--dry-run")
    assert [line.split("\t")[-1] for line in dry.stdout.splitlines()] == ["old", "older"]
    assert dry.stderr == "would delete 2 conversations (4 messages)\n"
    assert left() == ["work", "new", "old", "older"]

    glm("history", "delete", "older", "new", "--older-than", "30d", "--yes")
    assert left() == ["work", "new", "old"]
    assert glm("history", "delete", "--all", "-p", "work", "-y", "--json").json == {"schema_version": 1, "deleted": 1}
    assert left() == ["new", "old"]
    glm("history", "delete", "--older-than", "4w", "-y")
    assert left() == ["new"]
    assert glm("history", "delete", "--older-than", "1y", "-y").stderr == "deleted 0 conversations\n"


# -- trouble -------------------------------------------------------------------


def test_a_damaged_file_is_told(glm: Glm, home: Path) -> None:
    """Exit 3 with the way out; the file stays."""
    home.mkdir()
    (home / "history.db").write_bytes(b"not a database " * 100)

    result = glm("history", "list", "--json")

    assert (result.exit_code, result.stdout, result.error["kind"]) == (3, "", "history")
    assert f"mv {home / 'history.db'} " in result.error["hint"]
    assert (home / "history.db").read_bytes() == b"not a database " * 100


# -- words ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "days"), [("12h", 0.5), ("30d", 30), ("2W", 14), ("6mo", 180), ("1y", 365), (" 1.5 d ", 1.5)]
)
def test_ages_are_read(text: str, days: float) -> None:
    """Hours to years."""
    assert days * DAY == parse_age(text)


@pytest.mark.parametrize("text", ["30", "6m", "d", "-1d", "", "1d2h", "٣d x", "9" * 400 + "d"])
def test_an_age_that_is_not_clear_is_refused(text: str) -> None:
    """`6m` above all: who means months must not delete what is older than minutes."""
    with pytest.raises(UsageError, match="is not an age"):
        parse_age(text)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-100, "just now"),
        (4, "just now"),
        (59, "59s ago"),
        (3599, "59m ago"),
        (86399, "23h ago"),
        (13 * DAY, "13d ago"),
        (15 * DAY, "2w ago"),
        (100 * DAY, "3mo ago"),
        (900 * DAY, "2y ago"),
    ],
)
def test_ages_are_written(seconds: float, expected: str) -> None:
    """In the one unit that says enough."""
    assert expected == age(seconds)


def test_columns_give_way_in_one_place() -> None:
    """A narrow terminal cuts the flexible column, no other."""
    assert columns(("ID", "TITLE", "N"), [("abc", "1234567890", "1"), ("d", "x", "22")], width=5, flexible=1) == [
        "ID   TITLE     N",
        "abc  1234567…  1",
        "d    x         22",
    ]

"""The local database: what is kept comes back, whoever else writes and whatever happens."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glmcli.errors import ConfigError, GlmError, HistoryError, UsageError
from glmcli.events import Answer, ToolCall, Usage
from glmcli.history import Attachment, History, Message, UsageEntry, UsageSum
from glmcli.history.attachments import describe
from glmcli.history.database import Database
from glmcli.history.schema import MIGRATIONS

NOON = 1_790_000_000.0


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.db"


@pytest.fixture
def history(path: Path, clock: Clock) -> Iterator[History]:
    history = History(path, now=clock)
    yield history
    history.close()


def ask(history: History, *texts: str, title: str | None = None, profile: str | None = None) -> str:
    """Keep a conversation whose prompts and answers take turns; its id."""
    roles = ("user", "assistant")
    messages = [Message(roles[index % 2], text) for index, text in enumerate(texts)]
    return history.start(messages, title=title, profile=profile).id


def in_order(path: Path) -> bool:
    """Whether SQLite finds the file and its search index whole."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("INSERT INTO messages_text (messages_text, rank) VALUES ('integrity-check', 1)")
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)] and not broken
    finally:
        connection.close()


# -- conversations ---------------------------------------------------------------


FULL = Message(
    role="assistant",
    content="Es regnet.\n",
    reasoning="weather?",
    tool_calls=(ToolCall("call_1", "weather", '{"city":"Köln"}'),),
    attachments=(Attachment("/pictures/a.png", "0" * 64, "image/png", 12), Attachment("https://example.com/b.jpg")),
    model="glm-5.3",
    finish_reason="tool_calls",
    usage=Usage(10, 20, 30, 4, 5),
    interrupted=True,
    created_at=NOON - 1,
    request_id="r-1",
    seconds=1.5,
)


def test_a_message_comes_back_as_it_was(history: History) -> None:
    """Every field survives."""
    conversation = history.start([FULL], model="glm-5.3", provider="zai", profile="work", system="Be brief.")

    transcript = history.load(conversation.id)

    assert transcript.messages == (FULL,)
    assert conversation == transcript.conversation
    assert (
        conversation.model,
        conversation.provider,
        conversation.profile,
        conversation.system,
    ) == ("glm-5.3", "zai", "work", "Be brief.")


def test_an_answer_becomes_a_message() -> None:
    """The chat need not copy field by field."""
    answer = Answer(content="hi", reasoning="r", model="m", request_id="q", finish_reason="stop", usage=Usage(1, 2, 3))

    message = Message.from_answer(answer, interrupted=True, seconds=2)

    assert (
        Message(
            "assistant",
            "hi",
            "r",
            model="m",
            request_id="q",
            finish_reason="stop",
            usage=Usage(1, 2, 3),
            interrupted=True,
            seconds=2,
        )
        == message
    )


HOSTILE = {
    "a NUL": "before\0after the zero",
    "lone surrogate": "half \ud83d an emoji",
    "quotes": "'; DROP TABLE messages; --",
    "terminal codes": "\x1b]52;c;ZXZpbA==\x07 and \x9b31m",
    "bidi": "\u202etxt.exe",
    "astral": "𠮷野家 👩‍👩‍👧‍👦",
    "empty": "",
    "long": "word " * 50_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_is_kept_and_can_be_deleted(history: History, path: Path, text: str) -> None:
    """No text breaks the tables or the search index; only what is no text at all is replaced."""
    id = ask(history, text, "answer " + text, title="title " + text)

    kept = history.load(id)
    history.search(text)
    assert text.replace("\ud83d", "?") == kept.messages[0].content
    assert in_order(path)

    assert history.delete([id]) == 1
    assert history.recent() == []
    assert in_order(path)


def test_titles(history: History) -> None:
    """A conversation is called by the first line of its prompt, on one line, not too long."""
    titles = [
        history.start([Message("user", text)], title=title).title
        for text, title in (
            ("\n\n  First \t line \nsecond", None),
            ("x" * 70, None),
            ("", None),
            ("prompt", " My\nown\r title "),
        )
    ]

    assert titles == ["First line", "x" * 59 + "…", "untitled", "My own title"]


def test_a_conversation_goes_on(history: History, clock: Clock) -> None:
    """Appended messages come behind, and the conversation becomes the latest."""
    first = ask(history, "one", profile="work")
    clock.time += 10
    second = ask(history, "two")
    clock.time += 10

    history.append(first, Message("assistant", "1"), Message("user", "and?"))

    assert [message.content for message in history.load(first).messages] == ["one", "1", "and?"]
    assert [first, second] == [item.id for item in history.recent()]
    latest = history.latest()
    assert latest is not None
    assert (first, 3, NOON + 20) == (latest.id, latest.message_count, latest.updated_at)
    assert history.latest(profile="home") is None


def test_a_turn_is_undone(history: History) -> None:
    """Undo takes the prompt and all after it; a retry keeps the prompt."""
    id = ask(history, "one", "1", "two", "2")

    assert [message.content for message in history.undo_answer(id)] == ["2"]
    assert [message.content for message in history.undo_turn(id)] == ["two"]
    assert [message.content for message in history.undo_turn(id)] == ["one", "1"]
    assert history.undo_turn(id) == ()


def test_what_is_changed_and_what_stays(history: History) -> None:
    """Only what is given changes."""
    id = history.start(model="a", system="Be brief.", profile="work").id

    changed = history.change(id, title="New", model="b", system="")

    assert (changed.title, changed.model, changed.system, changed.profile) == ("New", "b", "", "work")


def test_a_conversation_that_another_process_deleted(history: History) -> None:
    """Going on with it is a HistoryError, which a chat survives, and nothing half-written."""
    id = ask(history, "one")
    history.delete([id])

    with pytest.raises(HistoryError, match=f"conversation {id} is not"):
        history.append(id, Message("assistant", "1"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("last", "Plan for Köln"),
        ("plan", "Plan"),
        ("PLAN FOR KÖLN", "Plan for Köln"),
        ("köln", "Plan for Köln"),
        ("supper", "What's for supper?"),
    ],
)
def test_a_conversation_is_found_by_its_title(history: History, clock: Clock, name: str, expected: str) -> None:
    """An exact title wins over a part of one; case does not matter."""
    for title in ("What's for supper?", "Plan", "Plan for Köln"):
        clock.time += 1
        ask(history, "x", title=title)

    assert expected == history.find(name).title


def test_a_conversation_is_found_by_its_id(history: History, clock: Clock) -> None:
    """By the whole id, or the beginning of it."""
    ids = []
    for _ in range(3):
        ids.append(ask(history, "x"))
        clock.time += 40 * 24 * 3600

    assert ids == sorted(ids)
    assert ids[1] == history.find(ids[1]).id
    assert ids[1] == history.find(ids[1][:4].upper()).id


def test_an_ambiguous_name_lists_the_candidates(history: History) -> None:
    """The error names what may be meant, so that the next try can be right."""
    ids = {ask(history, "x", title="Plan A"), ask(history, "x", title="Plan B")}

    with pytest.raises(UsageError) as failure:
        history.find("plan")

    assert all(id in failure.value.message for id in ids)
    for unknown in ("nothing", "", "%", "' OR 1=1"):
        with pytest.raises(UsageError, match="no conversation"):
            history.find(unknown)


# -- search --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("thunder", ["No thunder today."]),
        ("THUNDER today", ["No thunder today."]),
        ("thunder yesterday", []),
        ('"thunder today"', ["No thunder today."]),
        ('"today thunder"', []),
        ("no", ["No thunder today."]),
        ("明天", ["明天北京的天气怎么样？"]),
        ("天气怎", ["明天北京的天气怎么样？"]),
        ("明天 天气怎", ["明天北京的天气怎么样？"]),
        ("ПОГОДА", ["погода в Москве"]),
        ("100%", ["100% sure_thing"]),
        ("%", ["100% sure_thing"]),
        ("e_t", ["100% sure_thing"]),
        ("thunder OR pogoda", []),
        ("NEAR(", []),
        ('"', []),
        ("thund*", []),
        ("content:thunder", []),
        ("\\", []),
        ("   ", []),
    ],
)
def test_search(history: History, query: str, expected: list[str]) -> None:
    """Every word must occur, in any script, length and case; nothing that is typed is an operator."""
    for text in ("No thunder today.", "明天北京的天气怎么样？", "погода в Москве", "100% sure_thing"):
        ask(history, text, title="t")

    assert expected == [hit.snippet.text for hit in history.search(query)]


def test_a_snippet_shows_the_surroundings(history: History) -> None:
    """The match is marked in the middle of what stands around it, on one line."""
    id = ask(history, "a " * 100 + "\n\nfind the Needle,\nneedle " + "b " * 100)

    (hit,) = history.search("needle")

    text = hit.snippet.marked("[", "]")
    assert (id, 0, "user") == (hit.conversation_id, hit.position, hit.role)
    assert "a a find the [Needle], [needle] b b" in text
    assert text.startswith("…")
    assert text.endswith("…")
    assert "\n" not in text


def test_search_is_newest_first_and_limited(history: History) -> None:
    """What was said last is found first."""
    for index in range(5):
        ask(history, f"number {index} of many", title="t")

    assert [hit.snippet.text for hit in history.search("number", 2)] == ["number 4 of many", "number 3 of many"]


def test_titles_are_searched_too(history: History) -> None:
    """A conversation is found by a title that no message holds, once, without a position."""
    id = ask(history, "hello", title="Deploy plan")
    ask(history, "deploy this", title="deploy")

    hits = history.search("deploy")

    assert [hit.snippet.text for hit in hits] == ["deploy this", "Deploy plan"]
    assert (id, None) == (hits[1].conversation_id, hits[1].position)


def test_what_is_undone_is_not_found(history: History, path: Path) -> None:
    """The index follows the table."""
    id = ask(history, "remember", "this")
    history.undo_turn(id)

    assert [hit for hit in history.search("remember") if hit.position is not None] == []
    assert in_order(path)


# -- deletion ------------------------------------------------------------------


def test_deleted_means_gone_from_the_disk(history: History, path: Path) -> None:
    """Neither the file nor its log nor the index keeps what was deleted."""
    kept = ask(history, "keep this sentence")
    gone = ask(history, "Verschlusssache: xylophone", "zebrafinch " * 200)

    assert history.delete([gone, "unknown"]) == 1

    assert [kept] == [item.id for item in history.recent()]
    data = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"keep this sentence" in data
    for trace in (b"xylophone", b"zebrafinch", b"xylop", b"Verschluss", b"xyl"):
        assert trace not in data
    assert in_order(path)


def test_only_old_conversations_are_deleted(history: History, clock: Clock) -> None:
    """One that went on meanwhile is spared, even when it was named."""
    old, revived = ask(history, "old"), ask(history, "revived")
    clock.time += 100
    history.append(revived, Message("assistant", "still here"))

    assert [old] == [item.id for item in history.recent(older_than=NOON + 50)]
    assert history.delete([old, revived], older_than=NOON + 50) == 1
    assert [revived] == [item.id for item in history.recent()]


# -- attachments -----------------------------------------------------------------


def test_attachments_are_references_unless_kept(history: History, tmp_path: Path) -> None:
    """A file that changed is not passed off as the one attached; a kept copy outlives it."""
    kept, referenced = tmp_path / "kept.png", tmp_path / "referenced.png"
    for file in (kept, referenced):
        file.write_bytes(file.name.encode())
    attachments = (describe(kept, mime="image/png"), describe(referenced), Attachment("https://example.com/x.png"))
    assert (attachments[0].mime, attachments[0].bytes) == ("image/png", 8)
    history.attachments.keep(attachments[0])
    history.attachments.keep(attachments[2])

    assert referenced == history.attachments.locate(attachments[1])
    for file in (kept, referenced):
        file.write_bytes(b"something else")

    copy = history.attachments.locate(attachments[0])
    assert copy is not None
    assert copy.read_bytes() == b"kept.png"
    assert [history.attachments.locate(item) for item in attachments[1:]] == [None, None]
    with pytest.raises(HistoryError, match="has changed"):
        history.attachments.keep(attachments[1])


def test_copies_go_with_their_last_conversation(history: History, tmp_path: Path) -> None:
    """A copy is removed when no message names it any more."""
    file = tmp_path / "a.png"
    file.write_bytes(b"picture")
    attachment = describe(file)
    history.attachments.keep(attachment)
    first, second = (history.start([Message("user", attachments=(attachment,))]).id for _ in range(2))
    file.unlink()

    history.delete([first])
    assert history.attachments.locate(attachment) is not None
    history.delete([second])
    assert history.attachments.locate(attachment) is None


# -- ledger, tasks, notes ----------------------------------------------------------


def test_what_lasts_waits_for_the_disk(path: Path) -> None:
    """A line of the ledger does not, so that thousands of them cost no time; whatever comes next does again."""
    database = Database(path)
    waits = []
    for lasting in (True, False, True):
        with database.writing(lasting=lasting) as connection:
            waits.append(connection.execute("PRAGMA synchronous").fetchone()[0])
            connection.execute("INSERT INTO ledger (at, command, provider) VALUES (1, 'chat', 'zai')")
    with pytest.raises(HistoryError), database.writing(lasting=False) as connection:
        connection.execute("nonsense")
    with database.writing() as connection:
        waits.append(connection.execute("PRAGMA synchronous").fetchone()[0])
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM ledger").fetchone()[0] == 3
    database.close()
    normal, full = 1, 2
    assert waits == [full, normal, full, full]


def test_a_line_of_the_ledger_outlives_the_process(path: Path) -> None:
    """Only a power cut can lose it: a process that is killed behind it does not."""
    script = """
import os, sys
from pathlib import Path
from glmcli.history import History, UsageEntry
History(Path(sys.argv[1])).ledger.record(UsageEntry("chat", "zai", prompt_tokens=7))
os._exit(9)
"""
    process = _start(script, path)
    process.communicate()
    history = History(path)
    assert [line.prompt_tokens for line in history.ledger.summary("model")] == [7]
    history.close()


def test_the_ledger_sums_up(history: History) -> None:
    """An unknown cost is counted as unknown, never as nothing; credits are a price; currencies are not mixed."""
    for entry in (
        UsageEntry("chat", "zai", "glm-5.3", "work", 100, 10, 50, cost=0.25, currency="USD", at=NOON),
        UsageEntry("chat", "zhipu", "glm-5.3", "cn", 100, None, 50, cost=0.0, currency="CNY", at=NOON + 1),
        UsageEntry("chat", "zai", "glm-5.3", "work", 7, cost=0.5, currency="USD", at=NOON + 2),
        UsageEntry("image", "zai", "cogview", "work", at=NOON + 3),
        UsageEntry("chat", "zai-coding", "glm-5.3", "plan", 1, 2, 3, credits=1.5, at=NOON + 4),
    ):
        history.ledger.record(entry)

    assert [
        UsageSum("cogview", 1, unpriced=1),
        UsageSum("glm-5.3", 4, 208, 12, 103, {"CNY": 0.0, "USD": 0.75}, 0, 1.5),
    ] == history.ledger.summary("model")
    assert [UsageSum("cogview", 1, unpriced=1), UsageSum("glm-5.3", 1, 7, costs={"USD": 0.5})] == (
        history.ledger.summary("model", since=NOON + 2, profile="work")
    )
    assert [line.key for line in history.ledger.summary("profile")] == ["cn", "plan", "work"]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone can be changed on POSIX only")
@pytest.mark.parametrize(("zone", "day"), [("UTC", "2026-09-21"), ("Asia/Shanghai", "2026-09-22")])
def test_a_day_is_a_local_day(path: Path, monkeypatch: pytest.MonkeyPatch, zone: str, day: str) -> None:
    """The ledger's days end at midnight where the user is."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        history = History(path)
        history.ledger.record(UsageEntry("chat", "zai", at=1_790_010_000))  # 2026-09-21T17:00Z
        assert [day] == [line.key for line in history.ledger.summary("day")]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_task_lives_on(history: History, path: Path, clock: Clock) -> None:
    """A job that was added is there for any other process, with what was learnt of it since."""
    task = history.tasks.add("video", request={"prompt": "a 猫"}, provider="zai", region="intl", base_url="https://x")
    clock.time += 5
    history.tasks.update(task.id, status="processing", remote_id="889171")
    history.tasks.update(task.id, status="success", result={"url": "https://x/v.mp4"}, output="/tmp/v.mp4")

    found = History(path).tasks.find("889171")

    assert (task.status, task.remote_id) == ("submitting", None)
    assert (task.id, "success", {"prompt": "a 猫"}, {"url": "https://x/v.mp4"}, "/tmp/v.mp4", NOON, NOON + 5) == (
        found.id,
        found.status,
        found.request,
        found.result,
        found.output,
        found.created_at,
        found.updated_at,
    )


def test_tasks_are_listed_found_and_forgotten(history: History, clock: Clock) -> None:
    """By kind and state, by the beginning of the id, or as the last one."""
    first = history.tasks.add("video", request={}, status="processing", remote_id="r1")
    clock.time += 40 * 24 * 3600
    second = history.tasks.add("image", request={}, status="success", remote_id="r2")

    assert [second, first] == history.tasks.recent()
    assert [second] == history.tasks.recent(1)
    assert [first] == history.tasks.recent(kind="video") == history.tasks.recent(statuses=["processing", "submitting"])
    assert history.tasks.recent(statuses=[]) == []
    assert second == history.tasks.find("last") == history.tasks.find(second.id[:5])
    with pytest.raises(UsageError, match="several tasks"):
        history.tasks.find(first.id[:1])

    assert history.tasks.forget([first.id, "unknown"]) == 1
    for name in (first.id, "r1", "", "last year"):
        with pytest.raises(UsageError, match="no task"):
            history.tasks.find(name)
    with pytest.raises(UsageError, match="no task"):
        history.tasks.update(first.id, status="late")


def test_notes(history: History) -> None:
    """A note is read, replaced and taken away; what is told once is told to one."""
    assert history.notes.get("a") is None
    history.notes.set("a", "1")
    history.notes.set("a", "2")
    assert history.notes.get("a") == "2"
    history.notes.set("a", None)
    assert history.notes.get("a") is None
    assert [history.notes.is_first("told/work") for _ in range(2)] == [True, False]


# -- the file ------------------------------------------------------------------


def test_reading_creates_nothing(history: History, path: Path) -> None:
    """Who has no history sees an empty one, and still has no file."""
    assert (history.recent(), history.search("x"), history.notes.get("x"), history.count()) == ([], [], None, 0)
    assert not path.parent.exists()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_only_the_owner_may_read(path: Path, clock: Clock) -> None:
    """Files are 0600 in a folder 0700 under any umask; wrong modes are repaired and told."""
    told: list[str] = []
    old = os.umask(0)
    try:
        history = History(path, now=clock, notice=told.append)
        ask(history, "secret")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert {"history.db", "history.db-wal", "history.db-shm"} == set(modes)
    assert {0o600} == set(modes.values())
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert told == []

    history.close()
    path.chmod(0o644)
    History(path, notice=told.append).count()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in told[0]


def test_the_file_is_set_up_for_many_processes(history: History, path: Path) -> None:
    """WAL, so that nobody waits for a reader; foreign keys; a version and our own mark."""
    ask(history, "x")

    connection = sqlite3.connect(path)
    facts = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "user_version")]
    connection.close()
    assert ["wal", len(MIGRATIONS)] == facts
    with history._database.reading() as own:
        assert own.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def refused(path: Path) -> GlmError:
    """The error of the first use of a file, after proving that it was not touched."""
    before = path.read_bytes()
    for use in (lambda: History(path).recent(), lambda: History(path).start(), lambda: History(path).notes.get("x")):
        with pytest.raises(HistoryError) as failure:
            use()
    assert before == path.read_bytes()
    assert str(path) in failure.value.message
    assert failure.value.hint
    return failure.value


def test_a_file_of_the_future_is_refused_politely(path: Path) -> None:
    """The error names the file and both versions, is one of configuration, and changes nothing."""
    history = History(path)
    ask(history, "x")
    with history._database.writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    history.close()

    error = refused(path)

    assert isinstance(error, ConfigError)
    assert "version 99" in error.message
    assert f"knows {len(MIGRATIONS)}" in error.message
    assert "update glm" in (error.hint or "")


def test_a_file_that_is_no_database(path: Path) -> None:
    """It is reported with the way out, and stays."""
    path.parent.mkdir()
    path.write_bytes(b"my diary\n" * 1000)

    assert f"mv {path}" in (refused(path).hint or "")


def test_a_database_of_another_program(path: Path) -> None:
    """Our tables are not put between somebody else's."""
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url)")
    connection.commit()
    connection.close()

    assert "another program" in refused(path).message


def test_a_damaged_file(path: Path) -> None:
    """Damage in the middle is an error with advice, not a traceback."""
    history = History(path)
    ask(history, *("words " * 500 for _ in range(50)))
    history.close()
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)

    with pytest.raises(HistoryError, match="damaged") as failure:
        History(path).search("words")

    assert f"mv {path}" in (failure.value.hint or "")
    assert bytes(data) == path.read_bytes()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A file in the place of the folder is told with the way out."""
    (tmp_path / "file").write_text("")

    with pytest.raises(HistoryError) as failure:
        History(tmp_path / "file" / "glm" / "history.db").start()

    assert "GLM_NO_LOG" in (failure.value.hint or "")


_AS_A_GUEST = """
import json, os, sqlite3, sys
from pathlib import Path
from glmcli.errors import HistoryError
from glmcli.history import History, Message
if os.geteuid() == 0:
    os.setuid(65534)
history = History(Path(sys.argv[1]))
print(len(history.search("one")), history.latest().title)
try:
    history.start([Message("user", "two")])
except HistoryError as error:
    print(error.message)
"""


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_read_only_folder(path: Path) -> None:
    """What is there can be read and searched; writing is refused with the reason."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "history.db"
        history = History(path)
        ask(history, "one")
        history.close()
        path.chmod(0o444)
        path.parent.chmod(0o555)
        try:
            guest = _start(_AS_A_GUEST, path)
            told = guest.communicate()[0].splitlines()
        finally:
            path.parent.chmod(0o700)

    assert told == ["1 one", f"{path} or its folder is read-only"]


def test_a_full_disk(path: Path) -> None:
    """A turn that does not fit is refused whole; what was there stays readable."""
    history = History(path)
    id = ask(history, "one")
    with history._database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(HistoryError, match="disk is full"):
        history.append(id, Message("assistant", "small"), Message("user", "x" * 1_000_000))

    assert [message.content for message in history.load(id).messages] == ["one"]


def test_a_locked_file(path: Path) -> None:
    """When patience ends, the error says who is in the way; reading goes on meanwhile."""
    ask(History(path), "one")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    database = Database(path, patience_seconds=0)

    with pytest.raises(HistoryError, match="locked"), database.writing():
        pass

    assert History(path).count() == 1
    holder.close()


def test_ctrl_c_in_a_transaction_keeps_nothing_of_it(history: History, path: Path) -> None:
    """A turn is kept whole or not at all, and the next one is not in the way of a lock."""
    id = ask(history, "one")
    database = Database(path)

    def interrupted() -> None:
        with database.writing() as connection:
            connection.execute("DELETE FROM messages")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert [message.content for message in history.load(id).messages] == ["one"]
    history.append(id, Message("assistant", "1"))
    database.close()


# -- migrations ------------------------------------------------------------------

NEXT = (*MIGRATIONS, ("ALTER TABLE conversations ADD COLUMN mood TEXT", "UPDATE conversations SET mood = 'good'"))


def test_an_older_file_is_brought_forward(path: Path) -> None:
    """Each missing step runs once, in order, and keeps what is there."""
    history = History(path)
    id = ask(history, "one")
    history.close()

    for _ in range(2):
        database = Database(path, migrations=NEXT)
        with database.reading() as connection:
            row = connection.execute("SELECT id, mood FROM conversations").fetchone()
            assert len(NEXT) == connection.execute("PRAGMA user_version").fetchone()[0]
        database.close()
    assert (id, "good") == tuple(row)


def test_a_step_that_fails_leaves_the_older_version(path: Path) -> None:
    """A migration is one transaction."""
    history = History(path)
    id = ask(history, "one")
    history.close()

    with pytest.raises(HistoryError), Database(path, migrations=(*NEXT, ("DROP TABLE messages", "nonsense"))).reading():
        pass

    database = Database(path, migrations=NEXT)
    with database.reading() as connection:
        assert (id, 1) == tuple(connection.execute("SELECT conversation_id, count(*) FROM messages").fetchone())


# -- many processes --------------------------------------------------------------

_WRITER = """
import sys
from pathlib import Path
from glmcli.history import History, Message, UsageEntry
history = History(Path(sys.argv[1]))
sys.stdin.readline()
ids = [history.start([Message("user", f"prompt of {sys.argv[2]}")], title=sys.argv[2]).id]
history.append(sys.argv[3], Message("user", f"common prompt of {sys.argv[2]}"), Message("assistant", "fine"))
for turn in range(4):
    history.append(ids[0], Message("assistant", f"answer {turn}"), Message("user", f"prompt {turn}"))
    history.ledger.record(UsageEntry("chat", "zai", prompt_tokens=1))
history.tasks.add("video", request={"n": sys.argv[2]})
print(history.notes.is_first("once"))
"""


def _start(script: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, args)]
    root = Path(__file__).parent.parent
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    )


def test_fifty_processes_write_at_once(path: Path) -> None:
    """Nothing is lost or mixed up, nobody fails, and the file is whole."""
    history = History(path)
    common = ask(history, "common")
    writers = [_start(_WRITER, path, number, common) for number in range(50)]

    for writer in writers:  # all are ready; now they go
        assert writer.stdin
        writer.stdin.write("\n")
        writer.stdin.flush()
    told = [writer.communicate()[0].strip() for writer in writers]

    assert [writer.returncode for writer in writers] == [0] * 50
    assert told.count("True") == 1
    by_title = {item.title: item for item in history.recent()}
    assert len(by_title) == 51
    for number in range(50):
        contents = [message.content for message in history.load(by_title[str(number)].id).messages]
        turns = [text for turn in range(4) for text in (f"answer {turn}", f"prompt {turn}")]
        assert [f"prompt of {number}", *turns] == contents
    shared = history.load(common).messages
    assert len(shared) == 101
    # A turn is two messages, which no other process came between.
    assert {("user", "assistant")} == {(a.role, b.role) for a, b in zip(shared[1::2], shared[2::2], strict=True)}
    assert (history.ledger.summary("model")[0].requests, history.ledger.summary("model")[0].prompt_tokens) == (200, 200)
    assert len(history.tasks.recent()) == 50
    assert in_order(path)


def test_twenty_processes_create_the_file_at_once(path: Path) -> None:
    """The first use may happen anywhere, also everywhere at once."""
    script = "import sys; from pathlib import Path; from glmcli.history import *; sys.stdin.readline(); " + (
        "History(Path(sys.argv[1])).start([Message('user', 'hello')])"
    )
    writers = [_start(script, path) for _ in range(20)]

    for writer in writers:
        writer.communicate("\n")

    assert [writer.returncode for writer in writers] == [0] * 20
    assert History(path).count() == 20
    assert in_order(path)


_ENDLESS_WRITER = """
import sys
from pathlib import Path
from glmcli.history import History, Message
history = History(Path(sys.argv[1]))
id = history.start([Message("user", "go")]).id
turn = 0
while True:
    history.append(id, Message("assistant", f"{turn} " + "x" * 5000), Message("user", f"{turn} next"))
    print(turn, flush=True)
    turn += 1
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_kill_9_loses_nothing_that_was_kept(path: Path) -> None:
    """After a killed writer the file is whole and holds every turn that it had reported."""
    for kill_after in (1, 7, 20):
        writer = _start(_ENDLESS_WRITER, path)
        assert writer.stdout
        reported = [int(writer.stdout.readline()) for _ in range(kill_after)][-1]
        writer.send_signal(signal.SIGKILL)
        writer.communicate()

        history = History(path)
        latest = history.latest()
        assert latest is not None
        answers = [message.content for message in history.load(latest.id).messages if message.role == "assistant"]
        assert len(answers) > reported
        assert latest.message_count % 2 == 1
        history.close()
        assert in_order(path)

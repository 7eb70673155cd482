"""How long a search takes among many messages.

    python benchmarks/history.py [--messages 100000]

Fills a new database with conversations in English and Chinese, then times
searches of every kind: words that are rare, common or absent, phrases, and
terms of one or two characters, which the index does not know. The floor of
the same run is to read every message once without looking at it.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from glmcli.history import History, Message

_ENGLISH = """
the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one
you were all her she there would their we him been has when who will no more if out so up said what its about than
into them can only other time new some could these two may first then do any like my now over such our man me even
most made after also did many before must through back years where much your function return class import module
request response server client python error stream token answer model
"""
_CHINESE = (
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用发天如"
    "然作方成者多日都三小军二无同么经法当起与好看学进种将还分此心前面又定见只主没公从"
)
_QUERIES = (
    "xylophone",
    "python",
    "the",
    "python stream token",
    '"the of the of the"',
    "nowhere to be found",
    "在哪里",
    "木琴",
    "哪里",
    "的",
    "the zq",
)
_BATCH = 50  # messages of one conversation
_REPETITIONS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    count = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder) / "history.db")
        start = time.perf_counter()
        _fill(history, count)
        seconds = time.perf_counter() - start
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        print(f"{count} messages, {size / 1e6:.0f} MB, filled in {seconds:.0f} s")
        print(f"SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores; median and worst of {_REPETITIONS} in ms")
        for name, act in _acts(history):
            _report(name, act)


def _fill(history: History, count: int) -> None:
    chance, english = random.Random(1), _ENGLISH.split()
    for first in range(0, count, _BATCH):
        messages = [Message(("user", "assistant")[index % 2], _text(chance, english)) for index in range(_BATCH)]
        if first == 0:
            messages[0] = Message("user", "Where is the xylophone? 木琴 在哪里")
        history.start(messages, title=f"conversation {first}")


def _text(chance: random.Random, english: list[str]) -> str:
    if chance.random() < 0.3:
        return "".join(chance.choices(_CHINESE, k=chance.randint(20, 400)))
    return " ".join(chance.choices(english, k=chance.randint(10, 200)))


def _acts(history: History) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "floor: read every message", lambda: _read_all(history.path)
    for query in _QUERIES:
        yield f"search {query}", lambda query=query: len(history.search(query))  # type: ignore[misc]  # bound now
    last = history.find("last")
    yield "list 20", lambda: len(history.recent(20))
    yield "load 50 messages", lambda: len(history.load(last.id).messages)
    turn = (Message("user", "and now?"), Message("assistant", "Now. " * 200))
    yield "append a turn", lambda: history.append(last.id, *turn)
    ids = [item.id for item in history.recent(_REPETITIONS)]
    yield "delete 50 messages", lambda: history.delete([ids.pop()])


def _read_all(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT sum(length(content)) FROM messages").fetchone()[0])
    finally:
        connection.close()


def _report(name: str, act: Callable[[], object]) -> None:
    times = []
    for _ in range(_REPETITIONS):
        start = time.perf_counter()
        result = act()
        times.append((time.perf_counter() - start) * 1000)
    print(f"  {name:<28} {statistics.median(times):8.1f} {max(times):8.1f}   {'' if result is None else result}")


if __name__ == "__main__":
    main()

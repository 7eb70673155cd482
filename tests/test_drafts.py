"""Drafts and scratch folders: gone with their process, and never those of a living one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from glmcli import drafts
from glmcli.api.calls import OpenReply
from glmcli.downloads import Downloader, Place
from glmcli.drafts import Draft, scratch_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 and flock are POSIX")

_DRAFT = """
import sys
from pathlib import Path
from glmcli.drafts import Draft
with Draft(Path("answers.txt")) as draft:
    print(draft.path.name, flush=True)
    sys.stdin.read()
"""
_FOLDER = """
import os, sys
from glmcli.drafts import scratch_folder
with scratch_folder(os.environ) as folder:
    (folder / "recording").write_bytes(b"secret")
    print(folder.name, flush=True)
    sys.stdin.read()
"""


@contextmanager
def process(script: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that holds what `script` makes, and the name of it; killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        try:
            yield running, running.stdout.readline().strip()
        finally:
            running.send_signal(signal.SIGKILL)


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "work"))


class Arrived:
    """A download that is there at once."""

    status = 200
    headers: Mapping[str, str] = {}

    def chunks(self) -> Iterator[bytes]:
        yield b"\0\0\0\x18ftypmp42"


def make_draft() -> None:
    with Draft(Path("answers.txt")):
        pass


def make_folder() -> None:
    with scratch_folder(os.environ):
        pass


BOTH = pytest.mark.parametrize(
    ("script", "make"), [(_DRAFT, make_draft), (_FOLDER, make_folder)], ids=["draft", "folder"]
)


@BOTH
def test_what_a_killed_process_left_is_removed_by_the_next(script: str, make: Callable[[], None]) -> None:
    """At once, not after an hour: the lock went with the process."""
    with process(script) as (running, name):
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert Path(name).exists()

    make()

    assert not Path(name).exists()


@BOTH
def test_what_a_living_process_holds_stays(script: str, make: Callable[[], None]) -> None:
    """However old it is."""
    with process(script) as (_, name):
        os.utime(name, (0, 0))

        make()

        assert Path(name).exists()


@BOTH
def test_where_there_are_no_locks_age_decides(
    script: str, make: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without locks: what was changed within the hour stays."""
    with process(script) as (running, name):
        running.send_signal(signal.SIGKILL)
    monkeypatch.setattr(drafts, "_lock", lambda descriptor: None)

    make()
    assert Path(name).exists()
    os.utime(name, (time.time() - 3700,) * 2)
    make()
    assert not Path(name).exists()


@pytest.mark.parametrize("name", [".answers.txt.part", ".answers.txt.glm-12.part", ".other.glm-0123abcd.part"])
def test_files_of_others_stay(name: str) -> None:
    """Only names of our making are swept."""
    Path(name).touch()

    make_draft()

    assert Path(name).exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Somebody else's folder behind a name of ours is neither locked nor emptied."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").touch()
    Path("glm-scratch-abcdefgh").symlink_to(tmp_path / "theirs")

    make_folder()

    assert (tmp_path / "theirs" / "file").exists()


def test_a_scratch_folder_is_private_and_goes_with_what_is_in_it() -> None:
    """Mode 0700, also when the block fails."""
    with suppress(RuntimeError), scratch_folder(os.environ) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "below").mkdir()
        raise RuntimeError
    assert not list(Path().iterdir())


def test_many_at_once_disturb_one_another_never() -> None:
    """Everybody sweeps while everybody makes: each draft lives until it has its name."""
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(50):
                with Draft(Path("shared.txt")) as draft, scratch_folder(os.environ) as folder:
                    (folder / "own").touch()
                    draft.fill(f"{number} {turn}".encode())
                    draft.path.replace("shared.txt")
                    assert (folder / "own").exists()
        except BaseException as error:  # shown below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    assert [path.name for path in Path().iterdir()] == ["shared.txt"]
    assert re.fullmatch(r"\d \d+", Path("shared.txt").read_text())


def test_an_unfinished_download_is_kept_for_a_month() -> None:
    """The next download to the same place removes what no service has any more."""
    old, new = Path(".cat.mp4.0123abcd.part"), Path(".cat.mp4.4567abcd.part")
    for part in (old, new):
        part.touch()
    os.utime(old, (time.time() - 31 * 24 * 3600,) * 2)
    os.utime(new, (time.time() - 29 * 24 * 3600,) * 2)

    @contextmanager
    def fetch(url: str, headers: object) -> Iterator[OpenReply]:
        yield Arrived()

    Downloader(fetch).save("https://cdn.test/cat", Place(Path(), "cat.mp4", is_exact=True), role="video")

    assert sorted(path.name for path in Path().iterdir()) == [new.name, "cat.mp4"]

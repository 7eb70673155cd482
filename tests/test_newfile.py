"""Texts that are written whole, and what must not be replaced by them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from glmcli.downloads import Place, check_place
from glmcli.errors import UsageError
from glmcli.newfile import write_whole

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and named pipes differ")


def test_a_text_replaces_a_file(tmp_path: Path) -> None:
    """Missing folders are made, and nothing else is left behind."""
    target = tmp_path / "new" / "page.md"
    write_whole(target, "old")
    write_whole(target, "new\r\n")
    assert target.read_bytes() == b"new\r\n"
    assert list(target.parent.iterdir()) == [target]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it points to is written."""
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_whole(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "text"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """As /dev/null would be, which root could replace."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    came: list[str] = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "text")
    reader.join()
    assert came == ["text"]
    assert pipe.is_fifo()


def test_a_loop_of_links(tmp_path: Path) -> None:
    """Is told as what cannot be written."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="loop cannot be written"):
        write_whole(tmp_path / "loop", "text")


def test_force_replaces_files_only(tmp_path: Path) -> None:
    """--force is for files, not for devices and pipes."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is no file that could be overwritten"):
        check_place(Place(tmp_path, "pipe", is_exact=True, overwrite=True))

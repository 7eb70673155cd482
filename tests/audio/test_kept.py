"""The cache of pieces that are already paid for."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from glmcli.audio.kept import MAX_AGE_SECONDS, KeptPieces, key


def test_everything_that_decides_the_answer_decides_the_key() -> None:
    """Another sound, service, model, hotword or field is another answer."""
    names = {
        key("a", base_url="u", model="m", hotwords=[], extra={}),
        key("b", base_url="u", model="m", hotwords=[], extra={}),
        key("a", base_url="v", model="m", hotwords=[], extra={}),
        key("a", base_url="u", model="n", hotwords=[], extra={}),
        key("a", base_url="u", model="m", hotwords=["x"], extra={}),
        key("a", base_url="u", model="m", hotwords=[], extra={"x": ""}),
    }
    assert len(names) == 6


def test_what_is_put_is_got(tmp_path: Path) -> None:
    """And is private from the first moment."""
    kept = KeptPieces(tmp_path / "cache" / "transcripts")
    assert kept.get("a") is None
    kept.put("a", {"text": "你好"})
    assert kept.get("a") == {"text": "你好"}
    if sys.platform != "win32":
        [file] = (tmp_path / "cache" / "transcripts").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_entry_is_no_entry(tmp_path: Path, damage: bytes) -> None:
    """A half-written file is transcribed again, not believed."""
    kept = KeptPieces(tmp_path)
    kept.put("a", {"text": "x"})
    (tmp_path / "a.json").write_bytes(damage)
    assert kept.get("a") is None


def test_prune_removes_what_is_old(tmp_path: Path) -> None:
    """A week, then it is gone; a folder that does not exist is no trouble."""
    kept = KeptPieces(tmp_path / "c")
    kept.prune(0)
    kept.put("old", {})
    kept.put("new", {})
    os.utime(tmp_path / "c" / "old.json", (1000, 1000))
    os.utime(tmp_path / "c" / "new.json", (1001 + MAX_AGE_SECONDS, 1001 + MAX_AGE_SECONDS))
    kept.prune(1001 + MAX_AGE_SECONDS)
    assert (kept.get("old"), kept.get("new")) == (None, {})


def test_a_folder_that_cannot_be_written_costs_only_resumption(tmp_path: Path) -> None:
    """The transcript matters more than the cache."""
    (tmp_path / "file").write_text("in the way")
    kept = KeptPieces(tmp_path / "file")
    kept.put("a", {})
    kept.prune(0)
    assert kept.get("a") is None

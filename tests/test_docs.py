"""Documents that are made from the code are fresh."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GENERATORS = sorted((ROOT / "scripts").glob("docs*.py"))


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda path: path.name)
def test_generated_files_are_fresh(generator: Path) -> None:
    """`make docs` would change nothing."""
    done = subprocess.run([sys.executable, str(generator), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_outdated_file_is_named(tmp_path: Path) -> None:
    """The check sees a single changed line."""
    copy = tmp_path / "scripts"
    copy.mkdir()
    (copy / "docs.py").write_text((ROOT / "scripts" / "docs.py").read_text())
    run = [sys.executable, str(copy / "docs.py")]
    subprocess.run(run, check=True, capture_output=True)
    page = tmp_path / "docs" / "help.md"
    page.write_text(page.read_text().replace("--json", "--jsno", 1))

    done = subprocess.run([*run, "--check"], capture_output=True, text=True)

    assert (done.returncode, done.stderr.split()[0]) == (1, "docs/help.md")

"""What the import of httpx leaves out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glmcli.api.engine import UNUSED

SCRIPT = """
import sys
from glmcli.api.engine import load_httpx
load_httpx()
print(*sorted(sys.modules))
import {name}
print({name}.__file__)
"""


@pytest.mark.parametrize("name", UNUSED)
def test_a_package_that_is_not_needed_is_not_loaded(tmp_path: Path, name: str) -> None:
    """httpx looks for it and would load it; who asks for it later gets it all the same."""
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text("class BrokenResourceError(Exception): ...\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(name=name)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    loaded, file = done.stdout.splitlines()
    assert {"httpx", "httpcore"} <= set(loaded.split())
    assert name not in loaded.split()
    assert file == str(package / "__init__.py")


def test_what_is_loaded_already_stays() -> None:
    """A program that uses anyio itself keeps its own."""
    script = "import anyio, sys, glmcli.api.engine as engine; engine.load_httpx(); print(sys.modules['anyio'] is anyio)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True\n", "")

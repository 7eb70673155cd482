"""The README: its commands run, its links lead somewhere."""

from __future__ import annotations

import base64
import re
import shlex
from pathlib import Path

import pytest

from glmcli.registry import COMMANDS
from tests.harness import Glm, ScriptedServer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
LINES = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
COMMAND_LINES = sorted({part.strip() for line in LINES for part in line.split("|") if part.strip().startswith("glm ")})
#: Words that a test cannot have: a server that never ends, other people's programs, the terminal itself.
NOT_RUN = (
    "glm chat\n",
    "glm sandbox serve",
    "glm exec -- claude",
    "glm onboard",
    "glm --version",
    "glm usage",
    "glm video",
)

#: A grey dot, and half a second of silence.
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")
SILENCE = (
    b"RIFF"
    + (36 + 8000).to_bytes(4, "little")
    + b"WAVEfmt "
    + bytes.fromhex("1000000001000100401f0000803e000002001000")
    + b"data"
    + (8000).to_bytes(4, "little")
    + bytes(8000)
)


def without_code(page: str) -> str:
    """A page without its code, where brackets mean something else."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", page, flags=re.DOTALL)


def test_every_link_leads_somewhere() -> None:
    """Relative links of README and docs name files that exist."""
    broken = [
        f"{page.name}: {target}"
        for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", without_code(page.read_text(encoding="utf-8")))
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_exists_with_its_options(line: str, glm: Glm) -> None:
    """Each word after `glm` is a command, each option one of its page or of the front page."""
    words = [word for word in shlex.split(line.split(">")[0].split("<")[0]) if word != "…"]
    words = words[: words.index("--")] if "--" in words else words
    named = [word for word in words[1:] if word in COMMANDS]
    pages = glm("--help").stdout + "".join(glm(*path, "--help").stdout for path in (named[:1], words[1:3]) if named)
    assert named or line == "glm --version"
    for word in words:
        if word.startswith("-"):
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", pages), f"{word} is on no help page"


@pytest.mark.parametrize("line", [line for line in COMMAND_LINES if not f"{line}\n".startswith(NOT_RUN)])
def test_every_one_liner_works_against_the_sandbox(line: str, glm: Glm, server: ScriptedServer) -> None:
    """With the files that it names; the exit code is 0."""
    work = Path.cwd()
    (work / "photo.png").write_bytes(PNG)
    (work / "talk.mp3").write_bytes(SILENCE)  # recognised by its content
    (work / "scan.pdf").write_bytes(b"%PDF-1.4\n1 0 obj<</Type/Page>>endobj\n%%EOF\n")
    (work / "invoice.json").write_text('{"type": "object"}')
    words = shlex.split(line.split(">")[0].split("<")[0])[1:]
    if "--base-url" in words:
        words[words.index("--base-url") + 1] = server.address + "/api/paas/v4"
        words[words.index("-m") + 1] = "glm-5.3"
    if "-c" in words:
        assert glm("chat", "first").exit_code == 0
    if words[0] == "read":
        words.append("https://example.org/post")
    result = glm(*words, input="some text", env={"GLM_API_KEY": server.keys["zai"]})
    assert result.exit_code == 0, result.stderr

"""curl, as the documents of the service show it, takes the sandbox for the service."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.conftest import CHAT, Caller, png

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

SAID = {"model": "glm-5.3", "messages": [{"role": "user", "content": "echo: 你好"}]}


def curl(call: Caller, path: str, *argv: str, key: str = "zai") -> str:
    """Standard output of curl for a path of the sandbox."""
    head = ["-H", f"Authorization: Bearer {call.sandbox.keys[key]}"]
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", *head, *argv]
    done = subprocess.run([*command, call.server.address + path], capture_output=True, check=True)
    return done.stdout.decode()


def send(body: object) -> list[str]:
    return ["-H", "Content-Type: application/json", "-d", json.dumps(body)]


def test_a_whole_answer(call: Caller) -> None:
    """`-d` posts, and the answer is one document with its status."""
    *body, status = curl(call, CHAT, *send(SAID), "-w", "\\n%{http_code}").splitlines()
    assert status == "200"
    assert json.loads("".join(body))["choices"][0]["message"]["content"] == "你好"


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
def test_a_stream(call: Caller, version: str) -> None:
    """`-N` shows every frame and the end mark, also to a client that knows no chunks."""
    frames = curl(call, CHAT, "-N", version, *send({**SAID, "stream": True})).split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "你好"


def test_a_body_from_a_file_of_unknown_length(call: Caller, tmp_path: Path) -> None:
    """`-T -` sends in chunks, `Expect` and all."""
    head = ["-H", "Content-Type: application/json", "-H", "Expect: 100-continue", "-H", "Transfer-Encoding: chunked"]
    (tmp_path / "body.json").write_text(json.dumps(SAID))
    reply = curl(call, CHAT, *head, "--data-binary", f"@{tmp_path / 'body.json'}")
    assert json.loads(reply)["choices"][0]["message"]["content"] == "你好"


def test_a_form(call: Caller, tmp_path: Path) -> None:
    """`-F` uploads a file."""
    (tmp_path / "a.png").write_bytes(png())
    reply = curl(call, "/api/paas/v4/files", "-F", "purpose=agent", "-F", f"file=@{tmp_path / 'a.png'}")
    assert json.loads(reply)["bytes"] == len(png())


def test_a_download(call: Caller) -> None:
    """The address of a picture needs no key, and `-C` goes on in its middle."""
    drawn = json.loads(curl(call, "/api/paas/v4/images/generations", *send({"model": "glm-image", "prompt": "a fox"})))
    path = drawn["data"][0]["url"].removeprefix(call.server.address)
    whole, rest = (_bytes(call, path, *argv) for argv in ((), ("-C", "100")))
    assert whole.startswith(b"\x89PNG")
    assert rest == whole[100:]


def _bytes(call: Caller, path: str, *argv: str) -> bytes:
    command = ["curl", "--silent", "--max-time", "20", "--noproxy", "*", *argv, call.server.address + path]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("key", "path", "code", "exit_code"),
    [("zai-empty", CHAT, "1113", 22), ("zai", "/api/paas/v4/nothing", "1222", 22)],
    ids=["balance", "path"],
)
def test_a_refusal(call: Caller, key: str, path: str, code: str, exit_code: int) -> None:
    """`--fail-with-body` fails and shows the envelope."""
    head = ["-H", f"Authorization: Bearer {call.sandbox.keys[key]}"]
    command = ["curl", "--silent", "--fail-with-body", "--noproxy", "*", *head, *send(SAID), call.server.address + path]
    done: Any = subprocess.run(command, capture_output=True)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (exit_code, code)

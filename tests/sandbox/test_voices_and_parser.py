"""The sandbox's cloned voices and file parser: what they refuse, and whose things are whose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server

BASE = "/api/paas/v4"
CLONE = {"model": "glm-tts-clone", "voice_name": "mine", "input": "hello"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Sandbox()) as listening:
        yield listening


@pytest.fixture
def cn(server: Server) -> Iterator[httpx.Client]:
    """A client with a key of region cn."""
    with client(server, "zhipu") as made:
        yield made


def client(server: Server, account: str) -> httpx.Client:
    assert isinstance(server.sandbox, Sandbox)
    headers = {"Authorization": f"Bearer {server.sandbox.keys[account]}"}
    return httpx.Client(base_url=server.address + BASE, headers=headers, trust_env=False)


def sample(cn: httpx.Client) -> str:
    form: Any = {"data": {"purpose": "voice-clone-input"}, "files": {"file": ("a.wav", b"RIFF")}}
    return str(cn.post("/files", **form).json()["id"])


def code(reply: httpx.Response) -> str:
    return str(reply.json()["error"]["code"])


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"voice_name": None}, "1213"),
        ({"input": None}, "1213"),
        ({"model": "cogtts-clone"}, "1211"),
        ({"file_id": "file-of-nobody"}, "1214"),
        ({"request_id": "short"}, "1214"),
        ({"speed": 2}, "1210"),
    ],
)
def test_a_voice_that_cannot_be(cn: httpx.Client, change: dict[str, object], refusal: str) -> None:
    """As the documents say; and nothing is left behind."""
    assert code(cn.post("/voice/clone", json={**CLONE, "file_id": sample(cn), **change})) == refusal
    assert cn.get("/voice/list", params={"voiceType": "PRIVATE"}).json() == {"voice_list": []}


def test_a_voice_belongs_to_its_account(server: Server, cn: httpx.Client) -> None:
    """Another one neither sees nor deletes it, and may use its name."""
    voice = cn.post("/voice/clone", json={**CLONE, "file_id": sample(cn), "text": None}).json()["voice"]
    with client(server, "zhipu-both") as other:
        assert other.get("/voice/list", params={"voiceType": "PRIVATE"}).json() == {"voice_list": []}
        assert code(other.post("/voice/delete", json={"voice": voice})) == "1214"
        assert other.post("/voice/clone", json={**CLONE, "file_id": sample(other)}).status_code == 200
    assert cn.post("/voice/delete", json={"voice": voice}).json()["voice"] == voice
    preview = f"{server.address}/sandbox/voices/{voice}.wav"
    assert httpx.get(preview, trust_env=False).status_code == 404


def test_voices_of_an_unknown_type(cn: httpx.Client) -> None:
    """There are two types."""
    assert code(cn.get("/voice/list", params={"voiceType": "LOUD"})) == "1214"


@pytest.mark.parametrize(
    ("path", "fields", "file", "refusal"),
    [
        ("create", {"tool_type": "prime-sync"}, b"x", "1214"),
        ("sync", {"tool_type": "lite"}, b"x", "1214"),
        ("create", {"file_type": "txt"}, b"x", "1213"),
        ("create", {"tool_type": "lite"}, b"", "1214"),
        ("create", {"tool_type": "lite", "pages": "1"}, b"x", "1210"),
    ],
)
def test_a_file_that_is_not_parsed(
    cn: httpx.Client, path: str, fields: dict[str, str], file: bytes, refusal: str
) -> None:
    """Each path has its tools; a file has content."""
    assert code(cn.post(f"/files/parser/{path}", data=fields, files={"file": ("a.txt", file)})) == refusal


def test_a_task_belongs_to_its_account(server: Server, cn: httpx.Client) -> None:
    """Another one cannot ask for it, and there is no third form of a result."""
    form: Any = {"data": {"tool_type": "lite"}, "files": {"file": ("a.bin", b"\xff")}}
    id = cn.post("/files/parser/create", **form).json()["task_id"]
    with client(server, "zhipu-both") as other:
        assert code(other.get(f"/files/parser/result/{id}/text")) == "1214"
    assert code(cn.get(f"/files/parser/result/{id}/html")) == "1214"
    replies = [cn.get(f"/files/parser/result/{id}/text").json() for _ in range(3)]
    assert [reply["status"] for reply in replies] == ["processing", "processing", "succeeded"]
    assert replies[2]["content"].startswith("[sandbox: a.bin, 1 bytes, sha256 a8100ae6")

"""The sandbox's Batch API, and its limit of requests in flight."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from glmcli.sandbox.accounts import ACCOUNTS
from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server

BASE = "/api/paas/v4"


@pytest.fixture
def cn() -> Iterator[httpx.Client]:
    """A client with a key of region cn."""
    with Server(Sandbox()) as server, client(server, "zhipu") as made:
        yield made


def client(server: Server, account: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {ACCOUNTS[account].key}"}
    return httpx.Client(base_url=server.address + BASE, headers=headers, trust_env=False)


def line(id: str, **body: object) -> str:
    asked = {"model": "glm-4.7", "messages": [{"role": "user", "content": f"echo: {id}"}], **body}
    return json.dumps({"custom_id": id, "method": "POST", "url": "/v4/chat/completions", "body": asked}) + "\n"


def upload(cn: httpx.Client, text: str) -> str:
    reply = cn.post("/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", text.encode())})
    return str(reply.json()["id"])


def begin(cn: httpx.Client, text: str) -> str:
    body = {"input_file_id": upload(cn, text), "endpoint": "/v4/chat/completions"}
    return str(cn.post("/batches", json=body).json()["id"])


def states(cn: httpx.Client, id: str) -> list[str]:
    return [cn.get(f"/batches/{id}").json()["status"] for _ in range(4)]


def test_a_batch_goes_its_way(cn: httpx.Client) -> None:
    """Four states, two files, the input deleted; and not in the order that was asked."""
    id = begin(cn, line("job-001") + line("job-002") + line("job-003", temperature=7))
    assert states(cn, id) == ["in_progress", "finalizing", "completed", "completed"]
    batch = cn.get(f"/batches/{id}").json()
    assert batch["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    done = [json.loads(text) for text in cn.get(f"/files/{batch['output_file_id']}/content").text.splitlines()]
    assert [item["custom_id"] for item in done] == ["job-002", "job-001"]
    assert done[0]["response"]["body"]["choices"][0]["message"]["content"] == "job-002"
    [failed] = [json.loads(text) for text in cn.get(f"/files/{batch['error_file_id']}/content").text.splitlines()]
    assert failed["response"]["body"]["error"]["code"] == "1214"
    assert cn.get(f"/files/{batch['input_file_id']}/content").json()["error"]["code"] == "1214"


@pytest.mark.parametrize(
    "text",
    [
        line("job-001") * 2,
        line("job-001") + line("job-002", model="glm-5.1"),
        line("short"),
        line("job-001", stream=True),
        line("job-001").replace("/v4/chat", "/v1/chat"),
        "no json\n",
    ],
    ids=["twice", "two models", "short id", "stream", "url", "no json"],
)
def test_an_input_that_is_refused(cn: httpx.Client, text: str) -> None:
    """The batch has failed, and says that it is the file."""
    id = begin(cn, text)
    assert states(cn, id)[0] == "failed"
    assert cn.get(f"/batches/{id}").json()["errors"]["data"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"endpoint": "/v4/chat/completions"}, "1213"),
        ({"input_file_id": "file-x", "endpoint": "/v4/chat/completions"}, "1214"),
        ({"input_file_id": "file-x", "endpoint": "/v1/chat/completions"}, "1214"),
        ({"input_file_id": "x", "endpoint": "/v4/chat/completions", "priority": 1}, "1210"),
        ({"input_file_id": "x", "endpoint": "/v4/chat/completions", "metadata": {"a": 1}}, "1214"),
    ],
)
def test_a_request_that_is_refused(cn: httpx.Client, body: dict[str, object], code: str) -> None:
    """As the documents say, where they say anything."""
    assert cn.post("/batches", json=body).json()["error"]["code"] == code


def test_a_cancelled_batch(cn: httpx.Client) -> None:
    """Two steps; then it is over."""
    id = begin(cn, line("job-001"))
    assert cn.post(f"/batches/{id}/cancel").json()["status"] == "cancelling"
    assert cn.get(f"/batches/{id}").json()["status"] == "cancelled"
    assert cn.post(f"/batches/{id}/cancel").json()["error"]["code"] == "1214"
    assert [item["id"] for item in cn.get("/batches").json()["data"]] == [id]


def test_z_ai_has_none() -> None:
    """The path does not exist there."""
    with Server(Sandbox()) as server, client(server, "zai") as intl:
        assert (intl.get("/batches").status_code, intl.post("/batches", json={}).status_code) == (404, 404)


def test_the_vendors_sdk(cn: httpx.Client) -> None:
    """Written by others: it still sends the withdrawn `completion_window`."""
    from zai import ZhipuAiClient

    base = str(cn.base_url).rstrip("/")
    sdk = ZhipuAiClient(api_key=ACCOUNTS["zhipu"].key, base_url=base)
    file = upload(cn, line("job-001"))
    batch = sdk.batches.create(
        completion_window="24h",
        endpoint="/v4/chat/completions",  # type: ignore[arg-type]  # the type hints are OpenAI's
        input_file_id=file,
        metadata={"x": "y"},
        auto_delete_input_file=False,
    )
    for _ in range(3):
        batch = sdk.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.total if batch.request_counts else 0) == ("completed", 1)
    sdk.close()  # type: ignore[no-untyped-call]  # the SDK has no types there


def test_requests_in_flight() -> None:
    """Two of a key at a time; the third is refused, another key is not, and afterwards there is room again."""
    sandbox = Sandbox(in_flight=2, work_seconds=0.5)
    body = {"model": "glm-4.7", "messages": [{"role": "user", "content": "echo: x"}]}
    with Server(sandbox) as server, client(server, "zai") as intl, client(server, "zhipu") as cn:

        def send(who: httpx.Client, found: list[int]) -> None:
            found.append(who.post("/chat/completions", json=body).status_code)

        found: list[int] = []
        other: list[int] = []
        threads = [threading.Thread(target=send, args=(intl, found)) for _ in range(5)]
        threads.append(threading.Thread(target=send, args=(cn, other)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (sorted(found), other) == ([200, 200, 429, 429, 429], [200])
        sandbox.work_seconds = 0
        assert [intl.post("/chat/completions", json=body).status_code for _ in range(5)] == [200] * 5

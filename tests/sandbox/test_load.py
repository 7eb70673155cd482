"""Two hundred streams of a client that we did not write, all under way at the same time."""

from __future__ import annotations

import asyncio
import threading

import openai
import pytest

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server

STREAMS = 200


class Held(Sandbox):
    """Holds every stream back until all of them have begun."""

    def __init__(self) -> None:
        super().__init__(pace_seconds=1)
        self._begun: set[int] = set()
        self._all_begun = threading.Event()

    def pause(self, seconds: float) -> None:
        with self.lock:
            self._begun.add(threading.get_ident())
            if len(self._begun) == STREAMS:
                self._all_begun.set()
        assert self._all_begun.wait(60)


async def _listen(client: openai.AsyncOpenAI, number: int) -> tuple[str, set[str]]:
    """The text of a stream and the ids of its chunks."""
    text = " ".join([f"number-{number}"] * 20)
    stream = await client.chat.completions.create(
        model="glm-5.3", messages=[{"role": "user", "content": f"echo: {text}"}], stream=True
    )
    chunks = [chunk async for chunk in stream]
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert said == text
    return said, {chunk.id for chunk in chunks}


async def _all(server: Server, keys: list[str]) -> list[tuple[str, set[str]]]:
    clients = [
        openai.AsyncOpenAI(api_key=key, base_url=f"{server.address}/api/paas/v4", max_retries=0, timeout=60)
        for key in keys
    ]
    found = await asyncio.gather(*(_listen(clients[n % len(clients)], n) for n in range(STREAMS)))
    for client in clients:
        await client.close()
    return found


@pytest.mark.filterwarnings("ignore")  # the SDK's own
def test_two_hundred_open_streams_are_not_mixed_up() -> None:
    """Each reads its own words to the end, under an id of its own, whosever key it has."""
    sandbox = Held()
    with Server(sandbox) as server:
        found = asyncio.run(_all(server, [sandbox.keys["zai"], sandbox.keys["zhipu"]]))

    assert len({said for said, _ in found}) == STREAMS
    assert all(len(ids) == 1 for _, ids in found)
    assert len({id for _, ids in found for id in ids}) == STREAMS

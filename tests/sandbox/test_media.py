"""Pictures, videos and their jobs as the sandbox makes them."""

from __future__ import annotations

import base64
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
import zai

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server
from tests.sandbox.conftest import Answer, Caller, png

BASE = "/api/paas/v4"
URI = "data:image/png;base64," + base64.b64encode(png()).decode()


def draw(call: Caller, key: str = "zai", **fields: Any) -> Answer:
    body = {"model": "glm-image", "prompt": "a red fox", **fields}
    return call("POST", f"{BASE}/images/generations", body, key=key)


def film(call: Caller, key: str = "zai", **fields: Any) -> Answer:
    body = {"model": "cogvideox-3", "prompt": "a cat typing", **fields}
    given = {name: value for name, value in body.items() if value is not None}
    return call("POST", f"{BASE}/videos/generations", given, key=key)


def poll(call: Caller, id: str, key: str = "zai") -> Answer:
    return call("GET", f"{BASE}/async-result/{id}", key=key)


def result(call: Caller, id: str) -> Any:
    """Poll until the job is done."""
    while (answer := poll(call, id).json)["task_status"] == "PROCESSING":
        pass
    return answer


def fetch(call: Caller, url: str, **headers: str) -> Answer:
    return call("GET", url.removeprefix(call.server.address), key=None, headers=headers)


def test_a_picture_has_the_size_that_was_asked_for(call: Caller) -> None:
    """The PNG is real: its head says the size, and its data unpack to as many rows."""
    answer = draw(call, size="1056x1568").json
    data = fetch(call, answer["data"][0]["url"]).data

    assert answer["content_filter"] == [{"role": "assistant", "level": 3}]
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) == (1056, 1568)
    start = data.index(b"IDAT") + 4
    rows = zlib.decompress(data[start : start + int.from_bytes(data[start - 8 : start - 4], "big")])
    assert len(rows) == 1568 * (1 + 1056 // 8)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
def test_a_video_can_be_played(call: Caller, tmp_path: Path) -> None:
    """A player finds the frames, also behind them the padding that makes a file large."""
    url = result(call, film(call, prompt="a cat mebibytes:1").json["id"])["video_result"][0]["url"]
    path = tmp_path / "film.mp4"
    path.write_bytes(fetch(call, url).data)

    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
    probe = subprocess.run([*command, str(path)], capture_output=True, text=True)
    assert (probe.stdout.strip().rstrip(","), probe.stderr) == ("8", "")
    assert path.stat().st_size > 2**20


def test_a_job_runs_through_its_states(call: Caller) -> None:
    """PROCESSING for two polls, then SUCCESS with the files; the poll has no id."""
    job = film(call, request_id="my-request").json
    states = [poll(call, job["id"]).json for _ in range(3)]

    assert (job["task_status"], job["request_id"]) == ("PROCESSING", "my-request")
    assert [state["task_status"] for state in states] == ["PROCESSING", "PROCESSING", "SUCCESS"]
    assert set(states[2]["video_result"][0]) == {"url", "cover_image_url"}
    assert "id" not in states[2]


@pytest.mark.parametrize(
    ("prompt", "state"),
    [("polls:0 x", "SUCCESS"), ("task:fail", "FAIL"), ("task:forever", "PROCESSING")],
    ids=["at once", "fails", "never ends"],
)
def test_words_in_the_prompt_decide_how_a_job_ends(call: Caller, prompt: str, state: str) -> None:
    """The number of polls and the end are the prompt's."""
    id = film(call, prompt=prompt).json["id"]
    answers = [poll(call, id).json["task_status"] for _ in range(1 if "polls" in prompt else 4)]
    assert answers[-1] == state


def test_another_sandbox_knows_the_job(call: Caller) -> None:
    """The id holds what was asked: a process that comes later can go on."""
    id = film(call).json["id"]
    with Server(Sandbox()) as second:
        assert poll(Caller(second, call.sandbox), id).json["task_status"] == "PROCESSING"


def test_a_job_belongs_to_its_account(call: Caller) -> None:
    """Another key, and an id that was never given out, meet the same refusal."""
    id = film(call).json["id"]
    assert poll(call, id, key="zhipu").code == "1214"
    assert poll(call, "nonsense").code == "1214"


def test_async_chat_is_found_at_the_same_path(call: Caller) -> None:
    """`/async-result` serves chat, pictures and videos alike."""
    job = call(
        "POST", f"{BASE}/async/chat/completions", {"model": "glm-5.3", "messages": [_said("echo: hi")]}, key="zhipu"
    )
    answer = poll(call, job.json["id"], key="zhipu").json
    assert answer["choices"][0]["message"]["content"] == "hi"


def _said(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@pytest.mark.parametrize(
    ("fields", "key", "code"),
    [
        ({"size": "1728x960"}, "zai", None),
        ({"size": "1024x2048"}, "zai", None),
        ({"size": "1000x1000"}, "zai", "1214"),
        ({"size": "1040x1040"}, "zai", "1214"),
        ({"size": "2080x1024"}, "zai", "1214"),
        ({"quality": "standard"}, "zai", None),
        ({"quality": "standard"}, "zhipu", "1214"),
        ({"watermark_enabled": False}, "zai", "1210"),
        ({"watermark_enabled": False}, "zhipu", None),
        ({"model": "cogview-4", "size": "1040x1040"}, "zhipu", None),
        ({"model": "cogview-4"}, "zai", "1211"),
        ({"model": "cogview-4-250304", "size": "2048x2048"}, "zai", "1214"),
        ({"n": 2}, "zai", "1210"),
        ({"prompt": ""}, "zai", "1214"),
        ({"prompt": None}, "zai", "1213"),
        ({"user_id": "short"}, "zai", "1214"),
        ({}, "zai-coding", "1113"),
    ],
    ids=str,
)
def test_picture_requests_are_checked(call: Caller, fields: dict[str, Any], key: str, code: str | None) -> None:
    """What the documents exclude is refused with its code; documented presets pass."""
    answer = draw(call, key, **fields)
    assert (answer.code if answer.status != 200 else None) == code


@pytest.mark.parametrize(
    ("fields", "key", "code"),
    [
        ({"fps": 60, "duration": 10, "quality": "quality", "with_audio": True, "size": "3840x2160"}, "zai", None),
        ({"fps": 24}, "zai", "1214"),
        ({"duration": 4}, "zai", "1214"),
        ({"with_audio": 1}, "zai", "1214"),
        ({"style": "anime"}, "zai", "1210"),
        ({"prompt": None}, "zai", "1213"),
        ({"prompt": None, "image_url": URI}, "zai", None),
        ({"image_url": [URI, URI]}, "zhipu", None),
        ({"image_url": [URI]}, "zhipu", "1214"),
        ({"image_url": [URI]}, "zai", None),
        ({"image_url": [URI] * 3}, "zai", "1214"),
        ({"image_url": "data:image/png;base64,AAAA"}, "zai", "1214"),
        ({"image_url": "fox.png"}, "zai", "1214"),
        ({"model": "viduq1-text", "style": "anime", "aspect_ratio": "1:1"}, "zai", None),
        ({"model": "viduq1-text", "prompt": None}, "zai", "1213"),
        ({"model": "viduq1-text", "fps": 30}, "zai", "1210"),
        ({"model": "vidu2-image", "image_url": URI, "duration": 4}, "zai", None),
        ({"model": "vidu2-image", "image_url": [URI]}, "zai", "1214"),
        ({"model": "vidu2-image"}, "zai", "1213"),
        ({"model": "vidu2-start-end", "image_url": [URI, URI]}, "zai", None),
        ({"model": "vidu2-reference", "image_url": [URI] * 3}, "zai", None),
        ({"model": "cogvideox-2"}, "zai", "1211"),
        ({"model": "cogvideox-2"}, "zhipu", None),
        ({"model": "cogvideox-2", "duration": 5}, "zhipu", "1210"),
        ({"prompt": "x" * 513}, "zai", "1214"),
        ({"model": "cogvideox-9"}, "zai", "1211"),
    ],
    ids=lambda value: str(value).replace(URI, "URI")[:70],
)
def test_video_requests_are_checked(call: Caller, fields: dict[str, Any], key: str, code: str | None) -> None:
    """Every group of models takes its own fields and pictures."""
    answer = film(call, key, **fields)
    assert (answer.code if answer.status != 200 else None) == code


def test_only_glm_image_draws_asynchronously(call: Caller) -> None:
    """Another model is told that it cannot; the result stands under its own key."""
    path = f"{BASE}/async/images/generations"
    refused = call("POST", path, {"model": "cogview-4-250304", "prompt": "a fox"})
    taken = call("POST", path, {"model": "glm-image", "prompt": "a fox"}).json

    assert refused.code == "1212"
    assert fetch(call, result(call, taken["id"])["image_result"][0]["url"]).status == 200


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=999999-", 416, slice(0, 0)),
        ("bytes=x", 200, slice(None)),
    ],
)
def test_a_download_can_be_taken_up_again(call: Caller, asked: str, status: int, part: slice) -> None:
    """A Range gives that part of the same bytes, without any key."""
    url = draw(call).json["data"][0]["url"]
    whole = fetch(call, url)
    answer = fetch(call, url, Range=asked)

    assert (answer.status, answer.data) == (status, whole.data[part])
    if status == 206:
        assert answer.headers["content-range"].endswith(f"/{len(whole.data)}")


def test_a_range_of_another_file_gives_the_whole(call: Caller) -> None:
    """If-Range with a stranger's ETag starts over."""
    url = draw(call).json["data"][0]["url"]
    assert fetch(call, url, **{"Range": "bytes=10-", "If-Range": '"other"'}).status == 200


def test_the_vendors_sdk_draws_and_films(call: Caller) -> None:
    """zai-sdk finds the address of a picture, and polls a video to its end."""
    base_url = f"{call.server.address}{BASE}"
    client: Any = zai.ZaiClient(api_key=call.sandbox.keys["zai"], base_url=base_url, max_retries=0)
    image = client.images.generations(model="glm-image", prompt="a fox", size="1280x1280")
    job = client.videos.generations(model="cogvideox-3", prompt="a cat", fps=60, duration=5)
    states = [client.videos.retrieve_videos_result(id=job.id) for _ in range(3)]

    assert image.data[0].url.endswith(".png")
    assert states[0].task_status == "PROCESSING"
    assert states[2].video_result[0].url.endswith(".mp4")

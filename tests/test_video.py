"""`glm video`, with the sandbox on a socket."""

from __future__ import annotations

import base64
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
import zai

from glmcli.api.endpoints import Region
from glmcli.api.polling import JobState, PollingPolicy, state_of
from glmcli.api.resources.async_results import files_in, job_from_json, submission_from_json
from glmcli.api.resources.videos import Frame, VideoRequest, check
from glmcli.errors import ServiceError, UsageError
from tests.harness import Glm, GlmProcess, Result, ScriptedServer

FAST = ("--interval", "0.01")


def png(width: int, height: int) -> bytes:
    """A black picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" * (width + 1)) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def posts(server: ScriptedServer) -> list[Any]:
    return [request.json for request in server.requests if request.method == "POST"]


def tasks(glm: Glm) -> list[Any]:
    return list(glm("tasks", "list", "--json").json["tasks"])


# -- from prompt to file -----------------------------------------------------------------


def test_a_video_is_made_and_saved(glm: Glm, server: ScriptedServer) -> None:
    """Submitted once, asked for until it is done, downloaded without the key."""
    result = glm("video", "a cat typing", *FAST, "-o", "cat.mp4")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "cat.mp4\n", "")
    assert Path("cat.mp4").read_bytes()[4:8] == b"ftyp"
    assert posts(server) == [{"model": "cogvideox-3", "prompt": "a cat typing"}]
    polls = [request.path for request in server.requests if "/async-result/" in request.path]
    assert len(polls) == 3
    assert "authorization" not in server.last.headers


def test_every_field_has_its_option(glm: Glm, server: ScriptedServer) -> None:
    """What the documents name is sent as they spell it; --set replaces."""
    argv = ("--duration", "5", "--fps", "60", "--size", "1920x1080", "--quality", "quality", "--audio")
    result = glm("video", "a cat", *argv, "--request-id", "mine-0001", "--set", "fps=30", "--no-wait")

    assert result.exit_code == 0
    assert posts(server) == [
        {
            "model": "cogvideox-3",
            "prompt": "a cat",
            "quality": "quality",
            "with_audio": True,
            "size": "1920x1080",
            "fps": 30,
            "duration": 5,
            "request_id": "mine-0001",
        }
    ]


def test_pictures_go_along(glm: Glm, server: ScriptedServer) -> None:
    """One as a string, two as a list; a file as a data URI, an address as it is."""
    Path("first.png").write_bytes(png(64, 64))
    Path("last.png").write_bytes(png(64, 48))
    uri = "data:image/png;base64," + base64.b64encode(png(64, 64)).decode()
    assert glm("video", "rise", "--image", "first.png", "--no-wait").exit_code == 0
    assert glm("video", "rise", "--image", "first.png", "--image", "last.png", "--no-wait").exit_code == 0
    assert glm("video", "--image", "https://cdn.example/a.png", "--no-wait").exit_code == 0

    one, two, address = [body["image_url"] for body in posts(server)]
    assert one == uri
    assert [len(two), two[0]] == [2, uri]
    assert address == "https://cdn.example/a.png"
    assert "prompt" not in posts(server)[2]
    assert tasks(glm)[1]["request"]["image_url"] == [str(Path(name).absolute()) for name in ("first.png", "last.png")]


@pytest.mark.parametrize(
    ("model", "argv"),
    [
        ("viduq1-text", ["x", "--style", "anime", "--aspect-ratio", "9:16", "--movement", "large"]),
        ("viduq1-image", ["--image", "a.png", "--duration", "5"]),
        ("vidu2-image", ["x", "--image", "a.png", "--audio", "--duration", "4"]),
        ("viduq1-start-end", ["--image", "a.png", "--image", "b.png"]),
        ("vidu2-start-end", ["--image", "a.png"]),
        ("vidu2-reference", ["x", *(["--image", "a.png"] * 3), "--aspect-ratio", "1:1"]),
    ],
)
def test_every_group_of_models_is_taken(glm: Glm, server: ScriptedServer, model: str, argv: list[str]) -> None:
    """The strict sandbox accepts what each command line becomes."""
    for name in ("a.png", "b.png"):
        Path(name).write_bytes(png(160, 160))
    result = glm("video", *argv, "-m", model, *FAST, "-o", "out.mp4")
    assert (result.exit_code, result.stdout) == (0, "out.mp4\n")


@pytest.mark.parametrize("model", ["cogvideox-2", "cogvideox-flash"])
def test_models_of_zhipu_are_taken_there(glm: Glm, server: ScriptedServer, model: str) -> None:
    """With their own sizes and no duration; elsewhere they are doubted and refused by the service."""
    environ = {"ZHIPU_API_KEY": server.keys["zhipu"], "ZAI_API_KEY": None}
    argv = ("video", "a cat", "-m", model, "--size", "1280x960", *FAST, "-o", "cat.mp4")
    assert glm(*argv, "--no-watermark", env=environ).exit_code == 0
    refused = glm(*argv, "--force")
    assert "Zhipu" in refused.stderr
    assert refused.exit_code == 1


def test_the_cover_is_saved_beside(glm: Glm, server: ScriptedServer) -> None:
    """On request; both paths are printed."""
    result = glm("video", "a cat", *FAST, "--cover")
    assert result.stdout.splitlines() == ["a-cat.mp4", "a-cat-cover.png"]
    assert Path("a-cat-cover.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_the_document_of_the_task(glm: Glm, server: ScriptedServer) -> None:
    """The same keys as `glm tasks show --json`."""
    document = glm("video", "a cat", *FAST, "--json").json
    assert document == glm("tasks", "show", "last", "--json").json
    assert (document["status"], document["files"][0]["path"]) == ("done", str(Path("a-cat.mp4").absolute()))


def test_the_bytes_can_be_piped(glm: Glm, server: ScriptedServer) -> None:
    """`-o -` writes the video and nothing else."""
    result = glm("video", "a cat", *FAST, "-o", "-")
    assert result.stdout_bytes[4:8] == b"ftyp"
    assert list(Path().iterdir()) == []


def test_progress_shows_the_time_on_a_terminal(glm: Glm, server: ScriptedServer) -> None:
    """And is taken away again; a pipe gets none."""
    result = glm("video", "a cat", "--interval", "0.2", tty={"stdout", "stderr"})
    assert "waiting for the video, 0:0" in result.stderr
    assert result.stderr.endswith("\r\x1b[K")


# -- honest about money ------------------------------------------------------------------


def test_a_refused_submission_leaves_no_task(glm: Glm, server: ScriptedServer) -> None:
    """It never was."""
    assert glm("video", "fault:1301 x").exit_code == 7
    assert glm("video", "a cat", env={"ZAI_API_KEY": server.keys["zai-empty"]}).exit_code == 5
    assert tasks(glm) == []


@pytest.mark.parametrize("fault", ["html", "cut", "500", "empty"])
def test_an_unanswered_submission_is_not_repeated(glm: Glm, server: ScriptedServer, fault: str) -> None:
    """It may have been accepted: remembered as unknown, told so, sent once."""
    result = glm("video", f"fault:{fault} x", *FAST)

    assert result.exit_code in (1, 8)
    assert "may have accepted" in result.stderr
    assert len(posts(server)) == 1
    assert [task["status"] for task in tasks(glm)] == ["unknown"]
    later = glm("tasks", "wait", "last")
    assert later.exit_code == 1
    assert "never told its id" in later.stderr
    assert len(posts(server)) == 1


def test_a_limit_is_waited_for(glm: Glm, server: ScriptedServer) -> None:
    """1302 says that nothing was accepted; the submission is sent again."""
    assert glm("video", "fault:1302x1 x", *FAST, "-o", "a.mp4").exit_code == 0
    assert len(posts(server)) == 2


def test_a_dry_run_remembers_nothing(glm: Glm, server: ScriptedServer) -> None:
    """The command is printed, with the key as a variable."""
    result = glm("video", "a cat", "--dry-run")
    assert "/videos/generations" in result.stdout
    assert "$ZAI_API_KEY" in result.stdout
    assert tasks(glm) == []


def test_without_a_database_the_video_is_made(glm: Glm, server: ScriptedServer, home: Path) -> None:
    """It is said that the task cannot be remembered, before it is submitted."""
    home.mkdir()
    (home / "history.db").write_bytes(b"not a database at all" * 100)
    result = glm("video", "a cat", *FAST, "-o", "cat.mp4")

    assert result.exit_code == 0
    assert "cannot be remembered" in result.stderr
    assert Path("cat.mp4").exists()


def test_without_a_log_the_prompt_is_not_kept(glm: Glm, server: ScriptedServer) -> None:
    """The task is, since it was paid for."""
    glm("video", "a secret cat", "--no-wait", env={"GLM_NO_LOG": "1"})
    (task,) = tasks(glm)
    assert task["status"] == "running"
    assert "prompt" not in task["request"]


# -- killed ------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [2, 3, 4, 5, 6, 7, 8, 9, 10, "download"], ids=str)
def test_a_killed_wait_is_finished_later(
    glm: Glm, glm_process: GlmProcess, server: ScriptedServer, moment: int | str
) -> None:
    """`kill -9` after any request, then `glm tasks wait`: one submission, a whole file where it was wanted."""
    prompt = "a cat polls:7 mebibytes:20"
    process = glm_process.start("video", prompt, "--interval", "0.05", "-o", "out/cat.mp4")
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        if moment == "download" and list(Path().glob("out/.*.part")):
            break
        if isinstance(moment, int) and len(server.requests) >= moment:
            break
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert process.returncode == -9 or moment in (10, "download")  # these may be too late

    elsewhere = Path("elsewhere")
    elsewhere.mkdir()
    result = glm("tasks", "wait", "last", *FAST, cwd=elsewhere.absolute())
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{Path('out/cat.mp4').absolute()}\n"
    assert Path("out/cat.mp4").stat().st_size > 20 * 2**20
    assert [path.name for path in Path("out").iterdir()] == ["cat.mp4"]
    assert len(posts(server)) == 1


def test_a_killed_submission_is_told(glm: Glm, glm_process: GlmProcess, server: ScriptedServer) -> None:
    """Between request and answer nobody knows the id: said honestly, and not sent again."""
    process = glm_process.start("video", "fault:slow x", "-o", "cat.mp4")
    while not server.requests and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.communicate()

    assert [task["status"] for task in tasks(glm)] == ["submitting"]
    result = glm("tasks", "wait", "last")
    assert result.exit_code == 1
    assert "may have accepted" in result.stderr
    assert len(posts(server)) == 1


# -- checks ------------------------------------------------------------------------------

A, B = Frame("a", "a", "png", 10, (640, 480)), Frame("b", "b", "png", 10, (640, 400))
SMALL = Frame("s", "s", "png", 10, (100, 100))
BIG = Frame("b", "b", "png", 6 * 2**20, (640, 480))
WEBP = Frame("w", "w", "webp", 10)
LONG = Frame("l", "l", "png", 10, (1000, 200))


@pytest.mark.parametrize(
    ("model", "prompt", "frames", "options", "message"),
    [
        ("cogvideox-3", None, [], {}, "needs a prompt or a picture"),
        ("cogvideox-3", "x" * 513, [], {}, "513 characters"),
        ("cogvideox-3", "x", [A] * 3, {}, "takes 0 to 2"),
        ("cogvideox-3", "x", [], {"fps": 24}, "--fps 24"),
        ("cogvideox-3", "x", [], {"duration": 7}, "--duration 7"),
        ("cogvideox-3", "x", [], {"size": "640x480"}, "--size 640x480"),
        ("cogvideox-3", "x", [], {"style": "anime"}, "has no --style"),
        ("cogvideox-3", "x", [WEBP], {}, "WEBP"),
        ("cogvideox-3", "x", [BIG], {}, "takes 5 MiB"),
        ("viduq1-text", None, [], {}, "needs a prompt"),
        ("viduq1-text", "x", [A], {}, "takes no pictures"),
        ("viduq1-text", "x", [], {"fps": 30}, "has no --fps"),
        ("viduq1-image", "x", [], {}, "takes 1"),
        ("vidu2-image", "x", [A], {"duration": 5}, "--duration 5"),
        ("vidu2-image", "x", [LONG], {}, "1:4 to 4:1"),
        ("vidu2-start-end", "x", [A, SMALL], {}, "differ too much"),
        ("vidu2-reference", "x", [SMALL], {}, "128 a side"),
        ("cogvideox-2", "x", [], {"duration": 5}, "has no --duration"),
    ],
)
def test_what_is_surely_refused_is_not_sent(
    model: str, prompt: str | None, frames: list[Frame], options: dict[str, object], message: str
) -> None:
    """Every group of the documents has its own checks."""
    with pytest.raises(UsageError, match=message):
        check(VideoRequest(prompt, model=model, frames=frames, options=options), region=Region.CN)


@pytest.mark.parametrize(
    ("model", "frames", "options", "region", "doubts"),
    [
        ("cogvideox-3", [A, B], {"quality": "speed"}, Region.INTL, 0),
        ("cogvideox-3", [A, B], {"quality": "quality"}, Region.INTL, 1),
        ("cogvideox-3", [], {"watermark_enabled": False}, Region.INTL, 1),
        ("cogvideox-3", [], {"watermark_enabled": False}, Region.CN, 0),
        ("vidu2-image", [WEBP], {"with_audio": True}, Region.CN, 0),
        ("viduq1-image", [A], {"with_audio": True}, Region.CN, 1),
        ("vidu2-start-end", [A, B], {}, Region.INTL, 1),
        ("vidu9-dream", [SMALL] * 9, {"fps": 1}, Region.INTL, 0),
    ],
)
def test_doubts_are_told_and_sent(
    model: str, frames: list[Frame], options: dict[str, object], region: Region, doubts: int
) -> None:
    """Where the documents disagree the service decides; an unknown model passes unchecked."""
    assert len(check(VideoRequest("x", model=model, frames=frames, options=options), region=region)) == doubts


def test_a_file_that_is_no_picture_is_told(glm: Glm, server: ScriptedServer) -> None:
    """Before anything is sent."""
    Path("a.txt").write_text("hello")
    for name in ("a.txt", "missing.png"):
        assert glm("video", "x", "--image", name).exit_code == 2
    assert not server.requests


# -- polling -----------------------------------------------------------------------------


def test_pauses_grow_to_a_limit() -> None:
    """From two seconds to fifteen."""
    policy = PollingPolicy()
    assert [policy.pause(asked, 0.0) for asked in (1, 2, 3, 4, 5, 6, 7, 99)] == [
        *(2.0, 3.0, 4.5, 6.75, 10.125, 15.0),
        *(15.0, 15.0),
    ]


def test_the_last_question_is_asked_at_the_deadline() -> None:
    """A pause is cut short by it, and after it there is none."""
    policy = PollingPolicy(deadline_seconds=10)
    assert [policy.pause(5, elapsed) for elapsed in (0, 7, 10, 11)] == [10, 3, None, None]
    assert PollingPolicy(interval_seconds=0.5).pause(50, 1e9) == 0.5


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SUCCESS", JobState.SUCCEEDED),
        ("FAIL", JobState.FAILED),
        ("PROCESSING", JobState.RUNNING),
        ("SUBMITTED", JobState.RUNNING),
        ("whatever comes", JobState.RUNNING),
        (None, JobState.RUNNING),
    ],
)
def test_unknown_states_are_still_running(word: str | None, state: JobState) -> None:
    """Only the two documented ends are ends."""
    assert state_of(word) is state


def test_job_replies_are_read_tolerantly() -> None:
    """Files by the key that holds them, a reason wherever it stands, an id as a number."""
    assert [file.role for file in files_in({"video_result": {"url": "u", "cover_image_url": "c"}})] == [
        "video",
        "cover",
    ]
    assert files_in({"video_result": None, "image_result": "x"}) == []
    assert job_from_json({"task_status": "FAIL", "error": {"code": 1301, "message": "bad"}}).reason == "bad (1301)"
    assert job_from_json({"task_status": "FAIL", "detail": "gpu"}).reason == '{"detail": "gpu"}'
    assert submission_from_json({"id": 88917}).id == "88917"
    with pytest.raises(ServiceError, match="without the id"):
        submission_from_json({"task_status": "PROCESSING"})


# -- the vendor's SDK --------------------------------------------------------------------


def test_the_body_is_that_of_the_vendors_sdk(glm: Glm, server: ScriptedServer) -> None:
    """Same path and fields as zai-sdk 0.2.3, but for its nulls (docs/media.md)."""
    fields: Any = {
        "quality": "quality",
        "with_audio": True,
        "size": "1920x1080",
        "fps": 60,
        "duration": 10,
        "request_id": "mine-0001",
        "user_id": "user-1",
    }
    urls = ["https://cdn.example/a.png", "https://cdn.example/b.png"]
    client: Any = zai.ZaiClient(api_key=server.keys["zai"], base_url=f"{server.address}/api/paas/v4", max_retries=0)
    client.videos.generations(model="cogvideox-3", prompt="a cat", image_url=urls, **fields)
    theirs = server.last
    argv = ["--image", urls[0], "--image", urls[1], "--audio", "--no-wait"]
    for name in ("quality", "size", "fps", "duration", "request_id", "user_id"):
        argv += [f"--{name.replace('_', '-')}", str(fields[name])]
    result: Result = glm("video", "a cat", *argv)

    assert result.exit_code == 0
    ours = server.last
    assert ours.path == theirs.path
    assert ours.json == {name: value for name, value in theirs.json.items() if value is not None}
    assert {name for name, value in theirs.json.items() if value is None} == {
        *("style", "aspect_ratio", "off_peak", "movement_amplitude"),
    }

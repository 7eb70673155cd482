"""`glm image`, with the sandbox on a socket."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import zai

from glmcli.api.endpoints import Region
from glmcli.api.resources.images import ImageRequest, check, image_from_json
from glmcli.errors import ServiceError, UsageError
from glmcli.render.preview import way_of
from tests.harness import Glm, Result, ScriptedServer


def size_of(path: str | Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    return struct.unpack(">II", Path(path).read_bytes()[16:24])


def posts(server: ScriptedServer) -> list[Any]:
    return [request.json for request in server.requests if request.method == "POST"]


# -- one picture -------------------------------------------------------------------------


def test_a_picture_is_drawn_and_saved(glm: Glm, server: ScriptedServer) -> None:
    """The path stands on standard output, and nothing but prompt and model was asked for."""
    result = glm("image", "a", "red", "fox", "-o", "fox.png")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "fox.png\n", "")
    assert size_of("fox.png") == (1280, 1280)
    assert posts(server) == [{"model": "glm-image", "prompt": "a red fox"}]


def test_every_field_has_its_option(glm: Glm, server: ScriptedServer) -> None:
    """What the documents name is sent as they spell it; --set adds and replaces."""
    argv = ("--size", "1728x960", "--quality", "hd", "--user-id", "user-1", "--request-id", "mine-0001")
    result = glm("image", "a fox", *argv, "--set", "seed=7", "--dry-run")

    expected = '{"model":"glm-image","prompt":"a fox","quality":"hd","size":"1728x960","user_id":"user-1"'
    assert expected + ',"request_id":"mine-0001","seed":7}' in result.stdout
    assert not server.requests
    assert glm("tasks", "list").stdout == ""


@pytest.mark.parametrize(
    ("argv", "path"),
    [
        ((), "a-red-fox.png"),
        (("-o", "pictures/"), "pictures/a-red-fox.png"),
        (("-o", "deep/er/fox"), "deep/er/fox"),
    ],
    ids=["from the prompt", "in a folder", "as it was called"],
)
def test_the_name_is_chosen(glm: Glm, server: ScriptedServer, argv: Sequence[str], path: str) -> None:
    """By the prompt, or by the user; folders are made."""
    assert glm("image", "A red fox!", *argv).stdout == f"{path}\n"
    assert Path(path).read_bytes().startswith(b"\x89PNG")


def test_nothing_is_overwritten(glm: Glm, server: ScriptedServer) -> None:
    """A file that exists is told before anything is paid; derived names are numbered."""
    Path("fox.png").write_bytes(b"mine")
    refused = glm("image", "a fox", "-o", "fox.png")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--force" in refused.stderr
    assert not server.requests
    assert [glm("image", "a fox").stdout for _ in range(2)] == ["a-fox.png\n", "a-fox-2.png\n"]
    assert glm("image", "a fox", "-o", "fox.png", "--force").exit_code == 0
    assert Path("fox.png").read_bytes() != b"mine"


def test_json_is_one_document(glm: Glm, server: ScriptedServer) -> None:
    """Path, address and its end, and what the content filter said."""
    document = glm("image", "a fox filter:1", "-o", "fox.png", "--json").json

    assert document["path"] == str(Path("fox.png").absolute())
    assert document["url_expires"] - document["created"] == 30 * 86400
    assert document["content_filter"] == [{"role": "assistant", "level": 1}]
    assert (document["content_type"], document["schema_version"]) == ("image/png", 1)


def test_the_content_filter_is_told(glm: Glm, server: ScriptedServer) -> None:
    """A mark is said on stderr, a refusal has the exit code of content."""
    marked = glm("image", "a fox filter:1", "-o", "fox.png")
    refused = glm("image", "a fox fault:1301", "-o", "other.png")

    assert "level 1" in marked.stderr
    assert (refused.exit_code, Path("other.png").exists()) == (7, False)


def test_a_picture_that_cannot_be_saved_is_not_lost(glm: Glm, server: ScriptedServer) -> None:
    """It was paid for: the hint fetches it, without a second request to draw."""
    server.script("GET", "/image.png", status=500, body=b"")
    failed = glm("image", "a fox", "-o", "fox.png", "--max-retries", "0")
    assert failed.exit_code == 1
    command = failed.stderr.split("glm tasks fetch ")[1].split()[0]

    fetched = glm("tasks", "fetch", command)
    assert (fetched.exit_code, fetched.stdout) == (0, "fox.png\n")
    assert len(posts(server)) == 1


@pytest.mark.parametrize("words", [["-o", "fox.png"], ["-o", "out/"], ["-o", "-"]], ids=["file", "folder", "pipe"])
def test_the_same_command_fetches_what_is_paid_for(glm: Glm, server: ScriptedServer, words: list[str]) -> None:
    """A picture that did not arrive is not drawn again by the second try; the third draws another one."""
    server.script("GET", "/image.png", status=500, body=b"")
    assert glm("image", "a fox", *words, "--max-retries", "0").exit_code == 1

    again = glm("image", "a fox", *words)
    assert again.exit_code == 0
    assert "made and paid for" in again.stderr
    assert len(posts(server)) == 1
    assert glm("tasks", "list", "--json").json["tasks"] == []
    assert glm("image", "a fox", *words, *(["--force"] if words[1] == "fox.png" else [])).exit_code == 0
    assert len(posts(server)) == 2


def test_a_list_goes_on_with_what_is_paid_for(glm: Glm, server: ScriptedServer) -> None:
    """Its pictures have numbers: each is fetched to its own place."""
    Path("prompts.txt").write_text("a fox\na fox\n")
    server.script("GET", "/image.png", status=500, body=b"")
    assert glm("image", "--file", "prompts.txt", "-o", "out/", "--max-retries", "0").exit_code == 1

    assert glm("image", "--file", "prompts.txt", "-o", "out/").exit_code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["001-a-fox.png", "002-a-fox.png"]
    assert len(posts(server)) == 2


def test_an_unanswered_request_is_not_repeated(glm: Glm, server: ScriptedServer) -> None:
    """A picture costs money: 500 may mean that it was drawn. A limit says that it was not."""
    assert glm("image", "a fox fault:500", "-o", "a.png").exit_code == 1
    assert len(posts(server)) == 1
    assert glm("image", "a fox fault:1302x1", "-o", "b.png").exit_code == 0
    assert len(posts(server)) == 3


def test_a_chosen_timeout_counts(glm: Glm, server: ScriptedServer) -> None:
    """Drawing is given minutes unless the user says otherwise; it is not asked for twice."""
    result = glm("image", "fault:slow a fox", "--timeout", "0.1", "-o", "a.png")
    assert result.exit_code == 8
    assert len(posts(server)) == 1
    assert glm("image", "fault:slow a fox", "-o", "a.png").exit_code == 0


def test_bytes_do_not_go_to_a_terminal(glm: Glm, server: ScriptedServer) -> None:
    """Nor between the lines of JSON."""
    assert glm("image", "a fox", "-o", "-", tty={"stdout"}).exit_code == 2
    assert glm("image", "a fox", "-o", "-", "--json").exit_code == 2
    assert not server.requests


def test_the_prompt_may_be_piped(glm: Glm, server: ScriptedServer) -> None:
    """Alone, or asked for by a dash."""
    glm("image", "-o", "a.png", input="a fox\n")
    glm("image", "-", "-o", "b.png", input="a hare\n")
    assert [body["prompt"] for body in posts(server)] == ["a fox", "a hare"]
    assert glm("image").exit_code == 2


def test_a_plan_key_is_told_what_pays(glm: Glm, server: ScriptedServer) -> None:
    """Pictures are no part of the plan: said before, and diagnosed after."""
    result = glm("image", "a fox", "--provider", "zai-coding", env={"ZAI_CODING_API_KEY": server.keys["zai-coding"]})

    assert result.exit_code == 5
    assert "balance" in result.stderr


# -- many --------------------------------------------------------------------------------


def test_a_file_of_prompts_is_drawn_line_by_line(glm: Glm, server: ScriptedServer) -> None:
    """Numbered names; a second run draws only what is missing."""
    Path("prompts.txt").write_text("# animals\na fox\n\na hare\na fox\n", encoding="utf-8")
    first = glm("image", "--file", "prompts.txt", "-o", "out", "--jobs", "3")
    assert first.stdout.splitlines() == ["out/001-a-fox.png", "out/002-a-hare.png", "out/003-a-fox.png"]
    Path("out/002-a-hare.png").unlink()

    second = glm("image", "--file", "prompts.txt", "-o", "out")
    assert second.stdout == "out/002-a-hare.png\n"
    assert "2 of 3 pictures are there already" in second.stderr
    assert len(posts(server)) == 4


def test_one_bad_prompt_does_not_stop_the_others(glm: Glm, server: ScriptedServer) -> None:
    """It is named, and the command fails at its end."""
    result = glm("image", "--file", "-", "-o", "out/", input="a fox\nfault:1301 x\na hare\n")

    assert result.exit_code == 7
    assert result.stdout.splitlines() == ["out/001-a-fox.png", "out/003-a-hare.png"]
    assert "1 of 3 pictures failed" in result.stderr


def test_an_empty_balance_stops_all(glm: Glm, server: ScriptedServer) -> None:
    """The first request finds out; no second one leaves."""
    result = glm("image", "--file", "-", "-o", "out/", input="a\nb\nc\n", env={"ZAI_API_KEY": server.keys["zai-empty"]})
    assert result.exit_code == 5
    assert len(posts(server)) == 1


# -- as a task ---------------------------------------------------------------------------


def test_a_picture_may_be_a_task(glm: Glm, server: ScriptedServer) -> None:
    """Submitted, waited for and saved; the list of tasks knows it."""
    result = glm("image", "a fox", "--async", "--interval", "0.01", "-o", "fox.png")

    assert (result.exit_code, result.stdout) == (0, "fox.png\n")
    assert size_of("fox.png") == (1280, 1280)
    task = glm("tasks", "list", "--json").json["tasks"][0]
    assert (task["kind"], task["status"], task["output"]) == ("image", "done", str(Path("fox.png").absolute()))


def test_without_waiting_the_id_is_printed(glm: Glm, server: ScriptedServer) -> None:
    """It is good for `glm tasks wait` as it stands."""
    id = glm("image", "a fox", "--no-wait").stdout.strip()
    result = glm("tasks", "wait", id, "--interval", "0.01")
    assert (result.exit_code, result.stdout) == (0, "a-fox.png\n")


# -- checks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "size", "verdict"),
    [
        ("glm-image", "1728x960", "good"),
        ("glm-image", "960x1728", "good"),
        ("glm-image", "2048x2048", "good"),
        ("glm-image", "1024x1088", "good"),
        ("glm-image", "992x1088", "doubt"),
        ("glm-image", "2080x1024", "doubt"),
        ("glm-image", "1000x1000", "error"),
        ("glm-image", "2048x2080", "error"),
        ("glm-image", "1280×1280", "error"),
        ("glm-image", "big", "error"),
        ("cogview-4", "1440x720", "good"),
        ("cogview-4", "496x1024", "doubt"),
        ("cogview-4", "2048x1040", "error"),
        ("cogview-4", "520x520", "error"),
        ("cogview-9", "7x7", "good"),
    ],
)
def test_sizes_are_checked(model: str, size: str, verdict: str) -> None:
    """Presets pass though two break the rule beside them; multiple and area are errors, the range is a doubt."""
    request = ImageRequest("a fox", model=model, size=size)
    if verdict == "error":
        with pytest.raises(UsageError):
            check(request, region=Region.CN)
    else:
        assert len(check(request, region=Region.CN)) == (verdict == "doubt")


@pytest.mark.parametrize(
    ("fields", "region", "asynchronous", "message"),
    [
        ({"quality": "standard"}, Region.INTL, False, None),
        ({"quality": "standard"}, Region.CN, False, "only takes"),
        ({"quality": "standard"}, Region.INTL, True, "only takes"),
        ({"quality": "4k"}, Region.INTL, False, "no quality"),
        ({"model": "cogview-4-250304"}, Region.INTL, True, "asynchronously"),
        ({"model": "dall-e", "quality": "4k"}, Region.INTL, True, None),
        ({"user_id": "short"}, Region.INTL, False, "--user-id"),
    ],
)
def test_fields_are_checked(fields: dict[str, Any], region: Region, asynchronous: bool, message: str | None) -> None:
    """Only what a known model surely refuses is an error."""
    request = ImageRequest("a fox", **fields)
    if message is None:
        assert check(request, region=region, asynchronous=asynchronous) == []
    else:
        with pytest.raises(UsageError, match=message):
            check(request, region=region, asynchronous=asynchronous)


def test_sizes_are_explained_without_a_key(glm: Glm) -> None:
    """For all models, or for one; as JSON too."""
    assert "1728x960" in glm("image", "--size", "list").stdout
    models = glm("image", "--size", "list", "-m", "cogview-4", "--json").json["models"]
    assert [(model["model"], model["default"], model["multiple"]) for model in models] == [
        ("cogview-4", "1024x1024", 16)
    ]
    wrong = glm("image", "a fox", "--size", "1000x1000", env={"ZAI_API_KEY": "x"})
    assert "--size 1024x1024" in wrong.stderr


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"data": [{"url": "https://a"}]}, "https://a"),
        ({"created": "12", "data": {"url": "https://a"}}, "https://a"),
        ({"image_result": [{"url": "https://a"}], "content_filter": [{"level": "x"}, {}]}, "https://a"),
        ({"data": [{"b64_json": "iVBORw0KGgo="}]}, None),
    ],
    ids=["documented", "loose types", "the other key", "inside"],
)
def test_replies_are_read_tolerantly(body: dict[str, Any], found: str | None) -> None:
    """The picture is found where it is."""
    image = image_from_json(body)
    assert image.url == found
    assert found or image.content == b"\x89PNG\r\n\x1a\n"


def test_a_reply_without_a_picture_is_an_error(glm: Glm, server: ScriptedServer) -> None:
    """Also when the status says that all is well."""
    with pytest.raises(ServiceError, match="without a picture"):
        image_from_json({"created": 1, "data": []})
    server.script("POST", "/images/generations", json={"code": 1301, "message": "unsafe"})
    assert glm("image", "a fox").exit_code == 7


# -- the terminal ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({"TERM": "xterm-kitty"}, "_kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "_iterm"),
        ({"TERM": "foot"}, "_sixel"),
        ({"TERM": "xterm-256color"}, "_half_blocks"),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "iTerm.app", "TMUX": "x"}, "_half_blocks"),
        ({"TERM": "vt100"}, None),
    ],
)
def test_the_terminal_decides_how_pictures_are_shown(environ: dict[str, str], way: str | None) -> None:
    """By its environment; a multiplexer passes colours only."""
    found = way_of(environ)
    assert (found.__name__ if found else None) == way


def draw_on(glm: Glm, *argv: str, **environ: str) -> Result:
    return glm("image", "a fox", "-o", "fox.png", "--force", *argv, tty={"stdout", "stderr"}, env=environ)


def test_kitty_gets_the_picture_itself(glm: Glm, server: ScriptedServer) -> None:
    """In pieces of 4096 characters, before the path; not when nobody wants it, and never into a pipe."""
    shown = draw_on(glm, TERM="xterm-kitty").stdout
    assert shown.startswith("\x1b_Ga=T,f=100")
    assert shown.endswith("fox.png\n")
    assert max(map(len, shown.split("\x1b_G"))) < 4096 + 100
    assert draw_on(glm, "--no-preview", TERM="xterm-kitty").stdout == "fox.png\n"
    assert glm("image", "a fox", "-o", "a.png", env={"TERM": "xterm-kitty"}).stdout == "a.png\n"


def test_a_missing_pillow_is_told_once(glm: Glm, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is saved all the same."""
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    results = [draw_on(glm, TERM="xterm-256color") for _ in range(2)]

    assert [result.exit_code for result in results] == [0, 0]
    assert ["Pillow" in result.stderr for result in results] == [True, False]


# -- the vendor's SDK --------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True], ids=["at once", "as a task"])
def test_the_body_is_that_of_the_vendors_sdk(glm: Glm, server: ScriptedServer, asynchronous: bool) -> None:
    """Same fields, same values, same path as zai-sdk 0.2.3."""
    fields: Any = {"size": "1056x1568", "quality": "hd", "user_id": "user-1", "request_id": "mine-0001"}
    client: Any = zai.ZaiClient(api_key=server.keys["zai"], base_url=f"{server.address}/api/paas/v4", max_retries=0)
    create = client.images.async_generations if asynchronous else client.images.generations
    create(model="glm-image", prompt="a fox", **fields)
    theirs = server.last
    argv = [word for name, value in fields.items() for word in (f"--{name.replace('_', '-')}", value)]
    glm("image", "a fox", *argv, *(["--no-wait"] if asynchronous else []))
    ours = next(request for request in list(server.requests)[1:] if request.method == "POST")

    assert (ours.path, ours.json) == (theirs.path, theirs.json)


def test_half_blocks_show_two_pixels_a_cell(glm: Glm, server: ScriptedServer) -> None:
    """With Pillow any terminal that knows colours shows the picture, within its width."""
    pytest.importorskip("PIL.Image")
    shown = draw_on(glm, TERM="xterm-256color", COLUMNS="40", LINES="30").stdout.splitlines()
    assert shown[0].count("▀") == shown[5].count("▀") == 38
    assert shown[-1] == "fox.png"

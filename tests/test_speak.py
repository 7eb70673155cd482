"""`glm speak`: any length of text becomes one sound, in a file, a pipe or a player."""

from __future__ import annotations

import base64
import json
import os
import signal
import struct
import subprocess
import sys
import time
import wave
from array import array
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest

from glmcli.audio.pcm import UNKNOWN_BYTES, joined, wav_head, whole_samples
from glmcli.errors import ExitCode
from glmcli.sandbox.tones import listen
from glmcli.sentences import pieces
from tests.harness import Glm, GlmProcess, ScriptedServer

RATE = 24000


@pytest.fixture(autouse=True)
def _in_china(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZAI_API_KEY")
    monkeypatch.setenv("ZHIPU_API_KEY", server.keys["zhipu"])


def heard(data: bytes, rate: int = RATE) -> str:
    """The words in 16-bit samples."""
    return " ".join(listen(data[1::2], rate))


def heard_in(path: Path) -> str:
    """The words in a WAV file, read by the standard library."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return heard(file.readframes(file.getnframes()))


def story(words: int) -> str:
    """Sentences of eight words."""
    return " ".join(f"W{number:05d}{'.' if number % 8 == 7 else ''}" for number in range(words))


# -- one piece ---------------------------------------------------------------------------


def test_a_wav_file(glm: Glm, server: ScriptedServer) -> None:
    """Its path is the answer, its head is true, and it says what was asked."""
    result = glm("speak", "good", "morning", "-o", "out/morning.wav")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"out{os.sep}morning.wav\n", "")
    path = Path("out/morning.wav")
    assert heard_in(path) == "good morning"
    assert struct.unpack_from("<I", path.read_bytes(), 4)[0] == path.stat().st_size - 8
    assert [file.name for file in path.parent.iterdir()] == ["morning.wav"]
    assert server.last.json == {
        "model": "glm-tts", "input": "good morning", "voice": "tongtong", "response_format": "wav",
    }  # fmt: skip
    assert server.last.path == "/api/paas/v4/audio/speech"
    assert server.last.headers["accept"] == "*/*"


@pytest.mark.parametrize(
    ("argv", "piped"),
    [
        (["你好 世界"], ""),
        (["-"], "你好 世界\n"),
        ([], "你好 世界\n"),
        (["-f", "a.txt"], ""),
        (["-f", "-"], "你好 世界"),
    ],
    ids=["words", "dash", "pipe", "file", "file dash"],
)
def test_where_the_text_comes_from(glm: Glm, argv: list[str], piped: str) -> None:
    """From arguments, standard input or a file."""
    Path("a.txt").write_text("\ufeff你好 世界\n", encoding="utf-8")
    assert glm("speak", *argv, "-o", "a.wav", input=piped).exit_code == 0
    assert heard_in(Path("a.wav")) == "你好 世界"


def test_without_a_name(glm: Glm) -> None:
    """The text names the file, and no file is written over."""
    names = [glm("speak", "good morning").stdout for _ in range(2)]
    assert names == ["good-morning.wav\n", "good-morning-2.wav\n"]


def test_every_option_is_a_field(glm: Glm, server: ScriptedServer) -> None:
    """Voice, speed, volume, watermark, and whatever else is set."""
    glm(
        "speak", "hi", "--voice", "jam", "--speed", "1.5", "--volume", "3", "--no-watermark",
        "--set", "user_id=user-1", "-o", "a.wav",
    )  # fmt: skip
    assert server.last.json == {
        "model": "glm-tts", "input": "hi", "voice": "jam", "response_format": "wav", "speed": 1.5, "volume": 3.0,
        "watermark_enabled": False, "user_id": "user-1",
    }  # fmt: skip


def test_bare_samples(glm: Glm) -> None:
    """The ending of the file, or --format, leaves the head away."""
    glm("speak", "hi there", "-o", "a.pcm")
    glm("speak", "hi there", "-o", "b.raw", "--format", "pcm")
    assert heard(Path("a.pcm").read_bytes()) == "hi there"
    assert Path("b.raw").read_bytes() == Path("a.pcm").read_bytes()


def test_json(glm: Glm) -> None:
    """What was made, and how long it lasts."""
    found = glm("speak", "hi there", "-o", "a.wav", "--json").json
    with wave.open("a.wav") as file:
        seconds = file.getnframes() / RATE
    assert found == {
        "schema_version": 1, "path": str(Path("a.wav").absolute()), "format": "wav", "model": "glm-tts",
        "voice": "tongtong", "characters": 8, "seconds": pytest.approx(seconds, abs=0.001), "sample_rate": RATE,
        "pieces": 1,
    }  # fmt: skip


def test_voices(glm: Glm, server: ScriptedServer) -> None:
    """The list costs nothing; a stranger is sent, with a word about it."""
    assert glm("speak", "--voice", "list").stdout.split()[:2] == ["tongtong", "chuichui"]
    assert glm("speak", "--voice", "list", "--json").json["voices"][0] == {"voice": "tongtong", "default": True}
    assert not server.requests
    result = glm("speak", "hi", "--voice", "tongtng", "-o", "a.wav")
    assert "did you mean tongtong?" in result.stderr
    assert (result.exit_code, server.last.json["voice"]) == (ExitCode.FAILED, "tongtng")
    assert glm("speak", "hi", "--voice", "voice_of_mine", "-o", "a.wav").exit_code == 0


# -- long texts --------------------------------------------------------------------------


def test_a_long_text_is_one_sound(glm: Glm, server: ScriptedServer) -> None:
    """Cut at sentences, asked for in order, joined without a missing or doubled sample."""
    text = story(600)
    Path("story.txt").write_text(text)
    assert glm("speak", "-f", "story.txt", "-o", "story.pcm").exit_code == 0
    sent = [request.json["input"] for request in server.requests]
    assert len(sent) > 3
    assert all(len(piece) <= 1024 and piece.endswith(".") for piece in sent[:-1])
    assert " ".join(sent) == text
    sound = Path("story.pcm").read_bytes()
    assert heard(sound) == text
    one = len("W00000") * 2 * (RATE // 50) + RATE // 10
    stops = text.count(".") * 2 * (RATE // 50)
    assert len(sound) == 2 * (600 * one + stops)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("One. Two three.", 20, ["One. Two three."]),
        ("One. Two three.", 14, ["One.", "Two three."]),
        ("Pi is 3.14 today. Yes.", 20, ["Pi is 3.14 today.", "Yes."]),
        ("Ask Dr. Brown now. Go.", 16, ["Ask Dr. Brown", "now. Go."]),
        ('He said "No!" and went.', 16, ['He said "No!"', "and went."]),
        ("你好。世界很大！是吗？", 8, ["你好。世界很大！", "是吗？"]),
        ("他说：“好。”然后走了", 8, ["他说：“好。”", "然后走了"]),
        ("一二三四五六七八九十", 4, ["一二三四", "五六七八", "九十"]),
        ("first part, second part", 15, ["first part,", "second part"]),
        ("alpha beta gamma", 12, ["alpha beta", "gamma"]),
        ("unbelievably", 5, ["unbel", "ievab", "ly"]),
        ("中文abcdef中文", 5, ["中文", "abcde", "f中文"]),
        ("A short one.\n\nThen a long. And more", 25, ["A short one.", "Then a long. And more"]),
        ("a\u0301" * 6, 5, ["a\u0301a\u0301", "a\u0301a\u0301", "a\u0301a\u0301"]),
        (" \n ", 5, []),
    ],
    ids=[
        "fits",
        "latin",
        "decimal point",
        "abbreviation",
        "quotes",
        "chinese",
        "chinese quotes",
        "no stop at all",
        "clause",
        "word",
        "one long word",
        "mixed",
        "paragraph",
        "combining marks",
        "blank",
    ],
)
def test_where_a_text_is_cut(text: str, limit: int, expected: list[str]) -> None:
    """At the end of a paragraph, sentence, clause or word, in this order."""
    assert pieces(text, limit) == expected


def test_a_book_without_a_stop() -> None:
    """Is cut, too, and nothing of it is lost."""
    book = "字" * 2_000_000
    assert "".join(pieces(book, 1024)) == book


def test_a_click_is_faded_away() -> None:
    """A stretch that ends in the middle of a wave goes down to silence, and no sample is added or lost."""
    loud = array("h", [20000] * 480).tobytes()
    sound = array("h", b"".join(joined([[loud], [loud]], RATE)))
    assert len(sound) == 960
    assert (sound[0], sound[959]) == (20000, 20000)
    steps = [abs(after - before) for before, after in pairwise(sound)]
    assert (max(steps) < 500, sound[479], sound[480]) == (True, 0, 0)


def test_quiet_ends_are_left_alone() -> None:
    """To the sample, however the bytes come."""
    wave_ = struct.pack("<6h", 0, 9000, -9000, 9000, 12, 0) * 50
    chunks = [wave_[index : index + 7] for index in range(0, len(wave_), 7)]
    assert b"".join(joined([whole_samples(chunks), whole_samples(chunks)], RATE)) == wave_ * 2


def test_nothing_is_left_of_a_text_that_fails_in_the_middle(glm: Glm, server: ScriptedServer) -> None:
    """Neither a file nor a part of one."""
    server.script("POST", "/audio/speech", body=wav_head(4, RATE) + b"\0\0\0\0", headers={"Content-Type": "audio/wav"})
    server.script("POST", "/audio/speech", status=400, json={"error": {"code": "1301", "message": "unsafe"}})
    result = glm("speak", story(300), "-o", "a.wav")
    assert (result.exit_code, result.stdout) == (ExitCode.CONTENT, "")
    assert list(Path().iterdir()) == []


# -- pipes and players -------------------------------------------------------------------


def test_a_pipe_gets_the_sound_as_it_is_made(glm: Glm, server: ScriptedServer) -> None:
    """The head leaves the length open; several pieces are one sound."""
    text = story(200)
    result = glm("speak", text, "-o", "-")
    assert server.last.json["stream"] is True
    assert server.last.json["response_format"] == "pcm"
    assert struct.unpack_from("<I", result.stdout_bytes, 40)[0] == UNKNOWN_BYTES
    assert heard(result.stdout_bytes[44:]) == text
    assert heard(glm("speak", "hi", "-o", "-", "--format", "pcm").stdout_bytes) == "hi"


def frame(content: bytes, **delta: object) -> dict[str, object]:
    """An event of a stream."""
    return {"choices": [{"index": 0, "delta": {"content": base64.b64encode(content).decode(), **delta}}]}


END = {"choices": [{"index": 0, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("sse", "code", "sound"),
    [
        ([frame(b"\1\2\3"), frame(b"\4"), END], 0, b"\1\2\3\4"),
        ([frame(b"\1\2"), "[DONE]"], 0, b"\1\2"),
        ([frame(b"\1\2", return_sample_rate=16000), END], 0, b"\1\2"),
        ([frame(b"\1\2")], ExitCode.NETWORK, b"\1\2"),
        ([frame(b"\1\2"), {"error": {"code": "1214", "message": "input"}}], ExitCode.FAILED, b"\1\2"),
        ([frame(b"\1\2"), {"choices": [{"finish_reason": "sensitive"}]}], ExitCode.CONTENT, b"\1\2"),
        ([frame(b"\1\2", return_format="mp3"), END], ExitCode.FAILED, b""),
        ([END], ExitCode.FAILED, b""),
    ],
    ids=["cut in a sample", "done alone", "another rate", "cut off", "error", "sensitive", "not pcm", "no sound"],
)
def test_what_a_stream_may_hold(glm: Glm, server: ScriptedServer, sse: list[object], code: int, sound: bytes) -> None:
    """Sound until the end, and an end that is one."""
    server.script("POST", "/audio/speech", sse=sse)
    result = glm("speak", "hi", "-o", "-", "--format", "pcm", "--max-retries", "0")
    assert result.exit_code == code
    assert sound.startswith(result.stdout_bytes)
    assert code or result.stdout_bytes == sound


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"error":{"code":"1214","message":"input"}}', "application/json"),
        (b"<html>", "text/html"),
        (b"", "audio/wav"),
        (wav_head(4, RATE)[:30], "audio/wav"),
        (b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\1\0\2\0\xc0\x5d\0\0\0\x77\1\0\4\0\x10\0data\4\0\0\0\0\0\0\0", "audio/wav"),
    ],
    ids=["error with 200", "page", "empty", "half a head", "stereo"],
)
def test_an_answer_that_is_no_sound(glm: Glm, server: ScriptedServer, body: bytes, content_type: str) -> None:
    """Is a failure, and leaves no file."""
    server.script("POST", "/audio/speech", body=body, headers={"Content-Type": content_type})
    assert glm("speak", "hi", "-o", "a.wav").exit_code == ExitCode.FAILED
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("where", [("-o", "a.wav"), ("-o", "-")], ids=["file", "pipe"])
@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream", "audio/wav"])
def test_a_login_page_is_named(glm: Glm, server: ScriptedServer, content_type: str, where: tuple[str, str]) -> None:
    """Whatever the proxy calls it: as every other command does, with its title."""
    page = b"<!DOCTYPE html><html><head><title>Hotel Wi-Fi</title></head></html>"
    server.script("POST", "/audio/speech", body=page, headers={"Content-Type": content_type})
    result = glm("speak", "hi", *where, "--max-retries", "0")
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert "a proxy answered with a web page instead of the service (HTTP 200): Hotel Wi-Fi" in result.stderr
    assert list(Path().iterdir()) == []


def test_a_picture_is_not_played(glm: Glm, server: ScriptedServer) -> None:
    """Any bytes could be samples; what calls itself something else is none."""
    server.script("POST", "/audio/speech", body=b"\x89PNG\r\n", headers={"Content-Type": "image/png"})
    result = glm("speak", "hi", "-o", "a.wav")
    assert (result.exit_code, "image/png where 16-bit mono sound" in result.stderr) == (ExitCode.FAILED, True)
    assert list(Path().iterdir()) == []


def test_bare_samples_instead_of_wav(glm: Glm, server: ScriptedServer) -> None:
    """A service that ignores the wish gets its samples a head."""
    server.script("POST", "/audio/speech", body=b"\1\0\2\0", headers={"Content-Type": "audio/pcm"})
    assert glm("speak", "hi", "-o", "a.wav").exit_code == 0
    assert Path("a.wav").read_bytes() == wav_head(4, RATE) + b"\1\0\2\0"


posix = pytest.mark.skipif(os.name != "posix", reason="the players of the tests are scripts")


def player(name: str, script: str) -> str:
    """A PATH that holds this player alone, and what a script needs."""
    folder = Path("bin").absolute()
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!{sys.executable}\nimport sys\n{script}\n")
    program.chmod(0o755)
    return str(folder)


def to_file(name: str) -> str:
    return f"open({str(Path(name).absolute())!r}, 'wb').write"


@posix
@pytest.mark.parametrize(
    ("name", "head"), [("ffplay", 44), ("aplay", 44), ("paplay", 0)], ids=["ffplay", "aplay", "paplay"]
)
def test_play(glm: Glm, name: str, head: int) -> None:
    """The player hears everything; no file is kept."""
    path = player(name, f"{to_file('heard')}(sys.stdin.buffer.read())")
    result = glm("speak", "hi", "there", "--play", env={"PATH": path})
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert heard(Path("heard").read_bytes()[head:]) == "hi there"
    assert not list(Path().glob("*.wav"))


@posix
def test_a_player_of_files(glm: Glm) -> None:
    """Gets one, with a true head, which is gone afterwards."""
    copy = f"import shutil; shutil.copy(sys.argv[1], {str(Path('heard.wav').absolute())!r})"
    script = f"{copy}; {to_file('n')}(sys.argv[1].encode())"
    path = player("afplay", script)
    assert glm("speak", "hi", "there", "--play", env={"PATH": path}).exit_code == 0
    assert heard_in(Path("heard.wav")) == "hi there"
    assert not Path(Path("n").read_text()).exists()


@posix
def test_play_and_keep(glm: Glm) -> None:
    """With -o the sound is heard and kept, also when the player is closed early."""
    path = player("ffplay", "sys.stdin.buffer.read(10); sys.stdin.close()")
    result = glm("speak", story(200), "--play", "-o", "a.wav", env={"PATH": path})
    assert (result.exit_code, result.stdout) == (0, "a.wav\n")
    assert heard_in(Path("a.wav")) == story(200)


@posix
def test_a_closed_player_ends_it(glm: Glm, server: ScriptedServer) -> None:
    """Nothing more is paid for."""
    path = player("ffplay", "sys.stdin.buffer.read(10); sys.stdin.close()")
    assert glm("speak", story(3000), "--play", env={"PATH": path}).exit_code == 0
    assert len(server.requests) < 5


@posix
def test_a_player_that_fails(glm: Glm) -> None:
    """Its last word is told."""
    path = player("ffplay", "sys.exit('no sound card')")
    result = glm("speak", "hi", "--play", env={"PATH": path})
    assert result.exit_code == ExitCode.FAILED
    assert "ffplay cannot play: no sound card" in result.stderr


def test_no_player(glm: Glm, server: ScriptedServer) -> None:
    """Is told before anything is paid."""
    result = glm("speak", "hi", "--play", env={"PATH": str(Path().absolute())})
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "install ffmpeg, or write a file with -o" in result.stderr


@posix
def test_ctrl_c_leaves_nothing(glm_process: GlmProcess, server: ScriptedServer) -> None:
    """No half file, and exit 130."""
    server.sandbox.work_seconds = 20
    process = glm_process.start("speak", story(500), "-o", "a.wav")
    try:
        while not server.requests:
            time.sleep(0.01)
        assert [path.suffix for path in Path().iterdir()] == [".part"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, list(Path().iterdir())) == (ExitCode.INTERRUPTED, [])


# -- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["hi", "--speed", "3"], "the service takes 0.5 to 2"),
        (["hi", "--volume", "0"], "the service takes up to 10"),
        (["hi", "-o", "a.mp3"], "ffmpeg -i - speech.mp3"),
        (["hi", "--format", "ogg"], "no ogg"),
        (["hi", "-f", "a.txt"], "exclude one another"),
        (["-f", "missing.txt"], "missing.txt cannot be read"),
        ([], "there is nothing to say"),
        (["hi", "-o", "-", "--play"], "exclude one another"),
        (["hi", "-o", "-", "--json"], "both want standard output"),
        (["hi", "-o", "there.wav"], "there.wav exists"),
    ],
    ids=["speed", "volume", "mp3", "format", "two texts", "no file", "nothing", "pipe and play", "json", "exists"],
)  # fmt: skip
def test_refused_before_anything_is_sent(glm: Glm, server: ScriptedServer, argv: list[str], word: str) -> None:
    """With what to type instead."""
    Path("there.wav").write_text("mine")
    result = glm("speak", *argv)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert word in result.stderr
    assert Path("there.wav").read_text() == "mine"


def test_force_overwrites(glm: Glm) -> None:
    """When it is asked for."""
    Path("there.wav").write_text("mine")
    assert glm("speak", "hi", "-o", "there.wav", "--force").exit_code == 0
    assert heard_in(Path("there.wav")) == "hi"


def test_bytes_do_not_meet_a_terminal(glm: Glm) -> None:
    """They would garble it."""
    assert glm("speak", "hi", "-o", "-", tty={"stdout"}).exit_code == ExitCode.USAGE


def test_other_region(glm: Glm, server: ScriptedServer) -> None:
    """Z.AI documents no speech: refused with the way, tried on request."""
    env = {"ZHIPU_API_KEY": None, "ZAI_API_KEY": server.keys["zai"]}
    result = glm("speak", "hi", env=env)
    assert (result.exit_code, len(server.requests)) == (ExitCode.USAGE, 0)
    assert "use --provider zhipu or zhipu-coding" in result.stderr
    result = glm("speak", "hi", "--experimental", env=env)
    assert (result.exit_code, len(server.requests)) == (ExitCode.FAILED, 1)
    assert list(Path().iterdir()) == []


def test_without_a_key(glm: Glm) -> None:
    """The sandbox speaks."""
    result = glm("--provider", "sandbox", "speak", "hi", "-o", "a.wav")
    assert (result.exit_code, heard_in(Path("a.wav"))) == (0, "hi")


def test_dry_run(glm: Glm, server: ScriptedServer) -> None:
    """Prints the first request and leaves nothing behind."""
    result = glm("speak", "hi", "-o", "new/a.wav", "--dry-run")
    assert "/audio/speech" in result.stdout
    assert (len(server.requests), list(Path().iterdir())) == (0, [])


def test_progress_on_a_terminal(glm: Glm) -> None:
    """Which piece is on its way; the line is taken away again."""
    result = glm("speak", story(200), "-o", "a.wav", tty={"stderr"})
    assert "speaking: piece 1 of" in result.stderr
    assert result.stderr.endswith("\r\x1b[K")


def test_the_head_is_what_others_write() -> None:
    """To the byte, as the standard library's own."""
    written = BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(b"\0\0\1\1")
    assert written.getvalue() == wav_head(4, RATE) + b"\0\0\1\1"


@pytest.mark.skipif(not any(Path(folder, "ffmpeg").exists() for folder in os.get_exec_path()), reason="needs ffmpeg")
def test_ffmpeg_reads_the_pipe(glm: Glm) -> None:
    """A WAV of open length is what `| ffmpeg -i -` gets."""
    sound = glm("speak", "hi", "there", "-o", "-").stdout_bytes
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "-", "-f", "s16le", "-"], input=sound, capture_output=True, check=True
    )
    assert (heard(done.stdout), done.stderr) == ("hi there", b"")


def test_json_of_a_failure(glm: Glm, server: ScriptedServer) -> None:
    """One object on stderr."""
    server.script("POST", "/audio/speech", status=429, json={"error": {"code": "1113", "message": "no balance"}})
    result = glm("speak", "hi", "-o", "a.wav", "--json")
    assert (result.exit_code, json.loads(result.stderr.splitlines()[-1])["error"]["code"]) == (ExitCode.BALANCE, "1113")

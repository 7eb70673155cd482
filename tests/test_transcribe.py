"""`glm transcribe`, with a sandbox that understands the sound it gets."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

from glmcli.errors import ExitCode
from glmcli.sandbox.app import Recorded, Sandbox
from tests.audio.make import PEAK, mp3_speech, words, write_speech
from tests.harness import Glm, GlmProcess, ScriptedServer

SANDBOX = ("--provider", "sandbox")


def form(recorded: Recorded) -> list[tuple[str, str]]:
    """The text fields of a recorded request."""
    head = b"Content-Type: " + recorded.headers["content-type"].encode() + b"\r\n\r\n"
    parts = BytesParser().parsebytes(head + recorded.body).get_payload()
    fields = []
    for part in parts if isinstance(parts, list) else []:
        assert isinstance(part, Message)
        payload = part.get_payload(decode=True)
        if part.get_filename() is None and isinstance(payload, bytes):
            fields.append((str(part.get_param("name", header="content-disposition")), payload.decode()))
    return fields


def values(recorded: Recorded, name: str) -> list[str]:
    return [value for field, value in form(recorded) if field == name]


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """95 seconds of speech: four pieces."""
    return write_speech(tmp_path / "work" / "talk.wav", 95)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three seconds of speech."""
    return write_speech(tmp_path / "work" / "clip.wav", 3)


# -- complete, in order, whatever the length ---------------------------------------------


def test_a_short_file_is_one_request(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """The text and one newline on stdout, nothing else anywhere."""
    result = glm("transcribe", "clip.wav")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "w00000 w00001 w00002\n", "")
    assert form(server.last) == [("model", "glm-asr-2512"), ("stream", "false")]
    assert len(server.requests) == 1


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_ninety_five_seconds(glm: Glm, server: ScriptedServer, talk: Path, jobs: str) -> None:
    """Every word once and in order; the sandbox refuses what is longer than 30 s."""
    result = glm("transcribe", "talk.wav", "--jobs", jobs)
    assert (result.exit_code, result.stdout.split()) == (0, words(95))
    assert len(server.requests) == 4


def test_the_text_before_is_the_prompt(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """Each piece gets the user's own words and all earlier text, in order."""
    glm("transcribe", "talk.wav", "--prompt", "A talk.", "--hotword", "GLM", "--hotword", "智谱")
    prompts = [values(request, "prompt") for request in server.requests]
    assert prompts[0] == ["A talk."]
    said: list[str] = []
    for [prompt] in prompts[1:]:
        assert prompt.split()[:2] == ["A", "talk."]
        assert prompt.split()[2:][: len(said)] == said
        said = prompt.split()[2:]
    assert said == words(95)[: len(said)]
    assert len(said) > 80
    assert all(values(request, "hotwords") == ["GLM", "智谱"] for request in server.requests)


def test_the_prompt_ends_with_the_last_8000_characters(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """Older text is dropped from the front."""
    glm("transcribe", "talk.wav", "--prompt", "x" * 7990)
    sent = [values(request, "prompt")[0] for request in server.requests]
    assert [len(prompt) for prompt in sent] == [7990, 8000, 8000, 8000]
    assert sent[1].startswith("xxx")
    assert sent[1].endswith("w00028")


def test_jobs_send_no_text_of_other_pieces(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """Speed without context: only the user's own prompt goes along."""
    glm("transcribe", "talk.wav", "--jobs", "4", "--prompt", "A talk.")
    assert [values(request, "prompt") for request in server.requests] == [["A talk."]] * 4


def test_mp3(glm: Glm, server: ScriptedServer, tmp_path: Path) -> None:
    """Ten minutes of MP3: every word once and in order."""
    (tmp_path / "work" / "talk.bin").write_bytes(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + b"".join(mp3_speech(600)))
    result = glm("transcribe", "talk.bin", "--jobs", "4")
    assert (result.exit_code, result.stdout.split()) == (0, words(600))
    assert 20 <= len(server.requests) <= 31
    assert b'filename="audio.mp3"' in server.last.body


def test_a_pipe(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """`-` takes any length from standard input, type by content."""
    result = glm("transcribe", "-", input=talk.read_bytes())
    assert result.stdout.split() == words(95)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe(glm_process: GlmProcess, server: ScriptedServer, clip: Path) -> None:
    """Also what a shell makes of `<(command)`."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m glmcli transcribe <(cat clip.wav)"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "w00000 w00001 w00002\n")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_another_format(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """FLAC is converted and then cut like any other."""
    subprocess.run(["ffmpeg", "-v", "error", "-i", talk, "talk.flac"], check=True)
    assert glm("transcribe", "talk.flac").stdout.split() == words(95)


_MEASURED = f"""{PEAK}
import sys
from glmcli.cli import run
code = run(sys.argv[1:])
print(peak_bytes(), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_three_hours_in_flat_memory(server: ScriptedServer, tmp_path: Path) -> None:
    """Ten minutes and three hours: complete, in order, and the memory of one is that of the other."""
    peaks = []
    for seconds in (600, 3 * 3600):
        write_speech(tmp_path / "long.wav", seconds)
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, "transcribe", tmp_path / "long.wav", "--jobs", "2", "-o", "long.txt"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert Path("long.txt").read_text().split() == words(seconds)
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] - peaks[0] < 4 * 1024 * 1024


# -- resuming -------------------------------------------------------------------------------


class Failing(Sandbox):
    """Refuses the third transcription with a code, once."""

    code = "1113"

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __call__(self, environ, start_response):  # type: ignore[no-untyped-def]  # the signature of WSGI
        self.count += 1
        self.fault = self.code if self.count == 3 else None
        return super().__call__(environ, start_response)


def sent_pieces(server: ScriptedServer) -> int:
    """Requests that carried a piece; the diagnosis of a failure asks for other things, for free."""
    return sum(request.method == "POST" for request in server.requests)


class TestFailure:
    """A failure on the way costs nothing twice."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return Failing()

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_the_next_run_sends_only_what_is_missing(
        self, glm: Glm, server: ScriptedServer, talk: Path, jobs: str
    ) -> None:
        """Balance ran out at the third piece; afterwards the two paid ones are not sent again."""
        failed = glm("transcribe", "talk.wav", "-o", "out.txt", "--jobs", jobs)
        assert failed.exit_code == ExitCode.BALANCE
        assert "talk.wav" in failed.stderr
        assert not Path("out.txt").exists()
        before = sent_pieces(server)
        again = glm("transcribe", "talk.wav", "-o", "out.txt", "--jobs", jobs)
        assert (again.exit_code, Path("out.txt").read_text().split()) == (0, words(95))
        assert sent_pieces(server) - before == 4 - (before - 1)
        assert "not sent again" in again.stderr

    def test_text_that_came_is_on_stdout(self, glm: Glm, server: ScriptedServer, talk: Path) -> None:
        """What was paid for is shown, and the line is ended."""
        failed = glm("transcribe", "talk.wav")
        shown = failed.stdout.split()
        assert 50 < len(shown) < 60
        assert shown == words(95)[: len(shown)]
        assert failed.stdout.endswith("\n")

    def test_no_resume_sends_everything(self, glm: Glm, server: ScriptedServer, talk: Path) -> None:
        """`--no-resume` neither uses nor keeps answers."""
        glm("transcribe", "talk.wav", "--no-resume")
        before = len(server.requests)
        assert glm("transcribe", "talk.wav", "--no-resume").exit_code == 0
        assert len(server.requests) - before == 4


@pytest.mark.parametrize(
    "change",
    [["--hotword", "GLM"], ["--prompt", "x"], ["--set", "sensitive_word_check={}"], ["--no-resume"]],
    ids=["hotword", "prompt", "field", "no resume"],
)
def test_another_wish_is_asked_anew(glm: Glm, server: ScriptedServer, clip: Path, change: list[str]) -> None:
    """A kept answer serves the same question only."""
    glm("transcribe", "clip.wav")
    glm("transcribe", "clip.wav", "--format", "srt")
    assert len(server.requests) == 1
    glm("transcribe", "clip.wav", *change)
    assert len(server.requests) == 2


def test_what_the_sandbox_said_is_not_taken_for_the_service(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """Kept answers belong to a base URL."""
    glm("transcribe", "clip.wav", *SANDBOX)
    assert len(server.requests) == 0
    glm("transcribe", "clip.wav")
    assert len(server.requests) == 1


def test_no_log_keeps_nothing(glm: Glm, server: ScriptedServer, clip: Path, home: Path) -> None:
    """Who wants no traces gets none, here either."""
    glm("transcribe", "clip.wav", env={"GLM_NO_LOG": "1"})
    assert not list(home.rglob("*.json"))


class Slow(Sandbox):
    """Takes its time for the third piece."""

    def __call__(self, environ, start_response):  # type: ignore[no-untyped-def]  # the signature of WSGI
        if len(self.requests) == 2:
            self.pause(60)
        return super().__call__(environ, start_response)


class TestInterruption:
    """Ctrl-C."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return Slow()

    @pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
    def test_ctrl_c_keeps_the_pieces(self, glm_process: GlmProcess, server: ScriptedServer, talk: Path) -> None:
        """Exit 130, and the hint says how much is kept."""
        process = glm_process.start("transcribe", "talk.wav", "-o", "out.txt")
        deadline = time.monotonic() + 30
        while len(server.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == ExitCode.INTERRUPTED
        assert b"2 of 4 pieces are kept" in stderr


# -- forms of output ------------------------------------------------------------------------


def test_srt(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """One cue per piece, with its times."""
    out = glm("transcribe", "talk.wav", "--format", "srt").stdout
    times = re.findall(r"(\S+) --> (\S+)", out)
    assert [start for start, _ in times[1:]] == [end for _, end in times[:-1]]
    assert (times[0][0], times[-1][1], len(times)) == ("00:00:00,000", "00:01:35,000", 4)
    assert out.startswith("1\n00:00:00,000 --> ")


def test_the_ending_of_the_output_names_the_format(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """`-o talk.vtt` is WebVTT without another word."""
    result = glm("transcribe", "clip.wav", "-o", "deep/down/talk.vtt")
    assert (result.exit_code, result.stdout) == (0, "")
    assert Path("deep/down/talk.vtt").read_text().startswith("WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nw00000")


def test_json(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """`--json` and `--format json` are one document with the pieces."""
    found = glm("transcribe", "talk.wav", "--json").json
    assert set(found) == {"schema_version", "file", "duration", "model", "text", "pieces"}
    assert (found["file"], found["duration"], found["model"]) == ("talk.wav", 95.0, "glm-asr-2512")
    assert found["text"].split() == words(95)
    assert [set(piece) for piece in found["pieces"]] == [{"start", "end", "text", "request_id", "kept"}] * 4
    assert glm("transcribe", "talk.wav", "--format", "json").json["text"] == found["text"]


def test_segments_of_an_older_model(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """Where the model gives times of its own, the captions use them."""
    reply = {"text": "a b", "segments": [{"start": 0.5, "end": 1, "text": "a"}, {"start": 1, "end": 9, "text": "b"}]}
    server.script("POST", "/audio/transcriptions", json=reply)
    out = glm("transcribe", "clip.wav", "-f", "srt", "--model", "glm-asr").stdout
    assert out == "1\n00:00:00,500 --> 00:00:01,000\na\n\n2\n00:00:01,000 --> 00:00:03,000\nb\n\n"


def test_several_files(glm: Glm, server: ScriptedServer, clip: Path, talk: Path) -> None:
    """Text with headers as of `tail`; JSON one document per line; files into a folder."""
    plain = glm("transcribe", "clip.wav", "talk.wav").stdout
    assert plain == f"==> clip.wav <==\nw00000 w00001 w00002\n\n==> talk.wav <==\n{' '.join(words(95))}\n"
    assert [line["file"] for line in glm("transcribe", "clip.wav", "talk.wav", "--json").lines] == [
        "clip.wav",
        "talk.wav",
    ]
    glm("transcribe", "clip.wav", "talk.wav", "-f", "srt", "-o", "out")
    assert sorted(path.name for path in Path("out").iterdir()) == ["clip.srt", "talk.srt"]


def test_a_bad_file_among_good_ones_is_told_before_anything_is_paid(
    glm: Glm, server: ScriptedServer, clip: Path
) -> None:
    """The heads of all files are looked at first."""
    Path("notes.pdf").write_bytes(b"%PDF-1.7")
    result = glm("transcribe", "clip.wav", "notes.pdf")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "notes.pdf is PDF" in result.stderr
    assert not server.requests


def test_a_file_that_fails_late_does_not_stop_the_others(
    glm: Glm, server: ScriptedServer, clip: Path, talk: Path
) -> None:
    """The service refuses one; the other is written, and the command fails at the end."""
    server.script("POST", "/audio/transcriptions", status=400, json={"error": {"code": "1214", "message": "bad sound"}})
    result = glm("transcribe", "clip.wav", "talk.wav", "-o", "out/")
    assert result.exit_code == 1
    assert Path("out/talk.txt").read_text().split() == words(95)
    assert "1 of 2 files failed; the first: clip.wav: " in result.stderr


@pytest.mark.parametrize("form_option", [(), ("--json",)], ids=["text", "json"])
def test_errors_name_the_file(glm: Glm, server: ScriptedServer, form_option: tuple[str, ...]) -> None:
    """A missing file is exit 2, with its name, and nothing on stdout."""
    result = glm("transcribe", "gone.mp3", *form_option)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "gone.mp3 does not exist" in result.stderr


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["clip.wav", "--format", "doc"], "choose text, json, srt, vtt"),
        (["clip.wav", "--format", "srt", "--json"], "contradict"),
        (["clip.wav", "clip.wav", "-f", "srt"], "cannot stand in one SRT"),
        (["clip.wav", "a/clip.wav", "-o", "out/"], "both be written to clip.txt"),
        (["clip.wav", "talk.wav", "-o", "clip.wav"], "need a folder"),
        (["clip.wav", "-o", "clip.wav"], "overwritten by its own transcript"),
        (["https://example.com/a.mp3"], "curl -sSL"),
        (["clip.wav", "--user-id", "me"], "--user-id has 2 characters"),
        (["clip.wav", "--jobs", "0"], "0"),
        ([], "FILE"),
    ],
)
def test_wrong_usage(glm: Glm, server: ScriptedServer, clip: Path, argv: list[str], word: str) -> None:
    """Exit 2 with a way out, before anything is sent or overwritten."""
    before = clip.read_bytes()
    result = glm("transcribe", *argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert word in result.stderr
    assert not server.requests
    assert clip.read_bytes() == before


# -- streaming and progress --------------------------------------------------------------------


def test_a_short_file_streams_on_a_terminal(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """Text as it comes, no moving line in between."""
    result = glm("transcribe", "clip.wav", tty=True)
    assert ("stream", "true") in form(server.last)
    assert result.stdout == "w00000 w00001 w00002\n"
    assert "piece" not in result.stderr


def test_stream_may_be_asked_for(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """In a pipe and for every piece of a long file."""
    result = glm("transcribe", "talk.wav", "--stream")
    assert result.stdout.split() == words(95)
    assert all(("stream", "true") in form(request) for request in server.requests)


def test_a_cut_stream_keeps_what_came(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """Exit 8, the words are there, and the broken answer is not kept."""
    event = {"type": "transcript.text.delta", "delta": "half a"}
    server.script("POST", "/audio/transcriptions", sse=[event])
    result = glm("transcribe", "clip.wav", "--stream")
    assert (result.exit_code, result.stdout) == (8, "half a\n")
    assert glm("transcribe", "clip.wav").stdout == "w00000 w00001 w00002\n"


def test_control_characters_are_harmless_on_a_terminal(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """A transcript cannot steer the terminal."""
    server.script("POST", "/audio/transcriptions", json={"text": "a\x1b]0;x\x07b"})
    assert "\x1b" not in glm("transcribe", "clip.wav", "--no-stream", tty=True).stdout


def test_progress_is_for_terminals(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """Per piece on a terminal's stderr, cleared at the end; nothing in a pipe or with --quiet."""
    seen = glm("transcribe", "talk.wav", "--no-resume", "-o", "a.txt", tty={"stderr"}).stderr
    assert "talk.wav: piece 3 of 4, at 0:57 of 1:35" in seen
    assert seen.rindex("\r\x1b[K") > seen.rindex("piece")
    quiet = glm("-q", "transcribe", "talk.wav", "--no-resume", "-o", "a.txt", tty={"stderr"}).stderr
    assert "piece" not in quiet


def test_request_ids_are_unique(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """The service wants each id once: pieces get a number."""
    glm("transcribe", "talk.wav", "--request-id", "x" * 64, "--user-id", "user-1")
    ids = [values(request, "request_id")[0] for request in server.requests]
    assert len(set(ids)) == 4
    assert {len(name) for name in ids} == {64}


def test_a_missing_key_is_not_the_fault_of_the_file(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """Exit 4, without the file's name in front; the others are not tried."""
    result = glm("transcribe", "clip.wav", "clip.wav", "--provider", "zhipu")
    assert result.exit_code == ExitCode.AUTH
    assert "clip.wav" not in result.stderr


def test_kept_pieces_leave_only_private_folders(glm: Glm, server: ScriptedServer, clip: Path, home: Path) -> None:
    """Every folder that is made on the way is 0700."""
    glm("transcribe", "clip.wav")
    made = [home, *(path for path in home.rglob("*") if path.is_dir())]
    assert len(made) >= 3
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}


# -- a dry run ----------------------------------------------------------------------------------


def test_a_dry_run_prints_one_command(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """curl, the form, the key as a variable; nothing is sent or kept."""
    result = glm("--dry-run", "transcribe", "clip.wav", "--hotword", "it's")
    assert result.exit_code == 0
    assert '"Authorization: Bearer $ZAI_API_KEY"' in result.stdout
    assert f'file=@"{clip}"' in result.stdout
    assert not server.requests


def test_a_dry_run_of_a_long_file_shows_the_first_piece(glm: Glm, server: ScriptedServer, talk: Path) -> None:
    """No file on disk holds a piece: curl reads it from a pipe, and a note says so."""
    result = glm("--dry-run", "transcribe", "talk.wav")
    assert "-F 'file=@-;filename=\"audio.wav\";type=audio/wav'" in result.stdout
    assert "sent in 4 pieces" in result.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_command_of_a_dry_run_works(glm: Glm, server: ScriptedServer, clip: Path) -> None:
    """A shell runs it as it stands, and the service understands."""
    command = glm("--dry-run", "transcribe", "clip.wav", "--hotword", "it's; $HOME").stdout
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert '"text":"w00000 w00001 w00002"' in done.stdout
    assert values(server.last, "hotwords") == ["it's; $HOME"]

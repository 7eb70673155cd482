"""Programs that make samples audible: found on PATH, fed while the sound is made."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from glmcli.audio.pcm import HEAD_BYTES, wav_head
from glmcli.drafts import scratch_folder
from glmcli.errors import GlmError, UsageError

if TYPE_CHECKING:
    from subprocess import Popen


@dataclass(frozen=True, slots=True)
class Player:
    """A program and its arguments. `{file}` among them says that it cannot read a pipe."""

    program: str
    arguments: tuple[str, ...]

    @property
    def reads_pipe(self) -> bool:
        """Whether the sound can be heard before it is complete."""
        return "{file}" not in self.arguments


#: In the order in which they are looked for.
PLAYERS = (
    Player("ffplay", ("-nodisp", "-autoexit", "-loglevel", "error", "-i", "-")),
    Player("pw-play", ("{file}",)),
    Player("paplay", ("--raw", "--format=s16le", "--channels=1", "--rate={rate}")),
    Player("aplay", ("-q", "-t", "wav", "-")),
    Player("afplay", ("{file}",)),
)


def find_player(path: str | None) -> tuple[Player, str]:
    """The first player on a PATH, and the file of its program. Raises UsageError when there is none."""
    import shutil

    for player in PLAYERS:
        program = shutil.which(player.program, path=path)
        if program:
            return player, program
    names = ", ".join(player.program for player in PLAYERS)
    raise UsageError(f"no player was found: none of {names} is on PATH", hint="install ffmpeg, or write a file with -o")


class Playing:
    """A player at work: fed inside the block, heard to the end by `finish`, else stopped at the end of the block."""

    def __init__(self, player: Player, program: str, environ: Mapping[str, str]) -> None:
        self._player = player
        self._program = program
        self._environ = dict(environ)
        self._process: Popen[bytes] | None = None
        self._scratch = ExitStack()
        self._file: IO[bytes] | None = None
        self._rate = 0
        #: The user closed the player: nothing more is wanted there.
        self.is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        for pipe in (self._file, *((self._process.stdin, self._process.stderr) if self._process else ())):
            _close(pipe)
        self._scratch.close()

    def begin(self, rate: int) -> None:
        """Start the player, or the file for one that wants a file."""
        self._rate = rate
        if not self._player.reads_pipe:
            folder = self._scratch.enter_context(scratch_folder(self._environ))
            self._file = (folder / "speech.wav").open("w+b")
            self._file.write(wav_head(None, rate))
            return
        self._start(file="")
        if "--raw" not in self._player.arguments:
            self.write(wav_head(None, rate))

    def write(self, samples: bytes) -> None:
        """More sound; after the player was closed, nothing. Raises GlmError when the player fails."""
        if self._file is not None:
            self._file.write(samples)
        elif self._process is not None and self._process.stdin is not None and not self.is_closed:
            try:
                self._process.stdin.write(samples)
                self._process.stdin.flush()
            except OSError:
                self._wait(self._process)
                self.is_closed = True

    def finish(self) -> None:
        """Let everything be heard. Raises GlmError when the player fails."""
        if self._file is not None:
            size = self._file.tell() - HEAD_BYTES
            self._file.seek(0)
            self._file.write(wav_head(size, self._rate))
            self._file.close()
            self._start(file=str(self._file.name))
        if self._process is not None and not self.is_closed:
            _close(self._process.stdin)
            self._wait(self._process)

    def _start(self, *, file: str) -> None:
        import subprocess

        arguments = [word.format(file=file, rate=self._rate) for word in self._player.arguments]
        try:
            self._process = subprocess.Popen(  # noqa: S603  # a known player, found on PATH
                [self._program, *arguments],
                stdin=subprocess.DEVNULL if file else subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=self._environ,
                # Ctrl-C is for us: we stop the player, and not a moment later.
                start_new_session=True,
            )
        except OSError as error:
            raise GlmError(f"{self._program} cannot be started: {error.strerror or error}") from error

    def _wait(self, process: Popen[bytes]) -> None:
        assert process.stderr is not None
        said = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
        status = process.wait()
        if status:
            told = said[-1] if said else f"it ended with status {status}"
            raise GlmError(f"{self._player.program} cannot play: {told}", hint="write a file with -o, and play that")


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        return

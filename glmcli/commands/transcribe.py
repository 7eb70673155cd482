"""`glm transcribe`: speech to text, of any length."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import ExitCode, GlmError, Interrupted, UsageError
from glmcli.render.transcripts import ENDINGS, FORMATS, LiveText, document, rendered

if TYPE_CHECKING:
    from glmcli.audio.pieces import Piece
    from glmcli.audio.recordings import Recording
    from glmcli.transcriber import OnText, Spoken, Transcriber

app = command_app()

MAX_JOBS = 16
STDIN = "-"

Files = Annotated[
    list[str], typer.Argument(help="Recordings of any length; - reads standard input.", metavar="FILE...")
]
Form = Annotated[
    str | None,
    typer.Option(
        "-f",
        "--format",
        help="Write text, json, srt or vtt (default: by the ending of -o, else text).",
        metavar="FORMAT",
    ),
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="Write to this file, or for several files into this folder.", metavar="PATH"),
]
Model = Annotated[str | None, typer.Option("-m", "--model", help="Use this speech model.", metavar="ID")]
Prompt = Annotated[str | None, typer.Option(help="Give what was said before, as context.", metavar="TEXT")]
Hotword = Annotated[
    list[str] | None, typer.Option("--hotword", help="Name a word to expect; repeat for more.", metavar="WORD")
]
Jobs = Annotated[
    int,
    typer.Option(
        "-j",
        "--jobs",
        min=1,
        max=MAX_JOBS,
        metavar="N",
        help="Send so many pieces at a time, without the text before as context.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume/--no-resume", help="Use answers kept from an earlier run.")]
Stream = Annotated[
    bool | None,
    typer.Option("--stream/--no-stream", help="Show text as it is recognised (default: short files on a terminal)."),
]
UserId = Annotated[str | None, typer.Option("--user-id", help="Name the end user, 6 to 128 characters.", metavar="ID")]
RequestId = Annotated[
    str | None, typer.Option("--request-id", help="Give the request an id, 6 to 64 characters.", metavar="ID")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set another request field; the value is JSON or text.", metavar="KEY=VALUE"),
]


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """What the command line asks for. `form` is one of FORMATS or None, `stream` None leaves it to us."""

    files: tuple[str, ...]
    form: str | None = None
    output: str | None = None
    model: str | None = None
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    jobs: int = 1
    resume: bool = True
    stream: bool | None = None
    user_id: str | None = None
    request_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One recording: where it is read, and where its transcript goes (None: stdout)."""

    name: str
    path: Path
    target: Path | None


@app.command(
    epilog=examples(
        "glm transcribe talk.mp3",
        "glm transcribe talk.mp3 --format srt -o talk.srt",
        "glm transcribe *.m4a -o transcripts/ --jobs 4",
        "arecord -f S16_LE -r 16000 -d 20 | glm transcribe -",
    )
)
def transcribe(
    ctx: typer.Context,
    files: Files,
    form: Form = None,
    output: Output = None,
    model: Model = None,
    prompt: Prompt = None,
    hotword: Hotword = None,
    jobs: Jobs = 1,
    resume: Resume = True,
    stream: Stream = None,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Turn speech into text, of any length."""
    from glmcli.api.assignments import parse_assignments

    options = TranscribeOptions(
        files=tuple(files),
        form=form,
        output=output,
        model=model,
        prompt=prompt,
        hotwords=tuple(word.strip() for word in hotword or () if word.strip()),
        jobs=jobs,
        resume=resume,
        stream=stream,
        user_id=user_id,
        request_id=request_id,
        extra=parse_assignments(assignments or ()),
    )
    run(context_of(ctx), options)


def run(app: AppContext, options: TranscribeOptions) -> None:
    """Check every file, then transcribe one after the other.

    A file that fails for reasons of its own does not stop the others; the
    first such failure is raised at the end.
    """
    from glmcli.api.resources.transcriptions import check

    check(hotwords=options.hotwords, request_id=options.request_id, user_id=options.user_id)
    form = choose_form(options, as_json=app.options.json)
    failures: list[GlmError] = []
    with _read_jobs(app, options, form) as jobs:
        work = _Work(app, options, form, several=len(jobs) > 1)
        for job in jobs:
            try:
                work.do(job)
            except GlmError as error:
                named = _named(error, job.name)
                if len(jobs) == 1 or not _is_of_this_file(error):
                    raise named from error
                app.streams.complain(f"glm: {named.message}")
                failures.append(named)
    if failures:
        failures[0].message = f"{len(failures)} of {len(options.files)} files failed; the first: {failures[0].message}"
        raise failures[0]


def choose_form(options: TranscribeOptions, *, as_json: bool) -> str:
    """`--format`, else `--json`, else the ending of `-o`, else text. Raises UsageError."""
    if options.form is not None and options.form not in FORMATS:
        raise UsageError(f"there is no format {options.form!r}", hint=f"choose {', '.join(FORMATS)}")
    ending = Path(options.output or "").suffix.lower()
    by_ending = next((form for form, usual in ENDINGS.items() if ending == usual), "text")
    form = options.form or ("json" if as_json else by_ending)
    if as_json and form != "json":
        raise UsageError(f"--json and --format {form} contradict each other", hint="leave one of them out")
    if form in ("srt", "vtt") and len(options.files) > 1 and options.output in (None, STDIN):
        raise UsageError(
            f"the times of {len(options.files)} files cannot stand in one {form.upper()}",
            hint=f"write one each: glm transcribe {' '.join(options.files[:2])} --format {form} -o transcripts/",
        )
    return form


def _is_of_this_file(error: GlmError) -> bool:
    """Whether the next file may fare better: key, balance, limits and network are the same for all."""
    return error.exit_code in (ExitCode.FAILED, ExitCode.USAGE, ExitCode.CONTENT)


def _named(error: GlmError, name: str) -> GlmError:
    """Errors name their file; a missing key has nothing to do with it."""
    if error.exit_code not in (ExitCode.AUTH, ExitCode.CONFIG) and name not in error.message:
        error.message = f"{name}: {error.message}"
    return error


# -- files in and out ------------------------------------------------------------------


@contextmanager
def _read_jobs(app: AppContext, options: TranscribeOptions, form: str) -> Iterator[list[Job]]:
    """The jobs, checked as far as that costs nothing. Pipes are copied to disk for as long as it takes."""
    from glmcli.audio.recordings import check

    with ExitStack() as stack:
        targets = _targets(app, options, form)
        jobs = [
            Job(_shown(file), _readable(app, file, stack), target)
            for file, target in zip(options.files, targets, strict=True)
        ]
        for job in jobs:
            check(job.path, name=job.name, environ=app.environ)
            if job.target is not None and job.target.exists() and job.target.samefile(job.path):
                raise UsageError(f"{job.name} would be overwritten by its own transcript", hint="choose another -o")
        yield jobs


def _shown(file: str) -> str:
    return "standard input" if file == STDIN else file


def _readable(app: AppContext, file: str, stack: ExitStack) -> Path:
    """A file that can be read more than once: the one named, or a copy of a pipe."""
    if "://" in file:
        raise UsageError(f"{file} is an address, not a file", hint=f"curl -sSL '{file}' | glm transcribe -")
    path = app.cwd / file
    if file == STDIN and app.streams.stdin_is_tty:
        raise UsageError("nothing is piped into standard input", hint="glm transcribe talk.mp3")
    if file != STDIN and not (path.is_fifo() or path.is_char_device()):
        return path
    from glmcli.audio.recordings import spool
    from glmcli.drafts import scratch_folder

    copy = stack.enter_context(scratch_folder(app.environ)) / "recording"
    if file == STDIN:
        spool(app.streams.stdin, copy)
    else:
        with path.open("rb") as pipe:
            spool(pipe, copy)
    return copy


def _targets(app: AppContext, options: TranscribeOptions, form: str) -> list[Path | None]:
    """Where each transcript goes. Raises UsageError when two would meet in one file."""
    if options.output in (None, STDIN):
        return [None for _ in options.files]
    assert options.output is not None
    place = app.cwd / options.output
    if len(options.files) == 1 and not options.output.endswith(("/", os.sep)) and not place.is_dir():
        return [place]
    if place.exists() and not place.is_dir():
        raise UsageError(f"{options.output} is a file, and {len(options.files)} transcripts need a folder")
    names = [("stdin" if file == STDIN else Path(file).stem) + ENDINGS[form] for file in options.files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two of the files would both be written to {twice}", hint="transcribe them one by one")
    return [place / name for name in names]


# -- the work --------------------------------------------------------------------------


class _Work:
    """Transcribes one job after the other and writes what comes."""

    def __init__(self, app: AppContext, options: TranscribeOptions, form: str, *, several: bool) -> None:
        self._app = app
        self._options = options
        self._form = form
        self._several = several
        self._transcriber = _transcriber(app, options)
        self._first = True

    def do(self, job: Job) -> None:
        """Transcribe and write one recording."""
        from glmcli.audio.recordings import open_recording

        status = _Status(self._app)
        status.show(f"{job.name}: looking for pauses")  # and before that, perhaps, converting: both may take a while
        with ExitStack() as stack:
            try:
                recording = stack.enter_context(open_recording(job.path, name=job.name, environ=self._app.environ))
            finally:
                status.clear()
            self._announce(recording)
            if job.target is None and self._form == "text":
                self._write_live(job, recording)
                return
            spoken = self._gather(recording)
        if job.target is not None:
            from glmcli.newfile import write_whole

            write_whole(job.target, rendered(self._form, job.name, spoken))
            self._app.streams.note(f"glm: wrote {job.target}")
        elif self._form == "json":
            self._app.streams.write_json(document(job.name, spoken))
        else:
            self._app.streams.write(rendered(self._form, job.name, spoken))

    def _announce(self, recording: Recording) -> None:
        count = len(recording.pieces)
        if count > 1 and self._app.options.dry_run:
            self._app.streams.note(
                f"glm: {recording.name} is sent in {count} pieces; this is the first, which curl reads from its stdin"
            )

    def _write_live(self, job: Job, recording: Recording) -> None:
        streams = self._app.streams
        if self._several:
            streams.write_line(("" if self._first else "\n") + f"==> {job.name} <==")
            self._first = False
        live = LiveText(streams)
        complete = False
        try:
            # Text on the same terminal is progress enough; a moving line would run into it.
            on_text = live.delta if self._wants_stream(recording) else None
            for item in self._spoken(recording, on_text, silent=streams.stdout_is_tty):
                live.piece(item)
            complete = True
        finally:
            live.end(complete=complete)

    def _wants_stream(self, recording: Recording) -> bool:
        if self._options.stream is not None:
            return self._options.stream
        return self._app.streams.stdout_is_tty and len(recording.pieces) == 1

    def _gather(self, recording: Recording) -> list[Spoken]:
        return list(self._spoken(recording, None, silent=False))

    def _spoken(self, recording: Recording, on_text: OnText | None, *, silent: bool) -> Iterator[Spoken]:
        """The pieces as they come, with progress; says what was saved or is kept."""
        progress = _Progress(recording, _Status(self._app, silent=silent))
        done = kept = 0
        try:
            with closing(self._transcriber.transcribe(recording, on_text)) as items:
                progress.show(0)
                for item in items:
                    done += 1
                    kept += item.was_kept
                    progress.clear()
                    yield item
                    progress.show(done)
        except KeyboardInterrupt:
            raise Interrupted("stopped", hint=self._resumption(done, recording)) from None
        except GlmError as error:
            if done and error.hint is None:
                error.hint = self._resumption(done, recording)
            raise
        finally:
            progress.clear()
        if kept and len(recording.pieces) > kept:
            self._app.streams.note(
                f"glm: {kept} of {done} pieces were transcribed in an earlier run and not sent again"
            )

    def _resumption(self, done: int, recording: Recording) -> str | None:
        count = len(recording.pieces)
        if not done or not self._options.resume:
            return None
        return f"run the same command again: {done} of {count} pieces are kept and will not be sent again"


class _Status:
    """One line on a terminal's stderr that is replaced and taken away again."""

    def __init__(self, app: AppContext, *, silent: bool = False) -> None:
        streams = app.streams
        self._streams = streams
        self._is_on = streams.stderr_is_tty and not (silent or streams.quiet or streams.is_dumb)

    def show(self, line: str) -> None:
        """Write the line; shortened, because one that wraps could not be taken away."""
        if self._is_on:
            self._streams.write_error(line[: self._streams.width - 1])

    def clear(self) -> None:
        """Leave an empty line for what is written next."""
        if self._is_on:
            self._streams.write_control("\r\x1b[K")


class _Progress:
    """Says which piece is on its way."""

    def __init__(self, recording: Recording, status: _Status) -> None:
        self._recording = recording
        self._status = status

    def show(self, done: int) -> None:
        """So many pieces are through."""
        pieces = self._recording.pieces
        if done < len(pieces):
            at, end = _clock(pieces[done].start), _clock(self._recording.seconds)
            self._status.show(f"{self._recording.name}: piece {done + 1} of {len(pieces)}, at {at} of {end}")

    def clear(self) -> None:
        """Leave an empty line for what is written next."""
        self._status.clear()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def _transcriber(app: AppContext, options: TranscribeOptions) -> Transcriber:
    from glmcli.api.endpoints import Service
    from glmcli.api.resources.transcriptions import DEFAULT_MODEL, TranscriptionRequest, Transcriptions
    from glmcli.audio.kept import KeptPieces
    from glmcli.transcriber import Transcriber

    def wishes(piece: Piece) -> TranscriptionRequest:
        return TranscriptionRequest(
            audio=piece,
            kind=piece.kind,
            model=options.model or DEFAULT_MODEL,
            prompt=options.prompt,
            hotwords=options.hotwords,
            request_id=options.request_id,
            user_id=options.user_id,
            extra=options.extra,
        )

    kept = KeptPieces(app.paths.cache_dir / "transcripts")
    kept.prune(app.now())
    is_kept = options.resume and not app.options.dry_run and not app.settings.no_log.value
    return Transcriber(
        Transcriptions(app.client),
        wishes,
        kept=kept if is_kept else None,
        base_url=app.target.base(Service.AUDIO),
        jobs=options.jobs,
        note=app.streams.note,
    )

"""`glm speak`: text of any length to speech, into a file, a pipe or the loudspeaker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.media_options import STDOUT, Force, Output, Set, Watermark, absolute, check_stdout
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.api.resources.speech import SpeechRequest
    from glmcli.downloads import Place
    from glmcli.newfile import NewFile
    from glmcli.speaker import OnProgress, Outlet, Speaker

app = command_app()

#: Raised when a key of the JSON output changes its meaning (`docs/json-output.md`).
SCHEMA_VERSION = 1
FORMATS = ("wav", "pcm")
LIST = "list"
STDIN = "-"
_WHAT = "text to speech"

Text = Annotated[
    list[str] | None, typer.Argument(help="What to say; else standard input.", metavar="TEXT...", show_default=False)
]
File = Annotated[
    str | None, typer.Option("-f", "--file", help="Speak a text file; - is standard input.", metavar="FILE")
]
Voice = Annotated[
    str, typer.Option("--voice", help="Speak with this voice, built in or cloned; list shows them.", metavar="NAME")
]
Speed = Annotated[float | None, typer.Option("--speed", help="Speak faster or slower, 0.5 to 2.", metavar="FACTOR")]
Volume = Annotated[float | None, typer.Option("--volume", help="Speak louder or softer, up to 10.", metavar="FACTOR")]
Form = Annotated[
    str | None,
    typer.Option("--format", help="Write wav or pcm (default: by the ending of -o, else wav).", metavar="FORMAT"),
]
Play = Annotated[bool, typer.Option("--play", help="Let it be heard at once; a file is kept only with -o.")]
Model = Annotated[str | None, typer.Option("-m", "--model", help="Use this speech model.", metavar="ID")]
Experimental = Annotated[bool, typer.Option("--experimental", help="Try at Z.AI what only Zhipu documents.")]


@dataclass(frozen=True, slots=True)
class SpeakOptions:
    """What is said, how, and where it goes. `output` is None with `play` where no file is wanted."""

    text: str
    request: SpeechRequest
    output: str | None
    form: str = "wav"
    play: bool = False
    force: bool = False
    experimental: bool = False


@dataclass(frozen=True, slots=True)
class _Wishes:
    voice: str
    speed: float | None
    volume: float | None
    model: str | None
    watermark: bool | None
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        'glm speak "你好，世界" -o hello.wav',
        "glm speak -f chapter.txt -o chapter.wav --voice xiaochen",
        'glm chat "tell me a story" | glm speak --play',
        "glm speak good morning -o - | ffmpeg -i - morning.mp3",
        "glm speak --voice list",
    )
)
def speak(
    ctx: typer.Context,
    text: Text = None,
    file: File = None,
    output: Output = None,
    voice: Voice = "tongtong",
    speed: Speed = None,
    volume: Volume = None,
    form: Form = None,
    play: Play = False,
    model: Model = None,
    watermark: Watermark = None,
    force: Force = False,
    experimental: Experimental = False,
    assignments: Set = None,
) -> None:
    """Turn text of any length into speech."""
    from glmcli.api.assignments import parse_assignments

    app = context_of(ctx)
    if voice == LIST:
        list_voices(app)
        return
    wishes = _Wishes(voice, speed, volume, model, watermark, parse_assignments(assignments or ()))
    run(
        app,
        SpeakOptions(
            text=_text(app, text or [], file),
            request=_request(app, wishes),
            output=output,
            form=_form(form, output),
            play=play,
            force=force,
            experimental=experimental,
        ),
    )


def list_voices(app: AppContext) -> None:
    """Print the built-in voices, the default first."""
    from glmcli.api.resources.speech import VOICES

    if app.options.json:
        voices = [{"voice": voice, "default": voice == VOICES[0]} for voice in VOICES]
        app.streams.write_json({"schema_version": SCHEMA_VERSION, "voices": voices})
        return
    for voice in VOICES:
        app.streams.write_line(voice)
    app.streams.note("glm: the first one is the default; a cloned voice goes by its id")


def run(app: AppContext, options: SpeakOptions) -> None:
    """Speak, and say where the sound is."""
    from glmcli.api.resources.speech import MAX_CHARACTERS
    from glmcli.audio.pcm import seconds
    from glmcli.regional import require_china
    from glmcli.sentences import pieces
    from glmcli.speaker import pour

    _check(app, options)
    require_china(app, _WHAT, experimental=options.experimental)
    texts = pieces(options.text, MAX_CHARACTERS)
    with ExitStack() as stack:
        outlets, file = _outlets(app, options, stack)
        progress = _progress(app, len(texts), stack)
        rate, sound = _speaker(app, options, progress).speak(texts)
        size = pour(rate, sound, outlets)
        path = file.finish() if file is not None else None
    if app.options.json:
        facts = {"seconds": round(seconds(size, rate), 3), "sample_rate": rate, "pieces": len(texts)}
        app.streams.write_json(_document(options, path) | facts)
    elif path is not None:
        app.streams.write_line(str(path.relative_to(app.cwd) if path.is_relative_to(app.cwd) else path))


# -- what the command line says ----------------------------------------------------------


def _text(app: AppContext, words: list[str], file: str | None) -> str:
    """The words, a file, or standard input. Raises UsageError where there is nothing to say."""
    if file is not None:
        if words:
            raise UsageError("text and -f exclude one another", hint="say them one after the other")
        text = app.streams.read_stdin() if file == STDIN else _read(app, file)
    elif words and words != [STDIN]:
        text = " ".join(words)
    else:
        text = (app.streams.read_stdin() if words else app.streams.read_piped()) or ""
    if not text.strip():
        raise UsageError("there is nothing to say", hint='glm speak "good morning" -o morning.wav, or pipe text in')
    return text


def _read(app: AppContext, file: str) -> str:
    try:
        return (app.cwd / Path(file).expanduser()).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text") from None


def _request(app: AppContext, wishes: _Wishes) -> SpeechRequest:
    from glmcli.api.resources.speech import DEFAULT_MODEL, VOICES, SpeechRequest, check

    check(speed=wishes.speed, volume=wishes.volume)
    if wishes.voice not in VOICES:
        from difflib import get_close_matches

        near = get_close_matches(wishes.voice, VOICES, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        app.streams.note(f"glm: {wishes.voice} is no built-in voice and is sent as the id of a cloned one{meant}")
    return SpeechRequest(
        input="",
        voice=wishes.voice,
        model=wishes.model or DEFAULT_MODEL,
        speed=wishes.speed,
        volume=wishes.volume,
        watermark=wishes.watermark,
        extra=wishes.extra,
    )


def _form(form: str | None, output: str | None) -> str:
    """`wav` or `pcm`. Raises UsageError for anything that the service does not make."""
    ending = Path(output).suffix.lower().removeprefix(".") if output and output != STDOUT else ""
    wanted = (form or ending).lower()
    if wanted in FORMATS:
        return wanted
    if form is None and wanted not in _SOUND_ENDINGS:
        return "wav"
    raise UsageError(
        f"the service makes wav and pcm, and no {wanted}",
        hint=f"glm speak ... -o - | ffmpeg -i - speech.{wanted}",
    )


#: Endings that promise another kind of sound.
_SOUND_ENDINGS = frozenset({"mp3", "m4a", "aac", "ogg", "oga", "opus", "flac", "webm", "mp4", "aiff"})


def _check(app: AppContext, options: SpeakOptions) -> None:
    check_stdout(app, options.output)
    if options.play and options.output == STDOUT:
        raise UsageError("--play and -o - exclude one another", hint="glm speak ... -o speech.wav --play")


# -- the way of the sound ----------------------------------------------------------------


def _speaker(app: AppContext, options: SpeakOptions, on_progress: OnProgress) -> Speaker:
    from dataclasses import replace

    from glmcli.api.resources.speech import Speech
    from glmcli.speaker import Speaker, samples_of

    return Speaker(
        Speech(app.client, decode=samples_of),
        lambda text: replace(options.request, input=text),
        # A file is in no hurry, and a whole answer can be asked for again.
        stream=options.play or options.output == STDOUT,
        on_progress=on_progress,
    )


def _outlets(app: AppContext, options: SpeakOptions, stack: ExitStack) -> tuple[list[Outlet], NewFile | None]:
    from glmcli.newfile import NewFile
    from glmcli.speaker import FileOutlet, PipeOutlet

    if options.output == STDOUT:
        return [PipeOutlet(app.streams, form=options.form)], None
    outlets: list[Outlet] = []
    file = None
    if options.play:
        from glmcli.players import Playing, find_player

        outlets.append(stack.enter_context(Playing(*find_player(app.environ.get("PATH")), app.environ)))
    if options.output is not None or not options.play:
        place = _place(app, options)
        # A dry run leaves no folder behind.
        if not app.options.dry_run:
            file = stack.enter_context(NewFile(place, f".{options.form}"))
            outlets.append(FileOutlet(file, form=options.form))
    return outlets, file


def _place(app: AppContext, options: SpeakOptions) -> Place:
    from glmcli.downloads import check_place
    from glmcli.jobstates import place_of

    place = place_of(absolute(app, options.output), options.text, "speech", force=options.force)
    check_place(place)
    return place


def _progress(app: AppContext, count: int, stack: ExitStack) -> OnProgress:
    from glmcli.api.resources.speech import RATE
    from glmcli.audio.pcm import seconds
    from glmcli.render.progress import StatusLine, duration

    status = StatusLine(app.streams)
    stack.callback(status.clear)
    return lambda number, size: status.show(f"speaking: piece {number + 1} of {count}, {duration(seconds(size, RATE))}")


def _document(options: SpeakOptions, path: Path | None) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "path": str(path) if path is not None else None,
        "format": options.form,
        "model": options.request.model,
        "voice": options.request.voice,
        "characters": len(options.text.strip()),
    }

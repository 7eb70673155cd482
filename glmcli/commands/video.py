"""`glm video`: videos from prompts and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.media_options import (
    DEADLINE_SECONDS,
    STDOUT,
    Deadline,
    Force,
    Interval,
    NoWait,
    Output,
    Prompt,
    RequestId,
    Set,
    UserId,
    Watermark,
    absolute,
    check_stdout,
    prompt_of,
)
from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.api.resources.videos import VideoRequest

app = command_app()

Pictures = Annotated[
    list[str] | None,
    typer.Option("--image", help="Start from a picture (file or URL); repeat for the last frame.", metavar="FILE|URL"),
]
Model = Annotated[str | None, typer.Option("-m", "--model", help="Use this model (default cogvideox-3).", metavar="ID")]
Duration = Annotated[int | None, typer.Option(help="Film so long: 5 or 10 (cogvideox-3).", metavar="SECONDS")]
Fps = Annotated[int | None, typer.Option(help="Film so many frames a second: 30 or 60.", metavar="N")]
Size = Annotated[str | None, typer.Option(help="Film so many pixels, such as 1920x1080.", metavar="WxH")]
Quality = Annotated[str | None, typer.Option(help="Prefer speed or quality.", metavar="WHICH")]
Audio = Annotated[bool | None, typer.Option("--audio/--no-audio", help="Add sound.", show_default=False)]
Style = Annotated[str | None, typer.Option(help="Film in a general or anime style (viduq1-text).", metavar="STYLE")]
Ratio = Annotated[str | None, typer.Option("--aspect-ratio", help="Film in 16:9, 9:16 or 1:1 (Vidu).", metavar="W:H")]
Movement = Annotated[str | None, typer.Option(help="Move auto, small, medium or large (Vidu).", metavar="HOW")]
Cover = Annotated[bool, typer.Option("--cover", help="Save the cover picture beside the video.")]


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """What the command line asks for; `fields` are those of the request that have an option."""

    prompt: str
    pictures: tuple[str, ...] = ()
    model: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    output: str | None = None
    force: bool = False
    cover: bool = False
    no_wait: bool = False
    deadline_seconds: float = DEADLINE_SECONDS["video"]
    interval_seconds: float | None = None
    user_id: str | None = None
    request_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        'glm video "a cat typing" -o cat.mp4',
        'glm video "a cat typing" --duration 10 --fps 60 --audio',
        'glm video "the sun rises" --image first.png --image last.png',
        'glm video "waves" -m viduq1-text --style anime --aspect-ratio 9:16',
        'glm video "a cat typing" --no-wait && glm tasks wait last',
    )
)
def video(
    ctx: typer.Context,
    prompt: Prompt = None,
    image: Pictures = None,
    output: Output = None,
    model: Model = None,
    duration: Duration = None,
    fps: Fps = None,
    size: Size = None,
    quality: Quality = None,
    audio: Audio = None,
    style: Style = None,
    aspect_ratio: Ratio = None,
    movement: Movement = None,
    watermark: Watermark = None,
    cover: Cover = False,
    no_wait: NoWait = False,
    deadline: Deadline = None,
    interval: Interval = None,
    force: Force = False,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Create a video from a prompt or pictures."""
    from glmcli.api.assignments import parse_assignments

    app = context_of(ctx)
    fields: dict[str, object] = {
        "quality": quality,
        "with_audio": audio,
        "size": size,
        "fps": fps,
        "duration": duration,
        "style": style,
        "aspect_ratio": aspect_ratio,
        "movement_amplitude": movement,
        "watermark_enabled": watermark,
    }
    options = VideoOptions(
        # With a picture the words are optional: a pipe that nobody meant is not waited for.
        prompt="" if image and not prompt else prompt_of(app, prompt),
        pictures=tuple(image or ()),
        model=model,
        fields={name: value for name, value in fields.items() if value is not None},
        output=output,
        force=force,
        cover=cover,
        no_wait=no_wait,
        deadline_seconds=DEADLINE_SECONDS["video"] if deadline is None else deadline,
        interval_seconds=interval,
        user_id=user_id,
        request_id=request_id,
        extra=parse_assignments(assignments or ()),
    )
    run(app, options)


def run(app: AppContext, options: VideoOptions) -> None:
    """Check what costs nothing, submit, wait, and save."""
    from glmcli.accounting import record_piece
    from glmcli.api.resources.videos import Videos
    from glmcli.jobs import Jobs, Wish
    from glmcli.jobviews import finish, tell_submitted

    check_stdout(app, options.output)
    if options.no_wait and options.output == STDOUT:
        raise UsageError("with --no-wait there are no bytes to write yet", hint="glm tasks fetch ID -o -")
    request = _request(app, options)
    output = absolute(app, None if options.output == STDOUT else options.output)
    _check_place(options, output)
    wish = Wish("video", request.model, _kept(request), output, options.force, options.cover)
    jobs = Jobs(app, interval_seconds=options.interval_seconds, deadline_seconds=options.deadline_seconds)
    try:
        task = jobs.submit(wish, lambda: Videos(app.client).submit(request))
        record_piece(app, command="video", model=request.model)
        if options.no_wait:
            tell_submitted(app, task)
        else:
            finish(app, jobs, [task], pipe=options.output == STDOUT)
    finally:
        jobs.close()


def _request(app: AppContext, options: VideoOptions) -> VideoRequest:
    """The request, checked; doubts are told. Raises UsageError."""
    from glmcli.api.resources.videos import DEFAULT_MODEL, VideoRequest, check
    from glmcli.config.resolve import resolve_alias
    from glmcli.frames import open_frame

    request = VideoRequest(
        prompt=options.prompt or None,
        model=resolve_alias(options.model, app.settings.aliases) if options.model else DEFAULT_MODEL,
        frames=[open_frame(word, app.cwd) for word in options.pictures],
        options=options.fields,
        user_id=options.user_id,
        request_id=options.request_id,
        extra=options.extra,
    )
    for doubt in check(request, region=app.target.provider.region):
        app.streams.note(f"glm: {doubt}")
    return request


def _check_place(options: VideoOptions, output: str) -> None:
    from glmcli.downloads import check_place
    from glmcli.jobstates import place_of

    check_place(place_of(output, options.prompt, "video", force=options.force))


def _kept(request: VideoRequest) -> dict[str, object]:
    """The request as it is remembered: pictures by name, not by content."""
    from glmcli.frames import shown

    body = request.body()
    if request.frames and "image_url" not in request.extra:
        body["image_url"] = [shown(frame) for frame in request.frames]
    return body

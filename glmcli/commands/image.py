"""`glm image`: pictures from prompts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
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
from glmcli.errors import GlmError, UsageError

if TYPE_CHECKING:
    from glmcli.api.resources.images import ImageRequest
    from glmcli.downloads import Place
    from glmcli.drawing import Drawing, Drawn
    from glmcli.jobs import Jobs

app = command_app()

MAX_JOBS = 8
_LIST = "list"

Size = Annotated[
    str | None, typer.Option(help="Draw so many pixels; list shows what each model takes.", metavar="WxH|list")
]
Quality = Annotated[str | None, typer.Option(help="Draw in hd or standard quality.", metavar="QUALITY")]
Model = Annotated[str | None, typer.Option("-m", "--model", help="Use this model (default glm-image).", metavar="ID")]
File = Annotated[
    Path | None, typer.Option("-f", "--file", help="Draw every line of a file (- is standard input).", metavar="FILE")
]
AtOnce = Annotated[
    int, typer.Option("-j", "--jobs", min=1, max=MAX_JOBS, help="Draw so many lines at a time.", metavar="N")
]
Async = Annotated[bool, typer.Option("--async", help="Submit as a task, which survives a lost terminal.")]
Preview = Annotated[
    bool | None, typer.Option("--preview/--no-preview", help="Show the picture where the terminal can.")
]


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """What the command line asks for. `preview` None leaves it to the terminal."""

    prompts: tuple[str, ...]
    is_list: bool = False
    output: str | None = None
    force: bool = False
    model: str | None = None
    size: str | None = None
    quality: str | None = None
    jobs: int = 2
    asynchronous: bool = False
    no_wait: bool = False
    deadline_seconds: float | None = None
    interval_seconds: float | None = None
    watermark: bool | None = None
    preview: bool | None = None
    user_id: str | None = None
    request_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        'glm image "a red fox in the snow" -o fox.png',
        'glm image "a harbour at dawn" --size 1728x960 -o pictures/',
        "glm image --file prompts.txt -o pictures/ --jobs 4",
        'glm image "a red fox" -o - | convert - fox.webp',
        "glm image --size list",
    )
)
def image(
    ctx: typer.Context,
    prompt: Prompt = None,
    output: Output = None,
    model: Model = None,
    size: Size = None,
    quality: Quality = None,
    file: File = None,
    jobs: AtOnce = 2,
    asynchronous: Async = False,
    no_wait: NoWait = False,
    deadline: Deadline = None,
    interval: Interval = None,
    force: Force = False,
    preview: Preview = None,
    watermark: Watermark = None,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Create a picture from a prompt."""
    from glmcli.api.assignments import parse_assignments

    app = context_of(ctx)
    if size == _LIST:
        list_sizes(app, model)
        return
    if file is not None and prompt:
        raise UsageError("a prompt and --file exclude each other", hint="leave one of them out")
    options = ImageOptions(
        prompts=_lines(app, file) if file is not None else (prompt_of(app, prompt),),
        is_list=file is not None,
        output=output,
        force=force,
        model=model,
        size=size,
        quality=quality,
        jobs=jobs,
        asynchronous=asynchronous or no_wait,
        no_wait=no_wait,
        deadline_seconds=deadline,
        interval_seconds=interval,
        watermark=watermark,
        preview=preview,
        user_id=user_id,
        request_id=request_id,
        extra=parse_assignments(assignments or ()),
    )
    run(app, options)


def _lines(app: AppContext, file: Path) -> tuple[str, ...]:
    """The prompts of a file: one a line, empty ones and those behind # left out."""
    if str(file) == STDOUT:
        text = app.streams.read_stdin()
    else:
        try:
            text = (app.cwd / file.expanduser()).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"{file} cannot be read: {reason}") from None
    prompts = tuple(line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    if not prompts:
        raise UsageError(f"{file} holds no prompt", hint="write one a line")
    return prompts


def list_sizes(app: AppContext, model: str | None) -> None:
    """Say what sizes each model takes, without asking anybody."""
    from glmcli.api.resources.images import MODELS

    chosen = [known for known in MODELS.values() if model in (None, known.id)]
    if not chosen:
        raise UsageError(f"the sizes of {model} are not known", hint="any --size is sent as it is")
    if app.options.json:
        sizes = [
            {
                "model": known.id,
                "default": known.presets[0],
                "presets": list(known.presets),
                "shortest_side": known.shortest,
                "longest_side": known.longest,
                "multiple": known.multiple,
                "most_pixels": known.area,
            }
            for known in chosen
        ]
        app.streams.write_json({"schema_version": 1, "models": sizes})
        return
    for known in chosen:
        app.streams.write_line(f"{known.id}: {', '.join(known.presets)}")
        app.streams.write_line(
            f"  the first is the default; others: sides of {known.shortest} to {known.longest}, "
            f"multiples of {known.multiple}, at most {known.area} pixels"
        )


def run(app: AppContext, options: ImageOptions) -> None:
    """Check everything that costs nothing, then draw."""
    from glmcli.jobs import Jobs

    _check(app, options)
    orders = _orders(app, options)
    deadline = DEADLINE_SECONDS["image"] if options.deadline_seconds is None else options.deadline_seconds
    jobs = Jobs(app, interval_seconds=options.interval_seconds, deadline_seconds=deadline)
    try:
        if options.asynchronous:
            _run_tasks(app, options, jobs, [request for request, _ in orders])
        elif options.is_list:
            _run_list(app, options, jobs, orders)
        elif options.output == STDOUT:
            _run_pipe(app, jobs, orders[0][0])
        else:
            _run_one(app, options, jobs, *orders[0])
    finally:
        jobs.close()


def _check(app: AppContext, options: ImageOptions) -> None:
    check_stdout(app, options.output)
    if options.is_list and options.output == STDOUT:
        raise UsageError("the pictures of --file need a folder", hint="-o pictures/")
    if options.no_wait and options.output == STDOUT:
        raise UsageError("with --no-wait there are no bytes to write yet", hint="glm tasks fetch ID -o -")
    if not all(options.prompts):
        raise UsageError("the prompt is empty", hint='glm image "a red fox"')


def _orders(app: AppContext, options: ImageOptions) -> list[tuple[ImageRequest, Place]]:
    """What to draw, and where each picture goes. Tells doubts once. Raises UsageError."""
    from glmcli.api.resources.images import DEFAULT_MODEL, ImageRequest, check
    from glmcli.config.resolve import resolve_alias
    from glmcli.downloads import check_place

    request = ImageRequest(
        prompt="",
        model=resolve_alias(options.model, app.settings.aliases) if options.model else DEFAULT_MODEL,
        size=options.size,
        quality=options.quality,
        watermark=options.watermark,
        user_id=options.user_id,
        request_id=options.request_id,
        extra=options.extra,
    )
    orders: list[tuple[ImageRequest, Place]] = []
    doubts: dict[str, None] = {}
    for number, prompt in enumerate(options.prompts, 1):
        wanted = replace(request, prompt=prompt)
        if options.is_list and request.request_id:
            wanted = replace(wanted, request_id=f"{request.request_id}-{number:03d}")
        region = app.target.provider.region
        doubts |= dict.fromkeys(check(wanted, region=region, asynchronous=options.asynchronous))
        place = _place(app, options, prompt, number)
        if options.output != STDOUT:
            check_place(place)
        orders.append((wanted, place))
    for doubt in doubts:
        app.streams.note(f"glm: {doubt}")
    return orders


def _place(app: AppContext, options: ImageOptions, prompt: str, number: int) -> Place:
    from glmcli.downloads import Place
    from glmcli.filenames import name_from
    from glmcli.jobstates import place_of

    output = absolute(app, None if options.output == STDOUT else options.output)
    if not options.is_list:
        return place_of(output, prompt, "image", force=options.force)
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{options.output} is a file, and --file needs a folder", hint="-o pictures/")
    # Numbered, so that the same command can be run again for what is missing.
    return Place(folder, f"{number:03d}-{name_from(prompt, 'image')}", overwrite=options.force)


# -- ways to draw ------------------------------------------------------------------------


def _run_one(app: AppContext, options: ImageOptions, jobs: Jobs, request: ImageRequest, place: Place) -> None:
    drawn = _draw(app, jobs, request, place)
    _present(app, options, drawn)


def _draw(app: AppContext, jobs: Jobs, request: ImageRequest, place: Place, *, later: Place | None = None) -> Drawn:
    from glmcli.drawing import Drawing
    from glmcli.render.progress import StatusLine

    status = StatusLine(app.streams)
    status.show(f"{request.prompt[:40]}: drawing, which takes some 20 seconds")
    try:
        return Drawing(app, jobs).draw(request, place, later=later)
    finally:
        status.clear()


def _run_pipe(app: AppContext, jobs: Jobs, request: ImageRequest) -> None:
    from glmcli.downloads import Place, copy
    from glmcli.drafts import scratch_folder
    from glmcli.filenames import name_from

    name = name_from(request.prompt, "image")
    with scratch_folder(app.environ) as folder:
        drawn = _draw(app, jobs, request, Place(folder, "image"), later=Place(app.cwd, name))
        _tell_filter(app, drawn)
        assert drawn.saved is not None
        copy(drawn.saved.path, app.streams.write_bytes)


def _run_list(app: AppContext, options: ImageOptions, jobs: Jobs, orders: Sequence[tuple[ImageRequest, Place]]) -> None:
    """Draw what is not there yet; the failures of single prompts are told, and the first raised at the end."""
    from glmcli.drawing import Drawing, is_drawn

    jobs.shows_progress = False
    missing = [order for order in orders if options.force or not is_drawn(order[1])]
    if len(missing) < len(orders):
        there = len(orders) - len(missing)
        app.streams.note(f"glm: {there} of {len(orders)} pictures are there already; --force draws them anew")
    failures = _draw_list(app, options, Drawing(app, jobs), missing) if missing else []
    if failures:
        failures[0].message = f"{len(failures)} of {len(orders)} pictures failed; the first: {failures[0].message}"
        raise failures[0]


def _draw_list(
    app: AppContext, options: ImageOptions, drawing: Drawing, orders: Sequence[tuple[ImageRequest, Place]]
) -> list[GlmError]:
    failures: list[GlmError] = []
    for drawn in drawing.draw_all(orders, at_once=options.jobs):
        if drawn.error is None:
            _present(app, options, drawn)
        else:
            app.streams.complain(f"glm: {drawn.request.prompt}: {drawn.error.message}")
            failures.append(drawn.error)
    return failures


def _run_tasks(app: AppContext, options: ImageOptions, jobs: Jobs, requests: Sequence[ImageRequest]) -> None:
    """Submit every picture, then wait for all of them together."""
    from glmcli.accounting import record_piece
    from glmcli.api.resources.images import Images
    from glmcli.jobs import Wish
    from glmcli.jobviews import finish, tell_submitted

    images = Images(app.client)
    output = absolute(app, None if options.output == STDOUT else options.output)
    if options.is_list and not output.endswith(os.sep):
        output += os.sep
    tasks = []
    for request in requests:
        wish = Wish("image", request.model, request.body(), output, force=options.force)
        task = jobs.submit(wish, lambda request=request: images.submit(request))  # type: ignore[misc]  # its default
        record_piece(app, command="image", model=request.model)
        tasks.append(task)
        if options.no_wait:
            tell_submitted(app, task)
    if not options.no_wait:
        finish(app, jobs, tasks, pipe=options.output == STDOUT, show=lambda path: _preview(app, options, path))


# -- what is shown -----------------------------------------------------------------------


def _present(app: AppContext, options: ImageOptions, drawn: Drawn) -> None:
    from glmcli.drawing import document

    _tell_filter(app, drawn)
    assert drawn.saved is not None
    if app.options.json:
        app.streams.write_json(document(drawn))
        return
    _preview(app, options, drawn.saved.path)
    app.streams.write_line(str(_shown(app, drawn.saved.path)))
    if drawn.image is not None and drawn.image.url and app.options.verbose:
        from glmcli.api.resources.images import URL_DAYS

        app.streams.note(f"glm: for {URL_DAYS} days also at {drawn.image.url}")


def _shown(app: AppContext, path: Path) -> Path:
    """As short as it can be: below the working directory without it."""
    return path.relative_to(app.cwd) if path.is_relative_to(app.cwd) else path


def _tell_filter(app: AppContext, drawn: Drawn) -> None:
    for role, level in drawn.image.content_filter if drawn.image else ():
        if level < 3:  # the mildest, which comes with every picture
            app.streams.note(
                f"glm: the content filter gave the {role}'s part level {level} (0 is the most severe, 3 the least)"
            )


def _preview(app: AppContext, options: ImageOptions, path: Path) -> None:
    if options.preview is False or app.options.json or app.options.quiet or not app.streams.stdout_is_tty:
        return
    from glmcli.render.preview import NeedsPillow, show_picture

    try:
        shown = show_picture(path, app.streams)
    except NeedsPillow:
        if options.preview or _is_first_time(app):
            app.streams.note("glm: this terminal shows pictures once Pillow is there: pip install 'glmcli[preview]'")
        return
    if options.preview and not shown:
        app.streams.note("glm: this terminal shows no pictures")


def _is_first_time(app: AppContext) -> bool:
    from glmcli.errors import HistoryError

    try:
        return app.history.notes.is_first("told that previews need Pillow")
    except HistoryError:
        return False

"""`/image`: a picture without leaving the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glmcli.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from glmcli.api.resources.images import ImageRequest
    from glmcli.downloads import Saved
    from glmcli.repl.talk import Talk


# Creating is one call; the time is for a download that has to be begun again.
_DEADLINE_SECONDS = 300.0


def image(talk: Talk, argument: str) -> None:
    """`/image PROMPT`"""
    from glmcli.api.resources.images import DEFAULT_MODEL, ImageRequest, check

    if not argument:
        raise UsageError("/image needs a prompt", hint="/image a red fox in the snow")
    request = ImageRequest(prompt=argument, model=DEFAULT_MODEL)
    for doubt in check(request, region=talk.app.target.provider.region, asynchronous=False):
        talk.say(f"glm: {doubt}")
    saved = _draw(talk, request)
    _preview(talk, saved.path)
    shown = saved.path.relative_to(talk.app.cwd) if saved.path.is_relative_to(talk.app.cwd) else saved.path
    talk.say(f"saved {shown}; /attach {shown} asks about it")


def _draw(talk: Talk, request: ImageRequest) -> Saved:
    """Create the picture and save it in the working directory. Raises what the call raises."""
    from glmcli.downloads import Place, check_place
    from glmcli.drawing import Drawing
    from glmcli.filenames import name_from
    from glmcli.jobs import Jobs
    from glmcli.render.progress import StatusLine

    app = talk.app
    place = Place(app.cwd, name_from(request.prompt, "image"))
    check_place(place)
    jobs = Jobs(app, deadline_seconds=_DEADLINE_SECONDS)
    status = StatusLine(app.streams)
    status.show(f"{request.prompt[:40]}: drawing, which takes some 20 seconds")
    try:
        with app.interrupts.at_once():
            saved = Drawing(app, jobs).draw(request, place).saved
    finally:
        status.clear()
        jobs.close()
    assert saved is not None
    return saved


def _preview(talk: Talk, path: Path) -> None:
    from glmcli.render.preview import NeedsPillow, show_picture

    try:
        show_picture(path, talk.app.streams)
    except NeedsPillow:
        return

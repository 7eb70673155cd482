"""Draws pictures, one or many, and saves each as soon as it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.accounting import record_piece
from glmcli.api.resources.async_results import ResultFile
from glmcli.api.resources.images import READ_TIMEOUT_SECONDS, URL_DAYS, Image, ImageRequest, Images
from glmcli.context import AppContext
from glmcli.downloads import Place, Saved, write_bytes
from glmcli.errors import ExitCode, GlmError, Interrupted, ResultGone
from glmcli.jobs import Jobs, Wish
from glmcli.jobstates import urls_of

if TYPE_CHECKING:
    from glmcli.history.model import Task

_DAY_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class Drawn:
    """How one request ended: with a picture on disk, or with an error."""

    request: ImageRequest
    image: Image | None = None
    saved: Saved | None = None
    error: GlmError | None = None


class Drawing:
    """Draws with the client of one invocation."""

    def __init__(self, app: AppContext, jobs: Jobs) -> None:
        self._app = app
        self._jobs = jobs
        self._images = Images(app.client)

    def draw(self, request: ImageRequest, place: Place, *, later: Place | None = None) -> Drawn:
        """Create one picture and save it. Raises what the call raises.

        A picture that was made is kept as a task until it is saved, so that
        it can be fetched without paying again, even after a `kill -9`. The
        same request for the same place then fetches it. `later` is where it
        is fetched to, if not to `place`.
        """
        wish = self._wish(request, later or place)
        task = self._made_earlier(wish)
        image = self._create(request) if task is None else Image(urls_of(task)[0])
        if task is None and image.url is not None:
            task = self._jobs.keep(wish, [ResultFile(image.url, "image")])
        try:
            saved = self._save(image, place)
        except KeyboardInterrupt:
            raise Interrupted("stopped while the picture was downloaded", hint=_way_back(task, image)) from None
        except GlmError as error:
            if task is not None and isinstance(error, ResultGone):
                self._jobs.forget(task)
            else:
                error.hint = "\n".join(filter(None, (error.hint, _way_back(task, image))))
            raise
        if task is not None:
            self._jobs.forget(task)
        return Drawn(request, image, saved)

    def _wish(self, request: ImageRequest, place: Place) -> Wish:
        output = str(place.path) if place.is_exact else f"{place.folder}/"
        name = None if place.is_exact else place.name
        return Wish("image", request.model, request.body(), output, force=place.overwrite, name=name)

    def _made_earlier(self, wish: Wish) -> Task | None:
        """The picture of an earlier run that was killed before it was here, unless it shall be drawn anew."""
        if wish.force or self._app.options.dry_run:
            return None
        task = self._jobs.made(wish)
        if task is not None:
            self._app.streams.note(
                "glm: an earlier run made and paid for this picture; it is fetched and not drawn again (--force draws)"
            )
        return task

    def _create(self, request: ImageRequest) -> Image:
        timeout = self._app.settings.timeout_seconds
        # A time-out that somebody chose counts; the default one is made for answers that begin at once.
        patience = READ_TIMEOUT_SECONDS if timeout.source == "default" else None
        try:
            image = self._images.create(request, read_timeout_seconds=patience)
            record_piece(self._app, command="image", model=request.model)
            return image
        except KeyboardInterrupt:
            raise Interrupted(
                "stopped while the picture was drawn; the service may have made it all the same",
                hint="with --async it could be fetched later",
            ) from None

    def draw_all(self, orders: Sequence[tuple[ImageRequest, Place]], *, at_once: int) -> Iterator[Drawn]:
        """Draw several, in order of their results; `at_once` at a time after the first.

        The first alone finds out whether key and balance are good. One that
        fails for reasons of its own does not stop the others; any other
        failure is raised.
        """
        yield self._attempt(*orders[0])
        pool = ThreadPoolExecutor(at_once)
        try:
            futures = [pool.submit(self._attempt, request, place) for request, place in orders[1:]]
            yield from map(Future.result, futures)
        except KeyboardInterrupt:
            self._app.streams.note("glm: stopping; pictures under way may be finished, since they are paid for")
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _attempt(self, request: ImageRequest, place: Place) -> Drawn:
        try:
            return self.draw(request, place)
        except GlmError as error:
            if error.exit_code not in (ExitCode.FAILED, ExitCode.USAGE, ExitCode.CONTENT):
                raise
            return Drawn(request, error=error)

    def _save(self, image: Image, place: Place) -> Saved:
        if image.url is None:
            assert image.content is not None
            return write_bytes(image.content, place, role="image")
        retries = self._app.settings.max_retries.value
        return self._jobs.download(self._app.client, ResultFile(image.url, "image"), place, max_retries=retries)


def _way_back(task: Task | None, image: Image) -> str | None:
    """How to get a picture that is not here; None for one that came inside the answer."""
    if task is None:
        return None
    if not task.id:
        return f"the picture stays for {URL_DAYS} days at {image.url}"
    return f"the picture is made and paid for; within {URL_DAYS} days: glm tasks fetch {task.id}"


def is_drawn(place: Place) -> Path | None:
    """The picture of an earlier run at a numbered place."""
    return next((path for path in place.folder.glob(f"{place.name}.*") if path.suffix != ".part"), None)


def document(drawn: Drawn) -> dict[str, object]:
    """The JSON of a picture (docs/json-output.md)."""
    image, saved, request = drawn.image, drawn.saved, drawn.request
    assert image is not None
    created = image.created
    return {
        "schema_version": 1,
        "prompt": request.prompt,
        "model": image.model or request.model,
        "size": request.size,
        "quality": request.quality,
        "path": str(saved.path) if saved else None,
        "bytes": saved.size if saved else None,
        "content_type": saved.content_type if saved else None,
        "url": image.url,
        "created": created,
        "url_expires": created + URL_DAYS * _DAY_SECONDS if created is not None else None,
        "content_filter": [{"role": role, "level": level} for role, level in image.content_filter],
        "request_id": image.request_id,
    }

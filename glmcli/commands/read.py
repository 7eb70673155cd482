"""`glm read`: pages of the web as Markdown or text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import ExitCode, GlmError, ServiceError, UsageError
from glmcli.pagefiles import Targets

if TYPE_CHECKING:
    from glmcli.api.endpoints import Via
    from glmcli.api.resources.reader import Page, PlanReader, Reader, ReadRequest

app = command_app()

MAX_JOBS = 16
STDIN = "-"
_ENDINGS = {"markdown": ".md", "text": ".txt"}
#: Failures that every page would meet: the first one ends the command.
_FATAL = frozenset({ExitCode.AUTH, ExitCode.CONFIG, ExitCode.BALANCE, ExitCode.LIMIT})


class Format(StrEnum):
    """What a page is turned into."""

    MARKDOWN = "markdown"
    TEXT = "text"


Urls = Annotated[
    list[str] | None,
    typer.Argument(
        help="Pages to read; else one address per line of standard input.", metavar="URL...", show_default=False
    ),
]
Form = Annotated[Format, typer.Option("--format", help="Turn pages into markdown or text.")]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="Write to this file, or one file per page into this folder.", metavar="PATH"),
]
Jobs = Annotated[
    int, typer.Option("-j", "--jobs", help="Read N pages at the same time.", min=1, max=MAX_JOBS, metavar="N")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Fetch the page anew instead of from the service's cache.")]
PageTimeout = Annotated[
    int | None,
    typer.Option("--timeout-page", help="Let the service fetch a page for so long.", min=1, metavar="SECONDS"),
]
NoImages = Annotated[bool, typer.Option("--no-images", help="Leave pictures out.")]
NoGfm = Annotated[bool, typer.Option("--no-gfm", help="Do without GitHub's Markdown (tables).")]
LinksSummary = Annotated[bool, typer.Option("--links-summary", help="Append a list of links.")]
ImagesSummary = Annotated[bool, typer.Option("--images-summary", help="Append a list of pictures.")]
KeepDataUrls = Annotated[bool, typer.Option("--keep-data-urls", help="Keep pictures that stand in the page itself.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per page and line.")]
UserId = Annotated[str | None, typer.Option("--user-id", help="Name the end user, 6 to 128 characters.", metavar="ID")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set another request field; the value is JSON or text.", metavar="KEY=VALUE"),
]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the command line asks for. Flags that are off leave the field to the service."""

    urls: tuple[str, ...]
    format: str = "markdown"
    output: str | None = None
    jobs: int = 4
    no_cache: bool = False
    page_seconds: int | None = None
    no_images: bool = False
    no_gfm: bool = False
    links_summary: bool = False
    images_summary: bool = False
    keep_data_urls: bool = False
    as_lines: bool = False
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def request(self, url: str) -> ReadRequest:
        """The request for one page."""
        from glmcli.api.resources.reader import ReadRequest

        return ReadRequest(
            url=url,
            timeout_seconds=self.page_seconds,
            no_cache=self.no_cache or None,
            return_format=self.format,
            retain_images=False if self.no_images else None,
            no_gfm=self.no_gfm or None,
            keep_img_data_url=self.keep_data_urls or None,
            with_images_summary=self.images_summary or None,
            with_links_summary=self.links_summary or None,
            user_id=self.user_id,
            extra=self.extra,
        )


@app.command(
    epilog=examples(
        "glm read https://example.com/post",
        'glm read docs.python.org/3 --format text | glm chat "what is new?"',
        "glm search llm benchmarks --urls-only | glm read --jobs 8 -o pages/",
        "glm read https://example.com/a https://example.com/b --jsonl",
    )
)
def read(
    ctx: typer.Context,
    urls: Urls = None,
    format: Form = Format.MARKDOWN,
    output: Output = None,
    jobs: Jobs = 4,
    no_cache: NoCache = False,
    timeout_page: PageTimeout = None,
    no_images: NoImages = False,
    no_gfm: NoGfm = False,
    links_summary: LinksSummary = False,
    images_summary: ImagesSummary = False,
    keep_data_urls: KeepDataUrls = False,
    jsonl: JsonLines = False,
    user_id: UserId = None,
    assignments: Set = None,
) -> None:
    """Read web pages as Markdown or text."""
    from glmcli.api.assignments import parse_assignments

    app = context_of(ctx)
    options = ReadOptions(
        urls=_read_urls(app, urls or []),
        format=format.value,
        output=output,
        jobs=jobs,
        no_cache=no_cache,
        page_seconds=timeout_page,
        no_images=no_images,
        no_gfm=no_gfm,
        links_summary=links_summary,
        images_summary=images_summary,
        keep_data_urls=keep_data_urls,
        as_lines=jsonl,
        user_id=user_id,
        extra=parse_assignments(assignments or ()),
    )
    run(app, options)


def run(app: AppContext, options: ReadOptions) -> None:
    """Read every page, in parallel, and write them in the order given.

    A page that fails does not lose the others: it is told at once, and the
    command fails in the end. Key, balance and limits are the same for all.
    """
    from glmcli.accounting import record_piece
    from glmcli.api.endpoints import Via as Route
    from glmcli.web import explained, route_of, tell_route

    route = route_of(app)
    tell_route(app, route)
    if app.options.dry_run and len(options.urls) > 1:
        app.streams.note(f"glm: {len(options.urls)} pages are asked for; this is the request for the first")
    writer = _Writer(app, options, route)
    failed: list[GlmError] = []
    for url, outcome in _pages(app, options, _reader(app, options, route)):
        if not isinstance(outcome, GlmError):
            record_piece(app, command="read", model="web-reader", by_plan=route is Route.MCP)
            writer.page(url, outcome)
            continue
        if isinstance(outcome, ServiceError):
            outcome = explained(app, route, outcome)
        if len(options.urls) == 1 or outcome.exit_code in _FATAL:
            raise outcome
        writer.failure(url, outcome)
        failed.append(outcome)
    if failed:
        raise GlmError(f"{len(failed)} of {len(options.urls)} pages could not be read", hint=failed[0].hint)


# -- which pages ------------------------------------------------------------------


def _read_urls(app: AppContext, words: list[str]) -> tuple[str, ...]:
    """The addresses of arguments and standard input, in order; lines that are empty or begin with # are skipped."""
    given: list[str] = []
    for word in words or [STDIN]:
        if word != STDIN:
            given.append(word)
            continue
        piped = app.streams.read_stdin() if words else app.streams.read_piped() or ""
        given += [line.strip() for line in piped.splitlines() if not line.lstrip().startswith("#")]
    urls = tuple(_address(app, word.strip()) for word in given if word.strip())
    if not urls:
        raise UsageError(
            "there is no page to read", hint="glm read https://example.com, or one address per line piped in"
        )
    return urls


def _address(app: AppContext, word: str) -> str:
    """A web address that the service can reach; `https://` is put in front where nothing is. Raises UsageError."""
    from urllib.parse import urlsplit

    if "://" not in word:
        if (app.cwd / word).exists():
            raise UsageError(f"{word} is a file here, not a web page", hint=f"glm chat -a {word} asks about it")
        app.streams.note(f"glm: reading https://{word}")
        word = f"https://{word}"
    try:
        parts = urlsplit(word)
        host = parts.hostname
    except ValueError as error:
        raise UsageError(f"{word} is no web address: {error}") from None
    if parts.scheme.lower() not in ("http", "https") or not host or re.search(r"\s", word):
        raise UsageError(f"{word} is no web address", hint="glm read takes http and https pages")
    if parts.username or parts.password:
        raise UsageError(
            "the address holds a user name or password", hint="the service fetches the page: leave them out"
        )
    if _is_private(host):
        raise UsageError(f"the service fetches the page, and cannot reach {host}", hint="it reads public pages only")
    return word


def _is_private(host: str) -> bool:
    """Whether a host is this machine or of a private network."""
    from ipaddress import ip_address

    from glmcli.api.endpoints import is_loopback

    if is_loopback(host):
        return True
    try:
        return ip_address(host).is_private
    except ValueError:
        return False


# -- reading -----------------------------------------------------------------------


def _reader(app: AppContext, options: ReadOptions, route: Via) -> Reader | PlanReader:
    from glmcli.api.endpoints import Via as Route
    from glmcli.api.resources.reader import PlanReader, Reader, patience
    from glmcli.web import once

    timeout = app.settings.timeout_seconds
    seconds = patience(timeout.value, options.page_seconds, is_chosen=timeout.source != "default")
    if route is Route.MCP:
        note = once(app.streams.note)
        return PlanReader(app.client, note=note, language=app.language, read_timeout_seconds=seconds)
    return Reader(app.client, read_timeout_seconds=seconds)


def _pages(app: AppContext, options: ReadOptions, reader: Reader | PlanReader) -> Iterator[tuple[str, Page | GlmError]]:
    """Each address with its page or what went wrong, in order, as soon as it and those before it are there."""

    from glmcli.web import patiently

    def one(url: str) -> Page | GlmError:
        try:
            page = patiently(app, lambda: reader.read(options.request(url)))
        except GlmError as error:
            return _named(error, url)
        return page if page.content.strip() else _empty(url)

    # The first goes alone: it finds key, notices and session before many are asked.
    first, *others = options.urls
    yield first, one(first)
    if options.jobs == 1 or len(others) < 2:
        yield from ((url, one(url)) for url in others)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(options.jobs)
    try:
        yield from zip(others, pool.map(one, others), strict=True)
    except BaseException:
        app.client.abort()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _named(error: GlmError, url: str) -> GlmError:
    if url not in error.message and error.exit_code not in _FATAL:
        error.message = f"{url}: {error.message}"
    return error


def _empty(url: str) -> GlmError:
    """Pages that shut automated readers out come back like this, with HTTP 200."""
    return GlmError(
        f"{url}: the page came back empty; it may shut automated readers out",
        hint="try again with --no-cache, or with a longer --timeout-page",
    )


# -- writing -----------------------------------------------------------------------


class _Writer:
    """Writes pages and failures where they belong, in the order in which they come."""

    def __init__(self, app: AppContext, options: ReadOptions, route: Via) -> None:
        self._app = app
        self._options = options
        self._route = route
        self._as_json = app.options.json or options.as_lines
        self._several = len(options.urls) > 1
        self._is_first = True
        ending = ".json" if self._as_json else _ENDINGS[options.format]
        self._targets = Targets(options.output, app.cwd, pages=len(options.urls), ending=ending)

    def page(self, url: str, page: Page) -> None:
        """Write a page to its file, or to standard output."""
        from glmcli.newfile import write_whole
        from glmcli.render.pages import content, document, header

        target = self._targets.of(url)
        text = content(page, is_markdown=self._options.format == "markdown")
        if self._as_json:
            self._json(document(url, page, self._route.value), target)
        elif target is not None:
            write_whole(target, text)
        else:
            if self._several:
                self._app.streams.write_line(("" if self._is_first else "\n") + header(url, page))
            self._show(text)
            self._is_first = False
        if target is not None:
            self._app.streams.note(f"glm: wrote {target}")

    def failure(self, url: str, error: GlmError) -> None:
        """Tell one failure of several on stderr; among JSON it also keeps its place on stdout."""
        from glmcli.render.pages import failure

        if self._as_json and self._options.output is None:
            self._json(failure(url, error.to_json()), None)
        self._app.streams.complain(f"glm: {error.message}")

    def _show(self, text: str) -> None:
        streams = self._app.streams
        if not streams.stdout_is_tty:
            streams.write(text)
        elif self._options.format == "markdown":
            from glmcli.render.markdown import print_markdown

            print_markdown(text, streams.write, width=streams.width, color=streams.may_color())
        else:
            streams.write_harmless(text)

    def _json(self, value: Mapping[str, object], target: Path | None) -> None:
        import json

        from glmcli.newfile import write_whole

        if target is not None:
            write_whole(target, json.dumps(value, ensure_ascii=False, indent=2) + "\n")
        elif self._options.as_lines:
            streams = self._app.streams
            write = streams.write_harmless if streams.stdout_is_tty else streams.write
            write(json.dumps(value, ensure_ascii=False) + "\n")
        else:
            self._app.streams.write_json(value)

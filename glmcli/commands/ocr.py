"""`glm ocr`: documents to Markdown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import ExitCode, GlmError, Interrupted, UsageError

if TYPE_CHECKING:
    from glmcli.digitizer import Digitizer, Document, PageRange, Part
    from glmcli.figures import SavedCrop
    from glmcli.render.progress import StatusLine

app = command_app()

STDIN = "-"
_ENDINGS = {"markdown": ".md", "json": ".json", "layout": ".tsv"}

Files = Annotated[
    list[str],
    typer.Argument(help="PDF, PNG or JPEG files, or addresses; - reads standard input.", metavar="FILE|URL..."),
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="Write to this file, or for several files into this folder.", metavar="PATH"),
]
Pages = Annotated[str | None, typer.Option(help="Read these pages of a PDF: 3-10,12,20-.", metavar="RANGES")]
LayoutFlag = Annotated[bool, typer.Option("--layout", help="Print regions with label, place and text, tab-separated.")]
Crops = Annotated[str | None, typer.Option(help="Save cut-out figures there and link to them.", metavar="DIR")]
Visualize = Annotated[
    str | None, typer.Option(help="Save pictures of the pages with their regions there.", metavar="DIR")
]
Split = Annotated[
    int | None,
    typer.Option(min=1, help="Ask for at most N pages at a time (default: what the service takes).", metavar="N"),
]
Model = Annotated[str | None, typer.Option("-m", "--model", help="Use this OCR model.", metavar="ID")]
UserId = Annotated[str | None, typer.Option("--user-id", help="Name the end user, 6 to 128 characters.", metavar="ID")]
RequestId = Annotated[
    str | None, typer.Option("--request-id", help="Give the request an id, 6 to 64 characters.", metavar="ID")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set another request field; the value is JSON or text.", metavar="KEY=VALUE"),
]


@dataclass(frozen=True, slots=True)
class OcrOptions:
    """What the command line asks for. `form` is markdown, json or layout."""

    files: tuple[str, ...]
    output: str | None = None
    pages: tuple[PageRange, ...] = ()
    form: str = "markdown"
    crops: str | None = None
    visualize: str | None = None
    split: int | None = None
    model: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One document, and where its text goes (None: stdout)."""

    document: Document
    target: Path | None


@app.command(
    epilog=examples(
        "glm ocr scan.pdf -o scan.md",
        "glm ocr book.pdf --pages 3-10,12 --crops figures/ -o book.md",
        "glm ocr *.png -o texts/",
        "glm ocr invoice.pdf --json | jq '.pages[0].blocks[] | select(.label == \"table\")'",
    )
)
def ocr(
    ctx: typer.Context,
    files: Files,
    output: Output = None,
    pages: Pages = None,
    layout: LayoutFlag = False,
    crops: Crops = None,
    visualize: Visualize = None,
    split: Split = None,
    model: Model = None,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Turn PDFs and pictures into Markdown."""
    from glmcli.api.assignments import parse_assignments
    from glmcli.digitizer import parse_pages

    app = context_of(ctx)
    if layout and app.options.json:
        raise UsageError("--layout and --json contradict each other", hint="--json holds the layout too")
    options = OcrOptions(
        files=tuple(files),
        output=output,
        pages=parse_pages(pages) if pages else (),
        form="json" if app.options.json else "layout" if layout else "markdown",
        crops=crops,
        visualize=visualize,
        split=split,
        model=model,
        user_id=user_id,
        request_id=request_id,
        extra=parse_assignments(assignments or ()),
    )
    run(app, options)


def run(app: AppContext, options: OcrOptions) -> None:
    """Check every document, then read one after the other.

    One that fails for reasons of its own does not stop the others; the first
    such failure is raised at the end. Pages that were read are written in any case.
    """
    from glmcli.api.resources.ocr import check
    from glmcli.render.progress import StatusLine

    check(request_id=options.request_id, user_id=options.user_id)
    failures: list[GlmError] = []
    with _read_jobs(app, options) as jobs, closing(_Status(StatusLine(app.streams))) as status:
        work = _Work(app, options, status, several=len(jobs) > 1)
        for job in jobs:
            try:
                work.do(job)
            except GlmError as error:
                named = _named(error, job.document.name)
                if len(jobs) == 1 or not _is_of_this_file(error):
                    raise named from error
                app.streams.complain(f"glm: {named.message}")
                failures.append(named)
    if failures:
        failures[0].message = f"{len(failures)} of {len(options.files)} files failed; the first: {failures[0].message}"
        raise failures[0]


def _is_of_this_file(error: GlmError) -> bool:
    """Whether the next file may fare better: key, balance, limits and network are the same for all."""
    return error.exit_code in (ExitCode.FAILED, ExitCode.USAGE, ExitCode.CONTENT)


def _named(error: GlmError, name: str) -> GlmError:
    if error.exit_code not in (ExitCode.AUTH, ExitCode.CONFIG) and name not in error.message:
        error.message = f"{name}: {error.message}"
    return error


# -- documents in and out --------------------------------------------------------------


@contextmanager
def _read_jobs(app: AppContext, options: OcrOptions) -> Iterator[list[Job]]:
    """The jobs, checked as far as that costs nothing. Pipes are copied to disk for as long as it takes."""
    from glmcli.digitizer import plan

    with ExitStack() as stack:
        targets = _targets(app, options)
        documents = [_open(app, file, stack) for file in options.files]
        for document in documents:
            plan(document, options.pages, _step(app, options))  # names pages that do not exist before anything is paid
        yield [Job(document, target) for document, target in zip(documents, targets, strict=True)]


def _open(app: AppContext, file: str, stack: ExitStack) -> Document:
    """The document behind a word: an address, a file, or a copy of a pipe."""
    from glmcli.digitizer import open_document, open_url, spool

    if file.startswith(("http://", "https://")):
        return open_url(file)
    if "://" in file:
        raise UsageError(f"{file} is no address that the service could fetch", hint="it fetches http and https")
    path = app.cwd / Path(file).expanduser()
    if file == STDIN and app.streams.stdin_is_tty:
        raise UsageError("nothing is piped into standard input", hint="glm ocr scan.pdf")
    if file != STDIN and not (path.is_fifo() or path.is_char_device()):
        return open_document(path, file)
    from glmcli.drafts import scratch_folder

    copy = stack.enter_context(scratch_folder(app.environ)) / "document"
    if file == STDIN:
        spool(app.streams.stdin, copy)
    else:
        with path.open("rb") as pipe:
            spool(pipe, copy)
    return open_document(copy, "standard input" if file == STDIN else file)


def _targets(app: AppContext, options: OcrOptions) -> list[Path | None]:
    """Where each text goes. Raises UsageError when two would meet in one file."""
    if options.output in (None, STDIN):
        return [None for _ in options.files]
    assert options.output is not None
    place = app.cwd / options.output
    if len(options.files) == 1 and not options.output.endswith(("/", os.sep)) and not place.is_dir():
        return [place]
    if place.exists() and not place.is_dir():
        raise UsageError(f"{options.output} is a file, and {len(options.files)} texts need a folder")
    names = [_stem(file) + _ENDINGS[options.form] for file in options.files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two of the documents would both be written to {twice}", hint="read them one by one")
    return [place / name for name in names]


def _stem(file: str) -> str:
    """The name of a document without its ending; of an address, its last word."""
    if file == STDIN:
        return "stdin"
    if "://" not in file:
        return Path(file).stem
    from urllib.parse import unquote, urlsplit

    from glmcli.filenames import name_from

    return name_from(Path(unquote(urlsplit(file).path)).stem, "document")


# -- the work --------------------------------------------------------------------------


class _Status:
    """Tells on a terminal what is being read, and for how long."""

    def __init__(self, line: StatusLine) -> None:
        self._line = line

    def show(self, document: Document, pages: PageRange | None) -> None:
        """The pages that are read now."""
        what = f"pages {pages}" if pages else f"{document.pages} pages" if document.pages else "the whole"
        of = f" of {document.pages}" if pages and document.pages else ""
        self._line.clear()
        self._line.show(f"{document.name}: reading {what}{of}; long documents take minutes")

    def close(self) -> None:
        """Take the line away."""
        self._line.clear()


class _Work:
    """Reads one document after the other and writes what comes."""

    def __init__(self, app: AppContext, options: OcrOptions, status: _Status, *, several: bool) -> None:
        self._app = app
        self._options = options
        self._status = status
        self._several = several
        self._first = True
        self._unsaved: list[GlmError] = []
        self._digitizer = _digitizer(app, options, status)

    def do(self, job: Job) -> None:
        """Read and write one document. Pages that were read are written, also when later ones fail."""
        parts: list[Part] = []
        self._announce(job.document)
        try:
            for part in self._digitizer.read(job.document, self._options.pages):
                parts.append(part)
                self._record(part)
        except KeyboardInterrupt:
            self._write(job, parts, complete=False)
            self._tell_rest(job.document, parts)
            raise Interrupted("stopped") from None
        except GlmError as error:
            self._write(job, parts, complete=False)
            if parts:
                error.message += f"; {_told_pages(parts)} were read before and are kept"
                self._tell_rest(job.document, parts)
            raise
        finally:
            self._status.close()
        self._write(job, parts, complete=True)
        if self._unsaved:
            failure = self._unsaved.pop()
            self._unsaved.clear()
            failure.message = f"the text was written, but not every picture could be saved: {failure.message}"
            raise failure

    def _announce(self, document: Document) -> None:
        """A dry run shows one request of several."""
        if self._app.options.dry_run:
            from glmcli.digitizer import plan

            count = len(plan(document, self._options.pages, _step(self._app, self._options)))
            if count > 1:
                self._app.streams.note(f"glm: {document.name} takes {count} requests; this is the first")

    def _record(self, part: Part) -> None:
        from glmcli.accounting import record_usage
        from glmcli.api.resources.ocr import DEFAULT_MODEL

        model = self._options.model or DEFAULT_MODEL
        record_usage(self._app, command="ocr", model=model, usage=part.layout.usage)

    def _tell_rest(self, document: Document, parts: Sequence[Part]) -> None:
        """How to read what is missing; not as a hint of the failure, which has one of its own."""
        if parts and not self._options.pages:
            following = parts[-1].first + max(1, len(parts[-1].layout.pages))
            self._app.streams.note(f"glm: for the rest: glm ocr {document.name} --pages {following}-")

    def _write(self, job: Job, parts: Sequence[Part], *, complete: bool) -> None:
        """Write what was read; nothing when nothing was."""
        if not parts:
            return
        self._save_visualizations(job.document, parts)
        markdown = self._markdown(job, parts)
        if self._options.form == "json":
            self._write_json(job, parts, markdown, complete=complete)
        elif self._options.form == "layout":
            from glmcli.render.layouts import layout_lines

            self._write_text(job, "\n".join(layout_lines(parts)) + "\n")
        else:
            self._write_text(job, markdown)

    def _write_json(self, job: Job, parts: Sequence[Part], markdown: str, *, complete: bool) -> None:
        from glmcli.render.layouts import document_json

        found = document_json(job.document.name, markdown, parts, complete=complete)
        if job.target is None:
            self._app.streams.write_json(found)
            return
        import json

        self._write_text(job, json.dumps(found, ensure_ascii=False, indent=2) + "\n")

    def _write_text(self, job: Job, text: str) -> None:
        streams = self._app.streams
        if job.target is not None:
            from glmcli.newfile import write_whole

            write_whole(job.target, text)
            streams.note(f"glm: wrote {job.target}")
            return
        if self._several:
            streams.write_line(("" if self._first else "\n") + f"==> {job.document.name} <==")
            self._first = False
        if streams.stdout_is_tty and streams.may_color() and self._options.form == "markdown":
            from glmcli.render.markdown import print_markdown

            print_markdown(text, streams.write, width=streams.width, color=True)
        elif streams.stdout_is_tty:
            streams.write_harmless(text)
        else:
            streams.write(text)

    # -- figures -----------------------------------------------------------------

    def _markdown(self, job: Job, parts: Sequence[Part]) -> str:
        """All parts as one text that ends with a newline, its figures linked or left out."""
        from glmcli.figures import count_references, link_from, with_links, without_references

        folder = job.target.parent if job.target is not None else self._app.cwd
        texts, dropped = [], 0
        for part in parts:
            saved = self._save_crops(job.document, part)
            text = with_links(part.layout.markdown, saved, link_from(folder))
            dropped += count_references(text)
            texts.append(without_references(text).strip("\n"))
        if dropped and self._options.form == "markdown":
            why = "the service sent no cut-outs" if self._options.crops else "--crops DIR saves them"
            self._app.streams.note(f"glm: {job.document.name}: figures left out: {dropped} ({why})")
        return "\n\n".join(text for text in texts if text) + "\n"

    def _save_crops(self, document: Document, part: Part) -> list[SavedCrop]:
        if self._options.crops is None:
            return []
        from glmcli.figures import SavedCrop, crop_name

        counts: dict[int | None, int] = {}
        saved = []
        for crop in part.layout.crops:
            counts[crop.page] = counts.get(crop.page, 0) + 1
            path = self._save(document, crop.url, self._options.crops, crop_name(part, crop, counts[crop.page]))
            if path is not None:
                saved.append(SavedCrop(crop, path, None if crop.page is None else part.first + crop.page))
        return saved

    def _save_visualizations(self, document: Document, parts: Sequence[Part]) -> None:
        if self._options.visualize is None:
            return
        for part in parts:
            for number, url in enumerate(part.layout.visualizations, part.first):
                self._save(document, url, self._options.visualize, f"page-{number}")

    def _save(self, document: Document, url: str, folder: str, name: str) -> Path | None:
        """Bring a picture here; a failure must not cost the text, which is paid for."""
        from glmcli.downloads import Downloader, Place, write_bytes

        stem = f"{_stem(document.url or document.name)}-" if self._several else ""
        place = Place(self._app.cwd / folder, stem + name, overwrite=True)
        try:
            if url.startswith("data:"):
                return write_bytes(_decoded(url), place, role="image").path
            return Downloader(self._app.client.fetch, sleep=self._app.sleep).save(url, place, role="image").path
        except GlmError as error:
            self._unsaved.append(error)
            return None


def _decoded(url: str) -> bytes:
    from base64 import b64decode

    try:
        return b64decode(url.partition(",")[2])
    except ValueError:
        return b""


def _told_pages(parts: Sequence[Part]) -> str:
    last = parts[-1].first + max(1, len(parts[-1].layout.pages)) - 1
    return f"pages {parts[0].first}-{last}"


def _step(app: AppContext, options: OcrOptions) -> int:
    from glmcli.api.resources.ocr import MAX_PAGES

    return options.split or MAX_PAGES[app.target.provider.region]


def _digitizer(app: AppContext, options: OcrOptions, status: _Status) -> Digitizer:
    from glmcli.api.resources.ocr import DEFAULT_MODEL, READ_TIMEOUT_SECONDS, LayoutParsing, LayoutRequest
    from glmcli.digitizer import Digitizer

    request = LayoutRequest(
        file="",
        model=options.model or DEFAULT_MODEL,
        return_crop_images=options.crops is not None,
        need_layout_visualization=options.visualize is not None,
        request_id=options.request_id,
        user_id=options.user_id,
        extra=options.extra,
    )
    timeout = app.settings.timeout_seconds
    patience = READ_TIMEOUT_SECONDS if timeout.source == "default" else None
    parsing = LayoutParsing(app.client, read_timeout_seconds=patience)
    return Digitizer(parsing, request, step=_step(app, options), watch=status.show)

"""`glm files`: files that the service keeps, for batches and agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.media_options import STDOUT, Force, Output, Set, absolute, check_stdout
from glmcli.commands.options import context_of, examples, group_app
from glmcli.context import AppContext
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.api.endpoints import Region
    from glmcli.api.resources.files import Files, StoredFile, UploadRequest
    from glmcli.downloads import Place

app = group_app("Upload, list, delete and download files.")

#: Raised when a key of the JSON output changes its meaning (`docs/json-output.md`).
SCHEMA_VERSION = 1

Paths = Annotated[list[str], typer.Argument(help="The files.", metavar="FILE...", show_default=False)]
Ids = Annotated[list[str], typer.Argument(help="Ids, as list shows them.", metavar="ID...", show_default=False)]
Id = Annotated[str, typer.Argument(help="The id of a batch file.", metavar="ID", show_default=False)]
Purpose = Annotated[
    str | None,
    typer.Option(
        help="Upload for agent, batch, code-interpreter, ... (default: batch for .jsonl at Zhipu, else agent).",
        metavar="NAME",
        show_default=False,
    ),
]
OnlyPurpose = Annotated[
    str | None, typer.Option("--purpose", help="List files of this purpose only.", metavar="NAME", show_default=False)
]
Limit = Annotated[int, typer.Option("-n", "--limit", help="Show at most N per purpose; 0 shows all.", min=0)]
Experimental = Annotated[bool, typer.Option("--experimental", help="Try what is not documented.")]


# -- upload ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """Which files, and what for; None leaves it to the kind of file."""

    files: tuple[str, ...]
    purpose: str | None = None
    experimental: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(epilog=examples("glm files upload prompts.jsonl", "glm files upload report.pdf --purpose agent --json"))
def upload(
    ctx: typer.Context,
    files: Paths,
    purpose: Purpose = None,
    experimental: Experimental = False,
    assignments: Set = None,
) -> None:
    """Upload files and print their ids."""
    from glmcli.api.assignments import parse_assignments

    options = UploadOptions(tuple(files), purpose, experimental, parse_assignments(assignments or ()))
    run_upload(context_of(ctx), options)


def run_upload(app: AppContext, options: UploadOptions) -> None:
    """Check every file before the first is sent, then upload them one by one."""
    from glmcli.api.resources.files import Files

    requests = [_upload_request(app, options, name) for name in options.files]
    files = Files(app.client)
    stored = []
    for request in requests:
        kept = _sent(app, files, request)
        stored.append(kept)
        if not app.options.json:
            app.streams.write_line(kept.id if len(requests) == 1 else f"{kept.id}\t{request.filename}")
        elif len(requests) > 1:  # the document comes at the end, which a refusal may prevent
            app.streams.note(f"glm: {request.filename} is kept as {kept.id}")
    if app.options.json:
        _write_json(app, stored)


def _upload_request(app: AppContext, options: UploadOptions, name: str) -> UploadRequest:
    from glmcli.api.bodies import PathSource
    from glmcli.api.purposes import check_file, find_purpose, usual_purpose
    from glmcli.api.resources.files import UploadRequest

    path = app.cwd / Path(name).expanduser()
    if path.is_dir():
        raise UsageError(f"{name} is a folder", hint=f"glm files upload {name.rstrip('/')}/*")
    source = PathSource(path)
    region = _region(app, options.purpose)
    purpose = options.purpose or usual_purpose(path.name, region)
    if not options.experimental:
        check_file(find_purpose(purpose, region), path.name, source.length())
    return UploadRequest(path.name, source, purpose, _content_type(path), options.extra)


def _region(app: AppContext, purpose: str | None) -> Region:
    """The region whose purposes count; the sandbox takes those of both."""
    from glmcli.api.endpoints import Region
    from glmcli.regional import is_anywhere

    if not is_anywhere(app):
        return app.target.provider.region
    return Region.INTL if purpose == "agent" else Region.CN


def _content_type(path: Path) -> str:
    from mimetypes import guess_type

    if path.suffix.lower() == ".jsonl":
        return "application/jsonl"
    return guess_type(path.name)[0] or "application/octet-stream"


def _sent(app: AppContext, files: Files, request: UploadRequest) -> StoredFile:
    from glmcli.render.progress import StatusLine, download_line

    status = StatusLine(app.streams)
    try:
        return files.upload(
            request, on_progress=lambda done, total: status.show(download_line(request.filename, done, total))
        )
    finally:
        status.clear()


# -- list --------------------------------------------------------------------------------


@app.command("list", epilog=examples("glm files list", "glm files list --purpose batch --json"))
def list_(
    ctx: typer.Context, purpose: OnlyPurpose = None, limit: Limit = 100, experimental: Experimental = False
) -> None:
    """List files, the latest first (Zhipu)."""
    run_list(context_of(ctx), purpose, limit or None, experimental=experimental)


def run_list(app: AppContext, purpose: str | None, limit: int | None, *, experimental: bool = False) -> None:
    """Print files: a table on a terminal, tab-separated values in a pipe. The service lists one purpose at a time."""
    from itertools import islice

    from glmcli.api.purposes import LISTED
    from glmcli.api.resources.files import Files
    from glmcli.history.times import iso_time
    from glmcli.regional import require_china

    require_china(app, "a list of files", experimental=experimental)
    if purpose is not None and purpose not in LISTED and not experimental:
        raise UsageError(f"the service lists no files of purpose {purpose}", hint=f"choose one of {', '.join(LISTED)}")
    files = Files(app.client)
    found = [file for name in ([purpose] if purpose else LISTED) for file in islice(files.list(name), limit)]
    if app.options.json:
        _write_json(app, found)
    elif app.streams.stdout_is_tty:
        _write_table(app, found)
    else:
        for file in found:
            size = str(file.size) if file.size is not None else ""
            app.streams.write_line("\t".join(_cells(file, size, _moment(file, iso_time))))


def _write_table(app: AppContext, found: list[StoredFile]) -> None:
    if not found:
        app.streams.note("no files yet; upload one with: glm files upload FILE")
        return
    from glmcli.history.times import local_time
    from glmcli.render.columns import columns

    rows = [
        _cells(file, f"{file.size / 1024:.1f} KiB" if file.size is not None else "", _moment(file, local_time))
        for file in found
    ]
    header = ("ID", "CREATED", "PURPOSE", "SIZE", "NAME")
    for line in columns(header, rows, width=app.streams.width, flexible=4):
        app.streams.write_line(line)


def _cells(file: StoredFile, size: str, created: str) -> tuple[str, ...]:
    return file.id, created, file.purpose or "", size, file.filename or ""


def _moment(file: StoredFile, written: Callable[[float], str]) -> str:
    """When it was uploaded; some answers count in milliseconds."""
    from glmcli.api.moments import reset_at_of

    created_at = reset_at_of(file.created_at)
    return written(created_at) if created_at is not None else ""


# -- delete ------------------------------------------------------------------------------


@app.command(epilog=examples("glm files delete file-123", "glm files list | cut -f1 | xargs glm files delete"))
def delete(ctx: typer.Context, ids: Ids, experimental: Experimental = False) -> None:
    """Delete files at the service (Zhipu)."""
    run_delete(context_of(ctx), tuple(ids), experimental=experimental)


def run_delete(app: AppContext, ids: tuple[str, ...], *, experimental: bool = False) -> None:
    """Delete one by one; the first refusal ends it, and what was deleted has been told."""
    from glmcli.api.resources.files import Files
    from glmcli.regional import require_china

    require_china(app, "deleting a file", experimental=experimental)
    files = Files(app.client)
    for id in ids:
        files.delete(id)
        if not app.options.json:
            app.streams.note(f"glm: {id} is deleted")
    if app.options.json:
        app.streams.write_json({"schema_version": SCHEMA_VERSION, "deleted": list(ids)})


# -- download ----------------------------------------------------------------------------

#: Whoever names the file so expects a page; else one is a proxy's.
_PAGES = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """Which file, and where it goes (None: the working directory)."""

    id: str
    output: str | None = None
    force: bool = False
    experimental: bool = False


@app.command(epilog=examples("glm files download file-123 -o answers.jsonl", "glm files download file-123 -o - | jq ."))
def download(
    ctx: typer.Context, id: Id, output: Output = None, force: Force = False, experimental: Experimental = False
) -> None:
    """Download a batch file (Zhipu)."""
    run_download(context_of(ctx), DownloadOptions(id, output, force, experimental))


def run_download(app: AppContext, options: DownloadOptions) -> None:
    """Write the file whole or not at all, and print its path."""
    from glmcli.api.resources.files import Files, file_chunks
    from glmcli.regional import require_china

    if options.output == STDOUT and not app.streams.stdout_is_tty:  # a batch file is text: a terminal may have it
        check_stdout(app, options.output)
    require_china(app, "downloading a file", experimental=options.experimental)
    files = Files(app.client)
    if options.output == STDOUT:
        with files.content(options.id) as reply:
            for chunk in file_chunks(reply):
                app.streams.write_bytes(chunk)
        return
    path, size = _saved(app, files, options)
    if app.options.json:
        app.streams.write_json({"schema_version": SCHEMA_VERSION, "id": options.id, "path": str(path), "bytes": size})
    else:
        app.streams.write_line(str(path.relative_to(app.cwd) if path.is_relative_to(app.cwd) else path))


def _saved(app: AppContext, files: Files, options: DownloadOptions) -> tuple[Path, int]:
    from glmcli.api.resources.files import file_chunks
    from glmcli.newfile import NewFile
    from glmcli.render.progress import StatusLine, download_line

    place = _place(app, options)
    status = StatusLine(app.streams)
    with files.content(options.id) as reply, NewFile(place, ".jsonl") as file:
        try:
            for chunk in file_chunks(reply, may_be_page=place.path.suffix.lower() in _PAGES):
                file.write(chunk)
                status.show(download_line(options.id, file.size, None))
        finally:
            status.clear()
        return file.finish(), file.size


def _place(app: AppContext, options: DownloadOptions) -> Place:
    from glmcli.downloads import check_place
    from glmcli.jobstates import place_of

    place = place_of(absolute(app, options.output), options.id, "file", force=options.force)
    check_place(place)
    return place


def _write_json(app: AppContext, files: list[StoredFile]) -> None:
    documents = [
        {
            "id": file.id,
            "filename": file.filename,
            "bytes": file.size,
            "purpose": file.purpose,
            "created_at": file.created_at,
        }
        for file in files
    ]
    app.streams.write_json({"schema_version": SCHEMA_VERSION, "files": documents})

"""`glm api`: a raw authenticated call."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import UsageError

if TYPE_CHECKING:
    from glmcli.api.calls import Body, Call, OpenReply
    from glmcli.api.client import Client

app = command_app()

#: A JSON body up to here is looked at for a failure told with HTTP 200 (bytes).
_LOOKED_AT_BYTES = 1024 * 1024
_METHODS_THAT_READ = ("GET", "HEAD", "OPTIONS")

Words = Annotated[
    list[str],
    typer.Argument(help="The method (default: GET, or POST with fields) and the path.", metavar="[METHOD] PATH"),
]
Method = Annotated[str | None, typer.Option("-X", "--method", help="Use this HTTP method.", metavar="METHOD")]
Plain = Annotated[
    list[str] | None, typer.Option("-f", "--raw-field", help="Add a field whose value is text.", metavar="KEY=VALUE")
]
Typed = Annotated[
    list[str] | None,
    typer.Option("-F", "--field", help="Add a field: JSON, text, or @FILE for its text.", metavar="KEY=VALUE"),
]
Input = Annotated[
    str | None, typer.Option("--input", help="Send this file as the body; - reads standard input.", metavar="FILE")
]
Form = Annotated[bool, typer.Option("--form", help="Send fields as a form; -F key=@FILE uploads the file.")]
Header = Annotated[list[str] | None, typer.Option("-H", "--header", help="Add a header.", metavar="NAME:VALUE")]
Include = Annotated[bool, typer.Option("-i", "--include", help="Print status and headers before the body.")]
JsonPath = Annotated[
    str | None,
    typer.Option("--json-path", help="Print only what stands there in the JSON: a.b[0].c, a[].b.", metavar="PATH"),
]


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """What the command line asks for. `method` None is chosen by what is sent."""

    path: str
    method: str | None = None
    plain: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    input: str | None = None
    form: bool = False
    headers: tuple[str, ...] = ()
    include: bool = False
    json_path: str | None = None


@app.command(
    epilog=examples(
        "glm api models --json-path data[].id",
        "glm api chat/completions -f model=glm-5.3 -f 'messages[][role]=user' -f 'messages[][content]=hi'",
        "glm api POST chat/completions --input request.json",
        "glm api /api/monitor/usage/quota/limit",
        "glm api files --form -F file=@terms.xlsx -f purpose=agent",
    )
)
def api(
    ctx: typer.Context,
    words: Words,
    method: Method = None,
    plain: Plain = None,
    typed: Typed = None,
    input: Input = None,
    form: Form = False,
    header: Header = None,
    include: Include = False,
    json_path: JsonPath = None,
) -> None:
    """Call any path of the service with your key."""
    given, path = split_words(words)
    if given and method and given != method.upper():
        raise UsageError(f"-X {method} and {given} contradict each other")
    options = ApiOptions(
        path=path,
        method=(method or given or "").upper() or None,
        plain=tuple(plain or ()),
        typed=tuple(typed or ()),
        input=input,
        form=form,
        headers=tuple(header or ()),
        include=include,
        json_path=json_path,
    )
    run(context_of(ctx), options)


def split_words(words: list[str]) -> tuple[str | None, str]:
    """Method and path. Raises UsageError for more or other words."""
    from glmcli.rawcall import METHODS

    if len(words) == 1 and words[0] not in METHODS:
        return None, words[0]
    if len(words) == 2 and words[0].upper() in METHODS:
        return words[0].upper(), words[1]
    if len(words) == 2:
        raise UsageError(f"there is no method {words[0]!r}", hint=f"choose {', '.join(METHODS)}")
    raise UsageError("a path is needed, with a method before it at most", hint="glm api GET models")


def run(app: AppContext, options: ApiOptions) -> None:
    """Send one call and pass its answer on as it arrives.

    Raises what the service refuses, also when it says so with HTTP 200.
    """
    client, call = _call(app, options)
    with client.open(call) as reply:
        if options.include:
            _write_head(app, reply)
        if options.json_path is not None:
            _write_extract(app, reply, options.json_path)
        else:
            _pass_on(app, reply)


def _call(app: AppContext, options: ApiOptions) -> tuple[Client, Call]:
    from glmcli.rawcall import METHODS, build_call, parse_fields, parse_headers, place_of

    if options.method is not None and options.method not in METHODS:
        raise UsageError(f"there is no method {options.method!r}", hint=f"choose {', '.join(METHODS)}")
    service, path, target = place_of(options.path, app.target)
    headers = {"Accept": "*/*", **parse_headers(options.headers)}
    body = _body(app, options, headers)
    fields = {} if options.form else parse_fields(options.plain, options.typed, lambda name: _read(app, name))
    method = options.method or ("POST" if fields or body is not None else "GET")
    call = build_call((service, path), method=method, headers=headers, fields=fields, body=body)
    client = app.client if target == app.target else app.client_for(target)
    return client, call


def _body(app: AppContext, options: ApiOptions, headers: dict[str, str]) -> Body | None:
    """The body that is not made of JSON fields; takes its Content-Type out of the headers."""
    from glmcli.rawcall import form_body, raw_body

    if options.form and options.input is not None:
        raise UsageError("--form and --input contradict each other")
    if options.form:
        return form_body(options.plain, options.typed, lambda name: app.cwd / Path(name).expanduser())
    if options.input is None:
        return None
    if options.method in _METHODS_THAT_READ:
        raise UsageError(f"a {options.method} call has no body", hint="leave --input out")
    return raw_body(_read(app, options.input), headers)


def _read(app: AppContext, name: str) -> bytes:
    """A file or, for `-`, standard input."""
    if name == "-":
        if app.streams.stdin_is_tty:
            raise UsageError("nothing is piped into standard input")
        return app.streams.stdin.read()
    try:
        return (app.cwd / Path(name).expanduser()).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {(error.strerror or str(error)).lower()}") from error


# -- the answer ------------------------------------------------------------------------


def _write_head(app: AppContext, reply: OpenReply) -> None:
    lines = [f"HTTP {reply.status}", *(f"{name}: {value}" for name, value in reply.headers.items()), ""]
    for line in lines:
        app.streams.write_line(line)


def _write_extract(app: AppContext, reply: OpenReply, path: str) -> None:
    from glmcli.api.calls import Reply
    from glmcli.api.streaming import whole_bytes
    from glmcli.rawcall import extract, lines_of

    value = Reply(reply.status, reply.headers, whole_bytes(reply)).json()
    _raise_failure(app, reply, value)
    for line in lines_of(extract(value, path)):
        app.streams.write_line(line)


def _pass_on(app: AppContext, reply: OpenReply) -> None:
    """Write the body as it arrives; on a terminal a JSON document is laid out, when it is not too large."""
    kind = reply.headers.get("content-type", "")
    if "json" in kind and "json-seq" not in kind:
        _pass_json_on(app, reply)
    elif app.streams.stdout_is_tty:
        if not any(word in kind for word in ("text", "xml", "javascript")) and kind:
            raise UsageError(f"the answer is {kind}, which is not for a terminal", hint="write it to a file: > FILE")
        _show(app, reply.chunks())
    else:
        for piece in reply.chunks():
            app.streams.write_bytes(piece)


def _show(app: AppContext, pieces: Iterable[bytes]) -> None:
    """Write text to a terminal, whose characters may be cut between pieces."""
    decoder = getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        app.streams.write_harmless(decoder.decode(piece))


def _pass_json_on(app: AppContext, reply: OpenReply) -> None:
    """Keep the beginning of a document, and read it when it is all: a failure may hide in it."""
    kept: list[bytes] = []
    size = 0
    pieces = reply.chunks()
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if not app.streams.stdout_is_tty:
            app.streams.write_bytes(piece)
        if size > _LOOKED_AT_BYTES:
            break
    else:
        _end_json(app, reply, b"".join(kept))
        return
    if app.streams.stdout_is_tty:
        _show(app, chain(kept, pieces))
    else:
        for piece in pieces:
            app.streams.write_bytes(piece)


def _end_json(app: AppContext, reply: OpenReply, data: bytes) -> None:
    """Lay a document out on a terminal, and notice a failure that came with HTTP 200."""
    import json

    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        if app.streams.stdout_is_tty:
            app.streams.write_harmless(data.decode("utf-8", "replace"))
        return
    if app.streams.stdout_is_tty:
        app.streams.write_line(json.dumps(value, ensure_ascii=False, indent=2))
    _raise_failure(app, reply, value)


def _raise_failure(app: AppContext, reply: OpenReply, value: object) -> None:
    from glmcli.api.faults import error_in_body

    failure = error_in_body(value, headers=reply.headers, status=reply.status, language=app.language)
    if failure is not None:
        raise failure

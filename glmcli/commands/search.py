"""`glm search`: the web, by REST or by the server of a Coding Plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.context import AppContext
from glmcli.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from glmcli.api.endpoints import Via
    from glmcli.api.resources.web_search import SearchAnswer, SearchRequest

app = command_app()

#: What people type, and what the service calls it.
_ENGINES = {
    "prime": "search-prime",
    "std": "search_std",
    "pro": "search_pro",
    "sogou": "search_pro_sogou",
    "quark": "search_pro_quark",
}


class ContentSize(StrEnum):
    """How long the extract of a result is."""

    MEDIUM = "medium"
    HIGH = "high"


class Location(StrEnum):
    """Where the plan's server searches from."""

    CN = "cn"
    US = "us"


class Form(StrEnum):
    """How results are written where it is not `--json`."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSONL = "jsonl"
    URLS = "urls"


Query = Annotated[
    list[str] | None,
    typer.Argument(help="What to look for; else standard input.", metavar="QUERY...", show_default=False),
]
Count = Annotated[int | None, typer.Option("-n", "--count", help="Show at most N results.", min=1, max=50, metavar="N")]
Recency = Annotated[
    str | None, typer.Option("--recency", help="Only of the last day, week, month or year.", metavar="TIME")
]
Domain = Annotated[
    list[str] | None, typer.Option("--domain", help="Only from this site, for example docs.python.org.", metavar="HOST")
]
Engine = Annotated[
    str | None,
    typer.Option("-e", "--engine", help="Ask search-prime, or in China std, pro, sogou or quark.", metavar="NAME"),
]
Size = Annotated[ContentSize | None, typer.Option("--content-size", help="Take medium or long (high) extracts.")]
Intent = Annotated[
    bool | None,
    typer.Option("--intent/--no-intent", help="Let the service judge whether to search at all (China)."),
]
Place = Annotated[Location | None, typer.Option("--location", help="Search from there (Coding Plan).")]
Markdown = Annotated[bool, typer.Option("--markdown", "--md", help="Print a Markdown list.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per result and line.")]
Urls = Annotated[bool, typer.Option("--urls-only", "--links", help="Print addresses only, one per line.")]
UserId = Annotated[str | None, typer.Option("--user-id", help="Name the end user, 6 to 128 characters.", metavar="ID")]
RequestId = Annotated[
    str | None, typer.Option("--request-id", help="Give the request an id, 6 to 64 characters.", metavar="ID")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set another request field; the value is JSON or text.", metavar="KEY=VALUE"),
]


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What the command line asks for; None where nothing was said."""

    query: str
    count: int | None = None
    recency: str | None = None
    domain: str | None = None
    engine: str | None = None
    content_size: str | None = None
    intent: bool | None = None
    location: str | None = None
    form: Form = Form.TEXT
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@app.command(
    epilog=examples(
        'glm search "python 3.15 release notes"',
        "glm search rust async --recency month --domain blog.rust-lang.org",
        "glm search llm benchmarks --urls-only | xargs glm read",
        'glm search "what changed in HTTP/3" | glm chat "summarise with sources"',
    )
)
def search(
    ctx: typer.Context,
    query: Query = None,
    count: Count = None,
    recency: Recency = None,
    domain: Domain = None,
    engine: Engine = None,
    content_size: Size = None,
    intent: Intent = None,
    location: Place = None,
    markdown: Markdown = False,
    jsonl: JsonLines = False,
    urls_only: Urls = False,
    user_id: UserId = None,
    request_id: RequestId = None,
    assignments: Set = None,
) -> None:
    """Search the web."""
    from glmcli.api.assignments import parse_assignments

    app = context_of(ctx)
    options = SearchOptions(
        query=_read_query(app, query or []),
        count=count,
        recency=_recency(recency),
        domain=_domain(domain or []),
        engine=_ENGINES.get(engine, engine) if engine else None,
        content_size=content_size.value if content_size else None,
        intent=intent,
        location=location.value if location else None,
        form=_form(markdown, jsonl, urls_only, as_json=app.options.json),
        request_id=request_id,
        user_id=user_id,
        extra=parse_assignments(assignments or ()),
    )
    run(app, options)


def run(app: AppContext, options: SearchOptions) -> None:
    """Search by the route of the profile and write what was found."""
    from glmcli.api.resources.web_search import check
    from glmcli.web import explained, patiently, route_of, tell_route

    route = route_of(app)
    request = _request(app, options, route)
    check(request)
    tell_route(app, route)
    try:
        answer = patiently(app, lambda: _found(app, route, request))
    except ServiceError as error:
        raise explained(app, route, error) from error
    _write(app, options, request, route, answer.first(options.count))


# -- reading the command line ---------------------------------------------------


def _read_query(app: AppContext, words: list[str]) -> str:
    typed = " ".join(word for word in words if word != "-")
    if not typed:
        typed = (app.streams.read_stdin() if "-" in words else app.streams.read_piped()) or ""
    query = " ".join(typed.split())
    if not query:
        raise UsageError("there is nothing to search for", hint='glm search "your question"')
    return query


def _recency(word: str | None) -> str | None:
    """The service's name of a time; its own names work too."""
    from glmcli.api.resources.web_search import RECENCIES

    if word is None:
        return None
    for short, name in RECENCIES.items():
        if word.lower() in (short, name.lower()):
            return name
    raise UsageError(f"--recency {word!r} is unknown", hint=f"choose one of {', '.join(RECENCIES)}")


def _domain(given: list[str]) -> str | None:
    """The host of a domain that may have been pasted as an address."""
    if not given:
        return None
    if len(given) > 1:
        raise UsageError(f"--domain was given {len(given)} times", hint="the service takes one; search them one by one")
    host = given[0].strip().partition("://")[2] or given[0].strip()
    host = host.partition("/")[0]
    if not host or any(character.isspace() for character in host):
        raise UsageError(f"--domain {given[0]!r} is no domain", hint="for example --domain docs.python.org")
    return host


def _form(markdown: bool, jsonl: bool, urls_only: bool, *, as_json: bool) -> Form:
    wanted = [form for form, on in ((Form.MARKDOWN, markdown), (Form.JSONL, jsonl), (Form.URLS, urls_only)) if on]
    if len(wanted) > 1 or (as_json and wanted and wanted != [Form.JSONL]):
        raise UsageError("--markdown, --jsonl, --urls-only and --json exclude one another", hint="choose one of them")
    return wanted[0] if wanted else Form.TEXT


# -- asking ------------------------------------------------------------------------


def _request(app: AppContext, options: SearchOptions, route: Via) -> SearchRequest:
    from glmcli.api.endpoints import Region
    from glmcli.api.endpoints import Via as Route
    from glmcli.api.resources.web_search import DEFAULT_ENGINES, RECOMMENDED_QUERY_CN, SearchRequest

    region = app.target.provider.region
    by_rest = route is not Route.MCP
    _tell_unused(app, options, by_rest=by_rest, in_china=region is Region.CN)
    if by_rest and region is Region.CN and len(options.query) > RECOMMENDED_QUERY_CN:
        app.streams.note(
            f"glm: the query has {len(options.query)} characters; BigModel recommends {RECOMMENDED_QUERY_CN} at most"
        )
    # BigModel requires the field although it has a default; Z.AI does not document it.
    intent = bool(options.intent) if region is Region.CN else options.intent
    return SearchRequest(
        query=options.query,
        engine=options.engine or DEFAULT_ENGINES[region],
        intent=intent,
        count=options.count,
        domain=options.domain,
        recency=options.recency,
        content_size=options.content_size,
        location=options.location,
        request_id=options.request_id,
        user_id=options.user_id,
        extra=options.extra,
    )


def _tell_unused(app: AppContext, options: SearchOptions, *, by_rest: bool, in_china: bool) -> None:
    """Say which options this route does not know."""
    if by_rest:
        if options.location:
            app.streams.note("glm: --location works with the plan's MCP server only; it is left out")
        undocumented = {"--intent": options.intent, "--content-size": options.content_size}
        for flag in [flag for flag, value in undocumented.items() if value is not None and not in_china]:
            app.streams.note(f"glm: {flag} is not documented for Z.AI; it may have no effect")
        return
    unknown = {
        "--engine": options.engine,
        "--intent": options.intent,
        "--request-id": options.request_id,
        "--user-id": options.user_id,
    }
    for flag in [flag for flag, value in unknown.items() if value is not None]:
        app.streams.note(f"glm: the plan's MCP server takes no {flag}; it is left out (--via general knows it)")


def _found(app: AppContext, route: Via, request: SearchRequest) -> SearchAnswer:
    from glmcli.accounting import record_piece
    from glmcli.api.endpoints import Via as Route
    from glmcli.api.resources.web_search import PlanSearch, WebSearch
    from glmcli.web import once

    by_plan = route is Route.MCP
    if by_plan:
        found = PlanSearch(app.client, note=once(app.streams.note), language=app.language).search(request)
    else:
        found = WebSearch(app.client).search(request)
    record_piece(app, command="search", model="web_search_prime" if by_plan else request.engine, by_plan=by_plan)
    return found


# -- writing -------------------------------------------------------------------------


def _write(app: AppContext, options: SearchOptions, request: SearchRequest, route: Via, answer: SearchAnswer) -> None:
    from glmcli.render.results import address, document, markdown

    streams = app.streams
    write = streams.write_harmless if streams.stdout_is_tty else streams.write
    results = answer.results
    if options.form is Form.JSONL:
        import json

        for result in results:
            write(json.dumps(document(result), ensure_ascii=False) + "\n")
    elif app.options.json:
        streams.write_json(_document(request, route, answer))
        return
    elif options.form is Form.URLS:
        for url in dict.fromkeys(map(address, results)):
            if url is not None:
                streams.write_line(url)
    elif options.form is Form.MARKDOWN:
        write("\n".join(markdown(number, result) for number, result in enumerate(results, 1)))
    else:
        _write_text(app, answer)
    if not results:
        _tell_empty(app, options, answer)


def _document(request: SearchRequest, route: Via, answer: SearchAnswer) -> dict[str, object]:
    from glmcli.api.endpoints import Via as Route
    from glmcli.render.results import SCHEMA_VERSION, document

    return {
        "schema_version": SCHEMA_VERSION,
        "query": request.query,
        "route": route.value,
        "engine": None if route is Route.MCP else request.engine,
        "results": [document(result) for result in answer.results],
        "text": answer.said or None,
        "intent": [dict(item) for item in answer.intent],
        "request_id": answer.request_id,
    }


def _write_text(app: AppContext, answer: SearchAnswer) -> None:
    from glmcli.render.results import block, plain

    streams = app.streams
    if answer.said:
        streams.write_line(answer.said)
    if not streams.stdout_is_tty:
        streams.write("\n".join(map(plain, answer.results)))
        return
    gutter = len(str(len(answer.results))) + 2
    for number, result in enumerate(answer.results, 1):
        lines = block(number, result, width=streams.width, gutter=gutter, color=streams.may_color())
        streams.write(("\n" if number > 1 else "") + "\n".join(lines) + "\n")


def _tell_empty(app: AppContext, options: SearchOptions, answer: SearchAnswer) -> None:
    if answer.said and options.form is not Form.TEXT:
        app.streams.note(f"glm: the server answered in words: {answer.said}")
    elif answer.declined:
        app.streams.note("glm: the service judged that this needs no search; --no-intent searches all the same")
    elif not answer.said:
        app.streams.note("glm: nothing was found; try other words, or fewer filters")

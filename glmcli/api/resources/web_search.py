"""Web search: by REST, which bills the balance, and by the MCP server of a plan.

Fields: docs.z.ai and docs.bigmodel.cn, web search; `api/web-search.md` and
`api/mcp.md` tell where the two regions and the live servers differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Region, Service
from glmcli.api.fields import mappings, text
from glmcli.api.resources.mcp import McpServer, Tool, decoded
from glmcli.errors import ServiceError, UsageError
from glmcli.language import ENGLISH

DEFAULT_ENGINES = {Region.INTL: "search-prime", Region.CN: "search_std"}
ENGINES = {
    Region.INTL: ("search-prime",),
    Region.CN: ("search_std", "search_pro", "search_pro_sogou", "search_pro_quark"),
}
SOGOU = "search_pro_sogou"
#: A word of ours for each of the service's names.
RECENCIES = {"day": "oneDay", "week": "oneWeek", "month": "oneMonth", "year": "oneYear", "any": "noLimit"}
MAX_COUNT = 50
#: Recommended length of a query at BigModel, in characters.
RECOMMENDED_QUERY_CN = 70
_LENGTHS = {"request_id": (6, 64, "--request-id"), "user_id": (6, 128, "--user-id")}

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to look for. None leaves a field to the service; `extra` is merged last.

    `recency` and `content_size` are the service's own words. `location` is
    known to the plan's server only, `engine` and `intent` to REST only.
    """

    query: str
    engine: str = DEFAULT_ENGINES[Region.INTL]
    intent: bool | None = None
    count: int | None = None
    domain: str | None = None
    recency: str | None = None
    content_size: str | None = None
    location: str | None = None
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The body of the REST call."""
        fields = {
            "search_engine": self.engine,
            "search_query": self.query,
            "search_intent": self.intent,
            "count": _in_tens(self.count) if self.engine == SOGOU else self.count,
            "search_domain_filter": self.domain,
            "search_recency_filter": self.recency,
            "content_size": self.content_size,
            "request_id": self.request_id,
            "user_id": self.user_id,
        }
        return {**_given(fields), **self.extra}

    def to_arguments(self, tool: Tool, note: Note) -> dict[str, object]:
        """The arguments of the plan's tool, as far as it takes them; says what is left out."""
        optional = {
            "count": self.count,
            "search_domain_filter": self.domain,
            "search_recency_filter": self.recency,
            "content_size": self.content_size,
            "location": self.location,
        }
        given = _given(optional)
        for name in [name for name in given if not tool.takes(name)]:
            del given[name]
            if name != "count":  # that many are shown all the same
                note(f"the plan's search tool takes no {name}; it is left out")
        return {"search_query": self.query, **given, **self.extra}


def _given(fields: Mapping[str, object | None]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _in_tens(count: int | None) -> int | None:
    """Sogou counts in tens up to fifty; what is too much is cut afterwards."""
    return None if count is None else min(MAX_COUNT, (count + 9) // 10 * 10)


def check(request: SearchRequest) -> None:
    """Compare a request with the documented limits before it is sent. Raises UsageError."""
    if not request.query.strip():
        raise UsageError("there is nothing to search for", hint='glm search "your question"')
    for name, (shortest, longest, flag) in _LENGTHS.items():
        value = getattr(request, name)
        if value is not None and not shortest <= len(value) <= longest:
            raise UsageError(
                f"{flag} has {len(value)} characters", hint=f"the service takes {shortest} to {longest} characters"
            )


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One hit; every field is text and may be empty. `date` has no fixed form."""

    title: str = ""
    url: str = ""
    site: str = ""
    date: str = ""
    content: str = ""
    icon: str = ""
    reference: str = ""

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> SearchResult:
        """An item of `search_result`."""
        return cls(
            title=text(item, "title") or "",
            url=text(item, "link") or text(item, "url") or "",
            site=text(item, "media") or "",
            date=text(item, "publish_date") or "",
            content=text(item, "content") or "",
            icon=text(item, "icon") or "",
            reference=text(item, "refer") or "",
        )


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What was found. `said` is what a server answered instead of results, `intent` its reading of the query."""

    results: tuple[SearchResult, ...] = ()
    intent: tuple[Mapping[str, Any], ...] = ()
    request_id: str | None = None
    said: str = ""

    def first(self, count: int | None) -> SearchAnswer:
        """At most so many results."""
        return SearchAnswer(self.results[:count], self.intent, self.request_id, self.said)

    @property
    def declined(self) -> bool:
        """Whether the service judged that the query needs no search."""
        return any(text(item, "intent") == "SEARCH_NONE" for item in self.intent)


def answer_from_json(body: object) -> SearchAnswer:
    """Read a reply of `/web_search`. Raises ServiceError when it holds no results at all."""
    from glmcli.api.faults import error_in_body

    error = error_in_body(body)
    if error is not None:
        raise error
    if not isinstance(body, dict) or not body.keys() & {"search_result", "search_intent"}:
        raise ServiceError("the answer of the search has no `search_result`")
    return SearchAnswer(
        results=tuple(map(SearchResult.from_json, mappings(body, "search_result"))),
        intent=tuple(mappings(body, "search_intent")),
        request_id=text(body, "request_id"),
    )


def answer_from_text(said: str) -> SearchAnswer:
    """Read the text of the plan's tool: a list, an object with a list, or words."""
    value = decoded(said)
    if isinstance(value, dict):
        value = value.get("search_result", [value] if "link" in value else value)
        return SearchAnswer(results=tuple(map(SearchResult.from_json, mappings({"items": value}, "items"))))
    if isinstance(value, list):
        return SearchAnswer(results=tuple(SearchResult.from_json(item) for item in value if isinstance(item, dict)))
    return SearchAnswer(said=str(value).strip())


class WebSearch:
    """`POST /web_search`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def search(self, request: SearchRequest) -> SearchAnswer:
        """What the engine finds. Raises what `Caller.send` raises."""
        reply = self._caller.send(Call(Service.WEB, "POST", "/web_search", body=json_body(request.to_json())))
        answer = answer_from_json(reply.json())
        return SearchAnswer(answer.results, answer.intent, reply.request_id or answer.request_id)


class PlanSearch:
    """The tool `web_search_prime` of a Coding Plan."""

    def __init__(self, caller: Caller, *, note: Note, language: str = ENGLISH) -> None:
        self._server = McpServer(caller, "web_search_prime", language=language)
        self._note = note

    def search(self, request: SearchRequest) -> SearchAnswer:
        """What the plan's server finds. Raises as `McpServer.call`."""
        tool = self._server.tool("web_search_prime", "web_search")
        return answer_from_text(self._server.call(tool, request.to_arguments(tool, self._note)))

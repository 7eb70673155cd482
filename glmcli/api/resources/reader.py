"""Reading a page of the web: by REST, which bills the balance, and by the MCP server of a plan.

Fields: docs.z.ai and docs.bigmodel.cn, web reader; one schema for both regions
(`api/reader.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, text
from glmcli.api.resources.mcp import McpServer, Tool, decoded
from glmcli.errors import ServiceError
from glmcli.language import ENGLISH

#: What the service waits for a page when it is not told, in seconds.
DEFAULT_PAGE_SECONDS = 20
#: How much longer we wait for the service than it waits for the page, in seconds.
MARGIN_SECONDS = 15.0

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Which page, and how. None leaves a field to the service; `extra` is merged last.

    `timeout_seconds` is how long the service may take to fetch the page.
    """

    url: str
    timeout_seconds: int | None = None
    no_cache: bool | None = None
    return_format: str | None = None
    retain_images: bool | None = None
    no_gfm: bool | None = None
    keep_img_data_url: bool | None = None
    with_images_summary: bool | None = None
    with_links_summary: bool | None = None
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The body of the REST call."""
        ids = {"request_id": self.request_id, "user_id": self.user_id}
        return {**self._fields(), **_given(ids), **self.extra}

    def to_arguments(self, tool: Tool, note: Note) -> dict[str, object]:
        """The arguments of the plan's tool, as far as it takes them; says what is left out."""
        given = self._fields()
        for name in [name for name in given if name != "url" and not tool.takes(name)]:
            del given[name]
            note(f"the plan's reader takes no {name}; it is left out")
        return {**given, **self.extra}

    def _fields(self) -> dict[str, object]:
        return {
            "url": self.url,
            **_given(
                {
                    "timeout": self.timeout_seconds,
                    "no_cache": self.no_cache,
                    "return_format": self.return_format,
                    "retain_images": self.retain_images,
                    "no_gfm": self.no_gfm,
                    "keep_img_data_url": self.keep_img_data_url,
                    "with_images_summary": self.with_images_summary,
                    "with_links_summary": self.with_links_summary,
                }
            ),
        }


def _given(fields: Mapping[str, object | None]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def patience(setting_seconds: float, page_seconds: int | None, *, is_chosen: bool = False) -> float:
    """How long to wait for an answer, in seconds: longer than the service waits for the page.

    A setting that `is_chosen` by the user counts as it is.
    """
    if is_chosen:
        return setting_seconds
    return max(setting_seconds, (page_seconds or DEFAULT_PAGE_SECONDS) + MARGIN_SECONDS)


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was read. What the service did not say is empty; the maps are passed through as they came."""

    url: str = ""
    title: str = ""
    description: str = ""
    content: str = ""
    published: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    external: Mapping[str, Any] = field(default_factory=dict)
    images: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None

    @classmethod
    def from_json(cls, found: Mapping[str, Any], request_id: str | None = None) -> Page:
        """The object `reader_result`."""
        return cls(
            url=text(found, "url") or "",
            title=text(found, "title") or "",
            description=text(found, "description") or "",
            content=text(found, "content") or "",
            published=text(found, "publishedTime") or text(found, "published_time") or "",
            metadata=mapping(found, "metadata"),
            external=mapping(found, "external"),
            images=mapping(found, "images"),
            links=mapping(found, "links"),
            request_id=request_id,
        )


def page_from_json(body: object, request_id: str | None = None) -> Page:
    """Read a reply of `/reader`. Raises ServiceError when there is no page in it."""
    from glmcli.api.faults import error_in_body

    error = error_in_body(body)
    if error is not None:
        raise error
    if not isinstance(body, dict) or not isinstance(body.get("reader_result"), dict):
        raise ServiceError("the answer of the reader has no `reader_result`", request_id=request_id)
    return Page.from_json(body["reader_result"], request_id or text(body, "request_id"))


def page_from_text(said: str) -> Page:
    """Read the text of the plan's tool: an object, however wrapped, or the page itself."""
    value = decoded(said)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        found = value.get("reader_result", value)
        if isinstance(found, dict) and "content" in found:
            return Page.from_json(found)
    return Page(content=value if isinstance(value, str) else said)


class Reader:
    """`POST /reader`."""

    def __init__(self, caller: Caller, *, read_timeout_seconds: float | None = None) -> None:
        self._caller = caller
        self._read_timeout_seconds = read_timeout_seconds

    def read(self, request: ReadRequest) -> Page:
        """The page. Raises what `Caller.send` raises."""
        call = Call(
            Service.WEB,
            "POST",
            "/reader",
            body=json_body(request.to_json()),
            read_timeout_seconds=self._read_timeout_seconds,
        )
        reply = self._caller.send(call)
        return page_from_json(reply.json(), reply.request_id)


class PlanReader:
    """The tool `webReader` of a Coding Plan. Threads may share it."""

    def __init__(
        self, caller: Caller, *, note: Note, language: str = ENGLISH, read_timeout_seconds: float | None = None
    ) -> None:
        self._server = McpServer(caller, "web_reader", language=language, read_timeout_seconds=read_timeout_seconds)
        self._note = note

    def read(self, request: ReadRequest) -> Page:
        """The page. Raises as `McpServer.call`."""
        tool = self._server.tool("webReader", "web_reader")
        return page_from_text(self._server.call(tool, request.to_arguments(tool, self._note)))

"""Web search and reader, as `/web_search` and `/reader` take and give them.

Fields and limits: OpenAPI of docs.z.ai and docs.bigmodel.cn (tools), and the
official SDK for the fields that only it knows. Nothing is searched or fetched:
results lead nowhere and say so.

Words in a query: `nothing` finds nothing, `sparse` finds results that lack
fields. Words in an address: `empty` gives a page without content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import gmtime, strftime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from glmcli.sandbox.app import Route
from glmcli.sandbox.checks import check_fields, is_integer, is_text, require
from glmcli.sandbox.exchange import PAAS, Base, Refusal, Request, Response

if TYPE_CHECKING:
    from glmcli.sandbox.app import Sandbox

ENGINES = {
    "intl": ("search-prime",),
    "cn": ("search_std", "search_pro", "search_pro_sogou", "search_pro_quark"),
}
#: Days that a recency filter looks back; None is no limit.
RECENCIES: dict[str, int | None] = {"oneDay": 1, "oneWeek": 7, "oneMonth": 30, "oneYear": 365, "noLimit": None}
MAX_QUERY_CN = 70
_SOGOU_COUNTS = (10, 20, 30, 40, 50)
_DEFAULT_COUNT = 10
_SMALL_TALK = ("hello", "hi", "你好")

_Check = Callable[[Any], bool]
_IDS: dict[str, _Check] = {"request_id": lambda v: is_text(v, 6, 64), "user_id": lambda v: is_text(v, 6, 128)}


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


_SEARCH_FIELDS: dict[str, _Check] = {
    "search_engine": lambda v: isinstance(v, str),
    "search_query": lambda v: isinstance(v, str),
    "search_intent": _is_bool,
    "count": lambda v: is_integer(v, 1, 50),
    "search_domain_filter": lambda v: isinstance(v, str) and "/" not in v,
    "search_recency_filter": lambda v: v in RECENCIES,
    "content_size": lambda v: v in ("medium", "high"),
    "include_image": _is_bool,
    "sensitive_word_check": lambda v: isinstance(v, dict),
    **_IDS,
}
_READER_FIELDS: dict[str, _Check] = {
    "url": lambda v: isinstance(v, str),
    "timeout": lambda v: is_integer(v, 1, 600),
    "no_cache": _is_bool,
    "return_format": lambda v: v in ("markdown", "text"),
    "retain_images": _is_bool,
    "no_gfm": _is_bool,
    "keep_img_data_url": _is_bool,
    "with_images_summary": _is_bool,
    "with_links_summary": _is_bool,
    **_IDS,
}


def routes() -> list[Route]:
    """The routes of this module."""
    return [Route("POST", PAAS, "/web_search", search), Route("POST", PAAS, "/reader", read)]


# -- search ------------------------------------------------------------------------------


def search(sandbox: Sandbox, request: Request) -> Response:
    """Check a search and answer it with results that lead nowhere."""
    if request.base is Base.CODING and request.account and not request.account.balance:
        raise Refusal("1113")  # a search is never paid by the plan, whichever base it comes by
    body = request.json()
    _check_search(body, request)
    intent = _intent(body)
    found = [] if intent == "SEARCH_NONE" else results(body, now=sandbox.clock())
    answer: dict[str, Any] = {"id": request.log_id, "created": int(sandbox.clock()), "search_result": found}
    if request.region == "cn":
        query = body["search_query"]
        answer["request_id"] = body.get("request_id") or request.log_id
        answer["search_intent"] = [{"query": query, "intent": intent, "keywords": query if found else ""}]
    return Response.json(answer)


def _check_search(body: Mapping[str, Any], request: Request) -> None:
    require(body, "search_engine", "search_query")
    check_fields(body, _SEARCH_FIELDS)
    if not body["search_query"].strip():
        raise Refusal("1214", "search_query")
    everywhere = request.account is not None and request.account.everywhere
    engines = [*ENGINES["intl"], *ENGINES["cn"]] if everywhere else ENGINES[request.region]
    if body["search_engine"] not in engines:
        raise Refusal("1214", "search_engine")
    if request.region == "cn":
        require(body, "search_intent")
        if len(body["search_query"]) > MAX_QUERY_CN:
            raise Refusal("1214", "search_query")
    if body["search_engine"] == "search_pro_sogou" and body.get("count", 10) not in _SOGOU_COUNTS:
        raise Refusal("1214", "count")


def _intent(body: Mapping[str, Any]) -> str:
    if not body.get("search_intent"):
        return "SEARCH_ALWAYS"
    return "SEARCH_NONE" if body["search_query"].strip().lower() in _SMALL_TALK else "SEARCH_ALL"


def results(body: Mapping[str, Any], *, now: float) -> list[dict[str, str]]:
    """What a search finds; `now` is epoch seconds, from which dates count back."""
    query = body["search_query"]
    if "nothing" in query:
        return []
    # Both filters together switch `count` off (docs.bigmodel.cn, web search).
    has_both = body.get("search_domain_filter") and body.get("search_recency_filter")
    count = _DEFAULT_COUNT if has_both else body.get("count") or _DEFAULT_COUNT
    found = [_result(index, body, now) for index in range(1, count + 1)]
    if "sparse" in query:
        found[0] = {"link": found[0]["link"], "content": found[0]["content"], "publish_date": ""}
    return found


def _result(index: int, body: Mapping[str, Any], now: float) -> dict[str, str]:
    query = body["search_query"]
    host = body.get("search_domain_filter") or "example.com"
    days = RECENCIES[body.get("search_recency_filter") or "noLimit"] or 400
    published = now - (index - 1) * days * 86400 / 51  # the last of fifty is still within
    content = f"Nothing was searched; this is result {index} of the sandbox about {query[:80]}."
    if body.get("content_size") == "high":
        content += " 更长的摘录：沙盒里没有网页。" * 12
    return {
        "title": f"Sandbox result {index} for {query[:40]}" if index % 2 else f"沙盒结果 {index}：{query[:40]}",
        "content": content,
        "link": f"https://{host}/sandbox/{index}",
        "media": "Sandbox" if index % 2 else "沙盒",
        "icon": "",
        "refer": f"ref_{index}",
        "publish_date": strftime("%Y-%m-%d", gmtime(published)),
    }


# -- reader ------------------------------------------------------------------------------


def read(sandbox: Sandbox, request: Request) -> Response:
    """Check the wish to read a page and answer it with one that the sandbox made."""
    body = request.json()
    require(body, "url")
    check_fields(body, _READER_FIELDS)
    return Response.json(
        {
            "id": request.log_id,
            "created": int(sandbox.clock()),
            "request_id": body.get("request_id") or request.log_id,
            "model": "web-reader",
            "reader_result": page(body),
        }
    )


def page(body: Mapping[str, Any]) -> dict[str, Any]:
    """The page at an address, as the options want it. Raises Refusal 1214 for what is no web address."""
    parts = urlsplit(body["url"])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refusal("1214", "url")
    content = "" if "empty" in parts.path else _content(body, parts.path)
    title = "" if "untitled" in parts.path else f"Sandbox page {parts.path or '/'}"
    made = {
        "title": title,
        "description": "A page of the sandbox: nothing was fetched.",
        "url": body["url"],
        "content": content,
        "metadata": {"keywords": "sandbox", "viewport": "width=device-width"},
        "external": {"stylesheet": {"https://example.com/a.css": {"type": "text/css"}}},
    }
    if body.get("with_images_summary"):
        made["images"] = {"Image 1": "https://example.com/box.png"}
    if body.get("with_links_summary"):
        made["links"] = {"More": "https://example.com/more"}
    return made


def _content(body: Mapping[str, Any], path: str) -> str:
    picture = "data:image/png;base64,iVBORw0KGgo=" if body.get("keep_img_data_url") else "https://example.com/box.png"
    if body.get("return_format") == "text":
        pieces = [f"Sandbox page {path or '/'}", "Nothing was fetched. 沙盒里没有网页。"]
        pictures, links = "Images: https://example.com/box.png", "Links: https://example.com/more"
    else:
        pieces = [f"# Sandbox page {path or '/'}", "Nothing was **fetched**. 沙盒里没有网页。"]
        pieces.append("A | B" if body.get("no_gfm") else "| A | B |\n|---|---|\n| 1 | 2 |")
        if body.get("retain_images", True):
            pieces.append(f"![Image 1]({picture})")
        pictures = "## Images\n\n- ![Image 1](https://example.com/box.png)"
        links = "## Links\n\n- [More](https://example.com/more)"
    if body.get("with_images_summary"):
        pieces.append(pictures)
    if body.get("with_links_summary"):
        pieces.append(links)
    return "\n\n".join(pieces)

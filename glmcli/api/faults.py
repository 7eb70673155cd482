"""Turns what the service says when it refuses into one of our errors.

Five shapes of body are known (`api.faultbodies`), and none can be relied on: a
proxy answers with a web page, a gateway with words of its own. Nothing here
raises, whatever the bytes: an error about an error would hide both.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from glmcli import codes
from glmcli.api.faultbodies import READ_CHARACTERS, Fault, code_in_torso, is_failure, one_line, parsed, scalar
from glmcli.api.moments import local_time, reset_at_of, reset_in, retry_after_seconds
from glmcli.codes import CodeEntry
from glmcli.errors import KeyRefused, ServiceError
from glmcli.language import CHINESE, ENGLISH

#: The server's own words are shown up to here, in characters.
SHOWN_CHARACTERS = 500

_PHRASES: dict[str, dict[str, str]] = {
    ENGLISH: {
        "page": "a proxy answered with a web page instead of the service (HTTP {status})",
        "empty": "the service answered with an empty body (HTTP {status})",
        "garbled": "the service answered with something that is not JSON (HTTP {status})",
        "label": " ({label})",
        "said": ": {said}",
        "reset": "; resets at {time}",
        "after": "; the service asks to wait {seconds:g} s",
        "page_hint": "check the base URL, HTTPS_PROXY and the network in between: glm doctor",
    },
    CHINESE: {
        "page": "代理返回了网页，而不是服务的响应（HTTP {status}）",
        "empty": "服务返回了空响应（HTTP {status}）",
        "garbled": "服务返回的内容不是 JSON（HTTP {status}）",
        "label": "（{label}）",
        "said": "：{said}",
        "reset": "；{time} 重置",
        "after": "；服务要求等待 {seconds:g} 秒",
        "page_hint": "请检查 base URL、HTTPS_PROXY 和网络：glm doctor",
    },
}

Headers = Mapping[str, str]


def error_from_reply(
    status: int, headers: Headers, body: bytes, *, language: str = ENGLISH, now: Callable[[], float] = time.time
) -> ServiceError:
    """The error for a reply whose HTTP status is a failure. Header names in any case.

    `now` gives epoch seconds, for a Retry-After that is a date.
    """
    try:
        value = parsed(body)
    except ValueError:
        return not_json(status, headers, body, language=language, now=now)
    fault = Fault.from_json(value) or Fault(message=scalar(value))
    return _error(fault, status, headers, language, now)


def error_in_body(
    value: object,
    *,
    headers: Headers | None = None,
    status: int | None = None,
    language: str = ENGLISH,
    now: Callable[[], float] = time.time,
) -> ServiceError | None:
    """The error that a reply with HTTP 200 holds, None when it is a success.

    Agents fail with `status: failed`, monitor with `success: false`.
    """
    if not isinstance(value, dict) or not is_failure(value):
        return None
    return _error(Fault.from_json(value) or Fault(), status, headers or {}, language, now)


def error_from_event(event: Mapping[str, Any], language: str = ENGLISH) -> ServiceError:
    """The error that an event of a stream carries, whole or as the inner `error` object."""
    return _error(Fault.from_json(dict(event)) or Fault(), None, {}, language, time.time)


def not_json(
    status: int, headers: Headers, body: bytes, *, language: str = ENGLISH, now: Callable[[], float] = time.time
) -> ServiceError:
    """The error for a body that should have been JSON: a web page, nothing at all, or a torso."""
    lowered = _lower(headers)
    text = body[: 4 * READ_CHARACTERS].decode("utf-8", "replace")
    failed = status >= 400
    if not text.strip() and failed:
        return _error(Fault(), status, headers, language, now)
    phrase, said = "garbled", text
    entry = _entry(Fault(code=code_in_torso(text)), status, lowered) if failed else codes.UNKNOWN
    hint = entry.words(language).advice
    if not text.strip():
        phrase = "empty"
    elif is_page(lowered, text):
        phrase, said, hint = "page", _title(text), _phrase("page_hint", language)
    said = one_line(said)
    message = _phrase(phrase, language, status=status)
    return _build(
        entry,
        message=message + _phrase("said", language, said=_shortened(said)) if said else message,
        hint=hint,
        code=entry.code if entry.code in codes.CODES else None,
        http_status=status,
        request_id=_request_id(Fault(), lowered),
        retry_after_seconds=retry_after_seconds(lowered, None, now),
        server_message=said or None,
        rate_limits=_rate_limits(lowered),
        is_foreign=entry.code not in codes.CODES or phrase == "page",
    )


def nearest_models(name: str, known: Iterable[str]) -> list[str]:
    """Known models whose names look like a mistyped one, best first, at most three."""
    from difflib import get_close_matches

    by_lower = {model.lower(): model for model in known}
    wanted = name.lower().rsplit("/", 1)[-1]
    return [by_lower[found] for found in get_close_matches(wanted, by_lower, n=3, cutoff=0.6)]


def is_page(headers: Headers, text: str) -> bool:
    """Whether a body that begins so is a web page. Header names are lower case."""
    start = text.lstrip("\ufeff \t\r\n")[:200].lower()
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        return True
    return start.startswith("<") and "html" in headers.get("content-type", "").lower()


def _title(page: str) -> str:
    """The title of a web page, else its first heading, else nothing."""
    from html import unescape

    for tag in ("title", "h1"):
        start = re.search(rf"<{tag}\b[^<>]*>", page, re.IGNORECASE)
        if start is not None:
            title = page[start.end() :].split("<", 1)[0]
            if title.strip():
                return unescape(title)
    return ""


def _rate_limits(headers: Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("x-ratelimit-")}


def _lower(headers: Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _request_id(fault: Fault, headers: Headers) -> str | None:
    found = headers.get("x-log-id") or fault.request_id or headers.get("x-request-id")
    return one_line(found)[:128] or None if found else None


# -- telling -------------------------------------------------------------------------


def _error(fault: Fault, status: int | None, headers: Headers, language: str, now: Callable[[], float]) -> ServiceError:
    lowered = _lower(headers)
    said = fault.message or ""
    moment = reset_in(said)
    reset_at = moment[0] if moment else reset_at_of(fault.reset)
    entry = _entry(fault, status, lowered, has_reset=reset_at is not None)
    if entry.kind != codes.PLAN_WINDOW:
        moment = reset_at = None
    retry_after = retry_after_seconds(lowered, fault.retry_after, now)
    code = fault.code or (entry.code if entry.code in codes.GATEWAY_CODES else None)
    shown = said.replace(moment[1], local_time(moment[0])) if moment else said
    message = _message(entry, code or _http(status), shown, language)
    return _build(
        entry,
        message=message + _waiting(message, reset_at, retry_after, language),
        hint=entry.words(language).advice,
        code=code,
        http_status=status,
        request_id=_request_id(fault, lowered),
        retry_after_seconds=retry_after,
        reset_at=reset_at,
        server_message=said or None,
        rate_limits=_rate_limits(lowered),
    )


def _http(status: int | None) -> str | None:
    return None if status is None or status < 300 else f"HTTP {status}"


def _waiting(message: str, reset_at: float | None, retry_after: float | None, language: str) -> str:
    """When it is worth to come back, unless the message says so already."""
    told = ""
    if reset_at is not None and local_time(reset_at) not in message:
        told += _phrase("reset", language, time=local_time(reset_at))
    if retry_after:
        told += _phrase("after", language, seconds=retry_after)
    return told


def _build(entry: CodeEntry, **details: Any) -> ServiceError:
    """A ServiceError of the kind that the row of the table says."""
    kind = KeyRefused if entry.kind == codes.AUTH else ServiceError
    return kind(kind=entry.kind, retryable=entry.retryable, exit_code=entry.exit_code, **details)


def _entry(fault: Fault, status: int | None, headers: Headers, *, has_reset: bool = False) -> CodeEntry:
    """The row of the table: by code, else by what else is known."""
    known = codes.find(fault.code) if fault.code else None
    if known is not None:
        return known
    if has_reset and status in (None, 200, 429):
        return codes.CODES["1308"]
    by_type = codes.GATEWAY_CODES.get(fault.type or "")
    if by_type is not None and status in (None, 200, by_type.http_status):
        return by_type
    # With a code that we do not know, only the server can say that a repetition helps.
    if status == 429 and fault.code and "retry-after" not in headers:
        return codes.UNKNOWN_LIMIT
    return codes.UNKNOWN if status is None else codes.of_status(status)


def _message(entry: CodeEntry, label: str | None, said: str, language: str) -> str:
    """Our words, the code, and the server's own words when they say more."""
    meaning = entry.words(language).meaning
    if label is not None:
        meaning += _phrase("label", language, label=label)
    if not said or (entry.code == label and not _says_more(said, meaning)):
        return meaning
    return meaning + _phrase("said", language, said=_shortened(said))


def _says_more(said: str, meaning: str) -> bool:
    """Whether a text holds a word that our own words do not."""
    known = set(re.findall(r"\w+", meaning.lower()))
    return any(word not in known for word in re.findall(r"\w{4,}|\d+|[^\x00-\x7f]+", said.lower()))


def _phrase(name: str, language: str, **values: object) -> str:
    return _PHRASES[CHINESE if language == CHINESE else ENGLISH][name].format(**values)


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3].rstrip() + "..."

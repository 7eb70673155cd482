"""Calls that a user writes: words on the command line become one request to the provider's own origin."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from glmcli.api.bodies import BytesBody, FilePart, MultipartBody, PathSource
from glmcli.api.calls import Body, Call, JsonBody
from glmcli.api.endpoints import Service, Target
from glmcli.errors import GlmError, UsageError

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
#: What a path without a slash begins with, and the service whose base it is put behind.
_SERVICES = {
    "chat": Service.CHAT,
    "models": Service.MODELS,
    "audio": Service.AUDIO,
    "voice": Service.AUDIO,
    "tokenizer": Service.TOKENIZER,
    "layout_parsing": Service.OCR,
    "files": Service.FILES,
    "batches": Service.BATCH,
    "embeddings": Service.EMBEDDINGS,
    "rerank": Service.EMBEDDINGS,
    "moderations": Service.EMBEDDINGS,
    "web_search": Service.WEB,
    "reader": Service.WEB,
    "agents": Service.AGENTS,
}
#: First words of a path that stands below `/api`.
_BELOW_API = ("paas", "coding", "anthropic", "v1", "monitor", "biz", "mcp")
#: Headers that are ours alone: they say who pays and who asks, or how long the body is.
_OWN_HEADERS = {
    "authorization": "the key comes from the profile; --key-env NAME or --key-stdin give another",
    "x-api-key": "the key comes from the profile; --key-env NAME or --key-stdin give another",
    "proxy-authorization": "set HTTPS_PROXY",
    "cookie": "the service takes keys only",
    "user-agent": "glm says who it is",
    "host": "--base-url gives another host",
    "content-length": "it follows from the body",
    "transfer-encoding": "it follows from the body",
}
#: How our own client spells the headers that a user may replace.
_SPELLINGS = {"accept": "Accept", "accept-encoding": "Accept-Encoding"}
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]|(\[\])")

#: Reads the bytes of a file, or of standard input for `-`.
ReadFile = Callable[[str], bytes]


# -- where to ----------------------------------------------------------------------------


def place_of(path: str, target: Target) -> tuple[Service, str, Target]:
    """The service, the path below its base, and the target that serves it.

    `chat/completions` stands below the base of its service, `/paas/v4/...` and
    `/api/...` below the origin, `/v1/...` of a custom provider below its base;
    an address has to be of the provider's own origin. Raises UsageError for
    any other.
    """
    if "://" in path:
        path = _own_path(path, target)
    elif path.startswith("//") or "\\" in path or not path.strip("/"):
        raise UsageError(f"{path!r} is no path", hint="for example: glm api chat/completions")
    if any(character.isspace() or not character.isprintable() for character in path):
        raise UsageError(f"the path {path!r} holds a space or control character", hint="write it as %20 and the like")
    words = re.split(r"[/?]", path.lstrip("/"))
    if path.startswith("/") and words[0] in _BELOW_API and not (words[0] == "v1" and target.base_url is not None):
        path = "/api" + path
    if path.startswith("/api/"):
        return Service.ROOT, path, _at_origin(target)
    service = _SERVICES.get(words[0], Service.MEDIA)
    if target.base_url is not None:
        service = Service.ROOT
    return service, "/" + path.lstrip("/"), target


def _own_path(url: str, target: Target) -> str:
    """The path of an address, which has to be where the key belongs."""
    own = target.base_url or target.origin
    if _origin(url) != _origin(own):
        raise UsageError(
            f"{urlsplit(url).netloc or url} is not where the key belongs; it is sent to {urlsplit(own).netloc} only",
            hint="choose the provider or --base-url of that host",
        )
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if target.base_url is None:
        return path if path.startswith("/api/") else "/" + path.lstrip("/")
    base = urlsplit(target.base_url).path.rstrip("/")
    if not path.startswith(base + "/"):
        raise UsageError(f"{url} does not stand below {target.base_url}", hint="give another --base-url")
    return path[len(base) :]


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        raise UsageError(f"{url!r} is no address") from None
    if parts.username or parts.password:
        raise UsageError("an address must not carry a user name or password")
    return parts.scheme, parts.hostname or "", port


def _at_origin(target: Target) -> Target:
    """A custom provider has one base; a path below its origin leaves it."""
    if target.base_url is None:
        return target
    parts = urlsplit(target.base_url)
    return target.replace(base_url=f"{parts.scheme}://{parts.netloc}")


# -- what is sent ------------------------------------------------------------------------


def parse_headers(lines: Sequence[str]) -> dict[str, str]:
    """Headers from `Name: value`. Raises UsageError, without repeating a value."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise UsageError("a header is not of the form 'Name: value'", hint="for example -H 'Accept-Language: en'")
        if not value.isascii() or not (value.isprintable() or not value):
            raise UsageError(f"the header {name} holds characters that no header may have")
        if name.lower() in _OWN_HEADERS:
            raise UsageError(f"the header {name} cannot be set", hint=_OWN_HEADERS[name.lower()])
        headers[_SPELLINGS.get(name.lower(), name)] = value
    return headers


def parse_fields(plain: Sequence[str], typed: Sequence[str], read: ReadFile) -> dict[str, object]:
    """Fields from `key=value`; `a[b]=1` stands inside an object, `a[]=1` is added to a list.

    Typed values are JSON where they read as JSON, or the text of a file behind `@`.
    """
    fields: dict[str, object] = {}
    for pair in plain:
        key, value = _pair(pair, "-f")
        _put(fields, key, value, pair)
    for pair in typed:
        key, value = _pair(pair, "-F")
        _put(fields, key, _typed(value, read), pair)
    return fields


def _pair(pair: str, flag: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not equals or not key:
        raise UsageError(f"{flag} {pair!r} is not key=value")
    return key, value


def _typed(value: str, read: ReadFile) -> object:
    if value.startswith("@"):
        try:
            return read(value[1:]).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UsageError(f"{value[1:]} is not UTF-8 text", hint="files that are not text go by --form") from None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _put(fields: dict[str, object], key: str, value: object, pair: str) -> None:
    found = _KEY.fullmatch(key)
    if found is None:
        raise UsageError(f"the key of {pair!r} cannot be read", hint="for example -f 'messages[][role]=user'")
    _set(fields, [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])], value, pair)


def _set(holder: Any, steps: Sequence[str], value: object, pair: str) -> None:
    """Put a value below an object or list; as in `gh`, a repeated key of the last object begins a new one."""
    step, rest = steps[0], steps[1:]
    if isinstance(holder, list):
        if step:
            raise UsageError(f"{pair!r}: a list is extended with []")
        if not rest:
            holder.append(value)
            return
        if not holder or not isinstance(holder[-1], dict) or _is_there(holder[-1], rest):
            holder.append([] if not rest[0] else {})
        _set(holder[-1], rest, value, pair)
        return
    if not isinstance(holder, dict) or not step:
        raise UsageError(f"{pair!r} contradicts another field")
    if not rest:
        holder[step] = value
        return
    _set(holder.setdefault(step, [] if not rest[0] else {}), rest, value, pair)


def _is_there(holder: Mapping[str, object], steps: Sequence[str]) -> bool:
    found: object = holder
    for step in steps:
        if not isinstance(found, dict) or step not in found:
            return False
        found = found[step]
    return True


def form_body(plain: Sequence[str], typed: Sequence[str], path_of: Callable[[str], Any]) -> MultipartBody:
    """A multipart form; `@file` behind a typed field is sent as a file, from disk."""
    fields = [_pair(pair, "-f") for pair in plain]
    files: list[FilePart] = []
    for pair in typed:
        key, value = _pair(pair, "-F")
        if value.startswith("@"):
            path = path_of(value[1:])
            files.append(FilePart(key, path.name, _content_type(path.name), PathSource(path)))
        else:
            fields.append((key, value))
    return MultipartBody(fields, files)


def _content_type(name: str) -> str:
    from mimetypes import guess_type

    return guess_type(name)[0] or "application/octet-stream"


def build_call(
    place: tuple[Service, str],
    *,
    method: str,
    headers: Mapping[str, str],
    fields: Mapping[str, object],
    body: Body | None,
) -> Call:
    """The call; fields go into the query of a GET or HEAD, and beside a body, else into a JSON body."""
    service, path = place
    if fields and (body is not None or method in ("GET", "HEAD", "OPTIONS", "DELETE")):
        path += ("&" if "?" in path else "?") + urlencode(list(_query(fields)))
        fields = {}
    if fields:
        body = JsonBody(dict(fields))
    return Call(
        service,
        method,
        path,
        body=body,
        headers=dict(headers),
        # Whatever is not read only may cost money, or be done twice.
        repeatable=method in ("GET", "HEAD", "OPTIONS"),
        auth="raw" if path.startswith(("/api/monitor/", "/api/biz/")) else None,
    )


def _query(fields: Mapping[str, object]) -> list[tuple[str, str]]:
    """Pairs of a query; lists are repeated."""
    pairs = []
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            pairs.append((name, item if isinstance(item, str) else json.dumps(item)))
    return pairs


def raw_body(data: bytes, headers: dict[str, str]) -> Body:
    """A body as it is; its type is JSON unless a header says otherwise, which is taken out."""
    name = next((name for name in headers if name.lower() == "content-type"), None)
    return BytesBody(data, headers.pop(name) if name is not None else "application/json")


# -- what comes back ---------------------------------------------------------------------


def extract(value: object, path: str) -> object:
    """What stands at `a.b[0].c` of a JSON value; `[]` takes every item of a list.

    Raises UsageError for a path that cannot be read, GlmError when nothing is there.
    """
    return _walk(value, _steps(path), path, "")


def _steps(path: str) -> list[str | int | None]:
    steps: list[str | int | None] = []
    place = 0
    for found in _STEP.finditer(path):
        if found.start() != place:
            break
        place = found.end()
        steps.append(int(found[2]) if found[2] is not None else None if found[3] else found[1])
    if not steps or place != len(path):
        raise UsageError(f"--json-path {path!r} cannot be read", hint="for example choices[0].message.content")
    return steps


def _walk(value: Any, steps: Sequence[str | int | None], path: str, walked: str) -> object:
    for number, step in enumerate(steps):
        if step is None:
            if not isinstance(value, list):
                raise _nothing(path, walked, value)
            return [_walk(item, steps[number + 1 :], path, f"{walked}[{index}]") for index, item in enumerate(value)]
        try:
            value = _at(value, step)
        except (KeyError, IndexError):
            raise _nothing(path, walked, value) from None
        walked += f"[{step}]" if isinstance(step, int) else f".{step}" if walked else step
    return value


def _at(value: object, step: str | int) -> Any:
    """Raises KeyError, IndexError."""
    if isinstance(step, int):
        if isinstance(value, list):
            return value[step]
    elif isinstance(value, dict):
        return value[step]
    raise KeyError(step)


def _nothing(path: str, walked: str, value: object) -> GlmError:
    where = f"behind {walked}" if walked else "at the top"
    if isinstance(value, dict):
        there = f"the keys {', '.join(list(value)[:20])}" if value else "an empty object"
    elif isinstance(value, list):
        there = f"a list of {len(value)}"
    else:
        there = "a plain value"
    return GlmError(f"the answer has nothing at {path}", hint=f"{where} is {there}")


def lines_of(value: object) -> list[str]:
    """A value as lines: texts and numbers as they are, items of a list one by one, objects as JSON."""
    items = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in items]

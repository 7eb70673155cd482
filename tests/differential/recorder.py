"""One recorder for two senders: a request as flat fields, and what differs between two of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, NamedTuple

from glmcli.sandbox.app import Recorded

#: A field that one of the two did not send.
ABSENT = "–"


class Difference(NamedTuple):
    """A field that the SDK and glm do not send alike."""

    field: str
    sdk: str
    glm: str


def differences(sdk: Recorded, glm: Recorded) -> list[Difference]:
    """Every field of two requests whose value differs, or that one of them lacks."""
    theirs, ours = fields_of(sdk), fields_of(glm)
    pairs = [Difference(name, theirs.get(name, ABSENT), ours.get(name, ABSENT)) for name in sorted({*theirs, *ours})]
    return [pair for pair in pairs if pair.sdk != pair.glm]


def fields_of(request: Recorded) -> dict[str, str]:
    """Method, path, `query.…`, `header.…` and `body.…` or `form.…` of a request, each as text.

    Boundaries of forms and numbers of tasks and files, which are made up anew each time, are masked. Left out is
    `Content-Length`: what it counts is compared itself.
    """
    made = {"method": request.method, "path": _masked(re.sub(r"(?<=/async-result/).+", "…", request.path))}
    made |= {f"query.{name}": value for name, value in request.query.items()}
    made |= {f"header.{name}": _masked(value) for name, value in request.headers.items() if name != "content-length"}
    if request.headers.get("content-type", "").startswith("multipart/"):
        return made | dict(_parts(request))
    if request.json is None:
        return made | ({"body": repr(request.body)} if request.body else {})
    return made | dict(_leaves("body", request.json))


def _masked(value: str) -> str:
    return re.sub(r"(?<=boundary=).+|(?<=\bfile-sandbox-)\d+|(?<=\bbatch_sandbox)\d+", "…", value)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """The values of a JSON document by dotted path; an empty object or list is one too."""
    inner: Mapping[Any, Any] = {}
    if isinstance(value, dict):
        inner = value
    elif isinstance(value, list):
        inner = dict(enumerate(value))
    for key, item in inner.items():
        yield from _leaves(f"{path}.{key}", item)
    if not inner:
        yield path, _masked(json.dumps(value, ensure_ascii=False))


def _parts(request: Recorded) -> Iterator[tuple[str, str]]:
    """Value, file name and type of every part; parts of the same name are numbered."""
    head = b"Content-Type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
    form: Any = BytesParser(policy=HTTP).parsebytes(head + request.body)
    seen: dict[str, int] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        seen[name] = number = seen.get(name, 0) + 1
        field = f"form.{name}" if number == 1 else f"form.{name}#{number}"
        yield from _content(field, part.get_payload(decode=True))
        for fact, value in (("filename", part.get_filename()), ("type", part["content-type"])):
            if value is not None:
                yield f"{field}:{fact}", str(value)


def _content(field: str, data: bytes) -> Iterator[tuple[str, str]]:
    """A part that is a JSON document is compared as one."""
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if isinstance(document, dict):
        yield from _leaves(field, document)
    else:
        yield field, repr(data)

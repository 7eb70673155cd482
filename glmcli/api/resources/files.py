"""Files that are kept by the service: `/files`.

Shapes: docs.z.ai api-reference/agents/file-upload and the OpenAPI of
docs.bigmodel.cn (`api/files-and-batch.md` section 1). Z.AI documents the
purpose `agent` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from glmcli.api.bodies import FilePart, MultipartBody, Progress, Source
from glmcli.api.calls import Call, Caller, OpenReply
from glmcli.api.endpoints import Service
from glmcli.api.fields import mappings, text, whole
from glmcli.api.resources.async_results import json_object
from glmcli.errors import NetworkError, ServiceError, UsageError

MIB = 1024 * 1024
#: The largest file that any purpose takes, in bytes.
MAX_BYTES = 100 * MIB
#: A file of more bytes does not end: a batch of 50,000 long answers is smaller.
MAX_CONTENT_BYTES = 16 * 1024 * MIB
#: What is no file is known by its beginning.
_LOOKED_AT_BYTES = 64 * 1024
#: Keys of a line of a batch, which may tell of an error without being one.
_BATCH_KEYS = frozenset({"custom_id", "response", "method"})
#: Files per page of a list, the most that the service gives.
_PAGE = 100
#: File name endings that the purpose `agent` takes, with what each is sent as.
AGENT_TYPES = {
    ".pdf": "application/pdf",
    ".doc": "application/msword",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".ppt": "application/vnd.ms-powerpoint",
    ".txt": "text/plain",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A file to keep. `purpose` is agent, batch, code-interpreter, voice-clone-input, ...

    `extra` fields (`knowledge_id`, ...) replace those of the same name.
    """

    filename: str
    source: Source
    purpose: str
    content_type: str = "application/octet-stream"
    extra: Mapping[str, object] = field(default_factory=dict)

    def body(self, *, on_progress: Progress | None = None) -> MultipartBody:
        """The form, with the file last. Raises UsageError for a file that no purpose takes."""
        if self.source.length() > MAX_BYTES:
            size = self.source.length() / MIB
            raise UsageError(f"{self.filename} has {size:.1f} MiB; the service keeps files up to 100 MiB")
        fields = {"purpose": self.purpose, **self.extra}
        pairs = [(name, value if isinstance(value, str) else _as_json(value)) for name, value in fields.items()]
        part = FilePart("file", self.filename, self.content_type, self.source)
        return MultipartBody(pairs, [part], on_progress=on_progress)


def _as_json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the service knows it. `created_at` is epoch seconds."""

    id: str
    filename: str | None = None
    size: int | None = None
    purpose: str | None = None
    created_at: int | None = None

    @classmethod
    def from_json(cls, body: Mapping[str, Any], request_id: str | None = None) -> StoredFile:
        """Read a file object. Raises ServiceError when it has no id."""
        id = text(body, "id")
        if not id:
            raise ServiceError("the service kept the file without naming its id", request_id=request_id)
        return cls(id, text(body, "filename"), whole(body, "bytes"), text(body, "purpose"), whole(body, "created_at"))


class Files:
    """`/files` of either region."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def upload(self, request: UploadRequest, *, on_progress: Progress | None = None) -> StoredFile:
        """Keep a file. Raises what `Caller.send` raises."""
        reply = self._caller.send(Call(Service.FILES, "POST", "/files", body=request.body(on_progress=on_progress)))
        return StoredFile.from_json(json_object(reply), reply.request_id)

    def list(self, purpose: str) -> Iterator[StoredFile]:
        """The files of one purpose (region cn), page by page. Raises what `Caller.send` raises."""
        after: str | None = None
        while True:
            query = {"purpose": purpose, "limit": str(_PAGE)} | ({"after": after} if after else {})
            body = json_object(self._caller.send(Call(Service.FILES, "GET", "/files", query=query)))
            page = [StoredFile.from_json(item) for item in mappings(body, "data")]
            yield from page
            if body.get("has_more") is not True or not page or page[-1].id == after:
                return
            after = page[-1].id

    def content(self, id: str) -> AbstractContextManager[OpenReply]:
        """The answer that holds a batch file (region cn), for `file_chunks`. Raises what `Caller.open` raises."""
        path = f"/files/{quote(id, safe='')}/content"
        return self._caller.open(Call(Service.FILES, "GET", path, headers={"Accept": "*/*"}))

    def delete(self, id: str) -> None:
        """Forget a file (region cn). Raises what `Caller.send` raises."""
        json_object(self._caller.send(Call(Service.FILES, "DELETE", f"/files/{quote(id, safe='')}")))


def file_chunks(reply: OpenReply, *, may_be_page: bool = False, may_be_empty: bool = False) -> Iterator[bytes]:
    """The bytes of a file as they arrive.

    Raises ServiceError before the first of them for what came instead: a web page, a refusal told
    with HTTP 200, nothing at all. Raises NetworkError when it does not end.
    """
    chunks = reply.chunks()
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _LOOKED_AT_BYTES:
            break
    if head or not may_be_empty:
        _check_content(reply, head, may_be_page=may_be_page)
    yield head
    size = len(head)
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_CONTENT_BYTES:
            raise NetworkError(f"the file does not end: more than {MAX_CONTENT_BYTES // MIB:,} MiB came")
        yield chunk


def _check_content(reply: OpenReply, head: bytes, *, may_be_page: bool) -> None:
    from glmcli.api.faultbodies import parsed
    from glmcli.api.faults import error_in_body, is_page, not_json

    is_foreign = not may_be_page and is_page(reply.headers, head[:1024].decode("utf-8", "replace"))
    if not head or is_foreign:
        raise not_json(reply.status, reply.headers, head)
    try:
        value = parsed(head)
    except ValueError:
        return  # several lines, or no JSON: a file
    error = error_in_body(value, headers=reply.headers, status=reply.status)
    if error is not None and isinstance(value, dict) and not value.keys() & _BATCH_KEYS:
        raise error

"""The hosted Batch API: `/batches` of region cn.

Shapes: OpenAPI of docs.bigmodel.cn and its guide (`api/files-and-batch.md`
section 2), which disagree about `request_counts`; both are read. The vendor
withdrew `completion_window`, so that it is never sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from glmcli.api.bodies import Progress, Source
from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, mappings, text, whole
from glmcli.api.resources.async_results import json_object
from glmcli.api.resources.files import Files, StoredFile, UploadRequest
from glmcli.errors import ServiceError

ENDPOINT = "/v4/chat/completions"
#: What one input file may hold.
MAX_LINES = 50_000
MAX_BYTES = 100_000_000
#: States from which nothing changes any more. An expired or cancelled batch still delivers what was done.
TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})
#: How often the vendor's guide asks, in seconds.
INTERVAL_SECONDS = 30.0
_MILLISECONDS_ABOVE = 1e11


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the service tells it. `created_at` is epoch seconds; counts are None where nothing is said."""

    id: str
    status: str
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: float | None = None
    total: int | None = None
    completed: int | None = None
    failed: int | None = None
    metadata: Mapping[str, Any] | None = None
    reason: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end."""
        return self.status in TERMINAL

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Batch:
        """Read a batch object. Raises ServiceError without an id."""
        id = text(body, "id")
        if not id:
            raise ServiceError("the service answered with a batch that has no id")
        # An object by the guide, an integer with the numbers beside it by the OpenAPI file.
        counts = mapping(body, "request_counts") or body
        created = whole(body, "created_at")
        return cls(
            id=id,
            status=text(body, "status") or "unknown",
            input_file_id=text(body, "input_file_id"),
            output_file_id=text(body, "output_file_id"),
            error_file_id=text(body, "error_file_id"),
            created_at=None if created is None else created / (1000 if created > _MILLISECONDS_ABOVE else 1),
            total=whole(counts, "total"),
            completed=whole(counts, "completed"),
            failed=whole(counts, "failed"),
            metadata=mapping(body, "metadata"),
            reason=_reason(body),
        )


class Batches:
    """Submits, asks and cancels."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.files = Files(caller)

    def upload(self, filename: str, source: Source, *, on_progress: Progress | None = None) -> StoredFile:
        """Keep an input file with the service."""
        request = UploadRequest(filename, source, "batch", content_type="application/jsonl")
        return self.files.upload(request, on_progress=on_progress)

    def create(self, input_file_id: str, *, metadata: Mapping[str, str]) -> Batch:
        """Begin a batch; not repeated when its outcome is unknown, since it is paid."""
        body = {"input_file_id": input_file_id, "endpoint": ENDPOINT, "metadata": dict(metadata)}
        return self._batch(Call(Service.BATCH, "POST", "/batches", body=json_body(body), repeatable=False))

    def retrieve(self, id: str) -> Batch:
        """How a batch is doing."""
        return self._batch(Call(Service.BATCH, "GET", f"/batches/{quote(id, safe='')}"))

    def cancel(self, id: str) -> Batch:
        """Stop a batch; what is done is delivered, and paid."""
        return self._batch(Call(Service.BATCH, "POST", f"/batches/{quote(id, safe='')}/cancel"))

    def list(self, limit: int = 20) -> list[Batch]:
        """The newest batches of the account, at most 100."""
        call = Call(Service.BATCH, "GET", "/batches", query={"limit": str(limit)})
        return [Batch.from_json(item) for item in mappings(json_object(self._caller.send(call)), "data")]

    def _batch(self, call: Call) -> Batch:
        # A failed batch says `status: failed`: that is an answer, not a refusal of the call.
        reply = self._caller.send(call)
        body = reply.json()
        if isinstance(body, dict) and body.get("object") == "batch":
            return Batch.from_json(body)
        return Batch.from_json(json_object(reply))


def _reason(body: Mapping[str, Any]) -> str | None:
    """Why the input was refused; the field is nowhere documented, so that the usual ones are looked at."""
    errors = mapping(body, "errors")
    told = [text(item, "message") for item in mappings(errors, "data") or mappings(body, "errors")]
    return "; ".join(word for word in told if word) or text(mapping(body, "error"), "message") or None

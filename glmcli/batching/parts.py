"""Writes an input into files as the hosted Batch API takes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from glmcli.api.resources.batches import ENDPOINT, MAX_BYTES, MAX_LINES
from glmcli.batching.index import DiskIndex, Entry, key_of
from glmcli.batching.items import Input, Item
from glmcli.batching.requests import Requests, check_id
from glmcli.errors import UsageError

#: What is kept of a part: name, model, requests, and later file_id, batch_id, status, ...
Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PartLimits:
    """What one input file may hold."""

    max_lines: int = MAX_LINES
    max_bytes: int = MAX_BYTES


def write_parts(source: Input, requests: Requests, folder: Path, limits: PartLimits | None = None) -> list[Part]:
    """Convert an input into files as the service takes them: one model each, not too many lines or bytes."""
    limits = limits or PartLimits()
    lines = DiskIndex()
    writers: dict[str, _PartWriter] = {}
    parts: list[Part] = []
    try:
        for item in source:
            key = key_of(item.id)
            earlier = lines.get(key)
            check_id(None if earlier is None else earlier.first, item, source.name)
            lines.put(key, Entry(item.line, 0, 0))
            data, model = _request_line(item, requests)
            writer = writers.get(model)
            if writer is None or not writer.has_room(len(data), limits):
                if writer is not None:
                    writer.close()
                part = {"name": f"part-{len(parts) + 1:03d}.jsonl", "model": model, "requests": 0}
                parts.append(part)
                writer = writers[model] = _PartWriter(folder, part)
            writer.write(data)
    finally:
        lines.close()
        for writer in writers.values():
            writer.close()
    if not parts:
        raise UsageError(f"{source.name} holds no prompts", hint='a line is "a prompt", or {"id": …, "prompt": …}')
    return parts


class _PartWriter:
    """One input file of the service."""

    def __init__(self, folder: Path, part: Part) -> None:
        self._part = part
        self._file: IO[bytes] = (folder / part["name"]).open("wb")
        self._size = 0

    def has_room(self, size: int, limits: PartLimits) -> bool:
        """Whether another line of this size still fits."""
        return self._part["requests"] < limits.max_lines and self._size + size <= limits.max_bytes

    def write(self, data: bytes) -> None:
        """Add a line."""
        self._file.write(data)
        self._size += len(data)
        self._part["requests"] += 1

    def close(self) -> None:
        """Done."""
        self._file.close()


def _request_line(item: Item, requests: Requests) -> tuple[bytes, str]:
    """A line for the service, and the model that it asks."""
    request = requests.request_for(item)
    body = requests.body_of(request)
    # Six characters at least are wanted; the place comes first, so that it can be read without the input.
    custom_id = f"{item.line:08d}-{requests.digest(request)}-{item.id}"
    value = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n", str(body["model"])

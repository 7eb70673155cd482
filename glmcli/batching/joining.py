"""Puts what a hosted batch delivered into the form and the order of `glm batch run`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glmcli.api.fields import mapping, whole
from glmcli.api.resources.chat import answer_from_json
from glmcli.batching.answers import AnswerFile, FailureFile, Line
from glmcli.batching.index import DiskIndex, Entry, Order, key_of
from glmcli.batching.requests import answer_line, checked
from glmcli.errors import GlmError, ServiceError

if TYPE_CHECKING:
    from glmcli.events import Answer

_CHUNK = 500


class Joiner:
    """Puts the lines of output and error files into the form and order of `glm batch run`."""

    def __init__(self, output: Path, failures: FailureFile, language: str) -> None:
        self._answers = AnswerFile(output, name=output.name, ordered=True)
        self._failures = failures
        self._language = language
        self._places = DiskIndex()
        self._last = 0
        self._count = 0
        self._found = 0

    def begin(self) -> None:
        """Look at what is there already. Raises UsageError for a file that cannot be used."""
        self._answers.load()
        self._answers.start()

    def take(self, path: Path) -> None:
        """Read one file of the service. Raises ServiceError for one that is not of this batch."""
        before = self._found
        lines: list[Line] = []
        with path.open("rb") as file:
            for data in file:
                line = self._line(data)
                if line is not None:
                    lines.append(line)
                if len(lines) == _CHUNK:
                    self._append(lines)
                    lines = []
        self._append(lines)
        if self._found == before and path.stat().st_size:
            raise ServiceError(
                "what the service sent holds no answer of this batch",
                hint="nothing is lost there: glm batch fetch",
                is_foreign=True,
            )

    def finish(self) -> int:
        """Write the output; how many answers came."""
        order = Order()
        try:
            for place in range(1, self._last + 1):
                entry = self._places.get(key_of(str(place)))
                if entry is not None:
                    order.append(entry.first.to_bytes(8, "big") + entry.second.to_bytes(8, "big"))
            self._answers.finish(order)
        finally:
            order.close()
        return self._count

    def close(self) -> None:
        """Give back what is open."""
        self._answers.close()
        self._places.close()

    def _append(self, lines: list[Line]) -> None:
        if lines:
            self._answers.append(lines)
            self._count += len(lines)

    def _line(self, data: bytes) -> Line | None:
        """The answer in a line of the service; None for a failure, which is kept beside."""
        value = _object(data)
        found = _CUSTOM_ID.fullmatch(str(value.get("custom_id", "")))
        if found is None:
            return None  # not a line of ours: a blank one, or of a batch that somebody else made
        place, digest, id = int(found[1]), found[2], found[3]
        key = key_of(id)
        self._places.put(key_of(str(place)), Entry(int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big"), 0))
        self._last = max(self._last, place)
        self._found += 1
        try:
            return answer_line(id, digest, _answer_in(value, self._language))
        except GlmError as error:
            self._failures.append({"id": id, "line": place, "tries": 1, **error.to_json()})
            return None


_CUSTOM_ID = re.compile(r"(\d{8,})-([0-9a-f]{16})-(.*)", re.DOTALL)


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _answer_in(value: Mapping[str, Any], language: str) -> Answer:
    """The answer of one request. Raises the error that the service gave instead."""
    from glmcli.api.faults import error_from_reply

    response = mapping(value, "response")
    status, body = whole(response, "status_code") or 0, response.get("body")
    if status == 200 and isinstance(body, dict) and "error" not in body:
        return checked(answer_from_json(body))
    reason = body if body else {"error": value.get("error") or {}}
    raise error_from_reply(status if status >= 400 else 500, {}, json.dumps(reason).encode(), language=language)

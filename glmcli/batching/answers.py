"""The answers of a batch on disk: what a crash leaves, what a rerun need not send.

An answer is one JSON line with the `id` of its question and `request`, a
digest of what was sent. With the order of the input kept, lines are appended
to `OUTPUT.journal` as they come and put in order at the end of the run;
otherwise they are appended to the output itself. Either way a line that is
complete on disk is never asked for again, and one that a crash tore is removed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from glmcli.batching.index import DiskIndex, Entry, Order, key_of, number_of
from glmcli.errors import UsageError

_OUTPUT, _JOURNAL = 0, 1
#: What every line of ours begins with: a torn first line must at least begin so, or the file is somebody else's.
_BEGINNING = b'{"id": "'
_LONGEST_FAILURE = 1024 * 1024


class Line(NamedTuple):
    """One answer, ready to be written: `data` is its JSON with the newline."""

    id: str
    request: str
    data: bytes


#: Is told the JSON of every answer that is already there.
Known = Callable[[Mapping[str, Any]], None]


class AnswerFile:
    """The output of a batch, and its journal.

    `load` first, `start` before the first `append`, `finish` at the end of the
    run, whatever ended it. Raises UsageError for a file that cannot be used.
    """

    def __init__(self, output: Path, *, name: str, ordered: bool, known: Known | None = None) -> None:
        self.name = name
        self._paths = (output, output.with_name(output.name + ".journal"))
        self._ordered = ordered
        self._known = known
        self._index = DiskIndex()
        self._ends: dict[int, int] = {}
        self._file: IO[bytes] | None = None
        self._end = 0
        self._has_old_versions = False

    @property
    def _target(self) -> int:
        return _JOURNAL if self._ordered else _OUTPUT

    def __len__(self) -> int:
        return len(self._index)

    def load(self) -> None:
        """Find out what is answered; nothing is changed."""
        try:
            for which, path in enumerate(self._paths):
                if path.exists() and not path.is_file():  # it would be read without end, and replaced in the end
                    raise UsageError(f"{self.name} is no file that answers can be kept in", hint="choose another -o")
                if path.exists():
                    self._ends[which] = self._load(which, path)
        except OSError as error:
            raise self._cannot("read", error) from error

    def start(self) -> None:
        """Remove what a crash tore, and open the file that grows."""
        path = self._paths[self._target]
        try:
            for which, end in self._ends.items():
                if end < self._paths[which].stat().st_size:
                    _cut(self._paths[which], end)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            self._end = path.stat().st_size
            if not self._ordered and self._paths[_JOURNAL].exists():
                self._take_over_journal()
        except OSError as error:
            raise self._cannot("written", error) from error

    def request_of(self, id: str) -> int | None:
        """The digest of the request that was answered under this id, as `index.number_of` gives it; None for none."""
        entry = self._index.get(key_of(id))
        return None if entry is None else entry.third

    def append(self, lines: Sequence[Line]) -> None:
        """Keep answers; they are on the disk when this returns."""
        file = self._file
        assert file is not None, "append before start"
        try:
            file.write(b"".join(line.data for line in lines))
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise self._cannot("written", error) from error
        for line in lines:
            self._put(line.id, self._target, self._end, len(line.data), number_of(line.request))
            self._end += len(line.data)

    def read(self, key: bytes) -> bytes | None:
        """The line of an id (`index.key_of`), None when it was not answered."""
        entry = self._index.get(key)
        if entry is None:
            return None
        with self._paths[entry.second & 1].open("rb") as file:
            return _piece(file, entry)

    def finish(self, order: Order) -> None:
        """Put the output into the order of the input, in one step; the journal is then gone."""
        if self._file is not None:
            self._file.close()
        try:
            if self._paths[_JOURNAL].exists() or self._has_old_versions:
                self._assemble(order)
        except OSError as error:
            raise self._cannot("written", error) from error

    def close(self) -> None:
        """Give back what is open; a run that ended well has called `finish` before."""
        if self._file is not None:
            self._file.close()
        self._index.close()

    # -- what is there ---------------------------------------------------------------

    def _load(self, which: int, path: Path) -> int:
        """Index the lines of a file; where the last whole one ends."""
        offset = 0
        with path.open("rb") as file:
            for number, data in enumerate(file, 1):
                is_whole = data.endswith(b"\n")
                value = _answer(data) if is_whole else None
                if value is None and (is_whole or not (number > 1 or _BEGINNING.startswith(data[: len(_BEGINNING)]))):
                    raise UsageError(
                        f"line {number} of {path.name} is not an answer of `glm batch run`",
                        hint="the file is left as it is; choose another one with -o",
                    )
                if value is None:
                    break
                self._put(value["id"], which, offset, len(data), number_of(value["request"]))
                if self._known is not None:
                    self._known(value)
                offset += len(data)
        return offset

    def _put(self, id: str, which: int, offset: int, length: int, request: int) -> None:
        key = key_of(id)
        if self._index.get(key) is not None:
            self._has_old_versions = True
        self._index.put(key, Entry(offset, length << 1 | which, request))

    def _take_over_journal(self) -> None:
        """An earlier run kept the order, this one does not: its answers move into the output."""
        with self._paths[_JOURNAL].open("rb") as file:
            for data in file:
                value = _answer(data)
                if value is not None:
                    self.append([Line(value["id"], value["request"], data)])
        self._paths[_JOURNAL].unlink()

    # -- putting in order ---------------------------------------------------------------

    def _assemble(self, order: Order) -> None:
        output = self._paths[_OUTPUT]
        # Always the same name, which `only_run` guards: what a killed run left there is written over.
        temporary = output.with_name(f".{output.name}.tmp")
        try:
            with temporary.open("wb") as target:
                for data in self._in_order(order):
                    target.write(data)
                target.flush()
                os.fsync(target.fileno())
            with suppress(OSError):
                temporary.chmod(output.stat().st_mode & 0o777)
            temporary.replace(output)
        finally:
            temporary.unlink(missing_ok=True)
        self._paths[_JOURNAL].unlink(missing_ok=True)

    def _in_order(self, order: Order) -> Iterator[bytes]:
        """The newest line of each id: those of the input in its order, then what only earlier inputs held."""
        taken = DiskIndex()
        files = [path.open("rb") if path.exists() else None for path in self._paths]
        try:
            for key in order:
                entry = self._index.get(key)
                file = files[entry.second & 1] if entry is not None else None
                if entry is not None and file is not None:
                    taken.put(key, entry)
                    yield _piece(file, entry)
            for which, file in enumerate(files):
                yield from self._left(which, file, taken)
        finally:
            taken.close()
            for file in files:
                if file is not None:
                    file.close()

    def _left(self, which: int, file: IO[bytes] | None, taken: DiskIndex) -> Iterator[bytes]:
        if file is None:
            return
        file.seek(0)
        offset = 0
        for data in file:
            value = _answer(data)
            key = key_of(value["id"]) if value is not None else b""
            entry = self._index.get(key) if value is not None else None
            if entry is not None and taken.get(key) is None and (entry.first, entry.second & 1) == (offset, which):
                yield data
            offset += len(data)

    def _cannot(self, verb: str, error: OSError) -> UsageError:
        return UsageError(f"{self.name} cannot be {verb}: {error.strerror or error}")


def _answer(data: bytes) -> dict[str, Any] | None:
    """The JSON of a line of ours, None for anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return None
    request = value.get("request")
    is_digest = isinstance(request, str) and len(request) == 16 and not set(request) - set("0123456789abcdef")
    return value if is_digest else None


def _cut(path: Path, offset: int) -> None:
    """End a file after its last whole line."""
    with path.open("r+b") as file:
        file.truncate(offset)
        os.fsync(file.fileno())


def _piece(file: IO[bytes], entry: Entry) -> bytes:
    file.seek(entry.first)
    return file.read(entry.second >> 1)


class FailureFile:
    """The failures of one run, one JSON object per line; what an earlier run left is replaced.

    Raises UsageError for a file that cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self.count = 0

    def open(self) -> None:
        """Forget the failures of an earlier run: they are tried again now. Somebody else's file is left as it is."""
        try:
            if self.path is None or not self.path.exists():
                return
            if not _holds_failures(self.path):
                raise UsageError(
                    f"{self.path.name} holds something else than failures of a batch",
                    hint="the file is left as it is; choose another one with --failed",
                )
            self.path.unlink()
        except OSError as error:
            raise self._cannot(error) from error

    def append(self, failure: Mapping[str, object]) -> None:
        """Keep a failure."""
        self.count += 1
        if self.path is None:
            return
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("wb")
            self._file.write(json.dumps(failure, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._cannot(error) from error

    def close(self) -> None:
        """Done."""
        if self._file is not None:
            with suppress(OSError):  # what could not be written was told by `append`
                self._file.close()

    def _cannot(self, error: OSError) -> UsageError:
        assert self.path is not None
        return UsageError(f"{self.path.name} cannot be written: {error.strerror or error}")


def _holds_failures(path: Path) -> bool:
    """Whether a file begins as ours do; an empty one does, too."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(len(_BEGINNING))
        file.seek(0)
        first = file.readline(_LONGEST_FAILURE)
    return not start or (start == _BEGINNING and b'"tries": ' in first)

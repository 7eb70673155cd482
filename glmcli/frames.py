"""Pictures that go along with a video: addresses as they are, files as data URIs that are read while they leave."""

from __future__ import annotations

from pathlib import Path

from glmcli.api.jsonfiles import FileText
from glmcli.api.resources.videos import Frame
from glmcli.attachments import picture_size
from glmcli.downloads import recognise
from glmcli.errors import UsageError

_HEAD_BYTES = 65536


def open_frame(word: str, folder: Path) -> Frame:
    """The picture that a word means: an address, a data URI, or a file. Raises UsageError.

    `folder` is where a relative path begins.
    """
    if word.startswith(("http://", "https://", "data:")):
        return Frame(word if len(word) <= 80 else f"{word[:77]}...", word)
    path = folder / Path(word).expanduser()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise UsageError(f"picture {word} cannot be read: {error.strerror or error}") from None
    found = recognise(head, "image")
    if found is None:
        raise UsageError(f"{word} is no picture that is known here", hint="convert it to PNG or JPEG first")
    content_type = found[0]
    source = FileText(path, size, f"data:{content_type};base64,")
    return Frame(path.name, source, content_type.removeprefix("image/"), size, picture_size(head))


def shown(frame: Frame) -> str:
    """What is kept of a picture in the list of tasks."""
    return str(frame.source.path) if isinstance(frame.source, FileText) else frame.name

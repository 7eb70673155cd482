"""Content parts of a vision request: their limits, and a description of what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glmcli.sandbox.catalog import Model
from glmcli.sandbox.exchange import Refusal

_IMAGE_BYTES = 5 * 1024 * 1024
_FILE_BYTES = 50 * 1024 * 1024
_MAX_FILES = 50
_MAX_SIDE = 6000
_IMAGE_KINDS = ("png", "jpeg")


def check_parts(parts: Sequence[Any], model: Model) -> None:
    """Kinds, numbers and sizes of all parts of a request. Raises Refusal."""
    kinds = [part.get("type") if isinstance(part, dict) else None for part in parts]
    for kind, part in zip(kinds, parts, strict=True):
        _check_part(kind, part, model)
    files = sum(kind in ("file", "file_url") for kind in kinds)
    images, videos = kinds.count("image_url"), kinds.count("video_url")
    if files and (images or videos):
        raise Refusal("1215", "file, image_url")
    if images > model.max_images or videos > model.max_videos or files > _MAX_FILES:
        raise Refusal("1214", "messages.content")


def _check_part(kind: object, part: dict[str, Any], model: Model) -> None:
    if kind == "text":
        if not isinstance(part.get("text"), str):
            raise Refusal("1214", "messages.content.text")
    elif kind == "image_url":
        _check_image(_url(part, "image_url"))
    elif kind in ("video_url", "file_url"):
        if not _url(part, str(kind)).startswith(("http://", "https://", "data:")):
            raise Refusal("1214", f"messages.content.{kind}.url")
    elif kind == "file":
        _check_file(part.get("file"), model)
    else:
        raise Refusal("1214", "messages.content.type")


def _url(part: dict[str, Any], kind: str) -> str:
    holder = part.get(kind)
    url = holder.get("url") if isinstance(holder, dict) else None
    if not isinstance(url, str) or not url:
        raise Refusal("1213", f"messages.content.{kind}.url")
    return url


def _check_image(url: str) -> None:
    if url.startswith(("http://", "https://")):
        return
    data = _decoded(url)
    if data is None or len(data) >= _IMAGE_BYTES:
        raise Refusal("1214", "messages.content.image_url.url")
    kind, size = measure(data)
    if kind not in _IMAGE_KINDS or (size and max(size) > _MAX_SIDE):
        raise Refusal("1214", "messages.content.image_url.url")


def _check_file(file: object, model: Model) -> None:
    given = [name for name in ("file_id", "file_url", "file_data") if isinstance(file, dict) and file.get(name)]
    if len(given) != 1 or not isinstance(file, dict):
        raise Refusal("1214", "messages.content.file")
    if given == ["file_id"] and not model.file_id:
        raise Refusal("1210", message=f"Invalid API parameter: {model.id} does not support `file_id`.")
    if given == ["file_data"]:
        data = _decoded(file["file_data"]) if file["file_data"].startswith("data:") else None
        if data is None or len(data) > _FILE_BYTES:
            raise Refusal("1214", "messages.content.file.file_data")


def _decoded(text: str) -> bytes | None:
    """The bytes of a data URL or of bare base64, or None."""
    import base64

    payload = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError:
        return None


def measure(data: bytes) -> tuple[str, tuple[int, int] | None]:
    """Kind of some image bytes (`png`, `jpeg`, `gif`, `webp`, `unknown`), width and height."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        return "png", (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    if data.startswith(b"\xff\xd8"):
        return "jpeg", _jpeg_size(data)
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif", (int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little"))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp", None
    return "unknown", None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 < len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = data[position + 5 : position + 7], data[position + 7 : position + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        position += 2 + length
    return None


def describe(part: dict[str, Any]) -> str:
    """One line about an attached part: its kind, size and measures."""
    kind = str(part.get("type"))
    if kind == "image_url":
        return _describe_image(part["image_url"]["url"])
    if kind == "file":
        file = part["file"]
        name = file.get("filename") or file.get("file_id") or file.get("file_url") or "unnamed"
        data = _decoded(file["file_data"]) if file.get("file_data") else None
        return f"file {name}" + (f", {len(data)} bytes" if data is not None else "")
    return f"{kind.removesuffix('_url')} at {part[kind]['url'][:80]}"


def _describe_image(url: str) -> str:
    if url.startswith(("http://", "https://")):
        return f"image at {url}"
    data = _decoded(url) or b""
    kind, size = measure(data)
    return f"image {kind}, {len(data)} bytes" + (f", {size[0]}x{size[1]} pixels" if size else "")

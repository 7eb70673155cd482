"""Files and URLs that go along with a prompt: what they are, and the part each becomes.

Limits and shapes: docs.z.ai VisionMultimodalContentItem (`api/chat.md` section 3).
A file is recognised by its content; its name only helps where content cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from glmcli.api.endpoints import Plan, Provider, Region
from glmcli.api.jsonfiles import FileText
from glmcli.errors import UsageError

MIB = 1024 * 1024
#: Largest size of one attachment of a kind, in bytes.
LIMITS = {"image": 5 * MIB, "video": 200 * MIB, "file": 50 * MIB, "text": 8 * MIB, "audio": 25 * MIB}
#: Largest width and height of a picture, in pixels.
MAX_PIXELS = 6000
MAX_FILES = 50

_DOCUMENTS = {
    ".pdf": "application/pdf",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_URL_KINDS = {
    "image": (".png", ".jpg", ".jpeg"),
    "video": (".mp4", ".mkv", ".mov"),
    "file": (*_DOCUMENTS, ".txt", ".md", ".jsonl", ".csv"),
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file or URL. `kind` is image, video, file (a document), text or audio.

    Exactly one of `path` and `url` is set; `size` is in bytes.
    """

    name: str
    kind: str
    mime: str
    path: Path | None = None
    url: str | None = None
    size: int = 0
    text: str | None = None


def open_attachment(word: str, *, name: str | None = None) -> Attachment:
    """The attachment that a word on the command line means: a file or a URL.

    Raises UsageError for what cannot be read, is of no known kind, or is too large.
    """
    if urlsplit(word).scheme in ("http", "https"):
        return _from_url(word)
    path = Path(word).expanduser()
    name = name or path.name
    try:
        if path.is_dir():
            raise UsageError(f"{word} is a directory", hint="attach its files one by one: -a a.png -a b.png")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(65536)
    except OSError as error:
        raise UsageError(f"attachment {word} cannot be read: {error.strerror or error}") from None
    if not size:
        raise UsageError(f"attachment {name} is empty")
    kind, mime = sniff(head, path.suffix.lower())
    attachment = Attachment(name, kind, mime, path=path, size=size)
    _check(attachment, head)
    if kind == "text":
        return Attachment(name, kind, mime, path=path, size=size, text=_read_text(attachment))
    return attachment


def _from_url(url: str) -> Attachment:
    """A URL is fetched by the service, not by us: its kind is told by its path."""
    path = unquote(urlsplit(url).path)
    suffix = Path(path).suffix.lower()
    for kind, suffixes in _URL_KINDS.items():
        if suffix in suffixes:
            return Attachment(Path(path).name, kind, "", url=url)
    # Pictures are what most links without an ending show (CDNs, image services).
    return Attachment(Path(path).name or url, "image", "", url=url)


def sniff(head: bytes, suffix: str) -> tuple[str, str]:
    """Kind and MIME type from the first bytes. Raises UsageError for what no model takes."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image", "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image", "image/jpeg"
    if head.startswith(b"%PDF-"):
        return "file", "application/pdf"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video", "video/x-matroska"
    if head[4:8] == b"ftyp":
        return _iso_media(head[8:12])
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio", "audio/wav"
    if head.startswith(b"ID3") or head[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"):
        return "audio", "audio/mpeg"
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")) and suffix in _DOCUMENTS:
        return "file", _DOCUMENTS[suffix]
    foreign = _foreign_picture(head)
    if foreign:
        raise UsageError(f"{foreign} pictures are not taken by the service", hint="convert it to PNG or JPEG first")
    if _is_text(head):
        return "text", "text/plain"
    raise UsageError(
        "the attachment is of no kind that a model takes",
        hint="pictures: png, jpeg; video: mp4, mkv, mov; documents: pdf, docx, xlsx, pptx; any UTF-8 text",
    )


def _iso_media(brand: bytes) -> tuple[str, str]:
    if brand in (b"heic", b"heix", b"mif1", b"avif", b"heim"):
        raise UsageError("HEIC and AVIF pictures are not taken by the service", hint="convert it to PNG or JPEG first")
    return "video", "video/quicktime" if brand == b"qt  " else "video/mp4"


def _foreign_picture(head: bytes) -> str | None:
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    for magic, name in ((b"GIF8", "GIF"), (b"BM", "BMP"), (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF")):
        if head.startswith(magic) and b"\x00" in head[:32]:
            return name
    return None


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) - error.start < 4 and len(head) >= 65536  # cut inside a character
    return True


def _check(attachment: Attachment, head: bytes) -> None:
    limit = LIMITS[attachment.kind]
    if attachment.size > limit:
        raise UsageError(
            f"{attachment.name} has {attachment.size / MIB:.1f} MiB; the service takes {limit // MIB} MiB",
            hint="make it smaller, or attach a URL",
        )
    if attachment.kind == "image":
        size = picture_size(head)
        if size is not None and max(size) > MAX_PIXELS:
            raise UsageError(
                f"{attachment.name} has {size[0]}x{size[1]} pixels; the service takes {MAX_PIXELS}x{MAX_PIXELS}",
                hint="scale it down first",
            )


def picture_size(head: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG, in pixels; None when the first bytes do not tell."""
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    position = 2
    while head.startswith(b"\xff\xd8") and position + 9 < len(head):
        if head[position] != 0xFF:
            return None
        marker = head[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(head[position + 5 : position + 7], "big")
            return int.from_bytes(head[position + 7 : position + 9], "big"), height
        position += 2 + int.from_bytes(head[position + 2 : position + 4], "big")
    return None


def _read_text(attachment: Attachment) -> str:
    assert attachment.path is not None
    try:
        return attachment.path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{attachment.name} cannot be read as UTF-8 text: {error}") from None


def message_content(prompt: str, attachments: Sequence[Attachment], region: Region) -> str | list[dict[str, object]]:
    """The content of a user message: plain text while there is nothing but text, else parts.

    Text files stand in the text itself, so that every model can read them.
    Raises UsageError for kinds that the service does not take together.
    """
    texts = [_quoted(a) for a in attachments if a.text is not None]
    text = "\n\n".join([*texts, prompt] if prompt else texts)
    others = [a for a in attachments if a.text is None]
    kinds = {a.kind for a in others}
    if "file" in kinds and kinds & {"image", "video"}:
        raise UsageError("documents cannot go together with pictures or video", hint="ask in two questions")
    if "audio" in kinds:
        raise UsageError("chat models do not take recordings", hint="glm transcribe writes them down first")
    if len(others) > MAX_FILES and "file" in kinds:
        raise UsageError(f"{len(others)} documents are attached; the service takes {MAX_FILES}")
    if not others:
        return text
    parts = [_part(a, region) for a in others]
    return [*parts, {"type": "text", "text": text}] if text else parts


def _quoted(attachment: Attachment) -> str:
    text = attachment.text or ""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{attachment.name}:\n{fence}\n{text.rstrip()}\n{fence}"


def _part(attachment: Attachment, region: Region) -> dict[str, object]:
    source: object = attachment.url
    if attachment.path is not None:
        source = FileText(attachment.path, attachment.size, f"data:{attachment.mime};base64,")
    if attachment.kind in ("image", "video"):
        kind = f"{attachment.kind}_url"
        return {"type": kind, kind: {"url": source}}
    if attachment.url is not None and region is Region.CN:
        # The older form: the editions of docs.bigmodel.cn that we know have no other.
        return {"type": "file_url", "file_url": {"url": source}}
    key = "file_url" if attachment.url is not None else "file_data"
    return {"type": "file", "file": {key: source, "filename": attachment.name}}


def seeing_model(provider: Provider) -> str:
    """The vision model of a provider: the plan's own one, else the cheapest current one of the region."""
    if provider.plan is Plan.CODING or provider.region is Region.INTL:
        return "glm-5.3-flash"
    return "glm-4.6v"

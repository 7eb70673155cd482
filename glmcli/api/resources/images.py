"""Pictures: `POST /images/generations`, and `/async/images/generations` for glm-image.

Fields, sizes and replies: docs.z.ai api-reference/image and the OpenAPI of
docs.bigmodel.cn (`api/image.md`). `n`, `style`, `response_format` and `user` of
the SDK are documented by nobody and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Region, Service
from glmcli.api.fields import mappings, text, whole
from glmcli.api.resources.async_results import Submission, json_object, submission_from_json
from glmcli.errors import ServiceError, UsageError

DEFAULT_MODEL = "glm-image"
#: The service keeps a picture for so long; its address is then dead.
URL_DAYS = 30
QUALITIES = ("hd", "standard")
#: `hd` takes about 20 s by the documents, and a queue comes on top.
READ_TIMEOUT_SECONDS = 180.0
_USER_ID_LENGTH = (6, 128)


@dataclass(frozen=True, slots=True)
class ImageModel:
    """What is documented of a model. Lengths in pixels; `presets` begins with the default."""

    id: str
    presets: tuple[str, ...]
    shortest: int
    longest: int
    multiple: int
    area: int
    default_quality: str
    regions: tuple[Region, ...] = (Region.INTL, Region.CN)
    asynchronous: bool = False


_COGVIEW_SIZES = ("1024x1024", "768x1344", "864x1152", "1344x768", "1152x864", "1440x720", "720x1440")


def _cogview(id: str, *regions: Region) -> ImageModel:
    return ImageModel(id, _COGVIEW_SIZES, 512, 2048, 16, 2**21, "standard", regions)


#: Models with documented limits; any other id is sent as it is, unchecked.
MODELS: Mapping[str, ImageModel] = {
    model.id: model
    for model in (
        ImageModel(
            "glm-image",
            ("1280x1280", "1568x1056", "1056x1568", "1472x1088", "1088x1472", "1728x960", "960x1728"),
            1024,
            2048,
            32,
            2**22,
            "hd",
            asynchronous=True,
        ),
        _cogview("cogview-4-250304", Region.INTL, Region.CN),
        _cogview("cogview-4", Region.CN),
        _cogview("cogview-3-flash", Region.CN),
    )
}


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What to draw. What is None is left to the service; `extra` fields replace those of the same name."""

    prompt: str
    model: str = DEFAULT_MODEL
    size: str | None = None
    quality: str | None = None
    watermark: bool | None = None
    user_id: str | None = None
    request_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """The JSON that is sent."""
        optional = {
            "quality": self.quality,
            "size": self.size,
            "watermark_enabled": self.watermark,
            "user_id": self.user_id,
            "request_id": self.request_id,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        return {"model": self.model, "prompt": self.prompt, **given, **self.extra}


def check(request: ImageRequest, *, region: Region, asynchronous: bool = False) -> list[str]:
    """Compare a request with what is documented; the doubts that remain, as sentences.

    Raises UsageError for what the service surely refuses. A model that we do
    not know, and fields from `extra`, are the service's to judge.
    """
    if not request.prompt.strip():
        raise UsageError("the prompt is empty", hint='glm image "a red fox"')
    shortest, longest = _USER_ID_LENGTH
    if request.user_id is not None and not shortest <= len(request.user_id) <= longest:
        raise UsageError(
            f"--user-id has {len(request.user_id)} characters",
            hint=f"the service takes {shortest} to {longest} characters",
        )
    model = MODELS.get(request.model)
    if model is None:
        return []
    _check_quality(request, model, region, asynchronous)
    return [*_check_size(request, model), *_doubts(request, model, region)]


def _check_quality(request: ImageRequest, model: ImageModel, region: Region, asynchronous: bool) -> None:
    if asynchronous and not model.asynchronous:
        raise UsageError(f"{model.id} cannot be asked asynchronously", hint=f"use -m {DEFAULT_MODEL}, or drop --async")
    if request.quality is not None and request.quality not in QUALITIES:
        raise UsageError(f"there is no quality {request.quality!r}", hint=f"choose {' or '.join(QUALITIES)}")
    only_hd = model.id == DEFAULT_MODEL and (asynchronous or region is Region.CN)
    if only_hd and request.quality == "standard":
        raise UsageError(f"{model.id} only takes --quality hd here", hint="leave --quality out")


def parse_size(size: str) -> tuple[int, int] | None:
    """Width and height of `1280x1280`; None for anything else."""
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", size)
    return (int(found[1]), int(found[2])) if found else None


def _check_size(request: ImageRequest, model: ImageModel) -> Iterator[str]:
    """Presets always pass: two of them break the rule about the shortest side that stands beside them."""
    if request.size is None or request.size in model.presets:
        return
    sides = parse_size(request.size)
    hint = f"glm image --size list, or for example --size {model.presets[0]}"
    if sides is None:
        raise UsageError(f"--size {request.size!r} is not WIDTHxHEIGHT", hint=hint)
    if any(side % model.multiple for side in sides):
        nearest = "x".join(str(_nearest(side, model)) for side in sides)
        raise UsageError(
            f"{model.id} takes sides that are multiples of {model.multiple}, which {request.size} is not",
            hint=f"the nearest is --size {nearest}",
        )
    if sides[0] * sides[1] > model.area:
        raise UsageError(
            f"{request.size} has {sides[0] * sides[1]} pixels; {model.id} takes at most {model.area}", hint=hint
        )
    if min(sides) < model.shortest or max(sides) > model.longest:
        yield f"{model.id} is documented for sides of {model.shortest} to {model.longest} pixels"


def _nearest(side: int, model: ImageModel) -> int:
    """The length closest to one that is refused."""
    multiple = round(side / model.multiple) * model.multiple
    return min(max(multiple, model.shortest), model.longest)


def _doubts(request: ImageRequest, model: ImageModel, region: Region) -> Iterator[str]:
    if region not in model.regions:
        yield f"{model.id} is documented for Zhipu (BigModel) only"
    if request.watermark is not None and region is not Region.CN:
        yield "the watermark is documented for Zhipu (BigModel) only"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that was made. `content` holds it where the service sent it inside its answer.

    `content_filter` has pairs of role and level, 0 the most severe of 3.
    """

    url: str | None
    content: bytes | None = None
    created: int | None = None
    model: str | None = None
    request_id: str | None = None
    revised_prompt: str | None = None
    content_filter: tuple[tuple[str, int], ...] = ()


class Images:
    """`/images/generations` of either region."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create(self, request: ImageRequest, *, read_timeout_seconds: float | None = READ_TIMEOUT_SECONDS) -> Image:
        """Draw, and wait for it; a time-out of None is that of the settings.

        Raises what `Caller.send` raises, and ServiceError for a reply without a picture.
        """
        call = Call(
            Service.MEDIA,
            "POST",
            "/images/generations",
            body=json_body(request.body()),
            repeatable=False,
            read_timeout_seconds=read_timeout_seconds,
        )
        reply = self._caller.send(call)
        return image_from_json(json_object(reply), reply.request_id)

    def submit(self, request: ImageRequest) -> Submission:
        """Have it drawn later (glm-image only); `async_results` has the rest."""
        body = json_body(request.body())
        reply = self._caller.send(Call(Service.MEDIA, "POST", "/async/images/generations", body=body, repeatable=False))
        return submission_from_json(json_object(reply), reply.request_id)


def image_from_json(body: Mapping[str, Any], request_id: str | None = None) -> Image:
    """The picture of a reply. Raises ServiceError when there is none."""
    item = next(iter(mappings(body, "data") or mappings(body, "image_result")), {})
    url, content = text(item, "url"), _decoded(text(item, "b64_json"))
    if not url and content is None:
        raise ServiceError("the service answered without a picture", request_id=request_id)
    return Image(
        url=url,
        content=content,
        created=whole(body, "created"),
        model=text(body, "model"),
        request_id=text(body, "request_id") or request_id,
        revised_prompt=text(item, "revised_prompt"),
        content_filter=tuple(_filtered(body)),
    )


def _filtered(body: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for item in mappings(body, "content_filter"):
        level = whole(item, "level")
        if level is not None:
            yield text(item, "role") or "assistant", level


def _decoded(encoded: str | None) -> bytes | None:
    import base64
    import binascii

    try:
        return base64.b64decode(encoded) if encoded else None
    except binascii.Error:
        return None

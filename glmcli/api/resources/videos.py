"""Videos: `POST /videos/generations`, always asynchronous.

Groups, fields and limits: docs.z.ai api-reference/video and the OpenAPI of
docs.bigmodel.cn (`api/video.md`). The newest page of Z.AI lists cogvideox-3
alone; which models a region has is therefore data here, and never a gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Region, Service
from glmcli.api.resources.async_results import Submission, json_object, submission_from_json
from glmcli.errors import UsageError

DEFAULT_MODEL = "cogvideox-3"
MAX_PROMPT_CHARACTERS = 512
_MIB = 1024 * 1024
_LENGTHS = {"request_id": (6, 64), "user_id": (6, 128)}
#: Field -> the option that sets it.
FLAGS: Mapping[str, str] = {
    "quality": "--quality",
    "with_audio": "--audio",
    "size": "--size",
    "fps": "--fps",
    "duration": "--duration",
    "style": "--style",
    "aspect_ratio": "--aspect-ratio",
    "movement_amplitude": "--movement",
    "watermark_enabled": "--watermark",
}

Values = tuple[object, ...]
_SWITCH: Values = (True, False)
_MOVEMENT: Values = ("auto", "small", "medium", "large")
_RATIOS: Values = ("16:9", "9:16", "1:1")
_LARGE: Values = ("1920x1080", "1080x1920", "2048x1080", "3840x2160")


@dataclass(frozen=True, slots=True)
class VideoModel:
    """What is documented of a model.

    `prompt` is required, optional, or either (it or a picture). `images` is the
    smallest and largest number of pictures; `is_list` says that one alone is
    sent as a list too. `fields` holds the values that each field takes, the
    default first. Sizes in bytes and pixels.
    """

    id: str
    prompt: str
    images: tuple[int, int]
    fields: Mapping[str, Values]
    is_list: bool = False
    formats: tuple[str, ...] = ("png", "jpeg", "webp")
    image_bytes: int = 50 * _MIB
    shortest_side: int = 0
    regions: tuple[Region, ...] = (Region.INTL, Region.CN)


def _cogvideox(id: str, images: int, sizes: Values, regions: tuple[Region, ...], **more: Values) -> VideoModel:
    fields = {
        "quality": ("speed", "quality"),
        "with_audio": _SWITCH[::-1],
        "size": (*sizes, *_LARGE),
        "fps": (30, 60),
        "watermark_enabled": _SWITCH,
        **more,
    }
    return VideoModel(id, "either", (0, images), fields, formats=("png", "jpeg"), image_bytes=5 * _MIB, regions=regions)


def _vidu(id: str, images: tuple[int, int], duration: int, *sizes: str, **more: Values) -> VideoModel:
    fields: dict[str, Values] = {"duration": (duration,), "size": sizes, "movement_amplitude": _MOVEMENT, **more}
    if images[1]:
        fields["with_audio"] = _SWITCH[::-1]
    is_list = id.endswith(("-start-end", "-reference"))
    side = 128 if id.endswith("-reference") else 0
    prompt = "optional" if images[1] else "required"
    return VideoModel(id, prompt, images, fields, is_list=is_list, shortest_side=side)


_BOTH = (Region.INTL, Region.CN)

#: Models with documented limits; any other id is sent as it is, unchecked.
MODELS: Mapping[str, VideoModel] = {
    model.id: model
    for model in (
        _cogvideox("cogvideox-3", 2, ("1280x720", "720x1280", "1024x1024"), _BOTH, duration=(5, 10)),
        _vidu("viduq1-text", (0, 0), 5, "1920x1080", style=("general", "anime"), aspect_ratio=_RATIOS),
        _vidu("viduq1-image", (1, 1), 5, "1920x1080"),
        _vidu("vidu2-image", (1, 1), 4, "1280x720"),
        _vidu("viduq1-start-end", (1, 2), 5, "1920x1080"),
        _vidu("vidu2-start-end", (1, 2), 4, "1280x720", "480x360"),
        _vidu("vidu2-reference", (1, 3), 4, "1280x720", aspect_ratio=_RATIOS),
        _cogvideox("cogvideox-2", 1, ("720x480", "1024x1024", "1280x960", "960x1280"), (Region.CN,)),
        _cogvideox("cogvideox-flash", 1, ("720x480", "1024x1024", "1280x960", "960x1280"), (Region.CN,)),
    )
}


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture that goes along. `source` is what is sent: an address, a data URI, or a file's text.

    `format` (png, jpeg, webp), `bytes` and `pixels` (width, height) are None where they are not known.
    """

    name: str
    source: object
    format: str | None = None
    bytes: int | None = None
    pixels: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """What to film. `options` holds the fields of `FLAGS` that were given; `extra` replaces all of the same name."""

    prompt: str | None
    model: str = DEFAULT_MODEL
    frames: Sequence[Frame] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    user_id: str | None = None
    request_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """The JSON that is sent; a picture from disk is read while it leaves."""
        optional: dict[str, object] = {
            "prompt": self.prompt or None,
            "image_url": self._image_url(),
            **self.options,
            "request_id": self.request_id,
            "user_id": self.user_id,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        return {"model": self.model, **given, **self.extra}

    def _image_url(self) -> object:
        """One picture as a string, several as a list: BigModel's schema wants two items in a list."""
        sources = [frame.source for frame in self.frames]
        if not sources:
            return None
        model = MODELS.get(self.model)
        is_list = len(sources) > 1 or (model is not None and model.is_list)
        return sources if is_list else sources[0]


class Videos:
    """`/videos/generations` of either region."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def submit(self, request: VideoRequest) -> Submission:
        """Have it filmed; `async_results` has the rest. Raises what `Caller.send` raises."""
        body = json_body(request.body())
        reply = self._caller.send(Call(Service.MEDIA, "POST", "/videos/generations", body=body, repeatable=False))
        return submission_from_json(json_object(reply), reply.request_id)


# -- checks ------------------------------------------------------------------------------


def check(request: VideoRequest, *, region: Region) -> list[str]:
    """Compare a request with what is documented; the doubts that remain, as sentences.

    Raises UsageError for what the service surely refuses. A model that we do
    not know, and fields from `extra`, are the service's to judge.
    """
    for name, value in (("request_id", request.request_id), ("user_id", request.user_id)):
        shortest, longest = _LENGTHS[name]
        if value is not None and not shortest <= len(value) <= longest:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{flag} has {len(value)} characters", hint=f"the service takes {shortest} to {longest} characters"
            )
    model = MODELS.get(request.model)
    if model is None:
        return []
    _check_prompt(request, model)
    _check_fields(request, model)
    _check_number(request, model)
    for frame in request.frames:
        _check_frame(frame, model)
    _check_pair(request, model)
    return list(_doubts(request, model, region))


def _check_prompt(request: VideoRequest, model: VideoModel) -> None:
    if "prompt" in request.extra or "image_url" in request.extra:
        return
    if not request.prompt and (model.prompt == "required" or (model.prompt == "either" and not request.frames)):
        needed = "a prompt" if model.prompt == "required" else "a prompt or a picture"
        raise UsageError(f"{model.id} needs {needed}", hint='glm video "a cat typing"')
    if request.prompt and len(request.prompt) > MAX_PROMPT_CHARACTERS:
        raise UsageError(
            f"the prompt has {len(request.prompt)} characters; {model.id} takes {MAX_PROMPT_CHARACTERS}",
            hint="make it shorter",
        )


def _check_fields(request: VideoRequest, model: VideoModel) -> None:
    for name, value in request.options.items():
        flag = FLAGS[name]
        if name == "watermark_enabled":
            continue  # a matter of the region, not of the model
        if name not in model.fields:
            known = ", ".join(FLAGS[field] for field in model.fields if field != "watermark_enabled")
            raise UsageError(f"{model.id} has no {flag}", hint=f"it takes {known}")
        choices = model.fields[name]
        if value not in choices:
            words = ", ".join(map(str, choices))
            raise UsageError(f"{flag} {value} is nothing that {model.id} takes", hint=f"choose {words}")


def _check_number(request: VideoRequest, model: VideoModel) -> None:
    count, (fewest, most) = len(request.frames), model.images
    if fewest <= count <= most or "image_url" in request.extra:
        return
    if most == 0:
        raise UsageError(f"{model.id} takes no pictures", hint=f"use -m viduq1-image or -m {DEFAULT_MODEL}")
    wanted = str(most) if fewest == most else f"{fewest} to {most}"
    raise UsageError(f"{count} pictures are given; {model.id} takes {wanted}", hint="glm video --image first.png")


def _check_frame(frame: Frame, model: VideoModel) -> None:
    if frame.format is not None and frame.format not in model.formats:
        raise UsageError(
            f"{frame.name} is {frame.format.upper()}, which {model.id} does not take",
            hint=f"convert it to {' or '.join(name.upper() for name in model.formats[:2])} first",
        )
    if frame.bytes is not None and frame.bytes > model.image_bytes:
        raise UsageError(
            f"{frame.name} has {frame.bytes / _MIB:.1f} MiB; {model.id} takes {model.image_bytes // _MIB} MiB",
            hint="make it smaller, or give an address",
        )
    if frame.pixels is None or not model.id.startswith("vidu"):
        return
    width, height = frame.pixels
    if min(width, height) < model.shortest_side:
        raise UsageError(
            f"{frame.name} has {width}x{height} pixels; {model.id} takes {model.shortest_side} a side and more"
        )
    if not 1 / 4 <= width / height <= 4:
        raise UsageError(f"{frame.name} has {width}x{height} pixels; {model.id} takes shapes from 1:4 to 4:1")


def _check_pair(request: VideoRequest, model: VideoModel) -> None:
    """First and last frame have to be of similar size."""
    sizes = [frame.pixels for frame in request.frames]
    if not model.id.endswith("-start-end") or len(sizes) != 2 or sizes[0] is None or sizes[1] is None:
        return
    ratio = (sizes[0][0] * sizes[0][1]) / (sizes[1][0] * sizes[1][1])
    if not 0.8 <= ratio <= 1.25:
        raise UsageError(
            f"first and last picture differ too much in size ({sizes[0][0]}x{sizes[0][1]}, "
            f"{sizes[1][0]}x{sizes[1][1]})",
            hint=f"{model.id} takes a ratio of 0.8 to 1.25: scale one of them",
        )


def _doubts(request: VideoRequest, model: VideoModel, region: Region) -> Iterator[str]:
    if region not in model.regions:
        yield f"{model.id} is documented for Zhipu (BigModel) only"
    if region is Region.INTL and model.id.startswith("vidu"):
        yield f"the newest documents of Z.AI no longer list {model.id}"
    if "watermark_enabled" in request.options and region is not Region.CN:
        yield "the watermark is documented for Zhipu (BigModel) only"
    if model.id == DEFAULT_MODEL and len(request.frames) == 2 and request.options.get("quality") == "quality":
        yield "first and last frame are documented for --quality speed only"
    if model.id.startswith("viduq1") and request.options.get("with_audio") and region is Region.CN:
        yield "music is documented for videos of 4 seconds (vidu2) only"

"""Strict checks of image and video requests (OpenAPI of docs.z.ai and docs.bigmodel.cn).

1213 a required field is missing, 1214 a value is out of range, 1210 the field
does not exist for this model or region, 1211 the model is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glmcli.sandbox.checks import check_fields, is_integer, is_text, require
from glmcli.sandbox.exchange import Refusal
from glmcli.sandbox.parts import measure

Body = Mapping[str, Any]
CN, INTL = "cn", "intl"

_MIB = 1024 * 1024
_QUALITIES = ("hd", "standard")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Presets, the first of them the default, and the rule for all other sizes."""

    presets: tuple[str, ...]
    shortest: int
    multiple: int
    area: int

    def allow(self, size: object) -> bool:
        """Whether the service would draw so large."""
        if size in self.presets:
            return True
        sides = measures(size)
        return (
            sides is not None
            and all(self.shortest <= side <= 2048 and side % self.multiple == 0 for side in sides)
            and sides[0] * sides[1] <= self.area
        )


_GLM_IMAGE = Sizes(
    ("1280x1280", "1568x1056", "1056x1568", "1472x1088", "1088x1472", "1728x960", "960x1728"), 1024, 32, 2**22
)
_COGVIEW = Sizes(("1024x1024", "768x1344", "864x1152", "1344x768", "1152x864", "1440x720", "720x1440"), 512, 16, 2**21)
IMAGE_MODELS: Mapping[str, tuple[Sizes, tuple[str, ...]]] = {
    "glm-image": (_GLM_IMAGE, (INTL, CN)),
    "cogview-4-250304": (_COGVIEW, (INTL, CN)),
    "cogview-4": (_COGVIEW, (CN,)),
    "cogview-3-flash": (_COGVIEW, (CN,)),
}


def measures(size: object) -> tuple[int, int] | None:
    """Width and height of `1280x1280`, or None."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size) if isinstance(size, str) else None
    return (int(found[1]), int(found[2])) if found else None


def check_image(body: Body, regions: Sequence[str], *, asynchronous: bool) -> tuple[int, int]:
    """Check a request for a picture; its width and height. Raises Refusal.

    regions: where the account lives; one that lives everywhere may ask for all.
    """
    require(body, "model", "prompt")
    known = IMAGE_MODELS.get(body["model"]) if isinstance(body["model"], str) else None
    if known is None or not set(known[1]) & set(regions):
        raise Refusal("1211")
    if asynchronous and body["model"] != "glm-image":
        raise Refusal("1212", "async")
    sizes = known[0]
    only_hd = body["model"] == "glm-image" and (asynchronous or INTL not in regions)
    fields = {
        "model": lambda v: isinstance(v, str),
        "prompt": lambda v: is_text(v, 1, 100_000),
        "quality": lambda v: v == "hd" if only_hd else v in _QUALITIES,
        "size": sizes.allow,
        "user_id": lambda v: is_text(v, 6, 128),
        "request_id": lambda v: is_text(v, 1, 64),
    }
    if CN in regions:
        fields["watermark_enabled"] = lambda v: isinstance(v, bool)
    check_fields(body, fields)
    sides = measures(body.get("size") or sizes.presets[0])
    assert sides is not None
    return sides


# -- video -------------------------------------------------------------------------------

_LARGE = ("1920x1080", "1080x1920", "2048x1080", "3840x2160")
_SIZES_3 = ("1280x720", "720x1280", "1024x1024", *_LARGE)
_SIZES_2 = ("720x480", "1024x1024", "1280x960", "960x1280", *_LARGE)
_MOVEMENT = ("auto", "small", "medium", "large")
_RATIOS = ("16:9", "9:16", "1:1")


@dataclass(frozen=True, slots=True)
class Film:
    """What a video model takes: the values of each field, and so many pictures."""

    values: Mapping[str, tuple[Any, ...]]
    images: tuple[int, int] = (0, 0)
    needs_prompt: bool = False
    as_text: bool = True
    as_list: bool = False
    formats: tuple[str, ...] = ("png", "jpeg", "webp")
    image_bytes: int = 50 * _MIB
    regions: tuple[str, ...] = (INTL, CN)


def _vidu(duration: int, *sizes: str, **more: tuple[Any, ...]) -> dict[str, tuple[Any, ...]]:
    return {"duration": (duration,), "size": sizes, "movement_amplitude": _MOVEMENT, **more}


def _cog(sizes: tuple[str, ...], **more: tuple[Any, ...]) -> dict[str, tuple[Any, ...]]:
    return {"quality": ("speed", "quality"), "with_audio": (True, False), "size": sizes, "fps": (30, 60), **more}


_MUSIC = (True, False)
_OLD = Film(_cog(_SIZES_2), (0, 1), formats=("png", "jpeg"), image_bytes=5 * _MIB, regions=(CN,))
VIDEO_MODELS: Mapping[str, Film] = {
    "cogvideox-3": Film(
        _cog(_SIZES_3, duration=(5, 10)), (0, 2), as_list=True, formats=("png", "jpeg"), image_bytes=5 * _MIB
    ),
    "cogvideox-2": _OLD,
    "cogvideox-flash": _OLD,
    "viduq1-text": Film(_vidu(5, "1920x1080", style=("general", "anime"), aspect_ratio=_RATIOS), needs_prompt=True),
    "viduq1-image": Film(_vidu(5, "1920x1080", with_audio=_MUSIC), (1, 1)),
    "vidu2-image": Film(_vidu(4, "1280x720", with_audio=_MUSIC), (1, 1)),
    "viduq1-start-end": Film(_vidu(5, "1920x1080", with_audio=_MUSIC), (1, 2), as_text=False, as_list=True),
    "vidu2-start-end": Film(_vidu(4, "1280x720", "480x360", with_audio=_MUSIC), (1, 2), as_text=False, as_list=True),
    "vidu2-reference": Film(
        _vidu(4, "1280x720", with_audio=_MUSIC, aspect_ratio=_RATIOS), (1, 3), as_text=False, as_list=True
    ),
}


def check_video(body: Body, regions: Sequence[str]) -> None:
    """Check a request for a video. Raises Refusal."""
    require(body, "model")
    film = VIDEO_MODELS.get(body["model"]) if isinstance(body["model"], str) else None
    if film is None or not set(film.regions) & set(regions):
        raise Refusal("1211")
    fields: dict[str, Any] = {name: _one_of(values) for name, values in film.values.items()}
    fields |= {
        "model": lambda v: isinstance(v, str),
        "prompt": lambda v: is_text(v, 1, 512),
        "request_id": lambda v: is_text(v, 6, 64),
        "user_id": lambda v: is_text(v, 6, 128),
    }
    if film.images[1]:
        fields["image_url"] = lambda v: isinstance(v, str | list)
    if CN in regions and "quality" in film.values:
        fields["watermark_enabled"] = lambda v: isinstance(v, bool)
    check_fields(body, fields)
    _check_content(body, film, regions)


def _one_of(values: tuple[Any, ...]) -> Any:
    # `1 in (True,)` is true in Python, and 5.0 is no duration.
    return lambda v: any(type(v) is type(value) and v == value for value in values)


def _check_content(body: Body, film: Film, regions: Sequence[str]) -> None:
    given = body.get("image_url")
    if not body.get("prompt") and (film.needs_prompt or given is None):
        raise Refusal("1213", "prompt")
    if given is None:
        if film.images[0]:
            raise Refusal("1213", "image_url")
        return
    urls = given if isinstance(given, list) else [given]
    is_right_type = film.as_list if isinstance(given, list) else film.as_text
    # BigModel's schema for cogvideox-3 is a string, or a list of exactly two.
    if body["model"] == "cogvideox-3" and INTL not in regions and isinstance(given, list) and len(given) != 2:
        is_right_type = False
    if not is_right_type or not film.images[0] <= len(urls) <= film.images[1] or not urls:
        raise Refusal("1214", "image_url")
    for url in urls:
        _check_picture(url, film)


def _check_picture(url: object, film: Film) -> None:
    if not isinstance(url, str) or not url.startswith(("http://", "https://", "data:image/")):
        raise Refusal("1214", "image_url")
    if not url.startswith("data:"):
        return
    import base64

    try:
        data = base64.b64decode(url.partition(";base64,")[2], validate=True)
    except ValueError:
        raise Refusal("1214", "image_url") from None
    if measure(data)[0] not in film.formats or not is_integer(len(data), 1, film.image_bytes):
        raise Refusal("1214", "image_url")

"""Models that do not chat: pictures, video, sound, documents.

Hints as in `catalog`; prices are those of docs.z.ai/guides/overview/pricing as
of `catalog.PRICES_AS_OF`, None where that page has no figure in USD.
"""

from __future__ import annotations

from typing import NamedTuple


class OtherModel(NamedTuple):
    """A model, what it makes, and the command that uses it. `price` is USD per `unit`."""

    id: str
    makes: str
    command: str
    price: float | None = None
    unit: str = ""
    regions: tuple[str, ...] = ("intl", "cn")


_CN = ("cn",)
_VIDEO = ("video", "glm video")

OTHER_MODELS: dict[str, OtherModel] = {
    model.id: model
    for model in (
        OtherModel("glm-image", "pictures", "glm image", 0.015, "picture"),
        OtherModel("cogview-4-250304", "pictures", "glm image", 0.01, "picture"),
        OtherModel("cogview-4", "pictures", "glm image", regions=_CN),
        OtherModel("cogview-3-flash", "pictures", "glm image", regions=_CN),
        OtherModel("cogvideox-3", *_VIDEO, 0.2, "video"),
        OtherModel("cogvideox-2", *_VIDEO, regions=_CN),
        OtherModel("cogvideox-flash", *_VIDEO, regions=_CN),
        OtherModel("viduq1-text", *_VIDEO, 0.4, "video"),
        OtherModel("viduq1-image", *_VIDEO, 0.4, "video"),
        OtherModel("viduq1-start-end", *_VIDEO, 0.4, "video"),
        OtherModel("vidu2-image", *_VIDEO, 0.2, "video"),
        OtherModel("vidu2-start-end", *_VIDEO, 0.2, "video"),
        OtherModel("vidu2-reference", *_VIDEO, 0.4, "video"),
        OtherModel("glm-asr-2512", "text of speech", "glm transcribe", 0.03, "million tokens"),
        OtherModel("glm-tts", "speech", "glm speak", regions=_CN),
        OtherModel("glm-ocr", "text of documents", "glm ocr", 0.03, "million tokens"),
    )
}

#: USD of a call that asks no model.
_CALLS = {"search-prime": 0.01}
_PIECES = ("picture", "video")


def piece_usd(model: str) -> float | None:
    """USD of one picture, video or search; None where the public table has no figure."""
    known = OTHER_MODELS.get(model.lower())
    return known.price if known is not None and known.unit in _PIECES else _CALLS.get(model)

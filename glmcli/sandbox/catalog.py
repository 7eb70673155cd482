"""The chat models that the sandbox knows, with the limits that it checks.

Sources: OpenAPI of docs.z.ai (ChatCompletionTextRequest, VisionRequest,
ChatThinking) and docs.bigmodel.cn, autumn 2026.
"""

from __future__ import annotations

from dataclasses import dataclass

_K = 1024
_FORCED_EFFORTS = ("low", "high", "max")
_ALL_EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal", "none")


@dataclass(frozen=True, slots=True)
class Model:
    """What a model takes. `thinking` is `forced`, `optional` or `none`."""

    id: str
    context: int
    max_output: int
    thinking: str = "optional"
    efforts: tuple[str, ...] = ()
    vision: bool = False
    tools: bool = True
    tool_stream: bool = False
    max_images: int = 0
    max_videos: int = 0
    file_id: bool = False

    @property
    def default_max_tokens(self) -> int:
        """The budget when a request names none."""
        if self.id.startswith("glm-5"):
            return 65536
        return 16384 if self.id.startswith("glm-4.6v") else self.max_output


def _text(
    *ids: str,
    context: int,
    output: int,
    thinking: str = "optional",
    efforts: tuple[str, ...] = (),
    stream: bool = True,
) -> list[Model]:
    return [Model(id, context, output, thinking, efforts, tool_stream=stream) for id in ids]


def _seeing(
    *ids: str,
    context: int,
    output: int,
    thinking: str = "optional",
    efforts: tuple[str, ...] = (),
    tools: bool = True,
    images: int = 150,
    videos: int = 2,
    file_id: bool = False,
) -> list[Model]:
    return [Model(id, context, output, thinking, efforts, True, tools, False, images, videos, file_id) for id in ids]


_GLM_4_5 = ("glm-4.5", "glm-4.5-air", "glm-4.5-x", "glm-4.5-airx", "glm-4.5-flash")
_WITHOUT_THINKING = ("glm-4-32b-0414-128k", "glm-4-flash-250414", "glm-4-flashx-250414", "glm-4-plus")
_GLM_5_3_SEEING = ("glm-5.3-flash", "glm-5.3-flashx")

MODELS: dict[str, Model] = {
    model.id: model
    for model in (
        *_text("glm-5.3", context=1024 * _K, output=128 * _K, thinking="forced", efforts=_FORCED_EFFORTS),
        *_text("glm-5.2", context=1024 * _K, output=128 * _K, efforts=_ALL_EFFORTS),
        *_text("glm-5.1", "glm-5", "glm-5-turbo", context=200_000, output=128 * _K),
        *_text("glm-4.7", "glm-4.7-flash", "glm-4.7-flashx", "glm-4.6", context=200_000, output=128 * _K),
        *_text(*_GLM_4_5, context=128_000, output=96 * _K, stream=False),
        *_text(*_WITHOUT_THINKING, context=128_000, output=16 * _K, thinking="none", stream=False),
        *_seeing(
            *_GLM_5_3_SEEING,
            context=1024 * _K,
            output=128 * _K,
            thinking="forced",
            efforts=_FORCED_EFFORTS,
            file_id=True,
        ),
        *_seeing("glm-5v-turbo", context=200_000, output=128 * _K),
        *_seeing("glm-4.6v", "glm-4.6v-flash", "glm-4.6v-flashx", context=128_000, output=32 * _K),
        *_seeing("glm-4.5v", context=64_000, output=16 * _K, tools=False, images=50, videos=1),
        *_seeing("autoglm-phone-multilingual", context=32_000, output=4 * _K, thinking="none", videos=0),
    )
}

#: On the Coding Plan these are answered by another model.
PLAN_ALIASES = {"glm-5.2": "glm-5.3", "glm-5.1": "glm-5.3", "glm-4.7": "glm-5.3-flash"}
#: Outside the plan, and refused as unpaid (1113) where others are refused by name (1311).
PLAN_UNPAID = ("glm-4.7-flashx", "glm-4-32b-0414-128k")

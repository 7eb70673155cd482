"""`--think off|low|medium|high|max|auto` as the fields each model understands.

Source: docs.z.ai ChatThinking and `reasoning_effort` (`api/chat.md` section 5):
glm-5.3 always thinks and takes low, high, max; glm-5.2 takes seven efforts, of
which it tells off, high and max apart; older models know on and off only.
"""

from __future__ import annotations

from typing import NamedTuple

from glmcli.api.catalog import find_model

LEVELS = ("off", "low", "medium", "high", "max", "auto")


class ThinkingFields(NamedTuple):
    """Fields to merge into a request, and what to tell the user when a level was replaced."""

    fields: dict[str, object]
    note: str | None = None


_NEAREST = {"off": "low", "low": "low", "medium": "high", "high": "high", "max": "max"}


def thinking_fields(model_id: str, level: str, *, refused: bool = False) -> ThinkingFields:
    """The `thinking` and `reasoning_effort` fields for a level of `LEVELS`.

    `auto` sends nothing, which leaves the choice to the service. `refused`
    says that this model was seen to refuse `reasoning_effort` (code 1210).
    A model that is not in the catalog gets the switch alone for `off` and
    the switch with the effort otherwise.
    """
    if level == "auto":
        return ThinkingFields({})
    model = find_model(model_id)
    if model is not None and model.thinking is None:
        if level == "off":
            return ThinkingFields({})
        return ThinkingFields({}, f"{model_id} does not think; --think {level} is left out")
    can_disable = model is None or (model.thinking is not None and model.thinking.can_disable)
    efforts = model.thinking.efforts if model is not None and model.thinking is not None else ("low", "high", "max")
    if refused:
        efforts = ()
    if level == "off" and can_disable:
        return ThinkingFields({"thinking": {"type": "disabled"}})
    return _effort(model_id, level, efforts)


def _effort(model_id: str, level: str, efforts: tuple[str, ...]) -> ThinkingFields:
    enabled: dict[str, object] = {"thinking": {"type": "enabled"}}
    if not efforts:
        if level in ("high", "max"):
            return ThinkingFields(enabled)
        return ThinkingFields(enabled, f"{model_id} has no thinking levels; it thinks as much as it wants to")
    if level in efforts:
        return ThinkingFields({**enabled, "reasoning_effort": level})
    nearest = _NEAREST[level]
    return ThinkingFields(
        {**enabled, "reasoning_effort": nearest},
        f"{model_id} has no thinking level {level!r}; using {nearest!r}",
    )

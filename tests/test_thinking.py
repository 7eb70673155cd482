"""`--think` for every model of the table in `api/chat.md` section 5."""

from __future__ import annotations

import pytest

from glmcli.api.catalog import MODELS
from glmcli.api.thinking import LEVELS, thinking_fields

ON = {"type": "enabled"}
OFF = {"type": "disabled"}


@pytest.mark.parametrize(
    ("model", "level", "fields", "told"),
    [
        ("glm-5.3", "off", {"thinking": ON, "reasoning_effort": "low"}, True),
        ("glm-5.3", "low", {"thinking": ON, "reasoning_effort": "low"}, False),
        ("glm-5.3", "medium", {"thinking": ON, "reasoning_effort": "high"}, True),
        ("glm-5.3", "max", {"thinking": ON, "reasoning_effort": "max"}, False),
        ("glm-5.3-flash", "high", {"thinking": ON, "reasoning_effort": "high"}, False),
        ("glm-5.2", "off", {"thinking": OFF}, False),
        ("glm-5.2", "medium", {"thinking": ON, "reasoning_effort": "medium"}, False),
        ("glm-4.6", "off", {"thinking": OFF}, False),
        ("glm-4.6", "high", {"thinking": ON}, False),
        ("glm-4.6", "low", {"thinking": ON}, True),
        ("glm-4.7", "max", {"thinking": ON}, False),
        ("glm-4-32b-0414-128k", "off", {}, False),
        ("glm-4-32b-0414-128k", "high", {}, True),
        ("glm-9", "off", {"thinking": OFF}, False),
        ("glm-9", "high", {"thinking": ON, "reasoning_effort": "high"}, False),
        ("glm-5.3", "auto", {}, False),
    ],
)
def test_a_level_becomes_the_fields_of_the_model(model: str, level: str, fields: dict[str, object], told: bool) -> None:
    """The nearest allowed level is taken, and said when it is another one."""
    found = thinking_fields(model, level)
    assert (fields, told) == (found.fields, found.note is not None)


def test_a_model_that_refused_efforts_gets_none() -> None:
    """After a 1210 only the switch is sent."""
    assert thinking_fields("glm-9", "high", refused=True).fields == {"thinking": ON}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("level", LEVELS)
def test_no_level_sends_what_a_model_refuses(model: str, level: str) -> None:
    """Disabling is sent only where it is allowed, and only efforts that the model has."""
    fields = thinking_fields(model, level).fields
    thinking = MODELS[model].thinking
    if thinking is None:
        assert fields == {}
        return
    assert fields.get("thinking") != OFF or thinking.can_disable
    assert fields.get("reasoning_effort") is None or fields["reasoning_effort"] in thinking.efforts

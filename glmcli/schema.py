"""`--schema FILE`: an answer that is checked against a JSON Schema before anyone sees it.

The service has no schema mode; the schema goes into the prompt, the answer is
validated here, and the model gets one chance to mend it (`api/chat.md` section 6).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glmcli.errors import GlmError, UsageError

if TYPE_CHECKING:
    from glmcli.session import Session
    from glmcli.turn import Turn

#: How many violations are told.
_SHOWN = 5


class SchemaError(GlmError):
    """The answer does not fit the schema, even after it was asked to be mended."""

    kind = "schema"


def load_schema(path: Path) -> dict[str, Any]:
    """A JSON Schema. Raises UsageError for a file that is none."""
    from jsonschema.exceptions import SchemaError as Invalid
    from jsonschema.validators import validator_for

    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"schema {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"schema {path} is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise UsageError(f"schema {path} must be a JSON object")
    try:
        validator_for(schema).check_schema(schema)
    except Invalid as error:
        raise UsageError(f"schema {path} is not a JSON Schema: {error.message}") from None
    return schema


def instruction(schema: dict[str, Any]) -> str:
    """What the system message says about the form of the answer."""
    return (
        "Answer with one JSON document and nothing else: no code fence, no explanation. "
        f"It must be valid against this JSON Schema:\n{json.dumps(schema, ensure_ascii=False)}"
    )


def violations(schema: dict[str, Any], text: str) -> list[str]:
    """What is wrong with an answer; empty when it fits."""
    from jsonschema.validators import validator_for

    try:
        value = json.loads(without_fence(text))
    except (ValueError, RecursionError) as error:
        return [f"it is not JSON: {error}"]
    found = sorted(validator_for(schema)(schema).iter_errors(value), key=lambda error: list(map(str, error.path)))
    return [f"{'.'.join(map(str, error.path)) or 'the document'}: {error.message}" for error in found]


def without_fence(text: str) -> str:
    """The JSON inside an answer that came in a code fence all the same."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text[3:-3].partition("\n")[2]
    return text.strip()


def ask_for_json(session: Session, prompt: str, schema: dict[str, Any], attachments: Any = ()) -> tuple[str, Turn]:
    """Ask, validate, ask once more. Returns the JSON text and the last turn.

    Raises SchemaError (exit 1) with the reasons when it is wrong twice.
    """
    turn = session.ask(prompt, attachments)
    for attempt in range(2):
        if turn.failure is not None:
            raise turn.failure
        wrong = violations(schema, turn.answer.content)
        if not wrong:
            return without_fence(turn.answer.content), turn
        if attempt == 0:
            session.app.streams.note(f"glm: the answer does not fit the schema ({wrong[0]}); asking once more")
            turn = session.ask(f"That is not valid: {'; '.join(wrong[:_SHOWN])}. Answer again with the JSON alone.")
    raise SchemaError(
        "the answer does not fit the schema: " + "; ".join(wrong[:_SHOWN]),
        hint="simplify the schema, or ask a stronger model with -m",
    )

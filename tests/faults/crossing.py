"""Which crossings of commands and faults are run unless `--thorough` is asked for.

One way of each kind of call (`KINDS`) meets every fault. The others go through
the same code, and meet the core: what happens every day, and what is worst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

#: One way of each kind: how the answer comes, what is sent, and who tells the failure.
KINDS = frozenset(
    (
        "chat",  # streamed
        "chat-anthropic",  # streamed, the other protocol
        "chat-whole",  # JSON for JSON
        "models-remote",  # JSON for nothing
        "transcribe",  # a form with a file
        "transcribe-stream",
        "speak",  # sound
        "files-download",  # a file
        "api",  # whatever comes
        "image",  # paid, never repeated
        "batch-submit",  # paid, after an upload
        "batch",  # in threads
        "tasks-wait",  # asked again and again
        "usage",  # the monitor, whose failures have another form
        "doctor",  # a report
    )
)
#: By test and parameter, what the other ways meet.
CORE: dict[str, tuple[str, set[Any]]] = {
    "test_a_fault_of_the_line": (
        "fault",
        {"html 502", "truncated JSON", "reset", "silence", "error in a 200", "other host"},
    ),
    "test_an_answer_without_an_end_is_given_up": ("fault", {"endless JSON", "endless refusal"}),
    "test_what_no_retry_can_mend_is_asked_once": ("code", {"1113", "1308"}),
    "test_a_server_that_quotes_the_key_is_not_repeated": ("flags", {("-vv",)}),
}


def is_thorough(item: pytest.Item) -> bool:
    """Whether another command of the same kind meets the same fault."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    name = getattr(item, "originalname", None)
    if name not in CORE or "way" not in parameters or parameters["way"].name in KINDS:
        return False
    parameter, core = CORE[name]
    value = parameters[parameter]
    return getattr(value, "name", value) not in core

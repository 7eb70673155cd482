"""Questions at the terminal."""

from __future__ import annotations

from io import BytesIO

import pytest

from glmcli.errors import UsageError
from glmcli.prompter import Prompter
from glmcli.streams import Streams
from tests.harness import Terminal


def asked(typed: str, *, default: bool = False) -> tuple[bool, str]:
    stderr = BytesIO()
    streams = Streams(stdin=Terminal(typed.encode()), stdout=BytesIO(), stderr=stderr)
    return Prompter(streams).confirm("Go on?", default=default), stderr.getvalue().decode()


@pytest.mark.parametrize(
    ("typed", "default", "answer"),
    [
        ("y\n", False, True),
        ("YES\n", False, True),
        ("是\n", False, True),
        ("n\n", True, False),
        ("\n", True, True),
        ("\n", False, False),
        ("maybe\ny\n", False, True),
        ("", True, False),
    ],
    ids=["y", "yes", "chinese", "n", "empty-yes", "empty-no", "asked-again", "end-of-input"],
)
def test_yes_and_no(typed: str, default: bool, answer: bool) -> None:
    """Anything else is asked again; the end of input agrees to nothing."""
    assert asked(typed, default=default)[0] is answer


def test_the_question_goes_to_stderr_with_its_default() -> None:
    """The capital letter is what an empty line means."""
    assert asked("y\n", default=True)[1] == "Go on? [Y/n] "


def test_nobody_is_asked_without_a_terminal() -> None:
    """A pipe cannot agree, and --no-input forbids the question."""
    for streams, no_input in (
        (Streams(stdin=BytesIO(b"y\n"), stdout=BytesIO(), stderr=BytesIO()), False),
        (Streams(stdin=Terminal(b"y\n"), stdout=BytesIO(), stderr=BytesIO()), True),
    ):
        with pytest.raises(UsageError, match="nobody to answer"):
            Prompter(streams, no_input=no_input).confirm("Go on?")

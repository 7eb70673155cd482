"""Questions at the terminal."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest

from glmcli.errors import UsageError
from glmcli.menu import Menu
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


# -- menus, lines and secrets where only lines are known -----------------------------

OPTIONS = [("intl", "Z.AI, international"), ("cn", "Zhipu BigModel, China"), ("any", "Not sure")]


def prompter(typed: str) -> tuple[Prompter, BytesIO]:
    stderr = BytesIO()
    return Prompter(Streams(stdin=Terminal(typed.encode()), stdout=BytesIO(), stderr=stderr)), stderr


@pytest.mark.parametrize(
    ("typed", "default", "chosen"),
    [
        ("2\n", None, "cn"),
        ("\n", None, "intl"),
        ("\n", "any", "any"),
        ("cn\n", None, "cn"),
        ("ZHIPU\n", None, "cn"),
        ("not\n", None, "any"),
        ("4\nx\n3\n", None, "any"),
    ],
    ids=["number", "empty", "default", "value", "label", "beginning", "asked-again"],
)
def test_an_option_is_chosen_by_number_or_name(typed: str, default: str | None, chosen: str) -> None:
    """What fits nothing is asked again."""
    asking, stderr = prompter(typed)
    assert asking.choose("Where?", OPTIONS, default=default) == chosen
    assert stderr.getvalue().decode().startswith("Where?\n  1. Z.AI, international\n")


def test_the_end_of_input_chooses_nothing() -> None:
    """Not even the default."""
    with pytest.raises(EOFError):
        prompter("")[0].choose("Where?", OPTIONS, default="cn")
    with pytest.raises(EOFError):
        prompter("")[0].text("Name?", default="x")


def test_a_line_has_a_default() -> None:
    """White space around it is left out."""
    assert prompter("  glm-4.6 \n")[0].text("Model:") == "glm-4.6"
    asking, stderr = prompter("\n")
    assert asking.text("Model:", default="glm-5.3") == "glm-5.3"
    assert stderr.getvalue() == b"Model: [glm-5.3] "


@pytest.mark.parametrize(
    "ask",
    [
        lambda asking: asking.choose("Where?", OPTIONS, flag="--region"),
        lambda asking: asking.text("Where?", flag="--region"),
        lambda asking: asking.secret("Where?", flag="--region"),
        lambda asking: asking.confirm("Where?", flag="--region"),
    ],
    ids=["choose", "text", "secret", "confirm"],
)
def test_the_flag_to_use_instead_is_named(ask: Callable[[Prompter], object]) -> None:
    """Every question that cannot be asked says how to answer it on the command line."""
    asking = Prompter(Streams(stdin=BytesIO(), stdout=BytesIO(), stderr=BytesIO()))
    with pytest.raises(UsageError) as refused:
        ask(asking)
    assert "--region" in str(refused.value.hint)


def test_letters_of_a_menu_add_up() -> None:
    """`z`, `h` is Zhipu and not the first name with an h; a letter that fits nothing begins anew."""
    menu = Menu("Where?", OPTIONS, None)
    menu.type("n")
    assert menu.value == "any"
    menu.type("z")
    assert menu.value == "intl"
    menu.type("h")
    assert menu.value == "cn"
    menu.type("1")
    assert menu.value == "intl"
    menu.move(-1)
    assert menu.value == "any"

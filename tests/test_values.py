"""Values: what a frozen dataclass would do, at a fraction of the cost of defining one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from glmcli.values import Value


class Point(Value):
    """Two numbers and a word."""

    x: int
    y: int = 0
    label: Callable[[], str] = lambda: "here"

    def moved(self) -> Point:
        """A neighbour."""
        return self.replace(x=self.x + 1)


class Named(Point):
    """A point with one field more."""

    name: str = "a"


def test_fields_are_given_by_place_and_by_name() -> None:
    """The order of the annotations is the order of the arguments; what is left out has its default."""
    assert (Point(1, 2).x, Point(1, 2).y, Point(y=3, x=4).y, Point(1).y) == (1, 2, 3, 0)


def test_a_default_that_is_a_function_stays_a_function() -> None:
    """It does not become a method, as an attribute of the class would."""
    assert Point(1).label() == "here"


def test_fields_of_a_base_come_first() -> None:
    """A derived value has all fields."""
    assert repr(Named(1, 2, str, "b")) == "Named(x=1, y=2, label=<class 'str'>, name='b')"
    assert Named(1).replace(name="c").name == "c"


def test_values_are_compared_by_kind_and_fields() -> None:
    """Equal values are one key of a dictionary."""
    assert Point(1) == Point(1, 0)
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)
    assert len({Point(1), Point(1, 0), Point(2)}) == 2
    assert Point(1).moved() == Point(2)


@pytest.mark.parametrize(
    ("args", "named"),
    [((), {}), ((1, 2, str, 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1})],
    ids=["missing", "too-many", "twice", "unknown"],
)
def test_arguments_that_do_not_fit_are_refused(args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """As by a function, and without showing what was given, which may be a key."""
    make: Callable[..., Point] = Point
    with pytest.raises(TypeError, match="takes x, y, label"):
        make(*args, **named)
    with pytest.raises(TypeError, match="takes x, y, label"):
        Point(1).replace(z=1)


def test_nothing_can_be_changed() -> None:
    """Who needs another value makes one."""
    point = Point(1)
    with pytest.raises(AttributeError):
        point.x = 2  # type: ignore[misc]  # that it is refused is what we want to see
    with pytest.raises(AttributeError):
        del point.x
    assert point == Point(1)

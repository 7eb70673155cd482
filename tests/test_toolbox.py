"""Tools from a file: how functions are described, and how calls are carried out."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from glmcli.errors import UsageError
from glmcli.events import ToolCall
from glmcli.toolbox import load_toolbox, run_call

WEATHER = '''
    """Tools for the weather."""
    from enum import Enum
    from typing import Annotated, Literal, TypedDict
    import json

    class Unit(Enum):
        C = "celsius"
        F = "fahrenheit"

    class Place(TypedDict):
        lat: float
        lon: float

    def weather(city: str, days: int = 1, unit: Unit = Unit.C, kind: Literal["rain", "wind"] | None = None,
                near: Place | None = None, tags: list[str] = [], extra: Annotated[dict[str, int], "more"] = {}) -> dict:
        """Tell the weather
        of a city.

        Args:
            city: Name of the city.
            days (int): How many days.
        """
        return {"city": city, "days": days, "水": True}

    def fails() -> str:
        """Fail."""
        raise RuntimeError("no network")

    def plain(a: str) -> str:
        return a * 2

    def _hidden() -> None: ...
'''


@pytest.fixture
def tools_file(tmp_path: Path) -> Path:
    path = tmp_path / "tools.py"
    path.write_text(dedent(WEATHER), encoding="utf-8")
    return path


def test_functions_are_described_by_their_annotations_and_docstrings(tools_file: Path) -> None:
    """Public functions of the file itself, nothing imported, nothing hidden."""
    tools = {tool["function"]["name"]: tool["function"] for tool in load_toolbox(tools_file).tools}  # type: ignore[index]  # JSON
    assert list(tools) == ["weather", "fails", "plain"]
    assert tools["weather"] == {
        "name": "weather",
        "description": "Tell the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city."},
                "days": {"type": "integer", "description": "How many days.", "default": 1},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "kind": {"type": "string", "enum": ["rain", "wind"], "default": None},
                "near": {
                    "type": "object",
                    "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}},
                    "required": ["lat", "lon"],
                    "default": None,
                },
                "tags": {"type": "array", "items": {"type": "string"}},
                "extra": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "more"},
            },
            "required": ["city"],
        },
    }


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        pytest.param("weather", '{"city": "Oslo"}', '{"city": "Oslo", "days": 1, "水": true}', id="result as JSON"),
        pytest.param("plain", '{"a": "x"}', "xx", id="text stays text"),
        pytest.param("fails", "{}", "error: RuntimeError: no network", id="failure"),
        pytest.param("fails", "", "error: RuntimeError: no network", id="no arguments"),
        pytest.param("weather", "{}", "error: missing a required argument: 'city'", id="argument missing"),
        pytest.param("weather", '{"town": 1}', "error: missing a required argument: 'city'", id="unknown argument"),
        pytest.param("weather", '{"city"', "error: the arguments are not JSON", id="broken JSON"),
        pytest.param("weather", "[1]", "error: the arguments are not a JSON object", id="no object"),
        pytest.param("nothing", "{}", "error: there is no tool 'nothing'", id="unknown tool"),
    ],
)
def test_a_call_always_has_a_result_for_the_model(tools_file: Path, name: str, arguments: str, result: str) -> None:
    """Failures are told to the model, which may do better."""
    assert run_call(load_toolbox(tools_file), ToolCall("1", name, arguments)).startswith(result)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('{"type": "function", "function": {"name": "f"}}', id="one tool"),
        pytest.param('[{"type": "function", "function": {"name": "f"}}]', id="a list"),
        pytest.param('{"tools": [{"type": "function", "function": {"name": "f"}}]}', id="a request"),
        pytest.param('{"name": "f"}', id="a bare function"),
    ],
)
def test_descriptions_in_json_are_offered_and_not_run(tmp_path: Path, source: str) -> None:
    """In every form in which people have them."""
    path = tmp_path / "tools.json"
    path.write_text(source)
    toolbox = load_toolbox(path)
    assert toolbox.tools == [{"type": "function", "function": {"name": "f"}}]
    assert not toolbox.can_run


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        pytest.param("a.json", "{", "not JSON", id="broken JSON"),
        pytest.param("a.json", "3", "list of tools", id="a number"),
        pytest.param("a.json", "[]", "no tool", id="nothing"),
        pytest.param("a.py", "def f(:", "SyntaxError", id="broken Python"),
        pytest.param("a.py", "1/0", "ZeroDivisionError", id="fails when loaded"),
        pytest.param("a.py", "def _f(): ...", "no tool", id="only hidden ones"),
        pytest.param("a.py", "def f(*a): ...", "by name", id="star arguments"),
        pytest.param("a.py", "def f(a: Missing): ...", "annotations", id="unknown annotation"),
        pytest.param("a.py", "def f(a: complex): ...", "complex", id="no JSON type"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(tmp_path: Path, name: str, source: str, reason: str) -> None:
    """With the file's name and the reason, before anything is asked."""
    path = tmp_path / name
    path.write_text(source)
    with pytest.raises(UsageError, match=reason):
        load_toolbox(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """So is a directory."""
    for path in (tmp_path / "none.py", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            load_toolbox(path)

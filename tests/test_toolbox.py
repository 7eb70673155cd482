"""Tools from a file: how functions are described, and how calls are carried out."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from glmcli.errors import UsageError
from glmcli.events import ToolCall
from glmcli.toolbox import Toolbox, load_toolbox, run_call

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


TYPED = "from __future__ import annotations\nfrom enum import Enum\nfrom typing import Literal, TypedDict\n"


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


UNUSUAL = '''
    from __future__ import annotations
    from dataclasses import dataclass
    from enum import Enum
    from typing import Literal, NotRequired, TypedDict

    @dataclass
    class Record:
        a: int

    class Unit(Enum):
        C = "celsius"

    class Place(TypedDict):
        name: str
        far: NotRequired[Record2]

    class Record2(TypedDict):
        x: int

    def renamed(function):
        def wrapper(a: str = "x") -> object:
            """Say it."""
            return function(a)
        return wrapper

    @renamed
    def decorated(a): return a

    def typed(place: Place, unit: Literal[Unit.C], much: float = float("inf"), digits: int = 10 ** 5000) -> str:
        return "typed"

    def leaves() -> str:
        raise SystemExit(3)

    async def waits(a: int) -> int:
        return a + 1

    class Mute:
        def __str__(self): raise ValueError("mute")

    def mute() -> object: return Mute()
'''


@pytest.fixture
def unusual(tmp_path: Path) -> Toolbox:
    path = tmp_path / "unusual.py"
    path.write_text(dedent(UNUSUAL), encoding="utf-8")
    return load_toolbox(path)


def test_a_function_is_offered_by_the_name_that_it_has_in_the_file(unusual: Toolbox) -> None:
    """A decorator may have given it another one of its own."""
    names = [tool["function"]["name"] for tool in unusual.tools]  # type: ignore[index]  # JSON
    assert names == [*unusual.functions]
    assert names == ["renamed", "decorated", "typed", "leaves", "waits", "mute"]


def test_types_of_the_file_itself_are_found(unusual: Toolbox) -> None:
    """Data classes and typed dictionaries, in any order; a default that JSON does not have is left out."""
    [typed] = [tool["function"] for tool in unusual.tools if tool["function"]["name"] == "typed"]  # type: ignore[index]  # JSON
    far = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    assert typed["parameters"] == {  # type: ignore[index]  # JSON
        "type": "object",
        "properties": {
            "place": {"type": "object", "properties": {"name": {"type": "string"}, "far": far}, "required": ["name"]},
            "unit": {"type": "string", "enum": ["celsius"]},
            "much": {"type": "number"},
            "digits": {"type": "integer"},
        },
        "required": ["place", "unit"],
    }


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        pytest.param("decorated", '{"a": "x"}', "x", id="decorated"),
        pytest.param("leaves", "{}", "error: SystemExit: 3", id="tries to end the process"),
        pytest.param("waits", '{"a": 1}', "2", id="async"),
        pytest.param("mute", "{}", "error: ValueError: mute", id="no text"),
        pytest.param("waits", "[" * 100_000, "error: the arguments are not JSON", id="arguments nested without end"),
    ],
)
def test_unusual_calls_have_a_result_too(unusual: Toolbox, name: str, arguments: str, result: str) -> None:
    """Whatever a function does, the conversation goes on."""
    assert run_call(unusual, ToolCall("1", name, arguments)).startswith(result)


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
        pytest.param("a.json", "[" * 100_000, "not JSON", id="nested without end"),
        pytest.param("a.json", '[{"name": "f", "x": NaN}]', "not JSON", id="NaN"),
        pytest.param("a.json", '[{"name": "f", "x": 1e999}]', "not JSON", id="infinity"),
        pytest.param("a.json", "[]", "no tool", id="nothing"),
        pytest.param("a.py", "def f(:", "SyntaxError", id="broken Python"),
        pytest.param("a.py", "1/0", "ZeroDivisionError", id="fails when loaded"),
        pytest.param("a.py", "raise SystemExit(0)", "SystemExit", id="ends when loaded"),
        pytest.param("a.py", "def _f(): ...", "no tool", id="only hidden ones"),
        pytest.param("a.py", "def f(*a): ...", "by name", id="star arguments"),
        pytest.param("a.py", "def f(a: Missing): ...", "annotations", id="unknown annotation"),
        pytest.param("a.py", "def f(a: complex): ...", "complex", id="no JSON type"),
        pytest.param("a.py", "import os\ndef f(a: 'os.nothing'): ...", "annotations", id="annotation that fails"),
        pytest.param("a.py", f"{TYPED}def f(a: Literal[b'x']): ...", "choices", id="bytes to choose"),
        pytest.param("a.py", f"{TYPED}class E(Enum): ...\ndef f(a: E): ...", "none at all", id="nothing to choose"),
        pytest.param("a.py", f"{TYPED}class N(TypedDict):\n n: N\ndef f(a: N): ...", "to itself", id="endless type"),
        pytest.param("a.py", f"{TYPED}class B(TypedDict):\n n: X\ndef f(a: B): ...", "annotations", id="broken field"),
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

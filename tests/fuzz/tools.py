"""Files of tools: typed Python functions, and descriptions as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from glmcli.api.calls import JsonBody
from glmcli.api.resources.chat import ChatRequest
from glmcli.api.resources.messages import message_body
from glmcli.errors import UsageError
from glmcli.events import ToolCall
from glmcli.toolbox import MAX_RESULT, Toolbox, load_toolbox, run_call
from tests.fuzz.material import Material, scratch

_HEAD = """\
from __future__ import annotations
import collections.abc, dataclasses, datetime, decimal, enum, pathlib, typing
from typing import *
class Color(enum.Enum):
    RED = "red"
    ONE = 1
class Odd(enum.Enum):
    PAIR = (1, 2)
    NAN = float("nan")
class Raw(enum.Enum):
    A = b"a"
class Empty(enum.Enum):
    pass
class Flag(enum.Flag):
    A = enum.auto()
    B = enum.auto()
class Text(str, enum.Enum):
    A = "a"
class Point(TypedDict):
    x: float
    "Sideways."
    y: NotRequired[int]
class Node(TypedDict, total=False):
    value: str
    next: Node
class Broken(TypedDict):
    x: Nowhere
Name = NewType("Name", str)
T = TypeVar("T")
@dataclasses.dataclass
class Record:
    a: int
"""
_TYPES = (
    *(
        "str",
        "int",
        "float",
        "bool",
        "None",
        "Any",
        "object",
        "list",
        "dict",
        "tuple",
        "set",
        "bytes",
        "'int'",
        "Color",
    ),
    *("Odd", "Raw", "Empty", "Flag", "Text", "Point", "Node", "Broken", "Name", "T", "Record", "Nowhere", "1", "type"),
    *("datetime.date", "pathlib.Path", "decimal.Decimal", "collections.abc.Sequence", "frozenset", "complex", "Never"),
    *(
        "Literal['a', 'b']",
        "Literal[1, 'a', None]",
        "Literal[b'a']",
        "Literal[Color.RED]",
        "Literal[True, 1]",
        "Hashable",
    ),
)
_FORMS = (
    *("{}", "{}", "{}", "list[{}]", "dict[str, {}]", "{} | None", "Optional[{}]", "Union[{}, int]", "tuple[{}, ...]"),
    *("Annotated[{}, 'said']", "Annotated[{}, 5]", "dict[int, {}]", "set[{}]", "Sequence[{}]", "Mapping[str, {}]"),
    *("tuple[int, {}]", "Callable[[int], {}]", "type[{}]", "Final[{}]", "Iterable[{}]", "'{}'", "tuple[()]", "({})"),
    *("Required[{}]", "ClassVar[{}]", "Literal[{}]", "list[{}, int]", "Deque[{}]", "DefaultDict[str, {}]"),
)
_DEFAULTS = (
    *("", "", "None", "1", "'x'", "True", "[]", "{}", "Color.RED", "float('inf')", "float('nan')", "b''", "1.5", "()"),
    *("'\\ud800'", "object()", "10 ** 5000", "datetime.date.today()", "lambda: 1", "-0.0", "Text.A", "Flag.A | Flag.B"),
)
_NAMES = ("a", "b", "city", "größe", "name", "self", "_x", "arguments", "a" * 70, "x1")
_BODIES = (
    *(
        "return {0}",
        "return 'ok'",
        "return None",
        "raise ValueError('no')",
        "return [1, {{'a': '\\ud800'}}]",
        "return 1j",
    ),
    *(
        "raise SystemExit(3)",
        "return float('nan')",
        "x = []; x.append(x); return x",
        "yield 1",
        "return b'x'",
        "...",
        "1/0",
    ),
    *("return {{(1, 2): 3}}", "return 'x' * 200_000", "raise Exception('a\\nb')", "f = 1; del f"),
)
_DOCS = (
    *(
        "",
        '"""Say it."""',
        '"""First\n    line.\n\n    Args:\n        a: the a\n        b (int): the b\n    """',
        '"""\n"""',
    ),
    *(
        '"""Do.\n\n    :param a: said\n    :param int city: said too\n    :return: x\n    """',
        '"""\\ud800"""',
        "'''\\x1b[31m'''",
    ),
)
_STARTS = ("def", "def", "def", "async def")
_STARS = ("", "", "", "*, ", "/, ", "*args, ", "**kwargs, ")
_LOOSE = (
    "",
    "x = 1",
    "import nowhere",
    "raise SystemExit(2)",
    "class A: pass",
    "g = lambda a: a",
    "def",
    "print",
    "alias = act",
    "1 / 0",
)

PYTHON_SEEDS = (
    b"\x01\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\x02\x00\x02\x01\x02\x00\x05\x01\x00\x02\x01\x00\x03\x02\x07\x02\x00\x00\x00\x00\x03\x04\x01\x02\x09\x11\x00\x00\x01\x01",
    *(bytes([1, 0, 1, 0, 1, 0, 0, kind, 0, 0, 0, 0]) for kind in range(len(_TYPES))),
    *(bytes([1, 0, 1, 0, 1, 0, form, 1, 0, 0, 0, 0]) for form in range(len(_FORMS))),
    *(bytes([1, 0, 1, 0, 1, 0, 0, 0, 0, default, 0, 0]) for default in range(len(_DEFAULTS))),
    *(bytes([1, 0, 1, body, 1, 0, 0, 0, 0, 0, 0, 0]) for body in range(len(_BODIES))),
    *(
        bytes([1, start, doc, 0, 0, 3, name, 0])
        for start, doc, name in ((3, 0, 0), (0, 4, 1), (0, 5, 2), (0, 6, 3), (0, 3, 4))
    ),
    *(bytes([1, 0, 0, 0, 0, 0, 0, loose]) for loose in range(len(_LOOSE))),
)
PYTHON_WORDS = tuple(bytes([n, m]) for n in range(0, 40, 3) for m in (0, 1, 7, 20))
JSON_SEEDS = (
    b'{"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]}',
    b'[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}}}]',
    b'{"name":"f"}',
    b'[{"type":"web_search","web_search":{"enable":true}}]',
    b'{"type":"object"}',
    b'[{"type":["a"],"function":null}]',
    b'{"tools":{}}',
    b"[[]]",
)
JSON_WORDS = (
    *(b'"type":', b'"function":', b'"name":', b'"parameters":', b'"tools":', b'"description":', b"{", b"}", b"[", b"]"),
    *(b'"object"', b"null", b"1e999", b"NaN", b'"\\ud800"', b"[" * 50, b'{"a":' * 50, b"9" * 64, b"true", b","),
)


def fuzz_tools(data: bytes) -> None:
    """A Python file is refused, or its functions have sound schemas and every call of them ends in a text."""
    material = Material(data)
    source, calls = _HEAD + "".join(_function(material) for _ in range(material.below(4))), material.rest()
    source += material.pick(_LOOSE)
    toolbox = _loaded(source.encode(), "tools.py")
    if toolbox is None:
        return
    assert [*toolbox.functions] == [_described(tool)["name"] for tool in toolbox.tools]
    for tool in toolbox.tools:
        _check_schema(_described(tool))
        _check_calls(toolbox, _described(tool), calls)


def fuzz_tools_json(data: bytes) -> None:
    """A JSON file is refused, or it can be sent in both dialects (or refused there)."""
    toolbox = _loaded(data, "tools.json")
    if toolbox is None:
        return
    assert not toolbox.can_run
    assert all("type" in tool for tool in toolbox.tools)


def _loaded(content: bytes, name: str) -> Toolbox | None:
    path = scratch() / name
    path.write_bytes(content)
    try:
        toolbox = load_toolbox(path)
    except UsageError as error:
        assert str(path) in error.message or error.message.startswith("tool ")
        return None
    assert toolbox.tools
    _send(toolbox)
    return toolbox


def _send(toolbox: Toolbox) -> None:
    """Make both requests."""
    request = ChatRequest("glm-5.3", [{"role": "user", "content": "x"}], tools=toolbox.tools)
    json.loads(JsonBody(request.to_json(stream=True)).encode(), parse_constant=_refuse)
    try:
        body = message_body(request, stream=True)
    except UsageError:
        return
    json.loads(JsonBody(body).encode(), parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _described(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    assert isinstance(function, dict)
    return function


def _check_schema(function: dict[str, Any]) -> None:
    parameters = function["parameters"]
    Draft202012Validator.check_schema(parameters)
    assert function["name"]
    assert function["description"]
    assert set(parameters["required"]) <= set(parameters["properties"])


def _check_calls(toolbox: Toolbox, function: dict[str, Any], calls: bytes) -> None:
    """Arguments of every kind, those that fit among them."""
    parameters = function["parameters"]
    material = Material(calls)
    fitting = {name: _example(schema, material) for name, schema in parameters["properties"].items()}
    assert "unexpected keyword" not in _result(toolbox, function, json.dumps(fitting))
    assert "missing" not in _result(toolbox, function, json.dumps(fitting))
    if parameters["required"]:
        assert _result(toolbox, function, "{}").startswith("error: ")
    assert _result(toolbox, function, json.dumps({**fitting, "of no use": 1})).startswith("error: ")
    for wrong in ("[]", "1", "null", "{", "[" * 5000, "9" * 5000, calls.decode("utf-8", "replace")):
        _result(toolbox, function, wrong)


def _result(toolbox: Toolbox, function: dict[str, Any], arguments: str) -> str:
    result = run_call(toolbox, ToolCall("1", function["name"], arguments))
    assert len(result) <= MAX_RESULT
    body = {"messages": [{"role": "tool", "content": result}]}
    assert json.loads(JsonBody(body).encode()) is not None
    return result


def _example(schema: dict[str, Any], material: Material) -> object:
    """A value that the schema allows, as a model would make it."""
    if "enum" in schema:
        return material.pick(schema["enum"])
    if "anyOf" in schema:
        return _example(material.pick(schema["anyOf"]), material)
    match schema.get("type"):
        case "object":
            return {name: _example(inner, material) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [_example(schema.get("items", {}), material) for _ in range(material.below(3))]
        case kind:
            return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(str(kind), "text")


def _function(material: Material) -> str:
    start, doc = material.pick(_STARTS), material.pick(_DOCS)
    body = material.pick(_BODIES)
    parameters = ""
    names = list[str]()
    for number in range(material.below(5)):
        name = material.pick(_NAMES) + ("" if number == 0 else str(number))
        kind = material.pick(_FORMS).format(material.pick(_TYPES))
        if material.byte() & 7 == 7:
            kind = material.pick(_FORMS).format(kind)
        default = material.pick(_DEFAULTS)
        parameters += material.pick(_STARS) if number else ""
        parameters += f"{name}: {kind}" + (f" = {default}" if default else "") + ", "
        names.append(name)
    told = material.pick(("str", "int", "Nowhere", "None"))
    name = material.pick(("act", "look_up", "größer", "_hidden", "f" * 65, "run"))
    inside = body.format(names[0] if names else "1")
    return f"{start} {name}({parameters}) -> {told}:\n    {doc}\n    {inside}\n"


def tools_source(data: bytes) -> str:
    """The functions that an input of `fuzz_tools` stands for, to look at."""
    material = Material(data)
    return "".join(_function(material) for _ in range(material.below(4)))

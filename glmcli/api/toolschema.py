"""JSON Schema of a typed Python function, for `--tools FILE.py`.

Annotations say the types, the docstring says what function and parameters are
for. What has no counterpart in JSON is refused with the parameter's name.
"""

from __future__ import annotations

import enum
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence

from glmcli.errors import UsageError

#: What the service accepts as a function's name (`api/chat.md` section 4).
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PLAIN: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_PARAMETER_LINE = re.compile(r"^\s*(?::param\s+(?:\w+\s+)?)?(\w+)(?:\s*\([^)]*\))?\s*:\s*(\S.*)$")


def function_tool(function: Callable[..., object], name: str) -> dict[str, object]:
    """The tool that describes a function to a model by this name. Raises UsageError for what cannot be described."""
    if not NAME.fullmatch(name):
        raise UsageError(f"tool {name!r}: a name has at most 64 letters, digits, _ and -")
    hints = _hints(function, f"tool {name!r}")
    summary, explained = _read_docstring(inspect.getdoc(function) or "")
    properties: dict[str, object] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise UsageError(f"tool {name!r}: parameter {parameter.name!r} cannot be given by name")
        schema = _parameter_schema(hints.get(parameter.name, str), f"tool {name!r}: parameter {parameter.name!r}")
        if parameter.name in explained:
            schema.setdefault("description", explained[parameter.name])
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        elif _is_json(parameter.default):
            schema["default"] = parameter.default
        properties[parameter.name] = schema
    parameters: dict[str, object] = {"type": "object", "properties": properties, "required": required}
    return {
        "type": "function",
        "function": {"name": name, "description": summary or name, "parameters": parameters},
    }


def _hints(described: object, where: str) -> dict[str, object]:
    """The annotations of a function or a TypedDict. They may hold any expression, so reading them may do anything."""
    try:
        return typing.get_type_hints(described, include_extras=True)
    except RecursionError:
        raise  # a type within a type that refers to itself
    except Exception as error:
        raise UsageError(f"{where}: its annotations cannot be read: {error}") from None


def _parameter_schema(annotation: object, where: str) -> dict[str, object]:
    try:
        return type_schema(annotation, where)
    except RecursionError:
        raise UsageError(f"{where} has a type that refers to itself", hint="describe it as a plain dict") from None


def _read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """The summary, and what is said about parameters (Google, Sphinx or plain `name: words` lines)."""
    head, _, tail = text.partition("\n\n")
    explained = {}
    for line in tail.splitlines():
        found = _PARAMETER_LINE.match(line)
        if found:
            explained[found[1]] = found[2].strip()
    return " ".join(head.split()), explained


def _is_json(value: object) -> bool:
    """Whether JSON has this plain value; it has neither NaN nor numbers of thousands of digits."""
    if not isinstance(value, str | int | float | bool | None):
        return False
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def type_schema(annotation: object, where: str) -> dict[str, object]:
    """The schema of a type. Raises UsageError, beginning with `where`, for other types."""
    if annotation in (typing.Any, inspect.Parameter.empty, object):
        return {}
    if annotation in _PLAIN:
        return {"type": _PLAIN[annotation]}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        texts = [extra for extra in arguments[1:] if isinstance(extra, str)]
        return {**type_schema(arguments[0], where), **({"description": texts[0]} if texts else {})}
    if origin in (typing.Required, typing.NotRequired):
        return type_schema(arguments[0], where)
    if origin is typing.Literal:
        return _choices(arguments, where)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _choices(tuple(annotation), where)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments, where)
    return _container(annotation, origin, arguments, where)


def _choices(members: Sequence[object], where: str) -> dict[str, object]:
    values = [member.value if isinstance(member, enum.Enum) else member for member in members]
    if not values or not all(map(_is_json, values)):
        raise UsageError(
            f"{where} has choices that JSON does not have: {', '.join(map(repr, members)) or 'none at all'}"
        )
    kinds = {_PLAIN[type(value)] for value in values if type(value) in _PLAIN}
    return {"enum": values, **({"type": kinds.pop()} if len(kinds) == 1 else {})}


def _union(arguments: Sequence[object], where: str) -> dict[str, object]:
    others = [argument for argument in arguments if argument is not type(None)]
    if len(others) == 1:  # an optional parameter is simply left out
        return type_schema(others[0], where)
    return {"anyOf": [type_schema(argument, where) for argument in others]}


def _container(annotation: object, origin: object, arguments: Sequence[object], where: str) -> dict[str, object]:
    if typing.is_typeddict(annotation):  # a dict, too: asked first
        fields = _hints(annotation, where)
        properties = {name: type_schema(hint, where) for name, hint in fields.items()}
        # A class whose annotations are texts does not know which of them say NotRequired.
        optional = {name for name, hint in fields.items() if typing.get_origin(hint) is typing.NotRequired}
        required = sorted(getattr(annotation, "__required_keys__", frozenset()) - optional)
        return {"type": "object", "properties": properties, "required": required}
    kind = origin or annotation
    if isinstance(kind, type) and issubclass(kind, Mapping):
        values = type_schema(arguments[1], where) if len(arguments) == 2 else {}
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    if isinstance(kind, type) and (issubclass(kind, Sequence | set | frozenset)):
        items = type_schema(arguments[0], where) if arguments else {}
        return {"type": "array", **({"items": items} if items else {})}
    raise UsageError(
        f"{where} has a type that JSON does not have: {annotation}",
        hint="use str, int, float, bool, list, dict, Literal, an Enum or a TypedDict",
    )

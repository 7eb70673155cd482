"""The tools of `--tools FILE`: descriptions that are printed, or functions that are called."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from glmcli.api.toolschema import function_tool
from glmcli.errors import UsageError
from glmcli.events import ToolCall

#: The most functions of one request (`api/chat.md` section 4).
MAX_TOOLS = 128
#: A longer result is cut, in characters; a tool that prints a whole log must not fill the context.
MAX_RESULT = 100_000


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What is offered to the model; `functions` is empty when calls are only printed."""

    tools: list[dict[str, object]]
    functions: Mapping[str, Callable[..., object]] = field(default_factory=dict)

    @property
    def can_run(self) -> bool:
        """Whether calls are carried out here."""
        return bool(self.functions)


def load_toolbox(path: Path) -> Toolbox:
    """The tools of a `.json` or `.py` file. Raises UsageError for a file that cannot be used."""
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"tools file {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    toolbox = _from_python(path, source) if path.suffix == ".py" else _from_json(path, source)
    if not toolbox.tools:
        raise UsageError(f"tools file {path} offers no tool", hint="a function needs a name without a leading _")
    if len(toolbox.tools) > MAX_TOOLS:
        raise UsageError(f"tools file {path} offers {len(toolbox.tools)} tools; the service takes {MAX_TOOLS}")
    return toolbox


def _from_json(path: Path, source: str) -> Toolbox:
    try:
        value = json.loads(source)
        json.dumps(value, allow_nan=False)  # Python reads NaN, Infinity and 1e999, and no service does
    except (ValueError, RecursionError) as error:
        raise UsageError(f"tools file {path} is not JSON: {error}") from None
    if isinstance(value, dict):
        value = value.get("tools", [value])
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        raise UsageError(f"tools file {path} must hold a list of tools, or one")
    # A bare function description is wrapped as the service wants it.
    return Toolbox([tool if "type" in tool and tool["type"] != "object" else _wrapped(tool) for tool in value])


def _wrapped(function: dict[str, Any]) -> dict[str, object]:
    return {"type": "function", "function": function}


def _from_python(path: Path, source: str) -> Toolbox:
    """Run the file and offer the public functions that it defines itself."""
    module = ModuleType("glm_tools")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses and typing look for the names of annotations
    try:
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102  # the user's own file, named by the user
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # it may even end the process
        raise UsageError(f"tools file {path} fails: {type(error).__name__}: {error}") from error
    functions = {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    return Toolbox([function_tool(function, name) for name, function in functions.items()], functions)


def run_call(toolbox: Toolbox, call: ToolCall) -> str:
    """The result of a call as text for the model. Whatever goes wrong is told to the model, too."""
    function = toolbox.functions.get(call.name)
    if function is None:
        return f"error: there is no tool {call.name!r}; there are {', '.join(toolbox.functions)}"
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        return f"error: the arguments are not JSON: {error}"
    if not isinstance(arguments, dict):
        return "error: the arguments are not a JSON object"
    try:
        inspect.signature(function).bind(**arguments)
        return _as_text(_awaited(function(**arguments)))[:MAX_RESULT]
    except TypeError as error:
        return f"error: {error}"[:MAX_RESULT]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # it may even end the process
        return f"error: {type(error).__name__}: {error}"[:MAX_RESULT]


def _awaited(result: object) -> object:
    """What an `async def` comes to; anything else as it is."""
    if not inspect.iscoroutine(result):
        return result
    import asyncio

    return asyncio.run(result)


def _as_text(result: object) -> str:
    if isinstance(result, str):
        return result
    try:
        return json.dumps(result, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(result)

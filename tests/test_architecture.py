"""The picture of `docs/architecture.md`, held against every import of the package.

When a test here complains, move the code rather than the rule. Imports inside functions count;
imports for type checking alone do not.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from glmcli.registry import COMMANDS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "glmcli"

#: From the bottom to the top. A longer name wins over a shorter one: `config.store` over `config`.
LAYERS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "words",
        frozenset(
            {
                "",
                "catalogue",
                "codes",
                "completion_data",
                "completion_scripts",
                "drafts",
                "errors",
                "events",
                "help_pages",
                "language",
                "registry",
                "terminalsize",
                "values",
            }
        ),
    ),
    ("core", frozenset({"api", "audio"})),
    # As pure as the core, and standing on it.
    ("settings", frozenset({"config", "config.model", "config.resolve", "config.schema", "diagnosis"})),
    # Edges that other edges stand on: what a terminal may see, where files are, how they are replaced.
    ("ground", frozenset({"streams", "config.files", "config.paths", "history.model", "history.times", "menu"})),
    (
        "edges",
        frozenset(
            {
                "api.client",
                "api.engine",
                "api.tls",
                "attachments",
                "completion",
                "config.credentials",
                "config.dotenv",
                "config.editing",
                "config.profiles",
                "config.store",
                "history",
                "integrations",
                "interrupts",
                "pace",
                "prompter",
                "pump",
                "render",
                "wire",
            }
        ),
    ),
    ("compose", frozenset({"context"})),
    # What a command does when it is more than its own file should hold: every single module not named elsewhere.
    ("work", frozenset({"batching", "onboarding", "repl"})),
    ("commands", frozenset({"commands"})),
    ("entry", frozenset({"__main__", "cli", "failure"})),
)
WORK = [name for name, _ in LAYERS].index("work")
#: The sandbox stands apart: below it only words, above it only these.
SANDBOX = "sandbox"
MAY_USE_SANDBOX = {"context", "commands.sandbox"}

#: Outside thing -> the modules that may touch it.
OWNERS = {
    "httpx": {"api.client", "api.engine"},
    "httpcore": {"api.engine"},
    "truststore": {"api.tls"},
    "keyring": {"config.credentials"},
    "platformdirs": {"config.paths"},
    "sqlite3": {"history"},
    "typer": {"cli", "failure", "commands"},
}


@dataclass(frozen=True)
class Import:
    """One import statement of ours."""

    importer: str
    line: int
    module: str
    at_module_level: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}"


@cache
def trees() -> dict[str, ast.Module]:
    """Module name below `glmcli` -> its syntax tree."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = ast.parse(path.read_text("utf-8"))
    return found


@cache
def imports() -> tuple[Import, ...]:
    """Every import that can happen at run time."""
    return tuple(found for name, tree in trees().items() for found in _imports_of(name, tree))


def _imports_of(name: str, tree: ast.Module) -> Iterator[Import]:
    pending: list[tuple[ast.AST, bool]] = [(tree, True)]
    while pending:
        node, at_module_level = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending += [(child, at_module_level) for child in node.orelse]
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            at_module_level = False
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, node.lineno, alias.name, at_module_level)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: relative import"
            for alias in node.names:
                yield Import(name, node.lineno, _target(node.module or "", alias.name), at_module_level)
        pending += [(child, at_module_level) for child in ast.iter_child_nodes(node)]


def _target(module: str, name: str) -> str:
    """`from glmcli.api import client` imports the module `glmcli.api.client`."""
    inner = f"{module}.{name}".removeprefix("glmcli.")
    return f"{module}.{name}" if module.startswith("glmcli") and inner in trees() else module


def _ours() -> Iterator[tuple[Import, str]]:
    for found in imports():
        if found.module == "glmcli" or found.module.startswith("glmcli."):
            yield found, found.module.removeprefix("glmcli").removeprefix(".")


def _within(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")


def _layer(module: str) -> int:
    """The height of a module; the longest name in `LAYERS` that covers it counts."""
    names = {name: height for height, (_, members) in enumerate(LAYERS) for name in members}
    for length in range(module.count(".") + 1, 0, -1):
        covered = ".".join(module.split(".")[:length])
        if covered in names:
            return names[covered]
    assert "." not in module, f"glmcli/{module.replace('.', '/')}.py stands in no layer of {__name__}"
    return WORK


def test_every_module_stands_in_a_layer() -> None:
    """A new subpackage says where it belongs."""
    for module in trees():
        if not _within(module, SANDBOX):
            _layer(module)


def test_imports_point_down() -> None:
    """A module imports from lower layers and from its own subpackage."""
    wrong = [
        f"{found} ({LAYERS[_layer(found.importer)][0]} -> {LAYERS[_layer(target)][0]})"
        for found, target in _ours()
        if not _within(found.importer, SANDBOX) and not _within(target, SANDBOX)
        if _layer(target) >= _layer(found.importer) and not _same_home(found.importer, target)
    ]
    assert not wrong, "\n".join(wrong)


def _same_home(one: str, other: str) -> bool:
    """Whether both stand in one subpackage, or are parts of one layer of single modules above the edges."""
    if one.split(".")[0] == other.split(".")[0]:
        return _layer(other) <= _layer(one)
    return _layer(one) == _layer(other) and LAYERS[_layer(one)][0] in {"words", "work", "entry"}


def test_commands_do_not_import_one_another() -> None:
    """What two commands need is a module of parameters, or stands a layer below."""
    modules = {f"commands.{entry.module}" for entry in COMMANDS.values()}
    wrong = [str(found) for found, target in _ours() if target in modules and _within(found.importer, "commands")]
    assert not wrong, wrong


def test_the_sandbox_stands_apart() -> None:
    """It imports only words of ours, and only its command and the choice of transport import it."""
    words = LAYERS[0][1]
    outward = [
        str(found)
        for found, target in _ours()
        if _within(found.importer, SANDBOX) and not _within(target, SANDBOX) and target not in words
    ]
    inward = [
        str(found)
        for found, target in _ours()
        if _within(target, SANDBOX) and not _within(found.importer, SANDBOX) and found.importer not in MAY_USE_SANDBOX
    ]
    foreign = [str(found) for found in _foreign() if _within(found.importer, SANDBOX)]
    assert not outward + inward + foreign, outward + inward + foreign


def _foreign() -> Iterator[Import]:
    """Imports of neither the standard library nor ours."""
    for found in imports():
        top = found.module.split(".")[0]
        if top != "glmcli" and top not in sys.stdlib_module_names:
            yield found


def test_core_and_words_need_the_standard_library_alone() -> None:
    """They can be read and tested with nothing installed."""
    wrong = [
        str(found)
        for found in _foreign()
        if not _within(found.importer, SANDBOX) and LAYERS[_layer(found.importer)][0] in {"words", "core", "settings"}
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("thing", OWNERS)
def test_each_outside_thing_has_one_owner(thing: str) -> None:
    """Foreign exceptions, versions and quirks are known in one place."""
    wrong = [
        str(found)
        for found in imports()
        if _within(found.module, thing) and not any(_within(found.importer, owner) for owner in OWNERS[thing])
    ]
    assert not wrong, wrong


def test_heavy_modules_are_imported_inside_functions() -> None:
    """What costs more than the interpreter is loaded by the function that needs it."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    heavy = lint["flake8-tidy-imports"]["banned-module-level-imports"]
    wrong = [
        str(found)
        for found in imports()
        if found.at_module_level and any(_within(found.module, name) for name in heavy)
    ]
    assert not wrong, wrong


def test_standard_streams_have_one_owner() -> None:
    """`sys.stdout`, `sys.stderr` and `sys.stdin` are met in `streams`, and in `__main__` before it is loaded."""
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in trees().items()
        if name not in {"streams", "__main__"}
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"stdout", "stderr", "stdin", "__stdout__", "__stderr__"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    ]
    assert not wrong, wrong


def test_only_the_entry_ends_the_process() -> None:
    """Nothing below the root command exits: it raises or returns. A command may raise `typer.Exit`."""
    allowed = {"cli", "__main__"}
    wrong = [
        f"{name}:{node.lineno} {ast.unparse(node)}"
        for name, tree in trees().items()
        if name not in allowed
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name)
        and ast.unparse(node) in {"sys.exit", "os._exit", "SystemExit", "exit", "quit", "typer.Exit", "typer.Abort"}
        and not (_within(name, "commands") and ast.unparse(node) == "typer.Exit")
    ]
    assert not wrong, wrong


def test_no_module_is_a_drawer() -> None:
    """A file called `utils` or `common` means that a noun has not been found yet."""
    drawers = {"utils", "util", "common", "helpers", "misc", "shared"}
    assert not [name for name in trees() if drawers & set(name.split("."))]


def test_every_module_says_what_it_is() -> None:
    """The first line of a file is its docstring, and annotations are not evaluated."""
    for name, tree in trees().items():
        assert ast.get_docstring(tree), f"{name} has no docstring"
        if any(not isinstance(node, ast.Expr) for node in tree.body) and name:
            assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body), (
                f"{name} lacks: from __future__ import annotations"
            )

"""The floors: an import at run time may only point down. `docs/design.md` draws them."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Floor of each module or package, longest name first where several match.
FLOORS = {
    "llmkit": 0,  # its names are lazy: it imports nothing
    "llmkit.errors": 0,
    "llmkit.messages": 0,
    "llmkit.models": 0,
    "llmkit.parts": 0,
    "llmkit.pricing": 0,
    "llmkit.responses": 0,
    "llmkit.scrub": 0,
    "llmkit.secret": 0,
    "llmkit.settings": 0,
    "llmkit.usage": 0,
    "llmkit.exchange": 1,
    "llmkit.provider": 1,
    "llmkit.shapes": 1,
    "llmkit.wire": 1,
    "llmkit.chain": 2,
    "llmkit.checks": 2,
    "llmkit.config": 2,
    "llmkit.filetypes": 2,
    "llmkit.folders": 2,
    "llmkit.money": 2,
    "llmkit.registry": 2,
    "llmkit.resolve": 2,
    "llmkit.retry": 2,
    "llmkit.trim": 2,
    "llmkit.broken": 3,
    "llmkit.effects": 3,
    "llmkit.engine": 3,
    "llmkit.operations": 3,
    "llmkit.transport": 4,
    "llmkit.attachments": 5,
    "llmkit.batch": 5,
    "llmkit.comparison": 5,
    "llmkit.conversation": 5,
    "llmkit.discovery": 5,
    "llmkit.factory": 5,
    "llmkit.history": 5,
    "llmkit.language": 5,
    "llmkit.locate": 5,
    "llmkit.profiles": 5,
    "llmkit.progress": 5,
    "llmkit.quick": 5,
    "llmkit.review": 5,
    "llmkit.stream": 5,
    "llmkit.structured": 5,
    "llmkit.testing": 5,
    "llmkit.tools": 5,
    "llmkit.cli": 6,
}
#: Who alone may import what of others.
DOORS = {
    "openai": {"llmkit.transport"},
    "tenacity": {"llmkit.retry"},
    "importlib_metadata": {"llmkit.registry"},
    "pydantic_core": {"llmkit.wire.jsonbytes", "llmkit.structured", "llmkit.tools"},
    "jsonschema": {"llmkit.structured"},
    "docstring_parser": {"llmkit.tools"},
    "typer": {"llmkit.cli"},
    "rich": {"llmkit.cli", "llmkit.progress"},
    "dotenv": {"llmkit.cli"},
    "vcr": {"llmkit.testing"},
    "pytest": {"llmkit.testing"},
}
FORBIDDEN = {"httpx", "httpx2", "httpcore", "requests", "aiohttp", "providers"}
PROVIDERS = ("llmkit_openai", "llmkit_openrouter", "llmkit_ollama")
ALLOWED_TO_PROVIDERS = 1


def modules() -> Iterator[tuple[str, Path]]:
    for top in (ROOT / "llmkit", *(ROOT / "providers" / name for name in PROVIDERS)):
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top.parent).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), path


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Names that a module imports at run time: dotted name, line, is it inside a function?"""
    tree = ast.parse(path.read_text("utf-8"))
    type_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.dump(branch.test)
        for statement in branch.body
        for node in ast.walk(statement)
    }
    local = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if id(node) in type_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in local
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            for alias in node.names:
                # `from llmkit.wire import chat` imports a module, `from llmkit.errors import LLMError` a name.
                name = f"{node.module}.{alias.name}"
                yield (name if _is_module(name) else str(node.module)), node.lineno, id(node) in local


def _is_module(name: str) -> bool:
    path = (ROOT / "providers" if name.startswith("llmkit_") else ROOT) / Path(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def floor(module: str) -> int:
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        if (name := ".".join(parts[:end])) in FLOORS and (end > 1 or len(parts) == 1):
            return FLOORS[name]
    raise AssertionError(f"{module} has no floor; give it one in {Path(__file__).name} and in docs/design.md")


OURS = [(name, path) for name, path in modules()]


@pytest.mark.parametrize(("name", "path"), OURS, ids=[name for name, _ in OURS])
def test_imports_point_down(name: str, path: Path) -> None:
    """A module imports only from its own floor and below; a provider only from floors 0 and 1, never another provider."""
    provider = name.split(".", maxsplit=1)[0] if name.startswith("llmkit_") else None
    own = ALLOWED_TO_PROVIDERS if provider else floor(name)
    for target, line, _ in imports(path):
        top = target.split(".")[0]
        where = f"{path.relative_to(ROOT)}:{line}: {name} imports {target}"
        assert top not in FORBIDDEN, where
        if top in PROVIDERS:
            assert top == provider, f"{where}: providers are found by entry point only"
        elif top == "llmkit" and target != "llmkit":
            assert floor(target) <= own, f"{where}: floor {own} may not look up to floor {floor(target)}"
            private = [part for part in target.split(".") if part.startswith("_")]
            assert not (provider and private), f"{where}: providers use public names only"
        elif top == "llmkit":
            assert own >= 5, f"{where}: import the module that holds the name"


@pytest.mark.parametrize(("name", "path"), OURS, ids=[name for name, _ in OURS])
def test_each_dependency_has_one_door(name: str, path: Path) -> None:
    """A third-party library is imported by the one module or package that is its door."""
    for target, line, _ in imports(path):
        top = target.split(".")[0]
        doors = DOORS.get("pydantic_core" if top == "pydantic" else top)
        if doors is not None:
            inside = any(name == door or name.startswith(f"{door}.") for door in doors)
            assert inside, f"{path.relative_to(ROOT)}:{line}: {top} is imported only by {', '.join(sorted(doors))}"


@pytest.mark.parametrize(("name", "path"), OURS, ids=[name for name, _ in OURS])
def test_floor_zero_needs_the_standard_library_only(name: str, path: Path) -> None:
    """The values of floor 0 import nothing but the standard library and each other."""
    if name.startswith("llmkit_") or floor(name) != 0:
        return
    import sys

    for target, line, _ in imports(path):
        top = target.split(".")[0]
        assert top == "llmkit" or top in sys.stdlib_module_names, f"{name}:{line} imports {target}"


def test_no_run_time_imports_form_a_circle() -> None:
    """Modules do not import each other in a circle at run time, not even from inside functions."""
    edges: dict[str, set[str]] = {}
    for name, path in OURS:
        edges[name] = {target for target, _, _ in imports(path) if target != name and target != "llmkit"}
    assert circles(edges) == []


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules of which each can be reached from each other one (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    trail: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        trail.append(name)
        for target in sorted(edges.get(name, ())):
            if target not in order:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in trail:
                low[name] = min(low[name], order[target])
        if low[name] == order[name]:
            group = trail[trail.index(name) :]
            del trail[trail.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(edges):
        if name not in order:
            visit(name)
    return found


def test_a_circle_is_found() -> None:
    """The search for circles finds one, however long, and takes no chain for one."""
    chain = {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set[str]()}
    assert circles(chain) == []
    assert circles({**chain, "d": {"b"}}) == [["b", "c", "d"]]
    assert circles({**chain, "d": {"b"}, "e": {"f"}, "f": {"e"}}) == [["b", "c", "d"], ["e", "f"]]


def test_only_drivers_sleep() -> None:
    """`time.sleep` and `asyncio.sleep` stand in the drivers alone (and in the simulator, which plays a slow server)."""
    for name, path in OURS:
        if name == "llmkit.transport.drivers" or name.startswith(("llmkit.testing", "llmkit.cli")):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "sleep" and isinstance(node.value, ast.Name):
                assert node.value.id not in ("time", "asyncio"), f"{name}:{node.lineno} sleeps"


def test_files_stay_small() -> None:
    """The median file of the library has at most 150 lines, none more than 400, and no function body more than 60."""
    lengths = []
    for name, path in OURS:
        text = path.read_text("utf-8")
        lengths.append(text.count("\n"))
        assert lengths[-1] <= 400, f"{name} has {lengths[-1]} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.body[0].lineno + 1  # its signature left out
                assert length <= 60, f"{name}.{node.name} has {length} lines"
    assert sorted(lengths)[len(lengths) // 2] <= 150


def test_no_name_says_nothing() -> None:
    """No module is called utils, helpers, base, manager or common."""
    for name, _ in OURS:
        assert not set(name.split(".")) & {"utils", "helpers", "base", "manager", "common"}, name


@pytest.mark.parametrize("name", [name for name, _ in OURS if ".cli" not in name and "__main__" not in name])
def test_every_module_imports_alone(name: str) -> None:
    """Each module can be imported first: there is no cycle that the order of imports hides."""
    if name.startswith("llmkit.testing"):
        pytest.importorskip("pytest")
    importlib.import_module(name)

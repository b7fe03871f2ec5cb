"""The order of the rooms, and what each may do. `docs/design.md` draws them; each rule here is one test.

A rule collects its offenders and shows them all. The imports are read out of the source, those inside functions too;
imports that only a type checker sees are no offence, because they do not exist at run time.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: The rooms, in order: a room imports only the rooms before it.
ROOMS = (
    "errors",
    "types",
    "provider",
    "wire",
    "resilience",
    "config",
    "money",
    "engine",
    "transport",
    "operations",
    "language",
    "testing",
    "cli",
)
#: What a provider's package may import, by public names.
OPEN_TO_PROVIDERS = {"errors", "types", "provider", "wire"}
PROVIDERS = ("llmkit_openai", "llmkit_openrouter", "llmkit_ollama")
#: Rooms of values and decisions: they open nothing, wait for nothing and ask no clock. `errors` is one of them.
PURE = ("errors", "types", "wire", "resilience", "money", "engine")
#: Modules of the standard library that a pure room has no use for.
IMPURE = {"asyncio", "http", "io", "multiprocessing", "pathlib", "shutil", "socket", "sqlite3", "ssl", "subprocess",
          "tempfile", "urllib.request"}  # fmt: skip
#: Who alone may import a library of others.
IMPORTERS = {
    "openai": {"llmkit.transport.sdk"},
    "tenacity": {"llmkit.resilience.retry"},
    "importlib_metadata": {"llmkit.provider.registry"},
    "pydantic_core": {"llmkit.wire.jsonbytes", "llmkit.language.structured", "llmkit.language.tools"},
    "pydantic": {"llmkit.wire.jsonbytes", "llmkit.language.structured", "llmkit.language.tools"},
    "jsonschema": {"llmkit.language.structured"},
    "docstring_parser": {"llmkit.language.tools"},
    "typer": {"llmkit.cli"},
    "rich": {"llmkit.cli", "llmkit.language.progress"},
    "dotenv": {"llmkit.cli"},
    "vcr": {"llmkit.testing"},
    "pytest": {"llmkit.testing"},
}
#: Folders of tests that are of no room: what crosses all rooms, our providers, what calls real services, what only type
#: checkers read, and recordings.
FOLDERS_OF_TESTS = {"promises", "providers", "live", "typing", "cassettes"}
#: The module of a pure room that may read the clock: a service may name the instant at which to try again.
CLOCK = "llmkit.wire.chat_errors"
FORBIDDEN = {"httpx", "httpx2", "httpcore", "requests", "aiohttp", "providers"}


@cache
def modules() -> dict[str, Path]:
    """Every module of the library and of its providers, by dotted name."""
    found = {}
    for top in (ROOT / "llmkit", *(ROOT / "providers" / name for name in PROVIDERS)):
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top.parent).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text("utf-8"))


@cache
def imports(name: str) -> tuple[tuple[str, int], ...]:
    """What a module imports at run time: dotted name and line."""
    return tuple(_imports(name))


def _imports(name: str) -> Iterator[tuple[str, int]]:
    type_only = {
        id(node)
        for branch in ast.walk(tree(name))
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.dump(branch.test)
        for statement in branch.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree(name)):
        if id(node) in type_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                # `from llmkit.wire import chat` imports a module, `from llmkit.errors import LLMError` a name.
                full = f"{node.module}.{alias.name}"
                yield (full if full in modules() else str(node.module)), node.lineno


def room(module: str) -> str | None:
    """The room that a module of llmkit stands in; `None` for `llmkit` itself and for all that is not llmkit."""
    parts = module.split(".")
    return parts[1] if parts[0] == "llmkit" and len(parts) > 1 else None


def at(name: str, line: int) -> str:
    return f"{modules()[name].relative_to(ROOT)}:{line}"


def test_every_module_stands_in_a_room() -> None:
    """`llmkit` holds the rooms of the tuple, its own `__init__`, and nothing else."""
    entries = {path.name for path in (ROOT / "llmkit").iterdir() if path.name != "__pycache__"}
    files = {name for name in entries if name.endswith(".py")}
    assert files == {"__init__.py", "errors.py"}
    assert entries - files - {"py.typed"} == set(ROOMS) - {"errors"}


def test_tests_stand_where_the_rooms_stand() -> None:
    """Each folder of tests is that of a room, or one of those that are listed; the other way round, each room has one."""
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - FOLDERS_OF_TESTS == set(ROOMS) - {"errors"}
    assert (ROOT / "tests" / "test_errors.py").exists()


def test_a_room_imports_only_the_rooms_before_it() -> None:
    """No import at run time leads to a later room, also none inside a function; only users import `llmkit` itself."""
    wrong = []
    for name in modules():
        own = room(name)
        for target, line in imports(name):
            other = room(target)
            if own is not None and other is not None and ROOMS.index(other) > ROOMS.index(own):
                wrong.append(f"{at(name, line)}: {own} imports {target}")
            if target == "llmkit" and own not in ("cli", "testing"):
                wrong.append(f"{at(name, line)}: import the module that holds the name")
    assert not wrong, "\n".join(wrong)


def test_providers_import_the_open_rooms_only() -> None:
    """A provider imports errors, types, provider and wire by public names, and no other provider; nobody imports one."""
    wrong = []
    for name in modules():
        own = name.split(".")[0]
        for target, line in imports(name):
            top = target.split(".")[0]
            if top in PROVIDERS and top != own:
                wrong.append(f"{at(name, line)}: providers are found by entry point only, not {target}")
            if own in PROVIDERS and top == "llmkit":
                private = [part for part in target.split(".") if part.startswith("_")]
                if room(target) not in OPEN_TO_PROVIDERS or private:
                    wrong.append(f"{at(name, line)}: {target} is not open to providers")
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    """There is no circle of run-time imports, imports inside functions included."""
    edges = {name: {target for target, _ in imports(name) if target not in (name, "llmkit")} for name in modules()}
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


def test_each_dependency_is_imported_in_one_place() -> None:
    """A library of others is imported by the modules or packages that are listed for it; HTTP libraries by none."""
    wrong = []
    for name in modules():
        for target, line in imports(name):
            top = target.split(".")[0]
            if top in FORBIDDEN:
                wrong.append(f"{at(name, line)}: {top} is not imported here")
            places = IMPORTERS.get(top)
            if places and not any(name == place or name.startswith(f"{place}.") for place in places):
                wrong.append(f"{at(name, line)}: {top} is imported only by {', '.join(sorted(places))}")
    assert not wrong, "\n".join(wrong)


def test_values_need_the_standard_library_only() -> None:
    """`errors` and `types` import nothing but the standard library and each other."""
    wrong = [
        f"{at(name, line)}: {target}"
        for name in modules()
        if room(name) in ("errors", "types")
        for target, line in imports(name)
        if room(target) not in ("errors", "types") and target.split(".")[0] not in sys.stdlib_module_names
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_rooms_open_nothing() -> None:
    """Rooms of values and decisions import nothing that opens a file or a connection."""
    wrong = [
        f"{at(name, line)}: {room(name)} imports {target}"
        for name in modules()
        if room(name) in PURE
        for target, line in imports(name)
        if target.split(".")[0] in IMPURE or target in IMPURE
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_rooms_ask_no_clock() -> None:
    """Rooms of values and decisions are given the time; one module alone may read it."""
    wrong = [
        f"{at(name, line)}: {room(name)} imports {target}"
        for name in modules()
        if room(name) in PURE and name != CLOCK
        for target, line in imports(name)
        if target == "time" or target.startswith("time.")
    ]
    assert not wrong, "\n".join(wrong)


def test_only_drivers_sleep() -> None:
    """`time.sleep` and `asyncio.sleep` stand in the drivers alone (and in the simulator, which plays a slow server)."""
    wrong = [
        at(name, node.lineno)
        for name in modules()
        if name != "llmkit.transport.drivers" and room(name) not in ("testing", "cli")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and isinstance(node.value, ast.Name)
        if node.value.id in ("time", "asyncio")
    ]
    assert not wrong, "\n".join(wrong)


def test_files_and_functions_stay_small() -> None:
    """The median file has at most 150 lines, none more than 400, and no function body more than 60."""
    lengths = {name: path.read_text("utf-8").count("\n") for name, path in modules().items()}
    wrong = [f"{name} has {length} lines" for name, length in lengths.items() if length > 400]
    for name in modules():
        for node in ast.walk(tree(name)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.body[0].lineno + 1  # its signature left out
                wrong += [f"{at(name, node.lineno)}: {node.name} has {length} lines"] if length > 60 else []
    assert not wrong, "\n".join(wrong)
    assert sorted(lengths.values())[len(lengths) // 2] <= 150


def test_no_name_says_nothing() -> None:
    """No module is called utils, helpers, base, manager or common."""
    vague = {"utils", "helpers", "base", "manager", "common"}
    assert not [name for name in modules() if set(name.split(".")) & vague]


def test_a_broad_except_says_why() -> None:
    """`except Exception`, `except BaseException` and a bare `except` carry their reason in a comment on their line."""
    wrong = []
    for name, path in modules().items():
        lines = path.read_text("utf-8").splitlines()
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
                _, _, reason = lines[node.lineno - 1].partition("#")
                if len(reason.split()) < 3:
                    wrong.append(f"{at(name, node.lineno)}: {lines[node.lineno - 1].strip()}")
    assert not wrong, "\n".join(wrong)


def _is_broad(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(item is None or (isinstance(item, ast.Name) and item.id in ("Exception", "BaseException")) for item in kinds)


def test_public_functions_say_their_keywords() -> None:
    """A public function takes keywords by name or as an unpacked `TypedDict`: never as `**` of anything."""
    wrong = []
    for name in modules():
        for where, function in public_functions(tree(name).body):
            keywords = function.args.kwarg
            if keywords and not (keywords.annotation and ast.unparse(keywords.annotation).startswith("Unpack[")):
                wrong.append(f"{at(name, function.lineno)}: {where}{function.name}(**{keywords.arg})")
    assert not wrong, "\n".join(wrong)


def public_functions(
    body: Iterable[ast.stmt], where: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The functions of a module and the methods of its classes whose names have no underscore before them."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{where}{node.name}.")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            yield where, node

"""The doors: the packages that names are imported from, what each holds, and who goes through which.

A door says its names three times: in a table of homes, in imports that only a type checker sees, and in `__all__`.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import llmkit
import llmkit.provider
import llmkit.testing
import llmkit.types
from llmkit import errors

ROOT = Path(__file__).resolve().parent.parent
DOORS = (llmkit, llmkit.types, llmkit.provider, llmkit.testing)
NAMES = [(door, name) for door in DOORS for name in door.__all__]
#: What authors import names from, and what a program does: these, and modules below the ones with a dot at the end.
FOR_AUTHORS = ("llmkit.types", "llmkit.provider", "llmkit.errors", "llmkit.wire.")
FOR_USERS = ("llmkit", "llmkit.testing", "llmkit.testing.", *FOR_AUTHORS)


def each_door(test: Any) -> Any:
    """The test, once for each door."""
    return pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)(test)


def homes(door: Any) -> dict[str, str]:
    """The names of a door's table, each with the module that it is loaded from."""
    return {name: f"{door.__name__}.{home}" for home, names in door._HOMES.items() for name in names.split()}


def run(code: str) -> subprocess.CompletedProcess[str]:
    """A program of its own."""
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


# --- What a door holds


@each_door
def test_a_door_says_the_same_names_three_times(door: Any) -> None:
    """The table, the imports for type checkers and `__all__` have the same names, from the same modules, once each."""
    seen: dict[str, str] = {}
    for node in ast.walk(ast.parse(Path(door.__file__).read_text("utf-8"))):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found = [item for item in node.body if isinstance(item, ast.ImportFrom)]
            seen.update({alias.asname or alias.name: str(item.module) for item in found for alias in item.names})
    assert seen == homes(door)
    assert sorted(door.__all__) == sorted(seen)


@pytest.mark.parametrize(("door", "name"), NAMES, ids=[f"{door.__name__}.{name}" for door, name in NAMES])
def test_every_name_of_a_door_resolves(door: Any, name: str) -> None:
    """Each name is what its home has of that name; a class or function is documented there, and is from there.

    A type is no text, so that it can be joined with another one: `MessagesLike | None`.
    """
    value = getattr(door, name)
    assert not isinstance(value, str)
    assert value is getattr(import_module(homes(door)[name]), name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__name__ == name
        assert inspect.getdoc(value)
        assert f"{value.__module__}.".startswith(f"{homes(door)[name]}.")


@each_door
def test_a_door_shows_its_names_and_nothing_else(door: Any) -> None:
    """`dir()` has the public names and Python's own, whatever has been loaded; the version is one of llmkit's."""
    for name in door.__all__:
        getattr(door, name)
    shown = set(dir(door))
    assert {name for name in shown if not name.startswith("__")} == set(door.__all__)
    assert {"__all__", "__doc__", "__name__", "__path__"} <= shown
    assert ("__version__" in shown) == (door is llmkit)


@each_door
def test_no_name_of_a_door_is_a_module_below_it(door: Any) -> None:
    """A module that is imported becomes an attribute of its package, and would take the place of the name."""
    modules = {path.stem for path in Path(door.__file__).parent.iterdir()}
    assert not modules & set(door.__all__)


def test_one_name_is_one_thing_at_every_door() -> None:
    """A name that two doors have is the same object at both."""
    shared = {name for door, name in NAMES if sum(name in other.__all__ for other in DOORS) > 1}
    assert "BaseProvider" in shared
    for name in shared:
        assert len({id(getattr(door, name)) for door in DOORS if name in door.__all__}) == 1, name


def test_names_resolve_in_a_fresh_program() -> None:
    """`from llmkit import *` and the version work in a program that has just begun."""
    done = run(
        "from llmkit import *; import llmkit; "
        "print(len([n for n in llmkit.__all__ if n in globals()]), llmkit.__version__)"
    )
    assert done.stdout.split() == [str(len(llmkit.__all__)), llmkit.__version__], done.stderr


def test_modules_behind_a_door_can_be_imported() -> None:
    """A module below a door is imported as of any package, in each form, and no search for near names is loaded."""
    done = run(
        "import sys; import llmkit.wire.chat; from llmkit import testing, errors; from llmkit.types import messages\n"
        "print(llmkit.wire.chat.ChatProvider.__name__, testing.__name__, errors.__name__, messages.__name__)\n"
    )
    assert done.stdout.split() == ["ChatProvider", "llmkit.testing", "llmkit.errors", "llmkit.types.messages"], done
    done = run("import sys; from llmkit import testing, errors; from llmkit.types import Role; print(*sys.modules)")
    assert "difflib" not in done.stdout.split()


# --- Names that are not there

MISSPELT = [
    (llmkit, "create_langauge", "create_language"),
    (llmkit, "RateLimit", "RateLimited"),
    (llmkit.types, "Mesage", "Message"),
    (llmkit.provider, "HTTPrequest", "HTTPRequest"),
    (llmkit.testing, "FakeModle", "FakeModel"),
]


@pytest.mark.parametrize(("door", "name", "near"), MISSPELT, ids=[name for _, name, _ in MISSPELT])
def test_a_misspelt_name_is_told_the_nearest(door: ModuleType, name: str, near: str) -> None:
    """An attribute that is not there is an AttributeError, an import an ImportError; both say the nearest name, once."""
    with pytest.raises(AttributeError) as attribute:
        getattr(door, name)
    assert str(attribute.value) == f"module '{door.__name__}' has no attribute '{name}'. Did you mean '{near}'?"
    with pytest.raises(ImportError) as imported:
        exec(f"from {door.__name__} import {name}")
    assert str(imported.value) == f"cannot import name '{name}' from '{door.__name__}'. Did you mean '{near}'?"
    for error in (attribute.value, imported.value):
        assert "".join(traceback.format_exception(error)).count("Did you mean") == 1
    for code in (f"import {door.__name__} as door; door.{name}", f"from {door.__name__} import {name}"):
        assert run(code).stderr.count("Did you mean") == 1


@each_door
def test_a_strange_name_is_an_error_without_a_guess(door: ModuleType) -> None:
    """A name that is like none is an AttributeError or an ImportError that names it; `hasattr` says no."""
    with pytest.raises(AttributeError, match=f"^module '{door.__name__}' has no attribute 'qqqqqq'$"):
        door.qqqqqq  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'qqqqqq'"):
        exec(f"from {door.__name__} import qqqqqq")
    assert not hasattr(door, "TYPE_CHECKER")
    assert not hasattr(door, "__wrapped__")


# --- Who goes through which door


def imported_names(path: Path) -> list[tuple[str, str]]:
    """What a file imports of llmkit, also for type checkers only: module and name."""
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    found = [(str(node.module), alias.name) for node in tree if isinstance(node, ast.ImportFrom) for alias in node.names]
    return [(module, name) for module, name in found if module.split(".")[0] == "llmkit"]


def offences(folder: str, allowed: tuple[str, ...]) -> list[str]:
    """The imports of a folder's files that go through none of the doors that are theirs."""
    wrong = []
    public: dict[str, Any] = {door.__name__: door.__all__ for door in DOORS}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for module, name in imported_names(path):
            through = module in allowed or f"{module}.".startswith(tuple(item for item in allowed if item[-1] == "."))
            promised = name in public.get(module, [name]) and not name.startswith("_")
            if not (through and promised):
                wrong.append(f"{path.relative_to(ROOT)}: from {module} import {name}")
    return wrong


def test_providers_go_through_the_doors_of_authors() -> None:
    """Our providers import names of `llmkit.types`, `llmkit.provider`, `llmkit.errors` and the modules of `wire`."""
    assert offences("providers", FOR_AUTHORS) == []


def test_examples_go_through_doors() -> None:
    """The examples import names of doors only: `llmkit`, `llmkit.testing`, and those of authors."""
    assert offences("examples", FOR_USERS) == []


def test_no_provider_imports_a_whole_package_of_llmkit() -> None:
    """Providers and examples name what they take: none says `import llmkit...`."""
    files = [path for folder in ("providers", "examples") for path in (ROOT / folder).rglob("*.py")]
    trees = {path: ast.walk(ast.parse(path.read_text("utf-8"))) for path in files}
    plain = [path.name for path, tree in trees.items() for node in tree if isinstance(node, ast.Import)
             for alias in node.names if alias.name.split(".")[0] == "llmkit"]  # fmt: skip
    assert plain == []


def test_every_error_of_the_tree_is_a_name_of_llmkit() -> None:
    """`llmkit.errors` and `llmkit` have the same errors of that module."""
    tree = {name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == "llmkit.errors"}
    assert tree == {name for name, home in homes(llmkit).items() if home == "llmkit.errors"}

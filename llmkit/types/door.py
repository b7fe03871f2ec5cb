"""How a package is a door: its names stand in modules behind it, and each is loaded at its first use (PEP 562).

The `__init__` of a door says its names three times: in a table for the program, in imports that only a type checker
sees, and in `__all__`. `tests/test_doors.py` holds the three together.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping


def open_door(
    module: str, homes: Mapping[str, str], computed: Mapping[str, Callable[[], object]] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of the package `module`.

    A name that the door does not have raises an `AttributeError`, or an `ImportError` out of a `from ... import`, that
    says the nearest name.

    Args:
        homes: module below the package to the names that stand there, with spaces between them.
        computed: name to the function that gives its value, for a name that stands in no module.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}
    made = computed or {}
    space = vars(sys.modules[module])

    def load(name: str) -> object:
        if name in home_of:
            from importlib import import_module

            value = getattr(import_module(f"{module}.{home_of[name]}"), name)
        elif name in made:
            value = made[name]()
        else:
            raise _missing(module, name, home_of, imported=sys._getframe(1).f_code.co_name == "_handle_fromlist")
        space[name] = value  # Python finds it there from now on, and does not ask again.
        return value

    def names() -> list[str]:
        return sorted({*home_of, *made, *filter(_is_special, space)})

    return load, names


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _missing(module: str, name: str, names: Iterable[str], *, imported: bool) -> Exception:
    """The error of a name that a door does not have.

    `from door import name` asks the door out of importlib's `_handle_fromlist`. After an `AttributeError` that function
    looks for a submodule, and its own `ImportError` says no nearest name; any other error goes through it to the user.
    """
    error = f"module {module!r} has no attribute {name!r}"
    near: list[str] = []
    if not _is_special(name) and not (imported and _is_module(f"{module}.{name}")):
        from difflib import get_close_matches

        near = get_close_matches(name, names, n=1)
    if imported and near:
        return ImportError(f"cannot import name {name!r} from {module!r}. Did you mean {near[0]!r}?", name=module)
    # With `name` and without `obj` the interpreter adds no suggestion of its own when it shows the error.
    return AttributeError(f"{error}. Did you mean {near[0]!r}?" if near else error, name=name)


def _is_module(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None

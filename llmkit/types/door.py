"""Doors: packages whose names stand in modules behind them, each loaded at its first use (PEP 562).

The `__init__` of a door lists its names three times: in a table for the program, in imports that only a type checker
sees, and in `__all__`. `tests/test_doors.py` makes sure that the three agree.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping


def open_door(
    module: str, homes: Mapping[str, str], computed: Mapping[str, Callable[[], object]] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of the package `module`.

    A name that the door does not have raises an `AttributeError`, or an `ImportError` out of a `from ... import`, that
    suggests the nearest name.

    Args:
        module: the dotted name of the package.
        homes: each module below the package -> the names that stand in it, with spaces between them.
        computed: a name that stands in no module -> the function that gives its value.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}
    functions = computed or {}
    namespace = vars(sys.modules[module])

    def load(name: str) -> object:
        if name in home_of:
            from importlib import import_module

            value = getattr(import_module(f"{module}.{home_of[name]}"), name)
        elif name in functions:
            value = functions[name]()
        else:
            raise _make_missing_error(
                module, name, home_of, imported=sys._getframe(1).f_code.co_name == "_handle_fromlist"
            )
        namespace[name] = value  # From now on Python finds it there, and does not ask again.
        return value

    def names() -> list[str]:
        return sorted({*home_of, *functions, *filter(_is_special, namespace)})

    return load, names


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _make_missing_error(module: str, name: str, names: Iterable[str], *, imported: bool) -> Exception:
    """The error for a name that a door does not have.

    `from door import name` asks the door from importlib's `_handle_fromlist`. After an `AttributeError` that function
    looks for a submodule, and its own `ImportError` suggests no name; any other error goes through it to the user.
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

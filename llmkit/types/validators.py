"""Small checks of a value's shape that combine into a table. Each takes the value's name and the value, and raises."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from llmkit.errors import BadRequest

Check: TypeAlias = Callable[[str, object], None]


def wrong(name: str, value: object, hint: str) -> BadRequest:
    """The error of a value; it shows numbers and short text, of anything else only the type."""
    short = isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= 40)
    return BadRequest(f"{name} is {value!r}" if short else f"{name} is a {type(value).__name__}", hint=hint)


def text(most: int | None = None, least: int = 0) -> Check:
    """Text of `least` to `most` characters."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, str):
            raise wrong(name, value, f"{name} is text")
        if len(value) < least or (most is not None and len(value) > most):
            raise BadRequest(f"{name} has {len(value)} characters", hint=f"{name} has {least} to {most}")

    return check


def flag(name: str, value: object) -> None:
    """True or False."""
    if not isinstance(value, bool):
        raise wrong(name, value, f"{name} is True or False")


def whole(low: int | None = None, high: int | None = None) -> Check:
    """A whole number from `low` to `high`."""

    def check(name: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or _outside(value, low, high):
            raise wrong(name, value, f"{name} is a whole number{_range(low, high)}")

    return check


def number(low: float | None = None, high: float | None = None) -> Check:
    """A finite number from `low` to `high`."""

    def check(name: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise wrong(name, value, f"{name} is a number{_range(low, high)}")
        if _outside(value, low, high):
            raise wrong(name, value, f"{name} is a number{_range(low, high)}")

    return check


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)


def _range(low: float | None, high: float | None) -> str:
    return ("" if low is None else f" from {low}") + ("" if high is None else f" to {high}")


def one_of(*allowed: str) -> Check:
    """One of some words; the error names the nearest."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, str) or value not in allowed:
            near = difflib.get_close_matches(str(value)[:40], allowed, n=1)
            raise wrong(name, value, f"Did you mean {near[0]!r}?" if near else f"One of {', '.join(allowed)}")

    return check


def many(check: Check, *, least: int = 0, most: int | None = None) -> Check:
    """A list of `least` to `most` items."""

    def checked(name: str, value: object) -> None:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise wrong(name, value, f"{name} is a list")
        if len(value) < least or (most is not None and len(value) > most):
            bound = f"at most {most}" if len(value) > least else f"at least {least}"
            raise BadRequest(f"{name} has {len(value)} entries", hint=f"{name} has {bound}")
        for index, item in enumerate(value):
            check(f"{name}[{index}]", item)

    return checked


def table(fields: Mapping[str, Check], *, required: Sequence[str] = (), rest: Check | None = None) -> Check:
    """A dict with these fields; `None` stands for "not set". Other keys are checked by `rest`, or refused."""

    def checked(name: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise wrong(name, value, f"{name} is a dict")
        for key in required:
            if value.get(key) is None:
                raise BadRequest(f"{name} has no {key}", hint=f"{name} needs {', '.join(required)}")
        for key, item in value.items():
            check = fields.get(key, rest) if isinstance(key, str) else None
            if check is None:
                one_of(*fields)(f"a key of {name}", key)
            elif item is not None:
                check(f"{name}.{key}", item)

    return checked


def tagged(tag: str, variants: Mapping[str, Check]) -> Check:
    """A dict whose field `tag` says which of `variants` it is."""

    def checked(name: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise wrong(name, value, f"{name} is a dict")
        kind = value.get(tag)
        one_of(*variants)(f"{name}.{tag}", kind)
        variants[str(kind)](name, value)

    return checked


def either(words: Check, other: Check) -> Check:
    """Text that `words` takes, or anything else that `other` takes."""
    return lambda name, value: words(name, value) if isinstance(value, str) else other(name, value)


def anything(name: str, value: object) -> None:
    """No bound of ours."""

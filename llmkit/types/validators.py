"""Checks of values, which combine into tables: the one vocabulary for settings and for a provider's own options.

A check takes the value's name and the value, and raises `BadRequest` for a value that does not fit. What is wrong in a
setting is a mistake of the program: `llmkit.config.setting_checks` makes a `ConfigError` of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from llmkit.errors import BadRequest
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import describe, measure, name_of

Check: TypeAlias = Callable[[str, object], None]

_MAX_FLOAT = sys.float_info.max


def wrong(
    name: str, value: object, what: str, hint: str | None = None, *, say: Callable[[object], str] = describe
) -> BadRequest:
    """The error of a value that is not `what` it must be.

    Args:
        name: of the value; it stands first in the text.
        value: what was given.
        what: what the value must be.
        hint: what to do, beside passing such a value.
        say: how the value is shown: `describe` (by its type), `measure` (type and length) or `name_of`.
    """
    return BadRequest(f"{name} must be {what}, not {say(value)}", hint=hint)


def text(most: int | None = None, least: int = 0, *, what: str = "text") -> Check:
    """Text of `least` to `most` characters."""
    kind = what + _say_count(least, most, "character")

    def check(name: str, value: object) -> None:
        if not isinstance(value, str):
            raise wrong(name, value, kind)
        if len(value) < least or (most is not None and len(value) > most):
            raise wrong(name, value, kind, say=measure)

    return check


def _say_count(least: int, most: int | None, unit: str) -> str:
    if most is None:
        return f" of at least {least} {unit}{'' if least == 1 else 's'}" if least else ""
    return f" of {least} to {most} {unit}s" if least else f" of at most {most} {unit}{'' if most == 1 else 's'}"


def flag(name: str, value: object) -> None:
    """True or False passes."""
    if not isinstance(value, bool):
        raise wrong(name, value, "True or False")


def whole(low: int | None = None, high: int | None = None) -> Check:
    """A whole number from `low` to `high`."""
    kind = f"a whole number{_say_range(low, high)}"

    def check(name: str, value: object) -> None:
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or (low is not None and value < low)
            or (high is not None and value > high)
        ):
            raise wrong(name, value, kind)

    return check


def number(low: float | None = None, high: float | None = None, *, above: float | None = None) -> Check:
    """A finite number from `low` to `high`, or one that is greater than `above`."""
    kind = f"a number above {above}" if above is not None else f"a number{_say_range(low, high)}"
    if above is not None and high is not None:
        kind += f", up to {high}"
    least = above if above is not None else -_MAX_FLOAT if low is None else low
    most = _MAX_FLOAT if high is None else high

    def check(name: str, value: object) -> None:
        if (
            not isinstance(value, (float, int))
            or isinstance(value, bool)
            or not least <= value <= most  # false of a NaN, too
            or value == above
        ):
            raise wrong(name, value, kind)

    return check


def _say_range(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f" up to {high}"
    return f" of {low} or more" if high is None else f" from {low} to {high}"


def one_of(*allowed: str) -> Check:
    """One of some words, at least one; the error names the nearest."""
    *others, last = map(repr, allowed)
    kind = f"{', '.join(others)} or {last}" if others else last

    def check(name: str, value: object) -> None:
        if not isinstance(value, str) or value not in allowed:
            say = name_of if isinstance(value, str) else describe
            raise wrong(name, value, kind, did_you_mean(value, allowed), say=say)

    return check


def many(check: Check, *, least: int = 0, most: int | None = None, what: str = "a list") -> Check:
    """A list of `least` to `most` items that all pass `check`."""
    kind = what + _say_count(least, most, "item")

    def check_value(name: str, value: object) -> None:
        if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Sequence):
            raise wrong(name, value, kind)
        if len(value) < least or (most is not None and len(value) > most):
            raise wrong(name, value, kind, say=measure)
        for index, item in enumerate(value):
            check(f"{name}[{index}]", item)

    return check_value


def table(
    fields: Mapping[str, Check], *, required: Sequence[str] = (), rest: Check | None = None, what: str = "a dict"
) -> Check:
    """A dict with these fields; `None` stands for "not set". Other keys are checked by `rest`, or refused."""
    known = one_of(*fields) if fields else text()

    def check_value(name: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise wrong(name, value, what)
        for key in required:
            if value.get(key) is None:
                raise BadRequest(f"{name} has no {key}", hint=f"{name} needs {', '.join(required)}")
        for key, item in value.items():
            check = fields.get(key, rest) if isinstance(key, str) else None
            if check is None:
                known(f"a key of {name}", key)
            elif item is not None:
                check(f"{name}.{key}" if key in fields else _inside(name, key), item)

    return check_value


def pairs(values: Check, *, keys: Check | None = None, what: str = "a dict") -> Check:
    """A dict of any keys, or of those that pass `keys`, whose values all pass `values`."""

    def check_value(name: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise wrong(name, value, what)
        for key, item in value.items():
            if keys is not None:
                keys(f"a key of {name}", key)
            try:
                values(name, item)
            except BadRequest:  # The text of the place is only made now: a bias may have thousands of keys.
                values(_inside(name, key), item)
                raise

    return check_value


def _inside(name: str, key: object) -> str:
    """The place of a key that the user chose, which is shown as a name is."""
    return f"{name}[{describe(key) if isinstance(key, (int, float)) else name_of(key)}]"


def tagged(tag: str, variants: Mapping[str, Check]) -> Check:
    """A dict whose field `tag` says which of `variants` it is."""
    known = one_of(*variants)

    def check_value(name: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise wrong(name, value, "a dict")
        kind = value.get(tag)
        known(f"{name}.{tag}", kind)
        variants[str(kind)](name, value)

    return check_value


def either(words: Check, other: Check) -> Check:
    """Text that `words` takes, or anything else that `other` takes."""
    return lambda name, value: words(name, value) if isinstance(value, str) else other(name, value)


def like(what: str, *attributes: str) -> Check:
    """An object that has these attributes, for a class that stands in a later room. A class itself does not pass."""

    def check(name: str, value: object) -> None:
        if isinstance(value, type) or not all(hasattr(value, attribute) for attribute in attributes):
            raise wrong(name, value, what)

    return check


def anything(name: str, value: object) -> None:
    """Any value passes."""

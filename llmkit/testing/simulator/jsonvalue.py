"""Types of JSON values, safe conversions of them, and a writer that keeps every decimal digit.

A `Decimal` is written as a JSON number with its own digits. It never becomes a float on the way.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias, cast

JSON: TypeAlias = "bool | int | float | Decimal | str | Mapping[str, JSON] | Sequence[JSON] | None"
Object: TypeAlias = Mapping[str, JSON]

EMPTY: Object = {}


def trust_object(value: Mapping[str, object]) -> Object:
    """Return a scripted object with the type of a JSON object. If it is not JSON, `write` raises `TypeError`."""
    return cast("Object", value)


def write(value: JSON) -> str:
    """Return the compact JSON text of `value`. Characters outside ASCII stay as they are."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except TypeError:  # a Decimal, or a mapping that is not a dict: rare, so the quick way is tried first
        return _write_exact(value)


def _write_exact(value: JSON) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{write(key)}:{_write_exact(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(_write_exact(item) for item in value) + "]"
    return json.dumps(value)


def read(text: bytes) -> JSON:
    """Return the value in `text`.

    Raises:
        ValueError: `text` is not UTF-8 or not JSON.
    """
    value: JSON = json.loads(text.decode("utf-8"))
    return value


def as_object(value: JSON) -> Object:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else EMPTY


def as_list(value: JSON) -> Sequence[JSON]:
    """Return `value` if it is an array, else an empty one."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def as_text(value: JSON) -> str:
    """Return `value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def as_int(value: JSON, default: int) -> int:
    """Return `value` if it is an integer and not a bool, else `default`."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default

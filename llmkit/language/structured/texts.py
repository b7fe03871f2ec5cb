"""Texts that should be JSON: read strictly, freed of a Markdown fence, or read as far as they have come."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from llmkit.types.redaction import scrub

_FENCE = re.compile(r"\s*```[\w+-]*[ \t]*\r?\n(.*?)\s*```\s*", re.DOTALL)
_OPENING = re.compile(r"\s*```[\w+-]*\s*")


class Wrong(Exception):
    """A text that is not what was asked for. The text of the error says why."""


def load(text: str, number: Callable[[str], object] | None = None) -> Any:
    """The value of a JSON text, as the standard says: no NaN, no name twice in an object.

    `number` reads a number with a fraction or an exponent; without it, that is a float.

    Raises:
        Wrong: the text is not JSON.
    """
    if not text.strip():
        raise Wrong("it is empty")
    try:
        return json.loads(
            text, parse_float=number or _float, parse_constant=_refuse_constant, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        after = " after the value" if error.msg == "Extra data" else ""
        near = scrub(repr(text[max(0, error.pos - 20) : error.pos + 20]), 60)
        raise Wrong(f"not JSON: {error.msg}{after} at line {error.lineno} column {error.colno}, near {near}") from None
    except ValueError as error:  # A whole number of thousands of digits.
        raise Wrong(f"not JSON that can be read: {scrub(str(error))}") from None
    except RecursionError:
        raise Wrong("it is nested too deeply") from None


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Wrong(f"the number {text[:30]} is too large")
    return value


def _refuse_constant(name: str) -> object:
    raise Wrong(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Wrong(f"the name {scrub(repr(twice), 60)} stands twice in one object")
    return made


def unfenced(text: str) -> str:
    """The text without the one Markdown code fence around it, if it has one."""
    fence = _FENCE.fullmatch(text)
    return fence[1] if fence else text


def so_far(text: str) -> Any:
    """What can be read of a JSON text in the making, also after an opening fence; `None` where nothing can."""
    from pydantic_core import from_json

    if opening := _OPENING.match(text):
        text = text[opening.end() :]
    try:
        return from_json(text, allow_inf_nan=False, allow_partial="trailing-strings")
    except ValueError:
        return None

"""JSON text of answers: parsed strictly, freed of a Markdown fence, or parsed as far as it has come."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from llmkit.types.redaction import scrub

_FENCE = re.compile(r"\s*```[\w+-]*[ \t]*\r?\n(.*?)\s*```\s*", re.DOTALL)
_OPENING = re.compile(r"\s*```[\w+-]*\s*")


class InvalidAnswer(Exception):
    """The text of an answer is not what was asked for. The text of the error says why."""


def parse_json(text: str, parse_number: Callable[[str], object] | None = None) -> Any:
    """Parse a JSON text as the standard says: no NaN, no name twice in an object.

    `parse_number` gives the value of a number with a fraction or an exponent. Default: a float, which must be finite.

    Raises:
        InvalidAnswer: the text is not JSON.
    """
    if not text.strip():
        raise InvalidAnswer("it is empty")
    try:
        return json.loads(
            text,
            parse_float=parse_number or parse_float,
            parse_constant=_refuse_constant,
            object_pairs_hook=_make_object,
        )
    except json.JSONDecodeError as error:
        after = " after the value" if error.msg == "Extra data" else ""
        near = scrub(repr(text[max(0, error.pos - 20) : error.pos + 20]), 60)
        where = f"at line {error.lineno} column {error.colno}, near {near}"
        raise InvalidAnswer(f"not JSON: {error.msg}{after} {where}") from None
    except ValueError as error:  # A whole number of thousands of digits.
        raise InvalidAnswer(f"not JSON that can be read: {scrub(str(error))}") from None
    except RecursionError:
        raise InvalidAnswer("it is nested too deeply") from None


def parse_float(text: str) -> float:
    """Read a number. Raises `InvalidAnswer` where it is too large for a float."""
    value = float(text)
    if math.isinf(value):
        raise InvalidAnswer(f"the number {text[:30]} is too large")
    return value


def _refuse_constant(name: str) -> object:
    raise InvalidAnswer(f"{name} is not JSON")


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise InvalidAnswer(f"the name {scrub(repr(repeated), 60)} stands twice in one object")
    return value


def strip_fence(text: str) -> str:
    """Strip the Markdown code fence around a text, if there is one around all of it."""
    fence = _FENCE.fullmatch(text)
    return fence[1] if fence else text


def parse_partial_json(text: str) -> Any:
    """Parse what has come of a JSON text, also after an opening fence; `None` where nothing can be parsed."""
    from pydantic_core import from_json

    if opening := _OPENING.match(text):
        text = text[opening.end() :]
    try:
        return from_json(text, allow_inf_nan=False, allow_partial="trailing-strings")
    except ValueError:
        return None

"""Numbers that a service wrote: one grammar, and a bound for each kind. Pure; no number can make these raise.

The grammar is JSON's, in ASCII digits, for numbers and for text that stands for a number: no underscores, no digits of
other scripts, no NaN, no infinity. (Text may begin with zeros, as numbers in HTTP headers may.) A number beyond its
bound counts as absent, like a field of an unexpected type; `describe_doubt` gives the sentence that says so. The bound
of money is `llmkit.types.usage.MAX_DOLLARS`.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from llmkit.types.redaction import scrub
from llmkit.types.usage import is_believable

#: Largest count of anything: tokens, bytes, seconds of the epoch, nanoseconds.
MAX_COUNT = 10**15
#: Largest index of a choice or a tool call in its list.
MAX_INDEX = 10_000
#: Largest size of any other number.
MAX_REAL = 10**18
#: A service that asks to wait longer than a day is mistaken or sets a trap.
LONGEST_WAIT_SECONDS = 86_400.0
#: Longest text that is read as a number.
_MAX_NUMERAL_CHARS = 100
_NUMERAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")


class Numeral(str):
    """A number of a JSON document that no number type can hold, as the characters that stand there."""

    __slots__ = ()


def parse_whole(digits: str) -> int | Numeral:
    """A whole number of a JSON document; a `Numeral` where it has more digits than Python converts (some thousands)."""
    try:
        return int(digits)
    except ValueError:
        return Numeral(digits)


def parse_decimal(digits: str) -> Decimal | Numeral:
    """A number with a fraction or exponent; a `Numeral` where its exponent is too long for a `Decimal`."""
    try:
        return Decimal(digits)
    except InvalidOperation:
        return Numeral(digits)


def is_number(value: object) -> bool:
    """Is it a number, of whatever size? Text is not."""
    return isinstance(value, (int, float, Decimal, Numeral)) and not isinstance(value, bool)


def is_exact(value: object) -> bool:
    """Is it a number, of whatever size, with all its digits? Text that stands for a number is; a float is not."""
    if isinstance(value, str):
        return _NUMERAL.match(value) is not None
    return is_number(value) and not isinstance(value, float)


def as_exact(value: object) -> Decimal | None:
    """A whole number, a decimal, or text that stands for one, to its last digit; `None` for all else, floats too."""
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int):
        return None if isinstance(value, bool) else Decimal(value)
    if not isinstance(value, str) or len(value) > _MAX_NUMERAL_CHARS or not is_exact(value):
        return None
    number = parse_decimal(value)
    return number if isinstance(number, Decimal) and number.is_finite() else None


def as_dollars(value: object) -> Decimal | None:
    """An amount of money that an answer may have cost, as `as_exact` reads it; `None` where it cannot be one."""
    amount = as_exact(value)
    return amount.copy_abs() if amount is not None and is_believable(amount) else None


def as_count(value: object) -> int | None:
    """A whole number from 0 to `MAX_COUNT`, however it is written; `None` for anything else, and for text."""
    return _as_whole(value, MAX_COUNT)


def as_index(value: object) -> int | None:
    """A whole number from 0 to `MAX_INDEX`; `None` for anything else."""
    return _as_whole(value, MAX_INDEX)


def as_real(value: object) -> float | None:
    """A finite number, or text that stands for one, as a float; `None` for anything else."""
    if isinstance(value, str):
        value = float(value) if len(value) <= _MAX_NUMERAL_CHARS and is_exact(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return float(value) if -MAX_REAL < value < MAX_REAL else None


def describe_doubt(what: str, value: object) -> str:
    """The sentence that says that a number cannot be right."""
    shown = str(Decimal(value)) if isinstance(value, int) else str(value)
    return f"the service reported {what} that cannot be right ({scrub(shown, 24)}); it counts as unknown"


def _as_whole(value: object, limit: int) -> int | None:
    if type(value) is int:
        return value if 0 <= value <= limit else None
    if not isinstance(value, (Decimal, float)) or (isinstance(value, Decimal) and not value.is_finite()):
        return None
    return int(value) if 0 <= value <= limit and value == int(value) else None

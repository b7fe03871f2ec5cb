"""Numbers that a service wrote: one grammar, and how large each kind can be. Pure; no number can make these raise.

The grammar is JSON's, in ASCII digits, for numbers and for text that stands for one: no underscores, no digits of
other scripts, no NaN or infinity. (Text may begin with zeros, as HTTP has it.) A number beyond its bound counts as
absent, like a field of an unexpected type; `doubt` is the sentence that says so. The bound of money is
`llmkit.types.usage.MOST`.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from llmkit.types.redaction import scrub
from llmkit.types.usage import believable

#: Tokens, bytes, seconds of the epoch, nanoseconds: no count is larger.
MOST_COUNT = 10**15
#: The place of a choice or a tool call in its list.
MOST_INDEX = 10_000
#: Anything else that is measured.
MOST_REAL = 10**18
#: Seconds. A service that asks to wait longer than a day is mistaken or sets a trap.
LONGEST_WAIT = 86_400.0
#: Characters of a number that is text.
_LONGEST = 100
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")


class Numeral(str):
    """A number of a JSON document that no number type holds: its characters, as they stand there."""

    __slots__ = ()


def whole_or_numeral(digits: str) -> int | Numeral:
    """A whole number of a JSON document. Python reads no more than some thousand digits."""
    try:
        return int(digits)
    except ValueError:
        return Numeral(digits)


def decimal_or_numeral(digits: str) -> Decimal | Numeral:
    """A number of a JSON document with a fraction or exponent; an exponent may have more digits than a `Decimal`'s."""
    try:
        return Decimal(digits)
    except InvalidOperation:
        return Numeral(digits)


def is_number(value: object) -> bool:
    """Is it a number, of whatever size? Text is none."""
    return isinstance(value, (int, float, Decimal, Numeral)) and not isinstance(value, bool)


def is_exact(value: object) -> bool:
    """Is it a number, of whatever size, that came with all its digits? Text that stands for one is."""
    if isinstance(value, str):
        return _NUMBER.match(value) is not None
    return is_number(value) and not isinstance(value, float)


def exact(value: object) -> Decimal | None:
    """A whole number, a decimal, or text that stands for one, to its last digit. A float is not exact."""
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int):
        return None if isinstance(value, bool) else Decimal(value)
    if not isinstance(value, str) or len(value) > _LONGEST or not is_exact(value):
        return None
    number = decimal_or_numeral(value)
    return number if isinstance(number, Decimal) and number.is_finite() else None


def dollars(value: object) -> Decimal | None:
    """An amount of money that an answer may have cost, as `exact` reads it."""
    amount = exact(value)
    return amount.copy_abs() if amount is not None and believable(amount) else None


def count(value: object) -> int | None:
    """A whole number of 0 or more, however it is written; text is none."""
    return _whole(value, MOST_COUNT)


def place(value: object) -> int | None:
    """An index."""
    return _whole(value, MOST_INDEX)


def real(value: object) -> float | None:
    """A finite number, or text that stands for one."""
    if isinstance(value, str):
        value = float(value) if len(value) <= _LONGEST and is_exact(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return float(value) if -MOST_REAL < value < MOST_REAL else None


def doubt(what: str, value: object) -> str:
    """The sentence about a number that cannot be right."""
    shown = str(Decimal(value)) if isinstance(value, int) else str(value)
    return f"the service reported {what} that cannot be right ({scrub(shown, 24)}); it counts as unknown"


def _whole(value: object, most: int) -> int | None:
    if type(value) is int:
        return value if 0 <= value <= most else None
    if not isinstance(value, (Decimal, float)) or (isinstance(value, Decimal) and not value.is_finite()):
        return None
    return int(value) if 0 <= value <= most and value == int(value) else None

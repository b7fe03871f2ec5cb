"""What a call used and what it cost: `Usage`, `Cost`, `Timings`. Unknown is `None`, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Context, Decimal
from typing import Any, Literal, cast

#: Nothing costs more. A figure beyond is a mistake and counts as unknown.
MAX_DOLLARS = 1_000_000
#: The most digits that an amount may have after its point, and the largest power of ten that it may be written in.
_MAX_DECIMAL_PLACES, _MAX_EXPONENT = 100, 10
#: The decimal context of sums: it holds any number of believable amounts to the last digit, and raises nothing.
_SUMS = Context(prec=200, traps=[])

Basis = Literal["reported", "computed", "lower_bound", "ceiling", "not_billed", "free", "unknown"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts, as the service reported them; a count that was not reported is `None`.

    `prompt_tokens` includes `cached_tokens` and `cache_write_tokens`; `completion_tokens` includes
    `reasoning_tokens`. `raw` is the service's whole usage object, numbers with a fraction as `Decimal`.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    raw: Mapping[str, object] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, int | None]:
        """The six counts as a dict; `raw` is left out."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "raw"}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Usage:
        """Read what `to_dict` gives."""
        counts: dict[str, Any] = {item.name: value.get(item.name) for item in fields(cls) if item.name != "raw"}
        return cls(**counts)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one answer cost, in US dollars.

    Attributes:
        amount: the cost, or `None` where it is not known.
        basis: where the amount comes from: "reported" by the service, "free" (a model on this machine), "not_billed"
            (the service does not charge for this outcome), or "unknown". The other words of `Basis` are reserved.
        reported: the figure that the service reported.
        upstream: with an own key at the upstream provider (BYOK), what that provider charges; then
            `amount = reported + upstream`.
    """

    amount: Decimal | None = None
    basis: Basis = "unknown"
    reported: Decimal | None = None
    upstream: Decimal | None = None

    def __str__(self) -> str:
        return "unknown" if self.amount is None else f"${self.amount:f}"

    def to_dict(self) -> dict[str, str | None]:
        """The cost as a dict; amounts are decimal text."""
        return {
            "amount": None if self.amount is None else str(self.amount),
            "basis": self.basis,
            "reported": None if self.reported is None else str(self.reported),
            "upstream": None if self.upstream is None else str(self.upstream),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Cost:
        """Read what `to_dict` gives."""
        amounts: dict[str, Any] = {}
        for name in _AMOUNTS:
            amounts[name] = None if value.get(name) is None else Decimal(str(value[name]))
        return cls(basis=value.get("basis") or "unknown", **amounts)


def is_believable(amount: object) -> bool:
    """Can `amount` be a cost: a number from 0 to `MAX_DOLLARS`, short enough to be added exactly?"""
    if not isinstance(amount, Decimal):
        return type(amount) is int and 0 <= amount <= MAX_DOLLARS
    if not amount.is_finite() or not 0 <= amount <= MAX_DOLLARS:
        return False
    return -_MAX_DECIMAL_PLACES <= cast("int", amount.as_tuple().exponent) <= _MAX_EXPONENT


def add_amounts(one: Decimal, other: Decimal) -> Decimal:
    """The sum of two amounts, exact whatever the program's own decimal context is."""
    return _SUMS.add(one, other)


def drop_unbelievable_amount(cost: Cost) -> Cost:
    """The cost, without its amount where that is not believable."""
    if cost.amount is None or is_believable(cost.amount):
        return cost
    return replace(cost, amount=None, basis="unknown")


_AMOUNTS = ("amount", "reported", "upstream")


UNKNOWN_COST = Cost()
FREE = Cost(Decimal(0), "free")
NOT_BILLED = Cost(Decimal(0), "not_billed")


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a local model took, in seconds; `None` where the backend does not say."""

    total: float | None = None
    load: float | None = None
    prompt: float | None = None
    completion: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """The four times as a dict."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Timings:
        """Read what `to_dict` gives."""
        return cls(**{item.name: value.get(item.name) for item in fields(cls)})

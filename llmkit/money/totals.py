"""Running totals of a model. Known costs are added up, unknown ones are counted."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING

from llmkit.types.usage import Usage, add_amounts, is_believable

if TYPE_CHECKING:
    from llmkit.types.responses import Attempt


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals at one moment.

    Attributes:
        amount: the sum of the known costs, US dollars.
        calls: the number of calls that were answered.
        attempts: the number of exchanges, failed ones included.
        priced: attempts with a known cost, free ones included.
        unknown: attempts that may have been billed and whose cost is not known.
        not_billed: failed attempts that the service does not charge for.
        prompt_tokens, completion_tokens: sums of the counts that were reported.
    """

    amount: Decimal = Decimal(0)
    calls: int = 0
    attempts: int = 0
    priced: int = 0
    unknown: int = 0
    not_billed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def exact(self) -> bool:
        """Is `amount` the whole cost, with nothing unknown?"""
        return self.unknown == 0


class Tally:
    """Adds up the costs of attempts. Threads and tasks may share it. No figure of a provider can make it raise."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._amount = Decimal(0)
        self._counts = dict.fromkeys(("calls", "attempts", "priced", "unknown", "not_billed"), 0)
        self._tokens = [0, 0]

    def record(self, attempt: Attempt, usage: Usage | None = None) -> None:
        """Add one finished attempt; `usage` where tokens were reported."""
        cost = attempt.cost
        amount = cost.amount if is_believable(cost.amount) else None
        kind = "not_billed" if cost.basis == "not_billed" else "unknown" if amount is None else "priced"
        with self._lock:
            self._counts["attempts"] += 1
            self._counts[kind] += 1
            self._counts["calls"] += attempt.outcome == "ok"
            if amount is not None:
                self._amount = add_amounts(self._amount, amount)
            if usage is not None:
                self._tokens[0] += _as_count(usage.prompt_tokens)
                self._tokens[1] += _as_count(usage.completion_tokens)

    def snapshot(self) -> Totals:
        """The totals at this moment."""
        with self._lock:
            return Totals(
                self._amount, **self._counts, prompt_tokens=self._tokens[0], completion_tokens=self._tokens[1]
            )


def _as_count(count: object) -> int:
    return count if isinstance(count, int) else 0

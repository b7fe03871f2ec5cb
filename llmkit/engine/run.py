"""One call, over all its attempts and targets: where retry, fallback and money meet.

How the loop works. A run holds one open attempt at a time. An attempt ends in one of four ways:

1. It gives a result. The attempt is booked, and the result is the run's.
2. It fails, and its procedure wants to ask the same target once more at once, with what was wrong about the answer
   (a structured answer that did not validate). The same target is tried with the new question; no wait is taken.
3. It fails otherwise. It is booked, and the chain says which target comes next, after which wait. The chain gives up
   when attempts, targets or the retry policy are used up; the run gives up when content has been handed out (what a
   caller has seen is not sent again), or when the wait would pass the deadline.
4. The caller leaves: early exit from a stream, cancellation, Ctrl-C. None of these comes into the flow. The driver
   ends the flow, asks `abandon()` what to book for the open attempt, and books that.

So each attempt is booked exactly once, whatever happens. A flow never releases anything: the driver owns the open reply
and closes it in its own `finally`.

No I/O and no clock of its own in here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from llmkit.engine.effects import Flow, Record, Sleep
from llmkit.engine.failures import final_error, place, provider_bug
from llmkit.engine.plan import Deadlines, Plan, Target
from llmkit.errors import LLMError
from llmkit.resilience.chain import Chain
from llmkit.types.responses import Attempt
from llmkit.types.usage import NOT_BILLED, UNKNOWN_COST, Cost, drop_unbelievable_amount

if TYPE_CHECKING:
    from llmkit.provider.exchange import HTTPRequest
    from llmkit.types.usage import Usage

log = logging.getLogger("llmkit")
T = TypeVar("T")


class Charge(NamedTuple):
    """What a finished attempt used and cost, and the service's id of it."""

    cost: Cost
    usage: Usage | None = None
    request_id: str | None = None


class Procedure(Protocol[T]):
    """How one attempt goes: chat, another operation, a streamed one. One object serves all attempts of a run."""

    @property
    def committed(self) -> bool:
        """Has something been handed to the caller? From then on nothing is sent again."""
        ...

    @property
    def billed(self) -> bool:
        """Does the service charge for what is asked?"""
        ...

    @property
    def request(self) -> HTTPRequest | None:
        """The request that was sent last."""
        ...

    def attempt(self, target: Target[Any], deadlines: Deadlines) -> Flow[T]:
        """One attempt at a target. Whatever it raises becomes an `LLMError` that names the target."""
        ...

    def again(self, error: LLMError) -> Callable[[], Any] | None:
        """What the same target is asked next, at once, after `error`; `None`: nothing."""
        ...

    def charge(self, result: T) -> Charge:
        """What the attempt that gave `result` used and cost."""
        ...

    def finish(self, result: T, attempts: Sequence[Attempt]) -> T:
        """The result as the caller gets it, with the attempts that led to it."""
        ...


@dataclass(slots=True, repr=False)
class Run(Generic[T]):
    """What happens to a plan. A `Runnable` of the drivers; it runs once.

    Attributes:
        attempts: those that are over, oldest first; `errors`: of the failed ones.
    """

    plan: Plan[Any]
    procedure: Procedure[T]
    attempts: list[Attempt] = field(default_factory=list)
    errors: list[LLMError] = field(default_factory=list)
    _open: tuple[Target[Any], float, float] | None = None

    def run(self) -> Flow[T]:
        """The whole call."""
        plan, procedure = self.plan, self.procedure
        deadlines = Deadlines(plan.clock, plan.deadline)
        chain: Chain | None = None
        index, wait = 0, 0.0
        target = plan.targets[0]
        while True:
            self._open = (target, plan.clock(), wait)
            try:
                result = yield from self._attempt(target, deadlines)
            except LLMError as error:
                yield from self._book_failure(target, error)
                if procedure.committed:
                    raise self._final() from None
                if not deadlines.over() and (question := procedure.again(error)) is not None:
                    target, wait = replace(target, prepare=question), 0.0
                    continue
                chain = chain or Chain(len(plan.targets), plan.policy)
                step = chain.after_failure(index, error, plan.clock())
                # A second more than the wait: an attempt that has no time to be answered is not sent.
                if step is None or deadlines.over(step[1] + 1 if step[1] else 0.0):
                    raise self._final() from None
                if step[0] != index:  # the same target keeps the question that it was asked again with
                    target = plan.targets[step[0]]
                index, wait = step
                log.info("%s failed (%s); next %s in %.2f s", error.where, type(error).__name__, target.name, wait)
                if wait:
                    yield Sleep(wait)
            else:
                yield from self._book_success(target, result)
                return procedure.finish(result, self.attempts)

    def _attempt(self, target: Target[Any], deadlines: Deadlines) -> Flow[T]:
        """One attempt. Every exception leaves it as an `LLMError` that names its target."""
        try:
            return (yield from self.procedure.attempt(target, deadlines))
        except LLMError as error:
            raise place(error, target, deadlines, self.procedure.request) from None
        except Exception as error:  # a provider is foreign code: whatever it raises becomes a typed error
            log.debug("provider %s raised", target.provider.name, exc_info=True)
            raise place(provider_bug(error), target, deadlines, self.procedure.request) from error

    def _book_failure(self, target: Target[Any], error: LLMError) -> Flow[None]:
        self.errors.append(error)
        partial = error.partial
        cost = NOT_BILLED if error.billed == "no" or not self.procedure.billed else UNKNOWN_COST
        if partial is not None and partial.cost.amount is not None:
            # A whole answer costs what it says. One in the making does, once its usage has come.
            whole = bool(partial.choices) and partial.choices[0].finish_reason is not None
            if whole or partial.usage.total_tokens is not None:
                cost = drop_unbelievable_amount(partial.cost)
        attempt = self._close(target, type(error).__name__, error.status, error.request_id, error.message, cost)
        if self.plan.tally is not None:
            yield Record(self.plan.tally, attempt, None if partial is None else partial.usage)

    def _book_success(self, target: Target[Any], result: T) -> Flow[None]:
        charge = self.procedure.charge(result)
        attempt = self._close(target, "ok", 200, charge.request_id, None, charge.cost)
        log.debug("%s answered in %.3f s", attempt.target, attempt.elapsed)
        if self.plan.tally is not None:
            yield Record(self.plan.tally, attempt, charge.usage)

    def _close(
        self,
        target: Target[Any],
        outcome: str,
        status: int | None,
        request_id: str | None,
        message: str | None,
        cost: Cost,
    ) -> Attempt:
        """The open attempt is over: what is to be booked."""
        _, started, waited = self._open or (target, self.plan.clock(), 0.0)
        self._open = None
        elapsed = self.plan.clock() - started
        attempt = Attempt(
            target.provider.name, target.model, outcome, elapsed, waited, status, request_id, message, cost
        )
        self.attempts.append(attempt)
        return attempt

    def abandon(self) -> Record | None:
        """See `Runnable`: an attempt that the caller left may have been billed, so its cost is unknown."""
        if self._open is None:
            return None
        cost = UNKNOWN_COST if self.procedure.billed else NOT_BILLED
        attempt = self._close(self._open[0], "abandoned", None, None, "the caller left", cost)
        return None if self.plan.tally is None else Record(self.plan.tally, attempt)

    def _final(self) -> LLMError:
        error = final_error(self.errors, len(self.plan.targets))
        error.attempts = tuple(self.attempts)
        return error

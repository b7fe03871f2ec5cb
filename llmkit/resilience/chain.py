"""Which target comes next: a small state machine over the targets of one call. No I/O; the time is passed in.

While a target is left that has not been tried, a failure costs no wait at all. Only then are failed targets tried
again, the one that is ready first, after the wait that its retry policy says.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from llmkit.resilience.retry import Retries, RetryPolicy

if TYPE_CHECKING:
    from llmkit.errors import LLMError


#: Most requests of a call with several targets, where the policy does not say.
MOST_IN_CHAIN = 5


class Chain:
    """The targets of one call, by index, in the order of preference."""

    def __init__(self, targets: int, policy: RetryPolicy | None, rng: random.Random | None = None) -> None:
        self._targets = targets
        self._policy = policy
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._untried = list(range(1, targets))
        self._retries: dict[int, Retries] = {}
        self._pending: list[tuple[int, LLMError, float]] = []
        self._ready: dict[int, float] = {}
        self._sent = 1
        total = None if policy is None else policy.total_attempts
        if total is None:
            total = policy.attempts if policy is not None and targets == 1 else max(MOST_IN_CHAIN, targets)
        self._most = total

    def after_failure(self, index: int, error: LLMError, now: float) -> tuple[int, float] | None:
        """What to do after `error` on target `index`: the next target and seconds to wait, or `None` to give up.

        A chain goes on only if the error says that another target may do better. The same target is tried again only
        if the policy says so.
        """
        self._ready.pop(index, None)
        self._pending.append((index, error, now))
        if error.fallback and self._untried and self._sent < self._most:
            return self._next(self._untried.pop(0), 0.0)
        self._settle()
        ready = self._ready if error.fallback else {key: at for key, at in self._ready.items() if key == index}
        if not ready or self._sent >= self._most:
            return None
        best = min(ready, key=lambda key: ready[key])
        return self._next(best, max(0.0, ready[best] - now))

    def _settle(self) -> None:
        """Ask the retry policy about the failures since the last time. Not before: it costs a module to load."""
        for index, error, when in self._pending:
            wait = self._wait(index, error)
            if wait is not None:
                self._ready[index] = when + wait
        self._pending.clear()

    def _next(self, index: int, wait: float) -> tuple[int, float]:
        self._sent += 1
        return index, wait

    def _wait(self, index: int, error: LLMError) -> float | None:
        if self._policy is None:
            return None
        retries = self._retries.get(index)
        if retries is None:
            attempts = self._policy.attempts if self._targets == 1 else self._policy.chain_attempts
            retries = self._retries[index] = Retries(self._policy, attempts, self._rng)
        return retries.failed(error)

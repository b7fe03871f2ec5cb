"""Which target comes next: a small state machine over the targets of one call. No I/O; the time is passed in.

While there is a target that has not been tried, a failure leads to it at once, without a wait. When all have been
tried, the failed ones are tried again: first the one that is ready first, when the wait that the retry policy sets for
it is over.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from llmkit.resilience.retry import Retries, RetryPolicy

if TYPE_CHECKING:
    from llmkit.errors import LLMError


#: The most requests of a call with several targets, where the policy does not set a number.
MAX_CHAIN_REQUESTS = 5


class Chain:
    """The targets of one call, by index, in the order of preference.

    `_untried` holds those that no request was sent to. `_pending` holds the failures about which the retry policy was
    not asked yet, because asking loads a module. `_ready` says from which time on a target may be tried again.
    """

    def __init__(self, targets: int, policy: RetryPolicy | None, rng: random.Random | None = None) -> None:
        self._targets = targets
        self._policy = policy
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._untried = list(range(1, targets))
        self._retries: dict[int, Retries] = {}
        self._pending: list[tuple[int, LLMError, float]] = []
        self._ready: dict[int, float] = {}
        self._sent = 1
        limit = None if policy is None else policy.total_attempts
        if limit is None:
            limit = policy.attempts if policy is not None and targets == 1 else max(MAX_CHAIN_REQUESTS, targets)
        self._max_requests = limit

    def after_failure(self, index: int, error: LLMError, now: float) -> tuple[int, float] | None:
        """The next target, and the seconds to wait before it, after `error` on target `index`; `None` to give up.

        Another target is tried only if the error says that it may do better, the same target only if the policy
        allows it.
        """
        self._ready.pop(index, None)
        self._pending.append((index, error, now))
        if error.fallback and self._untried and self._sent < self._max_requests:
            return self._take(self._untried.pop(0), 0.0)
        self._schedule_retries()
        ready = self._ready if error.fallback else {key: at for key, at in self._ready.items() if key == index}
        if not ready or self._sent >= self._max_requests:
            return None
        best = min(ready, key=lambda key: ready[key])
        return self._take(best, max(0.0, ready[best] - now))

    def _schedule_retries(self) -> None:
        """Ask the retry policy about the pending failures, and note failed_at their targets are ready again."""
        for index, error, failed_at in self._pending:
            wait = self._find_wait(index, error)
            if wait is not None:
                self._ready[index] = failed_at + wait
        self._pending.clear()

    def _take(self, index: int, wait: float) -> tuple[int, float]:
        self._sent += 1
        return index, wait

    def _find_wait(self, index: int, error: LLMError) -> float | None:
        if self._policy is None:
            return None
        retries = self._retries.get(index)
        if retries is None:
            attempts = self._policy.attempts if self._targets == 1 else self._policy.chain_attempts
            retries = self._retries[index] = Retries(self._policy, attempts, self._rng)
        return retries.record_failure(error)

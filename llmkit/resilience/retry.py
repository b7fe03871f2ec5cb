"""When to try again, and how long to wait: a policy, and tenacity driven by hand.

tenacity decides (stop, wait, retry predicate); it never sleeps here. `Retrying.iter(state)` answers with a wait or
raises the error, and the engine does what it says. This is the one module that knows tenacity, and it loads it at the
first failure, not before.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.errors import ConfigError, LLMError, Overloaded, RateLimited
from llmkit.types.redaction import describe

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently a failed request is sent again.

    Attributes:
        attempts: most requests to the only target of a call.
        chain_attempts: most requests to each target of a fallback chain.
        total_attempts: most requests of one call over all targets. `None`: with one target `attempts`; with several 5,
            or one for each target where there are more.
        backoff: seconds; the first wait is drawn evenly between 0 and `backoff`, each later one from twice that.
        longest_backoff: seconds; cap of that.
        longest_hint: seconds; a service that asks to wait longer is not waited for, the error is raised instead.
    """

    attempts: int = 3
    chain_attempts: int = 2
    total_attempts: int | None = None
    backoff: float = 0.5
    longest_backoff: float = 8.0
    longest_hint: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what cannot be counted or waited.

        Raises:
            ConfigError: an attempt count below 1, a negative time.
        """
        for name in ("attempts", "chain_attempts", "total_attempts"):
            value = getattr(self, name)
            if value is None and name == "total_attempts":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                kind = "a whole number of 1 or more"
                raise ConfigError(f"{name} of the retry policy must be {kind}, not {describe(value)}")
        for name in ("backoff", "longest_backoff", "longest_hint"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not value >= 0:
                kind = "seconds, 0 or more"
                raise ConfigError(f"{name} of the retry policy must be {kind}, not {describe(value)}")

    def wait(self, error: LLMError, failures: int, rng: random.Random) -> float:
        """Seconds before the next request, after `failures` failed ones on this target.

        With a hint of the service: the hint and up to a tenth more, at most a second; never less than the hint.
        Rate limits and overload wait at least half of a doubled step; the rest has full jitter.
        """
        if error.retry_after is not None:
            return error.retry_after + rng.uniform(0, min(1.0, error.retry_after / 10))
        if isinstance(error, (RateLimited, Overloaded)):
            step = min(30.0, 2 * self.backoff * 2.0 ** min(failures - 1, 60))
            return step / 2 + rng.uniform(0, step / 2)
        return rng.uniform(0, min(self.longest_backoff, self.backoff * 2.0 ** min(failures - 1, 60)))


class Retries:
    """The failures of one target in one call."""

    def __init__(self, policy: RetryPolicy, attempts: int, rng: random.Random) -> None:
        from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

        def again(error: BaseException) -> bool:
            return isinstance(error, LLMError) and error.retryable and (error.retry_after or 0) <= policy.longest_hint

        def wait(state: RetryCallState) -> float:
            failure = state.outcome.exception() if state.outcome else None
            assert isinstance(failure, LLMError)
            return policy.wait(failure, state.attempt_number, rng)

        self._retrying: Retrying = Retrying(
            stop=stop_after_attempt(attempts), wait=wait, retry=retry_if_exception(again), reraise=True
        )
        self._retrying.begin()
        self._state = RetryCallState(self._retrying, None, (), {})

    def failed(self, error: LLMError) -> float | None:
        """Seconds to wait before the same request may go again; `None`: not again."""
        from tenacity import DoSleep

        self._state.set_exception((type(error), error, error.__traceback__))
        try:
            action = self._retrying.iter(self._state)
        except LLMError:
            return None
        self._state.prepare_for_next_attempt()
        return float(action) if isinstance(action, DoSleep) else None

"""When to try again, and how long to wait: a policy, and tenacity driven by hand.

tenacity decides (stop, wait, retry predicate), but it never sleeps here. `Retrying.iter(state)` returns a wait or
raises the error, and the engine carries that out. This is the only module that knows tenacity. It loads it at the first
failure.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.errors import ConfigError, LLMError, Overloaded, RateLimited
from llmkit.types.redaction import describe

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying


_LONGEST_OVERLOAD_WAIT_SECONDS = 30.0
#: More doublings would overflow a float, and change nothing below the caps.
_MAX_DOUBLINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently a failed request is sent again.

    Attributes:
        attempts: the most requests to the only target of a call.
        chain_attempts: the most requests to each target of a fallback chain.
        total_attempts: the most requests of one call over all targets. `None`: with one target `attempts`; with several
            5, or one for each target where there are more.
        backoff: seconds. The first wait is drawn evenly between 0 and `backoff`; each later one has twice the range.
        longest_backoff: seconds; the range grows no further than this.
        longest_hint: seconds. If the service asks to wait longer, the error is raised instead.
    """

    attempts: int = 3
    chain_attempts: int = 2
    total_attempts: int | None = None
    backoff: float = 0.5
    longest_backoff: float = 8.0
    longest_hint: float = 60.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a number of attempts is below 1, or a time is negative.
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
        """The seconds to wait before the next request, after `failures` failed ones to the same target.

        Where the service asked for a wait (`retry_after`), that long and up to a tenth longer, at most a second longer.
        After a rate limit or overload, the range is twice as large and its lower half is left out. After any other
        failure, any time in the range (full jitter).
        """
        if error.retry_after is not None:
            return error.retry_after + rng.uniform(0, min(1.0, error.retry_after / 10))
        if isinstance(error, (RateLimited, Overloaded)):
            step = min(_LONGEST_OVERLOAD_WAIT_SECONDS, 2 * self.backoff * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
            return step / 2 + rng.uniform(0, step / 2)
        return rng.uniform(0, min(self.longest_backoff, self.backoff * 2.0 ** min(failures - 1, _MAX_DOUBLINGS)))


class Retries:
    """The failures of one target in one call, counted by tenacity."""

    def __init__(self, policy: RetryPolicy, attempts: int, rng: random.Random) -> None:
        from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

        def may_retry(error: BaseException) -> bool:
            return isinstance(error, LLMError) and error.retryable and (error.retry_after or 0) <= policy.longest_hint

        def wait(state: RetryCallState) -> float:
            failure = state.outcome.exception() if state.outcome else None
            assert isinstance(failure, LLMError)
            return policy.wait(failure, state.attempt_number, rng)

        self._retrying: Retrying = Retrying(
            stop=stop_after_attempt(attempts), wait=wait, retry=retry_if_exception(may_retry), reraise=True
        )
        self._retrying.begin()
        self._state = RetryCallState(self._retrying, None, (), {})

    def record_failure(self, error: LLMError) -> float | None:
        """Count a failure. Returns the seconds to wait before the next request to this target, `None` to give up."""
        from tenacity import DoSleep

        self._state.set_exception((type(error), error, error.__traceback__))
        try:
            action = self._retrying.iter(self._state)
        except LLMError:
            return None
        self._state.prepare_for_next_attempt()
        return float(action) if isinstance(action, DoSleep) else None

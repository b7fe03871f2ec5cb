"""Which target comes next and after what wait: the chain and the retry policy as state machines under a fake clock."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from llmkit import RetryPolicy, errors
from llmkit.errors import LLMError
from llmkit.resilience.chain import Chain
from llmkit.resilience.retry import Retries

EXAMPLES: Final = settings.default.max_examples

CLASSES: Final = sorted(
    (
        cls
        for cls in vars(errors).values()
        if isinstance(cls, type)
        and issubclass(cls, LLMError)
        and cls not in (errors.AllTargetsFailed, errors.StreamInterrupted, LLMError)
    ),
    key=lambda cls: cls.__name__,
)
HINTS: Final = st.none() | st.floats(0, 200, allow_nan=False)
FAILURES: Final = st.builds(lambda cls, hint: cls("failed", retry_after=hint), st.sampled_from(CLASSES), HINTS)
POLICIES: Final = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 5),
    chain_attempts=st.integers(1, 4),
    total_attempts=st.none() | st.integers(1, 8),
    backoff=st.floats(0, 3),
    longest_backoff=st.floats(0, 10),
    longest_hint=st.floats(0, 120),
)


def most(policy: RetryPolicy, targets: int) -> int:
    """Most requests of a call: the policy's number; where it has none 5, or one for each target of a longer chain."""
    return policy.total_attempts or (policy.attempts if targets == 1 else max(5, targets))


@dataclass
class Sent:
    """One request of a simulated call."""

    target: int
    at: float
    waited: float
    untried: set[int]


@dataclass
class Told:
    """What a simulated call did: its requests, and the errors that they got."""

    sent: list[Sent] = field(default_factory=list)
    failed: list[tuple[Sent, LLMError, float]] = field(default_factory=list)


def play(targets: int, policy: RetryPolicy | None, failures: list[tuple[LLMError, float]], seed: int) -> Told:
    """A call on which every request fails: each error comes after its time, and the chain says what is next."""
    chain = Chain(targets, policy, random.Random(seed))
    told, clock, index, wait = Told(), 0.0, 0, 0.0
    tried: set[int] = set()
    for error, took in failures:
        clock += wait
        sent = Sent(index, clock, wait, set(range(targets)) - tried - {index})
        tried.add(index)
        told.sent.append(sent)
        clock += took
        told.failed.append((sent, error, clock))
        step = chain.after_failure(index, error, clock)
        if step is None:
            break
        index, wait = step
        assert wait >= 0
    return told


CALLS: Final = given(
    targets=st.integers(1, 7),
    policy=POLICIES,
    failures=st.lists(st.tuples(FAILURES, st.floats(0, 5)), min_size=1, max_size=20),
    seed=st.integers(0, 99),
)


@CALLS
@example(7, RetryPolicy(), [(errors.ServerError("x"), 0.0)] * 20, 0)
def test_never_more_requests_than_the_policy_says(
    targets: int, policy: RetryPolicy, failures: list[tuple[LLMError, float]], seed: int
) -> None:
    """A call sends at most `total_attempts` requests, and to one target at most its own number."""
    told = play(targets, policy, failures, seed)
    assert len(told.sent) <= most(policy, targets)
    each = policy.attempts if targets == 1 else policy.chain_attempts
    for index in range(targets):
        assert sum(sent.target == index for sent in told.sent) <= each


@CALLS
def test_no_wait_while_an_untried_target_is_left(
    targets: int, policy: RetryPolicy, failures: list[tuple[LLMError, float]], seed: int
) -> None:
    """After an error that lets a chain go on, an untried target is next, in order and without a wait."""
    told = play(targets, policy, failures, seed)
    for (_, error, _), sent in zip(told.failed, told.sent[1:], strict=False):
        if sent.waited:
            assert not sent.untried or not error.fallback
    first = [
        sent.target for place, sent in enumerate(told.sent) if sent.target not in {s.target for s in told.sent[:place]}
    ]
    assert first == sorted(first)


@CALLS
def test_never_earlier_than_a_hint(
    targets: int, policy: RetryPolicy, failures: list[tuple[LLMError, float]], seed: int
) -> None:
    """A target that asked to be left alone for a time is not asked again before it is over, nor one that is not retryable."""
    told = play(targets, policy, failures, seed)
    for place, sent in enumerate(told.sent):
        before = [(error, at) for earlier, error, at in told.failed[:place] if earlier.target == sent.target]
        if not before:
            continue
        error, at = before[-1]
        assert error.retryable
        if error.retry_after is not None:
            assert error.retry_after <= policy.longest_hint
            assert sent.at >= at + error.retry_after - 1e-6


@CALLS
def test_an_error_that_ends_the_call_ends_it(
    targets: int, policy: RetryPolicy, failures: list[tuple[LLMError, float]], seed: int
) -> None:
    """After an error that is neither worth repeating nor another target's business, nothing more is sent."""
    told = play(targets, policy, failures, seed)
    for place, (sent, error, _) in enumerate(told.failed):
        later = told.sent[place + 1 :]
        if not error.fallback and not error.retryable:
            assert later == []
        if not error.fallback and later:
            assert later[0].target == sent.target


@given(
    targets=st.integers(1, 7),
    failures=st.lists(st.tuples(FAILURES, st.floats(0, 5)), min_size=1, max_size=20),
)
def test_without_a_policy_each_target_is_asked_once(targets: int, failures: list[tuple[LLMError, float]]) -> None:
    """`retry=None` sends each target one request and never waits."""
    told = play(targets, None, failures, 0)
    assert [sent.target for sent in told.sent] == list(range(len(told.sent)))
    assert all(sent.waited == 0 for sent in told.sent)


@given(st.permutations([1.0, 5.0, 20.0, 40.0]), st.integers(0, 99))
def test_of_the_failed_ones_the_first_that_is_ready_is_next(hints: list[float], seed: int) -> None:
    """When all have been tried, the next is the one that may be asked first, after no more than its own wait."""
    policy = RetryPolicy(total_attempts=8)
    told = play(4, policy, [(errors.RateLimited("x", retry_after=hint), 0.0) for hint in [*hints, *hints]], seed)
    fifth = told.sent[4]
    assert fifth.target == hints.index(1.0)
    assert 1.0 <= fifth.waited <= 1.1


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["ModelNotFound", "ServerError", "ServerError"], [0, 1, 1]),
        (["AuthFailed", "ModelNotFound"], [0, 1]),
        (["BadRequest"], [0]),
        (["RequestConflict", "RequestConflict"], [0, 0]),
        (["Unsupported", "RateLimited", "RateLimited"], [0, 1, 1]),
        (["ServerError", "BadRequest"], [0, 1]),
    ],
)
def test_two_targets(names: list[str], expected: list[int]) -> None:
    """The order of requests over two targets, for errors of each kind."""
    failures = [(getattr(errors, name)("x"), 0.0) for name in [*names, *["AuthFailed"] * 9]]
    told = play(2, RetryPolicy(), failures, 0)
    assert [sent.target for sent in told.sent][: len(expected)] == expected
    assert len(told.sent) <= max(len(expected), len(names) + 1)


# --- The waits


@pytest.mark.parametrize("failures", [1, 2, 3, 4, 5, 10, 1_000, 5_000])
@pytest.mark.parametrize("name", ["ServerError", "CannotConnect", "RateLimited", "Overloaded"])
def test_the_jitter_has_its_bounds(name: str, failures: int) -> None:
    """Waits without a hint lie between 0 and the doubled step, up to its cap; a busy service waits at least half of one."""
    policy, error = RetryPolicy(), getattr(errors, name)("x")
    waits = [policy.wait(error, failures, random.Random(seed)) for seed in range(200)]
    if name in ("RateLimited", "Overloaded"):
        step = min(30.0, 2 * 0.5 * 2.0 ** min(failures - 1, 60))
        low, high = step / 2, step
    else:
        low, high = 0.0, min(8.0, 0.5 * 2.0 ** min(failures - 1, 60))
    assert low <= min(waits) <= low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) <= max(waits) <= high
    assert low + 0.35 * (high - low) < sum(waits) / len(waits) < low + 0.65 * (high - low)


@given(POLICIES, FAILURES, st.integers(1, 3_000), st.integers(0, 99))
def test_a_wait_is_finite_and_obeys_a_hint(policy: RetryPolicy, error: LLMError, failures: int, seed: int) -> None:
    """A wait is 0 or more and bounded; with a hint it is the hint and at most a tenth, or a second, more."""
    wait = policy.wait(error, failures, random.Random(seed))
    if error.retry_after is not None:
        assert error.retry_after <= wait <= error.retry_after + min(1.0, 0.1 * error.retry_after)
    else:
        assert 0 <= wait <= max(30.0, policy.longest_backoff)


@pytest.mark.parametrize(
    ("hint", "again"), [(None, True), (0.0, True), (59.9, True), (60.0, True), (60.1, False), (86_400.0, False)]
)
def test_a_hint_beyond_the_longest_is_not_waited_for(hint: float | None, again: bool) -> None:
    """A service that asks to wait longer than `longest_hint` is not waited for: the error is raised, with the hint."""
    wait = Retries(RetryPolicy(), 3, random.Random(0)).record_failure(errors.RateLimited("x", retry_after=hint))
    assert (wait is not None) is again


def test_the_wait_reads_the_current_error() -> None:
    """A later failure's hint counts, not the first one's."""
    retries = Retries(RetryPolicy(attempts=5), 5, random.Random(0))
    first = retries.record_failure(errors.RateLimited("x", retry_after=10.0))
    second = retries.record_failure(errors.RateLimited("x", retry_after=1.0))
    third = retries.record_failure(errors.ServerError("x"))
    assert first is not None
    assert second is not None
    assert third is not None
    assert 10 <= first <= 11
    assert 1 <= second <= 1.1
    assert third <= 2.0


@pytest.mark.parametrize("attempts", [1, 2, 3, 7])
def test_attempts_are_counted(attempts: int) -> None:
    """`attempts` requests are sent at most: the last failure gives no wait."""
    retries = Retries(RetryPolicy(), attempts, random.Random(0))
    waits = [retries.record_failure(errors.ServerError("x")) for _ in range(attempts)]
    assert [wait is not None for wait in waits] == [True] * (attempts - 1) + [False]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_only_what_may_pass_is_tried_again(cls: type[LLMError]) -> None:
    """The policy tries again what the error's class says is worth it, and what one error says of itself."""
    error = cls("x")
    assert (Retries(RetryPolicy(), 3, random.Random(0)).record_failure(error) is not None) is cls.retryable
    error.retryable = not cls.retryable
    assert (Retries(RetryPolicy(), 3, random.Random(0)).record_failure(error) is not None) is not cls.retryable


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_deciding_leaves_the_error_alone(cls: type[LLMError]) -> None:
    """The machinery of retrying changes nothing of an error: no cause, no traceback of its own, no field."""
    error = cls("x", retry_after=0.0)
    fields = dict(error.__dict__)
    Retries(RetryPolicy(), 2, random.Random(0)).record_failure(error)
    assert dict(error.__dict__) == fields
    assert error.__cause__ is None
    assert error.__context__ is None


class ChainMachine(RuleBasedStateMachine):
    """A call with targets that fail as they like, beside the plainest bookkeeping of it."""

    @initialize(number=st.integers(1, 5), policy=st.none() | POLICIES, seed=st.integers(0, 9))
    def begin(self, number: int, policy: RetryPolicy | None, seed: int) -> None:
        self.chain = Chain(number, policy, random.Random(seed))
        self.number, self.policy = number, policy
        self.clock = 0.0
        self.step: tuple[int, float] | None = (0, 0.0)
        self.counts = [0] * number
        self.blocked: dict[int, float] = {}

    @precondition(lambda self: self.step is not None)
    @rule(error=FAILURES, took=st.floats(0, 30))
    def fail(self, error: LLMError, took: float) -> None:
        assert self.step is not None
        index, wait = self.step
        self.clock += wait
        assert self.clock >= self.blocked.get(index, 0.0) - 1e-6
        self.counts[index] += 1
        self.clock += took
        self.blocked[index] = self.clock + (error.retry_after or 0.0)
        self.step = self.chain.after_failure(index, error, self.clock)
        if self.step is not None and 0 in self.counts and error.fallback:
            assert self.step == (self.counts.index(0), 0.0)

    @precondition(lambda self: self.step is None)
    @rule()
    def over(self) -> None:
        assert sum(self.counts) >= 1

    @invariant()
    def bounded(self) -> None:
        if not hasattr(self, "counts"):
            return
        if self.policy is None:
            assert max(self.counts) <= 1
        else:
            assert sum(self.counts) <= most(self.policy, len(self.counts))
        if self.step is not None:
            assert 0 <= self.step[0] < self.number
            assert 0 <= self.step[1] < 400


TestChainMachine: Any = ChainMachine.TestCase
TestChainMachine.settings = settings(max_examples=max(EXAMPLES // 4, 25), stateful_step_count=20, deadline=None)
TestChainMachine.__doc__ = (
    "Whatever the targets do, the chain keeps its bounds: attempts, hints and the order of targets."
)

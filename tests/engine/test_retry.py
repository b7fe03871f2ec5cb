"""Which failures are tried again, how often, and how long is waited. The simulator counts the requests."""

from __future__ import annotations

import math
import time
from email.utils import formatdate
from typing import Any

import pytest

from llmkit import (
    ConfigError,
    ConnectionLost,
    DeadlineExceeded,
    LLMTimeout,
    RateLimited,
    RetryPolicy,
    ServerError,
)
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import FAST, PROVIDERS, Drive

RETRIED = [408, 409, 429, 500, 502, 503, 504, 520, 524, 529]
FINAL = [301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 413, 422]
#: Sends 100 times if it may.
STUBBORN = RetryPolicy(attempts=100, total_attempts=100, backoff=0.01, longest_backoff=0.02)


def gap(sim: Simulator) -> float:
    """Seconds between the first two requests."""
    first, second = sim.requests[:2]
    return second.time - first.time


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", RETRIED)
def test_a_passing_failure_is_tried_again(sim: Simulator, drive: Drive, mode: str, provider: str, status: int) -> None:
    """After 408, 409, 429 or 5xx the same request goes out once more, and the caller sees only the answer."""
    sim.script(Reply(status=status), Reply(text="at last"))
    response = drive.response(drive.make(sim, provider), mode)
    assert response.content == "at last"
    assert len(sim.requests) == 2
    assert sim.requests[0].body == sim.requests[1].body
    assert [attempt.status for attempt in response.attempts] == [status, 200]
    assert response.attempts[1].outcome == "ok"


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", FINAL)
def test_a_lasting_failure_is_not_tried_again(
    sim: Simulator, drive: Drive, mode: str, provider: str, status: int
) -> None:
    """A redirect and a request that is wrong in itself are sent once."""
    sim.script(Reply(status=status))
    error = drive.failure(drive.make(sim, provider), mode)
    assert len(sim.requests) == 1
    assert error.status == status
    assert len(error.attempts) == 1


@pytest.mark.covering(2)
@pytest.mark.parametrize("fault", ["rst", "cut"])
def test_a_connection_that_breaks_before_the_answer_is_tried_again(
    sim: Simulator, drive: Drive, mode: str, fault: str
) -> None:
    """A connection that ends before the status line is a `ConnectionLost`, and the request goes out again."""
    model = drive.make(sim, "openrouter", f"sim/fault:{fault},times=2")
    response = drive.response(model, mode)
    assert [attempt.outcome for attempt in response.attempts] == ["ConnectionLost", "ConnectionLost", "ok"]
    assert len(sim.requests) == 3


def test_a_refused_connection_is_tried_again(drive: Drive, mode: str, sim: Simulator, closed_port: int) -> None:
    """A refused connection is tried as often as any other failure that may pass."""
    model = drive.make(sim, "openai", base_url=f"http://127.0.0.1:{closed_port}/v1")
    error = drive.failure(model, mode)
    assert [attempt.outcome for attempt in error.attempts] == ["CannotConnect"] * 3


@pytest.mark.covering(2)
@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"retry": RetryPolicy(backoff=0.005)}, 3),
        ({"retry": RetryPolicy(backoff=0.005, attempts=1)}, 1),
        ({"retry": RetryPolicy(backoff=0.005, longest_backoff=0.01, attempts=5)}, 5),
        ({"retry": RetryPolicy(backoff=0.005, longest_backoff=0.01, attempts=7)}, 7),
        ({"retry": None}, 1),
    ],
    ids=["default", "one", "five", "seven", "off"],
)
def test_the_policy_says_how_often(
    sim: Simulator, drive: Drive, mode: str, settings: dict[str, Any], sent: int
) -> None:
    """A lone target gets 3 requests, or as many as the policy says; one request is one attempt."""
    error = drive.failure(drive.make(sim, "openrouter", "sim/fault:status=500", **settings), mode)
    assert len(sim.requests) == sent
    assert len(error.attempts) == sent
    assert isinstance(error, ServerError)


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"attempts": 1.5}, {"chain_attempts": -1}, {"total_attempts": True}, {"backoff": -1},
     {"longest_hint": float("nan")}, {"longest_backoff": "8"}],
    ids=str,
)  # fmt: skip
def test_a_policy_that_cannot_be_followed_is_refused(wrong: dict[str, Any]) -> None:
    """A count below 1 and a time below 0 are a `ConfigError` when the policy is made."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        RetryPolicy(**wrong)


def test_the_retry_setting_of_a_call_outranks_that_of_the_model(sim: Simulator, drive: Drive, mode: str) -> None:
    """`retry=None` in a call turns retrying off for that call only."""
    model = drive.make(sim, "openrouter", "sim/fault:status=500")
    drive.failure(model, mode, retry=None)
    assert len(sim.requests) == 1
    drive.failure(model, mode)
    assert len(sim.requests) == 4


def test_the_error_of_a_lone_target_is_its_last_one(sim: Simulator, drive: Drive, mode: str) -> None:
    """With one target the error is that target's last one, and it lists every attempt."""
    sim.script(Reply(status=500), Reply(status=503), Reply(status=429))
    error = drive.failure(drive.make(sim, "openai"), mode)
    assert type(error) is RateLimited
    assert [attempt.status for attempt in error.attempts] == [500, 503, 429]


def test_a_key_callable_is_asked_before_every_attempt(sim: Simulator, drive: Drive) -> None:
    """A key store may hand out a new key between two attempts."""
    keys = iter(["sk-first", "sk-second"])
    sim.script(Reply(status=503))
    drive.ask(drive.make(sim, "openrouter", api_key=lambda: next(keys)))
    sent = [request.headers["authorization"] for request in sim.requests]
    assert sent == ["Bearer sk-first", "Bearer sk-second"]


# Hints.


def epoch_ms(seconds: float) -> str:
    """So many seconds from now as OpenRouter writes a reset."""
    return str(math.ceil((time.time() + seconds) * 1000))


def hinted(kind: str, seconds: float) -> Reply:
    """A 429 that asks to wait `seconds` in one of the ways in which services say it."""
    headers: dict[str, str] = {}
    error: dict[str, Any] = {"code": 429, "message": "slow down"}
    if kind == "retry-after":
        headers["Retry-After"] = str(seconds)
    elif kind == "retry-after-ms":
        headers["retry-after-ms"] = str(int(seconds * 1000))
    elif kind == "both":  # the finer one counts
        headers = {"Retry-After": "30", "retry-after-ms": str(int(seconds * 1000))}
    elif kind == "reset header":
        headers["X-RateLimit-Reset"] = epoch_ms(seconds)
    elif kind == "mirrored reset":
        error["metadata"] = {"headers": {"X-RateLimit-Limit": "20", "X-RateLimit-Reset": epoch_ms(seconds)}}
    elif kind == "availability":
        error["availability"] = {"code": "capacity_exhausted", "retryable": True, "retry_after": seconds}
    elif kind == "reset span":
        headers["x-ratelimit-reset-requests"] = f"{int(seconds * 1000)}ms"
    return Reply(status=429, headers=headers, error=error)


@pytest.mark.parametrize(
    "kind",
    ["retry-after", "retry-after-ms", "both", "reset header", "mirrored reset", "availability", "reset span"],
)
def test_a_hint_is_obeyed(sim: Simulator, drive: Drive, kind: str) -> None:
    """The next request leaves no earlier than the service asked for, and not much later."""
    model = drive.make(sim, "openrouter")
    drive.ask(model)  # opens the connection, so that only the wait is measured
    sim.reset()
    due = time.monotonic() + 0.12
    sim.script(hinted(kind, 0.12))
    response = drive.ask(model)
    assert sim.requests[1].time >= due - 0.005
    assert gap(sim) < 5
    if kind not in {"reset header", "mirrored reset"}:  # they name an instant, however late the request came
        assert gap(sim) >= 0.115
        assert response.attempts[1].waited >= 0.11


def test_a_hint_is_obeyed_before_a_stream(sim: Simulator, drive: Drive) -> None:
    """A streamed call waits as a plain one does."""
    sim.script(hinted("retry-after", 0.12))
    drive.response(drive.make(sim, "openrouter"), "streamed")
    assert gap(sim) >= 0.115


def test_a_hint_may_be_a_date(sim: Simulator, drive: Drive) -> None:
    """`Retry-After` as an HTTP date is obeyed: the next request leaves after that second has begun."""
    model = drive.make(sim, "openrouter")
    drive.ask(model)
    sim.reset()
    due = math.ceil(time.time() + 0.15)
    sim.script(Reply(status=503, headers={"Retry-After": formatdate(due, usegmt=True)}))
    drive.ask(model)
    assert len(sim.requests) == 2
    assert time.time() >= due


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_a_hint_counts_with_every_status_that_is_retried(sim: Simulator, drive: Drive, status: int) -> None:
    """`Retry-After` is obeyed whatever the status it comes with."""
    sim.script(Reply(status=status, headers={"Retry-After": "0.12"}))
    drive.ask(drive.make(sim, "openrouter"))
    assert gap(sim) >= 0.115


@pytest.mark.parametrize(
    "header",
    [
        ("Retry-After", "NaN"),
        ("Retry-After", "-5"),
        ("Retry-After", "1e400"),
        ("Retry-After", "inf"),
        ("Retry-After", "soon"),
        ("Retry-After", ""),
        ("Retry-After", "90000"),
        ("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("Retry-After", "Wed, 99 Xxx 2015 07:28:00 GMT"),
        ("retry-after-ms", "NaN"),
        ("retry-after-ms", "-1"),
        ("X-RateLimit-Reset", "1000000000000"),
        ("X-RateLimit-Reset", "-1"),
        ("X-RateLimit-Reset", "99999999999999999999"),
    ],
    ids=" ".join,
)
def test_a_hint_that_makes_no_sense_is_ignored(sim: Simulator, drive: Drive, header: tuple[str, str]) -> None:
    """A hint that is no number, negative, endless, past or beyond a day neither delays nor stops the retries."""
    sim.script(*[Reply(status=429, headers=[header])] * 3)
    model = drive.make(sim, "openrouter")
    started = time.monotonic()
    error = drive.failure(model)
    assert len(sim.requests) == 3
    assert error.retry_after is None
    assert time.monotonic() - started < 2.0


def test_a_quota_header_is_no_hint_where_the_quota_is_not_the_trouble(sim: Simulator, drive: Drive) -> None:
    """OpenAI sends `x-ratelimit-reset-*` with every reply; after a 500 they say nothing about when to come back."""
    headers = {"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}
    sim.script(Reply(status=500, headers=headers))
    response = drive.ask(drive.make(sim, "openai"))
    assert len(sim.requests) == 2
    assert response.attempts[1].waited < 1


def test_a_hint_of_zero_is_obeyed(sim: Simulator, drive: Drive) -> None:
    """A service that says "now" is not kept waiting by a long back-off."""
    sim.script(Reply(status=429, headers={"Retry-After": "0"}))
    drive.ask(drive.make(sim, "openrouter", retry=RetryPolicy(backoff=20, longest_backoff=20)))
    assert gap(sim) < 2.0


@pytest.mark.covering(2)
@pytest.mark.parametrize("kind", ["retry-after", "reset header", "mirrored reset", "availability"])
def test_a_hint_beyond_the_cap_raises_at_once(sim: Simulator, drive: Drive, mode: str, kind: str) -> None:
    """A service that asks for more than `longest_hint` is not waited for; the error says how long it asked for."""
    sim.script(hinted(kind, 120))
    model = drive.make(sim, "openrouter", retry=RetryPolicy(longest_hint=60))
    started = time.monotonic()
    error = drive.failure(model, mode)
    assert time.monotonic() - started < 2.0
    assert len(sim.requests) == 1
    assert isinstance(error, RateLimited)
    assert error.retry_after == pytest.approx(120, abs=2)


def test_the_hint_of_the_current_failure_counts(sim: Simulator, drive: Drive) -> None:
    """A later failure without a hint does not wait for what an earlier one asked."""
    sim.script(Reply(status=503, headers={"Retry-After": "0.3"}), Reply(status=503))
    drive.ask(drive.make(sim, "openrouter"))
    first, second, third = (request.time for request in sim.requests)
    assert second - first >= 0.295
    assert third - second < 0.295


# The deadline.


@pytest.mark.covering(1)
def test_the_deadline_bounds_all_attempts(sim: Simulator, drive: Drive, mode: str) -> None:
    """Attempts and waits together end by `deadline`, whatever the policy still allows."""
    model = drive.make(sim, "openrouter", "sim/fault:delay=30", timeout=0.15, deadline=1.4, retry=STUBBORN)
    started = time.monotonic()
    error = drive.failure(model, mode)
    assert time.monotonic() - started < 1.4 + 0.5
    assert isinstance(error, LLMTimeout)
    assert 2 <= len(sim.requests) < 12


@pytest.mark.covering(1)
def test_the_deadline_cuts_an_attempt_short(sim: Simulator, drive: Drive, mode: str) -> None:
    """An attempt that is under way when the deadline comes ends as `DeadlineExceeded`, which is a `TimeoutError`."""
    model = drive.make(sim, "openrouter", "sim/fault:delay=30", deadline=0.3)
    started = time.monotonic()
    error = drive.failure(model, mode)
    assert 0.25 < time.monotonic() - started < 1.5
    assert type(error) is DeadlineExceeded
    assert isinstance(error, TimeoutError)
    assert len(sim.requests) == 1


def test_no_wait_is_begun_that_the_deadline_would_cut(sim: Simulator, drive: Drive, mode: str) -> None:
    """Where the wait that is asked for does not fit into the deadline, the error is raised at once."""
    sim.script(Reply(status=429, headers={"Retry-After": "5"}))
    model = drive.make(sim, "openrouter", deadline=3)
    started = time.monotonic()
    error = drive.failure(model, mode)
    assert time.monotonic() - started < 2.0
    assert (type(error), error.retry_after, len(sim.requests)) == (RateLimited, 5.0, 1)


def test_the_default_deadline_cuts_no_timeout_short(sim: Simulator, drive: Drive) -> None:
    """Without a deadline every attempt gets its whole timeout."""
    model = drive.make(sim, "openrouter", "sim/fault:delay=30", timeout=0.15)
    started = time.monotonic()
    error = drive.failure(model)
    assert time.monotonic() - started >= 3 * 0.14
    assert len(error.attempts) == 3
    assert min(attempt.elapsed for attempt in error.attempts) >= 0.14


# Failures under HTTP 200.


@pytest.mark.covering(2)
@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b""),
        Reply(body=b"{"),
        Reply(body=b'{"id": "gen-1", "choices": []}'),
        Reply(error={"code": 503, "message": "no capacity"}),
    ],
    ids=["empty body", "broken JSON", "no choices", "error inside"],
)
def test_a_failure_under_status_200_is_tried_again(sim: Simulator, drive: Drive, mode: str, reply: Reply) -> None:
    """HTTP 200 is not success: a reply without an answer is tried again, plain and streamed."""
    sim.script(reply, Reply(text="at last"))
    response = drive.response(drive.make(sim, "openrouter"), mode)
    assert response.content == "at last"
    assert len(sim.requests) == 2


def test_a_plain_reply_that_is_cut_is_tried_again(sim: Simulator, drive: Drive) -> None:
    """A plain body that ends too early is a `ConnectionLost` and tried again."""
    sim.script(Reply(text="one two three four", cut_after=1, cut="reset"), Reply(text="at last"))
    response = drive.ask(drive.make(sim, "openrouter"))
    assert [attempt.outcome for attempt in response.attempts] == [ConnectionLost.__name__, "ok"]


def test_the_requests_of_a_call_differ_in_nothing(sim: Simulator, drive: Drive, mode: str) -> None:
    """One layer retries: no header counts attempts, and every attempt sends the same bytes."""
    drive.failure(drive.make(sim, "openai", "fault:status=500", retry=FAST), mode)
    assert len({(request.body, request.headers.pairs()) for request in sim.requests}) == 1
    assert not [name for name in sim.requests[0].headers if "retry" in name or "stainless" in name]

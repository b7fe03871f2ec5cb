"""How long a service asks to wait: each header that says so, and what is no usable hint."""

from __future__ import annotations

import math
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmkit.wire.numbers import LONGEST_WAIT_SECONDS as LONGEST
from llmkit.wire.retry_after import read_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES: Final = settings.default.max_examples
#: 13 September 2026, 12:26:40 UTC, in epoch seconds.
NOW: Final = 1_789_302_400.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        # retry-after-ms
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "0"}, 0.0),
        ({"retry-after-ms": "1.5"}, 0.0015),
        # retry-after in seconds
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "1e1"}, 10.0),
        ({"retry-after": "007"}, 7.0),
        ({"retry-after": str(int(LONGEST))}, LONGEST),
        # retry-after as a date
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW, usegmt=True)}, 0.0),
        ({"retry-after": "Sun, 13 Sep 2026 12:27:10 -0000"}, 30.0),
        ({"retry-after": "Sun, 13 Sep 2026 14:27:10 +0200"}, 30.0),
        # reset: epoch milliseconds, epoch seconds, a span
        ({"x-ratelimit-reset": str(int(NOW * 1000) + 1500)}, 1.5),
        ({"x-ratelimit-reset": str(int(NOW) + 12)}, 12.0),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset": "6m0s"}, 360.0),
        # OpenAI's spans: the longer one counts
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-requests": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-tokens": "500ms"}, 0.5),
        ({"x-ratelimit-reset-tokens": "8.64s"}, 8.64),
        ({"x-ratelimit-reset-tokens": "1m"}, 60.0),
        ({"x-ratelimit-reset-tokens": "1s500ms"}, 1.5),
        # two sources: the first in the order counts, an unusable one is passed over
        ({"retry-after-ms": "100", "retry-after": "9"}, 0.1),
        ({"retry-after": "3", "x-ratelimit-reset": str(int(NOW * 1000) + 90_000)}, 3.0),
        ({"retry-after": "-5", "x-ratelimit-reset": str(int(NOW * 1000) + 1500)}, 1.5),
        ({"retry-after": "nan", "x-ratelimit-reset-tokens": "2s"}, 2.0),
        ({"retry-after": "1000000000000", "x-ratelimit-reset": "5"}, 5.0),
    ],
)
def test_headers_that_say_how_long(headers: dict[str, str], expected: float) -> None:
    """Each form of a hint is read, in the order of trust."""
    assert read_retry_after(headers, {}, NOW) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    "value",
    [
        "-5", "NaN", "nan", "inf", "-inf", "1e400", "1000000000000", "86400001", "", " ", "soon", "five",
        formatdate(NOW - 5, usegmt=True), formatdate(NOW + 2 * 86_400, usegmt=True), "Mon, 99 Foo 2026 99:99:99 GMT",
        "Sun, 13 Sep 99999 12:00:00 GMT", "0x10", "1,5", "true", "None", "[]", "9" * 400,
        "1_0", "1_0.5", "\u0663", "\u0663s", "\uff11\uff10", "+5", "5.", ".5", "1e", "1 0", "Infinity", "9" * 400 + "s",
        "Sun, 1_3 Sep 2026 12:27:10 GMT", "Sun, \u0661\u0663 Sep 2026 12:27:10 GMT", "9" * 5000,
        "Sun, 13 Sep " + "9" * 5000 + " 12:00:00 GMT",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["retry-after", "retry-after-ms", "x-ratelimit-reset", "x-ratelimit-reset-tokens"])
def test_what_is_no_usable_hint(name: str, value: str) -> None:
    """A hint that is no number, lies in the past or beyond a day is ignored."""
    assert read_retry_after({name: value}, {}, NOW) is None


@pytest.mark.parametrize(
    "value", ["-5", "0m-5s", ".s", "1.2.3s", "..ms", "s", "m", "1s2h", "1m1m", "5 s", "1d", "1.5m"]
)
@pytest.mark.parametrize("name", ["x-ratelimit-reset", "x-ratelimit-reset-requests"])
def test_a_span_that_is_none_is_no_wait_of_zero(name: str, value: str) -> None:
    """A span that cannot be read is ignored; it is not taken for no wait at all."""
    assert read_retry_after({name: value}, {}, NOW) is None


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"retry_after": 7}, 7.0),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": 0.5}, 0.5),
        ({"headers": {"X-RateLimit-Reset": str(int(NOW * 1000) + 2500)}}, 2.5),
        ({"headers": {"X-RateLimit-Reset": int(NOW * 1000) + 2500}}, 2.5),
        ({"headers": {"x-ratelimit-reset": 12}}, 12.0),
        ({"retry_after": -1, "headers": {"X-RateLimit-Reset": 4}}, 4.0),
        ({"retry_after": None}, None),
        ({"retry_after": True}, None),
        ({"retry_after": [7]}, None),
        ({"retry_after": math.nan}, None),
        ({"retry_after": 10**400}, None),
        ({"headers": "X-RateLimit-Reset: 5"}, None),
        ({"headers": {"X-RateLimit-Reset": None}}, None),
        ({"headers": {1: 2}}, None),
    ],
)
def test_what_the_error_itself_says(details: dict[str, Any], expected: float | None) -> None:
    """OpenRouter's `retry_after` and the headers that it mirrors in the error are read too."""
    found = read_retry_after({}, details, NOW)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-3))


def test_a_header_outranks_the_error() -> None:
    """What the reply's own headers say comes before what its body says."""
    assert read_retry_after({"retry-after": "1"}, {"retry_after": 9}, NOW) == 1.0
    assert read_retry_after({"x-ratelimit-reset": "9"}, {"retry_after": 1}, NOW) == 1.0


@pytest.fixture(params=["Etc/UTC", "Asia/Kolkata", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The program's own time zone."""
    if not hasattr(time, "tzset"):
        pytest.skip("this system cannot change its time zone within a program")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("ending", ["GMT", "+0000", "-0000", "UTC", ""])
def test_a_date_does_not_depend_on_the_time_zone(zone: str, ending: str) -> None:
    """An HTTP date is in universal time, whatever zone the program runs in and however the date says so."""
    assert read_retry_after({"retry-after": f"Sun, 13 Sep 2026 12:27:10 {ending}".strip()}, {}, NOW) == 30.0


NUMBERS: Final = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["1e400", "-0", "0", "NaN", "6m0s", "1h", "500ms", "1s", ".5s", "²s", "٣s", "1_0"]),
    st.text("0123456789.hms-+e:, GMT", max_size=16),
    st.text(max_size=8),
    st.integers(0, 2**33).map(lambda seconds: formatdate(seconds, usegmt=True)),
)
NAMES: Final = (
    "retry-after-ms",
    "retry-after",
    "x-ratelimit-reset",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
)
DETAILS: Final = st.fixed_dictionaries(
    {},
    optional={
        "retry_after": st.none() | st.booleans() | st.integers() | st.floats() | NUMBERS | st.lists(st.integers()),
        "headers": st.none()
        | st.integers()
        | st.dictionaries(st.sampled_from(["X-RateLimit-Reset", "x"]) | st.integers(), st.integers() | NUMBERS),
    },
)


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), NUMBERS), DETAILS, st.floats(0, 4e9))
@example({"retry-after": "Thu, 01 Jan 1970 00:00:00 +9999"}, {}, NOW)
@example({"retry-after": "Mon, 01 Jan 0001 00:00:00 +2359"}, {}, NOW)
@example({"x-ratelimit-reset": "9" * 5000}, {"retry_after": 10**5000}, NOW)
def test_a_hint_is_a_wait_or_nothing(headers: dict[str, str], details: dict[str, Any], now: float) -> None:
    """Whatever is said, a hint is a number of seconds from 0 to a day, or None; nothing is ever raised."""
    wait = read_retry_after(headers, details, now)
    assert wait is None or (isinstance(wait, float) and 0 <= wait <= LONGEST)

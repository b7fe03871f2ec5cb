"""How long a service asks to wait, read from headers and error data. Pure: the time is passed in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from llmkit.wire.numbers import LONGEST_WAIT_SECONDS, as_real

_WHOLE, _FRACTION = r"([0-9]{1,15})", r"([0-9]{1,15}(?:\.[0-9]{1,30})?)"
_DURATION = re.compile(rf"(?:{_WHOLE}h)?(?:{_WHOLE}m(?!s))?(?:{_FRACTION}s)?(?:{_FRACTION}ms)?\Z")
#: The characters of a date in HTTP. Python's parser alone would also take underscores and digits of any script.
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{1,64}\Z")


def read_retry_after(
    headers: Mapping[str, str], details: Mapping[str, object], now: float, *, limited: bool = True
) -> float | None:
    """The seconds that a service asks to wait; `None` where it says nothing usable.

    Args:
        headers: of the reply, names in lower case.
        details: the error's own data: `retry_after`, and `headers` as OpenRouter mirrors them.
        now: epoch seconds; what an instant is counted from.
        limited: whether the error is about a rate or a capacity. Only then do the reset headers count, because some
            services send them with every reply.

    Sources in order: `retry-after-ms`, `retry-after` (seconds or date), `retry_after` in the error,
    `x-ratelimit-reset` in the headers or mirrored in the error (epoch ms, epoch s, or a span), OpenAI's
    `x-ratelimit-reset-requests` and `-tokens` ("6m0s").
    """
    mirrored = details.get("headers")
    mirror = {str(k).lower(): str(v) for k, v in mirrored.items()} if isinstance(mirrored, Mapping) else {}
    spans = [_parse_duration(headers.get(f"x-ratelimit-reset-{kind}")) for kind in ("requests", "tokens")]
    resets = (
        _parse_reset(headers.get("x-ratelimit-reset"), now),
        _parse_reset(mirror.get("x-ratelimit-reset"), now),
        max((span for span in spans if span is not None), default=None),
    )
    candidates = (
        _scale(headers.get("retry-after-ms"), 0.001),
        _scale(headers.get("retry-after"), 1.0),
        _parse_date(headers.get("retry-after"), now),
        _scale(details.get("retry_after"), 1.0),
        *(resets if limited else ()),
    )
    return next((wait for wait in candidates if wait is not None and 0 <= wait <= LONGEST_WAIT_SECONDS), None)


def _as_number(value: object) -> float | None:
    return as_real(value.strip() if isinstance(value, str) else value)


def _scale(value: object, factor: float) -> float | None:
    number = _as_number(value)
    return None if number is None else number * factor


def _parse_date(value: str | None, now: float) -> float | None:
    if value is None or _as_number(value) is not None or not _DATE.match(value.strip()):
        return None
    try:
        moment = parsedate_to_datetime(value)
        # A date without a zone is UTC here, whatever the program's own zone is.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None


def _parse_reset(value: str | None, now: float) -> float | None:
    number = _as_number(value)
    if number is None:
        return _parse_duration(value)
    if number > 1e11:
        return number / 1000 - now
    return number - now if number > 1e9 else number


def _parse_duration(value: str | None) -> float | None:
    match = _DURATION.match(value.strip()) if value else None
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds, millis = (_as_number(part) or 0.0 for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + millis / 1000

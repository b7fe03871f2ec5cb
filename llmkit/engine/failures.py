"""What a failure of an attempt means: its place, its class, and a text without the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from llmkit.errors import AllTargetsFailed, DeadlineExceeded, LLMError, LLMTimeout, ProviderBug, StreamInterrupted
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from llmkit.engine.plan import Deadlines, Target
    from llmkit.provider.exchange import HTTPRequest

#: Levels of a service's error data that are kept.
DEEPEST_LEVELS = 16


def provider_bug(error: Exception) -> ProviderBug:
    """What an exception of a provider's own code means."""
    bug = ProviderBug(f"the provider raised {type(error).__name__}: {scrub(str(error))}", cause=type(error).__name__)
    bug.__cause__ = error
    return bug


def place(
    error: LLMError, target: Target[object], deadlines: Deadlines, request: HTTPRequest | None = None
) -> LLMError:
    """The error with the target's name in it and without its key; at the deadline of the run, the deadline's.

    `request` is the one that was sent last. Where it may not be repeated, and nobody knows whether it was carried out,
    the failure is final.
    """
    if request is not None and not request.repeatable and error.billed != "no":
        error.retryable = error.fallback = False
        error.hint = "It may have been carried out; look whether it was before it is sent again"
    error.provider = error.provider or target.provider.name
    error.model = error.model or target.model or None
    redact_error(error, target.redact)
    return at_deadline(error, deadlines)


def at_deadline(error: LLMError, deadlines: Deadlines) -> LLMError:
    """A time-out that fell on the deadline of the whole run is a `DeadlineExceeded`."""
    if not isinstance(error, LLMTimeout) or isinstance(error, DeadlineExceeded) or not deadlines.over():
        return error
    exceeded = DeadlineExceeded(f"the deadline of {deadlines.seconds:g} s is over ({error.message})")
    exceeded.provider, exceeded.model = error.provider, error.model
    exceeded.partial, exceeded.partial_text = error.partial, error.partial_text
    return exceeded


def final_error(errors: Sequence[LLMError], targets: int) -> LLMError:
    """What the caller of a run gets: the last error, or all of them where a chain of targets was used up."""
    last = errors[-1]
    if targets == 1 or len(errors) == 1 or isinstance(last, StreamInterrupted) or not last.fallback:
        return last
    final = AllTargetsFailed(errors)
    final.partial, final.partial_text = last.partial, last.partial_text
    return final


# Keys are kept out of errors in three layers. Each knows what the one before cannot know.
#
# 1. A transport gives out no exception of an HTTP library, because that holds the request with its headers.
# 2. `llmkit.types.redaction` takes out what looks like a key, wherever foreign text comes in. It needs no key to
#    compare with, so it also finds keys that are not ours, but an opaque key has no look.
# 3. `redact_error` takes out exactly the key of the target that failed, by `Target.redact`. It runs where the target
#    is known: here, once for each failed attempt.


def redact_error(error: LLMError, redact: Callable[[str], str]) -> None:
    """Take the key out of what a service may have echoed, in place."""
    if redact is str:
        return
    error.message, error.hint = redact(error.message), redact(error.hint)
    error.args = (error.message,)
    error.code = error.code and redact(error.code)
    error.cause = error.cause and redact(error.cause)
    error.request_id = error.request_id and redact(error.request_id)
    error.details = {key: _redact_value(value, redact) for key, value in error.details.items()}
    if isinstance(error, StreamInterrupted) and error.reason is not None:
        redact_error(error.reason, redact)


def _redact_value(value: object, redact: Callable[[str], str], level: int = 0) -> object:
    """A value of the service's own error data, its texts redacted; what is nested beyond any use is left out."""
    if isinstance(value, str):
        return redact(value)
    if not isinstance(value, (Mapping, list)):
        return value
    if level > DEEPEST_LEVELS:
        return None
    if isinstance(value, Mapping):
        return {key: _redact_value(item, redact, level + 1) for key, item in value.items()}
    return [_redact_value(item, redact, level + 1) for item in value]

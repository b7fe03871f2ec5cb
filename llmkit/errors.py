"""Every way in which a call can fail, as one tree.

    LLMError
    ├── ConfigError (also ValueError)      the program or its environment is set up wrongly; nothing was sent
    │   ├── UnknownProvider                no installed provider has that name
    │   ├── ProviderConflict               two distributions claim one provider name
    │   ├── ProviderLoadError              an installed provider could not be imported
    │   └── Unsupported                    this backend does not have that setting, part or role
    ├── BadRequest                         the service refused the request as it stands (400, 422)
    │   ├── ContextLengthExceeded          the prompt is longer than the model's window
    │   └── PayloadTooLarge                the body is larger than the service takes (413)
    ├── RequestConflict                    409
    ├── AuthFailed                         the key is missing, wrong or disabled (401)
    ├── PermissionDenied                   the key may not do this (403)
    ├── ContentRefused                     moderation or policy refused the content
    ├── InsufficientCredit                 the account cannot pay (402)
    │   └── QuotaExhausted                 a spending or usage cap is used up; waiting does not help
    ├── ModelNotFound                      no such model, or nobody serves it under these conditions
    ├── RateLimited                        429; `retry_after` says how long
    ├── ServerError                        the service failed (5xx)
    │   └── Overloaded                     no capacity now (503, 529)
    ├── LLMTimeout (also TimeoutError)
    │   ├── ConnectTimeout                 no connection in time
    │   ├── FirstTokenTimeout              connected, but no content in time
    │   ├── ProviderTimeout                the service gave up waiting (408, 504, 524)
    │   └── DeadlineExceeded               the total deadline of the call is over
    ├── ConnectionFailed
    │   ├── CannotConnect                  no connection could be made; nothing was sent
    │   ├── TLSFailed                      the certificate or handshake was refused; nothing was sent
    │   └── ConnectionLost                 the connection broke while the answer was awaited
    ├── LocalOverload                      this program has more calls open than its pool has connections
    ├── MalformedResponse                  the reply is not what the protocol says
    │   ├── EmptyResponse                  a reply with nothing in it
    │   └── ResponseTooLarge               a reply larger than llmkit reads
    ├── StreamInterrupted                  a stream broke after it had begun; `partial_text` has what came
    ├── AllTargetsFailed                   every target of a fallback chain failed; `errors` has each
    ├── ModelClosed                        a call after `close()`
    └── ProviderBug                        a provider raised an exception that is not an LLMError

Errors of a single subject stand with that subject: `InvalidStructure` (llmkit.language.structured), `ToolResultError`
(llmkit.language.tools), `BatchStopped` (llmkit.language.many), and the `ConfigError`s `ConfigFileError`
(llmkit.config.file) and `HistoryError` (llmkit.language.history). `tests/test_errors.py` holds this list to the code.

An error holds values and text, of the standard library only. It must not hold a key, a header, a request object or the
exception of an HTTP library. Of a cause it keeps the class name and the scrubbed text (`cause`), because the original
exception holds the request with its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llmkit.types.responses import Attempt, Response

Billed = Literal["no", "unknown"]


class LLMError(Exception):
    """The base class of all errors of a call. Every field except the text is optional; `None` means "not known".

    Attributes:
        message: what happened, one sentence, without provider and model.
        hint: what to do about it.
        provider, model: where it happened: llmkit's name of the provider, and the model that was asked.
        status: HTTP status, or the code that stood for one inside a reply.
        code: the service's own code or error type, as text.
        request_id: the id to quote to the service: its request id or generation id.
        retry_after: the seconds that the service asked to wait.
        details: further data of the service about the error, scrubbed.
        partial_text: the text of the first choice that had arrived before the failure.
        partial: the part of the answer that had arrived, as a `Response`.
        attempts: the attempts of the call that ended with this error, oldest first.
        cause: class name and scrubbed text of the exception of a library that caused it.
        billed: "no" if the service does not charge for this outcome, else "unknown".
        retryable: whether the same request may go to the same target again.
        fallback: whether the request may go to the next target of a chain.
        advice: the hint of the class, for errors that are made without one.
    """

    advice: ClassVar[str] = ""
    retryable: bool = False
    fallback: bool = True
    billed: Billed = "no"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        cause: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.advice if hint is None else hint
        self.provider = provider
        self.model = model
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.cause = cause
        self.details: Mapping[str, object] = details or {}
        self.partial_text: str | None = None
        self.partial: Response | None = None
        self.attempts: tuple[Attempt, ...] = ()

    @property
    def where(self) -> str:
        """`provider:model`, or the part of it that is known."""
        return ":".join(part for part in (self.provider, self.model) if part)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        marks = [str(self.status)] if self.status else []
        marks += [self.code] if self.code and self.code != str(self.status) else []
        if marks:
            text += f" [{' '.join(marks)}]"
        if len(self.attempts) > 1:
            text += f" (attempt {len(self.attempts)})"
        if self.retry_after is not None:
            text += f" (the service asks to wait {self.retry_after:g} s)"
        if self.request_id:
            text += f" (request {self.request_id})"
        if self.hint:
            text += f". {self.hint}" if text[-1] not in ".!?" else f" {self.hint}"
        return text

    def __reduce__(self) -> tuple[Callable[..., LLMError], tuple[type[LLMError], dict[str, object]]]:
        return _restore, (type(self), dict(self.__dict__))


def _restore(cls: type[LLMError], state: dict[str, object]) -> LLMError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    error.args = (state.get("message"),)
    return error


class ConfigError(LLMError, ValueError):
    """The program, its settings or its environment are wrong. Nothing was sent."""

    fallback = False


class UnknownProvider(ConfigError):
    """No installed provider has that name."""


class ProviderConflict(ConfigError):
    """Two distributions claim one provider name."""


class ProviderLoadError(ConfigError):
    """An installed provider could not be imported or is not a provider."""


class Unsupported(ConfigError):
    """The backend does not have that setting, part or role; `on_unsupported="drop"` leaves a setting out."""

    fallback = True


class BadRequest(LLMError):
    """The request cannot be answered as it stands: the service refused it, or llmkit saw it before sending."""

    fallback = False


class ContextLengthExceeded(BadRequest):
    """The prompt does not fit the model's window."""

    advice = "Shorten the messages, lower max_tokens, or choose a model with a longer context"


class PayloadTooLarge(BadRequest):
    """The body of the request is larger than the service takes."""

    advice = "Send smaller images or files"


class RequestConflict(LLMError):
    """The service reports a conflict with another request (409)."""

    advice = "Another request is in its way; try again in a moment"

    retryable = True
    fallback = False


class AuthFailed(LLMError):
    """The service does not accept the key."""

    advice = "Check the API key"


class PermissionDenied(LLMError):
    """The key is valid but may not do this."""

    advice = "Check what this key and account are allowed to use"


class ContentRefused(LLMError):
    """Moderation, a guardrail or a content policy refused the request."""

    fallback = False
    advice = "Change the prompt, or choose a model with other rules"


class InsufficientCredit(LLMError):
    """The account or key cannot pay for the request."""

    advice = "Add credit, raise the key's limit, or set a lower max_tokens"


class QuotaExhausted(InsufficientCredit):
    """A spending or usage cap is used up."""

    advice = "Raise the cap or wait until it resets; trying again now does not help"


class ModelNotFound(LLMError):
    """No such model, or no endpoint serves it under the conditions of the request."""

    advice = "Check the model's name, and that this key may use it"


class RateLimited(LLMError):
    """Too many requests. `retry_after` has the seconds to wait where the service said so."""

    retryable = True
    advice = "Slow down, or name other targets in fallbacks="


class ServerError(LLMError):
    """The service failed to answer."""

    retryable = True
    billed: Billed = "unknown"
    advice = "The service failed; try again, or name other targets in fallbacks="


class Overloaded(ServerError):
    """The service has no capacity at the moment."""

    billed = "no"
    advice = "The service is overloaded; try again later, or name other targets in fallbacks="


class LLMTimeout(LLMError, TimeoutError):
    """Something took too long. This is the base class of all time-outs, and a `TimeoutError` too."""

    billed: Billed = "unknown"
    retryable = True


class ConnectTimeout(LLMTimeout):
    """No connection in time; nothing was sent."""

    billed = "no"
    advice = "Check the network, the proxy and base_url"


class FirstTokenTimeout(LLMTimeout):
    """The service was connected but sent no content within `timeout` seconds."""

    advice = "Raise timeout=, stream the answer, or ask for less"


class ProviderTimeout(LLMTimeout):
    """The service itself gave up waiting (408, 504, 524)."""

    advice = "Try again, or stream the answer"


class DeadlineExceeded(LLMTimeout):
    """The total deadline of the call, over all attempts and waits, is over."""

    retryable = False
    fallback = False
    advice = "Raise deadline="


class ConnectionFailed(LLMError):
    """The connection could not be made or broke."""

    retryable = True


class CannotConnect(ConnectionFailed):
    """No connection could be made: refused, or the host name does not resolve. Nothing was sent."""

    advice = "Is the server running and base_url right?"


class TLSFailed(ConnectionFailed):
    """The TLS handshake failed or the certificate is not valid for the host. Nothing was sent."""

    retryable = False
    advice = "Check base_url and the certificate; a private authority goes in ca_bundle="


class ConnectionLost(ConnectionFailed):
    """The connection broke while an answer was awaited or read; the request may have been billed."""

    billed = "unknown"
    advice = "Try again; if it happens each time, look at what stands between, such as a proxy"


class LocalOverload(LLMError):
    """No connection of the pool came free in time."""

    fallback = False
    advice = "Send fewer calls at once"


class MalformedResponse(LLMError):
    """The reply is not what the protocol says: not JSON, an HTML page, the wrong shape."""

    retryable = True
    billed = "unknown"
    advice = "Check base_url; a proxy may have answered in place of the service"


class EmptyResponse(MalformedResponse):
    """The reply holds no answer: no body, no choices, or neither content nor a finish reason."""

    advice = "The service sent nothing; try again or another model"


class ResponseTooLarge(MalformedResponse):
    """The reply is larger than llmkit reads into memory."""

    retryable = False
    advice = "Ask for less, or stream the answer"


class StreamInterrupted(LLMError):
    """A stream ended without a finish reason, or failed after content had been delivered.

    `partial_text` holds exactly the text that was delivered; `reason` the typed error that ended the stream, where
    there was one.
    """

    billed = "unknown"
    retryable = True
    advice = "The answer is not complete; partial_text holds what came"

    def __init__(self, message: str, *, reason: LLMError | None = None, partial_text: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.partial_text = partial_text
        if reason is not None:
            self.provider, self.model = reason.provider, reason.model
            self.status, self.code, self.request_id = reason.status, reason.code, reason.request_id
            self.retry_after, self.cause, self.details = reason.retry_after, reason.cause, reason.details


class AllTargetsFailed(LLMError):
    """Every target of a chain failed. `errors` holds the last error of each attempt, oldest first."""

    advice = ""

    def __init__(self, errors: Sequence[LLMError]) -> None:
        lines = [f"  {number}. {error}" for number, error in enumerate(errors, 1)]
        super().__init__(f"all {len(errors)} attempts on the chain failed:\n" + "\n".join(lines))
        self.errors = tuple(errors)
        waits = [error.retry_after for error in errors if error.retry_after is not None]
        self.retry_after = min(waits) if waits else None

    def __str__(self) -> str:
        return self.message


class ModelClosed(LLMError):
    """The model was closed; its connections are gone."""

    fallback = False
    advice = "Make another one with create_language()"


class ProviderBug(LLMError):
    """A provider raised an exception that is not an `LLMError`."""

    billed = "unknown"
    advice = "This is a fault of the provider package; report it there"

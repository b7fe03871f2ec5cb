"""Errors of the chat-completions dialect: which class a status, a code and a text mean.

Pure but for the clock, which is read in one place (`_read_wait`): some services say when to try again, not how long to
wait, and the span from now until then is what the error holds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from llmkit.errors import (
    AuthFailed,
    BadRequest,
    ConfigError,
    ContentRefused,
    ContextLengthExceeded,
    InsufficientCredit,
    LLMError,
    ModelNotFound,
    Overloaded,
    PayloadTooLarge,
    PermissionDenied,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    RequestConflict,
    ServerError,
)
from llmkit.provider.exchange import HTTPReply
from llmkit.types.redaction import scrub
from llmkit.wire.jsonbytes import decode
from llmkit.wire.retry_after import read_retry_after

#: The class that a code or type means, as OpenAI and services like it write it. It says more than the status does.
BY_CODE: Mapping[str, type[LLMError]] = {
    "context_length_exceeded": ContextLengthExceeded,
    "invalid_api_key": AuthFailed,
    "authentication_error": AuthFailed,
    "model_not_found": ModelNotFound,
    "insufficient_quota": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "rate_limit_exceeded": RateLimited,
    "content_policy_violation": ContentRefused,
    "content_filter": ContentRefused,
    "permission_error": PermissionDenied,
    "unsupported_country_region_territory": PermissionDenied,
    "overloaded_error": Overloaded,
    "server_error": ServerError,
}
#: The class that a status means where nothing else is known.
BY_STATUS: Mapping[int, type[LLMError]] = {
    400: BadRequest,
    401: AuthFailed,
    402: InsufficientCredit,
    403: PermissionDenied,
    404: ModelNotFound,
    408: ProviderTimeout,
    409: RequestConflict,
    413: PayloadTooLarge,
    422: BadRequest,
    429: RateLimited,
    503: Overloaded,
    504: ProviderTimeout,
    524: ProviderTimeout,
    529: Overloaded,
}
_TOO_LONG = re.compile(
    r"(?i)context (?:length|window|size)|prompt is too long|maximum (?:context|prompt)|too many tokens"
)
_NO_ADDRESS = re.compile(r"(?i)invalid url|unknown request url|page not found|no route|cannot post")
#: Headers that hold the id to quote to a service, in order of preference.
_ID_HEADERS = ("x-generation-id", "x-request-id", "request-id", "cf-ray")


def find_request_id(headers: Mapping[str, str]) -> str | None:
    """The service's id of an exchange; `None` where no header holds one."""
    return next((headers[name] for name in _ID_HEADERS if headers.get(name)), None)


def class_by_status(status: int | None) -> type[LLMError]:
    """The class that a status alone means; an unknown status is a `ServerError` from 500 on, else a `BadRequest`."""
    if status is None:
        return ServerError
    return BY_STATUS.get(status) or (ServerError if status >= 500 else BadRequest)


def classify(status: int | None, codes: tuple[str, ...], message: str) -> type[LLMError]:
    """The class of an error. The service's codes are trusted first, then its text, then the status."""
    for code in codes:
        cls = BY_CODE.get(code)
        # "server_error" says less than a status such as 503 does.
        if cls is not None and not (cls is ServerError and (status or 0) > 500):
            return cls
    if status in (400, 422, None) and _TOO_LONG.search(message):
        return ContextLengthExceeded
    if status == 404 and _NO_ADDRESS.search(message):
        return BadRequest
    return class_by_status(status)


def as_status(code: object) -> int | None:
    """The HTTP status that a code inside a body stands for; `None` for any other code."""
    if isinstance(code, str) and len(code) == 3 and code.isascii() and code.isdigit():
        code = int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and 100 <= code < 600 else None


def parse_error_body(reply: HTTPReply) -> Mapping[str, object] | None:
    """The error object of a reply's body, with a `message` or a `code`; `None` where the body has no error object."""
    try:
        value = decode(reply.body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]  # Google's compatible endpoint wraps its error in a list.
    if not isinstance(value, dict):
        return None
    error = value.get("error", value)
    if isinstance(error, str):
        return {**value, "message": error}
    if isinstance(error, dict):
        return error if "message" in error or "code" in error else None if error is value else {"message": ""} | error
    return None


def make_bodyless_error(status: int, reply: HTTPReply) -> LLMError:
    """The error of a reply whose body is not the service's error document: that of an edge, a proxy, a redirect."""
    if 300 <= status < 400:
        redirect = ConfigError(
            f"the address answers with a redirect ({status}), and llmkit follows none",
            hint="Set base_url to the final address",
            status=status,
        )
        redirect.fallback = True
        return redirect
    body = scrub(reply.body[:400].decode("utf-8", "replace"), 160)
    shown = f": {body}" if body else " without a body"
    if status == 404:
        return BadRequest(f"there is nothing at this address{shown}", hint="Check base_url", status=status)
    cls = class_by_status(status)
    return cls(
        f"HTTP {status}{shown}",
        status=status,
        request_id=find_request_id(reply.headers),
        retry_after=_read_wait(cls, reply.headers, {}),
    )


def make_error(
    cls: type[LLMError],
    error: Mapping[str, object],
    *,
    status: int | None,
    headers: Mapping[str, str],
    hint: str | None = None,
    details: Mapping[str, object] | None = None,
) -> LLMError:
    """An error of class `cls`, made of the service's error object and headers.

    Args:
        cls: the class of the error.
        error: the service's error object.
        status: the HTTP status, or the code that stands for one inside the reply.
        headers: of the reply, names in lower case.
        hint: advice to the user; `None` keeps the advice of the class.
        details: the service's further data about the error. They are searched for a wait in place of `error`.
    """
    text = error.get("message")
    code = error.get("code") if not isinstance(error.get("code"), int) else None
    return cls(
        (scrub(str(text)) if text else "") or "the service reports an error without a text",
        hint=hint,
        status=status,
        code=str(code or error.get("type") or "") or None,
        request_id=find_request_id(headers),
        retry_after=_read_wait(cls, headers, details or error),
        details=_clean(details or {}),
    )


def _read_wait(cls: type[LLMError], headers: Mapping[str, str], details: Mapping[str, object]) -> float | None:
    """The seconds that the service asks to wait, counted from now.

    This is the only place below the drivers that reads a clock. An error is made as soon as its reply has come, so the
    time of its making stands for the time of the reply.
    """
    return read_retry_after(headers, details, time.time(), limited=issubclass(cls, RateLimited))


def _clean(value: object) -> Any:
    """The service's error data without credentials, and without the part of the prompt that moderation quotes."""
    if isinstance(value, str):
        return scrub(value, 2000)
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items() if key != "flagged_input"}
    return [_clean(item) for item in value] if isinstance(value, (list, tuple)) else value


__all__ = [
    "as_status",
    "class_by_status",
    "classify",
    "find_request_id",
    "make_bodyless_error",
    "make_error",
    "parse_error_body",
]

"""One request and its reply, for every kind of attempt: the user's headers, and bounds on what is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from llmkit.config.setting_checks import check_headers
from llmkit.engine.effects import Flow, Head, open_reply, read
from llmkit.errors import ConfigError, LLMError, ResponseTooLarge
from llmkit.provider.exchange import HTTPReply, HTTPRequest
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from llmkit.engine.plan import Target

#: Most bytes of a reply with an error status that are read; what is beyond is cut off.
ERROR_BODY_BYTES = 8 * 1024 * 1024


def is_success(head: Head | HTTPReply) -> bool:
    """Is the status a 2xx one?"""
    return 200 <= head.status < 300


def send(target: Target[object], request: HTTPRequest, deadline: float) -> Flow[Head]:
    """Send a request with the user's headers, and wait for the head of the reply.

    A callable among the headers sees the request as it stands, with the headers of those before it.
    """
    for extra in target.extra_headers:
        added = _ask(extra, request) if callable(extra) else extra
        request = replace(request, headers={**request.headers, **added})
    return (yield from open_reply(target.transport, request, deadline))


def _ask(extra: Callable[[HTTPRequest], Mapping[str, str]], request: HTTPRequest) -> Mapping[str, str]:
    """What an `extra_headers` callable gives for a request."""
    try:
        added = extra(request)
    except Exception as error:  # it is the user's code and may raise anything
        raise ConfigError(
            f"the extra_headers callable failed: {type(error).__name__}: {scrub(str(error))}",
            hint="It takes the request and returns a dict of headers",
        ) from None
    check_headers(added, "what the extra_headers callable gave")
    return added


def read_reply(
    head: Head, request: HTTPRequest, deadline: float, cut: Callable[[LLMError, bytes], None] | None = None
) -> Flow[HTTPReply]:
    """Read a reply to its end.

    Args:
        head: of the reply that is open.
        deadline: by which it must have come whole.
        cut: is told the error, and what had come, of a 2xx reply that does not come whole.

    Raises:
        ResponseTooLarge: a 2xx reply is longer than the request allows. Of another one the beginning is enough.
    """
    success = is_success(head)
    limit = request.max_reply_bytes if success else ERROR_BODY_BYTES
    parts: list[bytes] = []
    size = 0
    try:
        while data := (yield from read(deadline)):
            parts.append(data)
            size += len(data)
            if size > limit:
                if not success:
                    break
                raise ResponseTooLarge(f"the reply is longer than {limit} bytes", status=head.status)
    except LLMError as error:
        if cut is not None and success and parts:
            cut(error, b"".join(parts))
        raise
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    return HTTPReply(head.status, head.headers, body if success else body[:ERROR_BODY_BYTES])

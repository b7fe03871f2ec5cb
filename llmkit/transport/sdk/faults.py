"""Exceptions of the OpenAI SDK and of the HTTP libraries under it, as `LLMError`s.

They are told apart by class name, so that httpx, httpx2, httpcore and aiohttp need not be imported. The original is
not chained: it holds the request with its key. `cause` keeps its class name and scrubbed text.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping

from llmkit.errors import (
    CannotConnect,
    ConfigError,
    ConnectionLost,
    ConnectTimeout,
    FirstTokenTimeout,
    LLMError,
    LocalOverload,
    MalformedResponse,
    ProviderBug,
    ProviderTimeout,
    TLSFailed,
)
from llmkit.types.redaction import scrub

#: Class name of an exception to our class and the sentence to show. The most telling exception of a chain decides.
BY_NAME: Mapping[str, tuple[type[LLMError], str]] = {
    # httpx and httpx2
    "ConnectTimeout": (ConnectTimeout, "no connection in time"),
    "ReadTimeout": (FirstTokenTimeout, "the service was silent for too long"),
    "WriteTimeout": (ProviderTimeout, "the request could not be sent in time"),
    "PoolTimeout": (LocalOverload, "no connection of the pool came free in time"),
    "ConnectError": (CannotConnect, "no connection could be made"),
    "ReadError": (ConnectionLost, "the connection broke while the reply was read"),
    "WriteError": (ConnectionLost, "the connection broke while the request was sent"),
    "CloseError": (ConnectionLost, "the connection could not be closed cleanly"),
    "NetworkError": (ConnectionLost, "the connection broke"),
    "ProxyError": (CannotConnect, "the proxy refused the connection"),
    "UnsupportedProtocol": (ConfigError, "base_url is not an http:// or https:// address"),
    "LocalProtocolError": (ConfigError, "the request is not valid HTTP; check extra_headers"),
    "RemoteProtocolError": (ConnectionLost, "the reply was cut short"),
    "ProtocolError": (ConnectionLost, "the peer broke the HTTP protocol"),
    "TimeoutException": (ProviderTimeout, "something took too long"),
    "TransportError": (ConnectionLost, "the connection failed"),
    "DecodingError": (MalformedResponse, "the reply's content encoding is broken"),
    "TooManyRedirects": (ConfigError, "the address redirects"),
    "RequestError": (ConnectionLost, "the request failed"),
    "HTTPStatusError": (ProviderBug, "a status error was not read as a reply"),
    "HTTPError": (ConnectionLost, "the exchange failed"),
    "InvalidURL": (ConfigError, "base_url is not an address"),
    "CookieConflict": (ProviderBug, "cookies were kept"),
    "StreamConsumed": (ProviderBug, "the reply was read twice"),
    "StreamClosed": (ConnectionLost, "the reply was closed while it was read"),
    "ResponseNotRead": (ProviderBug, "the reply was not read"),
    "RequestNotRead": (ProviderBug, "the request was not read"),
    "StreamError": (ConnectionLost, "the reply broke"),
    # llmkit.transport.sdk.clamp
    "ConnectOverdue": (ConnectTimeout, "no connection in time"),
    "ReadOverdue": (FirstTokenTimeout, "no answer in time"),
    "WriteOverdue": (ProviderTimeout, "the request could not be sent in time"),
    # openai
    "APITimeoutError": (ConnectTimeout, "no answer in time"),
    "APIConnectionError": (ConnectionLost, "the connection failed"),
    "APIResponseValidationError": (MalformedResponse, "the reply has an unexpected shape"),
    "APIStatusError": (ProviderBug, "a status error was not read as a reply"),
    "APIError": (MalformedResponse, "the reply could not be read"),
    "LengthFinishReasonError": (ProviderBug, "the SDK judged a finish reason"),
    "ContentFilterFinishReasonError": (ProviderBug, "the SDK judged a finish reason"),
    "OpenAIError": (ProviderBug, "the SDK could not make the request"),
    # aiohttp
    "ConnectionTimeoutError": (ConnectTimeout, "no connection in time"),
    "SocketTimeoutError": (FirstTokenTimeout, "the service was silent for too long"),
    "ServerTimeoutError": (FirstTokenTimeout, "the service was silent for too long"),
    "ClientPayloadError": (ConnectionLost, "the reply was cut short"),
    "ServerDisconnectedError": (ConnectionLost, "the service closed the connection without an answer"),
    "ClientConnectorDNSError": (CannotConnect, "the host name cannot be resolved"),
    "ClientConnectorCertificateError": (TLSFailed, "the certificate is not valid for the host"),
    "ClientConnectorSSLError": (TLSFailed, "the TLS handshake failed"),
    "ClientSSLError": (TLSFailed, "the TLS handshake failed"),
    "ServerFingerprintMismatch": (TLSFailed, "the certificate is not the expected one"),
    "ClientHttpProxyError": (CannotConnect, "the proxy refused the connection"),
    "NonHttpUrlClientError": (ConfigError, "base_url is not an http:// or https:// address"),
    "ContentTypeError": (MalformedResponse, "the reply has an unexpected type"),
    "HttpProcessingError": (ConnectionLost, "the reply is not valid HTTP"),
    "ClientProxyConnectionError": (CannotConnect, "the proxy refused the connection"),
    "ClientConnectorError": (CannotConnect, "no connection could be made"),
    "ClientOSError": (ConnectionLost, "the connection broke"),
    "ClientError": (ConnectionLost, "the exchange failed"),
}


def to_error(error: Exception, address: str, outside: BaseException | None = None) -> LLMError:
    """The typed error of a library exception.

    Args:
        address: `host:port` or the base URL, for the text.
        outside: what the caller was handling when it asked; it is the context of whatever fails, and not its cause.
    """
    causes = list(_list_causes(error, outside))
    for cause in causes:
        if isinstance(cause, LLMError):
            return cause  # Raised by ourselves below the SDK, which older versions wrap.
    by_name = (match for cause in reversed(causes) if (match := _match_class_name(cause)))
    cls, text = _match_system_fault(causes) or next(by_name, None) or _match_kind(error)
    deepest = causes[-1]
    return cls(f"{address}: {text}", cause=f"{type(deepest).__name__}: {scrub(str(deepest))}".rstrip(": "))


def _list_causes(error: BaseException, outside: BaseException | None) -> Iterator[BaseException]:
    """An exception and what caused it, outermost first, as far as `outside`."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and link is not outside and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _match_system_fault(causes: list[BaseException]) -> tuple[type[LLMError], str] | None:
    """What the operating system or OpenSSL said, which no wrapper says better.

    The wrappers hide it: aiohttp behind the SDK reports a refused connection as a time-out.
    """
    for link in reversed(causes):
        if isinstance(link, ssl.SSLCertVerificationError):
            # aiohttp's class of that kind has no such attribute.
            reason = getattr(link, "verify_message", "") or str(link)
            return TLSFailed, f"the certificate is not valid: {scrub(reason, 120)}"
        if isinstance(link, ssl.SSLError):
            return TLSFailed, f"the TLS handshake failed: {scrub(getattr(link, 'reason', '') or str(link), 120)}"
        if isinstance(link, socket.gaierror):
            return CannotConnect, "the host name cannot be resolved"
        if isinstance(link, ConnectionRefusedError):
            return CannotConnect, "the connection was refused"
    return None


def _match_class_name(error: BaseException) -> tuple[type[LLMError], str] | None:
    return next((match for cls in type(error).__mro__ if (match := BY_NAME.get(cls.__name__))), None)


def _match_kind(error: Exception) -> tuple[type[LLMError], str]:
    """What is left: no library's own exception."""
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return FirstTokenTimeout, "no answer in time"
    return ConnectionLost, f"the exchange failed with {type(error).__name__}"

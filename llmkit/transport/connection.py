"""A transport that a model shares with its copies."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from llmkit.secret import Secret

if TYPE_CHECKING:
    from llmkit.exchange import Endpoint, Transport
    from llmkit.provider import BaseProvider


class Connection:
    """One transport, made at first use, and a count of who uses it; the last one closes it."""

    def __init__(self, provider: BaseProvider, endpoint: Endpoint) -> None:
        self._provider = provider
        self._endpoint = endpoint
        self._lock = Lock()
        self._users = 1
        self._transport: Transport | None = None

    def transport(self) -> Transport:
        """The transport, made at first use."""
        if self._transport is None:
            with self._lock:
                if self._transport is None:
                    self._transport = self._provider.transport(self._endpoint) or _default(self._endpoint)
        return self._transport

    def redact(self, text: str) -> str:
        """The text without the endpoint's key, should a service have echoed it."""
        key = self._endpoint.api_key
        return text.replace(key.reveal(), "[key removed]") if isinstance(key, Secret) else text

    def share(self) -> Connection:
        """Count one more user."""
        with self._lock:
            self._users += 1
        return self

    def leave(self) -> Transport | None:
        """Count one user less; the last one gets the transport to close."""
        with self._lock:
            self._users -= 1
            return self._transport if self._users == 0 else None


def _default(endpoint: Endpoint) -> Transport:
    from llmkit.transport.sdk import SDKTransport

    return SDKTransport(endpoint)

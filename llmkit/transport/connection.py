"""A transport that a model shares with its copies."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, cast

from llmkit.types.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmkit.provider.exchange import Endpoint, Transport
    from llmkit.provider.interface import BaseProvider


class _RememberedKey:
    """An `api_key` callable, and the keys that it gave last: what was sent must not stand in what comes back."""

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask
        self.given: deque[Secret] = deque(maxlen=8)

    def __call__(self) -> str:
        key: object = self._ask()
        text = key.reveal() if isinstance(key, Secret) else key
        if isinstance(text, str) and (text := text.strip()) and text not in (known.reveal() for known in self.given):
            self.given.append(Secret(text))
        return cast("str", key)  # the transport checks it


class Connection:
    """One transport, made at first use, and a count of who uses it; the last one closes it."""

    def __init__(self, provider: BaseProvider, endpoint: Endpoint) -> None:
        self._provider = provider
        if callable(endpoint.api_key):
            endpoint = replace(endpoint, api_key=_RememberedKey(endpoint.api_key))
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
        sent: tuple[Secret, ...] = ()
        if isinstance(key, Secret):
            sent = (key,)
        elif isinstance(key, _RememberedKey):
            sent = tuple(key.given)
        for secret in sent:
            text = text.replace(secret.reveal(), "[key removed]")
        return text

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
    from llmkit.transport.sdk.transport import SDKTransport

    return SDKTransport(endpoint)

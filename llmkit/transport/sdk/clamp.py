"""A total deadline for blocking reads.

The HTTP library's timeouts are per call of the network and fixed when the request is sent, so a reply that trickles
outlives any deadline. Here each connect, read and write of the network layer is clamped to the deadline of the calling
thread, and none begins after it: data that is already there would make any timeout succeed.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

_current = threading.local()
#: Bytes that are written at once. The HTTP library applies a timeout to each part that the peer takes, however small.
_WRITE_BYTES = 16 * 1024


class ConnectOverdue(TimeoutError):
    """The deadline was over before a connection was there."""


class ReadOverdue(TimeoutError):
    """The deadline was over before the reply was."""


class WriteOverdue(TimeoutError):
    """The deadline was over before the request was sent."""


def set_deadline(deadline: float) -> None:
    """The `time.monotonic()` value that the network calls of this thread must end by."""
    _current.deadline = deadline


def check_deadline() -> None:
    """Raise `ReadOverdue` if the deadline of this thread is over."""
    _time_left(None, ReadOverdue)


def _time_left(timeout: float | None, overdue: type[TimeoutError]) -> float | None:
    """Seconds that a call of the network may take. Raises `overdue` if the deadline of this thread is over."""
    deadline: float | None = getattr(_current, "deadline", None)
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise overdue
    return left if timeout is None else min(timeout, left)


class _Stream(Protocol):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes: ...
    def write(self, buffer: bytes, timeout: float | None = None) -> None: ...
    def close(self) -> None: ...
    def start_tls(self, *args: Any, **kwargs: Any) -> _Stream: ...
    def get_extra_info(self, info: str) -> Any: ...


class ClampedStream:
    """A network stream of the HTTP library whose calls end by the deadline."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self.close = stream.close
        self.get_extra_info = stream.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _time_left(timeout, ReadOverdue))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_BYTES):
            self._stream.write(buffer[start : start + _WRITE_BYTES], _time_left(timeout, WriteOverdue))

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> ClampedStream:
        left = _time_left(timeout, ConnectOverdue)
        return ClampedStream(self._stream.start_tls(ssl_context, server_hostname, left))


class ClampedBackend:
    """A network backend of the HTTP library that makes clamped streams."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.sleep = backend.sleep

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> ClampedStream:
        left = _time_left(timeout, ConnectOverdue)
        return ClampedStream(self._backend.connect_tcp(host, port, left, local_address, socket_options))

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> ClampedStream:
        left = _time_left(timeout, ConnectOverdue)
        return ClampedStream(self._backend.connect_unix_socket(path, left, socket_options))


def clamp(http_client: Any) -> None:
    """Clamp every pool of a sync HTTP client of the SDK. The pool's backend is not public: a contract test holds it."""
    transports = [http_client._transport, *http_client._mounts.values()]
    for transport in transports:
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = ClampedBackend(pool._network_backend)

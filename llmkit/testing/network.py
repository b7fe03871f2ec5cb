"""Blocks the network while a recording is replayed."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_GUARDED_METHODS = ("connect", "connect_ex", "sendto")


@contextmanager
def block_network(refuse: Callable[[str], Exception]) -> Iterator[None]:
    """Make every connection by IP, and every look-up of a host name, raise what `refuse` returns.

    Args:
        refuse: returns the exception to raise, given what is refused: "a connection to host:port".

    Unix domain sockets work. On Windows loopback connections work too, because an event loop makes one.
    """
    originals: dict[str, Any] = {name: getattr(socket.socket, name) for name in _GUARDED_METHODS}
    overridden = {name for name in _GUARDED_METHODS if name in vars(socket.socket)}
    look_up = socket.getaddrinfo

    def guard(name: str) -> Callable[..., Any]:
        def guarded(self: socket.socket, *arguments: Any) -> Any:
            if self.family not in (socket.AF_INET, socket.AF_INET6) or _is_windows_loop(arguments[-1]):
                return originals[name](self, *arguments)
            self.close()  # The caller closes a socket only after an OSError.
            raise refuse(f"a connection to {_format_address(arguments[-1])}")

        return guarded

    def no_look_up(host: Any, *_arguments: Any, **_named: Any) -> Any:
        raise refuse(f"a connection to {_format_address(host)}")

    for name in _GUARDED_METHODS:
        setattr(socket.socket, name, guard(name))
    socket.getaddrinfo = no_look_up
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
        for name in _GUARDED_METHODS:
            if name in overridden:
                setattr(socket.socket, name, originals[name])
            else:
                delattr(socket.socket, name)


def _is_windows_loop(address: object) -> bool:
    return sys.platform == "win32" and isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1")


def _format_address(address: object) -> str:
    if isinstance(address, tuple):
        return ":".join(str(part) for part in address[:2])
    return address.decode("ascii", "replace") if isinstance(address, bytes) else str(address)

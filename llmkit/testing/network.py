"""No network while a recording is replayed."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_GUARDED = ("connect", "connect_ex", "sendto")


@contextmanager
def no_network(refuse: Callable[[str], Exception]) -> Iterator[None]:
    """Within the block every connection by IP, and every look-up of a host name, raises what `refuse` gives.

    Args:
        refuse: gives the exception for what is refused: "a connection to host:port".

    Sockets inside the machine (Unix domain) work. On Windows a loopback connection does too: an event loop makes one.
    """
    kept: dict[str, Any] = {name: getattr(socket.socket, name) for name in _GUARDED}
    own = {name for name in _GUARDED if name in vars(socket.socket)}
    look_up = socket.getaddrinfo

    def guard(name: str) -> Callable[..., Any]:
        def guarded(self: socket.socket, *arguments: Any) -> Any:
            if self.family not in (socket.AF_INET, socket.AF_INET6) or _loop_of_windows(arguments[-1]):
                return kept[name](self, *arguments)
            self.close()  # Callers close it after an OSError only.
            raise refuse(f"a connection to {_shown(arguments[-1])}")

        return guarded

    def no_look_up(host: Any, *_arguments: Any, **_named: Any) -> Any:
        raise refuse(f"a connection to {_shown(host)}")

    for name in _GUARDED:
        setattr(socket.socket, name, guard(name))
    socket.getaddrinfo = no_look_up
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
        for name in _GUARDED:
            if name in own:
                setattr(socket.socket, name, kept[name])
            else:
                delattr(socket.socket, name)


def _loop_of_windows(address: object) -> bool:
    return sys.platform == "win32" and isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1")


def _shown(address: object) -> str:
    if isinstance(address, tuple):
        return ":".join(str(part) for part in address[:2])
    return address.decode("ascii", "replace") if isinstance(address, bytes) else str(address)

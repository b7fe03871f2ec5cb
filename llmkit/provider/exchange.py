"""One exchange with a backend as values, and the interface of what carries it out.

A provider makes an `HTTPRequest` and reads an `HTTPReply`; a `Transport` opens, reads and closes. Nothing else in
llmkit touches a socket. A backend that is not HTTP (a model in the process, a vendor's own SDK) brings a transport of
its own behind the same three calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from llmkit.types.secret import Secret

#: What a request may ask for.
METHODS = ("POST", "GET", "DELETE", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """Bytes to send.

    Attributes:
        path: relative to the endpoint's base URL.
        headers: their names are spelled as they go out. `Content-Type` is JSON's where they do not say.
        method: POST, or another one of `METHODS`; GET has no body.
        stream: is the reply handed out as it comes?
        repeatable: may it be sent again where nobody knows whether it was carried out? A request that makes a new
            thing with each time says no; a failed one is then final.
        max_reply_bytes: most bytes of a whole reply that are read into memory.
    """

    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    stream: bool = False
    repeatable: bool = True
    max_reply_bytes: int = 32 * 1024 * 1024

    def __post_init__(self) -> None:
        """Refuse a method that no transport carries out.

        Raises:
            ValueError: it is not one of `METHODS`.
        """
        if self.method not in METHODS:
            raise ValueError(f"the method is {self.method!r}; there are {', '.join(METHODS)}")

    def __repr__(self) -> str:
        return f"HTTPRequest({self.method} {self.path}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class HTTPReply:
    """A whole reply. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"HTTPReply({self.status}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """Where a target is and what every request to it carries.

    Attributes:
        base_url: without a trailing slash.
        headers: sent with every request; never the key.
        api_key: the key, a callable asked before every attempt, or `None`.
        key_header: the header that the key goes in: `Authorization` has `Bearer` before it, another name the key
            alone; with "" the transport sends none, and the provider puts it where it belongs.
        local: is the address a loopback one? Such a server is never reached through a proxy.
        proxy, ca_bundle, client_cert, max_connections: as in `Settings`.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    api_key: Secret | Callable[[], str] | None = None
    key_header: str = "Authorization"
    local: bool = False
    proxy: str | None = None
    ca_bundle: str | None = None
    client_cert: str | tuple[str, str] | None = None
    max_connections: int | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r}, key={'yes' if self.api_key else 'no'})"


class Body(Protocol):
    """An open reply, read from a thread."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Header names in lower case."""
        ...

    def read(self, deadline: float) -> bytes:
        """The next bytes as the network brings them; b"" at the end. `deadline` is a `time.monotonic()` value."""
        ...

    def close(self) -> None:
        """Give the connection back, or drop it if the reply was not read to its end. May be called twice."""
        ...


class AsyncBody(Protocol):
    """An open reply, read from a task."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Header names in lower case."""
        ...

    async def read(self, deadline: float) -> bytes:
        """As `Body.read`."""
        ...

    async def close(self) -> None:
        """As `Body.close`."""
        ...


class Transport(Protocol):
    """Carries exchanges to one endpoint. Made once for a model and shared by its copies.

    Every method raises `LLMError`s only: `CannotConnect`, `ConnectTimeout`, `TLSFailed`, `FirstTokenTimeout`,
    `ConnectionLost`, ... A reply with an error status is a reply, not an exception.
    """

    def open(self, request: HTTPRequest, deadline: float) -> Body:
        """Send, and wait for the head of the reply until `deadline` (`time.monotonic()`)."""
        ...

    async def aopen(self, request: HTTPRequest, deadline: float) -> AsyncBody:
        """As `open`."""
        ...

    def close(self) -> None:
        """Close what the sync side holds open."""
        ...

    async def aclose(self) -> None:
        """Close what both sides hold open."""
        ...

"""One exchange with a backend as values (`HTTPRequest`, `HTTPReply`), and the `Transport` that carries it out.

A provider makes an `HTTPRequest` and reads an `HTTPReply`; a transport opens, reads and closes. Nothing else in llmkit
touches a socket. A backend that is not HTTP (a model in the process, the SDK of a vendor) has a transport of its own
with the same three methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from llmkit.types.secret import Secret

#: The HTTP methods that a request may have.
METHODS = ("POST", "GET", "DELETE", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """A request to send.

    Attributes:
        path: relative to the endpoint's base URL.
        body: the bytes of the body.
        headers: sent with the names spelled as they are here. Without a `Content-Type`, it is JSON's.
        method: POST, or another one of `METHODS`; GET has no body.
        stream: whether the reply is handed out as it comes.
        repeatable: whether it may be sent again when it is not known whether it was carried out. For a request that
            creates something each time this is false, and its failure is final.
        max_reply_bytes: the most bytes of a whole reply that are read into memory.
    """

    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    stream: bool = False
    repeatable: bool = True
    max_reply_bytes: int = 32 * 1024 * 1024

    def __post_init__(self) -> None:
        """Check the method.

        Raises:
            ValueError: it is not one of `METHODS`.
        """
        if self.method not in METHODS:
            raise ValueError(f"the method is {self.method!r}; there are {', '.join(METHODS)}")

    def __repr__(self) -> str:
        return f"HTTPRequest({self.method} {self.path}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class HTTPReply:
    """A whole reply. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"HTTPReply({self.status}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """The address of a target, and what every request to it carries.

    Attributes:
        base_url: without a trailing slash.
        headers: sent with every request; the key is never among them.
        api_key: the key, a callable that is asked before every attempt, or `None`.
        key_header: the header that holds the key: after `Bearer` in `Authorization`, alone in a header of another name.
            With "" the transport sends no key, and the provider puts it where it belongs.
        local: whether the address is a loopback address, which is never reached through a proxy.
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
    """An open reply that is read by a thread."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, with names in lower case."""
        ...

    def read(self, deadline: float) -> bytes:
        """The next bytes as the network brings them; b"" at the end. `deadline` is a `time.monotonic()` value."""
        ...

    def close(self) -> None:
        """Return the connection to its pool, or drop it if the reply was not read to its end. May be called twice."""
        ...


class AsyncBody(Protocol):
    """An open reply that is read by a task."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, with names in lower case."""
        ...

    async def read(self, deadline: float) -> bytes:
        """As `Body.read`."""
        ...

    async def close(self) -> None:
        """As `Body.close`."""
        ...


class Transport(Protocol):
    """Carries exchanges to one endpoint. It is made once for a model and shared by the copies of the model.

    Every method raises `LLMError`s only: `CannotConnect`, `ConnectTimeout`, `TLSFailed`, `FirstTokenTimeout`,
    `ConnectionLost`, ... A reply with an error status is a reply, not an exception.
    """

    def open(self, request: HTTPRequest, deadline: float) -> Body:
        """Send the request, and wait for the head of the reply until `deadline` (a `time.monotonic()` value)."""
        ...

    async def aopen(self, request: HTTPRequest, deadline: float) -> AsyncBody:
        """As `open`."""
        ...

    def close(self) -> None:
        """Close the connections of the sync methods."""
        ...

    async def aclose(self) -> None:
        """Close the connections of the sync and the async methods."""
        ...

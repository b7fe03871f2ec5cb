"""What a flow can ask for. It *yields* an effect and is *sent* the result:

    Open   send a request, get the head of the reply       -> Head
    Read   the next bytes of the open reply, b"" at the end -> bytes
    Sleep  wait                                            -> None
    Emit   hand chunks to the caller                       -> None

The drivers in `llmkit.transport.drivers` carry them out.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from llmkit.provider.exchange import HTTPRequest, Transport


class Head(Protocol):
    """The head of an open reply."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Header names in lower case."""
        ...


@dataclass(slots=True, repr=False)
class Open:
    """Send `request` over `transport`; the head must be there by `deadline`."""

    transport: Transport
    request: HTTPRequest
    deadline: float


@dataclass(slots=True)
class Read:
    """Read on; bytes must come by `deadline`. After it nothing is read but the end of what came in time."""

    deadline: float


@dataclass(slots=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(slots=True)
class Emit:
    """Hand chunks to the caller, all of one read at once. (Other streams than chat's hand out their own pieces.)"""

    chunks: Sequence[Any]


Effect: TypeAlias = Open | Read | Sleep | Emit
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
# The send type of a generator cannot follow the effect, so it is Any; the helpers below give each effect its type.
Flow: TypeAlias = Generator[Effect, Any, T]


def open_reply(transport: Transport, request: HTTPRequest, deadline: float) -> Flow[Head]:
    """Send `request` and wait for the head of the reply."""
    head: Head = yield Open(transport, request, deadline)
    return head


def read(deadline: float) -> Flow[bytes]:
    """Read on; b"" at the end."""
    data: bytes = yield Read(deadline)
    return data


class Runnable(Protocol[T_co]):
    """Something that the drivers can run."""

    def run(self) -> Flow[T_co]:
        """Its flow."""
        ...

    def abandon(self) -> None:
        """The caller left in the middle."""
        ...

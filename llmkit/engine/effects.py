"""What a flow can ask for. It *yields* an effect and is *sent* the result:

    Open    send a request, get the head of the reply          -> Head
    Read    the next bytes of the open reply, b"" at its end   -> bytes
    Sleep   wait                                               -> None
    Emit    hand pieces of the answer to the caller            -> None
    Record  book an attempt that is over                       -> None

The drivers in `llmkit.transport.drivers` carry them out, each in one function. A new effect is a class here and a case
in each of the two functions. Two have their place and no use yet: a permit to send (`Acquire`) is asked for before
`Open`, and observers are told (`Notify`) after `Record`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from llmkit.money.totals import Tally
    from llmkit.provider.exchange import HTTPRequest, Transport
    from llmkit.types.responses import Attempt
    from llmkit.types.usage import Usage


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
    """Hand pieces of an answer to the caller, all of one read at once: chunks of chat, steps of a pull."""

    pieces: Sequence[Any]


@dataclass(slots=True, repr=False)
class Record:
    """Book an attempt that is over; `usage` where tokens were counted."""

    tally: Tally
    attempt: Attempt
    usage: Usage | None = None


Effect: TypeAlias = Open | Read | Sleep | Emit | Record
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

    def abandon(self) -> Record | None:
        """The caller left in the middle. What must be booked for the attempt that was open, if one was."""
        ...

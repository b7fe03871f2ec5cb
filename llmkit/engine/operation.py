"""One attempt of any other operation than chat: whole replies, or one that is streamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from llmkit.config.setting_checks import describe
from llmkit.engine.effects import Emit, Flow
from llmkit.engine.effects import read as read_on
from llmkit.engine.request import is_success, read_reply, send
from llmkit.engine.run import Charge
from llmkit.errors import LLMError
from llmkit.provider.exchange import HTTPReply, HTTPRequest
from llmkit.provider.interface import Call
from llmkit.types.usage import NOT_BILLED, UNKNOWN_COST, drop_unbelievable_amount

if TYPE_CHECKING:
    from llmkit.engine.effects import Record
    from llmkit.engine.plan import Deadlines, Target
    from llmkit.provider.operations import Operation, OperationDecoder
    from llmkit.types.responses import Attempt
    from llmkit.types.usage import Cost, Usage

T = TypeVar("T")
P = TypeVar("P")


class Priced(Protocol):
    """A result that says what it used and cost, such as a list of embeddings."""

    cost: Cost
    usage: Usage


@dataclass(slots=True, repr=False)
class WholeReplies(Generic[T]):
    """The `Procedure` of an operation that is a generator of requests. A second attempt starts it anew.

    Attributes:
        billed: does the service charge for it? Then the result says what it cost (`Priced`), or that is unknown.
    """

    billed: bool = False
    committed: bool = False
    request: HTTPRequest | None = None

    def attempt(self, target: Target[Operation[T]], deadlines: Deadlines) -> Flow[T]:
        """See `Procedure`. A reply with an error status is thrown into the operation, which may go on."""
        operation = target.prepare()
        try:
            request = next(operation)
            while True:
                if not isinstance(cast("object", request), HTTPRequest):
                    raise TypeError(f"an operation asks for {describe(request)}")
                self.request = request
                try:
                    reply = yield from _exchange(target, request, deadlines)
                except LLMError as error:
                    request = operation.throw(error)
                else:
                    request = operation.send(reply)
        except StopIteration as stop:
            return cast("T", stop.value)

    def again(self, error: LLMError) -> Callable[[], Operation[T]] | None:
        """See `Procedure`: never."""
        return None

    def charge(self, result: T) -> Charge:
        """See `Procedure`."""
        if not self.billed:
            return Charge(NOT_BILLED)
        return Charge(drop_unbelievable_amount(getattr(result, "cost", UNKNOWN_COST)), getattr(result, "usage", None))

    def finish(self, result: T, attempts: Sequence[Attempt]) -> T:
        """See `Procedure`."""
        return result


@dataclass(slots=True, repr=False)
class StreamedReply(WholeReplies[T], Generic[P, T]):
    """The `Procedure` of an operation with one request, whose reply is handed out in pieces as it comes.

    `target.timeout` is the longest silence before a piece, as for a stream of chat.
    """

    def attempt(  # type: ignore[override]  # what is prepared is another kind of operation
        self, target: Target[tuple[HTTPRequest, OperationDecoder[P, T]]], deadlines: Deadlines
    ) -> Flow[T]:
        """See `Procedure`."""
        request, decoder = target.prepare()
        self.request = request
        deadline = deadlines.within(target.timeout)
        head = yield from send(target, request, deadline)
        if not is_success(head):
            reply = yield from read_reply(head, request, deadline)
            raise target.provider.parse_error(Call(target.model, ()), reply)
        ended = False
        while not ended:
            data = yield from read_on(deadline)
            ended = not data
            if pieces := decoder.feed(data):
                self.committed = True
                yield Emit(pieces)
                deadline = deadlines.within(target.timeout)
        return decoder.finish()


def _exchange(target: Target[Operation[T]], request: HTTPRequest, deadlines: Deadlines) -> Flow[HTTPReply]:
    """The 2xx reply of one request."""
    deadline = deadlines.within(target.timeout)
    head = yield from send(target, request, deadline)
    reply = yield from read_reply(head, request, deadline)
    if not is_success(reply):
        raise target.provider.parse_error(Call(target.model, ()), reply)
    return reply


@dataclass(slots=True, repr=False)
class Once(Generic[T]):
    """A flow over several runs, as something that the drivers can run. The runs within are asked about by nobody."""

    flow: Callable[[], Flow[T]]

    def run(self) -> Flow[T]:
        """The flow."""
        return self.flow()

    def abandon(self) -> Record | None:
        """See `Runnable`: such runs book nothing."""
        return None

"""The flows of the operations beside chat: whole exchanges, and a streamed one. No I/O, as in the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from llmkit.config.setting_checks import describe
from llmkit.engine.effects import Emit, Flow, Head, Sleep, open_reply, read
from llmkit.engine.run import BODY_LIMIT, LONGEST, redact_error
from llmkit.engine.salvage import provider_bug
from llmkit.errors import ConnectionLost, LLMError, LLMTimeout, ResponseTooLarge
from llmkit.provider.exchange import HTTPReply, HTTPRequest, Transport
from llmkit.provider.interface import BaseProvider, Call, Operation, SupportsPull
from llmkit.resilience.chain import Chain
from llmkit.resilience.retry import RetryPolicy

T = TypeVar("T")


@dataclass(slots=True, repr=False)
class Service:
    """Where operations go. `timeout` is seconds for one exchange; `redact` takes the key out of a text."""

    provider: BaseProvider
    transport: Transport
    clock: Callable[[], float]
    timeout: float
    policy: RetryPolicy | None = None
    redact: Callable[[str], str] = str

    def ask(self, operation: Operation[T], model: str = "") -> Flow[T]:
        """Carry out an operation: each request that it yields, tried again as the policy says."""
        try:
            request = next(operation)
            while True:
                if not isinstance(cast("object", request), HTTPRequest):
                    raise TypeError(f"an operation asks for {describe(request)}")
                try:
                    reply = yield from self._exchange(request, model)
                except LLMError as error:
                    request = operation.throw(error)
                else:
                    request = operation.send(reply)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        except LLMError as error:
            raise self._placed(error, model) from None
        except Exception as error:  # a provider is foreign code, as in the engine
            raise self._placed(provider_bug(error), model) from error

    def _exchange(self, request: HTTPRequest, model: str) -> Flow[HTTPReply]:
        chain = Chain(1, self.policy)
        while True:
            try:
                return (yield from self._once(request, model))
            except LLMError as error:
                step = chain.after_failure(0, error, self.clock())
                if step is None:
                    raise
                wait = step[1]
            if wait:
                yield Sleep(wait)

    def _once(self, request: HTTPRequest, model: str) -> Flow[HTTPReply]:
        deadline = self.clock() + min(self.timeout, LONGEST)
        head = yield from open_reply(self.transport, request, deadline)
        reply = yield from _whole(head, deadline)
        if 200 <= reply.status < 300:
            return reply
        raise self.provider.parse_error(Call(model, ()), reply)

    def pull(self, model: str) -> Flow[None]:
        """Fetch a model; its progress is emitted. Sent once: a pull that broke off goes on where it was."""
        try:
            provider = cast("SupportsPull", self.provider)
            request, decoder = provider.pull(model), provider.pull_decoder(model)
            deadline = self.clock() + min(self.timeout, LONGEST)
            head = yield from open_reply(self.transport, request, deadline)
            if not 200 <= head.status < 300:
                raise self.provider.parse_error(Call(model, ()), (yield from _whole(head, deadline)))
            while data := (yield from read(deadline)):
                if steps := decoder.feed(data):
                    yield Emit(steps)
                    deadline = self.clock() + min(self.timeout, LONGEST)  # bytes that are no step prolong nothing
            if steps := decoder.feed(b""):
                yield Emit(steps)
            decoder.finish()
        except LLMError as error:
            if isinstance(error, (ConnectionLost, LLMTimeout)):
                error.hint = "Pull again: it goes on where it stopped"
            raise self._placed(error, model) from None
        except Exception as error:  # a provider is foreign code, as in the engine
            raise self._placed(provider_bug(error), model) from error

    def _placed(self, error: LLMError, model: str) -> LLMError:
        error.provider = error.provider or self.provider.name
        error.model = error.model or model or None
        redact_error(error, self.redact)
        return error


def _whole(head: Head, deadline: float) -> Flow[HTTPReply]:
    """Read a reply to its end."""
    body = bytearray()
    while data := (yield from read(deadline)):
        body += data
        if len(body) > BODY_LIMIT:
            raise ResponseTooLarge(f"the reply is longer than {BODY_LIMIT} bytes", status=head.status)
    return HTTPReply(head.status, head.headers, bytes(body))


@dataclass(slots=True, repr=False)
class Once(Generic[T]):
    """A flow as something that the drivers can run. Nothing is booked, so there is nothing to abandon."""

    flow: Callable[[], Flow[T]]

    def run(self) -> Flow[T]:
        """The flow."""
        return self.flow()

    def abandon(self) -> None:
        """Nothing is open that somebody counts."""

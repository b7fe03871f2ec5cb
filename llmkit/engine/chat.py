"""One attempt of chat: plain and streamed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from llmkit.config.setting_checks import describe
from llmkit.engine.effects import Emit, Flow, read
from llmkit.engine.failures import at_deadline
from llmkit.engine.request import is_success, read_reply, send
from llmkit.engine.run import Charge
from llmkit.engine.salvage import interrupted, partial_answer, salvage_reply, whole_answer
from llmkit.errors import LLMError
from llmkit.types.responses import Response
from llmkit.types.usage import drop_unbelievable_amount

if TYPE_CHECKING:
    from llmkit.engine.plan import Deadlines, Target
    from llmkit.provider.exchange import HTTPRequest
    from llmkit.provider.interface import Call, Decoder
    from llmkit.types.responses import Attempt, Chunk

log = logging.getLogger("llmkit")

#: Chunks that came before the first content are held back, so that a fallback stays invisible; at most so many.
HELD_BACK_CHUNKS = 1000
#: A finished stream is read on for so many seconds, so that its connection can be used again.
DRAIN_SECONDS = 1.0
COST_DOUBT = "the provider gave a cost that cannot be right; it counts as unknown"


@dataclass(slots=True, repr=False)
class Chat:
    """The `Procedure` of a chat call.

    Attributes:
        stream: is the answer handed out as it comes?
        committed: has content been handed out?
        call, request, decoder: of the attempt that is open, or was last.
    """

    stream: bool = False
    committed: bool = False
    billed: bool = field(default=True, init=False)
    call: Call | None = None
    request: HTTPRequest | None = None
    decoder: Decoder | None = None

    def attempt(self, target: Target[Call], deadlines: Deadlines) -> Flow[Response]:
        """See `Procedure`."""
        call = self.call = target.prepare()
        request = self.request = target.provider.build(call)
        deadline = deadlines.within(target.timeout)
        head = yield from send(target, request, deadline)

        if not self.stream or not is_success(head):
            reply = yield from read_reply(head, request, deadline, partial(salvage_reply, target.provider, call))
            if not is_success(reply):
                raise target.provider.parse_error(call, reply)
            return _accept(call, target.provider.parse(call, reply))
        return (yield from self._streamed(target, call, deadlines, deadline))

    def _streamed(self, target: Target[Call], call: Call, deadlines: Deadlines, deadline: float) -> Flow[Response]:
        decoder = self.decoder = target.provider.decoder(call)
        held: list[Chunk] = []
        try:
            yield from self._hand_out(target, decoder, held, deadlines, deadline)
            response = _accept(call, decoder.finish(), review=False)
        except LLMError as error:
            whole = whole_answer(decoder)
            if whole is None:
                error = at_deadline(error, deadlines)
                raise (interrupted(error, decoder) if self.committed else error) from None
            response = whole
        except Exception as error:  # foreign code; a decoder that raised is not asked for the answer
            if not self.committed:
                raise
            log.debug("provider %s raised", target.provider.name, exc_info=True)
            raise interrupted(error, decoder) from None
        else:
            yield from _drain(deadlines.within(DRAIN_SECONDS))
        response = _accept(call, response)
        if not self.committed and held:
            yield Emit(held)
        return response

    def _hand_out(
        self, target: Target[Call], decoder: Decoder, held: list[Chunk], deadlines: Deadlines, deadline: float
    ) -> Flow[None]:
        """Read and hand out until the stream says that it is over. What comes before any content stays in `held`.

        The service has `target.timeout` seconds from one content to the next. The time that the caller spends with a
        chunk is not the service's, so what is left of it counts from when the caller asks for more.
        """
        ended = False
        while not (ended or decoder.done):
            data = yield from read(deadline)
            ended = not data
            chunks = decoder.feed(data)
            if not chunks:
                continue
            content = _has_content(chunks)
            if not self.committed:
                held += chunks
                if not content and len(held) <= HELD_BACK_CHUNKS:
                    continue
                self.committed, chunks = True, held
            left = target.timeout if content else deadline - deadlines.clock()
            yield Emit(chunks)
            deadline = deadlines.within(left)

    def partial(self) -> Response:
        """What has come of a streamed answer."""
        if self.decoder is None or self.call is None:
            return Response(())
        response = partial_answer(self.decoder)
        return response if self.call.review is None else self.call.review.partial(response)

    def again(self, error: LLMError) -> Callable[[], Call] | None:
        """See `Procedure`: a review asks once more, with what was wrong about the answer."""
        if self.call is None or self.call.review is None:
            return None
        call = self.call.review.again(self.call, error)
        return None if call is None else lambda: call

    def charge(self, result: Response) -> Charge:
        """See `Procedure`. A cost that no call has counts as unknown."""
        return Charge(drop_unbelievable_amount(result.cost), result.usage, result.id)

    def finish(self, result: Response, attempts: Sequence[Attempt]) -> Response:
        """See `Procedure`."""
        answered = attempts[-1]
        if answered.cost is not result.cost:
            result = replace(result, cost=answered.cost, warnings=(*result.warnings, COST_DOUBT))
        for warning in result.warnings:
            log.warning("%s: %s", answered.target, warning)
        return replace(result, attempts=tuple(attempts))


def _accept(call: Call, response: object, *, review: bool = True) -> Response:
    """The answer that a provider gave, looked at by the review of the call."""
    if not isinstance(response, Response):
        raise TypeError(f"the provider gave {describe(response)} for a Response")
    return call.review.accept(response) if review and call.review is not None else response


def _drain(deadline: float) -> Flow[None]:
    """Read what is left of a finished stream, so that its connection goes back to the pool."""
    try:
        while (yield from read(deadline)):
            pass
    except LLMError:
        log.debug("a finished stream did not end cleanly")


def _has_content(chunks: Sequence[Chunk]) -> bool:
    """Is there anything in the chunks that a caller would miss: text, reasoning, a refusal, a tool call?"""
    for chunk in reversed(chunks):
        for choice in chunk.choices:
            delta = choice.delta
            if delta.content or delta.reasoning or delta.tool_calls or delta.refusal or delta.reasoning_details:
                return True
    return False

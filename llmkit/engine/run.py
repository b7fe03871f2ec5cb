"""The flows of a call: where retry, fallback and money meet. Generators; no I/O, no clock of their own.

A flow never releases anything: the driver owns the open reply and closes it in its own `finally`. Only an
`Exception` is thrown back into a flow; cancellation and Ctrl-C pass it by, and the driver calls `abandon()`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmkit.config.setting_checks import check_headers
from llmkit.engine.effects import Emit, Flow, Head, Sleep, open_reply, read
from llmkit.engine.salvage import interrupted, provider_bug, whole_answer, with_salvage
from llmkit.errors import (
    AllTargetsFailed,
    ConfigError,
    DeadlineExceeded,
    LLMError,
    LLMTimeout,
    ResponseTooLarge,
    StreamInterrupted,
)
from llmkit.money.totals import Tally
from llmkit.provider.exchange import HTTPReply, HTTPRequest, Transport
from llmkit.provider.interface import BaseProvider, Call, Decoder
from llmkit.resilience.chain import Chain
from llmkit.resilience.retry import RetryPolicy
from llmkit.types.responses import Attempt, Chunk, Response
from llmkit.types.scrub import scrub
from llmkit.types.settings import ExtraHeaders
from llmkit.types.usage import NOT_BILLED, UNKNOWN_COST, Cost, believed

log = logging.getLogger("llmkit")

#: Longest plain reply that is read into memory.
BODY_LIMIT = 32 * 1024 * 1024
#: Chunks that came before the first content are held back, so that a fallback stays invisible; at most so many.
HELD_BACK = 1000
#: Seconds that a finished stream is read on for, so that its connection can be used again.
DRAIN = 1.0
_COST_DOUBT = "the provider gave a cost that cannot be right; it counts as unknown"
#: Levels of a service's error data that are kept.
DEEPEST = 16
#: Seconds. A time-out beyond is none: the operating system's own calls take no larger number.
LONGEST = 30 * 86_400.0


@dataclass(slots=True, repr=False)
class Target:
    """One place to send the call. `call` is made only when its turn comes, so a spare target costs nothing.

    `redact` takes the target's key out of a text that came from there.
    """

    provider: BaseProvider
    model: str
    transport: Transport
    timeout: float
    make_call: Callable[[], Call]
    extra_headers: Sequence[ExtraHeaders] = ()
    redact: Callable[[str], str] = str

    def __repr__(self) -> str:
        return f"Target({self.provider.name}:{self.model})"

    def request(self, call: Call) -> HTTPRequest:
        """The request of `call`, with the user's headers. A callable one sees the request as it stands."""
        request = self.provider.build(call)
        for extra in self.extra_headers:
            added = _asked(extra, request) if callable(extra) else extra
            request = replace(request, headers={**request.headers, **added})
        return request


@dataclass(slots=True, repr=False)
class Plan:
    """One call: where it may go and what bounds it. Times are seconds of `clock`.

    `committed`: has content been handed to the caller? From then on nothing is sent again.
    """

    targets: Sequence[Target]
    policy: RetryPolicy | None
    deadline: float | None
    clock: Callable[[], float]
    tally: Tally
    stream: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    errors: list[LLMError] = field(default_factory=list)
    committed: bool = False
    decoder: Decoder | None = None
    call: Call | None = None
    _open: tuple[Target, float, float] | None = None

    def partial(self) -> Response:
        """What has come of a streamed answer."""
        if self.decoder is None or self.call is None:
            return Response(())
        came = self.decoder.partial()
        return came if self.call.review is None else self.call.review.partial(came)

    def run(self) -> Flow[Response]:
        """The whole call, over all attempts and targets."""
        start = self.clock()
        limit = None if self.deadline is None else start + self.deadline
        chain: Chain | None = None
        index, wait = 0, 0.0
        target = self.targets[0]
        while True:
            self._open = (target, self.clock(), wait)
            try:
                response = yield from self._attempt(target, limit)
            except LLMError as error:
                self._failed(target, error)
                if self.committed:
                    raise self._final(error) from None
                if (again := self._again(error, limit)) is not None:
                    target, wait = replace(target, make_call=again), 0.0
                    continue
                chain = chain or Chain(len(self.targets), self.policy)
                now = self.clock()
                step = chain.after_failure(index, error, now)
                if step is None or (limit is not None and now + step[1] + (1 if step[1] else 0) > limit):
                    raise self._final(error) from None
                if step[0] != index:  # the same target keeps what a review asked it
                    target = self.targets[step[0]]
                index, wait = step
                log.info(
                    "%s failed (%s); next %s in %.2f s", error.where, type(error).__name__, self._name(index), wait
                )
                if wait:
                    yield Sleep(wait)
            else:
                return self._succeeded(target, response)

    def _again(self, error: LLMError, limit: float | None) -> Callable[[], Call] | None:
        """What asks the same target once more, with what was wrong about its answer, if the review wants that."""
        if self.call is None or self.call.review is None or (limit is not None and self.clock() > limit):
            return None
        call = self.call.review.again(self.call, error)
        return None if call is None else lambda: call

    def _name(self, index: int) -> str:
        return f"{self.targets[index].provider.name}:{self.targets[index].model}"

    def _attempt(self, target: Target, limit: float | None) -> Flow[Response]:
        """One exchange. Every exception leaves it as an `LLMError` that names its target."""
        try:
            if self.stream:
                return (yield from self._streamed(target, limit))
            return (yield from self._plain(target, limit))
        except LLMError as error:
            raise self._placed(error, target, limit) from None
        except Exception as error:  # a provider is foreign code: whatever it raises becomes a typed error
            log.debug("provider %s raised", target.provider.name, exc_info=True)
            raise self._placed(provider_bug(error), target, limit) from error

    def _plain(self, target: Target, limit: float | None) -> Flow[Response]:
        call = self.call = target.make_call()
        request = target.request(call)
        deadline = self._deadline(target.timeout, limit)
        head = yield from open_reply(target.transport, request, deadline)
        reply = yield from self._whole(target, call, head, deadline)
        if 200 <= reply.status < 300:
            response = target.provider.parse(call, reply)
            return response if call.review is None else call.review.accept(response)
        raise target.provider.parse_error(call, reply)

    def _whole(self, target: Target, call: Call, head: Head, deadline: float) -> Flow[HTTPReply]:
        """Read a reply to its end. If it is cut, the error keeps the text that can be made out."""
        parts: list[bytes] = []
        size = 0
        try:
            while data := (yield from read(deadline)):
                parts.append(data)
                size += len(data)
                if size > BODY_LIMIT:
                    raise ResponseTooLarge(f"the reply is longer than {BODY_LIMIT} bytes", status=head.status)
        except LLMError as error:
            if head.status == 200 and parts:
                raise with_salvage(error, target.provider, call, b"".join(parts)) from None
            raise
        return HTTPReply(head.status, head.headers, parts[0] if len(parts) == 1 else b"".join(parts))

    def _streamed(self, target: Target, limit: float | None) -> Flow[Response]:
        call = self.call = target.make_call()
        request = target.request(call)
        deadline = self._deadline(target.timeout, limit)
        head = yield from open_reply(target.transport, request, deadline)
        if not 200 <= head.status < 300:
            reply = yield from self._whole(target, call, head, deadline)
            raise target.provider.parse_error(call, reply)
        decoder = self.decoder = target.provider.decoder(call)
        held: list[Chunk] = []
        try:
            yield from self._chunks(target, decoder, held, limit, deadline)
            response = decoder.finish()
        except LLMError as error:
            whole = whole_answer(decoder)
            if whole is None:
                error = self._timely(error, limit)
                raise (interrupted(error, decoder) if self.committed else error) from None
            response = whole
        except Exception as error:  # a decoder that raised is not asked whether the answer is whole
            if not self.committed:
                raise
            log.debug("provider %s raised", target.provider.name, exc_info=True)
            raise interrupted(error, decoder) from None
        else:
            yield from _drain(self._deadline(DRAIN, limit))
        if call.review is not None:
            response = call.review.accept(response)
        if not self.committed and held:
            yield Emit(held)
        return response

    def _chunks(
        self, target: Target, decoder: Decoder, held: list[Chunk], limit: float | None, deadline: float
    ) -> Flow[None]:
        """Read and hand out until the stream says that it is over. What comes before any content stays in `held`."""
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
                if not content and len(held) <= HELD_BACK:
                    continue
                self.committed, chunks = True, held
            left = target.timeout if content else deadline - self.clock()
            yield Emit(chunks)
            deadline = self._deadline(left, limit)  # from now on: the time that the reader took is not the service's

    def _deadline(self, seconds: float, limit: float | None) -> float:
        own = self.clock() + min(seconds, LONGEST)
        return own if limit is None else min(own, limit)

    def _placed(self, error: LLMError, target: Target, limit: float | None) -> LLMError:
        error.provider = error.provider or target.provider.name
        error.model = error.model or target.model
        redact_error(error, target.redact)
        return self._timely(error, limit)

    def _timely(self, error: LLMError, limit: float | None) -> LLMError:
        """A time-out at the deadline is the deadline's."""
        if limit is None or not isinstance(error, LLMTimeout) or self.clock() < limit:
            return error
        if isinstance(error, DeadlineExceeded):
            return error
        over = DeadlineExceeded(f"the deadline of {self.deadline:g} s is over ({error.message})")
        over.provider, over.model = error.provider, error.model
        over.partial, over.partial_text = error.partial, error.partial_text
        return over

    def _failed(self, target: Target, error: LLMError) -> None:
        self.errors.append(error)
        partial = error.partial
        cost = NOT_BILLED if error.billed == "no" else UNKNOWN_COST
        if partial is not None and partial.cost.amount is not None:
            # A whole answer costs what it says. One in the making does, once its usage has come.
            whole = bool(partial.choices) and partial.choices[0].finish_reason is not None
            if whole or partial.usage.total_tokens is not None:
                cost = believed(partial.cost)
        attempt = self._record(target, type(error).__name__, error.status, error.request_id, error.message, cost)
        self.tally.record(attempt, None if partial is None else partial.usage)

    def _succeeded(self, target: Target, response: Response) -> Response:
        cost = believed(response.cost)
        if cost is not response.cost:
            response = replace(response, cost=cost, warnings=(*response.warnings, _COST_DOUBT))
        attempt = self._record(target, "ok", 200, response.id, None, cost)
        self.tally.record(attempt, response.usage)
        log.debug("%s answered in %.3f s", attempt.target, attempt.elapsed)
        for warning in response.warnings:
            log.warning("%s: %s", attempt.target, warning)
        return replace(response, attempts=tuple(self.attempts))

    def _record(
        self, target: Target, outcome: str, status: int | None, identity: str | None, message: str | None, cost: Cost
    ) -> Attempt:
        _, started, waited = self._open or (target, self.clock(), 0.0)
        self._open = None
        attempt = Attempt(
            target.provider.name, target.model, outcome, self.clock() - started, waited, status, identity, message, cost
        )
        self.attempts.append(attempt)
        return attempt

    def abandon(self) -> None:
        """The caller left (early exit, cancellation, Ctrl-C): book the open attempt as of unknown cost."""
        if self._open is not None:
            target = self._open[0]
            self.tally.record(self._record(target, "abandoned", None, None, "the caller left", UNKNOWN_COST))

    def _final(self, error: LLMError) -> LLMError:
        """What the caller gets: with one target its last error; with several, all of them, if the chain was used up."""
        if len(self.targets) > 1 and len(self.errors) > 1:
            final: LLMError = AllTargetsFailed(self.errors)
            final.partial, final.partial_text = error.partial, error.partial_text
            if isinstance(error, StreamInterrupted) or not error.fallback:
                final = error
        else:
            final = error
        final.attempts = tuple(self.attempts)
        return final


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


def _asked(extra: Callable[[HTTPRequest], Mapping[str, str]], request: HTTPRequest) -> Mapping[str, str]:
    """What an `extra_headers` callable gives for a request; it is the user's code and may raise anything."""
    try:
        added = extra(request)
    except Exception as error:
        raise ConfigError(
            f"the extra_headers callable failed: {type(error).__name__}: {scrub(str(error))}",
            hint="It takes the request and returns a dict of headers",
        ) from None
    check_headers(added, "what the extra_headers callable gave")
    return added


def redact_error(error: LLMError, redact: Callable[[str], str]) -> None:
    """Take the key out of what a service may have echoed. Known shapes of keys are scrubbed before; this is exact."""
    if redact is str:
        return
    error.message, error.hint = redact(error.message), redact(error.hint)
    error.args = (error.message,)
    error.code = error.code and redact(error.code)
    error.cause = error.cause and redact(error.cause)
    error.request_id = error.request_id and redact(error.request_id)
    error.details = {key: _without_key(value, redact) for key, value in error.details.items()}
    if isinstance(error, StreamInterrupted) and error.reason is not None:
        redact_error(error.reason, redact)


def _without_key(value: object, redact: Callable[[str], str], depth: int = 0) -> object:
    """A value of the service's own error data, its texts redacted; what is nested beyond any use is left out."""
    if isinstance(value, str):
        return redact(value)
    if not isinstance(value, (Mapping, list)):
        return value
    if depth > DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {key: _without_key(item, redact, depth + 1) for key, item in value.items()}
    return [_without_key(item, redact, depth + 1) for item in value]

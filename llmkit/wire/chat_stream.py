"""Streams of the chat-completions dialect: bytes to chunks, and to the whole answer at the end.

What counts, and where the services differ (each seen in recorded traffic): comments are no events; `usage` is taken
from any event, the last one wins; the first non-null `finish_reason` of a choice wins, and content after it still
counts; an event with an `error` ends the stream under HTTP 200; only `finish_reason` says that an answer is whole,
`[DONE]` does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from llmkit.errors import EmptyResponse, LLMError, MalformedResponse, ResponseTooLarge, StreamInterrupted
from llmkit.types.redaction import scrub
from llmkit.types.responses import Chunk, ChunkChoice, Delta, Response
from llmkit.wire.chat_choice import ChoiceBuilder
from llmkit.wire.chat_reply import JSON, extra_of, objects, split_content, text
from llmkit.wire.jsonbytes import BOM, decode, decode_exact, unfrozen
from llmkit.wire.numbers import place
from llmkit.wire.sse import SSEDecoder

if TYPE_CHECKING:
    from llmkit.provider.interface import Call
    from llmkit.wire.chat import ChatProvider

#: Longest body that is kept when a stream turns out to be a plain document.
DOCUMENT_LIMIT = 32 * 1024 * 1024


class ChatDecoder:
    """The decoder of one streamed reply."""

    def __init__(self, provider: ChatProvider, call: Call) -> None:
        self._provider = provider
        self._call = call
        self._sse: SSEDecoder | None = None
        self._head = bytearray()
        self._document: bytearray | None = None
        self._whole: Response | None = None
        self._choices: dict[int, ChoiceBuilder] = {}
        self._first: dict[str, object] = {}
        self._id: str | None = None
        self._model: str | None = None
        self._usage: JSON | None = None
        self._extra: dict[str, object] = {}
        self._error: LLMError | None = None
        self._events = 0
        self.done = False
        self._delta, self._choice, self._chunk = _constructors()

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """See `llmkit.provider.Decoder`."""
        if self.done:
            return ()
        if self._sse is None:
            return self._begin(data)
        chunks: list[Chunk] = []
        try:
            events = self._sse.feed(data)
        except ResponseTooLarge as error:
            self._fail(error)
            return ()
        for event in events:
            payload = event.data
            if payload[:1] != b"{" and payload.strip() == b"[DONE]":
                self.done = True
                break
            chunk = self._event(payload, event.event)
            if chunk is not None:
                chunks.append(chunk)
            if self.done:
                break
        return chunks

    def _begin(self, data: bytes) -> Sequence[Chunk]:
        """Find out what the body is: its own first byte says it, whatever the content type claims."""
        if self._document is not None:
            self._document += data
            if len(self._document) > DOCUMENT_LIMIT:
                self._fail(ResponseTooLarge(f"the reply is longer than {DOCUMENT_LIMIT} bytes"))
            return self._end_document() if not data else ()
        self._head += data
        start = self._head.removeprefix(BOM).lstrip()
        if not start or BOM.startswith(start):
            return ()
        if start.startswith((b"{", b"[", b"<")):
            self._document, self._head = self._head, bytearray()
            return () if data else self._end_document()
        self._sse = SSEDecoder()
        return self.feed(bytes(self._head))

    def _end_document(self) -> Sequence[Chunk]:
        """A plain document in place of a stream: an error, or the whole answer at once."""
        from llmkit.provider.exchange import HTTPReply

        self.done = True
        try:
            self._whole = self._provider.parse(self._call, HTTPReply(200, {}, bytes(self._document or b"")))
        except LLMError as error:
            self._error = error
            return ()
        return [
            Chunk(
                (ChunkChoice(Delta(choice.message.text, "assistant", choice.message.reasoning), choice.index,
                             choice.finish_reason),),
                self._whole.id,
                self._whole.model,
            )
            for choice in self._whole.choices
        ]  # fmt: skip

    def _event(self, payload: bytes, kind: str) -> Chunk | None:
        try:
            event = decode(payload)
        except (ValueError, RecursionError) as error:
            self._fail(MalformedResponse(f"an event of the stream is not JSON ({scrub(str(error), 80)})"))
            return None
        if type(event) is not dict:
            return None
        if not self._first:
            self._first, self._id, self._model = event, text(event.get("id")), text(event.get("model"))
        self._events += 1
        choices = event.get("choices")
        if event.get("usage"):
            self._read_usage(event, payload)
        if (event.get("error")) or (kind == "error" and not choices):
            chunk = self._pieces(objects(choices), event)
            self._fail(self._provider.event_error(self._call, event))
            return chunk
        return self._pieces(choices, event) if choices and type(choices) is list else None

    def _read_usage(self, event: JSON, payload: bytes) -> None:
        """Read the event once more, exactly: its money must not go through a float."""
        exact = decode_exact(payload)
        usage = cast("JSON", exact).get("usage") if isinstance(exact, dict) else None
        if isinstance(usage, dict):
            self._usage = usage
        self._extra.update(extra_of(event))

    def _pieces(self, choices: Sequence[object], event: JSON) -> Chunk | None:
        if len(choices) == 1 and type(choices[0]) is dict:
            made: tuple[ChunkChoice, ...] = (self._piece(choices[0], event),)
        else:
            made = tuple([self._piece(raw, event) for raw in choices if type(raw) is dict])
            if not made:
                return None
        chunk = self._chunk(made, self._id, self._model)
        chunk.__class__ = Chunk
        return chunk

    def _piece(self, raw: JSON, event: JSON) -> ChunkChoice:
        """One choice of an event. This runs for each piece of text: what is rare is looked at only if it is there."""
        index = raw.get("index")
        builder = self._choices.get(index) if type(index) is int else None
        if builder is None:
            index = place(index) or 0
            builder = self._choices.get(index) or self._choices.setdefault(index, ChoiceBuilder(index))
        delta = raw.get("delta")
        if type(delta) is not dict:
            message = raw.get("message")
            delta = message if type(message) is dict else {}
        content = delta.get("content")
        if type(content) is str and (len(delta) == 1 or (len(delta) == 2 and "role" in delta)):
            if content:
                builder.text.append(content)
            piece = self._delta(content, delta["role"] if "role" in delta else None)  # noqa: SIM401 - faster
        else:
            piece = self._rich_delta(builder, delta)
        piece.__class__ = Delta
        logprobs = raw["logprobs"] if "logprobs" in raw else None  # noqa: SIM401 - faster
        if logprobs is not None:
            builder.add_logprobs(logprobs)
        finish = raw.get("finish_reason")
        if finish or "error" in raw:
            finish = text(finish)
            builder.end(finish, text(raw.get("native_finish_reason")))
            if raw.get("error") or finish == "error":
                self._fail(self._provider.event_error(self._call, {**event, **raw}))
        choice = self._choice(piece, index, finish, logprobs)
        choice.__class__ = ChunkChoice
        return choice

    def _rich_delta(self, builder: ChoiceBuilder, delta: JSON) -> Delta:
        content, thought = split_content(delta.get("content"))
        reasoning = text(delta.get("reasoning")) or text(delta.get("reasoning_content")) or thought
        refusal = text(delta.get("refusal"))
        if content:
            builder.text.append(content)
        if reasoning:
            builder.reasoning.append(reasoning)
        if refusal:
            builder.refusal.append(refusal)
        calls, details = builder.rare(delta)
        return self._delta(content or "", delta.get("role"), reasoning, refusal, calls, details)

    def _fail(self, error: LLMError) -> None:
        self._error = self._error or error
        self.done = True

    def partial(self) -> Response:
        """See `llmkit.provider.Decoder`."""
        if self._whole is not None:
            return self._whole
        choices = tuple(self._choices[index].build() for index in sorted(self._choices))
        return self._provider.assemble(self._call, {**self._first, "usage": self._usage}, choices, self._extra)

    def finish(self) -> Response:
        """See `llmkit.provider.Decoder`."""
        if self._whole is not None:
            return self._whole
        delivered = any(builder.delivered() for builder in self._choices.values())
        if self._error is not None:
            raise self._with_partial(self._error, delivered)
        if not self._events:
            raise self._nothing()
        open_choices = [builder for builder in self._choices.values() if builder.finish is None]
        if not self._choices or open_choices:
            raise self._with_partial(StreamInterrupted("the stream ended without a finish_reason"), delivered)
        return self.partial()

    def _nothing(self) -> LLMError:
        if self._sse is None and not self._head.strip():
            return EmptyResponse("the stream is empty")
        if self._head.lstrip().startswith((b":", b"data", b"event", b"id", b"retry")):
            return StreamInterrupted("the stream ended before its first event")
        return MalformedResponse("the reply to a streamed call holds no event")

    def _with_partial(self, error: LLMError, delivered: bool) -> LLMError:
        partial = self.partial()
        said = partial.choices[0].message.text if partial.choices else ""
        if delivered and not isinstance(error, StreamInterrupted):
            error = StreamInterrupted(f"the stream failed after it had begun: {error.message}", reason=error)
        error.partial_text = said
        error.partial = partial if partial.choices else None
        return error


_made: tuple[Callable[..., Delta], Callable[..., ChunkChoice], Callable[..., Chunk]] | None = None


def _constructors() -> tuple[Callable[..., Delta], Callable[..., ChunkChoice], Callable[..., Chunk]]:
    """Fast constructors of what a chunk is made of; see `jsonbytes.unfrozen`."""
    global _made  # noqa: PLW0603 - making the classes takes a millisecond, once per process
    if _made is None:
        _made = unfrozen(Delta), unfrozen(ChunkChoice), unfrozen(Chunk)
    return _made

"""Streams of the chat-completions dialect: bytes to chunks, and to the whole answer at the end.

Where the services differ (each case was seen in recorded traffic), this counts: comments are not events; `usage` is
taken from any event, and the last one wins; the first non-null `finish_reason` of a choice wins, and content after it
still counts; an event with an `error` ends the stream, although the status is 200; only `finish_reason` says that an
answer is whole, `[DONE]` does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from llmkit.errors import EmptyResponse, LLMError, MalformedResponse, ResponseTooLarge, StreamInterrupted
from llmkit.types.redaction import scrub
from llmkit.types.responses import Chunk, ChunkChoice, Delta, Response
from llmkit.wire.chat_choice import ChoiceBuilder
from llmkit.wire.chat_reply import JSON, as_objects, as_text, pick_extra, split_content
from llmkit.wire.jsonbytes import BOM, decode, decode_exact, make_mutable_twin
from llmkit.wire.numbers import as_index
from llmkit.wire.sse import SSEDecoder

if TYPE_CHECKING:
    from llmkit.provider.interface import Call
    from llmkit.wire.chat import ChatProvider

#: Longest body that is kept when the reply turns out to be a whole document instead of a stream.
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024


class ChatDecoder:
    """The decoder of one streamed reply.

    A reply goes through these states. *Unknown*: the first bytes are kept in `_head` until one of them is neither blank
    nor part of a byte-order mark. It decides, not the content type, which proxies get wrong. `{`, `[` or `<` begins a
    *document*: everything is kept in `_document` and parsed as a plain reply at its end, because some services answer a
    streamed call with a whole answer or an error. Anything else begins *events*: `_sse` splits them, each event becomes
    at most one chunk, and each choice is put together by a `ChoiceBuilder`. A choice is *finished* by its
    `finish_reason`, but reading goes on: `usage` comes in a later event, and so may content. The stream is *done* at
    `[DONE]` or at an error, and what follows is not read. When it is done, or the body has ended, `finish` judges: an
    error, a stream without a choice, or a choice without a `finish_reason` is raised, with what had come attached.
    """

    def __init__(self, provider: ChatProvider, call: Call) -> None:
        self._provider = provider
        self._call = call
        self._sse: SSEDecoder | None = None
        self._head = bytearray()
        self._document: bytearray | None = None
        self._response: Response | None = None
        self._choices: dict[int, ChoiceBuilder] = {}
        self._first_event: dict[str, object] = {}
        self._id: str | None = None
        self._model: str | None = None
        self._usage: JSON | None = None
        self._extra: dict[str, object] = {}
        self._error: LLMError | None = None
        self._events = 0
        self.done = False
        self._delta, self._choice, self._chunk = _load_constructors()

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """See `llmkit.provider.Decoder`."""
        if self.done:
            return ()
        if self._sse is None:
            return self._detect_format(data)
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
            chunk = self._read_event(payload, event.event)
            if chunk is not None:
                chunks.append(chunk)
            if self.done:
                break
        return chunks

    def _detect_format(self, data: bytes) -> Sequence[Chunk]:
        """The chunks of bytes that come before it is known whether they are events or a document."""
        if self._document is not None:
            self._document += data
            if len(self._document) > MAX_DOCUMENT_BYTES:
                self._fail(ResponseTooLarge(f"the reply is longer than {MAX_DOCUMENT_BYTES} bytes"))
            return self._parse_document() if not data else ()
        self._head += data
        start = self._head.removeprefix(BOM).lstrip()
        if not start or BOM.startswith(start):
            return ()
        if start.startswith((b"{", b"[", b"<")):
            self._document, self._head = self._head, bytearray()
            return () if data else self._parse_document()
        self._sse = SSEDecoder()
        return self.feed(bytes(self._head))

    def _parse_document(self) -> Sequence[Chunk]:
        """The chunks of a document that came instead of a stream: one for each choice, or none where it is an error."""
        from llmkit.provider.exchange import HTTPReply

        self.done = True
        try:
            self._response = self._provider.parse(self._call, HTTPReply(200, {}, bytes(self._document or b"")))
        except LLMError as error:
            self._error = error
            return ()
        return [
            Chunk(
                (ChunkChoice(Delta(choice.message.text, "assistant", choice.message.reasoning), choice.index,
                             choice.finish_reason),),
                self._response.id,
                self._response.model,
            )
            for choice in self._response.choices
        ]  # fmt: skip

    def _read_event(self, payload: bytes, kind: str) -> Chunk | None:
        try:
            event = decode(payload)
        except (ValueError, RecursionError) as error:
            self._fail(MalformedResponse(f"an event of the stream is not JSON ({scrub(str(error), 80)})"))
            return None
        if type(event) is not dict:
            return None
        if not self._first_event:
            self._first_event, self._id, self._model = event, as_text(event.get("id")), as_text(event.get("model"))
        self._events += 1
        choices = event.get("choices")
        if event.get("usage"):
            self._read_usage(event, payload)
        if (event.get("error")) or (kind == "error" and not choices):
            chunk = self._build_chunk(as_objects(choices), event)
            self._fail(self._provider.event_error(self._call, event))
            return chunk
        return self._build_chunk(choices, event) if choices and type(choices) is list else None

    def _read_usage(self, event: JSON, payload: bytes) -> None:
        """Read the event once more, exactly, because its money must not go through a float."""
        exact = decode_exact(payload)
        usage = cast("JSON", exact).get("usage") if isinstance(exact, dict) else None
        if isinstance(usage, dict):
            self._usage = usage
        self._extra.update(pick_extra(event))

    def _build_chunk(self, choices: Sequence[object], event: JSON) -> Chunk | None:
        if len(choices) == 1 and type(choices[0]) is dict:
            built: tuple[ChunkChoice, ...] = (self._build_choice(choices[0], event),)
        else:
            built = tuple([self._build_choice(raw, event) for raw in choices if type(raw) is dict])
            if not built:
                return None
        chunk = self._chunk(built, self._id, self._model)
        chunk.__class__ = Chunk
        return chunk

    def _build_choice(self, raw: JSON, event: JSON) -> ChunkChoice:
        """One choice of a chunk. This runs for each piece of text, so rare fields are read only where they come."""
        index = raw.get("index")
        builder = self._choices.get(index) if type(index) is int else None
        if builder is None:
            index = as_index(index) or 0
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
            piece = self._build_rich_delta(builder, delta)
        piece.__class__ = Delta
        logprobs = raw["logprobs"] if "logprobs" in raw else None  # noqa: SIM401 - faster
        if logprobs is not None:
            builder.add_logprobs(logprobs)
        finish = raw.get("finish_reason")
        if finish or "error" in raw:
            finish = as_text(finish)
            builder.end(finish, as_text(raw.get("native_finish_reason")))
            if raw.get("error") or finish == "error":
                self._fail(self._provider.event_error(self._call, {**event, **raw}))
        choice = self._choice(piece, index, finish, logprobs)
        choice.__class__ = ChunkChoice
        return choice

    def _build_rich_delta(self, builder: ChoiceBuilder, delta: JSON) -> Delta:
        content, reasoning_parts = split_content(delta.get("content"))
        reasoning = as_text(delta.get("reasoning")) or as_text(delta.get("reasoning_content")) or reasoning_parts
        refusal = as_text(delta.get("refusal"))
        if content:
            builder.text.append(content)
        if reasoning:
            builder.reasoning.append(reasoning)
        if refusal:
            builder.refusal.append(refusal)
        calls, details = builder.add_rare_fields(delta)
        return self._delta(content or "", delta.get("role"), reasoning, refusal, calls, details)

    def _fail(self, error: LLMError) -> None:
        self._error = self._error or error
        self.done = True

    def partial(self) -> Response:
        """See `llmkit.provider.Decoder`."""
        if self._response is not None:
            return self._response
        choices = tuple(self._choices[index].build() for index in sorted(self._choices))
        return self._provider.assemble(self._call, {**self._first_event, "usage": self._usage}, choices, self._extra)

    def finish(self) -> Response:
        """See `llmkit.provider.Decoder`."""
        if self._response is not None:
            return self._response
        delivered = any(builder.has_content() for builder in self._choices.values())
        if self._error is not None:
            raise self._attach_partial(self._error, delivered)
        if not self._events:
            raise self._make_empty_error()
        open_choices = [builder for builder in self._choices.values() if builder.finish is None]
        if not self._choices or open_choices:
            raise self._attach_partial(StreamInterrupted("the stream ended without a finish_reason"), delivered)
        return self.partial()

    def _make_empty_error(self) -> LLMError:
        if self._sse is None and not self._head.strip():
            return EmptyResponse("the stream is empty")
        if self._head.lstrip().startswith((b":", b"data", b"event", b"id", b"retry")):
            return StreamInterrupted("the stream ended before its first event")
        return MalformedResponse("the reply to a streamed call holds no event")

    def _attach_partial(self, error: LLMError, delivered: bool) -> LLMError:
        partial = self.partial()
        partial_text = partial.choices[0].message.text if partial.choices else ""
        if delivered and not isinstance(error, StreamInterrupted):
            error = StreamInterrupted(f"the stream failed after it had begun: {error.message}", reason=error)
        error.partial_text = partial_text
        error.partial = partial if partial.choices else None
        return error


_cached_constructors: tuple[Callable[..., Delta], Callable[..., ChunkChoice], Callable[..., Chunk]] | None = None


def _load_constructors() -> tuple[Callable[..., Delta], Callable[..., ChunkChoice], Callable[..., Chunk]]:
    """The fast constructors of the three values of a chunk, made once; see `jsonbytes.make_mutable_twin`."""
    global _cached_constructors  # noqa: PLW0603 - making the classes takes a millisecond, once per process
    if _cached_constructors is None:
        _cached_constructors = make_mutable_twin(Delta), make_mutable_twin(ChunkChoice), make_mutable_twin(Chunk)
    return _cached_constructors

"""Plays one `Reply` over a connection: head, waits, pieces, and the ways in which an answer breaks off."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmkit.testing.simulator.answer import Answer, Piece, sent_tokens
from llmkit.testing.simulator.bill import Bill
from llmkit.testing.simulator.connection import ClientGoneError, Connection
from llmkit.testing.simulator.dialect import Dialect
from llmkit.testing.simulator.http import LAST_CHUNK, chunk, response_head
from llmkit.testing.simulator.jsonvalue import Object, write
from llmkit.testing.simulator.reply import Reply

BodyFraming: TypeAlias = Literal["length", "chunked", "close", "none"]

_READ_GAP = 0.002
"""Seconds between raw writes: long enough for a client to read one before the next arrives."""
_RESET_GAP = 0.01
"""Seconds before a reset, so that a client has read what was sent."""
_PAD = b"\n         \n"
"""What OpenRouter sends before a slow plain body."""


class BodyCutError(Exception):
    """The body is to break off at this place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One response to give."""

    dialect: Dialect
    reply: Reply
    number: int
    """Of the request, from 1."""
    answer: Answer | None = None
    """None = no chat answer: `document`, an error, or raw bytes."""
    document: Object | bytes | None = None
    """The body, where there is no answer; None = the usual error of the status."""
    head_only: bool = False
    """The request was HEAD."""
    keep_alive: bool = True


def _bytes(document: Object | bytes) -> bytes:
    return document if isinstance(document, bytes) else write(document).encode()


class Player:
    """Plays one turn."""

    def __init__(self, turn: Turn, connection: Connection, bill: Bill, gate: asyncio.Semaphore) -> None:
        self._turn = turn
        self._reply = turn.reply
        self._connection = connection
        self._bill = bill
        self._gate = gate
        self._framing: BodyFraming = "length"
        self._left = turn.reply.cut_bytes
        self._open = turn.keep_alive
        self._sent: list[Piece] = []
        self._charged = False

    async def play(self) -> bool:
        """Send the response. True if the connection can serve another request.

        Raises:
            ClientGoneError: the client closed before the end.
        """
        try:
            if self._reply.delay:
                await self._connection.pause(self._reply.delay)
            await self._body()
        except ClientGoneError:
            self._charge_broken()
            raise
        except BodyCutError:
            self._charge_broken()
            await self._cut()
        finally:
            await self._connection.unwatch()
        return self._open

    async def _body(self) -> None:
        turn, reply = self._turn, self._reply
        if reply.is_raw:
            await self._raw()
        elif not reply.is_success:
            await self._plain(self._error_body())
        elif turn.answer is None:
            await self._plain(_bytes(turn.document or {}))
        elif turn.answer.request.stream:
            await self._stream(turn.answer)
        else:
            await self._plain(write(turn.dialect.document(turn.answer)).encode(), turn.answer)

    def _error_body(self) -> bytes:
        turn, status = self._turn, self._reply.status
        if turn.document is not None:
            return _bytes(turn.document)
        if 300 <= status < 400:
            return b""
        return write(turn.dialect.error(status, self._reply.error)).encode()

    # Head.

    async def _head(self, content_type: str, framing: BodyFraming, length: int = 0) -> None:
        turn, reply = self._turn, self._reply
        self._framing = framing
        self._open = self._open and framing in {"length", "chunked"}
        answer = turn.answer if reply.is_success else None
        pairs = [("content-type", reply.content_type or content_type), ("x-simulator", "llmkit")]
        pairs += turn.dialect.headers(answer, turn.number)
        if framing == "length":
            pairs.append(("content-length", str(length)))
        elif framing == "chunked":
            pairs.append(("transfer-encoding", "chunked"))
        if not self._open:
            pairs.append(("connection", "close"))
        own = {name.lower() for name, _ in reply.header_pairs}
        pairs = [pair for pair in pairs if pair[0].lower() not in own]
        await self._write(response_head(reply.status, [*pairs, *reply.header_pairs]))
        if reply.first_delay:
            await self._connection.pause(reply.first_delay)

    # Bodies.

    async def _plain(self, body: bytes, answer: Answer | None = None) -> None:
        reply = self._reply
        padded = reply.padding or reply.comment_forever
        await self._head(self._turn.dialect.json_type, "chunked" if padded else "length", len(body))
        if self._turn.head_only:
            return
        await self._keep_alives(_PAD, reply.padding)
        if reply.gated:
            await self._connection.pass_gate(self._gate)
        if reply.cut_after is not None and self._left is None:
            self._left = len(body) // 2
        if answer is not None:
            whole = self._left is None and not reply.fails_inside
            self._charge(answer, answer.completion_tokens, complete=whole)
        await self._send(body)
        await self._end()

    async def _raw(self) -> None:
        reply, turn = self._reply, self._turn
        writes: Sequence[bytes] = [reply.body] if reply.body is not None else reply.raw_chunks or ()
        usual: BodyFraming = "length" if reply.body is not None else "chunked"
        framing: BodyFraming = usual if reply.framing == "auto" else reply.framing
        streams = turn.answer is not None and turn.answer.request.stream and reply.is_success
        if framing == "none":
            self._framing, self._open = framing, False
        else:
            kind = turn.dialect.stream_type if streams else turn.dialect.json_type
            await self._head(kind, framing, sum(map(len, writes)))
            if turn.head_only:
                return
        stated = reply.cost is not None or not (reply.usage is None or isinstance(reply.usage, str))
        if turn.answer is not None and stated:
            self._charge(turn.answer, turn.answer.completion_tokens, complete=True)
        for place, data in enumerate(writes):
            if place == reply.cut_after:
                raise BodyCutError
            if place:
                await self._connection.pause(max(reply.chunk_delay, _READ_GAP))
            if reply.gated:
                await self._connection.pass_gate(self._gate)
            await self._send(data)
        if reply.cut_after is not None or self._left == 0:
            raise BodyCutError
        await self._end()

    async def _stream(self, answer: Answer) -> None:
        await self._head(self._turn.dialect.stream_type, "chunked")
        await self._keep_alives(self._turn.dialect.comment, self._reply.comments)
        if await self._pieces(answer):
            self._charge(answer, answer.completion_tokens, complete=True)
            for event in self._turn.dialect.closing(answer):
                await self._send(event)
            if self._reply.done:
                await self._send(self._turn.dialect.done(answer))
        if self._reply.hold_after_done:
            await self._connection.pause(self._reply.hold_after_done)
        await self._end()

    async def _pieces(self, answer: Answer) -> bool:
        """Send opening and pieces. False if the stream ended in an error event."""
        reply, dialect = self._reply, self._turn.dialect
        error_after = 0 if reply.fails_inside and reply.error_after is None else reply.error_after
        for event in dialect.opening(answer):
            await self._send(event)
        pieces = answer.pieces(whole_calls=dialect.whole_calls, shows_reasoning=dialect.shows_reasoning(answer))
        for place, piece in enumerate(pieces):
            if place == reply.cut_after:
                raise BodyCutError
            if place == error_after:
                break
            if reply.gated:
                await self._connection.pass_gate(self._gate)
            elif place or not reply.chunk_delay:
                await self._connection.pause(reply.chunk_delay)
            await self._send(dialect.piece(answer, piece))
            self._sent.append(piece)
        if error_after is None:
            if reply.cut_after is not None:
                raise BodyCutError
            return True
        tokens = sent_tokens(self._sent)
        self._charge(answer, tokens, complete=False)
        await self._send(dialect.failure(answer, tokens))
        return False

    async def _keep_alives(self, sign: bytes, count: int) -> None:
        reply = self._reply
        while reply.comment_forever or count > 0:
            if sign:
                await self._send(sign)
            await self._connection.pause(reply.comment_delay)
            count -= 1

    # Bytes.

    async def _send(self, data: bytes) -> None:
        if self._left is not None and len(data) >= self._left:
            data, self._left = data[: self._left], 0
            if data:
                await self._write(self._framed(data))
            raise BodyCutError
        if self._left is not None:
            self._left -= len(data)
        if data:  # an empty chunk would end the body
            await self._write(self._framed(data))

    def _framed(self, data: bytes) -> bytes:
        return chunk(data) if self._framing == "chunked" else data

    async def _end(self) -> None:
        if self._framing == "chunked":
            await self._write(LAST_CHUNK)

    async def _write(self, data: bytes) -> None:
        size = self._reply.trickle
        if not size:
            await self._connection.write(data)
            return
        for start in range(0, len(data), size):
            await self._connection.write(data[start : start + size])
            await self._connection.pause(self._reply.trickle_delay)

    async def _cut(self) -> None:
        if self._reply.cut == "clean":
            await self._end()
            self._open = self._open and self._framing == "chunked"
            return
        self._open = False
        if self._reply.cut == "stall":
            self._connection.watch()
            await self._connection.gone.wait()
            raise ClientGoneError
        await self._connection.pause(_RESET_GAP)
        self._connection.reset()

    # Money.

    def _charge_broken(self) -> None:
        """Charge an answer that breaks off: a stream for what was sent, a plain one whole."""
        answer = self._turn.answer
        if answer is None or self._charged or self._reply.is_raw or not self._reply.is_success:
            return
        tokens = sent_tokens(self._sent) if answer.request.stream else answer.completion_tokens
        self._charge(answer, tokens, complete=False)

    def _charge(self, answer: Answer, tokens: int, *, complete: bool) -> None:
        self._charged = True
        self._bill.enter(answer, tokens, complete=complete)

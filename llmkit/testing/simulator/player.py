"""Plays one `Reply` over a connection: head, pauses, pieces, and the ways in which an answer breaks off.

How a script becomes bytes. `Service` chooses the reply for a request: the queue of its path, else the queue of its
model, else the fault in the model's name, else the general queue, else `Reply()`, the default answer. It returns a
`ResponsePlan`, and a `Player` plays that plan once:

    delay -> head -> first_delay -> keep-alives -> body -> hold_after_done -> end of the framing

The body is one of four: raw bytes as given, the error document of a status, a plain answer, or a stream of opening,
pieces (the model's text, word by word), closing and the last mark. A piece is what `cut_after`, `error_after`,
`chunk_delay` and the gate count. The dialect turns each piece into bytes; the player knows no wire format.

Faults. There are three kinds, and each can be combined with the delays:

- An error response is a status other than 2xx.
- An error inside an answer (`error_after`): after so many pieces the dialect's error event is sent in place of the
  rest, and the body ends properly.
- A body that breaks off: `cut_after` counts pieces, `cut_bytes` counts bytes of the body before framing, so that a cut
  can fall into the middle of an event. Either raises `BodyCutError` at its place, through whatever is being sent, and
  `play` ends the connection as `cut` says: "clean" ends a chunked body as if it were whole, or closes before the stated
  length is reached; "reset" sends a TCP reset, after a moment in which the client can read what came; "stall" sends
  nothing more and waits until the client leaves or the simulator closes.

Gates. A gated reply takes one permit of the simulator's semaphore before each piece, and `Simulator.release` adds
permits. A test thereby decides what the client has seen when something else happens. Permits that nobody waits for are
kept.

A client that goes away. Every pause and every gate also waits for the end of the connection, which is noticed by
reading ahead. `ClientGoneError` then ends the play at once, whatever is left of the script.

Money. The charge of a whole answer is entered before its last events are sent, so that a client that has read the end
finds it on the bill. A stream that broke off or was left is charged for what was sent, a plain answer whole. `_charged`
keeps an answer from being charged twice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmkit.testing.simulator.answer import Answer, Piece, count_sent_tokens
from llmkit.testing.simulator.bill import Bill
from llmkit.testing.simulator.connection import ClientGoneError, Connection
from llmkit.testing.simulator.dialect import Dialect
from llmkit.testing.simulator.http import LAST_CHUNK, build_response_head, frame_chunk
from llmkit.testing.simulator.jsonvalue import Object, write
from llmkit.testing.simulator.reply import Reply

BodyFraming: TypeAlias = Literal["length", "chunked", "close", "none"]

_WRITE_GAP_SECONDS = 0.002
"""Seconds between raw writes: long enough for a client to read one before the next arrives."""
_RESET_DELAY_SECONDS = 0.01
"""Seconds before a reset, so that a client has read what was sent."""
_PADDING = b"\n         \n"
"""What OpenRouter sends before a slow plain body."""


class BodyCutError(Exception):
    """The body is to break off here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePlan:
    """What is sent for one request."""

    dialect: Dialect
    reply: Reply
    number: int
    """The number of the request, from 1."""
    answer: Answer | None = None
    """None = no chat answer: `document`, an error, or raw bytes."""
    document: Object | bytes | None = None
    """The body, where there is no answer; None = the usual error of the status."""
    head_only: bool = False
    """The request was HEAD."""
    keep_alive: bool = True


def _to_bytes(document: Object | bytes) -> bytes:
    return document if isinstance(document, bytes) else write(document).encode()


class Player:
    """Sends the response of one plan. The module says how."""

    def __init__(self, plan: ResponsePlan, connection: Connection, bill: Bill, gate: asyncio.Semaphore) -> None:
        self._plan = plan
        self._reply = plan.reply
        self._connection = connection
        self._bill = bill
        self._gate = gate
        self._framing: BodyFraming = "length"
        self._bytes_left = plan.reply.cut_bytes
        self._keeps_open = plan.keep_alive
        self._sent: list[Piece] = []
        self._charged = False

    async def play(self) -> bool:
        """Send the response, and return whether the connection can serve another request.

        Raises:
            ClientGoneError: the client closed before the end.
        """
        try:
            if self._reply.delay:
                await self._connection.pause(self._reply.delay)
            await self._send_body()
        except ClientGoneError:
            self._charge_broken()
            raise
        except BodyCutError:
            self._charge_broken()
            await self._break_off()
        finally:
            await self._connection.unwatch()
        return self._keeps_open

    async def _send_body(self) -> None:
        plan, reply = self._plan, self._reply
        if reply.is_raw:
            await self._send_raw()
        elif not reply.is_success:
            await self._send_plain(self._build_error_body())
        elif plan.answer is None:
            await self._send_plain(_to_bytes(plan.document or {}))
        elif plan.answer.request.stream:
            await self._send_stream(plan.answer)
        else:
            await self._send_plain(write(plan.dialect.build_document(plan.answer)).encode(), plan.answer)

    def _build_error_body(self) -> bytes:
        plan, status = self._plan, self._reply.status
        if plan.document is not None:
            return _to_bytes(plan.document)
        if 300 <= status < 400:
            return b""
        return write(plan.dialect.build_error(status, self._reply.error)).encode()

    # Head.

    async def _send_head(self, content_type: str, framing: BodyFraming, length: int = 0) -> None:
        plan, reply = self._plan, self._reply
        self._framing = framing
        self._keeps_open = self._keeps_open and framing in {"length", "chunked"}
        answer = plan.answer if reply.is_success else None
        pairs = [("content-type", reply.content_type or content_type), ("x-simulator", "llmkit")]
        pairs += plan.dialect.build_headers(answer, plan.number)
        if framing == "length":
            pairs.append(("content-length", str(length)))
        elif framing == "chunked":
            pairs.append(("transfer-encoding", "chunked"))
        if not self._keeps_open:
            pairs.append(("connection", "close"))
        scripted_names = {name.lower() for name, _ in reply.header_pairs}
        pairs = [pair for pair in pairs if pair[0].lower() not in scripted_names]
        await self._write(build_response_head(reply.status, [*pairs, *reply.header_pairs]))
        if reply.first_delay:
            await self._connection.pause(reply.first_delay)

    # Bodies.

    async def _send_plain(self, body: bytes, answer: Answer | None = None) -> None:
        reply = self._reply
        padded = reply.padding or reply.comment_forever
        await self._send_head(self._plan.dialect.json_type, "chunked" if padded else "length", len(body))
        if self._plan.head_only:
            return
        await self._send_keep_alives(_PADDING, reply.padding)
        if reply.gated:
            await self._connection.pass_gate(self._gate)
        if reply.cut_after is not None and self._bytes_left is None:
            self._bytes_left = len(body) // 2
        if answer is not None:
            is_whole = self._bytes_left is None and not reply.fails_inside
            self._charge(answer, answer.completion_tokens, complete=is_whole)
        await self._send(body)
        await self._send_end()

    async def _send_raw(self) -> None:
        reply, plan = self._reply, self._plan
        writes: Sequence[bytes] = [reply.body] if reply.body is not None else reply.raw_chunks or ()
        usual: BodyFraming = "length" if reply.body is not None else "chunked"
        framing: BodyFraming = usual if reply.framing == "auto" else reply.framing
        streams = plan.answer is not None and plan.answer.request.stream and reply.is_success
        if framing == "none":
            self._framing, self._keeps_open = framing, False
        else:
            kind = plan.dialect.stream_type if streams else plan.dialect.json_type
            await self._send_head(kind, framing, sum(map(len, writes)))
            if plan.head_only:
                return
        stated = reply.cost is not None or not (reply.usage is None or isinstance(reply.usage, str))
        if plan.answer is not None and stated:
            self._charge(plan.answer, plan.answer.completion_tokens, complete=True)
        for place, data in enumerate(writes):
            if place == reply.cut_after:
                raise BodyCutError
            if place:
                await self._connection.pause(max(reply.chunk_delay, _WRITE_GAP_SECONDS))
            if reply.gated:
                await self._connection.pass_gate(self._gate)
            await self._send(data)
        if reply.cut_after is not None or self._bytes_left == 0:
            raise BodyCutError
        await self._send_end()

    async def _send_stream(self, answer: Answer) -> None:
        await self._send_head(self._plan.dialect.stream_type, "chunked")
        await self._send_keep_alives(self._plan.dialect.comment, self._reply.comments)
        if await self._send_pieces(answer):
            self._charge(answer, answer.completion_tokens, complete=True)
            for event in self._plan.dialect.build_closing(answer):
                await self._send(event)
            if self._reply.done:
                await self._send(self._plan.dialect.build_done(answer))
        if self._reply.hold_after_done:
            await self._connection.pause(self._reply.hold_after_done)
        await self._send_end()

    async def _send_pieces(self, answer: Answer) -> bool:
        """Send opening and pieces. Return False if the stream ended in an error event."""
        reply, dialect = self._reply, self._plan.dialect
        error_after = 0 if reply.fails_inside and reply.error_after is None else reply.error_after
        for event in dialect.build_opening(answer):
            await self._send(event)
        pieces = answer.iterate_pieces(whole_calls=dialect.whole_calls, shows_reasoning=dialect.shows_reasoning(answer))
        for place, piece in enumerate(pieces):
            if place == reply.cut_after:
                raise BodyCutError
            if place == error_after:
                break
            if reply.gated:
                await self._connection.pass_gate(self._gate)
            elif place or not reply.chunk_delay:
                await self._connection.pause(reply.chunk_delay)
            await self._send(dialect.build_piece(answer, piece))
            self._sent.append(piece)
        if error_after is None:
            if reply.cut_after is not None:
                raise BodyCutError
            return True
        tokens = count_sent_tokens(self._sent)
        self._charge(answer, tokens, complete=False)
        await self._send(dialect.build_failure(answer, tokens))
        return False

    async def _send_keep_alives(self, sign: bytes, count: int) -> None:
        reply = self._reply
        while reply.comment_forever or count > 0:
            if sign:
                await self._send(sign)
            await self._connection.pause(reply.comment_delay)
            count -= 1

    # Bytes.

    async def _send(self, data: bytes) -> None:
        if self._bytes_left is not None and len(data) >= self._bytes_left:
            data, self._bytes_left = data[: self._bytes_left], 0
            if data:
                await self._write(self._frame(data))
            raise BodyCutError
        if self._bytes_left is not None:
            self._bytes_left -= len(data)
        if data:  # an empty chunk would end the body
            await self._write(self._frame(data))

    def _frame(self, data: bytes) -> bytes:
        return frame_chunk(data) if self._framing == "chunked" else data

    async def _send_end(self) -> None:
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

    async def _break_off(self) -> None:
        if self._reply.cut == "clean":
            await self._send_end()
            self._keeps_open = self._keeps_open and self._framing == "chunked"
            return
        self._keeps_open = False
        if self._reply.cut == "stall":
            self._connection.watch()
            await self._connection.gone.wait()
            raise ClientGoneError
        await self._connection.pause(_RESET_DELAY_SECONDS)
        self._connection.reset()

    # Money.

    def _charge_broken(self) -> None:
        """Charge an answer that breaks off: a stream for what was sent, a plain one whole."""
        answer = self._plan.answer
        if answer is None or self._charged or self._reply.is_raw or not self._reply.is_success:
            return
        tokens = count_sent_tokens(self._sent) if answer.request.stream else answer.completion_tokens
        self._charge(answer, tokens, complete=False)

    def _charge(self, answer: Answer, tokens: int, *, complete: bool) -> None:
        self._charged = True
        self._bill.enter(answer, tokens, complete=complete)

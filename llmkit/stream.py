"""What a streamed call gives: an object to iterate once, that knows the whole answer at its end.

It is a context manager. Leaving the loop early, an exception, cancellation and garbage collection all close the
connection; a stream that is read to its end gives it back to the pool.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from llmkit.errors import LLMError

if TYPE_CHECKING:
    from llmkit.engine import Plan
    from llmkit.responses import Chunk, Response
    from llmkit.transport.drivers import AsyncRun


class _Outcome:
    """The end of a stream, as both kinds keep it."""

    def __init__(self) -> None:
        self._response: Response | None = None
        self._error: LLMError | None = None
        self._closed = False
        self._plan: Plan | None = None

    @property
    def response(self) -> Response:
        """The whole answer with usage and cost, once the stream is over.

        Raises:
            LLMError: the stream failed; the error is the one that ended the loop.
            RuntimeError: it is not over, or it was left early. `partial` has what came.
        """
        if self._response is not None:
            return self._response
        if self._error is not None:
            raise self._error
        state = "was closed before its end" if self._closed else "is not over; iterate it to its end first"
        raise RuntimeError(f"the stream {state}; .partial has what came")

    @property
    def partial(self) -> Response:
        """What has come so far, at any time: the answer in the making, without choices before its first chunk."""
        from llmkit.responses import Response

        if self._response is not None:
            return self._response
        return Response(()) if self._plan is None else self._plan.partial()


class ChatStream(_Outcome):
    """A streamed answer, read from a thread. The call is made at once; the constructor waits for the first content.

    Raises:
        LLMError: as the plain call does, until the first content; later `StreamInterrupted`, with `partial_text`.
    """

    def __init__(self, plan: Plan) -> None:
        from llmkit.transport.drivers import stream

        super().__init__()
        self._plan = plan
        self._batches: Generator[Sequence[Chunk], None, Response] | None = stream(plan)
        self._first: Sequence[Chunk] | None = self._next_batch()
        self._iterator: Iterator[Chunk] | None = None

    def _next_batch(self) -> Sequence[Chunk] | None:
        if self._batches is None:
            return None
        try:
            return next(self._batches)
        except StopIteration as stop:
            self._response, self._batches = stop.value, None
        except LLMError as error:
            self._error, self._batches = error, None
            raise
        return None

    def __iter__(self) -> Iterator[Chunk]:
        if self._iterator is not None:
            return self._iterator
        return self._chunks()

    def __next__(self) -> Chunk:
        if self._iterator is None:
            self._iterator = self._chunks()
        return next(self._iterator)

    def _chunks(self) -> Iterator[Chunk]:
        """The chunks. A loop that is left drops this generator, whose end closes the connection."""
        try:
            batch, self._first = self._first, None
            if batch is None:
                batch = self._next_batch()
            while batch is not None:
                yield from batch
                batch = self._next_batch()
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection. What has come stays in `partial`."""
        self._closed = True
        batches, self._batches = self._batches, None
        if batches is not None:
            batches.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class AsyncChatStream(_Outcome):
    """A streamed answer, read from a task: `async for chunk in stream`, or `async for chunk in await stream`.

    The call is made when it is awaited, entered or first iterated. Awaiting waits for the first content.
    """

    def __init__(self, make_plan: Callable[[], Plan]) -> None:
        super().__init__()
        self._make_plan = make_plan
        self._run: AsyncRun | None = None
        self._batches: AsyncIterator[Sequence[Chunk]] | None = None
        self._first: Sequence[Chunk] | None = None
        self._iterator: AsyncIterator[Chunk] | None = None

    def __await__(self) -> Generator[object, None, AsyncChatStream]:
        return self._open().__await__()

    async def _open(self) -> AsyncChatStream:
        if self._run is None and not self._closed:
            from llmkit.transport.drivers import AsyncRun

            self._plan = self._make_plan()
            self._run = AsyncRun(self._plan)
            self._batches = self._run.chunks()
            self._first = await self._next_batch()
        return self

    async def _next_batch(self) -> Sequence[Chunk] | None:
        if self._batches is None or self._run is None:
            return None
        try:
            return await anext(self._batches)
        except StopAsyncIteration:
            self._response, self._batches = self._run.response, None
        except LLMError as error:
            self._error, self._batches = error, None
            raise
        return None

    def __aiter__(self) -> AsyncIterator[Chunk]:
        if self._iterator is not None:
            return self._iterator
        return self._chunks()

    async def __anext__(self) -> Chunk:
        if self._iterator is None:
            self._iterator = self._chunks()
        return await anext(self._iterator)

    async def _chunks(self) -> AsyncIterator[Chunk]:
        try:
            await self._open()
            batch, self._first = self._first, None
            if batch is None:
                batch = await self._next_batch()
            while batch is not None:
                for chunk in batch:
                    yield chunk
                batch = await self._next_batch()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connection. What has come stays in `partial`."""
        self._closed = True
        batches, self._batches = self._batches, None
        if batches is not None:
            await batches.aclose()  # type: ignore[attr-defined]  # it is an async generator

    aclose = close

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

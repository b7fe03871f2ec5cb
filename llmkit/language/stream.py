"""What a streamed call gives: an object to iterate once, that knows the whole answer at its end.

It is a context manager. Leaving the loop early, an exception, cancellation and garbage collection all close the
connection; a stream that is read to its end gives it back to the pool. Closed by another thread or task while
one waits for its next chunk, it ends when that chunk comes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from llmkit.errors import ConfigError, LLMError

if TYPE_CHECKING:
    from llmkit.engine.chat import Chat
    from llmkit.engine.run import Run
    from llmkit.transport.drivers import AsyncRun
    from llmkit.types.responses import Chunk, Response

T = TypeVar("T")


class _Outcome:
    """The end of a stream, as both kinds keep it."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._response: Response | None = None
        self._error: LLMError | None = None
        self._closed = False
        self._then: Callable[[Response | None], None] | None = None

    def when_over(self, then: Callable[[Response | None], None]) -> None:
        """Call `then` once, when the stream is over: with the whole answer, or `None` if it failed or was left."""
        self._then = then
        if self._closed or self._response is not None or self._error is not None:
            self._over()

    def _over(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then(self._response)

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
        return self._chat.partial() if self._response is None else self._response


class _Growing:
    """The values of a structured answer in the making: one for each batch of chunks that made it another one."""

    def __init__(self, outcome: _Outcome) -> None:
        self._outcome = outcome
        self._last: object = None

    def __call__(self, batch: Sequence[Chunk]) -> Sequence[Any]:
        # Only new text can change the value, and reading it all again costs the more the longer it is.
        if not any(chunk.content for chunk in batch):
            return ()
        partial = self._outcome.partial
        if partial.choices and partial.structured_by is None:
            raise ConfigError("the call asked for no structure", hint="Pass structured=, or iterate the stream itself")
        value = partial.parsed
        if value is None or value == self._last:
            return ()
        self._last = value
        return (value,)


def _same(batch: Sequence[Chunk]) -> Sequence[Chunk]:
    return batch


class ChatStream(_Outcome):
    """A streamed answer, read from a thread. The call is made at once; the constructor waits for the first content.

    Raises:
        LLMError: as the plain call does, until the first content; later `StreamInterrupted`, with `partial_text`.
    """

    def __init__(self, run: Run[Response], chat: Chat) -> None:
        from llmkit.transport.drivers import stream

        super().__init__(chat)
        self._batches: Generator[Sequence[Chunk], None, Response] | None = stream(run)
        self._first: Sequence[Chunk] | None = self._next_batch()
        self._iterator: Iterator[Chunk] | None = None

    def _next_batch(self) -> Sequence[Chunk] | None:
        if (batches := self._batches) is None:
            return None
        try:
            batch = next(batches)
            if self._batches is not None:
                return batch
            batches.close()  # another thread closed the stream meanwhile, and could not close this
        except StopIteration as stop:
            self._response, self._batches = stop.value, None
            self._over()
        except LLMError as error:
            self._error, self._batches = error, None
            self._over()
            raise
        return None

    def __iter__(self) -> Iterator[Chunk]:
        if self._iterator is not None:
            return self._iterator
        return self._read(_same)

    def __next__(self) -> Chunk:
        if self._iterator is None:
            self._iterator = self._read(_same)
        return next(self._iterator)

    def partial_values(self) -> Iterator[Any]:
        """With `structured=`: the value as it grows, in place of the chunks.

        Each is plain JSON values (dicts, lists, text, numbers), not validated, and differs from the one before. The
        validated value is `response.parsed`, after the loop. A stream is iterated once, by this or by its chunks.

        Raises:
            InvalidStructure: the whole answer does not validate. It is not asked for again.
            LLMError: as the loop over the chunks does.
        """
        return self._read(_Growing(self))

    def _read(self, out: Callable[[Sequence[Chunk]], Iterable[T]]) -> Iterator[T]:
        """What `out` makes of the batches. A loop that is left drops this generator: its end closes the connection."""
        try:
            batch, self._first = self._first, None
            if batch is None:
                batch = self._next_batch()
            while batch is not None:
                yield from out(batch)
                batch = self._next_batch()
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection. What has come stays in `partial`."""
        self._closed = True
        batches, self._batches = self._batches, None
        self._over()
        if batches is None:
            return
        try:
            batches.close()
        except ValueError:
            if not getattr(batches, "gi_running", False):
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class AsyncChatStream(_Outcome):
    """A streamed answer, read from a task: `async for chunk in stream`, or `async for chunk in await stream`.

    The call is made when it is awaited, entered or first iterated. Awaiting waits for the first content.
    """

    def __init__(self, run: Run[Response], chat: Chat) -> None:
        super().__init__(chat)
        self._runnable = run
        self._run: AsyncRun[Response] | None = None
        self._batches: AsyncGenerator[Sequence[Chunk], None] | None = None
        self._first: Sequence[Chunk] | None = None
        self._iterator: AsyncIterator[Chunk] | None = None

    def __await__(self) -> Generator[object, None, AsyncChatStream]:
        return self._open().__await__()

    async def _open(self) -> AsyncChatStream:
        if self._run is None and not self._closed:
            from llmkit.transport.drivers import AsyncRun

            self._run = AsyncRun(self._runnable)
            self._batches = self._run.pieces()
            try:
                self._first = await self._next_batch()
            except BaseException:  # cancellation too: there is nothing left to read
                await self.close()
                raise
        return self

    async def _next_batch(self) -> Sequence[Chunk] | None:
        batches = self._batches
        if batches is None or self._run is None:
            return None
        try:
            batch = await anext(batches)
            if self._batches is not None:
                return batch
            # Another task closed the stream meanwhile, and could not close this.
            await batches.aclose()
        except StopAsyncIteration:
            self._response, self._batches = self._run.result, None
            self._over()
        except LLMError as error:
            self._error, self._batches = error, None
            self._over()
            raise
        return None

    def __aiter__(self) -> AsyncIterator[Chunk]:
        if self._iterator is not None:
            return self._iterator
        return self._read(_same)

    async def __anext__(self) -> Chunk:
        if self._iterator is None:
            self._iterator = self._read(_same)
        return await anext(self._iterator)

    def partial_values(self) -> AsyncIterator[Any]:
        """As `ChatStream.partial_values`: `async for value in stream.partial_values()`."""
        return self._read(_Growing(self))

    async def _read(self, out: Callable[[Sequence[Chunk]], Iterable[T]]) -> AsyncIterator[T]:
        try:
            await self._open()
            batch, self._first = self._first, None
            if batch is None:
                batch = await self._next_batch()
            while batch is not None:
                for item in out(batch):
                    yield item
                batch = await self._next_batch()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connection. What has come stays in `partial`."""
        self._closed = True
        batches, self._batches = self._batches, None
        self._over()
        if batches is not None and not getattr(batches, "ag_running", False):
            await batches.aclose()

    aclose = close

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

"""What a streamed call gives: an object to iterate once, that knows the whole answer at its end.

It is a context manager. Leaving the loop early, an exception, cancellation and garbage collection all close the
connection; a stream that is read to its end gives it back to the pool.

What the two colours share. `ChatStream` and `AsyncChatStream` wait in different ways, so each has its own loop. What
they know is the same, and stands in `_Outcome`: the whole answer or the error, whether the stream was closed, and who
is told when it is over. A stream is in one of four states:

- open: neither `_response` nor `_error` nor `_closed`; `partial` grows;
- complete: `_response` is set, and stays when the stream is closed afterwards;
- failed: `_error` is set; `response` raises it again;
- left: `_closed` alone; `response` is a `RuntimeError`, and `partial` stays as it was.

How a stream is closed from another thread or task. One reader iterates; `close()` may come from anywhere at any time,
and also at the moment when the reader waits for its next chunk. The driver's generator (`_batches`) holds the
connection, and its `finally` closes it; a generator that is running can be neither resumed nor closed by anybody else.
Hence these steps:

1. `close()` takes `_batches` out of the stream before it closes the generator. So only one caller of `close()` has it,
   and a reader that comes back with a batch sees that there is no generator any more, and that the stream was closed.
2. If the generator is suspended, `close()` closes it, and with it the connection. The reader finds no generator when it
   asks for the next batch, and its loop ends.
3. If the generator is running, it is the reader's: `close()` leaves it alone. In threads Python says so by a
   `ValueError` ("generator already executing"), which is swallowed. To ask first (`gi_running`) would not do, because
   the answer may be out of date when the generator is closed. On an event loop nothing comes between question and act,
   so there `ag_running` is asked.
4. The reader then closes the generator itself, as soon as its read returns: with the next chunk, at the end of the
   stream, or at the time-out. A blocking read cannot be interrupted, so the connection stays open until then. The
   batch that came is dropped, and the loop ends without an error.
5. Between threads the reader may come a moment too late: it resumes or closes the generator while `close()` is closing
   it. Then it is the reader that gets the `ValueError`; the stream has no generator any more, so its loop ends.

A read that ends in the whole answer or in an error still sets `_response` or `_error`, and the error is raised in the
reader's loop. `when_over` is told once, by whoever comes first; `close()` tells it that there is no answer.
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
    """What both kinds of stream know of how they ended; see the module for the states."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._response: Response | None = None
        self._error: LLMError | None = None
        self._closed = False
        self._callback: Callable[[Response | None], None] | None = None

    def when_over(self, callback: Callable[[Response | None], None]) -> None:
        """Call `callback` once, when the stream is over: with the whole answer, or `None` if it failed or was left.

        There is one callback at a time. It is called at once if the stream is over already, else in the thread or task
        that ends the stream. A stream that is collected as garbage without being iterated drops it uncalled.
        """
        self._callback = callback
        if self._closed or self._response is not None or self._error is not None:
            self._notify()

    def _notify(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(self._response)

    @property
    def response(self) -> Response:
        """The whole answer with usage and cost, once the stream is over.

        Raises:
            LLMError: the stream failed; the error is the one that ended the loop.
            RuntimeError: the stream is not over, or it was left early. `partial` has what came.
        """
        if self._response is not None:
            return self._response
        if self._error is not None:
            raise self._error
        state = "was closed before its end" if self._closed else "is not over; iterate it to its end first"
        raise RuntimeError(f"the stream {state}; .partial has what came")

    @property
    def partial(self) -> Response:
        """What has come so far, at any time: an incomplete answer, without choices before its first chunk."""
        return self._chat.partial() if self._response is None else self._response


class _PartialValues:
    """Turns batches of chunks into values of an incomplete structured answer: one for each batch that changed it."""

    def __init__(self, stream: _Outcome) -> None:
        self._stream = stream
        self._last: object = None

    def __call__(self, batch: Sequence[Chunk]) -> Sequence[Any]:
        # Only new text can change the value, and reading it all again costs the more the longer it is.
        if not any(chunk.content for chunk in batch):
            return ()
        partial = self._stream.partial
        if partial.choices and partial.structured_by is None:
            raise ConfigError("the call asked for no structure", hint="Pass structured=, or iterate the stream itself")
        value = partial.parsed
        if value is None or value == self._last:
            return ()
        self._last = value
        return (value,)


def _keep_chunks(batch: Sequence[Chunk]) -> Sequence[Chunk]:
    return batch


def _close_generator(batches: Generator[object, None, object]) -> None:
    """Close a generator, or leave it to the thread in which it is running or being closed; see the module."""
    try:
        batches.close()
    except ValueError as error:
        if not _is_busy(error):
            raise


def _is_busy(error: ValueError) -> bool:
    """Is this Python's error for a generator that is running in another thread?"""
    return str(error) == "generator already executing"


class ChatStream(_Outcome):
    """A streamed answer, read in a thread. The call is made at once; the constructor waits for the first content.

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
            _close_generator(batches)  # Another thread closed the stream meanwhile, and left this one to its reader.
        except StopIteration as stop:
            self._response, self._batches = stop.value, None
            self._notify()
        except LLMError as error:
            self._error, self._batches = error, None
            self._notify()
            raise
        except ValueError as error:
            if self._batches is not None or not _is_busy(error):
                raise
        return None

    def __iter__(self) -> Iterator[Chunk]:
        if self._iterator is not None:
            return self._iterator
        return self._read(_keep_chunks)

    def __next__(self) -> Chunk:
        if self._iterator is None:
            self._iterator = self._read(_keep_chunks)
        return next(self._iterator)

    def partial_values(self) -> Iterator[Any]:
        """With `structured=`: the value as it grows, in place of the chunks.

        Each is plain JSON values (dicts, lists, text, numbers), not validated, and differs from the one before. The
        validated value is `response.parsed`, after the loop. A stream is iterated once, by this or by its chunks.

        Raises:
            InvalidStructure: the whole answer does not validate. It is not asked for again.
            LLMError: as the loop over the chunks does.
        """
        return self._read(_PartialValues(self))

    def _read(self, convert: Callable[[Sequence[Chunk]], Iterable[T]]) -> Iterator[T]:
        """Yield what `convert` makes of each batch. A loop that is left drops this generator, whose end closes all."""
        try:
            batch, self._first = self._first, None
            if batch is None:
                batch = self._next_batch()
            while batch is not None:
                yield from convert(batch)
                batch = self._next_batch()
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection. What has come stays in `partial`. A second time it does nothing.

        Any thread may call it. While another thread waits for the next chunk, the connection stays open until that
        chunk comes; then the loop of that thread ends without an error.
        """
        self._closed = True
        batches, self._batches = self._batches, None
        self._notify()
        if batches is not None:
            _close_generator(batches)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class AsyncChatStream(_Outcome):
    """A streamed answer, read in a task: `async for chunk in stream`, or `async for chunk in await stream`.

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
            except BaseException:  # cancellation too: there is nothing left to read, and nobody who would close it
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
            # Another task closed the stream meanwhile, and left this one to its reader.
            await batches.aclose()
        except StopAsyncIteration:
            self._response, self._batches = self._run.result, None
            self._notify()
        except LLMError as error:
            self._error, self._batches = error, None
            self._notify()
            raise
        return None

    def __aiter__(self) -> AsyncIterator[Chunk]:
        if self._iterator is not None:
            return self._iterator
        return self._read(_keep_chunks)

    async def __anext__(self) -> Chunk:
        if self._iterator is None:
            self._iterator = self._read(_keep_chunks)
        return await anext(self._iterator)

    def partial_values(self) -> AsyncIterator[Any]:
        """As `ChatStream.partial_values`: `async for value in stream.partial_values()`."""
        return self._read(_PartialValues(self))

    async def _read(self, convert: Callable[[Sequence[Chunk]], Iterable[T]]) -> AsyncIterator[T]:
        try:
            await self._open()
            batch, self._first = self._first, None
            if batch is None:
                batch = await self._next_batch()
            while batch is not None:
                for item in convert(batch):
                    yield item
                batch = await self._next_batch()
        finally:
            await self.close()

    async def close(self) -> None:
        """As `ChatStream.close`; any task of the same event loop may call it."""
        self._closed = True
        batches, self._batches = self._batches, None
        self._notify()
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

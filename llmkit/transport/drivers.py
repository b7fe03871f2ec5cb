"""The two interpreters of the flows, side by side: one for threads, one for event loops. Only these sleep.

Each carries out the effects in one function (`_perform`). A loop asks the flow for the next effect and hands it the
result: one for threads, and for event loops one that hands pieces out and one that does not. A driver owns the open
reply and closes it in its own `finally`, on every way out. It throws only `Exception`s back into a flow; cancellation
and Ctrl-C end the driver, which then books what `abandon` gives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from llmkit.engine.effects import Effect, Emit, Open, Read, Record, Runnable, Sleep

if TYPE_CHECKING:
    from llmkit.provider.exchange import AsyncBody, Body

T = TypeVar("T")


class _Held:
    """The reply that a thread holds open."""

    body: Body | None = None

    def close(self) -> None:
        body, self.body = self.body, None
        if body is not None:
            body.close()


def _perform(effect: Effect, held: _Held) -> Any:
    """Carry out an effect in a thread."""
    match effect:
        case Read():
            assert held.body is not None
            return held.body.read(effect.deadline)
        case Open():
            held.close()
            held.body = effect.transport.open(effect.request, effect.deadline)
            return held.body
        case Record():
            return effect.tally.record(effect.attempt, effect.usage)
        case Sleep():
            return time.sleep(effect.seconds)
        case Emit():
            raise AssertionError("the loop hands out what is emitted")


def stream(runnable: Runnable[T]) -> Generator[Sequence[Any], None, T]:
    """Run a flow; yields the pieces of each read, returns the result."""
    flow = runnable.run()
    held = _Held()
    ended = False
    try:
        effect = flow.send(None)
        while True:
            result: Any = None
            try:
                if type(effect) is Emit:
                    yield effect.pieces
                else:
                    result = _perform(effect, held)
            except Exception as error:  # the flow decides what an error means
                effect = flow.throw(error)
            else:
                effect = flow.send(result)
    except StopIteration as stop:
        ended = True
        return stop.value  # type: ignore[no-any-return]
    except Exception:  # the flow's own last word; anything else means that the caller left
        ended = True
        raise
    finally:
        if not ended and (record := runnable.abandon()) is not None:
            _perform(record, held)
        held.close()


def run(runnable: Runnable[T]) -> T:
    """Run a flow to its result; what it emits is dropped."""
    steps = stream(runnable)
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


class AsyncRun(Generic[T]):
    """Runs a flow on an event loop. `pieces()` yields those of each read; then `result` is the result."""

    def __init__(self, runnable: Runnable[T]) -> None:
        self._runnable = runnable
        self._body: AsyncBody | None = None
        self.result: T | None = None

    async def _perform(self, effect: Effect) -> Any:
        """Carry out an effect on the event loop."""
        match effect:
            case Read():
                assert self._body is not None
                return await self._body.read(effect.deadline)
            case Open():
                body, self._body = self._body, None
                if body is not None:
                    await body.close()
                self._body = await effect.transport.aopen(effect.request, effect.deadline)
                return self._body
            case Record():
                return effect.tally.record(effect.attempt, effect.usage)
            case Sleep():
                return await asyncio.sleep(effect.seconds)
            case Emit():
                raise AssertionError("the loop hands out what is emitted")

    async def pieces(self) -> AsyncGenerator[Sequence[Any], None]:
        """Run the flow."""
        flow = self._runnable.run()
        ended = False
        try:
            effect = flow.send(None)
            while True:
                result: Any = None
                try:
                    if type(effect) is Emit:
                        yield effect.pieces
                    else:
                        result = await self._perform(effect)
                except Exception as error:  # the flow decides what an error means
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as stop:
            ended = True
            self.result = stop.value
        except Exception:  # the flow's own last word; anything else means that the caller left
            ended = True
            raise
        finally:
            await self._leave(ended)

    async def run(self) -> T:
        """Run the flow to its result; what it emits is dropped.

        The loop of `pieces` without a place to hand anything out: an async generator costs a plain call a twentieth.
        """
        flow = self._runnable.run()
        ended = False
        try:
            effect = flow.send(None)
            while True:
                result: Any = None
                try:
                    if type(effect) is not Emit:
                        result = await self._perform(effect)
                except Exception as error:  # the flow decides what an error means
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as stop:
            ended = True
            return stop.value  # type: ignore[no-any-return]
        except Exception:  # the flow's own last word; anything else means that the caller left
            ended = True
            raise
        finally:
            await self._leave(ended)

    async def _leave(self, ended: bool) -> None:
        """Book the attempt that was open where the caller left, and close the reply."""
        if not ended and (record := self._runnable.abandon()) is not None:
            await self._perform(record)
        if self._body is not None:
            # Shielded where the caller left: a second cancellation must not leave the connection checked out.
            await (self._body.close() if ended else asyncio.shield(self._body.close()))

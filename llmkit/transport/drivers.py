"""The two interpreters of the flows, side by side: one for threads, one for event loops. Only these sleep.

A driver owns the open reply and closes it in its own `finally`, on every way out. It throws only `Exception`s back
into a flow; cancellation and Ctrl-C end the driver, which then calls `abandon`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from llmkit.engine.effects import Effect, Emit, Open, Read, Runnable, Sleep

if TYPE_CHECKING:
    from llmkit.provider.exchange import AsyncBody, Body

T = TypeVar("T")


def stream(plan: Runnable[T]) -> Generator[Sequence[Any], None, T]:
    """Run a call; yields the chunks of each read, returns the answer."""
    flow = plan.run()
    body: Body | None = None
    ended = False
    try:
        effect = flow.send(None)
        while True:
            result: Any = None
            try:
                match effect:
                    case Read():
                        assert body is not None
                        result = body.read(effect.deadline)
                    case Emit():
                        yield effect.chunks
                    case Open():
                        if body is not None:
                            body.close()
                        body = None
                        result = body = effect.transport.open(effect.request, effect.deadline)
                    case Sleep():
                        time.sleep(effect.seconds)
            except Exception as error:  # the flow decides what an error means
                effect = flow.throw(error)
            else:
                effect = flow.send(result)
    except StopIteration as stop:
        ended = True
        return stop.value  # type: ignore[no-any-return]
    except Exception:
        ended = True
        raise
    finally:
        if not ended:
            plan.abandon()
        if body is not None:
            body.close()


def run(plan: Runnable[T]) -> T:
    """Run a call to its answer."""
    steps = stream(plan)
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


class AsyncRun(Generic[T]):
    """Runs a call on an event loop. `chunks()` yields the chunks of each read; then `response` is the answer."""

    def __init__(self, plan: Runnable[T]) -> None:
        self._plan = plan
        self._body: AsyncBody | None = None
        self.response: T | None = None

    async def chunks(self) -> AsyncIterator[Sequence[Any]]:
        """Run the call."""
        flow = self._plan.run()
        ended = False
        try:
            effect = flow.send(None)
            while True:
                try:
                    if type(effect) is Emit:
                        result = None
                        yield effect.chunks
                    else:
                        result = await self._perform(effect)
                except Exception as error:  # the flow decides what an error means
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as stop:
            ended = True
            self.response = stop.value
        except Exception:
            ended = True
            raise
        finally:
            await self._close(ended)

    async def run(self) -> T:
        """Run a call that emits nothing."""
        flow = self._plan.run()
        ended = False
        try:
            effect = flow.send(None)
            while True:
                try:
                    result = await self._perform(effect)
                except Exception as error:  # the flow decides what an error means
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as stop:
            ended = True
            return stop.value  # type: ignore[no-any-return]
        except Exception:
            ended = True
            raise
        finally:
            await self._close(ended)

    async def _perform(self, effect: Effect) -> Any:
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
            case Sleep():
                return await asyncio.sleep(effect.seconds)
            case Emit():
                raise AssertionError("a plain call emits no chunks")

    async def _close(self, ended: bool) -> None:
        if not ended:
            self._plan.abandon()
        if self._body is not None:
            # Shielded where the caller left: a second cancellation must not leave the connection checked out.
            await (self._body.close() if ended else asyncio.shield(self._body.close()))

"""Running calls: in this thread, in threads of their own, or on an event loop."""

from __future__ import annotations

import functools
import inspect
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from llmkit.language.tools.signature import Function
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from asyncio import Semaphore
    from concurrent.futures import Future

    from llmkit.types.messages import ToolCall

T = TypeVar("T")
log = logging.getLogger("llmkit")
_MOST_THREADS = 32
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to: a value, or what went wrong."""

    value: object = None
    error: str | None = None


@dataclass(slots=True)
class Job:
    """One call, and in the end its outcome."""

    call: ToolCall
    function: Function
    values: Mapping[str, object] = field(default_factory=dict)
    timeout: float | None = None
    outcome: Outcome | None = None

    @property
    def is_async(self) -> bool:
        """Does it need an event loop?"""
        function = self.function
        while isinstance(function, functools.partial):
            function = function.func
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)

    @property
    def is_open(self) -> bool:
        """Is there something left to run or to wait for?"""
        return self.outcome is None or inspect.isawaitable(self.outcome.value)

    def attempt(self) -> Outcome:
        """Run it. Only an `Exception` is an outcome; Ctrl-C and an exit pass."""
        try:
            return Outcome(self.function(**self.values))
        except Exception as error:  # whatever a tool raises is for the model to read
            return self.failed(error)

    def failed(self, error: BaseException) -> Outcome:
        """The outcome of an exception: its class and text, no traceback."""
        log.debug("the tool %s failed (%s)", self.call.name, type(error).__name__)
        try:
            text = scrub(str(error), _LONGEST)
        except Exception:  # its own `__str__` may fail too
            text = ""
        return Outcome(error=f"{type(error).__name__}: {text}" if text else type(error).__name__)

    def timed_out(self) -> Outcome:
        """The outcome of a call that took too long."""
        log.debug("the tool %s took more than %s s", self.call.name, self.timeout)
        return Outcome(error=f"timed out after {self.timeout:g} s")


def here(job: Job) -> Outcome:
    """Run a function; with a timeout in a thread, else in this one."""
    if job.timeout is None:
        return job.attempt()
    try:
        return _in_thread(job.attempt).result(job.timeout)
    except TimeoutError:  # Ours: one of the tool's own is an outcome.
        return job.timed_out()


def _in_thread(work: Callable[[], T]) -> Future[T]:
    """Start a thread. It is a daemon, so that a function that never ends does not hold up the program's end."""
    from concurrent.futures import Future

    future: Future[T] = Future()
    context = copy_context()

    def body() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = context.run(work)
        except BaseException as error:  # it is raised where somebody waits for the thread
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=body, name="llmkit-tool", daemon=True).start()
    return future


def on_a_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run to its end on an event loop: a new one; where this thread has one that is running, in another thread."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    running: list[Callable[[], object]] = []

    async def held() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        running.append(lambda: loop.call_soon_threadsafe(task.cancel))
        await work

    try:
        _in_thread(lambda: asyncio.run(held())).result()
    except BaseException:  # Ctrl-C came to this thread; the calls must end too
        with suppress(IndexError, RuntimeError):
            running[0]()
        raise


async def together(jobs: Sequence[Job], *, parallel: bool) -> None:
    """Run what is async at once, and functions in threads, one after the other unless `parallel`."""
    import asyncio

    gate = asyncio.Semaphore(_MOST_THREADS)

    async def settle(*jobs: Job) -> None:
        for job in jobs:
            job.outcome = await _settled(job, gate)

    free = [job for job in jobs if parallel or job.is_async or job.outcome is not None]
    chained = [job for job in jobs if job not in free]
    tasks = [asyncio.create_task(settle(*group)) for group in (*([job] for job in free), chained)]
    try:
        await asyncio.gather(*tasks)
    finally:  # Where the caller is cancelled or a call ends everything, the others end before it goes on.
        for task in tasks:
            if not task.cancelling():  # A second time would cut short what a tool does to end.
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _settled(job: Job, gate: Semaphore) -> Outcome:
    """Run one call on this loop, a plain function in a thread. The time in which it waits for a thread is not its."""
    if job.outcome is None and not job.is_async:
        async with gate:
            return await _limited(job, threaded=True)
    return await _limited(job, threaded=False)


async def _limited(job: Job, *, threaded: bool) -> Outcome:
    import asyncio

    limit = asyncio.timeout(job.timeout)
    try:
        async with limit:
            if job.outcome is not None:
                outcome = job.outcome
            else:
                outcome = await asyncio.wrap_future(_in_thread(job.attempt)) if threaded else job.attempt()
            if outcome.error is None and inspect.isawaitable(outcome.value):
                return Outcome(await outcome.value)
            return outcome
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return job.failed(error)  # The tool's own: something that it waited for was cancelled.
    except Exception as error:  # see `Job.attempt`
        return job.timed_out() if limit.expired() else job.failed(error)

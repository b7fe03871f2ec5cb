"""Running the calls of tools: in this thread, in threads of their own, or on an event loop.

Where a call runs. `invoke_tools` without `parallel` runs plain functions one after the other: in the caller's thread,
or, with a time-out, in a thread that the caller waits for. What is left (async functions, functions that gave an
awaitable, and everything with `parallel` or in `ainvoke_tools`) runs on an event loop by `run_concurrently`: async
functions as tasks of the loop, plain functions in threads that tasks wait for. With `parallel` each plain function has
a task of its own, and at most 32 of them have a thread at a time; without it they share one task, one after the other.
Threads get a copy of the caller's context variables.

Which loop. In `ainvoke_tools` it is the caller's. `invoke_tools` starts a new one; where the calling thread has a
running loop already, the new one runs in another thread, and the caller's loop stands still meanwhile.

Time-outs. An async call is cancelled when its time is up, and has ended before its outcome is kept. A thread cannot be
stopped: a function in a thread goes on, and nobody reads what it gives. The threads are daemons, so that one that never
ends does not hold up the end of the program. The time in which a call waits for a thread is not counted. A
`TimeoutError` of the tool's own is a failure like any other: in a thread, `Job.attempt` has made an outcome of it
before the waiting can raise one; on a loop, the limit is asked whether it expired.

Ctrl-C, cancellation, `SystemExit`. Only an `Exception` of a tool is an outcome. Anything else ends `invoke_tools` and
is raised there: first all async calls are cancelled, once, and waited for, so that none runs on unseen. Where the loop
is in another thread, Ctrl-C comes to the caller's thread alone; it cancels the main task of that loop and does not wait
for it. A `CancelledError` is the caller's only if the task of the call is being cancelled; else something that the tool
waited for was cancelled, which is the tool's own failure.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from llmkit.language.tools.signature import Function, unwrap_partials
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from asyncio import Semaphore
    from concurrent.futures import Future

    from llmkit.types.messages import ToolCall

T = TypeVar("T")
log = logging.getLogger("llmkit")
_MAX_THREADS = 32
_MAX_ERROR_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: a value, or the text of what went wrong."""

    value: object = None
    error: str | None = None


@dataclass(slots=True)
class Job:
    """One call, and in the end its outcome.

    Attributes:
        call: the call of the model.
        function: what to run.
        values: its keyword arguments.
        timeout: seconds that it may take; `None`: no limit.
        outcome: what came of it; `None` until it has run. One whose value is an awaitable is not finished.
    """

    call: ToolCall
    function: Function
    values: Mapping[str, object] = field(default_factory=dict)
    timeout: float | None = None
    outcome: Outcome | None = None

    @property
    def is_async(self) -> bool:
        """Is the function async, so that it needs an event loop?"""
        function = unwrap_partials(self.function)
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)

    @property
    def is_open(self) -> bool:
        """Is there something left to run or to wait for?"""
        return self.outcome is None or inspect.isawaitable(self.outcome.value)

    def attempt(self) -> Outcome:
        """Call the function. Only an `Exception` is an outcome; Ctrl-C and an exit pass."""
        try:
            return Outcome(self.function(**self.values))
        except Exception as error:  # whatever a tool raises is for the model to read
            return self.make_failure(error)

    def make_failure(self, error: BaseException) -> Outcome:
        """Make the outcome of an exception: its class and text, no traceback."""
        log.debug("the tool %s failed (%s)", self.call.name, type(error).__name__)
        try:
            text = scrub(str(error), _MAX_ERROR_CHARACTERS)
        except Exception:  # its own `__str__` may fail too
            text = ""
        return Outcome(error=f"{type(error).__name__}: {text}" if text else type(error).__name__)

    def make_timeout(self) -> Outcome:
        """Make the outcome of a call that took too long."""
        log.debug("the tool %s took more than %s s", self.call.name, self.timeout)
        return Outcome(error=f"timed out after {self.timeout:g} s")


def run_here(job: Job) -> Outcome:
    """Run a plain function for a caller that waits: with a timeout in a thread, else in this one."""
    if job.timeout is None:
        return job.attempt()
    try:
        return _start_thread(job.attempt).result(job.timeout)
    except TimeoutError:  # Of the waiting: one of the tool's own is an outcome.
        return job.make_timeout()


def _start_thread(work: Callable[[], T]) -> Future[T]:
    """Run `work` in a new daemon thread; what it gives or raises is in the future."""
    from concurrent.futures import Future

    future: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = context.run(work)
        except BaseException as error:  # it is raised where somebody waits for the thread
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="llmkit-tool", daemon=True).start()
    return future


def run_on_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end on a new event loop: here, or in another thread where this one has a running loop."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    cancellers: list[Callable[[], object]] = []

    async def run_cancellable() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        cancellers.append(lambda: loop.call_soon_threadsafe(task.cancel))
        await work

    try:
        _start_thread(lambda: asyncio.run(run_cancellable())).result()
    except BaseException:  # Ctrl-C came to this thread; the calls must end too
        # The loop may not have begun yet, or be closed already.
        with suppress(IndexError, RuntimeError):
            cancellers[0]()
        raise


async def run_concurrently(jobs: Sequence[Job], *, parallel: bool) -> None:
    """Run jobs on this loop until each has its outcome; see the module for what runs at once."""
    import asyncio

    threads = asyncio.Semaphore(_MAX_THREADS)

    async def run_in_turn(*jobs: Job) -> None:
        for job in jobs:
            job.outcome = await _run_on_loop(job, threads)

    independent = [job for job in jobs if parallel or job.is_async or job.outcome is not None]
    sequential = [job for job in jobs if job not in independent]
    tasks = [asyncio.create_task(run_in_turn(*group)) for group in (*([job] for job in independent), sequential)]
    try:
        await asyncio.gather(*tasks)
    finally:
        # Where the caller is cancelled or a call ends everything, the others end before it goes on.
        for task in tasks:
            if not task.cancelling():  # A second time would cut short what a tool does to end.
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run_on_loop(job: Job, threads: Semaphore) -> Outcome:
    """Run one call on this loop, a plain function in a thread. Its time begins when it has the thread."""
    if job.outcome is None and not job.is_async:
        async with threads:
            return await _run_within_timeout(job, threaded=True)
    return await _run_within_timeout(job, threaded=False)


async def _run_within_timeout(job: Job, *, threaded: bool) -> Outcome:
    """Run or finish one call within its time. `threaded`: in a thread of its own."""
    import asyncio

    limit = asyncio.timeout(job.timeout)
    try:
        async with limit:
            if job.outcome is not None:
                outcome = job.outcome
            else:
                outcome = await asyncio.wrap_future(_start_thread(job.attempt)) if threaded else job.attempt()
            if outcome.error is None and inspect.isawaitable(outcome.value):
                return Outcome(await outcome.value)
            return outcome
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return job.make_failure(error)  # The tool's own: something that it waited for was cancelled.
    except Exception as error:  # as in `Job.attempt`; the time-out of the limit is an `Exception` too
        return job.make_timeout() if limit.expired() else job.make_failure(error)

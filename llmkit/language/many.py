"""Many inputs, several at once: `model.map` and `model.amap`.

What is decided stands once, in `Batch`: which input is next, what a result means, when to stop, what those get that
were not asked. Two short drivers ask, `ask_in_threads` and `ask_in_tasks`; `compare` uses them too.

What the drivers share. Each keeps the same loop: fill up to `concurrency` open calls from the queue, wait until any one
of them has ended, settle its result, and fill up again. Three rules follow from it:

- The queue is used by one thread only, the caller's (or by the event loop's). Calls that end in other threads only put
  themselves into `ended`. So `Queue` and `Batch` need no lock, and an iterable of inputs need not be thread-safe.
- An input is read when there is room for it, never earlier: at most `concurrency` inputs are read and not settled.
- Between two results the batch decides anew, so a budget that is reached stops the next input. The calls that are open
  at that moment run to their end and count.

How a batch ends. An `LLMError` is the result of its input and stops nothing. Any other exception (raised by the
iterable, Ctrl-C, cancellation, a bug) ends the batch and is raised. A thread cannot be interrupted, so `map` waits for
its open calls before it raises. `amap` cancels its open calls and waits until they have ended. Either way no call is
open any more when the batch has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from llmkit.config.setting_checks import describe
from llmkit.errors import ConfigError, LLMError
from llmkit.language.progress import open_progress_bar
from llmkit.types.messages import Message
from llmkit.types.usage import add_amounts, is_believable

if TYPE_CHECKING:
    from asyncio import Task
    from concurrent.futures import Future

    from llmkit.language.model import LanguageModel
    from llmkit.types.messages import MessagesLike
    from llmkit.types.responses import Response
    from llmkit.types.settings import CallSettings

log = logging.getLogger("llmkit")

In = TypeVar("In")
Out = TypeVar("Out")


class BatchStopped(LLMError):
    """An input was not asked: the batch had reached its budget of money or of errors."""

    fallback = False
    advice = "Raise the budget, and ask again for the inputs that were not asked"


class Queue(Generic[In, Out]):
    """Items in their order, and a result for each. An item is read when it is taken, not before.

    It is not thread-safe: one thread takes and settles.
    """

    def __init__(self, items: Iterable[In]) -> None:
        self._items = enumerate(items)
        self._results: dict[int, Out] = {}

    def take(self) -> tuple[int, In] | None:
        """Take the number of the next item, and the item; `None` if there is none to start any more."""
        return next(self._items, None)

    def settle(self, index: int, result: Out) -> None:
        """Keep the result of item `index`."""
        self._results[index] = result

    def results(self) -> list[Out]:
        """The results of all items that were read, in their order."""
        return [self._results[index] for index in range(len(self._results))]


class Batch(Queue["MessagesLike", "Response | LLMError"]):
    """The state of one `map`: what was read, what came of it, what it cost. It asks nobody.

    Attributes:
        done: inputs that were asked and have a result. failed: those of them that ended in an error.
        cost: sum of the known costs of all attempts, US dollars.
        unknown: attempts whose cost is not known. They count as nothing.
        stopped: why no further input is asked; `None` while there is no reason.
    """

    def __init__(
        self,
        inputs: Iterable[MessagesLike],
        *,
        max_cost: Decimal | None = None,
        max_errors: int | None = None,
        provider: str = "",
        model: str = "",
        on_result: Callable[[Batch], None] | None = None,
    ) -> None:
        """Begin a batch.

        Args:
            inputs: the inputs, read one by one.
            max_cost: US dollars of known cost at which the batch stops; `None`: never.
            max_errors: failed inputs at which the batch stops; `None`: never.
            provider: who is asked, for the errors of inputs that were not asked.
            model: its model, for the same.
            on_result: called with the batch after each result.
        """
        super().__init__(inputs)
        self._sized = isinstance(inputs, Sized)
        self._max_cost, self._max_errors = max_cost, max_errors
        self._provider, self._model, self._on_result = provider, model, on_result
        self.done = self.failed = self.unknown = 0
        self.cost = Decimal(0)
        self.stopped: str | None = None

    def take(self) -> tuple[int, MessagesLike] | None:
        """Take the next input. After a stop there is none, and those that are left get their `BatchStopped`.

        What has a length is read to its end then. Anything else may be endless: one input more is read, as a sign
        that there was something left.
        """
        if self.stopped is None:
            return super().take()
        for index, _ in self._items:
            after = "" if self._sized else ", nor any after it"
            text = f"inputs[{index}] was not asked{after}: {self.stopped}"
            super().settle(index, BatchStopped(text, provider=self._provider, model=self._model))
            if not self._sized:
                break
        return None

    def settle(self, index: int, result: Response | LLMError) -> None:
        """Keep a result, add up what it cost, and see whether that is enough."""
        super().settle(index, result)
        self.done += 1
        if isinstance(result, LLMError):
            self.failed += 1
            _prepare_as_value(result, index)
        for attempt in result.attempts:
            if attempt.cost.amount is not None and is_believable(attempt.cost.amount):
                self.cost = add_amounts(self.cost, attempt.cost.amount)
                continue
            self.unknown += 1
            if self.unknown == 1 and self._max_cost is not None:
                log.warning("%s: the cost of a call is not known, so max_cost cannot count it", attempt.target)
        self.stopped = self.stopped or self._find_stop_reason()
        if self._on_result is not None:
            self._on_result(self)

    def _find_stop_reason(self) -> str | None:
        if self._max_cost is not None and self.cost >= self._max_cost:
            return f"the batch had cost ${self.cost:f}, max_cost is ${self._max_cost:f}"
        if self._max_errors is not None and self.failed >= self._max_errors:
            return f"the batch had {self.failed} failed, max_errors is {self._max_errors}"
        return None


def _prepare_as_value(error: LLMError, index: int) -> None:
    """Make an error fit to be a result: it names its input where nothing was sent, and keeps no frames alive."""
    if not error.attempts or isinstance(error, ConfigError):
        error.message = f"inputs[{index}]: {error.message}"
        error.args = (error.message,)
    drop_tracebacks(error)


def drop_tracebacks(error: LLMError) -> None:
    """Drop the tracebacks of an error that is kept as a value, and of those that it holds.

    A traceback holds the frames of the call, and with them its messages and connection, for as long as it lives.
    """
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        item = pending.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        item.__traceback__ = None
        pending += [item.__cause__, item.__context__, getattr(item, "reason", None), *getattr(item, "errors", ())]


def ask_model(model: LanguageModel, messages: MessagesLike, settings: Mapping[str, object]) -> Response | LLMError:
    """Ask once, without a stream, and give the answer or the error as a value."""
    try:
        response: Response = model.chat_complete(messages, stream=False, **cast("CallSettings", settings))
    except LLMError as error:
        return error
    return response


async def aask_model(
    model: LanguageModel, messages: MessagesLike, settings: Mapping[str, object]
) -> Response | LLMError:
    """As `ask_model`, on an event loop."""
    try:
        response: Response = await model.achat_complete(messages, stream=False, **cast("CallSettings", settings))
    except LLMError as error:
        return error
    return response


def ask_in_threads(queue: Queue[In, Out], ask: Callable[[In], Out], concurrency: int) -> None:
    """Ask for each item in a thread, at most `concurrency` at once; items are read in the caller's thread.

    Each call has a copy of the caller's context variables. What `ask` raises is raised here, when the open calls have
    ended.
    """
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context
    from queue import SimpleQueue

    ended: SimpleQueue[Future[Out]] = SimpleQueue()
    running: dict[Future[Out], int] = {}
    more = True
    with ThreadPoolExecutor(concurrency, "llmkit") as threads:
        while more or running:
            while more and len(running) < concurrency:
                if (job := queue.take()) is None:
                    more = False
                else:
                    future = threads.submit(copy_context().run, ask, job[1])
                    running[future] = job[0]
                    future.add_done_callback(ended.put)
            if running:
                future = ended.get()
                queue.settle(running.pop(future), future.result())


async def ask_in_tasks(queue: Queue[In, Out], ask: Callable[[In], Coroutine[Any, Any, Out]], concurrency: int) -> None:
    """As `ask_in_threads`, with tasks; items are read on the event loop."""
    import asyncio

    ended: asyncio.Queue[Task[Out]] = asyncio.Queue()
    running: dict[Task[Out], int] = {}
    more = True
    try:
        while more or running:
            while more and len(running) < concurrency:
                if (job := queue.take()) is None:
                    more = False
                else:
                    task = asyncio.create_task(ask(job[1]))
                    running[task] = job[0]
                    task.add_done_callback(ended.put_nowait)
            if running:
                task = await ended.get()
                queue.settle(running.pop(task), task.result())
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def ask_all(
    model: LanguageModel,
    inputs: Iterable[MessagesLike],
    concurrency: int,
    progress: bool | None,
    max_cost: Decimal | float | str | None,
    max_errors: int | None,
    settings: Mapping[str, object],
) -> list[Response | LLMError]:
    """Do what `LanguageModel.map` says."""
    with _open_batch(model, inputs, concurrency, progress, max_cost, max_errors, settings) as batch:
        ask_in_threads(batch, lambda messages: ask_model(model, messages, settings), concurrency)
    return batch.results()


async def aask_all(
    model: LanguageModel,
    inputs: Iterable[MessagesLike],
    concurrency: int,
    progress: bool | None,
    max_cost: Decimal | float | str | None,
    max_errors: int | None,
    settings: Mapping[str, object],
) -> list[Response | LLMError]:
    """Do what `LanguageModel.amap` says."""
    with _open_batch(model, inputs, concurrency, progress, max_cost, max_errors, settings) as batch:
        await ask_in_tasks(batch, lambda messages: aask_model(model, messages, settings), concurrency)
    return batch.results()


@contextmanager
def _open_batch(
    model: LanguageModel,
    inputs: Iterable[MessagesLike],
    concurrency: int,
    progress: bool | None,
    max_cost: Decimal | float | str | None,
    max_errors: int | None,
    settings: Mapping[str, object],
) -> Iterator[Batch]:
    """Open a batch with its progress bar. What is wrong with the whole of it is raised before anything is sent."""
    _check_inputs(inputs)
    check_count("concurrency", concurrency)
    if max_errors is not None:
        check_count("max_errors", max_errors)
    limit = None if max_cost is None else _parse_dollars(max_cost)
    if "stream" in settings:
        raise ConfigError("many calls at once give whole answers", hint="Leave stream= out")
    model._check_call(**cast("CallSettings", settings))
    total = len(inputs) if isinstance(inputs, Sized) else None
    with open_progress_bar(f"asking {model.target}", total, show=progress) as bar:

        def show(batch: Batch) -> None:
            bar.update(batch.done, failed=batch.failed, cost=batch.cost, unknown=batch.unknown)

        yield Batch(
            inputs,
            max_cost=limit,
            max_errors=max_errors,
            provider=model.provider,
            model=model.model,
            on_result=show,
        )


def _check_inputs(inputs: object) -> None:
    if isinstance(inputs, (str, bytes, bytearray, Mapping, Message)) or not isinstance(inputs, Iterable):
        raise ConfigError(
            f"inputs is {describe(inputs)}", hint="Pass a list, or another iterable, of what chat_complete() takes"
        )


def check_count(name: str, value: object) -> None:
    """Raise `ConfigError` unless `value` is a whole number of 1 or more; `name` is the argument's."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} is {describe(value)}", hint=f"{name} is a whole number from 1")


def _parse_dollars(value: Decimal | float | str) -> Decimal:
    """Read an amount of money, exactly as it is written: 0.1 is 0.1."""
    try:
        amount = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        shown = repr(value) if isinstance(value, (str, Decimal)) else describe(value)
        raise ConfigError(f"max_cost is {shown}", hint="max_cost is US dollars, more than 0")
    return amount

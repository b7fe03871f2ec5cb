"""The same question to several models at once: `compare` and `acompare`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Unpack, cast

from llmkit.config.setting_checks import check_settings, describe
from llmkit.errors import ConfigError, LLMError
from llmkit.language.create import create_language
from llmkit.language.many import (
    Queue,
    aask_model,
    ask_in_tasks,
    ask_in_threads,
    ask_model,
    check_count,
    drop_tracebacks,
)
from llmkit.language.model import LanguageModel
from llmkit.types.messages import to_messages
from llmkit.types.responses import Attempt, Response
from llmkit.types.usage import UNKNOWN_COST, Cost, Usage, add_amounts

if TYPE_CHECKING:
    from llmkit.types.messages import Message, MessagesLike
    from llmkit.types.settings import CallSettings


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one model answered to the question of a `compare`.

    Attributes:
        target: the target as it was named; of a model, its `provider:model`.
        response: the answer, `None` if there is none.
        error: why there is no answer, `None` if there is one.
        seconds: time until the answer or the error, with retries, waits and fallbacks.
    """

    target: str
    response: Response | None = field(default=None, repr=False)
    error: LLMError | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Is there an answer?"""
        return self.response is not None

    @property
    def text(self) -> str | None:
        """The text of the answer."""
        return None if self.response is None else self.response.content

    @property
    def model(self) -> str | None:
        """The model that answered, as the service names it."""
        return None if self.response is None else self.response.model

    @property
    def usage(self) -> Usage:
        """Tokens of the answer; every count is `None` where there is no answer."""
        return Usage() if self.response is None else self.response.usage

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every exchange, oldest first."""
        if self.response is not None:
            return self.response.attempts
        return () if self.error is None else self.error.attempts

    @property
    def latency(self) -> float | None:
        """Seconds from sending to the whole answer, of the attempt that answered; `None` where there is no answer."""
        return self.attempts[-1].elapsed if self.response is not None and self.attempts else None

    @property
    def cost(self) -> Cost:
        """What the answer cost. `total_cost` has the failed attempts too."""
        return UNKNOWN_COST if self.response is None else self.response.cost

    @property
    def total_cost(self) -> Decimal | None:
        """US dollars that all attempts cost together; `None` if that of any is not known. 0 if nothing was sent."""
        amounts = [attempt.cost.amount for attempt in self.attempts]
        known = [amount for amount in amounts if amount is not None]
        return None if len(known) < len(amounts) else reduce(add_amounts, known, Decimal(0))

    def to_dict(self) -> dict[str, object]:
        """The row as JSON values: the answer as `Response.to_dict()` has it, the error as its class and text."""
        total = self.total_cost
        return {
            "target": self.target,
            "ok": self.ok,
            "text": self.text,
            "model": self.model,
            "seconds": self.seconds,
            "latency": self.latency,
            "usage": self.usage.to_dict(),
            "cost": self.cost.to_dict(),
            "total_cost": None if total is None else str(total),
            "attempts": len(self.attempts),
            "finish_reason": None if self.response is None else self.response.finish_reason,
            "response": None if self.response is None else self.response.to_dict(),
            "error": None if self.error is None else {"type": type(self.error).__name__, "message": str(self.error)},
        }


def compare(
    targets: Iterable[str | LanguageModel],
    messages: MessagesLike,
    *,
    concurrency: int = 8,
    **settings: Unpack[CallSettings],
) -> list[Comparison]:
    """Ask several models the same, at once.

    Args:
        targets: "provider:model", names of profiles, or models; as `create_language` takes them. A model that is made
            here is closed here.
        messages: what `chat_complete` takes.
        concurrency: most models that are asked at the same time. Default: 8.
        settings: as for `chat_complete`; they go to all of them.

    Returns:
        A row for each target, in their order. One that cannot be made or does not answer has its error in its row.

    Raises:
        ConfigError: a setting is unknown or wrong, or `targets` is not a list of targets, or `concurrency` is below 1.
        BadRequest: the messages are not messages.
    """
    runs = _prepare_runs(targets, messages, concurrency, settings)

    def ask(run: _TargetRun) -> Comparison:
        if isinstance(model := run.open_model(), Comparison):
            return model
        try:
            return run.finish(ask_model(model, run.messages, run.settings))
        finally:
            if run.is_ours:
                model.close()

    ask_in_threads(runs, ask, concurrency)
    return runs.results()


async def acompare(
    targets: Iterable[str | LanguageModel],
    messages: MessagesLike,
    *,
    concurrency: int = 8,
    **settings: Unpack[CallSettings],
) -> list[Comparison]:
    """As `compare`, on an event loop."""
    runs = _prepare_runs(targets, messages, concurrency, settings)

    async def ask(run: _TargetRun) -> Comparison:
        if isinstance(model := run.open_model(), Comparison):
            return model
        try:
            return run.finish(await aask_model(model, run.messages, run.settings))
        finally:
            if run.is_ours:
                await model.aclose()

    await ask_in_tasks(runs, ask, concurrency)
    return runs.results()


def _prepare_runs(
    targets: Iterable[str | LanguageModel], messages: MessagesLike, concurrency: int, settings: CallSettings
) -> Queue[_TargetRun, Comparison]:
    """Make one run for each target. What is wrong for all of them is raised before anything is sent."""
    check_count("concurrency", concurrency)
    given = cast("Mapping[str, object]", settings)
    check_settings(given, call=True)
    turns = to_messages(messages)
    if isinstance(targets, (str, bytes, Mapping, LanguageModel)) or not isinstance(cast("object", targets), Iterable):
        raise ConfigError(f"targets is {describe(targets)}", hint='Pass a list: ["openai:gpt-4o", "ollama:llama3.2"]')
    models = list(targets)
    for index, target in enumerate(models):
        if not isinstance(cast("object", target), (str, LanguageModel)):
            raise ConfigError(
                f"targets[{index}] is {describe(target)}", hint='Name it "provider:model", or pass a LanguageModel'
            )
    return Queue([_TargetRun(target, turns, given) for target in models])


class _TargetRun:
    """One target, from the making of its model to its row.

    Attributes:
        messages: what is asked.
        settings: those of the call.
        is_ours: was the model made here, so that it is closed here?
    """

    def __init__(
        self, target: str | LanguageModel, messages: tuple[Message, ...], settings: Mapping[str, object]
    ) -> None:
        self._target = target
        self._started = 0.0
        self.messages, self.settings = messages, settings
        self.is_ours = isinstance(target, str)

    def open_model(self) -> LanguageModel | Comparison:
        """Give the model to ask, or the finished row if it cannot be made. The time of the row begins here."""
        self._started = time.perf_counter()
        try:
            return create_language(self._target) if isinstance(self._target, str) else self._target
        except LLMError as error:
            return self.finish(error)

    def finish(self, result: Response | LLMError) -> Comparison:
        """Make the row of an answer or an error."""
        seconds = time.perf_counter() - self._started
        name = self._target if isinstance(self._target, str) else self._target.target
        if isinstance(result, LLMError):
            drop_tracebacks(result)
            return Comparison(name, None, result, seconds)
        return Comparison(name, result, None, seconds)

"""`ServiceModel`: what every model object shares, whatever it is asked: settings, connection, totals, copies, close.

A kind of model (`LanguageModel` is one) is a subclass with the methods that say what it takes. What such a method asks
is an operation: `ask` and `aask` carry one out over the model and its fallbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

from llmkit.config.setting_checks import check_settings
from llmkit.engine.operation import WholeReplies
from llmkit.engine.run import Run
from llmkit.errors import LLMError, ModelClosed
from llmkit.money.totals import Tally, Totals
from llmkit.types.settings import CallSettings

if TYPE_CHECKING:
    from llmkit.operations.setup import Setup
    from llmkit.provider.exchange import Transport
    from llmkit.provider.interface import BaseProvider
    from llmkit.provider.operations import Operation
    from llmkit.types.model_info import ModelInfo

T = TypeVar("T")


class ServiceModel:
    """One model of one provider, with retry, fallbacks and totals.

    It is safe to use from several threads, and from several event loops. `with` and `async with` close it.
    """

    def __init__(self, setup: Setup, *, fallbacks: Sequence[ServiceModel] = (), tally: Tally | None = None) -> None:
        """Used by the functions that make models; the settings of `setup` are checked.

        Raises:
            Unsupported: the backend does not have a setting.
        """
        self._setup = setup
        self._fallbacks = tuple(fallbacks)
        self._owned: tuple[ServiceModel, ...] = ()
        self._tally = tally or Tally()
        self._closed = False
        self._configure()

    def _configure(self) -> None:
        """What a kind of model makes of its setup, once. Raises for settings that the backend does not have."""

    @property
    def provider(self) -> str:
        """Llmkit's name of the backend."""
        return self._setup.provider.name

    @property
    def model(self) -> str:
        """The service's id of the model."""
        return self._setup.model

    @property
    def requested(self) -> str:
        """The model as it was asked for; `model` is what that resolved to."""
        return self._setup.requested

    @property
    def target(self) -> str:
        """`provider:model`."""
        return f"{self.provider}:{self.model}"

    @property
    def info(self) -> ModelInfo | None:
        """What is known of the model without asking, such as `model.info.supports_tools`; `None` where nothing is.

        It comes from a list that was fetched before, or from a table with a date; `info.source` says which.
        `get_model_info(model.provider, model.model)` asks the service.
        """
        from llmkit.operations.known_models import known_model

        return known_model(self._setup.provider, self._setup.base_url, self.model)

    def __repr__(self) -> str:
        chain = "".join(f" -> {spare.target}" for spare in self._fallbacks)
        return f"{type(self).__name__}({self.target}{chain})"

    def with_settings(self, **settings: Unpack[CallSettings]) -> Self:
        """A copy with other settings. It shares the connections and the totals."""
        given = {**self._setup.given, **check_settings(settings, call=True)}
        spares = tuple(spare.with_settings() for spare in self._fallbacks)
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._setup = replace(self._setup, given=given, connection=self._setup.connection.share())
        copy._fallbacks = copy._owned = spares
        copy._closed = False
        copy._configure()
        return copy

    def own(self, spares: Iterable[ServiceModel]) -> None:
        """Close these with the model."""
        self._owned = tuple(spares)

    def totals(self) -> Totals:
        """What this model, its copies and its fallbacks have used and cost so far. See `Totals`."""
        return self._tally.snapshot()

    def _check_open(self) -> None:
        if self._closed:
            raise ModelClosed("the model is closed", provider=self.provider, model=self.model)

    def close(self) -> None:
        """Close the connections, if no copy uses them any more. A later call raises `ModelClosed`."""
        for transport in self._leave():
            transport.close()

    async def aclose(self) -> None:
        """As `close`, for use on an event loop."""
        for transport in self._leave():
            await transport.aclose()

    def _leave(self) -> list[Transport]:
        if self._closed:
            return []
        self._closed = True
        last = self._setup.connection.leave()
        left = [] if last is None else [last]
        for spare in self._owned:
            left += spare._leave()
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()


def ask(
    model: ServiceModel,
    operation: Callable[[BaseProvider, str], Operation[T]],
    settings: Mapping[str, object] | None = None,
    *,
    billed: bool = True,
) -> T:
    """Carry out an operation over a model and its fallbacks, with their retries, deadline, headers and totals.

    Args:
        operation: makes the operation of a provider for one of its models. It is made anew for each attempt.
        settings: of this call; they outrank those of the model.
        billed: does the service charge for it? Then the result has `cost` and `usage`, or its cost is unknown.

    Raises:
        ConfigError: a setting is unknown or wrong.
        ModelClosed: the model is closed.
        LLMError: what else went wrong; with several targets `AllTargetsFailed`.
    """
    from llmkit.transport import drivers

    return drivers.run(_run(model, operation, settings, billed))


async def aask(
    model: ServiceModel,
    operation: Callable[[BaseProvider, str], Operation[T]],
    settings: Mapping[str, object] | None = None,
    *,
    billed: bool = True,
) -> T:
    """As `ask`, on an event loop."""
    from llmkit.transport import drivers

    return await drivers.AsyncRun(_run(model, operation, settings, billed)).run()


def _run(
    model: ServiceModel,
    operation: Callable[[BaseProvider, str], Operation[T]],
    settings: Mapping[str, object] | None,
    billed: bool,
) -> Run[T]:
    model._check_open()
    setup = model._setup
    try:
        call = check_settings(settings or {}, call=True)
    except LLMError as error:
        error.provider, error.model = model.provider, model.model
        raise
    targets = [setup.target(call, partial(operation, setup.provider, setup.model))]
    for spare in (item._setup for item in model._fallbacks):
        inherited = setup.inherited(spare, call)
        targets.append(spare.target(inherited, partial(operation, spare.provider, spare.model), spare=True))
    return Run(setup.plan(targets, call, model._tally), WholeReplies(billed=billed))

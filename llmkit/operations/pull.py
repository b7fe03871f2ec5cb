"""Fetch a model onto the machine of a backend that runs models: `pull_model`, `apull_model`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Unpack, cast

from llmkit.config.locate import resolve_target
from llmkit.config.setting_checks import describe
from llmkit.engine.operation import Once
from llmkit.errors import ConfigError, ConnectionLost, LLMTimeout, Unsupported
from llmkit.operations.asking import Service, ServiceSettings, find_service
from llmkit.provider.operations import SupportsPull

if TYPE_CHECKING:
    from llmkit.engine.effects import Flow
    from llmkit.types.model_info import PullProgress

#: Seconds without a step after which a pull is given up, where `timeout` does not say.
SILENCE_SECONDS = 600.0


def pull_model(
    model: str, *, provider: str = "ollama", **settings: Unpack[ServiceSettings]
) -> Generator[PullProgress, None, None]:
    """Fetch a model. The pull begins with the first step that is asked for, and ends with the iterator.

    To leave it early, `close()` it: the connection is closed, and the server stops. A later pull goes on where this
    one was.

    Args:
        model: the service's name of the model, or a short name.
        provider: a backend that fetches models.
        settings: see `ServiceSettings`; `timeout` is the longest time without a step, 600 seconds by default. The pull
            as a whole may take as long as it takes.

    Raises:
        Unsupported: the backend fetches no models.
        ConfigError: an unknown provider or setting, or a wrong value.
        ModelNotFound, LLMError: while iterating: there is no such model, or the pull failed.
    """
    return _steps(*_prepare(model, provider, settings))


def apull_model(
    model: str, *, provider: str = "ollama", **settings: Unpack[ServiceSettings]
) -> AsyncGenerator[PullProgress, None]:
    """As `pull_model`, on an event loop, with `async for`. To leave it early, `await` its `aclose()`."""
    return _asteps(*_prepare(model, provider, settings))


def _prepare(model: str, provider: str, settings: Mapping[str, object]) -> tuple[Service, str]:
    if not isinstance(cast("object", model), str) or not model.strip():
        problem = "empty" if isinstance(cast("object", model), str) else describe(model)
        raise ConfigError(f"the model is {problem}", hint='Pass its name: pull_model("llama3.2")')
    service = find_service(provider, settings, lambda _: True, SILENCE_SECONDS)
    if not isinstance(service.provider, SupportsPull):
        raise Unsupported(f"{service.title} does not fetch models", provider=service.provider.name, hint="Ollama does")
    return service, resolve_target(provider, model.strip())[1] or model.strip()


def _pull(service: Service, model: str) -> Flow[None]:
    provider = cast("SupportsPull", service.provider)
    try:
        yield from service.stream(lambda: (provider.pull(model), provider.pull_decoder(model)), model)
    except (ConnectionLost, LLMTimeout) as error:
        error.hint = "Pull again: it goes on where it stopped"
        raise


def _steps(service: Service, model: str) -> Generator[PullProgress, None, None]:
    from llmkit.transport import drivers

    try:
        with closing(drivers.stream(Once(lambda: _pull(service, model)))) as reads:
            for steps in reads:
                yield from steps
    finally:
        service.close()


async def _asteps(service: Service, model: str) -> AsyncGenerator[PullProgress, None]:
    from llmkit.transport import drivers

    try:
        async with aclosing(drivers.AsyncRun(Once(lambda: _pull(service, model))).pieces()) as reads:
            async for steps in reads:
                for step in steps:
                    yield step
    finally:
        await service.aclose()

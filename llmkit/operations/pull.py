"""Fetch a model onto the machine of a backend that runs models: `pull_model`, `apull_model`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Unpack, cast

from llmkit.config.locate import resolve_target
from llmkit.config.setting_checks import describe
from llmkit.engine.operation import Once
from llmkit.errors import ConfigError, Unsupported
from llmkit.operations.asking import ServiceSettings, Visit, visit
from llmkit.provider.interface import SupportsPull

if TYPE_CHECKING:
    from llmkit.types.model_info import PullProgress

#: Seconds without a step after which a pull is given up, where `timeout` does not say.
SILENCE = 600.0


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
    to, named = _visit(model, provider, settings)
    return _steps(to, named)


def apull_model(
    model: str, *, provider: str = "ollama", **settings: Unpack[ServiceSettings]
) -> AsyncGenerator[PullProgress, None]:
    """As `pull_model`, on an event loop, with `async for`. To leave it early, `await` its `aclose()`."""
    to, named = _visit(model, provider, settings)
    return _asteps(to, named)


def _visit(model: str, provider: str, settings: Mapping[str, object]) -> tuple[Visit, str]:
    if not isinstance(cast("object", model), str) or not model.strip():
        said = "empty" if isinstance(cast("object", model), str) else describe(model)
        raise ConfigError(f"the model is {said}", hint='Pass its name: pull_model("llama3.2")')
    to = visit(provider, settings, lambda _: True, SILENCE)
    if not isinstance(to.provider, SupportsPull):
        raise Unsupported(f"{to.title} does not fetch models", provider=to.provider.name, hint="Ollama does")
    return to, resolve_target(provider, model.strip())[1] or model.strip()


def _once(to: Visit, model: str) -> Once[None]:
    return Once(lambda: to.service().pull(model))


def _steps(to: Visit, model: str) -> Generator[PullProgress, None, None]:
    from llmkit.transport import drivers

    try:
        with closing(drivers.stream(_once(to, model))) as reads:
            for steps in reads:
                yield from steps
    finally:
        to.close()


async def _asteps(to: Visit, model: str) -> AsyncGenerator[PullProgress, None]:
    from llmkit.transport import drivers

    try:
        run = drivers.AsyncRun(_once(to, model))
        async with aclosing(cast("AsyncGenerator[list[PullProgress], None]", run.chunks())) as reads:
            async for steps in reads:
                for step in steps:
                    yield step
    finally:
        await to.aclose()

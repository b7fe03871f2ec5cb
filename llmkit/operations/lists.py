"""Which models a provider has: `list_models`, `list_free_models`, `get_model_info`, and their async twins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Unpack

from llmkit.config.locate import locate, resolve_target
from llmkit.errors import ConfigError, Unsupported
from llmkit.operations.asking import (
    Question,
    Service,
    ServiceSettings,
    fetch_details,
    fetch_list,
    find_model,
    find_service,
)
from llmkit.operations.known_models import is_vendor_address, load_list
from llmkit.operations.selection import ModelList, Wanted, date_row, select
from llmkit.provider.interface import BaseProvider
from llmkit.provider.operations import SupportsModels, SupportsPull
from llmkit.types.model_info import ModelInfo

if TYPE_CHECKING:
    from llmkit.engine.effects import Flow


def _model_info(service: Service, model: str, refresh: bool, max_age: float | None) -> Flow[ModelInfo]:
    if isinstance(service.provider, SupportsModels):
        row, listed = yield from find_model(service, model, refresh=refresh, max_age=max_age)
        return date_row((yield from fetch_details(service, row)), listed)
    known = None
    if is_vendor_address(service.provider, service.endpoint.base_url):
        known = service.provider.known_model(model)
    if known is None:
        raise Unsupported(
            f"{service.title} has no list of models, and nothing is known of {model!r}", provider=service.provider.name
        )
    return known


def _lists_with_key(provider: BaseProvider) -> bool:
    """Does the provider's list need a key?"""
    return isinstance(provider, SupportsModels) and provider.models_need_key


def _check_age(refresh: object, max_age: object) -> None:
    if not isinstance(refresh, bool):
        raise ConfigError(f"refresh is {refresh!r}", hint="refresh is True or False")
    if max_age is None:
        return
    if isinstance(max_age, bool) or not isinstance(max_age, (int, float)) or not max_age >= 0:
        raise ConfigError(f"max_age is {max_age!r}", hint="max_age is seconds, from 0")


def _list_question(
    provider: str, wanted: Wanted, refresh: bool, max_age: float | None, settings: Mapping[str, object]
) -> Question[ModelList]:
    _check_age(refresh, max_age)
    if ":" in str(provider):
        raise ConfigError(f"{provider!r} names a model too", hint="get_model_info() tells of one model")
    service = find_service(provider, settings, _lists_with_key)

    def flow() -> Flow[ModelList]:
        listed = yield from fetch_list(service, refresh=refresh, max_age=max_age)
        models = listed.models
        if wanted.min_context is not None and isinstance(service.provider, SupportsPull) and not listed.stale:
            # Such a server says it for one model at a time; it is near, and its list is short.
            rows = list(models)
            for place, row in enumerate(models):
                if row.context_length is None:
                    rows[place] = yield from fetch_details(service, row)
            models = tuple(rows)
        return ModelList(select(models, wanted), listed.fetched_at, listed.stale, listed.problem)

    return Question(service, flow)


def _info_question(
    provider: str, model: str | None, refresh: bool, max_age: float | None, settings: Mapping[str, object]
) -> Question[ModelInfo]:
    _check_age(refresh, max_age)
    service = find_service(provider, settings, _lists_with_key)
    _, named = resolve_target(provider, model)
    if named is None:
        name = service.provider.name
        raise ConfigError("no model is named", hint=f'Name one: get_model_info("{name}", "model-name")', provider=name)
    return Question(service, lambda: _model_info(service, named, refresh, max_age))


def list_models(
    provider: str,
    *,
    free: bool | None = None,
    max_price: float | Decimal | Mapping[str, float | Decimal] | None = None,
    min_context: int | None = None,
    supports: str | Iterable[str] = (),
    query: str | None = None,
    refresh: bool = False,
    max_age: float | None = None,
    **settings: Unpack[ServiceSettings],
) -> ModelList:
    """The models of a provider, all or those that fit. What is not known of a model never fits.

    Args:
        provider: name of a provider, a service or a profile.
        free: do they cost nothing?
        max_price: US dollars per million tokens, most for prompt and for completion; or a dict of component
            (`prompt`, `completion`, `input_cache_read`, ...) to dollars per million. Base prices count.
        min_context: tokens that prompt and answer may have together.
        supports: one word or several of `llmkit.types.model_info.CAPABILITIES` (tools, vision, json_schema, ...), or
            the service's own names of parameters.
        query: words that must all stand in id, name or description; upper and lower case are the same.
        refresh: ask the service, however young the kept list is.
        max_age: seconds that a kept list serves. Default: an hour; a server that models are pulled onto (Ollama) is
            asked each time.
        settings: see `ServiceSettings`.

    Returns:
        The models in the service's order. `.stale` and `.problem` say that the service could not be reached and an
        old list is shown.

    Raises:
        Unsupported: the backend has no list.
        BadRequest: `supports` or `max_price` names what no model has.
        ConfigError: a wrong value, an unknown provider, or no key where the list needs one.
        LLMError: the service cannot be asked, and no list is cached.
    """
    wanted = Wanted.read(free=free, max_price=max_price, min_context=min_context, supports=supports, query=query)
    return _list_question(provider, wanted, refresh, max_age, settings).run()


async def alist_models(
    provider: str,
    *,
    free: bool | None = None,
    max_price: float | Decimal | Mapping[str, float | Decimal] | None = None,
    min_context: int | None = None,
    supports: str | Iterable[str] = (),
    query: str | None = None,
    refresh: bool = False,
    max_age: float | None = None,
    **settings: Unpack[ServiceSettings],
) -> ModelList:
    """As `list_models`, on an event loop."""
    wanted = Wanted.read(free=free, max_price=max_price, min_context=min_context, supports=supports, query=query)
    return await _list_question(provider, wanted, refresh, max_age, settings).arun()


def list_free_models(
    provider: str,
    *,
    min_context: int | None = None,
    supports: str | Iterable[str] = (),
    query: str | None = None,
    refresh: bool = False,
    max_age: float | None = None,
    **settings: Unpack[ServiceSettings],
) -> ModelList:
    """The models that cost nothing: `list_models(provider, free=True)`."""
    wanted = Wanted.read(free=True, min_context=min_context, supports=supports, query=query)
    return _list_question(provider, wanted, refresh, max_age, settings).run()


async def alist_free_models(
    provider: str,
    *,
    min_context: int | None = None,
    supports: str | Iterable[str] = (),
    query: str | None = None,
    refresh: bool = False,
    max_age: float | None = None,
    **settings: Unpack[ServiceSettings],
) -> ModelList:
    """As `list_free_models`, on an event loop."""
    wanted = Wanted.read(free=True, min_context=min_context, supports=supports, query=query)
    return await _list_question(provider, wanted, refresh, max_age, settings).arun()


def get_model_info(
    provider: str,
    model: str | None = None,
    *,
    refresh: bool = False,
    max_age: float | None = None,
    **settings: Unpack[ServiceSettings],
) -> ModelInfo:
    """What is known of one model, with what only a question about it tells: OpenRouter's endpoints, Ollama's details.

    Args:
        provider: name of a provider, a service or a profile; or "provider:model".
        model: the service's id or a short name. `None` takes the provider's default model.
        refresh, max_age, settings: as for `list_models`. Where the service cannot be reached, the row of a kept list is
            given, and its `source` says of when the list is.

    Raises:
        ModelNotFound: no such model; the hint has the nearest ids.
        Unsupported: the backend has no list, and its package knows nothing of the model.
        ConfigError, LLMError: as for `list_models`.
    """
    return _info_question(provider, model, refresh, max_age, settings).run()


async def aget_model_info(
    provider: str,
    model: str | None = None,
    *,
    refresh: bool = False,
    max_age: float | None = None,
    **settings: Unpack[ServiceSettings],
) -> ModelInfo:
    """As `get_model_info`, on an event loop."""
    return await _info_question(provider, model, refresh, max_age, settings).arun()


def known_models(provider: str) -> tuple[ModelInfo, ...]:
    """The models of the last list that was fetched where a provider's name leads, of any age; none where none was.

    Raises:
        ConfigError: there is no such provider, or it is set up wrongly.
    """
    location = locate(provider, {}, need_key=False)
    cached = load_list(location.provider.name, location.endpoint.base_url)
    return () if cached is None else cached.models

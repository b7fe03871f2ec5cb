"""Asking a service about itself: the service that is asked, and the flows that read its list of models.

A list is asked for once an hour and kept on disk meanwhile. When the service cannot be reached an old list serves, and
says that it is old.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar, cast

from llmkit.config.locate import Location, locate
from llmkit.config.setting_checks import check_settings, describe
from llmkit.engine.operation import Once, StreamedReply, WholeReplies
from llmkit.engine.run import Procedure, Run
from llmkit.errors import (
    ConfigError,
    ConnectionFailed,
    LLMError,
    LLMTimeout,
    MalformedResponse,
    ModelNotFound,
    RateLimited,
    ServerError,
    Unsupported,
)
from llmkit.operations.known_models import CachedList, find_row, is_vendor_address, load_list, store_list
from llmkit.operations.selection import ModelList, describe_age, nearest_models
from llmkit.operations.setup import Setup
from llmkit.provider.interface import BaseProvider
from llmkit.provider.operations import Operation, SupportsModels, SupportsPull
from llmkit.resilience.retry import RetryPolicy
from llmkit.transport.connection import Connection
from llmkit.types.model_info import ModelInfo
from llmkit.types.nearest import did_you_mean
from llmkit.types.pricing import Pricing
from llmkit.types.redaction import name_of

if TYPE_CHECKING:
    from llmkit.engine.effects import Flow
    from llmkit.provider.exchange import HTTPRequest
    from llmkit.provider.operations import OperationDecoder
    from llmkit.types.settings import ExtraHeaders

log = logging.getLogger("llmkit")
T = TypeVar("T")
P = TypeVar("P")
Q = TypeVar("Q")
#: Seconds for one exchange where `timeout` does not say.
TIMEOUT_SECONDS = 30.0
#: Seconds that a list serves without asking. One of a server that models are pulled onto is asked for each time.
MAX_AGE_SECONDS = 3600.0
#: A question about a service is small; who asks waits for it.
QUESTION_POLICY = RetryPolicy(attempts=2, backoff=0.2, longest_hint=5.0)
#: The service could not be asked, or gave no list: what it said before still holds.
OUT_OF_REACH = (ConnectionFailed, LLMTimeout, ServerError, RateLimited, MalformedResponse)


class ServiceSettings(TypedDict, total=False):
    """What may be set where a service is asked about itself; see `llmkit.types.settings.Settings`.

    timeout: seconds for one exchange; 30 where a list is asked for. deadline: seconds for each question with all its
        attempts and waits. extra_headers: headers to add, or a callable of the request that gives them (for signing).
    """

    api_key: str | Callable[[], str] | None
    base_url: str | None
    timeout: float | None
    deadline: float | None
    extra_headers: ExtraHeaders | None
    proxy: str | None
    ca_bundle: str | None
    client_cert: str | tuple[str, str] | None
    allow_insecure: bool | None


class Service:
    """A provider, where it is, and one connection to it: what is asked about itself, by one target and no chain."""

    def __init__(self, location: Location, timeout: float, deadline: float | None = None) -> None:
        """`timeout` is seconds for one exchange, `deadline` for one question with all its attempts."""
        self.provider = location.provider
        self.endpoint = location.endpoint
        headers = location.settings.get("extra_headers")
        given = {"timeout": timeout, "deadline": deadline, "retry": QUESTION_POLICY, "extra_headers": headers}
        self._setup = Setup(self.provider, "", given, Connection(self.provider, self.endpoint))

    @property
    def title(self) -> str:
        """The service's name for people."""
        return self.provider.title or self.provider.name

    def ask(self, operation: Callable[[], Operation[T]], model: str = "") -> Flow[T]:
        """Carry out an operation; `model` is what it is about, for errors. Services do not charge for questions."""
        return self._run(operation, WholeReplies[T](), {}, model).run()

    def stream(self, request: Callable[[], tuple[HTTPRequest, OperationDecoder[P, T]]], model: str = "") -> Flow[T]:
        """Carry out an operation whose reply is handed out as it comes. It is sent once."""
        return self._run(request, StreamedReply[P, T](), {"retry": None}, model).run()

    def _run(self, prepare: Callable[[], Q], procedure: Procedure[T], call: Mapping[str, object], model: str) -> Run[T]:
        setup = replace(self._setup, model=model)
        return Run(setup.plan([setup.target(call, prepare)], call, None), procedure)

    def close(self) -> None:
        """Close the connection, if there was one."""
        if (transport := self._setup.connection.leave()) is not None:
            transport.close()

    async def aclose(self) -> None:
        """As `close`, on an event loop."""
        if (transport := self._setup.connection.leave()) is not None:
            await transport.aclose()


def find_service(
    provider: str,
    settings: Mapping[str, object],
    need_key: Callable[[BaseProvider], bool],
    timeout: float = TIMEOUT_SECONDS,
) -> Service:
    """Find the provider, and where and with which key it is asked. Nothing is sent.

    Raises:
        ConfigError: an unknown provider or setting, a wrong value, a missing key where `need_key` says so.
    """
    given = check_service_settings(settings)
    location = locate(provider, settings, need_key=False)
    if location.endpoint.api_key is None and need_key(location.provider):
        location = locate(provider, settings)
    own = cast("float | None", given.get("timeout"))
    return Service(location, timeout if own is None else own, cast("float | None", given.get("deadline")))


def check_service_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings of `ServiceSettings`. Raises `ConfigError` for another name or a wrong value."""
    for name in settings:
        if name not in ServiceSettings.__annotations__:
            known = ", ".join(ServiceSettings.__annotations__)
            hint = did_you_mean(name, ServiceSettings.__annotations__) or f"There are {known}"
            raise ConfigError(f"there is no setting {name_of(name)} here", hint=hint)
    return check_settings(settings, call=False)


@dataclass(slots=True, repr=False)
class Question(Generic[T]):
    """A flow over one service, whose connection is closed on every way out."""

    service: Service
    flow: Callable[[], Flow[T]]

    def run(self) -> T:
        """Carry it out."""
        from llmkit.transport import drivers

        try:
            return drivers.run(Once(self.flow))
        finally:
            self.service.close()

    async def arun(self) -> T:
        """Carry it out on an event loop."""
        from llmkit.transport import drivers

        try:
            return await drivers.AsyncRun(Once(self.flow)).run()
        finally:
            await self.service.aclose()


def fetch_list(
    service: Service, *, refresh: bool = False, max_age: float | None = None, stale: bool = True
) -> Flow[ModelList]:
    """All models: from the cache while it is fresh, else asked for.

    Where the service is out of reach an old list serves; without `stale` the error is raised.
    """
    provider, name, url = service.provider, service.provider.name, service.endpoint.base_url
    if not isinstance(provider, SupportsModels):
        raise Unsupported(
            f"{service.title} has no list of models", provider=name, hint="Its documentation names its models"
        )
    if max_age is None:
        max_age = 0.0 if isinstance(provider, SupportsPull) else MAX_AGE_SECONDS
    cached = load_list(name, url)
    if cached is not None and not refresh and time.time() - cached.fetched_at < max_age:
        return _to_model_list(service, cached)
    try:
        models = yield from service.ask(lambda: _list_models(provider))
    except OUT_OF_REACH as error:
        if cached is None or not stale:
            raise
        age = describe_age(time.time() - cached.fetched_at)
        problem = f"{service.title} could not be asked for its models, so the list is {age} old: {error.message}"
        log.warning("%s: %s", name, problem)
        return _to_model_list(service, cached, problem)
    cached = CachedList(tuple(_without_foreign_price(service, item) for item in models), time.time())
    store_list(name, url, cached.models, cached.fetched_at)
    return _to_model_list(service, cached)


# A provider is foreign code: what it raises or gives within an operation becomes a typed error.


def _list_models(provider: SupportsModels) -> Operation[tuple[ModelInfo, ...]]:
    return tuple([_check_row(item) for item in (yield from provider.list_models())])


def _fetch_details(provider: SupportsModels, row: ModelInfo) -> Operation[ModelInfo]:
    return _check_row((yield from provider.model_details(row)))


def _check_row(item: object) -> ModelInfo:
    if not isinstance(item, ModelInfo):
        raise TypeError(f"{describe(item)} is not a ModelInfo")
    return item


def _to_model_list(service: Service, cached: CachedList, problem: str | None = None) -> ModelList:
    models = cached.models
    if is_vendor_address(service.provider, service.endpoint.base_url):
        models = tuple(item.joined(service.provider.known_model(item.id)) for item in models)
    return ModelList(models, datetime.fromtimestamp(cached.fetched_at, UTC), problem is not None, problem)


def _without_foreign_price(service: Service, row: ModelInfo) -> ModelInfo:
    """A model of a server of one's own is free on this machine; what such a server elsewhere charges is not known."""
    if service.endpoint.local or not isinstance(service.provider, SupportsPull) or not row.is_free:
        return row
    return replace(row, pricing=Pricing())


def find_model(
    service: Service,
    model: str,
    *,
    refresh: bool = False,
    max_age: float | None = None,
    listed: ModelList | None = None,
) -> Flow[tuple[ModelInfo, ModelList]]:
    """The row of a model, and the list. Before a model is called unknown, a list out of the cache is asked for anew.

    `model` is the service's id; `listed` is a list that has just been asked for.
    """
    again = False
    if listed is None:
        began = datetime.now(UTC)
        listed = yield from fetch_list(service, refresh=refresh, max_age=max_age)
        again = listed.fetched_at < began and not listed.stale
    row = find_row(service.provider, listed, model)
    if row is None and again:
        listed = yield from fetch_list(service, refresh=True)
        row = find_row(service.provider, listed, model)
    if row is None:
        raise to_unknown_model(service, model, listed)
    return row, listed


def to_unknown_model(service: Service, model: str, listed: ModelList) -> ModelNotFound:
    """The error for a name that is not in the list, with the nearest that are."""
    heirs = [item for item in service.provider.successors(model) if find_row(service.provider, listed, item)]
    near = heirs or nearest_models(model, (item.id for item in listed))
    hint = f"Did you mean {' or '.join(near)}?" if near else f'See list_models("{service.provider.name}")'
    if heirs:
        hint = f"It has left the catalogue; take {' or '.join(heirs)}"
    if isinstance(service.provider, SupportsPull):
        own = service.provider.pull_command
        hint = f"Run: llmkit pull {model}" + (f" or {own} {model}" if own else "")
        hint += f". There is {' and '.join(near)}" if near else ""
    old = f", {describe_age(listed.age)} old" if listed.age >= 60 else ""
    return ModelNotFound(
        f"{service.title} has no model {model!r} in its list of {len(listed)}{old}",
        provider=service.provider.name,
        model=model,
        hint=hint,
    )


def fetch_details(service: Service, row: ModelInfo) -> Flow[ModelInfo]:
    """The row with what only a question about this one model tells; as it is where that cannot be asked."""
    provider = service.provider
    if not isinstance(provider, SupportsModels):
        return row
    try:
        return (yield from service.ask(lambda: _fetch_details(provider, row), row.id))
    except LLMError as error:
        log.warning("%s: what else is known of %s could not be asked: %s", provider.name, row.id, error.message)
        return row

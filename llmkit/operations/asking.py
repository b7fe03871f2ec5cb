"""Asking a service about itself: the visit to it, and the flows that read its list of models.

A list is asked for once an hour and kept on disk meanwhile. When the service cannot be reached an old list serves, and
says that it is old.
"""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar

from llmkit.config.locate import connect
from llmkit.config.setting_checks import check_settings, describe
from llmkit.engine.operation import Once, Service
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
from llmkit.operations.known_models import Kept, at_home, load, row_of, store
from llmkit.operations.selection import ModelList, in_words, nearest
from llmkit.provider.interface import BaseProvider, Operation, SupportsModels, SupportsPull
from llmkit.resilience.retry import RetryPolicy
from llmkit.transport.connection import Connection
from llmkit.types.model_info import ModelInfo
from llmkit.types.pricing import Pricing

if TYPE_CHECKING:
    from llmkit.engine.effects import Flow
    from llmkit.provider.exchange import Endpoint

log = logging.getLogger("llmkit")
T = TypeVar("T")
#: Seconds for one exchange where `timeout` does not say.
TIMEOUT = 30.0
#: Seconds that a list serves without asking. One of a server that models are pulled onto is asked for each time.
MAX_AGE = 3600.0
#: A question about a service is small; who asks waits for it.
POLICY = RetryPolicy(attempts=2, backoff=0.2, longest_hint=5.0)
#: The service could not be asked, or gave no list: what it said before still holds.
OUT_OF_REACH = (ConnectionFailed, LLMTimeout, ServerError, RateLimited, MalformedResponse)


class ServiceSettings(TypedDict, total=False):
    """What may be set where a service is asked about itself; see `llmkit.types.settings.Settings`.

    timeout: seconds for one exchange; 30 where a list is asked for.
    """

    api_key: str | Callable[[], str] | None
    base_url: str | None
    timeout: float | None
    proxy: str | None
    ca_bundle: str | None
    client_cert: str | tuple[str, str] | None
    allow_insecure: bool | None


class Visit:
    """A provider, where it is, and one connection to it."""

    def __init__(self, provider: BaseProvider, endpoint: Endpoint, timeout: float) -> None:
        self.provider = provider
        self.endpoint = endpoint
        self._timeout = timeout
        self._connection = Connection(provider, endpoint)

    @property
    def title(self) -> str:
        """The service's name for people."""
        return self.provider.title or self.provider.name

    def service(self) -> Service:
        """Where operations go."""
        connection = self._connection
        return Service(self.provider, connection.transport(), time.monotonic, self._timeout, POLICY, connection.redact)

    def close(self) -> None:
        """Close the connection, if there was one."""
        if (transport := self._connection.leave()) is not None:
            transport.close()

    async def aclose(self) -> None:
        """As `close`, on an event loop."""
        if (transport := self._connection.leave()) is not None:
            await transport.aclose()


def visit(
    provider: str,
    settings: Mapping[str, object],
    need_key: Callable[[BaseProvider], bool],
    timeout: float = TIMEOUT,
) -> Visit:
    """Find the provider, and where and with which key it is asked. Nothing is sent.

    Raises:
        ConfigError: an unknown provider or setting, a wrong value, a missing key where `need_key` says so.
    """
    given = checked(settings).get("timeout")
    backend, endpoint = connect(provider, settings, need_key=False)
    if endpoint.api_key is None and need_key(backend):
        backend, endpoint = connect(provider, settings)
    return Visit(backend, endpoint, float(given) if isinstance(given, (int, float)) else timeout)


def checked(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings of `ServiceSettings`. Raises `ConfigError` for another name or a wrong value."""
    for name in settings:
        if name not in ServiceSettings.__annotations__:
            near = difflib.get_close_matches(name, ServiceSettings.__annotations__, n=1, cutoff=0.5)
            known = ", ".join(ServiceSettings.__annotations__)
            raise ConfigError(
                f"there is no setting {name!r} here", hint=f"Did you mean {near[0]}?" if near else f"There are {known}"
            )
    return check_settings(settings, call=False)


@dataclass(slots=True, repr=False)
class Errand(Generic[T]):
    """A flow over one visit, which is closed on every way out."""

    visit: Visit
    flow: Callable[[], Flow[T]]

    def run(self) -> T:
        """Carry it out."""
        from llmkit.transport import drivers

        try:
            return drivers.run(Once(self.flow))
        finally:
            self.visit.close()

    async def arun(self) -> T:
        """Carry it out on an event loop."""
        from llmkit.transport import drivers

        try:
            return await drivers.AsyncRun(Once(self.flow)).run()
        finally:
            await self.visit.aclose()


def listing(
    visit: Visit, *, refresh: bool = False, max_age: float | None = None, stale: bool = True
) -> Flow[ModelList]:
    """All models: from the cache while it is fresh, else asked for.

    Where the service is out of reach an old list serves; without `stale` the error is raised.
    """
    provider, name, url = visit.provider, visit.provider.name, visit.endpoint.base_url
    if not isinstance(provider, SupportsModels):
        raise Unsupported(
            f"{visit.title} has no list of models", provider=name, hint="Its documentation names its models"
        )
    if max_age is None:
        max_age = 0.0 if isinstance(provider, SupportsPull) else MAX_AGE
    kept = load(name, url)
    if kept is not None and not refresh and time.time() - kept.fetched_at < max_age:
        return _as_list(visit, kept)
    try:
        models = yield from visit.service().ask(_all(provider))
    except OUT_OF_REACH as error:
        if kept is None or not stale:
            raise
        age = in_words(time.time() - kept.fetched_at)
        problem = f"{visit.title} could not be asked for its models, so the list is {age} old: {error.message}"
        log.warning("%s: %s", name, problem)
        return _as_list(visit, kept, problem)
    kept = Kept(tuple(_priced(visit, item) for item in models), time.time())
    store(name, url, kept.models, kept.fetched_at)
    return _as_list(visit, kept)


# A provider is foreign code: what it raises or gives within an operation becomes a typed error.


def _all(provider: SupportsModels) -> Operation[tuple[ModelInfo, ...]]:
    return tuple([_row(item) for item in (yield from provider.list_models())])


def _one(provider: SupportsModels, row: ModelInfo) -> Operation[ModelInfo]:
    return _row((yield from provider.model_details(row)))


def _row(item: object) -> ModelInfo:
    if not isinstance(item, ModelInfo):
        raise TypeError(f"{describe(item)} is no ModelInfo")
    return item


def _as_list(visit: Visit, kept: Kept, problem: str | None = None) -> ModelList:
    models = kept.models
    if at_home(visit.provider, visit.endpoint.base_url):
        models = tuple(item.joined(visit.provider.known_model(item.id)) for item in models)
    return ModelList(models, datetime.fromtimestamp(kept.fetched_at, UTC), problem is not None, problem)


def _priced(visit: Visit, row: ModelInfo) -> ModelInfo:
    """A model of a server of one's own is free on this machine; what such a server elsewhere charges is not known."""
    if visit.endpoint.local or not isinstance(visit.provider, SupportsPull) or not row.is_free:
        return row
    return replace(row, pricing=Pricing())


def finding(
    visit: Visit,
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
        listed = yield from listing(visit, refresh=refresh, max_age=max_age)
        again = listed.fetched_at < began and not listed.stale
    row = row_of(visit.provider, listed, model)
    if row is None and again:
        listed = yield from listing(visit, refresh=True)
        row = row_of(visit.provider, listed, model)
    if row is None:
        raise unknown_model(visit, model, listed)
    return row, listed


def unknown_model(visit: Visit, model: str, listed: ModelList) -> ModelNotFound:
    """The error for a name that is not in the list, with the nearest that are."""
    heirs = [item for item in visit.provider.successors(model) if row_of(visit.provider, listed, item)]
    near = heirs or nearest(model, (item.id for item in listed))
    hint = f"Did you mean {' or '.join(near)}?" if near else f'See list_models("{visit.provider.name}")'
    if heirs:
        hint = f"It has left the catalogue; take {' or '.join(heirs)}"
    if isinstance(visit.provider, SupportsPull):
        own = visit.provider.pull_command
        hint = f"Run: llmkit pull {model}" + (f" or {own} {model}" if own else "")
        hint += f". There is {' and '.join(near)}" if near else ""
    old = f", {in_words(listed.age)} old" if listed.age >= 60 else ""
    return ModelNotFound(
        f"{visit.title} has no model {model!r} in its list of {len(listed)}{old}",
        provider=visit.provider.name,
        model=model,
        hint=hint,
    )


def detailed(visit: Visit, row: ModelInfo) -> Flow[ModelInfo]:
    """The row with what only a question about this one model tells; as it is where that cannot be asked."""
    provider = visit.provider
    if not isinstance(provider, SupportsModels):
        return row
    try:
        return (yield from visit.service().ask(_one(provider, row), row.id))
    except LLMError as error:
        log.warning("%s: what else is known of %s could not be asked: %s", provider.name, row.id, error.message)
        return row

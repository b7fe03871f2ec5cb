"""The registry of providers: entry points of installed distributions, and what the program registers itself.

llmkit's own providers are found by the same entry points as those of others. The scan runs at the first use and imports
nothing. Only the provider that is asked for is imported, so a broken one does not disturb the others.

Two groups of entry points are read. `llmkit.providers`: a name and a `BaseProvider` subclass. `llmkit.services`: a
mapping from many names to callables that make the provider, for a distribution that has its services as rows of data. A
provider of the first group outranks a service of the second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, TypeAlias, cast

from llmkit.errors import ConfigError, ProviderConflict, ProviderLoadError, UnknownProvider
from llmkit.provider.interface import INTERFACE_VERSION, BaseProvider
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import name_of, scrub

if TYPE_CHECKING:
    from importlib_metadata import EntryPoint

log = logging.getLogger("llmkit")
GROUP = "llmkit.providers"
SERVICES = "llmkit.services"
Factory: TypeAlias = Callable[[str], BaseProvider]


@dataclass(frozen=True, slots=True)
class InstalledProvider:
    """An installed provider that can be asked for by name. `value` is the entry point's object reference."""

    name: str
    distribution: str
    version: str
    value: str


class _Registry:
    """The providers that are known. The scan runs once per process; `clear()` makes the next use scan again.

    `_points` holds the entry points by name, `_services` the services by name, `_registered` what the program
    registered, `_instances` the providers that were made, `_key_holders` the providers by key variable.
    """

    def __init__(self) -> None:
        self._lock = RLock()  # Reentrant: a plugin that is being imported may use the registry.
        self._points: dict[str, list[EntryPoint]] | None = None
        self._services: dict[str, tuple[Factory, EntryPoint]] | None = None
        self._broken: list[ProviderLoadError] = []
        self._registered: dict[str, Factory] = {}
        self._instances: dict[str, BaseProvider] = {}
        self._key_holders: dict[str, list[BaseProvider]] | None = None

    def clear(self) -> None:
        with self._lock:
            self._points = self._services = self._key_holders = None
            self._broken.clear()
            self._instances.clear()

    def _scan(self) -> dict[str, list[EntryPoint]]:
        if self._points is None:
            from importlib_metadata import entry_points

            points_by_name: dict[str, list[EntryPoint]] = {}
            for group in (GROUP, SERVICES):
                for point in entry_points(group=group):
                    key = point.name if group == GROUP else f"{SERVICES}/{point.name}"
                    points = points_by_name.setdefault(key, [])
                    # One distribution can be on the path twice (an editable install in a development tree).
                    if not any(
                        _find_owner(known) == _find_owner(point) and known.value == point.value for known in points
                    ):
                        points.append(point)
            self._points = points_by_name
        return self._points

    def installed(self) -> Iterator[InstalledProvider]:
        for name, points in sorted(self._scan().items()):
            for point in points:
                if not name.startswith(f"{SERVICES}/"):
                    yield InstalledProvider(name, *_find_owner(point), point.value)

    def services(self) -> Mapping[str, tuple[Factory, EntryPoint]]:
        if self._services is None:
            services: dict[str, tuple[Factory, EntryPoint]] = {}
            for key, points in self._scan().items():
                for point in points if key.startswith(f"{SERVICES}/") else ():
                    try:
                        services.update(_load_services(point))
                    except ProviderLoadError as error:
                        self._broken.append(error)
                        log.warning("%s", error)
            self._services = services
        return self._services

    def register(self, name: str, factory: Factory, *, replace: bool) -> None:
        if self.is_known(name) and not replace:
            raise ConfigError(f"a provider named {name!r} is there already", hint="Pass replace=True to outrank it")
        with self._lock:
            self._registered[name] = factory
            self._instances.pop(name, None)
            self._key_holders = None

    def unregister(self, name: str) -> None:
        with self._lock:
            self._registered.pop(name, None)
            self._instances.pop(name, None)
            self._key_holders = None

    def get(self, name: str) -> BaseProvider:
        provider = self._instances.get(name)
        if provider is None:
            with self._lock:
                provider = self._instances.get(name) or self._build(name)
                self._instances[name] = provider
        return provider

    def _build(self, name: str) -> BaseProvider:
        if factory := self._registered.get(name):
            return _check_provider(factory(name), name, "register_provider()")
        points = self._scan().get(name, [])
        if len({_find_owner(point)[0] for point in points}) > 1:
            owners = " and ".join(f"{_find_owner(point)[0]} ({point.value})" for point in points)
            raise ProviderConflict(
                f"two distributions bring a provider named {name!r}: {owners}",
                hint="Uninstall one, or choose with llmkit.register_provider(name, cls, replace=True)",
            )
        if points:
            return _make_from_class(_load_point(points[0], name), name, points[0])
        if service := self.services().get(name):
            return _make_provider(service[0], name, service[1])
        raise UnknownProvider(self._describe_unknown(name), hint=self._suggest(name))

    def names(self) -> list[str]:
        """The names of the providers, without the services."""
        return sorted({item.name for item in self.installed()} | set(self._registered))

    def is_known(self, name: str) -> bool:
        """Is there a provider or service of that name? No provider is imported, at most the tables of services."""
        return name in self._registered or name in self._scan() or name in self.services()

    def find_key_holders(self, variable: str) -> list[BaseProvider]:
        """The providers and services whose key an environment variable holds. The first call loads all of them."""
        if self._key_holders is None:
            holders: dict[str, list[BaseProvider]] = {}
            names = [name for name in self._scan() if not name.startswith(f"{SERVICES}/")]
            for name in {**dict.fromkeys(names), **self.services(), **self._registered}:
                try:
                    provider = self.get(name)
                except Exception as error:  # a broken provider holds no key; asking for it by name raises its error
                    log.debug("%s", error)
                    continue
                for key in provider.key_env:
                    holders.setdefault(key.upper(), []).append(provider)
            self._key_holders = holders
        return self._key_holders.get(variable.upper(), [])  # Windows ignores the case of names.

    def _describe_unknown(self, name: str) -> str:
        broken = "".join(f" ({error.message})" for error in self._broken)
        return f"no provider is named {name_of(name)}; installed: {', '.join(self.names()) or 'none'}{broken}"

    def _suggest(self, name: str) -> str:
        return did_you_mean(name, [*self.names(), *self.services()], most=3, alike=0.6) or (
            f"{len(self.services())} more services are known by name (llmkit providers --all); for any other "
            'OpenAI-compatible service use create_language("openai", model, base_url=...)'
        )


def _find_owner(point: EntryPoint) -> tuple[str, str]:
    distribution = point.dist
    return (distribution.name, distribution.version) if distribution is not None else ("unknown", "")


def _load_services(point: EntryPoint) -> dict[str, tuple[Factory, EntryPoint]]:
    """The services of one table. The names are read within the `try`, so that a broken table disturbs no other."""
    table = _load_point(point, point.name)
    if not isinstance(table, Mapping):
        owner = _find_owner(point)[0]
        raise ProviderLoadError(f"the services {point.name!r} of {owner}: {point.value} is not a mapping")
    try:
        return {str(name): (cast("Factory", table[name]), point) for name in table}
    except Exception as error:  # a plugin's own mapping may raise anything
        raise _make_load_error(error, point.name, point) from error


def _make_load_error(error: BaseException, name: str, point: EntryPoint, verb: str = "loaded") -> ProviderLoadError:
    return ProviderLoadError(
        f"provider {name!r} of distribution {_find_owner(point)[0]} ({point.value}) cannot be {verb}: "
        f"{type(error).__name__}: {scrub(str(error))}",
        hint=f"Reinstall or update {_find_owner(point)[0]}",
        cause=type(error).__name__,
    )


def _load_point(point: EntryPoint, name: str) -> object:
    try:
        return cast("object", point.load())
    except (Exception, SystemExit) as error:  # a plugin's import may raise anything; it is not a fault of llmkit
        raise _make_load_error(error, name, point) from error


def _make_from_class(cls: object, name: str, point: EntryPoint) -> BaseProvider:
    if not isinstance(cls, type) or not issubclass(cls, BaseProvider):
        raise ProviderLoadError(
            f"provider {name!r} of distribution {_find_owner(point)[0]}: {point.value} is not a BaseProvider subclass"
        )
    return _make_provider(cls, name, point)


def _make_provider(factory: Factory, name: str, point: EntryPoint) -> BaseProvider:
    try:
        provider = factory(name)
    except Exception as error:  # a plugin's factory may raise anything
        raise _make_load_error(error, name, point, "made") from error
    return _check_provider(provider, name, _find_owner(point)[0])


def _check_provider(provider: object, name: str, source: str) -> BaseProvider:
    if not isinstance(provider, BaseProvider):
        raise ProviderLoadError(f"provider {name!r} of {source} is a {type(provider).__name__}, not a BaseProvider")
    if provider.interface_version > INTERFACE_VERSION:
        raise ProviderLoadError(
            f"provider {name!r} of {source} needs version {provider.interface_version} of the provider interface; "
            f"this llmkit has {INTERFACE_VERSION}",
            hint="Update llmkit",
        )
    return provider


registry = _Registry()


def get_provider(name: str) -> BaseProvider:
    """The provider of that name, imported at its first use and kept.

    Raises:
        UnknownProvider: nothing installed or registered has that name; the text lists the installed names.
        ProviderConflict: two distributions have a provider of that name.
        ProviderLoadError: its package cannot be imported, or it is not a provider.
    """
    return registry.get(name)


def register_provider(name: str, cls: Factory, *, replace: bool = False) -> None:
    """Make a provider known in this program; it outranks installed ones.

    Args:
        name: the name that it is asked for by.
        cls: a `BaseProvider` subclass, or any callable that takes the name and gives a provider.
        replace: allow a name that is in use.

    Raises:
        ConfigError: the name is in use, and `replace` is not set.
    """
    registry.register(name, cls, replace=replace)


def unregister_provider(name: str) -> None:
    """Undo `register_provider`; an installed provider of that name is found again.

    A name that is not registered is ignored. A model that was created before keeps its provider.
    """
    registry.unregister(name)


def installed_providers() -> list[InstalledProvider]:
    """The installed providers, by name and distribution. None of them is imported."""
    return list(registry.installed())


def known_services() -> list[str]:
    """The names of the services that installed distributions have as rows of data."""
    return sorted(registry.services())

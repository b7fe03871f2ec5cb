"""Find a provider by name: entry points of installed distributions, and what the program registered itself.

Ours are found by the same entry points as a stranger's. The scan runs at the first use, imports nothing, and only the
provider that is asked for is imported; so a broken one disturbs no other.

Two groups are read. `llmkit.providers`: a name and a `BaseProvider` subclass. `llmkit.services`: a table of many
names, a mapping from name to a callable that makes the provider, for a distribution that brings services as rows of
data. A provider of the first group outranks a row of the second.
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
    """A provider that can be asked for by name. `value` is the entry point's object reference."""

    name: str
    distribution: str
    version: str
    value: str


class _Registry:
    """What is known, found once per process. `clear()` makes the next use scan again."""

    def __init__(self) -> None:
        self._lock = RLock()  # A plugin that is being imported may use the registry itself.
        self._found: dict[str, list[EntryPoint]] | None = None
        self._services: dict[str, tuple[Factory, EntryPoint]] | None = None
        self._broken: list[ProviderLoadError] = []
        self._registered: dict[str, Factory] = {}
        self._made: dict[str, BaseProvider] = {}
        self._holders: dict[str, list[BaseProvider]] | None = None

    def clear(self) -> None:
        with self._lock:
            self._found = self._services = self._holders = None
            self._broken.clear()
            self._made.clear()

    def _scan(self) -> dict[str, list[EntryPoint]]:
        if self._found is None:
            from importlib_metadata import entry_points

            found: dict[str, list[EntryPoint]] = {}
            for group in (GROUP, SERVICES):
                for point in entry_points(group=group):
                    key = point.name if group == GROUP else f"{SERVICES}/{point.name}"
                    points = found.setdefault(key, [])
                    # One distribution can be on the path twice (an editable install in a development tree).
                    if not any(_owner(known) == _owner(point) and known.value == point.value for known in points):
                        points.append(point)
            self._found = found
        return self._found

    def installed(self) -> Iterator[InstalledProvider]:
        for name, points in sorted(self._scan().items()):
            for point in points:
                if not name.startswith(f"{SERVICES}/"):
                    yield InstalledProvider(name, *_owner(point), point.value)

    def services(self) -> Mapping[str, tuple[Factory, EntryPoint]]:
        if self._services is None:
            services: dict[str, tuple[Factory, EntryPoint]] = {}
            for key, points in self._scan().items():
                for point in points if key.startswith(f"{SERVICES}/") else ():
                    try:
                        services.update(_table(point))
                    except ProviderLoadError as error:
                        self._broken.append(error)
                        log.warning("%s", error)
            self._services = services
        return self._services

    def register(self, name: str, factory: Factory, *, replace: bool) -> None:
        if self.known(name) and not replace:
            raise ConfigError(f"a provider named {name!r} is there already", hint="Pass replace=True to outrank it")
        with self._lock:
            self._registered[name] = factory
            self._made.pop(name, None)
            self._holders = None

    def unregister(self, name: str) -> None:
        with self._lock:
            self._registered.pop(name, None)
            self._made.pop(name, None)
            self._holders = None

    def get(self, name: str) -> BaseProvider:
        provider = self._made.get(name)
        if provider is None:
            with self._lock:
                provider = self._made.get(name) or self._make(name)
                self._made[name] = provider
        return provider

    def _make(self, name: str) -> BaseProvider:
        if factory := self._registered.get(name):
            return _checked(factory(name), name, "register_provider()")
        points = self._scan().get(name, [])
        if len({_owner(point)[0] for point in points}) > 1:
            owners = " and ".join(f"{_owner(point)[0]} ({point.value})" for point in points)
            raise ProviderConflict(
                f"two distributions bring a provider named {name!r}: {owners}",
                hint="Uninstall one, or choose with llmkit.register_provider(name, cls, replace=True)",
            )
        if points:
            return _instance(_load(points[0], name), name, points[0])
        if service := self.services().get(name):
            return _made(service[0], name, service[1])
        raise UnknownProvider(self._unknown(name), hint=self._suggestion(name))

    def names(self) -> list[str]:
        """Names of providers, without the services."""
        return sorted({item.name for item in self.installed()} | set(self._registered))

    def known(self, name: str) -> bool:
        """Does somebody bring that name? Nothing is imported but, for other names, the tables of services."""
        return name in self._registered or name in self._scan() or name in self.services()

    def holders(self, variable: str) -> list[BaseProvider]:
        """The providers and services whose key an environment variable holds. Loads them all, once."""
        if self._holders is None:
            holders: dict[str, list[BaseProvider]] = {}
            names = [name for name in self._scan() if not name.startswith(f"{SERVICES}/")]
            for name in {**dict.fromkeys(names), **self.services(), **self._registered}:
                try:
                    provider = self.get(name)
                except Exception as error:  # A broken one holds no key; who asks for it by name is told.
                    log.debug("%s", error)
                    continue
                for key in provider.key_env:
                    holders.setdefault(key.upper(), []).append(provider)
            self._holders = holders
        return self._holders.get(variable.upper(), [])  # Windows knows no case

    def _unknown(self, name: str) -> str:
        broken = "".join(f" ({error.message})" for error in self._broken)
        return f"no provider is named {name_of(name)}; installed: {', '.join(self.names()) or 'none'}{broken}"

    def _suggestion(self, name: str) -> str:
        return did_you_mean(name, [*self.names(), *self.services()], most=3, alike=0.6) or (
            f"{len(self.services())} more services are known by name (llmkit providers --all); for any other "
            'OpenAI-compatible service use create_language("openai", model, base_url=...)'
        )


def _owner(point: EntryPoint) -> tuple[str, str]:
    distribution = point.dist
    return (distribution.name, distribution.version) if distribution is not None else ("unknown", "")


def _table(point: EntryPoint) -> dict[str, tuple[Factory, EntryPoint]]:
    """The services of one table: a broken one disturbs no other."""
    table = _load(point, point.name)
    if not isinstance(table, Mapping):
        raise ProviderLoadError(f"the services {point.name!r} of {_owner(point)[0]}: {point.value} is no mapping")
    try:
        return {str(name): (cast("Factory", table[name]), point) for name in table}
    except Exception as error:  # a stranger's table may do anything while it is read
        raise _unmade(error, point.name, point) from error


def _unmade(error: BaseException, name: str, point: EntryPoint, verb: str = "loaded") -> ProviderLoadError:
    return ProviderLoadError(
        f"provider {name!r} of distribution {_owner(point)[0]} ({point.value}) cannot be {verb}: "
        f"{type(error).__name__}: {scrub(str(error))}",
        hint=f"Reinstall or update {_owner(point)[0]}",
        cause=type(error).__name__,
    )


def _load(point: EntryPoint, name: str) -> object:
    try:
        return cast("object", point.load())
    except (Exception, SystemExit) as error:  # a plugin's import may do anything; it must not look like our fault
        raise _unmade(error, name, point) from error


def _instance(cls: object, name: str, point: EntryPoint) -> BaseProvider:
    if not isinstance(cls, type) or not issubclass(cls, BaseProvider):
        raise ProviderLoadError(
            f"provider {name!r} of distribution {_owner(point)[0]}: {point.value} is not a BaseProvider subclass"
        )
    return _made(cls, name, point)


def _made(factory: Factory, name: str, point: EntryPoint) -> BaseProvider:
    try:
        provider = factory(name)
    except Exception as error:  # a plugin's constructor may raise anything
        raise _unmade(error, name, point, "made") from error
    return _checked(provider, name, _owner(point)[0])


def _checked(provider: object, name: str, origin: str) -> BaseProvider:
    if not isinstance(provider, BaseProvider):
        raise ProviderLoadError(f"provider {name!r} of {origin} is a {type(provider).__name__}, not a BaseProvider")
    if provider.interface_version > INTERFACE_VERSION:
        raise ProviderLoadError(
            f"provider {name!r} of {origin} needs version {provider.interface_version} of the provider interface; "
            f"this llmkit has {INTERFACE_VERSION}",
            hint="Update llmkit",
        )
    return provider


registry = _Registry()


def get_provider(name: str) -> BaseProvider:
    """The provider of a name, imported on first use and kept.

    Raises:
        UnknownProvider: nobody brings that name; the text lists the installed ones and the nearest.
        ProviderConflict: two distributions bring it.
        ProviderLoadError: its package cannot be imported, or is no provider.
    """
    return registry.get(name)


def register_provider(name: str, cls: Factory, *, replace: bool = False) -> None:
    """Make a provider known in this program; it outranks installed ones.

    Args:
        cls: a `BaseProvider` subclass, or any callable that takes the name and gives a provider.
        replace: allow a name that is taken.
    """
    registry.register(name, cls, replace=replace)


def unregister_provider(name: str) -> None:
    """Take back what `register_provider` made known; an installed provider of that name is found again.

    A name that is not registered is left as it is. A model that was made keeps its provider.
    """
    registry.unregister(name)


def installed_providers() -> list[InstalledProvider]:
    """What is installed, by name and distribution. Imports none of them."""
    return list(registry.installed())


def known_services() -> list[str]:
    """Names of the services that installed distributions bring as rows of data."""
    return sorted(registry.services())

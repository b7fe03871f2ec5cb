"""Where a model sends: which of the addresses that are given, and whose it is."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmkit.errors import ConfigError
from llmkit.provider.interface import BaseProvider

if TYPE_CHECKING:
    from llmkit.config.file.schema import Section


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """A table of the configuration file, as far as it says where to send and with which secrets.

    Attributes:
        section: the table.
        base_url: its address, references replaced.
        bound: those of its settings that may hold a secret beside the key, because they refer to variables; references
            replaced.
    """

    section: Section
    base_url: str | None
    bound: Mapping[str, object] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The words for the table's address in an error."""
        return f"{self.section.key}.base_url of {self.section.path}"


@dataclass(frozen=True, slots=True)
class Places:
    """What the configuration file says: the profile that was named outranks the environment, the defaults do not."""

    profile: Place | None = None
    defaults: Place | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model sends.

    Attributes:
        url: the address, scheme and host in lower case.
        origin: the words for who gave it.
        place: the table of the file that gave it, if one did.
        local: is it on this machine?
        is_vendors: is it the vendor's own, where a key of the environment may go?
    """

    url: str
    origin: str
    place: Place | None
    local: bool
    is_vendors: bool


NOWHERE = Places()


def resolve_address(
    provider: BaseProvider, settings: Mapping[str, object], environ: Mapping[str, str], places: Places = NOWHERE
) -> Address:
    """Where a model sends: the strongest of the addresses that are given.

    Raises:
        ConfigError: no address, or a bad one.
        ConfigFileError: a setting of a table, with variables in it, would go to an address that is not the table's.
    """
    variable, of_environment = read_first_variable(provider.base_url_env, environ)
    profile, defaults = places.profile, places.defaults
    place = None
    if given := settings.get("base_url"):
        raw, label, origin = str(given), "base_url", "create_language"
    elif profile and profile.base_url:
        raw, label, origin, place = profile.base_url, profile.label, profile.section.origin, profile
    elif of_environment and variable:
        raw, label, origin = of_environment, variable, f"environment {variable}"
    elif defaults and defaults.base_url:
        raw, label, origin, place = defaults.base_url, defaults.label, defaults.section.origin, defaults
    else:
        default = _fill_template(provider.default_base_url, environ)
        if default is None:
            raise ConfigError(f"{provider.name} has no address of its own", hint="Pass base_url=")
        raw, label, origin = default, "the default address", "default"
    url = provider.normalise_base_url(raw)
    local = check_url(url, label)
    url = normalise_case(url)
    is_vendors = web_origin(url) in vendor_web_origins(provider, of_environment, environ)
    address = Address(url, origin, place, local, is_vendors)
    _check_bound(provider, settings, address, places)
    return address


def _check_bound(provider: BaseProvider, settings: Mapping[str, object], address: Address, places: Places) -> None:
    """Raise `ConfigFileError` if a setting that is bound to a table applies, and the address is not the table's.

    Headers and body fields may hold credentials. Those that refer to variables go to the address of their table; those
    of a table without an address go to the vendor's own, and where the vendor's variable or default leads.
    """
    for place in (places.profile, places.defaults):
        for name, value in place.bound.items() if place else ():
            if place is None or settings.get(name) is not value:
                continue  # A stronger source has replaced it.
            is_default = not place.base_url and address.place is None and address.origin != "create_language"
            if not (is_default or is_address_of(place, address, provider)):
                raise place.section.error(
                    f"refers to variables, which are not sent to {urlsplit(address.url).hostname}",
                    name,
                    hint=f"They go to the address of [{place.section.key}] only; pass {name}= for another one",
                )


def is_address_of(place: Place, address: Address, provider: BaseProvider) -> bool:
    """Is it the address of the table, or, where the table has none, the vendor's own?"""
    if place.base_url:
        return web_origin(provider.normalise_base_url(place.base_url)) == web_origin(address.url)
    return address.is_vendors


def check_url(url: str, label: str) -> bool:
    """Raise `ConfigError` if `url` is not a usable address, with `label` for it; else: is it on this machine?"""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # Its message would repeat the address, which may hold a secret.
        raise ConfigError(f"{label} is not an address", hint="Its host or port is wrong") from None
    if "@" in parts.netloc:
        raise ConfigError(f"{label} holds a user name or password", hint="Pass the key as api_key=")
    odd = any(char <= " " or char == "\x7f" for char in url)
    if parts.scheme not in ("http", "https") or not parts.hostname or odd:
        raise ConfigError(f"{label} is not an http:// or https:// address", hint="Shape: https://host/v1")
    return is_loopback(parts.hostname)


def normalise_case(url: str) -> str:
    """A checked address with scheme and host, which mean the same in any case, in lower case."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.lower()).geturl()


def is_loopback(host: str) -> bool:
    """Does the host name stand for this machine?"""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def web_origin(url: str) -> str:
    """Scheme, host and port of an address: what browsers call its origin (RFC 6454)."""
    parts = urlsplit(url)
    default = 443 if parts.scheme == "https" else 80
    port = default if parts.port is None else parts.port
    return f"{parts.scheme}://{parts.hostname}:{port}"


def vendor_web_origins(provider: BaseProvider, of_environment: str | None, environ: Mapping[str, str]) -> set[str]:
    """The web origins of a vendor, where its key of the environment may go.

    Args:
        of_environment: the address that the vendor's variable names, if it is set.
    """
    urls = list(provider.key_origins)
    if provider.key_follows_url:
        if of_environment and "${" not in of_environment:
            urls.append(of_environment)
        with suppress(ConfigError):  # The default address may need variables that are not set.
            urls.append(_fill_template(provider.default_base_url, environ) or "")
    return {web_origin(provider.normalise_base_url(url)) for url in urls if url}


def _fill_template(template: str | None, environ: Mapping[str, str]) -> str | None:
    """A default address with its `${VARIABLE}`s, such as an account id, out of the environment."""
    if template is None or "${" not in template:
        return template

    def fill(match: re.Match[str]) -> str:
        text = environ.get(match[1], "").strip().rstrip("/")
        if match.start():
            text = re.sub("^https://", "", text, flags=re.IGNORECASE)  # Some write the host with its scheme.
            if text and not re.fullmatch(r"[\w.-]+", text):
                raise ConfigError(
                    f"the environment variable {match[1]} cannot be part of an address",
                    hint="It is a host name or an id",
                )
        if not text:
            raise ConfigError(
                f"the address needs the environment variable {match[1]}", hint=f"Set {match[1]} or pass base_url="
            )
        return text

    return re.sub(r"\$\{(\w+)\}", fill, template)


def read_first_variable(names: Sequence[str], environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The first of the variables that is set, and its text."""
    return next(((name, text) for name in names if (text := environ.get(name, "").strip())), (None, None))

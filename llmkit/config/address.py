"""Where a model sends: which of the addresses that are given, and whose it is."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmkit.errors import ConfigError
from llmkit.provider.interface import BaseProvider

if TYPE_CHECKING:
    from llmkit.config.file.schema import Section


@dataclass(frozen=True, slots=True)
class Place:
    """A table of the configuration file, as far as it says where to send and with which key.

    Attributes:
        section: the table; `origin`: its words for a reader.
        base_url: its address, references replaced.
    """

    section: Section
    origin: str
    base_url: str | None


@dataclass(frozen=True, slots=True)
class Places:
    """What the configuration file says: the profile that was named outranks the environment, the defaults do not."""

    profile: Place | None = None
    defaults: Place | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model sends.

    Attributes:
        url: the address, scheme and host in lower case; `origin`: who gave it, in words.
        place: the table of the file that gave it, if one did.
        local: is it on this machine?
        own: is it the vendor's own, where a key of the environment may go?
    """

    url: str
    origin: str
    place: Place | None
    local: bool
    own: bool


NOWHERE = Places()


def resolve_address(
    provider: BaseProvider, settings: Mapping[str, object], environ: Mapping[str, str], places: Places = NOWHERE
) -> Address:
    """Where a model sends: the strongest of the addresses that are given.

    Raises:
        ConfigError: no address, or a bad one.
    """
    variable, named = first(provider.base_url_env, environ)
    profile, defaults = places.profile, places.defaults
    place = None
    if given := settings.get("base_url"):
        raw, source, words = str(given), "base_url", "create_language"
    elif profile and profile.base_url:
        raw, source, words, place = profile.base_url, url_of(profile), profile.origin, profile
    elif named and variable:
        raw, source, words = named, variable, f"environment {variable}"
    elif defaults and defaults.base_url:
        raw, source, words, place = defaults.base_url, url_of(defaults), defaults.origin, defaults
    else:
        default = _filled(provider.default_base_url, environ)
        if default is None:
            raise ConfigError(f"{provider.name} has no address of its own", hint="Pass base_url=")
        raw, source, words = default, "the default address", "default"
    written = provider.normalise_base_url(raw)
    local = check_url(written, source)
    url = plain_case(written)
    return Address(url, words, place, local, origin(url) in own_origins(provider, named, environ))


def url_of(place: Place) -> str:
    """The words for the address of a table."""
    return f"{place.section.key}.base_url of {place.section.path}"


def check_url(url: str, source: str) -> bool:
    """Is `url` on this machine? Raises `ConfigError` if it is no usable address."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # Its words would repeat what stands there.
        raise ConfigError(f"{source} is not an address", hint="Its host or port is wrong") from None
    if "@" in parts.netloc:
        raise ConfigError(f"{source} holds a user name or password", hint="Pass the key as api_key=")
    odd = any(char <= " " or char == "\x7f" for char in url)
    if parts.scheme not in ("http", "https") or not parts.hostname or odd:
        raise ConfigError(f"{source} is not an http:// or https:// address", hint="Shape: https://host/v1")
    return is_loopback(parts.hostname)


def plain_case(url: str) -> str:
    """A checked address as everything after its check reads it: scheme and host mean the same in any case."""
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


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    default = 443 if parts.scheme == "https" else 80
    port = default if parts.port is None else parts.port
    return f"{parts.scheme}://{parts.hostname}:{port}"


def own_origins(provider: BaseProvider, named: str | None, environ: Mapping[str, str]) -> set[str]:
    """Where a key of the environment may go. `named` is the address that the vendor's variable names."""
    own = list(provider.key_origins)
    if provider.key_follows_url:
        if named and "${" not in named:
            own.append(named)
        with suppress(ConfigError):  # The default address may need variables that are not set.
            own.append(_filled(provider.default_base_url, environ) or "")
    return {origin(provider.normalise_base_url(url)) for url in own if url}


def _filled(template: str | None, environ: Mapping[str, str]) -> str | None:
    """A default address with its `${VARIABLE}`s, such as an account id, out of the environment."""
    if template is None or "${" not in template:
        return template

    def value(match: re.Match[str]) -> str:
        text = environ.get(match[1], "").strip().rstrip("/")
        if match.start():
            text = re.sub("^https://", "", text, flags=re.IGNORECASE)  # Some write the host with its scheme.
            if text and not re.fullmatch(r"[\w.-]+", text):
                raise ConfigError(
                    f"the environment variable {match[1]} is no part of an address", hint="It is a host name or an id"
                )
        if not text:
            raise ConfigError(
                f"the address needs the environment variable {match[1]}", hint=f"Set {match[1]} or pass base_url="
            )
        return text

    return re.sub(r"\$\{(\w+)\}", value, template)


def first(names: Sequence[str], environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The first variable that is set, and its text."""
    return next(((name, text) for name in names if (text := environ.get(name, "").strip())), (None, None))

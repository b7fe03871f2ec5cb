"""Which settings apply: joins their sources, and decides which key may go where. No I/O.

Strongest first: the call, `create_language(...)`, environment variables, built-in defaults. The environment is read
when a model is made, not at import.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

from llmkit.checks import check_headers, check_settings, describe
from llmkit.errors import ConfigError, Unsupported
from llmkit.exchange import Endpoint
from llmkit.provider import BaseProvider
from llmkit.secret import Secret
from llmkit.settings import RANGES, SAMPLING, Settings

DEFAULT_TIMEOUT = 120.0
#: Settings that only some backends have, beside the sampling ones.
_ATTRIBUTION = frozenset({"site_url", "app_name"})


def supported(provider: BaseProvider, settings: Mapping[str, object], *, drop: bool) -> dict[str, object]:
    """The part of `settings` that goes to the service with the question.

    Raises:
        Unsupported: the backend does not have a setting, and `drop` is false.
    """
    kept: dict[str, object] = {}
    for name, value in settings.items():
        if name in SAMPLING or name in _ATTRIBUTION:
            if name in provider.supported:
                kept[name] = value
            elif not drop:
                raise Unsupported(
                    f"{provider.title or provider.name} has no setting {name}",
                    provider=provider.name,
                    hint='Leave it out, or pass on_unsupported="drop"',
                )
    return kept


def options_for(provider: BaseProvider, options: object) -> object | None:
    """The options object that is the provider's own, out of one or several; `None` where none is.

    Raises:
        ConfigError: something that is no options object, or two of one class.
    """
    own: list[object] = []
    for item in listed(options):
        if isinstance(item, (type, str, int, float, Mapping)) or type(item) is object:
            named = provider.options_type.__name__ if provider.options_type else "an options class of the provider"
            raise ConfigError(f"options holds {describe(item)}", hint=f"Pass {named}(...)")
        if provider.options_type is not None and isinstance(item, provider.options_type):
            own.append(item)
    if len(own) > 1:
        raise ConfigError(f"options holds {len(own)} objects of {type(own[0]).__name__}", hint="Pass one")
    return own[0] if own else None


def listed(options: object) -> list[object]:
    """One options object or several, as a list."""
    return [] if options is None else list(options) if isinstance(options, (list, tuple)) else [options]


def from_environment(provider: BaseProvider, environ: Mapping[str, str]) -> dict[str, object]:
    """Settings that the environment gives defaults for.

    Raises:
        ConfigError: a variable that should hold a number does not.
    """
    found: dict[str, object] = {}
    for variable, name in provider.setting_env.items():
        text = environ.get(variable, "").strip()
        if not text:
            continue
        value: object = text
        if name in RANGES:
            kind = RANGES[name][0]
            try:
                value = kind(text)
            except ValueError:
                raise ConfigError(f"the environment variable {variable} is not a number") from None
        try:
            found.update(check_settings({name: value}, call=False))
        except ConfigError as error:
            raise ConfigError(f"the environment variable {variable}: {error.message}", hint=error.hint) from None
    return found


def resolve_endpoint(provider: BaseProvider, settings: Mapping[str, object], environ: Mapping[str, str]) -> Endpoint:
    """Where a model sends, and with which key.

    A key of the environment goes only to its vendor's own origins, or to the address that the same vendor's variable
    names. For any other address a key must be given; a loopback server needs none.

    Raises:
        ConfigError: no address, a bad one, no key where one is needed, or a key over plain http.
    """
    variable, named = _first(provider.base_url_env, environ)
    given = settings.get("base_url")
    raw = str(given) if given else named or _filled(provider.default_base_url, environ)
    if raw is None:
        raise ConfigError(f"{provider.name} has no address of its own", hint="Pass base_url=")
    url = provider.normalise_base_url(raw)
    source = "base_url" if given else variable or "the default address"
    local = check_url(url, source)
    own = origin(url) in _own_origins(provider, named, environ)
    key = _key(provider, settings.get("api_key"), environ, own=own, local=local, url=url)
    if key is not None and url.startswith("http://") and not local and not settings.get("allow_insecure"):
        raise ConfigError(
            f"a key would go over plain http to {urlsplit(url).hostname}",
            hint="Use https://, or pass allow_insecure=True on a network that you trust",
            provider=provider.name,
        )
    resolved = cast("Settings", {**settings, "base_url": url, "api_key": key})
    endpoint = provider.endpoint(resolved)
    headers = {name: text for variable, name in provider.header_env.items() if own and (text := environ.get(variable))}
    headers |= endpoint.headers
    check_headers(headers, "a header")
    return replace(
        endpoint,
        headers=headers,
        local=local,
        **{name: settings.get(name) for name in ("proxy", "ca_bundle", "client_cert", "max_connections")},  # type: ignore[arg-type]
    )


def check_url(url: str, source: str) -> bool:
    """Is `url` on this machine? Raises `ConfigError` if it is no usable address."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"{source} is not an address: {error}") from None
    if "@" in parts.netloc:
        raise ConfigError(f"{source} holds a user name or password", hint="Pass the key as api_key=")
    odd = any(char <= " " or char == "\x7f" for char in url)
    if parts.scheme not in ("http", "https") or not parts.hostname or odd:
        raise ConfigError(f"{source} is not an http:// or https:// address", hint="Shape: https://host/v1")
    return is_loopback(parts.hostname)


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


def _own_origins(provider: BaseProvider, named: str | None, environ: Mapping[str, str]) -> set[str]:
    own = list(provider.key_origins)
    if provider.key_follows_url:
        # The default address is asked for only where no variable names another: it may need variables of its own.
        own += [url for url in (named, provider.default_base_url) if url and "${" not in url]
        if (
            own_template := provider.default_base_url
            if provider.default_base_url and "${" in provider.default_base_url
            else None
        ):
            with suppress(ConfigError):
                own.append(_filled(own_template, environ) or "")
    return {origin(provider.normalise_base_url(url)) for url in own if url}


def _filled(template: str | None, environ: Mapping[str, str]) -> str | None:
    """A default address with its `${VARIABLE}`s, such as an account id, out of the environment."""
    if template is None or "${" not in template:
        return template

    def value(match: re.Match[str]) -> str:
        text = environ.get(match[1], "").strip().rstrip("/")
        if match.start():
            text = text.removeprefix("https://")  # Some write the host with its scheme.
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


def _first(names: Sequence[str], environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    return next(((name, text) for name in names if (text := environ.get(name, "").strip())), (None, None))


def _key(
    provider: BaseProvider, given: object, environ: Mapping[str, str], *, own: bool, local: bool, url: str
) -> Secret | Callable[[], str] | None:
    if callable(given):
        return cast("Callable[[], str]", given)
    if isinstance(given, Secret):
        return given
    if given:
        if not isinstance(given, str):
            raise ConfigError(f"api_key is {type(given).__name__}", hint="Pass the key as text, or a callable")
        return sound_key(given, "api_key")
    variable, text = _first(provider.key_env, environ)
    if text is not None and variable is not None and own:
        return sound_key(text, variable)
    if local or not provider.key_required:
        return None
    where = f" The key of {variable} is not sent to {urlsplit(url).hostname}." if text is not None else ""
    page = f"; get a key at {provider.key_page}" if provider.key_page else ""
    set_it = f"Set {provider.key_env[0]} or pass api_key=" if own and provider.key_env else "Pass api_key="
    raise ConfigError(
        f"no API key for {provider.title or provider.name}.{where}", hint=f"{set_it}{page}", provider=provider.name
    )


def sound_key(key: str, source: str) -> Secret:
    """A key that can go into a header. Raises `ConfigError`, without the key, for one that cannot."""
    key = key.strip()
    if not key.isascii() or any(char <= " " or char == "\x7f" for char in key):
        raise ConfigError(f"{source} holds a character that no key has", hint="Check for spaces and line breaks in it")
    return Secret(key)

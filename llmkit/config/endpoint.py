"""The endpoint of a model: address, key and headers together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

from llmkit.config.address import NOWHERE, Places, resolve_address
from llmkit.config.key import resolve_key
from llmkit.config.setting_checks import check_headers
from llmkit.errors import ConfigError
from llmkit.provider.exchange import Endpoint
from llmkit.provider.interface import BaseProvider
from llmkit.types.settings import Settings


def resolve_endpoint(
    provider: BaseProvider,
    settings: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    need_key: bool = True,
    places: Places = NOWHERE,
) -> Endpoint:
    """Where a model sends, and with which key.

    A key of the environment goes only to its vendor's own origins, or to the address that the same vendor's variable
    names. A key of the configuration file goes only to the address of the same table, or, where that has none, where a
    key of the environment may go. For any other address a key must be given; a loopback server needs none. Without
    `need_key` a key that is not there is left out.

    Args:
        settings: what applies, all sources joined; `base_url` and `api_key` only as they were given in code.
        places: what the configuration file says of address and key.

    Raises:
        ConfigError: no address, a bad one, no key where one is needed, or a key over plain http.
    """
    at = resolve_address(provider, settings, environ, places)
    key, _, _ = resolve_key(provider, settings.get("api_key"), environ, at, places, need_key=need_key)
    to = urlsplit(at.url)
    if key is not None and to.scheme != "https" and not at.local and not settings.get("allow_insecure"):
        raise ConfigError(
            f"a key would go over plain http to {to.hostname}",
            hint="Use https://, or pass allow_insecure=True on a network that you trust",
            provider=provider.name,
        )
    resolved = cast("Settings", {**settings, "base_url": at.url, "api_key": key})
    endpoint = provider.endpoint(resolved)
    own = at.own
    headers = {name: text for variable, name in provider.header_env.items() if own and (text := environ.get(variable))}
    headers |= endpoint.headers
    check_headers(headers, "a header")
    return replace(
        endpoint,
        headers=headers,
        local=at.local,
        **{name: settings.get(name) for name in ("proxy", "ca_bundle", "client_cert", "max_connections")},  # type: ignore[arg-type]
    )

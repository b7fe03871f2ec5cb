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
    """Where a model sends, and with which key. Which key may go where is explained in `llmkit.config.key`.

    Args:
        settings: what applies, all sources joined; `base_url` and `api_key` only as they were given in code.
        need_key: raise where the service needs a key and there is none; else the endpoint has none.
        places: what the configuration file says of address and key.

    Raises:
        ConfigError: no address, a bad one, no key where one is needed, or a key over plain http.
    """
    address = resolve_address(provider, settings, environ, places)
    key = resolve_key(provider, settings.get("api_key"), environ, address, places, need_key=need_key).value
    parts = urlsplit(address.url)
    if key is not None and parts.scheme != "https" and not address.local and not settings.get("allow_insecure"):
        raise ConfigError(
            f"a key would go over plain http to {parts.hostname}",
            hint="Use https://, or pass allow_insecure=True on a network that you trust",
            provider=provider.name,
        )
    endpoint = provider.endpoint(cast("Settings", {**settings, "base_url": address.url, "api_key": key}))
    # Headers of the environment, such as an organisation's id, go where the environment's key may go.
    header_env = provider.header_env if address.is_vendors else {}
    headers = {name: text for variable, name in header_env.items() if (text := environ.get(variable))}
    headers |= endpoint.headers
    check_headers(headers, "a header")
    return replace(
        endpoint,
        headers=headers,
        local=address.local,
        **{name: settings.get(name) for name in ("proxy", "ca_bundle", "client_cert", "max_connections")},  # type: ignore[arg-type]
    )

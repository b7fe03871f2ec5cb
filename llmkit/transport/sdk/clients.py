"""The SDK's clients, made so that nothing of one vendor leaks to another.

What is closed here: `OPENAI_*` variables (key, organisation, project, custom headers, base URL), the SDK's own retries
and redirects, its telemetry headers, cookies, and proxies for loopback addresses. The TLS context is built once per
process and set of certificates, because loading the authorities takes 16 ms.
"""

from __future__ import annotations

import http.cookiejar
import ssl
import sys
from functools import lru_cache
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from llmkit.errors import ConfigError
from llmkit.transport.sdk.bodies import refuse_status, refuse_status_async
from llmkit.transport.sdk.clamp import clamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai import AsyncOpenAI, OpenAI

    from llmkit.provider.exchange import Endpoint

#: The content type of a request that does not name one.
JSON_TYPE = "application/json"
_tls: dict[tuple[bool, str | None, str | tuple[str, str] | None], ssl.SSLContext] = {}
_tls_lock = Lock()
T = TypeVar("T")


@lru_cache(maxsize=1)
def base_headers() -> Mapping[str, str]:
    """What every request carries. Replies come uncompressed, so a small reply cannot unfold into a large one."""
    return {
        "Accept": "application/json, text/event-stream",
        "Accept-Encoding": "identity",
        "Content-Type": JSON_TYPE,
        "User-Agent": f"llmkit/{version('llmkit')}",
    }


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """The TLS context of an endpoint; one per process for those that trust the same authorities."""
    plain = urlsplit(endpoint.base_url).scheme == "http" and not endpoint.proxy
    key = (plain, endpoint.ca_bundle, endpoint.client_cert)
    with _tls_lock:
        if key not in _tls:
            _tls[key] = _make_tls(*key)
        return _tls[key]


def _make_tls(plain: bool, ca_bundle: str | None, cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    if plain:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Never used: it spares the loading of the authorities.
    if ca_bundle:
        context = _from_file("ca_bundle", ca_bundle, lambda: ssl.create_default_context(cafile=ca_bundle))
    else:
        import openai

        # The HTTP library under the SDK knows where this system's authorities are; its name depends on the version.
        library = sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]
        context = cast("Any", library).create_ssl_context()
    if cert:
        paths = (cert,) if isinstance(cert, str) else cert
        _from_file("client_cert", " and ".join(paths), lambda: context.load_cert_chain(*paths))
    return context


def _from_file(setting: str, path: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{setting} {path} cannot be read: {error.strerror or type(error).__name__}",
            hint="It is the path of a PEM file",
        ) from None


def _client_arguments(endpoint: Endpoint) -> dict[str, Any]:
    import openai

    refuse_all = http.cookiejar.DefaultCookiePolicy(allowed_domains=[])
    defaults = openai.DEFAULT_CONNECTION_LIMITS
    limits = type(defaults)(
        max_connections=endpoint.max_connections or defaults.max_connections,
        max_keepalive_connections=defaults.max_keepalive_connections,
        keepalive_expiry=30.0,
    )
    arguments: dict[str, Any] = {
        "verify": tls_context(endpoint),
        "trust_env": not endpoint.local,
        "follow_redirects": False,
        "cookies": http.cookiejar.CookieJar(policy=refuse_all),
        "limits": limits,
    }
    if endpoint.proxy:
        arguments["proxy"] = endpoint.proxy
    return arguments


def sync_client(endpoint: Endpoint) -> OpenAI:
    """A client for one endpoint, with its own pool."""
    import openai

    hooks = {"response": [refuse_status]}
    http_client = openai.DefaultHttpxClient(**_client_arguments(endpoint), event_hooks=hooks)
    clamp(http_client)
    return _sync_class()(
        api_key="unused",
        base_url=endpoint.base_url,
        max_retries=0,
        http_client=http_client,
        organization="",
        project="",
    )


def async_client(endpoint: Endpoint) -> AsyncOpenAI:
    """A client for one endpoint and one event loop. With aiohttp installed it is the SDK's aiohttp client."""
    import openai

    arguments = {**_client_arguments(endpoint), "event_hooks": {"response": [refuse_status_async]}}
    try:
        http_client = openai.DefaultAioHttpClient(**arguments)
    except (RuntimeError, AttributeError):  # aiohttp, or the SDK's extra for it, is not installed
        http_client = openai.DefaultAsyncHttpxClient(**arguments)
    return _async_class()(
        api_key="unused",
        base_url=endpoint.base_url,
        max_retries=0,
        http_client=http_client,
        organization="",
        project="",
    )


class _NoCredentials:
    """What the SDK's clients lose: credentials and headers of their own. Every request brings what it needs."""

    @property
    def default_headers(self) -> dict[str, Any]:
        return {}

    @property
    def auth_headers(self) -> dict[str, str]:
        return {}

    def _auth_headers(self, security: Any) -> dict[str, str]:
        return {}  # What newer SDKs ask instead of the property.

    def _validate_headers(self, headers: Any, custom_headers: Any) -> None:
        """A server on this machine needs no key."""


@lru_cache(maxsize=1)
def _sync_class() -> type[OpenAI]:
    import openai

    return type("Client", (_NoCredentials, openai.OpenAI), {})


@lru_cache(maxsize=1)
def _async_class() -> type[AsyncOpenAI]:
    import openai

    return type("AsyncClient", (_NoCredentials, openai.AsyncOpenAI), {})

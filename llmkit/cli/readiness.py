"""Could a provider be called now? What its class says, held against the environment. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from llmkit.errors import ConfigError
from llmkit.resolve import from_environment, resolve_endpoint

if TYPE_CHECKING:
    from llmkit.exchange import Endpoint
    from llmkit.provider import BaseProvider
    from llmkit.settings import Settings

Key = Literal["set", "missing", "not needed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """A provider's state. It never holds a key.

    Attributes:
        configured: would `create_language` succeed, once a model is named?
        key: is there a key, and is one needed?
        variable: the environment variable that holds the key, or the first that may; `None` where none may.
        key_page: where to get a key.
        base_url: where calls go, `None` where that is not known; `local`: is it this machine?
        own_address: is that the vendor's own address?
        default_model: the model when none is named.
        problem: what is wrong, in the library's words.
    """

    configured: bool
    key: Key
    variable: str | None
    key_page: str | None
    base_url: str | None
    local: bool
    own_address: bool
    default_model: str | None
    problem: str | None


def readiness(provider: BaseProvider, environ: Mapping[str, str]) -> Readiness:
    """The state of a provider in an environment."""
    endpoint: Endpoint | None = None
    problem = None
    holder = next((name for name in provider.key_env if environ.get(name, "").strip()), None)
    try:
        endpoint = resolve_endpoint(provider, from_environment(provider, environ), environ)
    except ConfigError as error:
        problem = error.message
    if endpoint is not None:
        key: Key = "not needed" if endpoint.api_key is None else "set"
    else:
        key = "missing" if provider.key_required and holder is None else "set" if holder else "not needed"
    address = endpoint.base_url if endpoint is not None else _address(provider, environ)
    named = environ.get(provider.model_env) if provider.model_env else None
    return Readiness(
        configured=problem is None,
        key=key,
        variable=holder or next(iter(provider.key_env), None),
        key_page=provider.key_page,
        base_url=address,
        local=endpoint is not None and endpoint.local,
        own_address=address is not None and address == provider.default_base_url,
        default_model=named or provider.default_model,
        problem=problem,
    )


def _address(provider: BaseProvider, environ: Mapping[str, str]) -> str | None:
    """The address alone, where the key is missing or something else is wrong."""
    settings = cast("Settings", {"api_key": lambda: "", "allow_insecure": True})
    try:
        return resolve_endpoint(provider, settings, environ).base_url
    except ConfigError:
        return None

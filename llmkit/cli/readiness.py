"""Whether a provider could be called now, by its class, the environment and the configuration file. Nothing is sent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llmkit.config.file.find import load_file
from llmkit.config.locate import locate
from llmkit.errors import ConfigError
from llmkit.language import quick
from llmkit.provider.registry import get_provider

if TYPE_CHECKING:
    from llmkit.provider.exchange import Endpoint
    from llmkit.provider.interface import BaseProvider

Key = Literal["set", "missing", "not needed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """A provider's state. It never holds a key.

    Attributes:
        configured: would `create_language` succeed, once a model is named?
        key: is there a key, and is one needed?
        variable: the environment variable that holds the key, or the first one that could; `None` if there is none.
        key_page: where to get a key.
        base_url: where calls go; `None` if that is not known.
        local: is `base_url` on this machine?
        own_address: is `base_url` the vendor's own address?
        default_model: the model that is used when none is named.
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


#: In the order in which one is chosen when none is named.
HOSTED = tuple(quick.HOSTED_PROVIDERS)
LOCAL = quick.LOCAL_PROVIDER


def find_readiness(provider: BaseProvider) -> Readiness:
    """Return the readiness of a provider, by the environment and the configuration file, as for a call."""
    endpoint: Endpoint | None = None
    problem = None
    try:
        endpoint = locate(provider.name, {}).endpoint
    except ConfigError as error:
        problem = error.message
    variables = [*_find_config_variables(provider.name), *provider.key_env]
    holder = next((name for name in variables if os.environ.get(name, "").strip()), None)
    if endpoint is not None:
        key: Key = "not needed" if endpoint.api_key is None else "set"
    else:
        key = "missing" if provider.key_required and holder is None else "set" if holder else "not needed"
    address = endpoint.base_url if endpoint is not None else _find_address(provider.name)
    model_of_environment = os.environ.get(provider.model_env) if provider.model_env else None
    return Readiness(
        configured=problem is None,
        key=key,
        variable=holder or next(iter(variables), None),
        key_page=provider.key_page,
        base_url=address,
        local=endpoint is not None and endpoint.local,
        own_address=address is not None and address == provider.default_base_url,
        default_model=model_of_environment or provider.default_model,
        problem=problem,
    )


def get_readiness(name: str) -> Readiness:
    """Return the readiness of the provider of that name."""
    return find_readiness(get_provider(name))


def _find_config_variables(name: str) -> list[str]:
    """Return the variable that the configuration file names for the provider's key, as a list of one or none."""
    try:
        file = load_file()
    except ConfigError:
        return []  # `locate` has reported the error.
    section = file.providers.get(name) if file else None
    return [section.key_variable] if section and section.key_variable else []


def _find_address(name: str) -> str | None:
    """Return the address alone, for a provider whose key is missing or that has another problem."""
    try:
        return locate(name, {"allow_insecure": True}, need_key=False).endpoint.base_url
    except ConfigError:
        return None

"""Provider, address, key and model of what a user names: by the same rules as `create_language`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.config.choice import choose
from llmkit.config.endpoint import resolve_endpoint
from llmkit.config.layers import layered_settings
from llmkit.config.setting_checks import check_settings
from llmkit.errors import LLMError

if TYPE_CHECKING:
    from llmkit.provider.exchange import Endpoint
    from llmkit.provider.interface import BaseProvider


@dataclass(frozen=True, slots=True, repr=False)
class Location:
    """A provider, where and with which key it is asked, and the settings that apply there, all sources joined."""

    provider: BaseProvider
    endpoint: Endpoint
    settings: Mapping[str, object]


def locate(provider: str, settings: Mapping[str, object], *, need_key: bool = True) -> Location:
    """Where a provider is asked, and with which key: by the same rules as `create_language`.

    Args:
        provider: name of a provider, a service or a profile.
        settings: as `create_language` takes them; those of a call count too.
        need_key: raise where the service needs a key and there is none; else the endpoint has none.

    Raises:
        UnknownProvider, ProviderConflict, ProviderLoadError: there is no such provider, or it cannot be loaded.
        ConfigError: a setting is unknown or wrong, or a key is missing.
    """
    environ = os.environ
    choice = choose(provider, None, environ)
    try:
        layers = layered_settings(choice, check_settings(settings, call=False), environ)
        applying = layers.all
        endpoint = resolve_endpoint(choice.provider, applying, environ, need_key=need_key, places=layers.places)
        return Location(choice.provider, endpoint, applying)
    except LLMError as error:
        error.provider = error.provider or choice.provider.name
        raise


def resolve_target(provider: str, model: str | None = None) -> tuple[BaseProvider, str | None]:
    """The provider, and the service's id of the model, that `create_language` with these names would use.

    The model is `None` where none is named and the provider has no default.

    Raises:
        UnknownProvider, ProviderConflict, ProviderLoadError: there is no such provider, or it cannot be loaded.
        ConfigError: a name is none, or the configuration file is wrong.
    """
    choice = choose(provider, model, os.environ)
    named, _ = choice.name_of_model(os.environ)
    return choice.provider, choice.model_id(named) if named else None

"""From a selection to where a call goes: the way that `create_language` and `locate` take.

It has one direction, and each step is one module of this room:

    selection.py   which provider, profile and model a name stands for
    fallbacks.py   the same for the targets that stand in for it
    layers.py      its settings, by source
    address.py     where it sends
    key.py         with which key
    endpoint.py    both together, as the transport takes them

`explain_settings` takes the same steps, without the last, and shows what it passes.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.config.endpoint import resolve_endpoint
from llmkit.config.layers import Layers, layer_settings
from llmkit.config.selection import Selection, select
from llmkit.config.setting_checks import check_settings
from llmkit.errors import LLMError

if TYPE_CHECKING:
    from llmkit.provider.exchange import Endpoint
    from llmkit.provider.interface import BaseProvider


@dataclass(frozen=True, slots=True, repr=False)
class Location:
    """A provider, where and with which key it is asked, and the settings that apply there.

    Attributes:
        settings: what applies, all sources joined.
        layers: the same by source.
    """

    provider: BaseProvider
    endpoint: Endpoint
    settings: Mapping[str, object]
    layers: Layers


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
    selection = select(provider, None, os.environ)
    try:
        return locate_selection(selection, check_settings(settings, call=False), os.environ, need_key=need_key)
    except LLMError as error:
        error.provider = error.provider or selection.provider.name
        raise


def locate_selection(
    selection: Selection,
    given: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    need_key: bool = True,
    outranked: Iterable[str] = (),
    fallback_providers: Collection[str] = (),
) -> Location:
    """Where the selected provider is asked; for the arguments see `locate` and `layer_settings`."""
    provider = selection.provider
    layers = layer_settings(selection, given, environ, outranked=outranked, fallback_providers=fallback_providers)
    settings = layers.all
    endpoint = resolve_endpoint(provider, settings, environ, need_key=need_key, places=layers.places)
    return Location(provider, endpoint, settings, layers)


def resolve_target(provider: str, model: str | None = None) -> tuple[BaseProvider, str | None]:
    """The provider, and the service's id of the model, that `create_language` with these names would use.

    The model is `None` where none is named and the provider has no default.

    Raises:
        UnknownProvider, ProviderConflict, ProviderLoadError: there is no such provider, or it cannot be loaded.
        ConfigError: a name is not text or is empty, or the configuration file is wrong.
    """
    selection = select(provider, model, os.environ)
    name = selection.resolve_model(os.environ)
    return selection.provider, name.id if name else None

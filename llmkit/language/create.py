"""`create_language`: from a provider's or profile's name and a model's name to a `LanguageModel`."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Unpack, cast

from llmkit.config.fallbacks import select_fallbacks
from llmkit.config.locate import locate_selection
from llmkit.config.selection import Selection, select
from llmkit.config.setting_checks import check_settings, describe
from llmkit.errors import ConfigError, LLMError
from llmkit.language.model import LanguageModel
from llmkit.operations.setup import INHERITED, Setup
from llmkit.transport.connection import Connection

if TYPE_CHECKING:
    from llmkit.types.settings import Settings

log = logging.getLogger("llmkit")

__all__ = ["create_language"]


def create_language(
    provider: str, model: str | None = None, *, config: Settings | None = None, **settings: Unpack[Settings]
) -> LanguageModel:
    """Make a model by name. Nothing is sent, and no HTTP library is loaded, before the first call.

    Args:
        provider: name of an installed provider or known service: "openrouter", "ollama", "openai", "groq", ...; or of a
            profile of the configuration file; or both names in one string, "openrouter:openai/gpt-4o" (split at the
            first colon); or an alias of the file that stands for such a string.
        model: name of the model as the service has it, or an alias. `None` takes that of the profile, else the
            provider's default model, if it has one.
        config: settings as a dict; a keyword outranks it.
        settings: see `llmkit.types.settings.Settings`. They outrank profile and environment.

    Raises:
        UnknownProvider, ProviderConflict, ProviderLoadError: there is no such provider, or it cannot be loaded.
        ConfigFileError: the configuration file is wrong.
        ConfigError: a setting is unknown or wrong, a key or model is missing.
        Unsupported: the backend does not have a setting.
    """
    environ = os.environ
    selection = select(provider, model, environ)
    if config is not None and not isinstance(cast("object", config), Mapping):
        raise ConfigError(f"config is {describe(config)}", hint='Pass a dict: config={"temperature": 0}')
    try:
        given = check_settings({**(config or {}), **settings}, call=False)
        fallbacks = select_fallbacks(
            selection, given.pop("fallbacks", None), environ, is_model=lambda item: isinstance(item, LanguageModel)
        )
        spares = [_create_spare(fallback, environ, set(given) & INHERITED) for fallback in fallbacks]
        created = _create(selection, given, environ, spares)
    except LLMError as error:
        error.provider = error.provider or selection.provider.name
        raise
    created.own(spare for spare, fallback in zip(spares, fallbacks, strict=True) if spare is not fallback)
    return created


def _create(
    selection: Selection,
    given: Mapping[str, object],
    environ: Mapping[str, str],
    spares: Sequence[LanguageModel] = (),
    outranked: Collection[str] = (),
) -> LanguageModel:
    provider = selection.provider
    model = selection.resolve_model(environ)
    location = locate_selection(
        selection, given, environ, outranked=outranked, fallback_providers=[spare.provider for spare in spares]
    )
    if model is None:  # Only now: of a missing key and a missing model, the key is told first.
        raise ConfigError("no model is named", hint=f'Name one: create_language("{provider.name}", "model-name")')
    if model.id != model.requested:
        log.debug("%s: the model %s is %s", provider.name, model.requested, model.id)
    setup = Setup(
        provider,
        model.id,
        # The endpoint holds the key, as a secret.
        {name: value for name, value in location.layers.chosen.items() if name != "api_key"},
        Connection(provider, location.endpoint),
        defaults=location.layers.defaults,
        base_url=location.endpoint.base_url,
        local=location.endpoint.local,
        requested=model.requested,
    )
    return LanguageModel(setup, fallbacks=spares)


def _create_spare(
    fallback: Selection | LanguageModel, environ: Mapping[str, str], outranked: Collection[str]
) -> LanguageModel:
    """The model of a fallback target. `outranked` are the settings that code gave the main model."""
    if isinstance(fallback, LanguageModel):
        return fallback
    try:
        return _create(fallback, {}, environ, outranked=outranked)
    except LLMError as error:
        error.provider = error.provider or fallback.provider.name
        raise

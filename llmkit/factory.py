"""`create_language`: from a provider's name and a model's name to a `LanguageModel`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Unpack, cast

from llmkit.checks import check_settings, describe
from llmkit.errors import ConfigError, LLMError
from llmkit.language import LanguageModel
from llmkit.provider import BaseProvider
from llmkit.registry import get_provider
from llmkit.resolve import from_environment, resolve_endpoint
from llmkit.settings import Settings
from llmkit.transport.connection import Connection


def create_language(
    provider: str, model: str | None = None, *, config: Settings | None = None, **settings: Unpack[Settings]
) -> LanguageModel:
    """Make a model by name. Nothing is sent, and no HTTP library is loaded, before the first call.

    Args:
        provider: name of an installed provider or known service: "openrouter", "ollama", "openai", "groq", ...; or
            both names in one string, "openrouter:openai/gpt-4o" (split at the first colon).
        model: name of the model as the service has it. `None` takes the provider's default model, if it has one.
        config: settings as a dict; a keyword outranks it.
        settings: see `llmkit.settings.Settings`. They outrank the environment.

    Raises:
        UnknownProvider, ProviderConflict, ProviderLoadError: there is no such provider, or it cannot be loaded.
        ConfigError: a setting is unknown or wrong, a key or model is missing.
        Unsupported: the backend does not have a setting.
    """
    name, model = split_target(provider, model)
    if config is not None and not isinstance(cast("object", config), Mapping):
        raise ConfigError(f"config is {describe(config)}", hint='Pass a dict: config={"temperature": 0}')
    backend = get_provider(name)
    try:
        return _create(backend, model, {**(config or {}), **settings})
    except LLMError as error:
        error.provider = error.provider or name
        raise


def _create(backend: BaseProvider, model: str | None, given: Mapping[str, object]) -> LanguageModel:
    environ = os.environ
    chosen = check_settings(given, call=False)
    defaults = from_environment(backend, environ)
    endpoint = resolve_endpoint(backend, {**defaults, **chosen}, environ)
    named = model or (environ.get(backend.model_env) if backend.model_env else None) or backend.default_model
    if not named:
        raise ConfigError("no model is named", hint=f'Name one: create_language("{backend.name}", "model-name")')
    chosen.pop("api_key", None)  # The endpoint holds it, as a secret.
    spares = [_spare(item) for item in cast("Sequence[object]", chosen.pop("fallbacks", ()))]
    made = LanguageModel(
        backend,
        backend.resolve_model(named),
        chosen,
        Connection(backend, endpoint),
        defaults=defaults,
        base_url=endpoint.base_url,
        local=endpoint.local,
        fallbacks=[spare for spare, _ in spares],
    )
    made.own(spare for spare, ours in spares if ours)
    return made


def _spare(item: object) -> tuple[LanguageModel, bool]:
    """A fallback target, and whether it is ours to close."""
    if isinstance(item, LanguageModel):
        return item, False
    if isinstance(item, str):
        if ":" not in item:
            raise ConfigError(f"the fallback {item!r} names no provider", hint='Shape: "provider:model"')
        return create_language(item), True
    raise ConfigError(f"a fallback is a {type(item).__name__}", hint='Pass "provider:model" or a LanguageModel')


def split_target(provider: str, model: str | None) -> tuple[str, str | None]:
    """Provider and model of what a user passes. A target string is split at its first colon only."""
    if not isinstance(cast("Any", provider), str) or not provider.strip():
        raise ConfigError("the provider is not a name", hint='create_language("openrouter", "openai/gpt-4o")')
    if model is not None and (not isinstance(cast("object", model), str) or not model.strip()):
        raise ConfigError(f"the model is {describe(model)}", hint='Pass its name: create_language("openai", "gpt-4o")')
    if model is None and ":" in provider:
        name, _, rest = provider.partition(":")
        return name.strip().lower(), rest.strip() or None
    return provider.strip().lower(), model

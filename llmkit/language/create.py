"""`create_language`: from a provider's or profile's name and a model's name to a `LanguageModel`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Unpack, cast

from llmkit.config.choice import Choice, chain, choose, choose_in, fallbacks_of
from llmkit.config.endpoint import resolve_endpoint
from llmkit.config.layers import layered_settings
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
    choice = choose(provider, model, environ)
    if config is not None and not isinstance(cast("object", config), Mapping):
        raise ConfigError(f"config is {describe(config)}", hint='Pass a dict: config={"temperature": 0}')
    try:
        given = check_settings({**(config or {}), **settings}, call=False)
        own = choice.profile
        named = given.pop("fallbacks", None)
        items = named if named is not None else fallbacks_of(own, environ) if own else ()
        targets = chain(
            choice.file,
            cast("Sequence[object]", items),
            environ,
            (own.key,) if own else (),
            is_model=lambda item: isinstance(item, LanguageModel),
        )
        spares = [_spare(choice, item, environ, set(given) & INHERITED) for item in targets]
        return _create(choice, given, environ, spares)
    except LLMError as error:
        error.provider = error.provider or choice.provider.name
        raise


def _create(
    choice: Choice,
    given: Mapping[str, object],
    environ: Mapping[str, str],
    spares: Sequence[tuple[LanguageModel, bool]] = (),
    outranked: Iterable[str] = (),
) -> LanguageModel:
    backend = choice.provider
    others = [spare.provider for spare, _ in spares]
    made = layered_settings(choice, given, environ, outranked=outranked, others=others)
    endpoint = resolve_endpoint(backend, made.all, environ, places=made.places)
    named, _ = choice.name_of_model(environ)
    if not named:
        raise ConfigError("no model is named", hint=f'Name one: create_language("{backend.name}", "model-name")')
    if (identity := choice.model_id(named)) != named:
        log.debug("%s: the model %s is %s", backend.name, named, identity)
    chosen = made.chosen
    chosen.pop("api_key", None)  # The endpoint holds it, as a secret.
    setup = Setup(
        backend,
        identity,
        chosen,
        Connection(backend, endpoint),
        defaults=made.defaults,
        base_url=endpoint.base_url,
        local=endpoint.local,
        requested=named,
    )
    model = LanguageModel(setup, fallbacks=[spare for spare, _ in spares])
    model.own(spare for spare, ours in spares if ours)
    return model


def _spare(
    main: Choice, item: str | LanguageModel, environ: Mapping[str, str], outranked: set[str]
) -> tuple[LanguageModel, bool]:
    """A fallback target, and whether it is ours to close. What the caller set outranks the target's profile."""
    if not isinstance(item, str):
        return item, False
    choice = choose_in(main.file, item, None, environ)
    try:
        return _create(choice, {}, environ, outranked=outranked), True
    except LLMError as error:
        error.provider = error.provider or choice.provider.name
        raise

"""What a user names, a provider, a profile or an alias, turned into a provider, and the name of its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from llmkit.config.file.find import load_file
from llmkit.config.substitution import substitute_text
from llmkit.errors import ConfigError, UnknownProvider
from llmkit.provider.interface import BaseProvider
from llmkit.provider.registry import get_provider, registry
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import measure, name_of

if TYPE_CHECKING:
    from llmkit.config.file.schema import ConfigFile, Section


@dataclass(frozen=True, slots=True)
class ModelName:
    """The name of a model.

    Attributes:
        id: as the service has it.
        requested: as it was asked for.
        origin: the words for who asked for it.
    """

    id: str
    requested: str
    origin: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The provider that was selected by a name.

    Attributes:
        name: as the user wrote it.
        provider: the provider that it stands for.
        model: the model that was named with it, by the caller or by the profile; `None` where neither did.
        profile: the profile that was named.
        file: the configuration file that applies.
        model_of_profile: was the model named by the profile?
        defaults: the file's table of the provider.
    """

    name: str
    provider: BaseProvider
    model: str | None
    profile: Section | None = None
    file: ConfigFile | None = None
    model_of_profile: bool = False
    defaults: Section | None = field(init=False)

    def __post_init__(self) -> None:
        """Look up the provider's table."""
        object.__setattr__(self, "defaults", self.file.providers.get(self.provider.name) if self.file else None)

    def resolve_model(self, environ: Mapping[str, str]) -> ModelName | None:
        """The model: of the caller, the profile, the environment, the provider's table, or the provider's default.

        Its id follows from the aliases of the file, and then from those of the provider. `None` where nobody names one.

        Raises:
            ConfigError: an alias stands for a model of another provider.
        """
        variable, defaults = self.provider.model_env, self.defaults
        requested, origin = self.model, "create_language"
        if requested is not None:
            origin = self.profile.origin if self.profile and self.model_of_profile else origin
        elif variable and (requested := environ.get(variable, "").strip()):
            origin = f"environment {variable}"
        elif defaults and defaults.model:
            requested, origin = substitute_text(defaults, "model", defaults.model, environ), defaults.origin
        else:
            requested, origin = self.provider.default_model, "default"
        return ModelName(self._identify(requested), requested, origin) if requested else None

    def _identify(self, requested: str) -> str:
        """The service's id of a model."""
        if self.file is None:
            return self.provider.resolve_model(requested)
        model = self.file.resolve_alias(requested, self.provider.name)
        head, colon, _ = model.partition(":")
        if model != requested and colon and registry.is_known(head.strip().lower()):
            raise ConfigError(
                f"the alias {name_of(requested)} of {self.file.path} stands for {model}, which is of another provider",
                hint=f'create_language("{requested}") takes it alone',
            )
        return self.provider.resolve_model(model)


def select(provider: str, model: str | None, environ: Mapping[str, str]) -> Selection:
    """The provider that a provider's, profile's or alias's name stands for, by the file that applies here.

    Raises:
        UnknownProvider, ProviderConflict, ProviderLoadError: there is no such name, or it cannot be loaded.
        ConfigError: a name is not text, or is empty.
        ConfigFileError: the configuration file, or the profile, is wrong.
    """
    return select_in(load_file(environ), provider, model, environ)


def select_in(file: ConfigFile | None, provider: str, model: str | None, environ: Mapping[str, str]) -> Selection:
    """As `select`, by a file that has been read."""
    name, model = split_target(provider, model)
    if file is None:
        try:
            return Selection(provider, get_provider(name), model)
        except UnknownProvider as error:
            reason = "there is no configuration file, so there are no profiles"
            raise UnknownProvider(f"{error.message}; {reason}", hint=error.hint) from None
    if profile := file.find_profile(name):
        if registry.is_known(name):
            raise profile.error("has the name of a provider", hint="Give the profile another name")
        return _select_by_profile(file, profile, provider, model, environ)
    if registry.is_known(name):
        return Selection(provider, get_provider(name), model, None, file)
    alias = provider.strip()
    head, colon, rest = file.resolve_alias(alias).partition(":")
    if alias in file.aliases and colon and registry.is_known(head.strip().lower()):
        # The model keeps the alias as the name that it was asked for by.
        return Selection(provider, get_provider(head.strip().lower()), alias if rest.strip() else None, None, file)
    raise _unknown_provider_error(name, alias, file)


def _select_by_profile(
    file: ConfigFile, profile: Section, provider: str, model: str | None, environ: Mapping[str, str]
) -> Selection:
    name = substitute_text(profile, "provider", profile.provider, environ).lower()
    if not registry.is_known(name):
        shown = name_of(name) if name == profile.provider.lower() else profile.provider
        raise profile.error(f"is {shown}, which is not installed", "provider", hint=suggest_provider(name))
    if model is not None or profile.model is None:
        return Selection(provider, get_provider(name), model, profile, file)
    model = substitute_text(profile, "model", profile.model, environ)
    return Selection(provider, get_provider(name), model, profile, file, model_of_profile=True)


def suggest_provider(name: str, more: Sequence[str] = ()) -> str | None:
    """The advice for a name that no provider has: the nearest provider's or service's name."""
    if ":" in name:
        return 'The model has a key of its own: model = "..."'
    return did_you_mean(name, [*more, *registry.names(), *registry.services()])


def _unknown_provider_error(name: str, alias: str, file: ConfigFile) -> UnknownProvider:
    """The registry's error, with the profiles of the file."""
    try:
        get_provider(name)
    except UnknownProvider as error:
        profiles = f"profiles of {file.path}: {', '.join(file.profiles) or 'none'}"
        hint = did_you_mean(name, file.profiles) or error.hint
        if alias in file.aliases:
            hint = f'It is an alias of a model; name the provider too: create_language("openrouter", "{alias}")'
        return UnknownProvider(f"{error.message}; {profiles}", hint=hint)
    raise ConfigError(f"no provider is named {name_of(name)}")  # It has been registered this moment.


def split_target(provider: str, model: str | None) -> tuple[str, str | None]:
    """Provider and model of what a user passes. A target string is split at its first colon only."""
    if not isinstance(cast("object", provider), str) or not provider.strip():
        hint = 'create_language("openrouter", "openai/gpt-4o")'
        raise ConfigError(f"the provider must be a name, not {measure(provider)}", hint=hint)
    if model is not None and (not isinstance(cast("object", model), str) or not model.strip()):
        hint = 'Pass its name: create_language("openai", "gpt-4o")'
        raise ConfigError(f"the model must be a name, not {measure(model)}", hint=hint)
    if model is None and ":" in provider:
        provider, _, model = provider.partition(":")
        return provider.strip().lower(), model.strip() or None
    return provider.strip().lower(), model

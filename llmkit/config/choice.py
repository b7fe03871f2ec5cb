"""What a user names: a provider, a profile, an alias, with or without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from llmkit.config.file.find import current
from llmkit.config.substitution import replaced
from llmkit.errors import ConfigError, UnknownProvider
from llmkit.provider.interface import BaseProvider
from llmkit.provider.registry import get_provider, registry
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import measure, name_of

if TYPE_CHECKING:
    from llmkit.config.file.schema import ConfigFile, Section
    from llmkit.language.model import LanguageModel


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider that was chosen by name.

    Attributes:
        provider: the backend.
        model: the model as it was named, by the caller or by the profile; `None` where neither did.
        profile: the profile that was named; `file`: the configuration file that applies.
        from_profile: does the model come from the profile?
    """

    provider: BaseProvider
    model: str | None
    profile: Section | None
    file: ConfigFile | None
    from_profile: bool = False

    def name_of_model(self, environ: Mapping[str, str]) -> tuple[str | None, str]:
        """The model's name as it was asked for, and the words for where that comes from."""
        if self.model is not None:
            return self.model, origin_of(self.profile) if self.profile and self.from_profile else "create_language"
        backend = self.provider
        if backend.model_env and (named := environ.get(backend.model_env, "").strip()):
            return named, f"environment {backend.model_env}"
        defaults = self.defaults
        if defaults and defaults.model:
            return replaced(defaults, "model", defaults.model, environ), origin_of(defaults)
        return backend.default_model, "default"

    def model_id(self, named: str) -> str:
        """The service's id of a model name, by the aliases of the file and then by the provider's own."""
        found = self.file.alias(named, self.provider.name) if self.file else named
        head, colon, _ = found.partition(":")
        if self.file and found != named and colon and registry.known(head.strip().lower()):
            raise ConfigError(
                f"the alias {name_of(named)} of {self.file.path} stands for {found}, which is of another provider",
                hint=f'create_language("{named}") takes it alone',
            )
        return self.provider.resolve_model(found)

    @property
    def defaults(self) -> Section | None:
        """The file's table of the provider."""
        return self.file.providers.get(self.provider.name) if self.file else None


def origin_of(section: Section) -> str:
    """The words for a table of the file."""
    kind, _, name = section.key.partition(".")
    return f"profile {name} ({section.path})" if kind == "profiles" else f"file {section.key} ({section.path})"


def choose(provider: str, model: str | None, environ: Mapping[str, str]) -> Choice:
    """What a provider's, profile's or alias's name stands for.

    Raises:
        UnknownProvider, ProviderConflict, ProviderLoadError: there is no such name, or it cannot be loaded.
        ConfigError: it is no name.
        ConfigFileError: the configuration file, or the profile, is wrong.
    """
    return choose_in(current(environ), provider, model, environ)


def choose_in(file: ConfigFile | None, provider: str, model: str | None, environ: Mapping[str, str]) -> Choice:
    """As `choose`, by a file that has been read."""
    name, model = split_target(provider, model)
    if file is None:
        try:
            return Choice(get_provider(name), model, None, None)
        except UnknownProvider as error:
            nothing = "; there is no configuration file, so there are no profiles"
            raise UnknownProvider(f"{error.message}{nothing}", hint=error.hint) from None
    if section := file.profile(name):
        return _of_profile(file, section, name, model, environ)
    if registry.known(name):
        return Choice(get_provider(name), model, None, file)
    target = file.alias(provider.strip())
    head, colon, rest = target.partition(":")
    if target != provider.strip() and colon and registry.known(head.strip().lower()):
        # The model keeps the alias as the name that it was asked for by.
        return Choice(get_provider(head.strip().lower()), provider.strip() if rest.strip() else None, None, file)
    raise _unknown(name, provider.strip(), file)


def _of_profile(file: ConfigFile, section: Section, name: str, model: str | None, environ: Mapping[str, str]) -> Choice:
    if registry.known(name):
        raise section.error("bears the name of a provider", hint="Give the profile another name")
    backend = replaced(section, "provider", section.provider, environ).lower()
    if not registry.known(backend):
        nearby = backend_hint(backend)
        shown = name_of(backend) if backend == section.provider.lower() else section.provider
        raise section.error(f"names no provider that is installed: {shown}", "provider", hint=nearby)
    own = replaced(section, "model", section.model, environ) if section.model and model is None else None
    return Choice(get_provider(backend), model or own, section, file, from_profile=own is not None)


def backend_hint(name: str, more: Sequence[str] = ()) -> str | None:
    """The nearest provider's or service's name."""
    if ":" in name:
        return 'The model has a key of its own: model = "..."'
    return did_you_mean(name, [*more, *registry.names(), *registry.services()])


def _unknown(name: str, given: str, file: ConfigFile) -> UnknownProvider:
    """The registry's error, with the profiles of the file."""
    try:
        get_provider(name)
    except UnknownProvider as error:
        listed = f"; profiles of {file.path}: {', '.join(file.profiles) or 'none'}"
        hint = did_you_mean(name, file.profiles) or error.hint
        if given in file.aliases:
            hint = f'It is an alias of a model; name the provider too: create_language("openrouter", "{given}")'
        return UnknownProvider(f"{error.message}{listed}", hint=hint)
    raise ConfigError(f"no provider is named {name_of(name)}")  # registered this moment


def chain(
    file: ConfigFile | None,
    items: Sequence[object],
    environ: Mapping[str, str],
    trail: tuple[str, ...] = (),
    *,
    is_model: Callable[[object], bool],
    done: set[str] | None = None,
) -> list[str | LanguageModel]:
    """Fallback targets, each profile followed by its own fallbacks. A profile stands in it once.

    `is_model` tells a model object from anything else. It is handed in, because model objects belong to a later room.

    Raises:
        ConfigFileError: profiles fall back to each other in a circle.
        ConfigError: a target is no profile and names no provider.
    """
    done = set() if done is None else done
    found: list[str | LanguageModel] = []
    for item in items:
        section = _profile(file, item)
        if section is None:
            found.append(_plain(file, item, is_model))
            _check_known(file, item, trail)
            continue
        key = cast("str", item).strip().lower()
        if section.key in trail:
            names = [name.partition(".")[2] for name in (*trail[trail.index(section.key) :], section.key)]
            raise section.error(f"falls back to itself: {' -> '.join(names)}", "fallbacks")
        if key in done:
            continue
        done.add(key)
        found.append(cast("str", item))
        found += chain(
            file, fallbacks_of(section, environ), environ, (*trail, section.key), is_model=is_model, done=done
        )
    return found


def _check_known(file: ConfigFile | None, item: object, trail: Sequence[str]) -> None:
    """A target that a profile names is of a provider that is there; the error says which profile."""
    if not (file and trail and isinstance(item, str)):
        return
    name = file.alias(item.strip()).partition(":")[0].strip().lower()
    section = next((known for known in file.profiles.values() if known.key == trail[-1]), None)
    if section is not None and not registry.known(name):
        said = f"holds {name_of(item)}: no provider is named {name_of(name)}"
        raise section.error(said, "fallbacks", hint=backend_hint(name))


def fallbacks_of(section: Section, environ: Mapping[str, str]) -> list[str]:
    """The fallbacks of a profile, references replaced."""
    return [replaced(section, "fallbacks", item, environ) for item in section.fallbacks or ()]


def _profile(file: ConfigFile | None, item: object) -> Section | None:
    return file.profile(item.partition(":")[0].strip()) if file and isinstance(item, str) else None


def _plain(file: ConfigFile | None, item: object, is_model: Callable[[object], bool]) -> str | LanguageModel:
    """A target that is no profile."""
    if isinstance(item, str):
        if ":" not in item and (file is None or ":" not in file.alias(item.strip())):
            hint = (did_you_mean(item, file.profiles) if file else None) or 'Shape: "provider:model"'
            if file and item.strip() in file.aliases:
                hint = f'It is an alias of a model; name the provider too: "openrouter:{item.strip()}"'
            raise ConfigError(f"the fallback {name_of(item)} names no provider and no profile", hint=hint)
        return item
    if is_model(item):
        return cast("LanguageModel", item)
    raise ConfigError(
        f"a fallback is a {type(item).__name__}", hint='Pass "provider:model", a profile or a LanguageModel'
    )


def split_target(provider: str, model: str | None) -> tuple[str, str | None]:
    """Provider and model of what a user passes. A target string is split at its first colon only."""
    if not isinstance(cast("object", provider), str) or not provider.strip():
        hint = 'create_language("openrouter", "openai/gpt-4o")'
        raise ConfigError(f"the provider must be a name, not {measure(provider)}", hint=hint)
    if model is not None and (not isinstance(cast("object", model), str) or not model.strip()):
        hint = 'Pass its name: create_language("openai", "gpt-4o")'
        raise ConfigError(f"the model must be a name, not {measure(model)}", hint=hint)
    if model is None and ":" in provider:
        name, _, rest = provider.partition(":")
        return name.strip().lower(), rest.strip() or None
    return provider.strip().lower(), model

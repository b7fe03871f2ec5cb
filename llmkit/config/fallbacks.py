"""The fallback targets of a model: profiles with their own fallbacks after them, targets, and model objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from llmkit.config.selection import Selection, select_in, suggest_provider
from llmkit.config.substitution import substitute_text
from llmkit.errors import ConfigError
from llmkit.provider.registry import registry
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import name_of

if TYPE_CHECKING:
    from llmkit.config.file.schema import ConfigFile, Section
    from llmkit.language.model import LanguageModel


def select_fallbacks(
    main: Selection, given: object, environ: Mapping[str, str], *, is_model: Callable[[object], bool]
) -> list[Selection | LanguageModel]:
    """The fallback targets of a selection, in order, each profile followed by its own. A profile is among them once.

    Args:
        main: the selection that they stand in for.
        given: the fallbacks that the program gave, checked; `None` takes those of the profile.
        is_model: tells a model object from anything else. It is handed in, because model objects belong to a later
            room.

    Raises:
        ConfigFileError: profiles fall back to each other in a circle.
        ConfigError: a target is neither a profile, nor of a known provider, nor a model.
    """
    profile, file = main.profile, main.file
    trail = (profile,) if profile else ()
    seen: set[str] = set()

    def follow(items: Sequence[object], trail: tuple[Section, ...]) -> Iterator[Selection | LanguageModel]:
        for item in items:
            if not isinstance(item, str):
                if not is_model(item):
                    hint = 'Pass "provider:model", a profile or a LanguageModel'
                    raise ConfigError(f"a fallback is a {type(item).__name__}", hint=hint)
                yield cast("LanguageModel", item)
            elif section := file.find_profile(item.partition(":")[0].strip()) if file else None:
                _check_circle(section, trail)
                if (key := item.strip().lower()) not in seen:
                    seen.add(key)
                    yield select_in(file, item, None, environ)
                    yield from follow(_read_fallbacks(section, environ), (*trail, section))
            else:
                _check_target(file, item, trail)
                yield select_in(file, item, None, environ)

    if given is None:
        given = _read_fallbacks(profile, environ) if profile else ()
    return list(follow(cast("Sequence[object]", given), trail))


def _read_fallbacks(profile: Section, environ: Mapping[str, str]) -> list[str]:
    """The fallbacks of a profile, references replaced."""
    return [substitute_text(profile, "fallbacks", item, environ) for item in profile.fallbacks or ()]


def _check_circle(profile: Section, trail: tuple[Section, ...]) -> None:
    """Raise `ConfigFileError` if `profile` is on the way that led to it."""
    keys = [section.key for section in trail]
    if profile.key in keys:
        names = [key.partition(".")[2] for key in (*keys[keys.index(profile.key) :], profile.key)]
        raise profile.error(f"falls back to itself: {' -> '.join(names)}", "fallbacks")


def _check_target(file: ConfigFile | None, item: str, trail: tuple[Section, ...]) -> None:
    """Raise `ConfigError` unless the text is a target; where a profile names it, the error says which."""
    target = file.resolve_alias(item.strip()) if file else item
    if ":" not in item and ":" not in target:
        hint = (did_you_mean(item, file.profiles) if file else None) or 'Shape: "provider:model"'
        if file and item.strip() in file.aliases:
            hint = f'It is an alias of a model; name the provider too: "openrouter:{item.strip()}"'
        raise ConfigError(f"the fallback {name_of(item)} is neither a profile nor provider:model", hint=hint)
    provider = target.partition(":")[0].strip().lower()
    if trail and not registry.is_known(provider):
        message = f"holds {name_of(item)}: no provider is named {name_of(provider)}"
        raise trail[-1].error(message, "fallbacks", hint=suggest_provider(provider))
